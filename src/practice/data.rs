//! The practice itself: settings, audit trail, end (R31).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::proof::{By, prove, secrets};
use super::session::PracticeView;

use super::live::Changed;
use super::member::Admin;
use crate::App;
use crate::audit::note;
use crate::client::ClientAddress;
use crate::error::{Error, Problem};
use crate::fields::{Asked, Body, line, moment, phone, time_zone};
use crate::signaling::ends;
use crate::store::AuditLine;

/// New settings; what is missing stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSettings {
    /// What patients read.
    #[schema(max_length = 120)]
    name: Option<String>,
    /// What patients dial; empty: nothing.
    #[schema(max_length = 40)]
    phone: Option<String>,
    /// IANA name.
    #[schema(max_length = 64)]
    time_zone: Option<String>,
    /// 1 to 89.
    #[schema(minimum = 1, maximum = 89)]
    retention_days: Option<i64>,
}

/// Change the practice's settings.
#[utoipa::path(patch, path = "/api/practice", request_body = NewSettings, security(("session" = [])), responses(
    (status = 200, description = "As they stand now", body = PracticeView),
    (status = 403, description = "Not an admin, or not from here", body = Problem, content_type = "application/problem+json"),
))]
pub async fn change(
    State(app): State<Arc<App>>,
    Admin(member): Admin,
    Body(body): Body<NewSettings>,
) -> Result<Json<PracticeView>, Error> {
    let mut practice = member.practice;
    if let Some(name) = body.name {
        practice.name = line("name", &name, 120)?;
    }
    if body.phone.is_some() {
        practice.phone = phone(body.phone.as_deref())?;
    }
    if let Some(zone) = body.time_zone {
        practice.time_zone = time_zone(&zone)?;
    }
    if let Some(days) = body.retention_days {
        if !(1..=89).contains(&days) {
            return Err(Error::Invalid("retentionDays: a number from 1 to 89.".to_owned()));
        }
        practice.retention_days = days;
    }
    app.store.change_practice(&practice).await?;
    note(&app.store, &practice.id, &member.user.short, "settings-changed", "").await;
    app.desk.tell(&practice.id, Changed::Practice);
    Ok(Json(practice.into()))
}

/// Which lines of the audit trail.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    before: Option<String>,
    limit: Option<i64>,
}

/// A line of the audit trail.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AuditView {
    id: String,
    at: String,
    /// A user's short name, an API token's name, or `-`.
    actor: String,
    /// What was done.
    what: String,
    /// To what: an id or a name.
    about: String,
}

pub fn view(line: AuditLine) -> AuditView {
    AuditView { id: line.id, at: moment(line.at), actor: line.actor, what: line.what, about: line.about }
}

/// Who did what, the newest first, without a word about patients.
#[utoipa::path(get, path = "/api/practice/audit", security(("session" = [])), params(
    ("before" = Option<String>, Query, description = "Older than the line with this id"),
    ("limit" = Option<i64>, Query, description = "At most so many, 1 to 1000; 100 if missing", minimum = 1, maximum = 1000),
), responses(
    (status = 200, description = "The newest first", body = [AuditView]),
    (status = 403, description = "Not an admin, or not from here", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The query is not understood", body = Problem, content_type = "application/problem+json"),
))]
pub async fn audit(
    State(app): State<Arc<App>>,
    Admin(member): Admin,
    Asked(page): Asked<Page>,
) -> Result<Json<Vec<AuditView>>, Error> {
    let limit = page.limit.unwrap_or(100);
    let before = page.before.as_deref();
    let plain = before.is_none_or(|id| {
        id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    if !(1..=1000).contains(&limit) || !plain {
        return Err(Error::Invalid("limit: a number from 1 to 1000; before: the id of a line.".to_owned()));
    }
    let lines = app.store.audit(&member.practice.id, before, limit).await?;
    Ok(Json(lines.into_iter().map(view).collect()))
}

/// The admin's proof.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deletion {
    /// What the password derives.
    #[schema(max_length = 128)]
    secret: String,
}

/// Delete the practice and everything of it, at once. Its pages are closed, and so are calls that still go on, whenever they were planned.
#[utoipa::path(post, path = "/api/practice/delete", request_body = Deletion, security(("session" = [])), responses(
    (status = 204, description = "Deleted"),
    (status = 401, description = "No session, or the password is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not an admin, or not from here", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "Too many attempts", body = Problem, content_type = "application/problem+json"),
))]
pub async fn delete(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    Admin(member): Admin,
    Body(body): Body<Deletion>,
) -> Result<StatusCode, Error> {
    secrets(&[("secret", &body.secret)])?;
    prove(&app, address, &member, By::Password, body.secret).await?;
    ends::revoke_all(&app, &member.practice.id).await?;
    app.store.delete_practice(&member.practice.id).await?;
    app.desk.tell_sessions(&member.practice.id);
    Ok(StatusCode::NO_CONTENT)
}
