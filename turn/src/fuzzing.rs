//! What the fuzz targets in `fuzz/` see of the crate's inside. It exists in the crate's own tests, which replay the targets, and under
//! `--cfg fuzzing`, which cargo-fuzz sets and nobody can switch on by a feature: in every other build the crate's API is without it.

#[cfg(test)]
mod replay;

use std::net::SocketAddr;

use stun_types::attribute::Attribute;

use crate::channel_data;
use crate::data_indication;
use crate::io::framing::{FrameLimit, Framing};
use crate::message::Message;
use crate::settings::Clients;

/// What the reader makes of a STUN message.
#[derive(Debug, PartialEq, Eq)]
pub struct ReadMessage {
    /// Bits of class and method, as they stand in the first two bytes.
    pub kind: u16,
    /// The transaction id.
    pub transaction: u128,
    /// Type and value of each attribute that counts, in order.
    pub attributes: Vec<(u16, Vec<u8>)>,
    /// Each XOR-PEER-ADDRESS; `None` where it is none.
    pub peers: Vec<Option<SocketAddr>>,
    /// What must be understood and is not, each once.
    pub unknown: Vec<u16>,
    /// Whether there is a MESSAGE-INTEGRITY.
    pub has_integrity: bool,
    /// Whether there is a FINGERPRINT, which then is right.
    pub has_fingerprint: bool,
}

/// Reads a datagram as a STUN message.
pub fn read_message(bytes: &[u8]) -> Option<ReadMessage> {
    let message = Message::read(bytes).ok()?;
    let attributes: Vec<(u16, Vec<u8>)> =
        message.attributes().map(|(_, raw)| (raw.get_type().value(), raw.value.to_vec())).collect();
    for (kind, _) in &attributes {
        let first = attributes.iter().find(|(other, _)| other == kind).map(|(_, value)| &value[..]);
        assert_eq!(message.first((*kind).into()), first, "the first of duplicates counts");
    }
    Some(ReadMessage {
        kind: u16::from_be_bytes([bytes[0], bytes[1]]),
        transaction: message.transaction.into(),
        peers: message.peers().map(Result::ok).collect(),
        unknown: message.unknown_attributes().iter().map(|kind| kind.value()).collect(),
        has_integrity: message.has_integrity(),
        has_fingerprint: message.has_fingerprint,
        attributes,
    })
}

/// Where the payload lies that a client wants to have passed on, if this is such a message.
pub fn read_payload(bytes: &[u8], clients: Clients) -> Option<std::ops::Range<usize>> {
    if clients.is_channel_data(bytes) {
        channel_data::read(bytes, clients).ok().map(|(_, payload)| payload)
    } else if data_indication::is_send(bytes) {
        data_indication::read_send(bytes).ok().map(|(_, payload)| payload)
    } else {
        None
    }
}

/// A stream that is cut into frames.
pub struct Stream(Framing);

impl Stream {
    /// A stream from its beginning, of a client with or without an allocation.
    pub fn new(clients: Clients, has_allocation: bool) -> Self {
        let mut framing = Framing::new(clients);
        if has_allocation {
            framing.set_limit(FrameLimit::Full);
        }
        Stream(framing)
    }

    /// Adds the frames that `received` completes to `frames`; false if the stream must end.
    pub fn feed(&mut self, received: &mut [u8], frames: &mut Vec<Vec<u8>>) -> bool {
        let mut cut = self.0.feed(received);
        loop {
            match cut.next_frame() {
                Ok(Some(frame)) => {
                    frames.push(frame.to_vec());
                    // The relay rewrites headers in place; what follows must not suffer.
                    frame.fill(0xFF);
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Bytes held of a frame that is not whole.
    pub fn held(&self) -> usize {
        self.0.held()
    }
}
