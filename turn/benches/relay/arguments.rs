//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::rows::{ROWS, Row};
use crate::server::Kind;

/// The relay against coturn and the server of the crate `turn`: CPU per delivered packet, loss, latency, memory.
#[derive(Parser)]
pub struct Arguments {
    /// Rounds; each runs every row against every server.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Rows to run, by name; all if none is given.
    #[arg(long, value_name = "ROW,...", value_delimiter = ',', value_parser = row)]
    pub only: Vec<&'static Row>,
    /// Servers to run.
    #[arg(long, value_name = "SERVER,...", value_delimiter = ',', value_enum,
          default_values_t = [Kind::Ours, Kind::Coturn, Kind::Turn])]
    pub servers: Vec<Kind>,
    /// An example relay that is built already; without it, cargo builds one.
    #[arg(long, value_name = "PATH")]
    pub relay: Option<PathBuf>,
    /// Threads that relay, in each server.
    #[arg(long, default_value_t = 1)]
    pub workers: usize,
    /// How this program serves as the crate `turn`'s server, in a process of its own.
    #[arg(long, hide = true, value_name = "ADDR", requires = "secret_file")]
    pub serve_turn_crate: Option<SocketAddr>,
    #[arg(long, hide = true, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// How this program starts another that ends with it.
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true, value_name = "PROGRAM")]
    pub as_child: Vec<OsString>,
    /// `cargo bench` adds it.
    #[arg(long, hide = true)]
    pub bench: bool,
}

impl Arguments {
    /// The rows asked for, in the table's order.
    pub fn rows(&self) -> Vec<&'static Row> {
        let is_asked_for =
            |row: &&Row| self.only.is_empty() || self.only.iter().any(|only| only.name == row.name);
        ROWS.iter().filter(is_asked_for).collect()
    }
}

fn row(name: &str) -> Result<&'static Row, String> {
    let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
    ROWS.iter().find(|row| row.name == name).ok_or_else(|| format!("the rows are {}", names.join(", ")))
}
