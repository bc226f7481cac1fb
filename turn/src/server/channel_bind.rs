//! ChannelBind (RFC 8656, section 12.2): only towards a living allocation of the same call.

use super::authentication::{Refusal, Request};
use super::{Now, Server};
use crate::address::PeerAddr;
use crate::allocation::{Binding, ChannelRefused, FiveTuple};
use crate::message::{Response, attribute};

impl Server {
    pub(super) fn channel_bind(
        &mut self,
        now: Now,
        from: &FiveTuple,
        request: &Request<'_>,
    ) -> Result<Response, Refusal> {
        let relayed = self.allocation_of(from, request)?;
        let Some([high, low, _, _]) = request.message.first(attribute::CHANNEL_NUMBER) else {
            return Err(Refusal::BadRequest);
        };
        let number = u16::from_be_bytes([*high, *low]);
        let number = self.settings.clients.channel(number).ok_or(Refusal::BadRequest)?;
        let peer = request.message.peers().next().ok_or(Refusal::BadRequest)?;
        let peer =
            PeerAddr::new(peer.map_err(|_| Refusal::BadRequest)?).relayed().ok_or(Refusal::Forbidden)?;
        let peer_call = self.allocations.at(peer).map(|allocation| allocation.seat.call);
        let allocation = self.allocations.at_mut(relayed).ok_or(Refusal::AllocationMismatch)?;
        if peer_call != Some(allocation.seat.call) {
            return Err(Refusal::Forbidden);
        }
        let call = allocation.seat.call;
        let binding = allocation.bind(now.monotonic, number, peer).map_err(|refused| match refused {
            ChannelRefused::Conflict => Refusal::BadRequest,
            ChannelRefused::Full => Refusal::InsufficientCapacity,
        })?;
        if binding == Binding::New {
            self.calls.change(call);
        }
        Ok(Response::success(request.message))
    }
}
