//! What browsers were seen to do, as message sequences.

use std::net::SocketAddr;

use crate::lab::Lab;
use crate::support::*;

const DTLS: u8 = 22;

/// Firefox keeps one permission per IP address, made with the first port it saw, binds no channel, and after one 403
/// leaves that address alone for good. The first candidate of the virtual address may be of an allocation that is gone.
#[test]
fn firefox_with_a_refused_candidate_of_the_same_address_first_is_connected() {
    let mut lab = Lab::new();
    let (mut firefox, at_firefox) = lab.allocated("call", "1", "198.51.100.7:4000");
    let (mut gone, at_gone) = lab.allocated("call", "2", "198.51.100.8:4000");
    let (mut partner, at_partner) = lab.permitted("call", "2", "198.51.100.8:4001");
    gone.request(&mut lab, REFRESH, &[(LIFETIME, &[0; 4])]);
    assert_eq!(
        firefox.permit(&mut lab, "198.51.100.8:4000".parse().unwrap()).error(),
        403,
        "a host candidate"
    );
    assert!(firefox.permit(&mut lab, at_gone).is_success(), "the address counts, not the port");
    assert!(firefox.send(&mut lab, at_gone, &[DTLS]).is_none());
    let (to, answer) = firefox.send(&mut lab, at_partner, &[DTLS]).unwrap();
    assert_eq!((to, answer.data_indication()), (partner.at, Some((at_firefox, vec![DTLS]))));
    let (to, answer) = partner.send(&mut lab, at_firefox, &[DTLS]).unwrap();
    assert_eq!((to, answer.data_indication()), (firefox.at, Some((at_partner, vec![DTLS]))));
}

/// Firefox renews its one permission with the port it saw first, even after that allocation is gone.
#[test]
fn firefox_stays_connected_when_the_allocation_it_saw_first_is_deleted_in_mid_call() {
    let mut lab = Lab::new();
    let (mut firefox, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    let (mut first_seen, at_first_seen) = lab.permitted("call", "2", "198.51.100.8:4000");
    let (mut partner, at_partner) = lab.permitted("call", "2", "198.51.100.8:4001");
    assert!(firefox.permit(&mut lab, at_first_seen).is_success());
    assert!(firefox.send(&mut lab, at_partner, &[DTLS]).is_some());
    first_seen.request(&mut lab, REFRESH, &[(LIFETIME, &[0; 4])]);
    for _ in 0..20 {
        lab.advance(240);
        for party in [&mut firefox, &mut partner] {
            party.meet_challenge(&mut lab);
            assert!(party.request(&mut lab, REFRESH, &[(LIFETIME, &3600_u32.to_be_bytes())]).is_success());
            assert!(party.permit(&mut lab, at_first_seen).is_success());
        }
        assert!(firefox.send(&mut lab, at_partner, &[DTLS]).is_some());
    }
}

/// Chromium asks for a permission and binds a channel for each candidate of the partner; a 403 costs that pair only.
#[test]
fn chromium_loses_the_refused_pairs_only() {
    let mut lab = Lab::new();
    let (mut chromium, at_chromium) = lab.allocated("call", "1", "198.51.100.7:4000");
    let (partner, at_partner) = lab.permitted("call", "2", "198.51.100.8:4000");
    let candidates: [SocketAddr; 3] =
        ["192.168.1.20:50000".parse().unwrap(), "198.51.100.8:4000".parse().unwrap(), at_partner];
    let answers =
        candidates.map(|peer| (chromium.permit(&mut lab, peer), chromium.bind(&mut lab, 0x4000, peer)));
    let errors = answers.map(|(permission, channel)| (permission.error(), channel.error()));
    assert_eq!(errors, [(403, 403), (403, 403), (0, 0)]);
    let (to, answer) = lab.receive(&chromium.at, &channel_data(0x4000, &[DTLS])).unwrap();
    assert_eq!((to, answer.data_indication()), (partner.at, Some((at_chromium, vec![DTLS]))));
}

/// Both keep a NAT open with Binding requests and indications on the same socket.
#[test]
fn keepalives_are_answered_or_silent_and_never_an_error() {
    let mut lab = Lab::new();
    let (mut party, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    let request = party.client.unsigned(BINDING, &[]);
    assert_eq!(
        lab.answer(&party.at, &request).unwrap().address(XOR_MAPPED_ADDRESS),
        party.at.client.socket_addr()
    );
    let indication = write(stun_types::message::MessageClass::Indication, BINDING, 1, &[]);
    assert!(lab.receive(&party.at, &stun_types::message::MessageWrite::finish(indication)).is_none());
    let dropped: u64 = visavis_turn::DropReason::ALL.into_iter().map(|why| lab.counters().dropped(why)).sum();
    assert_eq!(dropped, 0);
}
