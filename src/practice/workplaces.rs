//! The browsers of the practice: asked for, released, renamed, withdrawn.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::live::Changed;
use super::member::{Admin, Colleague, Member, Releaser};
use super::session::WorkplaceState;
use super::wrapped::{Keys, WRAPPED_CHARACTERS, check_keys, check_rotation, recipients};
use crate::App;
use crate::audit::note;
use crate::error::{Error, Problem};
use crate::fields::{At, Body, line, moment, opaque};
use crate::keys::{new_id, random_128, token_hash};
use crate::store::{self, Holder, Rotation, Workplace};

/// A workplace in the list.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkplaceLine {
    id: String,
    name: String,
    state: WorkplaceState,
    public_key: String,
    created_at: String,
    requested_by: String,
    released_at: Option<String>,
    released_by: Option<String>,
    last_seen_at: Option<String>,
    /// Versions of the practice's key that it holds.
    keys: Vec<i64>,
    /// The one that asks.
    current: bool,
}

/// All workplaces, those that wait first.
#[utoipa::path(get, path = "/api/practice/workplaces", security(("session" = [])), responses(
    (status = 200, description = "Those that wait first", body = [WorkplaceLine]),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    Releaser(member): Releaser,
) -> Result<Json<Vec<WorkplaceLine>>, Error> {
    let mut versions: HashMap<String, Vec<i64>> = HashMap::new();
    for (workplace, version) in app.store.versions_held(&member.practice.id, Holder::Workplace).await? {
        versions.entry(workplace).or_default().push(version);
    }
    let here = member.workplace.as_ref().map(|workplace| workplace.id.clone());
    let line = |workplace: Workplace| WorkplaceLine {
        state: WorkplaceState::of(&workplace),
        keys: versions.remove(&workplace.id).unwrap_or_default(),
        current: here.as_ref() == Some(&workplace.id),
        id: workplace.id,
        name: workplace.name,
        public_key: workplace.public_key,
        created_at: moment(workplace.created_at),
        requested_by: workplace.requested_by,
        released_at: workplace.released_at.map(moment),
        released_by: workplace.released_by,
        last_seen_at: workplace.last_seen_at.map(moment),
    };
    Ok(Json(app.store.workplaces(&member.practice.id).await?.into_iter().map(line).collect()))
}

/// This browser wants to become a workplace.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewWorkplace {
    /// What people shall call it.
    #[schema(max_length = 60)]
    name: String,
    /// Its public key.
    #[schema(max_length = 512)]
    public_key: String,
}

/// A workplace that waits.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AskedWorkplace {
    id: String,
    /// What this browser shows at sign-in; shown once.
    token: String,
}

/// Ask for this browser's release.
#[utoipa::path(post, path = "/api/practice/workplaces", request_body = NewWorkplace, security(("session" = [])), responses(
    (status = 201, description = "It waits", body = AskedWorkplace),
    (status = 409, description = "Too many wait, or this browser is released already", body = Problem, content_type = "application/problem+json"),
))]
pub async fn create(
    State(app): State<Arc<App>>,
    member: Member,
    Body(body): Body<NewWorkplace>,
) -> Result<impl IntoResponse, Error> {
    opaque("publicKey", &body.public_key, WRAPPED_CHARACTERS)?;
    if member.is_released() {
        return Err(Error::Conflict("released", "This browser is a released workplace already."));
    }
    let (id, token) = (new_id(), random_128());
    let workplace = Workplace {
        id: id.clone(),
        practice: member.practice.id.clone(),
        name: line("name", &body.name, 60)?,
        public_key: body.public_key,
        requested_by: member.user.short.clone(),
        created_at: Utc::now().timestamp_millis(),
        released_at: None,
        released_by: None,
        last_seen_at: None,
    };
    if !app.store.create_workplace(&workplace, &token_hash(&token)).await? {
        return Err(Error::Conflict(
            "too-many",
            "Many workplaces wait for a release already. Refuse those that nobody needs.",
        ));
    }
    app.store.seat_session(&member.session.id, &id).await?;
    // Who asks once more takes the former question back.
    if let Some(before) = &member.workplace {
        app.store.refuse_workplace(&member.practice.id, &before.id).await?;
    }
    told(&app, &member, "workplace-asked", &workplace.name).await?;
    Ok((StatusCode::CREATED, Json(AskedWorkplace { id, token })))
}

/// Another name.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewName {
    #[schema(max_length = 60)]
    name: String,
}

/// Rename a workplace.
#[utoipa::path(patch, path = "/api/practice/workplaces/{id}", request_body = NewName, security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "Renamed"),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such workplace", body = Problem, content_type = "application/problem+json"),
))]
pub async fn rename(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    At(id): At<String>,
    Body(body): Body<NewName>,
) -> Result<StatusCode, Error> {
    let name = line("name", &body.name, 60)?;
    find(&app, &member, &id).await?;
    app.store.rename_workplace(&id, &name).await?;
    told(&app, &member, "workplace-renamed", &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Release a workplace: the practice's key, sealed for it.
#[utoipa::path(post, path = "/api/practice/workplaces/{id}/release", request_body = Keys, security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "Released"),
    (status = 403, description = "Neither at a released workplace nor an admin", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such workplace", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The newest version of the key is missing", body = Problem, content_type = "application/problem+json"),
))]
pub async fn release(
    State(app): State<Arc<App>>,
    Releaser(member): Releaser,
    At(id): At<String>,
    Body(body): Body<Keys>,
) -> Result<StatusCode, Error> {
    let workplace = find(&app, &member, &id).await?;
    check_keys(&body.keys, member.practice.key_version)?;
    let now = Utc::now().timestamp_millis();
    if !app.store.release_workplace(&member.practice.id, &id, &member.user.short, &body.keys, now).await? {
        return Err(recipients());
    }
    told(&app, &member, "workplace-released", &workplace.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What withdraws a workplace.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// Missing for one that only waits: it holds nothing.
    rotation: Option<Rotation>,
}

/// Withdraw a released workplace with a new version of the practice's key for all who stay, or refuse one that waits.
#[utoipa::path(post, path = "/api/practice/workplaces/{id}/withdraw", request_body = Withdrawal, security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "Withdrawn"),
    (status = 403, description = "Not an admin, or not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such workplace", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The recipients are not exactly all who stay", body = Problem, content_type = "application/problem+json"),
))]
pub async fn withdraw(
    State(app): State<Arc<App>>,
    Admin(member): Admin,
    At(id): At<String>,
    Body(body): Body<Withdrawal>,
) -> Result<StatusCode, Error> {
    let workplace = find(&app, &member, &id).await?;
    let gone = match &body.rotation {
        None => app.store.refuse_workplace(&member.practice.id, &id).await?,
        Some(rotation) => {
            check_rotation(rotation)?;
            let now = Utc::now().timestamp_millis();
            let done = app.store.withdraw(&member.practice.id, Holder::Workplace, &id, rotation, now).await?;
            matches!(done, store::Withdrawal::Done(_))
        }
    };
    if !gone {
        return Err(recipients());
    }
    told(&app, &member, "workplace-withdrawn", &workplace.name).await?;
    app.desk.tell_sessions(&member.practice.id);
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, member: &Member, id: &str) -> Result<Workplace, Error> {
    app.store.workplace(&member.practice.id, id).await?.ok_or(Error::NotFound("workplace"))
}

async fn told(app: &App, member: &Member, what: &str, about: &str) -> Result<(), Error> {
    note(&app.store, &member.practice.id, &member.user.short, what, about).await;
    app.desk.tell(&member.practice.id, Changed::Workplaces);
    Ok(())
}
