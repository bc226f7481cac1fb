//! A million forged datagrams from a hundred thousand sources, handed to the core: nothing of them stays.
//!
//! A test program of its own, because it measures the memory of its process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use support::spoofed::{Spoofer, resident};
use support::{ALLOCATE, Answer, Client, REFRESH, UDP};
use visavis_turn::{DropReason, FiveTuple, Flows, Mint, Now, Output, Server, Settings, Transport};

const SECRET: &[u8] = b"a secret of the flood";

/// The n-th source: IPv4 and IPv6, over each transport, all different.
fn source(number: u32) -> FiveTuple {
    let [_, a, b, c] = number.to_be_bytes();
    let ip: IpAddr = match number % 3 {
        0 => Ipv6Addr::new(0x2001, 0xDB8, u16::from(a), u16::from(b), 0, 0, 0, u16::from(c)).into(),
        _ => Ipv4Addr::new(198, 18 + a, b, c).into(),
    };
    let transport = [Transport::Udp, Transport::Udp, Transport::Tcp, Transport::Tls][number as usize % 4];
    FiveTuple::new((ip, 4000).into(), "203.0.113.9:3478".parse().unwrap(), transport)
}

#[test]
fn a_million_forged_datagrams_leave_memory_where_it_was_and_are_answered_briefly_or_not_at_all() {
    let mut server = Server::new(Settings::new("visavis", SECRET), [42; 32]).unwrap();
    let mut workers = [Flows::new(&mut server), Flows::new(&mut server)];
    let mut now = Now { monotonic: Duration::from_secs(1000), unix: 1_800_000_000 };
    let honest = FiveTuple::udp("192.0.2.77:4000".parse().unwrap(), "203.0.113.9:3478".parse().unwrap());
    let mut client = Client::new(Mint::new(SECRET).mint(now.unix, "call", "1"));
    let ask = |workers: &mut [Flows; 2], server: &mut Server, now, mut request: Vec<u8>| match workers[0]
        .receive(now, &honest, &mut request, || server)
    {
        Some(Output::Answer(answer)) => Answer(answer),
        other => panic!("an honest client got {other:?}"),
    };
    let request = client.unsigned(ALLOCATE, &[UDP]);
    client.learn(&ask(&mut workers, &mut server, now, request));
    let request = client.signed(ALLOCATE, &[UDP]);
    assert!(ask(&mut workers, &mut server, now, request).is_success());

    let mut spoofer = Spoofer::new(&mut client);
    let (datagrams, sources) = (1_000_000, 100_000);
    let (mut received, mut answered, mut answers) = (0, 0, 0);
    let before = resident("self");
    for number in 0..datagrams {
        let mut datagram = spoofer.datagram();
        let length = datagram.len();
        let from = source(number % sources);
        received += length;
        let worker = &mut workers[number as usize % 2];
        match worker.receive(now, &from, &mut datagram, || &mut server) {
            Some(Output::Answer(answer)) => {
                assert!(answer.len() * 2 <= length * 5, "{} bytes for {length}", answer.len());
                (answered, answers) = (answered + answer.len(), answers + 1);
            }
            Some(Output::Delivery(delivery)) => panic!("a forger reached {:?}", delivery.to),
            None => {}
        }
        // A thousand datagrams a millisecond.
        if number % 1_000 == 0 {
            now.monotonic += Duration::from_millis(1);
        }
    }
    let grown = resident("self").saturating_sub(before);
    println!(
        "{datagrams} datagrams of {sources} sources: {received} bytes in, {answered} out, grown by {grown}"
    );
    assert!(grown <= 1 << 20, "memory grew by {grown} bytes");
    assert!(answered * 2 <= received * 5 && answers > datagrams / 10, "{answers} answers");
    assert_eq!((server.allocations(), server.calls()), (1, 1));
    let counters = workers.iter().fold(server.counters(), |sum, worker| sum + worker.counters());
    assert_eq!((counters.relayed_packets, counters.dropped(DropReason::Amplification)), (0, 0));
    let request = client.signed(REFRESH, &[]);
    assert!(
        ask(&mut workers, &mut server, now, request).is_success(),
        "an honest client is served as before"
    );
}
