//! Whether the server can do its work: it looks by itself every ten seconds and tells what it found last (R56), so that a probe costs nothing.

mod judge;
mod look;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::client::ClientAddress;
use judge::Check;
pub use look::Watched;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(10);
/// A look that has not come for so long hangs.
const OVERDUE: Duration = Duration::from_secs(40);

/// What the last look found.
#[derive(Default)]
pub struct Health {
    last: RwLock<Option<(Instant, Vec<Check>)>>,
    /// Cancelled once another server holds the store's lease: this one must end.
    pub lost: CancellationToken,
}

/// The body of `/readyz`. `checks` is for who asks from this machine or a trusted network.
#[derive(Serialize)]
struct Report {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Vec<Check>>,
}

impl Health {
    /// Keeps what a look found; whatever changed is said in the log, once.
    fn keep(&self, found: Vec<Check>, now: Instant) {
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        let before = last.take().map(|(_, checks)| checks).unwrap_or_default();
        for check in &found {
            let was = before.iter().find(|former| former.name == check.name).map(|former| former.state);
            check.say_if_changed(was);
        }
        *last = Some((now, found));
    }

    fn report(&self, now: Instant) -> Vec<Check> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((at, checks)) if now.saturating_duration_since(*at) < OVERDUE => checks.clone(),
            _ => vec![Check::failing("server", "its own checks hang".to_owned())],
        }
    }
}

/// Looks until the server stops. The first look was taken by the start.
pub async fn run(app: Arc<App>, watched: Watched) {
    while app.stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let looked = look_once(&app, &watched);
        if app.stop.run_until_cancelled(looked).await.is_none() {
            return;
        }
    }
}

/// Looks at everything and keeps what it found.
pub async fn look_once(app: &App, watched: &Watched) {
    let found = look::at(app, watched).await;
    app.health.keep(found, Instant::now());
}

/// `GET /readyz`: 200 or 503.
pub async fn ready(State(app): State<Arc<App>>, ClientAddress(address): ClientAddress) -> Response {
    let checks = app.health.report(Instant::now());
    let is_ready = !checks.iter().any(Check::is_failing);
    let (code, status) =
        if is_ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    let checks = app.config.is_neighbour(address).then_some(checks);
    (code, Json(Report { status, checks })).into_response()
}
