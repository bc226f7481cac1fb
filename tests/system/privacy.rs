//! What must leave no trace: fetches change nothing (R15), every answer carries its headers (R50), and no secret, address or word of a page
//! lands in a file or a log line (R10, R34, R36).

use std::path::{Path, PathBuf};

use crate::common::page::random;
use crate::common::{Ending, Page, Server, success};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection, Row};
use tokio_tungstenite::tungstenite::Message;

/// What scanners of mail and chat ask for when they find a link, and what a page loads.
const PATHS: [&str; 10] = [
    "/",
    "/?utm_source=mail",
    "/#K7QF-3XM2-9TDA.secret",
    "/consultation/main.js",
    "/shared/base.css",
    "/favicon.ico",
    "/practice.json",
    "/legal/privacy",
    "/api/openapi.json",
    "/ws",
];

async fn fetch(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = server.http().request(method, server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// Every row of every table, as JSON, but for the lease that the server renews by itself. What a start deletes by itself, a moment later, was
/// not there.
async fn contents(database: &mut AnyConnection) -> Vec<String> {
    let tables = "SELECT m.name, group_concat(c.name) FROM sqlite_master m JOIN pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name <> 'server' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\' GROUP BY m.name ORDER BY m.name";
    let mut contents = Vec::new();
    for row in sqlx::query(tables).fetch_all(&mut *database).await.unwrap() {
        let (table, columns): (String, String) = (row.get(0), row.get(1));
        let rows = format!("SELECT json_group_array(json_array({columns})) FROM {table}");
        let rows: String =
            sqlx::query(sqlx::AssertSqlSafe(rows)).fetch_one(&mut *database).await.unwrap().get(0);
        contents.push(format!("{table}: {rows}"));
    }
    assert!(contents.len() > 3, "the database has its tables: {contents:?}");
    contents
}

#[tokio::test]
async fn twenty_fetches_of_everything_change_nothing() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let mut doctor = server.page().await;
    doctor.enter(issued.code(1)).await;
    let mut patient = server.page().await;
    patient.wait_at(issued.code(2)).await;
    patient.expect("doctor").await;
    doctor.expect("knock").await;
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}/visavis.db", server.data_dir().display());
    let mut database = AnyConnection::connect(&url).await.unwrap();
    let before = (contents(&mut database).await, server.seats(issued.id()).await);

    for _ in 0..20 {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            for path in PATHS {
                let status = fetch(&server, method.clone(), path, &[]).await.status();
                assert!(!status.is_server_error(), "{method} {path}: {status}");
            }
            let link = format!("/#{}.{}", issued.code(2), random(16));
            fetch(&server, method.clone(), &link, &[("user-agent", "LinkScanner/1.0")]).await;
            fetch(&server, method.clone(), &format!("/api/consultations/{}", issued.id()), &[]).await;
        }
        // A script that runs in a scanner opens the socket and looks.
        assert_eq!(server.page().await.look(issued.code(2)).await["state"], "open");
    }

    assert_eq!(before, (contents(&mut database).await, server.seats(issued.id()).await));
    assert!(doctor.drain_by_error().await.is_empty(), "the doctor heard of nobody");
    assert!(patient.drain_by_error().await.is_empty(), "the patient waits as before");
    doctor.send(json!({ "type": "admit", "knock": patient.record()[1]["knock"] })).await;
    patient.expect("welcome").await;
    assert_ne!(before.0, contents(&mut database).await, "an admission does change the store");
}

#[tokio::test]
async fn every_answer_carries_its_security_headers() {
    let server = Server::start().await;
    let tag = fetch(&server, Method::GET, "/", &[]).await.headers()["etag"].to_str().unwrap().to_owned();
    let bearer = format!("Bearer {}", server.operator_token());
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let answers = [
        (200, fetch(&server, Method::GET, "/", &[]).await),
        (304, fetch(&server, Method::GET, "/", &[("if-none-match", &tag)]).await),
        (200, fetch(&server, Method::GET, "/consultation/main.js", &[]).await),
        (200, fetch(&server, Method::HEAD, "/consultation/main.js", &[]).await),
        (404, fetch(&server, Method::GET, "/nothing", &[]).await),
        (404, fetch(&server, Method::GET, "/../Cargo.toml", &[]).await),
        (405, fetch(&server, Method::POST, "/", &[]).await),
        (405, fetch(&server, Method::OPTIONS, "/", &[]).await),
        (405, fetch(&server, Method::DELETE, "/practice.json", &[]).await),
        (200, fetch(&server, Method::GET, "/legal/imprint", &[]).await),
        (404, fetch(&server, Method::GET, "/legal/other", &[]).await),
        (200, fetch(&server, Method::GET, "/healthz", &[]).await),
        (200, fetch(&server, Method::GET, "/readyz", &[]).await),
        (200, fetch(&server, Method::GET, "/api/openapi.json", &[]).await),
        (200, fetch(&server, Method::GET, "/api/consultations", &[("authorization", &bearer)]).await),
        (401, fetch(&server, Method::GET, "/api/consultations", &[]).await),
        (404, fetch(&server, Method::GET, "/api/consultations/a/b", &[]).await),
        (405, fetch(&server, Method::PUT, "/api/consultations", &[("authorization", &bearer)]).await),
        (400, fetch(&server, Method::GET, "/ws", &[]).await),
        (403, fetch(&server, Method::GET, "/ws", &upgrade).await),
    ];
    for (status, answer) in &answers {
        let headers = answer.headers();
        let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!(answer.status().as_u16(), *status, "{}", answer.url());
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        for device in ["camera=(self)", "microphone=(self)", "display-capture=(self)"] {
            assert!(header("permissions-policy").contains(device));
        }
        assert!(!headers.contains_key("strict-transport-security"), "not on plain localhost");
        assert!(!headers.contains_key("set-cookie") && !headers.contains_key("server"), "{headers:?}");
        assert!(!headers.contains_key("access-control-allow-origin"), "{headers:?}");
    }
}

#[tokio::test]
async fn https_is_remembered_where_the_public_url_has_it() {
    let server = Server::start_with(&["--public-url", "https://video.example.org"], &[]).await;
    for path in ["/", "/nothing", "/api/consultations", "/ws"] {
        let answer = fetch(&server, Method::GET, path, &[]).await;
        let age = answer.headers()["strict-transport-security"].to_str().unwrap().to_owned();
        assert_eq!(age, "max-age=63072000");
    }
}

/// Everything that must not be found, with a word for each.
struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    fn hide(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() >= 8, "{what} could be found by chance");
        self.0.push((what, secret.to_owned()));
    }

    /// A fresh one.
    fn make(&mut self, what: &'static str) -> String {
        let canary = format!("canary{}", random(9).replace(['-', '_'], "x"));
        self.hide(what, &canary);
        canary
    }

    fn hide_code(&mut self, code: &str) {
        self.hide("an access code", code);
        self.hide("an access code without dashes", &code.replace('-', ""));
        self.hide("an access code in small letters", &code.replace('-', "").to_lowercase());
    }

    fn assert_absent(&self, place: &str, content: &[u8]) {
        let found: Vec<_> = self
            .0
            .iter()
            .filter(|(_, secret)| content.windows(secret.len()).any(|window| window == secret.as_bytes()))
            .map(|(what, _)| what)
            .collect();
        assert!(found.is_empty(), "{place} holds {found:?}");
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn assert_no_trace(server: &Server, canaries: &Canaries) {
    let files = files(&server.data_dir());
    assert!(files.iter().any(|file| file.ends_with("visavis.db")), "{files:?}");
    for file in files.iter().filter(|file| !file.ends_with("visavis.sock")) {
        let content = std::fs::read(file).unwrap();
        canaries.assert_absent(&file.display().to_string(), &content);
    }
    let log = server.log();
    assert!(log.contains("serving"), "there is a log to search");
    for line in log.lines() {
        canaries.assert_absent(&format!("the log line “{line}”"), line.as_bytes());
    }
    canaries.assert_absent("stdout", server.stdout().as_bytes());
}

/// A call and all that goes wrong around it, with a canary in each field that a client may fill.
async fn live_through_everything(server: &Server, canaries: &mut Canaries) -> Vec<Page> {
    let address = "203.0.113.77";
    canaries.hide("the client's address", address);
    let new = success(&server.cli(&["consultation", "new", "--json"]).await);
    let issued: Value = serde_json::from_str(&new).unwrap();
    let codes: Vec<&str> = [0, 1].map(|seat| issued["seats"][seat]["code"].as_str().unwrap()).into();
    codes.iter().for_each(|code| canaries.hide_code(code));
    let link = issued["seats"][0]["link"].as_str().unwrap();
    canaries.hide("the link secret", link.rsplit_once('.').unwrap().1);

    let mut doctor = Page::open_from(server, address).await;
    canaries.hide("a device secret", &doctor.device);
    doctor.look(codes[0]).await;
    let place = doctor.enter(codes[0]).await;
    canaries.hide("a resume token", &place.token);
    let mut patient = Page::open_from(server, address).await;
    canaries.hide("a device secret", &patient.device);
    patient.wait_at(&codes[1].replace('-', "").to_lowercase()).await;
    let sealed = canaries.make("a sealed name");
    let name = json!({ "key": patient.key, "iv": "AAECAwQFBgcICQoL", "data": sealed, "salted": true });
    patient.send(json!({ "type": "name", "to": 1, "sealed": name })).await;
    doctor.expect("name").await;
    doctor.admit_next().await;
    let welcome = patient.expect("welcome").await;
    canaries.hide("a resume token", welcome["token"].as_str().unwrap());
    canaries.hide("a TURN password", welcome["iceServers"][0]["credential"].as_str().unwrap());
    canaries
        .hide("the password of an allocation's user", welcome["iceServers"][0]["username"].as_str().unwrap());
    let sdp = canaries.make("SDP");
    doctor.describe(2, 1, &format!("v=0\r\na=fingerprint:{sdp}\r\n")).await;
    patient.expect("description").await;
    let candidate = canaries.make("a candidate");
    patient.candidate(1, place.incarnation, &format!("candidate:{candidate} 198.51.100.201")).await;
    canaries.hide("a candidate's address", "198.51.100.201");
    doctor.expect("candidate").await;
    let resumed = Page::open_from(server, address).await;
    let mut pages = vec![doctor, patient, resumed];
    let patient_place = pages[1].place(codes[1], &welcome);
    pages.remove(1);
    pages[0].expect("away").await;
    pages[1].resume(&patient_place).await;
    let welcome = pages[1].expect("welcome").await;
    canaries.hide("a resume token", welcome["token"].as_str().unwrap());
    pages
}

/// What is wrong in every way that reaches the server.
async fn err_in_every_way(server: &Server, doctor: &mut Page, canaries: &mut Canaries) {
    for (what, text) in [
        ("broken JSON", "{\"type\":\"join\",\"code\":\"CANARY"),
        ("an unknown type", "{\"type\":\"CANARY\"}"),
        ("an unknown field", "{\"type\":\"ice\",\"CANARY\":1}"),
        ("a field of a wrong type", "{\"type\":\"remove\",\"seat\":\"CANARY\"}"),
        ("an unknown knock", "{\"type\":\"admit\",\"knock\":\"CANARY\"}"),
        (
            "a device out of form",
            "{\"type\":\"join\",\"code\":\"x\",\"device\":\"CANARY\",\"key\":\"CANARY\"}",
        ),
        (
            "a candidate out of form",
            "{\"type\":\"candidate\",\"to\":2,\"incarnation\":1,\"candidate\":{\"candidate\":[\"CANARY\"]}}",
        ),
    ] {
        let text = text.replace("CANARY", &canaries.make(what));
        doctor.send_frame(Message::text(text.clone())).await.unwrap();
        doctor.expect("error").await;
        let mut stranger = server.page().await;
        stranger.send_frame(Message::text(text)).await.unwrap();
        stranger.expect("error").await;
        stranger.look(&canaries.make("a mistyped code")).await;
    }
    // A string that goes to the page as a log line would be.
    let mut page = server.page().await;
    page.send_frame(Message::binary(canaries.make("a binary frame").into_bytes())).await.unwrap();
    page.expect_close().await;
    let bearer = format!("Bearer {}", server.operator_token());
    canaries.hide("the operator's token as sent", &bearer);
    for (method, path, body) in [
        (Method::GET, "/CANARY", ""),
        (Method::GET, "/?code=CANARY", ""),
        (Method::GET, "/legal/CANARY", ""),
        (Method::GET, "/ws?CANARY", ""),
        (Method::POST, "/CANARY", "CANARY"),
        (Method::GET, "/api/consultations/CANARY", ""),
        (Method::POST, "/api/consultations", "{\"startsAt\":\"CANARY\"}"),
        (Method::POST, "/api/consultations", "{\"CANARY\":1}"),
        (Method::GET, "/api/consultations?limit=CANARY", ""),
    ] {
        let canary = canaries.make("a request");
        let headers = [
            ("authorization", bearer.as_str()),
            ("user-agent", &canary),
            ("x-forwarded-for", &canary),
            ("referer", &canary),
        ];
        let request = server.http().request(method, server.url(&path.replace("CANARY", &canary)));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request
            .header("content-type", "application/json")
            .body(body.replace("CANARY", &canary))
            .send()
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn no_secret_and_no_word_of_a_page_is_found_in_files_or_logs() {
    let flags = ["--trusted-proxies", "127.0.0.0/8"];
    let mut server = Server::start_with(&flags, &[("VISAVIS_LOG", "trace")]).await;
    let mut canaries = Canaries(Vec::new());
    let mut pages = live_through_everything(&server, &mut canaries).await;
    err_in_every_way(&server, &mut pages[0], &mut canaries).await;
    println!("{} canaries searched in {} kB of log", canaries.0.len(), server.log().len() / 1024);
    assert_no_trace(&server, &canaries);
    server.end(Ending::Terminate).await;
    assert_no_trace(&server, &canaries);
}
