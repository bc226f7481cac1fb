//! Whose turn it is where work can be done for one at a time: fair by address, bounded, without clock, lock or thread (R63).

use std::collections::{HashMap, VecDeque};

use super::shares::{Bounds, Origin};

/// Whoever waits, by address; each address has its turn after every other.
pub struct Turns<T> {
    bounds: Bounds,
    waiting: HashMap<[u8; 8], VecDeque<(Origin, T)>>,
    /// Addresses that wait, the next one first.
    round: VecDeque<[u8; 8]>,
    networks: HashMap<[u8; 8], usize>,
    count: usize,
}

impl<T> Turns<T> {
    /// Nobody waits.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, waiting: HashMap::new(), round: VecDeque::new(), networks: HashMap::new(), count: 0 }
    }

    /// Lets one more wait, and gives back who must not: itself where its address has too many, else, where all are too many, the last of the
    /// address that has most.
    pub fn enter(&mut self, origin: Origin, item: T) -> Option<T> {
        let own = self.waiting.get(&origin.address()).map_or(0, VecDeque::len);
        if let Some(network) = origin.network() {
            let around = self.networks.get(&network).copied().unwrap_or_default();
            if own >= self.bounds.address || around >= self.bounds.network {
                return Some(item);
            }
        }
        let mut refused = None;
        if self.count >= self.bounds.all {
            let largest = self.waiting.iter().max_by_key(|(_, queue)| queue.len());
            let Some(address) =
                largest.filter(|(_, queue)| queue.len() > own + 1).map(|(address, _)| *address)
            else {
                return Some(item);
            };
            refused = self.take(address, VecDeque::pop_back);
        }
        if own == 0 {
            self.round.push_back(origin.address());
        }
        self.waiting.entry(origin.address()).or_default().push_back((origin, item));
        self.count += 1;
        origin.network().into_iter().for_each(|network| *self.networks.entry(network).or_default() += 1);
        refused
    }

    /// The next one.
    pub fn next(&mut self) -> Option<T> {
        let address = self.round.pop_front()?;
        let item = self.take(address, VecDeque::pop_front);
        if self.waiting.contains_key(&address) {
            self.round.push_back(address);
        }
        item
    }

    fn take(
        &mut self,
        address: [u8; 8],
        which: impl FnOnce(&mut VecDeque<(Origin, T)>) -> Option<(Origin, T)>,
    ) -> Option<T> {
        let queue = self.waiting.get_mut(&address)?;
        let (origin, item) = which(queue)?;
        if queue.is_empty() {
            self.waiting.remove(&address);
            self.round.retain(|other| *other != address);
        }
        self.count -= 1;
        if let Some(network) = origin.network()
            && let Some(around) = self.networks.get_mut(&network)
        {
            *around -= 1;
            if *around == 0 {
                self.networks.remove(&network);
            }
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { address: 4, network: 6, all: 8 };

    fn from(address: &str) -> Origin {
        Origin::of(address.parse().unwrap(), false)
    }

    #[test]
    fn each_address_has_its_turn_after_every_other() {
        let mut turns = Turns::new(BOUNDS);
        for item in ["a1", "a2", "a3"] {
            assert_eq!(turns.enter(from("203.0.113.7"), item), None);
        }
        assert_eq!(turns.enter(from("203.0.113.8"), "b1"), None);
        assert_eq!(turns.enter(from("203.0.113.9"), "c1"), None);
        let order: Vec<_> = std::iter::from_fn(|| turns.next()).collect();
        assert_eq!(order, ["a1", "b1", "c1", "a2", "a3"]);
        assert!(turns.networks.is_empty() && turns.waiting.is_empty() && turns.round.is_empty());
    }

    #[test]
    fn an_address_and_a_network_have_bounds_of_their_own() {
        let mut turns = Turns::new(BOUNDS);
        let refused = (0..10).filter(|item| turns.enter(from("2001:db8:1:1::1"), *item).is_some()).count();
        assert_eq!(refused, 6);
        let refused = (0..10).filter(|item| turns.enter(from("2001:db8:1:2::1"), *item).is_some()).count();
        assert_eq!(refused, 8, "two of the other are left in the network");
    }

    #[test]
    fn where_all_are_too_many_the_address_that_has_most_loses_its_last() {
        let mut turns = Turns::new(BOUNDS);
        for item in 0..4 {
            assert_eq!(turns.enter(from("203.0.113.7"), item), None);
            assert_eq!(turns.enter(Origin::of("10.0.0.1".parse().unwrap(), true), 10 + item), None);
        }
        let first = turns.enter(from("198.51.100.1"), 20);
        assert!(matches!(first, Some(3 | 13)), "{first:?}");
        assert!(matches!(turns.enter(from("198.51.100.2"), 21), Some(3 | 13)));
        assert_eq!(turns.enter(from("203.0.113.7"), 4), Some(4), "whoever has most gets no more");
        assert_eq!(std::iter::from_fn(|| turns.next()).count(), 8);
    }
}
