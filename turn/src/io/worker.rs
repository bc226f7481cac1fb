//! One thread, one poll loop: it owns its sockets, its flows and its streams, and tells the server the time.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};

use super::handle::Shared;
use super::metrics::IoTally;
use super::moderation::Moderation;
use super::outbox::Outbox;
use super::socket::{BATCH, Batch, Socket};
use crate::allocation::FiveTuple;
use crate::flow::{Flows, Output};

const WAKER: Token = Token(0);
const FIRST_SOCKET: usize = 1;

/// After an error that is no fault of a client's, so that one that lasts does not eat a core.
const PAUSE: Duration = Duration::from_millis(10);

/// Full batches taken from one socket before others have their turn.
const TURNS: usize = 8;

/// The server is asked for ended lifetimes at least this often.
const LOOK: Duration = Duration::from_secs(60);

/// What the handle asks of a worker; carried out in order, between two batches.
pub(super) enum Command {
    Shutdown,
}

/// What a worker counts, for other threads to read.
#[derive(Default)]
pub(super) struct WorkerTally {
    pub(super) io: IoTally,
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    tally: Arc<WorkerTally>,
    commands: Receiver<Command>,
    poll: Poll,
    sockets: Vec<Socket>,
    /// Polling is edge-triggered: a socket may hold datagrams until it said that it holds none.
    readable: Vec<bool>,
    batch: Batch,
    outbox: Outbox,
    flows: Flows,
    moderation: Moderation,
    /// When to look for ended lifetimes, if that is this worker's task.
    looks_at: Option<Duration>,
}

enum Next {
    Continue,
    Stop,
}

impl Worker {
    /// A worker with these sockets; the first worker of a relay also ends lifetimes.
    pub(super) fn new(
        shared: Arc<Shared>,
        tally: Arc<WorkerTally>,
        commands: Receiver<Command>,
        mut sockets: Vec<Socket>,
        flows: Flows,
        is_first: bool,
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        for (position, socket) in sockets.iter_mut().enumerate() {
            socket.register(poll.registry(), Token(FIRST_SOCKET + position))?;
        }
        let worker = Worker {
            shared,
            tally,
            commands,
            poll,
            readable: vec![true; sockets.len()],
            sockets,
            batch: Batch::new(),
            outbox: Outbox::default(),
            flows,
            moderation: Moderation::new(Instant::now()),
            looks_at: is_first.then_some(Duration::ZERO),
        };
        Ok((worker, waker))
    }

    /// Serves until told to stop, or until the handle is gone; no error ends it.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(256);
        loop {
            self.moderation.nap();
            if let Err(error) = self.poll.poll(&mut events, self.until_timeout())
                && error.kind() != io::ErrorKind::Interrupted
            {
                thread::sleep(PAUSE);
            }
            for event in &events {
                match event.token() {
                    WAKER => {}
                    Token(token) => self.readable[token - FIRST_SOCKET] = true,
                }
            }
            if let Next::Stop = self.take_commands() {
                return;
            }
            for socket in 0..self.sockets.len() {
                self.receive(socket);
            }
            self.handle_timeout();
            self.moderation.woke(Instant::now(), self.tally.io.received.read());
        }
    }

    /// No wait while something is known to be there; else until the next lifetime ends.
    fn until_timeout(&self) -> Option<Duration> {
        if self.readable.contains(&true) {
            return Some(Duration::ZERO);
        }
        let next = [self.looks_at, self.flows.next_timeout()].into_iter().flatten().min();
        // Epoll counts whole milliseconds and mio rounds up, so the wait is not cut into busy turns.
        next.map(|at| at.saturating_sub(self.shared.monotonic()))
    }

    fn take_commands(&mut self) -> Next {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Shutdown) | Err(TryRecvError::Disconnected) => return Next::Stop,
                Err(TryRecvError::Empty) => return Next::Continue,
            }
        }
    }

    fn handle_timeout(&mut self) {
        let now = self.shared.now();
        self.flows.handle_timeout(now);
        if self.looks_at.is_some_and(|at| at <= now.monotonic) {
            let mut server = self.shared.server();
            server.handle_timeout(now);
            let latest = now.monotonic + LOOK;
            self.looks_at = Some(server.next_timeout().map_or(latest, |next| next.min(latest)));
        }
    }

    /// Takes what a socket holds, within its turn.
    fn receive(&mut self, socket: usize) {
        for _ in 0..TURNS {
            if !self.readable[socket] {
                return;
            }
            match self.sockets[socket].receive(&mut self.batch) {
                Ok(count) => {
                    // Fewer than fit: there are no more, and the next to come is an event.
                    self.readable[socket] = count == BATCH;
                    self.serve(socket, count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable[socket] = false,
                Err(error) => self.note_receive_error(&error),
            }
        }
    }

    /// Hands the flows what was received, datagram by datagram, and sends what they give.
    fn serve(&mut self, socket: usize, count: usize) {
        let now = self.shared.now();
        let longest_run = self.sockets[socket].longest_run();
        for position in 0..count {
            let meta = self.batch.meta[position];
            let Some(from) = self.sockets[socket].five_tuple(&meta) else { continue };
            let mut start = 0;
            while start < meta.len {
                let end = meta.len.min(start + meta.stride.max(1));
                self.tally.io.received.add(1);
                let message = &mut self.batch.buffers[position][start..end];
                match self.flows.receive(now, &from, message, || self.shared.server()) {
                    Some(Output::Delivery(delivery)) => {
                        self.outbox.push(delivery, position, start, longest_run)
                    }
                    Some(Output::Answer(answer)) => self.answer(socket, &from, &answer),
                    None => {}
                }
                start = end;
            }
        }
        self.outbox.flush(&self.sockets, &self.batch, &self.tally.io);
    }

    fn answer(&self, socket: usize, to: &FiveTuple, answer: &[u8]) {
        match self.sockets[socket].send(to, &[io::IoSlice::new(answer)], None) {
            Ok(()) => self.tally.io.sent.add(1),
            Err(_) => self.tally.io.send_errors.add(1),
        }
    }

    /// Said in the log the first, second, fourth, eighth ... time.
    fn note_receive_error(&mut self, error: &io::Error) {
        self.tally.io.receive_errors.add(1);
        let count = self.tally.io.receive_errors.read();
        if count.is_power_of_two() {
            tracing::warn!(%error, count, "receiving on the relay's socket failed; the relay goes on");
        }
        thread::sleep(PAUSE);
    }
}
