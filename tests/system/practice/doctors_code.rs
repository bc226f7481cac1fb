//! The doctor's code that *Start* makes: good once, for minutes, and for whom it was made.

use reqwest::Method;
use serde_json::{Value, json};

use super::people::withdrawal;
use super::retention::live_through;
use crate::common::desk::{Practice, Session, ask, secret_of};
use crate::common::page::Page;
use crate::common::{Server, success, within};

/// A consultation that is open, and its patient's code.
async fn planned(server: &Server, practice: &Practice) -> (String, String) {
    let plan = practice.head.plan(server, json!({})).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&plan["consultation"]["id"]), text(&plan["codes"][0]["code"]))
}

/// *Start*.
async fn start(server: &Server, doctor: &Session, consultation: &str) -> String {
    let (status, body) = doctor.order(server, &format!("/consultations/{consultation}/enter")).await;
    assert_eq!(status, 201, "{body}");
    body["code"].as_str().unwrap().to_owned()
}

/// What a device that never came before is told.
async fn answer_to_a_stranger(server: &Server, code: &str) -> String {
    let mut page = server.page().await;
    page.join(code).await;
    let answer = page.next().await;
    answer["error"].as_str().unwrap_or_else(|| panic!("let in: {answer}")).to_owned()
}

#[tokio::test]
async fn the_code_belongs_to_the_device_that_came_with_it_first() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let (id, _) = planned(&server, &practice).await;
    let code = start(&server, &practice.head, &id).await;
    let mut doctor = server.page().await;
    assert_eq!(doctor.look(&code).await["type"], "seen", "to look is not to use (R15)");
    let place = doctor.enter(&code).await;
    assert_eq!(answer_to_a_stranger(&server, &code).await, "code-used");
    assert_eq!(server.page().await.look(&code).await["error"], "code-used");
    let mut resumed = server.page().await;
    resumed.resume(&place).await;
    let place = resumed.welcomed(&code).await;
    drop(resumed);
    let mut reloaded = server.page().await;
    reloaded.reload(&place).await;
    reloaded.welcomed(&code).await;
    reloaded.send(json!({ "type": "leave" })).await;
    within("the end", reloaded.expect_close()).await;
    let mut back = server.page().await;
    back.be(&place);
    back.enter(&code).await;
}

#[tokio::test]
async fn whoever_starts_again_makes_the_code_before_worthless_and_no_colleagues() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let colleague = practice.colleague_here(&server, "dr.abel", "doctor").await;
    let (id, _) = planned(&server, &practice).await;
    let codes = [
        start(&server, &practice.head, &id).await,
        start(&server, &colleague, &id).await,
        start(&server, &practice.head, &id).await,
    ];
    assert_eq!(answer_to_a_stranger(&server, &codes[0]).await, "code-revoked");
    let mut doctor = server.page().await;
    doctor.enter(&codes[2]).await;
    assert_eq!(server.page().await.wait_at(&codes[1]).await["occupied"], true);
    let again = start(&server, &practice.head, &id).await;
    assert_eq!(server.page().await.wait_at(&again).await["occupied"], true, "a used code and the call stay");
    doctor.drain_by_error().await;
}

#[tokio::test]
async fn signing_out_ends_what_nobody_used_and_the_call_goes_on_even_over_a_reload() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let doctor = practice.colleague_here(&server, "dr.abel", "doctor").await;
    let ((running, patients), (coming, _)) =
        (planned(&server, &practice).await, planned(&server, &practice).await);
    let (used, unused) = (start(&server, &doctor, &running).await, start(&server, &doctor, &coming).await);
    let mut page = server.page().await;
    let place = page.enter(&used).await;
    assert_eq!(doctor.delete(&server, "/sessions/current").await.0, 204);
    assert_eq!(answer_to_a_stranger(&server, &unused).await, "code-used");
    let mut patient = server.page().await;
    patient.wait_at(&patients).await;
    page.admit_next().await;
    patient.expect("welcome").await;
    drop(page);
    let mut reloaded = server.page().await;
    reloaded.reload(&place).await;
    reloaded.welcomed(&used).await;
    reloaded.expect("peer").await;
}

/// How a doctor's right to the doctor's seat ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Withdrawal,
    Demotion,
    Reset,
    Rescue,
}

impl End {
    async fn happen(self, server: &Server, practice: &Practice, doctor: &Session) {
        let (head, path) = (&practice.head, format!("/users/{}", doctor.user()));
        match self {
            Self::Withdrawal => {
                let (path, rotation) = withdrawal(server, head, doctor.user(), 2).await;
                assert_eq!(head.post(server, &path, rotation).await.0, 204);
            }
            Self::Demotion => {
                assert_eq!(head.patch(server, &path, json!({ "role": "staff" })).await.0, 204);
            }
            Self::Reset => {
                let keys = json!([{ "version": 1, "wrapped": "blob" }]);
                let body =
                    json!({ "secret": "another", "publicKey": "key", "byPassword": "blob", "keys": keys });
                assert_eq!(head.post(server, &format!("{path}/reset"), body).await.0, 204);
            }
            Self::Rescue => {
                let link =
                    secret_of(&success(&server.cli(&["practice", "rescue", "markt", "dr.abel"]).await));
                let body = json!({ "link": link, "practice": "markt", "user": "dr.abel", "secret": "again", "recoverySecret": "printed2",
                    "publicKey": "key2", "byPassword": "blob", "byRecovery": "blob" });
                assert_eq!(ask(server, Method::POST, "/rescue", Some(body)).await.0, 201);
            }
        }
    }
}

#[tokio::test]
async fn withdrawn_demoted_and_reset_doctors_are_out_before_in_and_after_a_call() {
    for end in [End::Withdrawal, End::Demotion, End::Reset, End::Rescue] {
        let server = Server::start().await;
        let practice = Practice::set_up(&server, "markt").await;
        let doctor = practice.colleague_here(&server, "dr.abel", "doctor").await;
        let (running, patients) = planned(&server, &practice).await;
        let ((coming, _), (over, _)) = (planned(&server, &practice).await, planned(&server, &practice).await);
        let past = start(&server, &doctor, &over).await;
        let mut page = server.page().await;
        let left = page.enter(&past).await;
        page.send(json!({ "type": "end" })).await;
        within("the end", page.expect_close()).await;
        let used = start(&server, &doctor, &running).await;
        let unused = start(&server, &doctor, &coming).await;
        let mut page = server.page().await;
        let place = page.enter(&used).await;
        let mut patient = server.page().await;
        patient.wait_at(&patients).await;
        page.admit_next().await;
        patient.expect("welcome").await;
        patient.expect("peer").await;
        // A colleague waits for the same seat, with a code of their own.
        let mut colleague = server.page().await;
        let theirs = start(&server, &practice.head, &running).await;
        colleague.wait_at(&theirs).await;

        end.happen(&server, &practice, &doctor).await;

        page.expect("revoked").await;
        assert_eq!(patient.expect("gone").await["seat"], 1, "{end:?}");
        colleague.expect("doctorGone").await;
        assert!(!colleague.has_come("revoked").await, "{end:?}: the colleague goes on waiting");
        for place in [&place, &left] {
            let mut again = server.page().await;
            again.reload(place).await;
            again.expect_error("code-revoked").await;
            let mut again = server.page().await;
            again.be(place);
            again.join(&place.code).await;
            again.expect_error("code-revoked").await;
        }
        assert_eq!(answer_to_a_stranger(&server, &unused).await, "code-revoked", "{end:?}");
        let mut free: Page = server.page().await;
        free.enter(&start(&server, &practice.head, &running).await).await;
        free.expect("peer").await;
    }
}

#[tokio::test]
async fn whoever_stays_a_doctor_in_another_role_stays_in_the_call() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let doctor = practice.colleague_here(&server, "dr.abel", "doctor").await;
    let (id, _) = planned(&server, &practice).await;
    let mut page = server.page().await;
    let code = start(&server, &doctor, &id).await;
    let place = page.enter(&code).await;
    let path = format!("/users/{}", doctor.user());
    assert_eq!(practice.head.patch(&server, &path, json!({ "role": "head" })).await.0, 204);
    page.drain_by_error().await;
    drop(page);
    let mut reloaded = server.page().await;
    reloaded.reload(&place).await;
    reloaded.welcomed(&code).await;
}

#[tokio::test]
async fn a_code_that_nobody_used_within_ten_minutes_is_worthless_and_a_used_one_is_not() {
    let mut server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let ((running, _), (coming, _)) = (planned(&server, &practice).await, planned(&server, &practice).await);
    let used = start(&server, &practice.head, &running).await;
    let unused = start(&server, &practice.head, &coming).await;
    let place = server.page().await.enter(&used).await;
    live_through(&mut server, "9m").await;
    assert_eq!(server.page().await.look(&unused).await["type"], "seen");
    live_through(&mut server, "11m").await;
    assert_eq!(server.page().await.look(&unused).await["error"], "code-used");
    assert_eq!(answer_to_a_stranger(&server, &unused).await, "code-used");
    let mut again = server.page().await;
    again.be(&place);
    again.enter(&used).await;
}

#[tokio::test]
async fn of_twenty_devices_that_come_with_one_code_at_once_one_gets_in() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    for _ in 0..10 {
        let (id, _) = planned(&server, &practice).await;
        let code = start(&server, &practice.head, &id).await;
        let mut pages = Vec::new();
        for _ in 0..20 {
            pages.push(server.page().await);
        }
        let answers = pages.iter_mut().map(async |page| {
            page.join(&code).await;
            let answer = page.next().await;
            answer["error"].as_str().unwrap_or(answer["type"].as_str().unwrap()).to_owned()
        });
        let mut answers = futures_util::future::join_all(answers).await;
        answers.sort();
        assert_eq!(
            (answers[0].as_str(), answers[18].as_str(), answers[19].as_str()),
            ("code-used", "code-used", "welcome")
        );
    }
}
