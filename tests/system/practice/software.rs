//! API tokens of a practice's software.

use reqwest::Method;
use serde_json::{Value, json};

use super::people::withdrawal;
use crate::common::Server;
use crate::common::desk::{Practice, Session};

async fn ask(server: &Server, token: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = server.http().request(method, server.url(path)).bearer_auth(token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

#[tokio::test]
async fn software_plans_for_its_practice_reads_by_its_scope_and_stops_when_its_token_is_withdrawn() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let other = Practice::set_up(&server, "hafen").await;
    let make = async |practice: &Practice, scope: &str| {
        let (status, token) =
            practice.head.post(&server, "/tokens", json!({ "name": "PVS", "scope": scope })).await;
        assert_eq!(status, 201, "{token}");
        token
    };
    let (plan, read, foreign) =
        (make(&practice, "plan").await, make(&practice, "read").await, make(&other, "plan").await);
    let secret = |token: &Value| token["token"].as_str().unwrap().to_owned();
    let body = || Some(json!({ "startsAt": "2027-01-15T09:00", "durationMinutes": 30 }));
    let (status, issued) = ask(&server, &secret(&plan), Method::POST, "/api/consultations", body()).await;
    assert_eq!(
        (status, &issued["startsAt"]),
        (201, &json!("2027-01-15T08:00:00Z")),
        "in the practice's time zone"
    );
    assert_eq!(issued["seats"].as_array().unwrap().len(), 2, "software gets the doctor's code too");
    let path = format!("/api/consultations/{}", issued["id"].as_str().unwrap());
    assert_eq!(ask(&server, &secret(&read), Method::GET, &path, None).await.0, 200);
    let (status, problem) = ask(&server, &secret(&read), Method::POST, "/api/consultations", body()).await;
    assert_eq!((status, &problem["type"]), (403, &json!("#scope")));
    assert_eq!(ask(&server, &secret(&foreign), Method::GET, &path, None).await.0, 404);
    assert_eq!(ask(&server, &secret(&foreign), Method::DELETE, &path, None).await.0, 404);
    assert_eq!(ask(&server, &secret(&foreign), Method::GET, "/api/consultations", None).await.1, json!([]));
    assert_eq!(
        ask(&server, &secret(&read), Method::GET, "/api/consultations", None)
            .await
            .1
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let (_, desk) = practice.head.get(&server, "/consultations").await;
    assert_eq!(
        (&desk["consultations"][0]["id"], &desk["consultations"][0]["createdBy"]),
        (&issued["id"], &Value::Null)
    );
    let (_, tokens) = practice.head.get(&server, "/tokens").await;
    assert!(tokens[0]["usedAt"].is_string() && tokens[0]["token"].is_null(), "{tokens}");
    let id = plan["id"].as_str().unwrap();
    assert_eq!(practice.head.delete(&server, &format!("/tokens/{id}")).await.0, 204);
    assert_eq!(ask(&server, &secret(&plan), Method::GET, &path, None).await.0, 401);
    assert_eq!(
        ask(&server, &practice.head.token, Method::GET, &path, None).await.0,
        401,
        "a session is no API token"
    );
    assert_eq!(practice.head.get(&server, "/audit?limit=2").await.1[1]["actor"], "PVS");
}

/// Whether software gets in.
async fn serves(server: &Server, token: &Value) -> bool {
    let token = token["token"].as_str().unwrap();
    match ask(server, token, Method::GET, "/api/consultations", None).await.0 {
        200 => true,
        401 => false,
        status => panic!("{status}"),
    }
}

#[tokio::test]
async fn a_token_shows_its_maker_and_ends_when_the_maker_is_withdrawn_or_is_an_admin_no_more() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let make = async |session: &Session, name: &str| {
        let (status, token) =
            session.post(&server, "/tokens", json!({ "name": name, "scope": "read" })).await;
        assert_eq!(status, 201, "{token}");
        token
    };
    let leaves = practice.colleague_here(&server, "geht", "admin").await;
    let changes = practice.colleague_here(&server, "wechselt", "admin").await;
    let (stays, left, changed) =
        (make(&practice.head, "PVS").await, make(&leaves, "Kalender").await, make(&changes, "Anzeige").await);
    assert_eq!(left["madeBy"], "geht");
    let makers = async || {
        let (_, tokens) = practice.head.get(&server, "/tokens").await;
        let maker = |token: &Value| token["madeBy"].as_str().unwrap().to_owned();
        tokens.as_array().unwrap().iter().map(maker).collect::<Vec<_>>()
    };
    assert_eq!(makers().await, ["leitung", "geht", "wechselt"]);
    let path = format!("/users/{}", changes.user());
    assert_eq!(practice.head.patch(&server, &path, json!({ "role": "head" })).await.0, 204);
    assert!(serves(&server, &changed).await, "still an admin");
    assert_eq!(practice.head.patch(&server, &path, json!({ "role": "doctor" })).await.0, 204);
    assert!(!serves(&server, &changed).await);
    let (path, rotation) = withdrawal(&server, &practice.head, leaves.user(), 2).await;
    assert_eq!(practice.head.post(&server, &path, rotation).await.0, 204);
    assert!(!serves(&server, &left).await);
    assert!(serves(&server, &stays).await);
    assert_eq!(makers().await, ["leitung"]);
    let (_, trail) = practice.head.get(&server, "/audit").await;
    let ended = trail.as_array().unwrap().iter().filter(|line| line["what"] == "token-ended");
    assert_eq!(
        ended.map(|line| line["about"].as_str().unwrap()).collect::<Vec<_>>(),
        ["Kalender", "Anzeige"]
    );
}

#[tokio::test]
async fn software_gets_no_doctors_code_of_what_the_desk_planned() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let (_, token) = practice.head.post(&server, "/tokens", json!({ "name": "PVS", "scope": "plan" })).await;
    let secret = token["token"].as_str().unwrap();
    let plan = practice.head.plan(&server, json!({})).await;
    let desks = plan["consultation"]["id"].as_str().unwrap().to_owned();
    let (_, own) = ask(&server, secret, Method::POST, "/api/consultations", Some(json!({}))).await;
    let own = own["id"].as_str().unwrap().to_owned();
    for (id, seat, wanted) in [(&desks, 1, 409), (&desks, 2, 201), (&own, 1, 201), (&own, 2, 201)] {
        let path = format!("/api/consultations/{id}/seats/{seat}/reissue");
        let (status, answer) = ask(&server, secret, Method::POST, &path, None).await;
        assert_eq!(status, wanted, "{answer}");
    }
}
