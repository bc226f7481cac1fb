//! The practice's side (docs/protocol.md "The practice's API"): [`entrance`] signs in, [`member`] says who may, [`me`], [`users`], [`workplaces`], [`passkeys`],
//! [`tokens`] and [`data`] keep house, [`plan`] and [`seats`] plan consultations, [`live`] tells who waits. What patients are called passes through
//! here sealed; nothing here can open it (R36).

pub mod data;
pub mod entrance;
pub mod fields;
pub mod live;
pub mod me;
pub mod member;
pub mod passkeys;
mod password;
pub mod plan;
pub mod presence;
pub mod seats;
pub mod tokens;
pub mod users;
pub mod workplaces;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, delete, get, patch, post, put};
use chrono::Utc;
use tokio::sync::Semaphore;
use url::Url;
use webauthn_rs::Webauthn;

use crate::App;
use crate::bus::Bus;
use crate::error::Error;
use crate::invitation::Mailer;
use crate::limit::Attempts;
use crate::store::{AuditLine, Store};

/// Passwords that are hashed at once, from released workplaces and from elsewhere: each takes 19 MiB and a core for some milliseconds. Whoever
/// keeps strangers' lane busy delays no colleague.
const HASHING: usize = 2;
/// The largest body: a rotation for a hundred holders.
const BODY_BYTES: usize = 64 * 1024;

/// What the desk keeps in memory.
pub struct Desk {
    /// What a practice's desks hear of each other and of their patients.
    pub bus: Arc<Bus<live::LiveMessage>>,
    /// Who waits and who sits where, by practice.
    pub presence: presence::Presence,
    /// Budgets against guessing.
    pub attempts: Attempts,
    /// Bounds the work of hashing for strangers.
    pub hashing: Arc<Semaphore>,
    /// The same for released workplaces.
    pub hashing_here: Arc<Semaphore>,
    /// Passkey ceremonies under way.
    pub ceremonies: passkeys::Ceremonies,
    /// None where the public URL has no name: WebAuthn wants one.
    pub webauthn: Option<Webauthn>,
    /// None where no mail server is configured.
    pub mailer: Option<Mailer>,
}

impl Desk {
    /// An empty desk.
    pub fn new(public_url: &Url, mailer: Option<Mailer>) -> Self {
        Self {
            bus: Arc::default(),
            presence: presence::Presence::default(),
            attempts: Attempts::new(Instant::now()),
            hashing: Arc::new(Semaphore::new(HASHING)),
            hashing_here: Arc::new(Semaphore::new(HASHING)),
            ceremonies: passkeys::Ceremonies::default(),
            webauthn: passkeys::relying_party(public_url),
            mailer,
        }
    }
}

/// `/api/practice/…`.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
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
        .route("/me/keys", put(me::keys))
        .route("/sessions", get(me::sessions))
        .route("/sessions/{id}", delete(me::end_session))
        .route("/passkeys", get(passkeys::list))
        .route("/passkeys/begin", post(passkeys::register_begin))
        .route("/passkeys/finish", post(passkeys::register_finish))
        .route("/passkeys/{id}", delete(passkeys::remove))
        .route("/users", get(users::list).post(users::create))
        .route("/users/{id}", patch(users::change))
        .route("/users/{id}/reset", post(users::reset))
        .route("/users/{id}/keys", put(users::keys))
        .route("/users/{id}/withdraw", post(users::withdraw))
        .route("/workplaces", get(workplaces::list).post(workplaces::create))
        .route("/workplaces/{id}", patch(workplaces::rename))
        .route("/workplaces/{id}/release", post(workplaces::release))
        .route("/workplaces/{id}/withdraw", post(workplaces::withdraw))
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
        .route("/export", get(data::export))
        .route("/delete", post(data::delete))
        .route("/", patch(data::change))
        .fallback(|| async { Error::NoPath })
        .method_not_allowed_fallback(|| async { Error::NoMethod })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
}

/// Writes a line into a practice's audit trail: who did what to what, never a word about a patient.
pub async fn note(
    store: &Store,
    practice: &str,
    actor: &str,
    what: &str,
    about: &str,
) -> Result<(), sqlx::Error> {
    let line = AuditLine {
        id: new_id(),
        at: Utc::now().timestamp_millis(),
        actor: actor.to_owned(),
        what: what.to_owned(),
        about: about.to_owned(),
    };
    store.write_audit(practice, &line).await
}

/// A fresh identifier, ordered by time.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
