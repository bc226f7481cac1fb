//! Budgets against guessing and flooding (R14, R51). Nothing here grows beyond the sockets that are open.
//!
//! The 55 bits of a code carry the security; these budgets carry the load. So nobody is ever locked out: who shares an address with a
//! guesser waits a minute at most and gets in.

mod debts;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::App;

use debts::Debts;

/// What one wrong code costs its address.
const PER_GUESS: Duration = Duration::from_secs(5);
/// Wrong codes that cost nothing yet.
const FREE_GUESSES: u32 = 10;
/// The longest wait for an answer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Sockets of one address that have not shown a valid code yet.
const STRANGERS_PER_ADDRESS: usize = 256;

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

/// What one attempt to sign in costs whom, and how much is free. Unlike a code, a password may be guessable: here attempts beyond the budget are
/// refused, not only delayed. So that a guesser locks nobody out, a released workplace has a budget of its own.
#[derive(Debug, Clone, Copy)]
pub enum Attempt {
    /// At an account, from a browser that is no released workplace.
    Account,
    /// From a released workplace.
    Workplace,
    /// From an address (see [`network_of`]), whatever the account.
    Address,
    /// To send a mail, by a practice: enough for any practice, and too little for a stolen session to send spam.
    Mail,
}

impl Attempt {
    /// How long an attempt weighs, and how much weighs nothing yet.
    const fn price(self) -> (Duration, Duration) {
        let (seconds, free) = match self {
            Self::Account => (60, 10),
            Self::Workplace => (5, 10),
            Self::Address => (3, 100),
            Self::Mail => (60, 60),
        };
        (Duration::from_secs(seconds), Duration::from_secs(seconds * free))
    }
}

/// Attempts to sign in, by whom or what they weigh on. Each kind by itself, so that no flood at one weighs on another.
pub struct Attempts {
    /// By account, whether or not it exists: known and unknown names are counted alike.
    accounts: Debts,
    workplaces: Debts,
    addresses: Debts,
    practices: Debts,
}

impl Attempts {
    /// Budgets whose clock starts at `now`.
    pub fn new(now: Instant) -> Self {
        let debts = || Debts::new(now);
        Self { accounts: debts(), workplaces: debts(), addresses: debts(), practices: debts() }
    }

    /// Takes one attempt out of a budget, or tells how long there is none.
    pub fn take(&self, kind: Attempt, whose: &[u8], now: Instant) -> Result<(), Duration> {
        let (price, free) = kind.price();
        self.of(kind).take(whose, price, free, now)
    }

    /// Gives an attempt back: it was right.
    pub fn give_back(&self, kind: Attempt, whose: &[u8]) {
        self.of(kind).lower(whose, kind.price().0);
    }

    const fn of(&self, kind: Attempt) -> &Debts {
        match kind {
            Attempt::Account => &self.accounts,
            Attempt::Workplace => &self.workplaces,
            Attempt::Address => &self.addresses,
            Attempt::Mail => &self.practices,
        }
    }
}

/// Sockets that have not shown a valid code, by address, the oldest first. Where an address has too many, the oldest gives way, so that nobody
/// keeps the door shut for others behind the same address. As large as the sockets alive.
#[derive(Default)]
pub struct Strangers {
    /// Never held across an await.
    places: Mutex<HashMap<[u8; 8], VecDeque<Arc<CancellationToken>>>>,
}

/// One stranger's place, given back when dropped.
pub struct Stranger {
    app: Arc<App>,
    network: [u8; 8],
    displaced: Arc<CancellationToken>,
}

impl Stranger {
    /// A place for one more socket of `address`, the oldest one's if there are too many.
    pub fn enter(app: &Arc<App>, address: IpAddr) -> Self {
        let (network, displaced) = (network_of(address), Arc::new(CancellationToken::new()));
        let mut places = app.strangers.lock();
        let queue = places.entry(network).or_default();
        queue.push_back(Arc::clone(&displaced));
        if queue.len() > STRANGERS_PER_ADDRESS {
            queue.pop_front().iter().for_each(|oldest| oldest.cancel());
        }
        Self { app: Arc::clone(app), network, displaced }
    }

    /// Waits until a newer socket of the same address needs the place.
    pub async fn displaced(&self) {
        self.displaced.cancelled().await;
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut places = self.app.strangers.lock();
        let Some(queue) = places.get_mut(&self.network) else { return };
        queue.retain(|other| !Arc::ptr_eq(other, &self.displaced));
        if queue.is_empty() {
            places.remove(&self.network);
        }
    }
}

impl Strangers {
    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 8], VecDeque<Arc<CancellationToken>>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An IPv4 address or an IPv6 /64: what one subscriber usually holds.
pub fn network_of(address: IpAddr) -> [u8; 8] {
    match address.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => u64::try_from(v6.to_bits() >> 64).expect("the upper half of 128 bits") | 1 << 63,
    }
    .to_be_bytes()
}

/// Messages of one socket: an average and a burst, as a bucket that leaks.
pub struct MessageRate {
    level: f64,
    at: Instant,
    further_partners: f64,
}

impl MessageRate {
    const PER_SECOND: f64 = 30.0;
    const BURST: f64 = 150.0;
    /// What each partner beyond the first adds: an offer and its candidates to everybody at once.
    const PER_SECOND_MORE: f64 = 10.0;
    const BURST_MORE: f64 = 50.0;

    /// A full budget, for a page with one partner.
    pub fn new(now: Instant) -> Self {
        Self { level: 0.0, at: now, further_partners: 0.0 }
    }

    /// From here on the page is one of so many seats.
    pub fn widen(&mut self, seats: usize) {
        self.further_partners = u8::try_from(seats.saturating_sub(2)).map_or(0.0, f64::from);
    }

    /// Counts a message; `false` where it is one too many.
    pub fn allows(&mut self, now: Instant) -> bool {
        let per_second = Self::PER_SECOND + Self::PER_SECOND_MORE * self.further_partners;
        let leaked = now.saturating_duration_since(self.at).as_secs_f64() * per_second;
        self.level = (self.level - leaked).max(0.0) + 1.0;
        self.at = now;
        self.level <= Self::BURST + Self::BURST_MORE * self.further_partners
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

    #[test]
    fn ten_thousand_guesses_at_an_account_get_ten_answers_and_one_more_each_minute() {
        let start = Instant::now();
        let attempts = Attempts::new(start);
        let answered = |from: u64| {
            (0..10_000)
                .filter(|_| attempts.take(Attempt::Account, b"a", start + Duration::from_secs(from)).is_ok())
                .count()
        };
        assert_eq!([answered(0), answered(0), answered(60), answered(180)], [10, 0, 1, 2]);
        assert_eq!(
            attempts.take(Attempt::Account, b"a", start + Duration::from_secs(200)),
            Err(Duration::from_secs(40))
        );
        assert!(
            attempts.take(Attempt::Workplace, b"a", start).is_ok(),
            "a released workplace has its own budget"
        );
    }

    #[test]
    fn a_right_password_costs_nothing() {
        let start = Instant::now();
        let attempts = Attempts::new(start);
        for _ in 0..100 {
            assert!(attempts.take(Attempt::Account, b"a", start).is_ok());
            attempts.give_back(Attempt::Account, b"a");
        }
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address_and_a_mapped_one_is_ipv4() {
        let of = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:203.0.113.7"), of("203.0.113.7"));
    }

    #[test]
    fn a_burst_passes_a_flood_does_not_and_calm_restores_the_budget() {
        let start = Instant::now();
        let mut rate = MessageRate::new(start);
        assert!((0..150).all(|_| rate.allows(start)));
        assert!(!rate.allows(start));
        assert!(rate.allows(start + Duration::from_secs(10)));
    }

    #[test]
    fn a_page_among_nine_may_offer_to_eight_partners_at_once() {
        let start = Instant::now();
        let mut rate = MessageRate::new(start);
        rate.widen(9);
        assert!((0..500).all(|_| rate.allows(start)));
        assert!(!rate.allows(start));
    }
}
