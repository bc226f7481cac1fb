//! Coming back: reload, lost socket, dead line, restart of the broker, hanging up, the end of the 24 hours.

use std::time::Instant;

use serde_json::{Value, json};

use crate::common::page::Place;
use crate::common::{Ending, Server, walk};

#[tokio::test]
async fn the_same_page_keeps_its_number_and_a_reload_gets_the_next() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    let code = call.issued.code(2).to_owned();
    drop(call.patient);
    call.doctor.expect("away").await;
    let mut same_page = server.page().await;
    same_page.resume(&call.patient_place).await;
    let again = same_page.welcomed(&code).await;
    assert_eq!(again.incarnation, call.patient_place.incarnation);
    assert_eq!(call.doctor.expect("peer").await["incarnation"], call.patient_place.incarnation);
    assert_eq!(same_page.expect("peer").await["seat"], 1);

    drop(same_page);
    call.doctor.expect("away").await;
    let mut reloaded = server.page().await;
    reloaded.reload(&again).await;
    let newer = reloaded.welcomed(&code).await;
    assert_eq!(newer.incarnation, again.incarnation + 1);
    let peer = call.doctor.expect("peer").await;
    assert_eq!((&peer["incarnation"], &peer["key"]), (&json!(newer.incarnation), &json!(reloaded.key)));
    assert!(!call.doctor.has("knock") && !call.doctor.has("gone"), "nobody asks, nobody is gone");
}

#[tokio::test]
async fn a_doctors_page_comes_back_to_its_seat_in_the_same_way() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    drop(call.doctor);
    call.patient.expect("away").await;
    let mut reloaded = server.page().await;
    reloaded.reload(&call.doctor_place).await;
    let place = reloaded.welcomed(call.issued.code(1)).await;
    assert_eq!(place.incarnation, call.doctor_place.incarnation + 1);
    assert_eq!(call.patient.expect("peer").await["incarnation"], place.incarnation);
    assert_eq!(reloaded.expect("peer").await["seat"], 2);
}

#[tokio::test]
async fn a_half_open_socket_is_taken_over_when_its_device_does_not_answer() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    call.patient.freeze();
    let asked = Instant::now();
    let mut again = server.page().await;
    again.reload(&call.patient_place).await;
    let place = again.welcomed(call.issued.code(2)).await;
    println!("a half-open socket was taken over after {} ms", asked.elapsed().as_millis());
    assert_eq!(place.incarnation, call.patient_place.incarnation + 1);
    assert_eq!(call.doctor.expect("peer").await["incarnation"], place.incarnation);
    call.doctor.describe(2, place.incarnation, "to the living one").await;
    assert_eq!(again.expect("description").await["description"]["sdp"], "to the living one");
}

#[tokio::test]
async fn the_same_page_takes_over_from_its_former_socket_and_nobody_is_asked() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    // The former socket would answer.
    let mut again = server.page().await;
    again.resume(&call.patient_place).await;
    let place = again.welcomed(call.issued.code(2)).await;
    assert_eq!(place.incarnation, call.patient_place.incarnation);
    call.doctor.describe(2, place.incarnation, "to the new socket").await;
    assert_eq!(again.expect("description").await["description"]["sdp"], "to the new socket");
}

#[tokio::test]
async fn the_token_before_is_valid_until_the_new_one_was_used() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    let code = call.issued.code(2).to_owned();
    let mut tokens = vec![call.patient_place.token.clone()];
    drop(call.patient);
    let mut resume = async |token: &str| -> Place {
        let mut page = server.page().await;
        page.resume(&Place { token: token.to_owned(), ..call.patient_place.clone() }).await;
        let place = page.welcomed(&code).await;
        drop(page);
        call.doctor.expect("away").await;
        place
    };
    // The answer with the second token is lost: the first still opens.
    tokens.push(resume(&tokens[0]).await.token);
    tokens.push(resume(&tokens[0]).await.token);
    // The newest was used, so it alone and its successor are left.
    tokens.push(resume(&tokens[2]).await.token);
    for dead in &tokens[..2] {
        let mut page = server.page().await;
        page.resume(&Place { token: dead.clone(), ..call.patient_place.clone() }).await;
        page.expect("waiting").await;
    }
    resume(&tokens[3]).await;
    assert_eq!(tokens.iter().collect::<std::collections::HashSet<_>>().len(), 4, "each token is a fresh one");
}

#[tokio::test]
async fn what_is_meant_for_a_page_that_is_no_more_vanishes() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    drop(call.patient);
    call.doctor.expect("away").await;
    let mut reloaded = server.page().await;
    reloaded.reload(&call.patient_place).await;
    let place = reloaded.welcomed(call.issued.code(2)).await;
    call.doctor.describe(2, call.patient_place.incarnation, "stale").await;
    call.doctor.candidate(2, call.patient_place.incarnation, "stale").await;
    call.doctor.candidate(2, place.incarnation + 1, "of a page to come").await;
    call.doctor.describe(2, place.incarnation, "fresh").await;
    assert_eq!(reloaded.expect("description").await["description"]["sdp"], "fresh");
    assert!(
        !reloaded.has("candidate"),
        "one socket's messages keep their order, so the stale ones were dropped"
    );
    assert!(!call.doctor.has("error"));
}

#[tokio::test]
async fn after_a_restart_the_admitted_resume_and_the_waiting_are_the_same_knock() {
    for how in [Ending::Terminate, Ending::Kill] {
        let mut server = Server::start().await;
        let issued = server.issue(json!({ "seats": ["doctor", "patient", "guest"] })).await;
        let mut call = walk::call_in(&server, issued).await;
        let mut guest = server.page().await;
        let label = guest.wait_at(call.issued.code(3)).await["knock"].clone();
        call.doctor.expect("knock").await;
        server.restart(how).await;
        for page in [&mut call.doctor, &mut call.patient, &mut guest] {
            let code = page.expect_close().await;
            assert!(if how == Ending::Terminate { code == 1012 } else { code == 1006 }, "{how:?}: {code}");
        }

        let mut patient = server.page().await;
        patient.resume(&call.patient_place).await;
        let place = patient.welcomed(call.issued.code(2)).await;
        let mut doctor = server.page().await;
        doctor.resume(&call.doctor_place).await;
        doctor.welcomed(call.issued.code(1)).await;
        assert_eq!(place.incarnation, call.patient_place.incarnation);
        assert_eq!(patient.expect("peer").await["incarnation"], call.doctor_place.incarnation);
        assert_eq!(doctor.expect("peer").await["incarnation"], call.patient_place.incarnation);

        let mut waits_again = server.page().await;
        waits_again.device.clone_from(&guest.device);
        assert_eq!(waits_again.wait_at(call.issued.code(3)).await["knock"], label);
        assert_eq!(doctor.expect("knock").await["knock"], label);
        let mut newcomer = server.page().await;
        newcomer.wait_at(call.issued.code(3)).await;
        assert_ne!(doctor.admit_next().await["knock"], label);
        newcomer.welcomed(call.issued.code(3)).await;
    }
}

#[tokio::test]
async fn a_page_that_missed_a_removal_reads_who_is_left() {
    let server = Server::start().await;
    let issued = server.issue(json!({ "seats": ["doctor", "patient", "guest"] })).await;
    let mut call = walk::call_in(&server, issued).await;
    let mut guest = server.page().await;
    guest.wait_at(call.issued.code(3)).await;
    call.doctor.admit_next().await;
    let holders = guest.expect("welcome").await["holders"].clone();
    assert_eq!(holders, json!([{ "seat": 1, "incarnation": 1 }, { "seat": 2, "incarnation": 1 }]));
    drop(call.patient);
    call.doctor.expect("away").await;
    call.doctor.send(json!({ "type": "remove", "seat": 3 })).await;
    guest.expect("removed").await;
    let mut again = server.page().await;
    again.resume(&call.patient_place).await;
    assert_eq!(again.expect("welcome").await["holders"], json!([{ "seat": 1, "incarnation": 1 }]));
}

#[tokio::test]
async fn whoever_hung_up_by_mistake_comes_back_without_knocking() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    call.patient.send(json!({ "type": "leave" })).await;
    assert_eq!(call.patient.expect_close().await, 1000);
    assert_eq!(call.doctor.expect("gone").await["reason"], "left");
    let mut again = server.page().await;
    again.reload(&call.patient_place).await;
    again.welcomed(call.issued.code(2)).await;
    assert_eq!(call.doctor.expect("peer").await["seat"], 2);
}

#[tokio::test]
async fn after_the_end_patients_knock_again_and_doctors_do_not() {
    let server = Server::start().await;
    let issued = server.issue(json!({ "seats": ["doctor", "patient", "guest"] })).await;
    let mut call = walk::call_in(&server, issued).await;
    let mut guest = server.page().await;
    guest.wait_at(call.issued.code(3)).await;
    guest.expect("doctor").await;
    call.doctor.send(json!({ "type": "end" })).await;
    for page in [&mut call.doctor, &mut call.patient] {
        page.expect("ended").await;
        assert_eq!(page.expect_close().await, 1000);
    }
    assert_eq!(
        guest.expect("doctorGone").await["seat"],
        1,
        "who waits reads that no doctor is there any more"
    );
    let id = call.issued.id();
    let nobody = async || server.seats(id).await.iter().all(|seat| seat["connected"] == false).then_some(());
    server.until("the moment when nobody is connected", nobody).await;

    let mut patient = server.page().await;
    patient.reload(&call.patient_place).await;
    patient.expect("waiting").await;
    let mut doctor = server.page().await;
    doctor.reload(&call.doctor_place).await;
    doctor.welcomed(call.issued.code(1)).await;
    assert_eq!(guest.expect("doctor").await["key"], doctor.key);
    let labels: Vec<Value> = vec![doctor.expect("knock").await, doctor.expect("knock").await];
    assert!(labels.iter().any(|knock| knock["seat"] == 2) && labels.iter().any(|knock| knock["seat"] == 3));
}

#[tokio::test]
async fn after_the_24_hours_a_call_goes_on_and_nobody_new_enters() {
    let server = Server::start().await;
    let issued = server.issue_in(12 - 86_400).await;
    let expires_at = issued.0["expiresAt"].clone();
    let mut call = walk::call_in(&server, issued).await;
    let mut second = server.page().await;
    second.wait_at(call.issued.code(2)).await;
    let path = format!("/api/consultations/{}", call.issued.id());
    server
        .until("the end of the 24 hours", async || {
            let (_, body) = server.api(reqwest::Method::GET, &path, None).await;
            (body["state"] == "expired").then_some(())
        })
        .await;

    call.doctor.describe(2, call.patient_place.incarnation, "the call goes on").await;
    assert_eq!(call.patient.expect("description").await["description"]["sdp"], "the call goes on");
    call.patient.send(json!({ "type": "ice" })).await;
    call.patient.expect("ice").await;
    drop(call.patient);
    call.doctor.expect("away").await;
    let mut reloaded = server.page().await;
    reloaded.reload(&call.patient_place).await;
    reloaded.welcomed(call.issued.code(2)).await;
    assert_eq!(call.doctor.expect("peer").await["seat"], 2);

    for seat in [1, 2] {
        let mut newcomer = server.page().await;
        newcomer.join(call.issued.code(seat)).await;
        assert_eq!(newcomer.expect_error("code-expired").await["expiresAt"], expires_at);
    }
    call.doctor.admit_next().await;
    second.expect_error("code-expired").await;
    assert!(!second.has("welcome"));
}
