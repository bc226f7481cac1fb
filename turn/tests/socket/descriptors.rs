//! No error ends a listener: a relay that has no descriptor left to accept with.

use std::net::TcpStream;
use std::process::Command;

use crate::relay::{Relay, Transport};
use crate::support::*;
use crate::workers::Peer;

#[test]
fn a_relay_without_descriptors_serves_on_and_accepts_again() {
    let relay = Relay::start("127.0.0.1");
    let (mut udp, mut tcp) = (Peer::new(&relay, Transport::Udp, "1"), Peer::new(&relay, Transport::Tcp, "2"));
    let (at_udp, at_tcp) = (udp.join(), tcp.join());
    udp.bind(0x4000, at_tcp);
    tcp.bind(0x4000, at_udp);
    let open = std::fs::read_dir(format!("/proc/{}/fd", relay.pid())).unwrap().count();
    let few = format!("--nofile={}", open + 2);
    let limited = Command::new("prlimit").args(["--pid", &relay.pid().to_string(), &few]).status();
    assert!(limited.expect("prlimit, of the package util-linux").success());
    let crowd: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(relay.addr(Transport::Tcp)).unwrap()).collect();
    for number in 0..20_u8 {
        let message = channel_data(0x4000, &[0x80, number]);
        udp.send(&message);
        assert_eq!(tcp.receive().0, message, "who is here is served");
        tcp.send(&message);
        assert_eq!(udp.receive().0, message);
    }
    drop(crowd);
    let mut late = Peer::new(&relay, Transport::Tcp, "3");
    late.join();
    late.knock();
    let counters = relay.end();
    assert!(counters.after("socket errors receiving") > 0, "it did run out of them");
    assert_eq!(counters.after("allocations made"), 3);
}
