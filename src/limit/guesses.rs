//! Wrong codes make their address wait (R14).

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::debts::Debts;
use super::network_of;

/// What one wrong code costs its address.
const PER_GUESS: Duration = Duration::from_secs(5);
/// Wrong codes that cost nothing yet.
const FREE_GUESSES: u32 = 10;
/// The longest wait for an answer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long an address waits for the answer to a code, by the wrong codes it sent before.
pub struct Guesses {
    debts: Debts,
    /// Wrong codes of everybody, for the alarm.
    failures: AtomicU64,
}

impl Guesses {
    /// Budgets whose clock starts at `now`.
    pub fn new(now: Instant) -> Self {
        Self { debts: Debts::new(now), failures: AtomicU64::new(0) }
    }

    /// Counts a code that arrives from `address` and tells how long its answer shall wait. A right code is given back with [`Self::forgive`].
    pub fn charge(&self, address: IpAddr, now: Instant) -> Duration {
        let free = PER_GUESS * FREE_GUESSES;
        let owed = self.debts.raise(&network_of(address), PER_GUESS, free + LONGEST_WAIT, now);
        match owed.saturating_sub(free) {
            Duration::ZERO => Duration::ZERO,
            beyond => beyond.clamp(PER_GUESS, LONGEST_WAIT),
        }
    }

    /// Takes back what [`Self::charge`] counted: the code was right.
    pub fn forgive(&self, address: IpAddr) {
        self.debts.lower(&network_of(address), PER_GUESS);
    }

    /// Counts a wrong code for the alarm, and tells whether this one is worth a line in the log (each thousandth).
    pub fn failed(&self) -> Option<u64> {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        failures.is_multiple_of(1000).then_some(failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUESSER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));

    #[test]
    fn ten_wrong_codes_are_free_the_next_waits_five_seconds_and_none_waits_more_than_sixty() {
        let start = Instant::now();
        let guesses = Guesses::new(start);
        let waits: Vec<_> = (0..1000).map(|_| guesses.charge(GUESSER, start).as_secs()).collect();
        assert_eq!(waits[..10], [0; 10]);
        assert_eq!(waits[10], 5);
        assert!(waits.iter().all(|wait| *wait <= 60));
        assert_eq!(waits[999], 60);
    }

    #[test]
    fn an_address_that_is_calm_for_two_minutes_waits_no_more() {
        let start = Instant::now();
        let guesses = Guesses::new(start);
        (0..1000).for_each(|_| assert!(guesses.charge(GUESSER, start) <= LONGEST_WAIT));
        assert_eq!(guesses.charge(GUESSER, start + Duration::from_secs(111)), Duration::ZERO);
    }

    #[test]
    fn right_codes_cost_nothing_however_many_come_from_one_address() {
        let start = Instant::now();
        let guesses = Guesses::new(start);
        for _ in 0..1000 {
            assert_eq!(guesses.charge(GUESSER, start), Duration::ZERO);
            guesses.forgive(GUESSER);
        }
    }
}
