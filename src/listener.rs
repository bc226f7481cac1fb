//! Accept loops: TCP for everybody, a Unix socket for the command line. One port for pages, signaling and the relay: TLS where it is
//! configured, then the first bytes decide. Deadlines and bounds before a request is read (R51).

mod first_bytes;
mod proxy_protocol;
mod requests;
pub mod room;

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use rustls::{ServerConfig, ServerConnection};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use visavis_turn::Connected;

use crate::App;
use crate::client::PeerAddress;
use crate::limit::{Bounds, Place, Places, Standing};
use first_bytes::{Begun, FirstBytes, Protocol};
use requests::Requests;
use room::Left;

/// Connections of the command line at the same time.
const LOCAL: Bounds = Bounds { address: 64, network: 64, all: 64 };
/// Where no descriptor is left, this long until the next try.
const NO_ROOM: Duration = Duration::from_millis(20);
/// A client shows within this time what it speaks.
const FIRST_BYTES: Duration = Duration::from_secs(5);
/// A TLS handshake is over within this time, three round trips of a very bad line included.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Requests that run when the server stops may finish within this time.
const DRAIN: Duration = Duration::from_secs(2);

/// The first byte of a TLS connection: a record that holds a handshake (RFC 8446 §5.1). No STUN message of the relay's, no HTTP method.
const TLS_HANDSHAKE: u8 = 0x16;

/// What waits behind the TCP port.
pub struct Entrance {
    /// Answers what comes without TLS.
    pub plain: Router,
    /// TLS, and what answers behind it.
    pub tls: Option<(Arc<ServerConfig>, Router)>,
}

/// Binds without SO_REUSEPORT, so that an occupied port is refused; SO_REUSEADDR lets a restart have the port at once.
pub fn bind_tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The place of a connection among all, known to its requests.
#[derive(Clone)]
pub struct ConnectionPlace(pub Arc<Place>);

/// Serves everybody until the stop.
pub async fn serve_tcp(app: Arc<App>, listener: TcpListener, entrance: Entrance) {
    let tasks = TaskTracker::new();
    let (entrance, requests) = (Arc::new(entrance), Arc::new(Requests::new()));
    while let Some((stream, address)) = accept(&app, &listener).await {
        let (app, entrance, requests) = (Arc::clone(&app), Arc::clone(&entrance), Arc::clone(&requests));
        tasks.spawn(async move {
            let arrival = Arrival::new(&app, address);
            // An error here is the client's: it went away, was too slow, or spoke no TLS.
            let _ = arrival.serve(stream, &entrance, &requests).await;
        });
    }
    finish(tasks).await;
}

/// Serves clients of the relay that come to a port of its own.
pub async fn serve_relay(app: Arc<App>, listener: TcpListener) {
    let tasks = TaskTracker::new();
    while let Some((mut stream, address)) = accept(&app, &listener).await {
        let app = Arc::clone(&app);
        tasks.spawn(async move {
            let mut arrival = Arrival::new(&app, address);
            let read = arrival.forwarded(&mut stream).await?;
            arrival.serve_stun(stream, None, read.as_slice().to_vec())
        });
    }
    finish(tasks).await;
}

/// Serves the command line until the stop.
pub async fn serve_unix(app: Arc<App>, listener: UnixListener, router: Router) {
    let (tasks, requests) = (TaskTracker::new(), Arc::new(Requests::new()));
    let places = Places::new(LOCAL);
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    loop {
        let stream = match app.stop.run_until_cancelled(listener.accept()).await {
            None => break,
            Some(Ok((stream, _))) => stream,
            Some(Err(_)) => {
                make_room(&app).await;
                continue;
            }
        };
        let (app, requests, router) = (Arc::clone(&app), Arc::clone(&requests), router.clone());
        let place = Arc::new(places.enter(address, false));
        tasks.spawn(async move {
            let stream = Begun::new(FirstBytes::default(), stream, Arc::clone(&place));
            requests.serve(stream, PeerAddress(address), &place, router, &app.stop).await;
        });
    }
    finish(tasks).await;
}

/// The next connection; `None` at the stop. No error ends the loop.
async fn accept(app: &App, listener: &TcpListener) -> Option<(TcpStream, IpAddr)> {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    loop {
        match app.stop.run_until_cancelled(listener.accept()).await? {
            Ok((stream, _)) if app.room.after(stream.as_raw_fd()) == Left::None => {
                drop(stream);
                make_room(app).await;
            }
            Ok((stream, address)) => {
                // It may stay, and whoever is idle longest goes for it.
                if app.room.after(stream.as_raw_fd()) == Left::Few {
                    make_room(app).await;
                }
                // Without TCP_NODELAY a message waits up to 40 ms for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                return Some((stream, address.ip().to_canonical()));
            }
            Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) => {}
            Err(_) => make_room(app).await,
        }
    }
}

/// There is no descriptor left, or hardly one: whoever gives way first goes, and the log hears of it.
async fn make_room(app: &App) {
    app.room.say_full(Instant::now());
    app.connections.shed();
    tokio::time::sleep(NO_ROOM).await;
}

/// Requests that run may finish.
async fn finish(tasks: TaskTracker) {
    tasks.close();
    let _ = timeout(DRAIN, tasks.wait()).await;
}

/// A connection that nobody serves yet.
struct Arrival<'a> {
    app: &'a Arc<App>,
    address: PeerAddress,
    /// What a trusted proxy said of the connection's other end.
    client: Option<SocketAddr>,
    place: Arc<Place>,
}

impl<'a> Arrival<'a> {
    fn new(app: &'a Arc<App>, address: IpAddr) -> Self {
        let place = Arc::new(app.connections.enter(address, app.proxies.is_shared(address)));
        Self { app, address: PeerAddress(address), client: None, place }
    }

    /// TLS or not, as the first byte says.
    async fn serve(
        mut self,
        mut stream: TcpStream,
        entrance: &Entrance,
        requests: &Requests,
    ) -> io::Result<()> {
        let read = self.forwarded(&mut stream).await?;
        if let Some((config, router)) = &entrance.tls
            && read.as_slice().is_empty()
        {
            // Looked at only, because TLS reads it again.
            let mut first = [0];
            let peeked = self.in_time(FIRST_BYTES, stream.peek(&mut first)).await?;
            if peeked == 1 && first[0] == TLS_HANDSHAKE {
                // Apart, so that a connection without TLS is not as large in memory as one with it.
                let served = self.serve_tls(stream, Arc::clone(config), router.clone(), requests);
                return Box::pin(served).await;
            }
        }
        match self.in_time(FIRST_BYTES, read.read(&mut stream)).await? {
            (Protocol::Http, first) => {
                Box::pin(self.serve_http(first, stream, entrance.plain.clone(), requests)).await;
                Ok(())
            }
            (Protocol::Stun, first) => self.serve_stun(stream, None, first.as_slice().to_vec()),
        }
    }

    /// A trusted proxy may say whom it forwards, before everything else. Gives bytes that only looked like it.
    async fn forwarded(&mut self, stream: &mut TcpStream) -> io::Result<FirstBytes> {
        if !self.app.proxies.trusts(self.address.0) {
            return Ok(FirstBytes::default());
        }
        let before = self.in_time(FIRST_BYTES, proxy_protocol::read(stream)).await?;
        if let Some(client) = before.source {
            let is_shared = self.app.proxies.is_shared(client.ip());
            self.place = Arc::new(self.app.connections.enter(client.ip(), is_shared));
            (self.address, self.client) = (PeerAddress(client.ip()), Some(client));
        }
        Ok(FirstBytes::of(&before.read))
    }

    async fn serve_tls(
        self,
        stream: TcpStream,
        config: Arc<ServerConfig>,
        router: Router,
        requests: &Requests,
    ) -> io::Result<()> {
        let mut stream = self.in_time(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await?;
        match self.in_time(FIRST_BYTES, FirstBytes::default().read(&mut stream)).await? {
            (Protocol::Http, first) => {
                self.serve_http(first, stream, router, requests).await;
                Ok(())
            }
            (Protocol::Stun, first) => {
                let (stream, mut tls) = stream.into_inner();
                let mut received = first.as_slice().to_vec();
                // What else the records held, for nothing more may come. Its end is WouldBlock, or the end of the stream.
                let _ = tls.reader().read_to_end(&mut received);
                self.serve_stun(stream, Some(tls), received)
            }
        }
    }

    /// Hands the connection to the relay, with its place.
    fn serve_stun(
        self,
        stream: TcpStream,
        tls: Option<ServerConnection>,
        received: Vec<u8>,
    ) -> io::Result<()> {
        let place =
            RelayPlace { place: self.place, runtime: Handle::current(), connection: None, watch: None };
        self.app.relay.adopt(stream.into_std()?, self.client, tls, received, place);
        Ok(())
    }

    async fn serve_http<S>(self, first: FirstBytes, stream: S, router: Router, requests: &Requests)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let stream = Begun::new(first, stream, Arc::clone(&self.place));
        requests.serve(stream, self.address, &self.place, router, &self.app.stop).await;
    }

    /// Within the deadline, before the stop, and as long as nobody else needs the place.
    async fn in_time<T>(
        &self,
        deadline: Duration,
        step: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        tokio::select! {
            done = timeout(deadline, step) => done?,
            () = self.app.stop.cancelled() => Err(io::ErrorKind::Interrupted.into()),
            () = self.place.displaced() => Err(io::ErrorKind::Interrupted.into()),
        }
    }
}

/// The place of one of the relay's connections: given up like any other, except while the client has an allocation.
struct RelayPlace {
    place: Arc<Place>,
    runtime: Handle,
    connection: Option<Connected>,
    watch: Option<AbortHandle>,
}

impl RelayPlace {
    fn watch(&mut self) {
        let (Some(connection), displaced) = (self.connection.clone(), self.place.word()) else { return };
        let watch = self.runtime.spawn(async move {
            displaced.cancelled().await;
            connection.end();
        });
        self.watch = Some(watch.abort_handle());
    }
}

impl visavis_turn::Place for RelayPlace {
    fn served(&mut self, connection: Connected) {
        self.connection = Some(connection);
        self.watch();
    }

    fn allocated(&mut self) {
        self.place.settle(Standing::Settled);
        self.watch.take().iter().for_each(AbortHandle::abort);
    }

    fn deallocated(&mut self) {
        self.place.settle(Standing::Stranger);
        self.watch();
    }
}

impl Drop for RelayPlace {
    fn drop(&mut self) {
        self.watch.take().iter().for_each(AbortHandle::abort);
    }
}
