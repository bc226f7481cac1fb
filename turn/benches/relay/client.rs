//! One TURN client: it makes requests and reads answers (RFC 8489, RFC 8656). It owns no socket.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use stun_types::attribute::{AttributeType, RawAttribute, XorSocketAddr};
use stun_types::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageIntegrityCredentials,
    MessageType, MessageWrite, MessageWriteExt, MessageWriteVec, Method, TransactionId,
};

use crate::socket::client_ip;

const BINDING: u16 = 0x001;
const ALLOCATE: u16 = 0x003;
const REFRESH: u16 = 0x004;
const SEND: u16 = 0x006;
const CREATE_PERMISSION: u16 = 0x008;
const CHANNEL_BIND: u16 = 0x009;

const USERNAME: u16 = 0x0006;
const ERROR_CODE: u16 = 0x0009;
const CHANNEL_NUMBER: u16 = 0x000C;
const LIFETIME: u16 = 0x000D;
const XOR_PEER_ADDRESS: u16 = 0x0012;
const DATA: u16 = 0x0013;
const REALM: u16 = 0x0014;
const NONCE: u16 = 0x0015;
const XOR_RELAYED_ADDRESS: u16 = 0x0016;
const REQUESTED_TRANSPORT: u16 = 0x0019;

/// The channel each client binds; it means its partner.
const CHANNEL: u16 = 0x4000;

/// What a client asks of the server, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An Allocate without credentials: the answer is a challenge.
    Challenge,
    Allocate,
    CreatePermission,
    ChannelBind,
    /// A Refresh with lifetime 0.
    Delete,
}

pub struct Client {
    number: u32,
    username: String,
    password: String,
    realm: String,
    nonce: Vec<u8>,
    relayed: Option<SocketAddr>,
    transaction: u128,
}

/// The password of a user name: base64(HMAC-SHA1(secret, user name)).
pub fn password(secret: &str, username: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(username.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// A Binding request, to see whether a server answers.
pub fn binding_request() -> Vec<u8> {
    write(MessageClass::Request, BINDING, 1, &[]).finish()
}

impl Client {
    /// The client of that number. Numbers 2n and 2n + 1 are the seats of one call.
    pub fn new(number: u32, secret: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let expiry = (now + Duration::from_secs(900)).as_secs();
        let username = format!("{expiry}:call{}:{}", number / 2, number % 2);
        let password = password(secret, &username);
        Client {
            number,
            username,
            password,
            realm: String::new(),
            nonce: Vec::new(),
            relayed: None,
            transaction: u128::from(number) << 32,
        }
    }

    pub fn ip(&self) -> Ipv4Addr {
        client_ip(self.number)
    }

    /// XOR-RELAYED-ADDRESS, once allocated.
    pub fn relayed(&self) -> Option<SocketAddr> {
        self.relayed
    }

    /// The request of a step. `partner` is the relayed address of the call's other seat; steps before
    /// CreatePermission need none.
    pub fn request(&mut self, step: Step, partner: Option<SocketAddr>) -> Vec<u8> {
        self.transaction += 1;
        let udp = (REQUESTED_TRANSPORT, vec![17, 0, 0, 0]);
        let peer = |client: &Client| {
            partner.map(|partner| (XOR_PEER_ADDRESS, xor_address(partner, client.transaction)))
        };
        match step {
            Step::Challenge => write(MessageClass::Request, ALLOCATE, self.transaction, &[udp]).finish(),
            Step::Allocate => self.signed(ALLOCATE, &[udp]),
            Step::CreatePermission => self.signed(CREATE_PERMISSION, &Vec::from_iter(peer(self))),
            Step::ChannelBind => {
                let channel = (CHANNEL_NUMBER, [CHANNEL.to_be_bytes(), [0, 0]].concat());
                self.signed(CHANNEL_BIND, &Vec::from_iter([channel].into_iter().chain(peer(self))))
            }
            Step::Delete => self.signed(REFRESH, &[(LIFETIME, vec![0; 4])]),
        }
    }

    /// Takes the answer of a step: `Ok(false)` if this is no answer to its last request.
    pub fn take(&mut self, step: Step, bytes: &[u8]) -> Result<bool, String> {
        let Ok(message) = Message::from_bytes(bytes) else { return Ok(false) };
        if message.transaction_id() != TransactionId::from(self.transaction) || !message.is_response() {
            return Ok(false);
        }
        let value = |kind| message.raw_attribute(AttributeType::new(kind));
        let code = match value(ERROR_CODE).as_ref().map(|raw| &*raw.value) {
            Some([_, _, class, number, ..]) => u16::from(*class) * 100 + u16::from(*number),
            Some(_) => return Err("an ERROR-CODE of less than 4 bytes".to_owned()),
            None => 0,
        };
        match (step, code) {
            (Step::Challenge, 401) => {
                let (realm, nonce) = value(REALM).zip(value(NONCE)).ok_or("a 401 without realm and nonce")?;
                self.realm = String::from_utf8_lossy(&realm.value).into_owned();
                self.nonce = nonce.value.to_vec();
            }
            (Step::Challenge, 0) => return Err("an allocation without credentials succeeded".to_owned()),
            (Step::Allocate, 0) => {
                let raw = value(XOR_RELAYED_ADDRESS).ok_or("an Allocate success without relayed address")?;
                let relayed = XorSocketAddr::from_raw(&raw).map_err(|error| error.to_string())?;
                self.relayed = Some(relayed.addr(message.transaction_id()));
            }
            (_, 0) => {}
            (step, code) => return Err(format!("{step:?} was answered {code}")),
        }
        Ok(true)
    }

    /// A request with user name, realm, nonce and MESSAGE-INTEGRITY.
    fn signed(&self, method: u16, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let own = [
            (USERNAME, self.username.clone().into_bytes()),
            (REALM, self.realm.clone().into_bytes()),
            (NONCE, self.nonce.clone()),
        ];
        let all = [attributes, &own].concat();
        let mut message = write(MessageClass::Request, method, self.transaction, &all);
        let (username, password) = (self.username.clone(), self.password.clone());
        let key = MessageIntegrityCredentials::from(LongTermKeyCredentials::new(
            username,
            password,
            self.realm.clone(),
        ));
        message
            .add_message_integrity(&key, IntegrityAlgorithm::Sha1)
            .expect("the message has no MESSAGE-INTEGRITY yet");
        message.finish()
    }
}

/// A payload as ChannelData (RFC 8656, section 12.4); the payload is at the end.
pub fn channel_data(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("payloads are shorter than 64 kB");
    [&CHANNEL.to_be_bytes()[..], &length.to_be_bytes(), payload].concat()
}

/// A payload as a Send indication; the payload is at the end, and must have a multiple of 4 bytes for that.
pub fn send_indication(partner: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let attributes = [(XOR_PEER_ADDRESS, xor_address(partner, 1)), (DATA, payload.to_vec())];
    write(MessageClass::Indication, SEND, 1, &attributes).finish()
}

/// The payload of what a client received: ChannelData, or a Data indication.
pub fn payload(bytes: &[u8]) -> Option<&[u8]> {
    let first = *bytes.first()?;
    if (0x40..0x50).contains(&first) {
        return bytes.get(4..);
    }
    if bytes.get(..2)? != [0x00, 0x17] {
        return None;
    }
    let mut rest = bytes.get(20..)?;
    loop {
        let (header, after) = rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if u16::from_be_bytes([header[0], header[1]]) == DATA {
            return after.get(..length);
        }
        rest = after.get(length.next_multiple_of(4)..)?;
    }
}

fn write(
    class: MessageClass,
    method: u16,
    transaction: u128,
    attributes: &[(u16, Vec<u8>)],
) -> MessageWriteVec {
    let kind = MessageType::from_class_method(class, Method::new(method));
    let mut message = Message::builder(kind, transaction.into(), MessageWriteVec::new());
    for (kind, value) in attributes {
        message
            .add_attribute(&RawAttribute::new(AttributeType::new(*kind), value))
            .expect("the message has neither integrity nor fingerprint yet");
    }
    message
}

fn xor_address(address: SocketAddr, transaction: u128) -> Vec<u8> {
    let address = XorSocketAddr::new(address, TransactionId::from(transaction));
    address.to_raw(AttributeType::new(XOR_PEER_ADDRESS)).value.to_vec()
}
