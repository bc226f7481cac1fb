//! The broker: a practice issues codes, patient and doctor meet, media go from face to face. docs/architecture.md tells how data walk through.

mod access;
mod assets;
mod audit;
mod backup;
mod bus;
mod client;
mod config;
mod consultation;
mod disk;
mod error;
mod fields;
mod first_link;
mod health;
mod http;
mod ice;
mod invitation;
mod keys;
mod legal;
mod limit;
mod listener;
mod local;
mod message;
mod openapi;
mod operator;
mod ports;
mod practice;
mod readiness;
mod restore;
mod retention;
mod secret_file;
mod signaling;
mod start;
mod store;
mod tls;

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

pub use backup::{BackupCommand, back_up};
pub use config::Config;
pub use local::{ConsultationCommand, PracticeCommand, carry_out, keep_practices};
pub use restore::{RestoreCommand, put_back};
pub use start::{Refusal, Running, start};

/// What every request and every socket can reach.
pub struct App {
    pub(crate) config: Config,
    pub(crate) public_url: Url,
    pub(crate) content_security_policy: axum::http::HeaderValue,
    /// Whether browsers are told to come by HTTPS only (RFC 6797).
    pub(crate) strict_transport: bool,
    pub(crate) keys: keys::Keys,
    pub(crate) operator_token: String,
    pub(crate) store: store::Store,
    pub(crate) bus: Arc<bus::Bus<bus::Envelope>>,
    pub(crate) relay: visavis_turn::Relay,
    /// Where browsers reach it.
    pub(crate) relay_urls: Vec<String>,
    /// Whose word about addresses counts.
    pub(crate) proxies: client::Proxies,
    pub(crate) guesses: limit::Guesses,
    /// Sockets and waiting requests without a valid code, by the client's address.
    pub(crate) strangers: Arc<limit::Places>,
    /// Sockets that have shown a valid code and have not joined, by code.
    pub(crate) looking: Arc<limit::Places>,
    /// Connections, by address.
    pub(crate) connections: Arc<limit::Places>,
    pub(crate) room: listener::room::Room,
    /// Checks before appointments.
    pub(crate) checks: readiness::Checks,
    /// What `/readyz` tells.
    pub(crate) health: health::Health,
    /// The practice's side.
    pub(crate) desk: practice::desk::Desk,
    /// Says "stop" to everything at once.
    pub(crate) stop: CancellationToken,
    /// Sockets that finish their last words before the process ends.
    pub(crate) sockets: TaskTracker,
}

impl App {
    /// Scheme, host and port of the public URL: what a browser sends as `Origin`.
    pub(crate) fn origin(&self) -> String {
        self.public_url.origin().ascii_serialization()
    }
}

/// Assembles what a start has made.
pub(crate) fn app(
    config: Config,
    public_url: Url,
    secrets: start::Secrets,
    store: store::Store,
    network: start::Network,
    mailer: Option<invitation::Mailer>,
) -> Arc<App> {
    let start::Network { relay, relay_urls, proxies, room } = network;
    Arc::new(App {
        strict_transport: http::wants_strict_transport(&public_url, config.self_made_certificate),
        desk: practice::desk::Desk::new(&public_url, mailer),
        config,
        content_security_policy: http::content_security_policy(&public_url),
        public_url,
        keys: secrets.keys,
        operator_token: secrets.operator_token,
        store,
        bus: Arc::default(),
        relay,
        relay_urls,
        proxies,
        guesses: limit::Guesses::new(Instant::now()),
        strangers: limit::Places::new(limit::STRANGERS),
        looking: limit::Places::new(limit::LOOKING),
        connections: limit::Places::new(room.bounds),
        room,
        checks: readiness::Checks::default(),
        health: health::Health::default(),
        stop: CancellationToken::new(),
        sockets: TaskTracker::new(),
    })
}
