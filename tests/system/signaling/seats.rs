//! Who holds a seat: a second device displaces nobody (R12), doctors share a seat by asking, groups come in one by one.

use std::time::Duration;

use serde_json::json;

use crate::common::{Server, walk};

#[tokio::test]
async fn a_second_device_knocks_and_displaces_nobody() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    let mut second = server.page().await;
    let waiting = second.wait_at(call.issued.code(2)).await;
    assert_eq!(waiting["occupied"], true);
    let knock = call.doctor.expect("knock").await;
    assert_eq!((&knock["device"], &knock["seat"]), (&json!("another"), &json!(2)));

    call.doctor.send(json!({ "type": "refuse", "knock": knock["knock"] })).await;
    second.expect("refused").await;
    assert_eq!(second.expect_close().await, 1000);
    // The first device is still in its place: it hears the doctor, and has heard nothing else.
    call.doctor.describe(2, call.patient_place.incarnation, "still here").await;
    assert_eq!(call.patient.next().await["description"]["sdp"], "still here");
    assert!(!call.doctor.has("gone") && !call.doctor.has("away"));
}

#[tokio::test]
async fn an_admitted_second_device_replaces_the_first() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    let mut second = server.page().await;
    second.wait_at(call.issued.code(2)).await;
    call.doctor.admit_next().await;
    call.patient.expect("replaced").await;
    assert_eq!(call.patient.expect_close().await, 1000);
    let gone = call.doctor.expect("gone").await;
    assert_eq!((&gone["seat"], &gone["reason"]), (&json!(2), &json!("replaced")));
    let place = second.welcomed(call.issued.code(2)).await;
    assert_eq!(place.incarnation, call.patient_place.incarnation + 1);
    assert_eq!(call.doctor.expect("peer").await["incarnation"], place.incarnation);

    let mut former = server.page().await;
    former.resume(&call.patient_place).await;
    assert_eq!(former.expect("waiting").await["occupied"], true);
}

#[tokio::test]
async fn a_second_device_knocks_while_the_first_is_away_too() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    drop(call.patient);
    call.doctor.expect("away").await;
    let mut second = server.page().await;
    second.wait_at(call.issued.code(2)).await;
    assert_eq!(call.doctor.expect("knock").await["device"], "another");
    let mut first = server.page().await;
    first.resume(&call.patient_place).await;
    first.welcomed(call.issued.code(2)).await;
}

#[tokio::test]
async fn a_duplicated_tab_with_a_valid_token_knocks() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    let mut duplicate = server.page().await;
    duplicate.reload(&call.patient_place).await;
    assert_eq!(duplicate.expect("waiting").await["occupied"], true);
    assert_eq!(call.doctor.expect("knock").await["device"], "another");
    call.doctor.describe(2, call.patient_place.incarnation, "still here").await;
    assert_eq!(call.patient.next().await["description"]["sdp"], "still here");
}

#[tokio::test]
async fn the_same_device_in_another_socket_is_the_same_knock() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let mut doctor = server.page().await;
    doctor.enter(issued.code(1)).await;
    let mut first = server.page().await;
    let label = first.wait_at(issued.code(2)).await["knock"].clone();
    assert_eq!(doctor.expect("knock").await["knock"], label);
    let mut again = server.page().await;
    again.device.clone_from(&first.device);
    assert_eq!(again.wait_at(issued.code(2)).await["knock"], label);
    first.expect("replaced").await;
    assert_eq!(first.expect_close().await, 1000);
    doctor.send(json!({ "type": "admit", "knock": label })).await;
    again.welcomed(issued.code(2)).await;
    assert!(!doctor.has("knockGone") && !doctor.has("knock"), "nobody is shown twice or taken back");
}

#[tokio::test]
async fn a_doctors_second_device_asks_the_first() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    let mut second = server.page().await;
    assert_eq!(second.wait_at(call.issued.code(1)).await["occupied"], true);
    second.expect("doctor").await;
    let knock = call.doctor.expect("knock").await;
    assert_eq!((&knock["role"], &knock["device"]), (&json!("doctor"), &json!("another")));
    call.doctor.send(json!({ "type": "admit", "knock": knock["knock"] })).await;
    call.doctor.expect("replaced").await;
    assert_eq!(call.doctor.expect_close().await, 1000);
    let place = second.welcomed(call.issued.code(1)).await;
    assert_eq!(place.incarnation, call.doctor_place.incarnation + 1);
    assert_eq!(call.patient.expect("gone").await["reason"], "replaced");
    assert_eq!(call.patient.expect("peer").await["incarnation"], place.incarnation);
}

#[tokio::test]
async fn a_doctors_seat_without_a_page_is_taken_without_asking() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    drop(call.doctor);
    call.patient.expect("away").await;
    let mut colleague = server.page().await;
    let place = colleague.enter(call.issued.code(1)).await;
    assert_eq!(place.incarnation, call.doctor_place.incarnation + 1);
    assert_eq!(colleague.expect("peer").await["seat"], 2);
    assert_eq!(call.patient.expect("gone").await["reason"], "replaced");
    assert_eq!(call.patient.expect("peer").await["incarnation"], place.incarnation);
}

#[tokio::test]
async fn a_colleague_who_waits_for_the_doctors_seat_gets_it_when_it_stays_empty() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let mut doctor = server.page().await;
    doctor.enter(issued.code(1)).await;
    let mut colleague = server.page().await;
    colleague.wait_at(issued.code(1)).await;
    drop(doctor);
    colleague.expect("doctorGone").await;
    let welcome = tokio::time::timeout(Duration::from_secs(40), async {
        loop {
            // Fifteen seconds pass first, in which the doctor's page may reload.
            if let Some(seat) = server.seats(issued.id()).await.iter().find(|seat| seat["seat"] == 1)
                && seat["connected"] == true
            {
                return colleague.expect("welcome").await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert_eq!(welcome.await.expect("the seat stays empty, so the colleague gets it")["seat"], 1);
}

#[tokio::test]
async fn nine_seats_fill_one_by_one_and_each_hears_of_each() {
    let server = Server::start().await;
    let roles: Vec<&str> = ["doctor", "patient"].into_iter().chain(["guest"; 7]).collect();
    let issued = server.issue(json!({ "seats": roles })).await;
    let mut doctor = server.page().await;
    doctor.enter(issued.code(1)).await;
    let mut waiting = Vec::new();
    for seat in 2..=9 {
        let mut page = server.page().await;
        page.wait_at(issued.code(seat)).await;
        waiting.push(page);
    }
    let mut knocks = Vec::new();
    for _ in 2..=9 {
        knocks.push(doctor.expect("knock").await);
    }
    knocks.sort_by_key(|knock| knock["seat"].as_u64());
    for (index, knock) in knocks.iter().enumerate() {
        doctor.send(json!({ "type": "admit", "knock": knock["knock"] })).await;
        waiting[index].expect("welcome").await;
        assert_eq!(doctor.expect("peer").await["seat"], knock["seat"]);
        assert!(waiting[index + 1..].iter().all(|page| !page.has("welcome")), "admitted singly");
        // Whoever is inside hears of the newcomer, and the newcomer of everybody inside.
        for inside in &mut waiting[..index] {
            assert_eq!(inside.expect("peer").await["seat"], knock["seat"]);
        }
        let mut heard = Vec::new();
        for _ in 0..=index {
            heard.push(waiting[index].expect("peer").await["seat"].as_u64().unwrap());
        }
        heard.sort_unstable();
        assert_eq!(heard, (1..=index as u64 + 1).collect::<Vec<_>>());
    }
    // A guest speaks with a guest, past the doctor.
    waiting[6].describe(9, 1, "from guest to guest").await;
    let offer = waiting[7].expect("description").await;
    assert_eq!((&offer["from"], &offer["description"]["sdp"]), (&json!(8), &json!("from guest to guest")));
    assert!(!doctor.has("description"));
}

#[tokio::test]
async fn a_second_doctor_of_a_group_moderates_like_the_first() {
    let server = Server::start().await;
    let issued = server.issue(json!({ "seats": ["doctor", "doctor", "patient"] })).await;
    let (mut first, mut second) = (server.page().await, server.page().await);
    first.enter(issued.code(1)).await;
    second.enter(issued.code(2)).await;
    let mut patient = server.page().await;
    patient.wait_at(issued.code(3)).await;
    first.expect("knock").await;
    second.admit_next().await;
    patient.welcomed(issued.code(3)).await;
    first.expect("knockGone").await;
    first.send(json!({ "type": "sendBack", "seat": 3 })).await;
    patient.expect("sentBack").await;
    patient.expect("waiting").await;
    assert_eq!(second.expect("gone").await["reason"], "sentBack");
    second.expect("knock").await;
}

#[tokio::test]
async fn the_fourth_device_that_waits_for_a_seat_is_told_that_it_is_crowded() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let mut doctor = server.page().await;
    doctor.enter(issued.code(1)).await;
    let mut three = Vec::new();
    for _ in 0..3 {
        let mut page = server.page().await;
        page.wait_at(issued.code(2)).await;
        doctor.expect("knock").await;
        three.push(page);
    }
    let mut fourth = server.page().await;
    fourth.join(issued.code(2)).await;
    fourth.expect_error("crowded").await;
    assert_eq!(fourth.expect_close().await, 1008);
    let late = doctor.expect("knock").await;
    assert_eq!(doctor.expect("knockGone").await["knock"], late["knock"]);
    let label = three[0].record()[1]["knock"].clone();
    doctor.send(json!({ "type": "admit", "knock": label })).await;
    three[0].welcomed(issued.code(2)).await;
}

#[tokio::test]
async fn both_on_the_same_side_never_make_a_call() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let (mut one, mut other) = (server.page().await, server.page().await);
    one.wait_at(issued.code(2)).await;
    other.wait_at(issued.code(2)).await;
    for page in [&mut one, &mut other] {
        page.describe(2, 0, "hello").await;
        page.expect_error("unexpected").await;
        assert!(
            page.record().iter().all(|message| message["type"] != "peer" && message["type"] != "welcome")
        );
    }
}

#[tokio::test]
async fn nine_seats_may_offer_to_each_other_all_at_once_and_nobody_falls_behind() {
    const CANDIDATES: usize = 16;
    let server = Server::start().await;
    let mut roles = vec!["doctor", "patient"];
    roles.resize(9, "guest");
    let issued = server.issue(json!({ "seats": roles })).await;
    let mut doctor = server.page().await;
    doctor.enter(issued.code(1)).await;
    let mut pages = vec![doctor];
    for seat in 2..=9 {
        let mut page = server.page().await;
        page.wait_at(issued.code(seat)).await;
        pages[0].admit_next().await;
        page.welcomed(issued.code(seat)).await;
        pages.push(page);
    }
    for page in &mut pages {
        for _ in 0..8 {
            page.expect("peer").await;
        }
    }
    for (from, page) in (1u8..).zip(&mut pages) {
        for to in (1..=9).filter(|to| *to != from) {
            page.describe(to, 1, "offer").await;
            for number in 0..CANDIDATES {
                page.candidate(to, 1, &format!("candidate {number}")).await;
            }
        }
    }
    for page in &mut pages {
        for _ in 0..8 {
            assert_eq!(page.expect("description").await["description"]["sdp"], "offer");
        }
        for _ in 0..8 * CANDIDATES {
            page.expect("candidate").await;
        }
    }
}

#[tokio::test]
async fn a_consultation_that_is_only_relayed_says_so_to_every_page() {
    let server = Server::start().await;
    for relayed_only in [false, true] {
        let issued = server.issue(json!({ "relayedOnly": relayed_only })).await;
        assert_eq!(issued.0["relayedOnly"], relayed_only);
        let call = walk::call_in(&server, issued).await;
        for page in [&call.doctor, &call.patient] {
            let welcome =
                page.record().into_iter().find(|message| message["type"] == "welcome").expect("welcomed");
            assert_eq!(welcome["relayedOnly"], relayed_only);
        }
        let path = format!("/api/consultations/{}", call.issued.id());
        let (_, shown) = server.api(reqwest::Method::GET, &path, None).await;
        assert_eq!(shown["relayedOnly"], relayed_only);
    }
}

#[tokio::test]
async fn an_admitted_page_gets_its_probe_back_unchanged_and_a_waiting_one_none() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    let probe = json!({ "type": "probe", "id": 4_294_967_295_u32, "pad": "0".repeat(8192) });
    call.patient.send(probe.clone()).await;
    assert_eq!(call.patient.expect("probe").await, probe);
    call.patient.send(json!({ "type": "probe", "id": 1, "pad": "0".repeat(8193) })).await;
    call.patient.expect_error("malformed").await;
    let mut second = server.page().await;
    second.wait_at(call.issued.code(2)).await;
    second.send(json!({ "type": "probe", "id": 1, "pad": "" })).await;
    second.expect_error("unexpected").await;
}
