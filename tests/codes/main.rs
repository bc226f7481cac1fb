//! From the operator's wish to a code that opens a seat: command line, HTTP API, the answers a code gets, and starts that cannot be.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail loudly and print what they measure")]

mod api;
mod command_line;
#[path = "../common/mod.rs"]
mod common;
mod starting;
mod table;
