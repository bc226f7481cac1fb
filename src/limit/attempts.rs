//! Attempts to sign in, mails and checks of devices beyond a budget are refused (R14).

use std::time::{Duration, Instant};

use super::debts::Debts;

/// What one attempt to sign in costs whom, and how much is free. Unlike a code, a password may be guessable: here attempts beyond the budget are
/// refused, not only delayed. So that a guesser locks nobody out, a released workplace has a budget of its own.
#[derive(Debug, Clone, Copy)]
pub enum Attempt {
    /// At an account, from a browser that is no released workplace.
    Account,
    /// From a released workplace.
    Workplace,
    /// From an address (see [`network_of`](super::network_of)), whatever the account.
    Address,
    /// With recovery keys, from an address: nobody guesses one (160 bits), so that this bounds the work alone, and no guessing of passwords
    /// keeps a user from theirs.
    Recovery,
    /// To check a seat's device before the appointment, and to tell how it went: each is a write, and news to every desk.
    Check,
    /// To send a mail, by a practice: enough for any practice, and too little for a stolen session to send spam.
    Mail,
}

impl Attempt {
    /// How long an attempt weighs, and how much weighs nothing yet.
    const fn price(self) -> (Duration, Duration) {
        let (seconds, free) = match self {
            Self::Account => (60, 10),
            Self::Workplace => (5, 10),
            Self::Address | Self::Recovery => (3, 100),
            Self::Check => (15, 20),
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
    recoveries: Debts,
    practices: Debts,
    seats: Debts,
}

impl Attempts {
    /// Budgets whose clock starts at `now`.
    pub fn new(now: Instant) -> Self {
        let debts = || Debts::new(now);
        Self {
            accounts: debts(),
            workplaces: debts(),
            addresses: debts(),
            recoveries: debts(),
            practices: debts(),
            seats: debts(),
        }
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
            Attempt::Recovery => &self.recoveries,
            Attempt::Mail => &self.practices,
            Attempt::Check => &self.seats,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
