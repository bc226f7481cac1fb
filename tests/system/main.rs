//! The running binary from outside: HTTP, signaling, the relay on its port, the store on disk and on PostgreSQL. One program, so that it
//! is linked once and one test's waits are another's time.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail loudly and print what they measure")]

mod addresses;
mod bounds;
mod codes;
mod common;
mod guessing;
mod hostile;
mod one_port;
mod postgres;
mod practice;
mod privacy;
mod signaling;
mod store;
mod storms;
