//! Which certificates are taken: from files, renewed ones without a restart; self-made ones that stay the same; wrong ones refused in a
//! sentence that names file and mend (R55).

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::CertificateDer;

use super::Secure;
use crate::common::tls::{Authority, Trust, http_client};
use crate::common::{Ending, Server, cli, refusal};

/// The certificate that a handshake shows.
async fn shown(server: &Server, trust: &Trust) -> CertificateDer<'static> {
    let stream = trust.handshake(server.connect_tcp().await.unwrap(), &[]).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// Why a start with these flags is refused.
async fn refused(flags: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let start = ["--data-dir", home.path().to_str().unwrap(), "--listen", "127.0.0.1:0"];
    refusal(&cli(&[&start, flags].concat()).await)
}

#[tokio::test]
async fn a_wrong_certificate_is_refused_with_its_file_and_the_mend() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let good = authority.issue(&["localhost"]).write(directory.path());
    let (certificate, key) = (good.certificate.to_str().unwrap(), good.key.to_str().unwrap());
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let foreign = file("foreign.pem", &authority.issue(&["localhost"]).key);
    let empty = file("empty.pem", "");
    let text = file("text.pem", "no PEM at all");
    let damaged = file("damaged.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let damaged_key =
        file("damaged-key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let missing = directory.path().join("missing.pem").to_str().unwrap().to_owned();
    for (flags, named, mend) in [
        (["--certificate", &missing, "--certificate-key", key], &missing, "--certificate"),
        (["--certificate", certificate, "--certificate-key", &missing], &missing, "--certificate-key"),
        (["--certificate", &empty, "--certificate-key", key], &empty, "--certificate"),
        (["--certificate", &text, "--certificate-key", key], &text, "BEGIN CERTIFICATE"),
        (["--certificate", &damaged, "--certificate-key", key], &damaged, "issued again"),
        (["--certificate", key, "--certificate-key", key], &key.to_owned(), "--certificate"),
        (["--certificate", certificate, "--certificate-key", &empty], &empty, "--certificate-key"),
        (
            ["--certificate", certificate, "--certificate-key", certificate],
            &certificate.to_owned(),
            "PRIVATE KEY",
        ),
        (["--certificate", certificate, "--certificate-key", &damaged_key], &damaged_key, "ECDSA"),
        (["--certificate", certificate, "--certificate-key", &foreign], &foreign, "issued together"),
    ] {
        let sentence = refused(&flags).await;
        assert!(sentence.contains(named.as_str()) && sentence.contains(mend), "{flags:?}: {sentence}");
    }
}

#[tokio::test]
async fn flags_that_contradict_each_other_are_refused() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let files = authority.issue(&["localhost"]).write(directory.path());
    let [certificate, certificate_file, key, key_file] = files.flags();
    for (flags, mend) in [
        (vec![certificate, certificate_file], "--certificate-key"),
        (vec![key, key_file], "--certificate"),
        (vec![certificate, certificate_file, key, key_file, "--self-made-certificate"], "leave one"),
        (vec![certificate, certificate_file, "--self-made-certificate"], "--certificate-key"),
        (vec!["--self-made-certificate", "--public-url", "http://localhost:8080"], "https://"),
        (vec!["--turn-listen", "3478"], "--turn-listen"),
        (vec!["--workers", "0"], "--workers"),
        (vec!["--workers", "many"], "--workers"),
    ] {
        let sentence = refused(&flags).await;
        assert!(sentence.contains(mend), "{flags:?}: {sentence}");
    }
}

#[tokio::test]
async fn an_occupied_further_port_is_named_on_either_side() {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for address in [tcp.local_addr().unwrap(), udp.local_addr().unwrap()] {
        let sentence = refused(&["--turn-listen", &address.to_string()]).await;
        assert!(
            sentence.contains(&address.port().to_string()) && sentence.contains("--turn-listen"),
            "{sentence}"
        );
    }
}

#[tokio::test]
async fn an_expired_certificate_is_shown_and_the_log_says_so() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let issued = authority.issue_until(&["localhost"], 2002);
    let files = issued.write(directory.path());
    let server = Server::start_trusting(Some(authority.trust()), &files.flags(), &[]).await;
    let refused = authority.trust().handshake(server.connect_tcp().await.unwrap(), &[]).await;
    assert!(refused.unwrap_err().to_string().contains("expired"), "the client sees it, too");
    server.until("the warning", async || server.log().contains("has expired").then_some(())).await;
    assert!(server.log().contains(files.certificate.to_str().unwrap()), "{}", server.log());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_a_warning() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let files = authority.issue(&["localhost", "other.example.org"]).write(directory.path());
    for (public_url, warns) in
        [("https://video.example.org", true), ("https://other.example.org:8443", false)]
    {
        let flags = [&files.flags()[..], &["--public-url", public_url]].concat();
        let server = Server::start_trusting(Some(authority.trust()), &flags, &[]).await;
        assert_eq!(server.log().contains("does not name"), warns, "{}", server.log());
        assert!(!server.log().contains("plain HTTP beyond"), "{}", server.log());
    }
}

#[tokio::test]
async fn an_address_as_public_host_is_a_warning_for_firefox() {
    let Secure { server, .. } = Secure::start_with(&["--public-url", "https://127.0.0.1"]).await;
    assert!(server.log().contains("Firefox"), "{}", server.log());
    let Secure { server, .. } = Secure::start().await;
    assert!(!server.log().contains("WARN"), "{}", server.log());
}

#[tokio::test]
async fn a_self_made_certificate_stays_the_same_over_restarts_and_is_its_owners_only() {
    let mut server = Server::start_with(&["--self-made-certificate"], &[]).await;
    let file = server.data_dir().join("self-made-certificate.pem");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert!(server.log().contains("self-made certificate") && server.log().contains("no TURN over TLS"));
    // The port may be known from the log before the line on stdout was read.
    server.until("the address", async || server.stdout().contains("https://localhost:").then_some(())).await;
    let trust = Trust::in_file(&file);
    let before = shown(&server, &trust).await;
    server.restart(Ending::Terminate).await;
    assert_eq!(shown(&server, &trust).await, before);
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("https://{host}:{}/healthz", server.port);
        let answer = http_client(Some(&trust), &[b"h2"]).get(url).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "alive");
    }
}

#[tokio::test]
async fn a_self_made_certificate_for_another_name_is_made_anew_and_a_damaged_one_is_named() {
    let mut server = Server::start_with(&["--self-made-certificate"], &[]).await;
    let file = server.data_dir().join("self-made-certificate.pem");
    let first = std::fs::read(&file).unwrap();
    server.end(Ending::Terminate).await;
    let data_dir = server.data_dir();
    let start =
        ["--data-dir", data_dir.to_str().unwrap(), "--listen", "127.0.0.1:0", "--self-made-certificate"];
    std::fs::write(&file, "damaged").unwrap();
    let sentence = refusal(&cli(&start).await);
    assert!(sentence.contains(file.to_str().unwrap()) && sentence.contains("Delete"), "{sentence}");
    std::fs::write(&file, &first).unwrap();
    let named =
        Server::start_in(server, &["--self-made-certificate", "--public-url", "https://video.example.org"])
            .await;
    let second = std::fs::read(&file).unwrap();
    assert_ne!(first, second);
    shown(&named, &Trust::in_file(&file)).await;
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_without_a_restart_and_a_broken_one_is_not() {
    let Secure { server, authority, files, directory } = Secure::start().await;
    let trust = authority.trust();
    let issued = server.issue_now().await;
    let mut page = server.page().await;
    page.enter(issued.code(1)).await;

    let renewed = authority.issue(&["localhost"]);
    renewed.write(directory.path());
    let is_renewed = async || (shown(&server, &trust).await == renewed.der()).then_some(());
    server.until("the renewed certificate", is_renewed).await;

    let broken = authority.issue(&["localhost"]);
    std::fs::write(&files.certificate, &broken.certificate).unwrap();
    let warning = async {
        while !server.log().contains("is not taken") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), warning).await.expect("what stays broken is a warning");
    assert!(server.log().contains("does not belong to the certificate"), "{}", server.log());
    assert_eq!(shown(&server, &trust).await, renewed.der(), "the one before stays");

    std::fs::write(&files.key, &broken.key).unwrap();
    let is_mended = async || (shown(&server, &trust).await == broken.der()).then_some(());
    server.until("the mended pair", is_mended).await;
    assert!(page.drain_by_error().await.is_empty(), "whoever was connected stays connected");
}
