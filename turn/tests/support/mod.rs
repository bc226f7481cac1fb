//! A TURN client without a socket: it makes signed requests and reads answers, for the core and for a running relay.

pub mod spoofed;

use std::net::SocketAddr;

use stun_types::attribute::{Attribute, AttributeType, RawAttribute, XorSocketAddr};
use stun_types::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageIntegrityCredentials,
    MessageType, MessageWrite, MessageWriteExt, MessageWriteVec, Method, TransactionId,
};
use visavis_turn::Credential;

pub const BINDING: u16 = 0x001;
pub const ALLOCATE: u16 = 0x003;
pub const REFRESH: u16 = 0x004;
pub const SEND: u16 = 0x006;
pub const DATA: u16 = 0x007;
pub const CREATE_PERMISSION: u16 = 0x008;
pub const CHANNEL_BIND: u16 = 0x009;

pub const USERNAME: u16 = 0x0006;
pub const MESSAGE_INTEGRITY: u16 = 0x0008;
pub const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
pub const CHANNEL_NUMBER: u16 = 0x000C;
pub const LIFETIME: u16 = 0x000D;
pub const XOR_PEER_ADDRESS: u16 = 0x0012;
pub const DATA_ATTRIBUTE: u16 = 0x0013;
pub const REALM: u16 = 0x0014;
pub const NONCE: u16 = 0x0015;
pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
pub const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
pub const EVEN_PORT: u16 = 0x0018;
pub const REQUESTED_TRANSPORT: u16 = 0x0019;
pub const DONT_FRAGMENT: u16 = 0x001A;
pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
pub const RESERVATION_TOKEN: u16 = 0x0022;
pub const ADDITIONAL_ADDRESS_FAMILY: u16 = 0x8000;
pub const ADDRESS_ERROR_CODE: u16 = 0x8001;
pub const SOFTWARE: u16 = 0x8022;
pub const FINGERPRINT: u16 = 0x8028;

pub const UDP: (u16, &[u8]) = (REQUESTED_TRANSPORT, &[17, 0, 0, 0]);

/// One seat's client: its credential, what the server's challenge told it, its transactions.
pub struct Client {
    pub credential: Credential,
    realm: String,
    nonce: Vec<u8>,
    transactions: u128,
}

impl Client {
    pub fn new(credential: Credential) -> Self {
        Client { credential, realm: String::new(), nonce: Vec::new(), transactions: 0 }
    }

    pub fn next_transaction(&mut self) -> u128 {
        self.transactions += 1;
        self.transactions
    }

    /// Takes realm and nonce from a 401 or 438.
    pub fn learn(&mut self, challenge: &Answer) {
        self.realm = String::from_utf8(challenge.value(REALM).expect("a realm")).unwrap();
        self.nonce = challenge.value(NONCE).expect("a nonce");
    }

    /// A request without a credential.
    pub fn unsigned(&mut self, method: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let transaction = self.next_transaction();
        write(MessageClass::Request, method, transaction, attributes).finish()
    }

    /// A request with user name, realm, nonce and MESSAGE-INTEGRITY.
    pub fn signed(&mut self, method: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let transaction = self.next_transaction();
        self.signed_with(method, transaction, attributes).finish()
    }

    /// The same, not finished, so that a test may add what follows MESSAGE-INTEGRITY.
    pub fn signed_with(
        &self,
        method: u16,
        transaction: u128,
        attributes: &[(u16, &[u8])],
    ) -> MessageWriteVec {
        let mut message = write(MessageClass::Request, method, transaction, attributes);
        for (kind, value) in [
            (USERNAME, self.credential.username.as_bytes()),
            (REALM, self.realm.as_bytes()),
            (NONCE, &self.nonce),
        ] {
            message.add_attribute(&RawAttribute::new(AttributeType::new(kind), value)).unwrap();
        }
        message.add_message_integrity(&self.key(), IntegrityAlgorithm::Sha1).unwrap();
        message
    }

    pub fn key(&self) -> MessageIntegrityCredentials {
        let Credential { username, password, .. } = self.credential.clone();
        LongTermKeyCredentials::new(username, password, self.realm.clone()).into()
    }

    /// A request with one XOR-PEER-ADDRESS.
    pub fn signed_to(&mut self, method: u16, peer: SocketAddr, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let transaction = self.next_transaction();
        let peer = xor_address(peer, transaction);
        let mut all = vec![(XOR_PEER_ADDRESS, &peer[..])];
        all.extend_from_slice(attributes);
        self.signed_with(method, transaction, &all).finish()
    }

    pub fn channel_bind(&mut self, channel: u16, peer: SocketAddr) -> Vec<u8> {
        let [high, low] = channel.to_be_bytes();
        self.signed_to(CHANNEL_BIND, peer, &[(CHANNEL_NUMBER, &[high, low, 0, 0])])
    }

    pub fn send(&mut self, peer: SocketAddr, data: &[u8]) -> Vec<u8> {
        let transaction = self.next_transaction();
        let peer = xor_address(peer, transaction);
        let attributes = [(XOR_PEER_ADDRESS, &peer[..]), (DATA_ATTRIBUTE, data)];
        write(MessageClass::Indication, SEND, transaction, &attributes).finish()
    }
}

pub fn write(
    class: MessageClass,
    method: u16,
    transaction: u128,
    attributes: &[(u16, &[u8])],
) -> MessageWriteVec {
    let kind = MessageType::from_class_method(class, Method::new(method));
    let mut message = Message::builder(kind, transaction.into(), MessageWriteVec::new());
    for (kind, value) in attributes {
        message.add_attribute(&RawAttribute::new(AttributeType::new(*kind), value)).unwrap();
    }
    message
}

/// An attribute as bytes, to be put where no honest client puts one; the header's length is set anew.
pub fn append(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(RawAttribute::new(AttributeType::new(kind), value).to_bytes());
    let length = u16::try_from(message.len() - 20).unwrap();
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

/// The value of an XOR address attribute.
pub fn xor_address(address: SocketAddr, transaction: u128) -> Vec<u8> {
    let address = XorSocketAddr::new(address, TransactionId::from(transaction));
    address.to_raw(AttributeType::new(XOR_PEER_ADDRESS)).value.to_vec()
}

pub fn channel_data(channel: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [&channel.to_be_bytes()[..], &length.to_be_bytes(), data].concat()
}

/// What came back.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer(pub Vec<u8>);

impl Answer {
    pub fn message(&self) -> Message<'_> {
        Message::from_bytes(&self.0).expect("a well-formed STUN message")
    }

    pub fn is_success(&self) -> bool {
        self.message().has_class(MessageClass::Success)
    }

    /// The error code, 0 for anything but an error response.
    pub fn error(&self) -> u16 {
        if !self.message().has_class(MessageClass::Error) {
            return 0;
        }
        let value = self.value(0x0009).expect("an ERROR-CODE");
        u16::from(value[2]) * 100 + u16::from(value[3])
    }

    pub fn value(&self, kind: u16) -> Option<Vec<u8>> {
        let message = self.message();
        let mut attributes = message.iter_attributes();
        attributes.find(|(_, raw)| raw.get_type().value() == kind).map(|(_, raw)| raw.value.to_vec())
    }

    pub fn address(&self, kind: u16) -> SocketAddr {
        let message = self.message();
        let raw = message.raw_attribute(AttributeType::new(kind)).expect("an address");
        XorSocketAddr::from_raw(&raw).unwrap().addr(message.transaction_id())
    }

    pub fn lifetime(&self) -> u32 {
        u32::from_be_bytes(self.value(LIFETIME).expect("a LIFETIME").try_into().unwrap())
    }

    /// The peer and the data, if this is a Data indication.
    pub fn data_indication(&self) -> Option<(SocketAddr, Vec<u8>)> {
        let message = Message::from_bytes(&self.0).ok()?;
        let is_data = message.has_class(MessageClass::Indication) && message.has_method(Method::new(DATA));
        is_data.then(|| (self.address(XOR_PEER_ADDRESS), self.value(DATA_ATTRIBUTE).expect("DATA")))
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Message::from_bytes(&self.0) {
            Ok(message) => write!(f, "{message}"),
            Err(_) => write!(f, "{:02x?}", self.0),
        }
    }
}

/// Every special-purpose block (RFC 6890 and the registries it made), every form of IPv4 within IPv6, and public
/// addresses: none of them is a peer here.
pub fn addresses_that_are_no_peer() -> Vec<SocketAddr> {
    let v4 = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.8",
        "192.0.0.9",
        "192.0.0.10",
        "192.0.0.170",
        "192.0.0.171",
        "192.0.2.0",
        "192.0.2.2",
        "192.0.2.255",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.168.0.1",
        "192.168.255.255",
        "192.175.48.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "8.8.8.8",
        "93.184.215.14",
    ];
    let v6 = [
        "::",
        "::1",
        "::ffff:0:0",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:192.0.2.1",
        "::127.0.0.1",
        "::192.0.2.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::192.0.2.1",
        "64:ff9b:1::1",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:0:7f00:1::80ff:fffe",
        "2001:1::1",
        "2001:1::2",
        "2001:2::1",
        "2001:3::1",
        "2001:4:112::1",
        "2001:10::1",
        "2001:20::1",
        "2001:30::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:a00:1::1",
        "2002:c000:201::1",
        "2620:4f:8000::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "2606:4700:4700::1111",
    ];
    let v4 = v4.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 50_000));
    let v6 = v6.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 50_000));
    v4.chain(v6).collect()
}
