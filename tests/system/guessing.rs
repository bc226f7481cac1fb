//! R14: a hundred thousand guesses from a thousand addresses find nothing, and a patient who shares a guesser's address gets in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::common::codes::well_formed;
use crate::common::page::{handshake, request};
use crate::common::{Page, Server};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message;

const ADDRESSES: u32 = 1000;
const GUESSES_PER_ADDRESS: u64 = 100;
/// As many as a socket survives.
const GUESSES_PER_SOCKET: u64 = 10;
/// Nobody waits longer than a minute for the answer to a right code; the rest is for a busy machine.
const HONEST_DEADLINE: Duration = Duration::from_secs(75);

/// What the guessers did and heard, all of them together.
#[derive(Default)]
struct Tally {
    /// Guesses sent, or refused with the connection that would have carried them.
    attempted: AtomicU64,
    /// Guesses that got their answer.
    answered: AtomicU64,
    /// Answers other than "no such code".
    hits: AtomicU64,
}

impl Tally {
    fn read(&self) -> (u64, u64) {
        (self.attempted.load(Ordering::Relaxed), self.answered.load(Ordering::Relaxed))
    }

    fn count_answer(&self, answer: &Value) {
        match answer["error"].as_str() {
            Some("code-unknown") => drop(self.answered.fetch_add(1, Ordering::Relaxed)),
            Some("too-many-errors" | "too-fast" | "too-late") => {}
            _ => drop(self.hits.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

fn address(number: u32) -> String {
    format!("198.18.{}.{}", number / 250, number % 250 + 1)
}

/// One socket's worth of guesses, all at once; reads until the server closes.
async fn guess(server: &Server, number: u32, tally: &Tally) {
    tally.attempted.fetch_add(GUESSES_PER_SOCKET, Ordering::Relaxed);
    let request = request(server, &[("x-forwarded-for", &address(number))]);
    let Ok(mut socket) = handshake(server, request).await else { return };
    for _ in 0..GUESSES_PER_SOCKET {
        let look = json!({ "type": "look", "code": well_formed() });
        // The server may have cut off this guesser already.
        if socket.feed(Message::text(look.to_string())).await.is_err() {
            break;
        }
    }
    let _ = socket.flush().await;
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message {
            tally.count_answer(&serde_json::from_str(&text).unwrap());
        }
    }
}

/// A guesser who waits for each answer, until the end.
async fn guess_patiently(server: &Server, number: u32, tally: &Tally, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let request = request(server, &[("x-forwarded-for", &address(number))]);
        let Ok(mut socket) = handshake(server, request).await else { return };
        for _ in 0..GUESSES_PER_SOCKET {
            let look = json!({ "type": "look", "code": well_formed() });
            tally.attempted.fetch_add(1, Ordering::Relaxed);
            if socket.send(Message::text(look.to_string())).await.is_err() {
                break;
            }
            match socket.next().await {
                Some(Ok(Message::Text(text))) => tally.count_answer(&serde_json::from_str(&text).unwrap()),
                _ => break,
            }
        }
    }
}

/// So many sockets of each address, a bounded number at a time.
async fn flood(server: &Arc<Server>, tally: &Arc<Tally>, sockets: u64) {
    let places = Arc::new(Semaphore::new(400));
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..sockets {
        for number in 0..ADDRESSES {
            let place = Arc::clone(&places).acquire_owned().await.unwrap();
            let (server, tally) = (Arc::clone(server), Arc::clone(tally));
            all.spawn(async move {
                guess(&server, number, &tally).await;
                drop(place);
            });
        }
    }
    all.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_guesses_find_nothing_and_lock_out_nobody() {
    let server = Arc::new(Server::start_with(&["--trusted-proxies", "127.0.0.0/8"], &[]).await);
    let mut consultations = Vec::new();
    for _ in 0..50 {
        consultations.push(server.issue_now().await);
    }
    let honest_code = consultations[0].code(2).to_owned();
    let tally = Arc::new(Tally::default());
    let memory_before = server.resident_kb();

    let started = Instant::now();
    flood(&server, &tally, 1).await;
    let (attempted, answered) = tally.read();
    let rate = answered as f64 / started.elapsed().as_secs_f64();
    println!("within the budgets: {attempted} guesses attempted, {answered} answered, {rate:.0} a second");
    // Ten wrong codes of each address are free; a few addresses share a bucket with another by chance.
    assert!(answered > attempted * 9 / 10);

    // Beyond the budgets: the impatient go on in a flood, a patient one at each address waits for its answers.
    let over = Arc::new(AtomicBool::new(false));
    let patient_tally = Arc::new(Tally::default());
    let mut patients = tokio::task::JoinSet::new();
    for number in 0..ADDRESSES {
        let (server, tally, over) = (Arc::clone(&server), Arc::clone(&patient_tally), Arc::clone(&over));
        patients.spawn(async move { guess_patiently(&server, number, &tally, &over).await });
    }
    let honest = tokio::spawn({
        let server = Arc::clone(&server);
        async move {
            let asked = Instant::now();
            let mut page = Page::open_from(&server, &address(7)).await;
            page.join(&honest_code).await;
            (page.next_within(HONEST_DEADLINE).await["type"].clone(), asked.elapsed())
        }
    });
    let bitten = Instant::now();
    flood(&server, &tally, GUESSES_PER_ADDRESS / GUESSES_PER_SOCKET - 1).await;
    println!("the flood beyond the budgets took {:.1} s", bitten.elapsed().as_secs_f64());
    let (kind, waited) = honest.await.unwrap();
    let window = bitten.elapsed().as_secs_f64();
    let (_, slow) = patient_tally.read();
    let fast = tally.read().1 - answered;
    let rate = (slow + fast) as f64 / window;
    println!(
        "beyond the budgets: {slow} answers to those who waited, {fast} to those who did not, {rate:.1} a second over {window:.0} s"
    );
    over.store(true, Ordering::Relaxed);

    let asked = Instant::now();
    let mut bystanders = Vec::new();
    for (number, issued) in consultations[1..].iter().enumerate() {
        let mut page = Page::open_from(&server, &format!("203.0.113.{number}")).await;
        page.wait_at(issued.code(2)).await;
        bystanders.push(page);
    }
    println!(
        "{} patients at other addresses came in one by one in {:.1} s, the one at a guesser's after {:.1} s",
        bystanders.len(),
        asked.elapsed().as_secs_f64(),
        waited.as_secs_f64()
    );
    println!(
        "resident memory: {memory_before} kB before, {} kB with {ADDRESSES} guessers waiting",
        server.resident_kb()
    );
    patients.shutdown().await;

    let attempted = tally.read().0 + patient_tally.read().0;
    let hits = tally.hits.load(Ordering::Relaxed) + patient_tally.hits.load(Ordering::Relaxed);
    println!("{attempted} guesses attempted, {hits} found a code");
    assert!(attempted >= u64::from(ADDRESSES) * GUESSES_PER_ADDRESS);
    assert_eq!((hits, kind.as_str()), (0, Some("waiting")));
    assert!(server.log().contains("somebody may be guessing"), "the operator is told");
}

#[tokio::test]
async fn silent_sockets_of_an_address_give_way_and_keep_nobody_at_that_address_out() {
    let server = Server::start_with(&["--trusted-proxies", "127.0.0.0/8"], &[]).await;
    let issued = server.issue_now().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        let mut page = Page::open_from(&server, &address(0)).await;
        page.send(json!({ "type": "look", "code": "K7QF-3XM2-9TDB" })).await; // a typo: it may stay and try again
        page.expect_error("code-typo").await;
        silent.push(page);
    }
    let mut patient = Page::open_from(&server, &address(0)).await;
    patient.wait_at(issued.code(2)).await;
    assert_eq!(silent[0].expect_close().await, 1013, "the oldest gives way, and may come back");
    let mut later = Vec::new();
    for _ in 0..256 {
        later.push(Page::open_from(&server, &address(0)).await);
    }
    // Who has shown a valid code is no stranger any more: the newcomers displace each other, not the patient.
    let mut doctor = server.page().await;
    doctor.enter(issued.code(1)).await;
    doctor.admit_next().await;
    patient.expect("welcome").await;
    drop(later);
}
