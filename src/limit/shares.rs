//! Who gives way where too many come: a state machine without clock, lock or socket (R63).
//!
//! Places are counted by address (IPv4 /32, IPv6 /64) and, for IPv6, by the network around it (/48). Where one has too many, or all together
//! have, the address that holds most loses the place that was idle longest. So whoever holds few keeps them, and nobody shuts the door.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use super::{network_of, subscriber};

/// Places at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of one address.
    pub address: usize,
    /// Of one IPv6 /48.
    pub network: usize,
    /// Of all together.
    pub all: usize,
}

/// Whose a place is.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    address: [u8; 8],
    /// None where no bound but that of all can hold.
    network: Option<[u8; 8]>,
}

impl Origin {
    /// Of an address; one behind which many stand has no bound of its own.
    pub fn of(address: IpAddr, is_shared: bool) -> Self {
        let own = network_of(address);
        let mut network = own;
        if subscriber(address).is_ipv6() {
            // The lower 16 of the upper 64 bits.
            network[6..].fill(0);
        }
        Self { address: own, network: (!is_shared).then_some(network) }
    }

    /// Of whoever holds or is something else, by its name.
    pub fn of_name(name: &str) -> Self {
        let hash = std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default();
        let key = std::hash::BuildHasher::hash_one(&hash, name).to_be_bytes();
        Self { address: key, network: Some(key) }
    }

    /// The address.
    pub const fn address(&self) -> [u8; 8] {
        self.address
    }

    /// The network around it; none where no bound but that of all can hold.
    pub const fn network(&self) -> Option<[u8; 8]> {
        self.network
    }
}

/// What a place counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// One of its address.
    Stranger,
    /// Known, and bounded by what it has shown; gives way only where all are too many and no stranger is left.
    Invited,
    /// Counts nowhere, and never gives way.
    Settled,
}

/// One place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// An address by how many places it holds, then by how long its idlest one is idle.
type Rank = (usize, Reverse<Duration>, [u8; 8]);

/// The places of everybody.
pub struct Shares {
    bounds: Bounds,
    next: u64,
    places: HashMap<Ticket, Held>,
    strangers: HashMap<[u8; 8], Holder>,
    networks: HashMap<[u8; 8], Network>,
    ranks: BTreeSet<Rank>,
    invited: BTreeSet<(Duration, Ticket)>,
    /// Strangers' places.
    count: usize,
}

struct Held {
    origin: Origin,
    standing: Standing,
    idle_since: Duration,
}

/// The strangers' places of one address, the idlest first.
#[derive(Default)]
struct Holder {
    idle: BTreeSet<(Duration, Ticket)>,
}

#[derive(Default)]
struct Network {
    count: usize,
    ranks: BTreeSet<Rank>,
}

impl Holder {
    fn rank(&self, address: [u8; 8]) -> Option<Rank> {
        self.idle.first().map(|(since, _)| (self.idle.len(), Reverse(*since), address))
    }
}

impl Shares {
    /// No place is taken.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            next: 0,
            places: HashMap::new(),
            strangers: HashMap::new(),
            networks: HashMap::new(),
            ranks: BTreeSet::new(),
            invited: BTreeSet::new(),
            count: 0,
        }
    }

    /// Takes a place, and tells which other one must give way. `now` is the time since any fixed moment.
    pub fn enter(&mut self, origin: Origin, now: Duration) -> (Ticket, Option<Ticket>) {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.places.insert(ticket, Held { origin, standing: Standing::Stranger, idle_since: now });
        self.change(origin, |idle| idle.insert((now, ticket)));
        let victim = self.too_many(origin);
        victim.iter().for_each(|victim| self.leave(*victim));
        (ticket, victim)
    }

    /// Something was heard at a place: it is the last of its address to give way.
    pub fn touch(&mut self, ticket: Ticket, now: Duration) {
        let standing = self.places.get(&ticket).map(|held| held.standing);
        standing.into_iter().for_each(|standing| self.settle(ticket, standing, now));
    }

    /// Whoever holds the place is something else from now on.
    pub fn settle(&mut self, ticket: Ticket, standing: Standing, now: Duration) {
        let Some(held) = self.take_out(ticket) else { return };
        let origin = held.origin;
        match standing {
            Standing::Stranger => self.change(origin, |idle| idle.insert((now, ticket))),
            Standing::Invited => drop(self.invited.insert((now, ticket))),
            Standing::Settled => {}
        }
        self.places.insert(ticket, Held { origin, standing, idle_since: now });
    }

    /// Gives a place back; one that has given way already is none.
    pub fn leave(&mut self, ticket: Ticket) {
        self.take_out(ticket);
    }

    /// Whoever gives way next for others' sake, though no bound is reached: the process has no room left.
    pub fn shed(&mut self) -> Option<Ticket> {
        let victim = self.idlest_of(&self.ranks).or_else(|| self.invited.first().map(|(_, ticket)| *ticket));
        victim.iter().for_each(|victim| self.leave(*victim));
        victim
    }

    /// Places that count.
    pub fn len(&self) -> usize {
        self.count + self.invited.len()
    }

    fn too_many(&self, origin: Origin) -> Option<Ticket> {
        if let Some(network) = origin.network {
            let idle = &self.strangers.get(&origin.address)?.idle;
            if idle.len() > self.bounds.address {
                return idle.first().map(|(_, ticket)| *ticket);
            }
            let network = self.networks.get(&network)?;
            if network.count > self.bounds.network {
                return self.idlest_of(&network.ranks);
            }
        }
        if self.len() > self.bounds.all {
            return self.idlest_of(&self.ranks);
        }
        None
    }

    /// Of the address that holds most.
    fn idlest_of(&self, ranks: &BTreeSet<Rank>) -> Option<Ticket> {
        let (_, _, address) = ranks.last()?;
        self.strangers.get(address)?.idle.first().map(|(_, ticket)| *ticket)
    }

    fn take_out(&mut self, ticket: Ticket) -> Option<Held> {
        let held = self.places.remove(&ticket)?;
        let known = (held.idle_since, ticket);
        match held.standing {
            Standing::Stranger => self.change(held.origin, |idle| idle.remove(&known)),
            Standing::Invited => drop(self.invited.remove(&known)),
            Standing::Settled => {}
        }
        Some(held)
    }

    /// Changes the places of an address, and its rank with them.
    fn change(&mut self, origin: Origin, change: impl FnOnce(&mut BTreeSet<(Duration, Ticket)>) -> bool) {
        let address = origin.address;
        let holder = self.strangers.entry(address).or_default();
        let (before, count) = (holder.rank(address), holder.idle.len());
        change(&mut holder.idle);
        let (after, count_after) = (holder.rank(address), holder.idle.len());
        if after.is_none() {
            self.strangers.remove(&address);
        }
        self.count = self.count + count_after - count;
        let renew = |ranks: &mut BTreeSet<Rank>| {
            if let Some(rank) = &before {
                ranks.remove(rank);
            }
            ranks.extend(after);
        };
        renew(&mut self.ranks);
        if let Some(key) = origin.network {
            let network = self.networks.entry(key).or_default();
            network.count = network.count + count_after - count;
            renew(&mut network.ranks);
            if network.count == 0 {
                self.networks.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { address: 4, network: 6, all: 10 };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn from(address: &str) -> Origin {
        Origin::of(address.parse().unwrap(), false)
    }

    #[test]
    fn of_an_address_with_too_many_the_idlest_gives_way_and_nobody_elses() {
        let mut shares = Shares::new(BOUNDS);
        let (other, _) = shares.enter(from("203.0.113.9"), at(0));
        let tickets: Vec<_> = (1..5).map(|second| shares.enter(from("203.0.113.7"), at(second)).0).collect();
        shares.touch(tickets[0], at(9));
        let (_, victim) = shares.enter(from("203.0.113.7"), at(10));
        assert_eq!(
            victim,
            Some(tickets[1]),
            "the first one was heard meanwhile, and another address is another's"
        );
        shares.leave(tickets[1]);
        assert_eq!(shares.len(), 5);
        shares.leave(other);
        assert_eq!(shares.len(), 4);
    }

    #[test]
    fn many_addresses_of_one_ipv6_network_are_bounded_together() {
        let mut shares = Shares::new(BOUNDS);
        let first: Vec<_> =
            (0..3).map(|second| shares.enter(from("2001:db8:1:1::1"), at(second)).0).collect();
        for number in 2..5 {
            assert_eq!(shares.enter(from(&format!("2001:db8:1:{number}::1")), at(9)).1, None);
        }
        let (_, victim) = shares.enter(from("2001:db8:1:9::1"), at(10));
        assert_eq!(victim, Some(first[0]), "of the address in it that holds most");
        assert_eq!(
            shares.enter(from("2001:db8:2:1::1"), at(10)).1,
            None,
            "another network has its own bound"
        );
    }

    #[test]
    fn where_all_are_too_many_whoever_holds_most_gives_way() {
        let mut shares = Shares::new(BOUNDS);
        let mut many = Vec::new();
        for second in 0..4 {
            many.push(shares.enter(from("203.0.113.7"), at(second + 100)).0);
        }
        for number in 1..7 {
            assert_eq!(shares.enter(from(&format!("198.51.100.{number}")), at(number)).1, None);
        }
        let (_, victim) = shares.enter(from("192.0.2.7"), at(200));
        assert_eq!(victim, Some(many[0]), "though all others are idle for longer");
    }

    #[test]
    fn whoever_is_known_does_not_count_for_its_address_and_whoever_is_settled_not_at_all() {
        let mut shares = Shares::new(BOUNDS);
        for second in 0..20 {
            let (ticket, victim) = shares.enter(from("203.0.113.7"), at(second));
            assert_eq!(victim, None);
            shares.settle(ticket, Standing::Settled, at(second));
        }
        assert_eq!(shares.len(), 0);
        let mut invited = Vec::new();
        for second in 20..30 {
            let (ticket, victim) = shares.enter(from("203.0.113.7"), at(second));
            assert_eq!(victim, None);
            shares.settle(ticket, Standing::Invited, at(second));
            invited.push(ticket);
        }
        let (stranger, victim) = shares.enter(from("198.51.100.7"), at(30));
        assert_eq!(victim, Some(stranger), "the only stranger gives way before whoever is invited");
        assert_eq!(shares.shed(), Some(invited[0]));
        shares.settle(invited[1], Standing::Stranger, at(31));
        assert_eq!(shares.shed(), Some(invited[1]));
    }

    #[test]
    fn an_address_of_many_has_no_bound_but_that_of_all() {
        let mut shares = Shares::new(BOUNDS);
        let proxy = Origin::of("10.0.0.1".parse().unwrap(), true);
        let tickets: Vec<_> = (0..10)
            .map(|second| {
                let (ticket, victim) = shares.enter(proxy, at(second));
                assert_eq!(victim, None);
                ticket
            })
            .collect();
        assert_eq!(shares.enter(proxy, at(10)).1, Some(tickets[0]));
        assert_eq!(shares.enter(from("203.0.113.7"), at(11)).1, Some(tickets[1]));
    }

    proptest! {
        #[test]
        fn bounds_hold_whatever_happens_and_nothing_stays(
            steps in proptest::collection::vec((0u8..6, 0u16..5, 0u16..4, any::<proptest::sample::Index>(), 0u64..3), 1..300),
        ) {
            let (mut shares, mut now, mut living) = (Shares::new(BOUNDS), at(0), Vec::new());
            for (what, site, subnet, which, seconds) in steps {
                now += at(seconds);
                let chosen = (!living.is_empty()).then(|| *which.get(&living));
                match (what, chosen) {
                    (0..=2, _) => {
                        let address: IpAddr = std::net::Ipv6Addr::new(0x2001, 0xdb8, site, subnet, 0, 0, 0, 1).into();
                        let (ticket, victim) = shares.enter(Origin::of(address, false), now);
                        living.push(ticket);
                        living.retain(|ticket| Some(*ticket) != victim);
                    }
                    (3, Some(ticket)) => shares.touch(ticket, now),
                    (4, Some(ticket)) => shares.settle(ticket, Standing::Settled, now),
                    (_, Some(ticket)) => {
                        shares.leave(ticket);
                        living.retain(|other| *other != ticket);
                    }
                    _ => {}
                }
                prop_assert!(shares.len() <= BOUNDS.all);
                prop_assert!(shares.strangers.values().all(|holder| holder.idle.len() <= BOUNDS.address));
                prop_assert!(shares.networks.values().all(|network| network.count <= BOUNDS.network));
                prop_assert_eq!(shares.places.len(), living.len());
                prop_assert_eq!(shares.ranks.len(), shares.strangers.len());
            }
            living.into_iter().for_each(|ticket| shares.leave(ticket));
            let left = (shares.len(), shares.places.len(), shares.strangers.len(), shares.networks.len(), shares.ranks.len());
            prop_assert_eq!(left, (0, 0, 0, 0, 0));
        }
    }
}
