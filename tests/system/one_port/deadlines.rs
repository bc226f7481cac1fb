//! Whoever is silent, slow or speaks nonsense is let go, and delays nobody (R51).

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::Secure;
use crate::common::{Connection, Server, within};

/// Reads to the end, which the server makes; what it said before.
async fn ending(mut stream: Connection) -> Vec<u8> {
    let mut said = Vec::new();
    // A reset is an end, too.
    let _ = within("the end of the connection", stream.read_to_end(&mut said)).await;
    said
}

/// A connection on which this was sent, and nothing more.
async fn after(stream: impl Future<Output = std::io::Result<Connection>>, bytes: &[u8]) -> Connection {
    let mut stream = stream.await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

async fn tcp(server: &Server) -> std::io::Result<Connection> {
    Ok(Box::new(server.connect_tcp().await?))
}

/// All but the last byte of what makes a connection the relay's.
const ALMOST_STUN: &[u8] = &[0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xA4];
/// A record that promises a ClientHello of 512 bytes.
const ALMOST_TLS: &[u8] = &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00];

#[tokio::test]
async fn whoever_does_not_finish_what_it_began_is_let_go() {
    let (plain, Secure { server: secure, .. }) = (Server::start().await, Secure::start().await);
    let connections = [
        after(tcp(&plain), b"").await,
        after(tcp(&plain), ALMOST_STUN).await,
        after(tcp(&plain), b"GET / HTTP/1.1\r\nHost: loc").await,
        after(tcp(&secure), b"").await,
        after(tcp(&secure), ALMOST_STUN).await,
        after(tcp(&secure), ALMOST_TLS).await,
        after(secure.connect(), b"").await,
        after(secure.connect(), ALMOST_STUN).await,
        after(secure.connect(), b"GET / HTTP/1.1\r\nHost: loc").await,
    ];
    for said in futures_util::future::join_all(connections.map(ending)).await {
        assert!(!said.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&said));
    }
}

#[tokio::test]
async fn nonsense_is_refused_and_harms_nobody() {
    let (plain, Secure { server: secure, .. }) = (Server::start().await, Secure::start().await);
    let long = [0xFF; 4096];
    let almost_cookie = [0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xA4, 0x43, 0, 0, 0, 0, 0, 0, 0, 0];
    for nonsense in
        [&b"\0\0\0\0\0\0\0\0\0\0"[..], &long, b"EHLO localhost\r\n\r\n", &almost_cookie, ALMOST_TLS]
    {
        for stream in [after(tcp(&plain), nonsense).await, after(secure.connect(), nonsense).await] {
            let mut stream = stream;
            let _ = stream.shutdown().await;
            let said = ending(stream).await;
            assert!(
                said.is_empty() || said.starts_with(b"HTTP/1.1 400"),
                "{}",
                String::from_utf8_lossy(&said)
            );
        }
    }
    // TLS that breaks off: an alert, or nothing.
    let said = ending(after(tcp(&secure), &[ALMOST_TLS, &long].concat()).await).await;
    assert!(said.is_empty() || said[0] == 0x15, "{said:?}");
    for server in [&plain, &secure] {
        let answer = server.http().get(server.url("/healthz")).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "alive");
        assert!(!server.log().contains("panicked"), "{}", server.log());
    }
}

/// Passes the client's first flight on by half, and the rest when it is told to.
async fn halfway(
    mut client: DuplexStream,
    mut server: TcpStream,
    halfway: oneshot::Sender<()>,
    go_on: oneshot::Receiver<()>,
) {
    let mut flight = vec![0; 4096];
    let length = client.read(&mut flight).await.unwrap();
    server.write_all(&flight[..length / 2]).await.unwrap();
    halfway.send(()).unwrap();
    go_on.await.unwrap();
    server.write_all(&flight[length / 2..length]).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

#[tokio::test]
async fn handshakes_that_stand_still_keep_nobody_waiting() {
    let Secure { server, authority, .. } = Secure::start().await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let (ours, theirs) = tokio::io::duplex(16 * 1024);
        let ((half, is_half), (go, may_go)) = (oneshot::channel(), oneshot::channel());
        tokio::spawn(halfway(theirs, server.connect_tcp().await.unwrap(), half, may_go));
        let trust = authority.trust();
        let handshake = tokio::spawn(async move { trust.handshake(ours, &[]).await });
        within("half a handshake", is_half).await.unwrap();
        slow.push((go, handshake));
    }
    // All fifty stand in the middle of their handshake now.
    let answer = within("the quick client's answer", server.http().get(server.url("/healthz")).send()).await;
    assert_eq!(answer.unwrap().text().await.unwrap(), "alive");
    let mut page = server.page().await;
    assert_eq!(page.look("K7QF-3XM2-9TDB").await["error"], "code-typo");
    for (go, handshake) in slow {
        go.send(()).unwrap();
        within("the end of the handshake", handshake).await.unwrap().expect("who goes on in time is served");
    }
}
