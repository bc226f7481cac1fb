//! HTTP/1.1 and HTTP/2 on one connection, until it ends, idles or the server stops.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::ConnectionPlace;
use crate::client::PeerAddress;
use crate::limit::Place;

/// A client sends its request's head within this time.
const HEAD: Duration = Duration::from_secs(10);
/// A connection without a new request for this long is asked to end, and ends after as long again: whoever idles, trickles or does not read.
/// The longest answer takes seconds; a WebSocket is a connection of its own by then.
const IDLE: Duration = Duration::from_secs(60);

/// A connection whose place is needed has this long for the answer that it waits for.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// How HTTP is spoken here.
pub struct Requests {
    builder: auto::Builder<TokioExecutor>,
}

impl Requests {
    pub fn new() -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(32 * 1024);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(64)
            .keep_alive_interval(Some(Duration::from_secs(30)));
        Self { builder }
    }

    /// Serves one connection; requests know where they come from.
    pub async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        address: PeerAddress,
        place: &Arc<Place>,
        router: Router,
        stop: &CancellationToken,
    ) {
        let begun = Arc::new(AtomicU64::new(0));
        let running = Arc::new(());
        let service = hyper::service::service_fn(|request: Request<Incoming>| {
            begun.fetch_add(1, Ordering::Relaxed);
            let (runs, place) = (Arc::clone(&running), Arc::clone(place));
            place.touch();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(address);
            request.extensions_mut().insert(ConnectionPlace(Arc::clone(&place)));
            let answer = router.clone().oneshot(request);
            async move {
                let answer = answer.await;
                place.touch();
                drop(runs);
                answer
            }
        });
        let connection = self.builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut before = 0;
        let mut grace = IDLE;
        loop {
            tokio::select! {
                // An error here is the client's: it went away or spoke no HTTP.
                _ = connection.as_mut() => return,
                () = stop.cancelled() => break,
                () = place.displaced() => {
                    // Whoever is in the middle of an answer gets it.
                    if Arc::strong_count(&running) == 1 {
                        return;
                    }
                    grace = LAST_ANSWER;
                    break;
                }
                () = tokio::time::sleep(IDLE) => {
                    let now = begun.load(Ordering::Relaxed);
                    if std::mem::replace(&mut before, now) == now {
                        break;
                    }
                }
            }
        }
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(grace, connection).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::net::{IpAddr, Ipv4Addr};

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::task::JoinHandle;

    fn a_place() -> Arc<Place> {
        let bounds = crate::limit::Bounds { address: 1, network: 1, all: 1 };
        Arc::new(crate::limit::Places::new(bounds).enter(Ipv4Addr::LOCALHOST.into(), false))
    }

    /// The client's end of a connection, and the task that serves it. Time stands still until everybody waits, then jumps.
    fn connection() -> (DuplexStream, JoinHandle<()>) {
        let (client, server) = tokio::io::duplex(64 * 1024);
        let router = Router::new().route("/", get(|| async { "here" }));
        let served = tokio::spawn(async move {
            let address = PeerAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
            Requests::new().serve(server, address, &a_place(), router, &CancellationToken::new()).await;
        });
        (client, served)
    }

    async fn ends_within(deadline: Duration, served: JoinHandle<()>) {
        tokio::time::timeout(deadline, served).await.expect("an end").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_never_decides_for_a_version_of_http_ends() {
        let (mut client, served) = connection();
        client.write_all(b"PRI * HT").await.unwrap();
        ends_within(2 * IDLE, served).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_its_answers_is_let_go() {
        let (mut client, served) = connection();
        let flood =
            async { while client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.is_ok() {} };
        tokio::time::timeout(10 * IDLE, flood).await.expect("the connection breaks");
        ends_within(2 * IDLE, served).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_http_2_client_is_asked_to_come_back_later_and_a_busy_one_stays() {
        let (client, served) = connection();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(client)).await.unwrap();
        let connection = tokio::spawn(connection);
        for _ in 0..10 {
            tokio::time::sleep(IDLE / 2).await;
            let request = Request::get("http://here/").body(Body::empty()).unwrap();
            assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
        }
        assert!(!served.is_finished());
        ends_within(3 * IDLE, served).await;
        connection.await.unwrap().expect("a farewell, not a break");
    }

    #[tokio::test(start_paused = true)]
    async fn the_stop_ends_an_idle_connection_at_once() {
        let (mut client, server) = tokio::io::duplex(1024);
        let stop = CancellationToken::new();
        stop.cancel();
        let address = PeerAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Requests::new().serve(server, address, &a_place(), Router::new(), &stop).await;
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }
}
