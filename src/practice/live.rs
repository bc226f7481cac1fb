//! `/api/practice/live`: what a desk hears without asking (docs/protocol.md "Live"). The session's token comes in the first message, never in the
//! URL (R51). Who waits is for a colleague at a released workplace alone, like the list itself.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::member::Colleague;
use crate::App;
use crate::access::Role;
use crate::bus::Lagged;
use crate::client::ClientAddress;
use crate::error::Error;
use crate::limit::{Place, Standing};
use crate::listener::ConnectionPlace;

/// The subprotocol.
const PROTOCOL: &str = "visavis.desk.v1";
/// A page says who it is within this time, and takes a message within it.
const DEADLINE: Duration = Duration::from_secs(10);
/// Proxies cut after 30 to 60 s of silence; as often it is asked whether the session still lives.
const PING: Duration = Duration::from_secs(25);
/// Messages that a slow page may lag behind.
const CAPACITY: usize = 1024;

/// What a desk hears.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum LiveMessage {
    /// Everything, first.
    State { waiting: Vec<Waiting>, calls: Vec<Call> },
    /// A device waits.
    Waiting(Waiting),
    /// It waits no more.
    Left { consultation: String, knock: String },
    /// Who is in a call.
    Call(Call),
    /// Something is to be read anew.
    Changed(Changed),
    /// Some session ended: perhaps this one.
    #[serde(skip)]
    Sessions,
}

/// A device that waits.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    /// The consultation's id.
    pub consultation: String,
    /// The label under which it waits.
    pub knock: String,
    /// Its seat.
    pub seat: u8,
    /// The seat's role.
    pub role: Role,
    /// RFC 3339.
    pub since: String,
}

/// Who is in a call.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// The consultation's id.
    pub consultation: String,
    /// The seats that are taken; none: the call is over.
    pub seats: Vec<u8>,
}

/// What is to be read anew.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Changed {
    /// A consultation was planned, changed, called off or deleted.
    Consultation { id: String },
    /// The list of users.
    Users,
    /// The list of workplaces.
    Workplaces,
    /// The practice's settings.
    Practice,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Hello {
    Desk { token: String },
}

/// `GET /api/practice/live`.
pub async fn upgrade(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    Extension(ConnectionPlace(connection)): Extension<ConnectionPlace>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    if origin != Some(app.origin().as_str()) {
        return (StatusCode::FORBIDDEN, "Open this page under its public address.").into_response();
    }
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_message_size(1024)
        .max_frame_size(1024);
    if upgrade.selected_protocol().is_none() {
        return (StatusCode::BAD_REQUEST, "This server speaks visavis.desk.v1. Reload the page.")
            .into_response();
    }
    let own = app.strangers.enter(address, app.proxies.is_shared(address));
    upgrade.on_upgrade(move |socket| async move {
        let sockets = app.sockets.clone();
        sockets.track_future(serve(app, socket, own, connection)).await;
    })
}

async fn serve(app: Arc<App>, mut socket: WebSocket, own: Place, connection: Arc<Place>) {
    let (code, reason) = match talk(&app, &mut socket, own, &connection).await {
        Ok(end) => end,
        Err(Error::Session) => (close_code::POLICY, "sign in"),
        Err(Error::Forbidden(kind, _)) => (close_code::POLICY, kind),
        Err(_) => (close_code::ERROR, "try again"),
    };
    let _ = timeout(DEADLINE, socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))))
        .await;
    let _ = timeout(Duration::from_secs(1), async { while let Some(Ok(_)) = socket.recv().await {} }).await;
}

async fn talk(
    app: &App,
    socket: &mut WebSocket,
    own: Place,
    connection: &Place,
) -> Result<(u16, &'static str), Error> {
    let first = tokio::select! {
        first = timeout(DEADLINE, socket.recv()) => first,
        () = own.displaced() => return Ok((close_code::AGAIN, "come back")),
        () = connection.displaced() => return Ok((close_code::AGAIN, "come back")),
        () = app.stop.cancelled() => return Ok((close_code::RESTART, "restarting")),
    };
    let Ok(Some(Ok(Message::Text(text)))) = first else { return Err(Error::Session) };
    let Ok(Hello::Desk { token }) = serde_json::from_str(&text) else { return Err(Error::Session) };
    let Colleague(member) = Colleague::of_token(app, &token).await?;
    // Whoever is signed in takes no stranger's place, and one of their own.
    drop(own);
    let own = app.desk.live.enter_by(&member.user.id);
    connection.settle(Standing::Settled);
    let practice = member.practice.id;
    // Listening begins before the state is read, so that nothing falls in between.
    let mut news = app.desk.bus.subscribe(&practice, CAPACITY);
    if !send(socket, &state(app, &practice)).await {
        return Ok((close_code::NORMAL, ""));
    }
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.tick().await;
    loop {
        let message = tokio::select! {
            message = news.next() => match message {
                Ok(message) => (*message).clone(),
                Err(Lagged) => return Ok((close_code::AGAIN, "too slow")),
            },
            heard = socket.recv() => match heard {
                // Nothing more is expected of a page; what it says is not an error either.
                Some(Ok(Message::Pong(_) | Message::Ping(_))) => continue,
                _ => return Ok((close_code::NORMAL, "")),
            },
            _ = ping.tick() => LiveMessage::Sessions,
            () = own.displaced() => return Ok((close_code::AGAIN, "come back")),
            () = app.stop.cancelled() => return Ok((close_code::RESTART, "restarting")),
        };
        if matches!(message, LiveMessage::Sessions) {
            Colleague::of_token(app, &token).await?;
            if !matches!(timeout(DEADLINE, socket.send(Message::Ping(Vec::new().into()))).await, Ok(Ok(()))) {
                return Ok((close_code::NORMAL, ""));
            }
        } else if !send(socket, &message).await {
            return Ok((close_code::NORMAL, ""));
        }
    }
}

fn state(app: &App, practice: &str) -> LiveMessage {
    let (waiting, calls) = app.desk.presence.of(practice);
    LiveMessage::State { waiting, calls }
}

async fn send(socket: &mut WebSocket, message: &LiveMessage) -> bool {
    let text = serde_json::to_string(message).expect("messages are plain data");
    matches!(timeout(DEADLINE, socket.send(Message::Text(text.into()))).await, Ok(Ok(())))
}
