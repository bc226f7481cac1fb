//! A practice's plans: listed, made, changed, called off, deleted, mailed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::live::Changed;
use super::member::{Colleague, Member};
use crate::App;
use crate::access::{Phase, Window, parse_start};
use crate::audit::note;
use crate::consultation::{
    DURATION, IssuedSeat, NewConsultation, PlannedState, Planner, check_language, local_note,
};
use crate::error::{Error, Problem};
use crate::fields::{Asked, At, Body, at, moment, opaque, zone};
use crate::invitation::{Calendar, Mail, MailError, Method};
use crate::limit::Attempt;
use crate::readiness::Readiness;
use crate::signaling::ends;
use crate::store::{Change, Cursor, Planned, Store, Which};

/// A sealed record: long notes included.
const SEALED_CHARACTERS: usize = 16 * 1024;
/// Consultations of one answer, at most.
const LIMIT: i64 = 1000;

/// A consultation as the desk sees it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeskView {
    id: String,
    starts_at: String,
    opens_at: String,
    expires_at: String,
    duration_minutes: i64,
    state: PlannedState,
    relayed_only: bool,
    language: String,
    /// What the practice's pages sealed: names, notes, codes.
    sealed: Option<String>,
    /// Counts the changes; a change names the one that it knows.
    revision: i64,
    /// For calendars (RFC 5545 §3.8.7.4).
    sequence: i64,
    /// A user's short name; nobody where software planned it.
    created_by: Option<String>,
    seats: Vec<SeatView>,
    /// The patient's.
    readiness: Option<Readiness>,
}

/// A seat that a code opens.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SeatView {
    seat: i64,
    role: String,
    /// How the check of its device went, if it was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    readiness: Option<Readiness>,
}

fn view(planned: Planned, seats: Vec<SeatView>) -> DeskView {
    let window = Window {
        opens_at: at(planned.opens_at),
        starts_at: at(planned.starts_at),
        expires_at: at(planned.expires_at),
    };
    let state = match (planned.revoked_at, window.phase(Utc::now())) {
        (Some(_), _) => PlannedState::Revoked,
        (None, Phase::Early) => PlannedState::Planned,
        (None, Phase::Open) => PlannedState::Open,
        (None, Phase::Expired) => PlannedState::Expired,
    };
    DeskView {
        id: planned.id,
        starts_at: moment(planned.starts_at),
        opens_at: moment(planned.opens_at),
        expires_at: moment(planned.expires_at),
        duration_minutes: planned.duration_minutes,
        state,
        relayed_only: planned.relayed_only != 0,
        language: planned.language,
        sealed: planned.sealed,
        revision: planned.revision,
        sequence: planned.sequence,
        created_by: planned.created_by,
        seats,
        readiness: planned.readiness.and_then(|text| serde_json::from_str(&text).ok()),
    }
}

/// Which consultations to list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    #[serde(default)]
    past: bool,
    limit: Option<i64>,
    after: Option<String>,
}

/// A page of the list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeskPage {
    consultations: Vec<DeskView>,
    /// Where the next page begins; nothing at the end.
    next: Option<String>,
}

/// The practice's consultations: open and coming, the earliest first; or past, the latest first.
#[utoipa::path(get, path = "/api/practice/consultations", security(("session" = [])), params(
    ("past" = Option<bool>, Query, description = "Those whose time is over"),
    ("limit" = Option<i64>, Query, description = "At most so many, 1 to 1000; 500 if missing", minimum = 1, maximum = 1000),
    ("after" = Option<String>, Query, description = "`next` of the page before", pattern = "^[A-Za-z0-9_-]+$"),
), responses(
    (status = 200, description = "With what the practice's pages sealed", body = DeskPage),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The query is not understood", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    Asked(page): Asked<Page>,
) -> Result<Json<DeskPage>, Error> {
    let limit = page.limit.unwrap_or(500);
    if !(1..=LIMIT).contains(&limit) {
        return Err(Error::Invalid(format!("limit: a number from 1 to {LIMIT}.")));
    }
    let which = if page.past { Which::Past } else { Which::Coming };
    let after = page.after.as_deref().map(read_cursor).transpose()?;
    let now = Utc::now().timestamp_millis();
    // One more than asked for tells whether there is a next page.
    let mut planned =
        app.store.planned_list(&member.practice.id, which, after.as_ref(), limit + 1, now).await?;
    let more = i64::try_from(planned.len()).unwrap_or(i64::MAX) > limit;
    if more {
        planned.pop();
    }
    let next = planned.last().filter(|_| more).map(write_cursor);
    Ok(Json(DeskPage { consultations: with_seats(&app.store, planned).await?, next }))
}

fn write_cursor(planned: &Planned) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {}", planned.starts_at, planned.id))
}

fn read_cursor(text: &str) -> Result<Cursor, Error> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (starts_at, id) = text.split_once(' ')?;
        let plain = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        plain.then_some(Cursor { starts_at: starts_at.parse().ok()?, id: id.to_owned() })
    };
    read().ok_or_else(|| Error::Invalid("after: it is not “next” of a page before.".to_owned()))
}

pub async fn with_seats(store: &Store, planned: Vec<Planned>) -> Result<Vec<DeskView>, sqlx::Error> {
    let ids: Vec<&str> = planned.iter().map(|planned| planned.id.as_str()).collect();
    let mut seats: HashMap<String, Vec<SeatView>> = HashMap::new();
    for (consultation, seat, role, readiness) in store.living_seats(&ids).await? {
        let readiness = readiness.and_then(|text| serde_json::from_str(&text).ok());
        seats.entry(consultation).or_default().push(SeatView { seat, role, readiness });
    }
    let view = |planned: Planned| {
        let seats = seats.remove(&planned.id).unwrap_or_default();
        view(planned, seats)
    };
    Ok(planned.into_iter().map(view).collect())
}

/// One consultation of the member's practice.
pub async fn find(app: &App, member: &Member, id: &str) -> Result<Planned, Error> {
    app.store.planned(&member.practice.id, id).await?.ok_or(Error::NotFound("consultation"))
}

async fn one(app: &App, member: &Member, id: &str) -> Result<DeskView, Error> {
    let planned = find(app, member, id).await?;
    with_seats(&app.store, vec![planned]).await?.pop().ok_or(Error::NotFound("consultation"))
}

/// One consultation.
#[utoipa::path(get, path = "/api/practice/consultations/{id}", security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 200, description = "As it stands", body = DeskView),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such consultation", body = Problem, content_type = "application/problem+json"),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    At(id): At<String>,
) -> Result<Json<DeskView>, Error> {
    Ok(Json(one(&app, &member, &id).await?))
}

/// A plan and the codes that it told.
#[derive(Serialize, utoipa::ToSchema)]
pub struct NewPlanView {
    consultation: DeskView,
    /// Of all seats but the doctors': told this once.
    codes: Vec<IssuedSeat>,
    /// What had to be decided about a local time that the clocks skip or show twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Plan a consultation. The doctor's seat gets no code: who starts it asks for one.
#[utoipa::path(post, path = "/api/practice/consultations", request_body = NewConsultation, security(("session" = [])), responses(
    (status = 201, description = "Planned; the codes are shown this once", body = NewPlanView),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
))]
pub async fn create(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    Body(plan): Body<NewConsultation>,
) -> Result<impl IntoResponse, Error> {
    let planner = Planner {
        store: &app.store,
        keys: &app.keys,
        lead: app.config.lead(),
        public_url: &app.public_url,
        time_zone: zone(&member.practice.time_zone)?,
        practice: Some(&member.practice.id),
        created_by: Some(&member.user.short),
    };
    let issued = planner.create(&plan).await?;
    told(&app, &member, "consultation-created", &issued.id).await?;
    let consultation = one(&app, &member, &issued.id).await?;
    Ok((StatusCode::CREATED, Json(NewPlanView { consultation, codes: issued.seats, note: issued.note })))
}

/// A change; what is missing stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangedPlan {
    /// The one that the page knows.
    revision: i64,
    /// RFC 3339, or a local time in the practice's time zone.
    #[schema(max_length = 40)]
    starts_at: Option<String>,
    /// 5 to 480.
    #[schema(minimum = 5, maximum = 480)]
    duration_minutes: Option<i64>,
    /// Of the invitation.
    #[schema(max_length = 8)]
    language: Option<String>,
    /// What the practice's page sealed.
    #[schema(max_length = 16384)]
    sealed: Option<String>,
}

/// A changed plan.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ChangedPlanView {
    consultation: DeskView,
    /// What had to be decided about a local time that the clocks skip or show twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Change a plan. Its codes stay.
#[utoipa::path(patch, path = "/api/practice/consultations/{id}", request_body = ChangedPlan, security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 200, description = "Changed", body = ChangedPlanView),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such consultation", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Somebody changed it meanwhile", body = Problem, content_type = "application/problem+json"),
))]
pub async fn change(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    At(id): At<String>,
    Body(body): Body<ChangedPlan>,
) -> Result<Json<ChangedPlanView>, Error> {
    let start = body.starts_at.as_deref().map(|text| {
        parse_start(text, zone(&member.practice.time_zone)?).map_err(|error| start_field(&error))
    });
    let start = start.transpose()?;
    if body.duration_minutes.is_some_and(|minutes| !DURATION.contains(&minutes)) {
        return Err(Error::Invalid("durationMinutes: a number from 5 to 480.".to_owned()));
    }
    if let Some(language) = &body.language {
        check_language(language)?;
    }
    if let Some(sealed) = &body.sealed {
        opaque("sealed", sealed, SEALED_CHARACTERS)?;
    }
    find(&app, &member, &id).await?;
    let change = Change {
        window: start.map(|(start, _)| Window::new(start, app.config.lead())),
        duration_minutes: body.duration_minutes,
        language: body.language,
        sealed: body.sealed,
    };
    if !app.store.change_plan(&member.practice.id, &id, body.revision, &change).await? {
        return Err(Error::Conflict(
            "stale",
            "Somebody changed this consultation meanwhile. Load it anew and try again.",
        ));
    }
    if change.window.is_some() {
        note(&app.store, &member.practice.id, &member.user.short, "consultation-moved", &id).await;
    }
    app.desk.tell(&member.practice.id, Changed::Consultation { id: id.clone() });
    let note = start.and_then(|(_, local)| local_note(local));
    Ok(Json(ChangedPlanView { consultation: one(&app, &member, &id).await?, note }))
}

fn start_field(error: &crate::access::BadStart) -> Error {
    Error::Invalid(format!("startsAt: {error}."))
}

/// Call a consultation off: its codes die, its pages close; it stays in the list until its time is over.
#[utoipa::path(post, path = "/api/practice/consultations/{id}/cancel", security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "Called off, now or before"),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such consultation", body = Problem, content_type = "application/problem+json"),
))]
pub async fn cancel(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    At(id): At<String>,
) -> Result<StatusCode, Error> {
    if find(&app, &member, &id).await?.revoked_at.is_none() {
        ends::revoke(&app, &id).await?;
        app.store.raise_sequence(&id).await?;
        told(&app, &member, "consultation-cancelled", &id).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a consultation at once. Pages that are in it are closed.
#[utoipa::path(delete, path = "/api/practice/consultations/{id}", security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "Deleted"),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such consultation", body = Problem, content_type = "application/problem+json"),
))]
pub async fn delete(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    At(id): At<String>,
) -> Result<StatusCode, Error> {
    find(&app, &member, &id).await?;
    ends::revoke(&app, &id).await?;
    app.store.delete_consultation(&member.practice.id, &id).await?;
    told(&app, &member, "consultation-deleted", &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A mail to an invited person.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMail {
    /// One address; used and forgotten.
    #[schema(max_length = 254)]
    to: String,
    /// One line, at most 200 characters.
    #[schema(max_length = 200)]
    subject: String,
    /// At most 16 KiB, with a link without a secret.
    #[schema(max_length = 16384)]
    text: String,
    /// An entry for calendars.
    calendar: Option<MailCalendar>,
}

/// An entry for calendars.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailCalendar {
    /// RFC 5546.
    method: Method,
    /// RFC 5545, at most 32 KiB.
    #[schema(max_length = 32768)]
    ics: String,
}

/// Send a mail through the practice's mail server. The page writes it; nothing of it is kept.
#[utoipa::path(post, path = "/api/practice/consultations/{id}/mail", request_body = NewMail, security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "The mail server took it"),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such consultation", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "No mail server is configured", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "A field is not understood, or a link carries a secret", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "More than sixty, or more than one a minute after them", body = Problem, content_type = "application/problem+json"),
    (status = 502, description = "The mail server's answer", body = Problem, content_type = "application/problem+json"),
))]
pub async fn mail(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    At(id): At<String>,
    Body(body): Body<NewMail>,
) -> Result<StatusCode, Error> {
    find(&app, &member, &id).await?;
    let sentence = "No mail server is configured. Write the mail with your own mail program.";
    let mailer = app.desk.mailer.as_ref().ok_or(Error::Conflict("no-mail", sentence))?;
    app.desk
        .attempts
        .take(Attempt::Mail, member.practice.id.as_bytes(), Instant::now())
        .map_err(|wait| Error::TooMany(wait.as_secs() + 1))?;
    let calendar = body.calendar.map(|MailCalendar { method, ics }| Calendar { method, ics });
    let sender = member.practice.name.clone();
    let mail = Mail { sender, to: body.to, subject: body.subject, text: body.text, calendar };
    mailer.send(mail).await.map_err(|error| match error {
        MailError::Invalid(text) => Error::Invalid(text.to_owned()),
        MailError::Server(text) => Error::Mail(text),
    })?;
    note(&app.store, &member.practice.id, &member.user.short, "mail-sent", &id).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Notes what was done to a consultation, and lets the practice's desks read it anew.
pub async fn told(app: &App, member: &Member, what: &str, id: &str) -> Result<(), Error> {
    note(&app.store, &member.practice.id, &member.user.short, what, id).await;
    app.desk.tell(&member.practice.id, Changed::Consultation { id: id.to_owned() });
    Ok(())
}
