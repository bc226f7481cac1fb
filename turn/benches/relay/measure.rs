//! One row against one running server, in slices, so that others can have theirs in between.

use std::thread;
use std::time::Duration;

use crate::Failure;
use crate::client::{Client, Step};
use crate::control::{clients, perform, perform_where};
use crate::load::{Flow, Tally, paced, saturating};
use crate::process::{cpu_nanos, resident_bytes};
use crate::rows::{Load, Work};
use crate::server::Server;
use crate::socket::Socket;
use crate::statistics::{Spread, percentile};

/// Slices of each server in each round, and how long the packets of one are counted.
pub const SLICES: u32 = 10;
const SLICE: Duration = Duration::from_millis(130);
/// Load before a slice, not counted: caches and whatever adapts to a rate settle.
const LEAD_IN: Duration = Duration::from_millis(40);
/// What a server does after its last packet, and the kernel's update of its CPU time.
const REST: Duration = Duration::from_millis(5);
/// Clients that come and go before anything is measured.
const WARM_UP_CLIENTS: u32 = 64;

const CYCLE: [Step; 5] =
    [Step::Challenge, Step::Allocate, Step::CreatePermission, Step::ChannelBind, Step::Delete];

/// What was measured of one server in one row of one round.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// CPU nanoseconds per delivered packet or per cycle, the median of the slices; for idle allocations, bytes each.
    pub cost: f64,
    pub packets: Option<Packets>,
}

/// What became of packets.
#[derive(Clone, Debug, Default)]
pub struct Packets {
    pub sent: u64,
    pub delivered: u64,
    pub per_second: f64,
    /// Nanoseconds.
    pub p50: u64,
    pub p99: u64,
    /// CPU the generator took, as a share of one core.
    pub generator: f64,
    /// Packets that the generator itself was too slow to take.
    pub generator_lost: u64,
}

/// A server with a row's clients, and what was counted so far.
pub struct Subject {
    server: Server,
    socket: Socket,
    secret: String,
    plan: Plan,
    tally: Tally,
    /// CPU nanoseconds of the server per packet or cycle, slice by slice.
    costs: Vec<f64>,
    generator_nanos: u64,
    resident_before: u64,
}

enum Plan {
    Packets { run: Run, load: Load, flows: Vec<Flow> },
    Cycles { count: u32, next: u32 },
    Idle { count: u32, next: u32 },
}

type Run = fn(&Socket, &mut [Flow], &Load, Duration) -> Result<Tally, Failure>;

impl Subject {
    /// Makes the row's clients; nothing is counted yet.
    pub fn prepare(server: Server, work: Work, secret: &str) -> Result<Self, Failure> {
        let socket = Socket::open(server.addr())?;
        perform(&socket, &mut clients(0, WARM_UP_CLIENTS, secret), &CYCLE)?;
        let next = WARM_UP_CLIENTS;
        let packets = |run: Run, load: Load| -> Result<Plan, Failure> {
            let flows = Flow::of(&allocate(&load, &socket, secret)?, &load);
            Ok(Plan::Packets { run, load, flows })
        };
        let plan = match work {
            Work::Paced(load) => packets(paced, load)?,
            Work::Saturating(load) => packets(saturating, load)?,
            Work::Cycles(count) => Plan::Cycles { count, next },
            Work::Idle(count) => Plan::Idle { count, next },
        };
        thread::sleep(REST);
        let resident_before = resident_bytes(server.pid())?;
        Ok(Subject {
            server,
            socket,
            secret: secret.to_owned(),
            plan,
            tally: Tally::default(),
            costs: Vec::new(),
            generator_nanos: 0,
            resident_before,
        })
    }

    /// Does a slice of the row's work.
    pub fn slice(&mut self) -> Result<(), Failure> {
        if let Plan::Packets { run, load, flows } = &mut self.plan {
            run(&self.socket, flows, load, LEAD_IN)?;
        }
        let pids = [self.server.pid(), std::process::id()];
        let before = [cpu_nanos(pids[0])?, cpu_nanos(pids[1])?];
        let units = match &mut self.plan {
            Plan::Packets { run, load, flows } => {
                let tally = run(&self.socket, flows, load, SLICE)?;
                let delivered = tally.delivered;
                self.tally.add(tally);
                delivered
            }
            Plan::Cycles { count, next } => {
                let mut clients = clients(*next, *count / SLICES, &self.secret);
                perform(&self.socket, &mut clients, &CYCLE)?;
                *next += *count / SLICES;
                u64::from(*count / SLICES)
            }
            Plan::Idle { count, next } => {
                let mut clients = clients(*next, *count / SLICES, &self.secret);
                perform(&self.socket, &mut clients, &[Step::Challenge, Step::Allocate])?;
                *next += *count / SLICES;
                u64::from(*count / SLICES)
            }
        };
        self.generator_nanos += cpu_nanos(pids[1])? - before[1];
        thread::sleep(REST);
        let server_nanos = cpu_nanos(pids[0])? - before[0];
        // A slice in which nothing arrived has no cost per packet; its loss is told.
        if units > 0 {
            self.costs.push(server_nanos as f64 / units as f64);
        }
        Ok(())
    }

    /// What all slices came to. The server ends.
    pub fn sample(mut self) -> Result<Sample, Failure> {
        let cost = Spread::of(self.costs).ok_or("nothing was delivered")?.median;
        match self.plan {
            Plan::Cycles { .. } => Ok(Sample { cost, packets: None }),
            Plan::Idle { count, .. } => {
                let grown = resident_bytes(self.server.pid())?.saturating_sub(self.resident_before);
                Ok(Sample { cost: grown as f64 / f64::from(count), packets: None })
            }
            Plan::Packets { .. } => {
                let Tally { sent, delivered, .. } = self.tally;
                let elapsed = self.tally.elapsed.as_secs_f64();
                let latencies = &mut self.tally.latencies;
                latencies.sort_unstable();
                let packets = Packets {
                    sent,
                    delivered,
                    per_second: delivered as f64 / elapsed,
                    p50: percentile(latencies, 50),
                    p99: percentile(latencies, 99),
                    generator: self.generator_nanos as f64 / 1e9 / elapsed,
                    generator_lost: self.socket.drops()?,
                };
                Ok(Sample { cost, packets: Some(packets) })
            }
        }
    }
}

/// A load's clients, each with an allocation, a permission for its partner and, where the load says so, a channel.
fn allocate(load: &Load, socket: &Socket, secret: &str) -> Result<Vec<Client>, Failure> {
    let mut clients = clients(WARM_UP_CLIENTS, 2 * load.calls, secret);
    perform(socket, &mut clients, &[Step::Challenge, Step::Allocate, Step::CreatePermission])?;
    perform_where(socket, &mut clients, &[Step::ChannelBind], |index| load.legs.binds(index))?;
    Ok(clients)
}
