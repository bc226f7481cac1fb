//! turnutils_uclient, coturn's test client: sessions in pairs that send each other numbered messages through the relay
//! and count what is lost.
//!
//! It draws at random: whether it asks for an even port (EVEN-PORT, with `-c`), and its channel numbers (0x4000 to
//! 0x7FFF); without `-c` it asks for a port with a reservation, and for the reserved one by its token, in turn. So each
//! variant runs several times with several sessions.
//!
//! It leaves allocations behind: each group of its sessions begins with one of which it closes the socket and forgets the
//! rest. Where the kernel then gives the same port to another socket, the relay rightly refuses with 437 (Allocation
//! Mismatch). So each process has one group, whose sockets are all open before it closes the first, and an address of its
//! own.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Stdio};

use crate::coturn::Coturn;
use crate::programs::{installed, limited};
use crate::relay::{Relay, SECRET, Transport, credential};

/// Client to client, with channels (the default) or Send indications (-s), with the second session of an RTP and RTCP
/// pair (the default) or without (-c); the last pads ChannelData over UDP too, as PJNATH does (-D).
const VARIANTS: [&[&str]; 5] =
    [&["-y"], &["-y", "-c"], &["-y", "-s"], &["-y", "-c", "-s"], &["-y", "-c", "-D"]];
/// Bytes of a message, one length for each repetition: with and without padding.
const LENGTHS: [u64; 6] = [170, 172, 701, 170, 172, 701];
/// What each session sends.
const MESSAGES: u64 = 50;

/// One process of turnutils_uclient.
struct Uclient {
    what: String,
    /// Bytes of a message.
    length: u64,
    /// Messages of all its sessions.
    messages: u64,
    child: Child,
}

/// What it printed at its end.
struct Summary {
    what: String,
    output: String,
    expected: u64,
    sent: u64,
    lost: u64,
}

impl Uclient {
    fn start(
        variant: &[&str],
        transport: Transport,
        length: u64,
        (from, server): (Ipv4Addr, SocketAddr),
        login: &[&str],
    ) -> Self {
        let transport: &[&str] = match transport {
            Transport::Udp => &[],
            Transport::Tcp => &["-t"],
            Transport::Tls => &["-t", "-S"],
        };
        // One group of sessions: a pair, each alone or with a second one.
        let sessions = if variant.contains(&"-c") { 2 } else { 4 };
        let child = limited(60, &installed("turnutils_uclient", "coturn"))
            .args(variant)
            .args(transport)
            .args(["-n", &MESSAGES.to_string(), "-m", &sessions.to_string(), "-l", &length.to_string()])
            .args(["-L", &from.to_string()])
            .args(login)
            .args(["-p", &server.port().to_string(), &server.ip().to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Uclient {
            what: format!("{}, {length} bytes", [variant, transport].concat().join(" ")),
            length,
            messages: sessions * MESSAGES,
            child,
        }
    }

    fn finish(self) -> Summary {
        let ended = self.child.wait_with_output().unwrap();
        let output =
            [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(
            ended.status.success(),
            "turnutils_uclient {} ended with {}:\n{output}",
            self.what,
            ended.status
        );
        let last = |name: &str| -> u64 {
            let (_, rest) = output.rsplit_once(name).unwrap_or_else(|| panic!("no {name:?} in\n{output}"));
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().unwrap_or_else(|_| panic!("no number after {name:?} in\n{output}"))
        };
        let (sent, received, lost) =
            (last("tot_send_msgs="), last("tot_recv_msgs="), last("Total lost packets "));
        assert_eq!(last("total send dropped "), 0, "{output}");
        assert_eq!(received, sent - lost, "{output}");
        println!("turnutils_uclient {}: sent {sent}, lost {lost}", self.what);
        Summary { what: self.what, output, expected: self.messages, sent, lost }
    }
}

impl Summary {
    /// Everything it says when something is not as it should be, in its version 4.6.
    fn complaints(&self) -> Vec<&str> {
        let complains = |line: &&str| {
            let line = line.to_lowercase();
            ["error", "cannot", "wrong", "unknown", "warning", "!!!", "not completed"]
                .iter()
                .any(|word| line.contains(word))
        };
        self.output.lines().filter(complains).collect()
    }
}

/// All variants and lengths at once, each in a call and at an address of its own.
fn start_all(transport: Transport, server: SocketAddr) -> Vec<Uclient> {
    let runs = LENGTHS.iter().flat_map(|length| VARIANTS.map(|variant| (variant, *length)));
    runs.enumerate()
        .map(|(number, (variant, length))| {
            let credential = credential(&format!("call{number}"), "1");
            let login = ["-u", &credential.username, "-w", &credential.password];
            let from = Ipv4Addr::new(127, 0, 1, u8::try_from(number + 1).unwrap());
            Uclient::start(variant, transport, length, (from, server), &login)
        })
        .collect()
}

fn nothing_is_lost_over(transport: Transport) {
    let relay = Relay::start("127.0.0.1");
    let clients = start_all(transport, relay.addr(transport));
    let payload: u64 = clients.iter().map(|client| client.length * client.messages).sum();
    let summaries: Vec<Summary> = clients.into_iter().map(Uclient::finish).collect();
    for summary in &summaries {
        assert_eq!((summary.sent, summary.lost), (summary.expected, 0), "{}", summary.what);
        assert_eq!(summary.complaints(), Vec::<&str>::new(), "{}", summary.what);
    }
    let counters = relay.end();
    assert_eq!(
        counters.after("relayed packets"),
        summaries.iter().map(|summary| summary.sent).sum::<u64>(),
        "{counters:?}"
    );
    assert_eq!(counters.after("bytes"), payload, "{counters:?}");
    assert_eq!(counters.drops(), Vec::<&str>::new());
    assert_eq!(counters.after("credentials refused"), 0);
    assert!(counters.agree_with(transport), "{counters:?}");
}

#[test]
#[ignore = "needs coturn's turnutils_uclient: tests/run installs it"]
fn uclient_loses_nothing_over_udp() {
    nothing_is_lost_over(Transport::Udp);
}

#[test]
#[ignore = "needs coturn's turnutils_uclient: tests/run installs it"]
fn uclient_loses_nothing_over_tcp() {
    nothing_is_lost_over(Transport::Tcp);
}

#[test]
#[ignore = "needs coturn's turnutils_uclient and turnserver: tests/run installs them"]
fn uclient_loses_no_more_over_tls_than_with_coturns_own_server() {
    // It takes what one TLS record holds for one message, and counts a second one as lost: none is with a server that
    // never puts two into a record.
    let (relay, coturn) = (Relay::start("127.0.0.1"), Coturn::start());
    let with_relay = start_all(Transport::Tls, relay.addr(Transport::Tls));
    let with_coturn = start_all(Transport::Tls, coturn.tls);
    let all = with_relay.iter().map(|client| client.messages).sum::<u64>();
    let lost = [with_relay, with_coturn].map(|clients| {
        let summaries: Vec<Summary> = clients.into_iter().map(Uclient::finish).collect();
        assert_eq!(summaries.iter().map(|summary| summary.sent).sum::<u64>(), all);
        summaries.iter().map(|summary| summary.lost).sum::<u64>()
    });
    println!("lost with the relay {}, with turnserver {} of {all}", lost[0], lost[1]);
    assert!(lost[0] <= lost[1]);
    assert_eq!(relay.end().after("relayed packets"), all);
}

#[test]
#[ignore = "needs coturn's turnutils_uclient: tests/run installs it"]
fn uclient_makes_its_credential_from_the_secret_by_itself() {
    let relay = Relay::start("127.0.0.1");
    let login = ["-u", "call:1", "-W", SECRET];
    let summary = Uclient::start(
        &["-y", "-c", "-s"],
        Transport::Udp,
        170,
        (Ipv4Addr::LOCALHOST, relay.addr(Transport::Udp)),
        &login,
    )
    .finish();
    assert_eq!(summary.lost, 0);
    assert_eq!(relay.end().after("relayed packets"), summary.sent);
}
