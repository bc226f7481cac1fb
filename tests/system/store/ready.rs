//! `/readyz`: what the server finds of itself, each part with its reason.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection};

use crate::common::Server;
use crate::common::disk::SmallDisk;
use crate::one_port::Secure;

async fn ready(server: &Server) -> (u16, Value) {
    let answer = server.http().get(server.url("/readyz")).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn state<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    &checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {report}"))["state"]
}

#[tokio::test]
async fn each_part_is_told_to_neighbours_and_strangers_read_whether_alone() {
    let server = Server::start_with(&["--trusted-proxies", "127.0.0.0/8"], &[]).await;
    let (status, report) = ready(&server).await;
    assert_eq!((status, &report["status"]), (200, &json!("ready")), "{report}");
    for part in ["store", "relay", "descriptors"] {
        assert_eq!(state(&report, part), "ok", "{report}");
    }
    assert_ne!(state(&report, "space"), "failing", "{report}");
    let request = server.http().get(server.url("/readyz")).header("x-forwarded-for", "203.0.113.9");
    let told: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(told, json!({ "status": "ready" }));
    let secure = Secure::start().await;
    let (_, report) = ready(&secure.server).await;
    assert_ne!(state(&report, "certificate"), "failing", "{report}");
}

#[tokio::test]
async fn a_full_disk_is_said_and_so_is_its_end() {
    let Some(disk) = SmallDisk::mount(3 << 20).await else { return };
    let server = Server::start_on(disk).await;
    assert_eq!(ready(&server).await.0, 200);
    server.disk().fill_to(0);
    let report = server
        .until("that the server is not ready", async || {
            let (status, report) = ready(&server).await;
            (status == 503).then_some(report)
        })
        .await;
    assert_eq!(report["status"], "not ready");
    assert_eq!(state(&report, "space"), "failing", "{report}");
    assert!(server.log().contains("the server is not ready"), "{}", server.log());
    server.disk().free();
    server.until("that it is ready again", async || (ready(&server).await.0 == 200).then_some(())).await;
}

#[tokio::test]
async fn a_probe_writes_nothing() {
    let server = Server::start().await;
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}/visavis.db", server.data_dir().display());
    let mut database = AnyConnection::connect(&url).await.unwrap();
    let (begin, mut seen) = (Instant::now(), BTreeSet::new());
    for _ in 0..200 {
        ready(&server).await;
        let sql = "SELECT held_until FROM server";
        let held: i64 = sqlx::query_scalar(sql).fetch_one(&mut database).await.unwrap();
        seen.insert(held);
    }
    let looks = begin.elapsed().as_secs() / Duration::from_secs(10).as_secs() + 2;
    assert!(seen.len() as u64 <= looks, "{} writes in {looks} looks", seen.len());
}
