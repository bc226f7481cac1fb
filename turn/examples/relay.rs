//! A relay on its own: `relay --udp 127.0.0.1:3478 --tcp 127.0.0.1:3478 --secret-file F --realm R`, until SIGTERM or
//! Ctrl-C.
//!
//! Clients name themselves `expiry:call:seat` with the password base64(HMAC-SHA1(secret, user name)); packets pass
//! between allocations of one call only. Any payload passes, so that test clients which send no media work too.

#![allow(clippy::print_stdout, reason = "the counters are its output")]
#![allow(clippy::disallowed_types, reason = "a program has sockets")]

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use visavis_turn::{Clients, DropReason, Listeners, Relay, Settings, Totals};

#[derive(Parser)]
#[command(about = "A closed TURN server: packets pass between allocations of one call, and nowhere else.")]
struct Arguments {
    /// Address of the UDP port; [::]:3478 takes IPv4 and IPv6.
    #[arg(long, value_name = "ADDR")]
    udp: SocketAddr,
    /// Address of a TCP port for clients without TLS.
    #[arg(long, value_name = "ADDR")]
    tcp: Option<SocketAddr>,
    /// Address of a TCP port for clients with TLS; needs --cert and --key.
    #[arg(long, value_name = "ADDR", requires_all = ["cert", "key"])]
    tls: Option<SocketAddr>,
    /// Certificate chain for --tls, PEM.
    #[arg(long, value_name = "FILE", requires = "tls")]
    cert: Option<PathBuf>,
    /// Key of the certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "tls")]
    key: Option<PathBuf>,
    /// File that holds the secret of the passwords; white space around it is cut off.
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// Realm of the challenges, at most 8 characters.
    #[arg(long, default_value = "visavis")]
    realm: String,
    /// Threads; as many as there are cores if not said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: Option<u16>,
    /// Allocations that one seat may hold at once.
    #[arg(long, value_name = "ALLOCATIONS_PER_SEAT", default_value_t = 48)]
    quota: u16,
    /// Bits that one seat may send a second, and as many it may receive.
    #[arg(long, value_name = "BITS_PER_SECOND", default_value_t = 8_000_000)]
    rate: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let secret = std::fs::read_to_string(&arguments.secret_file).map_err(|error| {
        format!("cannot read the secret from {}: {error}", arguments.secret_file.display())
    })?;
    let mut settings = Settings::new(&arguments.realm, secret.trim().as_bytes());
    settings.clients = Clients::Any;
    settings.allocations_per_seat = arguments.quota;
    settings.seat_bits_per_second = arguments.rate;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = arguments.workers.map_or(cores, usize::from);
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let udp =
        visavis_turn::bind(arguments.udp, workers).map_err(|error| occupied("udp", arguments.udp, &error))?;
    let mut listeners = Listeners { udp: vec![udp], ..Listeners::default() };
    if let Some(addr) = arguments.tcp {
        listeners.tcp.push(listen("tcp", addr)?);
    }
    if let (Some(addr), Some(cert), Some(key)) = (arguments.tls, &arguments.cert, &arguments.key) {
        listeners.tls.push((listen("tls", addr)?, Arc::new(tls_config(cert, key)?)));
    }
    print_addresses(&listeners)?;
    let relay = Relay::start(settings, listeners)?;
    signals.forever().next();
    print_totals(&relay.totals());
    relay.shutdown();
    Ok(())
}

fn occupied(option: &str, addr: SocketAddr, error: &std::io::Error) -> String {
    format!("cannot listen on {addr}: {error}; choose another address with --{option}")
}

fn listen(option: &str, addr: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(addr).map_err(|error| occupied(option, addr, &error))
}

fn tls_config(cert: &Path, key: &Path) -> Result<ServerConfig, Box<dyn Error>> {
    let unusable = |file: &Path, error: &dyn Error| format!("cannot use {}: {error}", file.display());
    let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect);
    let chain: Vec<_> = chain.map_err(|error| unusable(cert, &error))?;
    let key_of_chain = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key_of_chain)
        .map_err(|error| unusable(cert, &error))?;
    // RFC 7443; clients that name no protocol are served as well.
    config.alpn_protocols = vec![b"stun.turn".to_vec()];
    Ok(config)
}

fn print_addresses(listeners: &Listeners) -> std::io::Result<()> {
    for group in &listeners.udp {
        println!("listening on UDP {}, {} workers", group[0].local_addr()?, group.len());
    }
    for listener in &listeners.tcp {
        println!("listening on TCP {}", listener.local_addr()?);
    }
    for (listener, _) in &listeners.tls {
        println!("listening on TLS {}", listener.local_addr()?);
    }
    Ok(())
}

fn print_totals(totals: &Totals) {
    println!("datagrams received {}, sent {}", totals.io.received, totals.io.sent);
    println!("socket errors receiving {}, sending {}", totals.io.receive_errors, totals.io.send_errors);
    println!("packets overtaken on slow streams {}", totals.io.overtaken);
    println!("allocations made {}, alive {}", totals.counters.allocations_made, totals.allocations);
    println!("credentials refused {}", totals.counters.credentials_refused);
    println!("relayed packets {}, bytes {}", totals.counters.relayed_packets, totals.counters.relayed_bytes);
    for reason in DropReason::ALL {
        println!("dropped, {}: {}", reason.label(), totals.counters.dropped(reason));
    }
}
