//! HTTP/1.1, HTTP/2, WebSocket and STUN on one port, behind TLS and without; plain HTTP is shown the way.

use std::net::SocketAddr;

use reqwest::{Method, StatusCode, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Secure;
use crate::common::tls::{Trust, http_client};
use crate::common::turn::{TurnClient, binding_request, mapped_address, read_message};
use crate::common::{Connection, Duplex, Server, walk, within};

/// A Binding request and the answer to it, written in pieces of this size: the address that the server saw.
pub async fn binding(stream: &mut dyn Duplex, piece: usize) -> SocketAddr {
    let request = binding_request();
    write_in_pieces(stream, &request.raw, piece).await;
    let answer = read_message(stream).await;
    assert_eq!(answer.transaction_id, request.transaction_id);
    mapped_address(&answer)
}

async fn write_in_pieces(stream: &mut dyn Duplex, bytes: &[u8], piece: usize) {
    for piece in bytes.chunks(piece) {
        stream.write_all(piece).await.unwrap();
        stream.flush().await.unwrap();
        // Lets the server look at what is there, and at no more.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

/// A whole answer to a request that asks for the end of the connection.
async fn answer(mut stream: Connection, request: &str, piece: usize) -> String {
    write_in_pieces(&mut *stream, request.as_bytes(), piece).await;
    let mut answer = Vec::new();
    within("the answer", stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn pages_come_over_http_1_1_and_http_2_as_the_client_asks() {
    let Secure { server, authority, .. } = Secure::start().await;
    for (protocols, version) in [
        (&[&b"h2"[..], b"http/1.1"][..], Version::HTTP_2),
        (&[&b"http/1.1"[..]][..], Version::HTTP_11),
        (&[][..], Version::HTTP_11),
    ] {
        let client = http_client(Some(&authority.trust()), protocols);
        let answer = within("the page", client.get(server.url("/")).send()).await.unwrap();
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, version));
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains(&format!("connect-src 'self' wss://localhost:{}", server.port)), "{policy}");
        assert!(answer.text().await.unwrap().contains("<html"));
    }
}

#[tokio::test]
async fn a_client_that_asks_for_another_protocol_gets_no_connection() {
    let Secure { server, authority, .. } = Secure::start().await;
    let handshake = async |protocol: &[u8]| {
        authority.trust().handshake(server.connect_tcp().await.unwrap(), &[protocol]).await
    };
    assert!(within("the refusal", handshake(b"imap")).await.is_err());
    assert!(within("the handshake", handshake(b"stun.turn")).await.is_ok());
}

#[tokio::test]
async fn from_codes_to_the_end_over_tls() {
    let Secure { mut server, .. } = Secure::start().await;
    walk::from_codes_to_the_end(&mut server).await;
}

#[tokio::test]
async fn stun_is_answered_on_the_port_of_the_pages_with_tls_and_without() {
    let plain = Server::start().await;
    let Secure { server: secure, authority, .. } = Secure::start().await;
    for piece in [1, 7, 8, 20] {
        for server in [&plain, &secure] {
            let mut stream = server.connect_tcp().await.unwrap();
            let own = stream.local_addr().unwrap();
            assert_eq!(binding(&mut stream, piece).await, own, "without TLS, in pieces of {piece}");
            assert_eq!(binding(&mut stream, piece).await, own, "again on the same connection");
        }
        for protocols in [&[][..], &[&b"stun.turn"[..]], &[&b"h2"[..], b"http/1.1"]] {
            let stream = secure.connect_tcp().await.unwrap();
            let own = stream.local_addr().unwrap();
            let mut stream = authority.trust().handshake(stream, protocols).await.unwrap();
            assert_eq!(binding(&mut stream, piece).await, own, "behind TLS, in pieces of {piece}");
            assert_eq!(binding(&mut stream, piece).await, own, "again on the same connection");
        }
    }
}

#[tokio::test]
async fn two_requests_in_one_tls_record_get_two_answers() {
    let Secure { server, .. } = Secure::start().await;
    let mut stream = server.connect().await.unwrap();
    let (one, other) = (binding_request(), binding_request());
    stream.write_all(&[&one.raw[..], &other.raw].concat()).await.unwrap();
    for request in [one, other] {
        assert_eq!(read_message(&mut *stream).await.transaction_id, request.transaction_id);
    }
}

#[tokio::test]
async fn a_seat_has_its_allocations_over_udp_tcp_and_tls_and_loses_them_all_with_the_call() {
    let Secure { server, .. } = Secure::start().await;
    let mut call = walk::call(&server).await;
    let mut clients = [
        TurnClient::new(&server, &call.ice_servers).await,
        TurnClient::over(Box::new(server.connect_tcp().await.unwrap()), &call.ice_servers),
        TurnClient::over(server.connect().await.unwrap(), &call.ice_servers),
    ];
    for client in &mut clients {
        assert_eq!(client.allocate().await, Ok(()));
    }
    let path = format!("/api/consultations/{}", call.issued.id());
    let allocations = async || server.api(Method::GET, &path, None).await.1["relay"]["allocations"].clone();
    assert_eq!(allocations().await, 3);
    call.doctor.send(serde_json::json!({ "type": "end" })).await;
    server.until("the end of all three", async || (allocations().await == 0).then_some(())).await;
}

#[tokio::test]
async fn a_request_that_comes_byte_by_byte_is_answered() {
    let (plain, secure) = (Server::start().await, Secure::start().await);
    for server in [&plain, &secure.server] {
        for piece in [1, 3, 1000] {
            let answer = answer(server.connect().await.unwrap(), HEALTH, piece).await;
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("alive"), "{answer}");
        }
    }
}

#[tokio::test]
async fn an_empty_line_before_a_request_is_forgiven() {
    let server = Server::start().await;
    let answer = answer(server.connect().await.unwrap(), &format!("\r\n{HEALTH}"), 1).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_shown_the_way_and_nothing_else() {
    let Secure { server, .. } = Secure::start_with(&["--public-url", "https://video.example.org"]).await;
    let http = http_client(None, &[]);
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/legal/imprint?lang=de"),
        (Method::GET, "//elsewhere.example/"),
        (Method::POST, "/api/consultations"),
        (Method::GET, "/api/openapi.json"),
        (Method::GET, "/ws"),
        (Method::OPTIONS, "/healthz/more"),
    ] {
        let url = format!("http://127.0.0.1:{}{path}", server.port);
        let request = http.request(method.clone(), url).bearer_auth(server.operator_token());
        let answer = within("the redirect", request.send()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT, "{method} {path}");
        assert_eq!(answer.headers()["location"], format!("https://video.example.org{path}").as_str());
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(!answer.headers().contains_key("strict-transport-security"), "RFC 6797 §7.2");
    }
    // Health for whoever watches from this machine.
    for (path, text) in [("/healthz", "alive"), ("/readyz", "{\"status\":\"ready\"")] {
        let answer = http.get(format!("http://127.0.0.1:{}{path}", server.port)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let body = answer.text().await.unwrap();
        assert!(body.starts_with(text), "{body}");
    }
}

#[tokio::test]
async fn browsers_remember_https_for_a_name_but_not_for_localhost_and_not_for_a_self_made_certificate() {
    let header = "strict-transport-security";
    let named = Secure::start_with(&["--public-url", "https://video.example.org"]).await;
    let answer = named.server.http().get(named.server.url("/")).send().await.unwrap();
    assert_eq!(answer.headers()[header], "max-age=63072000");
    let local = Secure::start().await;
    let answer = local.server.http().get(local.server.url("/")).send().await.unwrap();
    assert!(!answer.headers().contains_key(header));
    let flags = ["--self-made-certificate", "--public-url", "https://video.example.org"];
    let self_made = Server::start_with(&flags, &[]).await;
    let trust = Trust::in_file(&self_made.data_dir().join("self-made-certificate.pem"));
    let url = format!("https://127.0.0.1:{}/", self_made.port);
    let answer = http_client(Some(&trust), &[]).get(url).send().await.unwrap();
    assert!(!answer.headers().contains_key(header));
}
