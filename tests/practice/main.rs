//! The practice's API on the running binary: who gets in, who may do what, what is planned, what the desk hears, what goes by itself.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail loudly and print what they measure")]

#[path = "../common/mod.rs"]
mod common;
mod entrance;
mod live;
mod people;
mod plans;
mod retention;
mod software;

use common::Server;

#[tokio::test]
async fn a_practice_works_on_sqlite() {
    common::desk::through_a_practice(&Server::start().await).await;
}
