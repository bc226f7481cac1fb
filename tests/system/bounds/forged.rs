//! Whoever forges a client's address keeps it from nothing: not over datagrams, and not over connections.

use std::time::Duration;

use serde_json::Value;
use tokio::net::UdpSocket;
use tokio::time::{MissedTickBehavior, interval};

use crate::common::Server;
use crate::common::page::Page;
use crate::common::tls::Authority;
use crate::common::turn::TurnClient;

/// Of the header alone: what a forger sends most cheaply.
const BINDING: [u8; 20] = [0x00, 0x01, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
/// With REQUESTED-TRANSPORT: the shortest that is asked for a credential.
const ALLOCATE: [u8; 28] = [
    0x00, 0x03, 0x00, 0x08, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x00, 0x19, 0x00,
    0x04, 17, 0, 0, 0,
];
/// More than any budget of a source is worth.
const BURST: usize = 8000;
/// 400 a second, one at a time.
const PACE: Duration = Duration::from_micros(2500);

/// Sends what uses the address' budget up, then 400 a second, without end.
async fn forge(server: &Server, kinds: &[&[u8]]) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(("127.0.0.1", server.port)).await.unwrap();
    for number in 0..BURST {
        socket.send(kinds[number % kinds.len()]).await.unwrap();
        if number % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0.. {
        pace.tick().await;
        socket.send(kinds[number % kinds.len()]).await.unwrap();
    }
}

/// Five clients of the address get their allocations, over each transport, and keep them.
async fn five_of_five(server: &Server, ice_servers: &Value) {
    for number in 1..=5 {
        let mut clients = vec![
            TurnClient::new(server, ice_servers).await,
            TurnClient::over(server.connect().await.unwrap(), ice_servers),
            TurnClient::over(Box::new(server.connect_tcp().await.unwrap()), ice_servers),
        ];
        for client in &mut clients {
            assert_eq!(client.allocate().await, Ok(()), "number {number}");
            assert_eq!(client.refresh().await, Ok(()));
        }
    }
}

#[tokio::test]
async fn four_hundred_forged_datagrams_a_second_keep_their_address_from_no_allocation() {
    for kinds in [vec![BINDING.as_slice()], vec![ALLOCATE.as_slice()], vec![&BINDING, &ALLOCATE]] {
        let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
        let files = authority.issue(&["localhost", "127.0.0.1"]).write(directory.path());
        let server = Server::start_trusting(Some(authority.trust()), &files.flags(), &[]).await;
        let issued = server.issue_now().await;
        let mut doctor: Page = server.page().await;
        doctor.join(issued.code(1)).await;
        let welcome = doctor.expect("welcome").await;
        tokio::select! {
            () = forge(&server, &kinds) => unreachable!("it goes on"),
            () = async {
                // The budget is used up by then.
                tokio::time::sleep(Duration::from_millis(500)).await;
                five_of_five(&server, &welcome["iceServers"]).await;
            } => {}
        }
    }
}
