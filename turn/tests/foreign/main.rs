//! TURN clients of others against the stand-alone relay, which runs as a child process: coturn's test client, aioice,
//! GStreamer's webrtcbin and werift. Each test needs a program that not everyone has, and names it if it is missing;
//! `tests/run` installs them all and runs
//! `tests/browser/in-namespace cargo test --profile ci --workspace --tests -- --ignored --test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(clippy::print_stdout, reason = "the tests print what they saw")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests are about running programs"
)]

mod certificate;
mod coturn;
mod pairs;
#[allow(dead_code, reason = "tests/socket uses the rest")]
mod programs;
#[allow(dead_code, reason = "as above")]
mod relay;
mod uclient;
