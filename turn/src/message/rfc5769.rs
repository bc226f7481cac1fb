//! The test vectors of RFC 5769, read by our own reader.

use std::net::SocketAddr;

use stun_types::attribute::{RawAttribute, XorMappedAddress, XorSocketAddr};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, MessageClass,
    MessageIntegrityCredentials, ShortTermCredentials,
};

use super::{Malformed, Message, Response, attribute};

/// Section 2.1: a request with short-term authentication.
const REQUEST: &str = "
    00010058 2112a442 b7e7a701bc34d686fa87dfae
    80220010 5354554e207465737420636c69656e74
    00240004 6e0001ff
    80290008 932ff9b151263b36
    00060009 6576746a3a68367659202020
    00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
    80280004 e57a3bcf";

/// Section 2.2: a response with an IPv4 address.
const IPV4_RESPONSE: &str = "
    0101003c 2112a442 b7e7a701bc34d686fa87dfae
    8022000b 7465737420766563746f7220
    00200008 0001a147e112a643
    00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7
    80280004 c07d4c96";

/// Section 2.3: a response with an IPv6 address.
const IPV6_RESPONSE: &str = "
    01010048 2112a442 b7e7a701bc34d686fa87dfae
    8022000b 7465737420766563746f7220
    00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9
    00080014 a382954e4be67bf11784c97c8292c275bfe3ed41
    80280004 c8fb0b4c";

/// Section 2.4: a request with long-term authentication.
const LONG_TERM_REQUEST: &str = "
    00010060 2112a442 78ad3433c6ad72c029da412e
    00060012 e3839ee38388e383aae38383e382afe382b90000
    0015001c 662f2f3439396b39353464364f4c33346f4c39465354767936347341
    0014000b 6578616d706c652e6f726700
    00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666";

pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.bytes().filter_map(|byte| char::from(byte).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn short_term_key() -> IntegrityKey {
    let credentials = ShortTermCredentials::new("VOkJxbRl1RmTxUk/WvJxBt".to_owned());
    MessageIntegrityCredentials::from(credentials).make_key(IntegrityAlgorithm::Sha1)
}

fn long_term_key(password: &str) -> IntegrityKey {
    let (user, realm) =
        ("\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}".to_owned(), "example.org".to_owned());
    let credentials = LongTermKeyCredentials::new(user, password.to_owned(), realm);
    MessageIntegrityCredentials::from(credentials).make_key(IntegrityAlgorithm::Sha1)
}

#[test]
fn the_short_term_request_is_read_and_its_integrity_holds() {
    let bytes = bytes(REQUEST);
    let message = Message::read(&bytes).unwrap();
    assert_eq!((message.class(), message.method()), (MessageClass::Request, BINDING));
    assert_eq!(message.transaction, 0xb7e7_a701_bc34_d686_fa87_dfae.into());
    assert_eq!(message.first(attribute::USERNAME), Some(&b"evtj:h6vY"[..]));
    assert!(message.has_fingerprint && message.is_signed_with(&short_term_key()));
    assert!(!message.is_signed_with(&long_term_key("TheMatrIX")));
}

#[test]
fn the_responses_are_read_and_their_addresses_are_written_alike() {
    for (vector, address) in
        [(IPV4_RESPONSE, "192.0.2.1:32853"), (IPV6_RESPONSE, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
    {
        let address: SocketAddr = address.parse().unwrap();
        let bytes = bytes(vector);
        let message = Message::read(&bytes).unwrap();
        assert!(message.has_fingerprint && message.is_signed_with(&short_term_key()));
        let range = message.position(0x0020.into()).unwrap();
        let raw = RawAttribute::new(0x0020.into(), &bytes[range.clone()]);
        assert_eq!(XorSocketAddr::from_raw(&raw).unwrap().addr(message.transaction), address);
        let answer =
            Response::success(&message).with(&XorMappedAddress::new(address, message.transaction)).finish();
        assert_eq!(answer[20..20 + 4 + range.len()], bytes[range.start - 4..range.end]);
    }
}

#[test]
fn the_long_term_request_is_read_and_its_integrity_holds() {
    let bytes = bytes(LONG_TERM_REQUEST);
    let message = Message::read(&bytes).unwrap();
    assert_eq!(message.first(attribute::NONCE), Some(&b"f//499k954d6OL34oL9FSTvy64sA"[..]));
    assert_eq!(message.first(attribute::REALM), Some(&b"example.org"[..]));
    assert!(message.is_signed_with(&long_term_key("TheMatrIX")));
    assert!(!message.is_signed_with(&long_term_key("TheMatrX")));
}

#[test]
fn no_vector_survives_a_change_of_any_byte_it_covers() {
    for vector in [REQUEST, IPV4_RESPONSE, IPV6_RESPONSE] {
        let good = bytes(vector);
        let fingerprint_type = good.len() - 8..good.len() - 6;
        for at in (0..good.len()).filter(|at| !fingerprint_type.contains(at)) {
            let mut bad = good.clone();
            bad[at] ^= 0x04;
            assert_eq!(Message::read(&bad).err(), Some(Malformed), "byte {at}");
        }
    }
    let good = bytes(LONG_TERM_REQUEST);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x04;
        let holds =
            Message::read(&bad).is_ok_and(|message| message.is_signed_with(&long_term_key("TheMatrIX")));
        assert!(!holds, "byte {at}");
    }
}
