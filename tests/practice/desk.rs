//! A practice over HTTP: keys and secrets are any text, since the server only keeps them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{Server, success};

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

    /// Adds a user with an own password at a released workplace of theirs.
    pub async fn colleague(&self, server: &Server, short: &str, role: &str) -> Session {
        let (status, user) = self.head.post(server, "/users", user(short, role, &[1])).await;
        assert_eq!(status, 201, "{user}");
        let signed = sign_in(server, &self.short(), short, "initial", None).await;
        let session = Session::of(signed.1);
        let change =
            json!({ "by": "password", "secret": "initial", "newSecret": "own", "byPassword": "blob" });
        assert_eq!(session.put(server, "/me/password", change).await.0, 204);
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
