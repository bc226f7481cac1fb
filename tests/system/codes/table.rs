//! What a code answers on the wire, by the hour and by its fate; both sides read the same.

use serde_json::Value;

use crate::common::codes::well_formed;
use crate::common::{Page, Server, success};

/// The answers to `look` and to `join` of a seat's code, each on a page of its own.
async fn answers(server: &Server, code: &str) -> (Value, Value) {
    let seen = server.page().await.look(code).await;
    let mut page = server.page().await;
    page.join(code).await;
    (seen, page.next().await)
}

#[tokio::test]
async fn a_code_before_its_time_tells_when_it_opens() {
    let server = Server::start().await;
    let issued = server.issue_in(31 * 60).await;
    for (seat, role) in [(1, "doctor"), (2, "patient")] {
        let (seen, joined) = answers(&server, issued.code(seat)).await;
        assert_eq!(
            (&seen["type"], &seen["state"], &seen["role"]),
            (&"seen".into(), &"early".into(), &role.into())
        );
        for field in ["opensAt", "startsAt", "expiresAt"] {
            assert_eq!(seen[field], issued.0[field]);
        }
        assert_eq!((&joined["error"], &joined["opensAt"]), (&"code-early".into(), &issued.0["opensAt"]));
    }
}

#[tokio::test]
async fn a_code_opens_from_the_lead_time_to_the_last_minute() {
    let server = Server::start_with(&["--lead-minutes", "45"], &[]).await;
    for seconds in [44 * 60, 0, -3600, 60 - 86_400] {
        let issued = server.issue_in(seconds).await;
        let (seen, joined) = answers(&server, issued.code(1)).await;
        assert_eq!((&seen["state"], &joined["type"]), (&"open".into(), &"welcome".into()), "{seconds}");
        let (seen, joined) = answers(&server, issued.code(2)).await;
        assert_eq!((&seen["state"], &joined["type"]), (&"open".into(), &"waiting".into()), "{seconds}");
        assert_eq!(joined["expiresAt"], issued.0["expiresAt"]);
    }
}

#[tokio::test]
async fn an_expired_code_opens_nothing_and_tells_since_when() {
    let server = Server::start().await;
    let issued = server.issue_in(-86_401).await;
    for seat in [1, 2] {
        let (seen, joined) = answers(&server, issued.code(seat)).await;
        assert_eq!(seen, joined);
        assert_eq!(
            (&joined["error"], &joined["expiresAt"]),
            (&"code-expired".into(), &issued.0["expiresAt"])
        );
    }
}

#[tokio::test]
async fn a_typo_is_told_from_an_unknown_code() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    for seat in [1, 2] {
        let code = issued.code(seat);
        let last = if code.ends_with('0') { "1" } else { "0" };
        let mistyped = format!("{}{last}", &code[..code.len() - 1]);
        for typo in [mistyped.as_str(), &code[..13], "", "K7QF-3XM2-9TDA-", "Käsekuchen"] {
            let (seen, joined) = answers(&server, typo).await;
            let expected = if typo == "K7QF-3XM2-9TDA-" { "code-unknown" } else { "code-typo" };
            assert_eq!((&seen["error"], &joined["error"]), (&expected.into(), &expected.into()), "{typo}");
        }
    }
    let (seen, joined) = answers(&server, &well_formed()).await;
    assert_eq!((&seen["error"], &joined["error"]), (&"code-unknown".into(), &"code-unknown".into()));
}

#[tokio::test]
async fn a_code_is_forgiven_its_spelling() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let code = issued.code(2);
    let lookalikes = code.to_lowercase().replace('0', "o").replace('1', "l").replace('v', "u");
    for spelling in [code.replace('-', ""), lookalikes, code.replace('-', " \u{2013} "), format!("  {code} ")]
    {
        assert_eq!(server.page().await.look(&spelling).await["role"], "patient", "{spelling}");
    }
}

#[tokio::test]
async fn a_revoked_consultation_and_a_replaced_code_say_so() {
    let server = Server::start().await;
    let (revoked, reissued) = (server.issue_now().await, server.issue_now().await);
    success(&server.cli(&["consultation", "revoke", revoked.id()]).await);
    for seat in [1, 2] {
        let (seen, joined) = answers(&server, revoked.code(seat)).await;
        assert_eq!((&seen["error"], &joined["error"]), (&"code-revoked".into(), &"code-revoked".into()));
        let seat_number = seat.to_string();
        let new =
            success(&server.cli(&["consultation", "reissue", reissued.id(), &seat_number, "--json"]).await);
        let new: Value = serde_json::from_str(&new).unwrap();
        let (seen, joined) = answers(&server, reissued.code(seat)).await;
        assert_eq!((&seen["error"], &joined["error"]), (&"code-revoked".into(), &"code-revoked".into()));
        let (seen, joined) = answers(&server, new["code"].as_str().unwrap()).await;
        assert_eq!(seen["seat"], seat);
        assert_eq!(joined["type"], if seat == 1 { "welcome" } else { "waiting" });
    }
}

#[tokio::test]
async fn a_code_leads_to_its_own_consultation_and_nowhere_else() {
    let server = Server::start().await;
    let (one, other) = (server.issue_now().await, server.issue_now().await);
    let mut pages: Vec<Page> = Vec::new();
    for issued in [&one, &other] {
        let mut doctor = server.page().await;
        doctor.enter(issued.code(1)).await;
        let mut patient = server.page().await;
        assert_eq!(patient.wait_at(issued.code(2)).await["consultation"], issued.id());
        pages.push(doctor);
        pages.push(patient);
    }
    let [doctor, patient, other_doctor, other_patient] = &mut pages[..] else { panic!("four pages") };
    let knock = doctor.expect("knock").await;
    let other_knock = other_doctor.expect("knock").await;
    doctor.send(serde_json::json!({ "type": "admit", "knock": other_knock["knock"] })).await;
    doctor.expect_error("unknown-knock").await;
    doctor.send(serde_json::json!({ "type": "admit", "knock": knock["knock"] })).await;
    patient.expect("welcome").await;
    assert!(!other_patient.has("welcome"));
    assert!(!other_doctor.has("peer"));
}
