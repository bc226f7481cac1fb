//! The data path (RFC 8656, sections 11 and 12): every kind of leg, in place, within one call, within its bandwidth.

use std::time::Duration;

use visavis_turn::{Clients, Delivery, DropReason, Output, Traffic};

use crate::lab::{Lab, at};
use crate::support::*;

const RTP: u8 = 0x80;

#[test]
fn every_kind_of_leg_leads_to_every_kind_of_leg() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (mut two, at_two) = lab.permitted("call", "2", "[2001:db8::8]:4000");
    for length in 1..9 {
        let data = vec![RTP; length];
        let (to, answer) = one.send(&mut lab, at_two, &data).unwrap();
        assert_eq!((to, answer.data_indication()), (two.at, Some((at_one, data))), "Send to Data");
    }
    assert!(one.bind(&mut lab, 0x4001, at_two).is_success());
    let (to, answer) = lab.receive(&one.at, &channel_data(0x4001, b"\x80data")).unwrap();
    assert_eq!(
        (to, answer.data_indication()),
        (two.at, Some((at_one, b"\x80data".to_vec()))),
        "ChannelData to Data"
    );
    let (to, answer) = two.send(&mut lab, at_one, b"\x80back").unwrap();
    assert_eq!((to, answer.0), (one.at, channel_data(0x4001, b"\x80back")), "Send to ChannelData");
    assert!(two.bind(&mut lab, 0x4FFF, at_one).is_success());
    let (to, answer) = lab.receive(&one.at, &channel_data(0x4001, b"\x80data")).unwrap();
    assert_eq!((to, answer.0), (two.at, channel_data(0x4FFF, b"\x80data")), "ChannelData to ChannelData");
    assert_eq!(lab.counters().relayed_packets, 11);
}

#[test]
fn the_payload_stays_where_it_was_received() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (mut two, at_two) = lab.permitted("call", "2", "198.51.100.8:4000");
    assert!(one.bind(&mut lab, 0x4001, at_two).is_success());
    let check = |lab: &mut Lab, mut message: Vec<u8>, body: std::ops::Range<usize>, is_header_apart: bool| {
        let payload = message.len() - 8..message.len();
        let sent = message[payload.clone()].to_vec();
        let output = lab.output(&one.at, &mut message);
        let Some(Output::Delivery(delivery)) = output else { panic!("not passed on: {output:?}") };
        let Delivery { header, body: found, padding, .. } = delivery;
        assert_eq!((header.is_some(), found, padding), (is_header_apart, body, 0));
        assert_eq!(message[payload], sent);
    };
    check(&mut lab, channel_data(0x4001, b"\x80 a data"), 4..12, true);
    check(&mut lab, one.client.send(at_two, b"\x80 a data"), 0..44, false);
    assert!(two.bind(&mut lab, 0x4001, at_one).is_success());
    check(&mut lab, channel_data(0x4001, b"\x80 a data"), 0..12, false);
    check(&mut lab, one.client.send(at_two, b"\x80 a data"), 32..44, false);
}

#[test]
fn the_largest_datagram_passes_on_every_kind_of_leg() {
    let mut lab = Lab::with(|settings| settings.seat_bits_per_second = 100_000_000);
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (mut two, at_two) = lab.permitted("call", "2", "198.51.100.8:4000");
    let data = vec![RTP; 65_507 - 36 - 3];
    assert_eq!(one.send(&mut lab, at_two, &data).unwrap().1.data_indication().unwrap().1, data);
    assert!(
        one.bind(&mut lab, 0x4001, at_two).is_success() && two.bind(&mut lab, 0x4001, at_one).is_success()
    );
    let data = vec![RTP; 65_507 - 4];
    assert_eq!(lab.receive(&one.at, &channel_data(0x4001, &data)).unwrap().1.0, channel_data(0x4001, &data));
}

#[test]
fn send_takes_its_attributes_in_any_order() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (two, at_two) = lab.permitted("call", "2", "198.51.100.8:4000");
    let transaction = one.client.next_transaction();
    let peer = xor_address(at_two, transaction);
    let attributes = [(DATA_ATTRIBUTE, &b"\x80data"[..]), (SOFTWARE, b"other"), (XOR_PEER_ADDRESS, &peer)];
    let indication = write(stun_types::message::MessageClass::Indication, SEND, transaction, &attributes);
    let (to, answer) = lab.receive(&one.at, &stun_types::message::MessageWrite::finish(indication)).unwrap();
    assert_eq!((to, answer.data_indication()), (two.at, Some((at_one, b"\x80data".to_vec()))));
}

#[test]
fn nothing_passes_between_calls() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (mut two, at_two) = lab.permitted("other", "1", "198.51.100.8:4000");
    assert!(one.send(&mut lab, at_two, &[RTP; 20]).is_none());
    assert!(two.send(&mut lab, at_one, &[RTP; 20]).is_none());
    assert_eq!(lab.counters().dropped(DropReason::NoPeer), 2);
}

#[test]
fn a_seat_may_be_its_own_peer() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (two, at_two) = lab.permitted("call", "1", "198.51.100.7:4001");
    let (to, answer) = one.send(&mut lab, at_two, &[RTP]).unwrap();
    assert_eq!((to, answer.data_indication()), (two.at, Some((at_one, vec![RTP]))));
}

#[test]
fn both_sides_must_have_a_permission() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.allocated("call", "1", "198.51.100.7:4000");
    let (mut two, at_two) = lab.allocated("call", "2", "198.51.100.8:4000");
    assert!(one.send(&mut lab, at_two, &[RTP]).is_none());
    assert_eq!(lab.counters().dropped(DropReason::NoPermission), 1);
    assert!(one.permit(&mut lab, at_two).is_success());
    assert!(one.send(&mut lab, at_two, &[RTP]).is_none());
    assert_eq!(lab.counters().dropped(DropReason::PeerNoPermission), 1);
    assert!(two.permit(&mut lab, at_one).is_success());
    assert!(one.send(&mut lab, at_two, &[RTP]).is_some());
}

#[test]
fn a_channel_installs_the_permission_too() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.allocated("call", "1", "198.51.100.7:4000");
    let (mut two, at_two) = lab.allocated("call", "2", "198.51.100.8:4000");
    assert!(one.bind(&mut lab, 0x4000, at_two).is_success());
    assert!(two.bind(&mut lab, 0x4000, at_one).is_success());
    assert!(lab.receive(&one.at, &channel_data(0x4000, &[RTP])).is_some());
    assert!(one.send(&mut lab, at_two, &[RTP]).is_some());
}

#[test]
fn data_without_allocation_channel_or_sense_go_nowhere() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    let stranger = at("198.51.100.66:4000");
    assert!(lab.receive(&stranger, &channel_data(0x4000, &[RTP])).is_none());
    let indication = one.client.send(at_one, &[RTP]);
    assert!(lab.receive(&stranger, &indication).is_none());
    assert_eq!(lab.counters().dropped(DropReason::NoAllocation), 2);
    assert!(lab.receive(&one.at, &channel_data(0x4000, &[RTP])).is_none());
    assert_eq!(lab.counters().dropped(DropReason::ChannelNotBound), 1);
    let mut cut = channel_data(0x4000, &[RTP; 8]);
    cut.truncate(9);
    assert!(lab.receive(&one.at, &cut).is_none());
    let unknown_attribute = {
        let transaction = one.client.next_transaction();
        let peer = xor_address(at_one, transaction);
        let attributes = [(XOR_PEER_ADDRESS, &peer[..]), (DONT_FRAGMENT, &[]), (DATA_ATTRIBUTE, &[RTP])];
        let indication = write(stun_types::message::MessageClass::Indication, SEND, transaction, &attributes);
        stun_types::message::MessageWrite::finish(indication)
    };
    assert!(lab.receive(&one.at, &unknown_attribute).is_none(), "DONT-FRAGMENT is not offered");
    let without_data = write(stun_types::message::MessageClass::Indication, SEND, 7, &[]);
    assert!(lab.receive(&one.at, &stun_types::message::MessageWrite::finish(without_data)).is_none());
    assert_eq!(lab.counters().dropped(DropReason::Malformed), 3);
}

#[test]
fn only_stun_dtls_and_rtp_pass_where_browsers_meet() {
    for (clients, other_passes) in [(Clients::Browsers, false), (Clients::Any, true)] {
        let mut lab = Lab::with(|settings| settings.clients = clients);
        let (mut one, _) = lab.permitted("call", "1", "198.51.100.7:4000");
        let (_, at_two) = lab.permitted("call", "2", "198.51.100.8:4000");
        for first in 0..=255_u8 {
            let is_webrtc = matches!(first, 0..=3 | 20..=63 | 128..=191);
            let passes = one.send(&mut lab, at_two, &[first, 1, 2, 3]).is_some();
            assert_eq!(passes, is_webrtc || other_passes, "{first} under {clients:?}");
        }
        assert_eq!(one.send(&mut lab, at_two, &[]).is_some(), other_passes, "nothing under {clients:?}");
    }
}

#[test]
fn a_seat_over_its_bandwidth_loses_packets_and_no_one_else_does() {
    let mut lab = Lab::with(|settings| settings.seat_bits_per_second = 8_000);
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (mut same_seat, _) = lab.permitted("call", "1", "198.51.100.7:4001");
    let (mut two, at_two) = lab.permitted("call", "2", "198.51.100.8:4000");
    let (mut three, _) = lab.permitted("call", "3", "198.51.100.9:4000");
    let hundred = [RTP; 100];
    // 1,000 bytes a second, half a second saved up.
    let passed = |party: &mut crate::lab::Party, lab: &mut Lab, peer| {
        (0..100).filter(|_| party.send(lab, peer, &hundred).is_some()).count()
    };
    assert_eq!(passed(&mut one, &mut lab, at_two), 5);
    assert_eq!(passed(&mut same_seat, &mut lab, at_two), 0, "another allocation of the same seat");
    assert_eq!(passed(&mut three, &mut lab, at_two), 0, "what the second seat may receive is used up");
    assert_eq!(passed(&mut three, &mut lab, at_one), 5, "what the third may send is not");
    assert_eq!(passed(&mut two, &mut lab, at_two), 0, "nor may the second send to itself");
    assert_eq!(lab.counters().dropped(DropReason::Bandwidth), 490);
    lab.now.monotonic += Duration::from_millis(200);
    assert_eq!(passed(&mut one, &mut lab, at_two), 2, "a fifth of a second later");
}

#[test]
fn media_and_connectivity_checks_are_counted_apart_per_call() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (mut two, at_two) = lab.permitted("call", "2", "198.51.100.8:4000");
    lab.permitted("other", "1", "198.51.100.9:4000");
    one.send(&mut lab, at_two, &[0; 40]).unwrap();
    two.send(&mut lab, at_one, &[22; 300]).unwrap();
    two.send(&mut lab, at_one, &[RTP; 100]).unwrap();
    let counted = Traffic { allocations: 2, media_bytes: 400, media_packets: 2, check_bytes: 40 };
    assert_eq!(lab.server.traffic("call"), counted);
    assert_eq!(lab.server.traffic("other"), Traffic { allocations: 1, ..Traffic::default() });
    assert_eq!(lab.server.traffic("unknown"), Traffic::default());
    let counters = lab.counters();
    assert_eq!((counters.relayed_packets, counters.relayed_bytes, counters.allocations_made), (3, 440, 3));
}
