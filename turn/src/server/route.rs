//! The way of a packet from one client to another, found for [`crate::Flows`], who remember it.

use std::sync::Arc;

use super::{Now, Server};
use crate::allocation::FiveTuple;
use crate::counters::DropReason;
use crate::flow::{Flow, Head, Label};

impl Server {
    /// The way of what a client sends under a label: its channel or its permission (RFC 8656, sections 12.6 and 11.2),
    /// then as if over a network between the two relayed addresses (sections 11.3 and 12.7): the receiver must live,
    /// be of the same call and permit the sender; its channel, if it bound one, names the sender.
    pub(crate) fn flow(&mut self, now: Now, from: &FiveTuple, label: Label) -> Result<Flow, DropReason> {
        self.handle_timeout(now);
        let time = now.monotonic;
        let from = self.allocations.of_client(from).ok_or(DropReason::NoAllocation)?;
        let sender = self.allocations.at(from).ok_or(DropReason::NoAllocation)?;
        let (to, label_until) = match label {
            Label::Channel(channel) => sender.peer_of(time, channel).ok_or(DropReason::ChannelNotBound)?,
            Label::Peer(peer) => (peer, sender.permitted_until(time).ok_or(DropReason::NoPermission)?),
        };
        let receiver = self.allocations.at(to).ok_or(DropReason::NoPeer)?;
        if receiver.seat.call != sender.seat.call {
            return Err(DropReason::NoPeer);
        }
        let permitted_until = receiver.permitted_until(time).ok_or(DropReason::PeerNoPermission)?;
        let (head, head_until) = match receiver.channel_to(time, from) {
            Some((channel, until)) => (Head::Channel(channel), until),
            None => (Head::Data(from), permitted_until),
        };
        let (call, sending) = self.calls.meters(sender.seat).ok_or(DropReason::NoAllocation)?;
        let (_, receiving) = self.calls.meters(receiver.seat).ok_or(DropReason::NoPeer)?;
        Ok(Flow {
            label,
            to: receiver.five_tuple,
            head,
            valid_until: label_until
                .min(permitted_until)
                .min(head_until)
                .min(sender.expires_at())
                .min(receiver.expires_at()),
            version: call.version(),
            call: Arc::clone(call),
            sender: Arc::clone(sending),
            receiver: Arc::clone(receiving),
        })
    }
}
