//! R51: a page that floods, one that never reads, and one that sends anything at all harm no other call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::common::page::{handshake, request};
use crate::common::walk::{self, Call};
use crate::common::{Ending, Page, Server};
use futures_util::{SinkExt, StreamExt};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Message;

/// One candidate from doctor to patient, there.
async fn one_way(call: &mut Call) -> Duration {
    let sent = Instant::now();
    call.doctor
        .candidate(2, call.patient_place.incarnation, "candidate:1 1 udp 1 192.0.2.1 9 typ host")
        .await;
    call.patient.expect("candidate").await;
    sent.elapsed()
}

/// Median and maximum in microseconds, for print.
fn summary(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let micros = |index: usize| times[index].as_micros();
    let last = times.len() - 1;
    format!(
        "{} messages: median {} us, p99 {} us, longest {} us",
        times.len(),
        micros(last / 2),
        micros(last * 99 / 100),
        micros(last)
    )
}

/// Blasts messages until it is cut off, again and again.
async fn flood(server: &Server, over: &AtomicBool) -> u32 {
    let mut cut = 0;
    while !over.load(Ordering::Relaxed) {
        let Ok(mut socket) = handshake(server, request(server, &[])).await else { continue };
        while socket.send(Message::text("x".repeat(1000))).await.is_ok() {}
        while let Some(Ok(_)) = socket.next().await {}
        cut += 1;
    }
    cut
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_never_reads_is_dropped_and_delays_no_other_call() {
    let server = Arc::new(Server::start().await);
    let mut quiet = walk::call(&server).await;
    let mut hostile = walk::call(&server).await;
    let mut calm = Vec::new();
    for _ in 0..100 {
        calm.push(one_way(&mut quiet).await);
        tokio::time::sleep(Duration::from_millis(40)).await;
    }

    let over = Arc::new(AtomicBool::new(false));
    let flooder = tokio::spawn({
        let (server, over) = (Arc::clone(&server), Arc::clone(&over));
        async move { flood(&server, &over).await }
    });
    hostile.patient.freeze();
    let frozen = Instant::now();
    let incarnation = hostile.patient_place.incarnation;
    // At the rate that is allowed, as large as is allowed.
    let dropped = tokio::spawn(async move {
        let sdp = "x".repeat(60_000);
        let mut tick = tokio::time::interval(Duration::from_millis(34));
        while !hostile.doctor.has_come("away").await {
            tick.tick().await;
            hostile.doctor.describe(2, incarnation, &sdp).await;
        }
        (hostile, frozen.elapsed())
    });
    let mut pressed = Vec::new();
    while !dropped.is_finished() && frozen.elapsed() < Duration::from_secs(90) {
        pressed.push(one_way(&mut quiet).await);
        // The quiet call stays within its own rate.
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    assert!(dropped.is_finished(), "a page that does not read is dropped");
    let (mut hostile, after) = dropped.await.unwrap();
    over.store(true, Ordering::Relaxed);
    let cut = flooder.await.unwrap();
    println!("alone: {}", summary(calm));
    println!(
        "beside a page that floods ({cut} sockets cut off) and one that never reads: {}",
        summary(pressed)
    );
    println!("the page that never reads was dropped after {:.1} s", after.as_secs_f64());
    assert!(cut > 0);

    let mut again = server.page().await;
    again.resume(&hostile.patient_place).await;
    again.expect("welcome").await;
    hostile.doctor.expect("peer").await;
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// Any JSON of some depth.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
        "[A-Za-z0-9_-]{22}".prop_map(Value::from),
        "[A-Za-z0-9_-]{87}".prop_map(Value::from),
        (1u8..=9).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z]{0,12}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A golden message of a page with some of its fields replaced, dropped or added; or JSON that is none; or no JSON.
fn any_frame(golden: Vec<Value>) -> impl Strategy<Value = String> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any_json(), 0u8..3), 0..4);
    let mutated = (prop::sample::select(golden), changes).prop_map(|(mut message, changes)| {
        let fields = message.as_object_mut().expect("golden messages are objects");
        for (index, value, how) in changes {
            let names: Vec<String> = fields.keys().cloned().collect();
            match how {
                0 if !names.is_empty() => drop(fields.insert(index.get(&names).clone(), value)),
                1 if !names.is_empty() => drop(fields.remove(index.get(&names))),
                _ => drop(fields.insert("more".to_owned(), value)),
            }
        }
        message.to_string()
    });
    prop_oneof![6 => mutated, 2 => any_json().prop_map(|json| json.to_string()), 1 => ".{0,200}"]
}

/// A page at the given standing; sends frames until the socket has had enough of them.
async fn fuzz_one_socket(page: &mut Page, frames: &mut dyn Iterator<Item = String>) -> usize {
    let mut sent = 0;
    for frame in frames.take(100) {
        sent += 1;
        if page.send_frame(Message::text(frame)).await.is_err() {
            break;
        }
    }
    sent
}

#[tokio::test]
async fn whatever_a_page_sends_the_server_goes_on() {
    let golden: Value = serde_json::from_str(include_str!("../golden/messages.json")).unwrap();
    let strategy = any_frame(golden["client"].as_array().unwrap().clone());
    let mut runner = TestRunner::default();
    let mut frames = std::iter::from_fn(|| Some(strategy.new_tree(&mut runner).unwrap().current()));
    let mut server = Server::start().await;
    let mut bystanders = walk::call(&server).await;
    let mut sent = 0;
    for _ in 0..12 {
        let issued = server.issue_now().await;
        let mut stranger = server.page().await;
        let mut doctor = server.page().await;
        doctor.enter(issued.code(1)).await;
        let mut waiting = server.page().await;
        waiting.wait_at(issued.code(2)).await;
        for page in [&mut stranger, &mut doctor, &mut waiting] {
            sent += fuzz_one_socket(page, &mut frames).await;
        }
        one_way(&mut bystanders).await;
    }
    println!("{sent} frames of all sorts sent");
    assert!(!bystanders.doctor.has("error") && !bystanders.patient.has("gone"));
    walk::from_codes_to_the_end(&mut server).await;
    assert_eq!(server.end(Ending::Terminate).await, Some(0));
    assert!(!server.log().contains("panicked") && !server.log().contains("ERROR"), "{}", server.log());
}

#[tokio::test]
async fn a_socket_that_is_cut_in_the_middle_of_anything_harms_nobody() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    for _ in 0..20 {
        let mut page = server.page().await;
        page.wait_at(call.issued.code(2)).await;
        drop(page);
        let knock = call.doctor.expect("knock").await;
        // It is gone already, or goes just now: either is an answer.
        call.doctor.send(json!({ "type": "refuse", "knock": knock["knock"] })).await;
    }
    call.doctor.describe(2, call.patient_place.incarnation, "still here").await;
    assert_eq!(call.patient.expect("description").await["description"]["sdp"], "still here");
    assert!(!call.patient.has("gone") && !call.patient.has("error"), "{:?}", call.patient.record());
}
