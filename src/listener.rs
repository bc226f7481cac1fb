//! Accept loops: TCP for everybody, a Unix socket for the command line. One port for pages, signaling and the relay: TLS where it is
//! configured, then the first bytes decide. Deadlines and bounds before a request is read (R51).

mod first_bytes;
mod proxy_protocol;
mod requests;

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::{Listener, ListenerExt};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use crate::App;
use crate::client::PeerAddress;
use first_bytes::{Begun, FirstBytes, Protocol};
use requests::Requests;

/// Connections at the same time; a page has one, for a moment two.
const CONNECTIONS: usize = 20_000;
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

/// Serves everybody until the stop. No error ends the loop: axum's listeners log one that lasts, pause, and go on.
pub async fn serve_tcp(app: Arc<App>, listener: TcpListener, entrance: Entrance) {
    // Without TCP_NODELAY a message waits up to 40 ms for the acknowledgement of the one before.
    let mut listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let connections = Connections::new();
    let (entrance, requests) = (Arc::new(entrance), Arc::new(Requests::new()));
    while let Some((stream, address)) = app.stop.run_until_cancelled(listener.accept()).await {
        let (app, entrance, requests) = (Arc::clone(&app), Arc::clone(&entrance), Arc::clone(&requests));
        let address = PeerAddress(address.ip().to_canonical());
        connections.serve(|place| async move {
            // An error here is the client's: it went away, was too slow, or spoke no TLS.
            let _ = Arrival { app: &app, requests: &requests, address, forwarded: None, place }
                .serve(stream, &entrance)
                .await;
        });
    }
    connections.finish().await;
}

/// Serves the command line until the stop.
pub async fn serve_unix(app: Arc<App>, mut listener: UnixListener, router: Router) {
    let connections = Connections::new();
    let requests = Arc::new(Requests::new());
    let address = PeerAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
    while let Some((stream, _)) = app.stop.run_until_cancelled(Listener::accept(&mut listener)).await {
        let (app, requests, router) = (Arc::clone(&app), Arc::clone(&requests), router.clone());
        connections.serve(|place| async move {
            let stream = Begun::new(FirstBytes::default(), stream, place);
            requests.serve(stream, address, router, &app.stop).await;
        });
    }
    connections.finish().await;
}

/// The connections of one accept loop, each a task of its own.
struct Connections {
    tasks: TaskTracker,
    places: Arc<Semaphore>,
}

impl Connections {
    fn new() -> Self {
        Self { tasks: TaskTracker::new(), places: Arc::new(Semaphore::new(CONNECTIONS)) }
    }

    /// Starts the task with a place of its own; where there is none, the connection ends.
    fn serve<F: Future<Output = ()> + Send + 'static>(&self, task: impl FnOnce(OwnedSemaphorePermit) -> F) {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            self.tasks.spawn(task(place));
        }
    }

    async fn finish(self) {
        self.tasks.close();
        let _ = timeout(DRAIN, self.tasks.wait()).await;
    }
}

/// A connection that nobody serves yet.
struct Arrival<'a> {
    app: &'a App,
    requests: &'a Requests,
    address: PeerAddress,
    /// What a trusted proxy said of the connection's other end.
    forwarded: Option<SocketAddr>,
    place: OwnedSemaphorePermit,
}

impl Arrival<'_> {
    /// TLS or not, as the first byte says. Before it a trusted proxy may say whom it forwards.
    async fn serve(mut self, mut stream: TcpStream, entrance: &Entrance) -> io::Result<()> {
        let mut read = FirstBytes::default();
        if self.app.proxies.trusts(self.address.0) {
            let before = self.in_time(FIRST_BYTES, proxy_protocol::read(&mut stream)).await?;
            read = FirstBytes::of(&before.read);
            if let Some(source) = before.source {
                (self.address, self.forwarded) = (PeerAddress(source.ip()), Some(source));
            }
        }
        if let Some((config, router)) = &entrance.tls {
            // Looked at only, because TLS reads it again.
            let mut first = [0];
            let peeked = self.in_time(FIRST_BYTES, stream.peek(&mut first)).await?;
            if read.as_slice().is_empty() && peeked == 1 && first[0] == TLS_HANDSHAKE {
                return self.serve_tls(stream, Arc::clone(config), router.clone()).await;
            }
        }
        self.serve_plain(stream, read, entrance.plain.clone()).await
    }

    async fn serve_plain(self, mut stream: TcpStream, read: FirstBytes, router: Router) -> io::Result<()> {
        match self.in_time(FIRST_BYTES, read.read(&mut stream)).await? {
            (Protocol::Http, first) => self.serve_http(first, stream, router).await,
            (Protocol::Stun, first) => {
                let received = first.as_slice().to_vec();
                self.app.relay.adopt(stream.into_std()?, self.forwarded, None, received, self.place);
            }
        }
        Ok(())
    }

    async fn serve_tls(self, stream: TcpStream, config: Arc<ServerConfig>, router: Router) -> io::Result<()> {
        let mut stream = self.in_time(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await?;
        match self.in_time(FIRST_BYTES, FirstBytes::default().read(&mut stream)).await? {
            (Protocol::Http, first) => self.serve_http(first, stream, router).await,
            (Protocol::Stun, first) => {
                let (stream, mut tls) = stream.into_inner();
                let mut received = first.as_slice().to_vec();
                // What else the records held, for nothing more may come. Its end is WouldBlock, or the end of the stream.
                let _ = tls.reader().read_to_end(&mut received);
                self.app.relay.adopt(stream.into_std()?, self.forwarded, Some(tls), received, self.place);
            }
        }
        Ok(())
    }

    async fn serve_http<S>(self, first: FirstBytes, stream: S, router: Router)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let stream = Begun::new(first, stream, self.place);
        self.requests.serve(stream, self.address, router, &self.app.stop).await;
    }

    /// Within the deadline and before the stop.
    async fn in_time<T>(
        &self,
        deadline: Duration,
        step: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        match self.app.stop.run_until_cancelled(timeout(deadline, step)).await {
            Some(done) => done?,
            None => Err(io::ErrorKind::Interrupted.into()),
        }
    }
}
