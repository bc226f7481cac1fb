//! Backup and restore: what was acknowledged before a backup began is there after its restore, and what does not fit is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use reqwest::Method;
use serde_json::json;
use sqlx::{AnyConnection, Connection};

use crate::common::{Ending, Server, cli, command, refusal, success, within};
use crate::postgres::Cluster;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn restore(data_dir: &Path, file: &Path, more: &[&str]) -> std::process::Output {
    cli(&[&["--data-dir", text(data_dir), "restore", text(file)], more].concat()).await
}

/// A directory that holds this key and nothing else.
fn directory_with_key(home: &Path, key: &Path) -> std::path::PathBuf {
    let directory = home.join("restored");
    fs::create_dir(&directory).unwrap();
    fs::copy(key, directory.join("key")).unwrap();
    directory
}

#[tokio::test]
async fn a_backup_under_load_holds_all_that_was_acknowledged_before_it_began() {
    let server = Server::start().await;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("backup");
    let mut before = Vec::new();
    for _ in 0..20 {
        before.push(server.issue_now().await);
    }
    let load = async {
        loop {
            server.api(Method::POST, "/api/consultations", Some(json!({}))).await;
        }
    };
    let arguments = ["backup", text(&file)];
    let output = tokio::select! {
        output = server.cli(&arguments) => output,
        () = load => unreachable!("the load goes on"),
    };
    assert!(success(&output).contains("checked"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "never the key unless asked");
    let left = fs::read_dir(server.data_dir()).unwrap().flatten();
    assert!(!left.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with("backup-")));

    let directory = directory_with_key(home.path(), &server.data_dir().join("key"));
    let said = success(&restore(&directory, &file, &[]).await);
    assert!(said.contains("Put back") && said.contains("repeat withdrawals"), "{said}");
    let mut restored = Server::start().await;
    restored.end(Ending::Terminate).await;
    fs::remove_dir_all(restored.data_dir()).unwrap();
    fs::rename(&directory, restored.data_dir()).unwrap();
    restored.restart_if_ended().await;
    for issued in &before {
        assert_eq!(restored.seats(issued.id()).await.len(), 2, "{}", issued.id());
    }
    restored.page().await.enter(before[0].code(1)).await;
}

#[tokio::test]
async fn a_backup_goes_to_standard_output_and_comes_from_standard_input_and_works_without_a_server() {
    let mut server = Server::start().await;
    let issued = server.issue_now().await;
    server.end(Ending::Terminate).await;
    let output = server.cli(&["backup", "-"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.starts_with(b"SQLite format 3\0"));
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, &output.stdout).unwrap();
    let data_dir = server.data_dir();
    let mut restoring = command();
    restoring.args(["--data-dir", text(&data_dir), "restore", "-", "--replace"]);
    restoring.stdin(fs::File::open(&file).unwrap());
    success(&within("the restore", restoring.output()).await.unwrap());
    server.restart_if_ended().await;
    assert_eq!(server.seats(issued.id()).await.len(), 2);
    let with_key = server.cli(&["backup", text(&file), "--with-key"]).await;
    assert!(success(&with_key).contains("keep it apart"));
    let key = home.path().join("file.key");
    assert_eq!(fs::read(&key).unwrap(), fs::read(data_dir.join("key")).unwrap());
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_restore_refuses_what_does_not_fit_and_changes_nothing() {
    let mut server = Server::start().await;
    server.issue_now().await;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("backup");
    success(&server.cli(&["backup", text(&file)]).await);
    let data_dir = server.data_dir();
    let running = refusal(&restore(&data_dir, &file, &["--replace"]).await);
    assert!(running.contains("Stop it"), "{running}");
    server.end(Ending::Terminate).await;
    let there = refusal(&restore(&data_dir, &file, &[]).await);
    assert!(there.contains("--replace"), "{there}");

    let whole = fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    let page = damaged.len() / 2 / 4096 * 4096;
    damaged[page..page + 4096].fill(0xff);
    for (content, said) in [
        (&b"this is no database, whatever its name says"[..], "no backup of visavis"),
        (&whole[..whole.len() / 2], "damaged"),
        (&damaged, "damaged"),
        (b"", "no backup of visavis"),
    ] {
        let broken = home.path().join("broken");
        fs::write(&broken, content).unwrap();
        let sentence = refusal(&restore(&data_dir, &broken, &["--replace"]).await);
        assert!(sentence.contains(said) && sentence.contains("nothing was changed"), "{sentence}");
    }
    sqlx::any::install_default_drivers();
    let newer = home.path().join("newer");
    fs::copy(&file, &newer).unwrap();
    let mut database = AnyConnection::connect(&format!("sqlite://{}", newer.display())).await.unwrap();
    let sql = "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) \
         SELECT 9999, 'newer', installed_on, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1";
    sqlx::query(sql).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
    let sentence = refusal(&restore(&data_dir, &newer, &["--replace"]).await);
    assert!(sentence.contains("newer"), "{sentence}");
    let key = fs::read(data_dir.join("key")).unwrap();
    for (content, said) in [("A".repeat(43), "not the one"), (String::new(), "missing")] {
        fs::write(data_dir.join("key"), content).unwrap();
        let sentence = refusal(&restore(&data_dir, &file, &["--replace"]).await);
        assert!(sentence.contains(said), "{sentence}");
    }
    fs::write(data_dir.join("key"), key).unwrap();
    let names = fs::read_dir(&data_dir).unwrap().flatten().map(|entry| entry.file_name());
    assert!(!names.into_iter().any(|name| name.to_string_lossy().contains("restore")), "no draft is left");
    server.restart_if_ended().await;
    assert_eq!(success(&server.cli(&["consultation", "list"]).await).lines().count(), 1, "as before");
}

#[tokio::test]
async fn postgresql_is_kept_by_its_own_tools_and_made_ready_by_ours() {
    let cluster = Cluster::start();
    let url_file = cluster.url_file();
    let mut server = Server::start_with(&["--database-url-file", &url_file], &[]).await;
    server.issue_now().await;
    let sentence = refusal(&server.cli(&["backup", "file"]).await);
    assert!(sentence.contains("pg_dump"), "{sentence}");
    server.end(Ending::Terminate).await;
    let said = success(&server.cli(&["restore"]).await);
    assert!(said.contains("Put back: 1 consultations"), "{said}");
    let mut database = AnyConnection::connect(&cluster.url()).await.unwrap();
    let marked: Option<i64> =
        sqlx::query_scalar("SELECT restored_at FROM server").fetch_one(&mut database).await.unwrap();
    assert!(marked.is_some());
}
