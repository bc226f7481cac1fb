//! Where a request comes from: the connection's other end, or what trusted proxies forwarded (R52). Every bound per address rests on it.

mod forwarded;
pub mod shared;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use ipnet::IpNet;

use crate::App;
use forwarded::{Forwarded, hops};

/// The address at the other end of the connection, or what a trusted proxy named with the PROXY protocol.
#[derive(Clone, Copy)]
pub struct PeerAddress(pub IpAddr);

/// The address of the client: the connection's, or what trusted proxies forwarded (R52).
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<Arc<App>> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<PeerAddress>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0);
        Ok(Self(app.proxies.client(peer, &hops(&parts.headers))))
    }
}

/// Who may say where a request comes from, and which addresses stand for many people.
pub struct Proxies {
    trusted: Vec<IpNet>,
    /// Where everybody comes from although nobody named it as a proxy's, see [`shared`].
    shared: Vec<IpNet>,
    said: Said,
}

/// What the log has been told already; each once, never with an address.
#[derive(Default)]
struct Said {
    nothing_usable: AtomicBool,
    not_trusted: AtomicBool,
    shared: AtomicBool,
}

impl Proxies {
    /// `shared`: see [`shared::addresses`].
    pub fn new(trusted: Vec<IpNet>, shared: Vec<IpNet>) -> Self {
        Self { trusted, shared, said: Said::default() }
    }

    /// Whether what this address forwards is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// Whether many people stand behind this address, so that no bound for one address can hold for it.
    pub fn is_shared(&self, address: IpAddr) -> bool {
        let lost = self.shared.iter().any(|network| network.contains(&address));
        if lost && !self.said.shared.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "connections arrive under the address of this network's gateway or of an unnamed proxy, so what one person may do is bounded for all of them together: let source addresses through (a container: host networking or PROXY protocol), or name the proxy with --trusted-proxies"
            );
        }
        lost || self.trusts(address)
    }

    /// Walks the hops from the nearest as long as the one that wrote the next is trusted.
    fn client(&self, peer: IpAddr, forwarded: &Forwarded) -> IpAddr {
        if !self.trusts(peer) {
            let is_near = match peer {
                IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
                IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
            };
            if is_near && !forwarded.is_missing() && !self.said.not_trusted.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "a proxy nearby forwards addresses and is not trusted, so everybody behind it shares one budget: name its network with --trusted-proxies"
                );
            }
            return peer;
        }
        let mut address = peer;
        let mut usable = !forwarded.is_missing();
        for hop in forwarded.nearest_first() {
            if !self.trusts(address) {
                break;
            }
            let Some(next) = hop else {
                usable = false;
                break;
            };
            address = next;
        }
        if !usable && !self.said.nothing_usable.swap(true, Ordering::Relaxed) {
            let sent = forwarded.name();
            tracing::warn!(
                sent,
                "a trusted proxy does not say whom it forwards, so everybody behind it shares one budget: let it write X-Forwarded-For or Forwarded with the client's address"
            );
        }
        address
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    fn client_by(name: &'static str, peer: &str, values: &[&str], trusted: &[&str]) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        let proxies =
            Proxies::new(trusted.iter().map(|network| network.parse().unwrap()).collect(), Vec::new());
        let address = proxies.client(peer.parse().unwrap(), &hops(&headers)).to_string();
        (address, proxies.said.nothing_usable.load(Ordering::Relaxed))
    }

    fn client(peer: &str, values: &[&str], trusted: &[&str]) -> String {
        client_by("x-forwarded-for", peer, values, trusted).0
    }

    #[test]
    fn a_forwarded_address_is_believed_from_trusted_networks_only() {
        assert_eq!(client("203.0.113.9", &["198.51.100.1"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"], &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"], &[]), "10.0.0.1");
    }

    #[test]
    fn what_a_client_writes_itself_into_the_header_is_not_believed() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 198.51.100.1", "10.2.0.1"], trusted), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, nonsense"], trusted), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, unknown"], trusted), "10.0.0.1");
        let (address, _) = client_by("forwarded", "10.0.0.1", &["for=1.1.1.1, for=198.51.100.1"], trusted);
        assert_eq!(address, "198.51.100.1");
    }

    #[test]
    fn every_usual_form_of_an_entry_is_read() {
        for (written, read) in [
            ("198.51.100.22:51008", "198.51.100.22"),
            ("[2001:db8:23::1]:443", "2001:db8:23::1"),
            ("[2001:db8:24::1]", "2001:db8:24::1"),
            ("2001:db8:22::1", "2001:db8:22::1"),
            ("[::ffff:198.51.100.26]:80", "198.51.100.26"),
            ("\"198.51.100.27\"", "198.51.100.27"),
            ("\"[2001:db8::27]:47011\"", "2001:db8::27"),
            ("198.51.100.28,", "198.51.100.28"),
            ("198.51.100.28, ,", "198.51.100.28"),
            ("203.0.113.31, 198.51.100.31:80", "198.51.100.31"),
            ("unknown, 198.51.100.32", "198.51.100.32"),
            ("fe80::34%eth0", "fe80::34"),
            (" 198.51.100.29 ", "198.51.100.29"),
        ] {
            let read = (read.to_owned(), false);
            assert_eq!(
                client_by("x-forwarded-for", "10.0.0.1", &[written], &["10.0.0.0/8"]),
                read,
                "{written}"
            );
        }
        for (written, read) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("proto=https; for=198.51.100.17:4711", "198.51.100.17"),
            ("for=_hidden, for=\"198.51.100.18\"", "198.51.100.18"),
            ("for=198.51.100.19;host=\"a,b;c\\\"d\"", "198.51.100.19"),
        ] {
            let read = (read.to_owned(), false);
            assert_eq!(client_by("forwarded", "10.0.0.1", &[written], &["10.0.0.0/8"]), read, "{written}");
        }
    }

    #[test]
    fn a_trusted_proxy_that_names_nobody_is_warned_of() {
        for written in [&[][..], &["198.51.100.33, unknown"], &["198.051.100.035"], &[""], &["_x"]] {
            let (address, warned) = client_by("x-forwarded-for", "10.0.0.1", written, &["10.0.0.0/8"]);
            assert_eq!((address.as_str(), warned), ("10.0.0.1", true), "{written:?}");
        }
        let from_elsewhere = client_by("x-forwarded-for", "203.0.113.9", &[], &["10.0.0.0/8"]);
        assert_eq!(from_elsewhere, ("203.0.113.9".to_owned(), false));
        // Somebody in the proxies' own network is a client like any other.
        let inside = client_by("x-forwarded-for", "10.0.0.1", &["10.0.0.7"], &["10.0.0.0/8"]);
        assert_eq!(inside, ("10.0.0.7".to_owned(), false));
    }
}
