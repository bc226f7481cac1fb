//! Send and Data indications (RFC 8656, section 11): the payload stays where it was received, the header is a prepared
//! vector with three fields filled in.

use std::net::SocketAddr;
use std::ops::Range;

use stun_types::attribute::{RawAttribute, XorSocketAddr};
use stun_types::message::{
    Message as StunMessage, MessageClass, MessageType, MessageWrite, MessageWriteExt, MessageWriteVec,
    TransactionId,
};

use crate::address::{PeerAddr, RELAYED_IP, RelayedAddr};
use crate::allocation::FiveTuple;
use crate::counters::DropReason;
use crate::flow::{Delivery, Label};
use crate::message::{DATA, Message, attribute};

/// Length of the header of a Data indication: STUN header, XOR-PEER-ADDRESS of an IPv4 address, header of DATA.
pub const DATA_HEADER: usize = 20 + 12 + 4;

/// The first bytes of a Send indication: class and method (RFC 8489, section 5).
const SEND: [u8; 2] = [0x00, 0x16];

const LENGTH_AT: Range<usize> = 2..4;
const TRANSACTION_AT: Range<usize> = 8..20;
const PORT_AT: Range<usize> = 26..28;
const DATA_LENGTH_AT: Range<usize> = 34..36;

/// The high half of the magic cookie, which XOR-PEER-ADDRESS lays over the port (RFC 8489, section 14.2).
const COOKIE_HIGH: u16 = 0x2112;

/// Whether a message claims to be a Send indication.
pub(crate) fn is_send(message: &[u8]) -> bool {
    message.starts_with(&SEND)
}

/// The peer and where the data lie in a Send indication; DATA of no bytes is allowed. One with attributes not understood
/// is dropped (RFC 8489, section 6.3.2), and so is one to an address that is no relayed one.
pub(crate) fn read_send(message: &[u8]) -> Result<(Label, Range<usize>), DropReason> {
    let message = Message::read(message).map_err(|_| DropReason::Malformed)?;
    if !message.unknown_attributes().is_empty() {
        return Err(DropReason::Malformed);
    }
    let peer = message.peers().next().and_then(Result::ok).ok_or(DropReason::Malformed)?;
    let data = message.position(attribute::DATA).ok_or(DropReason::Malformed)?;
    let peer = PeerAddr::new(peer).relayed().ok_or(DropReason::NoPermission)?;
    Ok((Label::Peer(peer), data))
}

/// The prepared header of every Data indication.
pub(crate) struct DataHeader([u8; DATA_HEADER]);

impl DataHeader {
    pub(crate) fn new() -> Self {
        let kind = MessageType::from_class_method(MessageClass::Indication, DATA);
        let transaction = TransactionId::from(0);
        let peer = XorSocketAddr::new(SocketAddr::from((RELAYED_IP, 0)), transaction);
        let mut write = StunMessage::builder(kind, transaction, MessageWriteVec::with_capacity(DATA_HEADER));
        write
            .add_attribute(&peer.to_raw(attribute::XOR_PEER_ADDRESS))
            .and_then(|()| write.add_attribute(&RawAttribute::new(attribute::DATA, &[])))
            .expect("two attributes fit a growing buffer");
        DataHeader(write.finish().try_into().expect("the header of an IPv4 peer has 36 bytes"))
    }

    /// The header for a payload of this length; too long for an indication is an error.
    pub(crate) fn fill(
        &self,
        payload: usize,
        peer: RelayedAddr,
        transaction: [u8; 12],
    ) -> Result<[u8; DATA_HEADER], DropReason> {
        let data_length = u16::try_from(payload).map_err(|_| DropReason::Malformed)?;
        let length = u16::try_from(DATA_HEADER - 20 + payload.next_multiple_of(4))
            .map_err(|_| DropReason::Malformed)?;
        let mut header = self.0;
        header[LENGTH_AT].copy_from_slice(&length.to_be_bytes());
        header[TRANSACTION_AT].copy_from_slice(&transaction);
        header[PORT_AT].copy_from_slice(&(peer.port() ^ COOKIE_HIGH).to_be_bytes());
        header[DATA_LENGTH_AT].copy_from_slice(&data_length.to_be_bytes());
        Ok(header)
    }
}

/// Puts the header before the payload where it lies, if what the payload came in leaves room, and zeros behind it. A
/// Send indication does; ChannelData does not: then the header stays apart.
pub(crate) fn lay_around(
    message: &mut [u8],
    payload: Range<usize>,
    header: [u8; DATA_HEADER],
    to: FiveTuple,
) -> Delivery {
    let padding = payload.len().next_multiple_of(4) - payload.len();
    let padded = payload.end + padding;
    match payload.start.checked_sub(DATA_HEADER) {
        Some(start) if padded <= message.len() => {
            message[start..payload.start].copy_from_slice(&header);
            message[payload.end..padded].fill(0);
            Delivery { to, header: None, body: start..padded, count: 1, padding: 0 }
        }
        _ => Delivery { to, header: Some(header), body: payload, count: 1, padding },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to() -> FiveTuple {
        FiveTuple::udp("198.51.100.7:4000".parse().unwrap(), "203.0.113.9:3478".parse().unwrap())
    }

    fn check(bytes: &[u8], data: &[u8], peer: RelayedAddr) {
        let message = Message::read(bytes).unwrap();
        assert_eq!((message.class(), message.method()), (MessageClass::Indication, DATA));
        assert_eq!(message.transaction, TransactionId::from(0x0909_0909_0909_0909_0909_0909));
        assert_eq!(message.peers().next(), Some(Ok(peer.socket_addr())));
        assert_eq!(message.first(attribute::DATA), Some(data));
        assert!(bytes[DATA_HEADER + data.len()..].iter().all(|byte| *byte == 0), "padding is zero");
    }

    #[test]
    fn a_data_indication_reads_back_with_its_peer_its_data_and_zero_padding() {
        let peer = RelayedAddr::new(50_000);
        for length in 0..9 {
            let header = DataHeader::new().fill(length, peer, [9; 12]).unwrap();
            // Room before and behind, as a Send indication leaves it: in place.
            let mut message = vec![0xEE; DATA_HEADER + length.next_multiple_of(4) + 8];
            let payload = DATA_HEADER..DATA_HEADER + length;
            message[payload.clone()].fill(b'x');
            let delivery = lay_around(&mut message, payload, header, to());
            assert_eq!((delivery.header, delivery.padding), (None, 0));
            check(&message[delivery.body.clone()], &vec![b'x'; length], peer);
            assert!(message[delivery.body.end..].iter().all(|byte| *byte == 0xEE), "nothing beyond changed");
            // No room, as in ChannelData: apart.
            let mut message = [&[0xEE; 4][..], &vec![b'x'; length]].concat();
            let delivery = lay_around(&mut message, 4..4 + length, header, to());
            let apart = [
                &delivery.header.expect("a header apart")[..],
                &message[delivery.body],
                &vec![0; delivery.padding],
            ]
            .concat();
            check(&apart, &vec![b'x'; length], peer);
            assert_eq!(message[..4], [0xEE; 4]);
        }
    }
}
