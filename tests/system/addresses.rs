//! R52: whom a proxy forwards is believed in every usual form, from trusted networks only, and where nobody can be told apart the log says so.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::codes::well_formed;
use crate::common::tls::Authority;
use crate::common::turn::{binding_request, read_message};
use crate::common::{Page, Server, within};

/// Guessers behind the proxy who are told apart from nobody: the answers of the last ones wait a minute.
struct Crowd(Vec<Page>);

impl Crowd {
    async fn gather(server: &Server) -> Self {
        let mut pages = Vec::new();
        for number in 0..24 {
            let mut page = Page::open_with(server, &[]).await;
            page.send(json!({ "type": "look", "code": well_formed() })).await;
            if number < 10 {
                page.expect_error("code-unknown").await;
            }
            pages.push(page);
        }
        Self(pages)
    }

    /// Whether the last one still waits.
    async fn waits(&mut self) -> bool {
        !self.0.last_mut().unwrap().has_come("error").await
    }
}

#[tokio::test]
async fn whoever_a_trusted_proxy_names_in_any_usual_form_has_a_budget_of_their_own() {
    let server = Server::start_with(&["--trusted-proxies", "127.0.0.0/8"], &[]).await;
    let mut crowd = Crowd::gather(&server).await;
    for (name, value) in [
        ("x-forwarded-for", "198.51.100.22:51008"),
        ("x-forwarded-for", "[2001:db8:23::1]:443"),
        ("x-forwarded-for", "[2001:db8:24::1]"),
        ("x-forwarded-for", "[::ffff:198.51.100.26]:80"),
        ("x-forwarded-for", "\"198.51.100.27\""),
        ("x-forwarded-for", "198.51.100.28,"),
        ("x-forwarded-for", "203.0.113.31, 198.51.100.31:80"),
        ("x-forwarded-for", "2001:db8:22::1"),
        ("forwarded", "for=198.51.100.41;proto=https"),
        ("forwarded", "for=\"[2001:db8:cafe::17]:4711\""),
    ] {
        let mut page = Page::open_with(&server, &[(name, value)]).await;
        assert_eq!(page.look(&well_formed()).await["error"], "code-unknown", "{name}: {value}");
        assert!(crowd.waits().await, "{name}: {value} was answered after the minute of the others");
    }
    let log = server.log();
    assert_eq!(log.matches("does not say whom it forwards").count(), 1, "{log}");
    assert!(!log.contains("198.51.100") && !log.contains("2001:db8"), "{log}");
}

#[tokio::test]
async fn a_proxy_that_nobody_named_is_noticed() {
    let flags = ["--public-url", "https://video.example.org"];
    let server = Server::start_with(&flags, &[]).await;
    let log =
        server.until("the warning", async || Some(server.log()).filter(|log| log.contains("WARN"))).await;
    assert!(log.contains("no proxy is named"), "{log}");
    let origin = ("origin", "https://video.example.org");
    for _ in 0..3 {
        let mut page = Page::open_with(&server, &[origin, ("x-forwarded-for", "198.51.100.7")]).await;
        assert_eq!(page.look(&well_formed()).await["error"], "code-unknown");
    }
    let log = server.log();
    assert_eq!(log.matches("is not trusted").count(), 1, "{log}");
    assert!(!log.contains("198.51.100.7"), "{log}");
}

/// `PROXY`'s version 1, and version 2 with a note.
fn proxy_headers(source: &str) -> [Vec<u8>; 2] {
    let version_1 = format!("PROXY TCP4 {source} 203.0.113.9 40000 443\r\n").into_bytes();
    let octets: Vec<u8> = source.split('.').map(|octet| octet.parse().unwrap()).collect();
    let version_2 = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0f"[..],
        &octets,
        &[203, 0, 113, 9, 0x9C, 0x40, 1, 187],
        &[4, 0, 0],
    ];
    [version_1, version_2.concat()]
}

#[tokio::test]
async fn the_proxy_protocol_is_read_before_everything_the_port_speaks() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let files = authority.issue(&["localhost"]).write(directory.path());
    let flags = [&files.flags()[..], &["--trusted-proxies", "127.0.0.0/8"]].concat();
    let secure = Server::start_trusting(Some(authority.trust()), &flags, &[]).await;
    let plain = Server::start_with(&["--trusted-proxies", "127.0.0.0/8"], &[]).await;
    for server in [&plain, &secure] {
        let mut crowd = Crowd::gather(server).await;
        for (number, header) in proxy_headers("198.51.100.7").into_iter().enumerate() {
            let mut stream = server.connect_behind(&header).await.unwrap();
            stream
                .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .await
                .unwrap();
            let mut answer = String::new();
            within("the answer", stream.read_to_string(&mut answer)).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("alive"), "{answer}");

            let mut stream = server.connect_behind(&header).await.unwrap();
            let request = binding_request();
            stream.write_all(&request.raw).await.unwrap();
            assert_eq!(read_message(&mut *stream).await.transaction_id, request.transaction_id);

            let other = &proxy_headers(&format!("198.51.100.{}", 10 + number))[number];
            let mut page = Page::open_behind(server, other).await;
            assert_eq!(page.look(&well_formed()).await["error"], "code-unknown");
            assert!(crowd.waits().await, "a forwarded client waited for others");
        }
        // Whoever comes without one, or is forwarded by HTTP as well, is served as before.
        let mut page = Page::open_from(server, "198.51.100.99").await;
        assert_eq!(page.look(&well_formed()).await["error"], "code-unknown");
    }
}

#[tokio::test]
async fn from_elsewhere_the_proxy_protocol_is_nonsense_like_any_other() {
    let server = Server::start().await;
    for header in proxy_headers("198.51.100.7") {
        let mut stream = server.connect_behind(&header).await.unwrap();
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let mut answer = Vec::new();
        let _ = within("the end", stream.read_to_end(&mut answer)).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
}
