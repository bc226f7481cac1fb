//! The `iceServers` of an admitted seat, with a credential minted for this call and seat (R07: never before admission).

use serde::{Deserialize, Serialize};
use url::Url;
use visavis_turn::Credential;

use crate::App;

/// An `RTCIceServer` (W3C WebRTC §4.2.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IceServer {
    /// `turn:` and `turns:` URLs. They answer STUN for direct paths as well.
    pub urls: Vec<String>,
    /// `expiry:call:seat`, with `:seats` behind it where the consultation has more than two.
    pub username: String,
    /// base64 of HMAC-SHA1 over the user name.
    pub credential: String,
}

/// What a page hands to its `RTCPeerConnection`s for a check. `call` is the check's label.
pub fn servers(app: &App, call: &str, seat: u8) -> Vec<IceServer> {
    servers_with(app, app.relay.mint(call, &seat.to_string()))
}

/// The same for who holds a seat of a consultation as this epoch; `None` where that stay has ended (R11).
pub fn servers_of(
    app: &App,
    consultation: &str,
    (seat, epoch): (u8, i64),
    seats: usize,
) -> Option<Vec<IceServer>> {
    let call = app.keys.call_label(consultation);
    let seats = u8::try_from(seats).unwrap_or(u8::MAX);
    let credential = app.relay.mint_stay(&call, &seat.to_string(), epoch.unsigned_abs(), seats)?;
    Some(servers_with(app, credential))
}

fn servers_with(app: &App, credential: Credential) -> Vec<IceServer> {
    let Credential { username, password: credential, .. } = credential;
    vec![IceServer { urls: app.relay_urls.clone(), username, credential }]
}

/// Who ends TLS before the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsEnd {
    /// visavis itself.
    Here,
    /// Nobody, or a proxy, which speaks HTTP only.
    Elsewhere,
}

/// The relay's URLs (RFC 7065): UDP, TCP and, where visavis ends TLS, TLS. Three at most: each more costs every call candidates and time.
///
/// `listening` is the port of pages and relay in this process. With TLS of our own the public URL's port leads to it, whatever a container
/// maps in between; otherwise the public port may be a proxy's, which knows no TURN. `further` is the port of `--turn-listen`: UDP and plain
/// TCP go there, because firewalls that stop UDP on 443 (QUIC) often know 3478.
pub fn relay_urls(public_url: &Url, tls: TlsEnd, listening: u16, further: Option<u16>) -> Vec<String> {
    let host = public_url.host_str().unwrap_or("localhost");
    let main = match tls {
        TlsEnd::Here => public_url.port_or_known_default().unwrap_or(listening),
        TlsEnd::Elsewhere => listening,
    };
    let plain = further.unwrap_or(main);
    let mut urls =
        vec![format!("turn:{host}:{plain}?transport=udp"), format!("turn:{host}:{plain}?transport=tcp")];
    if tls == TlsEnd::Here {
        urls.push(format!("turns:{host}:{main}?transport=tcp"));
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(public_url: &str, tls: TlsEnd, further: Option<u16>) -> Vec<String> {
        relay_urls(&Url::parse(public_url).unwrap(), tls, 8443, further)
    }

    #[test]
    fn behind_a_proxy_the_relay_is_reached_at_the_listening_port_and_without_tls() {
        let expected =
            ["turn:video.example.org:8443?transport=udp", "turn:video.example.org:8443?transport=tcp"];
        assert_eq!(urls("https://video.example.org", TlsEnd::Elsewhere, None), expected);
    }

    #[test]
    fn with_tls_of_our_own_the_public_port_leads_to_the_relay() {
        let expected = [
            "turn:video.example.org:443?transport=udp",
            "turn:video.example.org:443?transport=tcp",
            "turns:video.example.org:443?transport=tcp",
        ];
        assert_eq!(urls("https://video.example.org", TlsEnd::Here, None), expected);
    }

    #[test]
    fn a_further_port_takes_udp_and_plain_tcp_and_leaves_tls_where_it_is() {
        let expected = [
            "turn:video.example.org:3478?transport=udp",
            "turn:video.example.org:3478?transport=tcp",
            "turns:video.example.org:9443?transport=tcp",
        ];
        assert_eq!(urls("https://video.example.org:9443", TlsEnd::Here, Some(3478)), expected);
    }

    #[test]
    fn an_ipv6_literal_keeps_its_brackets() {
        assert_eq!(urls("http://[::1]:8443", TlsEnd::Elsewhere, None)[0], "turn:[::1]:8443?transport=udp");
    }
}
