//! Two things at once, over real sockets and at every distance from 0 to 20 ms: nobody is out who should stay, nobody is in who should not, no ghost,
//! nobody waits unseen. `tests/run --long hostile` tries each a thousand times.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::common::page::Place;
use crate::common::walk::{self, Call};
use crate::common::{Page, Server};

/// Side by side.
const AT_ONCE: usize = 20;

fn rounds() -> usize {
    if std::env::var_os("VISAVIS_LONG").is_some() { 1000 } else { 40 }
}

/// Tries one race in all its distances; `race` gets the round and the distance.
async fn race<F: Future<Output = ()>>(race: impl Fn(usize, Duration) -> F) {
    let rounds = rounds();
    let race = &race;
    let each = (0..rounds).map(|round| async move {
        race(round, Duration::from_micros((round as u64 * 20_000) / rounds as u64)).await;
    });
    futures_util::stream::iter(each).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    println!("{rounds} rounds");
}

/// The same page on a further socket, as its so manyth; pages of before do not count.
async fn resume(page: &mut Page, place: &Place, attempt: Option<u32>) {
    (page.device, page.key) = (place.device.clone(), place.key.clone());
    let mut join = json!({ "type": "join", "code": place.code, "device": place.device, "key": place.key, "token": place.token, "incarnation": place.incarnation });
    if let Some(attempt) = attempt {
        join["attempt"] = json!(attempt);
    }
    page.send(join).await;
}

/// Which of two sockets ends first, and that the other lives: whoever is in the call with it reaches it.
async fn survivor(doctor: &mut Page, pages: [&mut Page; 2], seat: u8) -> usize {
    let [first, second] = pages;
    let survivor = tokio::select! {
        _ = first.expect_close() => 1,
        _ = second.expect_close() => 0,
    };
    let living = if survivor == 0 { first } else { second };
    reached(doctor, living, seat).await;
    survivor
}

/// The doctor knows the page by its number, and what it says arrives.
async fn reached(doctor: &mut Page, page: &mut Page, seat: u8) {
    let incarnation = page.expect("welcome").await["incarnation"].as_i64().unwrap();
    loop {
        // What comes late about the former page is followed by the present one.
        let peer = doctor.expect("peer").await;
        if peer["seat"] == seat && peer["incarnation"] == incarnation {
            break;
        }
    }
    doctor.describe(seat, incarnation, "to the living one").await;
    assert_eq!(page.expect("description").await["description"]["sdp"], "to the living one");
    assert!(!page.has("replaced"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sockets_of_one_page_the_later_lives() {
    let server = Server::start().await;
    race(async |round, distance| {
        let Call { mut doctor, patient, patient_place, .. } = walk::call(&server).await;
        drop(patient);
        doctor.expect("away").await;
        let (mut older, mut newer) = (server.page().await, server.page().await);
        let counts = round % 2 == 0;
        let attempt = |number| counts.then_some(number);
        // What was said on the older arrives before or after what is said on the newer.
        if round % 4 < 2 {
            resume(&mut older, &patient_place, attempt(2)).await;
            tokio::time::sleep(distance).await;
            resume(&mut newer, &patient_place, attempt(3)).await;
        } else {
            resume(&mut newer, &patient_place, attempt(3)).await;
            tokio::time::sleep(distance).await;
            resume(&mut older, &patient_place, attempt(2)).await;
        }
        let survivor = survivor(&mut doctor, [&mut older, &mut newer], 2).await;
        assert!(!counts || survivor == 1, "the page goes on with the socket that it opened last");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_devices_that_are_let_in_one_is_in() {
    let server = Server::start().await;
    race(async |_, distance| {
        let issued = server.issue_now().await;
        let mut doctor = server.page().await;
        doctor.enter(issued.code(1)).await;
        let (mut one, mut other) = (server.page().await, server.page().await);
        one.wait_at(issued.code(2)).await;
        other.wait_at(issued.code(2)).await;
        let knocks = [doctor.expect("knock").await, doctor.expect("knock").await];
        doctor.send(json!({ "type": "admit", "knock": knocks[0]["knock"] })).await;
        tokio::time::sleep(distance).await;
        doctor.send(json!({ "type": "admit", "knock": knocks[1]["knock"] })).await;
        survivor(&mut doctor, [&mut one, &mut other], 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sockets_on_which_a_page_waits_the_later_is_seen_and_let_in() {
    let server = Server::start().await;
    race(async |round, distance| {
        let issued = server.issue_now().await;
        let mut doctor = server.page().await;
        doctor.enter(issued.code(1)).await;
        let (mut older, mut newer) = (server.page().await, server.page().await);
        (newer.device, newer.key) = (older.device.clone(), older.key.clone());
        let join = |page: &Page, attempt: u32| -> Value {
            json!({ "type": "join", "code": issued.code(2), "device": page.device, "key": page.key, "attempt": attempt })
        };
        if round % 2 == 0 {
            older.send(join(&older, 1)).await;
            tokio::time::sleep(distance).await;
            newer.send(join(&newer, 2)).await;
        } else {
            newer.send(join(&newer, 2)).await;
            tokio::time::sleep(distance).await;
            older.send(join(&older, 1)).await;
        }
        older.expect_close().await;
        newer.expect("waiting").await;
        doctor.admit_next().await;
        reached(&mut doctor, &mut newer, 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_opens_another_socket_as_it_is_let_in_is_in_on_that_one() {
    let server = Server::start().await;
    race(async |round, distance| {
        let issued = server.issue_now().await;
        let mut doctor = server.page().await;
        doctor.enter(issued.code(1)).await;
        let (mut older, mut newer) = (server.page().await, server.page().await);
        (newer.device, newer.key) = (older.device.clone(), older.key.clone());
        let join = |page: &Page, attempt: u32| -> Value {
            json!({ "type": "join", "code": issued.code(2), "device": page.device, "key": page.key, "attempt": attempt })
        };
        older.send(join(&older, 1)).await;
        let knock = doctor.expect("knock").await;
        let admit = json!({ "type": "admit", "knock": knock["knock"] });
        if round % 2 == 0 {
            doctor.send(admit).await;
            tokio::time::sleep(distance).await;
            newer.send(join(&newer, 2)).await;
        } else {
            newer.send(join(&newer, 2)).await;
            tokio::time::sleep(distance).await;
            doctor.send(admit).await;
        }
        older.expect_close().await;
        reached(&mut doctor, &mut newer, 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_as_the_consultation_is_called_off_hears_so() {
    let server = Server::start().await;
    race(async |round, distance| {
        let issued = server.issue_now().await;
        let mut page = server.page().await;
        let join = async {
            tokio::time::sleep(if round % 2 == 0 { distance } else { Duration::ZERO }).await;
            page.join(issued.code(2)).await;
        };
        let revoke = async {
            tokio::time::sleep(if round % 2 == 0 { Duration::ZERO } else { distance }).await;
            let path = format!("/api/consultations/{}", issued.id());
            assert_eq!(server.api(reqwest::Method::DELETE, &path, None).await.0, 204);
        };
        tokio::join!(join, revoke);
        loop {
            let message = page.next().await;
            if message["type"] == "revoked" || message["error"] == "code-revoked" {
                break;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_while_coming_back_is_out() {
    let server = Server::start().await;
    race(async |round, distance| {
        let Call { mut doctor, patient, patient_place, .. } = walk::call(&server).await;
        drop(patient);
        doctor.expect("away").await;
        let mut again = server.page().await;
        if round % 2 == 0 {
            resume(&mut again, &patient_place, Some(2)).await;
            tokio::time::sleep(distance).await;
            doctor.send(json!({ "type": "remove", "seat": 2 })).await;
        } else {
            doctor.send(json!({ "type": "remove", "seat": 2 })).await;
            tokio::time::sleep(distance).await;
            resume(&mut again, &patient_place, Some(2)).await;
        }
        // It waits, or was in and hears that it is out.
        loop {
            let message = again.next().await;
            match message["type"].as_str() {
                Some("waiting" | "removed") => break,
                Some("welcome" | "peer") => {}
                _ => panic!("{message}"),
            }
        }
    })
    .await;
}
