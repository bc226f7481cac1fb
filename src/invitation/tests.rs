//! Against a real mail server, foreign to this crate: `tests/browser/lib/smtp.js`, run by Node.

use std::path::PathBuf;
use std::process::Stdio;

use clap::Parser;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::*;

const TO: &str = "maria.muster@patient.example";
const ICS: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//visavis//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1@visavis\r\nDTSTAMP:20261130T080000Z\r\nDTSTART:20261130T080000Z\r\nSUMMARY:Videotermin\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

#[derive(Deserialize)]
struct Received {
    from: String,
    to: Vec<String>,
    raw: String,
}

struct Server {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Server {
    async fn start(account: &[&str]) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/browser/lib/smtp.js");
        let mut child = Command::new("node")
            .arg(script)
            .args(account)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Node runs the mail server; npm ci installs it");
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = output.next_line().await.unwrap().expect("the mail server prints its URL");
        Self { _child: child, input, output, url }
    }

    async fn received(&mut self) -> Received {
        serde_json::from_str(&self.output.next_line().await.unwrap().unwrap()).unwrap()
    }

    async fn refuse(&mut self, with: &str) {
        self.input.write_all(format!("{with}\n").as_bytes()).await.unwrap();
        assert_eq!(self.output.next_line().await.unwrap().unwrap(), "ready");
    }
}

fn from_flags(flags: &[&str]) -> Result<Option<Mailer>, String> {
    let config =
        Flags::try_parse_from([&["visavis"], flags].concat()).map_err(|error| error.to_string())?.config;
    Mailer::from_config(&config)
}

/// As an operator configures it.
fn configured(url: &str) -> Result<Option<Mailer>, String> {
    let home = TempDir::new().unwrap();
    let file = home.path().join("smtp-url");
    std::fs::write(&file, format!("{url}\n")).unwrap();
    from_flags(&["--smtp-url-file", file.to_str().unwrap(), "--mail-from", "praxis@praxis.example"])
}

fn mailer(url: &str) -> Mailer {
    configured(url).unwrap().unwrap()
}

fn mail(text: &str) -> Mail {
    Mail {
        sender: "Praxis am Markt".to_owned(),
        to: TO.to_owned(),
        subject: "Ihr Videotermin am Montag".to_owned(),
        text: text.to_owned(),
        calendar: None,
    }
}

fn with_calendar(method: Method, ics: &str) -> Mail {
    Mail { calendar: Some(Calendar { method, ics: ics.to_owned() }), ..mail("Guten Tag") }
}

fn header<'a>(raw: &'a str, name: &str) -> &'a str {
    raw.lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")))
        .unwrap_or_else(|| panic!("{name} in {raw}"))
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let mut server = Server::start(&[]).await;
    mailer(&server.url).send(mail("Guten Tag,\n\nhttps://video.example/#K7QF-3XM2-9TDA\n")).await.unwrap();
    let Received { from, to, raw } = server.received().await;
    assert_eq!((from.as_str(), to), ("praxis@praxis.example", vec![TO.to_owned()]));
    assert_eq!(header(&raw, "From"), "\"Praxis am Markt\" <praxis@praxis.example>");
    assert_eq!(header(&raw, "To"), TO);
    assert_eq!(header(&raw, "Subject"), "Ihr Videotermin am Montag");
    assert_eq!(header(&raw, "Auto-Submitted"), "auto-generated");
    assert!(header(&raw, "Message-ID").ends_with("@praxis.example>"), "{raw}");
    assert!(raw.contains("https://video.example/#K7QF-3XM2-9TDA"), "{raw}");
}

#[tokio::test]
async fn an_appointment_comes_for_the_calendar_and_as_a_file_with_both_parties() {
    let mut server = Server::start(&[]).await;
    mailer(&server.url).send(with_calendar(Method::Request, ICS)).await.unwrap();
    let raw = server.received().await.raw;
    assert!(raw.contains("Content-Type: text/calendar; charset=utf-8; method=REQUEST"), "{raw}");
    assert!(raw.contains("filename=\"termin.ics\""), "{raw}");
    for party in ["ORGANIZER:mailto:praxis@praxis.example", &format!("ATTENDEE;RSVP=FALSE:mailto:{TO}")] {
        assert_eq!(raw.matches(&format!("\r\n{party}\r\n")).count(), 2, "{raw}");
    }
    let cancelled = ICS.replace("REQUEST", "CANCEL");
    mailer(&server.url).send(with_calendar(Method::Cancel, &cancelled)).await.unwrap();
    assert!(server.received().await.raw.contains("method=CANCEL"));
}

#[tokio::test]
async fn an_address_with_an_umlaut_in_its_domain_is_written_as_mail_servers_know_it() {
    let mut server = Server::start(&[]).await;
    mailer(&server.url)
        .send(Mail { to: " info@müller.example ".to_owned(), ..mail("Guten Tag") })
        .await
        .unwrap();
    assert_eq!(header(&server.received().await.raw, "To"), "info@xn--mller-kva.example");
}

#[tokio::test]
async fn user_and_password_come_from_the_file() {
    let mut server = Server::start(&["praxis", "p@ss/wort"]).await;
    let with = |account: &str| server.url.replace("://", &format!("://{account}@"));
    let (right, wrong) = (with("praxis:p%40ss%2Fwort"), with("praxis:falsch"));
    mailer(&right).send(mail("Guten Tag")).await.unwrap();
    assert_eq!(server.received().await.to, [TO]);
    let error = mailer(&wrong).send(mail("Guten Tag")).await.unwrap_err();
    assert_eq!(error, MailError::Server("535 5.7.8 Authentication credentials invalid".to_owned()));
}

#[tokio::test]
async fn a_refusal_is_told_in_the_mail_servers_words_without_the_address() {
    let mut server = Server::start(&[]).await;
    server.refuse(&format!("550 5.1.1 <{}> User unknown", TO.to_uppercase())).await;
    let error = mailer(&server.url).send(mail("Guten Tag")).await.unwrap_err();
    assert_eq!(error, MailError::Server("550 5.1.1 <…> User unknown".to_owned()));
    server.refuse("").await;
    mailer(&server.url).send(mail("Guten Tag")).await.unwrap();
}

#[tokio::test]
async fn a_mail_server_that_is_not_there_is_told() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = mailer(&format!("smtp://{free}")).send(mail("Guten Tag")).await.unwrap_err();
    assert!(matches!(&error, MailError::Server(why) if why.contains("refused")), "{error}");
}

#[tokio::test]
async fn a_mail_server_that_shows_a_certificate_of_its_own_making_gets_nothing() {
    let server = Server::start(&[]).await;
    let error = mailer(&format!("{}?tls=required", server.url)).send(mail("Guten Tag")).await.unwrap_err();
    assert!(matches!(&error, MailError::Server(why) if why.contains("certificate")), "{error}");
}

#[tokio::test]
async fn what_is_no_such_mail_is_refused_before_any_server_is_asked() {
    let nowhere = mailer("smtp://127.0.0.1:9");
    let addresses = [
        "",
        "maria",
        "maria@",
        "@patient.example",
        "a@patient.example, b@patient.example",
        "Maria <a@patient.example>",
        "a b@patient.example",
        "a@localhost",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@patient.example\r\nBcc: b@patient.example",
    ];
    let mut wrong: Vec<Mail> = addresses.map(|to| Mail { to: to.to_owned(), ..mail("Guten Tag") }).into();
    for subject in ["", "  ", "one\r\nBcc: b@patient.example", "tab\there", &"x".repeat(201)] {
        wrong.push(Mail { subject: subject.to_owned(), ..mail("Guten Tag") });
    }
    wrong.extend(["", "\n", "bell\u{7}", &"x".repeat(16 * 1024 + 1)].map(mail));
    let long = ICS.replace("SUMMARY:", &format!("DESCRIPTION:{}\r\nSUMMARY:", "x".repeat(32 * 1024)));
    for ics in [
        "",
        "hello",
        &ICS.replace("METHOD:REQUEST\r\n", ""),
        &ICS.replace("\r\n", "\n"),
        &format!("{ICS}{ICS}"),
        &long,
    ] {
        wrong.push(with_calendar(Method::Request, ics));
    }
    wrong.push(with_calendar(Method::Cancel, ICS));
    for mail in wrong {
        let shown = format!("{mail:?}");
        assert!(matches!(nowhere.send(mail).await, Err(MailError::Invalid(_))), "{shown}");
    }
}

#[tokio::test]
async fn a_link_with_its_secret_is_refused_wherever_it_hides() {
    let nowhere = mailer("smtp://127.0.0.1:9");
    let secret = "https://video.example/#K7QF-3XM2-9TDA.AbCdEfGhIjKlMnOpQrSt_-";
    let folded = secret.replace("2-9T", "2-\r\n 9T");
    let mails = [
        mail(&format!("Hier: {secret}.")),
        mail(&secret.replace("K7QF-3XM2-9TDA", "k7qf3xm29tda")),
        mail(&secret.replace('#', "%23").replace("A.A", "A%2EA")),
        Mail { subject: secret.to_owned(), ..mail("Guten Tag") },
        with_calendar(Method::Request, &ICS.replace("SUMMARY:", &format!("URL:{folded}\r\nSUMMARY:"))),
    ];
    for mail in mails {
        let shown = format!("{mail:?}");
        assert!(
            matches!(nowhere.send(mail).await, Err(MailError::Invalid(why)) if why.contains("secret")),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_code_alone_and_sentences_after_it_are_no_secret() {
    let mut server = Server::start(&[]).await;
    for text in [
        "https://video.example/#K7QF-3XM2-9TDA.\nBittekommenSiepuenktlichzumTermin",
        "Raum #12. Bitte klingeln.",
    ] {
        mailer(&server.url).send(mail(text)).await.unwrap();
        server.received().await;
    }
}

#[test]
fn a_wrong_configuration_is_told_in_a_sentence_without_the_password() {
    assert!(from_flags(&[]).unwrap().is_none());
    assert!(from_flags(&["--mail-from", "praxis@praxis.example"]).err().unwrap().contains("--smtp-url-file"));
    assert!(from_flags(&["--smtp-url-file", "/nowhere/smtp"]).err().unwrap().contains("--mail-from"));
    assert!(from_flags(&["--mail-from", "nobody"]).err().unwrap().contains("--mail-from"));
    let missing = from_flags(&["--smtp-url-file", "/nowhere/smtp", "--mail-from", "praxis@praxis.example"]);
    assert!(missing.err().unwrap().contains("/nowhere/smtp"));
    for url in [
        "",
        "mail.example:465 hunter2",
        "https://praxis:hunter2@mail.example",
        "smtp://praxis:hunter2@mail.example",
        "smtp://praxis:hunter2@mail.example?tls=opportunistic",
        "smtp://praxis:hunter2@127.0.0.1?tls=nonsense",
    ] {
        let sentence = configured(url).err().unwrap_or_else(|| panic!("{url}"));
        assert!(sentence.contains("smtp-url") && !sentence.contains("hunter2"), "{url}: {sentence}");
    }
    for url in ["smtps://praxis:hunter2@mail.example:465", "smtp://praxis:hunter2@mail.example?tls=required"]
    {
        assert!(configured(url).unwrap().is_some(), "{url}");
    }
}
