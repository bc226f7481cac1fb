//! The calls that have allocations: their seats, quotas, bandwidth and traffic. A call without allocations is forgotten.

use std::collections::HashMap;
use std::sync::Arc;

use crate::address::RelayedAddr;
use crate::meter::{CallMeter, SeatMeter, Traffic};

/// Seats of one call that may hold allocations at once: far more than a consultation has.
const SEATS: usize = 64;

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
    meter: Arc<CallMeter>,
}

#[derive(Debug)]
struct Seat {
    label: Box<str>,
    meter: Arc<SeatMeter>,
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
    pub(crate) fn enter(&mut self, call: &str, seat: &str, quota: u16, is_group: bool) -> Option<SeatRef> {
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
                call.seats.push(Seat { label: seat.into(), meter: Arc::default() });
                call.seats.len() - 1
            }
        };
        if is_group {
            call.seats[position].meter.widen();
        }
        let position = u8::try_from(position).expect("there are fewer than 256 seats");
        let held = call.allocations.iter().filter(|(_, seat)| *seat == position).count();
        (held < usize::from(quota)).then_some(SeatRef { call: id, seat: position })
    }

    fn add_call(&mut self, label: &str) -> CallId {
        let id = CallId(self.next_id);
        self.next_id += 1;
        self.by_label.insert(label.into(), id);
        let (seats, allocations, meter) = (Vec::with_capacity(2), Vec::with_capacity(2), Arc::default());
        self.by_id.insert(id, Call { label: label.into(), seats, allocations, meter });
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
        call.meter.change();
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

    /// The meters of a seat and of its call.
    pub(crate) fn meters(&self, seat: SeatRef) -> Option<(&Arc<CallMeter>, &Arc<SeatMeter>)> {
        let call = self.by_id.get(&seat.call)?;
        Some((&call.meter, &call.seats[usize::from(seat.seat)].meter))
    }

    /// Makes every flow of a call be looked up again.
    pub(crate) fn change(&self, call: CallId) {
        if let Some(call) = self.by_id.get(&call) {
            call.meter.change();
        }
    }

    pub(crate) fn traffic(&self, call: &str) -> Traffic {
        let call = self.by_label.get(call).and_then(|id| self.by_id.get(id));
        call.map_or_else(Traffic::default, |call| call.meter.traffic(call.allocations.len()))
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}
