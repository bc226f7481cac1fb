//! The practice's API on the running binary: who gets in, who may do what, what is planned, what the desk hears, what goes by itself.

mod checks;
mod doctors_code;
mod entrance;
mod export;
mod live;
mod people;
mod plans;
mod retention;
mod software;

use crate::common::Server;

#[tokio::test]
async fn a_practice_works_on_sqlite() {
    crate::common::desk::through_a_practice(&Server::start().await).await;
}
