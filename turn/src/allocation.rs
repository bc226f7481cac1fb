//! Allocations, their permissions and channel bindings, and the table that holds them (RFC 8656, section 5).
//!
//! All relayed addresses share one IP address, and permissions are by IP address; so an allocation has one permission.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use stun_types::message::TransactionId;

use crate::address::{ClientAddr, RelayedAddr, ServerAddr};
use crate::budget::source;
use crate::call::SeatRef;
use crate::channel_data::ChannelNumber;

/// How long a permission lasts (RFC 8656, section 9).
pub(crate) const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);

/// How long a channel binding lasts (RFC 8656, section 12).
pub(crate) const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// Channel bindings of one allocation: more than the peers a call of nine seats can have.
const CHANNELS: usize = 512;

/// The ports relayed addresses are drawn from (RFC 8656, section 7.2): this one and those above it.
const FIRST_PORT: u16 = 49_152;

/// How a client reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A TCP stream.
    Tcp,
    /// TLS over TCP.
    Tls,
}

/// What identifies a client's allocation: its address, the server's, and the transport between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FiveTuple {
    /// The client's address.
    pub client: ClientAddr,
    /// The server's address the client sent to, from which it is answered.
    pub server: ServerAddr,
    /// The transport.
    pub transport: Transport,
}

impl FiveTuple {
    /// A five-tuple, of the addresses as sockets tell them.
    pub fn new(client: SocketAddr, server: SocketAddr, transport: Transport) -> Self {
        FiveTuple { client: ClientAddr::new(client), server: ServerAddr::new(server), transport }
    }

    /// The five-tuple of a datagram.
    pub fn udp(client: SocketAddr, server: SocketAddr) -> Self {
        FiveTuple::new(client, server, Transport::Udp)
    }
}

/// One allocation.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) five_tuple: FiveTuple,
    pub(crate) seat: SeatRef,
    /// Of the Allocate request that made it: a retransmission gets the same answer.
    pub(crate) transaction: TransactionId,
    /// The lifetime it was given at first, in seconds.
    pub(crate) granted: u32,
    /// Names the port that is kept for this client beside its own.
    pub(crate) reserved: Option<Token>,
    expires_at: Duration,
    permitted_until: Duration,
    channels: Vec<ChannelBinding>,
}

#[derive(Clone, Copy, Debug)]
struct ChannelBinding {
    number: ChannelNumber,
    peer: RelayedAddr,
    expires_at: Duration,
}

/// What a successful ChannelBind came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    New,
    Renewed,
}

/// Why a channel was not bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChannelRefused {
    /// The number is bound to another peer, or the peer to another number.
    Conflict,
    /// The allocation has as many channels as one may have.
    Full,
}

impl Allocation {
    pub(crate) fn new(
        five_tuple: FiveTuple,
        seat: SeatRef,
        transaction: TransactionId,
        granted: u32,
    ) -> Self {
        let zero = Duration::ZERO;
        Allocation {
            five_tuple,
            seat,
            transaction,
            granted,
            reserved: None,
            expires_at: zero,
            permitted_until: zero,
            channels: Vec::new(),
        }
    }

    /// The end of the permission for the relayed addresses, if one is in force.
    pub(crate) fn permitted_until(&self, now: Duration) -> Option<Duration> {
        (now < self.permitted_until).then_some(self.permitted_until)
    }

    pub(crate) fn expires_at(&self) -> Duration {
        self.expires_at
    }

    /// Installs the permission for the relayed addresses, or makes it new.
    pub(crate) fn permit(&mut self, now: Duration) {
        self.permitted_until = now + PERMISSION_LIFETIME;
    }

    /// Binds a channel, or makes its binding new; installs the permission too (RFC 8656, section 12.2). Says whether
    /// packets go another way now.
    pub(crate) fn bind(
        &mut self,
        now: Duration,
        number: ChannelNumber,
        peer: RelayedAddr,
    ) -> Result<Binding, ChannelRefused> {
        self.channels.retain(|binding| now < binding.expires_at);
        let expires_at = now + CHANNEL_LIFETIME;
        let is_full = self.channels.len() == CHANNELS;
        match self.channels.iter_mut().find(|binding| binding.number == number || binding.peer == peer) {
            Some(binding) if binding.number == number && binding.peer == peer => {
                binding.expires_at = expires_at;
                self.permit(now);
                return Ok(Binding::Renewed);
            }
            Some(_) => return Err(ChannelRefused::Conflict),
            None if is_full => return Err(ChannelRefused::Full),
            None => self.channels.push(ChannelBinding { number, peer, expires_at }),
        }
        self.permit(now);
        Ok(Binding::New)
    }

    /// The peer a channel is bound to, and until when.
    pub(crate) fn peer_of(&self, now: Duration, number: ChannelNumber) -> Option<(RelayedAddr, Duration)> {
        self.channels
            .iter()
            .find(|binding| binding.number == number && now < binding.expires_at)
            .map(|binding| (binding.peer, binding.expires_at))
    }

    /// The channel that is bound to a peer, and until when.
    pub(crate) fn channel_to(&self, now: Duration, peer: RelayedAddr) -> Option<(ChannelNumber, Duration)> {
        self.channels
            .iter()
            .find(|binding| binding.peer == peer && now < binding.expires_at)
            .map(|binding| (binding.number, binding.expires_at))
    }
}

/// A port that is kept for the next Allocate of the same seat, made together with the even port below it (RFC 8656,
/// section 7.2).
#[derive(Debug)]
struct Reservation {
    token: Token,
    seat: SeatRef,
    expires_at: Duration,
}

/// What names a reservation: two bytes of port, six of randomness.
pub(crate) type Token = [u8; 8];

/// What lives at a relayed port.
#[derive(Debug)]
enum Tenant {
    Allocation(Box<Allocation>),
    Reservation(Box<Reservation>),
}

/// Which port a new allocation wants (EVEN-PORT).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortWish {
    Any,
    Even,
    /// An even one, and the next one kept for later.
    EvenAndNext,
}

/// All living allocations and reservations, by relayed address, by five-tuple and by expiry.
pub(crate) struct Allocations {
    /// One place for each port from [`FIRST_PORT`] on.
    tenants: Box<[Option<Tenant>]>,
    /// The allocations again, to be found by five-tuple, which stands in each.
    by_client: HashTable<RelayedAddr>,
    hasher: RandomState,
    by_expiry: BTreeSet<(Duration, RelayedAddr)>,
    /// How many allocations clients of one address have.
    by_source: HashMap<u64, u32, RandomState>,
}

impl Default for Allocations {
    fn default() -> Self {
        let ports = usize::from(u16::MAX - FIRST_PORT) + 1;
        Allocations {
            tenants: std::iter::repeat_with(|| None).take(ports).collect(),
            by_client: HashTable::new(),
            hasher: RandomState::default(),
            by_expiry: BTreeSet::new(),
            by_source: HashMap::default(),
        }
    }
}

impl Allocations {
    pub(crate) fn len(&self) -> usize {
        self.by_client.len()
    }

    /// A random port where nothing lives; `None` if all 16,384 are taken.
    pub(crate) fn free_address(&self, rng: &mut StdRng, wish: PortWish) -> Option<RelayedAddr> {
        let ports = u16::MAX - FIRST_PORT;
        let drawn = rng.random_range(0..=ports);
        let mut from_drawn = (0..=ports).map(|step| FIRST_PORT + (drawn + step) % (ports + 1));
        let is_free = |port: u16| self.tenants[usize::from(port - FIRST_PORT)].is_none();
        from_drawn
            .find(|port| match wish {
                PortWish::Any => is_free(*port),
                PortWish::Even => port.is_multiple_of(2) && is_free(*port),
                PortWish::EvenAndNext => port.is_multiple_of(2) && is_free(*port) && is_free(*port + 1),
            })
            .map(RelayedAddr::new)
    }

    /// Adds an allocation at a free relayed address.
    pub(crate) fn insert(&mut self, relayed: RelayedAddr, mut allocation: Allocation, expires_at: Duration) {
        allocation.expires_at = expires_at;
        let hash = self.hasher.hash_one(allocation.five_tuple);
        *self.by_source.entry(source(allocation.five_tuple.client)).or_default() += 1;
        self.settle(relayed, Tenant::Allocation(Box::new(allocation)), expires_at);
        let Allocations { tenants, by_client, hasher, .. } = self;
        by_client.insert_unique(hash, relayed, |relayed| {
            let allocation = allocation_at(tenants, *relayed).expect("the table holds the living alone");
            hasher.hash_one(allocation.five_tuple)
        });
    }

    /// Keeps the port above a relayed address for its seat; gives its address, and the token that claims it.
    pub(crate) fn reserve_next(
        &mut self,
        relayed: RelayedAddr,
        seat: SeatRef,
        rng: &mut StdRng,
        expires_at: Duration,
    ) -> (RelayedAddr, Token) {
        let next = RelayedAddr::new(relayed.port() + 1);
        let mut token = [0; 8];
        rng.fill_bytes(&mut token);
        token[..2].copy_from_slice(&next.port().to_be_bytes());
        let reservation = Reservation { token, seat, expires_at };
        self.settle(next, Tenant::Reservation(Box::new(reservation)), expires_at);
        (next, token)
    }

    /// Takes what a token names out of its reservation, if it was made for this seat; the address is free then.
    pub(crate) fn claim(
        &mut self,
        token: Token,
        is_seat: impl Fn(SeatRef) -> bool,
    ) -> Option<(RelayedAddr, SeatRef)> {
        let port = u16::from_be_bytes([token[0], token[1]]);
        let relayed = (port >= FIRST_PORT).then(|| RelayedAddr::new(port))?;
        let Some(Tenant::Reservation(reservation)) = tenant(&self.tenants, relayed) else { return None };
        if reservation.token != token || !is_seat(reservation.seat) {
            return None;
        }
        let seat = reservation.seat;
        self.remove(relayed);
        Some((relayed, seat))
    }

    fn settle(&mut self, relayed: RelayedAddr, tenant: Tenant, expires_at: Duration) {
        self.by_expiry.insert((expires_at, relayed));
        if let Some(place) = self.place(relayed) {
            *place = Some(tenant);
        }
    }

    /// Removes what lives at an address; gives whose it was.
    pub(crate) fn remove(&mut self, relayed: RelayedAddr) -> Option<SeatRef> {
        match self.place(relayed)?.take()? {
            Tenant::Allocation(allocation) => {
                let hash = self.hasher.hash_one(allocation.five_tuple);
                if let Ok(entry) = self.by_client.find_entry(hash, |known| *known == relayed) {
                    entry.remove();
                }
                self.by_expiry.remove(&(allocation.expires_at, relayed));
                if let Entry::Occupied(mut count) = self.by_source.entry(source(allocation.five_tuple.client))
                {
                    *count.get_mut() -= 1;
                    if *count.get() == 0 {
                        count.remove();
                    }
                }
                Some(allocation.seat)
            }
            Tenant::Reservation(reservation) => {
                self.by_expiry.remove(&(reservation.expires_at, relayed));
                Some(reservation.seat)
            }
        }
    }

    /// Whether a client of this address has an allocation.
    pub(crate) fn has_source(&self, client: ClientAddr) -> bool {
        self.by_source.contains_key(&source(client))
    }

    /// Moves an allocation's end.
    pub(crate) fn expire_at(&mut self, relayed: RelayedAddr, expires_at: Duration) {
        if let Some(allocation) = self.at_mut(relayed) {
            let before = std::mem::replace(&mut allocation.expires_at, expires_at);
            self.by_expiry.remove(&(before, relayed));
            self.by_expiry.insert((expires_at, relayed));
        }
    }

    /// The next to end, and when.
    pub(crate) fn next_expiry(&self) -> Option<(Duration, RelayedAddr)> {
        self.by_expiry.first().copied()
    }

    pub(crate) fn of_client(&self, five_tuple: &FiveTuple) -> Option<RelayedAddr> {
        let is_clients = |relayed: &RelayedAddr| {
            self.at(*relayed).is_some_and(|allocation| allocation.five_tuple == *five_tuple)
        };
        self.by_client.find(self.hasher.hash_one(five_tuple), is_clients).copied()
    }

    pub(crate) fn at(&self, relayed: RelayedAddr) -> Option<&Allocation> {
        allocation_at(&self.tenants, relayed)
    }

    pub(crate) fn at_mut(&mut self, relayed: RelayedAddr) -> Option<&mut Allocation> {
        match self.place(relayed)?.as_mut()? {
            Tenant::Allocation(allocation) => Some(allocation),
            Tenant::Reservation(_) => None,
        }
    }

    fn place(&mut self, relayed: RelayedAddr) -> Option<&mut Option<Tenant>> {
        let position = relayed.port().checked_sub(FIRST_PORT)?;
        self.tenants.get_mut(usize::from(position))
    }
}

/// A client may name any port as its peer's: below the first there is no place.
fn tenant(tenants: &[Option<Tenant>], relayed: RelayedAddr) -> Option<&Tenant> {
    let position = relayed.port().checked_sub(FIRST_PORT)?;
    tenants.get(usize::from(position))?.as_ref()
}

fn allocation_at(tenants: &[Option<Tenant>], relayed: RelayedAddr) -> Option<&Allocation> {
    match tenant(tenants, relayed)? {
        Tenant::Allocation(allocation) => Some(allocation),
        Tenant::Reservation(_) => None,
    }
}
