//! The relay under test: the stand-alone example as a child process.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;
use visavis_turn::{Credential, Mint};

use crate::certificate::Certificate;
use crate::programs::{Running, limited};

/// Made for these tests and good for nothing else.
pub const SECRET: &str = "a throwaway secret of the foreign tests";

/// An address of this machine that is no loopback address: that of the interface of tests/browser/in-namespace.
pub const OFF_LOOPBACK: &str = "10.77.0.1";

/// How a client reaches the relay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

/// A running relay on UDP, TCP and TLS, each with a port of its own.
pub struct Relay {
    running: Running,
    lines: Lines<BufReader<ChildStdout>>,
    /// Its UDP, TCP and TLS port.
    listening: [SocketAddr; 3],
    pub certificate: Certificate,
    _home: TempDir,
}

/// What the relay counted until it ended.
#[derive(Debug)]
pub struct Counters(String);

impl Relay {
    /// Starts it on an address of this machine.
    pub fn start(ip: &str) -> Self {
        Relay::start_with(ip, 120, &[])
    }

    /// Starts it for so many seconds at most, with more options.
    pub fn start_with(ip: &str, seconds: u32, options: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let secret = home.path().join("secret");
        fs::write(&secret, SECRET).unwrap();
        let certificate = Certificate::make(home.path());
        let any_port = format!("{ip}:0");
        let mut command = limited(seconds, built_example());
        command
            .args(["--udp", &any_port, "--tcp", &any_port, "--tls", &any_port])
            .arg("--cert")
            .arg(&certificate.cert)
            .arg("--key")
            .arg(&certificate.key)
            .arg("--secret-file")
            .arg(&secret)
            .args(["--realm", "visavis"])
            .args(options)
            .stdout(Stdio::piped());
        let mut running = Running::start(&mut command);
        let mut lines = BufReader::new(running.stdout()).lines();
        let listening = ["UDP", "TCP", "TLS"].map(|port| listening(&mut lines, port, ip));
        Relay { running, lines, listening, certificate, _home: home }
    }

    pub fn addr(&self, transport: Transport) -> SocketAddr {
        self.listening[transport as usize]
    }

    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Ends it with SIGTERM.
    pub fn end(mut self) -> Counters {
        self.running.terminate();
        let mut printed = String::new();
        for line in self.lines.by_ref() {
            printed += &line.unwrap();
            printed.push('\n');
        }
        let status = self.running.wait();
        assert!(status.success(), "the relay ended with {status}");
        Counters(printed)
    }
}

impl Counters {
    /// The number behind a name, such as 12 behind `bytes` in "relayed packets 3, bytes 12".
    pub fn after(&self, name: &str) -> u64 {
        let (_, rest) = self.0.split_once(name).unwrap_or_else(|| panic!("no {name:?} among\n{}", self.0));
        let digits: String =
            rest.chars().skip_while(|c| " :".contains(*c)).take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|_| panic!("no number after {name:?} in\n{}", self.0))
    }

    /// Whether clients really came over this transport: the datagrams are those of UDP alone.
    pub fn agree_with(&self, transport: Transport) -> bool {
        (self.after("datagrams received") > 0) == (transport == Transport::Udp)
    }

    /// The counters of dropped packets that are not zero.
    pub fn drops(&self) -> Vec<&str> {
        self.0.lines().filter(|line| line.starts_with("dropped, ") && !line.ends_with(": 0")).collect()
    }
}

/// A credential of the user name's call and seat, valid from now on.
pub fn credential(call: &str, seat: &str) -> Credential {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    Mint::new(SECRET.as_bytes()).mint(now.as_secs(), call, seat)
}

/// The address behind "listening on UDP" in the next line.
fn listening(lines: &mut Lines<BufReader<ChildStdout>>, port: &str, ip: &str) -> SocketAddr {
    let line = lines.next().and_then(Result::ok).unwrap_or_else(|| {
        panic!("the relay did not start on {ip}; tests/browser/in-namespace makes the address {OFF_LOOPBACK}")
    });
    let address = line.strip_prefix(&format!("listening on {port} ")).and_then(|rest| rest.split(',').next());
    address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("the relay said {line:?}"))
}

/// The example as it is in the source now: `cargo test --test` builds no example by itself. The whole workspace is named
/// so that `cargo test --workspace` has built it already.
fn built_example() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // TARGET/PROFILE/deps/foreign-HASH, where the profile `dev` lies in `debug`.
        let test = std::env::current_exe().unwrap();
        let built = test.ancestors().nth(2).expect("a test binary lies in its target directory");
        let profile = built.file_name().and_then(|name| name.to_str()).expect("as above");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--workspace", "--example", "relay", "--target-dir"]);
        build.arg(built.parent().expect("as above")).current_dir(env!("CARGO_MANIFEST_DIR"));
        build.args(["--profile", if profile == "debug" { "dev" } else { profile }]);
        // What cargo tells a test of its package: build scripts would take it for a change, and build everything anew.
        for (name, _) in std::env::vars() {
            if ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|told| name.starts_with(told)) {
                build.env_remove(name);
            }
        }
        assert!(build.status().unwrap().success(), "the relay does not build");
        built.join("examples/relay")
    })
}
