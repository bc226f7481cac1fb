//! Seats, knocks and what travels between pages, on the running binary.

mod ends;
mod errors;
mod races;
mod resuming;
mod seats;
mod waiting;

use crate::common::{Server, walk};

#[tokio::test]
async fn two_codes_lead_to_a_call_and_to_its_end() {
    let mut server = Server::start().await;
    walk::from_codes_to_the_end(&mut server).await;
}
