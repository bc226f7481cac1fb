//! Accept loops: TCP for everybody, a Unix socket for the command line. Deadlines and bounds before a request is read (R51).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::serve::{Listener, ListenerExt};
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::App;
use crate::client::PeerAddress;

/// Connections at the same time; a page has one, for a moment two.
const CONNECTIONS: usize = 20_000;
/// A client sends its request's head within this time.
const HEAD: Duration = Duration::from_secs(10);
/// Requests that run when the server stops may finish within this time.
const DRAIN: Duration = Duration::from_secs(2);

/// Binds without SO_REUSEPORT; SO_REUSEADDR lets a restart have the port at once.
pub fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Serves everybody until the stop.
pub async fn serve_tcp(app: Arc<App>, listener: TcpListener, router: Router) {
    // Without TCP_NODELAY a message waits up to 40 ms for the acknowledgement of the one before.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    serve(&app, listener, router, |address: &SocketAddr| address.ip().to_canonical()).await;
}

/// Serves the command line until the stop.
pub async fn serve_unix(app: Arc<App>, listener: UnixListener, router: Router) {
    serve(&app, listener, router, |_| IpAddr::V4(Ipv4Addr::LOCALHOST)).await;
}

/// No error ends the loop: axum's listeners log one that lasts, pause, and go on.
async fn serve<L: Listener>(app: &App, mut listener: L, router: Router, ip_of: impl Fn(&L::Addr) -> IpAddr) {
    let server = Server::new(router);
    loop {
        tokio::select! {
            (stream, address) = listener.accept() => server.connection(stream, ip_of(&address)),
            () = app.stop.cancelled() => break,
        }
    }
    server.finish().await;
}

struct Server {
    router: Router,
    builder: auto::Builder<TokioExecutor>,
    graceful: GracefulShutdown,
    places: Arc<Semaphore>,
}

impl Server {
    fn new(router: Router) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(32 * 1024);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(64)
            .keep_alive_interval(Some(Duration::from_secs(30)));
        Self {
            router,
            builder,
            graceful: GracefulShutdown::new(),
            places: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }

    /// Serves one connection in a task of its own; drops it where there is no place.
    fn connection(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, address: IpAddr) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(PeerAddress(address));
            router.clone().oneshot(request)
        });
        let connection =
            self.builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = self.graceful.watch(connection);
        tokio::spawn(async move {
            // An error here is the client's: it went away or spoke no HTTP.
            let _ = connection.await;
            drop(place);
        });
    }

    async fn finish(self) {
        let _ = tokio::time::timeout(DRAIN, self.graceful.shutdown()).await;
    }
}
