//! What the rest of a program holds of a running relay: mint credentials, end seats and calls, read counters.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::Waker;
use rand::TryRng;
use rand::rngs::SysRng;

use super::metrics::{IoCounters, Totals};
use super::socket::Socket;
use super::worker::{Command, Worker, WorkerTally};
use crate::counters::Tally;
use crate::credential::{Credential, Mint};
use crate::flow::Flows;
use crate::meter::Traffic;
use crate::server::{Now, Server};
use crate::settings::Settings;

/// Where clients come from. At least one group of UDP sockets; its length is the number of worker threads.
#[derive(Default)]
pub struct Listeners {
    /// Groups made by [`crate::bind`], all of one length, one group for each port.
    pub udp: Vec<Vec<UdpSocket>>,
}

/// A running relay. Clones are handles to the same one; it stops with [`Relay::shutdown`], or with the last handle.
///
/// No method waits for the network; each may wait a few microseconds for a worker that holds the server.
#[derive(Clone)]
pub struct Relay {
    running: Arc<Running>,
}

/// What the workers and the handles share.
pub(super) struct Shared {
    server: Mutex<Server>,
    started: Instant,
}

struct Running {
    shared: Arc<Shared>,
    local: SocketAddr,
    mint: Mutex<Mint>,
    workers: Vec<Hired>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// A worker as the handle sees it.
struct Hired {
    commands: Sender<Command>,
    waker: Waker,
    tally: Arc<WorkerTally>,
    packets: Arc<Tally>,
}

impl Relay {
    /// Starts a relay. Wrong settings are an error of kind `InvalidInput` that names the setting, and so are listeners
    /// without a UDP socket or with groups of different lengths.
    pub fn start(settings: Settings, listeners: Listeners) -> io::Result<Relay> {
        let mut seed = [0; 32];
        SysRng.try_fill_bytes(&mut seed).map_err(io::Error::other)?;
        let mint = Mutex::new(Mint::new(&settings.secret));
        let mut server = Server::new(settings, seed)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let sockets = by_worker(listeners.udp)?;
        let local = sockets[0][0].local_addr();
        let flows: Vec<Flows> = sockets.iter().map(|_| Flows::new(&mut server)).collect();
        let shared = Arc::new(Shared { server: Mutex::new(server), started: Instant::now() });
        let mut workers = Vec::new();
        let mut threads = Vec::new();
        for (number, (sockets, flows)) in sockets.into_iter().zip(flows).enumerate() {
            let (commands, received) = channel();
            let (tally, packets) = (Arc::<WorkerTally>::default(), flows.tally());
            let (worker, waker) =
                Worker::new(Arc::clone(&shared), Arc::clone(&tally), received, sockets, flows, number == 0)?;
            let name = format!("relay-{number}");
            threads.push(thread::Builder::new().name(name).spawn(move || worker.run())?);
            workers.push(Hired { commands, waker, tally, packets });
        }
        let threads = Mutex::new(threads);
        Ok(Relay { running: Arc::new(Running { shared, local, mint, workers, threads }) })
    }

    /// The address of the first UDP port.
    pub fn local_addr(&self) -> SocketAddr {
        self.running.local
    }

    /// A credential for a seat of a call, good for 15 minutes. Labels must be non-empty, hold no colon and have no
    /// more than 200 bytes together, or the credential opens nothing.
    pub fn mint(&self, call: &str, seat: &str) -> Credential {
        self.running.mint().mint(unix_now(), call, seat)
    }

    /// Ends a seat's allocations and bars the credentials minted for it so far; one minted after this call is good.
    /// Of packets that workers hold in their hands a few may still leave.
    pub fn end_seat(&self, call: &str, seat: &str) {
        // The mint stays locked meanwhile, so that ends reach the server in their order.
        let mut mint = self.running.mint();
        let barred = mint.end_seat(unix_now(), call, seat);
        let shared = &self.running.shared;
        shared.server().end_seat(shared.now(), call, seat, barred);
    }

    /// Ends all allocations of a call and bars the credentials minted for its seats so far; else as
    /// [`Relay::end_seat`].
    pub fn end_call(&self, call: &str) {
        let mut mint = self.running.mint();
        let barred = mint.end_call(unix_now(), call);
        let shared = &self.running.shared;
        shared.server().end_call(shared.now(), call, barred);
    }

    /// What a call's allocations carried since it has had any; zeros without any.
    pub fn traffic(&self, call: &str) -> Traffic {
        self.running.shared.server().traffic(call)
    }

    /// Counters of the whole relay.
    pub fn totals(&self) -> Totals {
        let workers = &self.running.workers;
        let packets = workers.iter().map(|worker| worker.packets.read());
        let io = workers.iter().map(|worker| worker.tally.io.read());
        let server = self.running.shared.server();
        Totals {
            allocations: server.allocations(),
            calls: server.calls(),
            streams: 0,
            counters: packets.fold(server.counters(), std::ops::Add::add),
            io: io.fold(IoCounters::default(), std::ops::Add::add),
        }
    }

    /// Stops the relay and waits for its threads; its ports are free then. A second call does nothing.
    pub fn shutdown(&self) {
        self.running.stop();
    }
}

/// Turns groups, one for each port, into what each worker gets: one socket of each port.
fn by_worker(groups: Vec<Vec<UdpSocket>>) -> io::Result<Vec<Vec<Socket>>> {
    let workers = groups.first().map_or(0, Vec::len);
    if workers == 0 || groups.iter().any(|group| group.len() != workers) {
        let why = "a relay needs a UDP port, and as many sockets on each of its ports as on the others";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let mut sockets: Vec<Vec<Socket>> = Vec::new();
    sockets.resize_with(workers, Vec::new);
    for group in groups {
        for (worker, socket) in sockets.iter_mut().zip(group) {
            worker.push(Socket::new(socket)?);
        }
    }
    Ok(sockets)
}

/// The wall clock, in unix seconds.
fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Shared {
    /// The server, for as long as one message takes. A panic elsewhere while the lock was held ended one thread; what
    /// it left is whole as far as the others can see, and they go on.
    pub(super) fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn now(&self) -> Now {
        Now { monotonic: self.monotonic(), unix: unix_now() }
    }
}

impl Running {
    /// A panic elsewhere while the lock was held leaves the mint whole: it changes in single steps.
    fn mint(&self) -> MutexGuard<'_, Mint> {
        self.mint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        for worker in &self.workers {
            // Both fail only when the worker is gone.
            let _ = worker.commands.send(Command::Shutdown);
            let _ = worker.waker.wake();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the relay had panicked; its clients were without service since");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
