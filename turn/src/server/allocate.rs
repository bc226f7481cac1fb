//! Allocate (RFC 8656, section 7.2), in the order of its steps.

use std::time::Duration;

use stun_types::attribute::XorMappedAddress;

use super::authentication::{Refusal, Request};
use super::{Now, Server};
use crate::address::RelayedAddr;
use crate::allocation::{Allocation, FiveTuple, PortWish, Token};
use crate::call::SeatRef;
use crate::message::{Message, Response, attribute};
use crate::settings::Clients;

/// Lifetimes of allocations, in seconds (RFC 8656, section 5).
const DEFAULT_LIFETIME: u32 = 600;
const LONGEST_LIFETIME: u32 = 3600;

/// How long a port is kept for the client that asked for the pair (RFC 8656, section 7.2).
const RESERVATION_LIFETIME: Duration = Duration::from_secs(30);

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
        let wishes = self.check_wishes(request.message)?;
        let granted = lifetime(request.message)?;
        let (relayed, seat) = match wishes.port {
            Port::Drawn(wish) => self.draw(request, wish)?,
            Port::Reserved(token) => self
                .allocations
                .claim(token, |seat| self.calls.is(seat, request.user.call, request.user.seat))
                .ok_or(Refusal::InsufficientCapacity)?,
        };
        let mut allocation = Allocation::new(*from, seat, request.message.transaction, granted);
        if wishes.port == Port::Drawn(PortWish::EvenAndNext) {
            let until = now.monotonic + RESERVATION_LIFETIME;
            let (next, token) = self.allocations.reserve_next(relayed, seat, &mut self.rng, until);
            self.calls.add_allocation(seat, next);
            allocation.reserved = Some(token);
        }
        let response = success(request.message, relayed, &allocation, wishes.families);
        self.allocations.insert(relayed, allocation, now.monotonic + Duration::from_secs(u64::from(granted)));
        self.tally.allocations_made.add(1);
        Ok(response)
    }

    /// A free port, within the seat's quota; a port kept for later counts too.
    fn draw(&mut self, request: &Request<'_>, wish: PortWish) -> Result<(RelayedAddr, SeatRef), Refusal> {
        let relayed =
            self.allocations.free_address(&mut self.rng, wish).ok_or(Refusal::InsufficientCapacity)?;
        let kept = u16::from(wish == PortWish::EvenAndNext);
        // A pair's share again for each two partners more.
        let shares = u16::from(request.user.seats / 2).max(1);
        let quota = self.settings.allocations_per_seat.saturating_mul(shares).saturating_sub(kept);
        let seat = self
            .calls
            .enter(request.user.call, request.user.seat, quota, request.user.seats > 2)
            .ok_or(Refusal::AllocationQuotaReached)?;
        self.calls.add_allocation(seat, relayed);
        Ok((relayed, seat))
    }

    /// The five-tuple has an allocation: the request that made it, sent again, gets the same answer.
    fn allocate_again(&self, relayed: RelayedAddr, request: &Request<'_>) -> Result<Response, Refusal> {
        let allocation = self.allocations.at(relayed).ok_or(Refusal::AllocationMismatch)?;
        let same_seat = self.calls.is(allocation.seat, request.user.call, request.user.seat);
        if !same_seat || allocation.transaction != request.message.transaction {
            return Err(Refusal::AllocationMismatch);
        }
        let families = self.check_wishes(request.message)?.families;
        Ok(success(request.message, relayed, allocation, families))
    }

    /// Transport, address families, ports: steps 3 to 9.
    fn check_wishes(&self, message: &Message<'_>) -> Result<Wishes, Refusal> {
        match message.first(attribute::REQUESTED_TRANSPORT) {
            Some([UDP, _, _, _]) => {}
            Some([_, _, _, _]) => return Err(Refusal::UnsupportedTransport),
            _ => return Err(Refusal::BadRequest),
        }
        let token = message.first(attribute::RESERVATION_TOKEN);
        let even_port = message.first(attribute::EVEN_PORT);
        let family = message.first(attribute::REQUESTED_ADDRESS_FAMILY);
        let additional = message.first(attribute::ADDITIONAL_ADDRESS_FAMILY);
        let wish = match even_port {
            None => PortWish::Any,
            Some([bits, ..]) if bits & 0x80 != 0 => PortWish::EvenAndNext,
            Some(_) => PortWish::Even,
        };
        let contradictory = token.is_some()
            && (even_port.is_some() || family.is_some() || additional.is_some())
            || family.is_some() && additional.is_some()
            || wish == PortWish::EvenAndNext && additional.is_some();
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
        let asks_for_a_port = token.is_some() || wish != PortWish::Any;
        if asks_for_a_port && self.settings.clients == Clients::Browsers {
            return Err(Refusal::InsufficientCapacity);
        }
        let port = match token {
            Some(token) => Port::Reserved(token.try_into().map_err(|_| Refusal::BadRequest)?),
            None => Port::Drawn(wish),
        };
        Ok(Wishes { families, port })
    }
}

/// What an Allocate asks for.
struct Wishes {
    families: Families,
    port: Port,
}

/// Where the relayed port comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Port {
    Drawn(PortWish),
    Reserved(Token),
}

/// Which families the client asked for beside the IPv4 address it gets.
#[derive(Clone, Copy)]
enum Families {
    Ipv4Alone,
    Ipv6Too,
}

fn success(
    message: &Message<'_>,
    relayed: RelayedAddr,
    allocation: &Allocation,
    families: Families,
) -> Response {
    let mapped = XorMappedAddress::new(allocation.five_tuple.client.socket_addr(), message.transaction);
    let mut response = Response::success(message)
        .with_address(attribute::XOR_RELAYED_ADDRESS, relayed.socket_addr(), message.transaction)
        .with(&mapped)
        .with_bytes(attribute::LIFETIME, &allocation.granted.to_be_bytes());
    if let Some(token) = allocation.reserved {
        response = response.with_bytes(attribute::RESERVATION_TOKEN, &token);
    }
    match families {
        Families::Ipv4Alone => response,
        // RFC 8656, section 18.12: the family, then a code as in ERROR-CODE; here 440, no reason phrase.
        Families::Ipv6Too => response.with_bytes(attribute::ADDRESS_ERROR_CODE, &[IPV6, 0, 4, 40]),
    }
}

/// The lifetime to grant: what was asked for, between the default and the longest (RFC 8656, section 7.2).
pub(super) fn lifetime(message: &Message<'_>) -> Result<u32, Refusal> {
    let Some(value) = message.first(attribute::LIFETIME) else { return Ok(DEFAULT_LIFETIME) };
    let asked = u32::from_be_bytes(value.try_into().map_err(|_| Refusal::BadRequest)?);
    Ok(asked.clamp(DEFAULT_LIFETIME, LONGEST_LIFETIME))
}
