//! Clients of a relay in a process of its own, over each transport, and which of its workers serves them.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, iter, thread};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::over_sockets::Party;
use crate::relay::{Relay, Transport, credential};
use crate::streams::{StreamParty, connect};
use crate::support::*;

/// Requests sent one by one: each wakes the worker that serves the client.
const KNOCKS: u64 = 200;

/// A client over any transport.
pub enum Peer {
    Udp(Party),
    Stream(StreamParty),
}

impl Peer {
    pub fn new(relay: &Relay, transport: Transport, seat: &str) -> Self {
        let (credential, server) = (credential("call", seat), relay.addr(transport));
        match transport {
            Transport::Udp => Peer::Udp(Party::new(credential, server)),
            Transport::Tcp => Peer::Stream(StreamParty::new(credential, Box::new(connect(server)))),
            Transport::Tls => Peer::Stream(StreamParty::new(credential, Box::new(tls(relay, server)))),
        }
    }

    pub fn client(&mut self) -> &mut Client {
        match self {
            Peer::Udp(party) => &mut party.client,
            Peer::Stream(party) => &mut party.client,
        }
    }

    pub fn send(&mut self, message: &[u8]) {
        match self {
            Peer::Udp(party) => assert_eq!(party.socket.send(message).unwrap(), message.len()),
            Peer::Stream(party) => party.send(message),
        }
    }

    pub fn receive(&mut self) -> Answer {
        match self {
            Peer::Udp(party) => party.receive(),
            Peer::Stream(party) => party.receive(),
        }
    }

    pub fn exchange(&mut self, message: &[u8]) -> Answer {
        self.send(message);
        self.receive()
    }

    pub fn join(&mut self) -> SocketAddr {
        match self {
            Peer::Udp(party) => party.join(),
            Peer::Stream(party) => party.join(),
        }
    }

    pub fn bind(&mut self, channel: u16, peer: SocketAddr) {
        let request = self.client().channel_bind(channel, peer);
        assert!(self.exchange(&request).is_success());
    }

    /// Asks something that costs no budget and waits for the answer: what it sent before has been dealt with then.
    pub fn knock(&mut self) {
        let request = self.client().signed(REFRESH, &[]);
        let answer = self.exchange(&request);
        assert!(answer.is_success() || answer.error() == 437, "{answer:?}");
    }

    /// The worker that serves this client: the one that wakes up for its requests.
    fn worker(&mut self, relay: &Relay) -> usize {
        // A new stream's owner has written its last answer and sleeps when the next one has come.
        self.knock();
        let before = [0, 1].map(|worker| wake_ups(relay.pid(), worker));
        (0..KNOCKS).for_each(|_| self.knock());
        let after = [0, 1].map(|worker| wake_ups(relay.pid(), worker));
        let woken = [0, 1].map(|worker: usize| after[worker] - before[worker]);
        // The other one may wake for its own timers.
        let busy = usize::from(woken[1] > woken[0]);
        assert!(woken[busy] >= KNOCKS / 4 && woken[1 - busy] <= KNOCKS / 20, "woken: {woken:?}");
        busy
    }
}

/// One client on each of the two workers.
pub fn one_on_each_worker(relay: &Relay, transport: Transport, seats: [&str; 2]) -> [Peer; 2] {
    let mut found: [Option<Peer>; 2] = [None, None];
    for _ in 0..64 {
        let seat = seats[usize::from(found[0].is_some())];
        let mut peer = Peer::new(relay, transport, seat);
        let worker = peer.worker(relay);
        found[worker].get_or_insert(peer);
        if found.iter().all(Option::is_some) {
            return found.map(|peer| peer.expect("seen just before"));
        }
    }
    panic!("64 clients over {transport:?} all met the same worker")
}

/// How often a worker's thread of a process has gone from its core and come back.
fn wake_ups(process: u32, worker: usize) -> u64 {
    let name = format!("relay-{worker}\n");
    let is_named = |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm == name);
    let tasks = || fs::read_dir(format!("/proc/{process}/task")).unwrap().map(|task| task.unwrap().path());
    // A thread names itself when it first runs, which may be after its neighbour has answered.
    let task =
        iter::repeat_with(|| tasks().find(is_named)).inspect(|_| thread::yield_now()).find_map(|task| task);
    let task = task.expect("the repetition does not end without one");
    let status = fs::read_to_string(task.join("status")).unwrap();
    let switches = status.lines().filter_map(|line| line.split_once("voluntary_ctxt_switches:"));
    switches.map(|(_, count)| count.trim().parse::<u64>().expect("Linux counts them")).sum()
}

fn tls(relay: &Relay, server: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&relay.certificate.cert).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trust = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::from(server.ip());
    StreamOwned::new(ClientConnection::new(Arc::new(trust), name).unwrap(), connect(server))
}
