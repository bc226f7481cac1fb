//! The data path: Send indications and ChannelData in, Data indications and ChannelData out, the payload in place.
//!
//! A [`Flow`] is the way from one client to another as the server found it once. [`Flows`] remembers them, one for each
//! worker, so that a packet passes without the server, and so without waiting for another worker. What the server
//! changes in a call makes the call's flows be looked up again; what has a lifetime ends with it.

use std::collections::HashMap;
use std::ops::{DerefMut, Range};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::address::RelayedAddr;
use crate::allocation::FiveTuple;
use crate::channel_data::{self, ChannelNumber};
use crate::counters::{Counters, DropReason, Tally};
use crate::data_indication::{self, DATA_HEADER, DataHeader};
use crate::meter::{self, CallMeter, SeatMeter};
use crate::server::{Now, Server};
use crate::settings::Clients;
use crate::token_bucket::Rate;

/// Everything is forgotten this often; what is in use is asked for again, the rest was not needed.
const FORGET: Duration = Duration::from_secs(60);

/// Clients whose flows are remembered at once: more than can have an allocation means forged memories.
const MOST_CLIENTS: usize = 16_384;

/// Which of a client's flows: as the client names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// ChannelData on this channel.
    Channel(ChannelNumber),
    /// A Send indication to this address.
    Peer(RelayedAddr),
}

/// What stands before the payload when it reaches the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// The channel that the receiver bound to the sender.
    Channel(ChannelNumber),
    /// A Data indication from the sender's relayed address.
    Data(RelayedAddr),
}

/// The way from one client to another.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) label: Label,
    pub(crate) to: FiveTuple,
    pub(crate) head: Head,
    /// The first end among all that it rests on: allocations, permissions, channels.
    pub(crate) valid_until: Duration,
    pub(crate) version: u32,
    pub(crate) call: Arc<CallMeter>,
    pub(crate) sender: Arc<SeatMeter>,
    pub(crate) receiver: Arc<SeatMeter>,
}

impl Flow {
    fn is_valid(&self, now: Duration) -> bool {
        now < self.valid_until && self.version == self.call.version()
    }

    /// Takes the bandwidth of `count` payloads from both seats, or nothing.
    fn spend(&self, now: Now, rate: Rate, count: usize, payload: usize) -> bool {
        meter::spend(&self.sender, &self.receiver, now.monotonic, rate, (count * payload) as u64)
    }
}

/// What a message comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// For the client it came from.
    Answer(Vec<u8>),
    /// For another client of the same call.
    Delivery(Delivery),
}

/// A message that passes on, or several of one length: what to send lies where it was received, but for a header that
/// found no room there.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The client it goes to, and the local address it goes from.
    pub to: FiveTuple,
    /// The header of a Data indication, if the message did not begin with one of the same length.
    pub header: Option<[u8; DATA_HEADER]>,
    /// Header (unless it is apart) and payload, within what was received.
    pub body: Range<usize>,
    /// How many messages of equal length lie in `body`, one behind the other.
    pub count: usize,
    /// Zero bytes that follow: 0 to 3, and none unless the header is apart.
    pub padding: usize,
}

/// The rules of passing, from the settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) clients: Clients,
    pub(crate) bandwidth: Rate,
}

/// One worker's flows.
pub struct Flows {
    rules: Rules,
    known: Known,
    forget_at: Duration,
    data_header: DataHeader,
    rng: StdRng,
    tally: Arc<Tally>,
}

impl Flows {
    /// Flows for one worker of a server.
    pub fn new(server: &mut Server) -> Self {
        let mut seed = [0; 32];
        server.rng.fill_bytes(&mut seed);
        Flows {
            rules: server.rules(),
            known: Known::default(),
            forget_at: Duration::ZERO,
            data_header: DataHeader::new(),
            rng: StdRng::from_seed(seed),
            tally: Arc::default(),
        }
    }

    /// What passed and what was dropped here since the start.
    pub fn counters(&self) -> Counters {
        self.tally.read()
    }

    /// The same, for other threads to read.
    pub(crate) fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Takes one message from a client. `server` is asked for, and a lock on it taken by the caller, only if the message
    /// is no packet of a flow that is known. The message's own headers may be overwritten, its payload never.
    pub fn receive<'s, S: DerefMut<Target = Server> + 's>(
        &mut self,
        now: Now,
        from: &FiveTuple,
        message: &mut [u8],
        server: impl FnOnce() -> S,
    ) -> Option<Output> {
        let stride = message.len();
        self.receive_train(now, from, message, stride, server).1
    }

    /// Takes the first message of a train (messages of `stride` bytes, the last may be shorter), and with it those right
    /// behind it that go the same way; gives how many bytes they were.
    pub fn receive_train<'s, S: DerefMut<Target = Server> + 's>(
        &mut self,
        now: Now,
        from: &FiveTuple,
        train: &mut [u8],
        stride: usize,
        server: impl FnOnce() -> S,
    ) -> (usize, Option<Output>) {
        let first = stride.min(train.len());
        let message = &train[..first];
        // Port 0 cannot be sent to; only a forger sends from it.
        if from.client.socket_addr().port() == 0 {
            self.tally.count_drop(DropReason::Malformed);
            return (first, None);
        }
        let read = if self.rules.clients.is_channel_data(message) {
            channel_data::read(message, self.rules.clients)
                .map(|(channel, data)| (Label::Channel(channel), data))
        } else if data_indication::is_send(message) {
            data_indication::read_send(message)
        } else {
            return (first, server().answer(now, from, message).map(Output::Answer));
        };
        let passed =
            read.and_then(|(label, payload)| self.pass(now, from, label, payload, train, first, server));
        match passed {
            Ok(delivery) => (first * delivery.count, Some(Output::Delivery(delivery))),
            Err(reason) => {
                self.tally.count_drop(reason);
                (first, None)
            }
        }
    }

    /// From relayed address to relayed address, as if over a network between them (RFC 8656, sections 11 and 12.6).
    #[expect(clippy::too_many_arguments, reason = "a packet, and where it lies in what was received")]
    fn pass<'s, S: DerefMut<Target = Server> + 's>(
        &mut self,
        now: Now,
        from: &FiveTuple,
        label: Label,
        payload: Range<usize>,
        train: &mut [u8],
        stride: usize,
        server: impl FnOnce() -> S,
    ) -> Result<Delivery, DropReason> {
        let content = Content::of(&train[payload.clone()]);
        if content == Content::Other && self.rules.clients == Clients::Browsers {
            return Err(DropReason::FirstByte);
        }
        let flow = self.known.flow(now, from, label, server)?;
        let mut count = match (label, flow.head) {
            (Label::Channel(_), Head::Channel(_)) => alike(train, stride, &payload, content),
            _ => 1,
        };
        if !flow.spend(now, self.rules.bandwidth, count, payload.len()) {
            // All together exceed the bandwidth; the first may not.
            if count == 1 || !flow.spend(now, self.rules.bandwidth, 1, payload.len()) {
                return Err(DropReason::Bandwidth);
            }
            count = 1;
        }
        let (packets, bytes) = (count as u64, (count * payload.len()) as u64);
        match content {
            Content::Stun => flow.call.count_checks(bytes),
            Content::DtlsOrRtp | Content::Other => flow.call.count_media(packets, bytes),
        }
        self.tally.relayed_packets.add(packets);
        self.tally.relayed_bytes.add(bytes);
        match flow.head {
            Head::Channel(channel) => {
                let message = channel_data::write(train, payload, channel);
                for following in 1..count {
                    channel_data::renumber(&mut train[message.start + following * stride..], channel);
                }
                let body = message.start..message.end + (count - 1) * stride;
                Ok(Delivery { to: flow.to, header: None, body, count, padding: 0 })
            }
            Head::Data(sender) => {
                let mut transaction = [0; 12];
                self.rng.fill_bytes(&mut transaction);
                let header = self.data_header.fill(payload.len(), sender, transaction)?;
                Ok(data_indication::lay_around(&mut train[..stride], payload, header, flow.to))
            }
        }
    }

    /// When there is something to forget.
    pub fn next_timeout(&self) -> Option<Duration> {
        (!self.known.clients.is_empty()).then_some(self.forget_at)
    }

    /// Forgets what is old; to be called between messages, and at [`Flows::next_timeout`] at the latest.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.forget_at <= now.monotonic || self.known.clients.len() >= MOST_CLIENTS {
            self.known = Known::default();
            self.forget_at = now.monotonic + FORGET;
        }
    }
}

/// The flows that are known, by client.
#[derive(Default)]
struct Known {
    clients: Vec<(FiveTuple, Vec<Flow>)>,
    positions: HashMap<FiveTuple, usize, RandomState>,
    /// The client of the last packet: packets come in trains.
    last: usize,
}

impl Known {
    /// The flow of a label: as it is known, or as the server knows it now.
    fn flow<'s, S: DerefMut<Target = Server> + 's>(
        &mut self,
        now: Now,
        from: &FiveTuple,
        label: Label,
        server: impl FnOnce() -> S,
    ) -> Result<&Flow, DropReason> {
        let Some(client) = self.position(from) else {
            let flow = server().flow(now, from, label)?;
            self.positions.insert(*from, self.clients.len());
            self.clients.push((*from, vec![flow]));
            return Ok(&self.clients[self.clients.len() - 1].1[0]);
        };
        self.last = client;
        let flows = &mut self.clients[client].1;
        let position = match flows.iter().position(|flow| flow.label == label) {
            Some(position) if flows[position].is_valid(now.monotonic) => position,
            Some(position) => {
                flows[position] = server().flow(now, from, label)?;
                position
            }
            None => {
                flows.push(server().flow(now, from, label)?);
                flows.len() - 1
            }
        };
        Ok(&flows[position])
    }

    fn position(&self, from: &FiveTuple) -> Option<usize> {
        match self.clients.get(self.last) {
            Some((client, _)) if client == from => Some(self.last),
            _ => self.positions.get(from).copied(),
        }
    }
}

/// How many messages at the beginning of a train are like the first, a ChannelData message: of the same channel, length
/// and kind of content, with nothing between them.
fn alike(train: &[u8], stride: usize, payload: &Range<usize>, content: Content) -> usize {
    if payload.end != stride {
        return 1;
    }
    let header = &train[..payload.start];
    let is_alike = |message: &&[u8]| {
        message.len() == stride
            && message.starts_with(header)
            && Content::of(&message[payload.clone()]) == content
    };
    train.chunks(stride).take_while(is_alike).count()
}

/// What a payload is, by its first byte (RFC 7983).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Stun,
    DtlsOrRtp,
    Other,
}

impl Content {
    fn of(payload: &[u8]) -> Self {
        match payload.first() {
            Some(0..=3) => Content::Stun,
            Some(20..=63 | 128..=191) => Content::DtlsOrRtp,
            _ => Content::Other,
        }
    }
}
