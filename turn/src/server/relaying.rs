//! The data path: Send indications and ChannelData in, Data indications and ChannelData out, the payload in place.

use std::ops::Range;

use rand::Rng;

use super::{FirstByte, Now, Server};
use crate::address::{PeerAddr, RelayedAddr};
use crate::allocation::FiveTuple;
use crate::channel_data;
use crate::counters::DropReason;
use crate::data_indication;
use crate::message::Message;
use crate::packet::{Packet, Transmit};

/// What a payload is, by its first byte (RFC 7983).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Stun,
    DtlsOrRtp,
    Other,
}

impl Content {
    fn of(payload: &[u8]) -> Self {
        match payload.first() {
            Some(0..=3) => Content::Stun,
            Some(20..=63 | 128..=191) => Content::DtlsOrRtp,
            _ => Content::Other,
        }
    }
}

impl Server {
    /// ChannelData from a client (RFC 8656, section 12.6).
    pub(super) fn channel_data<'a>(
        &mut self,
        now: Now,
        from: &FiveTuple,
        packet: Packet<'a>,
    ) -> Option<Transmit<'a>> {
        let route = self.route_of_channel(now, from, packet.bytes());
        self.pass_on(now, route, packet)
    }

    fn route_of_channel(&self, now: Now, from: &FiveTuple, bytes: &[u8]) -> Result<Route, DropReason> {
        let (channel, payload) = channel_data::read(bytes).ok_or(DropReason::Malformed)?;
        let sender = self.allocations.of_client(from).ok_or(DropReason::NoAllocation)?;
        let allocation = self.allocations.at(sender).ok_or(DropReason::NoAllocation)?;
        let receiver = allocation.peer_of(now.monotonic, channel).ok_or(DropReason::ChannelNotBound)?;
        Ok(Route { sender, receiver, payload })
    }

    /// The peer and the data of a Send indication; one with attributes not understood is dropped
    /// (RFC 8489, section 6.3.2).
    pub(super) fn read_send(&self, message: &Message<'_>) -> Result<(PeerAddr, Range<usize>), DropReason> {
        if !message.unknown_attributes().is_empty() {
            return Err(DropReason::Malformed);
        }
        data_indication::read_send(message).map_err(|_| DropReason::Malformed)
    }

    /// A Send indication from a client (RFC 8656, section 11.2).
    pub(super) fn send_indication<'a>(
        &mut self,
        now: Now,
        from: &FiveTuple,
        send: Result<(PeerAddr, Range<usize>), DropReason>,
        packet: Packet<'a>,
    ) -> Option<Transmit<'a>> {
        let route = send.and_then(|(peer, payload)| self.route_of_send(now, from, peer, payload));
        self.pass_on(now, route, packet)
    }

    fn route_of_send(
        &self,
        now: Now,
        from: &FiveTuple,
        peer: PeerAddr,
        payload: Range<usize>,
    ) -> Result<Route, DropReason> {
        let sender = self.allocations.of_client(from).ok_or(DropReason::NoAllocation)?;
        let allocation = self.allocations.at(sender).ok_or(DropReason::NoAllocation)?;
        let receiver = peer.relayed().ok_or(DropReason::NoPermission)?;
        if !allocation.permits(now.monotonic) {
            return Err(DropReason::NoPermission);
        }
        Ok(Route { sender, receiver, payload })
    }

    fn pass_on<'a>(
        &mut self,
        now: Now,
        route: Result<Route, DropReason>,
        mut packet: Packet<'a>,
    ) -> Option<Transmit<'a>> {
        match route.and_then(|route| self.deliver(now, &route, &mut packet)) {
            Ok((to, message)) => Some(Transmit { to, bytes: packet.into_slice(message) }),
            Err(reason) => self.count_drop(reason),
        }
    }

    /// From relayed address to relayed address, as if over a network between them (RFC 8656, sections 11.3 and
    /// 12.7): the receiver must permit the sender; its channel, if it bound one, names the sender.
    fn deliver(
        &mut self,
        now: Now,
        route: &Route,
        packet: &mut Packet<'_>,
    ) -> Result<(FiveTuple, Range<usize>), DropReason> {
        let payload = &packet.bytes()[route.payload.clone()];
        let content = Content::of(payload);
        if content == Content::Other && self.settings.first_byte == FirstByte::WebRtcOnly {
            return Err(DropReason::FirstByte);
        }
        let bytes = payload.len() as u64;
        let sender = self.allocations.at(route.sender).ok_or(DropReason::NoAllocation)?.seat;
        let receiver = self.allocations.at(route.receiver).ok_or(DropReason::NoPeer)?;
        if receiver.seat.call != sender.call {
            return Err(DropReason::NoPeer);
        }
        if !receiver.permits(now.monotonic) {
            return Err(DropReason::PeerNoPermission);
        }
        if !self.calls.spend(now.monotonic, sender, receiver.seat, self.bandwidth, bytes) {
            return Err(DropReason::Bandwidth);
        }
        self.calls.count(sender.call, content == Content::Stun, bytes);
        self.counters.relayed_packets += 1;
        self.counters.relayed_bytes += bytes;
        let payload = packet.position(&route.payload);
        let message = match receiver.channel_to(now.monotonic, route.sender) {
            Some(channel) => channel_data::write(packet.buffer(), payload, channel),
            None => {
                let mut transaction = [0; 12];
                self.rng.fill_bytes(&mut transaction);
                self.data_header.write(packet.buffer(), payload, route.sender, transaction)
            }
        };
        Ok((receiver.five_tuple, message))
    }
}

/// From which allocation to which address, and where in the datagram the data lie.
struct Route {
    sender: RelayedAddr,
    receiver: RelayedAddr,
    payload: Range<usize>,
}
