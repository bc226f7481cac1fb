//! The same walk on PostgreSQL: a throw-away cluster in a temporary directory, reached over its Unix socket, ended with the test.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::walk;
use crate::common::{Ending, Server, cli, refusal};
use tempfile::TempDir;

/// The user whom PostgreSQL's package makes; the server refuses to run as root.
const USER: &str = "postgres";

/// A running cluster.
pub struct Cluster {
    home: TempDir,
    programs: PathBuf,
}

impl Cluster {
    /// A fresh one, that runs.
    pub fn start() -> Self {
        let programs = programs();
        let home = tempfile::Builder::new().prefix("visavis-postgres-").tempdir().unwrap();
        if is_root() {
            let id = |flag: &str| -> u32 {
                let output = Command::new("id").args([flag, USER]).output().unwrap();
                String::from_utf8(output.stdout)
                    .unwrap()
                    .trim()
                    .parse()
                    .expect("the package has made the user")
            };
            chown(home.path(), Some(id("-u")), Some(id("-g"))).unwrap();
        }
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let cluster = Self { home, programs };
        let data = cluster.data();
        cluster.run("initdb", &["-D", &data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"]);
        cluster.control("start");
        cluster
    }

    fn data(&self) -> String {
        self.home.path().join("cluster").display().to_string()
    }

    /// `pg_ctl`, which waits until it is done.
    fn control(&self, what: &str) {
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off",
            self.home.path().display()
        );
        let log = self.home.path().join("log").display().to_string();
        let data = self.data();
        match what {
            "start" => self.run("pg_ctl", &["-D", &data, "-w", "-l", &log, "-o", &options, "start"]),
            _ => self.run("pg_ctl", &["-D", &data, "-w", "-m", "immediate", what]),
        }
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.output(program, arguments);
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs as PostgreSQL's user where this is root. No pipe is handed down: the server that stays would keep it open.
    fn output(&self, program: &str, arguments: &[&str]) -> Output {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", USER, "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let messages = self.home.path().join("messages");
        let file = std::fs::File::create(&messages).unwrap();
        let status = command
            .args(arguments)
            .current_dir(self.home.path())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .status()
            .unwrap();
        Output { status, stdout: Vec::new(), stderr: std::fs::read(messages).unwrap() }
    }

    /// The file that `--database-url-file` names.
    pub fn url_file(&self) -> String {
        let path = self.home.path().join("url");
        std::fs::write(&path, format!("{}\n", self.url())).unwrap();
        path.display().to_string()
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("postgres:///postgres?host={}&user={USER}", self.home.path().display())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.data();
        self.output("pg_ctl", &["-D", &data, "-w", "-m", "immediate", "stop"]);
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// Where Debian's packages and others put the server's programs; the newest version.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let everywhere = std::env::split_paths(&path).chain(found.into_iter().rev());
    let has_server =
        |directory: &PathBuf| directory.join("initdb").exists() && directory.join("pg_ctl").exists();
    everywhere.into_iter().find(has_server).expect(
        "PostgreSQL's server is missing: install it with “apt-get install postgresql”, or put initdb and pg_ctl into PATH",
    )
}

#[tokio::test]
async fn the_walk_is_the_same_on_postgresql() {
    let cluster = Cluster::start();
    let url_file = cluster.url_file();
    let mut server = Server::start_with(&["--database-url-file", &url_file], &[]).await;
    walk::from_codes_to_the_end(&mut server).await;
    assert!(!server.data_dir().join("visavis.db").exists(), "nothing went to SQLite");

    // No other process is asked to let go of the seats: the dead one's claims are found out by asking.
    let mut call = walk::call(&server).await;
    server.restart(Ending::Kill).await;
    call.patient = server.page().await;
    call.patient.resume(&call.patient_place).await;
    let place = call.patient.welcomed(call.issued.code(2)).await;
    assert_eq!(place.incarnation, call.patient_place.incarnation);
    let mut second = server.page().await;
    assert_eq!(second.wait_at(call.issued.code(2)).await["occupied"], true);

    let listed = server.cli(&["consultation", "list"]).await;
    server.end(Ending::Terminate).await;
    assert_eq!(listed.stdout, server.cli(&["consultation", "list"]).await.stdout);
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), 2);
}

#[tokio::test]
async fn a_practice_works_the_same_on_postgresql() {
    let cluster = Cluster::start();
    let server = Server::start_with(&["--database-url-file", &cluster.url_file()], &[]).await;
    crate::common::desk::through_a_practice(&server).await;
    assert!(!server.log().contains("ERROR"), "what goes by itself went: {}", server.log());
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_named_and_its_return_is_enough() {
    let cluster = Cluster::start();
    let url_file = cluster.url_file();
    let server = Server::start_with(&["--database-url-file", &url_file], &[]).await;
    let mut call = walk::call(&server).await;
    let ready = async || server.http().get(server.url("/readyz")).send().await.unwrap().status().as_u16();
    assert_eq!(ready().await, 200);
    cluster.control("stop");
    server.until("that the store is away", async || (ready().await == 503).then_some(())).await;
    assert_eq!(server.http().get(server.url("/healthz")).send().await.unwrap().status(), 200);
    let (status, problem) = server.api(reqwest::Method::GET, "/api/consultations", None).await;
    assert_eq!((status, problem["status"].as_u64()), (503, Some(503)), "{problem}");
    let mut page = server.page().await;
    page.join(call.issued.code(2)).await;
    page.expect_error("unavailable").await;
    assert_eq!(page.expect_close().await, 1011);
    call.doctor.describe(2, call.patient_place.incarnation, "the call goes on").await;
    assert_eq!(call.patient.expect("description").await["description"]["sdp"], "the call goes on");
    let arguments =
        ["--data-dir", &format!("{}/other", server.data_dir().display()), "--listen", "127.0.0.1:0"];
    let refused = cli(&[&arguments[..], &["--database-url-file", &url_file]].concat()).await;
    let sentence = last_line(&refused.stderr);
    assert!(sentence.contains("PostgreSQL") && sentence.contains("No such file"), "the cause: {sentence}");
    assert_eq!(refused.status.code(), Some(2));

    cluster.control("start");
    server.until("the store's return", async || (ready().await == 200).then_some(())).await;
    let mut page = server.page().await;
    page.wait_at(call.issued.code(2)).await;
    call.doctor.expect("knock").await;
}

fn last_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).lines().last().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_file_without_a_database_url_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("url");
    std::fs::write(&file, "mysql://localhost/x").unwrap();
    let arguments =
        ["--data-dir", home.path().to_str().unwrap(), "--database-url-file", file.to_str().unwrap()];
    let sentence = refusal(&cli(&[&arguments[..], &["--listen", "127.0.0.1:0"]].concat()).await);
    assert!(sentence.contains("database"), "{sentence}");
    assert!(Path::new(&file).exists());
}
