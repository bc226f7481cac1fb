//! Every named error and every close code, provoked.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::common::codes::well_formed;
use crate::common::page::{handshake, request};
use crate::common::{Ending, Server, walk};

#[tokio::test]
async fn a_mistyped_code_costs_no_new_connection_and_the_tenth_error_ends_it() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let mut page = server.page().await;
    for _ in 0..9 {
        assert_eq!(page.look("K7QF-3XM2-9TDB").await["error"], "code-typo");
    }
    assert_eq!(page.look(issued.code(2)).await["type"], "seen");
    page.join("K7QF-3XM2-9TDB").await;
    page.expect_error("code-typo").await;
    page.expect_error("too-many-errors").await;
    assert_eq!(page.expect_close().await, 1008);
}

#[tokio::test]
async fn every_bad_message_of_the_golden_file_is_called_malformed() {
    let golden: Value = serde_json::from_str(include_str!("../../golden/messages.json")).unwrap();
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let mut page = server.page().await;
    for bad in golden["bad"].as_array().unwrap() {
        page.send_frame(Message::text(bad["text"].as_str().unwrap())).await.unwrap();
        page.expect_error(bad["error"].as_str().unwrap()).await;
    }
    page.enter(issued.code(1)).await;
    for bad in golden["bad"].as_array().unwrap() {
        page.send_frame(Message::text(bad["text"].as_str().unwrap())).await.unwrap();
        page.expect_error(bad["error"].as_str().unwrap()).await;
    }
}

#[tokio::test]
async fn a_message_before_join_that_is_neither_look_nor_join_is_unexpected() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let mut page = server.page().await;
    for message in [json!({ "type": "leave" }), json!({ "type": "end" }), json!({ "type": "ice" })] {
        page.send(message).await;
        page.expect_error("unexpected").await;
    }
    page.wait_at(issued.code(2)).await;
}

#[tokio::test]
async fn an_admitted_page_that_names_nobody_reads_so() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    for (message, error) in [
        (json!({ "type": "admit", "knock": "nobody" }), "unknown-knock"),
        (json!({ "type": "refuse", "knock": "nobody" }), "unknown-knock"),
        (json!({ "type": "remove", "seat": 3 }), "unknown-seat"),
        (json!({ "type": "sendBack", "seat": 9 }), "unknown-seat"),
        (json!({ "type": "remove", "seat": 1 }), "unexpected"),
        (json!({ "type": "candidate", "to": 3, "incarnation": 1, "candidate": null }), "unknown-seat"),
        (json!({ "type": "candidate", "to": 1, "incarnation": 1, "candidate": null }), "unknown-seat"),
        (json!({ "type": "look", "code": call.issued.code(2) }), "unexpected"),
    ] {
        call.doctor.send(message).await;
        call.doctor.expect_error(error).await;
    }
    call.doctor.describe(2, call.patient_place.incarnation, "harmed nobody").await;
    assert_eq!(call.patient.next().await["description"]["sdp"], "harmed nobody");
}

#[tokio::test]
async fn a_socket_that_says_nothing_is_told_that_it_is_too_late() {
    let server = Server::start().await;
    let mut page = server.page().await;
    page.expect_error("too-late").await;
    assert_eq!(page.expect_close().await, 1008);
}

#[tokio::test]
async fn a_page_that_talks_too_fast_is_told_so_and_closed() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    // A page that is cut off in the middle of its flood may not get rid of the rest.
    for _ in 0..400 {
        let message = json!({ "type": "candidate", "to": 1, "incarnation": 1, "candidate": null });
        if call.patient.send_frame(Message::text(message.to_string())).await.is_err() {
            break;
        }
    }
    call.patient.expect_error("too-fast").await;
    assert_eq!(call.patient.expect_close().await, 1008);
    assert_eq!(call.doctor.expect("away").await["seat"], 2, "its place is kept");
}

#[tokio::test]
async fn a_binary_frame_closes_with_1003() {
    let server = Server::start().await;
    let mut page = server.page().await;
    page.send_frame(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(page.expect_close().await, 1003);
}

#[tokio::test]
async fn a_message_beyond_64_kib_closes_with_1009_and_one_below_is_read() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    let sdp = "x".repeat(60 * 1024);
    call.doctor.describe(2, call.patient_place.incarnation, &sdp).await;
    assert_eq!(call.patient.expect("description").await["description"]["sdp"], sdp);
    for length in [64 * 1024 + 1, 70 * 1024, 1024 * 1024] {
        let mut page = server.page().await;
        // The socket may close before all of it has gone out.
        let _ = page.send_frame(Message::text("x".repeat(length))).await;
        assert_eq!(page.expect_close().await, 1009, "{length} bytes");
    }
}

#[tokio::test]
async fn a_socket_of_a_foreign_origin_or_without_the_subprotocol_is_not_opened() {
    let server = Server::start().await;
    let status = async |change: &dyn Fn(&mut reqwest::header::HeaderMap)| {
        let mut request = request(&server, &[]);
        change(request.headers_mut());
        match handshake(&server, request).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            Ok(_) => 101,
            Err(error) => panic!("{error}"),
        }
    };
    let set = |name: &'static str, value: String| {
        move |headers: &mut reqwest::header::HeaderMap| drop(headers.insert(name, value.parse().unwrap()))
    };
    let remove =
        |name: &'static str| move |headers: &mut reqwest::header::HeaderMap| drop(headers.remove(name));
    assert_eq!(status(&|_| {}).await, 101);
    assert_eq!(status(&set("origin", "https://example.org".to_owned())).await, 403);
    assert_eq!(status(&set("origin", format!("http://127.0.0.1:{}", server.port))).await, 403);
    assert_eq!(status(&set("origin", format!("https://localhost:{}", server.port))).await, 403);
    assert_eq!(status(&set("origin", "null".to_owned())).await, 403);
    assert_eq!(status(&remove("origin")).await, 403);
    assert_eq!(status(&remove("sec-websocket-protocol")).await, 400);
    assert_eq!(status(&set("sec-websocket-protocol", "visavis.v2".to_owned())).await, 400);
    assert_eq!(status(&set("sec-websocket-protocol", "visavis.v2, visavis.v1".to_owned())).await, 101);
}

#[tokio::test]
async fn who_has_guessed_too_often_waits_and_who_talks_meanwhile_is_closed() {
    let mut server = Server::start().await;
    let issued = server.issue_now().await;
    let mut guesser = server.page().await;
    for _ in 0..10 {
        assert_eq!(guesser.look(&well_formed()).await["error"], "code-unknown");
    }
    guesser.expect_error("too-many-errors").await;
    let mut hasty = server.page().await;
    for _ in 0..2 {
        hasty.send(json!({ "type": "look", "code": issued.code(2) })).await;
    }
    hasty.expect_error("too-fast").await;
    assert_eq!(hasty.expect_close().await, 1008);
    assert!(!hasty.has("seen"));
    // A mistyped code is told at once, whatever was guessed: it costs no look into the store.
    let mut patient = server.page().await;
    assert_eq!(patient.look("K7QF-3XM2-9TDB").await["error"], "code-typo");
    patient.join(issued.code(2)).await;
    assert_eq!(patient.next().await["type"], "waiting", "and a right code opens after its wait");
    let mut waits = server.page().await;
    waits.send(json!({ "type": "look", "code": well_formed() })).await;
    assert_eq!(server.end(Ending::Terminate).await, Some(0));
    assert_eq!(waits.expect_close().await, 1012, "no restart waits for a guesser");
    assert!(!server.log().contains("WARN"), "{}", server.log());
}
