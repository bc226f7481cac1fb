//! What a user does for themselves: password, recovery key, sessions.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::member::Colleague;
use super::member::Member;
use super::proof::{By, prove, secrets};
use super::session::{Signed, view};
use super::wrapped::{Keys, WRAPPED_CHARACTERS, check_keys};
use crate::App;
use crate::audit::note;
use crate::client::ClientAddress;
use crate::error::{Error, Problem};
use crate::fields::{At, Body, moment, opaque};

/// The session, its user and its browser as they stand.
#[utoipa::path(get, path = "/api/practice/me", security(("session" = [])), responses(
    (status = 200, description = "As they stand", body = Signed),
))]
pub async fn show(State(app): State<Arc<App>>, member: Member) -> Result<Json<Signed>, Error> {
    Ok(Json(view(&app, member).await?))
}

/// Another password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewPassword {
    /// What the present proof derives from.
    by: By,
    /// The present proof.
    #[schema(max_length = 128)]
    secret: String,
    /// What the new password derives.
    #[schema(max_length = 128)]
    new_secret: String,
    /// The private half, wrapped by the new password.
    #[schema(max_length = 512)]
    by_password: String,
}

/// Change the password. The user's other sessions end.
#[utoipa::path(put, path = "/api/practice/me/password", request_body = NewPassword, security(("session" = [])), responses(
    (status = 204, description = "Changed"),
    (status = 401, description = "No session, or the present proof is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "Too many attempts", body = Problem, content_type = "application/problem+json"),
))]
pub async fn password(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    member: Member,
    Body(body): Body<NewPassword>,
) -> Result<StatusCode, Error> {
    secrets(&[("secret", &body.secret), ("newSecret", &body.new_secret)])?;
    opaque("byPassword", &body.by_password, WRAPPED_CHARACTERS)?;
    let proven = prove(&app, address, &member, body.by, body.secret).await?;
    let hash = proven.hash(&app, body.new_secret).await?;
    app.store.change_password(&member.user.id, &hash, &body.by_password, &member.session.id).await?;
    note(&app.store, &member.practice.id, &member.user.short, "password-changed", "").await;
    Ok(StatusCode::NO_CONTENT)
}

/// Another recovery key.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRecovery {
    /// What the password derives.
    #[schema(max_length = 128)]
    secret: String,
    /// What the new recovery key derives.
    #[schema(max_length = 128)]
    recovery_secret: String,
    /// The private half, wrapped by the new recovery key.
    #[schema(max_length = 512)]
    by_recovery: String,
}

/// Replace the recovery key; the old one opens nothing any more.
#[utoipa::path(put, path = "/api/practice/me/recovery", request_body = NewRecovery, security(("session" = [])), responses(
    (status = 204, description = "Replaced"),
    (status = 401, description = "No session, or the password is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "Too many attempts", body = Problem, content_type = "application/problem+json"),
))]
pub async fn recovery(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    member: Member,
    Body(body): Body<NewRecovery>,
) -> Result<StatusCode, Error> {
    secrets(&[("secret", &body.secret), ("recoverySecret", &body.recovery_secret)])?;
    opaque("byRecovery", &body.by_recovery, WRAPPED_CHARACTERS)?;
    let proven = prove(&app, address, &member, By::Password, body.secret).await?;
    let hash = proven.hash(&app, body.recovery_secret).await?;
    app.store.change_recovery(&member.user.id, &hash, &body.by_recovery).await?;
    note(&app.store, &member.practice.id, &member.user.short, "recovery-changed", "").await;
    Ok(StatusCode::NO_CONTENT)
}

/// Keep versions of the practice's key that the user does not hold yet: the workplace's, sealed anew in the browser.
#[utoipa::path(put, path = "/api/practice/me/keys", request_body = Keys, security(("session" = [])), responses(
    (status = 204, description = "Kept"),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
))]
pub async fn keys(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    Body(body): Body<Keys>,
) -> Result<StatusCode, Error> {
    check_keys(&body.keys, member.practice.key_version)?;
    app.store.add_user_keys(&member.user.id, &body.keys).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A session in a list.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    id: String,
    user: Named,
    workplace: Option<Named>,
    created_at: String,
    seen_at: String,
    expires_at: String,
    /// The one that asks.
    current: bool,
}

/// An id and what people call it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Named {
    id: String,
    name: String,
}

/// The user's living sessions; for an admin all of the practice.
#[utoipa::path(get, path = "/api/practice/sessions", security(("session" = [])), responses(
    (status = 200, description = "The newest first", body = [SessionView]),
))]
pub async fn sessions(State(app): State<Arc<App>>, member: Member) -> Result<Json<Vec<SessionView>>, Error> {
    let user = Some(member.user.id.as_str()).filter(|_| !member.is_admin());
    let sessions = app.store.sessions(&member.practice.id, user, Utc::now().timestamp_millis()).await?;
    let view = |session: crate::store::Session| SessionView {
        current: session.id == member.session.id,
        user: Named { id: session.user_id, name: session.user_short },
        workplace: session.workplace_id.zip(session.workplace_name).map(|(id, name)| Named { id, name }),
        created_at: moment(session.created_at),
        seen_at: moment(session.seen_at),
        expires_at: moment(session.expires_at),
        id: session.id,
    };
    Ok(Json(sessions.into_iter().map(view).collect()))
}

/// End a session; `current` is the one that asks. An admin may end anybody's.
#[utoipa::path(delete, path = "/api/practice/sessions/{id}", security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "Ended"),
    (status = 404, description = "No such session", body = Problem, content_type = "application/problem+json"),
))]
pub async fn end_session(
    State(app): State<Arc<App>>,
    member: Member,
    At(id): At<String>,
) -> Result<StatusCode, Error> {
    let (id, what) =
        if id == "current" { (member.session.id.clone(), "sign-out") } else { (id, "session-ended") };
    let user = Some(member.user.id.as_str()).filter(|_| !member.is_admin());
    if !app.store.end_session(&member.practice.id, user, &id).await? {
        return Err(Error::NotFound("session"));
    }
    note(&app.store, &member.practice.id, &member.user.short, what, "").await;
    app.desk.tell_sessions(&member.practice.id);
    Ok(StatusCode::NO_CONTENT)
}
