//! What outsiders found, each as the order of messages that did it.

use super::lab::Lab;
use crate::access::Role;
use crate::message::{ClientMessage, SeatNumber};

/// A doctor who is in, and a patient who waits.
fn meeting() -> Lab {
    let mut lab = Lab::new();
    lab.open(0);
    lab.settle();
    lab.open(1);
    lab.settle();
    assert!(lab.is_in(0) && !lab.is_in(1));
    lab
}

fn admit_all(lab: &mut Lab) {
    for knock in lab.pages[0].knocks.clone() {
        lab.say(0, ClientMessage::Admit { knock: knock.try_into().unwrap() });
    }
}

#[test]
fn of_two_sockets_of_one_page_the_later_lives_whichever_comes_first() {
    for choices in [[0; 40], [1; 40], [2; 40], [3; 40]] {
        let mut lab = meeting();
        admit_all(&mut lab);
        lab.settle();
        assert!(lab.is_in(1));
        lab.open(1);
        lab.open(1);
        for choice in choices {
            lab.run_one(choice);
        }
        lab.settle();
        lab.check();
        assert!(lab.is_in(1), "the page is in on the socket that it opened last");
    }
}

#[test]
fn of_two_devices_that_are_let_in_the_later_is_in() {
    for choice in 0..5 {
        let mut lab = meeting();
        let code = lab.pages[1].code.clone();
        let another = lab.add_page(2, &code);
        lab.open(another);
        lab.settle();
        admit_all(&mut lab);
        while lab.run_one(choice) {}
        lab.settle();
        lab.check();
        assert!(lab.is_in(1) != lab.is_in(another), "one of them is in");
    }
}

#[test]
fn a_seat_that_is_added_in_mid_call_is_reached_sent_back_and_removed() {
    let mut lab = meeting();
    admit_all(&mut lab);
    lab.settle();
    let guest = lab.add_seat(Role::Guest).unwrap();
    lab.open(guest);
    lab.settle();
    admit_all(&mut lab);
    lab.settle();
    assert!(lab.is_in(guest));
    let seat = SeatNumber::try_from(3).unwrap();
    for page in [0, 1] {
        let description = serde_json::from_str(r#"{"type":"offer","sdp":""}"#).unwrap();
        let incarnation = lab.pages[page].partners[&3];
        lab.say(page, ClientMessage::Description { to: seat, incarnation, description });
    }
    lab.settle();
    assert_eq!(lab.pages[guest].heard, [1, 2].into());
    lab.say(0, ClientMessage::SendBack { seat });
    lab.settle();
    lab.check();
    assert!(!lab.is_in(guest));
    admit_all(&mut lab);
    lab.settle();
    assert!(lab.is_in(guest));
    lab.say(0, ClientMessage::Remove { seat });
    lab.settle();
    assert!(!lab.is_in(guest) && !lab.pages[0].partners.contains_key(&3));
}

#[test]
fn a_doctor_who_was_removed_knocks_and_who_was_sent_back_gets_in_when_no_doctor_is_left() {
    for message in [
        ClientMessage::Remove { seat: SeatNumber::try_from(3).unwrap() },
        ClientMessage::SendBack { seat: SeatNumber::try_from(3).unwrap() },
    ] {
        let mut lab = meeting();
        let colleague = lab.add_seat(Role::Doctor).unwrap();
        lab.open(colleague);
        lab.settle();
        assert!(lab.is_in(colleague));
        lab.say(0, message);
        lab.settle();
        if lab.pages[colleague].socket.is_none() {
            lab.pages[colleague].standing = super::page::Standing::Out;
            lab.reload(colleague);
        }
        lab.settle();
        assert!(!lab.is_in(colleague), "a doctor is there who decides");
        lab.say(0, ClientMessage::Leave {});
        lab.settle();
        lab.advance(std::time::Duration::from_secs(16));
        lab.settle();
        assert!(lab.is_in(colleague), "and now none is");
    }
}
