//! What is served to other clients than browsers only: even ports and the reservation of the next one (RFC 8656,
//! section 7.2), and the channel numbers of RFC 5766.

use std::net::SocketAddr;
use std::time::Duration;

use visavis_turn::{Clients, DropReason};

use crate::lab::{Lab, Party};
use crate::support::*;

const RTP: u8 = 0x80;
const EVEN: (u16, &[u8]) = (EVEN_PORT, &[0x00]);
const EVEN_AND_NEXT: (u16, &[u8]) = (EVEN_PORT, &[0x80]);

fn lab() -> Lab {
    lab_with_quota(48)
}

fn lab_with_quota(quota: u16) -> Lab {
    Lab::with(|settings| {
        settings.clients = Clients::Any;
        settings.allocations_per_seat = quota;
    })
}

/// A client with an even port, and the token for the next one.
fn with_next(lab: &mut Lab, call: &str, seat: &str, address: &str) -> (Party, SocketAddr, Vec<u8>) {
    let mut party = lab.party(call, seat, address);
    let answer = party.request(lab, ALLOCATE, &[UDP, EVEN_AND_NEXT]);
    let token = answer.value(RESERVATION_TOKEN).expect("a token");
    (party, answer.address(XOR_RELAYED_ADDRESS), token)
}

fn claim(lab: &mut Lab, call: &str, seat: &str, address: &str, token: &[u8]) -> Answer {
    lab.party(call, seat, address).request(lab, ALLOCATE, &[UDP, (RESERVATION_TOKEN, token)])
}

fn next(relayed: SocketAddr) -> SocketAddr {
    SocketAddr::new(relayed.ip(), relayed.port() + 1)
}

#[test]
fn an_even_port_is_even_and_keeps_no_other() {
    let mut lab = lab_with_quota(u16::MAX);
    for port in 1..=100 {
        let mut party = lab.party("call", "1", &format!("198.51.100.7:{port}"));
        let answer = party.request(&mut lab, ALLOCATE, &[UDP, EVEN]);
        assert!(answer.address(XOR_RELAYED_ADDRESS).port().is_multiple_of(2));
        assert_eq!(answer.value(RESERVATION_TOKEN), None);
    }
    assert_eq!(lab.server.traffic("call").allocations, 100);
}

#[test]
fn the_next_port_is_kept_for_30_seconds_and_given_once() {
    let mut lab = lab();
    let (_, relayed, token) = with_next(&mut lab, "call", "1", "198.51.100.7:1");
    assert!(relayed.port().is_multiple_of(2));
    assert_eq!(token.len(), 8);
    lab.advance(29);
    let claimed = claim(&mut lab, "call", "1", "198.51.100.7:2", &token);
    assert_eq!(claimed.address(XOR_RELAYED_ADDRESS), next(relayed));
    assert_eq!(claim(&mut lab, "call", "1", "198.51.100.7:3", &token).error(), 508, "claimed already");
    let (_, _, token) = with_next(&mut lab, "call", "1", "198.51.100.7:4");
    lab.advance(30);
    assert_eq!(claim(&mut lab, "call", "1", "198.51.100.7:5", &token).error(), 508, "too late");
}

#[test]
fn a_token_opens_nothing_for_another_seat_and_no_token_is_guessed() {
    let mut lab = lab();
    let (_, relayed, token) = with_next(&mut lab, "call", "1", "198.51.100.7:1");
    assert_eq!(claim(&mut lab, "call", "2", "198.51.100.8:1", &token).error(), 508);
    assert_eq!(claim(&mut lab, "other", "1", "198.51.100.9:1", &token).error(), 508);
    for at in 0..token.len() {
        let mut wrong = token.clone();
        wrong[at] ^= 1;
        assert_eq!(claim(&mut lab, "call", "1", "198.51.100.7:2", &wrong).error(), 508, "byte {at}");
    }
    for length in [0, 7, 9] {
        assert_eq!(claim(&mut lab, "call", "1", "198.51.100.7:2", &vec![1; length]).error(), 400);
    }
    let claimed = claim(&mut lab, "call", "1", "198.51.100.7:2", &token);
    assert_eq!(
        claimed.address(XOR_RELAYED_ADDRESS),
        next(relayed),
        "and none of that cost its owner anything"
    );
}

#[test]
fn a_kept_port_counts_in_the_quota_until_it_is_given_back() {
    let mut lab = lab_with_quota(2);
    let (_, _, token) = with_next(&mut lab, "call", "1", "198.51.100.7:1");
    let mut third = lab.party("call", "1", "198.51.100.7:3");
    assert_eq!(third.request(&mut lab, ALLOCATE, &[UDP]).error(), 486);
    assert!(claim(&mut lab, "call", "1", "198.51.100.7:2", &token).is_success(), "it has been counted");
    assert_eq!(third.request(&mut lab, ALLOCATE, &[UDP]).error(), 486);
    let mut lab = lab_with_quota(2);
    with_next(&mut lab, "call", "1", "198.51.100.7:1");
    lab.advance(30);
    let mut second = lab.party("call", "1", "198.51.100.7:2");
    assert_eq!(second.request(&mut lab, ALLOCATE, &[UDP, EVEN_AND_NEXT]).error(), 486, "it needs two");
    assert!(second.request(&mut lab, ALLOCATE, &[UDP]).is_success(), "the kept one has ended");
}

#[test]
fn a_kept_port_ends_with_its_seat_or_its_call_and_not_with_its_allocation() {
    for whole_call in [false, true] {
        let mut lab = lab();
        let (_, _, token) = with_next(&mut lab, "call", "1", "198.51.100.7:1");
        if whole_call {
            lab.end_call("call");
        } else {
            lab.end_seat("call", "1");
        }
        assert_eq!((lab.server.allocations(), lab.server.calls(), lab.server.next_timeout()), (0, 0, None));
        assert_eq!(claim(&mut lab, "call", "1", "198.51.100.7:2", &token).error(), 508);
    }
    let mut lab = lab();
    let (mut party, relayed, token) = with_next(&mut lab, "call", "1", "198.51.100.7:1");
    assert!(party.request(&mut lab, REFRESH, &[(LIFETIME, &[0; 4])]).is_success());
    assert_eq!((lab.server.allocations(), lab.server.calls()), (0, 1));
    assert_eq!(lab.server.next_timeout(), Some(lab.now.monotonic + Duration::from_secs(30)));
    let claimed = claim(&mut lab, "call", "1", "198.51.100.7:2", &token);
    assert_eq!(claimed.address(XOR_RELAYED_ADDRESS), next(relayed));
}

#[test]
fn a_retransmitted_request_for_two_ports_gets_the_same_token_and_keeps_no_more() {
    let mut lab = lab();
    let mut party = lab.party("call", "1", "198.51.100.7:1");
    let request = party.client.signed(ALLOCATE, &[UDP, EVEN_AND_NEXT]);
    let first = lab.answer(&party.at, &request).unwrap();
    lab.advance(1);
    assert_eq!(lab.answer(&party.at, &request).unwrap(), first);
    assert!(first.value(RESERVATION_TOKEN).is_some());
    assert_eq!(lab.server.traffic("call").allocations, 2, "one and the one kept");
}

#[test]
fn a_kept_port_is_nobodys_peer() {
    let mut lab = lab();
    let (_, relayed, _) = with_next(&mut lab, "call", "1", "198.51.100.7:1");
    let (mut two, _) = lab.permitted("call", "2", "198.51.100.8:1");
    assert_eq!(two.bind(&mut lab, 0x4000, next(relayed)).error(), 403);
    assert!(two.send(&mut lab, next(relayed), &[RTP]).is_none());
    assert_eq!(lab.counters().dropped(DropReason::NoPeer), 1);
}

#[test]
fn kept_ports_do_not_use_up_the_others() {
    let mut lab = lab_with_quota(u16::MAX);
    // Every pair there is: 8,192 even ports and the ones above them.
    for number in 0..8_192_u32 {
        with_next(&mut lab, "call", "1", &format!("198.51.{}.{}:4000", number / 256, number % 256));
    }
    let mut late = lab.party("other", "1", "203.0.113.77:4000");
    assert_eq!(late.request(&mut lab, ALLOCATE, &[UDP]).error(), 508);
    lab.advance(30);
    assert_eq!(late.request(&mut lab, ALLOCATE, &[UDP, EVEN]).error(), 508, "all even ones are in use");
    assert!(late.request(&mut lab, ALLOCATE, &[UDP]).is_success());
}

#[test]
fn channel_numbers_reach_up_to_0x7fff_and_carry_data() {
    let mut lab = lab();
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (mut two, at_two) = lab.permitted("call", "2", "198.51.100.8:4000");
    for wrong in [0x3FFF, 0x8000, 0xFFFF] {
        assert_eq!(one.bind(&mut lab, wrong, at_two).error(), 400, "{wrong:#x}");
    }
    assert!(one.bind(&mut lab, 0x5000, at_two).is_success());
    assert!(two.bind(&mut lab, 0x7FFF, at_one).is_success());
    let (to, out) = lab.receive(&one.at, &channel_data(0x5000, b"any bytes")).unwrap();
    assert_eq!((to, out.0), (two.at, channel_data(0x7FFF, b"any bytes")));
    let (to, out) = lab.receive(&two.at, &channel_data(0x7FFF, b"and back")).unwrap();
    assert_eq!((to, out.0), (one.at, channel_data(0x5000, b"and back")));
}
