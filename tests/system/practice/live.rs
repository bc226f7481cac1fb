//! What a desk hears without asking.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::common::desk::{Practice, Session, sign_in, user};
use crate::common::{Connection, Server, within};

struct Ear(tokio_tungstenite::WebSocketStream<Connection>);

impl Ear {
    async fn open(server: &Server, token: &str) -> Self {
        let mut request =
            format!("ws://localhost:{}/api/practice/live", server.port).into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("origin", server.origin().parse().unwrap());
        headers.insert("sec-websocket-protocol", "visavis.desk.v1".parse().unwrap());
        let (mut socket, _) = client_async(request, server.connect().await.unwrap()).await.unwrap();
        let hello = json!({ "type": "desk", "token": token }).to_string();
        socket.send(Message::Text(hello.into())).await.unwrap();
        Self(socket)
    }

    /// The next thing heard, or the close code.
    async fn next(&mut self) -> Result<Value, u16> {
        within("a word to the desk", async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                    Some(Ok(Message::Close(frame))) => {
                        return Err(frame.map_or(1005, |frame| frame.code.into()));
                    }
                    Some(Ok(_)) => {}
                    _ => return Err(1006),
                }
            }
        })
        .await
    }

    /// Hears on until this type comes.
    async fn until(&mut self, kind: &str) -> Value {
        loop {
            let heard = self.next().await.unwrap_or_else(|code| panic!("closed with {code} before {kind}"));
            if heard["type"] == kind {
                return heard;
            }
        }
    }
}

#[tokio::test]
async fn the_desk_hears_who_waits_who_is_in_and_who_left_and_reads_it_when_it_comes_late() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let other = Practice::set_up(&server, "hafen").await;
    let mut ear = Ear::open(&server, &practice.head.token).await;
    assert_eq!(ear.next().await.unwrap(), json!({ "type": "state", "waiting": [], "calls": [] }));
    let plan = practice.head.plan(&server, json!({})).await;
    let id = plan["consultation"]["id"].clone();
    assert_eq!(ear.next().await.unwrap(), json!({ "type": "changed", "what": "consultation", "id": id }));
    let mut patient = server.page().await;
    patient.wait_at(plan["codes"][0]["code"].as_str().unwrap()).await;
    let waiting = ear.until("waiting").await;
    assert_eq!(
        (&waiting["consultation"], &waiting["role"], &waiting["seat"]),
        (&id, &json!("patient"), &json!(2))
    );
    let mut late = Ear::open(&server, &practice.head.token).await;
    let state = late.next().await.unwrap();
    assert_eq!(
        (state["waiting"].as_array().unwrap().len(), &state["waiting"][0]["since"]),
        (1, &waiting["since"])
    );
    let entered =
        practice.head.order(&server, &format!("/consultations/{}/enter", id.as_str().unwrap())).await.1;
    let mut doctor = server.page().await;
    doctor.enter(entered["code"].as_str().unwrap()).await;
    assert_eq!(ear.until("call").await["seats"], json!([1]));
    doctor.admit_next().await;
    patient.expect("welcome").await;
    assert_eq!(ear.until("left").await["knock"], waiting["knock"]);
    let mut seats = ear.until("call").await;
    if seats["seats"] == json!([1]) {
        seats = ear.until("call").await;
    }
    assert_eq!(seats["seats"], json!([1, 2]));
    drop(patient);
    assert_eq!(ear.until("call").await["seats"], json!([1]));
    drop(doctor);
    assert_eq!(ear.until("call").await["seats"], json!([]));
    let mut foreign = Ear::open(&server, &other.head.token).await;
    assert_eq!(foreign.next().await.unwrap(), json!({ "type": "state", "waiting": [], "calls": [] }));
}

#[tokio::test]
async fn a_desk_whose_session_ends_is_closed_at_once_and_a_stranger_hears_nothing() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let mut ear = Ear::open(&server, &practice.head.token).await;
    ear.until("state").await;
    practice.head.delete(&server, "/sessions/current").await;
    assert_eq!(ear.next().await, Err(1008));
    assert_eq!(Ear::open(&server, &practice.head.token).await.next().await, Err(1008));
    assert_eq!(Ear::open(&server, "").await.next().await, Err(1008));
}

#[tokio::test]
async fn who_waits_is_told_at_released_workplaces_alone() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let here = practice.colleague_here(&server, "dr.abel", "doctor").await;
    Ear::open(&server, &here.token).await.until("state").await;
    for who in ["dr.abel", "leitung"] {
        let secret = if who == "leitung" { "right" } else { "own" };
        let elsewhere = Session::of(sign_in(&server, "markt", who, secret, None).await.1);
        assert_eq!(Ear::open(&server, &elsewhere.token).await.next().await, Err(1008), "{who} elsewhere");
        let asks = json!({ "name": "Zuhause", "publicKey": "key" });
        assert_eq!(elsewhere.post(&server, "/workplaces", asks).await.0, 201);
        assert_eq!(Ear::open(&server, &elsewhere.token).await.next().await, Err(1008), "{who}, who asked");
    }
    practice.head.post(&server, "/users", user("neu", "staff", &[1])).await;
    let initial = sign_in(&server, "markt", "neu", "initial", Some(&practice.workplace_token)).await.1;
    let initial = Session::of(initial);
    assert_eq!(Ear::open(&server, &initial.token).await.next().await, Err(1008), "an initial password");
}

#[tokio::test]
async fn the_desk_reads_the_patients_check() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let plan = practice.head.plan(&server, json!({ "startsAt": "2027-06-01T09:00" })).await;
    let id = plan["consultation"]["id"].as_str().unwrap();
    let code = plan["codes"][0]["code"].as_str().unwrap();
    let ask = async |path: &str, body: Value| {
        let response = server.http().post(server.url(path)).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let (status, begun) = ask("/api/readiness/begin", json!({ "code": code })).await;
    assert_eq!(status, 200);
    let begun: Value = serde_json::from_str(&begun).unwrap();
    assert!(begun["iceServers"][0]["credential"].is_string(), "{begun}");
    let report =
        json!({ "code": code, "verdict": "yellow", "camera": "missing", "microphone": "ok", "relay": "ok" });
    assert_eq!(ask("/api/readiness", report.clone()).await.0, 204);
    let shown = practice.head.get(&server, &format!("/consultations/{id}")).await.1;
    assert_eq!(
        (&shown["readiness"]["verdict"], &shown["readiness"]["camera"]),
        (&json!("yellow"), &json!("missing"))
    );
    for (wrong, expected) in [("K7QF-3XM2-9TDA", 404), ("", 404)] {
        assert_eq!(ask("/api/readiness/begin", json!({ "code": wrong })).await.0, expected);
    }
    let mut talkative = report;
    talkative["device"] = json!("a camera's name");
    assert_eq!(ask("/api/readiness", talkative).await.0, 422, "no more than the result is taken");
    practice.head.order(&server, &format!("/consultations/{id}/cancel")).await;
    assert_eq!(ask("/api/readiness/begin", json!({ "code": code })).await.0, 409);
}

#[tokio::test]
async fn of_a_users_sockets_thirty_two_stay_and_a_colleagues_are_counted_apart() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let colleague = practice.colleague_here(&server, "dr.abel", "doctor").await;
    let mut theirs = Ear::open(&server, &colleague.token).await;
    theirs.until("state").await;
    let mut own = Vec::new();
    for _ in 0..33 {
        let mut ear = Ear::open(&server, &practice.head.token).await;
        ear.until("state").await;
        own.push(ear);
    }
    assert_eq!(own[0].next().await, Err(1013), "the oldest, and it may come back");
    practice.head.plan(&server, json!({})).await;
    for ear in own[1..].iter_mut().chain([&mut theirs]) {
        ear.until("changed").await;
    }
}
