//! One TCP or TLS client (RFC 8656, section 3.1): its owner, one worker, reads; any worker queues frames and flushes.
//!
//! The owner registers the stream, calls [`Stream::receive`] at once, at every event and until it would block
//! (polling is edge-triggered, and bytes decrypted before a hand-over raise no event), and [`Stream::flush`] when the
//! socket becomes writable. Others queue what a wake-up brought for the client, then flush once. An error anywhere
//! ends the stream and shuts the socket down, so the owner hears of it as an event and reads the end.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ServerConnection;
use socket2::SockRef;

use super::queue::{AnswersUnread, FrameKind, SendQueue};
use crate::allocation::{FiveTuple, Transport};

/// What the kernel may hold that it has not sent. It always has something to send while we wake up, and a frame
/// queues for 130 ms at 1 Mbit/s, where the kernel's own buffer, megabytes, would be many seconds in which nothing
/// could be dropped any more. (A smaller SO_SNDBUF would also bound what is in flight, and with it the throughput.)
const UNSENT_IN_KERNEL: u32 = 16 * 1024;

/// How many bytes are encrypted ahead of the socket: they can no longer be dropped.
const SEALED_AHEAD: usize = 16 * 1024;

/// A client can decrypt nothing of a record before its last byte came, so long frames are cut into several; and no record
/// holds bytes of two frames, because some clients (coturn's) take what one read of TLS gives them for one message.
const RECORD: usize = 4 * 1024;

/// What rustls may hold at most of what we gave it, whatever limit the connection came with.
const TLS_BUFFER: usize = 64 * 1024;

/// How many encrypted bytes one receive takes from the socket.
const SEALED_RECEIVED: usize = 32 * 1024;

/// Room for their plaintext, and for that of a record of which all but the end came earlier.
const PLAINTEXT: usize = SEALED_RECEIVED + 16 * 1024;

/// Length of the buffer a worker receives in, one for all its streams.
pub(crate) const SCRATCH: usize = PLAINTEXT + SEALED_RECEIVED;

/// What [`Stream::receive`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// So many bytes at the beginning of the scratch buffer; never 0.
    Bytes(usize),
    /// The client sends no more: call [`Stream::shutdown`] and forget the stream.
    End,
}

/// A connected client.
pub(crate) struct Stream {
    tcp: TcpStream,
    five_tuple: FiveTuple,
    outgoing: Mutex<Outgoing>,
}

/// What threads share of a stream; a TLS connection cannot be split into a half that reads and one that writes.
struct Outgoing {
    phase: Phase,
    tls: Option<Box<ServerConnection>>,
    queue: SendQueue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Ended,
}

impl Stream {
    /// A client at these addresses, over a connected, non-blocking socket. A TLS connection may be at any point of its
    /// life: before or after the handshake, with decrypted bytes waiting or not; all that was read from the socket
    /// must have been processed by it.
    pub(crate) fn new(
        tcp: TcpStream,
        client: SocketAddr,
        server: SocketAddr,
        tls: Option<ServerConnection>,
    ) -> Self {
        let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
        let five_tuple = FiveTuple::new(client, server, transport);
        let tls = tls.map(|mut tls| {
            tls.set_buffer_limit(Some(TLS_BUFFER));
            Box::new(tls)
        });
        // Best effort: a socket whose client is gone already refuses options, and its first read says so.
        let _ = tcp.set_nodelay(true);
        let _ = SockRef::from(&tcp).set_tcp_notsent_lowat(UNSENT_IN_KERNEL);
        let outgoing = Outgoing { phase: Phase::Open, tls, queue: SendQueue::default() };
        Stream { tcp, five_tuple, outgoing: Mutex::new(outgoing) }
    }

    /// The client's five-tuple, with the transport.
    pub(crate) fn five_tuple(&self) -> FiveTuple {
        self.five_tuple
    }

    /// Makes this the stream of the worker that polls `registry`, for events of both kinds, before it is shared.
    /// Then call [`Stream::receive`] without waiting for an event.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.tcp, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Takes what came from the client, decrypted; for the owner alone. `WouldBlock` when nothing is left; any other
    /// error has ended the stream. What TLS itself has to say (handshake, key update, alert) is sent.
    pub(crate) fn receive(&self, scratch: &mut [u8; SCRATCH]) -> io::Result<Received> {
        if self.five_tuple.transport == Transport::Tls {
            return self.receive_tls(scratch);
        }
        match read(&self.tcp, scratch) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                self.end(&mut self.outgoing());
                Err(error)
            }
            received => received,
        }
    }

    /// Appends a frame, given in parts, for the next flush, and pads it to a multiple of 4. Gives the number of media
    /// frames dropped for it. [`AnswersUnread`] has ended the stream; one that ended takes frames and forgets them.
    pub(crate) fn queue(&self, kind: FrameKind, parts: &[&[u8]]) -> Result<usize, AnswersUnread> {
        let mut outgoing = self.outgoing();
        if outgoing.phase == Phase::Ended {
            return Ok(0);
        }
        let queued = outgoing.queue.push(kind, parts);
        if queued.is_err() {
            self.end(&mut outgoing);
        }
        queued
    }

    /// Sends what is queued, as much as the socket takes; the owner gets a writable event for the rest, whoever
    /// called this. An error has ended the stream; one that ended before is none.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let mut outgoing = self.outgoing();
        let flushed = outgoing.flush(&self.tcp);
        if flushed.is_err() {
            self.end(&mut outgoing);
        }
        flushed
    }

    /// Ends the stream: sends what the socket still takes, close_notify in TLS, and the end of both directions. The
    /// descriptor is closed with the last owner of the stream.
    pub(crate) fn shutdown(&self) {
        let mut outgoing = self.outgoing();
        if outgoing.flush(&self.tcp).is_ok()
            && let Outgoing { phase: Phase::Open, tls: Some(tls), .. } = &mut *outgoing
        {
            tls.send_close_notify();
            let _ = outgoing.flush(&self.tcp);
        }
        self.end(&mut outgoing);
    }

    fn receive_tls(&self, scratch: &mut [u8; SCRATCH]) -> io::Result<Received> {
        let mut outgoing = self.outgoing();
        let received = outgoing.receive_tls(&self.tcp, scratch);
        if received.as_ref().is_err_and(|error| error.kind() != ErrorKind::WouldBlock) {
            // The alert that says what was wrong, if the socket takes it.
            let _ = outgoing.flush(&self.tcp);
            self.end(&mut outgoing);
        }
        received
    }

    fn end(&self, outgoing: &mut Outgoing) {
        // Other threads may hold the stream for a while yet; its buffers need not live that long.
        *outgoing = Outgoing { phase: Phase::Ended, tls: None, queue: SendQueue::default() };
        // An error means that the client was faster.
        let _ = self.tcp.shutdown(Shutdown::Both);
    }

    /// After a panic elsewhere while the lock was held the bytes on the wire may be torn; the client's framing or
    /// TLS notices, and no other stream suffers.
    fn outgoing(&self) -> MutexGuard<'_, Outgoing> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outgoing {
    fn receive_tls(&mut self, tcp: &TcpStream, scratch: &mut [u8; SCRATCH]) -> io::Result<Received> {
        let (plaintext, sealed) = scratch.split_at_mut(PLAINTEXT);
        loop {
            let Some(tls) = self.tls.as_mut().filter(|_| self.phase == Phase::Open) else {
                return Ok(Received::End);
            };
            match drain(tls, plaintext) {
                // Nothing is decrypted, so less than one record waits within rustls, and what comes now fits.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // An end without close_notify is an end: the framing knows whether a frame was cut.
                Ok(0) | Err(_) => return Ok(Received::End),
                Ok(length) => return Ok(Received::Bytes(length)),
            }
            let mut left: &[u8] = match read(tcp, sealed)? {
                Received::Bytes(length) => &sealed[..length],
                Received::End => return Ok(Received::End),
            };
            let mut length = 0;
            // rustls takes an empty read for the end of the stream, and takes nothing after a close_notify.
            while !left.is_empty() && tls.read_tls(&mut left)? > 0 {
                tls.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
                length += drain(tls, &mut plaintext[length..]).unwrap_or(0);
            }
            self.flush(tcp)?;
            if length > 0 {
                return Ok(Received::Bytes(length));
            }
        }
    }

    /// Sends until nothing is left or the socket takes no more.
    fn flush(&mut self, tcp: &TcpStream) -> io::Result<()> {
        let flushed = match (self.phase, &mut self.tls) {
            (Phase::Ended, _) => Ok(()),
            (Phase::Open, None) => write_plain(&mut self.queue, tcp),
            (Phase::Open, Some(tls)) => write_tls(tls, &mut self.queue, tcp),
        };
        match flushed {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            flushed => flushed,
        }
    }
}

/// One read, begun again when a signal came between.
fn read(mut tcp: &TcpStream, buffer: &mut [u8]) -> io::Result<Received> {
    loop {
        match tcp.read(buffer) {
            Ok(0) => return Ok(Received::End),
            Ok(length) => return Ok(Received::Bytes(length)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Takes decrypted bytes; 0 after a close_notify, `WouldBlock` when there are none yet.
fn drain(tls: &mut ServerConnection, plaintext: &mut [u8]) -> io::Result<usize> {
    tls.reader().read(plaintext)
}

fn write_plain(queue: &mut SendQueue, mut tcp: &TcpStream) -> io::Result<()> {
    while !queue.is_empty() {
        let written = written(tcp.write_vectored(&queue.slices()))?;
        queue.advance(written);
    }
    Ok(())
}

/// Frames are encrypted only when all that was encrypted before is sent: until then they can still be dropped.
fn write_tls(tls: &mut ServerConnection, queue: &mut SendQueue, mut tcp: &TcpStream) -> io::Result<()> {
    loop {
        while tls.wants_write() {
            written(tls.write_tls(&mut tcp))?;
        }
        if queue.is_empty() || tls.is_handshaking() {
            return Ok(());
        }
        let mut room = SEALED_AHEAD;
        while room > 0 && !queue.is_empty() {
            let sealed = tls.writer().write_vectored(&queue.front(room.min(RECORD)))?;
            if sealed == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            queue.advance(sealed);
            room -= sealed;
        }
    }
}

/// What one write has written; 0 bytes when a signal came between.
fn written(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
        result => result,
    }
}

#[cfg(test)]
mod tests;
