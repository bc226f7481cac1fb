//! The three servers, each a child process on a free port of 127.0.0.1, ended by its pid when its guard goes.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::Failure;
use crate::control;
use crate::socket::Socket;

pub const REALM: &str = "bench";
pub const COTURN: &str = "turnserver";

/// Bits a second for each seat, in each direction: no limit that any row comes near.
const RATE: &str = "8000000000";

/// How long a server may take to answer first.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The example relay of this crate.
    Ours,
    /// coturn, Debian's package of that name.
    Coturn,
    /// The server of the crate `turn` (webrtc-rs).
    Turn,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ours => "ours",
            Kind::Coturn => "coturn",
            Kind::Turn => "`turn`",
        }
    }
}

/// How to start servers.
pub struct Launcher {
    /// The example relay's binary.
    pub relay: PathBuf,
    /// Threads that relay.
    pub workers: usize,
    /// The secret's file and the servers' own lie here.
    pub directory: TempDir,
    pub secret: String,
}

/// A running server; dropping it ends it.
pub struct Server {
    child: Child,
    addr: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Launcher {
    /// Starts a server and waits until it answers.
    pub fn start(&self, kind: Kind) -> Result<Server, Failure> {
        let addr = free_addr()?;
        let errors = self.directory.path().join("stderr");
        let command = match kind {
            Kind::Ours => self.ours(addr),
            Kind::Coturn => self.coturn(addr)?,
            Kind::Turn => self.turn_crate(addr)?,
        };
        let mut command = as_child(&command)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&errors)?);
        let mut server = Server { child: command.spawn()?, addr };
        let socket = Socket::open(addr)?;
        let deadline = Instant::now() + PATIENCE;
        while server.child.try_wait()?.is_none() && Instant::now() < deadline {
            if control::is_answering(&socket)? {
                return Ok(server);
            }
        }
        let said = fs::read_to_string(&errors).unwrap_or_default();
        Err(format!("{} did not start; it said: {}", kind.name(), said.trim()).into())
    }

    fn ours(&self, addr: SocketAddr) -> Command {
        let mut command = Command::new(&self.relay);
        command.args(["--udp", &addr.to_string(), "--realm", REALM, "--rate", RATE]);
        command.args(["--workers", &self.workers.to_string()]);
        command.arg("--secret-file").arg(self.secret_file());
        command
    }

    /// coturn as it runs fastest: UDP alone, no log, no quota, no bandwidth limit, as many relay threads as ours has.
    fn coturn(&self, addr: SocketAddr) -> Result<Command, Failure> {
        let directory = self.directory.path();
        let configuration = format!(
            "listening-ip={ip}\nrelay-ip={ip}\nlistening-port={port}\nrelay-threads={workers}\n\
             use-auth-secret\nstatic-auth-secret={secret}\nrealm={REALM}\n\
             no-tcp\nno-tls\nno-dtls\nno-tcp-relay\nno-cli\nno-software-attribute\nno-rfc5780\n\
             allow-loopback-peers\nuser-quota=0\ntotal-quota=0\nmax-bps=0\nbps-capacity=0\n\
             log-file=/dev/null\nno-stdout-log\nsimple-log\npidfile={directory}/coturn.pid\n\
             userdb={directory}/coturn.sqlite\n",
            ip = addr.ip(),
            port = addr.port(),
            workers = self.workers,
            secret = self.secret,
            directory = directory.display(),
        );
        let file = directory.join("coturn.conf");
        fs::write(&file, configuration)?;
        let mut command = Command::new(COTURN);
        command.arg("-c").arg(file);
        Ok(command)
    }

    fn turn_crate(&self, addr: SocketAddr) -> Result<Command, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--serve-turn-crate", &addr.to_string(), "--workers", &self.workers.to_string()]);
        command.arg("--secret-file").arg(self.secret_file());
        Ok(command)
    }

    fn secret_file(&self) -> PathBuf {
        self.directory.path().join("secret")
    }
}

/// The command by way of this program, which ties the new process to its own life and becomes it.
fn as_child(command: &Command) -> Result<Command, Failure> {
    let mut tied = Command::new(std::env::current_exe()?);
    tied.arg("--as-child").arg(command.get_program()).args(command.get_args());
    Ok(tied)
}

/// Becomes another program, which the kernel ends with its parent, even one that is killed.
pub fn become_child(program_and_arguments: &[OsString]) -> Result<Infallible, Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let (program, arguments) = program_and_arguments.split_first().ok_or("--as-child names no program")?;
    let error = Command::new(program).args(arguments).exec();
    Err(format!("cannot start {}: {error}", Path::new(program).display()).into())
}

/// Descriptors: some servers need one for each of 5,000 allocations. They inherit what is allowed here.
pub fn allow_descriptors() -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}

/// A port that nobody used a moment ago.
fn free_addr() -> Result<SocketAddr, Failure> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// What coturn calls its version; `None` if it is not installed.
pub fn coturn_version() -> Option<String> {
    let output = Command::new(COTURN).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .map(str::trim)
        .rfind(|line| line.starts_with(|first: char| first.is_ascii_digit()))
        .map(str::to_owned)
}

/// Builds the example relay with the cargo that built this program, into the same target directory.
pub fn build_relay() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()?;
    // target/release/deps/relay-<hash>
    let profile = own.parent().filter(|deps| deps.ends_with("deps")).and_then(Path::parent);
    let (Some(profile), Some(target)) = (profile, profile.and_then(Path::parent)) else {
        return Err("this copy of the benchmark lies outside of a target directory: \
                    name the relay's binary with --relay PATH"
            .into());
    };
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--release", "--example", "relay", "--manifest-path"]);
    build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).arg("--target-dir").arg(target);
    if !build.status()?.success() {
        return Err("the example relay was not built: cargo's message is above".into());
    }
    Ok(profile.join("examples/relay"))
}
