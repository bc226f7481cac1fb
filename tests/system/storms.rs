//! Storms (R63), in `tests/run --long hostile`: tens of thousands of sockets and connections of one stranger, while strangers elsewhere get in,
//! calls go on, and the memory comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use futures_util::{SinkExt, StreamExt, stream};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use crate::common::page::request;
use crate::common::tls::Authority;
use crate::common::{Page, Server, is_long, walk};

/// Sockets or connections of a storm, where the system lets as many be opened.
const STORM: usize = 20_000;
/// How many are opened at the same time.
const AT_ONCE: usize = 200;
/// Strangers elsewhere that are served meanwhile.
const SAMPLES: usize = 200;
/// A page may say 30 things a second.
const PACE: Duration = Duration::from_millis(40);
/// R63.
const SERVED: Duration = Duration::from_secs(1);
/// What a storm may leave in memory a minute later.
const LEFT_KB: u64 = 30 * 1024;
const PROXIED: [&str; 2] = ["--trusted-proxies", "127.0.0.0/8"];

/// As many as this process and its child may open.
fn storm() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let most: usize = files.split_whitespace().nth(3).unwrap().parse().unwrap();
    let storm = STORM.min(most.saturating_sub(2000));
    println!("a storm of {storm}, for the system lets this process open {most} files");
    storm
}

fn proxied(address: &str) -> Vec<u8> {
    let (family, server) = if address.contains(':') { ("6", "2001:db8::9") } else { ("4", "203.0.113.9") };
    format!("PROXY TCP{family} {address} {server} 40000 443\r\n").into_bytes()
}

/// A socket from there that has shown a code and says nothing more; held until it is dropped.
async fn shown(server: Arc<Server>, address: String, code: String) {
    let Ok(stream) = server.connect_behind(&proxied(&address)).await else { return };
    let Ok((mut socket, _)) = client_async(request(&server, &[]), stream).await else { return };
    let look = json!({ "type": "look", "code": code }).to_string();
    if socket.send(Message::text(look)).await.is_err() {
        return;
    }
    // Pings are answered as it is read.
    while let Some(Ok(_)) = socket.next().await {}
}

/// An idle connection of HTTP/2 over TLS from there.
async fn idle_h2(server: Arc<Server>, address: String) {
    let Ok(stream) = server.connect_behind_as(&proxied(&address), &[b"h2"]).await else { return };
    let handshake =
        hyper::client::conn::http2::handshake::<_, _, Body>(TokioExecutor::new(), TokioIo::new(stream));
    let Ok((sender, connection)) = handshake.await else { return };
    let _ = connection.await;
    drop(sender);
}

/// Keeps so many running until it is dropped.
async fn raise<F>(count: usize, one: impl Fn(usize) -> F) -> JoinSet<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut all = JoinSet::new();
    for number in 0..count {
        all.spawn(one(number));
        if number % AT_ONCE == AT_ONCE - 1 {
            // A flood, and not one burst: what is not accepted yet waits in the kernel's queue.
            sleep(Duration::from_millis(20)).await;
        }
    }
    all
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

/// A stranger elsewhere gets the page.
async fn page(server: &Server, address: &str) -> Duration {
    let began = Instant::now();
    let mut stream = server.connect_behind(&proxied(address)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer[..answer.len().min(200)])
    );
    began.elapsed()
}

/// Strangers elsewhere are served, a call goes on, another comes about.
async fn serves(server: &Arc<Server>, call: &mut walk::Call, what: &str) {
    let (mut pages, mut joins, mut ways) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..SAMPLES {
        let address = format!("198.51.{}.{}", 100 + number / 200, number % 200 + 1);
        pages.push(page(server, &address).await);
        let issued = server.issue_now().await;
        let began = Instant::now();
        let mut patient = Page::open_behind(server, &proxied(&address)).await;
        patient.wait_at(issued.code(2)).await;
        joins.push(began.elapsed());
        let began = Instant::now();
        call.doctor.describe(2, call.patient_place.incarnation, "still here").await;
        assert_eq!(call.patient.expect("description").await["description"]["sdp"], "still here");
        ways.push(began.elapsed());
        sleep(PACE).await;
        if number % 50 == 0 {
            let mut doctor = Page::open_behind(server, &proxied(&address)).await;
            doctor.enter(issued.code(1)).await;
            doctor.admit_next().await;
            patient.expect("welcome").await;
        }
    }
    let figures: Vec<String> =
        [("page", &mut pages), ("waiting room", &mut joins), ("a call's message", &mut ways)]
            .map(|(name, times)| {
                let [median, p99, most] =
                    [50, 99, 100].map(|percent| percentile(times, percent).as_secs_f64() * 1000.0);
                assert!(Duration::from_secs_f64(p99 / 1000.0) <= SERVED, "{what}: {name} p99 {p99:.0} ms");
                format!("{name} {median:.1} / {p99:.1} / {most:.1}")
            })
            .into();
    println!(
        "{what}, ms, median / p99 / most of {SAMPLES}: {}; {} kB",
        figures.join(", "),
        server.resident_kb()
    );
}

/// What stays a minute after.
async fn calms(server: &Server, before: u64, what: &str) {
    sleep(Duration::from_secs(60)).await;
    let after = server.resident_kb();
    println!("{what}: {before} kB before, {after} kB a minute after");
    assert!(after <= before + LEFT_KB, "{before} kB before, {after} kB after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_sockets_with_one_expired_code_shut_the_door_for_nobody_else() {
    if !is_long() {
        return;
    }
    let storm = storm();
    type From = fn(usize) -> String;
    let two: From = |number| format!("203.0.113.{}", number % 2 + 1);
    let many: From = |number| format!("2001:db8:1:{:x}::1", number % 200);
    for (what, from) in [("two addresses", two), ("200 /64s of one /48", many)] {
        let server = Arc::new(Server::start_with(&PROXIED, &[]).await);
        let expired = server.issue_in(-2 * 86_400).await.code(2).to_owned();
        let mut call = walk::call(&server).await;
        serves(&server, &mut call, "calm").await;
        let before = server.resident_kb();
        let held = raise(storm, |number| shown(Arc::clone(&server), from(number), expired.clone())).await;
        serves(&server, &mut call, what).await;
        drop(held);
        calms(&server, before, what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_idle_connections_of_http_2_from_one_address_shut_the_door_for_nobody_else() {
    if !is_long() {
        return;
    }
    let storm = storm();
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let files = authority.issue(&["localhost", "127.0.0.1"]).write(directory.path());
    let flags = [&files.flags()[..], &PROXIED].concat();
    let server = Arc::new(Server::start_trusting(Some(authority.trust()), &flags, &[]).await);
    let mut call = walk::call(&server).await;
    serves(&server, &mut call, "calm, with TLS").await;
    let before = server.resident_kb();
    let held = raise(storm, |_| idle_h2(Arc::clone(&server), "203.0.113.7".to_owned())).await;
    serves(&server, &mut call, "idle HTTP/2").await;
    drop(held);
    calms(&server, before, "idle HTTP/2").await;
}

/// How a thousand come.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// From an address that stands for many, as behind a container's bridge that masquerades: nobody can be told apart.
    Masqueraded,
    /// From a hospital's one address, as a proxy says.
    OneAddress,
    /// Through nginx, each from an address of their own.
    Nginx { port: u16 },
}

impl Way {
    async fn open(self, server: &Server, number: usize) -> Option<Page> {
        match self {
            Self::Masqueraded => Page::try_open(server).await.ok(),
            Self::OneAddress => Page::try_open_from(server, "203.0.113.7").await.ok(),
            Self::Nginx { port } => {
                let socket = TcpSocket::new_v4().unwrap();
                socket
                    .bind(format!("127.1.{}.{}:0", number / 250, number % 250 + 1).parse().unwrap())
                    .unwrap();
                let stream = socket.connect(([127, 0, 0, 1], port).into()).await.ok()?;
                Page::try_open_over(server, Box::new(stream)).await.ok()
            }
        }
    }
}

/// A patient's page, which comes back when it is told to; how long it took, and how often it came.
async fn gets_in(server: Arc<Server>, way: Way, number: usize, code: String) -> (Duration, Page, u32) {
    let began = Instant::now();
    for tries in 1.. {
        if let Some(mut patient) = way.open(&server, number).await
            && patient.try_wait_at(&code).await
        {
            return (began.elapsed(), patient, tries);
        }
        // As long as a page pauses at least.
        sleep(Duration::from_millis(500)).await;
    }
    unreachable!("it goes on")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_patients_at_once_all_get_in_behind_a_bridge_a_hospitals_address_and_nginx() {
    let patients = if is_long() { 1000 } else { 300 };
    for way in [Way::Masqueraded, Way::OneAddress, Way::Nginx { port: 0 }] {
        let flags: &[&str] = match way {
            Way::Masqueraded => &[],
            Way::OneAddress => &PROXIED,
            Way::Nginx { .. } => &["--trusted-proxies", "127.0.0.1/32"],
        };
        let server = Arc::new(Server::start_with(flags, &[]).await);
        let nginx = if matches!(way, Way::Nginx { .. }) { Some(nginx::before(&server).await) } else { None };
        let way = nginx.as_ref().map_or(way, |nginx| Way::Nginx { port: nginx.port });
        let issued: Vec<_> =
            stream::iter(0..patients).map(|_| server.issue_now()).buffered(8).collect().await;
        let mut all = JoinSet::new();
        for (number, issued) in issued.iter().enumerate() {
            all.spawn(gets_in(Arc::clone(&server), way, number, issued.code(2).to_owned()));
        }
        let mut came = all.join_all().await;
        came.sort_by_key(|(after, ..)| *after);
        let again = came.iter().filter(|(.., tries)| *tries > 1).count();
        println!(
            "{way:?}: {patients} in the waiting room, the median after {:.2} s, the last after {:.2} s, {again} at a second try",
            came[patients / 2].0.as_secs_f64(),
            came[patients - 1].0.as_secs_f64(),
        );
        assert!(came.iter_mut().all(|(_, patient, _)| !patient.has_ended()), "and stays");
    }
}

/// Requests a second for static answers, while another call's messages pass.
const REQUESTS: u32 = 250;
const MESSAGES: usize = 10_000;
const CALLS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_and_fifty_requests_a_second_for_a_static_answer_delay_no_call() {
    if !is_long() {
        return;
    }
    let server = Arc::new(Server::start().await);
    // As many as it takes for a thousand messages a second.
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        calls.push(walk::call(&server).await);
    }
    for path in ["", "/", "/api/openapi.json"] {
        for run in 1..=5 {
            let load = tokio::spawn({
                let server = Arc::clone(&server);
                async move {
                    let mut pace = tokio::time::interval(Duration::from_secs(1) / REQUESTS);
                    let mut all = JoinSet::new();
                    while !path.is_empty() {
                        pace.tick().await;
                        let get =
                            server.http().get(server.url(path)).header("accept-encoding", "gzip").send();
                        all.spawn(async move { drop(get.await.unwrap().bytes().await) });
                        while all.try_join_next().is_some() {}
                    }
                }
            });
            let mut ways = Vec::with_capacity(MESSAGES);
            for number in 0..MESSAGES {
                let call = &mut calls[number % CALLS];
                let began = Instant::now();
                call.doctor.describe(2, call.patient_place.incarnation, "a candidate's size of text").await;
                call.patient.expect("description").await;
                ways.push(began.elapsed());
                sleep(Duration::from_millis(1)).await;
            }
            load.abort();
            let [p50, p99, most] =
                [50, 99, 100].map(|percent| percentile(&mut ways, percent).as_secs_f64() * 1000.0);
            let load = if path.is_empty() { "nothing" } else { path };
            println!(
                "run {run}, {REQUESTS} a second for {load}: {MESSAGES} messages of a call, p50 {p50:.2} ms, p99 {p99:.2} ms, most {most:.1} ms"
            );
        }
    }
}

/// nginx as docs/operating.md has it before visavis, in a directory of its own.
mod nginx {
    use super::*;
    use std::process::Stdio;
    use tokio::process::{Child, Command};

    pub struct Nginx {
        _child: Child,
        _home: tempfile::TempDir,
        pub port: u16,
    }

    pub async fn before(server: &Server) -> Nginx {
        let home = tempfile::tempdir().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        drop(socket);
        let at = home.path().display();
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error; worker_rlimit_nofile 16384; events {{ worker_connections 8192; }}\n\
             http {{ access_log off; client_body_temp_path {at}/1; proxy_temp_path {at}/2; fastcgi_temp_path {at}/3; uwsgi_temp_path {at}/4; scgi_temp_path {at}/5;\n\
             map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}\n\
             server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{}; proxy_http_version 1.1; proxy_set_header Host $http_host;\n\
             proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_read_timeout 60s; }} }} }}\n",
            server.port,
        );
        std::fs::write(home.path().join("nginx.conf"), config).unwrap();
        let child = Command::new("nginx")
            .args(["-p", &at.to_string(), "-c", "nginx.conf", "-e", &format!("{at}/error")])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("nginx, of Debian's package nginx-light");
        let nginx = Nginx { _child: child, _home: home, port };
        server
            .until("nginx", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop))
            .await;
        nginx
    }
}
