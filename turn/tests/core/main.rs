//! The relay's state machine, told its time and handed its datagrams.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod support;

mod allocate;
mod browsers;
mod ends;
mod guards;
mod lab;
mod lessons;
mod lifetimes;
mod permissions;
mod ports;
mod relaying;
mod strangers;
