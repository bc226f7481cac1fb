//! What ought to be: a plain model of allocations, permissions and channels, fed by the server's own signed answers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use visavis_turn::{Clients, FiveTuple, RELAYED_IP};

/// Allocations of one seat.
pub const QUOTA: u16 = 4;

/// Call and seat.
pub type Seat = (&'static str, &'static str);

#[derive(Debug)]
pub struct Allocation {
    pub seat: Seat,
    pub relayed: SocketAddr,
    pub transaction: u128,
    pub expires_at: Duration,
    pub permitted_until: Duration,
    /// Number, peer, end.
    pub channels: Vec<(u16, SocketAddr, Duration)>,
}

#[derive(Debug)]
pub struct Reservation {
    pub token: Vec<u8>,
    pub seat: Seat,
    pub port: u16,
    pub expires_at: Duration,
}

/// What a client names as the way of its data.
#[derive(Clone, Copy, Debug)]
pub enum Label {
    Channel(u16),
    Peer(SocketAddr),
}

pub struct Model {
    pub clients: Clients,
    pub allocations: HashMap<FiveTuple, Allocation>,
    pub reservations: Vec<Reservation>,
    /// The number of the last end of each seat; credentials from before it open nothing.
    pub ended: HashMap<Seat, u32>,
    pub ends: u32,
}

impl Model {
    pub fn new(clients: Clients) -> Self {
        Model {
            clients,
            allocations: HashMap::new(),
            reservations: Vec::new(),
            ended: HashMap::new(),
            ends: 0,
        }
    }

    /// Ends what has a lifetime.
    pub fn expire(&mut self, now: Duration) {
        self.allocations.retain(|_, allocation| now < allocation.expires_at);
        self.reservations.retain(|reservation| now < reservation.expires_at);
    }

    pub fn end_seats(&mut self, is_ended: impl Fn(Seat) -> bool, seats: &[Seat]) {
        self.ends += 1;
        for seat in seats.iter().filter(|seat| is_ended(**seat)) {
            self.ended.insert(*seat, self.ends);
        }
        self.allocations.retain(|_, allocation| !is_ended(allocation.seat));
        self.reservations.retain(|reservation| !is_ended(reservation.seat));
    }

    pub fn held_by(&self, seat: Seat) -> usize {
        let allocations = self.allocations.values().filter(|allocation| allocation.seat == seat).count();
        allocations + self.reservations.iter().filter(|reservation| reservation.seat == seat).count()
    }

    /// Calls that hold anything.
    pub fn calls(&self) -> usize {
        let of_allocations = self.allocations.values().map(|allocation| allocation.seat.0);
        let of_reservations = self.reservations.iter().map(|reservation| reservation.seat.0);
        of_allocations.chain(of_reservations).collect::<std::collections::HashSet<_>>().len()
    }

    pub fn next_timeout(&self) -> Option<Duration> {
        let of_allocations = self.allocations.values().map(|allocation| allocation.expires_at);
        of_allocations.chain(self.reservations.iter().map(|reservation| reservation.expires_at)).min()
    }

    pub fn is_taken(&self, port: u16) -> bool {
        self.allocations.values().any(|allocation| allocation.relayed.port() == port)
            || self.reservations.iter().any(|reservation| reservation.port == port)
    }

    pub fn at(&self, relayed: SocketAddr) -> Option<(&FiveTuple, &Allocation)> {
        self.allocations.iter().find(|(_, allocation)| allocation.relayed == relayed)
    }

    /// Whom a payload must reach, and under which header: the receiver's channel, or none for a Data indication.
    pub fn way(
        &self,
        now: Duration,
        from: &FiveTuple,
        label: Label,
        payload: &[u8],
    ) -> Option<(FiveTuple, Option<u16>)> {
        let is_webrtc = matches!(payload.first(), Some(0..=3 | 20..=63 | 128..=191));
        if self.clients == Clients::Browsers && !is_webrtc {
            return None;
        }
        let sender = self.allocations.get(from)?;
        let to = match label {
            Label::Channel(number) => {
                sender.channels.iter().find(|(known, _, until)| *known == number && now < *until)?.1
            }
            Label::Peer(peer) if peer.ip() == RELAYED_IP && now < sender.permitted_until => peer,
            Label::Peer(_) => return None,
        };
        let (to, receiver) = self.at(to)?;
        if receiver.seat.0 != sender.seat.0 || now >= receiver.permitted_until {
            return None;
        }
        let channel =
            receiver.channels.iter().find(|(_, peer, until)| *peer == sender.relayed && now < *until);
        Some((*to, channel.map(|(number, _, _)| *number)))
    }
}
