//! A running relay on loopback, spoken to over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "these tests are about sockets")]

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod support;

mod foreign_client;
mod over_sockets;
mod streams;
