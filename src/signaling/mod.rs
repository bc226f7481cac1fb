//! `/ws`: a page's way into a consultation. [`participant`] decides all of it and does none of it, [`shell`] carries out what it decides over
//! [`socket`], bus and store, [`ends`] ends stays from wherever the decision comes. See docs/protocol.md.

pub mod ends;
mod participant;
mod places;
mod shell;
mod socket;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::App;
use crate::client::ClientAddress;
use crate::listener::ConnectionPlace;
use places::Places;
use socket::Socket;

/// The subprotocol; a change that old pages cannot take gets a new number.
const PROTOCOL: &str = "visavis.v1";
/// The largest message of either side: an offer has some 6 kB.
const MESSAGE_BYTES: usize = 64 * 1024;

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
        sockets.track_future(shell::serve(app, Socket::new(socket), address, places)).await;
    })
}
