//! HTTP/1.1 and HTTP/2 on one connection, until it ends, idles or the server stops.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use hyper::Request;
use hyper::body::{Frame, Incoming, SizeHint};
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
/// And this long for what has been written already, where it waits for none.
const LAST_BYTES: Duration = Duration::from_millis(50);

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
                // Until its last byte has been taken from the body, the request runs.
                answer.map(|answer| answer.map(|body| Body::new(Running { body, _runs: runs })))
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
                    grace = if Arc::strong_count(&running) == 1 { LAST_BYTES } else { LAST_ANSWER };
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

/// The body of an answer to a request that runs as long as it is sent.
struct Running {
    body: Body,
    _runs: Arc<()>,
}

impl hyper::body::Body for Running {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::net::{IpAddr, Ipv4Addr};

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::task::JoinHandle;

    fn places() -> Arc<crate::limit::Places> {
        crate::limit::Places::new(crate::limit::Bounds { address: 1, network: 1, all: 1 })
    }

    fn a_place() -> Arc<Place> {
        Arc::new(places().enter(Ipv4Addr::LOCALHOST.into(), false))
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
    async fn whoever_gives_way_gets_the_whole_answer_that_is_under_way_and_an_idle_one_goes_at_once() {
        let pieces = |length: usize| {
            let piece = Bytes::from(vec![b'x'; 1000]);
            futures_util::stream::unfold(0, move |sent| {
                let piece = piece.clone();
                async move {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    (sent < length).then(|| (Ok::<_, std::io::Error>(piece), sent + 1))
                }
            })
        };
        let router = Router::new().route("/", get(move || async move { Body::from_stream(pieces(50)) }));
        for is_idle in [true, false] {
            let places = places();
            let place = Arc::new(places.enter(Ipv4Addr::LOCALHOST.into(), false));
            let (mut client, server) = tokio::io::duplex(64 * 1024);
            let router = router.clone();
            let served = tokio::spawn(async move {
                let address = PeerAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
                Requests::new().serve(server, address, &place, router, &CancellationToken::new()).await;
            });
            client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
            let mut answer = vec![0; 100];
            client.read_exact(&mut answer).await.unwrap();
            if is_idle {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            let began = tokio::time::Instant::now();
            let _newer = places.enter(Ipv4Addr::LOCALHOST.into(), false);
            client.read_to_end(&mut answer).await.unwrap();
            assert!(answer.ends_with(b"\r\n0\r\n\r\n"), "whole: {}", answer.len());
            assert_eq!(began.elapsed() < Duration::from_millis(100), is_idle, "{:?}", began.elapsed());
            ends_within(Duration::from_secs(2), served).await;
        }
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
