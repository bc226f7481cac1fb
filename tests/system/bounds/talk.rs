//! What whoever waits, checks a device or speaks broken HTTP/2 can make others read.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::desk::Practice;
use crate::common::{Page, Server, within};

fn name(page: &Page) -> Value {
    json!({ "type": "name", "to": 1, "sealed": { "key": page.key, "iv": "AAECAwQFBgcICQoL", "data": "c2VhbGVk", "salted": true } })
}

#[tokio::test]
async fn a_device_that_waits_sends_a_doctor_few_names_and_whoever_goes_on_is_let_go() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let mut doctor = server.page().await;
    doctor.enter(issued.code(1)).await;
    let mut waiting = server.page().await;
    waiting.wait_at(issued.code(2)).await;
    doctor.expect("knock").await;
    for _ in 0..40 {
        let name = name(&waiting);
        // The socket may be gone in between.
        let _ = waiting.send_frame(tokio_tungstenite::tungstenite::Message::text(name.to_string())).await;
    }
    assert_eq!(waiting.expect_close().await, 1008);
    doctor.expect("knockGone").await;
    let names = doctor.drain_by_error().await.iter().filter(|message| message["type"] == "name").count();
    assert!((1..=11).contains(&names), "{names}");
}

#[tokio::test]
async fn after_ten_errors_a_socket_that_waits_is_closed_as_one_at_the_door() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let mut waiting = server.page().await;
    waiting.wait_at(issued.code(2)).await;
    for _ in 0..10 {
        waiting.send(json!({ "type": "end" })).await;
        waiting.expect_error("unexpected").await;
    }
    waiting.expect_error("too-many-errors").await;
    assert_eq!(waiting.expect_close().await, 1008);
}

#[tokio::test]
async fn a_guests_check_says_nothing_of_the_patients_and_no_device_tells_without_end() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let plan = practice.head.plan(&server, json!({ "startsAt": "2027-06-01T09:00" })).await;
    let path = format!("/consultations/{}", plan["consultation"]["id"].as_str().unwrap());
    let (_, guest) = practice.head.post(&server, &format!("{path}/seats"), json!({ "role": "guest" })).await;
    let patient = &plan["codes"][0];
    let tell = async |code: &Value, verdict: &str| {
        let report = json!({ "code": code, "verdict": verdict, "camera": "ok", "microphone": "failed", "relay": "ok" });
        let request = server.http().request(Method::POST, server.url("/api/readiness")).json(&report);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(tell(&patient["code"], "red").await, 204);
    assert_eq!(tell(&guest["code"], "green").await, 204);
    let (_, shown) = practice.head.get(&server, &path).await;
    assert_eq!(shown["readiness"]["verdict"], "red", "{shown}");
    let of_seats: Vec<_> =
        shown["seats"].as_array().unwrap().iter().map(|seat| &seat["readiness"]["verdict"]).collect();
    assert_eq!(of_seats, [&Value::Null, &json!("red"), &json!("green")]);
    let mut told = 0;
    let refused = loop {
        match tell(&guest["code"], "green").await {
            204 => told += 1,
            refused => break refused,
        }
        assert!(told < 100, "no end");
    };
    assert_eq!(refused, 429);
    assert_eq!(tell(&patient["code"], "yellow").await, 204, "another device has its own budget");
}

#[tokio::test]
async fn broken_http_2_is_one_line_in_the_log_however_often_it_comes() {
    let server = Server::start().await;
    let ping_ack = [0, 0, 8, 6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    for _ in 0..50 {
        let mut stream = server.connect().await.unwrap();
        let start =
            [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0], &ping_ack.repeat(20)]
                .concat();
        stream.write_all(&start).await.unwrap();
        stream.shutdown().await.unwrap();
        let _ = within("the end", stream.read_to_end(&mut Vec::new())).await;
    }
    server.until("the line", async || server.log().contains("does not allow").then_some(())).await;
    let log = server.log();
    assert!(!log.contains("h2::") && log.lines().filter(|line| line.contains("WARN")).count() == 1, "{log}");
}
