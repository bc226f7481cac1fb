//! Refresh (RFC 8656, section 8.2): a new lifetime, or the end.

use std::time::Duration;

use super::allocate::{IPV4, lifetime};
use super::authentication::{Refusal, Request};
use super::{Now, Server};
use crate::address::RelayedAddr;
use crate::allocation::FiveTuple;
use crate::message::{Response, attribute};

impl Server {
    /// A living allocation is refreshed whatever the expiry of its credential: it lives as long as its seat may.
    pub(super) fn refresh(
        &mut self,
        now: Now,
        from: &FiveTuple,
        request: &Request<'_>,
    ) -> Result<Response, Refusal> {
        let relayed = self.allocation_of(from, request)?;
        if request
            .message
            .first(attribute::REQUESTED_ADDRESS_FAMILY)
            .is_some_and(|family| family.first() != Some(&IPV4))
        {
            return Err(Refusal::PeerAddressFamilyMismatch);
        }
        let wants_end = request.message.first(attribute::LIFETIME) == Some(&[0; 4]);
        let granted = if wants_end { 0 } else { lifetime(request.message)? };
        if wants_end {
            self.end_allocation(relayed);
        } else {
            let expires_at = now.monotonic + Duration::from_secs(u64::from(granted));
            self.allocations.expire_at(relayed, expires_at);
        }
        Ok(Response::success(request.message).with_bytes(attribute::LIFETIME, &granted.to_be_bytes()))
    }

    /// The allocation of a five-tuple, if it belongs to the seat that asks: 437 without one, 441 for another seat.
    pub(super) fn allocation_of(
        &self,
        from: &FiveTuple,
        request: &Request<'_>,
    ) -> Result<RelayedAddr, Refusal> {
        let relayed = self.allocations.of_client(from).ok_or(Refusal::AllocationMismatch)?;
        let allocation = self.allocations.at(relayed).ok_or(Refusal::AllocationMismatch)?;
        if !self.calls.is(allocation.seat, request.user.call, request.user.seat) {
            return Err(Refusal::WrongCredentials);
        }
        Ok(relayed)
    }
}
