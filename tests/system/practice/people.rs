//! Who may do what from where, and what a withdrawal leaves behind.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::desk::{Answer, Practice, Session, ask_as, sign_in, user};
use crate::common::{Server, within};

fn kind((status, body): &Answer) -> (u16, &str) {
    (*status, body["type"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn an_initial_password_must_be_changed_and_a_workplace_released_before_anything_else() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    practice.head.post(&server, "/users", user("dr.abel", "doctor", &[1])).await;
    let session = Session::of(sign_in(&server, "markt", "dr.abel", "initial", None).await.1);
    assert_eq!(session.body["user"]["mustChange"], true);
    assert_eq!(kind(&session.get(&server, "/consultations").await), (403, "#must-change"));
    let change = json!({ "by": "password", "secret": "initial", "newSecret": "own", "byPassword": "blob" });
    assert_eq!(session.put(&server, "/me/password", change).await.0, 204);
    assert_eq!(kind(&session.get(&server, "/consultations").await), (403, "#workplace"));
    let (_, asked) =
        session.post(&server, "/workplaces", json!({ "name": "Zimmer 2", "publicKey": "key" })).await;
    assert_eq!(
        kind(&session.get(&server, "/consultations").await),
        (403, "#workplace"),
        "asked is not released"
    );
    let release = format!("/workplaces/{}/release", asked["id"].as_str().unwrap());
    let keys = json!({ "keys": [{ "version": 1, "wrapped": "blob" }] });
    assert_eq!(
        kind(&session.post(&server, &release, keys.clone()).await),
        (403, "#workplace"),
        "nobody releases themselves"
    );
    assert_eq!(
        kind(&practice.head.post(&server, &release, json!({ "keys": [] })).await),
        (409, "#recipients")
    );
    assert_eq!(practice.head.post(&server, &release, keys).await.0, 204);
    assert_eq!(session.get(&server, "/consultations").await.0, 200);
    let again = session.post(&server, "/workplaces", json!({ "name": "Zimmer 3", "publicKey": "key" })).await;
    assert_eq!(kind(&again), (409, "#released"));
    let (_, me) = session.get(&server, "/me").await;
    assert_eq!(
        (&me["workplace"]["state"], &me["workplace"]["keys"][0]["version"]),
        (&json!("released"), &json!(1))
    );
}

/// What an answer's status must be for doctor, staff, and admin.
#[tokio::test]
async fn each_role_may_do_its_own_and_no_more() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let mut sessions = Vec::new();
    for role in ["doctor", "staff", "admin"] {
        sessions.push(practice.colleague(&server, role, role).await);
    }
    let plan = practice.head.plan(&server, json!({})).await;
    let enter = format!("/consultations/{}/enter", plan["consultation"]["id"].as_str().unwrap());
    let newcomer = user("neu", "staff", &[1]);
    let table: [(Method, &str, Option<Value>, [u16; 3]); 10] = [
        (Method::GET, "/consultations", None, [200, 200, 200]),
        (Method::POST, "/consultations", Some(json!({})), [201, 201, 201]),
        // R09: staff see the waiting, and take part in nothing.
        (Method::POST, &enter, None, [201, 403, 403]),
        (Method::POST, "/users", Some(newcomer), [403, 403, 201]),
        (Method::GET, "/audit", None, [403, 403, 200]),
        (Method::GET, "/export", None, [403, 403, 200]),
        (Method::GET, "/tokens", None, [403, 403, 200]),
        (Method::POST, "/tokens", Some(json!({ "name": "PVS", "scope": "read" })), [403, 403, 201]),
        (Method::PATCH, "", Some(json!({ "retentionDays": 10 })), [403, 403, 200]),
        (Method::POST, "/delete", Some(json!({ "secret": "wrong" })), [403, 403, 401]),
    ];
    for (method, path, body, expected) in table {
        for (session, expected) in sessions.iter().zip(expected) {
            let (status, answer) = ask_as(&server, &session.token, method.clone(), path, body.clone()).await;
            assert_eq!(status, expected, "{method} {path} as {}: {answer}", session.body["user"]["short"]);
        }
        assert_eq!(
            ask_as(&server, "", method.clone(), path, body.clone()).await.0,
            401,
            "{method} {path} as nobody"
        );
        assert_eq!(ask_as(&server, "made-up", method, path, body).await.0, 401);
    }
}

#[tokio::test]
async fn one_practice_sees_nothing_of_another() {
    let server = Server::start().await;
    let ours = Practice::set_up(&server, "markt").await;
    let theirs = Practice::set_up(&server, "hafen").await;
    let plan = theirs.head.plan(&server, json!({})).await;
    let id = plan["consultation"]["id"].as_str().unwrap();
    let workplace = theirs.head.body["workplace"]["id"].as_str().unwrap();
    let keys = json!({ "keys": [{ "version": 1, "wrapped": "blob" }] });
    for (method, path, body) in [
        (Method::GET, format!("/consultations/{id}"), None),
        (Method::PATCH, format!("/consultations/{id}"), Some(json!({ "revision": 0, "sealed": "x" }))),
        (Method::POST, format!("/consultations/{id}/cancel"), None),
        (Method::DELETE, format!("/consultations/{id}"), None),
        (Method::POST, format!("/consultations/{id}/enter"), None),
        (Method::POST, format!("/consultations/{id}/seats"), Some(json!({ "role": "guest" }))),
        (Method::DELETE, format!("/consultations/{id}/seats/2"), None),
        (Method::POST, format!("/consultations/{id}/seats/2/reissue"), None),
        (Method::PATCH, format!("/users/{}", theirs.head.user()), Some(json!({ "role": "staff" }))),
        (Method::PUT, format!("/users/{}/keys", theirs.head.user()), Some(keys.clone())),
        (Method::PATCH, format!("/workplaces/{workplace}"), Some(json!({ "name": "x" }))),
        (Method::POST, format!("/workplaces/{workplace}/release"), Some(keys)),
    ] {
        let (status, answer) = ask_as(&server, &ours.head.token, method.clone(), &path, body).await;
        assert_eq!(status, 404, "{method} {path}: {answer}");
    }
    assert_eq!(ours.head.get(&server, "/consultations").await.1["consultations"], json!([]));
    assert_eq!(theirs.head.get(&server, "/consultations").await.1["consultations"][0]["id"], id);
    let foreign = sign_in(&server, "markt", "leitung", "wrong", Some(&theirs.workplace_token)).await;
    assert_eq!(foreign.0, 401, "another practice's workplace is nobody here");
}

#[tokio::test]
async fn a_withdrawal_gives_all_who_stay_a_new_key_and_the_withdrawn_nothing() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let leaving = practice.colleague(&server, "dr.abel", "doctor").await;
    let staying = practice.colleague(&server, "anna", "staff").await;
    let path = format!("/users/{}/withdraw", leaving.user());
    let (_, workplaces) = practice.head.get(&server, "/workplaces").await;
    let workplaces: Vec<Value> = workplaces
        .as_array()
        .unwrap()
        .iter()
        .map(|workplace| json!({ "id": workplace["id"], "wrapped": "new" }))
        .collect();
    let users =
        |ids: &[&str]| -> Vec<Value> { ids.iter().map(|id| json!({ "id": id, "wrapped": "new" })).collect() };
    let everybody = [practice.head.user(), staying.user()];
    let with_leaving = [practice.head.user(), staying.user(), leaving.user()];
    for (version, users) in [
        (2, users(&everybody[..1])),
        (2, users(&with_leaving)),
        (3, users(&everybody)),
        (1, users(&everybody)),
    ] {
        let rotation = json!({ "version": version, "users": users, "workplaces": workplaces });
        assert_eq!(kind(&practice.head.post(&server, &path, rotation).await), (409, "#recipients"));
        assert_eq!(leaving.get(&server, "/me").await.0, 200, "nothing happened");
    }
    let rotation = json!({ "version": 2, "users": users(&everybody), "workplaces": workplaces });
    assert_eq!(practice.head.post(&server, &path, rotation).await.0, 204);
    assert_eq!(leaving.get(&server, "/me").await.0, 401, "the session ended");
    assert_eq!(sign_in(&server, "markt", "dr.abel", "own", None).await.0, 401);
    let (_, me) = staying.get(&server, "/me").await;
    assert_eq!(me["practice"]["keyVersion"], 2);
    for keys in [&me["user"]["keys"], &me["workplace"]["keys"]] {
        assert_eq!(keys[1], json!({ "version": 2, "wrapped": "new" }));
    }
    let last = format!("/users/{}", practice.head.user());
    assert_eq!(
        kind(&practice.head.patch(&server, &last, json!({ "role": "doctor" })).await),
        (409, "#last-admin")
    );
}

/// A withdrawal of this user for whoever else is in the lists now.
pub async fn withdrawal(server: &Server, by: &Session, gone: &str, version: i64) -> (String, Value) {
    let mut sealed = Vec::new();
    for list in ["/users", "/workplaces"] {
        let (_, rows) = by.get(server, list).await;
        let staying = rows.as_array().unwrap().iter().filter(|row| row["id"] != gone);
        sealed.push(staying.map(|row| json!({ "id": row["id"], "wrapped": "new" })).collect::<Vec<_>>());
    }
    let rotation = json!({ "version": version, "users": sealed[0], "workplaces": sealed[1] });
    (format!("/users/{gone}/withdraw"), rotation)
}

#[tokio::test]
async fn of_two_admins_who_end_each_others_rights_at_once_one_stays() {
    let server = Server::start().await;
    // Not more at a time than one address may wait for.
    let rounds: Vec<_> = futures_util::stream::iter(0..40)
        .map(|round| {
            let server = &server;
            async move {
                let practice = Practice::set_up(server, &format!("p{round}")).await;
                let other = practice.colleague_here(server, "zweite", "admin").await;
                (practice, other)
            }
        })
        .buffer_unordered(8)
        .collect()
        .await;
    for (practice, other) in &rounds {
        let head = &practice.head;
        let (path, rotation) = withdrawal(&server, head, other.user(), 2).await;
        let demotion = format!("/users/{}", head.user());
        let (withdrawn, demoted) = tokio::join!(
            head.post(&server, &path, rotation),
            other.patch(&server, &demotion, json!({ "role": "staff" })),
        );
        let (_, me) = head.get(&server, "/me").await;
        let stays = me["user"]["role"] == "head" || other.get(&server, "/me").await.0 == 200;
        assert!(stays, "nobody keeps the practice: {withdrawn:?}, {demoted:?}");
    }
}

#[tokio::test]
async fn after_a_hundred_withdrawals_people_and_workplaces_still_get_all_keys() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    for version in 1..=101 {
        let leaving = user("geht", "staff", &[version]);
        let (status, leaving) = practice.head.post(&server, "/users", leaving).await;
        assert_eq!(status, 201, "{leaving}");
        let gone = leaving["id"].as_str().unwrap();
        let (path, rotation) = withdrawal(&server, &practice.head, gone, version + 1).await;
        assert_eq!(practice.head.post(&server, &path, rotation).await.0, 204);
    }
    let versions: Vec<i64> = (1..=102).collect();
    // As long as a browser makes them.
    let keys: Vec<Value> =
        versions.iter().map(|version| json!({ "version": version, "wrapped": "x".repeat(500) })).collect();
    let mut newcomer = user("kommt", "staff", &versions);
    newcomer["keys"] = json!(keys);
    let (status, made) = practice.head.post(&server, "/users", newcomer).await;
    assert_eq!((status, made["keys"].as_array().map(Vec::len)), (201, Some(102)), "{made}");
    let signed = Session::of(sign_in(&server, "markt", "kommt", "initial", None).await.1);
    let (_, asked) =
        signed.post(&server, "/workplaces", json!({ "name": "Labor", "publicKey": "key" })).await;
    let release = format!("/workplaces/{}/release", asked["id"].as_str().unwrap());
    let body = json!({ "keys": keys });
    assert_eq!(practice.head.post(&server, &release, body).await.0, 204);
    let twice = json!({ "keys": [keys[0], keys[0]] });
    assert_eq!(practice.head.post(&server, &release, twice).await.0, 422, "each once");
}

#[tokio::test]
async fn the_trail_tells_who_did_what_and_nothing_of_patients() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let doctor = practice.colleague(&server, "dr.abel", "doctor").await;
    let plan = doctor.plan(&server, json!({})).await;
    let id = plan["consultation"]["id"].as_str().unwrap();
    doctor.order(&server, &format!("/consultations/{id}/enter")).await;
    doctor.order(&server, &format!("/consultations/{id}/cancel")).await;
    let (status, lines) = practice.head.get(&server, "/audit").await;
    assert_eq!(status, 200);
    let told: Vec<String> = lines
        .as_array()
        .unwrap()
        .iter()
        .map(|line| format!("{} {}", line["actor"].as_str().unwrap(), line["what"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            "dr.abel consultation-cancelled",
            "dr.abel entered",
            "dr.abel consultation-created",
            "leitung workplace-released",
            "dr.abel workplace-asked",
            "dr.abel password-changed",
            "dr.abel sign-in",
            "leitung user-added",
            "leitung set-up",
        ]
    );
    let third = lines[2]["id"].as_str().unwrap();
    let (_, rest) = practice.head.get(&server, &format!("/audit?limit=2&before={third}")).await;
    assert_eq!((rest.as_array().unwrap().len(), &rest[0]), (2, &lines[3]));
}

#[tokio::test]
async fn whoever_holds_a_body_back_has_no_rights_left_that_were_taken_meanwhile() {
    let server = Server::start().await;
    let practice = Practice::set_up(&server, "markt").await;
    let admin = practice.colleague_here(&server, "zweite", "admin").await;
    let body = json!({ "name": "PVS", "scope": "read" }).to_string();
    let mut held = server.connect_tcp().await.unwrap();
    let head = format!(
        "POST /api/practice/tokens HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        admin.token,
        body.len()
    );
    held.write_all(head.as_bytes()).await.unwrap();
    held.write_all(&body.as_bytes()[..1]).await.unwrap();
    // The server has the head, and waits.
    let path = format!("/users/{}", admin.user());
    let (status, answer) = practice.head.patch(&server, &path, json!({ "role": "staff" })).await;
    assert_eq!(status, 204, "{answer}");
    held.write_all(&body.as_bytes()[1..]).await.unwrap();
    let mut answer = String::new();
    within("an answer", held.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(practice.head.get(&server, "/tokens").await.1.as_array().map(Vec::len), Some(0));
}
