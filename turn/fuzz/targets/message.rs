//! Any bytes as a datagram: the reader never panics, says the same each time, agrees with the bytes, and what it read
//! reads the same when it is written again.

use stun_types::attribute::{AttributeType, RawAttribute};
use stun_types::message::{Message, MessageType, MessageWrite, MessageWriteExt, MessageWriteVec};
use visavis_turn::Clients;
use visavis_turn::fuzzing::{ReadMessage, read_message, read_payload};

const MESSAGE_INTEGRITY: u16 = 0x0008;
const XOR_PEER_ADDRESS: u16 = 0x0012;

/// One input.
pub fn run(bytes: &[u8]) {
    for clients in [Clients::Browsers, Clients::Any] {
        if let Some(payload) = read_payload(bytes, clients) {
            assert!(payload.start >= 4 && payload.end <= bytes.len(), "{payload:?} of {}", bytes.len());
        }
    }
    let Some(read) = read_message(bytes) else { return };
    assert_eq!(read_message(bytes).as_ref(), Some(&read), "the same bytes, another reading");
    assert!(bytes[0] < 0x40 && bytes[4..8] == 0x2112_A442_u32.to_be_bytes());
    assert_eq!(bytes.len(), 20 + usize::from(u16::from_be_bytes([bytes[2], bytes[3]])));
    agrees_with_the_attributes(&read);
    reads_the_same_when_written_again(&read);
    takes_nothing_after_message_integrity(bytes, &read);
}

fn agrees_with_the_attributes(read: &ReadMessage) {
    let kinds = || read.attributes.iter().map(|(kind, _)| *kind);
    assert_eq!(read.peers.len(), kinds().filter(|kind| *kind == XOR_PEER_ADDRESS).count());
    assert!(read.unknown.iter().all(|unknown| *unknown < 0x8000 && kinds().any(|kind| kind == *unknown)));
    assert!(!kinds().any(|kind| kind == MESSAGE_INTEGRITY), "the body ends before MESSAGE-INTEGRITY");
}

fn reads_the_same_when_written_again(read: &ReadMessage) {
    let kind = MessageType::from_bytes(&read.kind.to_be_bytes()).expect("the reader took it");
    let mut write = Message::builder(kind, read.transaction.into(), MessageWriteVec::new());
    for (kind, value) in &read.attributes {
        let raw = RawAttribute::new(AttributeType::new(*kind), value);
        write.add_attribute(&raw).expect("what was read from one message fits into one");
    }
    let again = read_message(&write.finish()).expect("what the reader took can be read again");
    assert_eq!((&again.attributes, &again.peers), (&read.attributes, &read.peers));
    assert_eq!((again.kind, again.transaction, &again.unknown), (read.kind, read.transaction, &read.unknown));
    assert!(!again.has_integrity && !again.has_fingerprint);
}

fn takes_nothing_after_message_integrity(bytes: &[u8], read: &ReadMessage) {
    // FINGERPRINT is last or the message is none.
    if !read.has_integrity || read.has_fingerprint || bytes.len() > 60_000 {
        return;
    }
    let mut longer = [bytes, &XOR_PEER_ADDRESS.to_be_bytes(), &[0, 8, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    let length = u16::try_from(longer.len() - 20).expect("it is shorter than 60,012 bytes");
    longer[2..4].copy_from_slice(&length.to_be_bytes());
    assert_eq!(read_message(&longer).as_ref(), Some(read));
}
