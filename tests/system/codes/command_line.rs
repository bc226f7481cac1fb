//! `visavis consultation …` answers the same whether a server runs or not.

use std::collections::BTreeSet;

use chrono::{Duration, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::common::{Ending, Server, cli, refusal, success};

/// A server that is stopped; its command line works on the store itself.
async fn stopped(flags: &[&str]) -> Server {
    let mut server = Server::start_with(flags, &[]).await;
    assert_eq!(server.end(Ending::Terminate).await, Some(0));
    server
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Code and link secret of a seat, checked for their form.
fn code_and_secret<'a>(seat: &'a Value, origin: &str) -> (&'a str, &'a str) {
    let (code, link) = (seat["code"].as_str().unwrap(), seat["link"].as_str().unwrap());
    let groups: Vec<&str> = code.split('-').collect();
    assert!(groups.len() == 3 && groups.iter().all(|group| group.len() == 4), "{code}");
    let secret = link.strip_prefix(&format!("{origin}/#{code}.")).unwrap_or_else(|| panic!("{link}"));
    assert!(
        secret.len() == 22 && secret.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)),
        "{link}"
    );
    (code, secret)
}

#[tokio::test]
async fn a_new_consultation_reads_the_same_with_and_without_a_server() {
    let flags = ["--public-url", "https://video.example.org"];
    for server in [Server::start_with(&flags, &[]).await, stopped(&flags).await] {
        let arguments = ["consultation", "new", "--start", "2026-11-30T09:00:00+01:00", "--json"];
        let issued = parse(&success(&server.cli(&arguments).await));
        assert_eq!(
            keys(&issued),
            BTreeSet::from(["id", "opensAt", "startsAt", "expiresAt", "relayedOnly", "seats"])
        );
        assert_eq!(issued["opensAt"], "2026-11-30T07:30:00Z");
        assert_eq!(issued["startsAt"], "2026-11-30T08:00:00Z");
        assert_eq!(issued["expiresAt"], "2026-12-01T08:00:00Z");
        let seats = issued["seats"].as_array().unwrap();
        assert!(seats.iter().all(|seat| keys(seat) == BTreeSet::from(["seat", "role", "code", "link"])));
        assert_eq!((&seats[0]["role"], &seats[1]["role"]), (&json!("doctor"), &json!("patient")));
        let (doctors_code, secret) = code_and_secret(&seats[0], "https://video.example.org");
        let (patients_code, same_secret) = code_and_secret(&seats[1], "https://video.example.org");
        assert_eq!(secret, same_secret, "one secret for all links of a consultation");
        assert_ne!(doctors_code, patients_code);

        let relayed =
            parse(&success(&server.cli(&["consultation", "new", "--relayed-only", "--json"]).await));
        assert_eq!((&issued["relayedOnly"], &relayed["relayedOnly"]), (&json!(false), &json!(true)));

        let text = success(&server.cli(&["consultation", "new", "--guests", "7"]).await);
        assert_eq!(text.matches("https://video.example.org/#").count(), 9, "{text}");
    }
}

#[tokio::test]
async fn a_local_time_that_the_clocks_skip_or_show_twice_is_explained() {
    let server = Server::start().await;
    for (local, start, note) in [
        ("2027-03-28T02:30", "2027-03-28T01:30:00Z", Some("skip")),
        ("2027-10-31T02:30", "2027-10-31T00:30:00Z", Some("twice")),
        ("2027-06-01T10:00", "2027-06-01T08:00:00Z", None),
    ] {
        let issued = parse(&success(&server.cli(&["consultation", "new", "--start", local, "--json"]).await));
        assert_eq!(issued["startsAt"], start);
        assert_eq!(
            issued["note"].as_str().map(|text| text.contains(note.unwrap_or_default())),
            note.map(|_| true)
        );
    }
}

#[tokio::test]
async fn the_list_is_the_same_with_and_without_a_server_and_shows_no_code() {
    let mut server = Server::start().await;
    let mut codes = Vec::new();
    // Over, and not so long ago that it goes by itself.
    let over = (Utc::now() - Duration::days(2)).to_rfc3339_opts(SecondsFormat::Secs, true);
    for start in [over.as_str(), "2030-01-01T10:00:00Z"] {
        let issued = parse(&success(&server.cli(&["consultation", "new", "--start", start, "--json"]).await));
        codes.extend(issued["seats"].as_array().unwrap().iter().map(|seat| seat["code"].clone()));
        if start.starts_with("2030") {
            let id = issued["id"].as_str().unwrap();
            let reissued =
                parse(&success(&server.cli(&["consultation", "reissue", id, "2", "--json"]).await));
            codes.push(reissued["code"].clone());
        }
    }
    let lists = async || {
        let text = success(&server.cli(&["consultation", "list"]).await);
        (text, success(&server.cli(&["consultation", "list", "--json"]).await))
    };
    let online = lists().await;
    assert!(
        online.0.lines().count() == 2 && online.0.contains("planned") && online.0.contains("expired"),
        "{online:?}"
    );
    assert!(codes.iter().all(|code| {
        let bare = code.as_str().unwrap().replace('-', "");
        !online.0.contains(code.as_str().unwrap())
            && !online.1.contains(code.as_str().unwrap())
            && !online.1.contains(&bare)
    }));
    server.end(Ending::Terminate).await;
    let lists = async || {
        let text = success(&server.cli(&["consultation", "list"]).await);
        (text, success(&server.cli(&["consultation", "list", "--json"]).await))
    };
    assert_eq!(online, lists().await);
}

#[tokio::test]
async fn reissue_and_revoke_do_the_same_with_and_without_a_server() {
    for mut server in [Server::start().await, stopped(&[]).await] {
        let issued = parse(&success(&server.cli(&["consultation", "new", "--json"]).await));
        let id = issued["id"].as_str().unwrap();
        let other = parse(&success(&server.cli(&["consultation", "new", "--json"]).await));
        let reissued = parse(&success(&server.cli(&["consultation", "reissue", id, "2", "--json"]).await));
        assert_eq!((&reissued["seat"], &reissued["role"]), (&json!(2), &json!("patient")));
        assert_ne!(reissued["code"], issued["seats"][1]["code"]);
        let text = success(&server.cli(&["consultation", "revoke", other["id"].as_str().unwrap()]).await);
        assert!(text.contains(other["id"].as_str().unwrap()), "{text}");
        success(&server.cli(&["consultation", "revoke", other["id"].as_str().unwrap()]).await);

        server.restart_if_ended().await;
        let mut page = server.page().await;
        assert_eq!(page.look(reissued["code"].as_str().unwrap()).await["role"], "patient");
        assert_eq!(page.look(issued["seats"][0]["code"].as_str().unwrap()).await["role"], "doctor");
        assert_eq!(page.look(issued["seats"][1]["code"].as_str().unwrap()).await["error"], "code-revoked");
        for seat in other["seats"].as_array().unwrap() {
            assert_eq!(page.look(seat["code"].as_str().unwrap()).await["error"], "code-revoked");
        }
    }
}

#[tokio::test]
async fn a_wish_that_cannot_be_is_refused_in_the_same_words() {
    let mut online = Server::start().await;
    let offline = stopped(&[]).await;
    let issued = online.issue_now().await;
    success(&online.cli(&["consultation", "revoke", issued.id()]).await);
    for (arguments, names) in [
        (vec!["consultation", "revoke", "nothing"], "no consultation"),
        (vec!["consultation", "reissue", "nothing", "1"], "no consultation"),
        (vec!["consultation", "new", "--start", "tomorrow"], "“tomorrow” is not a time"),
        (vec!["consultation", "new", "--start", "9999-01-01T00:00:00Z"], "is not a time"),
    ] {
        let (with, without) =
            (refusal(&online.cli(&arguments).await), refusal(&offline.cli(&arguments).await));
        assert_eq!(with, without);
        assert!(with.contains(names), "{with}");
    }
    let reissue = ["consultation", "reissue", issued.id(), "2"];
    let with = refusal(&online.cli(&reissue).await);
    online.end(Ending::Terminate).await;
    assert_eq!(with, refusal(&online.cli(&reissue).await));
    assert!(with.contains("was revoked"), "{with}");
}

#[tokio::test]
async fn what_the_command_line_lacks_is_named() {
    for (arguments, named) in [
        (vec!["consultation", "revoke"], "<ID>"),
        (vec!["consultation", "reissue", "x"], "<SEAT>"),
        (vec!["consultation", "reissue", "x", "first"], "<SEAT>"),
        (vec!["consultation", "new", "--guests", "8"], "--guests"),
        (vec!["consultation", "dance"], "dance"),
    ] {
        let sentence = refusal(&cli(&arguments).await);
        assert!(sentence.contains(named), "{arguments:?}: {sentence}");
    }
}
