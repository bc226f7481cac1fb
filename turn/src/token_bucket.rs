//! A token bucket in eight bytes: it holds the moment at which it will be full again (the GCRA form). It is atomic, so
//! that workers can share one.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How fast a bucket fills and how much it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Nanoseconds that one unit costs.
    nanos_per_unit: u64,
    /// How long the bucket takes to fill from empty, in nanoseconds.
    burst_nanos: u64,
}

impl Rate {
    /// A rate in units a second, with room for the units of `burst`.
    pub(crate) fn per_second(units: u64, burst: Duration) -> Self {
        Rate { nanos_per_unit: 1_000_000_000 / units.max(1), burst_nanos: nanos(burst) }
    }
}

/// One bucket, full when new.
#[derive(Debug, Default)]
pub(crate) struct TokenBucket {
    full_at_nanos: AtomicU64,
}

impl TokenBucket {
    /// Takes `units` if they are there.
    pub(crate) fn take(&self, now: Duration, rate: Rate, units: u64) -> bool {
        let now = nanos(now);
        let cost = rate.nanos_per_unit.saturating_mul(units);
        let taken = |full_at: u64| {
            let full_at = full_at.max(now).saturating_add(cost);
            (full_at - now <= rate.burst_nanos).then_some(full_at)
        };
        self.full_at_nanos.fetch_update(Relaxed, Relaxed, taken).is_ok()
    }

    /// Puts back what `take` just took.
    pub(crate) fn put_back(&self, rate: Rate, units: u64) {
        let cost = rate.nanos_per_unit.saturating_mul(units);
        let _ = self.full_at_nanos.fetch_update(Relaxed, Relaxed, |full_at| full_at.checked_sub(cost));
    }
}

/// Monotonic time starts near zero, so 584 years of nanoseconds are enough.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_then_its_rate_and_never_more() {
        let rate = Rate::per_second(10, Duration::from_secs(2));
        let bucket = TokenBucket::default();
        let at = |millis: u64| Duration::from_millis(5_000 + millis);
        assert_eq!((0..100).filter(|_| bucket.take(at(0), rate, 1)).count(), 20);
        assert!(!bucket.take(at(99), rate, 1));
        assert!(bucket.take(at(100), rate, 1));
        assert!(!bucket.take(at(100), rate, 1));
        assert_eq!((0..100).filter(|_| bucket.take(at(1_000_000), rate, 1)).count(), 20);
    }
}
