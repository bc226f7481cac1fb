//! Before authentication: short answers, a budget for each source, nothing remembered, nobody else reached.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use proptest::prelude::*;
use stun_types::message::{MessageClass, MessageWrite, MessageWriteExt};
use visavis_turn::{DropReason, FiveTuple, Transport};

use crate::lab::{Lab, at};
use crate::support::*;

#[test]
fn only_a_request_that_means_it_is_challenged() {
    let mut lab = Lab::new();
    let client = at("198.51.100.7:4000");
    for method in [ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND] {
        let with_transport = write(MessageClass::Request, method, 1, &[UDP]).finish();
        assert_eq!(lab.answer(&client, &with_transport).unwrap().error(), 401, "{method}");
        for attributes in
            [&[][..], &[(SOFTWARE, &b"a name of some length"[..])], &[(LIFETIME, &[0, 0, 2, 88])]]
        {
            let without = write(MessageClass::Request, method, 1, attributes).finish();
            let answer = lab.answer(&client, &without).unwrap();
            assert_eq!(
                (answer.error(), answer.value(NONCE), answer.value(REALM)),
                (400, None, None),
                "{method}"
            );
        }
    }
}

#[test]
fn an_answer_to_a_stranger_is_at_most_two_and_a_half_times_its_request() {
    let mut lab = Lab::with(|settings| settings.realm = "8 chars!".replace(' ', "-"));
    let client = at("[2001:db8::7]:4000");
    let (mut longest, mut answered) = (0.0_f64, 0);
    for method in [BINDING, ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND] {
        for attributes in [
            &[][..],
            &[UDP],
            &[UDP, (0x7ABC, &[])],
            &[(0x7ABC, &[]), (0x7ABD, &[]), (0x7ABE, &[])],
            &[(MESSAGE_INTEGRITY, &[0; 20])],
            &[(USERNAME, b"x"), (REALM, b"x"), (NONCE, b"x"), (MESSAGE_INTEGRITY, &[0; 20])],
        ] {
            for with_fingerprint in [false, true] {
                let mut request = write(MessageClass::Request, method, 1, &[]).finish();
                for (kind, value) in attributes {
                    append(&mut request, *kind, value);
                }
                if with_fingerprint {
                    request = fingerprinted(&request);
                }
                let answer = lab.answer(&client, &request).expect("every well-formed request is answered");
                longest = longest.max(answer.0.len() as f64 / request.len() as f64);
                answered += 1;
            }
        }
    }
    assert_eq!(answered, 60);
    assert!((2.0..=2.5).contains(&longest), "the largest ratio is {longest}");
    assert_eq!(lab.counters().dropped(DropReason::Amplification), 0);
}

/// The same request with a FINGERPRINT at its end.
fn fingerprinted(request: &[u8]) -> Vec<u8> {
    let mut message = request.to_vec();
    append(&mut message, FINGERPRINT, &[0; 4]);
    let covered = message.len() - 8;
    let crc = stun_types::attribute::Fingerprint::compute(&[&message[..covered]]);
    let fingerprint = stun_types::attribute::Fingerprint::new(crc);
    stun_types::attribute::AttributeWriteExt::write_into(&fingerprint, &mut message[covered..]).unwrap();
    message
}

#[test]
fn a_source_has_a_budget_of_answers_and_the_authenticated_need_none() {
    let mut lab = Lab::with(|settings| settings.answers_per_second = 2);
    let (mut party, _) = lab.allocated("call", "1", "198.51.100.8:4000");
    lab.advance(100);
    let request = write(MessageClass::Request, BINDING, 1, &[]).finish();
    let answered = |lab: &mut Lab, port| {
        let client = at(&format!("198.51.100.7:{port}"));
        (0..100).filter(|_| lab.receive(&client, &request).is_some()).count()
    };
    assert_eq!(answered(&mut lab, 4000), 20);
    assert_eq!(answered(&mut lab, 5000), 0, "another port of the same source");
    assert_eq!(lab.counters().dropped(DropReason::AnswerBudget), 180);
    assert!(party.request(&mut lab, REFRESH, &[]).is_success(), "an authenticated answer costs no budget");
    lab.now.monotonic += Duration::from_secs(1);
    assert_eq!(answered(&mut lab, 4000), 2);
}

/// A five-tuple over a connection.
fn connected(address: &str, transport: Transport) -> FiveTuple {
    FiveTuple::new(address.parse().unwrap(), "203.0.113.9:3478".parse().unwrap(), transport)
}

#[test]
fn forged_datagrams_take_nothing_from_connections_of_the_same_address() {
    let mut lab = Lab::new();
    let forged = write(MessageClass::Request, BINDING, 1, &[]).finish();
    let challenged = write(MessageClass::Request, ALLOCATE, 1, &[UDP]).finish();
    let forge = |lab: &mut Lab, request: &[u8]| {
        (0..10_000)
            .filter(|port| lab.receive(&at(&format!("198.51.100.7:{}", 20_000 + port)), request).is_some())
            .count()
    };
    assert_eq!(forge(&mut lab, &forged), 500);
    // The empty messages of before leave the challenges of datagrams as they were.
    assert!(lab.receive(&at("198.51.100.7:4000"), &challenged).is_some());
    forge(&mut lab, &challenged);
    assert!(lab.receive(&at("198.51.100.7:4000"), &challenged).is_none());
    for transport in [Transport::Tcp, Transport::Tls] {
        for port in 5000..5005 {
            let client = connected(&format!("198.51.100.7:{port}"), transport);
            assert_eq!(lab.answer(&client, &challenged).expect("an answer").error(), 401);
        }
    }
}

#[test]
fn forged_datagrams_take_nothing_from_an_address_with_a_living_allocation() {
    let mut lab = Lab::new();
    let (mut party, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    let challenged = write(MessageClass::Request, ALLOCATE, 1, &[UDP]).finish();
    // A thousand forged datagrams a second, for ten minutes; each second the client opens another one.
    for second in 0..600_u32 {
        lab.advance(1);
        for port in 0..1000 {
            lab.receive(&at(&format!("198.51.100.7:{}", 20_000 + port)), &challenged);
        }
        let client = at(&format!("198.51.100.7:{}", 5000 + second));
        assert_eq!(lab.answer(&client, &challenged).expect("an answer").error(), 401, "{second}");
        if second % 300 == 0 {
            assert!(party.request(&mut lab, REFRESH, &[]).is_success());
        }
    }
    party.request(&mut lab, REFRESH, &[(LIFETIME, &[0; 4])]);
    assert!(
        lab.receive(&at("198.51.100.7:6000"), &challenged).is_none(),
        "and when it has ended, as any other"
    );
}

#[test]
fn four_hundred_forged_datagrams_a_second_take_nothing_from_an_address_that_has_shown_nothing_yet() {
    let mut lab = Lab::new();
    let forged = write(MessageClass::Request, BINDING, 1, &[]).finish();
    let challenged = write(MessageClass::Request, ALLOCATE, 1, &[UDP]).finish();
    for second in 0..600_u32 {
        lab.advance(1);
        for port in 0..400 {
            let from = at(&format!("198.51.100.7:{}", 20_000 + port));
            lab.receive(&from, if second % 2 == 0 { &forged } else { &challenged });
        }
        let client = at(&format!("198.51.100.7:{}", 5000 + second));
        assert_eq!(lab.answer(&client, &challenged).expect("an answer").error(), 401, "{second}");
    }
}

#[test]
fn a_binding_request_is_answered_with_the_address_it_came_from() {
    let mut lab = Lab::new();
    for address in ["198.51.100.7:4000", "[2001:db8::7]:4000"] {
        let mut request = write(MessageClass::Request, BINDING, 1, &[]);
        request.add_fingerprint().unwrap();
        let answer = lab.answer(&at(address), &request.finish()).unwrap();
        assert!(answer.is_success());
        assert_eq!(answer.address(XOR_MAPPED_ADDRESS), address.parse().unwrap());
        assert_eq!(answer.value(SOFTWARE), None);
    }
}

#[test]
fn a_forged_source_port_of_zero_is_not_answered() {
    let mut lab = Lab::new();
    let request = write(MessageClass::Request, BINDING, 1, &[]).finish();
    assert!(lab.receive(&at("198.51.100.7:0"), &request).is_none());
    assert!(lab.receive(&at("198.51.100.7:1"), &request).is_some());
}

/// A datagram as a stranger might send it: noise, or something that looks like a message.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let noise = proptest::collection::vec(any::<u8>(), 0..200);
    let attribute = (
        prop_oneof![
            prop::sample::select(vec![
                USERNAME,
                MESSAGE_INTEGRITY,
                CHANNEL_NUMBER,
                LIFETIME,
                XOR_PEER_ADDRESS,
                DATA_ATTRIBUTE,
                REALM,
                NONCE,
                REQUESTED_TRANSPORT,
                REQUESTED_ADDRESS_FAMILY,
                EVEN_PORT,
                DONT_FRAGMENT,
                SOFTWARE,
                FINGERPRINT,
                0x001C,
            ]),
            any::<u16>()
        ],
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            Just(vec![17, 0, 0, 0]),
            Just(vec![0; 20]),
            Just(b"1900000000:call:1".to_vec())
        ],
    );
    let attributes = proptest::collection::vec(attribute, 0..7);
    let method = prop_oneof![0_u16..0x10, any::<u16>().prop_map(|method| method % 0x1000)];
    let message = (0_u8..4, method, any::<u128>(), attributes, any::<bool>()).prop_map(
        |(class, method, transaction, attributes, with_fingerprint)| {
            let class =
                [MessageClass::Request, MessageClass::Indication, MessageClass::Success, MessageClass::Error]
                    [usize::from(class)];
            let mut message = write(class, method, transaction, &[]).finish();
            for (kind, value) in attributes {
                append(&mut message, kind, &value);
            }
            if with_fingerprint { fingerprinted(&message) } else { message }
        },
    );
    let channel = (0x4000_u16..0x5000, proptest::collection::vec(any::<u8>(), 0..50))
        .prop_map(|(channel, data)| channel_data(channel, &data));
    prop_oneof![1 => noise, 8 => message, 1 => channel]
}

/// A stranger's address: anything but those of the two participants.
fn stranger() -> impl Strategy<Value = FiveTuple> {
    let v4 = any::<[u8; 4]>().prop_map(|ip| SocketAddr::from((Ipv4Addr::from(ip), 9)));
    let v6 = any::<u128>().prop_map(|ip| SocketAddr::from((Ipv6Addr::from_bits(ip), 9)));
    prop_oneof![v4, v6].prop_map(|client| FiveTuple::udp(client, "203.0.113.9:3478".parse().unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn strangers_reach_nobody_learn_little_and_leave_nothing(
        steps in proptest::collection::vec((stranger(), datagram(), 0_u64..5), 1..40),
    ) {
        let mut lab = Lab::new();
        let (_, relayed_one) = lab.permitted("call", "1", "198.51.100.7:4000");
        let (mut two, _) = lab.permitted("call", "2", "198.51.100.8:4000");
        let before = (lab.server.allocations(), lab.server.calls(), lab.server.traffic("call"));
        for (from, datagram, seconds) in steps {
            lab.advance(seconds);
            if let Some((to, answer)) = lab.receive(&from, &datagram) {
                prop_assert_eq!(to, from, "only the sender hears of it");
                prop_assert!(answer.0.len() * 2 <= datagram.len() * 5, "{} for {}", answer.0.len(), datagram.len());
            }
        }
        let after = (lab.server.allocations(), lab.server.calls(), lab.server.traffic("call"));
        prop_assert_eq!(before, after);
        prop_assert_eq!(lab.counters().relayed_packets, 0);
        prop_assert_eq!(lab.counters().allocations_made, 2);
        two.send(&mut lab, relayed_one, &[0x80]).expect("and the call goes on");
    }
}
