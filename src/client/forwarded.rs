//! The addresses in `X-Forwarded-For` and `Forwarded` (RFC 7239), in every form that proxies write: bare, with a port, in brackets, in quotes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Hops that are read; a chain of proxies is never as long.
const HOPS: usize = 64;

/// What proxies wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct Forwarded {
    name: &'static str,
    /// The one that the connection's other end wrote comes first; `None` where it says that it does not know, or nothing that can be read.
    hops: Vec<Option<IpAddr>>,
}

impl Forwarded {
    /// Whether no proxy wrote anything.
    pub fn is_missing(&self) -> bool {
        self.hops.is_empty()
    }

    /// The header, for the log.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The hops, the nearest first.
    pub fn nearest_first(&self) -> impl Iterator<Item = Option<IpAddr>> + '_ {
        self.hops.iter().copied()
    }
}

/// The hops of a request. Where both headers come, `X-Forwarded-For` counts: most proxies write this one, and pass the other on as the client
/// sent it.
pub fn hops(headers: &HeaderMap) -> Forwarded {
    let x_forwarded_for = of(headers, &X_FORWARDED_FOR, |list| list.rsplit(',').collect(), whole);
    if !x_forwarded_for.is_empty() {
        return Forwarded { name: "X-Forwarded-For", hops: x_forwarded_for };
    }
    let forwarded = of(headers, &header::FORWARDED, |list| outside_quotes(list, b','), whom);
    let name = if forwarded.is_empty() { "neither" } else { "Forwarded" };
    Forwarded { name, hops: forwarded }
}

/// Everything is read from its end, where the nearest proxy wrote: whatever a client put before it, bytes that are no text or a quote that never
/// closes, changes nothing there.
fn of(
    headers: &HeaderMap,
    name: &HeaderName,
    split: impl Fn(&str) -> Vec<&str>,
    node: impl Fn(&str) -> Option<&str>,
) -> Vec<Option<IpAddr>> {
    let lists: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    let mut hops = Vec::new();
    for list in lists.into_iter().rev().map(String::from_utf8_lossy) {
        // Empty elements of a list mean nothing (RFC 9110 §5.6.1.2).
        let entries = split(&list).into_iter().map(str::trim).filter(|entry| !entry.is_empty());
        hops.extend(entries.map(|entry| node(entry).and_then(address)).take(HOPS - hops.len()));
    }
    hops
}

/// In `X-Forwarded-For` the entry is the node.
fn whole(entry: &str) -> Option<&str> {
    Some(entry)
}

/// The value of `for` in a forwarded-element (RFC 7239 §4).
fn whom(element: &str) -> Option<&str> {
    outside_quotes(element, b';').into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    })
}

/// The parts between separators that stand in no quoted string, the last first.
fn outside_quotes(text: &str, separator: u8) -> Vec<&str> {
    let bytes = text.as_bytes();
    let (mut quoted, mut end, mut parts) = (false, bytes.len(), Vec::new());
    for at in (0..bytes.len()).rev() {
        match bytes[at] {
            // Within a string a quote has an odd number of backslashes before it (RFC 9110 §5.6.4).
            b'"' => quoted ^= !(quoted && is_escaped(&bytes[..at])),
            byte if byte == separator && !quoted => {
                parts.push(&text[at + 1..end]);
                end = at;
            }
            _ => {}
        }
    }
    parts.push(&text[..end]);
    parts
}

fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The address of a node (RFC 7239 §6): IPv4 or IPv6, with or without brackets, port and quotes. An IPv4-mapped one is IPv4.
fn address(node: &str) -> Option<IpAddr> {
    let node = node.trim();
    let node = match node.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?.trim(),
        None => node,
    };
    let address = if let Some(bracketed) = node.strip_prefix('[') {
        let (inside, behind) = bracketed.split_once(']')?;
        let is_right = behind.is_empty() || behind.strip_prefix(':').is_some_and(is_port);
        is_right.then(|| ipv6(inside)).flatten()?
    } else if let Some((host, _)) = node.split_once(':').filter(|(_, port)| is_port(port)) {
        // An IPv6 address has two colons at least, and no port may hold one.
        host.parse::<Ipv4Addr>().ok()?.into()
    } else {
        node.parse::<Ipv4Addr>().map(IpAddr::from).ok().or_else(|| ipv6(node))?
    };
    Some(address.to_canonical())
}

/// An IPv6 address, whatever zone it is written with.
fn ipv6(text: &str) -> Option<IpAddr> {
    let bare = text.split_once('%').map_or(text, |(address, _)| address);
    bare.parse::<Ipv6Addr>().ok().map(IpAddr::from)
}

/// A number, or an obfuscated port.
fn is_port(text: &str) -> bool {
    let is_port = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !text.is_empty() && text.bytes().all(is_port)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits))),
            any::<u128>().prop_map(|bits| IpAddr::from(Ipv6Addr::from_bits(bits)),)
        ]
    }

    /// An address as some proxy writes it.
    fn written() -> impl Strategy<Value = (IpAddr, String)> {
        (any_address(), any::<Option<u16>>(), any::<bool>(), any::<bool>()).prop_map(
            |(address, port, brackets, quotes)| {
                let host = match address {
                    IpAddr::V6(v6) if brackets || port.is_some() => format!("[{v6}]"),
                    other => other.to_string(),
                };
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                let node = format!("{host}{port}");
                (address.to_canonical(), if quotes { format!("\"{node}\"") } else { node })
            },
        )
    }

    fn headers(name: HeaderName, value: &str) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.append(name, HeaderValue::from_str(value).ok()?);
        Some(headers)
    }

    proptest! {
        #[test]
        fn what_proxies_write_is_read(hops_written in proptest::collection::vec(written(), 1..6)) {
            let expected: Vec<_> = hops_written.iter().rev().map(|(address, _)| Some(*address)).collect();
            let list: Vec<_> = hops_written.iter().map(|(_, text)| text.clone()).collect();
            let read = hops(&headers(X_FORWARDED_FOR, &list.join(", ")).unwrap());
            prop_assert_eq!((&read.hops, read.name()), (&expected, "X-Forwarded-For"));
            let list: Vec<_> = list.iter().map(|node| format!("by=\"_p;,\";for={node};proto=https")).collect();
            let read = hops(&headers(header::FORWARDED, &list.join(",")).unwrap());
            prop_assert_eq!((&read.hops, read.name()), (&expected, "Forwarded"));
        }

        #[test]
        fn whatever_is_written_is_read_or_not_and_an_address_is_one_that_was_written(text in "[\\x20-\\x7e]{0,60}") {
            for name in [X_FORWARDED_FOR, header::FORWARDED] {
                let Some(headers) = headers(name, &text) else { continue };
                for address in hops(&headers).nearest_first().flatten() {
                    // The digits of an address stand in the text in their order, unless it was abbreviated.
                    prop_assert!(text.contains(['.', ':']), "{address} out of {text:?}");
                }
            }
        }
    }

    #[test]
    fn whatever_a_client_writes_the_proxys_entry_is_read() {
        for evil in
            [&b"\"1.1.1.1"[..], b"\xff\xfe", b"for=\"x\\", b"for=\"x\\\"", b"\"", b";;=,,\"\"\"", b"unknown"]
        {
            for (name, entry) in
                [(X_FORWARDED_FOR, "198.51.100.7"), (header::FORWARDED, "for=\"198.51.100.7\";by=_x")]
            {
                let value = [evil, b", ", entry.as_bytes()].concat();
                let mut headers = HeaderMap::new();
                headers.append(name, HeaderValue::from_bytes(&value).unwrap());
                assert_eq!(
                    hops(&headers).nearest_first().next(),
                    Some(Some([198, 51, 100, 7].into())),
                    "{value:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_address_is_none() {
        for nonsense in [
            "",
            "unknown",
            "_hidden",
            "198.051.100.035",
            "198.51.100",
            "198.51.100.1:",
            "[198.51.100.1]",
            "[::1",
            "::1]",
            "[::1]x",
            "[::1]:",
            "\"198.51.100.1",
            "1.2.3.4:80:90",
            "localhost",
            "[::1]:80]",
            "%eth0",
        ] {
            assert_eq!(address(nonsense), None, "{nonsense}");
        }
    }
}
