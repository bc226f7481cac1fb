//! The URLs of the relay that an admitted page is given, in each way of running.

use serde_json::Value;

use super::Secure;
use super::protocols::binding;
use crate::common::turn::binding_over_udp;
use crate::common::{Page, Server, success};

/// What the doctor's page is given.
async fn urls(server: &Server, origin: &str) -> Vec<String> {
    let arguments = ["consultation", "new", "--json"];
    let issued: Value = serde_json::from_str(&success(&server.cli(&arguments).await)).unwrap();
    let mut page = Page::open_at(server, origin).await;
    page.join(issued["seats"][0]["code"].as_str().unwrap()).await;
    let welcome = page.expect("welcome").await;
    let servers = welcome["iceServers"].as_array().unwrap();
    assert_eq!(servers.len(), 1);
    servers[0]["urls"].as_array().unwrap().iter().map(|url| url.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_first_try_on_localhost_has_udp_and_tcp() {
    let server = Server::start().await;
    let port = server.port;
    let expected =
        [format!("turn:localhost:{port}?transport=udp"), format!("turn:localhost:{port}?transport=tcp")];
    assert_eq!(urls(&server, &server.origin()).await, expected);
}

#[tokio::test]
async fn behind_a_proxy_the_port_is_the_one_that_visavis_listens_on() {
    let origin = "https://video.example.org";
    let server = Server::start_with(&["--public-url", origin], &[]).await;
    let host = format!("video.example.org:{}", server.port);
    let expected = [format!("turn:{host}?transport=udp"), format!("turn:{host}?transport=tcp")];
    assert_eq!(urls(&server, origin).await, expected);
}

#[tokio::test]
async fn with_tls_of_its_own_there_is_a_third_and_the_port_is_the_public_one() {
    let origin = "https://video.example.org";
    let Secure { server, .. } = Secure::start_with(&["--public-url", origin]).await;
    let expected = [
        "turn:video.example.org:443?transport=udp",
        "turn:video.example.org:443?transport=tcp",
        "turns:video.example.org:443?transport=tcp",
    ];
    assert_eq!(urls(&server, origin).await, expected);
    let Secure { server, .. } = Secure::start().await;
    assert_eq!(
        urls(&server, &server.origin()).await[2],
        format!("turns:localhost:{}?transport=tcp", server.port)
    );
}

#[tokio::test]
async fn a_further_port_takes_udp_and_tcp_and_answers_on_both() {
    let Secure { server, .. } = Secure::start_with(&["--turn-listen", "127.0.0.1:0"]).await;
    let urls = urls(&server, &server.origin()).await;
    let port: u16 = urls[0].split([':', '?']).nth(2).unwrap().parse().unwrap();
    assert_ne!(port, server.port);
    let expected = [
        format!("turn:localhost:{port}?transport=udp"),
        format!("turn:localhost:{port}?transport=tcp"),
        format!("turns:localhost:{}?transport=tcp", server.port),
    ];
    assert_eq!(urls, expected);
    let mut tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let own = tcp.local_addr().unwrap();
    assert_eq!(binding(&mut tcp, 20).await, own);
    let (own, mapped) = binding_over_udp(port).await;
    assert_eq!(mapped, own);
}
