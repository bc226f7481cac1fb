//! R31: what has reached the end of its time goes by itself, at the start and once an hour.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::time::{MissedTickBehavior, interval};

use crate::App;

/// Days that consultations stay after their end, unless the practice says otherwise (R31).
pub const RETENTION_DAYS: i64 = 30;
const HOUR: Duration = Duration::from_secs(3600);

/// Deletes until the server stops.
pub async fn run(app: Arc<App>) {
    let mut hour = interval(HOUR);
    hour.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = hour.tick() => {}
            () = app.stop.cancelled() => return,
        }
        match app.store.delete_expired(RETENTION_DAYS, Utc::now().timestamp_millis()).await {
            Ok(0) => {}
            Ok(consultations) => tracing::info!(consultations, "deleted at the end of their time"),
            Err(cause) => {
                tracing::error!(%cause, "what has reached the end of its time could not be deleted; it is tried again in an hour");
            }
        }
    }
}
