//! The server, its workers and its clients, and the comparison of what they do with the model.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use stun_types::message::MessageIntegrityCredentials;
use visavis_turn::{
    Clients, Delivery, FiveTuple, Flows, Mint, Now, Output, RELAYED_IP, Server, Settings, Transport,
};

use super::model::{Allocation, Label, Model, QUOTA, Reservation, Seat};
use super::script::{Step, What};
use super::support::*;

const SECRET: &[u8] = b"a secret of the fuzzer";
const SEATS: [Seat; 4] = [("one", "1"), ("one", "2"), ("two", "1"), ("two", "2")];
const CLIENTS: [(&str, Transport); 8] = [
    ("198.51.100.1:4000", Transport::Udp),
    ("[2001:db8::2]:4000", Transport::Udp),
    ("198.51.100.3:4000", Transport::Tcp),
    ("[2001:db8::4]:4000", Transport::Tls),
    ("198.51.100.1:4001", Transport::Udp),
    ("198.51.100.1:4000", Transport::Tcp),
    ("198.51.100.1:4000", Transport::Tls),
    ("198.51.100.8:4000", Transport::Udp),
];
const LIFETIMES: [u32; 6] = [600, 0, 1, 777, 3600, u32::MAX];
const CHANNELS: [u16; 6] = [0x4000, 0x4001, 0x4FFF, 0x5000, 0x7FFF, 0x3FFF];
/// MAPPED-ADDRESS, PASSWORD-ALGORITHM, USERHASH, CONNECTION-ID, one that nobody knows.
const OTHERS: [u16; 5] = [0x0001, 0x001D, 0x001E, 0x002A, 0x7ABC];
const PERMISSION: Duration = Duration::from_secs(300);
const CHANNEL: Duration = Duration::from_secs(600);
const RESERVATION: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(3600);

pub struct World {
    server: Server,
    workers: [Flows; 2],
    now: Now,
    mint: Mint,
    parties: Vec<Party>,
    model: Model,
    /// Every token that was ever given.
    tokens: Vec<Vec<u8>>,
}

struct Party {
    at: FiveTuple,
    client: Client,
    seat: Seat,
    /// The number of the last end when its credential was minted.
    minted: u32,
    knows_nonce: bool,
    relayed: SocketAddr,
    last: Option<Sent>,
}

/// A message, and what its sender meant.
#[derive(Clone)]
struct Sent {
    bytes: Vec<u8>,
    meaning: Meaning,
}

#[derive(Clone)]
enum Meaning {
    /// Whatever the bytes say.
    Unknown,
    /// Data that ought to pass as the model says.
    Data(Label, Vec<u8>),
    /// A request with a credential.
    Request(Signed),
}

#[derive(Clone)]
struct Signed {
    /// Without what follows MESSAGE-INTEGRITY.
    covered: Vec<u8>,
    key: MessageIntegrityCredentials,
    seat: Seat,
    minted: u32,
    expiry: u64,
    method: u16,
    peers: Vec<SocketAddr>,
    channel: u16,
    wishes_even: bool,
    token: Option<Vec<u8>>,
}

impl World {
    pub fn new(settings: u8) -> Self {
        let clients = if settings & 1 == 0 { Clients::Browsers } else { Clients::Any };
        let mut server = Server::new(
            Settings {
                clients,
                allocations_per_seat: QUOTA,
                // No bucket runs dry: what passes depends on the script alone.
                seat_bits_per_second: u64::MAX,
                answers_per_second: u32::MAX,
                ..Settings::new("visavis", SECRET)
            },
            [7; 32],
        )
        .expect("the settings are right");
        let now = Now { monotonic: Duration::from_secs(5), unix: 1_800_000_000 };
        let mut mint = Mint::new(SECRET);
        let server_at = |client: SocketAddr| -> SocketAddr {
            if client.is_ipv4() { "203.0.113.9:443" } else { "[2001:db8::9]:443" }
                .parse()
                .expect("an address")
        };
        let party = |(number, (client, transport)): (usize, &(&str, Transport))| {
            let client = client.parse().expect("an address");
            let seat = SEATS[number % SEATS.len()];
            Party {
                at: FiveTuple::new(client, server_at(client), *transport),
                client: Client::new(mint.mint(now.unix, seat.0, seat.1)),
                seat,
                minted: 0,
                knows_nonce: false,
                relayed: SocketAddr::from((RELAYED_IP, 50_000)),
                last: None,
            }
        };
        let parties = CLIENTS.iter().enumerate().map(party).collect();
        World {
            workers: [Flows::new(&mut server), Flows::new(&mut server)],
            server,
            now,
            mint,
            parties,
            model: Model::new(clients),
            tokens: Vec::new(),
        }
    }

    pub fn take(&mut self, step: Step, raw: &[u8]) {
        let who = usize::from(step.client) % self.parties.len();
        let [a, b, c, _] = step.numbers;
        match step.what {
            What::Allocate | What::Refresh | What::CreatePermission | What::ChannelBind => {
                let sent = self.request(who, step);
                self.send(who, step, sent);
            }
            What::Send => {
                let (peer, payload) = (self.peer(a, b), payload(b, c));
                let bytes = self.parties[who].client.send(peer, &payload);
                self.send(who, step, Sent { bytes, meaning: Meaning::Data(Label::Peer(peer), payload) });
            }
            What::ChannelData => {
                let (number, payload) = (channel(a), payload(b, c));
                let bytes = channel_data(number, &payload);
                self.send(who, step, Sent { bytes, meaning: Meaning::Data(Label::Channel(number), payload) });
            }
            What::Train => self.send_train(who, step),
            What::Binding => {
                let bytes = self.parties[who].client.unsigned(BINDING, &[]);
                self.send(who, step, Sent { bytes, meaning: Meaning::Unknown });
            }
            What::Challenge => self.meet_challenge(who, step),
            What::Credential => self.take_credential(who, SEATS[usize::from(a) % SEATS.len()]),
            What::Advance => self.advance(u64::from(u16::from_le_bytes([a, b])) % 4000, c),
            What::WallClock => {
                let seconds = u64::from(u16::from_le_bytes([a, b]));
                let unix = self.now.unix;
                self.now.unix = if c & 1 == 0 { unix + seconds } else { unix - seconds };
            }
            What::EndSeat | What::EndCall => self.end(step.what, SEATS[usize::from(a) % SEATS.len()]),
            What::EndClient => {
                let at = self.parties[who].at;
                self.server.end_client(&at);
                self.model.allocations.remove(&at);
            }
            What::Timeout => self.compare(),
            What::Again => {
                if let Some(last) = self.parties[who].last.clone() {
                    self.send(who, Step { spoiling: 0, ..step }, last);
                }
            }
            What::Raw => {
                self.send(who, step, Sent { bytes: raw.to_vec(), meaning: Meaning::Unknown });
            }
        }
    }

    /// When nobody refreshes for as long as the longest lifetime, nothing lives.
    pub fn nothing_lives_for_ever(mut self) {
        self.compare();
        self.now.monotonic += LONGEST;
        self.compare();
        assert_eq!(
            (self.server.allocations(), self.server.calls(), self.server.next_timeout()),
            (0, 0, None)
        );
    }

    /// The server holds what the model holds.
    fn compare(&mut self) {
        self.server.handle_timeout(self.now);
        for worker in &mut self.workers {
            worker.handle_timeout(self.now);
        }
        self.model.expire(self.now.monotonic);
        assert_eq!(self.server.allocations(), self.model.allocations.len());
        assert_eq!(self.server.calls(), self.model.calls());
        assert_eq!(self.server.next_timeout(), self.model.next_timeout());
        for party in &self.parties {
            let lives = self.model.allocations.contains_key(&party.at);
            assert_eq!(self.server.has_allocation(&party.at), lives);
        }
        for call in ["one", "two"] {
            let seats = SEATS.iter().filter(|seat| seat.0 == call);
            let held: usize = seats.map(|seat| self.model.held_by(*seat)).sum();
            assert_eq!(self.server.traffic(call).allocations, held);
        }
    }

    fn advance(&mut self, seconds: u64, quarters: u8) {
        self.now.monotonic +=
            Duration::from_secs(seconds) + Duration::from_millis(250) * u32::from(quarters % 4);
        self.now.unix += seconds;
    }

    fn end(&mut self, what: What, (call, seat): Seat) {
        if what == What::EndSeat {
            let barred = self.mint.end_seat(self.now.unix, call, seat);
            self.server.end_seat(self.now, call, seat, barred);
            self.model.end_seats(|other| other == (call, seat), &SEATS);
        } else {
            let barred = self.mint.end_call(self.now.unix, call);
            self.server.end_call(self.now, call, barred);
            self.model.end_seats(|other| other.0 == call, &SEATS);
        }
    }

    fn take_credential(&mut self, who: usize, seat: Seat) {
        let party = &mut self.parties[who];
        party.client.credential = self.mint.mint(self.now.unix, seat.0, seat.1);
        (party.seat, party.minted) = (seat, self.model.ends);
    }

    fn meet_challenge(&mut self, who: usize, step: Step) {
        let bytes = self.parties[who].client.unsigned(ALLOCATE, &[UDP]);
        let step = Step { spoiling: 0, ..step };
        let answer = self.send(who, step, Sent { bytes, meaning: Meaning::Unknown });
        let challenge = answer.expect("a stranger's first request is answered");
        assert_eq!(challenge.error(), 401);
    }

    fn peer(&self, which: u8, other: u8) -> SocketAddr {
        match which % 12 {
            client @ 0..=7 => self.parties[usize::from(client)].relayed,
            8 => "10.0.0.1:80".parse().expect("an address"),
            9 => SocketAddr::from((RELAYED_IP, u16::from(other))),
            10 => SocketAddr::from((IpAddr::V6(RELAYED_IP.to_ipv6_mapped()), 50_000)),
            _ => SocketAddr::from((RELAYED_IP, 49_152 + u16::from(other) * 64)),
        }
    }

    /// A signed request as the step says.
    fn request(&mut self, who: usize, step: Step) -> Sent {
        if !self.parties[who].knows_nonce {
            self.meet_challenge(who, step);
        }
        let [a, b, c, d] = step.numbers;
        let transaction = self.parties[who].client.next_transaction();
        let (mut attributes, mut peers): (Vec<(u16, Vec<u8>)>, Vec<SocketAddr>) = (Vec::new(), Vec::new());
        let (mut wishes_even, mut token) = (false, None);
        let method = match step.what {
            What::Allocate => {
                attributes.push((REQUESTED_TRANSPORT, vec![if a & 0xF0 == 0xF0 { 6 } else { 17 }, 0, 0, 0]));
                match a % 8 {
                    5 => attributes.push((EVEN_PORT, vec![0])),
                    6 => attributes.push((EVEN_PORT, vec![0x80])),
                    7 => token = Some(self.tokens.get(usize::from(d)).cloned().unwrap_or(vec![d; 8])),
                    _ => {}
                }
                wishes_even = matches!(a % 8, 5 | 6);
                attributes.extend(token.iter().map(|token| (RESERVATION_TOKEN, token.clone())));
                ALLOCATE
            }
            What::Refresh => REFRESH,
            What::CreatePermission => {
                peers.push(self.peer(a, b));
                if c & 1 == 1 {
                    peers.push(self.peer(b, a));
                }
                CREATE_PERMISSION
            }
            _ => {
                peers.push(self.peer(a, c));
                let [high, low] = channel(b).to_be_bytes();
                attributes.push((CHANNEL_NUMBER, vec![high, low, 0, 0]));
                CHANNEL_BIND
            }
        };
        if matches!(step.what, What::Allocate | What::Refresh) {
            if b % 8 < 6 {
                attributes.push((LIFETIME, LIFETIMES[usize::from(b % 8)].to_be_bytes().to_vec()));
            }
            attributes.extend(extra(c, d));
        }
        attributes.extend(peers.iter().map(|peer| (XOR_PEER_ADDRESS, xor_address(*peer, transaction))));
        let attributes: Vec<(u16, &[u8])> =
            attributes.iter().map(|(kind, value)| (*kind, &value[..])).collect();
        let party = &self.parties[who];
        let signed = party.client.signed_with(method, transaction, &attributes);
        let bytes = stun_types::message::MessageWrite::finish(signed);
        let expiry = party.client.credential.username.split(':').next().and_then(|text| text.parse().ok());
        let meaning = Meaning::Request(Signed {
            covered: bytes.clone(),
            key: party.client.key(),
            seat: party.seat,
            minted: party.minted,
            expiry: expiry.expect("a user name begins with its expiry"),
            method,
            peers,
            channel: channel(b),
            wishes_even,
            token,
        });
        Sent { bytes, meaning }
    }

    /// Hands a message to a worker and judges what comes out; gives the answer, if there is one.
    fn send(&mut self, who: usize, step: Step, mut sent: Sent) -> Option<Answer> {
        if spoil(&mut sent.bytes, step)
            && let Meaning::Data(..) = sent.meaning
        {
            sent.meaning = Meaning::Unknown;
        }
        self.parties[who].last = Some(sent.clone());
        self.model.expire(self.now.monotonic);
        let from = self.parties[who].at;
        let is_data =
            sent.bytes.first().is_some_and(|first| *first >= 0x40) || sent.bytes.starts_with(&[0, 0x16]);
        let fresh = is_data.then(|| {
            let mut nothing_known = Flows::new(&mut self.server);
            receive(&mut nothing_known, &mut self.server, self.now, &from, &sent.bytes)
        });
        let worker = &mut self.workers[usize::from(step.worker & 1)];
        let out = receive(worker, &mut self.server, self.now, &from, &sent.bytes);
        if let Some(fresh) = fresh {
            assert_eq!(out, fresh, "a worker that remembers, and one that does not");
            assert!(!matches!(out, Some(Out::Answer(_))), "data are not answered");
        }
        match out {
            Some(Out::Answer(answer)) => {
                self.judge_answer(who, &sent, &answer);
                return Some(answer);
            }
            Some(Out::Delivery(to, message)) => self.judge_delivery(&from, &sent, to, &message),
            None => {
                if let Meaning::Data(label, payload) = &sent.meaning {
                    let way = self.model.way(self.now.monotonic, &from, *label, payload);
                    assert_eq!(way, None, "data that should have passed");
                }
            }
        }
        None
    }

    /// What came as a train passes as if its messages had come one by one.
    fn send_train(&mut self, who: usize, step: Step) {
        let [a, b, c, d] = step.numbers;
        let (number, payload) = (channel(a), payload(b, c));
        let message = channel_data(number, &payload);
        let mut train = message.repeat(1 + usize::from(d % 70));
        // Some are ended by a shorter one.
        train.truncate(train.len() - usize::from(d / 70).min(message.len() - 1));
        let is_spoiled = spoil(&mut train, step);
        self.model.expire(self.now.monotonic);
        let from = self.parties[who].at;
        let mut nothing_known = Flows::new(&mut self.server);
        let (mut one_by_one, mut sent) = (Vec::new(), Vec::new());
        for bytes in train.chunks(message.len()) {
            let out = receive(&mut nothing_known, &mut self.server, self.now, &from, bytes);
            let is_whole = !is_spoiled && bytes.len() == message.len();
            let meaning = Meaning::Data(Label::Channel(number), payload.clone());
            sent.push(Sent {
                bytes: bytes.to_vec(),
                meaning: if is_whole { meaning } else { Meaning::Unknown },
            });
            one_by_one.push(out);
        }
        let worker = &mut self.workers[usize::from(step.worker & 1)];
        let together = receive_train(worker, &mut self.server, self.now, &from, &train, message.len());
        assert_eq!(together, one_by_one, "as a train, and one by one");
        for (sent, out) in sent.iter().zip(&one_by_one) {
            match (out, &sent.meaning) {
                (Some(Out::Delivery(to, message)), _) => self.judge_delivery(&from, sent, *to, message),
                (None, Meaning::Data(label, payload)) => {
                    assert_eq!(self.model.way(self.now.monotonic, &from, *label, payload), None);
                }
                (None, _) => {}
                (Some(Out::Answer(_)), _) => panic!("data are not answered"),
            }
        }
    }

    fn judge_delivery(&self, from: &FiveTuple, sent: &Sent, to: FiveTuple, message: &Answer) {
        let now = self.now.monotonic;
        let sender = self.model.allocations.get(from).expect("who sends has an allocation");
        let receiver = self.model.allocations.get(&to).expect("who receives has an allocation");
        assert_eq!(sender.seat.0, receiver.seat.0, "one call");
        assert!(now < receiver.permitted_until, "the receiver permits it");
        let (under, payload) = match message.data_indication() {
            Some((peer, data)) => {
                assert_eq!(peer, sender.relayed);
                (None, data)
            }
            None => {
                let [a, b, c, d] = *message.0.first_chunk().expect("a header");
                let (number, length) = (u16::from_be_bytes([a, b]), usize::from(u16::from_be_bytes([c, d])));
                assert_eq!(message.0.len(), 4 + length);
                let binding =
                    receiver.channels.iter().find(|(known, _, until)| *known == number && now < *until);
                assert_eq!(binding.map(|(_, peer, _)| *peer), Some(sender.relayed));
                (Some(number), message.0[4..].to_vec())
            }
        };
        if let Meaning::Data(label, meant) = &sent.meaning {
            assert_eq!(&payload, meant);
            assert_eq!(self.model.way(now, from, *label, meant), Some((to, under)));
        } else {
            assert!(
                sent.bytes.windows(payload.len().max(1)).any(|window| window == payload)
                    || payload.is_empty()
            );
        }
    }

    fn judge_answer(&mut self, who: usize, sent: &Sent, answer: &Answer) {
        assert_eq!(answer.0[4..20], sent.bytes[4..20], "cookie and transaction are the request's");
        if answer.value(MESSAGE_INTEGRITY).is_none() {
            assert!(
                answer.0.len() * 2 <= sent.bytes.len() * 5,
                "{} for {}",
                answer.0.len(),
                sent.bytes.len()
            );
            let is_binding = answer.message().has_method(stun_types::message::Method::new(BINDING));
            assert!(!answer.is_success() || is_binding, "a success for nobody");
            if matches!(answer.error(), 401 | 438) {
                self.parties[who].client.learn(answer);
                self.parties[who].knows_nonce = true;
            }
            return;
        }
        let Meaning::Request(signed) = &sent.meaning else {
            panic!("signed for one who showed no credential")
        };
        let covered = signed.covered.len();
        assert_eq!(
            sent.bytes.get(4..covered),
            Some(&signed.covered[4..]),
            "a spoiled request passed as signed"
        );
        answer.message().validate_integrity(&signed.key).expect("the answer is signed with the client's key");
        if answer.is_success() {
            let signed = signed.clone();
            match signed.method {
                ALLOCATE => self.judge_allocation(who, &signed, answer),
                method => self.judge_success(who, method, &signed, answer),
            }
        }
    }

    fn judge_allocation(&mut self, who: usize, signed: &Signed, answer: &Answer) {
        let now = self.now.monotonic;
        let (at, relayed) = (self.parties[who].at, answer.address(XOR_RELAYED_ADDRESS));
        let transaction = answer.message().transaction_id().into();
        assert_eq!(answer.address(XOR_MAPPED_ADDRESS), at.client.socket_addr());
        assert_eq!(relayed.ip(), RELAYED_IP);
        if let Some(known) = self.model.allocations.get(&at) {
            assert_eq!((known.relayed, known.seat, known.transaction), (relayed, signed.seat, transaction));
            return;
        }
        assert!(self.now.unix <= signed.expiry, "an expired credential");
        let ended = self.model.ended.get(&signed.seat).copied().unwrap_or(0);
        assert!(signed.minted >= ended, "a barred credential");
        if let Some(token) = &signed.token {
            let kept = self.model.reservations.iter().position(|kept| kept.token == *token);
            let kept = self.model.reservations.remove(kept.expect("a token that is in force"));
            assert_eq!((kept.port, kept.seat), (relayed.port(), signed.seat));
        }
        assert!(relayed.port() >= 49_152 && !self.model.is_taken(relayed.port()));
        assert!(!signed.wishes_even || relayed.port().is_multiple_of(2));
        let lifetime = answer.lifetime();
        assert!((600..=3600).contains(&lifetime));
        let expires_at = now + Duration::from_secs(u64::from(lifetime));
        self.parties[who].relayed = relayed;
        let (permitted_until, channels, seat) = (Duration::ZERO, Vec::new(), signed.seat);
        let allocation = Allocation { seat, relayed, transaction, expires_at, permitted_until, channels };
        self.model.allocations.insert(at, allocation);
        if let Some(token) = answer.value(RESERVATION_TOKEN) {
            assert_eq!(self.model.clients, Clients::Any);
            let port = relayed.port() + 1;
            assert!(!self.model.is_taken(port));
            self.tokens.push(token.clone());
            self.model.reservations.push(Reservation { token, seat, port, expires_at: now + RESERVATION });
        }
        assert!(self.model.held_by(seat) <= usize::from(QUOTA), "over the quota");
    }

    fn judge_success(&mut self, who: usize, method: u16, signed: &Signed, answer: &Answer) {
        let now = self.now.monotonic;
        let at = self.parties[who].at;
        let peer_call =
            signed.peers.first().and_then(|peer| self.model.at(*peer)).map(|(_, peer)| peer.seat.0);
        let allocation = self.model.allocations.get_mut(&at).expect("a success without an allocation");
        assert_eq!(allocation.seat, signed.seat, "an allocation belongs to its seat");
        assert!(signed.peers.iter().all(|peer| peer.ip() == RELAYED_IP), "there is one address for peers");
        match method {
            REFRESH if answer.lifetime() == 0 => {
                self.model.allocations.remove(&at);
            }
            REFRESH => allocation.expires_at = now + Duration::from_secs(u64::from(answer.lifetime())),
            CREATE_PERMISSION => allocation.permitted_until = now + PERMISSION,
            _ => {
                assert_eq!(peer_call, Some(signed.seat.0), "a channel out of the call");
                allocation.permitted_until = now + PERMISSION;
                let (number, peer) = (signed.channel, signed.peers[0]);
                let channels = &mut allocation.channels;
                channels.retain(|(_, _, until)| now < *until);
                channels.retain(|known| (known.0, known.1) != (number, peer));
                assert!(!channels.iter().any(|known| known.0 == number || known.1 == peer), "bound already");
                channels.push((number, peer, now + CHANNEL));
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Out {
    Answer(Answer),
    Delivery(FiveTuple, Answer),
}

/// What a worker makes of a message.
fn receive(flows: &mut Flows, server: &mut Server, now: Now, from: &FiveTuple, bytes: &[u8]) -> Option<Out> {
    let mut message = bytes.to_vec();
    let output = flows.receive(now, from, &mut message, || server)?;
    let mut out = outs(output, &message);
    assert_eq!(out.len(), 1, "one message, one output");
    out.pop()
}

/// What a worker makes of a train, message by message.
fn receive_train(
    flows: &mut Flows,
    server: &mut Server,
    now: Now,
    from: &FiveTuple,
    bytes: &[u8],
    stride: usize,
) -> Vec<Option<Out>> {
    let (mut train, mut left) = (bytes.to_vec(), Vec::new());
    let mut train = &mut train[..];
    while !train.is_empty() {
        let (taken, output) = flows.receive_train(now, from, train, stride, || &mut *server);
        let Some(output) = output else {
            assert!(taken == stride || taken == train.len(), "what is dropped is dropped one by one");
            left.push(None);
            train = &mut train[taken..];
            continue;
        };
        let outs = outs(output, train);
        assert_eq!(taken.div_ceil(stride), outs.len());
        left.extend(outs.into_iter().map(Some));
        train = &mut train[taken..];
    }
    left
}

/// An output apart from the buffer; transactions of Data indications, which are random, made equal.
fn outs(output: Output, received: &[u8]) -> Vec<Out> {
    match output {
        Output::Answer(answer) => vec![Out::Answer(Answer(answer))],
        Output::Delivery(Delivery { to, header, body, count, padding }) => {
            let header = header.map_or(Vec::new(), |header| header.to_vec());
            let length = body.len() / count;
            let bodies = (0..count).map(|number| &received[body.start + number * length..][..length]);
            let out = bodies.map(|body| {
                let mut sent = [&header[..], body, &[0; 3][..padding]].concat();
                if sent[0] < 0x40 {
                    sent[8..20].fill(0);
                }
                Out::Delivery(to, Answer(sent))
            });
            out.collect()
        }
    }
}

fn channel(which: u8) -> u16 {
    CHANNELS[usize::from(which) % CHANNELS.len()]
}

fn payload(first: u8, length: u8) -> Vec<u8> {
    let mut payload: Vec<u8> = (0..length).collect();
    if let Some(byte) = payload.first_mut() {
        *byte = first;
    }
    payload
}

/// An attribute that a request may have besides.
fn extra(which: u8, value: u8) -> Option<(u16, Vec<u8>)> {
    match which {
        0..=191 => None,
        192..=207 => Some((REQUESTED_ADDRESS_FAMILY, vec![value % 4, 0, 0, 0])),
        208..=223 => Some((ADDITIONAL_ADDRESS_FAMILY, vec![value % 4, 0, 0, 0])),
        224..=231 => Some((DONT_FRAGMENT, vec![])),
        232..=239 => Some((0x8030, vec![value])),
        _ => Some((OTHERS[usize::from(value) % OTHERS.len()], vec![value; usize::from(value % 9)])),
    }
}

/// Spoils a message as the step says; says whether it did.
fn spoil(bytes: &mut Vec<u8>, step: Step) -> bool {
    let [.., c, d] = step.numbers;
    let position = usize::from(u16::from_le_bytes([c, d]));
    match step.spoiling {
        0..192 => return false,
        192..216 => {
            if let Some(byte) = bytes.get_mut(position) {
                *byte ^= step.spoiling;
            }
        }
        216..224 => bytes.truncate(position),
        _ if !(20..10_000).contains(&bytes.len()) => return false,
        224..232 => append(bytes, LIFETIME, &[0; 4]),
        232..240 => append(bytes, XOR_PEER_ADDRESS, &[0, 1, 0, 0, 0, 0, 0, 0]),
        240..248 => append(bytes, MESSAGE_INTEGRITY, &[d; 20]),
        _ => append(bytes, u16::from(c) << 8 | u16::from(d), &[d; 4]),
    }
    true
}
