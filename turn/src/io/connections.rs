//! The streams that one worker owns: it reads them, and ends them when their time is over.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::{Registry, Token};

use super::exits::Exits;
use super::framing::{FrameLimit, Framing, GarbledStream};
use super::handle::{Connected, Newcomer, Place, Shared};
use super::metrics::IoTally;
use super::stream::{Received, SCRATCH, Stream};
use crate::allocation::FiveTuple;
use crate::flow::{Flows, Output};
use crate::server::Now;
use crate::settings::Clients;

/// A client has an allocation within this time, or its connection ends.
const FIRST_ALLOCATION: Duration = Duration::from_secs(10);

/// Connections are looked at this often: one whose allocation has ended ends too.
const LOOK: Duration = Duration::from_secs(60);

/// Receives from one stream before others have their turn.
const TURNS: usize = 8;

/// The connections of one worker.
pub(super) struct Connections {
    shared: Arc<Shared>,
    clients: Clients,
    by_token: HashMap<Token, Connection>,
    next_token: usize,
    deadlines: BTreeSet<(Duration, Token)>,
    /// Connections that may hold bytes: polling is edge-triggered.
    readable: Vec<Token>,
    scratch: Box<[u8; SCRATCH]>,
}

struct Connection {
    stream: Arc<Stream>,
    framing: Framing,
    deadline: Duration,
    has_allocation: bool,
    is_readable: bool,
    place: Box<dyn Place>,
}

/// Why a connection ends.
enum End {
    /// The client closed it, or broke it.
    Client,
    /// It carries something else than STUN and ChannelData.
    Garbled,
}

impl Connections {
    /// No connections yet; their tokens begin at `first_token`.
    pub(super) fn new(shared: Arc<Shared>, clients: Clients, first_token: usize) -> Self {
        Connections {
            shared,
            clients,
            by_token: HashMap::new(),
            next_token: first_token,
            deadlines: BTreeSet::new(),
            readable: Vec::new(),
            scratch: Box::new([0; SCRATCH]),
        }
    }

    /// Takes a new client in; one that is gone already is forgotten.
    pub(super) fn adopt(
        &mut self,
        newcomer: Newcomer,
        registry: &Registry,
        way: &mut Way<'_>,
    ) -> io::Result<()> {
        let Newcomer { tcp, client, tls, mut received, mut place } = newcomer;
        tcp.set_nonblocking(true)?;
        let (client, server) = (client.map_or_else(|| tcp.peer_addr(), Ok)?, tcp.local_addr()?);
        let token = Token(self.next_token);
        let mut stream = Stream::new(mio::net::TcpStream::from_std(tcp), client, server, tls);
        stream.register(registry, token)?;
        self.next_token += 1;
        let stream = Arc::new(stream);
        self.shared.enter(&stream);
        place.served(Connected::of(&stream));
        let deadline = way.now.monotonic + FIRST_ALLOCATION;
        let framing = Framing::new(self.clients);
        let mut connection =
            Connection { stream, framing, deadline, has_allocation: false, is_readable: true, place };
        if connection.take(&mut received, &self.shared, way).is_err() {
            self.shared.leave(&connection.stream);
            return Ok(());
        }
        self.deadlines.insert((deadline, token));
        self.readable.push(token);
        self.by_token.insert(token, connection);
        Ok(())
    }

    /// Takes notice of an event.
    pub(super) fn ready(&mut self, event: &mio::event::Event) {
        let Some(connection) = self.by_token.get_mut(&event.token()) else { return };
        if event.is_writable() {
            // An error has ended the stream, and the next event says so.
            let _ = connection.stream.flush();
        }
        if !connection.is_readable {
            connection.is_readable = true;
            self.readable.push(event.token());
        }
    }

    pub(super) fn is_readable(&self) -> bool {
        !self.readable.is_empty()
    }

    /// Reads what has come, each connection within its turn.
    pub(super) fn receive(&mut self, way: &mut Way<'_>) {
        for token in std::mem::take(&mut self.readable) {
            let Some(connection) = self.by_token.get_mut(&token) else { continue };
            match connection.receive(&mut self.scratch, &self.shared, way) {
                Ok(()) if connection.is_readable => self.readable.push(token),
                Ok(()) => {}
                Err(_) => self.end(token),
            }
        }
    }

    /// When the next connection is to be looked at.
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Ends the connections whose time is over.
    pub(super) fn handle_timeout(&mut self, now: Duration) {
        while let Some((at, token)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.remove(&(at, token));
            let Some(connection) = self.by_token.get_mut(&token) else { continue };
            if self.shared.server().has_allocation(&connection.stream.five_tuple()) {
                connection.deadline = now + LOOK;
                self.deadlines.insert((connection.deadline, token));
            } else {
                self.end(token);
            }
        }
    }

    fn end(&mut self, token: Token) {
        let Some(connection) = self.by_token.remove(&token) else { return };
        self.deadlines.remove(&(connection.deadline, token));
        self.shared.leave(&connection.stream);
        connection.stream.shutdown();
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        for token in self.by_token.keys().copied().collect::<Vec<_>>() {
            self.end(token);
        }
    }
}

/// What a message of a stream goes through.
pub(super) struct Way<'a> {
    pub(super) flows: &'a mut Flows,
    pub(super) exits: &'a mut Exits,
    pub(super) tally: &'a IoTally,
    pub(super) now: Now,
}

impl Connection {
    fn receive(
        &mut self,
        scratch: &mut [u8; SCRATCH],
        shared: &Shared,
        way: &mut Way<'_>,
    ) -> Result<(), End> {
        for _ in 0..TURNS {
            match self.stream.receive(scratch) {
                Ok(Received::Bytes(length)) => self.take(&mut scratch[..length], shared, way)?,
                Ok(Received::End) => return Err(End::Client),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    return Ok(());
                }
                Err(_) => return Err(End::Client),
            }
        }
        Ok(())
    }

    fn take(&mut self, received: &mut [u8], shared: &Shared, way: &mut Way<'_>) -> Result<(), End> {
        let Connection { stream, framing, has_allocation, place, .. } = self;
        let from: FiveTuple = stream.five_tuple();
        let mut is_answered = false;
        let mut frames = framing.feed(received);
        while let Some(frame) = frames.next_frame()? {
            match way.flows.receive(way.now, &from, frame, || shared.server()) {
                Some(Output::Delivery(delivery)) => way.exits.deliver(&delivery, frame, way.tally),
                Some(Output::Answer(answer)) => {
                    way.exits.answer_to_stream(stream, &answer, way.tally);
                    is_answered = true;
                }
                None => {}
            }
        }
        // Only a request changes it, and each has an answer.
        if is_answered && *has_allocation != shared.server().has_allocation(&from) {
            *has_allocation = !*has_allocation;
            if *has_allocation {
                place.allocated();
                framing.set_limit(FrameLimit::Full);
            } else {
                place.deallocated();
            }
        }
        Ok(())
    }
}

impl From<GarbledStream> for End {
    fn from(_: GarbledStream) -> Self {
        End::Garbled
    }
}
