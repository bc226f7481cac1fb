//! Clients over TCP and TLS, with each other and with clients over UDP.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use visavis_turn::{Connected, Credential, DropReason, Listeners, Relay, Settings};

use crate::over_sockets::{Party, listeners};
use crate::support::*;

const RTP: u8 = 0x80;

/// Fails a test instead of hanging it; nothing is measured with it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A relay with a port for each transport, and what its TLS clients trust.
pub struct Ports {
    pub relay: Relay,
    pub tcp: SocketAddr,
    pub tls: SocketAddr,
    trust: Arc<ClientConfig>,
}

pub fn ports(workers: usize, change: impl FnOnce(&mut Settings)) -> Ports {
    let mut settings = Settings::new("visavis", b"a secret of these tests");
    change(&mut settings);
    let (server, trust) = tls_configs();
    let mut listeners = listeners("127.0.0.1:0", workers);
    let [tcp, tls] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let (tcp_at, tls_at) = (tcp.local_addr().unwrap(), tls.local_addr().unwrap());
    listeners.tcp.push(tcp);
    listeners.tls.push((tls, server));
    Ports { relay: Relay::start(settings, listeners).unwrap(), tcp: tcp_at, tls: tls_at, trust }
}

fn tls_configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let made = rcgen::generate_simple_self_signed(["relay.test".to_owned()]).unwrap();
    let certificate = CertificateDer::from(made.cert.der().to_vec());
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

impl Ports {
    pub fn tcp_client(&self, call: &str, seat: &str) -> StreamParty {
        StreamParty::new(self.relay.mint(call, seat), Box::new(connect(self.tcp)))
    }

    pub fn tls_client(&self, call: &str, seat: &str) -> StreamParty {
        StreamParty::new(self.relay.mint(call, seat), Box::new(self.tls_stream(connect(self.tls))))
    }

    pub fn udp_client(&self, call: &str, seat: &str) -> Party {
        Party::of(&self.relay, call, seat, "127.0.0.1")
    }

    fn tls_stream(&self, tcp: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
        let name = ServerName::try_from("relay.test").unwrap();
        StreamOwned::new(ClientConnection::new(Arc::clone(&self.trust), name).unwrap(), tcp)
    }
}

pub fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub trait Pipe: Read + Write + Send {}

impl<T: Read + Write + Send> Pipe for T {}

/// A client with a stream of its own.
pub struct StreamParty {
    pub client: Client,
    stream: Box<dyn Pipe>,
}

impl StreamParty {
    pub fn new(credential: Credential, stream: Box<dyn Pipe>) -> Self {
        let mut party = StreamParty { client: Client::new(credential), stream };
        let request = party.client.unsigned(ALLOCATE, &[UDP]);
        let challenge = party.exchange(&request);
        party.client.learn(&challenge);
        party
    }

    /// Sends a message, padded as streams want it.
    pub fn send(&mut self, message: &[u8]) {
        let mut padded = message.to_vec();
        padded.resize(message.len().next_multiple_of(4), 0);
        self.stream.write_all(&padded).unwrap();
        self.stream.flush().unwrap();
    }

    pub fn receive(&mut self) -> Answer {
        let mut frame = vec![0; 4];
        self.stream.read_exact(&mut frame).expect("a frame in time");
        let length = usize::from(u16::from_be_bytes([frame[2], frame[3]]));
        let (whole, padded) = match frame[0] {
            0..=3 => (20 + length, 20 + length),
            _ => (4 + length, (4 + length).next_multiple_of(4)),
        };
        frame.resize(padded, 0);
        self.stream.read_exact(&mut frame[4..]).expect("a whole frame in time");
        assert!(frame[whole..].iter().all(|byte| *byte == 0), "padding is zero");
        frame.truncate(whole);
        Answer(frame)
    }

    pub fn exchange(&mut self, message: &[u8]) -> Answer {
        self.send(message);
        self.receive()
    }

    pub fn join(&mut self) -> SocketAddr {
        let request = self.client.signed(ALLOCATE, &[UDP]);
        let answer = self.exchange(&request);
        assert!(answer.is_success(), "{answer:?}");
        let relayed = answer.address(XOR_RELAYED_ADDRESS);
        let request = self.client.signed_to(CREATE_PERMISSION, relayed, &[]);
        assert!(self.exchange(&request).is_success());
        relayed
    }

    pub fn bind(&mut self, channel: u16, peer: SocketAddr) {
        let request = self.client.channel_bind(channel, peer);
        assert!(self.exchange(&request).is_success());
    }

    /// Waits for the end; a TLS alert may come before it.
    fn expect_end(&mut self) {
        use io::ErrorKind::{ConnectionReset, UnexpectedEof};
        loop {
            match self.stream.read(&mut [0; 1000]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ConnectionReset | UnexpectedEof) => return,
                Err(error) => panic!("the connection did not end: {error}"),
            }
        }
    }
}

#[test]
fn clients_over_udp_tcp_and_tls_reach_each_other_with_channels_and_without() {
    let ports = ports(2, |_| ());
    let (mut udp, mut tcp, mut tls) =
        (ports.udp_client("call", "1"), ports.tcp_client("call", "2"), ports.tls_client("call", "3"));
    let (at_udp, at_tcp, at_tls) = (udp.join(), tcp.join(), tls.join());
    for length in 1..9 {
        let data = vec![RTP; length];
        udp.send(at_tcp, &data);
        assert_eq!(tcp.receive().data_indication(), Some((at_udp, data.clone())));
        udp.send(at_tls, &data);
        assert_eq!(tls.receive().data_indication(), Some((at_udp, data.clone())));
        let indication = tcp.client.send(at_tls, &data);
        tcp.send(&indication);
        assert_eq!(tls.receive().data_indication(), Some((at_tcp, data.clone())));
        let indication = tls.client.send(at_udp, &data);
        tls.send(&indication);
        assert_eq!(udp.receive().data_indication(), Some((at_tls, data)));
    }
    assert!(udp.bind(0x4001, at_tcp).is_success());
    tcp.bind(0x4002, at_udp);
    tcp.bind(0x4003, at_tls);
    tls.bind(0x4004, at_tcp);
    for length in 1..9 {
        let data = vec![RTP; length];
        udp.socket.send(&channel_data(0x4001, &data)).unwrap();
        assert_eq!(tcp.receive().0, channel_data(0x4002, &data));
        tcp.send(&channel_data(0x4002, &data));
        assert_eq!(udp.receive().0, channel_data(0x4001, &data));
        tcp.send(&channel_data(0x4003, &data));
        assert_eq!(tls.receive().0, channel_data(0x4004, &data));
        tls.send(&channel_data(0x4004, &data));
        assert_eq!(tcp.receive().0, channel_data(0x4003, &data));
    }
    assert_eq!(ports.relay.totals().counters.relayed_packets, 32 + 32);
}

#[test]
fn a_frame_that_trickles_in_and_frames_that_come_together_are_all_served() {
    let ports = ports(2, |_| ());
    for mut party in [ports.tcp_client("call", "1"), ports.tls_client("call", "2")] {
        let allocate = party.client.signed(ALLOCATE, &[UDP]);
        for byte in &allocate {
            party.stream.write_all(&[*byte]).unwrap();
            party.stream.flush().unwrap();
        }
        assert!(party.receive().is_success());
        let refreshes: Vec<u8> = (0..20).flat_map(|_| party.client.signed(REFRESH, &[])).collect();
        party.send(&refreshes);
        for _ in 0..20 {
            assert!(party.receive().is_success());
        }
    }
}

#[test]
fn a_stream_of_garbage_ends_and_its_neighbours_do_not() {
    let ports = ports(1, |_| ());
    let mut neighbour = ports.tcp_client("call", "1");
    neighbour.join();
    let too_long = [&0x0003_u16.to_be_bytes()[..], &4000_u16.to_be_bytes(), &0x2112_A442_u32.to_be_bytes()];
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xFF; 100], &[0; 100], &too_long.concat()] {
        let mut stranger = StreamParty {
            client: Client::new(ports.relay.mint("x", "y")),
            stream: Box::new(connect(ports.tcp)),
        };
        stranger.send(garbage);
        stranger.expect_end();
    }
    let refresh = neighbour.client.signed(REFRESH, &[]);
    assert!(neighbour.exchange(&refresh).is_success());
}

#[test]
fn an_allocation_ends_with_its_connection() {
    let ports = ports(2, |_| ());
    let mut parties = [ports.tcp_client("call", "1"), ports.tls_client("call", "1")];
    for party in &mut parties {
        party.join();
    }
    assert_eq!((ports.relay.totals().streams, ports.relay.traffic("call").allocations), (2, 2));
    drop(parties);
    // A worker hears of it soon; a test that waited in vain would not end.
    while ports.relay.totals().allocations > 0 {
        std::thread::yield_now();
    }
    assert_eq!(ports.relay.totals().streams, 0);
}

#[test]
fn connections_without_an_allocation_end_by_a_deadline_however_they_fill_the_time() {
    let ports = ports(2, |_| ());
    let silent = Box::new(connect(ports.tcp));
    let no_handshake = Box::new(connect(ports.tls));
    let credential = ports.relay.mint("call", "1");
    let streams: [Box<dyn Pipe>; 2] = [silent, no_handshake];
    let silent = streams.map(|stream| StreamParty { client: Client::new(credential.clone()), stream });
    let challenged = [ports.tcp_client("call", "1"), ports.tls_client("call", "1")];
    let mut living = ports.tcp_client("call", "2");
    living.join();
    for mut party in silent.into_iter().chain(challenged) {
        party.expect_end();
    }
    let refresh = living.client.signed(REFRESH, &[]);
    assert!(living.exchange(&refresh).is_success(), "one with an allocation goes on");
}

#[test]
fn a_slow_reader_loses_its_own_oldest_packets_and_no_neighbour_any() {
    const PACKETS: u32 = 20_000;
    let ports = ports(2, |settings| settings.seat_bits_per_second = 100_000_000_000);
    let mut sender = ports.tcp_client("call", "1");
    let (mut slow, mut quick) = (ports.tcp_client("call", "2"), ports.tls_client("call", "3"));
    let (at_sender, at_slow, at_quick) = (sender.join(), slow.join(), quick.join());
    sender.bind(0x4002, at_slow);
    sender.bind(0x4003, at_quick);
    slow.bind(0x4001, at_sender);
    quick.bind(0x4001, at_sender);
    let packet = |number: u32| [&[RTP; 4][..], &number.to_be_bytes(), &[0; 1192]].concat();
    for number in 0..PACKETS {
        sender.send(&channel_data(0x4002, &packet(number)));
        // The neighbour's packets are read one by one, so it never is slow.
        if number % 100 == 0 {
            sender.send(&channel_data(0x4003, &packet(number)));
            assert_eq!(quick.receive().0, channel_data(0x4001, &packet(number)));
        }
    }
    // A client's frames are taken in their order: after this answer all packets are on their way.
    let refresh = sender.client.signed(REFRESH, &[]);
    assert!(sender.exchange(&refresh).is_success());
    let refresh = slow.client.signed(REFRESH, &[]);
    slow.send(&refresh);
    let (mut last, mut received) = (None, 0);
    loop {
        let frame = slow.receive();
        if frame.0[0] == 0x01 {
            assert!(frame.is_success(), "the answer survived the flood");
            break;
        }
        let number = u32::from_be_bytes(*frame.0[8..].first_chunk().unwrap());
        assert_eq!(frame.0, channel_data(0x4001, &packet(number)), "whole");
        assert!(last < Some(number), "in order");
        (last, received) = (Some(number), received + 1);
    }
    let overtaken = ports.relay.totals().io.overtaken;
    assert!(received < PACKETS && overtaken > 0, "{received} received, {overtaken} overtaken");
    assert_eq!(u64::from(PACKETS - received), overtaken);
    assert_eq!(last, Some(PACKETS - 1), "the newest is there");
}

/// Says that it was dropped.
struct Place(Sender<()>);

impl visavis_turn::Place for Place {}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn a_client_that_another_listener_accepted_is_served_from_its_first_byte_on() {
    let ports = ports(2, |_| ());
    let (server_config, trust) = tls_configs();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (gone, is_gone) = channel();
    for with_tls in [false, true] {
        let credential = ports.relay.mint("call", "1");
        let trust = Arc::clone(&trust);
        let client = std::thread::spawn(move || {
            let tcp = connect(at);
            let name = ServerName::try_from("relay.test").unwrap();
            let stream: Box<dyn Pipe> = if with_tls {
                Box::new(StreamOwned::new(ClientConnection::new(trust, name).unwrap(), tcp))
            } else {
                Box::new(tcp)
            };
            StreamParty::new(credential, stream).join()
        });
        let (mut tcp, _) = listener.accept().unwrap();
        let mut received = vec![0; 8];
        let tls = if with_tls {
            let mut tls = ServerConnection::new(Arc::clone(&server_config)).unwrap();
            rustls::Stream::new(&mut tls, &mut tcp).read_exact(&mut received).unwrap();
            Some(tls)
        } else {
            tcp.read_exact(&mut received).unwrap();
            None
        };
        ports.relay.adopt(tcp, None, tls, received, Place(gone.clone()));
        let relayed = client.join().unwrap();
        assert_eq!(relayed.ip().to_string(), "192.0.2.1");
        is_gone.recv_timeout(PATIENCE).expect("the place is free when the client has gone");
    }
}

/// Tells whether the client has shown who it is, and how its connection is ended.
struct Told(Sender<bool>, Sender<Connected>);

impl visavis_turn::Place for Told {
    fn served(&mut self, connection: Connected) {
        let _ = self.1.send(connection);
    }

    fn allocated(&mut self) {
        let _ = self.0.send(true);
    }

    fn deallocated(&mut self) {
        let _ = self.0.send(false);
    }
}

#[test]
fn whoever_handed_a_client_over_hears_of_its_allocation_and_may_end_the_connection() {
    let ports = ports(2, |_| ());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = connect(listener.local_addr().unwrap());
    let ((allocated, is_allocated), (served, is_served)) = (channel(), channel());
    let from: SocketAddr = "198.51.100.7:40000".parse().unwrap();
    let accepted = listener.accept().unwrap().0;
    ports.relay.adopt(accepted, Some(from), None, Vec::new(), Told(allocated, served));
    let mut party = StreamParty::new(ports.relay.mint("call", "1"), Box::new(tcp));
    let connection = is_served.recv_timeout(PATIENCE).unwrap();
    assert!(is_allocated.try_recv().is_err(), "a challenge is none");
    let allocate = party.client.signed(ALLOCATE, &[UDP]);
    let answer = party.exchange(&allocate);
    assert_eq!(answer.address(XOR_MAPPED_ADDRESS), from, "as the proxy said");
    assert_eq!(is_allocated.recv_timeout(PATIENCE), Ok(true));
    for lifetime in [600_u32, 0] {
        let refresh = party.client.signed(REFRESH, &[(LIFETIME, &lifetime.to_be_bytes())]);
        assert!(party.exchange(&refresh).is_success());
    }
    assert_eq!(is_allocated.recv_timeout(PATIENCE), Ok(false), "given back");
    let allocate = party.client.signed(ALLOCATE, &[UDP]);
    assert!(party.exchange(&allocate).is_success());
    assert_eq!(is_allocated.recv_timeout(PATIENCE), Ok(true));
    connection.end();
    party.expect_end();
    connection.end();
}

#[test]
fn a_seat_that_is_ended_loses_its_streams_allocation_at_once() {
    let ports = ports(2, |_| ());
    let (mut one, mut two) = (ports.tls_client("call", "1"), ports.udp_client("call", "2"));
    let (at_one, _) = (one.join(), two.join());
    ports.relay.end_seat("call", "1");
    let refresh = one.client.signed(REFRESH, &[]);
    assert_eq!(one.exchange(&refresh).error(), 437);
    two.send(at_one, &[RTP; 10]);
    assert!(two.request(REFRESH, &[]).is_success());
    assert_eq!(ports.relay.totals().counters.dropped(DropReason::NoPeer), 1);
}

#[test]
fn a_relay_without_a_udp_port_is_refused_with_the_reason() {
    let Err(error) = Relay::start(Settings::new("a", b"secret"), Listeners::default()) else {
        panic!("it was accepted")
    };
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("UDP"), "{error}");
}
