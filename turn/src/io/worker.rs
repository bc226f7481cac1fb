//! One thread, one poll loop: it owns the server and the socket, tells the server the time, and obeys the handle.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::{Events, Poll, Token, Waker};
use quinn_udp::RecvMeta;

use super::metrics::{SocketCounters, Totals};
use super::socket::{Batch, Socket};
use crate::call::Traffic;
use crate::packet::{HEADROOM, Packet, TAILROOM};
use crate::server::{Now, Server};

const SOCKET: Token = Token(0);
const WAKER: Token = Token(1);

/// After an error that is no fault of a client's, so that one that lasts does not eat a core.
const PAUSE: Duration = Duration::from_millis(10);

/// What the handle asks for; carried out in order, between two batches.
pub(super) enum Command {
    EndSeat { call: String, seat: String, barred: u64 },
    EndCall { call: String, barred: u64 },
    Traffic { call: String, reply: SyncSender<Traffic> },
    Totals { reply: SyncSender<Totals> },
    Shutdown,
}

/// The wall clock, in unix seconds.
pub(super) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

pub(super) struct Worker {
    server: Server,
    socket: Socket,
    batch: Batch,
    poll: Poll,
    commands: Receiver<Command>,
    started: Instant,
    counters: SocketCounters,
}

enum Next {
    Continue,
    Stop,
}

impl Worker {
    pub(super) fn new(
        server: Server,
        mut socket: Socket,
        commands: Receiver<Command>,
    ) -> io::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        socket.register(poll.registry(), SOCKET)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (started, counters) = (Instant::now(), SocketCounters::default());
        Ok((Worker { server, socket, batch: Batch::new(), poll, commands, started, counters }, waker))
    }

    /// Serves until told to stop, or until the handle is gone; no error ends it.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(8);
        // Polling is edge-triggered: the socket may hold datagrams until it said that it holds none.
        let mut readable = true;
        let mut pause = None;
        loop {
            if let Err(error) = self.poll.poll(&mut events, pause.take().or_else(|| self.until_timeout()))
                && error.kind() != io::ErrorKind::Interrupted
            {
                thread::sleep(PAUSE);
            }
            readable |= events.iter().any(|event| event.token() == SOCKET);
            loop {
                if let Next::Stop = self.take_commands() {
                    return;
                }
                if !readable {
                    break;
                }
                match self.socket.receive(&mut self.batch) {
                    Ok(count) => self.serve(count),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => readable = false,
                    Err(error) => {
                        self.note_receive_error(&error);
                        pause = Some(PAUSE);
                        break;
                    }
                }
            }
            let now = self.now();
            self.server.handle_timeout(now);
        }
    }

    fn now(&self) -> Now {
        Now { monotonic: self.started.elapsed(), unix: unix_now() }
    }

    fn until_timeout(&self) -> Option<Duration> {
        // Epoll counts whole milliseconds and mio rounds up, so the wait is not cut into busy turns.
        self.server.next_timeout().map(|at| at.saturating_sub(self.started.elapsed()))
    }

    fn take_commands(&mut self) -> Next {
        loop {
            match self.commands.try_recv() {
                Ok(Command::EndSeat { call, seat, barred }) => {
                    self.server.end_seat(self.now(), &call, &seat, barred);
                }
                Ok(Command::EndCall { call, barred }) => self.server.end_call(self.now(), &call, barred),
                // Whoever asked may have stopped waiting; that is no error here.
                Ok(Command::Traffic { call, reply }) => drop(reply.try_send(self.server.traffic(&call))),
                Ok(Command::Totals { reply }) => drop(reply.try_send(self.totals())),
                Ok(Command::Shutdown) | Err(TryRecvError::Disconnected) => return Next::Stop,
                Err(TryRecvError::Empty) => return Next::Continue,
            }
        }
    }

    fn totals(&self) -> Totals {
        Totals {
            allocations: self.server.allocations(),
            calls: self.server.calls(),
            counters: self.server.counters(),
            socket: self.counters,
        }
    }

    fn serve(&mut self, count: usize) {
        let now = self.now();
        for (buffer, meta) in self.batch.filled(count) {
            serve_train(&mut self.server, &self.socket, &mut self.counters, now, buffer, &meta);
        }
    }

    /// Said in the log the first, second, fourth, eighth ... time.
    fn note_receive_error(&mut self, error: &io::Error) {
        self.counters.receive_errors += 1;
        if self.counters.receive_errors.is_power_of_two() {
            let count = self.counters.receive_errors;
            tracing::warn!(%error, count, "receiving on the relay's socket failed; the relay goes on");
        }
    }
}

/// Hands the server the datagrams of one buffer, one by one, and sends what it answers before the next.
fn serve_train(
    server: &mut Server,
    socket: &Socket,
    counters: &mut SocketCounters,
    now: Now,
    buffer: &mut [u8],
    meta: &RecvMeta,
) {
    let Some(from) = socket.five_tuple(meta) else { return };
    let train_end = HEADROOM + meta.len;
    let mut start = HEADROOM;
    while start < train_end {
        let end = train_end.min(start + meta.stride.max(1));
        counters.received += 1;
        // The server may pad this datagram over the beginning of the next; what it writes before this one has
        // been sent already.
        let following: [u8; TAILROOM] =
            *buffer[end..].first_chunk().expect("every buffer ends with tailroom");
        if let Some(transmit) = server.receive(now, &from, Packet::new(buffer, start..end)) {
            match socket.send(&transmit) {
                Ok(()) => counters.sent += 1,
                Err(_) => counters.send_errors += 1,
            }
        }
        buffer[end..end + TAILROOM].copy_from_slice(&following);
        start = end;
    }
}
