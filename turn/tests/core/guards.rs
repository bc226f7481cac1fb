//! The lessons of other servers about reading messages: what follows MESSAGE-INTEGRITY, duplicates, FINGERPRINT, padding.

use stun_types::message::{MessageClass, MessageWrite, MessageWriteExt};

use crate::lab::{Lab, at};
use crate::support::*;

#[test]
fn attributes_after_message_integrity_are_ignored() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    let mut request = party.client.signed(ALLOCATE, &[UDP]);
    append(&mut request, LIFETIME, &3600_u32.to_be_bytes());
    append(&mut request, EVEN_PORT, &[0x80]);
    append(&mut request, 0x7ABC, b"unknown");
    assert_eq!(lab.answer(&party.at, &request).unwrap().lifetime(), 600);
    let mut request = party.client.signed(REFRESH, &[]);
    append(&mut request, LIFETIME, &[0; 4]);
    assert_eq!(lab.answer(&party.at, &request).unwrap().lifetime(), 600);
    assert_eq!(lab.server.allocations(), 1);
}

#[test]
fn a_second_message_integrity_counts_for_nothing() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    let mut request = party.client.signed(ALLOCATE, &[UDP]);
    append(&mut request, MESSAGE_INTEGRITY, &[0; 20]);
    assert!(lab.answer(&party.at, &request).unwrap().is_success(), "the first one is right");
    let mut forged = party.client.unsigned(REFRESH, &[(LIFETIME, &[0; 4])]);
    append(&mut forged, MESSAGE_INTEGRITY, &[0; 20]);
    let honest = Answer(party.client.signed(REFRESH, &[]));
    for kind in [USERNAME, REALM, NONCE, MESSAGE_INTEGRITY] {
        append(&mut forged, kind, &honest.value(kind).unwrap());
    }
    assert_eq!(
        lab.answer(&party.at, &forged).unwrap().error(),
        400,
        "no credential stands before the first one"
    );
    assert_eq!(lab.server.allocations(), 1);
}

#[test]
fn the_first_of_duplicates_wins() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    let (first, second) = (1800_u32.to_be_bytes(), 3600_u32.to_be_bytes());
    let answer = party.request(&mut lab, ALLOCATE, &[UDP, (LIFETIME, &first), (LIFETIME, &second)]);
    assert_eq!(answer.lifetime(), 1800);
    let transport = [(REQUESTED_TRANSPORT, &[6, 0, 0, 0][..]), UDP];
    let mut other = lab.party("call", "2", "198.51.100.8:4000");
    assert_eq!(other.request(&mut lab, ALLOCATE, &transport).error(), 442);
}

#[test]
fn sha256_integrity_and_a_fingerprint_may_follow() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    let transaction = party.client.next_transaction();
    let mut request = party.client.signed_with(ALLOCATE, transaction, &[UDP]);
    let sha256 = stun_types::message::IntegrityAlgorithm::Sha256;
    request.add_message_integrity(&party.client.key(), sha256).unwrap();
    request.add_fingerprint().unwrap();
    let answer = lab.answer(&party.at, &request.finish()).unwrap();
    assert!(answer.is_success());
    assert!(answer.value(FINGERPRINT).is_some(), "an answer has a FINGERPRINT where the request had one");
}

#[test]
fn sha256_integrity_alone_is_no_integrity_here() {
    let mut lab = Lab::new();
    let party = lab.party("call", "1", "198.51.100.7:4000");
    let mut request = write(MessageClass::Request, ALLOCATE, 77, &[UDP]);
    let sha256 = stun_types::message::IntegrityAlgorithm::Sha256;
    request.add_message_integrity(&party.client.key(), sha256).unwrap();
    assert_eq!(lab.answer(&party.at, &request.finish()).unwrap().error(), 401);
}

#[test]
fn a_wrong_or_misplaced_fingerprint_is_not_answered() {
    let mut lab = Lab::new();
    let client = at("198.51.100.7:4000");
    let mut request = write(MessageClass::Request, BINDING, 5, &[]);
    request.add_fingerprint().unwrap();
    let good = request.finish();
    let answer = lab.answer(&client, &good).unwrap();
    assert!(answer.is_success() && answer.value(FINGERPRINT).is_some());
    let attribute_type = 20..22;
    for byte in (0..good.len()).filter(|byte| !attribute_type.contains(byte)) {
        let mut bad = good.clone();
        bad[byte] ^= 1;
        assert!(lab.receive(&client, &bad).is_none(), "byte {byte} changed");
    }
    let mut misplaced = good.clone();
    append(&mut misplaced, SOFTWARE, b"x");
    assert!(lab.receive(&client, &misplaced).is_none());
    // The same, with a checksum made for the header as it stands now.
    let crc = stun_types::attribute::Fingerprint::compute(&[&misplaced[..20]]);
    let fingerprint = stun_types::attribute::Fingerprint::new(crc);
    stun_types::attribute::AttributeWriteExt::write_into(&fingerprint, &mut misplaced[20..28]).unwrap();
    assert!(lab.receive(&client, &misplaced).is_none());
    let plain = write(MessageClass::Request, BINDING, 6, &[]).finish();
    assert_eq!(lab.answer(&client, &plain).unwrap().value(FINGERPRINT), None);
}

#[test]
fn a_message_of_another_length_than_its_datagram_is_not_answered() {
    let mut lab = Lab::new();
    let client = at("198.51.100.7:4000");
    let good = write(MessageClass::Request, BINDING, 5, &[(SOFTWARE, b"four")]).finish();
    assert!(lab.receive(&client, &good).is_some());
    for length in 0..good.len() {
        assert!(lab.receive(&client, &good[..length]).is_none(), "cut to {length}");
    }
    assert!(lab.receive(&client, &[&good[..], b"more"].concat()).is_none());
    let mut long_attribute = good.clone();
    long_attribute[23] = 5;
    assert!(lab.receive(&client, &long_attribute).is_none(), "an attribute longer than the message");
}

#[test]
fn a_message_integrity_of_another_size_is_not_answered() {
    let mut lab = Lab::new();
    for size in [0, 16, 19, 21, 24, 32] {
        let mut request = write(MessageClass::Request, ALLOCATE, 5, &[UDP]).finish();
        append(&mut request, MESSAGE_INTEGRITY, &vec![0; size]);
        assert!(lab.receive(&at("198.51.100.7:4000"), &request).is_none(), "{size} bytes");
    }
}

#[test]
fn responses_unknown_methods_and_rfc_6062_are_not_answered() {
    let mut lab = Lab::new();
    let client = at("198.51.100.7:4000");
    for class in [MessageClass::Success, MessageClass::Error, MessageClass::Indication, MessageClass::Request]
    {
        for method in 0..0x80 {
            let has_answer = class == MessageClass::Request
                && [BINDING, ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND].contains(&method);
            let message = write(class, method, 9, &[UDP]).finish();
            assert_eq!(lab.receive(&client, &message).is_some(), has_answer, "{class:?} {method:#x}");
        }
    }
}

#[test]
fn padding_is_zero() {
    let mut lab = Lab::new();
    let request = Client::new(lab.mint.mint(lab.now.unix, "call", "1")).unsigned(ALLOCATE, &[UDP]);
    let challenge = lab.answer(&at("198.51.100.7:4000"), &request).unwrap();
    let realm = challenge.0.windows(8).find(|window| window.starts_with(b"visavis")).unwrap();
    assert_eq!(realm[7], 0);
    let nonce = challenge.value(NONCE).unwrap();
    let behind = challenge.0.windows(24).find(|window| window.starts_with(&nonce)).unwrap();
    assert_eq!(behind[22..], [0, 0]);
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (_, data) = one.send(&mut lab, at_one, &[0x80; 5]).unwrap();
    assert_eq!(data.0[data.0.len() - 3..], [0, 0, 0]);
}

#[test]
fn an_ice_check_sent_to_the_server_itself_gets_420() {
    let mut lab = Lab::new();
    let priority = 0x0024;
    let check = write(MessageClass::Request, BINDING, 5, &[(priority, &[0; 4])]).finish();
    assert_eq!(lab.answer(&at("198.51.100.7:4000"), &check).unwrap().error(), 420);
}
