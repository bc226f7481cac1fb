//! The whole route table on one page; security headers, the pages, health.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, patch, post, put};
use axum::{Extension, Json, Router};
use url::{Host, Url};

use crate::App;
use crate::client::PeerAddress;
use crate::consultation::Caller;
use crate::error::Error;
use crate::keys::token_hash;
use crate::practice::tokens::Scope;
use crate::practice::{data, entrance, export, live, me, passkeys, plan, seats, tokens, users, workplaces};
use crate::{assets, backup, consultation, health, legal, openapi, operator, readiness, signaling};

/// The largest body of the desk.
const DESK_BYTES: usize = 64 * 1024;
/// The largest body that brings keys, 0.2 kB each: ten thousand versions for one holder, or one version for ten thousand.
const KEYS_BYTES: usize = 2 * 1024 * 1024;

/// Everything the network sees.
pub fn router(app: &Arc<App>) -> Router {
    let pages = Router::new()
        .route("/legal/{page}", get(legal::page))
        .route("/practice.json", get(practice_json))
        .route("/api/openapi.json", get(openapi::document))
        .fallback(page);
    Router::new()
        .route("/ws", any(signaling::upgrade))
        .nest(
            "/api/consultations",
            api().route_layer(middleware::from_fn_with_state(Arc::clone(app), software_only)),
        )
        .nest("/api/practice", desk())
        .route("/api/readiness/begin", post(readiness::begin))
        .route("/api/readiness", post(readiness::report))
        .merge(health())
        .merge(pages)
        .layer(middleware::from_fn_with_state(Arc::clone(app), secure))
        .with_state(Arc::clone(app))
}

/// What plain HTTP gets on a port that speaks TLS: the way to the pages, and health for whoever watches from this machine or from a trusted proxy.
pub fn plain_router(app: &Arc<App>) -> Router {
    health()
        .route_layer(middleware::from_fn_with_state(Arc::clone(app), neighbours_only))
        .fallback(to_public_url)
        .with_state(Arc::clone(app))
}

/// What the command line sees on the Unix socket: the API, without a token.
pub fn local_router(app: &Arc<App>) -> Router {
    Router::new()
        .nest("/api/consultations", api().layer(Extension(Caller::Operator)))
        .route("/api/backup", get(backup::answer))
        .route("/api/practices", get(operator::list_practices).post(operator::new_practice))
        .route("/api/practices/{practice}/rescue/{user}", post(operator::rescue))
        .with_state(Arc::clone(app))
}

fn health() -> Router<Arc<App>> {
    Router::new().route("/healthz", get(|| async { "alive" })).route("/readyz", get(health::ready))
}

fn api() -> Router<Arc<App>> {
    Router::new()
        .route("/", post(consultation::post).get(consultation::list))
        .route("/{id}", get(consultation::show).delete(consultation::delete))
        .route("/{id}/seats/{seat}/reissue", post(consultation::reissue))
        .fallback(|| async { Error::NoPath })
        .method_not_allowed_fallback(|| async { Error::NoMethod })
        .layer(DefaultBodyLimit::max(16 * 1024))
}

/// `/api/practice/…`.
fn desk() -> Router<Arc<App>> {
    keys()
        .route("/salt", post(entrance::salt))
        .route("/set-up", post(entrance::set_up))
        .route("/rescue", post(entrance::rescue))
        .route("/sign-in", post(entrance::sign_in))
        .route("/passkey/begin", post(passkeys::sign_in_begin))
        .route("/passkey/finish", post(passkeys::sign_in_finish))
        .route("/live", any(live::upgrade))
        .route("/me", get(me::show))
        .route("/me/password", put(me::password))
        .route("/me/recovery", put(me::recovery))
        .route("/sessions", get(me::sessions))
        .route("/sessions/{id}", delete(me::end_session))
        .route("/passkeys", get(passkeys::list))
        .route("/passkeys/begin", post(passkeys::register_begin))
        .route("/passkeys/finish", post(passkeys::register_finish))
        .route("/passkeys/{id}", delete(passkeys::remove))
        .route("/users/{id}", patch(users::change))
        .route("/workplaces", get(workplaces::list).post(workplaces::create))
        .route("/workplaces/{id}", patch(workplaces::rename))
        .route("/consultations", get(plan::list).post(plan::create))
        .route("/consultations/{id}", get(plan::show).patch(plan::change).delete(plan::delete))
        .route("/consultations/{id}/cancel", post(plan::cancel))
        .route("/consultations/{id}/mail", post(plan::mail))
        .route("/consultations/{id}/enter", post(seats::enter))
        .route("/consultations/{id}/seats", post(seats::add))
        .route("/consultations/{id}/seats/{seat}", delete(seats::remove))
        .route("/consultations/{id}/seats/{seat}/reissue", post(seats::reissue))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{id}", delete(tokens::remove))
        .route("/audit", get(data::audit))
        .route("/export", get(export::export))
        .route("/delete", post(data::delete))
        .route("/", patch(data::change))
        .fallback(|| async { Error::NoPath })
        .method_not_allowed_fallback(|| async { Error::NoMethod })
        .layer(DefaultBodyLimit::max(DESK_BYTES))
}

/// What brings keys of the practice. Each is for somebody signed in, which is known before the body is read.
fn keys() -> Router<Arc<App>> {
    Router::new()
        .route("/me/keys", put(me::keys))
        .route("/users", get(users::list).post(users::create))
        .route("/users/{id}/reset", post(users::reset))
        .route("/users/{id}/keys", put(users::keys))
        .route("/users/{id}/withdraw", post(users::withdraw))
        .route("/workplaces/{id}/release", post(workplaces::release))
        .route("/workplaces/{id}/withdraw", post(workplaces::withdraw))
        .layer(DefaultBodyLimit::max(KEYS_BYTES))
}

/// A file of `static/`; `/` is the consultation page. GET and HEAD change nothing (R15).
async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if !matches!(method, Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")], "Only GET and HEAD.")
            .into_response();
    }
    let path = match uri.path() {
        "/" => "consultation/index.html",
        "/desk" | "/desk/" => "desk/index.html",
        path => path.trim_start_matches('/'),
    };
    // After sign-out nothing of the desk comes back from a cache (R62).
    let is_desk = path.starts_with("desk/") && path.ends_with(".html");
    match assets::page(path) {
        Some(asset) => {
            let mut answer = asset.answer(&headers).await;
            if is_desk {
                answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            answer
        }
        None => (StatusCode::NOT_FOUND, "There is no such page. Open the link from your invitation.")
            .into_response(),
    }
}

/// `GET /practice.json`.
async fn practice_json(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-cache")], Json(legal::provider(&app).await))
}

/// Health checks of containers and load balancers rarely know the public name, so from nearby they need no TLS. They tell nothing of people.
async fn neighbours_only(
    State(app): State<Arc<App>>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    request: Request,
    next: Next,
) -> Response {
    if app.config.is_neighbour(address) {
        next.run(request).await
    } else {
        to_public_url(State(app), request.uri().clone()).await
    }
}

/// The same path under the public URL. Not to be kept by the browser: the port may speak HTTP again tomorrow.
async fn to_public_url(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let location = format!("{}{path}", app.origin());
    let headers = [
        (header::LOCATION, location.as_str()),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONNECTION, "close"),
    ];
    (StatusCode::PERMANENT_REDIRECT, headers, "This port speaks HTTPS.").into_response()
}

/// The operator's bearer token, compared in constant time, or an API token of a practice within its scope (R02).
async fn software_only(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    use subtle::ConstantTimeEq;
    let header = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let token = header.strip_prefix(b"Bearer ").unwrap_or_default();
    let caller = if bool::from(token.ct_eq(app.operator_token.as_bytes())) {
        Caller::Operator
    } else {
        let now = chrono::Utc::now().timestamp_millis();
        match app.store.use_api_token(&token_hash(&String::from_utf8_lossy(token)), now).await {
            Ok(Some(token)) if token.scope == Scope::Plan.as_str() || request.method() == Method::GET => {
                Caller::Software(token)
            }
            Ok(Some(_)) => {
                return Error::Forbidden("scope", "This token may only read. Make one that may plan.")
                    .into_response();
            }
            Ok(None) => return Error::Unauthorized.into_response(),
            Err(cause) => return Error::from(cause).into_response(),
        }
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Nothing but our own. The socket's URL is named, because older Safari does not count it as `'self'`.
pub fn content_security_policy(public_url: &Url) -> HeaderValue {
    let socket = public_url.origin().ascii_serialization().replacen("http", "ws", 1);
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
         connect-src 'self' {socket}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    );
    HeaderValue::from_str(&policy).expect("an origin is visible ASCII")
}

/// Whether answers carry Strict-Transport-Security: wherever the public URL is https, with TLS of ours or a proxy's. Not for a self-made
/// certificate, whose warning could no longer be clicked away, and not for localhost, whose other ports speak HTTP.
pub fn wants_strict_transport(public_url: &Url, self_made_certificate: bool) -> bool {
    let is_name = matches!(public_url.host(), Some(Host::Domain(name)) if name != "localhost" && !name.ends_with(".localhost"));
    public_url.scheme() == "https" && is_name && !self_made_certificate
}

/// R50: what every answer carries.
async fn secure(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    const ALWAYS: [(HeaderName, &str); 7] = [
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(self), microphone=(self), display-capture=(self), speaker-selection=(self), geolocation=(), payment=(), usb=(), interest-cohort=()",
        ),
    ];
    let is_api = request.uri().path().starts_with("/api/") && request.uri().path() != "/api/openapi.json";
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, app.content_security_policy.clone());
    if is_api {
        // Codes must not rest in a cache.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if app.strict_transport {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000"));
    }
    response
}
