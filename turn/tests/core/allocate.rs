//! Allocate and Refresh, error by error (RFC 8656, sections 7 and 8; RFC 8489, section 9.2).

use std::collections::HashSet;

use visavis_turn::{Credential, Mint};

use crate::lab::{Lab, SECRET, at};
use crate::support::*;

#[test]
fn a_first_allocate_is_challenged_with_68_bytes() {
    let mut lab = Lab::new();
    let credential = lab.mint.mint(lab.now.unix, "call", "1");
    let request = Client::new(credential).unsigned(ALLOCATE, &[UDP]);
    assert_eq!(request.len(), 28);
    let challenge = lab.answer(&at("198.51.100.7:4000"), &request).unwrap();
    assert_eq!((challenge.error(), challenge.0.len()), (401, 68));
    assert_eq!(challenge.value(REALM).unwrap(), b"visavis");
    assert_eq!(challenge.value(NONCE).unwrap().len(), 22);
    assert_eq!(challenge.value(SOFTWARE), None);
}

#[test]
fn an_allocation_gets_a_virtual_address_the_default_lifetime_and_its_mapped_address_signed() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    let answer = party.request(&mut lab, ALLOCATE, &[UDP]);
    assert!(answer.is_success());
    let relayed = answer.address(XOR_RELAYED_ADDRESS);
    assert_eq!(relayed.ip(), visavis_turn::RELAYED_IP);
    assert!(relayed.port() >= 49_152);
    assert_eq!(answer.address(XOR_MAPPED_ADDRESS), "198.51.100.7:4000".parse().unwrap());
    assert_eq!(answer.lifetime(), 600);
    assert!(answer.message().validate_integrity(&party.client.key()).is_ok());
}

#[test]
fn an_ipv6_client_gets_an_ipv4_relayed_address() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "[2001:db8::7]:4000");
    let answer = party.request(&mut lab, ALLOCATE, &[UDP]);
    assert_eq!(answer.address(XOR_MAPPED_ADDRESS), "[2001:db8::7]:4000".parse().unwrap());
    assert!(answer.address(XOR_RELAYED_ADDRESS).is_ipv4());
}

#[test]
fn a_lifetime_is_granted_between_the_default_and_the_longest() {
    let mut lab = Lab::new();
    for (port, asked, granted) in
        [(1, 1_u32, 600), (2, 600, 600), (3, 777, 777), (4, 3600, 3600), (5, u32::MAX, 3600)]
    {
        let mut party = lab.party("call", "1", &format!("198.51.100.7:{port}"));
        let answer = party.request(&mut lab, ALLOCATE, &[UDP, (LIFETIME, &asked.to_be_bytes())]);
        assert_eq!(answer.lifetime(), granted, "asked for {asked}");
        let answer = party.request(&mut lab, REFRESH, &[(LIFETIME, &asked.to_be_bytes())]);
        assert_eq!(answer.lifetime(), granted, "refreshed with {asked}");
    }
    let mut party = lab.party("call", "1", "198.51.100.7:6");
    assert_eq!(party.request(&mut lab, ALLOCATE, &[UDP, (LIFETIME, &[1, 2])]).error(), 400);
}

#[test]
fn a_retransmitted_allocate_gets_the_same_answer() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    let request = party.client.signed(ALLOCATE, &[UDP]);
    let first = lab.answer(&party.at, &request).unwrap();
    lab.advance(1);
    let second = lab.answer(&party.at, &request).unwrap();
    assert!(first.is_success());
    assert_eq!(first, second);
    assert_eq!(lab.server.allocations(), 1);
}

#[test]
fn another_allocate_on_the_same_five_tuple_gets_437() {
    let mut lab = Lab::new();
    let (mut party, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    assert_eq!(party.request(&mut lab, ALLOCATE, &[UDP]).error(), 437);
    let mut other = lab.party("call", "2", "198.51.100.7:4000");
    assert_eq!(other.request(&mut lab, ALLOCATE, &[UDP]).error(), 437);
    assert_eq!(lab.server.allocations(), 1);
}

#[test]
fn only_udp_is_relayed() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    assert_eq!(party.request(&mut lab, ALLOCATE, &[]).error(), 400);
    assert_eq!(party.request(&mut lab, ALLOCATE, &[(REQUESTED_TRANSPORT, &[17])]).error(), 400);
    assert_eq!(party.request(&mut lab, ALLOCATE, &[(REQUESTED_TRANSPORT, &[6, 0, 0, 0])]).error(), 442);
}

#[test]
fn relayed_addresses_are_ipv4_only() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    let (v4, v6): (&[u8], &[u8]) = (&[1, 0, 0, 0], &[2, 0, 0, 0]);
    let mut allocate = |attributes: &[(u16, &[u8])]| {
        let answer = party.request(&mut lab, ALLOCATE, &[&[UDP], attributes].concat());
        if answer.is_success() {
            party.request(&mut lab, REFRESH, &[(LIFETIME, &[0; 4])]);
        }
        answer
    };
    assert!(allocate(&[(REQUESTED_ADDRESS_FAMILY, v4)]).is_success());
    assert_eq!(allocate(&[(REQUESTED_ADDRESS_FAMILY, v6)]).error(), 440);
    assert_eq!(allocate(&[(REQUESTED_ADDRESS_FAMILY, &[3, 0, 0, 0])]).error(), 440);
    assert_eq!(allocate(&[(REQUESTED_ADDRESS_FAMILY, &[1])]).error(), 400);
    let both = allocate(&[(ADDITIONAL_ADDRESS_FAMILY, v6)]);
    assert!(both.is_success(), "the IPv4 half of a dual allocation");
    assert_eq!(both.value(ADDRESS_ERROR_CODE).unwrap(), [2, 0, 4, 40]);
    assert_eq!(allocate(&[(ADDITIONAL_ADDRESS_FAMILY, v4)]).error(), 400);
    assert_eq!(allocate(&[(REQUESTED_ADDRESS_FAMILY, v4), (ADDITIONAL_ADDRESS_FAMILY, v6)]).error(), 400);
    assert_eq!(allocate(&[(EVEN_PORT, &[0x80]), (ADDITIONAL_ADDRESS_FAMILY, v6)]).error(), 400);
}

#[test]
fn even_ports_and_reservations_are_refused_with_508() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    assert_eq!(party.request(&mut lab, ALLOCATE, &[UDP, (EVEN_PORT, &[0x00])]).error(), 508);
    assert_eq!(party.request(&mut lab, ALLOCATE, &[UDP, (EVEN_PORT, &[0x80])]).error(), 508);
    assert_eq!(party.request(&mut lab, ALLOCATE, &[UDP, (RESERVATION_TOKEN, &[7; 8])]).error(), 508);
    let both = [UDP, (EVEN_PORT, &[0x80][..]), (RESERVATION_TOKEN, &[7; 8])];
    assert_eq!(party.request(&mut lab, ALLOCATE, &both).error(), 400);
    assert_eq!((lab.server.allocations(), lab.server.calls()), (0, 0), "nothing leaks from a refusal");
}

#[test]
fn what_must_be_understood_and_is_not_gets_420_with_a_list() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    let answer =
        party.request(&mut lab, ALLOCATE, &[UDP, (DONT_FRAGMENT, &[]), (0x7ABC, b"?"), (0x7ABC, b"!")]);
    assert_eq!(answer.error(), 420);
    assert_eq!(answer.value(UNKNOWN_ATTRIBUTES).unwrap(), [0x00, 0x1A, 0x7A, 0xBC]);
    assert!(answer.message().validate_integrity(&party.client.key()).is_ok());
    let connection_id = 0x002A;
    assert_eq!(party.request(&mut lab, ALLOCATE, &[UDP, (connection_id, &[0; 4])]).error(), 420, "RFC 6062");
    let mobility_ticket = 0x8030;
    assert!(
        party.request(&mut lab, ALLOCATE, &[UDP, (mobility_ticket, &[])]).is_success(),
        "optional, ignored"
    );
}

#[test]
fn a_seat_has_48_allocations_and_another_seat_has_its_own() {
    let mut lab = Lab::new();
    let mut parties = Vec::new();
    for port in 1..=48 {
        lab.advance(1);
        parties.push(lab.allocated("call", "1", &format!("198.51.100.7:{port}")).0);
    }
    let names: HashSet<_> = parties.iter().map(|party| &party.client.credential.username).collect();
    assert_eq!(names.len(), 48, "another user name each time, the same seat");
    let mut late = lab.party("call", "1", "198.51.100.7:49");
    assert_eq!(late.request(&mut lab, ALLOCATE, &[UDP]).error(), 486);
    lab.allocated("call", "2", "198.51.100.7:50");
    lab.allocated("other", "1", "198.51.100.7:51");
    parties[7].request(&mut lab, REFRESH, &[(LIFETIME, &[0; 4])]);
    assert!(late.request(&mut lab, ALLOCATE, &[UDP]).is_success(), "one has ended, so there is room again");
}

#[test]
fn relayed_ports_are_distinct_and_come_in_no_order() {
    let mut lab = Lab::with(|settings| settings.allocations_per_seat = 300);
    let ports: Vec<_> =
        (1..=300).map(|port| lab.allocated("call", "1", &format!("198.51.100.7:{port}")).1.port()).collect();
    assert_eq!(ports.iter().collect::<HashSet<_>>().len(), 300);
    assert!(ports.iter().all(|port| *port >= 49_152));
    let neighbours = ports.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 8).count();
    assert!(neighbours < 10, "{neighbours} of 299 followed each other");
}

#[test]
fn a_server_full_of_allocations_says_508_and_has_room_after_one_ended() {
    let mut lab = Lab::with(|settings| settings.allocations_per_seat = u16::MAX);
    let mut ports = HashSet::new();
    let mut last = None;
    for number in 0..16_384_u32 {
        let (party, relayed) =
            lab.allocated("call", "1", &format!("198.51.{}.{}:4000", number / 256, number % 256));
        assert!(ports.insert(relayed.port()));
        last = Some(party);
    }
    let mut late = lab.party("call", "1", "203.0.113.77:4000");
    assert_eq!(late.request(&mut lab, ALLOCATE, &[UDP]).error(), 508);
    last.unwrap().request(&mut lab, REFRESH, &[(LIFETIME, &[0; 4])]);
    assert!(late.request(&mut lab, ALLOCATE, &[UDP]).is_success());
}

#[test]
fn an_expired_credential_opens_nothing() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    lab.advance(900);
    assert!(party.request(&mut lab, ALLOCATE, &[UDP]).is_success(), "its last second");
    let mut late = lab.party("call", "1", "198.51.100.7:4001");
    lab.advance(901);
    let refused = late.request(&mut lab, ALLOCATE, &[UDP]);
    assert_eq!(refused.error(), 401);
    assert_eq!(refused.value(MESSAGE_INTEGRITY), None);
    assert_eq!(lab.counters().credentials_refused, 1);
}

#[test]
fn a_living_allocation_is_refreshed_with_an_expired_credential() {
    let mut lab = Lab::new();
    let (mut party, relayed) = lab.allocated("call", "1", "198.51.100.7:4000");
    for _ in 0..20 {
        lab.advance(500);
        party.meet_challenge(&mut lab);
        assert_eq!(party.request(&mut lab, REFRESH, &[]).lifetime(), 600);
        assert!(party.permit(&mut lab, relayed).is_success());
    }
}

#[test]
fn wrong_passwords_and_foreign_user_names_get_401() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    let good = party.client.credential.clone();
    let mut refused = 0;
    for (username, password) in [
        (good.username.clone(), "wrong".to_owned()),
        ("1900000000:other:1".to_owned(), good.password.clone()),
        ("nobody".to_owned(), good.password.clone()),
        ("\u{1F600}".to_owned(), good.password.clone()),
    ] {
        party.client.credential = Credential { username, password, ..good.clone() };
        assert_eq!(party.request(&mut lab, ALLOCATE, &[UDP]).error(), 401);
        refused += 1;
        assert_eq!(lab.counters().credentials_refused, refused);
    }
    party.client.credential = Mint::new(b"another secret").mint(lab.now.unix, "call", "1");
    assert_eq!(party.request(&mut lab, ALLOCATE, &[UDP]).error(), 401);
    party.client.credential = Mint::new(SECRET).mint(lab.now.unix, "call", "1");
    assert!(party.request(&mut lab, ALLOCATE, &[UDP]).is_success());
}

#[test]
fn a_stale_nonce_gets_438_and_a_new_one_that_works() {
    let mut lab = Lab::new();
    let (mut party, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    for _ in 0..7 {
        lab.advance(590);
        party.request(&mut lab, REFRESH, &[]);
    }
    let stale = party.request(&mut lab, REFRESH, &[]);
    assert_eq!(stale.error(), 438);
    party.client.learn(&stale);
    assert!(party.request(&mut lab, REFRESH, &[]).is_success());
}

#[test]
fn a_nonce_of_another_address_gets_438() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    party.at = at("198.51.100.7:4001");
    assert_eq!(party.request(&mut lab, ALLOCATE, &[UDP]).error(), 438);
}

#[test]
fn a_signed_request_without_user_name_realm_or_nonce_gets_400_and_no_nonce() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "198.51.100.7:4000");
    for left_out in [USERNAME, REALM, NONCE] {
        let full = party.client.signed(ALLOCATE, &[UDP]);
        let answer = Answer(full);
        let mut partial = write(stun_types::message::MessageClass::Request, ALLOCATE, 99, &[UDP]);
        for kind in [USERNAME, REALM, NONCE].into_iter().filter(|kind| *kind != left_out) {
            let value = answer.value(kind).unwrap();
            let raw = stun_types::attribute::RawAttribute::new(kind.into(), &value);
            stun_types::message::MessageWriteExt::add_attribute(&mut partial, &raw).unwrap();
        }
        let mut partial = stun_types::message::MessageWrite::finish(partial);
        append(&mut partial, MESSAGE_INTEGRITY, &[0; 20]);
        let refused = lab.answer(&party.at, &partial).unwrap();
        assert_eq!((refused.error(), refused.value(NONCE), refused.value(REALM)), (400, None, None));
    }
}

#[test]
fn a_refresh_with_lifetime_zero_ends_the_allocation() {
    let mut lab = Lab::new();
    let (mut party, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    let answer = party.request(&mut lab, REFRESH, &[(LIFETIME, &[0; 4])]);
    assert_eq!(answer.lifetime(), 0);
    assert_eq!((lab.server.allocations(), lab.server.calls()), (0, 0));
    assert_eq!(party.request(&mut lab, REFRESH, &[]).error(), 437);
    party.allocate(&mut lab);
}

#[test]
fn a_refresh_of_the_other_address_family_gets_443() {
    let mut lab = Lab::new();
    let (mut party, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    let zero = (LIFETIME, &[0; 4][..]);
    assert_eq!(
        party.request(&mut lab, REFRESH, &[(REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]), zero]).error(),
        443
    );
    assert_eq!(lab.server.allocations(), 1);
    assert!(
        party.request(&mut lab, REFRESH, &[(REQUESTED_ADDRESS_FAMILY, &[1, 0, 0, 0]), zero]).is_success()
    );
    assert_eq!(lab.server.allocations(), 0);
}

#[test]
fn an_allocation_belongs_to_its_seat() {
    let mut lab = Lab::new();
    let (_, relayed) = lab.allocated("call", "1", "198.51.100.7:4000");
    for (call, seat) in [("call", "2"), ("other", "1")] {
        let mut other = lab.party(call, seat, "198.51.100.7:4000");
        assert_eq!(other.request(&mut lab, REFRESH, &[]).error(), 441);
        assert_eq!(other.permit(&mut lab, relayed).error(), 441);
        assert_eq!(other.bind(&mut lab, 0x4000, relayed).error(), 441);
    }
    lab.advance(10);
    let mut same = lab.party("call", "1", "198.51.100.7:4000");
    assert!(same.request(&mut lab, REFRESH, &[]).is_success(), "a newer credential of the same seat");
}

#[test]
fn without_an_allocation_there_is_nothing_to_refresh_permit_or_bind() {
    let mut lab = Lab::new();
    let (_, relayed) = lab.allocated("call", "1", "198.51.100.7:4000");
    let mut other = lab.party("call", "1", "198.51.100.7:4001");
    assert_eq!(other.request(&mut lab, REFRESH, &[]).error(), 437);
    assert_eq!(other.permit(&mut lab, relayed).error(), 437);
    assert_eq!(other.bind(&mut lab, 0x4000, relayed).error(), 437);
}

#[test]
fn a_server_with_several_addresses_keeps_their_clients_apart() {
    let mut lab = Lab::new();
    let (mut party, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    let elsewhere = visavis_turn::FiveTuple::udp(
        "198.51.100.7:4000".parse().unwrap(),
        "203.0.113.10:3478".parse().unwrap(),
    );
    party.at = elsewhere;
    assert_eq!(party.request(&mut lab, REFRESH, &[]).error(), 437);
    party.allocate(&mut lab);
    assert_eq!(lab.server.allocations(), 2);
}
