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

    /// Tells how long the answer to a code from `address` shall wait, and counts a wrong one. A right one waits as the next wrong one would, so that
    /// the time of an answer tells nothing, and counts nothing: however many come at once, none waits for another.
    pub fn weigh(&self, address: IpAddr, is_right: bool, now: Instant) -> Duration {
        let (free, network) = (PER_GUESS * FREE_GUESSES, network_of(address));
        let most = free + LONGEST_WAIT;
        let owed = if is_right {
            (self.debts.raise(&network, Duration::ZERO, most, now) + PER_GUESS).min(most)
        } else {
            self.debts.raise(&network, PER_GUESS, most, now)
        };
        match owed.saturating_sub(free) {
            Duration::ZERO => Duration::ZERO,
            beyond => beyond.clamp(PER_GUESS, LONGEST_WAIT),
        }
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
        let waits: Vec<_> = (0..1000).map(|_| guesses.weigh(GUESSER, false, start).as_secs()).collect();
        assert_eq!(waits[..10], [0; 10]);
        assert_eq!(waits[10], 5);
        assert!(waits.iter().all(|wait| *wait <= 60));
        assert_eq!(waits[999], 60);
    }

    #[test]
    fn an_address_that_is_calm_for_two_minutes_waits_no_more() {
        let start = Instant::now();
        let guesses = Guesses::new(start);
        (0..1000).for_each(|_| assert!(guesses.weigh(GUESSER, false, start) <= LONGEST_WAIT));
        assert_eq!(guesses.weigh(GUESSER, false, start + Duration::from_secs(111)), Duration::ZERO);
    }

    #[test]
    fn right_codes_cost_nothing_however_many_come_from_one_address() {
        let start = Instant::now();
        let guesses = Guesses::new(start);
        for _ in 0..1000 {
            assert_eq!(guesses.weigh(GUESSER, true, start), Duration::ZERO);
        }
    }

    #[test]
    fn a_right_code_waits_as_long_as_a_wrong_one_in_its_place() {
        let start = Instant::now();
        let guesses = Guesses::new(start);
        for _ in 0..40 {
            let right = guesses.weigh(GUESSER, true, start);
            assert_eq!(right, guesses.weigh(GUESSER, true, start), "and costs the next one nothing");
            assert_eq!(right, guesses.weigh(GUESSER, false, start));
        }
    }
}
