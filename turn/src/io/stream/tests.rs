//! Streams over loopback sockets, with rustls as the client.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream as StdStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mio::{Events, Poll, Token};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};
use socket2::SockRef;

use super::*;
use crate::io::framing::{FrameLimit, Framing};
use crate::settings::Clients;
use FrameKind::{Answer, Media};

/// Until a test that waits for something that never comes fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// Length of the frames of most tests.
const FRAME: usize = 1_200;

type TlsClient = StreamOwned<ClientConnection, StdStream>;

/// The worker that owns one stream.
struct Owner {
    poll: Poll,
    stream: Arc<Stream>,
    scratch: Box<[u8; SCRATCH]>,
    framing: Framing,
    frames: Vec<Vec<u8>>,
    end: Option<io::Result<()>>,
}

impl Owner {
    fn new(mut stream: Stream) -> Self {
        let poll = Poll::new().unwrap();
        stream.register(poll.registry(), Token(7)).unwrap();
        let mut framing = Framing::new(Clients::Browsers);
        framing.set_limit(FrameLimit::Full);
        let (stream, scratch) = (Arc::new(stream), Box::new([0; SCRATCH]));
        Owner { poll, stream, scratch, framing, frames: Vec::new(), end: None }
    }

    /// Serves until `done`, one event after the other.
    fn until(&mut self, done: impl Fn(&Owner) -> bool) {
        let mut events = Events::with_capacity(8);
        self.serve();
        while !done(self) {
            self.poll.poll(&mut events, Some(PATIENCE)).unwrap();
            assert!(!events.is_empty(), "no event came in {PATIENCE:?}");
            if events.iter().any(mio::event::Event::is_writable) {
                self.stream.flush().unwrap();
            }
            self.serve();
        }
    }

    fn serve(&mut self) {
        while self.end.is_none() {
            match self.stream.receive(&mut self.scratch) {
                Ok(Received::Bytes(length)) => {
                    let mut frames = self.framing.feed(&mut self.scratch[..length]);
                    while let Some(frame) = frames.next_frame().unwrap() {
                        self.frames.push(frame.to_vec());
                    }
                }
                Ok(Received::End) => self.end = Some(Ok(())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => self.end = Some(Err(error)),
            }
        }
    }

    fn send(&self, kind: FrameKind, frame: &[u8]) -> usize {
        let (header, payload) = frame.split_at(4);
        let dropped = self.stream.queue(kind, &[header, payload]).unwrap();
        self.stream.flush().unwrap();
        dropped
    }

    fn has_sent_all(&self) -> bool {
        let outgoing = self.stream.outgoing();
        outgoing.queue.is_empty() && !outgoing.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }
}

/// A connected pair: the client's side, and the server's as an accepting listener hands it over.
fn sockets() -> (StdStream, StdStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    (client, listener.accept().unwrap().0)
}

fn addresses(server: &StdStream) -> (SocketAddr, SocketAddr) {
    (server.peer_addr().unwrap(), server.local_addr().unwrap())
}

fn mio(server: StdStream) -> TcpStream {
    server.set_nonblocking(true).unwrap();
    TcpStream::from_std(server)
}

fn plain() -> (StdStream, Owner) {
    let (client, server) = sockets();
    let (from, to) = addresses(&server);
    (client, Owner::new(Stream::new(mio(server), from, to, None)))
}

/// The two ends of a TLS connection, not yet connected to each other.
fn tls_ends(version: &'static SupportedProtocolVersion) -> (ClientConnection, ServerConnection) {
    let certified = rcgen::generate_simple_self_signed(["turn.example".to_owned()]).unwrap();
    let certificate = certified.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("turn.example").unwrap();
    let client = ClientConnection::new(Arc::new(client), name).unwrap();
    (client, ServerConnection::new(Arc::new(server)).unwrap())
}

/// A TLS client and its stream, before the first byte.
fn tls(version: &'static SupportedProtocolVersion) -> (TlsClient, Owner) {
    let (client, server) = sockets();
    let (connection, accepted) = tls_ends(version);
    let (from, to) = addresses(&server);
    let owner = Owner::new(Stream::new(mio(server), from, to, Some(accepted)));
    (StreamOwned::new(connection, client), owner)
}

/// A TLS client and its stream after the handshake.
fn connected_tls(version: &'static SupportedProtocolVersion) -> (TlsClient, Owner) {
    let (mut client, mut owner) = tls(version);
    thread::scope(|scope| {
        scope.spawn(|| {
            while client.conn.is_handshaking() {
                client.conn.complete_io(&mut client.sock).unwrap();
            }
        });
        owner.until(|owner| {
            !owner.stream.outgoing().tls.as_ref().unwrap().is_handshaking() && owner.has_sent_all()
        });
    });
    (client, owner)
}

/// ChannelData of one sender, with a number and a payload that follows from it.
fn frame(sender: u8, number: u32, length: usize) -> Vec<u8> {
    let payload = u16::try_from(length - 4).unwrap().to_be_bytes();
    let mut frame = [&[0x40, sender][..], &payload, &number.to_be_bytes()].concat();
    frame.extend((0..length - 8).map(|at| (at + number as usize).to_le_bytes()[0]));
    frame
}

fn number_of(frame: &[u8]) -> u32 {
    u32::from_be_bytes(*frame[4..].first_chunk().unwrap())
}

/// Reads frames until `last` came.
fn read_frames(client: &mut impl Read, last: &[u8]) -> Vec<Vec<u8>> {
    let mut framing = Framing::new(Clients::Browsers);
    framing.set_limit(FrameLimit::Full);
    let (mut buffer, mut found) = (vec![0; 64 * 1024], Vec::new());
    while found.last().map(Vec::as_slice) != Some(last) {
        let length = client.read(&mut buffer).unwrap();
        assert!(length > 0, "the stream ended before the last frame");
        let mut frames = framing.feed(&mut buffer[..length]);
        while let Some(frame) = frames.next_frame().unwrap() {
            found.push(frame.to_vec());
        }
    }
    found
}

fn frames_pass_both_ways(mut client: impl Read + Write + Send, mut owner: Owner) {
    let lengths = [8, 9, 10, 11, 1_200, 65_539, 12, 40_000];
    let sent: Vec<Vec<u8>> =
        (0..).zip(lengths.iter().cycle()).take(100).map(|(n, length)| frame(1, n, *length)).collect();
    let answers: Vec<Vec<u8>> = (0..20).map(|number| frame(2, number, FRAME + 1)).collect();
    thread::scope(|scope| {
        let received = scope.spawn(|| {
            for frame in &sent {
                let mut padded = frame.clone();
                padded.resize(frame.len().next_multiple_of(4), 0);
                client.write_all(&padded).unwrap();
            }
            read_frames(&mut client, &answers[answers.len() - 1])
        });
        owner.until(|owner| owner.frames.len() == sent.len());
        assert_eq!(answers.iter().map(|answer| owner.send(Answer, answer)).sum::<usize>(), 0);
        owner.until(Owner::has_sent_all);
        assert_eq!(received.join().unwrap(), answers);
    });
    assert!(owner.frames == sent);
}

#[test]
fn frames_pass_both_ways_over_tcp() {
    let (client, owner) = plain();
    assert_eq!(owner.stream.five_tuple().transport, Transport::Tcp);
    assert_eq!(owner.stream.five_tuple().client.socket_addr(), client.local_addr().unwrap());
    frames_pass_both_ways(client, owner);
}

#[test]
fn frames_pass_both_ways_over_tls_1_2_and_1_3() {
    for version in [&TLS12, &TLS13] {
        let (client, owner) = tls(version);
        assert_eq!(owner.stream.five_tuple().transport, Transport::Tls);
        frames_pass_both_ways(client, owner);
    }
}

/// Media to a client that does not read, until some were dropped; then it reads.
fn a_slow_reader_gets_whole_frames_in_order(mut client: impl Read + Send, mut owner: Owner) {
    let mut dropped = 0;
    let mut sent = 0;
    while dropped < 100 {
        dropped += owner.send(Media, &frame(1, sent, FRAME));
        sent += 1;
        assert!(sent < 100_000, "the kernel takes more than 120 MB from us");
    }
    let last = frame(2, sent, FRAME);
    dropped += owner.send(Answer, &last);
    let received = thread::scope(|scope| {
        let client = scope.spawn(|| read_frames(&mut client, &last));
        owner.until(Owner::has_sent_all);
        client.join().unwrap()
    });
    assert!(received.iter().map(|frame| number_of(frame)).is_sorted());
    for arrived in &received[..received.len() - 1] {
        assert!(*arrived == frame(1, number_of(arrived), FRAME), "a torn frame");
    }
    assert_eq!(received.len() + dropped, sent as usize + 1);
}

#[test]
fn a_slow_reader_over_tcp_gets_whole_frames_in_order() {
    let (client, owner) = plain();
    a_slow_reader_gets_whole_frames_in_order(client, owner);
}

#[test]
fn a_slow_reader_over_tls_gets_whole_frames_in_order() {
    for version in [&TLS12, &TLS13] {
        let (client, owner) = connected_tls(version);
        a_slow_reader_gets_whole_frames_in_order(client, owner);
    }
}

#[test]
fn what_is_encrypted_for_a_slow_reader_stays_bounded() {
    let (_client, owner) = connected_tls(&TLS13);
    let mut dropped = 0;
    while dropped == 0 {
        // More in one wake-up than may be encrypted ahead.
        for number in 0..30 {
            dropped += owner.stream.queue(Media, &[&frame(1, number, FRAME)]).unwrap();
        }
        owner.stream.flush().unwrap();
    }
    let mut outgoing = owner.stream.outgoing();
    let sealed = outgoing.tls.as_mut().unwrap().process_new_packets().unwrap().tls_bytes_to_write();
    // Four records, and the 22 bytes each adds.
    assert!((1..=SEALED_AHEAD + 4 * 22).contains(&sealed), "{sealed} bytes");
}

#[test]
fn the_kernel_sends_at_once_and_holds_little_unsent() {
    let (_client, owner) = plain();
    assert!(owner.stream.tcp.nodelay().unwrap());
    let unsent = SockRef::from(&owner.stream.tcp).tcp_notsent_lowat().unwrap();
    assert_eq!(unsent, UNSENT_IN_KERNEL);
}

fn two_threads_queue_at_once(mut client: impl Read + Send, mut owner: Owner) {
    const EACH: u32 = 2_000;
    let last = frame(3, 0, FRAME);
    let stream = Arc::clone(&owner.stream);
    let (received, dropped) = thread::scope(|scope| {
        let client = scope.spawn(|| read_frames(&mut client, &last));
        let senders = [1, 2].map(|sender| {
            let stream = &stream;
            scope.spawn(move || {
                let mut dropped = 0;
                for number in 0..EACH {
                    dropped += stream.queue(Media, &[&frame(sender, number, FRAME)]).unwrap();
                    stream.flush().unwrap();
                }
                dropped
            })
        });
        let dropped: usize = senders.map(|sender| sender.join().unwrap()).iter().sum();
        let dropped = dropped + owner.send(Answer, &last);
        owner.until(Owner::has_sent_all);
        (client.join().unwrap(), dropped)
    });
    assert_eq!(received.len() + dropped, 2 * EACH as usize + 1);
    for sender in [1, 2] {
        let own: Vec<_> = received.iter().filter(|frame| frame[1] == sender).collect();
        assert!(own.iter().map(|frame| number_of(frame)).is_sorted());
        assert!(own.iter().all(|arrived| **arrived == frame(sender, number_of(arrived), FRAME)));
    }
}

#[test]
fn two_threads_that_queue_at_once_tear_no_frame() {
    let (client, owner) = plain();
    two_threads_queue_at_once(client, owner);
    let (client, owner) = connected_tls(&TLS13);
    two_threads_queue_at_once(client, owner);
}

#[test]
fn the_owner_gets_the_writable_event_for_what_another_thread_could_not_send() {
    let (mut client, mut owner) = plain();
    let mut events = Events::with_capacity(8);
    owner.until(|_| true);
    let stream = Arc::clone(&owner.stream);
    let flood = move || {
        let fits = |number: &u32| {
            let dropped = stream.queue(Media, &[&frame(1, *number, FRAME)]).unwrap();
            stream.flush().unwrap();
            dropped == 0
        };
        (0..100_000).take_while(fits).count()
    };
    let last = u32::try_from(thread::spawn(flood).join().unwrap()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| read_frames(&mut client, &frame(1, last, FRAME)));
        while !owner.has_sent_all() {
            owner.poll.poll(&mut events, Some(PATIENCE)).unwrap();
            assert!(events.iter().any(mio::event::Event::is_writable), "no event in {PATIENCE:?}");
            owner.stream.flush().unwrap();
        }
    });
}

#[test]
fn a_close_notify_is_the_end_and_is_answered_with_one() {
    for version in [&TLS12, &TLS13] {
        let (mut client, mut owner) = connected_tls(version);
        client.write_all(&frame(1, 0, FRAME)).unwrap();
        client.conn.send_close_notify();
        client.flush().unwrap();
        owner.until(|owner| owner.end.is_some());
        assert_eq!(owner.frames, [frame(1, 0, FRAME)], "what came before it is not lost");
        assert!(matches!(owner.end, Some(Ok(()))));
        owner.stream.shutdown();
        // rustls gives an error for an end without close_notify.
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    }
}

#[test]
fn a_client_that_vanishes_ends_its_own_stream_and_troubles_no_sender() {
    let reset = |client: StdStream| SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    let (client, plain) = plain();
    reset(client);
    let (client, before_handshake) = tls(&TLS13);
    reset(client.into_parts().1);
    let (client, after_handshake) = connected_tls(&TLS13);
    reset(client.into_parts().1);
    let (client, without_close_notify) = connected_tls(&TLS13);
    drop(client);
    for mut owner in [plain, before_handshake, after_handshake, without_close_notify] {
        owner.until(|owner| owner.end.is_some());
        owner.stream.shutdown();
        assert_eq!(owner.stream.queue(Media, &[b"\x40\x01\0\0"]), Ok(0));
        assert!(owner.stream.flush().is_ok());
        assert!(owner.has_sent_all(), "an ended stream holds nothing");
    }
}

#[test]
fn bytes_decrypted_before_the_hand_over_come_first() {
    let (client, mut server) = sockets();
    let (connection, mut accepted) = tls_ends(&TLS13);
    let mut client = StreamOwned::new(connection, client);
    let stream = thread::scope(|scope| {
        scope.spawn(|| {
            client.write_all(&frame(1, 0, FRAME)).unwrap();
        });
        // The listener reads until the first bytes decide, and takes none of them.
        while accepted.process_new_packets().unwrap().plaintext_bytes_to_read() == 0 {
            accepted.complete_io(&mut server).unwrap();
        }
        let (from, to) = addresses(&server);
        Stream::new(mio(server), from, to, Some(accepted))
    });
    let mut owner = Owner::new(stream);
    owner.serve();
    assert_eq!(owner.frames, [frame(1, 0, FRAME)], "without waiting for an event");
    client.write_all(&frame(1, 1, FRAME)).unwrap();
    owner.until(|owner| owner.frames.len() == 2);
    assert_eq!(owner.frames[1], frame(1, 1, FRAME));
    owner.send(Answer, &frame(2, 0, FRAME));
    owner.until(Owner::has_sent_all);
    assert_eq!(read_frames(&mut client, &frame(2, 0, FRAME)), [frame(2, 0, FRAME)]);
}

#[test]
fn a_client_may_change_its_keys_at_any_time() {
    let (mut client, mut owner) = connected_tls(&TLS13);
    for number in 0..3 {
        client.conn.refresh_traffic_keys().unwrap();
        client.write_all(&frame(1, number, FRAME)).unwrap();
        owner.until(|owner| owner.frames.last() == Some(&frame(1, number, FRAME)));
        owner.send(Answer, &frame(2, number, FRAME));
        owner.until(Owner::has_sent_all);
        let answer = frame(2, number, FRAME);
        assert_eq!(read_frames(&mut client, &answer), std::slice::from_ref(&answer));
    }
}

#[test]
fn records_that_trickle_byte_by_byte_are_put_together() {
    let (mut client, mut owner) = connected_tls(&TLS13);
    client.conn.writer().write_all(&frame(1, 0, 60)).unwrap();
    let mut sealed = Vec::new();
    client.conn.write_tls(&mut sealed).unwrap();
    client.sock.set_nodelay(true).unwrap();
    let (last, first) = sealed.split_last().unwrap();
    for byte in first {
        client.sock.write_all(&[*byte]).unwrap();
        owner.serve();
    }
    assert!(owner.frames.is_empty());
    client.sock.write_all(&[*last]).unwrap();
    owner.until(|owner| !owner.frames.is_empty());
    assert_eq!(owner.frames, [frame(1, 0, 60)]);
}

#[test]
fn garbage_instead_of_a_handshake_ends() {
    let (client, mut owner) = tls(&TLS13);
    let mut client = client.into_parts().1;
    client.write_all(b"\x16\x03\x01\x00\x04 but no ClientHello").unwrap();
    owner.until(|owner| owner.end.is_some());
    let error = owner.end.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_client_of_another_tls_version_is_told_so_by_an_alert() {
    let (mut client, server) = sockets();
    let (mut connection, _) = tls_ends(&TLS13);
    let (_, accepted) = tls_ends(&TLS12);
    let (from, to) = addresses(&server);
    let mut owner = Owner::new(Stream::new(mio(server), from, to, Some(accepted)));
    connection.write_tls(&mut client).unwrap();
    owner.until(|owner| owner.end.is_some());
    assert_eq!(owner.end.unwrap().unwrap_err().kind(), ErrorKind::InvalidData);
    connection.read_tls(&mut client).unwrap();
    let told = connection.process_new_packets().unwrap_err();
    assert_eq!(told, rustls::Error::AlertReceived(rustls::AlertDescription::ProtocolVersion));
}

#[test]
fn a_client_that_asks_without_reading_is_closed_whoever_queues_and_its_owner_hears_of_it() {
    let (_client, mut owner) = plain();
    owner.until(|_| true);
    let stream = Arc::clone(&owner.stream);
    let queued = thread::spawn(move || {
        (0..).take_while(|number| stream.queue(Answer, &[&frame(1, *number, FRAME)]).is_ok()).count()
    });
    assert!((50..60).contains(&queued.join().unwrap()), "the queue's bound, 66 KiB");
    owner.until(|owner| owner.end.is_some());
    assert!(matches!(owner.end, Some(Ok(()))));
}
