//! The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt, 2020): what a load balancer of layer 4 writes before a connection's own bytes
//! to say where it comes from. Read from trusted networks only (R52).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Version 2 begins with these (§2.2).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const V1_START: &[u8] = b"PROXY ";
/// The longest line of version 1, with its end (§2.1).
const V1_LONGEST: usize = 107;
/// Signature, version and command, family, length.
const V2_HEAD: usize = 16;
/// Addresses have 216 bytes at most; the rest are notes of the proxy's (§2.2: room for 520 always fits into one segment).
const V2_LONGEST: usize = V2_HEAD + 2048;

/// What the first bytes of a connection say.
#[derive(Debug, PartialEq, Eq)]
enum Opening {
    /// More bytes decide. All so far belong to a header, if it is one.
    More,
    /// No header: they are the client's.
    Client,
    /// A header of so many bytes. No address: the proxy speaks for itself (a health check), or does not know.
    Header { length: usize, source: Option<SocketAddr> },
    /// A header that cannot be read.
    Broken,
}

/// What stood before the client's own bytes.
#[derive(Debug, Default)]
pub struct Before {
    /// Whom the proxy forwards.
    pub source: Option<SocketAddr>,
    /// Bytes that looked like a header and are the client's own; fewer than [`SIGNATURE`] has.
    pub read: Vec<u8>,
}

/// Takes a header off a connection, if there is one. Takes no byte of what follows it.
pub async fn read(stream: &mut TcpStream) -> io::Result<Before> {
    let mut taken = Vec::new();
    let mut ahead = [0; 512];
    loop {
        let peeked = stream.peek(&mut ahead).await?;
        if peeked == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let known = taken.len();
        taken.extend_from_slice(&ahead[..peeked]);
        let opening = open(&taken);
        let length = match opening {
            Opening::More => taken.len(),
            Opening::Client => {
                taken.truncate(known);
                return Ok(Before { source: None, read: taken });
            }
            Opening::Header { length, .. } => length.min(taken.len()),
            Opening::Broken => return Err(io::ErrorKind::InvalidData.into()),
        };
        // These wait in the socket, so this does not.
        stream.read_exact(&mut ahead[..length - known]).await?;
        if let Opening::Header { length, source } = opening
            && length <= taken.len()
        {
            return Ok(Before { source, read: Vec::new() });
        }
    }
}

/// Reads what there is so far.
fn open(bytes: &[u8]) -> Opening {
    if bytes.starts_with(V1_START) {
        return version_1(bytes);
    }
    if bytes.starts_with(&SIGNATURE) {
        return version_2(bytes);
    }
    if V1_START.starts_with(bytes) || SIGNATURE.starts_with(bytes) { Opening::More } else { Opening::Client }
}

/// `PROXY TCP4 198.51.100.7 203.0.113.9 40000 443`, and the end of the line.
fn version_1(bytes: &[u8]) -> Opening {
    let within = &bytes[..bytes.len().min(V1_LONGEST)];
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < V1_LONGEST { Opening::More } else { Opening::Broken };
    };
    let length = end + 2;
    let Ok(line) = std::str::from_utf8(&bytes[V1_START.len()..end]) else { return Opening::Broken };
    let fields: Vec<&str> = line.split(' ').collect();
    let source = match fields[..] {
        // What follows is to be ignored.
        ["UNKNOWN", ..] => return Opening::Header { length, source: None },
        ["TCP4", source, destination, from, to] => endpoints::<Ipv4Addr>(source, destination, from, to),
        ["TCP6", source, destination, from, to] => endpoints::<Ipv6Addr>(source, destination, from, to),
        _ => None,
    };
    source.map_or(Opening::Broken, |source| Opening::Header { length, source: Some(source) })
}

/// The source, where all four can be read.
fn endpoints<A: FromStr + Into<IpAddr>>(
    source: &str,
    destination: &str,
    from: &str,
    to: &str,
) -> Option<SocketAddr> {
    let (source, _) = (source.parse::<A>().ok()?, destination.parse::<A>().ok()?);
    let (from, _) = (from.parse::<u16>().ok()?, to.parse::<u16>().ok()?);
    Some(endpoint(source.into(), from))
}

fn endpoint(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}

/// Command, family, length; then source, destination and their ports.
fn version_2(bytes: &[u8]) -> Opening {
    let Some(head) = bytes.get(SIGNATURE.len()..V2_HEAD) else { return Opening::More };
    let behind = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let length = V2_HEAD + behind;
    if length > V2_LONGEST {
        return Opening::Broken;
    }
    let body = &bytes[V2_HEAD..bytes.len().min(length)];
    let port = |at: usize| body.get(at..at + 2).map(|port| u16::from_be_bytes([port[0], port[1]]));
    let source = match (head[0], head[1] >> 4) {
        // LOCAL, and families without addresses of ours.
        (0x20, _) | (0x21, 0 | 3) => None,
        (0x21, 1) if behind >= 12 => {
            body.first_chunk::<4>().zip(port(8)).map(|(ip, port)| endpoint(IpAddr::from(*ip), port))
        }
        (0x21, 2) if behind >= 36 => {
            body.first_chunk::<16>().zip(port(32)).map(|(ip, port)| endpoint(IpAddr::from(*ip), port))
        }
        _ => return Opening::Broken,
    };
    Opening::Header { length, source }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, addresses].concat()
    }

    fn header_of(source: IpAddr, version: u8) -> Vec<u8> {
        match (source, version) {
            (IpAddr::V4(v4), 1) => format!("PROXY TCP4 {v4} 203.0.113.9 40000 443\r\n").into_bytes(),
            (IpAddr::V6(v6), 1) => format!("PROXY TCP6 {v6} 2001:db8::9 40000 443\r\n").into_bytes(),
            (IpAddr::V4(v4), _) => {
                v2(0x21, 0x11, &[&v4.octets()[..], &[203, 0, 113, 9, 0x9C, 0x40, 1, 187]].concat())
            }
            // With a note behind the addresses.
            (IpAddr::V6(v6), _) => v2(
                0x21,
                0x21,
                &[&v6.octets()[..], &[7; 16], &[0x9C, 0x40, 1, 187], &[4, 0, 2, 1, 2]].concat(),
            ),
        }
    }

    /// What is read where these bytes come in pieces, and what is left to read behind it.
    async fn read_in_pieces(bytes: &[u8], piece: usize) -> io::Result<(Before, Vec<u8>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.set_nodelay(true).unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let write = async {
            for piece in bytes.chunks(piece) {
                let _ = client.write_all(piece).await;
                tokio::task::yield_now().await;
            }
            drop(client);
        };
        let (before, ()) = tokio::join!(read(&mut server), write);
        let before = before?;
        let mut rest = before.read.clone();
        server.read_to_end(&mut rest).await?;
        Ok((before, rest))
    }

    #[tokio::test]
    async fn a_header_is_taken_off_and_nothing_else_however_it_is_cut() {
        for source in ["198.51.100.7", "2001:db8::7"] {
            let source: IpAddr = source.parse().unwrap();
            for version in [1, 2] {
                for piece in [1, 5, 13, 16, 1000] {
                    let bytes = [&header_of(source, version)[..], b"GET / HTTP/1.1\r\n\r\n"].concat();
                    let (before, rest) = read_in_pieces(&bytes, piece).await.unwrap();
                    assert_eq!(
                        (before.source, rest.as_slice()),
                        (Some((source, 40_000).into()), &b"GET / HTTP/1.1\r\n\r\n"[..])
                    );
                }
            }
        }
    }

    #[tokio::test]
    async fn what_only_begins_like_a_header_is_the_clients() {
        for text in [
            &b"PRI * HTTP/2.0\r\n\r\nSM"[..],
            b"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            b"PROXYING",
            b"\x16\x03\x01",
        ] {
            for piece in [1, 3, 1000] {
                let (before, rest) = read_in_pieces(text, piece).await.unwrap();
                assert_eq!((before.source, rest.as_slice()), (None, text));
                assert!(before.read.len() < SIGNATURE.len());
            }
        }
    }

    #[test]
    fn a_proxy_that_speaks_for_itself_names_nobody() {
        for header in [
            &b"PROXY UNKNOWN\r\n"[..],
            b"PROXY UNKNOWN ffff::1 ::2 1 2\r\n",
            &v2(0x20, 0, &[]),
            &v2(0x21, 0x31, &[0; 216]),
        ] {
            assert_eq!(open(header), Opening::Header { length: header.len(), source: None });
        }
    }

    #[test]
    fn what_breaks_the_form_is_broken() {
        for header in [
            &b"PROXY TCP4 198.51.100.7 203.0.113.9 40000\r\n"[..],
            b"PROXY TCP4 ::1 203.0.113.9 1 2\r\n",
            b"PROXY TCP4 198.51.100.7 203.0.113.9 1 65536\r\n",
            b"PROXY UDP4 198.51.100.7 203.0.113.9 1 2\r\n",
            b"PROXY TCP6 ::1 ::2 1\xff 2\r\n",
            &[b"PROXY ".as_slice(), &[b'x'; 200]].concat(),
            &v2(0x31, 0x11, &[0; 12]),
            &v2(0x22, 0x11, &[0; 12]),
            &v2(0x21, 0x11, &[0; 11]),
            &v2(0x21, 0x21, &[0; 35]),
            &v2(0x21, 0x11, &[0; 2049]),
        ] {
            assert_eq!(open(header), Opening::Broken, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_decided_within_the_longest_header(
            start in prop_oneof![Just(&b""[..]), Just(V1_START), Just(&SIGNATURE[..]), Just(&b"PROXY TCP4 "[..])],
            rest in proptest::collection::vec(any::<u8>(), 0..V2_LONGEST),
        ) {
            let bytes = [start, &rest].concat();
            match open(&bytes) {
                Opening::More => prop_assert!(bytes.len() < V1_LONGEST),
                Opening::Header { length, .. } => prop_assert!(length <= V2_LONGEST),
                Opening::Client | Opening::Broken => {}
            }
        }

        #[test]
        fn every_source_is_read_by_both_versions(bits in any::<u128>(), is_v4 in any::<bool>()) {
            let low = u32::try_from(bits & 0xFFFF_FFFF).unwrap();
            let source = if is_v4 { Ipv4Addr::from_bits(low).into() } else { IpAddr::from(Ipv6Addr::from_bits(bits)) };
            for version in [1, 2] {
                let header = header_of(source, version);
                let read = Opening::Header { length: header.len(), source: Some(endpoint(source, 40_000)) };
                prop_assert_eq!(open(&header), read);
            }
        }
    }
}
