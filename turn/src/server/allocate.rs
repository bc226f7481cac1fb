//! Allocate (RFC 8656, section 7.2), in the order of its steps.

use std::time::Duration;

use stun_types::attribute::XorMappedAddress;

use super::authentication::{Refusal, Request};
use super::{Now, Server};
use crate::address::RelayedAddr;
use crate::allocation::{Allocation, FiveTuple};
use crate::message::{Message, Response, attribute};

/// Lifetimes of allocations, in seconds (RFC 8656, section 5).
const DEFAULT_LIFETIME: u32 = 600;
const LONGEST_LIFETIME: u32 = 3600;

/// UDP in REQUESTED-TRANSPORT.
const UDP: u8 = 17;

/// Values of the address family attributes.
pub(super) const IPV4: u8 = 0x01;
const IPV6: u8 = 0x02;

impl Server {
    pub(super) fn allocate(
        &mut self,
        now: Now,
        from: &FiveTuple,
        request: &Request<'_>,
    ) -> Result<Response, Refusal> {
        if let Some(relayed) = self.allocations.of_client(from) {
            return self.allocate_again(relayed, request);
        }
        if request.user.expiry < now.unix || self.bars.refuse(request.user) {
            return Err(Refusal::Unauthorized);
        }
        let families = check_wishes(request.message)?;
        let granted = lifetime(request.message)?;
        let relayed = self.allocations.free_address(&mut self.rng).ok_or(Refusal::InsufficientCapacity)?;
        let seat = self
            .calls
            .enter(request.user.call, request.user.seat, self.settings.allocations_per_seat)
            .ok_or(Refusal::AllocationQuotaReached)?;
        self.calls.add_allocation(seat, relayed);
        let allocation = Allocation::new(*from, seat, request.message.transaction, granted);
        self.allocations.insert(relayed, allocation, now.monotonic + Duration::from_secs(u64::from(granted)));
        self.counters.allocations_made += 1;
        Ok(success(request.message, from, relayed, granted, families))
    }

    /// The five-tuple has an allocation: the request that made it, sent again, gets the same answer.
    fn allocate_again(&self, relayed: RelayedAddr, request: &Request<'_>) -> Result<Response, Refusal> {
        let allocation = self.allocations.at(relayed).ok_or(Refusal::AllocationMismatch)?;
        let same_seat = self.calls.is(allocation.seat, request.user.call, request.user.seat);
        if !same_seat || allocation.transaction != request.message.transaction {
            return Err(Refusal::AllocationMismatch);
        }
        let families = check_wishes(request.message)?;
        Ok(success(request.message, &allocation.five_tuple, relayed, allocation.granted, families))
    }
}

/// Which families the client asked for beside the IPv4 address it gets.
#[derive(Clone, Copy)]
enum Families {
    Ipv4Alone,
    Ipv6Too,
}

fn success(
    message: &Message<'_>,
    from: &FiveTuple,
    relayed: RelayedAddr,
    granted: u32,
    families: Families,
) -> Response {
    let response = Response::success(message)
        .with_address(attribute::XOR_RELAYED_ADDRESS, relayed.socket_addr(), message.transaction)
        .with(&XorMappedAddress::new(from.client.socket_addr(), message.transaction))
        .with_bytes(attribute::LIFETIME, &granted.to_be_bytes());
    match families {
        Families::Ipv4Alone => response,
        // RFC 8656, section 18.12: the family, then a code as in ERROR-CODE; here 440, no reason phrase.
        Families::Ipv6Too => response.with_bytes(attribute::ADDRESS_ERROR_CODE, &[IPV6, 0, 4, 40]),
    }
}

/// Transport, address families, ports: steps 3 to 9.
fn check_wishes(message: &Message<'_>) -> Result<Families, Refusal> {
    match message.first(attribute::REQUESTED_TRANSPORT) {
        Some([UDP, _, _, _]) => {}
        Some([_, _, _, _]) => return Err(Refusal::UnsupportedTransport),
        _ => return Err(Refusal::BadRequest),
    }
    let token = message.has(attribute::RESERVATION_TOKEN);
    let even_port = message.first(attribute::EVEN_PORT);
    let family = message.first(attribute::REQUESTED_ADDRESS_FAMILY);
    let additional = message.first(attribute::ADDITIONAL_ADDRESS_FAMILY);
    let reserves_next = even_port.is_some_and(|value| value.first().is_some_and(|bits| bits & 0x80 != 0));
    let contradictory = token && (even_port.is_some() || family.is_some() || additional.is_some())
        || family.is_some() && additional.is_some()
        || reserves_next && additional.is_some();
    if contradictory {
        return Err(Refusal::BadRequest);
    }
    match family {
        None | Some([IPV4, _, _, _]) => {}
        Some([_, _, _, _]) => return Err(Refusal::AddressFamilyNotSupported),
        Some(_) => return Err(Refusal::BadRequest),
    }
    let families = match additional {
        None => Families::Ipv4Alone,
        Some([IPV6, _, _, _]) => Families::Ipv6Too,
        Some(_) => return Err(Refusal::BadRequest),
    };
    if token || even_port.is_some() {
        return Err(Refusal::InsufficientCapacity);
    }
    Ok(families)
}

/// The lifetime to grant: what was asked for, between the default and the longest (RFC 8656, section 7.2).
pub(super) fn lifetime(message: &Message<'_>) -> Result<u32, Refusal> {
    let Some(value) = message.first(attribute::LIFETIME) else { return Ok(DEFAULT_LIFETIME) };
    let asked = u32::from_be_bytes(value.try_into().map_err(|_| Refusal::BadRequest)?);
    Ok(asked.clamp(DEFAULT_LIFETIME, LONGEST_LIFETIME))
}
