//! How fast one socket may talk (R51).

use std::time::Instant;

/// Messages of one socket: an average and a burst, as a bucket that leaks.
pub struct MessageRate {
    bounds: Rate,
    level: f64,
    at: Instant,
    further_partners: f64,
}

/// How many messages, and what each partner beyond the first adds: an offer and its candidates to everybody at once.
struct Rate {
    per_second: f64,
    burst: f64,
    per_second_more: f64,
    burst_more: f64,
}

impl MessageRate {
    /// A full budget of messages, for a page with one partner.
    pub fn new(now: Instant) -> Self {
        Self::of(Rate { per_second: 30.0, burst: 150.0, per_second_more: 10.0, burst_more: 50.0 }, now)
    }

    /// A full budget of sealed names: whoever gets one must open it, and shows it to a person. A partner who reloads wants one more.
    pub fn of_names(now: Instant) -> Self {
        Self::of(Rate { per_second: 0.2, burst: 10.0, per_second_more: 0.2, burst_more: 10.0 }, now)
    }

    const fn of(bounds: Rate, now: Instant) -> Self {
        Self { bounds, level: 0.0, at: now, further_partners: 0.0 }
    }

    /// From here on the page is one of so many seats.
    pub fn widen(&mut self, seats: usize) {
        self.further_partners = u8::try_from(seats.saturating_sub(2)).map_or(0.0, f64::from);
    }

    /// Counts a message; `false` where it is one too many.
    pub fn allows(&mut self, now: Instant) -> bool {
        let Rate { per_second, burst, per_second_more, burst_more } = self.bounds;
        let per_second = per_second + per_second_more * self.further_partners;
        let leaked = now.saturating_duration_since(self.at).as_secs_f64() * per_second;
        self.level = (self.level - leaked).max(0.0);
        self.at = now;
        let is_one_too_many = self.level + 1.0 > burst + burst_more * self.further_partners;
        // What is refused fills the bucket no further, so that it is answered again as soon as there is room.
        self.level += if is_one_too_many { 0.0 } else { 1.0 };
        !is_one_too_many
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
    fn ten_names_pass_at_once_and_one_more_each_five_seconds() {
        let start = Instant::now();
        let mut names = MessageRate::of_names(start);
        let passing = |names: &mut MessageRate, from: u64| {
            (0..100).filter(|_| names.allows(start + Duration::from_secs(from))).count()
        };
        assert_eq!([passing(&mut names, 0), passing(&mut names, 5), passing(&mut names, 15)], [10, 1, 2]);
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
