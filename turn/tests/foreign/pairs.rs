//! Whole ICE implementations: two peers of one call, allowed to relay only, meet and exchange data.
//!
//! webrtcbin is not tried over TLS: for `turns:` its libnice (0.1.21) speaks plain STUN over TCP. It sends nothing to
//! loopback addresses either, so its relay listens on the address that tests/browser/in-namespace makes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::programs::{installed, limited, root};
use crate::relay::{OFF_LOOPBACK, Relay, Transport, credential};

/// Bytes of the datagrams or messages that pass each way: the smallest, unpadded, padded, as large as WebRTC's.
fn payloads() -> Vec<usize> {
    [4, 33, 170, 1200].repeat(5)
}

fn script(interpreter: &Path, name: &str) -> Command {
    let mut command = limited(60, interpreter);
    command.arg(root().join("turn/tests/foreign").join(name));
    command
}

fn aioice() -> Command {
    let python = python_environment().join("bin/python");
    assert!(
        python.is_file(),
        "aioice is missing: python3 -m venv {0} && {0}/bin/pip install -r turn/tests/foreign/requirements.txt",
        python_environment().display()
    );
    script(&python, "aioice_pair.py")
}

/// TARGET/foreign-python, where tests/run makes it.
fn python_environment() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).expect("TARGET/PROFILE/deps/foreign-HASH").join("foreign-python")
}

fn webrtcbin() -> Command {
    // Debian's own interpreter: the bindings are installed for no other.
    script(Path::new("/usr/bin/python3"), "webrtcbin_pair.py")
}

fn werift() -> Command {
    assert!(root().join("node_modules/werift").is_dir(), "werift is missing: npm ci");
    script(&installed("node", "nodejs"), "werift_pair.mjs")
}

/// Runs a script with its order on standard input and gives what it printed as JSON.
fn run(mut command: Command, order: &Value, relay: &Relay) -> Value {
    let mut child = command
        .env("SSL_CERT_FILE", &relay.certificate.cert)
        .env("NODE_EXTRA_CA_CERTS", &relay.certificate.cert)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().expect("it is piped").write_all(order.to_string().as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?} ended with {}:\n{complaint}", ended.status);
    serde_json::from_slice(&ended.stdout).unwrap()
}

fn a_pair_meets(ip: &str, transport: Transport, command: Command) {
    let relay = Relay::start(ip);
    let server = relay.addr(transport);
    let credentials = ["1", "2"].map(|seat| {
        let credential = credential("call", seat);
        json!({ "username": credential.username, "password": credential.password })
    });
    let order = json!({
        "host": server.ip(),
        "port": server.port(),
        "transport": format!("{transport:?}").to_lowercase(),
        "credentials": credentials,
        "payloads": payloads(),
    });
    let result = run(command, &order, &relay);
    println!("{transport:?}: {}", result["candidates"]);
    let candidates = result["candidates"].as_array().unwrap();
    assert!(candidates.len() >= 2, "one for each peer");
    for candidate in candidates {
        assert_eq!(
            (&candidate["type"], &candidate["address"]),
            (&json!("relay"), &json!(visavis_turn::RELAYED_IP))
        );
    }
    assert_eq!(result["received"], json!([payloads(), payloads()]));
    let counters = relay.end();
    println!("relayed packets {}, bytes {}", counters.after("relayed packets"), counters.after("bytes"));
    let (packets, bytes) = (2 * payloads().len(), 2 * payloads().iter().sum::<usize>());
    // The checks of ICE come on top, and with a data channel DTLS and SCTP.
    assert!(counters.after("relayed packets") > packets as u64, "{counters:?}");
    assert!(counters.after("bytes") > bytes as u64, "{counters:?}");
    assert_eq!(counters.after("credentials refused"), 0);
    assert!(counters.agree_with(transport), "{counters:?}");
}

#[test]
#[ignore = "needs aioice: tests/run installs it"]
fn aioice_passes_datagrams_through_a_relayed_pair_over_udp() {
    a_pair_meets("127.0.0.1", Transport::Udp, aioice());
}

#[test]
#[ignore = "needs aioice: tests/run installs it"]
fn aioice_passes_datagrams_through_a_relayed_pair_over_tcp() {
    a_pair_meets("127.0.0.1", Transport::Tcp, aioice());
}

#[test]
#[ignore = "needs aioice: tests/run installs it"]
fn aioice_passes_datagrams_through_a_relayed_pair_over_tls() {
    a_pair_meets("127.0.0.1", Transport::Tls, aioice());
}

#[test]
#[ignore = "needs GStreamer's webrtcbin: tests/run installs it"]
fn webrtcbin_passes_messages_through_a_relayed_pair_over_udp() {
    a_pair_meets(OFF_LOOPBACK, Transport::Udp, webrtcbin());
}

#[test]
#[ignore = "needs GStreamer's webrtcbin: tests/run installs it"]
fn webrtcbin_passes_messages_through_a_relayed_pair_over_tcp() {
    a_pair_meets(OFF_LOOPBACK, Transport::Tcp, webrtcbin());
}

#[test]
#[ignore = "needs werift: tests/run installs it"]
fn werift_passes_messages_through_a_relayed_pair_over_udp() {
    a_pair_meets("127.0.0.1", Transport::Udp, werift());
}

#[test]
#[ignore = "needs werift: tests/run installs it"]
fn werift_passes_messages_through_a_relayed_pair_over_tcp() {
    a_pair_meets("127.0.0.1", Transport::Tcp, werift());
}

#[test]
#[ignore = "needs werift: tests/run installs it"]
fn werift_passes_messages_through_a_relayed_pair_over_tls() {
    a_pair_meets("127.0.0.1", Transport::Tls, werift());
}
