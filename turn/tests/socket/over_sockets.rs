//! What the state machine cannot show: addresses, trains, unreachable clients, ports, the handle.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use visavis_turn::{Credential, DropReason, Listeners, Relay, Settings, Traffic, bind};

use crate::support::*;

const RTP: u8 = 0x80;

/// UDP on one port.
pub fn listeners(addr: &str, workers: usize) -> Listeners {
    Listeners { udp: vec![bind(addr.parse().unwrap(), workers).unwrap()], ..Listeners::default() }
}

fn relay_on(addr: &str) -> Relay {
    relay_with(addr, |_| ())
}

fn relay_with(addr: &str, change: impl FnOnce(&mut Settings)) -> Relay {
    let mut settings = Settings::new("visavis", b"a secret of these tests");
    change(&mut settings);
    Relay::start(settings, listeners(addr, 2)).unwrap()
}

/// A client with a socket of its own.
pub struct Party {
    pub client: Client,
    pub socket: UdpSocket,
}

impl Party {
    fn new(credential: Credential, server: SocketAddr) -> Self {
        let any: SocketAddr = if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }.parse().unwrap();
        let socket = UdpSocket::bind(any).unwrap();
        // Fails the test instead of hanging it; nothing is measured with it.
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.connect(server).unwrap();
        let mut party = Party { client: Client::new(credential), socket };
        party.meet_challenge();
        party
    }

    pub fn of(relay: &Relay, call: &str, seat: &str, server_ip: &str) -> Self {
        let server = SocketAddr::new(server_ip.parse().unwrap(), relay.local_addr().port());
        Party::new(relay.mint(call, seat), server)
    }

    fn meet_challenge(&mut self) {
        let request = self.client.unsigned(ALLOCATE, &[UDP]);
        let challenge = self.exchange(&request);
        self.client.learn(&challenge);
    }

    fn exchange(&self, request: &[u8]) -> Answer {
        self.socket.send(request).unwrap();
        self.receive()
    }

    pub fn receive(&self) -> Answer {
        let mut buffer = [0; 65_535];
        let length = self.socket.recv(&mut buffer).expect("an answer within ten seconds");
        Answer(buffer[..length].to_vec())
    }

    pub fn request(&mut self, method: u16, attributes: &[(u16, &[u8])]) -> Answer {
        let request = self.client.signed(method, attributes);
        self.exchange(&request)
    }

    fn allocate(&mut self) -> SocketAddr {
        let answer = self.request(ALLOCATE, &[UDP]);
        assert!(answer.is_success(), "{answer:?}");
        answer.address(XOR_RELAYED_ADDRESS)
    }

    /// Allocates and permits the relayed addresses.
    pub fn join(&mut self) -> SocketAddr {
        let relayed = self.allocate();
        assert!(self.permit(relayed).is_success());
        relayed
    }

    fn permit(&mut self, peer: SocketAddr) -> Answer {
        let request = self.client.signed_to(CREATE_PERMISSION, peer, &[]);
        self.exchange(&request)
    }

    pub fn bind(&mut self, channel: u16, peer: SocketAddr) -> Answer {
        let request = self.client.channel_bind(channel, peer);
        self.exchange(&request)
    }

    pub fn send(&mut self, peer: SocketAddr, data: &[u8]) {
        let indication = self.client.send(peer, data);
        self.socket.send(&indication).unwrap();
    }
}

/// Sockets on the loopback forms, all on one port.
fn listening() -> Vec<UdpSocket> {
    let ips = ["127.0.0.1", "127.0.0.2", "::1"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let on_one_port = || -> std::io::Result<Vec<UdpSocket>> {
        let first = UdpSocket::bind(SocketAddr::new(ips[0], 0))?;
        let port = first.local_addr()?.port();
        let others = ips[1..].iter().map(|ip| UdpSocket::bind(SocketAddr::new(*ip, port)));
        std::iter::once(Ok(first)).chain(others).collect()
    };
    // Another test may hold the port on one of the addresses.
    let sockets =
        std::iter::repeat_with(on_one_port).take(10).find_map(Result::ok).expect("a port free on all three");
    for socket in &sockets {
        socket.set_nonblocking(true).unwrap();
    }
    sockets
}

#[test]
fn no_packet_leaves_for_an_address_that_is_no_peer() {
    let relay = relay_on("[::]:0");
    let sockets = listening();
    let port = sockets[0].local_addr().unwrap().port();
    let mut party = Party::of(&relay, "call", "1", "127.0.0.1");
    party.join();
    let more_loopbacks = ["127.0.0.2", "::ffff:127.0.0.2", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1"]
        .map(|ip| ip.parse().unwrap());
    let own = [relay.local_addr(), party.socket.peer_addr().unwrap(), party.socket.local_addr().unwrap()];
    let special = addresses_that_are_no_peer().into_iter().map(|addr| SocketAddr::new(addr.ip(), port));
    let peers: Vec<SocketAddr> =
        special.chain(more_loopbacks.map(|ip: IpAddr| SocketAddr::new(ip, port))).chain(own).collect();
    let before = relay.totals();
    for peer in &peers {
        assert_eq!(party.permit(*peer).error(), 403, "permission for {peer}");
        assert_eq!(party.bind(0x4000, *peer).error(), 403, "channel to {peer}");
        party.send(*peer, &[RTP; 100]);
    }
    // The relay takes datagrams in their order: when this is answered, the last Send has been dealt with too.
    assert!(party.request(REFRESH, &[]).is_success());
    for socket in &sockets {
        let error = socket.recv(&mut [0; 100]).expect_err("nothing arrives here");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
    let after = relay.totals();
    let answers = peers.len() as u64 * 2 + 1;
    assert_eq!(after.io.sent - before.io.sent, answers, "as many datagrams left as requests were answered");
    assert_eq!(after.io.send_errors, 0);
    assert_eq!(after.counters.dropped(DropReason::NoPermission), peers.len() as u64);
}

#[test]
fn an_ipv4_and_an_ipv6_client_of_one_call_meet_on_a_dual_stack_socket() {
    let relay = relay_on("[::]:0");
    let mut v4 = Party::of(&relay, "call", "1", "127.0.0.1");
    let mut v6 = Party::of(&relay, "call", "2", "::1");
    let mapped = v4.request(ALLOCATE, &[UDP]).address(XOR_MAPPED_ADDRESS);
    assert_eq!(mapped, v4.socket.local_addr().unwrap(), "IPv4, not IPv4-mapped");
    v4.request(REFRESH, &[(LIFETIME, &[0; 4])]);
    let (at_v4, at_v6) = (v4.join(), v6.join());
    v4.send(at_v6, b"\x80 to six");
    assert_eq!(v6.receive().data_indication(), Some((at_v4, b"\x80 to six".to_vec())));
    assert!(v4.bind(0x4001, at_v6).is_success() && v6.bind(0x4002, at_v4).is_success());
    v6.socket.send(&channel_data(0x4002, b"\x80 to four")).unwrap();
    assert_eq!(v4.receive().0, channel_data(0x4001, b"\x80 to four"));
    let counted = Traffic { allocations: 2, media_bytes: 8 + 9, media_packets: 2, check_bytes: 0 };
    assert_eq!(relay.traffic("call"), counted);
}

#[test]
fn a_client_is_answered_from_the_address_it_sent_to() {
    // A connected socket takes datagrams from the address it is connected to and no other.
    for (bound, asked) in
        [("0.0.0.0:0", "127.0.0.2"), ("[::]:0", "127.0.0.3"), ("[::]:0", "::1"), ("127.0.0.4:0", "127.0.0.4")]
    {
        let relay = relay_on(bound);
        let mut party = Party::of(&relay, "call", "1", asked);
        party.allocate();
    }
}

#[test]
fn calls_of_different_names_do_not_meet() {
    let relay = relay_on("127.0.0.1:0");
    let mut one = Party::of(&relay, "one", "1", "127.0.0.1");
    let mut two = Party::of(&relay, "two", "1", "127.0.0.1");
    let (_, at_two) = (one.join(), two.join());
    assert_eq!(one.bind(0x4000, at_two).error(), 403);
    one.send(at_two, &[RTP; 10]);
    assert!(one.request(REFRESH, &[]).is_success());
    two.socket.set_nonblocking(true).unwrap();
    assert_eq!(two.socket.recv(&mut [0; 100]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(relay.totals().counters.dropped(DropReason::NoPeer), 1);
}

#[test]
fn a_train_of_datagrams_is_relayed_one_by_one_and_whole() {
    let relay = relay_on("127.0.0.1:0");
    let mut one = Party::of(&relay, "call", "1", "127.0.0.1");
    let mut two = Party::of(&relay, "call", "2", "127.0.0.1");
    let (_, at_two) = (one.join(), two.join());
    assert!(one.bind(0x4001, at_two).is_success());
    let state = UdpSocketState::new(UdpSockRef::from(&one.socket)).unwrap();
    // 101 bytes of data: each Data indication is padded by three bytes, over the beginning of the next datagram.
    let data: Vec<Vec<u8>> = (0..10_u8).map(|number| [vec![RTP], vec![number; 100]].concat()).collect();
    let train: Vec<u8> = data.iter().flat_map(|data| channel_data(0x4001, data)).collect();
    let segments = state.max_gso_segments().min(10);
    for part in train.chunks(105 * segments) {
        let destination = one.socket.peer_addr().unwrap();
        let transmit =
            Transmit { destination, ecn: None, contents: part, segment_size: Some(105), src_ip: None };
        state.try_send(UdpSockRef::from(&one.socket), &transmit).unwrap();
    }
    let mut received: Vec<Vec<u8>> = (0..10).map(|_| two.receive().data_indication().unwrap().1).collect();
    received.sort();
    assert_eq!(received, data);
    assert_eq!(relay.totals().counters.relayed_packets, 10);
}

#[test]
fn an_unreachable_client_costs_its_own_packets_and_nothing_else() {
    let relay = relay_on("127.0.0.1:0");
    let mut one = Party::of(&relay, "call", "1", "127.0.0.1");
    let mut two = Party::of(&relay, "call", "2", "127.0.0.1");
    let mut gone = Party::of(&relay, "call", "3", "127.0.0.1");
    let (at_one, at_two, at_gone) = (one.join(), two.join(), gone.join());
    drop(gone);
    for _ in 0..50 {
        one.send(at_gone, &[RTP; 100]);
        one.send(at_two, &[RTP; 10]);
        assert_eq!(two.receive().data_indication(), Some((at_one, vec![RTP; 10])));
    }
    assert!(one.request(REFRESH, &[]).is_success());
    assert_eq!(relay.traffic("call").allocations, 3, "nor does it cost the allocation");
    assert_eq!(relay.totals().counters.relayed_packets, 100);
}

#[test]
fn the_end_of_a_seat_reaches_the_wire_and_a_new_credential_works_at_once() {
    let relay = relay_on("127.0.0.1:0");
    let mut doctor = Party::of(&relay, "call", "1", "127.0.0.1");
    let mut patient = Party::of(&relay, "call", "2", "127.0.0.1");
    doctor.join();
    patient.join();
    relay.end_seat("call", "2");
    let admitted_again = relay.mint("call", "2");
    assert_eq!(relay.traffic("call").allocations, 1);
    assert_eq!(patient.request(REFRESH, &[]).error(), 437);
    assert_eq!(patient.request(ALLOCATE, &[UDP]).error(), 401);
    patient.client.credential = admitted_again;
    patient.allocate();
    relay.end_call("call");
    assert_eq!(relay.traffic("call"), Traffic::default());
    assert_eq!(doctor.request(REFRESH, &[]).error(), 437);
    assert_eq!(relay.totals().allocations, 0);
}

#[test]
fn a_port_in_use_is_refused() {
    let relay = relay_on("127.0.0.1:0");
    assert_eq!(bind(relay.local_addr(), 2).unwrap_err().kind(), ErrorKind::AddrInUse);
    let all = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), relay.local_addr().port());
    assert_eq!(bind(all, 1).unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_stopped_relay_frees_its_port_and_still_answers() {
    let relay = relay_on("127.0.0.77:0");
    let mut party = Party::of(&relay, "call", "1", "127.0.0.77");
    party.allocate();
    let handle = relay.clone();
    relay.shutdown();
    relay.shutdown();
    bind(relay.local_addr(), 2).expect("the port is free");
    handle.end_call("call");
    assert_eq!(handle.traffic("call"), Traffic::default());
    assert_eq!(handle.totals().allocations, 0);
}

#[test]
fn a_relay_stops_with_its_last_handle() {
    let relay = relay_on("127.0.0.77:0");
    let addr = relay.local_addr();
    let other = relay.clone();
    drop(relay);
    assert!(bind(addr, 1).is_err());
    drop(other);
    bind(addr, 1).expect("the port is free");
}

#[test]
fn wrong_settings_are_an_error_that_names_the_setting() {
    for (realm, secret, named) in [
        ("", &b"secret"[..], "realm"),
        ("nine-char", b"secret", "realm"),
        ("a:b", b"secret", "realm"),
        ("a", b"", "secret"),
    ] {
        let Err(error) = Relay::start(Settings::new(realm, secret), listeners("127.0.0.1:0", 1)) else {
            panic!("{realm:?} was accepted")
        };
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn empty_and_oversized_datagrams_are_survived() {
    let relay = relay_with("127.0.0.1:0", |settings| settings.seat_bits_per_second = 1_000_000_000);
    let mut one = Party::of(&relay, "call", "1", "127.0.0.1");
    let mut two = Party::of(&relay, "call", "2", "127.0.0.1");
    let (at_one, at_two) = (one.join(), two.join());
    assert!(one.bind(0x4001, at_two).is_success());
    one.socket.send(&[]).unwrap();
    // The largest datagram grows by 32 bytes when it becomes a Data indication: the system refuses to send it.
    one.socket.send(&channel_data(0x4001, &vec![RTP; 65_507 - 4])).unwrap();
    one.socket.send(&channel_data(0x4001, &vec![RTP; 60_000])).unwrap();
    assert_eq!(two.receive().data_indication(), Some((at_one, vec![RTP; 60_000])));
    assert_eq!(relay.totals().io.send_errors, 1);
}
