//! STUN messages behind our own guards: what may be read, what is ignored, and the answers (RFC 8489).
//!
//! `stun-types` decodes and encodes; this module decides what counts. Attributes after MESSAGE-INTEGRITY are ignored
//! but for MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, the first of duplicates wins, FINGERPRINT is checked and last.

#[cfg(test)]
mod rfc5769;
#[cfg(test)]
mod rfc8489;

use std::net::SocketAddr;

use stun_types::attribute::{
    Attribute, AttributeExt, AttributeFromRaw, AttributeStaticType, AttributeType, AttributeWrite, ErrorCode,
    Fingerprint, MessageIntegrity, MessageIntegritySha256, RawAttribute, UnknownAttributes, XorSocketAddr,
};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, Message as StunMessage, MessageClass, MessageHeader, MessageType,
    MessageWrite, MessageWriteExt, MessageWriteVec, Method, TransactionId,
};

pub(crate) const ALLOCATE: Method = Method::new(0x003);
pub(crate) const REFRESH: Method = Method::new(0x004);
pub(crate) const DATA: Method = Method::new(0x007);
pub(crate) const CREATE_PERMISSION: Method = Method::new(0x008);
pub(crate) const CHANNEL_BIND: Method = Method::new(0x009);

/// Attributes of RFC 8656, section 18.
pub(crate) mod attribute {
    use stun_types::attribute::AttributeType;

    pub(crate) const USERNAME: AttributeType = AttributeType::new(0x0006);
    pub(crate) const CHANNEL_NUMBER: AttributeType = AttributeType::new(0x000C);
    pub(crate) const LIFETIME: AttributeType = AttributeType::new(0x000D);
    pub(crate) const XOR_PEER_ADDRESS: AttributeType = AttributeType::new(0x0012);
    pub(crate) const DATA: AttributeType = AttributeType::new(0x0013);
    pub(crate) const REALM: AttributeType = AttributeType::new(0x0014);
    pub(crate) const NONCE: AttributeType = AttributeType::new(0x0015);
    pub(crate) const XOR_RELAYED_ADDRESS: AttributeType = AttributeType::new(0x0016);
    pub(crate) const REQUESTED_ADDRESS_FAMILY: AttributeType = AttributeType::new(0x0017);
    pub(crate) const EVEN_PORT: AttributeType = AttributeType::new(0x0018);
    pub(crate) const REQUESTED_TRANSPORT: AttributeType = AttributeType::new(0x0019);
    pub(crate) const RESERVATION_TOKEN: AttributeType = AttributeType::new(0x0022);
    pub(crate) const ADDITIONAL_ADDRESS_FAMILY: AttributeType = AttributeType::new(0x8000);
    pub(crate) const ADDRESS_ERROR_CODE: AttributeType = AttributeType::new(0x8001);
}

/// Comprehension-required attributes the server understands. DONT-FRAGMENT is not among them: RFC 8656,
/// section 7.2, lets a server that cannot honour it treat it as unknown.
const UNDERSTOOD: [u16; 18] = [
    0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x000C, 0x000D, 0x0012, 0x0013, 0x0014, 0x0015, 0x0016, 0x0017,
    0x0018, 0x0019, 0x001C, 0x0020, 0x0022,
];

/// A received message whose framing is sound.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    bytes: &'a [u8],
    kind: MessageType,
    pub(crate) transaction: TransactionId,
    /// Where the attributes that count end.
    body_end: usize,
    /// Where the MESSAGE-INTEGRITY attribute begins.
    integrity_at: Option<usize>,
    pub(crate) has_fingerprint: bool,
}

/// The bytes are no STUN message to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'a> Message<'a> {
    /// Reads a datagram that must be one whole message: the length in its header is the length it has.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let header = MessageHeader::from_bytes(bytes).map_err(|_| Malformed)?;
        if MessageHeader::LENGTH + usize::from(header.data_length()) != bytes.len()
            || !bytes.len().is_multiple_of(4)
        {
            return Err(Malformed);
        }
        let mut message = Message {
            bytes,
            kind: header.get_type(),
            transaction: header.transaction_id(),
            body_end: bytes.len(),
            integrity_at: None,
            has_fingerprint: false,
        };
        let mut at = MessageHeader::LENGTH;
        while at < bytes.len() {
            let attribute = RawAttribute::from_bytes(&bytes[at..]).map_err(|_| Malformed)?;
            let end = at + attribute.padded_len();
            if end > bytes.len() {
                return Err(Malformed);
            }
            message.note_ending(&attribute, at, end)?;
            at = end;
        }
        Ok(message)
    }

    /// Takes notice of the attributes that end the part that counts.
    fn note_ending(&mut self, attribute: &RawAttribute<'_>, at: usize, end: usize) -> Result<(), Malformed> {
        let body_goes_on = self.body_end == self.bytes.len();
        match attribute.get_type() {
            MessageIntegrity::TYPE if body_goes_on => {
                if attribute.length() != 20 {
                    return Err(Malformed);
                }
                self.integrity_at = Some(at);
                self.body_end = at;
            }
            MessageIntegritySha256::TYPE if body_goes_on => self.body_end = at,
            Fingerprint::TYPE => {
                let stated = Fingerprint::from_raw_ref(attribute).map_err(|_| Malformed)?;
                if end != self.bytes.len()
                    || Fingerprint::compute(&[&self.bytes[..at]]) != *stated.fingerprint()
                {
                    return Err(Malformed);
                }
                self.has_fingerprint = true;
                self.body_end = self.body_end.min(at);
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn class(&self) -> MessageClass {
        self.kind.class()
    }

    pub(crate) fn method(&self) -> Method {
        self.kind.method()
    }

    /// Length of the datagram it came in.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn has_integrity(&self) -> bool {
        self.integrity_at.is_some()
    }

    /// The attributes that count, in order, with the position of each one's value.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (usize, RawAttribute<'a>)> {
        let body = &self.bytes[..self.body_end];
        let mut at = MessageHeader::LENGTH;
        std::iter::from_fn(move || {
            let attribute = RawAttribute::from_bytes(body.get(at..)?).ok()?;
            let value_at = at + 4;
            at += attribute.padded_len();
            Some((value_at, attribute))
        })
    }

    /// The value of the first attribute of a type.
    pub(crate) fn first(&self, kind: AttributeType) -> Option<&'a [u8]> {
        self.position(kind).map(|range| &self.bytes[range])
    }

    /// Where the value of the first attribute of a type lies in the datagram.
    pub(crate) fn position(&self, kind: AttributeType) -> Option<std::ops::Range<usize>> {
        let (at, attribute) = self.attributes().find(|(_, attribute)| attribute.get_type() == kind)?;
        Some(at..at + usize::from(attribute.length()))
    }

    /// Whether an attribute of a type counts.
    pub(crate) fn has(&self, kind: AttributeType) -> bool {
        self.position(kind).is_some()
    }

    /// All XOR-PEER-ADDRESS attributes: CreatePermission may carry several.
    pub(crate) fn peers(&self) -> impl Iterator<Item = Result<SocketAddr, Malformed>> {
        let peers = self.attributes().filter(|(_, raw)| raw.get_type() == attribute::XOR_PEER_ADDRESS);
        peers.map(|(_, raw)| match XorSocketAddr::from_raw(&raw) {
            Ok(address) => Ok(address.addr(self.transaction)),
            Err(_) => Err(Malformed),
        })
    }

    /// Comprehension-required attributes the server does not understand, each once.
    pub(crate) fn unknown_attributes(&self) -> Vec<AttributeType> {
        let mut unknown = Vec::new();
        for (_, attribute) in self.attributes() {
            let kind = attribute.get_type();
            if kind.comprehension_required()
                && !UNDERSTOOD.contains(&kind.value())
                && !unknown.contains(&kind)
            {
                unknown.push(kind);
            }
        }
        unknown
    }

    /// Whether MESSAGE-INTEGRITY was made with this key (RFC 8489, section 14.5).
    pub(crate) fn is_signed_with(&self, key: &IntegrityKey) -> bool {
        let Some(at) = self.integrity_at else { return false };
        let stated: &[u8; 20] = self.bytes[at + 4..].first_chunk().expect("read() saw 20 bytes here");
        // The HMAC covers a header whose length ends with MESSAGE-INTEGRITY, whatever follows it.
        let length =
            u16::try_from(at + 24 - MessageHeader::LENGTH).expect("the header's length field is larger");
        MessageIntegrity::verify(&[&self.bytes[..2], &length.to_be_bytes(), &self.bytes[4..at]], key, stated)
    }
}

/// An answer in the making.
pub(crate) struct Response {
    write: MessageWriteVec,
    with_fingerprint: bool,
}

impl Response {
    pub(crate) fn success(request: &Message<'_>) -> Self {
        Response::new(request, MessageClass::Success)
    }

    /// An error; strangers get no reason phrase, which keeps their answers short.
    pub(crate) fn error(request: &Message<'_>, code: u16, reason: &str) -> Self {
        let error = ErrorCode::new(code, reason).expect("codes used here lie between 300 and 699");
        Response::new(request, MessageClass::Error).with(&error)
    }

    /// 420 with the list of what was not understood.
    pub(crate) fn unknown_attributes(request: &Message<'_>, unknown: &[AttributeType], reason: &str) -> Self {
        Response::error(request, 420, reason).with(&UnknownAttributes::new(unknown))
    }

    /// An answer ends with FINGERPRINT if the request did.
    fn new(request: &Message<'_>, class: MessageClass) -> Self {
        let kind = MessageType::from_class_method(class, request.method());
        let write = StunMessage::builder(kind, request.transaction, MessageWriteVec::with_capacity(128));
        Response { write, with_fingerprint: request.has_fingerprint }
    }

    pub(crate) fn with(mut self, attribute: &dyn AttributeWrite) -> Self {
        self.write
            .add_attribute(attribute)
            .expect("attributes are added before integrity, to a growing buffer");
        self
    }

    pub(crate) fn with_address(
        self,
        kind: AttributeType,
        address: SocketAddr,
        transaction: TransactionId,
    ) -> Self {
        self.with(&XorSocketAddr::new(address, transaction).to_raw(kind))
    }

    pub(crate) fn with_bytes(self, kind: AttributeType, value: &[u8]) -> Self {
        self.with(&RawAttribute::new(kind, value))
    }

    pub(crate) fn signed(mut self, key: &IntegrityKey) -> Self {
        self.write
            .add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1)
            .expect("integrity is added once, before the fingerprint");
        self
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.with_fingerprint {
            self.write.add_fingerprint().expect("the fingerprint is added once, at the end");
        }
        self.write.finish()
    }
}
