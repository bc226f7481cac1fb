//! A page's WebSocket: typed messages in, typed messages out. What goes out waits here, so that nobody waits for a page that does not read.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, Sleep, sleep_until};

use super::participant::Input;
use crate::message::ServerMessage;

/// A page that takes nothing for this long does not read.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// What may wait for one page: an offer and its candidates from each of eight partners, several times over.
const OUTBOX_BYTES: usize = 2 * 1024 * 1024;

/// The page's end of the wire.
pub struct Socket {
    inner: WebSocket,
    outbox: VecDeque<Message>,
    outbox_bytes: usize,
    /// Something was handed over that may not have left.
    is_unflushed: bool,
    /// Until when the page has to take what it is sent.
    deadline: Option<Pin<Box<Sleep>>>,
}

/// More waits for the page than it may leave unread.
#[derive(Debug)]
pub struct Full;

impl Socket {
    /// Wraps an upgraded socket.
    pub fn new(inner: WebSocket) -> Self {
        Self { inner, outbox: VecDeque::new(), outbox_bytes: 0, is_unflushed: false, deadline: None }
    }

    /// To the page, as soon as it takes it.
    pub fn send(&mut self, message: &ServerMessage) -> Result<(), Full> {
        let text = serde_json::to_string(message).expect("messages are plain data");
        self.outbox_bytes += text.len();
        self.outbox.push_back(Message::Text(text.into()));
        if self.outbox_bytes > OUTBOX_BYTES { Err(Full) } else { Ok(()) }
    }

    /// Asks the device whether it is there; the answer is an [`Input::Pong`] with the same payload.
    pub fn ping(&mut self, payload: String) {
        self.outbox.push_back(Message::Ping(Bytes::from(payload)));
    }

    /// Closes with a code of RFC 6455 §7.4, after what was sent before.
    pub fn close(&mut self, code: u16, reason: &'static str) {
        self.outbox.push_back(Message::Close(Some(CloseFrame { code, reason: reason.into() })));
    }

    /// Sends what waits, and gives the next thing from the page if it `reads`. Cancel-safe.
    pub async fn next(&mut self, reads: bool) -> Input {
        std::future::poll_fn(|cx| self.poll(reads, cx)).await
    }

    fn poll(&mut self, reads: bool, cx: &mut Context<'_>) -> Poll<Input> {
        match self.poll_write(cx) {
            Poll::Ready(Ok(())) => self.deadline = None,
            Poll::Ready(Err(())) => return Poll::Ready(Input::Lost),
            Poll::Pending => {
                let deadline = self
                    .deadline
                    .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + WRITE_DEADLINE)));
                if deadline.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Input::Lost);
                }
            }
        }
        if !reads {
            return Poll::Pending;
        }
        self.inner.poll_next_unpin(cx).map(|frame| match frame {
            Some(Ok(frame)) => read(frame),
            Some(Err(error)) => {
                if is_too_large(error) {
                    Input::TooLarge
                } else {
                    Input::Lost
                }
            }
            None => Input::Lost,
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        while let Some(message) = self.outbox.front() {
            std::task::ready!(self.inner.poll_ready_unpin(cx)).map_err(drop)?;
            if let Message::Text(text) = message {
                self.outbox_bytes -= text.len();
            }
            let Some(message) = self.outbox.pop_front() else { break };
            self.inner.start_send_unpin(message).map_err(drop)?;
            self.is_unflushed = true;
            self.deadline = None;
        }
        if self.is_unflushed {
            std::task::ready!(self.inner.poll_flush_unpin(cx)).map_err(drop)?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

fn read(frame: Message) -> Input {
    match frame {
        Message::Text(text) => serde_json::from_str(&text).map_or(Input::Malformed, Input::Message),
        Message::Pong(payload) => Input::Pong(String::from_utf8_lossy(&payload).into_owned()),
        Message::Ping(_) => Input::Pong(String::new()),
        Message::Binary(_) => Input::Binary,
        Message::Close(_) => Input::Lost,
    }
}

fn is_too_large(error: axum::Error) -> bool {
    matches!(error.into_inner().downcast_ref(), Some(tungstenite::Error::Capacity(_)))
}
