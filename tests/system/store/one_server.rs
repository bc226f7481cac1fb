//! One server for each store: the second one is refused, the same directory takes over at once.

use std::fs;
use std::path::Path;

use sqlx::{AnyConnection, Connection};

use crate::common::{Ending, Server, cli, refusal, walk};
use crate::postgres::Cluster;

async fn start_elsewhere(url_file: &str, data_dir: &Path) -> String {
    let data_dir = data_dir.to_str().unwrap();
    let arguments = ["--data-dir", data_dir, "--listen", "127.0.0.1:0", "--database-url-file", url_file];
    refusal(&cli(&arguments).await)
}

#[tokio::test]
async fn a_second_server_on_the_same_postgresql_is_refused_until_the_first_has_gone() {
    let cluster = Cluster::start();
    let url_file = cluster.url_file();
    let flags = ["--database-url-file", url_file.as_str()];
    let mut first = Server::start_with(&flags, &[]).await;
    let mut call = walk::call(&first).await;
    let home = tempfile::tempdir().unwrap();
    let elsewhere = home.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::copy(first.data_dir().join("key"), elsewhere.join("key")).unwrap();
    let sentence = start_elsewhere(&url_file, &elsewhere).await;
    assert!(sentence.contains("Another visavis") && sentence.contains("wait"), "{sentence}");
    let arguments =
        ["--data-dir", elsewhere.to_str().unwrap(), "--database-url-file", &url_file, "consultation", "new"];
    let sentence = refusal(&cli(&arguments).await);
    assert!(sentence.contains("Another visavis"), "the command line, too: {sentence}");
    call.doctor.describe(2, call.patient_place.incarnation, "the first goes on").await;
    assert_eq!(call.patient.expect("description").await["description"]["sdp"], "the first goes on");

    first.restart(Ending::Kill).await;
    first.page().await.resume(&call.patient_place).await;
    first.end(Ending::Kill).await;
    let sentence = start_elsewhere(&url_file, &elsewhere).await;
    assert!(sentence.contains("if it has crashed"), "another directory waits: {sentence}");
    sqlx::any::install_default_drivers();
    let mut database = AnyConnection::connect(&cluster.url()).await.unwrap();
    sqlx::query("UPDATE server SET held_until = 0").execute(&mut database).await.unwrap();
    let key = first.data_dir().join("key");
    let flags = ["--database-url-file", url_file.as_str(), "--key-file", key.to_str().unwrap()];
    let mut second = Server::start_with(&flags, &[]).await;
    assert_eq!(second.seats(call.issued.id()).await.len(), 2, "once the lease has run out");

    second.end(Ending::Terminate).await;
    first.restart_if_ended().await;
    assert_eq!(first.seats(call.issued.id()).await.len(), 2, "who ends lets go at once");
}

#[tokio::test]
async fn of_two_servers_on_copies_of_one_directory_the_later_stays_and_the_earlier_ends() {
    let cluster = Cluster::start();
    let url_file = cluster.url_file();
    let flags = ["--database-url-file", url_file.as_str()];
    let mut first = Server::start_with(&flags, &[]).await;
    let mut second = Server::start().await;
    second.end(Ending::Terminate).await;
    for file in ["key", "directory-id", "operator-token"] {
        fs::copy(first.data_dir().join(file), second.data_dir().join(file)).unwrap();
    }
    let second = Server::start_in(second, &flags).await;
    assert_eq!(first.ended().await, Some(2));
    let said = async || first.log().contains("taken the database over").then_some(());
    first.until("the reason", said).await;
    second.issue_now().await;
}
