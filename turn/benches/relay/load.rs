//! The data plane: paced packets from client to client, each with the time it was sent, counted where they arrive.

use std::net::Ipv4Addr;
use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::client::{Client, channel_data, payload, send_indication};
use crate::control::partner;
use crate::rows::{Load, Shape};
use crate::socket::{Batch, Socket, unix_nanos};

/// How long nothing must have arrived before what is missing counts as lost.
const SILENCE: Duration = Duration::from_millis(100);

/// What became of one run's packets.
#[derive(Default)]
pub struct Tally {
    pub sent: u64,
    pub delivered: u64,
    /// From just before the send to the kernel's receipt, nanoseconds, one for each delivered packet.
    pub latencies: Vec<u64>,
    /// From the first send to the last receipt.
    pub elapsed: Duration,
}

/// One direction of a call: the packet one client sends again and again.
pub struct Flow {
    from: Ipv4Addr,
    to: Ipv4Addr,
    /// A datagram, or the datagrams of a train.
    bytes: Vec<u8>,
    /// Bytes of one datagram.
    segment: usize,
    /// Where the payload begins within a datagram.
    payload_at: usize,
}

impl Tally {
    /// Adds a later run's packets.
    pub fn add(&mut self, other: Tally) {
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.latencies.extend(other.latencies);
        self.elapsed += other.elapsed;
    }
}

impl Flow {
    /// Both directions of all calls.
    pub fn of(clients: &[Client], load: &Load) -> Vec<Flow> {
        let flow = |index: usize| {
            let number = u32::try_from(index).expect("there are fewer than 2^32 flows");
            let mut content = vec![0; load.payload];
            content[4..8].copy_from_slice(&number.to_be_bytes());
            // As RTP begins (RFC 7983).
            content[0] = 0x80;
            let has_channel = load.legs.binds(index);
            let datagram = match partner(clients, index) {
                Some(partner) if !has_channel => send_indication(partner, &content),
                _ => channel_data(&content),
            };
            let segment = datagram.len();
            let copies = if let Shape::Train(length) = load.shape { length } else { 1 };
            Flow {
                from: clients[index].ip(),
                to: clients[index ^ 1].ip(),
                bytes: datagram.repeat(copies),
                segment,
                payload_at: segment - load.payload,
            }
        };
        (0..clients.len()).map(flow).collect()
    }

    /// Sends one event's packets.
    fn send(&mut self, socket: &Socket, shape: Shape) -> Result<u64, Failure> {
        let packets = match shape {
            Shape::Single => 1,
            Shape::Burst(length) | Shape::Train(length) => length,
        };
        let calls = if let Shape::Burst(length) = shape { length } else { 1 };
        for _ in 0..calls {
            let now = unix_nanos().to_be_bytes();
            for datagram in self.bytes.chunks_mut(self.segment) {
                datagram[self.payload_at + 8..self.payload_at + 16].copy_from_slice(&now);
            }
            if let Shape::Train(_) = shape {
                socket.send_train(self.from, &self.bytes, self.segment)?;
            } else {
                socket.send(self.from, &self.bytes)?;
            }
        }
        Ok(packets as u64)
    }
}

/// Sends a load's events for some time, evenly spread, one flow after the other, and counts what arrives.
///
/// The pace is kept on average, but an event that comes late by half an interval or more pushes the later ones back:
/// they do not follow on its heels.
pub fn paced(socket: &Socket, flows: &mut [Flow], load: &Load, duration: Duration) -> Result<Tally, Failure> {
    // By default the kernel lets a thread sleep 50 us longer than asked for.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
    let interval = Duration::from_secs(1) / load.events_per_second;
    let events = duration.as_nanos() / interval.as_nanos();
    let mut counter = Counter::new();
    let mut due = Instant::now();
    for event in 0..events {
        let now = sleep_until(due);
        due = if now < due + interval / 2 { due + interval } else { now + interval };
        let flow = usize::try_from(event % flows.len() as u128).expect("less than the number of flows");
        counter.tally.sent += flows[flow].send(socket, load.shape)?;
        counter.take(socket, flows)?;
    }
    counter.drain(socket, flows)
}

fn sleep_until(due: Instant) -> Instant {
    loop {
        let now = Instant::now();
        if now >= due {
            return now;
        }
        thread::sleep(due - now);
    }
}

/// Sends as fast as packets arrive, with a bounded number of packets under way, and counts them.
pub fn saturating(
    socket: &Socket,
    flows: &mut [Flow],
    load: &Load,
    duration: Duration,
) -> Result<Tally, Failure> {
    /// Packets under way: more than any server takes in at once, less than fills a receive buffer.
    const WINDOW: u64 = 256;
    /// Without a receipt for so long, what is under way is lost.
    const STALL: Duration = Duration::from_millis(20);
    let mut counter = Counter::new();
    let started = Instant::now();
    let (mut lost, mut moved, mut event) = (0, started, 0);
    while started.elapsed() < duration {
        while counter.tally.sent < counter.tally.delivered + lost + WINDOW {
            let flow = event % flows.len();
            counter.tally.sent += flows[flow].send(socket, load.shape)?;
            event += 1;
        }
        if counter.take(socket, flows)? > 0 {
            moved = Instant::now();
            // What had only been late.
            lost = lost.min(counter.tally.sent - counter.tally.delivered);
        } else if moved.elapsed() > STALL {
            lost = counter.tally.sent - counter.tally.delivered;
            moved = Instant::now();
        }
    }
    counter.drain(socket, flows)
}

/// Counts what arrives of one run, told from an earlier one by when it was sent.
struct Counter {
    started: Instant,
    /// The same, in unix nanoseconds.
    started_at: u64,
    batch: Batch,
    tally: Tally,
}

impl Counter {
    fn new() -> Self {
        let (started, started_at) = (Instant::now(), unix_nanos());
        Counter { started, started_at, batch: Batch::new(), tally: Tally::default() }
    }

    /// Takes all that is there; gives the number of packets.
    fn take(&mut self, socket: &Socket, flows: &[Flow]) -> Result<u64, Failure> {
        let before = self.tally.delivered;
        loop {
            let count = socket.receive(&mut self.batch)?;
            if count == 0 {
                let taken = self.tally.delivered - before;
                if taken > 0 {
                    self.tally.elapsed = self.started.elapsed();
                }
                return Ok(taken);
            }
            for received in self.batch.datagrams(count) {
                let Some((flow, sent_at)) = payload(received.bytes).and_then(stamp) else { continue };
                let is_of_this_run = sent_at >= self.started_at;
                if is_of_this_run && flows.get(flow).is_some_and(|flow| flow.to == received.to) {
                    self.tally.delivered += 1;
                    self.tally.latencies.push(received.at.saturating_sub(sent_at));
                }
            }
        }
    }

    /// Waits for what is still under way.
    fn drain(mut self, socket: &Socket, flows: &[Flow]) -> Result<Tally, Failure> {
        let mut last_receipt = Instant::now();
        while self.tally.delivered < self.tally.sent && last_receipt.elapsed() < SILENCE {
            if self.take(socket, flows)? > 0 {
                last_receipt = Instant::now();
            } else {
                thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(self.tally)
    }
}

/// The flow and the time of sending, from a payload.
fn stamp(payload: &[u8]) -> Option<(usize, u64)> {
    let flow = u32::from_be_bytes(payload.get(4..8)?.try_into().ok()?);
    let sent_at = u64::from_be_bytes(payload.get(8..16)?.try_into().ok()?);
    Some((usize::try_from(flow).ok()?, sent_at))
}
