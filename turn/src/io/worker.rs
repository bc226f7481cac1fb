//! One thread, one poll loop: it owns its sockets, its streams and its flows, and tells the server the time.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};

use super::acceptor::Acceptor;
use super::clock::Clock;
use super::connections::{Connections, Way};
use super::exits::Exits;
use super::handle::{Newcomer, Shared};
use super::metrics::IoTally;
use super::moderation::Moderation;
use super::socket::{Batch, Socket};
use crate::flow::{Flows, Output};
use crate::server::Now;
use crate::settings::Clients;

const WAKER: Token = Token(0);

/// After an error that is no fault of a client's, so that one that lasts does not eat a core.
const PAUSE: Duration = Duration::from_millis(10);

/// Full batches taken from one socket before others have their turn.
const TURNS: usize = 8;

/// The server is asked for ended lifetimes at least this often.
const LOOK: Duration = Duration::from_secs(60);

/// What the handle asks of a worker; carried out in order, between two batches.
pub(super) enum Command {
    Adopt(Box<Newcomer>),
    Shutdown,
}

/// What a worker listens to.
pub(super) struct Ears {
    pub(super) sockets: Vec<Socket>,
    pub(super) acceptors: Vec<Acceptor>,
    /// The first worker of a relay also ends lifetimes.
    is_first: bool,
}

impl Ears {
    pub(super) fn of(worker: usize) -> Self {
        Ears { sockets: Vec::new(), acceptors: Vec::new(), is_first: worker == 0 }
    }
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    tally: Arc<IoTally>,
    commands: Receiver<Command>,
    poll: Poll,
    /// Polling is edge-triggered: a socket may hold datagrams until it said that it holds none.
    readable: Vec<bool>,
    batch: Batch,
    acceptors: Vec<Acceptor>,
    connections: Connections,
    exits: Exits,
    flows: Flows,
    moderation: Moderation,
    clock: Clock,
    /// The time of this turn.
    now: Now,
    /// When to look for ended lifetimes, if that is this worker's task.
    looks_at: Option<Duration>,
}

/// Whether there are commands.
enum Woken {
    BySockets,
    ByHandle,
}

enum Next {
    Continue,
    Stop,
}

impl Worker {
    /// A worker and what wakes it.
    pub(super) fn new(
        shared: Arc<Shared>,
        tally: Arc<IoTally>,
        commands: Receiver<Command>,
        ears: Ears,
        flows: Flows,
        clients: Clients,
    ) -> io::Result<(Self, Waker)> {
        let Ears { mut sockets, mut acceptors, is_first } = ears;
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        // Tokens: the waker, the sockets, the acceptors, then the connections.
        let mut tokens = (WAKER.0 + 1..).map(Token);
        for socket in &mut sockets {
            socket.register(poll.registry(), tokens.next().expect("there is no last token"))?;
        }
        for acceptor in &mut acceptors {
            acceptor.register(poll.registry(), tokens.next().expect("there is no last token"))?;
        }
        let mut clock = Clock::new(shared.started);
        let first_connection = WAKER.0 + 1 + sockets.len() + acceptors.len();
        let worker = Worker {
            tally,
            commands,
            poll,
            readable: vec![true; sockets.len()],
            batch: Batch::new(),
            acceptors,
            connections: Connections::new(Arc::clone(&shared), clients, first_connection),
            exits: Exits::new(Arc::clone(&shared), sockets),
            flows,
            moderation: Moderation::default(),
            now: clock.now(),
            clock,
            looks_at: is_first.then_some(Duration::ZERO),
            shared,
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
            self.now = self.clock.now();
            if let Woken::ByHandle = self.take_notice(&events)
                && let Next::Stop = self.take_commands()
            {
                return;
            }
            for socket in 0..self.readable.len() {
                self.receive(socket);
            }
            self.accept();
            if self.connections.is_readable() {
                let (flows, exits) = (&mut self.flows, &mut self.exits);
                self.connections.receive(&mut Way { flows, exits, tally: &self.tally, now: self.now });
            }
            self.exits.flush(&self.batch, &self.tally);
            self.handle_timeout();
            self.moderation.woke(self.now.monotonic, self.tally.received.read());
        }
    }

    /// No wait while something is known to be there; else until something is due.
    fn until_timeout(&self) -> Option<Duration> {
        let is_readable = self.readable.contains(&true)
            || self.connections.is_readable()
            || self.acceptors.iter().any(|acceptor| acceptor.is_readable);
        if is_readable {
            return Some(Duration::ZERO);
        }
        let due = [self.looks_at, self.flows.next_timeout(), self.connections.next_timeout()];
        // Epoll counts whole milliseconds and mio rounds up, so the wait is not cut into busy turns.
        due.into_iter().flatten().min().map(|at| at.saturating_sub(self.now.monotonic))
    }

    fn take_notice(&mut self, events: &Events) -> Woken {
        let mut woken = Woken::BySockets;
        let sockets = WAKER.0 + 1;
        let acceptors = sockets + self.readable.len();
        let connections = acceptors + self.acceptors.len();
        for event in events {
            match event.token() {
                WAKER => woken = Woken::ByHandle,
                Token(token) if token < acceptors => self.readable[token - sockets] = true,
                Token(token) if token < connections => self.acceptors[token - acceptors].is_readable = true,
                _ => self.connections.ready(event),
            }
        }
        woken
    }

    fn take_commands(&mut self) -> Next {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Adopt(newcomer)) => {
                    let (flows, exits) = (&mut self.flows, &mut self.exits);
                    let mut way = Way { flows, exits, tally: &self.tally, now: self.now };
                    // An error means that the client is gone already.
                    let _ = self.connections.adopt(*newcomer, self.poll.registry(), &mut way);
                }
                Ok(Command::Shutdown) | Err(TryRecvError::Disconnected) => return Next::Stop,
                Err(TryRecvError::Empty) => return Next::Continue,
            }
        }
    }

    fn handle_timeout(&mut self) {
        let now = self.now;
        self.flows.handle_timeout(now);
        self.connections.handle_timeout(now.monotonic);
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
            match self.exits.sockets[socket].receive(&mut self.batch) {
                Ok(filled) => {
                    // Not full: there are no more, and the next to come is an event.
                    self.readable[socket] = filled.is_full;
                    self.serve(socket, filled.count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable[socket] = false,
                Err(error) => self.note_error(&error),
            }
        }
    }

    /// Hands the flows what was received, datagram by datagram, and sends what they give.
    fn serve(&mut self, socket: usize, count: usize) {
        let now = self.now;
        for buffer in 0..count {
            let meta = self.batch.meta[buffer];
            let Some(from) = self.exits.sockets[socket].five_tuple(&meta) else { continue };
            let mut start = 0;
            while start < meta.len {
                let train = &mut self.batch.buffer_mut(buffer)[start..meta.len];
                let stride = meta.stride.max(1);
                let server = || self.shared.server();
                let (taken, output) = self.flows.receive_train(now, &from, train, stride, server);
                self.tally.received.add(taken.div_ceil(stride) as u64);
                match output {
                    Some(Output::Delivery(delivery)) => {
                        let at = (buffer, start);
                        self.exits.deliver_of_batch(delivery, &self.batch, at, &self.tally);
                    }
                    Some(Output::Answer(answer)) => self.exits.answer(&from, &answer, &self.tally),
                    None => {}
                }
                start += taken;
            }
        }
        self.exits.flush(&self.batch, &self.tally);
    }

    fn accept(&mut self) {
        for position in 0..self.acceptors.len() {
            if self.acceptors[position].is_readable
                && let Err(error) = self.acceptors[position].accept(&self.shared)
            {
                self.note_error(&error);
            }
        }
    }

    /// Said in the log the first, second, fourth, eighth ... time.
    fn note_error(&mut self, error: &io::Error) {
        self.tally.receive_errors.add(1);
        let count = self.tally.receive_errors.read();
        if count.is_power_of_two() {
            tracing::warn!(%error, count, "receiving on the relay's socket failed; the relay goes on");
        }
        thread::sleep(PAUSE);
    }
}
