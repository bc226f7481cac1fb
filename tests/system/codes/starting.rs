//! Starts: the demo's two lines, and refusals in one sentence that names the mend, with exit code 2 (R55, R58).

use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::common::{BINARY, Ending, Server, cli, command, refusal, within};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_wrong_option_is_named() {
    for (arguments, named) in [
        (vec!["--lissten", "127.0.0.1:0"], "--lissten"),
        (vec!["--listen", "nonsense"], "--listen"),
        (vec!["--public-url", "ftp://example.org"], "--public-url"),
        (vec!["--public-url", "https://example.org/path"], "--public-url"),
        (vec!["--time-zone", "Mars/Olympus"], "--time-zone"),
        (vec!["--lead-minutes", "1441"], "--lead-minutes"),
        (vec!["--trusted-proxies", "everyone"], "--trusted-proxies"),
        (vec!["serve"], "serve"),
    ] {
        let sentence = refusal(&cli(&arguments).await);
        assert!(sentence.contains(named) && sentence.contains("--help"), "{arguments:?}: {sentence}");
    }
    let output = command().env("VISAVIS_LISTEN", "nonsense").output();
    let sentence = refusal(&within("the refusal", output).await.unwrap());
    assert!(sentence.contains("nonsense"), "{sentence}");
}

#[tokio::test]
async fn an_occupied_port_is_named_on_either_side() {
    let home = tempfile::tempdir().unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    for port in [tcp.local_addr().unwrap().port(), udp.local_addr().unwrap().port()] {
        let arguments = ["--data-dir", text(home.path()), "--listen", &format!("127.0.0.1:{port}")];
        let sentence = refusal(&cli(&arguments).await);
        assert!(sentence.contains(&port.to_string()) && sentence.contains("--listen"), "{sentence}");
    }
}

#[tokio::test]
async fn an_unwritable_directory_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    for directory in [file.join("data"), Path::new("/proc/visavis").to_owned()] {
        for mut arguments in [vec!["--listen", "127.0.0.1:0"], vec!["consultation", "list"]] {
            arguments.extend(["--data-dir", text(&directory)]);
            let sentence = refusal(&cli(&arguments).await);
            assert!(sentence.contains(text(&directory)) && sentence.contains("--data-dir"), "{sentence}");
        }
    }
}

#[tokio::test]
async fn a_second_start_on_the_same_directory_is_refused_and_the_first_goes_on() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let data_dir = server.data_dir();
    let sentence = refusal(&cli(&["--data-dir", text(&data_dir), "--listen", "127.0.0.1:0"]).await);
    assert!(sentence.contains(text(&data_dir)) && sentence.contains("--data-dir"), "{sentence}");
    server.page().await.enter(issued.code(1)).await;
}

#[tokio::test]
async fn a_damaged_secret_is_named_and_never_replaced_in_silence() {
    let mut server = Server::start().await;
    server.issue_now().await;
    server.end(Ending::Terminate).await;
    let data_dir = server.data_dir();
    for (file, content) in
        [("key", "broken"), ("key", ""), ("key", "this is no key"), ("operator-token", "short")]
    {
        let path = data_dir.join(file);
        let good = std::fs::read(&path).unwrap();
        std::fs::write(&path, content).unwrap();
        let sentence = refusal(&cli(&["--data-dir", text(&data_dir), "--listen", "127.0.0.1:0"]).await);
        assert!(sentence.contains(text(&path)), "{sentence}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        std::fs::write(&path, good).unwrap();
    }
    let missing = data_dir.join("nowhere");
    let arguments =
        ["--data-dir", text(&data_dir), "--listen", "127.0.0.1:0", "--database-url-file", text(&missing)];
    let sentence = refusal(&cli(&arguments).await);
    assert!(sentence.contains(text(&missing)), "{sentence}");
    std::fs::write(data_dir.join("visavis.db"), "this is no database, whatever its name says").unwrap();
    let sentence = refusal(&cli(&["--data-dir", text(&data_dir), "--listen", "127.0.0.1:0"]).await);
    assert!(sentence.contains("database") && sentence.contains("from a backup"), "{sentence}");
}

#[tokio::test]
async fn secrets_are_made_at_first_start_for_their_owner_only() {
    let (one, other) = (Server::start().await, Server::start().await);
    for file in ["key", "operator-token"] {
        let path = one.data_dir().join(file);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
        let content = std::fs::read_to_string(path).unwrap();
        assert!(content.trim().len() >= 43);
        assert_ne!(content, std::fs::read_to_string(other.data_dir().join(file)).unwrap());
    }
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&one.data_dir()), 0o700);
    assert_eq!(mode(&one.data_dir().join("visavis.sock")), 0o600);
}

#[tokio::test]
async fn the_demo_prints_two_links_that_work_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = Server::start_with(&["--demo"], &[("TMPDIR", text(temporary.path()))]).await;
    demo.until("the second line", async || demo.stdout().contains("Patient/patient").then_some(())).await;
    let stdout = demo.stdout();
    let lines: Vec<&str> = stdout.lines().collect();
    let [doctor, patient] = lines[..] else { panic!("two lines: {stdout}") };
    let code = |line: &str, who: &str| {
        let link = line.strip_prefix(who).unwrap_or_else(|| panic!("{line}"));
        link.strip_prefix(&format!("{}/#", demo.origin())).unwrap_or_else(|| panic!("{line}")).to_owned()
    };
    let (doctors, patients) = (code(doctor, "Arzt/doctor: "), code(patient, "Patient/patient: "));
    let mut doctor = demo.page().await;
    doctor.enter(&doctors).await;
    let mut patient = demo.page().await;
    patient.wait_at(&patients).await;
    doctor.admit_next().await;
    patient.expect("welcome").await;
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 1);
    assert_eq!(demo.end(Ending::Terminate).await, Some(0));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "its directory is gone");
}

#[tokio::test]
async fn help_and_version_are_no_refusals() {
    for (flag, expected) in [("--help", "--data-dir"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let output = cli(&[flag]).await;
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains(expected), "{BINARY} {flag}");
    }
}
