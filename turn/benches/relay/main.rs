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
mod statistics;
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
use crate::measure::{SLICES, Sample, Subject};
use crate::report::{Results, sample_line, tables};
use crate::server::{Kind, Launcher, Server};

/// What went wrong, as a sentence; it crosses threads.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    if let (Some(addr), Some(file)) = (arguments.serve_turn_crate, &arguments.secret_file) {
        let secret = std::fs::read_to_string(file)?;
        return turn_crate::serve(addr, secret.trim(), arguments.workers);
    }
    if !arguments.as_child.is_empty() {
        server::become_child(&arguments.as_child)?;
    }
    server::allow_descriptors()?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let mut servers = installed(&arguments.servers);
    let launcher = launcher(&arguments)?;
    let mut results: Vec<Results> =
        arguments.rows().into_iter().map(|row| Results { row, samples: Vec::new() }).collect();
    let mut failed = 0;
    for round in 1..=arguments.rounds {
        if interrupted.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
        for family in results.chunk_by_mut(|one, next| one.row.family == next.row.family) {
            // Another server is first in each round.
            servers.rotate_left(1);
            for (place, kind, outcome) in compare(&launcher, &servers, family, &interrupted) {
                let row = family[place].row;
                match outcome {
                    Ok(sample) => {
                        eprintln!("{}", sample_line(round, row, kind, &sample));
                        family[place].samples.push((round, kind, sample));
                    }
                    Err(error) => {
                        failed += 1;
                        eprintln!("round {round}, {}, {}: failed: {error}", row.name, kind.name());
                    }
                }
            }
        }
    }
    println!("{}", tables(&results, arguments.rounds, arguments.workers));
    if failed > 0 {
        return Err(
            format!("{failed} samples failed and are not in the table; the lines above say why").into()
        );
    }
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
fn launcher(arguments: &Arguments) -> Result<Launcher, Failure> {
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

/// A family of rows in one round: fresh servers for each, slices of their work in turn, so that all meet the same
/// minute of the machine, and the servers' end. Gives the row's place in the family, the server and its sample.
fn compare(
    launcher: &Launcher,
    servers: &[Kind],
    family: &[Results],
    interrupted: &AtomicBool,
) -> Vec<(usize, Kind, Result<Sample, Failure>)> {
    let places = (0..family.len()).flat_map(|place| servers.iter().map(move |kind| (place, *kind)));
    let started: Vec<_> = places.map(|(place, kind)| (place, kind, launcher.start(kind))).collect();
    // In a thread of its own, for its sleep is made precise, and servers started later would inherit that.
    thread::scope(|scope| {
        let measuring = scope.spawn(|| {
            let prepare = |(place, kind, server): (usize, Kind, Result<Server, Failure>)| {
                let work = family[place].row.work;
                (place, kind, server.and_then(|server| Subject::prepare(server, work, &launcher.secret)))
            };
            let mut subjects: Vec<_> = started.into_iter().map(prepare).collect();
            for _ in 0..SLICES {
                for (.., subject) in &mut subjects {
                    if interrupted.load(Ordering::Relaxed) {
                        *subject = Err("interrupted".into());
                    }
                    if let Ok(running) = subject
                        && let Err(error) = running.slice()
                    {
                        *subject = Err(error);
                    }
                }
            }
            let sample = |(place, kind, subject): (usize, Kind, Result<Subject, Failure>)| {
                (place, kind, subject.and_then(Subject::sample))
            };
            subjects.into_iter().map(sample).collect()
        });
        measuring.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
