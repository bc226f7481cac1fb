//! A server that is killed in the middle of its work.

use std::time::Duration;

use rand::RngExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::sleep;

use crate::common::{Ending, Server, is_long};

const WRITERS: usize = 8;

/// Plans until the server is gone; answers the ids of what was acknowledged, each with a code.
async fn plan_until_it_is_gone(server: &Server) -> Vec<(String, String)> {
    let mut acknowledged = Vec::new();
    loop {
        let request =
            server.http().post(server.url("/api/consultations")).bearer_auth(server.operator_token());
        let Ok(response) = request.json(&json!({})).send().await else { return acknowledged };
        let status = response.status();
        // An answer whose body was cut acknowledges nothing that anybody could have read.
        let Ok(body) = response.json::<Value>().await else { return acknowledged };
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        acknowledged.push((text(&body["id"]), text(&body["seats"][1]["code"])));
    }
}

#[tokio::test]
async fn whatever_was_acknowledged_before_a_kill_is_there_after_it() {
    let rounds = if is_long() { 200 } else { 5 };
    let mut server = Server::start().await;
    let mut acknowledged = Vec::new();
    for _ in 0..rounds {
        let pid = server.pid().to_string();
        let kill = async {
            sleep(Duration::from_millis(rand::rng().random_range(5..150))).await;
            assert!(Command::new("kill").args(["-9", &pid]).status().await.unwrap().success());
        };
        let writers: [_; WRITERS] = std::array::from_fn(|_| plan_until_it_is_gone(&server));
        let (fresh, ()) = tokio::join!(futures_util::future::join_all(writers), kill);
        server.restart(Ending::Kill).await;
        let fresh: Vec<_> = fresh.into_iter().flatten().collect();
        for (id, _) in &fresh {
            let (status, _) = server.api(Method::GET, &format!("/api/consultations/{id}"), None).await;
            assert_eq!(status, 200, "{id} was acknowledged");
        }
        if let Some((_, code)) = fresh.last() {
            assert_eq!(server.page().await.look(code).await["type"], "seen");
        }
        acknowledged.extend(fresh);
    }
    assert!(!acknowledged.is_empty(), "the server was killed while it worked");
    for (id, _) in &acknowledged {
        let (status, _) = server.api(Method::GET, &format!("/api/consultations/{id}"), None).await;
        assert_eq!(status, 200, "{id} was acknowledged");
    }
    println!("{rounds} kills, {} acknowledged, none missing", acknowledged.len());
}
