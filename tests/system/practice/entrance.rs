//! Setting up, signing in, guessing, coming back.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::common::desk::{Practice, Session, ask, ask_from, first, secret_of, sign_in};
use crate::common::{BINARY, Ending, Server, refusal, success, within};

#[tokio::test]
async fn the_first_start_leaves_a_link_for_its_owner_that_sets_up_one_practice_once() {
    let server = Server::start().await;
    let file = server.data_dir().join("set-up-link");
    let left = server.until("the link", async || std::fs::read_to_string(&file).ok()).await;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let link = secret_of(&left);
    server
        .until("where it lies", async || server.stdout().contains(file.to_str().unwrap()).then_some(()))
        .await;
    for kept in [server.stdout(), server.log()] {
        assert!(!kept.contains(&link) && !kept.contains("#set-up="), "what is kept holds no secret: {kept}");
    }
    let (status, body) = ask(&server, Method::POST, "/set-up", Some(first(&link, " Markt "))).await;
    assert_eq!((status, &body["practice"]["short"]), (201, &json!("markt")));
    assert_eq!(body["workplace"]["state"], "released", "who sets up sits at the first workplace");
    assert!(!file.exists(), "used");
    let provider: Value =
        server.http().get(server.url("/practice.json")).send().await.unwrap().json().await.unwrap();
    assert_eq!(provider["name"], "Praxis am Markt", "the only practice is who invites");
    let (status, _) = ask(&server, Method::POST, "/set-up", Some(first(&link, "zweite"))).await;
    assert_eq!(status, 404, "a link is good for once");
    let further = secret_of(&success(&server.cli(&["practice", "new"]).await));
    let (status, problem) = ask(&server, Method::POST, "/set-up", Some(first(&further, "MARKT"))).await;
    assert_eq!((status, &problem["type"]), (409, &json!("#taken")));
    let (status, _) = ask(&server, Method::POST, "/set-up", Some(first(&further, "zweite"))).await;
    assert_eq!(status, 201, "a name that was taken did not cost the link");
    assert_eq!(
        success(&server.cli(&["practice", "list"]).await),
        "markt  Praxis am Markt\nzweite  Praxis am Markt\n"
    );
}

#[tokio::test]
async fn with_a_practice_no_start_leaves_a_link() {
    let mut server = Server::start().await;
    Practice::set_up(&server, "markt").await;
    let file = server.data_dir().join("set-up-link");
    std::fs::write(&file, "of a start before the database was put back").unwrap();
    let before = server.stdout().len();
    server.restart(Ending::Terminate).await;
    assert!(server.api(Method::GET, "/api/consultations", None).await.0 == 200);
    server.until("that it is gone", async || (!file.exists()).then_some(())).await;
    assert!(!server.stdout()[before..].contains("set-up"), "{}", server.stdout());
}

#[tokio::test]
async fn at_a_terminal_the_first_start_prints_the_link_and_leaves_no_file() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    // The shell between would end by Control-C itself.
    let start = format!("exec {} --data-dir {} --listen 127.0.0.1:0", BINARY, data.display());
    let mut child = tokio::process::Command::new("script")
        .args(["--quiet", "--return", "--command", &start, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let link = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it prints the link");
            if line.contains("#set-up=") {
                return line;
            }
        }
    };
    assert!(within("the link", link).await.contains("/desk/sign-in.html#set-up="));
    assert!(!data.join("set-up-link").exists());
    // Control-C, as somebody would press it there.
    child.stdin.take().unwrap().write_all(b"\x03").await.unwrap();
    assert!(within("the end", child.wait()).await.unwrap().success());
}

#[tokio::test]
async fn names_are_trimmed_and_know_no_case_and_whatever_is_wrong_gets_one_answer() {
    let server = Server::start().await;
    Practice::set_up(&server, "markt").await;
    assert_eq!(sign_in(&server, "  MARKT", "Leitung ", "right", None).await.0, 200);
    let mut answers = Vec::new();
    for (practice, user, secret) in [
        ("andere", "leitung", "right"),
        ("markt", "niemand", "right"),
        ("markt", "leitung", "wrong"),
        ("", "", "x"),
    ] {
        answers.push(sign_in(&server, practice, user, secret, None).await);
    }
    assert_eq!(answers[0].0, 401);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let mut salts = Vec::new();
    for (practice, user) in
        [("markt", "leitung"), (" Markt", "LEITUNG"), ("markt", "niemand"), ("andere", "leitung")]
    {
        let (status, body) =
            ask(&server, Method::POST, "/salt", Some(json!({ "practice": practice, "user": user }))).await;
        assert_eq!((status, body["salt"].as_str().map(str::len)), (200, Some(22)));
        salts.push(body["salt"].clone());
    }
    assert_eq!(salts[0], salts[1], "the salt hangs on the names");
    assert!(salts[0] != salts[2] && salts[0] != salts[3] && salts[2] != salts[3]);
}

#[tokio::test]
async fn ten_thousand_guesses_are_stopped_and_the_real_user_still_gets_in_at_a_released_workplace() {
    let server = Server::start_with(&["--trusted-proxies", "127.0.0.0/8"], &[]).await;
    let practice = Practice::set_up(&server, "markt").await;
    let began = std::time::Instant::now();
    let (mut tried, mut refused) = (0, 0);
    for round in 0..100u8 {
        // From a hundred addresses each: the account's budget stops them, whoever asks.
        let guesses = (0..100u8).map(|guess| {
            let server = &server;
            async move {
                let body = json!({ "practice": "markt", "user": "leitung", "secret": format!("guess{round}x{guess}"), "by": "password" });
                let address = format!("203.0.{round}.{guess}");
                ask_from(server, &address, "", Method::POST, "/sign-in", Some(body)).await
            }
        });
        for (status, body) in futures_util::future::join_all(guesses).await {
            match status {
                401 => tried += 1,
                429 => refused += 1,
                other => panic!("{other}: {body}"),
            }
        }
    }
    let minutes = i64::try_from(began.elapsed().as_secs() / 60).unwrap();
    println!(
        "10,000 guesses at one account in {:.1} s: {tried} tried, {refused} refused",
        began.elapsed().as_secs_f64()
    );
    assert_eq!(tried + refused, 10_000);
    assert!((10..=10 + minutes + 1).contains(&tried), "{tried} tried in {minutes} minutes");
    let (status, problem) = sign_in(&server, "markt", "leitung", "right", None).await;
    assert_eq!((status, &problem["type"]), (429, &json!("#too-many")), "an unknown browser waits its turn");
    assert!(problem["detail"].as_str().unwrap().contains("released workplace"), "{problem}");
    let (status, _) = sign_in(&server, "markt", "leitung", "right", Some(&practice.workplace_token)).await;
    assert_eq!(status, 200, "a released workplace has a budget of its own");
    assert_eq!(
        sign_in(&server, "markt", "anderer", "x", None).await.0,
        401,
        "another account has its own as well"
    );
}

#[tokio::test]
async fn a_session_ends_with_sign_out_and_with_a_new_password_elsewhere() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let other = Session::of(sign_in(&server, "markt", "leitung", "right", None).await.1);
    let (_, sessions) = practice.head.get(&server, "/sessions").await;
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    let change = |secret: &str| json!({ "by": "password", "secret": secret, "newSecret": "new", "byPassword": "blob" });
    assert_eq!(practice.head.put(&server, "/me/password", change("wrong")).await.0, 401);
    assert_eq!(practice.head.put(&server, "/me/password", change("right")).await.0, 204);
    assert_eq!(other.get(&server, "/me").await.0, 401, "the user's other sessions ended");
    assert_eq!(practice.head.get(&server, "/me").await.0, 200);
    assert_eq!(sign_in(&server, "markt", "leitung", "right", None).await.0, 401);
    assert_eq!(sign_in(&server, "markt", "leitung", "new", None).await.0, 200);
    assert_eq!(practice.head.delete(&server, "/sessions/current").await.0, 204);
    let (status, problem) = practice.head.get(&server, "/me").await;
    assert_eq!((status, &problem["type"]), (401, &json!("#session")));
}

#[tokio::test]
async fn the_recovery_key_opens_and_lets_choose_a_new_password() {
    let server = Server::start().await;
    Practice::set_up(&server, "markt").await;
    let by_recovery =
        |secret: &str| json!({ "practice": "markt", "user": "leitung", "secret": secret, "by": "recovery" });
    assert_eq!(
        ask(&server, Method::POST, "/sign-in", Some(by_recovery("right"))).await.0,
        401,
        "the password is no recovery key"
    );
    let (status, body) = ask(&server, Method::POST, "/sign-in", Some(by_recovery("printed"))).await;
    assert_eq!((status, body["user"]["byRecovery"].is_string()), (200, true));
    let session = Session::of(body);
    let change = json!({ "by": "recovery", "secret": "printed", "newSecret": "new", "byPassword": "blob" });
    assert_eq!(session.put(&server, "/me/password", change).await.0, 204);
    assert_eq!(sign_in(&server, "markt", "leitung", "new", None).await.0, 200);
}

#[tokio::test]
async fn guessing_at_passwords_keeps_nobody_from_their_recovery_key() {
    let server = Server::start_with(&["--trusted-proxies", "127.0.0.0/8"], &[]).await;
    Practice::set_up(&server, "markt").await;
    let sign_in = async |by: &str, secret: &str| {
        let body = json!({ "practice": "markt", "user": "leitung", "secret": secret, "by": by });
        ask_from(&server, "203.0.113.7", "", Method::POST, "/sign-in", Some(body)).await
    };
    let guesses = futures_util::future::join_all((0..200).map(|_| sign_in("password", "guess"))).await;
    assert!(guesses.iter().any(|(status, _)| *status == 429));
    assert_eq!(sign_in("password", "right").await.0, 429);
    let (status, body) = sign_in("recovery", "printed").await;
    assert_eq!(status, 200, "from the guesser's own address, too: {body}");
    let session = Session::of(body);
    let change = json!({ "by": "recovery", "secret": "printed", "newSecret": "new", "byPassword": "blob" });
    assert_eq!(session.put(&server, "/me/password", change).await.0, 204);
}

#[tokio::test]
async fn the_operator_gives_access_back_and_not_the_names() {
    let server = Server::start().await;
    Practice::set_up(&server, "markt").await;
    let unknown = server.cli(&["practice", "rescue", "markt", "niemand"]).await;
    assert!(refusal(&unknown).contains("no user"));
    let link = secret_of(&success(&server.cli(&["practice", "rescue", " Markt", "leitung"]).await));
    let body = |user: &str| -> Value {
        json!({ "link": link, "practice": "markt", "user": user, "secret": "again", "recoverySecret": "printed2",
            "publicKey": "key2", "byPassword": "blob", "byRecovery": "blob" })
    };
    assert_eq!(ask(&server, Method::POST, "/rescue", Some(body("niemand"))).await.0, 404);
    let (status, signed) = ask(&server, Method::POST, "/rescue", Some(body("leitung"))).await;
    assert_eq!(
        (status, &signed["user"]["keys"]),
        (201, &json!([])),
        "what sealed the names is not the operator's to give"
    );
    assert_eq!(ask(&server, Method::POST, "/rescue", Some(body("leitung"))).await.0, 404, "once");
    assert_eq!(sign_in(&server, "markt", "leitung", "right", None).await.0, 401);
    assert_eq!(sign_in(&server, "markt", "leitung", "again", None).await.0, 200);
}
