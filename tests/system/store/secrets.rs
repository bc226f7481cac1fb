//! Secret files: made whole or not at all, made anew while nothing depends on them, and kept from others on the machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::common::disk::SmallDisk;
use crate::common::{Ending, Server, cli, refusal, success};

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn asks_for_room(sentence: &str, disk: &SmallDisk) {
    let directory = disk.inside().join("data");
    assert!(sentence.contains(&format!("Make room in {}", directory.display())), "{sentence}");
    assert!(!sentence.contains("backup"), "{sentence}");
}

#[tokio::test]
async fn a_first_start_on_a_full_disk_asks_for_room_and_the_next_one_succeeds() {
    for pages in [0, 1, 3, 30] {
        let Some(disk) = SmallDisk::mount(3 << 20).await else { return };
        disk.fill_to(pages);
        asks_for_room(&refusal(&disk.run(&LISTEN).await), &disk);
        disk.free();
        success(&disk.run(&["consultation", "new"]).await);
    }
}

#[tokio::test]
async fn a_start_on_a_disk_that_has_filled_up_asks_for_room_and_never_for_a_backup() {
    let Some(disk) = SmallDisk::mount(3 << 20).await else { return };
    let mut server = Server::start_on(disk).await;
    let issued = server.issue_now().await;
    server.end(Ending::Terminate).await;
    server.disk().fill_to(0);
    asks_for_room(&refusal(&server.disk().run(&LISTEN).await), server.disk());
    server.disk().free();
    server.restart_if_ended().await;
    assert_eq!(server.seats(issued.id()).await.len(), 2);
}

#[tokio::test]
async fn an_unfinished_key_is_made_anew_where_the_database_is_missing_or_empty() {
    for content in ["", "half_of-a-key"] {
        let home = tempfile::tempdir().unwrap();
        let key = home.path().join("key");
        fs::write(&key, content).unwrap();
        let data_dir = home.path().to_str().unwrap();
        success(&cli(&["--data-dir", data_dir, "practice", "list"]).await);
        assert_eq!(fs::read_to_string(&key).unwrap().len(), 43);
        fs::write(&key, content).unwrap();
        success(&cli(&["--data-dir", data_dir, "practice", "list"]).await);
        assert_eq!(fs::read_to_string(&key).unwrap().len(), 43, "the database holds nothing yet");
    }
}

#[tokio::test]
async fn an_empty_token_and_an_empty_certificate_of_our_own_are_made_anew() {
    let home = tempfile::tempdir().unwrap();
    for file in ["operator-token", "self-made-certificate.pem"] {
        fs::write(home.path().join(file), "").unwrap();
    }
    success(&cli(&["--data-dir", home.path().to_str().unwrap(), "practice", "list"]).await);
    assert_eq!(fs::read_to_string(home.path().join("operator-token")).unwrap().len(), 43);
    let mut server = Server::start_with(&["--self-made-certificate"], &[]).await;
    let certificate = server.data_dir().join("self-made-certificate.pem");
    server.end(Ending::Terminate).await;
    fs::write(&certificate, "").unwrap();
    server.restart_if_ended().await;
    assert!(fs::read_to_string(&certificate).unwrap().contains("PRIVATE KEY"));
}

#[tokio::test]
async fn rights_of_others_are_taken_from_the_database_and_said_of_the_secrets() {
    let mut server = Server::start().await;
    server.issue_now().await;
    let data_dir = server.data_dir();
    for file in ["visavis.db", "visavis.db-wal", "visavis.db-shm", "visavis.lock"] {
        assert_eq!(mode(&data_dir.join(file)), 0o600, "{file}");
    }
    server.end(Ending::Terminate).await;
    for file in ["visavis.db", "visavis.lock", "key"] {
        fs::set_permissions(data_dir.join(file), Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(&data_dir, Permissions::from_mode(0o777)).unwrap();
    server.restart_if_ended().await;
    for file in ["visavis.db", "visavis.db-wal", "visavis.lock"] {
        assert_eq!(mode(&data_dir.join(file)), 0o600, "{file}");
    }
    let said = |about: &Path, what: &str| {
        server.log().lines().any(|line| line.contains(about.to_str().unwrap()) && line.contains(what))
    };
    assert!(said(&data_dir.join("key"), "0644"), "{}", server.log());
    assert!(said(&data_dir, "0777"), "{}", server.log());
}
