//! Seats, knocks and what travels between pages, on the running binary.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail loudly and print what they measure")]

#[path = "../common/mod.rs"]
mod common;
mod ends;
mod errors;
mod resuming;
mod seats;
mod waiting;

use common::{Server, walk};

#[tokio::test]
async fn two_codes_lead_to_a_call_and_to_its_end() {
    let mut server = Server::start().await;
    walk::from_codes_to_the_end(&mut server).await;
}
