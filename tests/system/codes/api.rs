//! The HTTP API: answers, problems, and the document that describes it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::Server;

/// A response's status, media type and body.
async fn ask(
    server: &Server,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<&str>,
) -> (u16, String, Value) {
    let mut request =
        server.http().request(method, server.url(path)).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    let response = request.body(body.unwrap_or_default().to_owned()).send().await.unwrap();
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map_or("", |kind| kind.to_str().unwrap()).to_owned();
    assert_eq!(response.headers()["cache-control"], "no-store", "codes rest in no cache");
    let text = response.text().await.unwrap();
    (status, kind, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn assert_problem((status, kind, body): &(u16, String, Value), expected: u16, named: &str) {
    assert_eq!((*status, kind.as_str()), (expected, "application/problem+json"), "{body}");
    assert_eq!(body["status"], expected);
    assert!(body["type"].is_string() && body["title"].is_string(), "{body}");
    assert!(body["detail"].as_str().unwrap().contains(named), "{body}");
}

#[tokio::test]
async fn the_api_plans_lists_shows_reissues_and_revokes() {
    let server = Server::start().await;
    let bearer = format!("Bearer {}", server.operator_token());
    let (status, kind, issued) = ask(
        &server,
        Method::POST,
        "/api/consultations",
        Some(&bearer),
        Some(r#"{"seats":["doctor","patient","guest"]}"#),
    )
    .await;
    assert_eq!((status, kind.as_str()), (201, "application/json"));
    let seats = issued["seats"].as_array().unwrap();
    assert_eq!(seats.len(), 3);
    for seat in seats {
        let link = format!("{}/#{}", server.origin(), seat["code"].as_str().unwrap());
        assert_eq!(seat["link"], link, "the server knows no link secret and writes none");
    }
    let path = format!("/api/consultations/{}", issued["id"].as_str().unwrap());
    let (status, _, shown) = ask(&server, Method::GET, &path, Some(&bearer), None).await;
    assert_eq!((status, &shown["state"]), (200, &json!("open")));
    assert_eq!(
        shown["seats"][2],
        json!({ "seat": 3, "role": "guest", "admittedAt": null, "connected": false })
    );
    assert_eq!(shown["relay"]["allocations"], 0);
    let (_, _, listed) = ask(&server, Method::GET, "/api/consultations?limit=1", Some(&bearer), None).await;
    assert_eq!(listed[0]["id"], issued["id"]);
    let (status, _, reissued) =
        ask(&server, Method::POST, &format!("{path}/seats/3/reissue"), Some(&bearer), None).await;
    assert_eq!((status, &reissued["role"]), (201, &json!("guest")));
    for seat in seats.iter().chain([&reissued]) {
        let code = seat["code"].as_str().unwrap();
        assert!(
            ![&shown, &listed].iter().any(|answer| answer.to_string().contains(code)),
            "codes are shown once"
        );
    }
    for _ in 0..2 {
        assert_eq!(ask(&server, Method::DELETE, &path, Some(&bearer), None).await.0, 204);
    }
    assert_eq!(ask(&server, Method::GET, &path, Some(&bearer), None).await.2["state"], "revoked");
    assert_problem(
        &ask(&server, Method::POST, &format!("{path}/seats/3/reissue"), Some(&bearer), None).await,
        409,
        "revoked",
    );
}

#[tokio::test]
async fn without_the_operators_token_the_api_tells_nothing() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let path = format!("/api/consultations/{}", issued.id());
    let token = server.operator_token();
    let wrong =
        [None, Some("Bearer "), Some("Bearer wrong"), Some(token.as_str()), Some("Basic dXNlcjpwYXNz")];
    for authorization in wrong {
        for (method, path) in [
            (Method::POST, "/api/consultations".to_owned()),
            (Method::GET, "/api/consultations".to_owned()),
            (Method::GET, path.clone()),
            (Method::DELETE, path.clone()),
            (Method::POST, format!("{path}/seats/2/reissue")),
            (Method::GET, "/api/consultations/unknown".to_owned()),
        ] {
            assert_problem(
                &ask(&server, method, &path, authorization, Some("{}")).await,
                401,
                "operator-token",
            );
        }
    }
    assert_eq!(server.page().await.look(issued.code(2)).await["state"], "open", "and nothing was called off");
}

#[tokio::test]
async fn a_field_that_is_not_understood_is_named() {
    let server = Server::start().await;
    let bearer = format!("Bearer {}", server.operator_token());
    for (body, named) in [
        (r#"{"startsAt":"tomorrow"}"#, "startsAt"),
        (r#"{"startsAt":"1999-01-01T00:00:00Z"}"#, "startsAt"),
        (r#"{"startsAt":17}"#, "startsAt"),
        (r#"{"seats":["doctor"]}"#, "seats"),
        (r#"{"seats":["patient","doctor"]}"#, "seats"),
        (
            r#"{"seats":["doctor","patient","guest","guest","guest","guest","guest","guest","guest","guest"]}"#,
            "seats",
        ),
        (r#"{"seats":["doctor","nurse"]}"#, "nurse"),
        (r#"{"start":"2026-11-30T09:00"}"#, "start"),
        ("not json", "JSON"),
        ("", "JSON"),
    ] {
        let answer = ask(&server, Method::POST, "/api/consultations", Some(&bearer), Some(body)).await;
        assert_problem(&answer, 422, named);
    }
    for limit in ["0", "1001", "many", "-1"] {
        let path = format!("/api/consultations?limit={limit}");
        assert_problem(&ask(&server, Method::GET, &path, Some(&bearer), None).await, 422, "limit");
    }
    let (_, _, listed) = ask(&server, Method::GET, "/api/consultations", Some(&bearer), None).await;
    assert_eq!(listed, json!([]), "nothing was planned");
}

#[tokio::test]
async fn what_is_not_there_is_404_and_a_foreign_method_405() {
    let server = Server::start().await;
    let bearer = format!("Bearer {}", server.operator_token());
    let issued = server.issue_now().await;
    let path = format!("/api/consultations/{}", issued.id());
    for (method, path, named) in [
        (Method::GET, "/api/consultations/unknown".to_owned(), "consultation"),
        (Method::DELETE, "/api/consultations/unknown".to_owned(), "consultation"),
        (Method::POST, "/api/consultations/unknown/seats/1/reissue".to_owned(), "consultation"),
        (Method::POST, format!("{path}/seats/3/reissue"), "seat"),
        (Method::POST, format!("{path}/seats/0/reissue"), "seat"),
        (Method::POST, format!("{path}/seats/first/reissue"), "entry"),
        (Method::GET, format!("{path}/nothing"), "openapi.json"),
    ] {
        assert_problem(&ask(&server, method, &path, Some(&bearer), None).await, 404, named);
    }
    for (method, path) in [
        (Method::DELETE, "/api/consultations".to_owned()),
        (Method::PUT, path.clone()),
        (Method::PATCH, path.clone()),
        (Method::GET, format!("{path}/seats/1/reissue")),
    ] {
        assert_problem(&ask(&server, method, &path, Some(&bearer), None).await, 405, "method");
    }
}

#[tokio::test]
async fn the_document_lists_exactly_the_routes() {
    let server = Server::start().await;
    let document = server.http().get(server.url("/api/openapi.json")).send().await.unwrap();
    assert_eq!(document.headers()["content-type"], "application/json");
    let document: Value = document.json().await.unwrap();
    let listed: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    let mut expected = routes("/api/consultations", include_str!("../../../src/http.rs"), "fn api()");
    for group in ["fn desk()", "fn keys()"] {
        expected.extend(routes("/api/practice", include_str!("../../../src/http.rs"), group));
    }
    expected.extend(["post /api/readiness/begin", "post /api/readiness"].map(str::to_owned));
    // The desk's socket is in docs/protocol.md: OpenAPI has no words for it.
    expected.remove("any /api/practice/live");
    assert_eq!(listed, expected);
    // What is listed exists, and asks for the token it names before anything else.
    for route in &listed {
        let (method, path) = route.split_once(' ').unwrap();
        let schemes = &document["paths"][path][method]["security"];
        let path = path.replace("{id}", "x").replace("{seat}", "1");
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let answer = ask(&server, method, &path, None, Some("{}")).await;
        if schemes.is_array() {
            assert_problem(&answer, 401, "Authorization");
        } else {
            assert_problem(&answer, 422, "missing field");
        }
    }
    assert!(document["components"]["securitySchemes"]["operator"].is_object());
}

/// The routes that a function of the source registers, as "method path".
fn routes(prefix: &str, source: &str, function: &str) -> BTreeSet<String> {
    let body = source.split_once(function).unwrap().1.split_once("\n}").unwrap().0;
    let mut found = BTreeSet::new();
    for route in body.split(".route(").skip(1) {
        let (path, handlers) = route.split_once(',').unwrap();
        let path = path.trim().trim_matches('"').trim_end_matches('/');
        for method in ["get", "post", "put", "patch", "delete", "any"] {
            let named = handlers.match_indices(&format!("{method}(")).any(|(at, _)| {
                // A handler may be called like a method: only what stands alone or after a dot registers one.
                !handlers[..at]
                    .ends_with(|before: char| before.is_alphanumeric() || before == ':' || before == '_')
            });
            if named {
                found.insert(format!("{method} {prefix}{path}"));
            }
        }
    }
    found
}
