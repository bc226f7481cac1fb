//! What the rest of a program holds of a running relay: mint credentials, end seats and calls, read counters.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use foldhash::fast::RandomState;
use mio::Waker;
use rand::TryRng;
use rand::rngs::SysRng;
use rustls::{ServerConfig, ServerConnection};

use super::acceptor::Acceptor;
use super::clock::unix_now;
use super::metrics::{IoCounters, IoTally, Totals};
use super::socket::Socket;
use super::stream::Stream;
use super::worker::{Command, Ears, Worker};
use crate::allocation::FiveTuple;
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
    /// Ports for clients over TCP, besides those that [`Relay::adopt`] brings.
    pub tcp: Vec<TcpListener>,
    /// Ports for clients over TLS, each with its certificate.
    pub tls: Vec<(TcpListener, Arc<ServerConfig>)>,
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
    pub(super) started: Instant,
    /// The clients over TCP and TLS, whichever worker owns them.
    streams: Mutex<HashMap<FiveTuple, Arc<Stream>, RandomState>>,
    workers: OnceLock<Vec<Hired>>,
    next_worker: AtomicUsize,
}

/// What a connection holds as long as it lives, for whoever handed it over. Dropped when the connection ends.
pub trait Place: Send + 'static {
    /// The connection is served, and can be ended before its time.
    fn served(&mut self, _connection: Connected) {}

    /// The client has an allocation now, and with it shown who it is.
    fn allocated(&mut self) {}

    /// It has none any more, and may make another.
    fn deallocated(&mut self) {}
}

impl Place for () {}

/// A client over TCP or TLS that is served.
#[derive(Clone)]
pub struct Connected(Weak<Stream>);

impl Connected {
    /// Ends the connection, from any thread; one that has ended stays ended.
    pub fn end(&self) {
        if let Some(stream) = self.0.upgrade() {
            stream.shutdown();
        }
    }

    pub(super) fn of(stream: &Arc<Stream>) -> Self {
        Connected(Arc::downgrade(stream))
    }
}

/// A client over TCP or TLS that is new here.
pub(super) struct Newcomer {
    pub(super) tcp: TcpStream,
    /// Where it comes from, if not from the other end of the connection.
    pub(super) client: Option<SocketAddr>,
    pub(super) tls: Option<ServerConnection>,
    pub(super) received: Vec<u8>,
    pub(super) place: Box<dyn Place>,
}

struct Running {
    shared: Arc<Shared>,
    local: SocketAddr,
    mint: Mutex<Mint>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// A worker as the handle sees it.
pub(super) struct Hired {
    commands: Sender<Command>,
    waker: Waker,
    tally: Arc<IoTally>,
    packets: Arc<Tally>,
}

impl Relay {
    /// Starts a relay. Wrong settings are an error of kind `InvalidInput` that names the setting, and so are listeners
    /// without a UDP socket or with groups of different lengths.
    pub fn start(settings: Settings, listeners: Listeners) -> io::Result<Relay> {
        let mut seed = [0; 32];
        SysRng.try_fill_bytes(&mut seed).map_err(io::Error::other)?;
        let mint = Mutex::new(Mint::new(&settings.secret));
        let clients = settings.clients;
        let mut server = Server::new(settings, seed)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let ears = by_worker(listeners)?;
        let local = ears[0].sockets[0].local_addr();
        let flows: Vec<Flows> = ears.iter().map(|_| Flows::new(&mut server)).collect();
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            started: Instant::now(),
            streams: Mutex::default(),
            workers: OnceLock::new(),
            next_worker: AtomicUsize::new(0),
        });
        let mut hired = Vec::new();
        let mut workers = Vec::new();
        for (ears, flows) in ears.into_iter().zip(flows) {
            let (commands, received) = channel();
            let (tally, packets) = (Arc::<IoTally>::default(), flows.tally());
            let (worker, waker) =
                Worker::new(Arc::clone(&shared), Arc::clone(&tally), received, ears, flows, clients)?;
            workers.push(worker);
            hired.push(Hired { commands, waker, tally, packets });
        }
        let _ = shared.workers.set(hired);
        let threads = workers.into_iter().enumerate().map(|(number, worker)| {
            thread::Builder::new().name(format!("relay-{number}")).spawn(move || worker.run())
        });
        let threads = Mutex::new(threads.collect::<io::Result<_>>()?);
        Ok(Relay { running: Arc::new(Running { shared, local, mint, threads }) })
    }

    /// Serves a client over TCP or TLS that another listener accepted, because its first bytes said TURN: `received`
    /// are the bytes read so far, decrypted if there is TLS; `client` is where it comes from, where a proxy that is
    /// believed stands at the other end of the connection. `place` is dropped when the connection ends. Returns at
    /// once; a client that is gone already is forgotten.
    pub fn adopt(
        &self,
        tcp: TcpStream,
        client: Option<SocketAddr>,
        tls: Option<ServerConnection>,
        received: Vec<u8>,
        place: impl Place,
    ) {
        self.running.shared.adopt(Newcomer { tcp, client, tls, received, place: Box::new(place) });
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

    /// The same as [`Relay::mint`] for one stay of many on a seat, numbered as they follow each other, in a call of so many seats; `None` where the
    /// stay has ended.
    pub fn mint_stay(&self, call: &str, seat: &str, stay: u64, seats: u8) -> Option<Credential> {
        self.running.mint().mint_stay(unix_now(), call, seat, stay, seats)
    }

    /// The same as [`Relay::end_seat`] for the stays up to one, which get no credential any more; nothing where they have ended already.
    pub fn end_stays(&self, call: &str, seat: &str, up_to: u64) {
        let mut mint = self.running.mint();
        let Some(barred) = mint.end_stays(unix_now(), call, seat, up_to) else { return };
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
        let workers = self.running.shared.hired();
        let packets = workers.iter().map(|worker| worker.packets.read());
        let io = workers.iter().map(|worker| worker.tally.read());
        let server = self.running.shared.server();
        Totals {
            allocations: server.allocations(),
            calls: server.calls(),
            streams: self.running.shared.streams().len(),
            counters: packets.fold(server.counters(), std::ops::Add::add),
            io: io.fold(IoCounters::default(), std::ops::Add::add),
        }
    }

    /// Stops the relay and waits for its threads; its ports are free then. A second call does nothing.
    pub fn shutdown(&self) {
        self.running.stop();
    }
}

/// Deals out what the workers listen to: to each one socket of each UDP port, to the first all that is accepted.
fn by_worker(listeners: Listeners) -> io::Result<Vec<Ears>> {
    let Listeners { udp: groups, tcp, tls } = listeners;
    let workers = groups.first().map_or(0, Vec::len);
    if workers == 0 || groups.iter().any(|group| group.len() != workers) {
        let why = "a relay needs a UDP port, and as many sockets on each of its ports as on the others";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let mut ears: Vec<Ears> = (0..workers).map(Ears::of).collect();
    for group in groups {
        for (ears, socket) in ears.iter_mut().zip(group) {
            ears.sockets.push(Socket::new(socket)?);
        }
    }
    for listener in tcp {
        ears[0].acceptors.push(Acceptor::new(listener, None)?);
    }
    for (listener, config) in tls {
        ears[0].acceptors.push(Acceptor::new(listener, Some(config))?);
    }
    Ok(ears)
}

impl Shared {
    /// The server, for as long as one message takes. A panic elsewhere while the lock was held ended one thread; what
    /// it left is whole as far as the others can see, and they go on.
    pub(super) fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a new client to the next worker.
    pub(super) fn adopt(&self, newcomer: Newcomer) {
        let workers = self.hired();
        if workers.is_empty() {
            return;
        }
        let worker = &workers[self.next_worker.fetch_add(1, Relaxed) % workers.len()];
        // Both fail only when the worker is gone; the connection closes then.
        let _ = worker.commands.send(Command::Adopt(Box::new(newcomer)));
        let _ = worker.waker.wake();
    }

    fn hired(&self) -> &[Hired] {
        self.workers.get().map_or(&[], Vec::as_slice)
    }

    /// The stream of a client.
    pub(super) fn stream(&self, five_tuple: &FiveTuple) -> Option<Arc<Stream>> {
        self.streams().get(five_tuple).cloned()
    }

    /// Makes a stream known to all workers. One of the same five-tuple, which must have ended without our notice, is
    /// forgotten with its allocation.
    pub(super) fn enter(&self, stream: &Arc<Stream>) {
        if self.streams().insert(stream.five_tuple(), Arc::clone(stream)).is_some() {
            self.server().end_client(&stream.five_tuple());
        }
    }

    /// Forgets a stream, and with it the allocation of its client.
    pub(super) fn leave(&self, stream: &Arc<Stream>) {
        let mut streams = self.streams();
        let five_tuple = stream.five_tuple();
        if streams.get(&five_tuple).is_some_and(|known| Arc::ptr_eq(known, stream)) {
            streams.remove(&five_tuple);
            drop(streams);
            self.server().end_client(&five_tuple);
        }
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<FiveTuple, Arc<Stream>, RandomState>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        Now { monotonic: self.started.elapsed(), unix: unix_now() }
    }
}

impl Running {
    /// A panic elsewhere while the lock was held leaves the mint whole: it changes in single steps.
    fn mint(&self) -> MutexGuard<'_, Mint> {
        self.mint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        for worker in self.shared.hired() {
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
