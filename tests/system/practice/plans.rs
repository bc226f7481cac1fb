//! Plans: made, paged through, changed, called off; seats and codes.

use std::collections::BTreeSet;

use chrono::{Duration, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::common::Server;
use crate::common::desk::Practice;

fn in_minutes(minutes: i64) -> String {
    (Utc::now() + Duration::minutes(minutes)).to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn id(plan: &Value) -> &str {
    plan["consultation"]["id"].as_str().unwrap()
}

#[tokio::test]
async fn the_desk_is_told_all_codes_but_the_doctors_and_the_doctor_gets_one_by_starting() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let plan = practice.head.plan(&server, json!({ "seats": ["doctor", "patient", "guest"] })).await;
    let roles: Vec<&str> =
        plan["codes"].as_array().unwrap().iter().map(|code| code["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["patient", "guest"]);
    let shown = practice.head.get(&server, &format!("/consultations/{}", id(&plan))).await.1;
    assert!(!shown.to_string().contains(plan["codes"][0]["code"].as_str().unwrap()), "codes are told once");
    let enter = format!("/consultations/{}/enter", id(&plan));
    let (first, second) =
        (practice.head.order(&server, &enter).await.1, practice.head.order(&server, &enter).await.1);
    assert_ne!(first["code"], second["code"]);
    let mut doctor = server.page().await;
    doctor.enter(second["code"].as_str().unwrap()).await;
    let mut patient = server.page().await;
    patient.wait_at(plan["codes"][0]["code"].as_str().unwrap()).await;
    doctor.admit_next().await;
    let welcome = patient.expect("welcome").await;
    assert_eq!(
        welcome["practice"],
        json!({ "name": "Praxis am Markt", "phone": "030 1234567", "timeZone": "Europe/Berlin" })
    );
}

#[tokio::test]
async fn a_local_time_is_the_practices_own_and_the_odd_nights_are_told() {
    let server = Server::start_with(&["--time-zone", "America/New_York"], &[]).await;
    let practice = Practice::set_up(&server, "markt").await;
    let plan = practice.head.plan(&server, json!({ "startsAt": "2027-01-15T09:00" })).await;
    assert_eq!(plan["consultation"]["startsAt"], "2027-01-15T08:00:00Z");
    let skipped = practice.head.plan(&server, json!({ "startsAt": "2027-03-28T02:30" })).await;
    assert!(skipped["note"].as_str().unwrap().contains("skip"), "{skipped}");
    assert_eq!(skipped["consultation"]["startsAt"], "2027-03-28T01:30:00Z");
    let twice = practice.head.plan(&server, json!({ "startsAt": "2027-10-31T02:30" })).await;
    assert!(twice["note"].as_str().unwrap().contains("twice"), "{twice}");
    assert_eq!(twice["consultation"]["startsAt"], "2027-10-31T00:30:00Z");
    for wrong in [
        json!({ "startsAt": "morgen" }),
        json!({ "durationMinutes": 4 }),
        json!({ "language": "d" }),
        json!({ "seats": ["patient", "doctor"] }),
    ] {
        assert_eq!(practice.head.post(&server, "/consultations", wrong).await.0, 422);
    }
}

#[tokio::test]
async fn pages_of_the_list_tell_each_consultation_once_in_order() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    for minutes in [30, 10, 20, 10, 40, 50, 10] {
        practice.head.plan(&server, json!({ "startsAt": in_minutes(minutes) })).await;
    }
    let past = practice.head.plan(&server, json!({ "startsAt": in_minutes(-2 * 24 * 60) })).await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = practice.head.get(&server, &format!("/consultations?limit=3{after}")).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(page["consultations"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let starts: Vec<&str> = seen.iter().map(|one| one["startsAt"].as_str().unwrap()).collect();
    assert!(starts.is_sorted() && starts.len() == 7, "{starts:?}");
    let ids: BTreeSet<&str> = seen.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 7);
    let (_, page) = practice.head.get(&server, "/consultations?past=true").await;
    assert_eq!(
        (page["consultations"].as_array().unwrap().len(), &page["consultations"][0]["id"]),
        (1, &json!(id(&past)))
    );
    assert_eq!(page["consultations"][0]["state"], "expired");
}

#[tokio::test]
async fn a_change_needs_the_revision_and_moves_the_window_while_the_codes_stay() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let plan = practice.head.plan(&server, json!({ "startsAt": in_minutes(600) })).await;
    let path = format!("/consultations/{}", id(&plan));
    let code = plan["codes"][0]["code"].as_str().unwrap();
    assert_eq!(server.page().await.look(code).await["state"], "early");
    let sealed = practice.head.patch(&server, &path, json!({ "revision": 0, "sealed": "1.abc" })).await;
    assert_eq!(
        (sealed.0, &sealed.1["consultation"]["revision"], &sealed.1["consultation"]["sequence"]),
        (200, &json!(1), &json!(0))
    );
    let stale =
        practice.head.patch(&server, &path, json!({ "revision": 0, "startsAt": in_minutes(5) })).await;
    assert_eq!((stale.0, &stale.1["type"]), (409, &json!("#stale")));
    let moved =
        practice.head.patch(&server, &path, json!({ "revision": 1, "startsAt": in_minutes(5) })).await.1;
    assert_eq!(
        (&moved["consultation"]["sealed"], &moved["consultation"]["sequence"]),
        (&json!("1.abc"), &json!(1)),
        "calendars hear of another time"
    );
    let seen = server.page().await.look(code).await;
    assert_eq!((&seen["state"], &seen["practice"]["name"]), (&json!("open"), &json!("Praxis am Markt")));
}

#[tokio::test]
async fn seats_come_and_go_with_codes_of_their_own_and_nine_is_the_end() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let plan = practice.head.plan(&server, json!({})).await;
    let seats = format!("/consultations/{}/seats", id(&plan));
    let mut codes = Vec::new();
    for expected in 3..=9 {
        let (status, seat) = practice.head.post(&server, &seats, json!({ "role": "guest" })).await;
        assert_eq!((status, &seat["seat"]), (201, &json!(expected)), "{seat}");
        codes.push(seat["code"].as_str().unwrap().to_owned());
    }
    let full = practice.head.post(&server, &seats, json!({ "role": "guest" })).await;
    assert_eq!((full.0, &full.1["type"]), (409, &json!("#full")));
    assert_eq!(practice.head.post(&server, &seats, json!({ "role": "doctor" })).await.0, 422);
    assert_eq!(practice.head.delete(&server, &format!("{seats}/1")).await.0, 409, "the doctor's seat stays");
    let mut guest = server.page().await;
    guest.wait_at(&codes[2]).await;
    assert_eq!(practice.head.delete(&server, &format!("{seats}/5")).await.0, 204);
    guest.expect("revoked").await;
    let (_, again) = practice.head.post(&server, &seats, json!({ "role": "patient" })).await;
    assert_eq!(
        (&again["seat"], &again["role"]),
        (&json!(5), &json!("patient")),
        "a free number is used again"
    );
    let old = practice.head.order(&server, &format!("{seats}/2/reissue")).await;
    assert_eq!(old.0, 201);
    assert_eq!(practice.head.order(&server, &format!("{seats}/1/reissue")).await.0, 409);
    assert_eq!(practice.head.order(&server, &format!("{seats}/nine/reissue")).await.0, 404);
}

#[tokio::test]
async fn what_is_called_off_opens_nothing_and_what_is_deleted_is_gone_from_the_disk() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let plan = practice.head.plan(&server, json!({})).await;
    let path = format!("/consultations/{}", id(&plan));
    let mark = "sealed-canary-of-a-deleted-record";
    practice.head.patch(&server, &path, json!({ "revision": 0, "sealed": mark })).await;
    assert!(on_disk(&server, mark), "it lies there before");
    assert_eq!(practice.head.order(&server, &format!("{path}/cancel")).await.0, 204);
    let shown = practice.head.get(&server, &path).await.1;
    assert_eq!((&shown["state"], &shown["sequence"]), (&json!("revoked"), &json!(1)));
    assert_eq!(practice.head.order(&server, &format!("{path}/enter")).await.0, 409);
    assert_eq!(practice.head.delete(&server, &path).await.0, 204);
    assert_eq!(practice.head.get(&server, &path).await.0, 404);
    assert!(!on_disk(&server, mark), "neither in the database nor in its log of changes");
}

/// Whether any file of the data directory holds the text.
pub fn on_disk(server: &Server, text: &str) -> bool {
    let entries = std::fs::read_dir(server.data_dir()).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files.into_iter().any(|path| {
        let content = std::fs::read(path).unwrap();
        content.windows(text.len()).any(|window| window == text.as_bytes())
    })
}
