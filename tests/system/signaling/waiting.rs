//! The waiting room (R07): what a device that waits sends, hears and can do.

use serde_json::{Value, json};

use crate::common::{Issued, Page, Server};

/// Words that stand in no frame to or from a device that waits.
/// Each with a character that no random base64url text holds: a bare “sdp” turns up in a device's key once in a while.
const FORBIDDEN: [&str; 9] = [
    "\"sdp\"",
    "\"description\"",
    "\"candidate\"",
    "\"iceServers\"",
    "\"credential\"",
    "\"username\"",
    "v=0",
    "candidate:",
    "after the sending back",
];

async fn doctor_and_waiting(server: &Server) -> (Issued, Page, Page) {
    let issued = server.issue_now().await;
    let mut doctor = server.page().await;
    doctor.enter(issued.code(1)).await;
    let mut patient = server.page().await;
    patient.look(issued.code(2)).await;
    patient.wait_at(issued.code(2)).await;
    patient.expect("doctor").await;
    (issued, doctor, patient)
}

fn assert_clean(record: &[Value]) {
    for frame in record {
        let text = frame.to_string();
        assert!(FORBIDDEN.iter().all(|word| !text.contains(word)), "{text}");
    }
}

#[tokio::test]
async fn no_frame_of_a_waiting_patient_holds_sdp_candidate_or_credential() {
    let server = Server::start().await;
    let (_, mut doctor, mut patient) = doctor_and_waiting(&server).await;
    let knock = doctor.expect("knock").await;
    // The doctor's page is hostile or broken, and addresses the seat before anybody holds it.
    for incarnation in 0..4 {
        doctor.describe(2, incarnation, "v=0\r\nearly").await;
        doctor.candidate(2, incarnation, "candidate:1 1 udp 1 192.0.2.1 9 typ host").await;
    }
    doctor.send(json!({ "type": "sendBack", "seat": 2 })).await;
    // The answer to this one comes after everything the doctor sent: the same socket, in order.
    doctor.send(json!({ "type": "refuse", "knock": "nobody" })).await;
    doctor.expect_error("unknown-knock").await;
    let before = patient.drain_by_error().await;
    assert_clean(&patient.record());
    assert!(before.iter().all(|message| message["type"] != "welcome"), "{before:?}");

    doctor.send(json!({ "type": "admit", "knock": knock["knock"] })).await;
    assert_eq!(patient.next().await["type"], "welcome", "nothing of what was sent before is delivered now");
    assert_eq!(patient.next().await["type"], "peer");
    doctor.describe(2, 1, "in time").await;
    assert_eq!(patient.next().await["description"]["sdp"], "in time");
}

#[tokio::test]
async fn a_patient_who_was_sent_back_hears_no_more_of_the_call() {
    let server = Server::start().await;
    let (issued, mut doctor, mut patient) = doctor_and_waiting(&server).await;
    doctor.admit_next().await;
    let place = patient.welcomed(issued.code(2)).await;
    patient.expect("peer").await;
    let inside = patient.record().len();
    doctor.send(json!({ "type": "sendBack", "seat": 2 })).await;
    patient.expect("sentBack").await;
    let waiting = patient.expect("waiting").await;
    assert_eq!(doctor.expect("gone").await["reason"], "sentBack");
    let knock = doctor.expect("knock").await;
    assert_eq!(knock["knock"], waiting["knock"]);
    doctor.describe(2, place.incarnation, "after the sending back").await;
    doctor.send(json!({ "type": "refuse", "knock": "nobody" })).await;
    doctor.expect_error("unknown-knock").await;
    patient.drain_by_error().await;
    assert_clean(&patient.record()[inside..]);

    // The token went with the admission.
    let mut other_socket = server.page().await;
    other_socket.resume(&place).await;
    other_socket.expect("waiting").await;
}

#[tokio::test]
async fn whatever_a_waiting_patient_asks_for_beyond_its_name_is_unexpected() {
    let server = Server::start().await;
    let (issued, mut doctor, mut patient) = doctor_and_waiting(&server).await;
    let knock = doctor.expect("knock").await;
    let forbidden = [
        json!({ "type": "look", "code": issued.code(2) }),
        json!({ "type": "join", "code": issued.code(2), "device": patient.device, "key": patient.key }),
        json!({ "type": "admit", "knock": knock["knock"] }),
        json!({ "type": "refuse", "knock": knock["knock"] }),
        json!({ "type": "sendBack", "seat": 1 }),
        json!({ "type": "remove", "seat": 1 }),
        json!({ "type": "end" }),
        json!({ "type": "ice" }),
        json!({ "type": "description", "to": 1, "incarnation": 1, "description": { "type": "offer", "sdp": "x" } }),
        json!({ "type": "candidate", "to": 1, "incarnation": 1, "candidate": null }),
    ];
    for message in forbidden {
        patient.send(message).await;
        assert_eq!(patient.next().await, json!({ "type": "error", "error": "unexpected" }));
    }
    doctor.expect("knockGone").await;
    assert!(!doctor.has("description") && !doctor.has("candidate"));
}

#[tokio::test]
async fn the_name_of_a_waiting_patient_goes_to_a_doctors_seat_alone() {
    let server = Server::start().await;
    let (_, mut doctor, mut patient) = doctor_and_waiting(&server).await;
    let knock = doctor.expect("knock").await;
    let sealed = json!({ "key": patient.key, "iv": "AAECAwQFBgcICQoL", "data": "c2VhbGVk", "salted": false });
    patient.send(json!({ "type": "name", "to": 2, "sealed": sealed })).await;
    patient.expect_error("unknown-seat").await;
    patient.send(json!({ "type": "name", "to": 1, "sealed": sealed })).await;
    let name = doctor.expect("name").await;
    assert_eq!((&name["sealed"], &name["knock"]), (&sealed, &knock["knock"]));
}

#[tokio::test]
async fn a_waiting_patient_hears_of_doctors_who_come_and_go_and_the_doctor_of_patients() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let mut patient = server.page().await;
    let label = patient.wait_at(issued.code(2)).await["knock"].clone();
    let mut doctor = server.page().await;
    let place = doctor.enter(issued.code(1)).await;
    assert_eq!(patient.expect("doctor").await["key"], doctor.key);
    assert_eq!(doctor.expect("knock").await["knock"], label);
    drop(doctor);
    assert_eq!(patient.expect("doctorGone").await["seat"], 1);
    let mut doctor = server.page().await;
    doctor.reload(&place).await;
    doctor.welcomed(issued.code(1)).await;
    assert_eq!(patient.expect("doctor").await["key"], doctor.key, "a name is sealed for the new key");
    assert_eq!(doctor.expect("knock").await["knock"], label);
    doctor.send(json!({ "type": "leave" })).await;
    assert_eq!(patient.expect("doctorGone").await["seat"], 1);

    let mut doctor = server.page().await;
    doctor.enter(issued.code(1)).await;
    doctor.expect("knock").await;
    patient.send(json!({ "type": "leave" })).await;
    assert_eq!(patient.expect_close().await, 1000);
    assert_eq!(doctor.expect("knockGone").await["knock"], label);
    doctor.send(json!({ "type": "admit", "knock": label })).await;
    doctor.expect_error("unknown-knock").await;
}

#[tokio::test]
async fn a_guest_and_a_patient_moderate_nothing() {
    let server = Server::start().await;
    let issued = server.issue(json!({ "seats": ["doctor", "patient", "guest"] })).await;
    let mut doctor = server.page().await;
    doctor.enter(issued.code(1)).await;
    for seat in [2, 3] {
        let mut page = server.page().await;
        page.wait_at(issued.code(seat)).await;
        doctor.admit_next().await;
        page.welcomed(issued.code(seat)).await;
        for message in [
            json!({ "type": "end" }),
            json!({ "type": "remove", "seat": 1 }),
            json!({ "type": "sendBack", "seat": 1 }),
            json!({ "type": "admit", "knock": "x" }),
            json!({ "type": "refuse", "knock": "x" }),
        ] {
            page.send(message).await;
            page.expect_error("unexpected").await;
        }
    }
    assert!(!doctor.has("gone") && !doctor.has("ended"));
}
