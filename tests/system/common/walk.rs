//! The walk that every store must carry: join, knock, admit, describe, reload, remove, end.

use serde_json::{Value, json};

use super::page::Place;
use super::{Issued, Page, Server};

/// A doctor and a patient in a call, each having heard of the other.
pub struct Call {
    /// The consultation.
    pub issued: Issued,
    /// Seat 1.
    pub doctor: Page,
    /// Seat 2.
    pub patient: Page,
    /// The doctor's way back.
    pub doctor_place: Place,
    /// The patient's way back.
    pub patient_place: Place,
    /// The patient's `iceServers`.
    pub ice_servers: Value,
}

/// Brings both into a fresh consultation.
pub async fn call(server: &Server) -> Call {
    let issued = server.issue_now().await;
    call_in(server, issued).await
}

/// Brings both into this consultation.
pub async fn call_in(server: &Server, issued: Issued) -> Call {
    let mut doctor = server.page().await;
    let doctor_place = doctor.enter(issued.code(1)).await;
    let mut patient = server.page().await;
    patient.wait_at(issued.code(2)).await;
    patient.expect("doctor").await;
    doctor.admit_next().await;
    let welcome = patient.expect("welcome").await;
    let patient_place = patient.place(issued.code(2), &welcome);
    assert_eq!(doctor.expect("peer").await["seat"], 2);
    assert_eq!(patient.expect("peer").await["seat"], 1);
    Call { issued, doctor, patient, doctor_place, patient_place, ice_servers: welcome["iceServers"].clone() }
}

/// From two codes to the end of a call, every answer checked.
pub async fn from_codes_to_the_end(server: &mut Server) {
    let issued = server.issue_now().await;
    let mut doctor = server.page().await;
    let seen = doctor.look(issued.code(1)).await;
    assert_eq!(
        (&seen["type"], &seen["role"], &seen["state"]),
        (&json!("seen"), &json!("doctor"), &json!("open"))
    );
    doctor.enter(issued.code(1)).await;

    let mut patient = server.page().await;
    let waiting = patient.wait_at(issued.code(2)).await;
    assert_eq!(
        (&waiting["seat"], &waiting["role"], &waiting["occupied"]),
        (&json!(2), &json!("patient"), &json!(false))
    );
    let sees = patient.expect("doctor").await;
    assert_eq!((&sees["seat"], &sees["key"]), (&json!(1), &json!(doctor.key)));
    let knock = doctor.expect("knock").await;
    assert_eq!((&knock["knock"], &knock["device"]), (&waiting["knock"], &json!("first")));

    let sealed = json!({ "key": patient.key, "iv": "AAECAwQFBgcICQoL", "data": "c2VhbGVk", "salted": true });
    patient.send(json!({ "type": "name", "to": 1, "sealed": sealed })).await;
    let name = doctor.expect("name").await;
    assert_eq!((&name["knock"], &name["sealed"]), (&waiting["knock"], &sealed));

    doctor.send(json!({ "type": "admit", "knock": knock["knock"] })).await;
    let place = patient.welcomed(issued.code(2)).await;
    let (patient_seen, doctor_seen) = (doctor.expect("peer").await, patient.expect("peer").await);
    assert_eq!((&patient_seen["seat"], &patient_seen["key"]), (&json!(2), &json!(patient.key)));
    assert_eq!((&doctor_seen["seat"], &doctor_seen["key"]), (&json!(1), &json!(doctor.key)));

    let sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=Grüße \u{1F44B}\r\n";
    doctor.describe(2, place.incarnation, sdp).await;
    let offer = patient.expect("description").await;
    assert_eq!((&offer["from"], &offer["description"]["sdp"]), (&json!(1), &json!(sdp)));
    let candidate = "candidate:1 1 udp 2122260223 192.0.2.1 50000 typ relay";
    patient.candidate(1, doctor_seen["incarnation"].as_i64().unwrap(), candidate).await;
    let heard = doctor.expect("candidate").await;
    assert_eq!((&heard["from"], &heard["candidate"]["candidate"]), (&json!(2), &json!(candidate)));

    let mut reloaded = server.page().await;
    drop(patient);
    assert_eq!(doctor.expect("away").await["seat"], 2);
    reloaded.reload(&place).await;
    let again = reloaded.welcomed(issued.code(2)).await;
    assert_eq!(again.incarnation, place.incarnation + 1);
    assert_eq!(doctor.expect("peer").await["incarnation"], again.incarnation);

    doctor.send(json!({ "type": "remove", "seat": 2 })).await;
    reloaded.expect("removed").await;
    assert_eq!(reloaded.expect_close().await, 1000);
    let gone = doctor.expect("gone").await;
    assert_eq!((&gone["seat"], &gone["reason"]), (&json!(2), &json!("removed")));

    let mut knocks_again = server.page().await;
    knocks_again.reload(&again).await;
    knocks_again.expect("waiting").await;
    doctor.admit_next().await;
    knocks_again.welcomed(issued.code(2)).await;
    doctor.send(json!({ "type": "end" })).await;
    knocks_again.expect("ended").await;
    doctor.expect("ended").await;
    assert_eq!((knocks_again.expect_close().await, doctor.expect_close().await), (1000, 1000));
}
