//! The `iceServers` of an admitted seat, with a credential minted for this call and seat (R07: never before admission).

use serde::{Deserialize, Serialize};

use crate::App;

/// An `RTCIceServer` (W3C WebRTC §4.2.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IceServer {
    /// `turn:` URLs. They answer STUN for direct paths as well.
    pub urls: Vec<String>,
    /// `expiry:call:seat`.
    pub username: String,
    /// base64 of HMAC-SHA1 over the user name.
    pub credential: String,
}

/// What the seat's page hands to its `RTCPeerConnection`s. One URL: each more costs every call candidates and time.
pub fn servers(app: &App, consultation: &str, seat: u8) -> Vec<IceServer> {
    let credential = app.relay.mint(&app.keys.call_label(consultation), &seat.to_string());
    let host = app.public_url.host_str().unwrap_or("localhost");
    let url = format!("turn:{host}:{}?transport=udp", app.relay.local_addr().port());
    vec![IceServer { urls: vec![url], username: credential.username, credential: credential.password }]
}
