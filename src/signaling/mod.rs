//! `/ws`: a page's way into a consultation. [`entrance`] reads its code, [`entered`] takes its seat, [`conversation`] is its one select loop, [`attendance`] ends stays from
//! wherever the decision comes. See docs/protocol.md.

pub mod attendance;
mod conversation;
mod entered;
mod entrance;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::client::ClientAddress;
use crate::listener::ConnectionPlace;
use entrance::Places;
use socket::Socket;

/// The subprotocol; a change that old pages cannot take gets a new number.
const PROTOCOL: &str = "visavis.v1";
/// The largest message of either side: an offer has some 6 kB.
const MESSAGE_BYTES: usize = 64 * 1024;

/// Proxies cut after 30 to 60 s of silence.
const PING: Duration = Duration::from_secs(25);

/// How long a page has for the closing handshake.
const END: Duration = Duration::from_secs(1);
/// The same where its place is needed: each is a file that the process may open.
const HURRIED_END: Duration = Duration::from_millis(50);

/// Errors before admission that a socket survives.
const ERRORS: u32 = 10;

/// `GET /ws`: answers 403 to a foreign origin and 400 to a foreign subprotocol.
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
    let places = Places::of_a_stranger(&app, address, connection);
    // Small buffers: tungstenite zeroes its whole read buffer before each read, and 128 kB for each idle page add up.
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * MESSAGE_BYTES)
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES);
    if upgrade.selected_protocol().is_none() {
        return (StatusCode::BAD_REQUEST, "This server speaks visavis.v1. Reload the page.").into_response();
    }
    upgrade.on_upgrade(move |socket| async move {
        let sockets = app.sockets.clone();
        sockets.track_future(serve(app, Socket::new(socket), address, places)).await;
    })
}

/// One page's socket from its first message to its end.
async fn serve(app: Arc<App>, mut socket: Socket, address: std::net::IpAddr, places: Places) {
    let displaced = places.words();
    let entered = entrance::Visitor::new(&app, &mut socket, address, places).enter().await;
    if let Some(entered) = entered {
        conversation::converse(entered, &mut socket).await;
    }
    // A page that does not finish the closing handshake is not waited for, hardly at all where somebody else needs its place.
    let is_needed = displaced.iter().any(CancellationToken::is_cancelled);
    let patience = if is_needed { HURRIED_END } else { END };
    let _ = tokio::time::timeout(patience, socket.drain()).await;
}
