//! A practice over HTTP: keys and secrets are any text, since the server only keeps them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Server, success};

/// Somebody at a browser.
#[derive(Clone, Debug)]
pub struct Session {
    /// The bearer token.
    pub token: String,
    /// The answer that began it.
    pub body: Value,
}

/// A practice that was set up.
pub struct Practice {
    /// The first user, at the first workplace.
    pub head: Session,
    /// The first workplace's token.
    pub workplace_token: String,
}

/// An answer's status and body.
pub type Answer = (u16, Value);

/// Asks without a session.
pub async fn ask(server: &Server, method: Method, path: &str, body: Option<Value>) -> Answer {
    ask_as(server, "", method, path, body).await
}

/// Asks with a session's token.
pub async fn ask_as(server: &Server, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    ask_from(server, "", token, method, path, body).await
}

/// Asks through a proxy that forwards this address.
pub async fn ask_from(
    server: &Server,
    address: &str,
    token: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let mut request = server.http().request(method, server.url(&format!("/api/practice{path}")));
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if !address.is_empty() {
        request = request.header("x-forwarded-for", address);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store", "nothing of a practice rests in a cache");
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

impl Practice {
    /// Sets a practice up with a link of the command line.
    pub async fn set_up(server: &Server, short: &str) -> Self {
        let link = success(&server.cli(&["practice", "new"]).await);
        let (status, body) =
            ask(server, Method::POST, "/set-up", Some(first(&secret_of(&link), short))).await;
        assert_eq!(status, 201, "{body}");
        let workplace_token = body["workplaceToken"].as_str().unwrap().to_owned();
        Self { head: Session::of(body), workplace_token }
    }

    async fn newcomer(&self, server: &Server, short: &str, role: &str, workplace: Option<&str>) -> Session {
        let (status, user) = self.head.post(server, "/users", user(short, role, &[1])).await;
        assert_eq!(status, 201, "{user}");
        let signed = sign_in(server, &self.short(), short, "initial", workplace).await;
        let session = Session::of(signed.1);
        let change =
            json!({ "by": "password", "secret": "initial", "newSecret": "own", "byPassword": "blob" });
        assert_eq!(session.put(server, "/me/password", change).await.0, 204);
        session
    }

    /// Adds a user with an own password, signed in at the first workplace.
    pub async fn colleague_here(&self, server: &Server, short: &str, role: &str) -> Session {
        self.newcomer(server, short, role, Some(&self.workplace_token)).await
    }

    /// Adds a user with an own password at a released workplace of theirs.
    pub async fn colleague(&self, server: &Server, short: &str, role: &str) -> Session {
        let session = self.newcomer(server, short, role, None).await;
        let (status, asked) =
            session.post(server, "/workplaces", json!({ "name": short, "publicKey": "key" })).await;
        assert_eq!(status, 201, "{asked}");
        let path = format!("/workplaces/{}/release", asked["id"].as_str().unwrap());
        let keys = json!({ "keys": [{ "version": 1, "wrapped": "blob" }] });
        assert_eq!(self.head.post(server, &path, keys).await.0, 204);
        session
    }

    /// What people type.
    pub fn short(&self) -> String {
        self.head.body["practice"]["short"].as_str().unwrap().to_owned()
    }
}

impl Session {
    /// From the answer that began it.
    pub fn of(body: Value) -> Self {
        let token = body["token"].as_str().unwrap_or_else(|| panic!("no session: {body}")).to_owned();
        Self { token, body }
    }

    /// The user's id.
    pub fn user(&self) -> &str {
        self.body["user"]["id"].as_str().unwrap()
    }

    /// GET.
    pub async fn get(&self, server: &Server, path: &str) -> Answer {
        ask_as(server, &self.token, Method::GET, path, None).await
    }

    /// POST with a body.
    pub async fn post(&self, server: &Server, path: &str, body: Value) -> Answer {
        ask_as(server, &self.token, Method::POST, path, Some(body)).await
    }

    /// POST without one.
    pub async fn order(&self, server: &Server, path: &str) -> Answer {
        ask_as(server, &self.token, Method::POST, path, None).await
    }

    /// PUT.
    pub async fn put(&self, server: &Server, path: &str, body: Value) -> Answer {
        ask_as(server, &self.token, Method::PUT, path, Some(body)).await
    }

    /// PATCH.
    pub async fn patch(&self, server: &Server, path: &str, body: Value) -> Answer {
        ask_as(server, &self.token, Method::PATCH, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, server: &Server, path: &str) -> Answer {
        ask_as(server, &self.token, Method::DELETE, path, None).await
    }

    /// Plans a consultation.
    pub async fn plan(&self, server: &Server, body: Value) -> Value {
        let (status, body) = self.post(server, "/consultations", body).await;
        assert_eq!(status, 201, "{body}");
        body
    }
}

/// The secret behind `#purpose=` of a one-time link.
pub fn secret_of(link: &str) -> String {
    link.trim().rsplit_once('=').unwrap().1.to_owned()
}

/// The body of a set-up.
pub fn first(link: &str, short: &str) -> Value {
    json!({
        "link": link, "practice": short, "name": "Praxis am Markt", "phone": "030 1234567", "timeZone": "Europe/Berlin",
        "user": "leitung", "role": "head", "secret": "right", "recoverySecret": "printed", "publicKey": "key",
        "byPassword": "blob", "byRecovery": "blob", "practiceKey": "blob",
        "workplace": { "name": "Empfang", "publicKey": "key", "practiceKey": "blob" },
    })
}

/// The body of a new user.
pub fn user(short: &str, role: &str, versions: &[i64]) -> Value {
    let keys: Vec<Value> =
        versions.iter().map(|version| json!({ "version": version, "wrapped": "blob" })).collect();
    json!({ "short": short, "role": role, "secret": "initial", "publicKey": "key", "byPassword": "blob", "keys": keys })
}

/// Signs in by a password's secret.
pub async fn sign_in(
    server: &Server,
    practice: &str,
    user: &str,
    secret: &str,
    workplace: Option<&str>,
) -> Answer {
    let body = json!({ "practice": practice, "user": user, "secret": secret, "by": "password", "workplace": workplace });
    ask(server, Method::POST, "/sign-in", Some(body)).await
}

/// The walk of a practice that every store must carry: set up, a colleague, plans, pages, seats, a withdrawal, tokens, the trail.
pub async fn through_a_practice(server: &Server) {
    let practice = Practice::set_up(server, "markt").await;
    let doctor = practice.colleague(server, "dr.abel", "doctor").await;
    assert_eq!(sign_in(server, "markt", "leitung", "wrong", None).await.0, 401);
    let mut ids = Vec::new();
    for hour in ["09:00", "09:00", "10:00"] {
        let plan = doctor.plan(server, json!({ "startsAt": format!("2027-06-01T{hour}") })).await;
        ids.push(plan["consultation"]["id"].as_str().unwrap().to_owned());
    }
    let (_, page) = doctor.get(server, "/consultations?limit=2").await;
    let (_, rest) =
        doctor.get(server, &format!("/consultations?limit=2&after={}", page["next"].as_str().unwrap())).await;
    let listed: Vec<&Value> =
        [&page, &rest].iter().flat_map(|page| page["consultations"].as_array().unwrap()).collect();
    assert_eq!(listed.iter().map(|one| one["id"].as_str().unwrap()).collect::<Vec<_>>(), ids);
    assert_eq!((listed[0]["seats"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null));
    let path = format!("/consultations/{}", ids[0]);
    let change = json!({ "revision": 0, "startsAt": "2027-06-02T09:00", "sealed": "1.abc" });
    assert_eq!(doctor.patch(server, &path, change.clone()).await.0, 200);
    assert_eq!(doctor.patch(server, &path, change).await.0, 409);
    let (_, seat) = doctor.post(server, &format!("{path}/seats"), json!({ "role": "guest" })).await;
    assert_eq!(seat["seat"], 3);
    assert_eq!(doctor.delete(server, &format!("{path}/seats/3")).await.0, 204);
    assert_eq!(doctor.order(server, &format!("{path}/cancel")).await.0, 204);
    assert_eq!(doctor.delete(server, &path).await.0, 204);
    assert_eq!(practice.head.post(server, "/tokens", json!({ "name": "PVS", "scope": "read" })).await.0, 201);
    let (_, workplaces) = practice.head.get(server, "/workplaces").await;
    let ids: Vec<Value> = workplaces
        .as_array()
        .unwrap()
        .iter()
        .map(|one| json!({ "id": one["id"], "wrapped": "new" }))
        .collect();
    let rotation = json!({ "version": 2, "users": [{ "id": practice.head.user(), "wrapped": "new" }], "workplaces": ids });
    assert_eq!(
        practice.head.post(server, &format!("/users/{}/withdraw", doctor.user()), rotation).await.0,
        204
    );
    assert_eq!(doctor.get(server, "/me").await.0, 401);
    let (_, me) = practice.head.get(server, "/me").await;
    assert_eq!(me["user"]["keys"].as_array().unwrap().len(), 2);
    assert!(practice.head.get(server, "/audit").await.1.as_array().unwrap().len() > 10);
    assert_eq!(practice.head.get(server, "/export").await.1["consultations"].as_array().unwrap().len(), 2);
    assert_eq!(practice.head.post(server, "/delete", json!({ "secret": "right" })).await.0, 204);
    assert_eq!(sign_in(server, "markt", "leitung", "right", None).await.0, 401);
}
