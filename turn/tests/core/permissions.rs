//! CreatePermission and ChannelBind (RFC 8656, sections 10 and 12), and who is no peer (requirement R54).

use crate::lab::Lab;
use crate::support::*;

#[test]
fn no_special_purpose_block_no_v4_in_v6_form_and_no_public_address_is_a_peer() {
    let mut lab = Lab::new();
    let (mut party, relayed) = lab.permitted("call", "1", "198.51.100.7:4000");
    let server_itself = [party.at.server.socket_addr(), party.at.client.socket_addr()];
    let mut tried = 0;
    for ip in addresses_that_are_no_peer().into_iter().chain(server_itself) {
        for port in [relayed.port(), 3478, 80, 0] {
            let peer = std::net::SocketAddr::new(ip.ip(), port);
            assert_eq!(party.permit(&mut lab, peer).error(), 403, "permission for {peer}");
            assert_eq!(party.bind(&mut lab, 0x4000, peer).error(), 403, "channel to {peer}");
            assert!(party.send(&mut lab, peer, &[0x80; 20]).is_none(), "Send to {peer}");
            tried += 1;
        }
    }
    assert!(tried > 300);
    assert_eq!(lab.counters().relayed_packets, 0);
}

#[test]
fn a_permission_looks_at_the_address_only() {
    let mut lab = Lab::new();
    let (mut party, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    for port in [0, 1, 50_000, 65_535] {
        let virtual_address = std::net::SocketAddr::from((visavis_turn::RELAYED_IP, port));
        assert!(party.permit(&mut lab, virtual_address).is_success());
    }
}

#[test]
fn one_refused_address_refuses_the_whole_request() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.allocated("call", "1", "198.51.100.7:4000");
    let (mut two, at_two) = lab.permitted("call", "2", "198.51.100.8:4000");
    let transaction = one.client.next_transaction();
    let good = xor_address(at_two, transaction);
    let bad = xor_address("10.0.0.1:80".parse().unwrap(), transaction);
    let both = [(XOR_PEER_ADDRESS, &good[..]), (XOR_PEER_ADDRESS, &bad[..])];
    let request = stun_types::message::MessageWrite::finish(one.client.signed_with(
        CREATE_PERMISSION,
        transaction,
        &both,
    ));
    assert_eq!(lab.answer(&one.at, &request).unwrap().error(), 403);
    assert!(two.send(&mut lab, at_one, &[0x80; 4]).is_none(), "no permission was installed");
}

#[test]
fn a_permission_without_an_address_is_a_bad_request() {
    let mut lab = Lab::new();
    let (mut party, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    assert_eq!(party.request(&mut lab, CREATE_PERMISSION, &[]).error(), 400);
    assert_eq!(party.request(&mut lab, CREATE_PERMISSION, &[(XOR_PEER_ADDRESS, &[0, 1])]).error(), 400);
    assert_eq!(
        party.request(&mut lab, CREATE_PERMISSION, &[(XOR_PEER_ADDRESS, &[0, 9, 0, 0, 0, 0])]).error(),
        400
    );
}

#[test]
fn a_channel_leads_to_a_living_allocation_of_the_same_call_only() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.allocated("call", "1", "198.51.100.7:4000");
    let (mut two, at_two) = lab.allocated("call", "2", "198.51.100.8:4000");
    let (_, same_seat) = lab.allocated("call", "1", "198.51.100.7:4001");
    let (_, elsewhere) = lab.allocated("other", "2", "198.51.100.9:4000");
    assert!(one.bind(&mut lab, 0x4000, at_two).is_success());
    assert!(one.bind(&mut lab, 0x4001, same_seat).is_success(), "the same seat may be the peer");
    assert_eq!(one.bind(&mut lab, 0x4002, elsewhere).error(), 403, "another call");
    let taken = [at_one.port(), at_two.port(), same_seat.port(), elsewhere.port()];
    let free = (49_152..).find(|port| !taken.contains(port)).unwrap();
    let nobody = std::net::SocketAddr::from((visavis_turn::RELAYED_IP, free));
    assert_eq!(one.bind(&mut lab, 0x4002, nobody).error(), 403, "nobody lives there");
    two.request(&mut lab, REFRESH, &[(LIFETIME, &[0; 4])]);
    assert_eq!(one.bind(&mut lab, 0x4000, at_two).error(), 403, "nobody lives there any more");
}

#[test]
fn a_channel_has_one_peer_and_a_peer_one_channel() {
    let mut lab = Lab::new();
    let (mut one, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    let (_, two) = lab.allocated("call", "2", "198.51.100.8:4000");
    let (_, three) = lab.allocated("call", "3", "198.51.100.9:4000");
    assert!(one.bind(&mut lab, 0x4000, two).is_success());
    assert!(one.bind(&mut lab, 0x4000, two).is_success(), "a refresh of the binding");
    assert_eq!(one.bind(&mut lab, 0x4000, three).error(), 400);
    assert_eq!(one.bind(&mut lab, 0x4001, two).error(), 400);
    assert!(one.bind(&mut lab, 0x4001, three).is_success());
}

#[test]
fn channel_numbers_are_those_of_rfc_8656() {
    let mut lab = Lab::new();
    let (mut one, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    let (_, two) = lab.allocated("call", "2", "198.51.100.8:4000");
    for wrong in [0, 0x3FFF, 0x5000, 0x7FFF, 0x8000, 0xFFFF] {
        assert_eq!(one.bind(&mut lab, wrong, two).error(), 400, "{wrong:#x}");
    }
    assert!(one.bind(&mut lab, 0x4FFF, two).is_success());
    assert_eq!(
        one.request(&mut lab, CHANNEL_BIND, &[(CHANNEL_NUMBER, &[0x40, 0, 0, 0])]).error(),
        400,
        "no peer"
    );
    let no_number = one.client.signed_to(CHANNEL_BIND, two, &[]);
    assert_eq!(lab.answer(&one.at, &no_number).unwrap().error(), 400);
    let short_number = one.client.signed_to(CHANNEL_BIND, two, &[(CHANNEL_NUMBER, &[0x40, 0])]);
    assert_eq!(lab.answer(&one.at, &short_number).unwrap().error(), 400);
}

#[test]
fn an_allocation_binds_512_channels_at_most() {
    let mut lab = Lab::with(|settings| settings.allocations_per_seat = 600);
    let (mut one, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    let mut bound = 0;
    for number in 0..513_u16 {
        let (_, peer) = lab.allocated("call", "2", &format!("198.51.{}.8:{}", number % 200, 4000 + number));
        let answer = one.bind(&mut lab, 0x4000 + number, peer);
        if answer.is_success() {
            bound += 1;
        } else {
            assert_eq!(answer.error(), 508);
        }
    }
    assert_eq!(bound, 512);
}
