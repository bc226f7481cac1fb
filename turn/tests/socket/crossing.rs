//! A million packets between clients on different workers, over every pair of transports.

use crate::relay::{Relay, Transport};
use crate::support::spoofed::all_or_one_in;
use crate::support::*;
use crate::workers::{Peer, one_on_each_worker};

/// Packets on their way in each direction at most: no queue and no socket buffer drops any.
const WINDOW: u32 = 32;

const PAIRS: [[Transport; 2]; 6] = [
    [Transport::Udp, Transport::Udp],
    [Transport::Udp, Transport::Tcp],
    [Transport::Udp, Transport::Tls],
    [Transport::Tcp, Transport::Tcp],
    [Transport::Tcp, Transport::Tls],
    [Transport::Tls, Transport::Tls],
];

/// A packet that nobody mistakes for another: its length and every byte follow from its sender and its number.
fn packet(sender: u8, number: u32) -> Vec<u8> {
    let mut packet = vec![0x80, sender];
    packet.extend(number.to_be_bytes());
    packet.extend((0..number % 1_001).map(|at| (at ^ number ^ u32::from(sender)).to_le_bytes()[0]));
    packet
}

/// Packets both ways at once, each checked when it comes.
fn exchange(peers: [&mut Peer; 2], channels: [u16; 2], packets: u32) {
    let [one, two] = peers;
    let mut sent = 0;
    while sent < packets {
        let window = sent..packets.min(sent + WINDOW);
        for number in window.clone() {
            one.send(&channel_data(channels[0], &packet(1, number)));
            two.send(&channel_data(channels[1], &packet(2, number)));
        }
        for number in window.clone() {
            assert!(
                two.receive().0 == channel_data(channels[1], &packet(1, number)),
                "to the second: {number}"
            );
            assert!(
                one.receive().0 == channel_data(channels[0], &packet(2, number)),
                "to the first: {number}"
            );
        }
        sent = window.end;
    }
}

#[test]
fn a_million_packets_cross_workers_and_transports_whole_and_in_order_and_leave_nothing_behind() {
    let options = ["--workers", "2", "--rate", "100000000000"];
    let relay = Relay::start_with("127.0.0.1", 900, &options);
    let idle = sockets(relay.pid());
    let mut clients = [Transport::Udp, Transport::Tcp, Transport::Tls].map(|transport| {
        let mut peers = one_on_each_worker(&relay, transport, ["1", "2"]);
        let relayed = peers.each_mut().map(Peer::join);
        (peers, relayed)
    });
    let each_way = all_or_one_in(80, 1_000_000).div_ceil(2 * PAIRS.len() as u32);
    for (number, [first, second]) in (0..).zip(PAIRS) {
        let (at_first, at_second) = (clients[first as usize].1[0], clients[second as usize].1[1]);
        let channels = [0x4000 + number, 0x4100 + number];
        clients[first as usize].0[0].bind(channels[0], at_second);
        clients[second as usize].0[1].bind(channels[1], at_first);
        if first == second {
            let [one, two] = &mut clients[first as usize].0;
            exchange([one, two], channels, each_way);
        } else {
            let (before, after) = clients.split_at_mut(second as usize);
            exchange([&mut before[first as usize].0[0], &mut after[0].0[1]], channels, each_way);
        }
    }
    // Clients over UDP say goodbye, streams break off; a knock at the end finds a relay without any of them.
    let [(udp, _), streams @ ..] = clients;
    drop(streams);
    for mut peer in udp {
        let end = peer.client().signed(REFRESH, &[(LIFETIME, &[0; 4])]);
        assert_eq!(peer.exchange(&end).lifetime(), 0);
    }
    let mut last = Peer::new(&relay, Transport::Udp, "1");
    while sockets(relay.pid()) > idle {
        last.knock();
    }
    let counters = relay.end();
    let relayed = u64::from(each_way) * 2 * PAIRS.len() as u64;
    println!("{relayed} packets over {} pairs of transports", PAIRS.len());
    assert_eq!(counters.after("relayed packets"), relayed);
    assert_eq!((counters.after("overtaken on slow streams"), counters.after("sending")), (0, 0));
    assert_eq!((counters.after("allocations made"), counters.after("alive")), (6, 0));
}

/// Open sockets of a process.
fn sockets(process: u32) -> usize {
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let targets = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}
