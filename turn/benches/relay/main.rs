//! The relay's benchmark: `cargo bench -p visavis-turn --bench relay`; turn/benches/README.md says what it measures.
//!
//! A load generator of its own plays the clients of many calls, on loopback, against three servers in turn: the
//! example relay, coturn and the server of the crate `turn`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures are its output")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it is about sockets and time")]

mod arguments;
mod client;
mod control;
mod load;
mod measure;
mod process;
mod report;
mod rows;
mod server;
mod socket;
mod turn_crate;

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Parser;
use rand::TryRng;
use rand::rngs::SysRng;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::arguments::Arguments;
use crate::measure::{Sample, measure};
use crate::report::{Results, sample_line, tables};
use crate::rows::Row;
use crate::server::{Kind, Launcher};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let (Some(addr), Some(file)) = (arguments.serve_turn_crate, &arguments.secret_file) {
        let secret = std::fs::read_to_string(file)?;
        return turn_crate::serve(addr, secret.trim(), arguments.workers);
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let servers = installed(&arguments.servers);
    let launcher = launcher(&arguments)?;
    let mut results: Vec<Results> =
        arguments.rows().into_iter().map(|row| Results { row, samples: Vec::new() }).collect();
    for round in 1..=arguments.rounds {
        for result in &mut results {
            for place in 0..servers.len() {
                if interrupted.load(Ordering::Relaxed) {
                    return Err("interrupted".into());
                }
                // Another server is first in each round.
                let kind = servers[(place + round as usize) % servers.len()];
                match sample(&launcher, kind, result.row) {
                    Ok(sample) => {
                        eprintln!("{}", sample_line(round, result.row, kind, &sample));
                        result.samples.push((round, kind, sample));
                    }
                    Err(error) => {
                        eprintln!("round {round}, {}, {}: failed: {error}", result.row.name, kind.name());
                    }
                }
            }
        }
    }
    println!("{}", tables(&results, arguments.rounds, arguments.workers));
    Ok(())
}

/// The servers that can run here; says what is missing.
fn installed(asked_for: &[Kind]) -> Vec<Kind> {
    let mut servers = asked_for.to_vec();
    if servers.contains(&Kind::Coturn) && server::coturn_version().is_none() {
        eprintln!(
            "coturn is not installed, so it is left out: no program `{}`; `apt install coturn` brings it",
            server::COTURN
        );
        servers.retain(|kind| *kind != Kind::Coturn);
    }
    servers
}

/// With a secret of this run in a file that only this user reads.
fn launcher(arguments: &Arguments) -> Result<Launcher, Box<dyn Error>> {
    let relay = match &arguments.relay {
        Some(relay) => relay.clone(),
        None if arguments.servers.contains(&Kind::Ours) => server::build_relay()?,
        None => "relay".into(),
    };
    let directory = tempfile::Builder::new().prefix("relay-bench-").tempdir()?;
    let mut random = [0; 24];
    SysRng.try_fill_bytes(&mut random)?;
    let secret = BASE64_STANDARD.encode(random);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(directory.path().join("secret"))?;
    file.write_all(secret.as_bytes())?;
    Ok(Launcher { relay, workers: arguments.workers, directory, secret })
}

/// A fresh server, one row, and the server's end.
fn sample(launcher: &Launcher, kind: Kind, row: &Row) -> Result<Sample, String> {
    let server = launcher.start(kind).map_err(|error| error.to_string())?;
    // In a thread of its own, for its sleep is made precise, and later servers would inherit that.
    thread::scope(|scope| {
        let measuring =
            scope.spawn(|| measure(row.work, &server, &launcher.secret).map_err(|error| error.to_string()));
        measuring.join().unwrap_or_else(|_| Err("the generator panicked: its message is above".to_owned()))
    })
}
