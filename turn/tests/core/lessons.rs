//! Incidents of other servers that no other file has a test for; docs/lessons.md has the whole table.

use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;
use visavis_turn::{Clients, DropReason, Flows, Now, Output, Server, Settings, Transport};

use crate::lab::{Lab, SECRET, at};
use crate::support::spoofed::Spoofer;
use crate::support::*;

const MOBILITY_TICKET: u16 = 0x8030;
const ACCESS_TOKEN: u16 = 0x001B;
const THIRD_PARTY_AUTHORIZATION: u16 = 0x802E;

#[test]
fn a_quota_is_not_by_passed_by_reconnecting_by_another_transport_or_by_mobility() {
    let mut lab = Lab::with(|settings| settings.allocations_per_seat = 3);
    let mut parties = Vec::new();
    for (port, transport) in [(1, Transport::Udp), (2, Transport::Tcp), (3, Transport::Tls)] {
        let mut party = lab.party("call", "1", &format!("198.51.100.7:{port}"));
        party.at.transport = transport;
        party.meet_challenge(&mut lab);
        party.allocate(&mut lab);
        parties.push(party);
        lab.advance(1);
    }
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        let mut again = lab.party("call", "1", "[2001:db8::7]:9");
        again.at.transport = transport;
        again.meet_challenge(&mut lab);
        for attributes in [&[UDP][..], &[UDP, (MOBILITY_TICKET, &[])]] {
            assert_eq!(again.request(&mut lab, ALLOCATE, attributes).error(), 486, "{transport:?}");
        }
        // RFC 8016 would move an allocation to this address by its ticket: here it has none to move.
        let moved = again.request(&mut lab, REFRESH, &[(MOBILITY_TICKET, &[7; 16])]);
        assert_eq!(moved.error(), 437);
    }
    // A connection that ends gives its place back, and no more than that.
    lab.server.end_client(&parties[1].at);
    assert!(lab.party("call", "1", "198.51.100.7:4").request(&mut lab, ALLOCATE, &[UDP]).is_success());
    assert_eq!(lab.party("call", "1", "198.51.100.7:5").request(&mut lab, ALLOCATE, &[UDP]).error(), 486);
    assert_eq!(lab.server.allocations(), 3);
}

#[test]
fn mobility_gets_no_ticket_and_oauth_is_refused_unparsed() {
    for clients in [Clients::Browsers, Clients::Any] {
        let mut lab = Lab::with(|settings| settings.clients = clients);
        let mut party = lab.party("call", "1", "198.51.100.7:4000");
        for length in [0, 1, 2, 17, 200] {
            let token = vec![0xFF; length];
            let answer = party.request(&mut lab, ALLOCATE, &[UDP, (ACCESS_TOKEN, &token)]);
            assert_eq!(answer.error(), 420);
            assert_eq!(answer.value(UNKNOWN_ATTRIBUTES).unwrap(), ACCESS_TOKEN.to_be_bytes());
        }
        let challenge = {
            let request = party.client.unsigned(ALLOCATE, &[UDP]);
            lab.answer(&party.at, &request).unwrap()
        };
        assert_eq!(challenge.value(THIRD_PARTY_AUTHORIZATION), None, "nor is it offered");
        let answer = party.request(&mut lab, ALLOCATE, &[UDP, (MOBILITY_TICKET, &[])]);
        assert!(answer.is_success());
        assert_eq!(answer.value(MOBILITY_TICKET), None);
    }
}

#[test]
fn tcp_relaying_is_refused_with_442_whoever_is_served() {
    for clients in [Clients::Browsers, Clients::Any] {
        let mut lab = Lab::with(|settings| settings.clients = clients);
        let mut party = lab.party("call", "1", "198.51.100.7:4000");
        let tcp = (REQUESTED_TRANSPORT, &[6, 0, 0, 0][..]);
        assert_eq!(party.request(&mut lab, ALLOCATE, &[tcp]).error(), 442);
        party.allocate(&mut lab);
        for method in [0x00A, 0x00B, 0x00C] {
            let request = party.client.signed(method, &[]);
            assert!(
                lab.receive(&party.at, &request).is_none(),
                "Connect, ConnectionBind and ConnectionAttempt"
            );
        }
    }
}

#[test]
fn nonces_and_ports_of_two_servers_have_nothing_in_common_but_the_time() {
    let drawn = |seed: u8| {
        let mut server = Server::new(Settings::new("visavis", SECRET), [seed; 32]).unwrap();
        let mut lab = Lab { flows: Flows::new(&mut server), server, ..Lab::new() };
        let request = write(stun_types::message::MessageClass::Request, ALLOCATE, 1, &[UDP]);
        let request = stun_types::message::MessageWrite::finish(request);
        let challenge = lab.answer(&at("198.51.100.7:4000"), &request).unwrap();
        let ports: Vec<_> = (0..20)
            .map(|n| lab.allocated("call", "1", &format!("198.51.100.8:{}", 4000 + n)).1.port())
            .collect();
        (challenge.value(NONCE).unwrap(), ports)
    };
    let ((first, first_ports), (second, second_ports)) = (drawn(1), drawn(2));
    // Four bytes of time are five characters and a third.
    assert_eq!(first[..5], second[..5]);
    assert_ne!(first[6..], second[6..]);
    let common = first_ports.iter().filter(|port| second_ports.contains(port)).count();
    assert!(common < 5, "{common} of 20 ports among 16,384");
    assert_eq!(drawn(1), (first, first_ports), "all of it comes from the seed");
}

#[test]
fn labels_are_a_closed_set_whatever_users_there_were() {
    let labels: HashSet<&str> = DropReason::ALL.into_iter().map(DropReason::label).collect();
    assert_eq!(labels.len(), DropReason::ALL.len(), "one label each");
    assert!(labels.iter().all(|label| label.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase())));
    let mut lab = Lab::new();
    for user in 0..100 {
        let mut party = lab.party(&format!("call-{user}"), &format!("seat-{user}"), "198.51.100.7:4000");
        party.allocate(&mut lab);
        party.request(&mut lab, REFRESH, &[(LIFETIME, &[0; 4])]);
    }
    let seen = format!("{:?}", lab.counters());
    assert!(!seen.contains("call-") && !seen.contains("seat-"), "numbers only: {seen}");
    assert_eq!((lab.counters().allocations_made, lab.server.calls()), (100, 0), "nothing is left of them");
}

#[test]
fn one_source_that_storms_gets_no_more_answers_than_its_budget() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "1", "203.0.113.7:4000");
    let mut spoofer = Spoofer::new(&mut party.client);
    lab.now.monotonic += Duration::from_secs(1000);
    let mut answers = 0;
    for number in 0..100_000_u64 {
        let from = at(&format!("198.51.100.7:{}", 1024 + number % 50_000));
        answers += u32::from(lab.receive(&from, &spoofer.datagram()).is_some());
        lab.now.monotonic += Duration::from_micros(100);
    }
    // Ten seconds at 500 challenges and 50 other answers a second, and ten seconds' worth of both saved up.
    assert!((10_000..=11_000).contains(&answers), "{answers} answers");
}

/// A step in the life of four clients.
#[derive(Clone, Copy, Debug)]
enum Step {
    Allocate(usize),
    Permit(usize),
    Bind(usize, usize),
    End(usize),
    EndSeat(usize),
    Send(usize, usize),
    Data(usize),
    Pause(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..4_usize;
    prop_oneof![
        2 => client().prop_map(Step::Allocate),
        2 => client().prop_map(Step::Permit),
        2 => (client(), client()).prop_map(|(one, two)| Step::Bind(one, two)),
        1 => client().prop_map(Step::End),
        1 => client().prop_map(Step::EndSeat),
        6 => (client(), client()).prop_map(|(one, two)| Step::Send(one, two)),
        6 => client().prop_map(Step::Data),
        2 => prop_oneof![Just(1), Just(299), Just(300), 0..700_u64].prop_map(Step::Pause),
    ]
}

/// What leaves, and to whom; without the transaction of a Data indication, which is random.
fn left(
    flows: &mut Flows,
    server: &mut Server,
    now: Now,
    from: &visavis_turn::FiveTuple,
    bytes: &[u8],
) -> String {
    let mut message = bytes.to_vec();
    match flows.receive(now, from, &mut message, || server) {
        None => "nothing".to_owned(),
        Some(Output::Answer(_)) => "an answer".to_owned(),
        Some(Output::Delivery(delivery)) => {
            let header = delivery.header.map_or(Vec::new(), |header| header.to_vec());
            let mut sent = [&header[..], &message[delivery.body]].concat();
            if sent[0] < 0x40 {
                sent[8..20].fill(0);
            }
            format!("{:?} {sent:?}", delivery.to)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn a_remembered_flow_does_what_a_fresh_look_would_and_everything_ends(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut lab = Lab::new();
        let mut other_worker = Flows::new(&mut lab.server);
        let mut parties: Vec<_> = [("call", "1"), ("call", "2"), ("call", "3"), ("other", "1")]
            .iter()
            .enumerate()
            .map(|(number, (call, seat))| lab.party(call, seat, &format!("198.51.100.{number}:4000")))
            .collect();
        let mut relayed = ["192.0.2.1:50000".parse().unwrap(); 4];
        for step in steps {
            let data = match step {
                Step::Allocate(who) => {
                    let credential = lab.mint.mint(lab.now.unix, ["call", "call", "call", "other"][who], ["1", "2", "3", "1"][who]);
                    parties[who].client.credential = credential;
                    parties[who].meet_challenge(&mut lab);
                    let answer = parties[who].request(&mut lab, ALLOCATE, &[UDP]);
                    if answer.is_success() {
                        relayed[who] = answer.address(XOR_RELAYED_ADDRESS);
                    }
                    continue;
                }
                Step::Permit(who) => { parties[who].permit(&mut lab, relayed[who]); continue }
                Step::Bind(who, peer) => { parties[who].bind(&mut lab, 0x4000, relayed[peer]); continue }
                Step::End(who) => { let at = parties[who].at; lab.server.end_client(&at); continue }
                Step::EndSeat(who) => { lab.end_seat(["call", "call", "call", "other"][who], ["1", "2", "3", "1"][who]); continue }
                Step::Pause(seconds) => { lab.advance(seconds); continue }
                Step::Send(who, peer) => (who, parties[who].client.send(relayed[peer], &[0x80, 1, 2])),
                Step::Data(who) => (who, channel_data(0x4000, &[0x80, 3])),
            };
            let (from, bytes) = (parties[data.0].at, data.1);
            let mut fresh = Flows::new(&mut lab.server);
            let expected = left(&mut fresh, &mut lab.server, lab.now, &from, &bytes);
            prop_assert_eq!(&left(&mut lab.flows, &mut lab.server, lab.now, &from, &bytes), &expected);
            prop_assert_eq!(&left(&mut other_worker, &mut lab.server, lab.now, &from, &bytes), &expected);
        }
        lab.now.monotonic += Duration::from_secs(3600);
        lab.server.handle_timeout(lab.now);
        prop_assert_eq!((lab.server.allocations(), lab.server.calls()), (0, 0));
        prop_assert_eq!(lab.server.next_timeout(), None);
    }
}
