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
use visavis_turn::{DropReason, FirstByte, Relay, Settings, Totals};

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
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let secret = std::fs::read_to_string(&arguments.secret_file).map_err(|error| {
        format!("cannot read the secret from {}: {error}", arguments.secret_file.display())
    })?;
    let mut settings = Settings::new(&arguments.realm, secret.trim().as_bytes());
    settings.first_byte = FirstByte::Any;
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let socket = visavis_turn::bind(arguments.udp).map_err(|error| {
        format!("cannot listen on UDP {}: {error}; choose another with --udp", arguments.udp)
    })?;
    let relay = Relay::start(settings, socket)?;
    println!("listening on UDP {}", relay.local_addr());
    signals.forever().next();
    print_totals(&relay.totals());
    relay.shutdown();
    Ok(())
}

fn print_totals(totals: &Totals) {
    println!("datagrams received {}, sent {}", totals.socket.received, totals.socket.sent);
    println!(
        "socket errors receiving {}, sending {}",
        totals.socket.receive_errors, totals.socket.send_errors
    );
    println!("allocations made {}, alive {}", totals.counters.allocations_made, totals.allocations);
    println!("credentials refused {}", totals.counters.credentials_refused);
    println!("relayed packets {}, bytes {}", totals.counters.relayed_packets, totals.counters.relayed_bytes);
    for reason in DropReason::ALL {
        println!("dropped, {}: {}", reason.label(), totals.counters.dropped(reason));
    }
}
