//! One row against one running server: a sample.

use std::error::Error;
use std::thread;
use std::time::Duration;

use crate::client::{Client, Step};
use crate::control::{clients, perform, perform_where};
use crate::load::{Flow, Tally, paced, saturating};
use crate::process::{cpu_nanos, resident_bytes};
use crate::rows::{Load, Work};
use crate::server::Server;
use crate::socket::Socket;

const WARM_UP: Duration = Duration::from_millis(200);
const MEASURED: Duration = Duration::from_millis(1200);
/// What a server does after its last packet, and the kernel's update of its CPU time.
const REST: Duration = Duration::from_millis(10);

/// Clients that come and go before anything is measured.
const WARM_UP_CLIENTS: u32 = 64;

/// What was measured of one server in one row of one round.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// CPU nanoseconds per delivered packet or per cycle; for idle allocations, bytes each.
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

pub fn measure(work: Work, server: &Server, secret: &str) -> Result<Sample, Box<dyn Error>> {
    let socket = Socket::open(server.addr())?;
    match work {
        Work::Paced(load) => packets(&load, paced, &socket, server, secret),
        Work::Saturating(load) => packets(&load, saturating, &socket, server, secret),
        Work::Cycles(count) => cycles(count, &socket, server, secret),
        Work::Idle(count) => idle(count, &socket, server, secret),
    }
}

type Run = fn(&Socket, &mut [Flow], &Load, Duration, u8) -> Result<Tally, Box<dyn Error>>;

fn packets(
    load: &Load,
    run: Run,
    socket: &Socket,
    server: &Server,
    secret: &str,
) -> Result<Sample, Box<dyn Error>> {
    let clients = allocate(load, socket, secret)?;
    let mut flows = Flow::of(&clients, load);
    run(socket, &mut flows, load, WARM_UP, 1)?;
    thread::sleep(REST);
    let (server_before, own_before) = (cpu_nanos(server.pid())?, cpu_nanos(std::process::id())?);
    let drops_before = socket.drops()?;
    let mut tally = run(socket, &mut flows, load, MEASURED, 2)?;
    let own = cpu_nanos(std::process::id())? - own_before;
    thread::sleep(REST);
    let cpu = cpu_nanos(server.pid())? - server_before;
    tally.latencies.sort_unstable();
    let elapsed = tally.elapsed.as_secs_f64();
    Ok(Sample {
        cost: cpu as f64 / tally.delivered.max(1) as f64,
        packets: Some(Packets {
            sent: tally.sent,
            delivered: tally.delivered,
            per_second: tally.delivered as f64 / elapsed,
            p50: percentile(&tally.latencies, 50),
            p99: percentile(&tally.latencies, 99),
            generator: own as f64 / 1e9 / elapsed,
            generator_lost: socket.drops()? - drops_before,
        }),
    })
}

/// A load's clients, each with an allocation, a permission for its partner and, where the load says so, a channel.
fn allocate(load: &Load, socket: &Socket, secret: &str) -> Result<Vec<Client>, Box<dyn Error>> {
    let mut clients = clients(0, 2 * load.calls, secret);
    perform(socket, &mut clients, &[Step::Challenge, Step::Allocate, Step::CreatePermission])?;
    perform_where(socket, &mut clients, &[Step::ChannelBind], |number| load.legs.binds(number))?;
    Ok(clients)
}

const CYCLE: [Step; 5] =
    [Step::Challenge, Step::Allocate, Step::CreatePermission, Step::ChannelBind, Step::Delete];

fn cycles(count: u32, socket: &Socket, server: &Server, secret: &str) -> Result<Sample, Box<dyn Error>> {
    perform(socket, &mut clients(0, WARM_UP_CLIENTS, secret), &CYCLE)?;
    let mut clients = clients(WARM_UP_CLIENTS, count, secret);
    thread::sleep(REST);
    let before = cpu_nanos(server.pid())?;
    perform(socket, &mut clients, &CYCLE)?;
    thread::sleep(REST);
    let cost = (cpu_nanos(server.pid())? - before) as f64 / f64::from(count);
    Ok(Sample { cost, packets: None })
}

fn idle(count: u32, socket: &Socket, server: &Server, secret: &str) -> Result<Sample, Box<dyn Error>> {
    perform(socket, &mut clients(0, WARM_UP_CLIENTS, secret), &CYCLE)?;
    thread::sleep(REST);
    let before = resident_bytes(server.pid())?;
    let mut clients = clients(WARM_UP_CLIENTS, count, secret);
    perform(socket, &mut clients, &[Step::Challenge, Step::Allocate])?;
    thread::sleep(REST);
    let cost = resident_bytes(server.pid())?.saturating_sub(before) as f64 / f64::from(count);
    Ok(Sample { cost, packets: None })
}

/// Of sorted values; 0 without any.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}
