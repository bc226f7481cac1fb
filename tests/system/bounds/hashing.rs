//! Whatever strangers make the server hash, its memory stays and colleagues are served before the strangers are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::common::desk::{Practice, Session, ask_from, first, sign_in};
use crate::common::{Server, is_long};

/// In flight of each kind at once.
fn each() -> usize {
    if is_long() { 400 } else { 200 }
}

/// How many of each status came.
#[derive(Default)]
struct Answers {
    not_found: AtomicUsize,
    wrong: AtomicUsize,
    too_many: AtomicUsize,
    busy: AtomicUsize,
}

impl Answers {
    fn count(&self, status: u16) {
        let counter = match status {
            404 => &self.not_found,
            401 => &self.wrong,
            429 => &self.too_many,
            503 => &self.busy,
            other => panic!("{other}"),
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> [usize; 4] {
        [&self.not_found, &self.wrong, &self.too_many, &self.busy]
            .map(|counter| counter.load(Ordering::Relaxed))
    }
}

/// What a stranger asks for, from one of so many addresses.
fn flood(server: &Arc<Server>, session: &Session, addresses: usize, answers: &Arc<Answers>) -> JoinSet<()> {
    let mut all = JoinSet::new();
    for number in 0..each() {
        let link = format!("made-up-{number}-{number:020}");
        let rescue = json!({ "link": link, "practice": "markt", "user": "leitung", "secret": "again", "recoverySecret": "printed2",
            "publicKey": "key2", "byPassword": "blob", "byRecovery": "blob" });
        let unknown = json!({ "practice": "markt", "user": format!("nobody{number}"), "secret": "guess", "by": "password" });
        let password =
            json!({ "by": "password", "secret": "wrong", "newSecret": "own", "byPassword": "blob" });
        let requests: [(Method, &str, Value, String); 4] = [
            (Method::POST, "/rescue", rescue, String::new()),
            (Method::POST, "/set-up", first(&link, "zweite"), String::new()),
            (Method::POST, "/sign-in", unknown, String::new()),
            (Method::PUT, "/me/password", password, session.token.clone()),
        ];
        let address = format!("203.0.113.{}", number % addresses + 1);
        for (method, path, body, token) in requests {
            let (server, answers, address) = (Arc::clone(server), Arc::clone(answers), address.clone());
            all.spawn(async move {
                let (status, body) = ask_from(&server, &address, &token, method, path, Some(body)).await;
                if status == 503 {
                    assert_eq!(body["type"], "#busy", "{body}");
                }
                answers.count(status);
            });
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_hashing_takes_no_memory_and_colleagues_are_served_before_it() {
    for addresses in [40, 1] {
        let server = Arc::new(Server::start_with(&["--trusted-proxies", "127.0.0.0/8"], &[]).await);
        let practice = Practice::set_up(&server, "markt").await;
        practice.colleague_here(&server, "dr.abel", "doctor").await;
        let elsewhere = Session::of(sign_in(&server, "markt", "leitung", "right", None).await.1);
        let (before, answers) = (server.resident_kb(), Arc::new(Answers::default()));
        let asked = Instant::now();
        let mut all = flood(&server, &elsewhere, addresses, &answers);
        server.until("the first refusals", async || (answers.read()[3] > 0).then_some(())).await;

        let began = Instant::now();
        let (status, _) =
            sign_in(&server, "markt", "leitung", "right", Some(&practice.workplace_token)).await;
        let here = began.elapsed();
        let change = json!({ "by": "password", "secret": "right", "newSecret": "new", "byPassword": "blob" });
        let (changed, _) = practice.head.put(&server, "/me/password", change).await;
        let (here_too, peak) = (began.elapsed() - here, server.resident_kb());
        assert_eq!((status, changed), (200, 204));
        let began = Instant::now();
        let body = json!({ "practice": "markt", "user": "dr.abel", "secret": "own", "by": "password", "workplace": null });
        let (status, signed) =
            ask_from(&server, "198.51.100.9", "", Method::POST, "/sign-in", Some(body)).await;
        let from_elsewhere = began.elapsed();
        assert_eq!(status, 200, "{signed}");
        assert!(!all.is_empty() && all.try_join_next().is_some());
        let left = all.len();
        while all.join_next().await.is_some() {}
        let [not_found, wrong, too_many, busy] = answers.read();
        println!(
            "{} requests from {addresses} addresses in {:.1} s: {not_found} unknown links, {wrong} wrong, {too_many} over budget, {busy} told to come back; \
             a released workplace's sign-in after {} ms, its new password after {} ms, one elsewhere after {} ms, {left} of the flood unanswered then; \
             memory {before} kB before, {peak} kB in it, {} kB after",
            4 * each(),
            asked.elapsed().as_secs_f64(),
            here.as_millis(),
            here_too.as_millis(),
            from_elsewhere.as_millis(),
            server.resident_kb(),
        );
        assert!(not_found > 0 && wrong > 0 && busy > 0);
        if is_long() {
            assert!(here <= Duration::from_secs(1) && from_elsewhere <= Duration::from_secs(3), "R63");
        }
        let most = before + 60 * 1024;
        assert!(peak <= most && server.resident_kb() <= most, "{before} kB, then {peak} kB");
    }
}
