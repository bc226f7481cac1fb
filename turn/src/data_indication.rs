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
use crate::message::{DATA, Malformed, Message, attribute};

/// STUN header, XOR-PEER-ADDRESS of an IPv4 address, header of DATA.
const HEADER: usize = 20 + 12 + 4;

const LENGTH_AT: Range<usize> = 2..4;
const TRANSACTION_AT: Range<usize> = 8..20;
const PORT_AT: Range<usize> = 26..28;
const DATA_LENGTH_AT: Range<usize> = 34..36;

/// The high half of the magic cookie, which XOR-PEER-ADDRESS lays over the port (RFC 8489, section 14.2).
const COOKIE_HIGH: u16 = 0x2112;

/// The peer and where the data lie in a Send indication; DATA of no bytes is allowed.
pub(crate) fn read_send(message: &Message<'_>) -> Result<(PeerAddr, Range<usize>), Malformed> {
    let peer = message.peers().next().ok_or(Malformed)??;
    let data = message.position(attribute::DATA).ok_or(Malformed)?;
    Ok((PeerAddr::new(peer), data))
}

/// The prepared header of every Data indication.
pub(crate) struct DataHeader([u8; HEADER]);

impl DataHeader {
    pub(crate) fn new() -> Self {
        let kind = MessageType::from_class_method(MessageClass::Indication, DATA);
        let transaction = TransactionId::from(0);
        let peer = XorSocketAddr::new(SocketAddr::from((RELAYED_IP, 0)), transaction);
        let mut write = StunMessage::builder(kind, transaction, MessageWriteVec::with_capacity(HEADER));
        write
            .add_attribute(&peer.to_raw(attribute::XOR_PEER_ADDRESS))
            .and_then(|()| write.add_attribute(&RawAttribute::new(attribute::DATA, &[])))
            .expect("two attributes fit a growing buffer");
        DataHeader(write.finish().try_into().expect("the header of an IPv4 peer has 36 bytes"))
    }

    /// Writes header and padding around `payload` and gives the range of the whole message in `buffer`.
    pub(crate) fn write(
        &self,
        buffer: &mut [u8],
        payload: Range<usize>,
        peer: RelayedAddr,
        transaction: [u8; 12],
    ) -> Range<usize> {
        let padding = payload.len().next_multiple_of(4) - payload.len();
        let message = payload.start - HEADER..payload.end + padding;
        let data_length = u16::try_from(payload.len()).expect("a datagram's payload is shorter than 64 KiB");
        let length = u16::try_from(message.len() - 20).expect("so is an indication made of it");
        let mut header = self.0;
        header[LENGTH_AT].copy_from_slice(&length.to_be_bytes());
        header[TRANSACTION_AT].copy_from_slice(&transaction);
        header[PORT_AT].copy_from_slice(&(peer.port() ^ COOKIE_HIGH).to_be_bytes());
        header[DATA_LENGTH_AT].copy_from_slice(&data_length.to_be_bytes());
        buffer[message.start..payload.start].copy_from_slice(&header);
        buffer[payload.end..message.end].fill(0);
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_indication_reads_back_with_its_peer_its_data_and_zero_padding() {
        for length in 0..9 {
            let mut buffer = vec![0xEE; HEADER + length + 8];
            buffer[HEADER..HEADER + length].fill(b'x');
            let peer = RelayedAddr::new(50_000);
            let range = DataHeader::new().write(&mut buffer, HEADER..HEADER + length, peer, [9; 12]);
            assert_eq!(range, 0..HEADER + length.next_multiple_of(4));
            let message = Message::read(&buffer[range.clone()]).unwrap();
            assert_eq!((message.class(), message.method()), (MessageClass::Indication, DATA));
            assert_eq!(message.transaction, TransactionId::from(0x0909_0909_0909_0909_0909_0909));
            assert_eq!(message.peers().next(), Some(Ok(peer.socket_addr())));
            assert_eq!(message.first(attribute::DATA), Some(&vec![b'x'; length][..]));
            assert!(buffer[HEADER + length..range.end].iter().all(|byte| *byte == 0));
            assert!(
                buffer[range.end..].iter().all(|byte| *byte == 0xEE),
                "nothing beyond the padding changed"
            );
        }
    }
}
