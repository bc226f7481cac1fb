//! A million forged datagrams from a hundred thousand addresses of their own, over real sockets, against a relay in a
//! process of its own.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use crate::relay::{Relay, Transport};
use crate::support::spoofed::{Spoofer, all_or_one_in, resident};
use crate::support::*;
use crate::workers::{Peer, one_on_each_worker};

/// Datagrams of each source.
const EACH: u32 = 10;

/// Sources whose datagrams wait in the relay's sockets at once: as many as they hold.
const AT_ONCE: u32 = 20;

/// The n-th source: a thousand addresses, and ports of each.
fn source(number: u32) -> SocketAddr {
    let (network, host) = (number % 1_000 / 250, number % 250);
    SocketAddr::from((Ipv4Addr::from_bits(0x7F4D_0001 + (network << 8) + host), 0))
}

#[test]
fn a_million_forged_datagrams_leave_a_running_relay_as_it_was_and_serving() {
    let relay = Relay::start_with("127.0.0.1", 900, &["--workers", "2"]);
    let server = relay.addr(Transport::Udp);
    // What one of these has sent has been dealt with, and all that its worker's socket took before.
    let mut honest = one_on_each_worker(&relay, Transport::Udp, ["1", "2"]);
    for peer in &mut honest {
        peer.join();
    }
    let mut spoofer = Spoofer::new(honest[0].client());
    let process = relay.pid().to_string();
    let sources = all_or_one_in(10, 100_000);
    let (mut bytes_out, mut bytes_in, mut answers) = (0, 0, 0);
    let before = resident(&process);
    for group in (0..sources).step_by(AT_ONCE as usize) {
        let forgers: Vec<UdpSocket> =
            (group..group + AT_ONCE).map(|number| UdpSocket::bind(source(number)).unwrap()).collect();
        let mut sent = vec![0; forgers.len()];
        for _ in 0..EACH {
            for (forger, sent) in forgers.iter().zip(&mut sent) {
                *sent += forger.send_to(&spoofer.datagram(), server).unwrap();
            }
        }
        honest.iter_mut().for_each(Peer::knock);
        for (forger, sent) in forgers.iter().zip(sent) {
            let (received, count) = waiting(forger);
            assert!(received * 2 <= sent * 5, "{received} bytes for {sent}");
            assert!(count <= EACH, "{count} answers to {EACH} datagrams");
            (bytes_in, bytes_out, answers) = (bytes_in + sent, bytes_out + received, answers + count);
        }
    }
    let grown = resident(&process).saturating_sub(before);
    println!("{sources} sources: {bytes_in} bytes in, {bytes_out} out, {answers} answers, grown by {grown}");
    assert!(grown <= 1 << 20, "memory grew by {grown} bytes");
    for peer in &mut honest {
        let refresh = peer.client().signed(REFRESH, &[]);
        assert!(peer.exchange(&refresh).is_success(), "who has an allocation is served as before");
    }
    let counters = relay.end();
    assert!(counters.after("datagrams received") >= u64::from(sources * EACH), "none was lost on the way");
    assert!(answers > sources, "{answers} answers: the relay did take notice");
    assert_eq!((counters.after("alive"), counters.after("relayed packets")), (2, 0));
}

/// Bytes and number of the datagrams that wait in a socket.
fn waiting(socket: &UdpSocket) -> (usize, u32) {
    socket.set_nonblocking(true).unwrap();
    let (mut bytes, mut count) = (0, 0);
    loop {
        match socket.recv(&mut [0; 2048]) {
            Ok(length) => (bytes, count) = (bytes + length, count + 1),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return (bytes, count),
            Err(error) => panic!("{error}"),
        }
    }
}
