//! What many keys owe, in memory that does not grow: a count-min sketch (Cormode, Muthukrishnan 2005) of times.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Each key has a place in each row and owes the least of what stands there, so that it pays for others only where every one of its places
/// is shared: beside 1,000 guessers one key in 80,000, beside 10,000 one in 23. A single row of all these places would make it one in 66 and
/// one in 7.
const ROWS: usize = 4;
const PLACES: usize = 1 << 14;

/// A debt is time: it is paid off as time passes, by every key at the same pace.
pub struct Debts {
    started: Instant,
    hasher: RandomState,
    /// Row after row, the milliseconds since `started` at which a place will be free of debt. Never held across an await.
    paid_at: Mutex<Box<[u64]>>,
}

impl Debts {
    /// Nobody owes anything; the clock starts at `now`.
    pub fn new(now: Instant) -> Self {
        let paid_at = Mutex::new(vec![0; ROWS * PLACES].into_boxed_slice());
        Self { started: now, hasher: RandomState::new(), paid_at }
    }

    /// Adds `price` to what `key` owes, up to `most`; tells what it owes now.
    pub fn raise(&self, key: &[u8], price: Duration, most: Duration, now: Instant) -> Duration {
        self.settle(key, now, |owed| Some((owed + price).min(most))).unwrap_or_else(|owed| owed)
    }

    /// As [`Self::raise`], but where `key` would owe more than `most`, nothing is added and the error is how long until it may.
    pub fn take(&self, key: &[u8], price: Duration, most: Duration, now: Instant) -> Result<(), Duration> {
        let within = |owed: Duration| Some(owed + price).filter(|owed| *owed <= most);
        self.settle(key, now, within).map(drop).map_err(|owed| owed + price - most)
    }

    /// Takes `price` off what `key` owes.
    pub fn lower(&self, key: &[u8], price: Duration) {
        let mut paid_at = self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
        for place in self.places(key) {
            paid_at[place] = paid_at[place].saturating_sub(millis(price));
        }
    }

    /// Lets `change` say what `key` shall owe, or leaves everything as it is; what it owes then.
    fn settle(
        &self,
        key: &[u8],
        now: Instant,
        change: impl FnOnce(Duration) -> Option<Duration>,
    ) -> Result<Duration, Duration> {
        let now = millis(now.saturating_duration_since(self.started));
        let mut paid_at = self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
        let places = self.places(key);
        let least = places.iter().map(|place| paid_at[*place]).min().unwrap_or_default();
        let owed = Duration::from_millis(least.saturating_sub(now));
        let changed = change(owed).ok_or(owed)?;
        for place in places {
            // By the same amount everywhere, so that `lower` takes back what the key added; only of a key at its most it takes more.
            paid_at[place] = paid_at[place].max(now) + millis(changed.saturating_sub(owed));
        }
        Ok(changed)
    }

    fn places(&self, key: &[u8]) -> [usize; ROWS] {
        std::array::from_fn(|row| {
            let hash = usize::try_from(self.hasher.hash_one((row, key))).expect("a 64-bit machine");
            row * PLACES + hash % PLACES
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Duration = Duration::from_secs(5);
    const MOST: Duration = Duration::from_secs(50);

    #[test]
    fn a_debt_rises_by_its_price_to_the_most_and_is_paid_off_as_time_passes() {
        let start = Instant::now();
        let debts = Debts::new(start);
        let after = |seconds| debts.raise(b"a", PRICE, MOST, start + Duration::from_secs(seconds)).as_secs();
        assert_eq!([after(0), after(0), after(7), after(100)], [5, 10, 8, 5]);
        let deep: Vec<_> = (0..20).map(|_| after(100)).collect();
        assert_eq!(deep[19], 50);
    }

    #[test]
    fn what_was_taken_and_given_back_is_free_again() {
        let start = Instant::now();
        let debts = Debts::new(start);
        for _ in 0..10 {
            assert_eq!(debts.take(b"a", PRICE, MOST, start), Ok(()));
        }
        assert_eq!(debts.take(b"a", PRICE, MOST, start), Err(PRICE));
        debts.lower(b"a", PRICE);
        assert_eq!(debts.take(b"a", PRICE, MOST, start), Ok(()));
    }

    #[test]
    fn beside_a_thousand_deep_in_debt_hardly_anybody_owes_for_them() {
        let start = Instant::now();
        let debts = Debts::new(start);
        for guesser in 0..1000_u32 {
            for _ in 0..100 {
                debts.raise(&guesser.to_be_bytes(), PRICE, MOST, start);
            }
        }
        let paying = (1000..11_000_u32)
            .filter(|other| debts.raise(&other.to_be_bytes(), Duration::ZERO, MOST, start) > Duration::ZERO)
            .count();
        // 0.12 are to be expected; a single row would make it 150 at least.
        assert!(paying < 10, "{paying} of 10,000");
    }
}
