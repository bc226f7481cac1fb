//! A page's WebSocket: typed messages in, typed messages out, rate and deadlines kept here.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::SinkExt;

use crate::limit::MessageRate;
use crate::message::{ClientMessage, ErrorName, ServerMessage};

/// A page that takes nothing for this long does not read.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Two pings and a bit without any answer: the device is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Messages that a page may have sent before it read the close.
const UNDER_WAY: u32 = 256;

/// The page's end of the wire.
pub struct Socket {
    inner: WebSocket,
    rate: MessageRate,
    heard_at: Instant,
}

/// What came from the page.
pub enum Incoming {
    /// A message of the protocol.
    Message(ClientMessage),
    /// Text that is none.
    Malformed,
    /// The answer to a ping that carried this.
    Pong(Bytes),
    /// The socket is of no more use; it was told why.
    Closed,
}

/// The socket does not take messages any more.
#[derive(Debug)]
pub struct Closed;

impl Socket {
    /// Wraps an upgraded socket.
    pub fn new(inner: WebSocket) -> Self {
        let now = Instant::now();
        Self { inner, rate: MessageRate::new(now), heard_at: now }
    }

    /// The page entered a consultation of so many seats, and has more to say in a larger one.
    pub fn expect_seats(&mut self, seats: usize) {
        self.rate.widen(seats);
    }

    /// The next thing from the page. Cancel-safe but for the farewell to a page that broke a bound.
    pub async fn receive(&mut self) -> Incoming {
        loop {
            let message = match self.inner.recv().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => {
                    if is_too_large(error) {
                        self.close(close_code::SIZE, "64 KiB at most").await;
                    }
                    return Incoming::Closed;
                }
                None => return Incoming::Closed,
            };
            self.heard_at = Instant::now();
            if !self.rate.allows(self.heard_at) {
                self.reject(ErrorName::TooFast).await;
                return Incoming::Closed;
            }
            match message {
                Message::Text(text) => {
                    return serde_json::from_str(&text).map_or(Incoming::Malformed, Incoming::Message);
                }
                Message::Pong(payload) => return Incoming::Pong(payload),
                Message::Ping(_) => {}
                Message::Binary(_) => {
                    self.close(close_code::UNSUPPORTED, "text frames only").await;
                    return Incoming::Closed;
                }
                Message::Close(_) => return Incoming::Closed,
            }
        }
    }

    /// Queues a message; [`Self::flush`] sends what is queued.
    pub async fn feed(&mut self, message: &ServerMessage) -> Result<(), Closed> {
        let text = serde_json::to_string(message).expect("messages are plain data");
        self.write(Message::Text(text.into()), false).await
    }

    /// Sends what is queued.
    pub async fn flush(&mut self) -> Result<(), Closed> {
        within_deadline(self.inner.flush()).await
    }

    /// Sends a message at once.
    pub async fn send(&mut self, message: &ServerMessage) -> Result<(), Closed> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Asks the device whether it is there; the answer is an [`Incoming::Pong`] with the same payload.
    pub async fn ping(&mut self, payload: &str) -> Result<(), Closed> {
        self.write(Message::Ping(Bytes::copy_from_slice(payload.as_bytes())), true).await
    }

    /// Whether the device has been silent for too long.
    pub fn is_silent(&self) -> bool {
        self.heard_at.elapsed() > SILENCE
    }

    /// Says what was wrong and closes with 1008, or 1011 where the server is to blame.
    pub async fn reject(&mut self, error: ErrorName) {
        let _ = self.send(&ServerMessage::error(error)).await;
        let code = if error == ErrorName::Unavailable { close_code::ERROR } else { close_code::POLICY };
        self.close(code, "see the error before").await;
    }

    /// Says farewell and closes with 1000.
    pub async fn farewell(&mut self, message: &ServerMessage) {
        let _ = self.send(message).await;
        self.close(close_code::NORMAL, "").await;
    }

    /// Closes with a code of RFC 6455 §7.4.
    pub async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = self.write(Message::Close(Some(frame)), true).await;
    }

    /// Reads until the page has closed its end. From a page that floods on, no more is taken than may have been under way: it stands still
    /// until the caller's deadline.
    pub async fn drain(&mut self) {
        for _ in 0..UNDER_WAY {
            let Some(Ok(_)) = self.inner.recv().await else { return };
        }
        std::future::pending::<()>().await;
    }

    async fn write(&mut self, message: Message, flush: bool) -> Result<(), Closed> {
        if flush {
            within_deadline(self.inner.send(message)).await
        } else {
            within_deadline(self.inner.feed(message)).await
        }
    }
}

fn is_too_large(error: axum::Error) -> bool {
    matches!(error.into_inner().downcast_ref(), Some(tungstenite::Error::Capacity(_)))
}

async fn within_deadline(write: impl Future<Output = Result<(), axum::Error>>) -> Result<(), Closed> {
    match tokio::time::timeout(WRITE_DEADLINE, write).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Closed),
    }
}
