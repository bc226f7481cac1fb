//! Everything that is stored of a practice, in one file.

use std::collections::BTreeSet;

use chrono::{Duration, Utc};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::common::Server;
use crate::common::desk::Practice;

/// So many exports at once, of so many consultations with sealed records of 16 kB.
const AT_ONCE: usize = 20;
const CONSULTATIONS: usize = 400;

#[tokio::test]
async fn an_export_is_whole_and_twenty_at_once_take_little_memory() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let sealed = format!("1.{}", "A".repeat(16_000));
    let plan = async |number: usize| {
        let day = if number.is_multiple_of(3) {
            Utc::now() - Duration::days(3)
        } else {
            Utc::now() + Duration::days(60)
        };
        let day = day.format("%Y-%m-%d");
        let body = json!({ "startsAt": format!("{day}T{:02}:{:02}", 8 + number % 10, number % 60) });
        let plan = practice.head.plan(&server, body).await;
        let path = format!("/consultations/{}", plan["consultation"]["id"].as_str().unwrap());
        let seals = json!({ "revision": 0, "sealed": sealed });
        assert_eq!(practice.head.patch(&server, &path, seals).await.0, 200);
        plan["consultation"]["id"].as_str().unwrap().to_owned()
    };
    let ids: BTreeSet<String> = stream::iter(0..CONSULTATIONS).map(plan).buffer_unordered(8).collect().await;
    let export = async || {
        let (status, export) = practice.head.get(&server, "/export").await;
        assert_eq!(status, 200);
        let of = |list: &str, field: &str| -> Vec<String> {
            let rows = export[list].as_array().unwrap().iter();
            rows.map(|row| row[field].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(export["practice"]["short"], "markt");
        let told = of("consultations", "id");
        assert_eq!(
            (told.len(), told.into_iter().collect::<BTreeSet<_>>()),
            (ids.len(), ids.clone()),
            "each once"
        );
        assert_eq!(export["consultations"][0]["sealed"], sealed.as_str());
        let trail: Vec<Value> = export["audit"].as_array().unwrap().clone();
        assert!(trail.len() > CONSULTATIONS, "the whole trail: {}", trail.len());
    };
    export().await;
    let before = server.resident_kb();
    futures_util::future::join_all((0..AT_ONCE).map(|_| export())).await;
    let after = server.resident_kb();
    println!("resident before and after {AT_ONCE} exports of 6.4 MB at once: {before} kB, {after} kB");
    assert!(after < before + 30_000, "{before} kB before, {after} kB after");
}
