//! Which protocol a connection speaks, by its first bytes: STUN or HTTP. They are read once and given on.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// The message type with its two zero bits, the length, the magic cookie (RFC 8489 §5).
const STUN_START: usize = 8;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];

/// Who is to be handed the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The relay.
    Stun,
    /// Everybody else, also who speaks neither: HTTP has an answer to nonsense.
    Http,
}

/// Room for what was read before it could be decided: less than a PROXY header's signature, and then a byte more.
const ROOM: usize = 16;

/// The bytes that decided.
#[derive(Clone, Copy, Debug, Default)]
pub struct FirstBytes {
    bytes: [u8; ROOM],
    length: usize,
}

impl FirstBytes {
    /// Bytes that were read already, 15 at most.
    pub fn of(read: &[u8]) -> Self {
        let mut first = Self { length: read.len().min(ROOM - 1), ..Self::default() };
        first.bytes[..first.length].copy_from_slice(&read[..first.length]);
        first
    }

    /// Reads on until the bytes decide: one of HTTP, eight of STUN. An error where the stream ends before.
    pub async fn read(mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Protocol, Self)> {
        loop {
            if let Some(protocol) = decide(self.as_slice()) {
                return Ok((protocol, self));
            }
            let end = ROOM.min(STUN_START.max(self.length + 1));
            let read = stream.read(&mut self.bytes[self.length..end]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.length += read;
        }
    }

    /// What was read.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// `None` where more bytes are needed. No HTTP method begins with two zero bits.
fn decide(bytes: &[u8]) -> Option<Protocol> {
    let cookie = bytes.get(4..bytes.len().min(STUN_START)).unwrap_or_default();
    let may_be_stun = bytes.first().is_none_or(|byte| byte & 0xC0 == 0) && MAGIC_COOKIE.starts_with(cookie);
    match may_be_stun {
        false => Some(Protocol::Http),
        true if bytes.len() >= STUN_START => Some(Protocol::Stun),
        true => None,
    }
}

/// A stream whose first bytes were read already, and the place among the connections that it takes until it is dropped.
pub struct Begun<S, P> {
    first: FirstBytes,
    taken: usize,
    stream: S,
    _place: P,
}

impl<S, P> Begun<S, P> {
    /// Gives the bytes back to whoever reads next.
    pub fn new(first: FirstBytes, stream: S, place: P) -> Self {
        Self { first, taken: 0, stream, _place: place }
    }
}

impl<S: AsyncRead + Unpin, P: Unpin> AsyncRead for Begun<S, P> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let rest = &this.first.as_slice()[this.taken..];
        if rest.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        let now = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..now]);
        this.taken += now;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin, P: Unpin> AsyncWrite for Begun<S, P> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Binding request's head.
    const BINDING: [u8; STUN_START] = [0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xA4, 0x42];

    #[test]
    fn eight_bytes_make_stun_and_seven_decide_nothing() {
        for length in 0..STUN_START {
            assert_eq!(decide(&BINDING[..length]), None, "{length}");
        }
        assert_eq!(decide(&BINDING), Some(Protocol::Stun));
    }

    #[test]
    fn the_first_byte_of_a_method_makes_http() {
        for method in ["GET", "POST", "PRI * HTTP/2.0", "OPTIONS", "patch"] {
            assert_eq!(decide(&method.as_bytes()[..1]), Some(Protocol::Http), "{method}");
        }
    }

    #[test]
    fn every_wrong_bit_of_the_cookie_makes_http_as_soon_as_it_is_read() {
        for bit in 0..32 {
            let mut bytes = BINDING;
            bytes[4 + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decide(&bytes[..5 + bit / 8]), Some(Protocol::Http), "{bit}");
        }
    }

    #[tokio::test]
    async fn what_was_read_is_read_again_in_pieces_of_any_size() {
        let text = b"GET / HTTP/1.1\r\n\r\n";
        let (mut client, mut server) = tokio::io::duplex(64);
        tokio::io::AsyncWriteExt::write_all(&mut client, text).await.unwrap();
        drop(client);
        let (protocol, first) = FirstBytes::default().read(&mut server).await.unwrap();
        assert_eq!(protocol, Protocol::Http);
        let mut begun = Begun::new(first, server, ());
        let (mut one, mut rest) = ([0; 3], Vec::new());
        begun.read_exact(&mut one).await.unwrap();
        begun.read_to_end(&mut rest).await.unwrap();
        assert_eq!([&one[..], &rest].concat(), text);
    }

    #[tokio::test]
    async fn a_stream_that_ends_before_it_decides_is_an_error() {
        let (mut client, mut server) = tokio::io::duplex(64);
        tokio::io::AsyncWriteExt::write_all(&mut client, &BINDING[..7]).await.unwrap();
        drop(client);
        let error = FirstBytes::default().read(&mut server).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
