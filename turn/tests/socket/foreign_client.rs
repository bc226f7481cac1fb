//! The client of another TURN implementation (webrtc-rs) against this relay, over loopback.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;
use turn::client::{Client, ClientConfig};
use visavis_turn::{DropReason, Relay, Settings};
use webrtc_util::Conn;

/// Fails the test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(10);

async fn client(relay: &Relay, call: &str, seat: &str) -> Client {
    let credential = relay.mint(call, seat);
    let server = relay.local_addr().to_string();
    let config = ClientConfig {
        stun_serv_addr: server.clone(),
        turn_serv_addr: server,
        username: credential.username,
        password: credential.password,
        realm: String::new(),
        software: String::new(),
        rto_in_ms: 0,
        conn: Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap()),
        vnet: None,
    };
    let client = Client::new(config).await.unwrap();
    client.listen().await.unwrap();
    client
}

async fn receive(conn: &impl Conn) -> (Vec<u8>, std::net::SocketAddr) {
    let mut buffer = [0; 1500];
    let (length, from) =
        timeout(PATIENCE, conn.recv_from(&mut buffer)).await.expect("data within 10 s").unwrap();
    (buffer[..length].to_vec(), from)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_allocations_of_one_call_exchange_data_and_two_calls_do_not() {
    let settings = Settings::new("visavis", b"a secret of this test");
    let relay = Relay::start(settings, crate::over_sockets::listeners("127.0.0.1:0", 2)).unwrap();
    let clients = [
        client(&relay, "call", "1").await,
        client(&relay, "call", "2").await,
        client(&relay, "other", "1").await,
    ];
    let mapped = clients[0].send_binding_request().await.unwrap();
    assert!(mapped.ip().is_loopback());
    let one = clients[0].allocate().await.unwrap();
    let two = clients[1].allocate().await.unwrap();
    let other = clients[2].allocate().await.unwrap();
    let (at_one, at_two) = (one.local_addr().unwrap(), two.local_addr().unwrap());
    assert_eq!(at_one.ip(), visavis_turn::RELAYED_IP);
    // The client asks for its permission when it first sends; what the partner does not permit yet is lost.
    two.send_to(b"\x80 lost", at_one).await.unwrap();
    // A client's datagrams are taken in their order, and an answer means that those before it have been dealt with.
    clients[1].send_binding_request().await.unwrap();
    other.send_to(b"\x80 stranger", at_one).await.unwrap();
    for round in 0..100_u8 {
        one.send_to(&[0x80, round], at_two).await.unwrap();
        assert_eq!(receive(&two).await, (vec![0x80, round], at_one));
        two.send_to(&[0x81, round], at_one).await.unwrap();
        assert_eq!(receive(&one).await, (vec![0x81, round], at_two));
        other.send_to(b"\x80 stranger", at_one).await.unwrap();
    }
    clients[2].send_binding_request().await.unwrap();
    let traffic = relay.traffic("call");
    assert_eq!((traffic.media_packets, traffic.media_bytes), (200, 400));
    assert_eq!(relay.traffic("other").media_packets, 0);
    let counters = relay.totals().counters;
    let lost = [DropReason::NoPeer, DropReason::ChannelNotBound].map(|reason| counters.dropped(reason));
    assert_eq!(lost.iter().sum::<u64>(), 101, "every packet of the stranger's, whichever way it was sent");
    for client in &clients {
        client.close().await.unwrap();
    }
}
