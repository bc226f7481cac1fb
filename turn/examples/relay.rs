//! A relay on its own: `relay --udp 127.0.0.1:3478 --secret-file F --realm R`, until SIGTERM or Ctrl-C.
//!
//! Clients name themselves `expiry:call:seat` with the password base64(HMAC-SHA1(secret, user name)); packets pass
//! between allocations of one call only. Any payload passes, so that test clients which send no media work too.

#![allow(clippy::print_stdout, reason = "the counters are its output")]

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use visavis_turn::{Clients, DropReason, Listeners, Relay, Settings, Totals};

#[derive(Parser)]
#[command(about = "A closed TURN server: packets pass between allocations of one call, and nowhere else.")]
struct Arguments {
    /// Address of the UDP port; [::]:3478 takes IPv4 and IPv6.
    #[arg(long, value_name = "ADDR")]
    udp: SocketAddr,
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
    let udp = visavis_turn::bind(arguments.udp, workers).map_err(|error| {
        format!("cannot listen on UDP {}: {error}; choose another with --udp", arguments.udp)
    })?;
    let relay = Relay::start(settings, Listeners { udp: vec![udp] })?;
    println!("listening on UDP {}", relay.local_addr());
    signals.forever().next();
    print_totals(&relay.totals());
    relay.shutdown();
    Ok(())
}

fn print_totals(totals: &Totals) {
    println!("datagrams received {}, sent {}", totals.io.received, totals.io.sent);
    println!("socket errors receiving {}, sending {}", totals.io.receive_errors, totals.io.send_errors);
    println!("allocations made {}, alive {}", totals.counters.allocations_made, totals.allocations);
    println!("credentials refused {}", totals.counters.credentials_refused);
    println!("relayed packets {}, bytes {}", totals.counters.relayed_packets, totals.counters.relayed_bytes);
    for reason in DropReason::ALL {
        println!("dropped, {}: {}", reason.label(), totals.counters.dropped(reason));
    }
}
