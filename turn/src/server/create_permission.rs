//! CreatePermission (RFC 8656, section 10.2): by address only, and there is only one address.

use super::authentication::{Refusal, Request};
use super::{Now, Server};
use crate::address::PeerAddr;
use crate::allocation::FiveTuple;
use crate::message::Response;

impl Server {
    /// The port is not looked at: Firefox sends one permission per address, with the first port it saw.
    pub(super) fn create_permission(
        &mut self,
        now: Now,
        from: &FiveTuple,
        request: &Request<'_>,
    ) -> Result<Response, Refusal> {
        let relayed = self.allocation_of(from, request)?;
        let mut peers = 0;
        let mut refused = false;
        for peer in request.message.peers() {
            let peer = peer.map_err(|_| Refusal::BadRequest)?;
            refused |= PeerAddr::new(peer).relayed().is_none();
            peers += 1;
        }
        if peers == 0 {
            return Err(Refusal::BadRequest);
        }
        if refused {
            return Err(Refusal::Forbidden);
        }
        let allocation = self.allocations.at_mut(relayed).ok_or(Refusal::AllocationMismatch)?;
        allocation.permit(now.monotonic);
        Ok(Response::success(request.message))
    }
}
