//! What goes by itself, on a server whose clock was moved (libfaketime).

use reqwest::Method;
use serde_json::json;

use super::plans::on_disk;
use crate::common::desk::{Practice, Session, sign_in};
use crate::common::{Ending, Server};

/// The server's clock so far ahead (`10d`, `11m`), once it runs again.
pub async fn live_through(server: &mut Server, time: &str) {
    let library = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
        .map(|directory| format!("{directory}/faketime/libfaketime.so.1"))
        .into_iter()
        .find(|path| std::path::Path::new(path).exists())
        .expect("libfaketime is installed");
    server.environment(&[
        ("LD_PRELOAD", &library),
        ("FAKETIME", &format!("+{time}")),
        ("DONT_FAKE_MONOTONIC", "1"),
    ]);
    server.restart(Ending::Terminate).await;
}

#[tokio::test]
async fn consultations_and_trail_go_when_their_days_are_over_and_leave_nothing_on_the_disk() {
    let mut server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let workplace = &practice.workplace_token;
    assert_eq!(practice.head.patch(&server, "", json!({ "retentionDays": 10 })).await.0, 200);
    let plan = practice.head.plan(&server, json!({})).await;
    let path = format!("/consultations/{}", plan["consultation"]["id"].as_str().unwrap());
    let mark = "sealed-canary-of-an-expired-record";
    practice.head.patch(&server, &path, json!({ "revision": 0, "sealed": mark })).await;
    let of_operator = server.issue_now().await;
    let operators = format!("/api/consultations/{}", of_operator.id());
    // The window ends a day after the start; ten days follow.
    live_through(&mut server, "10d").await;
    let head = again(&server, workplace).await;
    let (_, past) = head.get(&server, "/consultations?past=true").await;
    assert_eq!(past["consultations"].as_array().unwrap().len(), 1, "not before its time");
    assert!(on_disk(&server, mark));
    live_through(&mut server, "12d").await;
    let head = again(&server, workplace).await;
    server.until("the deletion", async || (head.get(&server, &path).await.0 == 404).then_some(())).await;
    server.until("the last trace", async || (!on_disk(&server, mark)).then_some(())).await;
    let (_, trail) = head.get(&server, "/audit").await;
    let told: Vec<&str> =
        trail.as_array().unwrap().iter().map(|line| line["what"].as_str().unwrap()).collect();
    assert_eq!(told, ["sign-in", "sign-in"], "what was told eleven days ago is forgotten");
    assert_eq!(server.api(Method::GET, &operators, None).await.0, 200, "the operator's stay thirty days");
    live_through(&mut server, "32d").await;
    server
        .until("the deletion", async || {
            (server.api(Method::GET, &operators, None).await.0 == 404).then_some(())
        })
        .await;
}

/// Sessions end after twelve hours; the workplace's token stays.
async fn again(server: &Server, workplace: &str) -> Session {
    Session::of(sign_in(server, "markt", "leitung", "right", Some(workplace)).await.1)
}

#[tokio::test]
async fn a_deleted_practice_leaves_nothing_and_lets_nobody_in() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt-zum-vergessen").await;
    let plan = practice.head.plan(&server, json!({})).await;
    let mut patient = server.page().await;
    patient.wait_at(plan["codes"][0]["code"].as_str().unwrap()).await;
    assert_eq!(practice.head.post(&server, "/delete", json!({ "secret": "wrong" })).await.0, 401);
    assert_eq!(practice.head.post(&server, "/delete", json!({ "secret": "right" })).await.0, 204);
    patient.expect("revoked").await;
    assert_eq!(practice.head.get(&server, "/me").await.0, 401);
    assert_eq!(sign_in(&server, "markt-zum-vergessen", "leitung", "right", None).await.0, 401);
    assert!(!on_disk(&server, "markt-zum-vergessen"));
}

#[tokio::test]
async fn a_deleted_practice_ends_a_call_that_goes_on_after_its_day() {
    let mut server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let plan = practice.head.plan(&server, json!({})).await;
    let enter = format!("/consultations/{}/enter", plan["consultation"]["id"].as_str().unwrap());
    let code = practice.head.order(&server, &enter).await.1["code"].as_str().unwrap().to_owned();
    let place = server.page().await.enter(&code).await;
    live_through(&mut server, "25h").await;
    let head = again(&server, &practice.workplace_token).await;
    let mut doctor = server.page().await;
    doctor.resume(&place).await;
    doctor.welcomed(&code).await;
    assert_eq!(head.post(&server, "/delete", json!({ "secret": "right" })).await.0, 204);
    doctor.expect("revoked").await;
}
