//! The budgets of answers to those who have not shown a credential: fixed arrays, whatever the number of sources.
//!
//! A datagram's source can be forged, a connection's cannot, and neither can the address of a living allocation, which was answered there. So what
//! forgers use up is the budget of datagrams alone, by kind of message, and an address with a living allocation has more.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use crate::address::ClientAddr;
use crate::allocation::Transport;
use crate::token_bucket::{Rate, TokenBucket};

/// Sources share a slot by a keyed hash, so nobody can choose whom to starve; 8 bytes each.
const SLOTS: usize = 16_384;

/// A burst is this long at the full rate: a practice of many behind one address that starts its day.
const BURST: Duration = Duration::from_secs(10);

/// Challenges over datagrams are so many times as many: without one nobody begins, and forgers of 400 a second shall keep nobody out. A forged
/// request of the least length that earns one makes 68 bytes out of 28 go to the forged address, 272 kbit/s at most.
const CHALLENGES: u32 = 10;

/// An address with a living allocation gets so many times as many answers, besides its own. Each is still no longer than the ratio allows.
const KNOWN: u32 = 20;

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// A request for the long-term credential, over datagrams.
    Challenge,
    /// Anything else over datagrams.
    Datagram,
    /// Anything over a connection.
    Stream,
}

impl Answered {
    /// By the transport, and whether the answer is a challenge.
    pub(crate) fn of(transport: Transport, is_challenge: bool) -> Self {
        match (transport, is_challenge) {
            (Transport::Tcp | Transport::Tls, _) => Answered::Stream,
            (Transport::Udp, true) => Answered::Challenge,
            (Transport::Udp, false) => Answered::Datagram,
        }
    }
}

/// Token buckets for sources, an IPv4 address or an IPv6 /64 each.
pub(crate) struct AnswerBudget {
    rate: Rate,
    challenge_rate: Rate,
    known_rate: Rate,
    kinds: [Buckets; 3],
    known: Buckets,
    keyed: RandomState,
}

struct Buckets(Box<[TokenBucket]>);

impl Buckets {
    fn new() -> Self {
        Buckets(std::iter::repeat_with(TokenBucket::default).take(SLOTS).collect())
    }
}

impl AnswerBudget {
    pub(crate) fn new(answers_per_second: u32) -> Self {
        AnswerBudget {
            rate: Rate::per_second(u64::from(answers_per_second), BURST),
            challenge_rate: Rate::per_second(u64::from(answers_per_second) * u64::from(CHALLENGES), BURST),
            known_rate: Rate::per_second(u64::from(answers_per_second) * u64::from(KNOWN), BURST),
            kinds: std::array::from_fn(|_| Buckets::new()),
            known: Buckets::new(),
            keyed: RandomState::new(),
        }
    }

    /// Takes one answer from the source's budget, if there is one left. `is_known`: a living allocation is of this source.
    pub(crate) fn take(
        &self,
        now: Duration,
        client: ClientAddr,
        answered: Answered,
        is_known: impl FnOnce() -> bool,
    ) -> bool {
        let slot = self.keyed.hash_one(source(client)) as usize % SLOTS;
        let rate = if answered == Answered::Challenge { self.challenge_rate } else { self.rate };
        self.kinds[answered as usize].0[slot].take(now, rate, 1)
            || (is_known() && self.known.0[slot].take(now, self.known_rate, 1))
    }
}

/// The part of an address that one party is given: IPv4 /32, translated by NAT64 (RFC 6052, section 2.1) or not, IPv6 /64.
pub(crate) fn source(client: ClientAddr) -> u64 {
    match client.socket_addr().ip() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) if v6.segments()[..6] == [0x64, 0xFF9B, 0, 0, 0, 0] => u64::from(v6.to_bits() as u32),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(budget: &AnswerBudget, address: &str, tries: usize) -> usize {
        let client = ClientAddr::new(address.parse().unwrap());
        let take = || budget.take(Duration::from_secs(1), client, Answered::Datagram, || false);
        (0..tries).filter(|_| take()).count()
    }

    #[test]
    fn what_forged_datagrams_use_up_is_the_budget_of_datagrams_alone() {
        let budget = AnswerBudget::new(2);
        assert_eq!(answers(&budget, "198.51.100.7:1000", 1000), 20);
        let client = ClientAddr::new("198.51.100.7:2000".parse().unwrap());
        let mut left = [Answered::Challenge, Answered::Stream].map(|answered| {
            (0..1000).filter(|_| budget.take(Duration::from_secs(1), client, answered, || false)).count()
        });
        assert_eq!(left, [200, 20]);
        left = [true, true].map(|known| {
            (0..1000)
                .filter(|_| budget.take(Duration::from_secs(1), client, Answered::Datagram, || known))
                .count()
        });
        assert_eq!(left, [400, 0], "an address with a living allocation has more, and not without end");
    }

    #[test]
    fn a_source_has_one_budget_whatever_its_port() {
        let budget = AnswerBudget::new(2);
        assert_eq!(answers(&budget, "198.51.100.7:1000", 100), 20);
        assert_eq!(answers(&budget, "198.51.100.7:2000", 100), 0);
    }

    #[test]
    fn of_translated_addresses_each_is_the_source_that_it_stands_for() {
        let budget = AnswerBudget::new(2);
        assert_eq!(answers(&budget, "[64:ff9b::203.0.113.7]:1000", 100), 20);
        assert_eq!(answers(&budget, "203.0.113.7:1000", 100), 0);
        assert_eq!(answers(&budget, "[64:ff9b::203.0.113.8]:1000", 100), 20);
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_source() {
        let budget = AnswerBudget::new(2);
        assert_eq!(answers(&budget, "[2001:db8:0:1::1]:1000", 100), 20);
        assert_eq!(answers(&budget, "[2001:db8:0:1:ffff::2]:1000", 100), 0);
    }
}
