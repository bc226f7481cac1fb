//! A browser tab as the broker sees it: one WebSocket, every frame of both directions kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use rand::Rng;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;

use super::{Connection, DEADLINE, Server, within};

type Stream = WebSocketStream<Connection>;

/// A tab. It answers pings until [`Page::freeze`].
pub struct Page {
    sink: SplitSink<Stream, Message>,
    incoming: mpsc::UnboundedReceiver<Frame>,
    /// Read, and not asked for yet.
    backlog: VecDeque<Value>,
    record: Arc<Mutex<Vec<Value>>>,
    frozen: CancellationToken,
    reader: AbortHandle,
    /// The device's secret, as sessionStorage keeps it over reloads.
    pub device: String,
    /// This page life's public key.
    pub key: String,
}

enum Frame {
    Text(Value),
    /// The close code; 1006 where none came.
    Closed(u16),
}

/// What a device needs to come back to its place.
#[derive(Clone, Debug)]
pub struct Place {
    /// The access code.
    pub code: String,
    /// The device's secret.
    pub device: String,
    /// The page's key.
    pub key: String,
    /// The resume token.
    pub token: String,
    /// The page's number.
    pub incarnation: i64,
}

impl Page {
    /// Opens a tab with a device secret of its own.
    pub async fn open(server: &Server) -> Self {
        Self::connect(server, request(server, &[])).await
    }

    /// Opens a tab, where the server has room for it.
    pub async fn try_open(server: &Server) -> Result<Self, tungstenite::Error> {
        timeout(DEADLINE, handshake(server, request(server, &[])))
            .await
            .unwrap_or(Err(tungstenite::Error::ConnectionClosed))
            .map(Self::on)
    }

    /// The same through a proxy that forwards this address.
    pub async fn try_open_from(server: &Server, address: &str) -> Result<Self, tungstenite::Error> {
        timeout(DEADLINE, handshake(server, request(server, &[("x-forwarded-for", address)])))
            .await
            .unwrap_or(Err(tungstenite::Error::ConnectionClosed))
            .map(Self::on)
    }

    /// The same over a connection that is there.
    pub async fn try_open_over(server: &Server, stream: Connection) -> Result<Self, tungstenite::Error> {
        timeout(DEADLINE, client_async(request(server, &[]), stream))
            .await
            .unwrap_or(Err(tungstenite::Error::ConnectionClosed))
            .map(|(stream, _)| Self::on(stream))
    }

    /// The same for a server that has room.
    pub async fn open_from(server: &Server, address: &str) -> Self {
        Self::connect(server, request(server, &[("x-forwarded-for", address)])).await
    }

    /// The same through a proxy that sends these headers.
    pub async fn open_with(server: &Server, headers: &[(&'static str, &str)]) -> Self {
        Self::connect(server, request(server, headers)).await
    }

    /// The same through a proxy of layer 4 that writes this before everything else.
    pub async fn open_behind(server: &Server, header: &[u8]) -> Self {
        let (stream, _) = client_async(request(server, &[]), server.connect_behind(header).await.unwrap())
            .await
            .expect("the server takes the socket");
        Self::on(stream)
    }

    /// The same on a server whose public URL is this origin.
    pub async fn open_at(server: &Server, origin: &str) -> Self {
        Self::connect(server, request(server, &[("origin", origin)])).await
    }

    async fn connect(server: &Server, request: Request) -> Self {
        Self::on(handshake(server, request).await.expect("the server takes the socket"))
    }

    fn on(stream: Stream) -> Self {
        let (sink, source) = stream.split();
        let (sender, incoming) = mpsc::unbounded_channel();
        let record = Arc::default();
        let frozen = CancellationToken::new();
        let reader = tokio::spawn(read(source, sender, Arc::clone(&record), frozen.clone())).abort_handle();
        let (device, key) = (random(16), random(65));
        Self { sink, incoming, backlog: VecDeque::new(), record, frozen, reader, device, key }
    }

    /// Sends a message.
    pub async fn send(&mut self, message: Value) {
        self.record.lock().unwrap().push(message.clone());
        self.send_frame(Message::text(message.to_string())).await.expect("the socket is open");
    }

    /// Sends a frame as it is; an error where the socket is gone.
    pub async fn send_frame(&mut self, frame: Message) -> Result<(), tungstenite::Error> {
        self.sink.send(frame).await
    }

    /// The first message of this type, come or coming. Others keep their place.
    pub async fn expect(&mut self, kind: &str) -> Value {
        if let Some(at) = self.backlog.iter().position(|message| message["type"] == kind) {
            return self.backlog.remove(at).expect("just found");
        }
        loop {
            match within(kind, self.incoming.recv()).await {
                Some(Frame::Text(message)) if message["type"] == kind => return message,
                Some(Frame::Text(message)) => self.backlog.push_back(message),
                Some(Frame::Closed(code)) => {
                    panic!("closed with {code} instead of {kind}; before: {:?}", self.received())
                }
                None => panic!("closed instead of {kind}; before: {:?}", self.received()),
            }
        }
    }

    /// The next message, whatever it is.
    pub async fn next(&mut self) -> Value {
        self.next_within(DEADLINE).await
    }

    /// The same with a deadline of its own.
    pub async fn next_within(&mut self, deadline: Duration) -> Value {
        if let Some(message) = self.backlog.pop_front() {
            return message;
        }
        match timeout(deadline, self.incoming.recv()).await.expect("a message comes") {
            Some(Frame::Text(message)) => message,
            Some(Frame::Closed(code)) => panic!("closed with {code}; before: {:?}", self.received()),
            None => panic!("closed; before: {:?}", self.received()),
        }
    }

    /// An `error` by this name.
    pub async fn expect_error(&mut self, name: &str) -> Value {
        let error = self.expect("error").await;
        assert_eq!(error["error"], name, "{error}");
        error
    }

    /// The close code; what comes before it is kept.
    pub async fn expect_close(&mut self) -> u16 {
        loop {
            match within("the end of the socket", self.incoming.recv()).await {
                Some(Frame::Text(message)) => self.backlog.push_back(message),
                Some(Frame::Closed(code)) => return code,
                None => panic!("the end was seen before"),
            }
        }
    }

    /// Whether a message of this type is among those that came and were not asked for.
    pub fn has(&self, kind: &str) -> bool {
        self.backlog.iter().any(|message| message["type"] == kind)
    }

    /// The same, with all that has arrived by now.
    pub async fn has_come(&mut self, kind: &str) -> bool {
        tokio::task::yield_now().await;
        while let Ok(frame) = self.incoming.try_recv() {
            match frame {
                Frame::Text(message) => self.backlog.push_back(message),
                Frame::Closed(code) => panic!("closed with {code} before {kind}"),
            }
        }
        self.has(kind)
    }

    /// Whether `welcome` came, and not the end.
    pub async fn is_welcomed(&mut self) -> bool {
        match within("welcome, or the end", self.incoming.recv()).await {
            Some(Frame::Text(message)) => message["type"] == "welcome",
            _ => false,
        }
    }

    /// Whether the end has come by now.
    pub fn has_ended(&mut self) -> bool {
        loop {
            match self.incoming.try_recv() {
                Ok(Frame::Text(message)) => self.backlog.push_back(message),
                Ok(Frame::Closed(_)) | Err(mpsc::error::TryRecvError::Disconnected) => return true,
                Err(mpsc::error::TryRecvError::Empty) => return false,
            }
        }
    }

    /// Both directions, in order: messages as they stood on the wire.
    pub fn record(&self) -> Vec<Value> {
        self.record.lock().unwrap().clone()
    }

    fn received(&self) -> Vec<Value> {
        self.backlog.iter().cloned().collect()
    }

    /// The device sleeps or its line is dead: nothing is read or answered, and the connection stays.
    pub fn freeze(&self) {
        self.frozen.cancel();
    }

    /// `look`, answered by `seen` or `error`.
    pub async fn look(&mut self, code: &str) -> Value {
        self.send(json!({ "type": "look", "code": code })).await;
        self.next().await
    }

    /// `join` without a token.
    pub async fn join(&mut self, code: &str) {
        let join = json!({ "type": "join", "code": code, "device": self.device, "key": self.key });
        self.send(join).await;
    }

    /// Joins a seat that is free for this page: `welcome`.
    pub async fn enter(&mut self, code: &str) -> Place {
        self.join(code).await;
        self.welcomed(code).await
    }

    /// Waits for `welcome`.
    pub async fn welcomed(&mut self, code: &str) -> Place {
        let welcome = self.expect("welcome").await;
        self.place(code, &welcome)
    }

    /// What this page would need to come back.
    pub fn place(&self, code: &str, welcome: &Value) -> Place {
        Place {
            code: code.to_owned(),
            device: self.device.clone(),
            key: self.key.clone(),
            token: welcome["token"].as_str().unwrap().to_owned(),
            incarnation: welcome["incarnation"].as_i64().unwrap(),
        }
    }

    /// The device that was there before, with nothing of its page.
    pub fn be(&mut self, place: &Place) {
        self.device.clone_from(&place.device);
    }

    /// Joins and waits: answers the `waiting`.
    pub async fn wait_at(&mut self, code: &str) -> Value {
        self.join(code).await;
        self.expect("waiting").await
    }

    /// The same where it may have to give way before it is in; `false` then.
    pub async fn try_wait_at(&mut self, code: &str) -> bool {
        let look = json!({ "type": "look", "code": code });
        let join = json!({ "type": "join", "code": code, "device": self.device, "key": self.key });
        for message in [look, join] {
            if self.send_frame(Message::text(message.to_string())).await.is_err() {
                return false;
            }
        }
        loop {
            match within("the waiting room, or the end", self.incoming.recv()).await {
                Some(Frame::Text(message)) if message["type"] == "waiting" => return true,
                Some(Frame::Text(message)) if message["type"] == "seen" => {}
                Some(Frame::Text(message)) => panic!("{message}"),
                Some(Frame::Closed(_)) | None => return false,
            }
        }
    }

    /// `join` of the same page over a new socket.
    pub async fn resume(&mut self, place: &Place) {
        (self.device, self.key) = (place.device.clone(), place.key.clone());
        let join = json!({
            "type": "join", "code": place.code, "device": place.device, "key": place.key, "token": place.token, "incarnation": place.incarnation,
        });
        self.send(join).await;
    }

    /// `join` of the same device after a reload: a new key, and no incarnation.
    pub async fn reload(&mut self, place: &Place) {
        self.be(place);
        let join = json!({
            "type": "join", "code": place.code, "device": place.device, "key": self.key, "token": place.token,
        });
        self.send(join).await;
    }

    /// A doctor admits whoever knocks next; answers the knock.
    pub async fn admit_next(&mut self) -> Value {
        let knock = self.expect("knock").await;
        self.send(json!({ "type": "admit", "knock": knock["knock"] })).await;
        knock
    }

    /// Sends an offer to a seat's page.
    pub async fn describe(&mut self, to: u8, incarnation: i64, sdp: &str) {
        let description = json!({ "type": "offer", "sdp": sdp });
        self.send(json!({ "type": "description", "to": to, "incarnation": incarnation, "description": description })).await;
    }

    /// Sends a candidate to a seat's page.
    pub async fn candidate(&mut self, to: u8, incarnation: i64, candidate: &str) {
        let candidate = json!({ "candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0 });
        self.send(
            json!({ "type": "candidate", "to": to, "incarnation": incarnation, "candidate": candidate }),
        )
        .await;
    }

    /// Everything that came before the answer to a message that surely is answered, and that answer: whatever is not here did not come.
    pub async fn drain_by_error(&mut self) -> Vec<Value> {
        self.send(json!({ "type": "look", "code": "after the first message" })).await;
        let error = self.expect("error").await;
        assert_eq!(error["error"], "unexpected");
        self.backlog.drain(..).collect()
    }
}

/// A dropped page is a lost socket.
impl Drop for Page {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// The handshake of `/ws` as a browser sends it, with more headers.
pub fn request(server: &Server, more: &[(&'static str, &str)]) -> Request {
    let mut request = format!("ws://127.0.0.1:{}/ws", server.port).into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("origin", server.origin().parse().unwrap());
    headers.insert("sec-websocket-protocol", "visavis.v1".parse().unwrap());
    for (name, value) in more {
        headers.insert(*name, value.parse().unwrap());
    }
    request
}

/// Opens a socket, or answers why not.
pub async fn handshake(server: &Server, request: Request) -> Result<Stream, tungstenite::Error> {
    let (stream, _) = client_async(request, server.connect().await?).await?;
    Ok(stream)
}

/// So many random bytes as base64url.
pub fn random(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    rand::rng().fill_bytes(&mut random);
    URL_SAFE_NO_PAD.encode(random)
}

async fn read(
    mut source: SplitStream<Stream>,
    sender: mpsc::UnboundedSender<Frame>,
    record: Arc<Mutex<Vec<Value>>>,
    frozen: CancellationToken,
) {
    let mut present = Present::default();
    loop {
        let message = tokio::select! {
            biased;
            // Its stream is kept, and never read again.
            () = frozen.cancelled() => std::future::pending().await,
            message = source.next() => message,
        };
        let frame = match message {
            Some(Ok(Message::Text(text))) => {
                let message: Value = serde_json::from_str(&text).expect("the broker writes JSON");
                record.lock().unwrap().push(message.clone());
                if present.is_told_again(&message) {
                    continue;
                }
                Frame::Text(message)
            }
            Some(Ok(Message::Close(Some(frame)))) => Frame::Closed(frame.code.into()),
            Some(Ok(Message::Close(None))) => Frame::Closed(1005),
            Some(Ok(_)) => continue,
            None | Some(Err(_)) => Frame::Closed(1006),
        };
        let closed = matches!(frame, Frame::Closed(_));
        let _ = sender.send(frame);
        if closed {
            return;
        }
    }
}

/// Who knocks and which doctor is there, as told. Where two come at the same moment, each announces itself and answers the other: the same
/// is then told twice, and says nothing new.
#[derive(Default)]
struct Present(Vec<Value>);

impl Present {
    fn is_told_again(&mut self, message: &Value) -> bool {
        match message["type"].as_str() {
            Some("knock" | "doctor") if self.0.contains(message) => return true,
            Some("knock" | "doctor") => self.0.push(message.clone()),
            Some("peer") => {
                self.0.retain(|told| told["type"] != "knock" || told["seat"] != message["seat"]);
            }
            Some("knockGone") => self.0.retain(|told| told["knock"] != message["knock"]),
            Some("doctorGone") => {
                self.0.retain(|told| told["type"] != "doctor" || told["seat"] != message["seat"]);
            }
            _ => {}
        }
        false
    }
}
