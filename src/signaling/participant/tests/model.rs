//! Orders of messages, drawn: up to four seats and their devices, everything that pages, the practice and the network may do, in any order, and
//! whatever the server has in its hands goes on in between as it likes. What must hold at any time is looked at by the [`Lab`]; what must hold when all is quiet, and
//! that whoever is entitled still gets in, at each rest and at the end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::lab::Lab;
use super::page::Standing;
use crate::access::Role;
use crate::message::{ClientMessage, SeatNumber};

/// What may happen. Numbers choose among what there is.
#[derive(Debug, Clone)]
pub enum Step {
    Open(usize),
    Reload(usize),
    Duplicate(usize),
    Lose(usize),
    Another(u8),
    Admit(usize),
    Refuse(usize),
    SendBack(usize, u8),
    Remove(usize, u8),
    End(usize),
    Leave(usize),
    Describe(usize, u8),
    Ice(usize),
    Add(bool),
    TakeAway(u8),
    Reissue(u8),
    Revoke,
    Advance(u64),
    Expire,
    Restart,
    Run(Vec<usize>),
    Settle,
}

struct Orders;

impl ReferenceStateMachine for Orders {
    type State = ();
    type Transition = Step;

    fn init_state() -> BoxedStrategy<()> {
        Just(()).boxed()
    }

    fn transitions(&(): &()) -> BoxedStrategy<Step> {
        let some = 0..12usize;
        let seat = 1..=4u8;
        prop_oneof![
            12 => some.clone().prop_map(Step::Open),
            3 => some.clone().prop_map(Step::Reload),
            1 => some.clone().prop_map(Step::Duplicate),
            5 => some.clone().prop_map(Step::Lose),
            2 => seat.clone().prop_map(Step::Another),
            12 => some.clone().prop_map(Step::Admit),
            1 => some.clone().prop_map(Step::Refuse),
            3 => (some.clone(), seat.clone()).prop_map(|(page, seat)| Step::SendBack(page, seat)),
            3 => (some.clone(), seat.clone()).prop_map(|(page, seat)| Step::Remove(page, seat)),
            1 => some.clone().prop_map(Step::End),
            2 => some.clone().prop_map(Step::Leave),
            6 => (some.clone(), seat.clone()).prop_map(|(page, seat)| Step::Describe(page, seat)),
            3 => some.prop_map(Step::Ice),
            2 => any::<bool>().prop_map(Step::Add),
            1 => seat.clone().prop_map(Step::TakeAway),
            1 => seat.prop_map(Step::Reissue),
                1 => Just(Step::Revoke),
            3 => prop_oneof![Just(100), Just(1_100), Just(16_000), Just(70_000), Just(130_000)].prop_map(Step::Advance),
            1 => Just(Step::Expire),
            1 => Just(Step::Restart),
            25 => prop::collection::vec(0..64usize, 1..12).prop_map(Step::Run),
            4 => Just(Step::Settle),
        ]
        .boxed()
    }

    fn apply((): (), _: &Step) {}
}

struct Consultation;

/// Of all cases so far.
static STEPS: AtomicU64 = AtomicU64::new(0);

impl StateMachineTest for Consultation {
    type SystemUnderTest = Lab;
    type Reference = Orders;

    fn init_test((): &()) -> Lab {
        Lab::new()
    }

    fn apply(mut lab: Lab, (): &(), step: Step) -> Lab {
        take(&mut lab, step);
        lab
    }

    fn teardown(mut lab: Lab, (): ()) {
        lab.settle();
        lab.check();
        let is_over = lab.store.consultation.revoked_at.is_some()
            || lab.now.unix >= lab.store.consultation.window.expires_at;
        if !is_over {
            whoever_is_entitled_gets_in(&mut lab);
        }
        STEPS.fetch_add(lab.steps, Ordering::Relaxed);
    }
}

fn take(lab: &mut Lab, step: Step) {
    let pages = lab.pages.len();
    let seat_number = |seat: u8| SeatNumber::try_from(seat).unwrap();
    match step {
        Step::Open(page) => lab.open(page % pages),
        Step::Reload(page) => lab.reload(page % pages),
        Step::Duplicate(page) => {
            let page = page % pages;
            let (seat, code) = (lab.pages[page].seat, lab.pages[page].code.clone());
            let copy = lab.add_page(seat, &code);
            lab.pages[copy].device = lab.pages[page].device.clone();
            lab.pages[copy].token = lab.pages[page].token.clone();
            lab.pages[copy].attempt = lab.pages[page].attempt;
        }
        Step::Lose(choice) => {
            let open = lab.open_sockets();
            if !open.is_empty() {
                lab.lose(open[choice % open.len()]);
            }
        }
        Step::Another(seat) => {
            let code = lab.pages.iter().find(|page| page.seat == seat).map(|page| page.code.clone());
            if let Some(code) = code.filter(|_| pages < 12) {
                lab.add_page(seat, &code);
            }
        }
        Step::Admit(choice) => {
            if let Some((page, knock)) = a_knock(lab, choice) {
                lab.say(page, ClientMessage::Admit { knock: knock.try_into().unwrap() });
            }
        }
        Step::Refuse(choice) => {
            if let Some((page, knock)) = a_knock(lab, choice) {
                lab.say(page, ClientMessage::Refuse { knock: knock.try_into().unwrap() });
            }
        }
        Step::SendBack(page, seat) => {
            lab.say(page % pages, ClientMessage::SendBack { seat: seat_number(seat) });
        }
        Step::Remove(page, seat) => lab.say(page % pages, ClientMessage::Remove { seat: seat_number(seat) }),
        Step::End(page) => lab.say(page % pages, ClientMessage::End {}),
        Step::Leave(page) => lab.say(page % pages, ClientMessage::Leave {}),
        Step::Describe(page, to) => describe(lab, page % pages, to),
        Step::Ice(page) => {
            if lab.is_in(page % pages) {
                lab.say(page % pages, ClientMessage::Ice {});
            }
        }
        Step::Add(is_doctor) => drop(lab.add_seat(if is_doctor { Role::Doctor } else { Role::Guest })),
        Step::TakeAway(seat) => {
            if seat > 1 && lab.store.seats.contains_key(&seat) {
                lab.end_seat(seat, false);
            }
        }
        Step::Reissue(seat) => {
            if lab.store.seats.contains_key(&seat) {
                lab.end_seat(seat, true);
            }
        }
        Step::Revoke => lab.revoke(),
        Step::Advance(ms) => lab.advance(Duration::from_millis(ms)),
        Step::Expire => lab.step_clock(Duration::from_secs(25 * 3600)),
        Step::Restart => lab.restart(),
        Step::Run(choices) => {
            for choice in choices {
                lab.run_one(choice);
            }
        }
        Step::Settle => {
            lab.settle();
            lab.check();
        }
    }
}

/// A doctor's page that sees somebody knock.
fn a_knock(lab: &Lab, choice: usize) -> Option<(usize, String)> {
    let knocks: Vec<_> = (0..lab.pages.len())
        .filter(|page| lab.is_in(*page))
        .flat_map(|page| lab.pages[page].knocks.iter().map(move |knock| (page, knock.clone())))
        .collect();
    (!knocks.is_empty()).then(|| knocks[choice % knocks.len()].clone())
}

fn describe(lab: &mut Lab, page: usize, to: u8) {
    let Some(incarnation) = lab.pages[page].partners.get(&to).copied() else { return };
    if lab.is_in(page) {
        let description = serde_json::from_str(r#"{"type":"offer","sdp":""}"#).unwrap();
        lab.say(
            page,
            ClientMessage::Description { to: SeatNumber::try_from(to).unwrap(), incarnation, description },
        );
    }
}

/// From every state: whoever has a good code comes, doctors let in whoever knocks, and each then reaches each.
fn whoever_is_entitled_gets_in(lab: &mut Lab) {
    let mut one_each: Vec<usize> = Vec::new();
    for page in (0..lab.pages.len()).rev() {
        let is_new = !one_each.iter().any(|other| lab.pages[*other].seat == lab.pages[page].seat);
        if lab.is_entitled(page) && is_new {
            one_each.push(page);
        }
    }
    // Everybody else goes home, and the server learns of it.
    for socket in lab.open_sockets() {
        if !one_each.iter().any(|page| lab.pages[*page].socket == Some(socket)) {
            lab.lose(socket);
        }
    }
    lab.settle();
    for _ in 0..6 {
        for page in one_each.clone() {
            let is_here = lab.pages[page].socket.is_some_and(|socket| lab.open_sockets().contains(&socket));
            if !is_here {
                lab.pages[page].standing = Standing::Out;
                lab.reload(page);
            }
        }
        lab.settle();
        while let Some((page, knock)) = a_knock(lab, 0) {
            lab.say(page, ClientMessage::Admit { knock: knock.try_into().unwrap() });
            lab.settle();
        }
        lab.advance(Duration::from_secs(16));
        lab.settle();
    }
    lab.check();
    for page in &one_each {
        assert!(lab.is_in(*page), "seat {} is entitled and cannot get in", lab.pages[*page].seat);
    }
    let seats: Vec<u8> = one_each.iter().map(|page| lab.pages[*page].seat).collect();
    for page in &one_each {
        lab.pages[*page].heard.clear();
        for seat in &seats {
            describe(lab, *page, *seat);
        }
    }
    lab.settle();
    for page in &one_each {
        let others = seats.iter().copied().filter(|seat| *seat != lab.pages[*page].seat).collect();
        assert_eq!(lab.pages[*page].heard, others, "whom seat {} is reached by", lab.pages[*page].seat);
    }
}

/// A hundred thousand steps of the core in a plain run, ten million in a long one.
fn config() -> Config {
    let cases = if std::env::var_os("VISAVIS_LONG").is_some() { 130_000 } else { 1_300 };
    Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() }
}

prop_state_machine! {
    #![proptest_config(config())]

    fn any_order(sequential 1..80 => Consultation);
}

#[test]
fn no_order_of_messages_throws_anybody_out_or_lets_anybody_in() {
    any_order();
    println!("{} cases, {} steps", config().cases, STEPS.load(Ordering::Relaxed));
}
