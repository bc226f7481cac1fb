//! The test vector of RFC 8489, appendix B.1, as erratum 6268 corrects it: a request with USERHASH, PASSWORD-ALGORITHM
//! and MESSAGE-INTEGRITY-SHA256. The relay reads it soundly and takes none of the three for a credential: nobody has
//! asked for TURN with them, and a server says so by a nonce without the cookie that would announce them.

use std::time::Duration;

use stun_types::attribute::{
    ErrorCode, MessageIntegritySha256, PasswordAlgorithm, PasswordAlgorithmValue, RawAttribute, Userhash,
};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, LongTermKeyCredentials, Message as StunMessage, MessageClass,
    MessageIntegrityCredentials, MessageType, MessageWrite, MessageWriteExt, MessageWriteVec,
};

use super::rfc5769::bytes;
use super::{ALLOCATE, Message, attribute};
use crate::{FiveTuple, Flows, Now, Output, Server, Settings};

const REQUEST: &str = "
    00010090 2112a442 78ad3433c6ad72c029da412e
    001e0020 4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704
    00150029 6f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c394653547679363473 41000000
    0014000b 6578616d706c652e6f726700
    001d0004 00020000
    001c0020 b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65";

/// The parameters of the vector, the password as OpaqueString leaves it.
const USER: &str = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";
const PASSWORD: &str = "TheMatrIX";
const REALM: &str = "example.org";

/// The first characters of a nonce that announces security features (RFC 8489, section 9.2).
const NONCE_COOKIE: &[u8] = b"obMatJos2";

fn credentials(password: &str) -> MessageIntegrityCredentials {
    LongTermKeyCredentials::new(USER.to_owned(), password.to_owned(), REALM.to_owned()).into()
}

fn answer(request: &[u8]) -> Vec<u8> {
    let mut server = Server::new(Settings::new("visavis", b"secret"), [3; 32]).unwrap();
    let now = Now { monotonic: Duration::from_secs(1), unix: 1_800_000_000 };
    let from = FiveTuple::udp("198.51.100.7:4000".parse().unwrap(), "203.0.113.9:3478".parse().unwrap());
    let mut flows = Flows::new(&mut server);
    let answer = flows.receive(now, &from, &mut request.to_vec(), || &mut server);
    assert_eq!((server.allocations(), server.calls()), (0, 0));
    match answer {
        Some(Output::Answer(answer)) => answer,
        other => panic!("no answer but {other:?}"),
    }
}

fn error_of(answer: &[u8]) -> u16 {
    StunMessage::from_bytes(answer).unwrap().attribute::<ErrorCode>().unwrap().code()
}

#[test]
fn the_request_is_read_and_its_sha256_integrity_holds() {
    let bytes = bytes(REQUEST);
    let message = Message::read(&bytes).unwrap();
    assert_eq!((message.class(), message.method()), (MessageClass::Request, BINDING));
    assert_eq!(message.transaction, 0x78ad_3433_c6ad_72c0_29da_412e.into());
    assert_eq!(message.first(attribute::NONCE), Some(&b"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"[..]));
    assert_eq!(message.first(attribute::REALM), Some(REALM.as_bytes()));
    assert_eq!(message.first(0x001E.into()), Some(&Userhash::compute(USER, REALM)[..]));
    assert_eq!(message.first(0x001D.into()), Some(&[0, 2, 0, 0][..]));
    assert!(!message.has_integrity(), "only SHA-1 counts as MESSAGE-INTEGRITY here");
    assert!(!message.has(0x001C.into()), "what counts ends before the integrity");
    let foreign = StunMessage::from_bytes(&bytes).unwrap();
    assert_eq!(foreign.validate_integrity(&credentials(PASSWORD)).unwrap(), IntegrityAlgorithm::Sha256);
    assert!(foreign.validate_integrity(&credentials("TheMatrX")).is_err());
    let stated = foreign.attribute::<MessageIntegritySha256>().unwrap();
    assert_eq!(stated.hmac(), &bytes[bytes.len() - 32..]);
}

/// A Binding needs no credential; what it must not ignore and does not know is named.
#[test]
fn the_request_as_it_is_gets_420_that_names_userhash_and_password_algorithm() {
    let answer = answer(&bytes(REQUEST));
    assert_eq!(error_of(&answer), 420);
    let message = Message::read(&answer).unwrap();
    assert_eq!(message.first(0x000A.into()), Some(&[0x00, 0x1E, 0x00, 0x1D][..]));
}

/// The same credential form on an Allocate: a challenge for SHA-1, as if there were no credential.
#[test]
fn an_allocate_with_userhash_and_sha256_gets_401_and_a_nonce_that_announces_neither() {
    let kind = MessageType::from_class_method(MessageClass::Request, ALLOCATE);
    let mut write = StunMessage::builder(kind, 1.into(), MessageWriteVec::new());
    write.add_attribute(&RawAttribute::new(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0])).unwrap();
    write.add_attribute(&Userhash::new(Userhash::compute(USER, REALM))).unwrap();
    let vector = bytes(REQUEST);
    let nonce = Message::read(&vector).unwrap().first(attribute::NONCE).unwrap();
    write.add_attribute(&RawAttribute::new(attribute::NONCE, nonce)).unwrap();
    write.add_attribute(&RawAttribute::new(attribute::REALM, REALM.as_bytes())).unwrap();
    write.add_attribute(&PasswordAlgorithm::new(PasswordAlgorithmValue::SHA256)).unwrap();
    write.add_message_integrity(&credentials(PASSWORD), IntegrityAlgorithm::Sha256).unwrap();
    let answer = answer(&write.finish());
    assert_eq!(error_of(&answer), 401);
    let message = Message::read(&answer).unwrap();
    assert_eq!(message.first(attribute::REALM), Some(&b"visavis"[..]));
    assert!(!message.first(attribute::NONCE).unwrap().starts_with(NONCE_COOKIE));
    assert!(!message.has(0x8002.into()), "no PASSWORD-ALGORITHMS");
}

#[test]
fn the_request_does_not_hold_after_a_change_of_any_byte_it_covers() {
    let good = bytes(REQUEST);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x04;
        let holds = StunMessage::from_bytes(&bad).is_ok_and(|message| {
            Message::read(&bad).is_ok() && message.validate_integrity(&credentials(PASSWORD)).is_ok()
        });
        assert!(!holds, "byte {at}");
    }
}
