//! The clocks of a worker, read once a turn.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::server::Now;

/// The wall clock is read this often: it judges seconds.
const WALL: Duration = Duration::from_millis(500);

/// The wall clock, in unix seconds.
pub(super) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Tells one thread the time.
pub(super) struct Clock {
    started: Instant,
    unix: u64,
    unix_until: Duration,
}

impl Clock {
    /// A clock whose monotonic time is counted from `started`.
    pub(super) fn new(started: Instant) -> Self {
        Clock { started, unix: unix_now(), unix_until: Duration::ZERO }
    }

    pub(super) fn now(&mut self) -> Now {
        let monotonic = self.started.elapsed();
        if self.unix_until <= monotonic {
            self.unix = unix_now();
            self.unix_until = monotonic + WALL;
        }
        Now { monotonic, unix: self.unix }
    }
}
