//! The calls that have allocations: their seats, quotas, bandwidth and traffic. A call without allocations is forgotten.

use std::collections::HashMap;
use std::time::Duration;

use crate::address::RelayedAddr;
use crate::token_bucket::{Rate, TokenBucket};

/// Seats of one call that may hold allocations at once: far more than a consultation has.
const SEATS: usize = 64;

/// What passed between the allocations of one call since it has had any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Allocations alive now.
    pub allocations: usize,
    /// Bytes of payload that were not connectivity checks: DTLS, RTP and RTCP by their first byte (RFC 7983).
    pub media_bytes: u64,
    /// The packets they came in.
    pub media_packets: u64,
    /// Bytes of payload that were STUN: the connectivity checks of ICE.
    pub check_bytes: u64,
}

/// Which seat of which call; valid while the call has an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeatRef {
    pub(crate) call: CallId,
    seat: u8,
}

/// A call's number while it has allocations; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallId(u64);

#[derive(Debug)]
struct Call {
    label: Box<str>,
    seats: Vec<Seat>,
    allocations: Vec<(RelayedAddr, u8)>,
    traffic: Traffic,
}

#[derive(Debug)]
struct Seat {
    label: Box<str>,
    sending: TokenBucket,
    receiving: TokenBucket,
}

/// All calls with allocations.
#[derive(Default)]
pub(crate) struct Calls {
    by_id: HashMap<CallId, Call>,
    by_label: HashMap<Box<str>, CallId>,
    next_id: u64,
}

impl Calls {
    /// The seat of a user name, entered if it is new; `None` if it holds `quota` allocations, or the call
    /// has no room for another seat. A call entered here must get an allocation at once.
    pub(crate) fn enter(&mut self, call: &str, seat: &str, quota: u16) -> Option<SeatRef> {
        if quota == 0 {
            return None;
        }
        let id = match self.by_label.get(call) {
            Some(id) => *id,
            None => self.add_call(call),
        };
        let call = self.by_id.get_mut(&id).expect("every label leads to a call");
        let position = match call.seats.iter().position(|known| &*known.label == seat) {
            Some(position) => position,
            None if call.seats.len() == SEATS => return None,
            None => {
                let (sending, receiving) = (TokenBucket::default(), TokenBucket::default());
                call.seats.push(Seat { label: seat.into(), sending, receiving });
                call.seats.len() - 1
            }
        };
        let position = u8::try_from(position).expect("there are fewer than 256 seats");
        let held = call.allocations.iter().filter(|(_, seat)| *seat == position).count();
        (held < usize::from(quota)).then_some(SeatRef { call: id, seat: position })
    }

    fn add_call(&mut self, label: &str) -> CallId {
        let id = CallId(self.next_id);
        self.next_id += 1;
        self.by_label.insert(label.into(), id);
        let (seats, allocations, traffic) = (Vec::new(), Vec::new(), Traffic::default());
        self.by_id.insert(id, Call { label: label.into(), seats, allocations, traffic });
        id
    }

    /// Whether a user name's seat is this one.
    pub(crate) fn is(&self, seat: SeatRef, call_label: &str, seat_label: &str) -> bool {
        self.by_id.get(&seat.call).is_some_and(|call| {
            &*call.label == call_label && &*call.seats[usize::from(seat.seat)].label == seat_label
        })
    }

    pub(crate) fn add_allocation(&mut self, seat: SeatRef, relayed: RelayedAddr) {
        if let Some(call) = self.by_id.get_mut(&seat.call) {
            call.allocations.push((relayed, seat.seat));
        }
    }

    /// Takes an allocation off its call; with the last one the call goes.
    pub(crate) fn remove_allocation(&mut self, seat: SeatRef, relayed: RelayedAddr) {
        let Some(call) = self.by_id.get_mut(&seat.call) else { return };
        call.allocations.retain(|(addr, _)| *addr != relayed);
        if call.allocations.is_empty() {
            self.by_label.remove(&call.label);
            self.by_id.remove(&seat.call);
        }
    }

    /// The allocations of a call, or of one seat of it.
    pub(crate) fn allocations(&self, call: &str, seat: Option<&str>) -> Vec<RelayedAddr> {
        let Some(call) = self.by_label.get(call).and_then(|id| self.by_id.get(id)) else { return Vec::new() };
        let of_seat =
            |position: u8| seat.is_none_or(|seat| &*call.seats[usize::from(position)].label == seat);
        call.allocations.iter().filter(|(_, position)| of_seat(*position)).map(|(addr, _)| *addr).collect()
    }

    /// Takes the bandwidth of a packet from both seats; counts nothing for either if one has none left.
    pub(crate) fn spend(
        &mut self,
        now: Duration,
        from: SeatRef,
        to: SeatRef,
        rate: Rate,
        bytes: u64,
    ) -> bool {
        let Some(call) = self.by_id.get_mut(&from.call) else { return false };
        let before = call.seats[usize::from(from.seat)].sending;
        if !call.seats[usize::from(from.seat)].sending.take(now, rate, bytes) {
            return false;
        }
        let received = call.seats[usize::from(to.seat)].receiving.take(now, rate, bytes);
        if !received {
            call.seats[usize::from(from.seat)].sending = before;
        }
        received
    }

    pub(crate) fn count(&mut self, call: CallId, is_check: bool, bytes: u64) {
        let Some(call) = self.by_id.get_mut(&call) else { return };
        if is_check {
            call.traffic.check_bytes += bytes;
        } else {
            call.traffic.media_bytes += bytes;
            call.traffic.media_packets += 1;
        }
    }

    pub(crate) fn traffic(&self, call: &str) -> Traffic {
        let call = self.by_label.get(call).and_then(|id| self.by_id.get(id));
        call.map_or_else(Traffic::default, |call| Traffic {
            allocations: call.allocations.len(),
            ..call.traffic
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}
