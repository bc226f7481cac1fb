//! Hang-up, removal, sending back: an end reaches the allocations and the credentials (requirement R12).

use crate::lab::Lab;
use crate::support::*;

const RTP: u8 = 0x80;

#[test]
fn the_end_of_a_seat_ends_its_allocations_and_its_credential() {
    let mut lab = Lab::new();
    let (mut doctor, at_doctor) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (mut patient, at_patient) = lab.permitted("call", "2", "198.51.100.8:4000");
    let (_, second) = lab.permitted("call", "2", "198.51.100.8:4001");
    assert!(doctor.bind(&mut lab, 0x4000, second).is_success());
    lab.end_seat("call", "2");
    assert_eq!(lab.server.traffic("call").allocations, 1);
    assert_eq!(patient.request(&mut lab, REFRESH, &[]).error(), 437);
    assert!(patient.send(&mut lab, at_doctor, &[RTP]).is_none());
    assert!(doctor.send(&mut lab, at_patient, &[RTP]).is_none());
    assert!(lab.receive(&doctor.at, &channel_data(0x4000, &[RTP])).is_none());
    assert_eq!(patient.request(&mut lab, ALLOCATE, &[UDP]).error(), 401, "its credential is barred");
    assert!(doctor.request(&mut lab, REFRESH, &[]).is_success(), "the other seat goes on");
}

#[test]
fn a_seat_sent_back_and_admitted_again_in_the_same_second_allocates_with_its_new_credential_only() {
    let mut lab = Lab::new();
    let (mut before, _) = lab.allocated("call", "2", "198.51.100.8:4000");
    for _ in 0..3 {
        lab.end_seat("call", "2");
        let (after, _) = lab.allocated("call", "2", "198.51.100.8:4001");
        assert_eq!(before.request(&mut lab, ALLOCATE, &[UDP]).error(), 401);
        before = after;
        before.at = crate::lab::at("198.51.100.8:4000");
        before.meet_challenge(&mut lab);
    }
}

#[test]
fn the_end_of_a_call_ends_all_its_seats_and_no_other_call() {
    let mut lab = Lab::new();
    let (mut one, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    let (mut two, _) = lab.allocated("call", "2", "198.51.100.8:4000");
    let (mut other, _) = lab.allocated("other", "1", "198.51.100.9:4000");
    lab.end_call("call");
    assert_eq!((lab.server.allocations(), lab.server.calls()), (1, 1));
    for party in [&mut one, &mut two] {
        assert_eq!(party.request(&mut lab, REFRESH, &[]).error(), 437);
        assert_eq!(party.request(&mut lab, ALLOCATE, &[UDP]).error(), 401);
    }
    assert!(other.request(&mut lab, REFRESH, &[]).is_success());
    lab.allocated("call", "1", "198.51.100.7:4000");
}

#[test]
fn traffic_of_a_call_is_forgotten_with_its_last_allocation() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    one.send(&mut lab, at_one, &[RTP; 100]).unwrap();
    assert_eq!(lab.server.traffic("call").media_bytes, 100);
    lab.end_call("call");
    assert_eq!(lab.server.traffic("call"), visavis_turn::Traffic::default());
}

#[test]
fn a_credential_never_used_is_barred_too() {
    let mut lab = Lab::new();
    let mut party = lab.party("call", "2", "198.51.100.8:4000");
    lab.end_seat("call", "2");
    assert_eq!(party.request(&mut lab, ALLOCATE, &[UDP]).error(), 401);
}

#[test]
fn a_flow_in_use_ends_with_the_seat_at_either_end() {
    for ended in ["1", "2"] {
        let mut lab = Lab::new();
        let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
        let (mut two, at_two) = lab.permitted("call", "2", "198.51.100.8:4000");
        assert!(one.bind(&mut lab, 0x4001, at_two).is_success());
        assert!(two.bind(&mut lab, 0x4001, at_one).is_success());
        let packet = channel_data(0x4001, &[RTP; 10]);
        assert!(lab.receive(&one.at, &packet).is_some() && lab.receive(&two.at, &packet).is_some());
        lab.end_seat("call", ended);
        assert!(
            lab.receive(&one.at, &packet).is_none() && lab.receive(&two.at, &packet).is_none(),
            "{ended}"
        );
    }
}
