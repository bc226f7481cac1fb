//! What every whole-system test stands on: a [`Server`] is the broker's own binary on a free port and a fresh directory, a [`Page`] is a
//! WebSocket client that keeps what it sent and received, [`turn`] speaks to the relay.

pub mod codes;
pub mod desk;
pub mod disk;
pub mod page;
pub mod tls;
pub mod turn;
pub mod walk;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use disk::SmallDisk;
pub use page::Page;
use tls::Trust;

/// How long a test waits for what must come; only a broken server ever needs it.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_visavis");

/// A running broker. Dropped, it is killed and its directory removed.
pub struct Server {
    child: Child,
    /// Flags besides data directory and port.
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    home: Home,
    /// Files that it may open at once, if not as many as the test.
    most_descriptors: Option<u32>,
    /// TCP and UDP.
    pub port: u16,
    log: Arc<Mutex<String>>,
    stdout: Arc<Mutex<String>>,
    http: reqwest::Client,
    /// Whom clients believe, where the server speaks TLS.
    trust: Option<Trust>,
}

/// Where a server's files are.
enum Home {
    Directory(TempDir),
    Disk(Box<SmallDisk>),
}

/// A client's connection, with or without TLS.
pub type Connection = Box<dyn Duplex>;

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

impl Server {
    /// Starts on port 0 and a fresh directory.
    pub async fn start() -> Self {
        Self::start_with(&[], &[]).await
    }

    /// The same with more flags and environment.
    pub async fn start_with(flags: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_trusting(None, flags, environment).await
    }

    /// The same for a server that speaks TLS: its clients believe this authority alone.
    pub async fn start_trusting(trust: Option<Trust>, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_as(trust, flags, environment, None).await
    }

    /// The same where the system lets it open few files.
    pub async fn start_with_descriptors(descriptors: u32, flags: &[&str]) -> Self {
        Self::start_as(None, flags, &[], Some(descriptors)).await
    }

    async fn start_as(
        trust: Option<Trust>,
        flags: &[&str],
        environment: &[(&str, &str)],
        descriptors: Option<u32>,
    ) -> Self {
        let home = tempfile::Builder::new().prefix("visavis-test-").tempdir().unwrap();
        Self::start_at(Home::Directory(home), trust, flags, environment, descriptors).await
    }

    /// The same with its data directory on a small disk.
    pub async fn start_on(disk: SmallDisk) -> Self {
        Self::start_at(Home::Disk(Box::new(disk)), None, &[], &[], None).await
    }

    async fn start_at(
        home: Home,
        trust: Option<Trust>,
        flags: &[&str],
        environment: &[(&str, &str)],
        descriptors: Option<u32>,
    ) -> Self {
        let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        let environment: Vec<_> = environment.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let (log, stdout) = <(Arc<Mutex<String>>, Arc<Mutex<String>>)>::default();
        let (child, port) = spawn(&home, &flags, &environment, descriptors, [&log, &stdout]).await;
        let http = tls::http_client(trust.as_ref(), &[b"http/1.1"]);
        Self {
            child,
            flags,
            environment,
            most_descriptors: descriptors,
            home,
            port,
            log,
            stdout,
            http,
            trust,
        }
    }

    /// Starts where another was ended, on its directory, with other flags.
    pub async fn start_in(mut ended: Self, flags: &[&str]) -> Self {
        ended.flags = flags.iter().map(ToString::to_string).collect();
        ended.restart_if_ended().await;
        ended
    }

    /// What the next start finds in its environment.
    pub fn environment(&mut self, environment: &[(&str, &str)]) {
        self.environment =
            environment.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    }

    /// Ends the process by `how` and starts another on the same directory; its port is a new one.
    pub async fn restart(&mut self, how: Ending) {
        self.end(how).await;
        (self.child, self.port) = spawn(
            &self.home,
            &self.flags,
            &self.environment,
            self.most_descriptors,
            [&self.log, &self.stdout],
        )
        .await;
    }

    /// Starts again where the process was ended.
    pub async fn restart_if_ended(&mut self) {
        if self.child.try_wait().unwrap().is_some() {
            (self.child, self.port) = spawn(
                &self.home,
                &self.flags,
                &self.environment,
                self.most_descriptors,
                [&self.log, &self.stdout],
            )
            .await;
        }
    }

    /// Ends the process and waits until it is gone; answers its exit code.
    pub async fn end(&mut self, how: Ending) -> Option<i32> {
        match how {
            Ending::Terminate => terminate(&self.child).await,
            Ending::Kill => self.child.start_kill().unwrap(),
        }
        within("the end of the process", self.child.wait()).await.unwrap().code()
    }

    /// Waits until the process has ended by itself; answers its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        within("the end of the process", self.child.wait()).await.unwrap().code()
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        match &self.home {
            Home::Directory(home) => home.path().join("data"),
            Home::Disk(disk) => disk.outside().join("data"),
        }
    }

    /// The disk that it was started on.
    pub fn disk(&self) -> &SmallDisk {
        match &self.home {
            Home::Disk(disk) => disk,
            Home::Directory(_) => panic!("this server is on no disk of its own"),
        }
    }

    /// What the process wrote to stderr so far, over all its starts.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// What the process wrote to stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.lock().unwrap().clone()
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the server runs")
    }

    /// Resident memory in kB.
    pub fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Files that the process has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// What a browser sends as `Origin`.
    pub fn origin(&self) -> String {
        format!("{}://localhost:{}", self.scheme(), self.port)
    }

    fn scheme(&self) -> &'static str {
        if self.trust.is_some() { "https" } else { "http" }
    }

    /// TCP and UDP, as a socket wants it.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// A new connection to the server, with the handshake behind it where the server speaks TLS.
    pub async fn connect(&self) -> std::io::Result<Connection> {
        self.connect_behind(b"").await
    }

    /// The same behind a proxy of layer 4 that writes this before everything else.
    pub async fn connect_behind(&self, header: &[u8]) -> std::io::Result<Connection> {
        self.connect_behind_as(header, &[]).await
    }

    /// The same with these protocols offered (ALPN).
    pub async fn connect_behind_as(&self, header: &[u8], protocols: &[&[u8]]) -> std::io::Result<Connection> {
        let mut stream = self.connect_tcp().await?;
        stream.write_all(header).await?;
        match &self.trust {
            None => Ok(Box::new(stream)),
            Some(trust) => Ok(Box::new(trust.handshake(stream, protocols).await?)),
        }
    }

    /// A new connection without TLS.
    pub async fn connect_tcp(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address()).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A URL of the server.
    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme(), self.port)
    }

    /// An HTTP client that believes no proxy of the environment.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The operator's token.
    pub fn operator_token(&self) -> String {
        std::fs::read_to_string(self.data_dir().join("operator-token")).unwrap().trim().to_owned()
    }

    /// A request to the API with the operator's token: status and body (`null` if there is none).
    pub async fn api(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.http.request(method, self.url(path)).bearer_auth(self.operator_token());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    /// Plans a consultation over the API.
    pub async fn issue(&self, plan: Value) -> Issued {
        let (status, body) = self.api(reqwest::Method::POST, "/api/consultations", Some(plan)).await;
        assert_eq!(status, 201, "{body}");
        Issued(body)
    }

    /// A consultation for two that starts now.
    pub async fn issue_now(&self) -> Issued {
        self.issue(json!({})).await
    }

    /// A consultation for two that starts so many seconds from now (before, if negative).
    pub async fn issue_in(&self, seconds: i64) -> Issued {
        let start = chrono::Utc::now() + chrono::Duration::seconds(seconds);
        self.issue(json!({ "startsAt": start.to_rfc3339_opts(chrono::SecondsFormat::Secs, true) })).await
    }

    /// The seats as `GET /api/consultations/{id}` shows them.
    pub async fn seats(&self, id: &str) -> Vec<Value> {
        let (status, body) = self.api(reqwest::Method::GET, &format!("/api/consultations/{id}"), None).await;
        assert_eq!(status, 200, "{body}");
        body["seats"].as_array().unwrap().clone()
    }

    /// A new tab on the consultation page.
    pub async fn page(&self) -> Page {
        Page::open(self).await
    }

    /// The command line, on this server's directory and with its flags.
    pub async fn cli(&self, arguments: &[&str]) -> Output {
        let data_dir = self.data_dir();
        let mut all = vec!["--data-dir", data_dir.to_str().unwrap()];
        all.extend(self.flags.iter().map(String::as_str));
        all.extend(arguments);
        cli(&all).await
    }

    /// Waits until `state` answers something; it is asked again and again, within the deadline.
    pub async fn until<T>(&self, what: &str, mut state: impl AsyncFnMut() -> Option<T>) -> T {
        within(what, async {
            loop {
                if let Some(answer) = state().await {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    }
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// SIGTERM: it may say goodbye.
    Terminate,
    /// SIGKILL: it may not.
    Kill,
}

/// An answer that shows codes.
#[derive(Clone, Debug)]
pub struct Issued(pub Value);

impl Issued {
    /// The consultation's id.
    pub fn id(&self) -> &str {
        self.0["id"].as_str().unwrap()
    }

    /// A seat's code.
    pub fn code(&self, seat: usize) -> &str {
        self.0["seats"][seat - 1]["code"].as_str().unwrap()
    }
}

/// Runs the binary with these arguments and nothing of the environment that could configure it.
pub async fn cli(arguments: &[&str]) -> Output {
    let run = command().args(arguments).stdin(Stdio::null()).output();
    within("the command line's answer", run).await.unwrap()
}

/// The binary, killed when dropped.
pub fn command() -> Command {
    without_settings(Command::new(BINARY))
}

fn without_settings(mut command: Command) -> Command {
    std::env::vars().filter(|(key, _)| key.starts_with("VISAVIS_")).for_each(|(key, _)| {
        command.env_remove(key);
    });
    command.kill_on_drop(true);
    command
}

/// The same by a shell that lets it open so many files at once.
fn limited(descriptors: u32) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {descriptors} && exec \"$0\" \"$@\""), BINARY]);
    std::env::vars().filter(|(key, _)| key.starts_with("VISAVIS_")).for_each(|(key, _)| {
        shell.env_remove(key);
    });
    shell.kill_on_drop(true);
    shell
}

/// Whether this run takes its time.
pub fn is_long() -> bool {
    std::env::var_os("VISAVIS_LONG").is_some()
}

/// stdout of a successful run.
pub fn success(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// stderr of a run that was refused: exit code 2, one line, nothing on stdout.
pub fn refusal(output: &Output) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(stderr.lines().count(), 1, "one sentence: {stderr}");
    stderr
}

/// Asks a process to end.
pub async fn terminate(child: &Child) {
    let pid = child.id().expect("the process runs").to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
    assert!(sent.success());
}

/// Waits for what must come.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what} did not come"))
}

async fn spawn(
    home: &Home,
    flags: &[String],
    environment: &[(String, String)],
    descriptors: Option<u32>,
    [log, stdout]: [&Arc<Mutex<String>>; 2],
) -> (Child, u16) {
    let (mut command, home) = match (home, descriptors) {
        (Home::Directory(home), None) => (command(), home.path()),
        (Home::Directory(home), Some(most)) => (limited(most), home.path()),
        (Home::Disk(disk), _) => (disk.command(), disk.inside()),
    };
    command.args(["--data-dir", home.join("data").to_str().unwrap(), "--listen", "127.0.0.1:0"]).args(flags);
    command.envs(environment.iter().cloned()).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (before, log_before) = (stdout.lock().unwrap().len(), log.lock().unwrap().len());
    collect(child.stdout.take().unwrap(), stdout);
    collect(child.stderr.take().unwrap(), log);
    let port = within("the line that says where the server listens", async {
        loop {
            let text = stdout.lock().unwrap()[before..].to_owned();
            if let Some(port) = port_in(&text).or_else(|| port_in(&log.lock().unwrap()[log_before..])) {
                return port;
            }
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the server ended with {status}: {}", log.lock().unwrap());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    (child, port)
}

/// The port in a complete line of stdout, or of the log where the public URL says nothing about it.
fn port_in(text: &str) -> Option<u16> {
    let complete = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let mut after = complete.filter_map(|line| {
        ["http://localhost:", "https://localhost:", "address=127.0.0.1:"]
            .iter()
            .find_map(|before| Some(line.split_once(before)?.1))
    });
    after.next()?.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

/// Gathers a stream's lines as they come.
pub fn collect(stream: impl AsyncRead + Unpin + Send + 'static, into: &Arc<Mutex<String>>) {
    let into = Arc::clone(into);
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            into.lock().unwrap().push_str(&format!("{line}\n"));
        }
    });
}
