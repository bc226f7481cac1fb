//! When to nap: under a high rate of small wake-ups a worker waits a moment before it looks again, so that one wake-up
//! serves many packets. Below that rate a packet waits for nobody.

use std::thread;
use std::time::Duration;

/// How long wake-ups are counted before the next judgement.
const WINDOW: Duration = Duration::from_millis(20);

/// From this many wake-ups in a window on (4,000 a second) napping pays.
const MANY: f64 = 80.0;

/// A nap: with the 50 us by which Linux may be late, no packet waits longer than 250 us.
const NAP: Duration = Duration::from_micros(200);

/// One worker's moderation.
#[derive(Default)]
pub(super) struct Moderation {
    window_began: Duration,
    wake_ups: u32,
    packets: u64,
    is_on: bool,
}

impl Moderation {
    /// Takes notice of a wake-up that brought this many packets in all since the start.
    pub(super) fn woke(&mut self, now: Duration, packets: u64) {
        self.wake_ups += 1;
        let lasted = now - self.window_began;
        if lasted < WINDOW {
            return;
        }
        // A window that lasted longer held pauses: what counts is the rate over all of it. While wake-ups are held
        // back, packets tell how many there would have been.
        let counted = if self.is_on { packets - self.packets } else { u64::from(self.wake_ups) };
        let per_window = counted as f64 * WINDOW.as_secs_f64() / lasted.as_secs_f64();
        *self = Moderation { window_began: now, wake_ups: 0, packets, is_on: per_window >= MANY };
    }

    /// Naps, if it is time for it.
    pub(super) fn nap(&self) {
        if self.is_on {
            thread::sleep(NAP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wake-ups at a rate for a second; each brings so many packets.
    fn after_a_second(per_second: u32, packets_each: u64) -> Moderation {
        let mut moderation = Moderation::default();
        for wake_up in 1..=per_second {
            let now = Duration::from_secs(1) * wake_up / per_second;
            moderation.woke(now, u64::from(wake_up) * packets_each);
        }
        moderation
    }

    #[test]
    fn naps_begin_above_four_thousand_wake_ups_a_second_whatever_they_bring() {
        for packets_each in [1, 40] {
            assert!(!after_a_second(3_900, packets_each).is_on);
            assert!(after_a_second(4_400, packets_each).is_on);
        }
    }

    #[test]
    fn naps_go_on_while_there_are_as_many_packets_and_end_when_there_are_not() {
        let mut moderation = after_a_second(5_000, 1);
        let mut packets = 5_000;
        for nap in 1..=4_000_u32 {
            packets += 2;
            moderation.woke(Duration::from_secs(1) + Duration::from_micros(250) * nap, packets);
        }
        assert!(moderation.is_on, "2 packets a nap, 8,000 a second");
        moderation.woke(Duration::from_secs(3), packets + 1);
        assert!(!moderation.is_on, "a pause of a second");
    }
}
