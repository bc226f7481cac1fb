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

use crate::client::PeerAddress;

/// A client sends its request's head within this time.
const HEAD: Duration = Duration::from_secs(10);
/// A connection without a new request for this long is asked to end, and ends after as long again: whoever idles, trickles or does not read.
/// The longest answer takes seconds; a WebSocket is a connection of its own by then.
const IDLE: Duration = Duration::from_secs(60);

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
        router: Router,
        stop: &CancellationToken,
    ) {
        let begun = Arc::new(AtomicU64::new(0));
        let service = hyper::service::service_fn(|request: Request<Incoming>| {
            begun.fetch_add(1, Ordering::Relaxed);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(address);
            router.clone().oneshot(request)
        });
        let connection = self.builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut before = 0;
        loop {
            tokio::select! {
                // An error here is the client's: it went away or spoke no HTTP.
                _ = connection.as_mut() => return,
                () = stop.cancelled() => break,
                () = tokio::time::sleep(IDLE) => {
                    let now = begun.load(Ordering::Relaxed);
                    if std::mem::replace(&mut before, now) == now {
                        break;
                    }
                }
            }
        }
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(IDLE, connection).await;
    }
}
