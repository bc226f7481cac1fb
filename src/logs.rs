//! Logs: levels by where a line comes from, and a bound on what strangers can make libraries say (R34, R63).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata};
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::{Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};
use visavis::Config;

/// Libraries that warn of what a client sent: one line for each attack would be as many as an attacker likes.
const OF_STRANGERS: [&str; 2] = ["h2", "hyper"];
/// At most one line in this time, with their number.
const PAUSE: Duration = Duration::from_secs(60);

/// What was kept out of the log.
#[derive(Default)]
struct Kept {
    warnings: AtomicU64,
    more: Notify,
}

/// Counts the lines that strangers cause, and lets none of them through.
struct Bounded(Arc<Kept>);

impl<S> Filter<S> for Bounded {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn callsite_enabled(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::always()
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let library = event.metadata().target().split("::").next().unwrap_or_default();
        if !OF_STRANGERS.contains(&library) {
            return true;
        }
        self.0.warnings.fetch_add(1, Ordering::Relaxed);
        self.0.more.notify_one();
        false
    }
}

/// Starts to write lines to standard error, plain or JSON.
pub fn start(config: &Config) {
    // Libraries write whole messages into their finer lines, with codes and SDP: whatever is asked for, those stay out (R34).
    let wanted = Targets::new().with_default(LevelFilter::WARN).with_target("visavis", config.log);
    let kept = Arc::new(Kept::default());
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = fmt::layer().with_ansi(colours).with_writer(std::io::stderr);
    let lines = if config.log_json { lines.json().boxed() } else { lines.boxed() };
    let bounded = lines.with_filter(wanted.and(Bounded(Arc::clone(&kept))));
    tracing_subscriber::registry().with(bounded).init();
    tokio::spawn(tell(kept));
}

/// Says how many lines were kept out, the first at once, the rest once a minute.
async fn tell(kept: Arc<Kept>) {
    loop {
        kept.more.notified().await;
        let warnings = kept.warnings.swap(0, Ordering::Relaxed);
        if warnings > 0 {
            tracing::warn!(
                warnings,
                "clients sent what HTTP does not allow, and their connections were closed"
            );
        }
        tokio::time::sleep(PAUSE).await;
    }
}
