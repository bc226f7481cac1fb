//! Places of connections and sockets: who is idle longest at the address that holds most gives way, and nobody else.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::common::page::Place;
use crate::common::{Connection, Issued, Page, Server, is_long, success, walk, within};

const PROXIED: [&str; 2] = ["--trusted-proxies", "127.0.0.0/8"];

/// A socket that has shown this code.
async fn shown(server: &Server, address: &str, code: &str) -> Page {
    let mut page = Page::open_from(server, address).await;
    page.look(code).await;
    page
}

#[tokio::test]
async fn sockets_of_an_expired_code_give_way_as_if_they_had_shown_none() {
    let server = Server::start_with(&PROXIED, &[]).await;
    let (expired, issued) = (server.issue_in(-2 * 86_400).await, server.issue_now().await);
    let mut idle = Vec::new();
    for _ in 0..260 {
        idle.push(shown(&server, "203.0.113.7", expired.code(2)).await);
    }
    for page in &mut idle[..4] {
        assert_eq!(
            page.expect_close().await,
            1013,
            "the ones that were idle longest, and they may come back"
        );
    }
    let mut patient = Page::open_from(&server, "203.0.113.7").await;
    patient.wait_at(issued.code(2)).await;
    assert!(!idle[259].has_ended(), "the last one stays");
}

#[tokio::test]
async fn of_an_ipv6_network_of_48_bits_so_many_sockets_stay_whatever_address_in_it_they_have() {
    let server = Server::start_with(&PROXIED, &[]).await;
    let expired = server.issue_in(-2 * 86_400).await;
    let mut first = shown(&server, "2001:db8:1:1::1", expired.code(2)).await;
    let mut others = vec![shown(&server, "2001:db8:1:1::1", expired.code(2)).await];
    for number in 0..1022 {
        let address = format!("2001:db8:1:{:x}::1", number % 200 + 2);
        others.push(Page::open_from(&server, &address).await);
    }
    let mut elsewhere = shown(&server, "2001:db8:2:1::1", expired.code(2)).await;
    others.push(Page::open_from(&server, "2001:db8:1:ffff::1").await);
    let gave_way = async {
        loop {
            for page in others.iter_mut().chain([&mut first]) {
                if page.has_ended() {
                    return;
                }
            }
            tokio::task::yield_now().await;
        }
    };
    within("one of the network's gives way", gave_way).await;
    assert!(!elsewhere.has_ended(), "another network has its own bound");
}

#[tokio::test]
async fn whoever_has_one_valid_code_gets_eight_sockets_with_it_and_takes_none_from_a_neighbour() {
    let server = Server::start_with(&PROXIED, &[]).await;
    let mut neighbours = Vec::new();
    for _ in 0..30 {
        neighbours.push(server.issue_now().await);
    }
    // Thirty patients behind one address, who read and test their cameras, ten times as many who guess, and one who opens many tabs.
    let mut reading = Vec::new();
    for issued in &neighbours {
        reading.push(shown(&server, "203.0.113.7", issued.code(2)).await);
    }
    let issued = server.issue_now().await;
    let mut tabs = Vec::new();
    for _ in 0..12 {
        tabs.push(shown(&server, "203.0.113.7", issued.code(2)).await);
    }
    for page in &mut tabs[..4] {
        assert_eq!(page.expect_close().await, 1013);
    }
    let mut guessing = Vec::new();
    for _ in 0..300 {
        guessing.push(Page::open_from(&server, "203.0.113.7").await);
    }
    assert_eq!(guessing[0].expect_close().await, 1013);
    for (page, issued) in reading.iter_mut().zip(&neighbours) {
        page.wait_at(issued.code(2)).await;
    }
}

/// An idle connection of HTTP from there: it has had one answer.
async fn idle_from(server: &Server, address: &str) -> Connection {
    let header = format!("PROXY TCP4 {address} 203.0.113.9 40000 443\r\n");
    let mut stream = server.connect_behind(header.as_bytes()).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 1024];
    let read = within("the answer", stream.read(&mut answer)).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
    stream
}

/// Whether the server has ended the connection within a moment that is long for it.
async fn has_ended(stream: &mut Connection) -> bool {
    matches!(timeout(Duration::from_millis(300), stream.read(&mut [0; 16])).await, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn idle_connections_of_one_address_are_bounded_and_the_idlest_ends_first() {
    let server = Server::start_with(&PROXIED, &[]).await;
    let mut other = idle_from(&server, "198.51.100.7").await;
    let mut call = walk::call(&server).await;
    let mut first = idle_from(&server, "203.0.113.7").await;
    let mut held = Vec::new();
    for _ in 0..1023 {
        held.push(idle_from(&server, "203.0.113.7").await);
    }
    assert!(!has_ended(&mut first).await, "as many as one address may have");
    let mut last = idle_from(&server, "203.0.113.7").await;
    let mut end = Vec::new();
    within("the end of the idlest", first.read_to_end(&mut end)).await.unwrap();
    assert!(!has_ended(&mut other).await && !has_ended(&mut last).await);
    call.doctor.describe(2, call.patient_place.incarnation, "still here").await;
    assert_eq!(call.patient.next().await["description"]["sdp"], "still here");
}

#[tokio::test]
async fn where_files_are_few_the_start_says_so_and_page_command_line_and_call_go_on_under_a_flood() {
    let server = Server::start_with_descriptors(256, &PROXIED).await;
    assert!(server.log().contains("few files at once"), "{}", server.log());
    let mut call = walk::call(&server).await;
    let mut flood = Vec::new();
    for number in 0..400 {
        let address = format!("203.0.{}.{}", number / 100, number % 100 + 1);
        // One that is slow to come may have to give way before it is there.
        flood.push(Page::try_open_from(&server, &address).await);
        if number % 100 == 99 {
            // Over a connection of its own: one that has been idle so long was the first to go.
            let mut stream = server.connect().await.unwrap();
            let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut page = Vec::new();
            within("the page", stream.read_to_end(&mut page)).await.unwrap();
            assert!(page.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&page));
            let answer = success(&server.cli(&["consultation", "list", "--json"]).await);
            assert!(answer.contains(call.issued.id()), "{answer}");
        }
    }
    let issued: Issued = server.issue_now().await;
    let mut patient = Page::open_from(&server, "198.51.100.9").await;
    patient.wait_at(issued.code(2)).await;
    call.doctor.describe(2, call.patient_place.incarnation, "still here").await;
    assert_eq!(call.patient.next().await["description"]["sdp"], "still here");
    // A page that lost its socket comes back into its seat.
    let place: Place = call.patient_place.clone();
    drop(call.patient);
    let mut again = Page::open_from(&server, "203.0.0.1").await;
    again.resume(&place).await;
    again.expect("welcome").await;
    assert!(server.log().matches("no more files").count() <= 1, "{}", server.log());
}

#[tokio::test]
async fn where_no_file_can_be_opened_the_log_says_so_once_and_the_command_line_works() {
    let server = Server::start_with_descriptors(128, &PROXIED).await;
    // Whoever is admitted or waits gives way to nobody: these take what strangers may not.
    let mut calls = Vec::new();
    let mut issued = Vec::new();
    for _ in 0..100 {
        issued.push(server.issue_now().await);
    }
    for issued in issued {
        if server.log().contains("no more files") {
            break;
        }
        let Ok(mut doctor) = Page::try_open(&server).await else { continue };
        doctor.join(issued.code(1)).await;
        if doctor.is_welcomed().await {
            calls.push(doctor);
        }
    }
    server.until("the word", async || server.log().contains("no more files").then_some(())).await;
    success(&server.cli(&["consultation", "list"]).await);
    assert_eq!(server.log().matches("no more files").count(), 1, "{}", server.log());
    calls.truncate(5);
    server
        .until("room again", async || {
            let answer = server.http().get(server.url("/healthz")).send().await;
            answer.ok().filter(|answer| answer.status() == 200).map(drop)
        })
        .await;
}

#[tokio::test]
async fn whoever_is_silent_at_the_door_is_let_go_as_whoever_is_silent_in_a_call() {
    if !is_long() {
        return;
    }
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let silent = shown(&server, "203.0.113.7", issued.code(2)).await;
    silent.freeze();
    let mut there = shown(&server, "203.0.113.7", issued.code(2)).await;
    let before = server.descriptors();
    let gone = async {
        while server.descriptors() >= before {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    timeout(Duration::from_secs(100), gone).await.expect("two pings without an answer are enough");
    there.send(json!({ "type": "look", "code": issued.code(2) })).await;
    there.expect("seen").await;
}
