//! The budget of answers to those who have not shown a credential: a fixed array, whatever the number of sources.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use crate::address::ClientAddr;
use crate::token_bucket::{Rate, TokenBucket};

/// Sources share a slot by a keyed hash, so nobody can choose whom to starve; 8 bytes each.
const SLOTS: usize = 16_384;

/// A burst is this long at the full rate: a practice of many behind one address that starts its day.
const BURST: Duration = Duration::from_secs(10);

/// Token buckets for sources, an IPv4 address or an IPv6 /64 each.
pub(crate) struct AnswerBudget {
    rate: Rate,
    slots: Box<[TokenBucket]>,
    keyed: RandomState,
}

impl AnswerBudget {
    pub(crate) fn new(answers_per_second: u32) -> Self {
        AnswerBudget {
            rate: Rate::per_second(u64::from(answers_per_second), BURST),
            slots: std::iter::repeat_with(TokenBucket::default).take(SLOTS).collect(),
            keyed: RandomState::new(),
        }
    }

    /// Takes one answer from the source's budget, if there is one left.
    pub(crate) fn take(&self, now: Duration, client: ClientAddr) -> bool {
        let hash = self.keyed.hash_one(source(client)) as usize;
        self.slots[hash % SLOTS].take(now, self.rate, 1)
    }
}

/// The part of an address that one party is given: IPv4 /32, IPv6 /64.
fn source(client: ClientAddr) -> u64 {
    match client.socket_addr().ip() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(budget: &AnswerBudget, address: &str, tries: usize) -> usize {
        let client = ClientAddr::new(address.parse().unwrap());
        (0..tries).filter(|_| budget.take(Duration::from_secs(1), client)).count()
    }

    #[test]
    fn a_source_has_one_budget_whatever_its_port() {
        let budget = AnswerBudget::new(2);
        assert_eq!(answers(&budget, "198.51.100.7:1000", 100), 20);
        assert_eq!(answers(&budget, "198.51.100.7:2000", 100), 0);
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_source() {
        let budget = AnswerBudget::new(2);
        assert_eq!(answers(&budget, "[2001:db8:0:1::1]:1000", 100), 20);
        assert_eq!(answers(&budget, "[2001:db8:0:1:ffff::2]:1000", 100), 0);
    }
}
