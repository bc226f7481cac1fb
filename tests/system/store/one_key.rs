//! A database is known again: by its key, by its tables, and by the directory that has used it.

use std::fs;

use sqlx::{AnyConnection, Connection};

use crate::common::{Ending, Server, cli, refusal, success};
use crate::postgres::Cluster;

/// 43 base64url characters, another server's.
const FOREIGN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

async fn start_is_refused(server: &Server, named: &[&str]) {
    let data_dir = server.data_dir();
    let arguments = ["--data-dir", data_dir.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let sentence = refusal(&cli(&arguments).await);
    for name in named {
        assert!(sentence.contains(name), "{name}: {sentence}");
    }
}

#[tokio::test]
async fn a_missing_or_foreign_key_beside_a_filled_database_refuses_the_start() {
    let mut server = Server::start().await;
    let issued = server.issue_now().await;
    server.end(Ending::Terminate).await;
    let path = server.data_dir().join("key");
    let key = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    start_is_refused(&server, &[path.to_str().unwrap(), "missing", "Put it back"]).await;
    assert!(!path.exists(), "no other key is made");
    fs::write(&path, FOREIGN).unwrap();
    start_is_refused(&server, &[path.to_str().unwrap(), "not the one"]).await;
    let output = server.cli(&["consultation", "new"]).await;
    assert!(refusal(&output).contains("not the one"), "the command line makes no codes under a foreign key");
    fs::write(&path, key).unwrap();
    server.restart_if_ended().await;
    server.page().await.enter(issued.code(1)).await;
}

#[tokio::test]
async fn postgresql_and_a_new_directory_without_the_key_or_with_another_are_refused() {
    let cluster = Cluster::start();
    let url_file = cluster.url_file();
    let mut server = Server::start_with(&["--database-url-file", &url_file], &[]).await;
    server.issue_now().await;
    server.end(Ending::Terminate).await;
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("new");
    let foreign = home.path().join("foreign");
    fs::write(&foreign, FOREIGN).unwrap();
    let own = server.data_dir().join("key");
    let flags = ["--data-dir", data_dir.to_str().unwrap(), "--database-url-file", &url_file];
    let list = ["consultation", "list"];
    let sentence = refusal(&cli(&[&flags[..], &list].concat()).await);
    assert!(sentence.contains("missing"), "{sentence}");
    let with = |key: &std::path::Path| {
        [&flags[..], &["--key-file", key.to_str().unwrap()], &list].concat().join("\n")
    };
    let run = async |arguments: String| cli(&arguments.lines().collect::<Vec<_>>()).await;
    let sentence = refusal(&run(with(&foreign)).await);
    assert!(sentence.contains("not the one"), "{sentence}");
    assert_eq!(success(&run(with(&own)).await).lines().count(), 1, "the right key opens it");
}

#[tokio::test]
async fn a_missing_or_empty_database_in_a_directory_that_has_served_refuses_the_start() {
    let mut server = Server::start().await;
    server.issue_now().await;
    server.end(Ending::Terminate).await;
    let data_dir = server.data_dir();
    let database = data_dir.join("visavis.db");
    let whole = fs::read(&database).unwrap();
    fs::remove_file(&database).unwrap();
    start_is_refused(&server, &["missing or empty", "directory-id"]).await;
    fs::write(&database, "").unwrap();
    start_is_refused(&server, &["missing or empty", "directory-id"]).await;
    fs::write(&database, whole).unwrap();
    server.restart_if_ended().await;
    assert_eq!(success(&server.cli(&["consultation", "list"]).await).lines().count(), 1);
    server.end(Ending::Terminate).await;
    fs::remove_file(&database).unwrap();
    fs::remove_file(data_dir.join("directory-id")).unwrap();
    server.restart_if_ended().await;
    assert_eq!(success(&server.cli(&["consultation", "list"]).await), "", "begun anew as asked");
}

#[tokio::test]
async fn tables_of_a_newer_release_are_said_to_be_newer() {
    let mut server = Server::start().await;
    server.end(Ending::Terminate).await;
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}/visavis.db", server.data_dir().display());
    let mut database = AnyConnection::connect(&url).await.unwrap();
    let sql = "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) \
         SELECT 9999, 'newer', installed_on, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1";
    sqlx::query(sql).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
    let arguments =
        ["--data-dir", server.data_dir().to_str().unwrap(), "--listen", "127.0.0.1:0"].map(str::to_owned);
    let sentence = refusal(&cli(&arguments.each_ref().map(String::as_str)).await);
    assert!(sentence.contains("newer") && sentence.contains("older"), "{sentence}");
    assert!(!sentence.contains("backup"), "{sentence}");
}
