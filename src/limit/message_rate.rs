//! How fast one socket may talk (R51).

use std::time::Instant;

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
    use std::time::Duration;

    use super::*;

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
