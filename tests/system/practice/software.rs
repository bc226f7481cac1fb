//! API tokens of a practice's software.

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::Server;
use crate::common::desk::Practice;

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
