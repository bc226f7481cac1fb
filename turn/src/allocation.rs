//! Allocations, their permissions and channel bindings, and the table that holds them (RFC 8656, section 5).
//!
//! All relayed addresses share one IP address, and permissions are by IP address; so an allocation has one permission.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use stun_types::message::TransactionId;

use crate::address::{ClientAddr, RelayedAddr, ServerAddr};
use crate::call::SeatRef;
use crate::channel_data::ChannelNumber;

/// How long a permission lasts (RFC 8656, section 9).
pub(crate) const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);

/// How long a channel binding lasts (RFC 8656, section 12).
pub(crate) const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// Channel bindings of one allocation: more than the peers a call of nine seats can have.
const CHANNELS: usize = 512;

/// The ports relayed addresses are drawn from (RFC 8656, section 7.2).
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
    /// The five-tuple of a datagram.
    pub fn udp(client: SocketAddr, server: SocketAddr) -> Self {
        FiveTuple {
            client: ClientAddr::new(client),
            server: ServerAddr::new(server),
            transport: Transport::Udp,
        }
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
            expires_at: zero,
            permitted_until: zero,
            channels: Vec::new(),
        }
    }

    /// Whether a permission for the relayed addresses is in force.
    pub(crate) fn permits(&self, now: Duration) -> bool {
        now < self.permitted_until
    }

    /// Installs the permission for the relayed addresses, or makes it new.
    pub(crate) fn permit(&mut self, now: Duration) {
        self.permitted_until = now + PERMISSION_LIFETIME;
    }

    /// Binds a channel, or makes its binding new; installs the permission too (RFC 8656, section 12.2).
    pub(crate) fn bind(
        &mut self,
        now: Duration,
        number: ChannelNumber,
        peer: RelayedAddr,
    ) -> Result<(), ChannelRefused> {
        self.channels.retain(|binding| now < binding.expires_at);
        let expires_at = now + CHANNEL_LIFETIME;
        let is_full = self.channels.len() == CHANNELS;
        match self.channels.iter_mut().find(|binding| binding.number == number || binding.peer == peer) {
            Some(binding) if binding.number == number && binding.peer == peer => {
                binding.expires_at = expires_at;
            }
            Some(_) => return Err(ChannelRefused::Conflict),
            None if is_full => return Err(ChannelRefused::Full),
            None => self.channels.push(ChannelBinding { number, peer, expires_at }),
        }
        self.permit(now);
        Ok(())
    }

    /// The peer a channel is bound to.
    pub(crate) fn peer_of(&self, now: Duration, number: ChannelNumber) -> Option<RelayedAddr> {
        self.channels
            .iter()
            .find(|binding| binding.number == number && now < binding.expires_at)
            .map(|b| b.peer)
    }

    /// The channel that is bound to a peer.
    pub(crate) fn channel_to(&self, now: Duration, peer: RelayedAddr) -> Option<ChannelNumber> {
        self.channels
            .iter()
            .find(|binding| binding.peer == peer && now < binding.expires_at)
            .map(|b| b.number)
    }
}

/// All living allocations, by relayed address, by five-tuple and by expiry.
#[derive(Default)]
pub(crate) struct Allocations {
    by_relayed: HashMap<RelayedAddr, Allocation>,
    by_client: HashMap<FiveTuple, RelayedAddr>,
    by_expiry: BTreeSet<(Duration, RelayedAddr)>,
}

impl Allocations {
    pub(crate) fn len(&self) -> usize {
        self.by_relayed.len()
    }

    /// A random port that no living allocation has; `None` if all 16,384 are taken.
    pub(crate) fn free_address(&self, rng: &mut StdRng) -> Option<RelayedAddr> {
        let ports = u16::MAX - FIRST_PORT;
        let drawn = rng.random_range(0..=ports);
        let from_drawn = (0..=ports).map(|step| FIRST_PORT + (drawn + step) % (ports + 1));
        from_drawn.map(RelayedAddr::new).find(|addr| !self.by_relayed.contains_key(addr))
    }

    /// Adds an allocation at a free relayed address.
    pub(crate) fn insert(&mut self, relayed: RelayedAddr, mut allocation: Allocation, expires_at: Duration) {
        allocation.expires_at = expires_at;
        self.by_client.insert(allocation.five_tuple, relayed);
        self.by_expiry.insert((expires_at, relayed));
        self.by_relayed.insert(relayed, allocation);
    }

    pub(crate) fn remove(&mut self, relayed: RelayedAddr) -> Option<Allocation> {
        let allocation = self.by_relayed.remove(&relayed)?;
        self.by_client.remove(&allocation.five_tuple);
        self.by_expiry.remove(&(allocation.expires_at, relayed));
        Some(allocation)
    }

    /// Moves an allocation's end.
    pub(crate) fn expire_at(&mut self, relayed: RelayedAddr, expires_at: Duration) {
        if let Some(allocation) = self.by_relayed.get_mut(&relayed) {
            self.by_expiry.remove(&(allocation.expires_at, relayed));
            self.by_expiry.insert((expires_at, relayed));
            allocation.expires_at = expires_at;
        }
    }

    /// The next allocation to end, and when.
    pub(crate) fn next_expiry(&self) -> Option<(Duration, RelayedAddr)> {
        self.by_expiry.first().copied()
    }

    pub(crate) fn of_client(&self, five_tuple: &FiveTuple) -> Option<RelayedAddr> {
        self.by_client.get(five_tuple).copied()
    }

    pub(crate) fn at(&self, relayed: RelayedAddr) -> Option<&Allocation> {
        self.by_relayed.get(&relayed)
    }

    pub(crate) fn at_mut(&mut self, relayed: RelayedAddr) -> Option<&mut Allocation> {
        self.by_relayed.get_mut(&relayed)
    }
}
