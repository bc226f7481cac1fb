//! A planned consultation and its seats, for software and the operator: bodies, handlers and the document that describes them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::App;
use crate::access::{AccessCode, LocalTime, Paths, Phase, Role, SEATS, Window, parse_start};
use crate::audit::note;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::fields::{Asked, At, Body, zone};
use crate::keys::Keys;
use crate::message::Departure;
use crate::practice::live::Changed;
use crate::signaling::ends;
use crate::store::{ApiToken, Consultation, NewPlan, NewSeat, Seat, Store};

/// Minutes that a consultation may be planned for.
pub const DURATION: std::ops::RangeInclusive<i64> = 5..=480;
/// Minutes, where nobody says otherwise.
const USUAL_MINUTES: i64 = 20;

/// What is to be planned.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewConsultation {
    /// The planned start: RFC 3339, or a local time in the practice's time zone. Missing: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-30T09:00:00+01:00")]
    pub starts_at: Option<String>,
    /// The seats in the order of their numbers, a doctor's first; two to nine. Missing: a doctor's and a patient's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<Vec<Role>>,
    /// Media go over the relay alone, so that neither side learns the other's address. Missing: no.
    #[serde(default)]
    pub relayed_only: bool,
    /// Planned minutes, 5 to 480. Missing: 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 5, maximum = 480)]
    pub duration_minutes: Option<i64>,
    /// Of the invitation, a BCP 47 tag. Missing: de.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 8, example = "de")]
    pub language: Option<String>,
}

impl NewConsultation {
    /// For two, and now.
    pub fn now() -> Self {
        Self::default()
    }
}

/// A consultation with its codes: the only answer, with a reissue, that ever shows them.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Issued {
    /// UUID.
    pub id: String,
    /// From here on the codes open the waiting room.
    pub opens_at: DateTime<Utc>,
    /// The planned start.
    pub starts_at: DateTime<Utc>,
    /// 24 hours after the start: from here on nobody new enters.
    pub expires_at: DateTime<Utc>,
    /// Media go over the relay alone.
    pub relayed_only: bool,
    /// The seats, each with its own code.
    pub seats: Vec<IssuedSeat>,
    /// What had to be decided about a local time that the clocks skip or show twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A seat and what opens it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedSeat {
    /// 1 to 9.
    pub seat: u8,
    /// What the seat is for.
    pub role: Role,
    /// To be typed.
    #[schema(example = "K7QF-3XM2-9TDA")]
    pub code: String,
    /// To be clicked. Callers may append `.` and the same 22 base64url characters to all links of a consultation.
    pub link: String,
}

/// A consultation as it stands, without its codes.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// UUID.
    pub id: String,
    /// From here on the codes open the waiting room.
    pub opens_at: DateTime<Utc>,
    /// The planned start.
    pub starts_at: DateTime<Utc>,
    /// 24 hours after the start.
    pub expires_at: DateTime<Utc>,
    /// Media go over the relay alone.
    pub relayed_only: bool,
    /// Where it stands.
    pub state: PlannedState,
}

impl PlannedState {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Open => "open",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// Where a consultation stands.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PlannedState {
    /// Not open yet.
    Planned,
    /// The codes open it.
    Open,
    /// Nobody new enters.
    Expired,
    /// Called off.
    Revoked,
}

/// A consultation with its seats and what the relay carries for it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    #[serde(flatten)]
    planned: Planned,
    /// The seats.
    seats: Vec<SeatState>,
    /// What the embedded relay carries at the moment.
    relay: RelayState,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct SeatState {
    seat: u8,
    role: Role,
    /// Since when a device is admitted.
    admitted_at: Option<DateTime<Utc>>,
    /// Whether its page is connected.
    connected: bool,
}

/// Counted while allocations live; 0 for a call on a direct path.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct RelayState {
    /// Living allocations.
    allocations: usize,
    /// Relayed DTLS and SRTP, bytes.
    media_bytes: u64,
    /// Relayed connectivity checks, bytes.
    check_bytes: u64,
}

/// What plans consultations, and for whom.
pub struct Planner<'a> {
    /// Where they are kept.
    pub store: &'a Store,
    /// What hashes their codes.
    pub keys: &'a Keys,
    /// How long before the start the codes open.
    pub lead: chrono::Duration,
    /// What links begin with.
    pub public_url: &'a Url,
    /// For local times.
    pub time_zone: chrono_tz::Tz,
    /// Whose they are; the operator's have none.
    pub practice: Option<&'a str>,
    /// The user at a desk. There nobody gets a doctor's code in advance: whoever starts a consultation asks for one (R09).
    pub created_by: Option<&'a str>,
}

impl<'a> Planner<'a> {
    /// For the operator.
    pub fn of_operator(store: &'a Store, keys: &'a Keys, config: &Config, public_url: &'a Url) -> Self {
        let (lead, time_zone) = (config.lead(), config.time_zone);
        Self { store, keys, lead, public_url, time_zone, practice: None, created_by: None }
    }

    /// Plans a consultation: one code for each seat, drawn independently (R03).
    pub async fn create(&self, plan: &NewConsultation) -> Result<Issued, Error> {
        let now = Utc::now().trunc_subsecs(0);
        let (starts_at, local) = match &plan.starts_at {
            Some(text) => parse_start(text, self.time_zone)
                .map_err(|error| Error::Invalid(format!("startsAt: {error}.")))?,
            None => (now, LocalTime::Plain),
        };
        let roles = plan.seats.as_deref().unwrap_or(&[Role::Doctor, Role::Patient]);
        let only_one_doctor =
            self.created_by.is_none() || !roles[1.min(roles.len())..].contains(&Role::Doctor);
        if !(2..=SEATS.into()).contains(&roles.len())
            || roles.first() != Some(&Role::Doctor)
            || !only_one_doctor
        {
            return Err(Error::Invalid(format!("seats: two to {SEATS} roles, a doctor's first.")));
        }
        let duration_minutes = plan.duration_minutes.unwrap_or(USUAL_MINUTES);
        if !DURATION.contains(&duration_minutes) {
            return Err(Error::Invalid("durationMinutes: a number from 5 to 480.".to_owned()));
        }
        let language = plan.language.as_deref().unwrap_or("de");
        check_language(language)?;
        let id = uuid::Uuid::now_v7().to_string();
        let is_told = |role: &Role| self.created_by.is_none() || *role != Role::Doctor;
        let codes: Vec<Option<AccessCode>> =
            roles.iter().map(|role| is_told(role).then(AccessCode::random)).collect();
        let hash = |code: &AccessCode| self.keys.code_hash(&code.canonical());
        let new_seat = |(role, code): (&Role, &Option<AccessCode>)| NewSeat {
            role: *role,
            code_hash: code.as_ref().map(hash),
        };
        let seats: Vec<NewSeat> = roles.iter().zip(&codes).map(new_seat).collect();
        let window = Window::new(starts_at, self.lead);
        let new_plan = NewPlan {
            id: &id,
            window,
            paths: if plan.relayed_only { Paths::RelayedOnly } else { Paths::Any },
            practice: self.practice,
            duration_minutes,
            language,
            created_by: self.created_by,
            seats: &seats,
        };
        self.store.create(&new_plan, now).await?;
        let issued = |(seat, (role, code)): (u8, (&Role, Option<AccessCode>))| {
            Some(issued_seat(self.public_url, seat, *role, &code?))
        };
        let seats = (1..).zip(roles.iter().zip(codes)).filter_map(issued).collect();
        let Window { opens_at, starts_at, expires_at } = window;
        let relayed_only = plan.relayed_only;
        Ok(Issued { id, opens_at, starts_at, expires_at, relayed_only, seats, note: local_note(local) })
    }
}

/// A language's tag: its catalogue need not exist yet.
pub fn check_language(tag: &str) -> Result<(), Error> {
    let plain =
        (2..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    plain.then_some(()).ok_or_else(|| Error::Invalid("language: a tag like de or en.".to_owned()))
}

/// A seat's code and link, to be shown once.
pub fn issued_seat(public_url: &Url, seat: u8, role: Role, code: &AccessCode) -> IssuedSeat {
    let origin = public_url.origin().ascii_serialization();
    IssuedSeat { seat, role, code: code.to_string(), link: format!("{origin}/#{code}") }
}

/// What had to be decided about a local time.
pub fn local_note(local: LocalTime) -> Option<String> {
    match local {
        LocalTime::Plain => None,
        LocalTime::Skipped => {
            Some("The clocks skip this local time; the consultation starts an hour later.".to_owned())
        }
        LocalTime::Twice => {
            Some("The clocks show this local time twice; the consultation starts at the first.".to_owned())
        }
    }
}

/// Whose consultations a request may see: the operator's token opens all, a practice's API token its own.
#[derive(Clone)]
pub enum Caller {
    /// The operator's token, or the command line.
    Operator,
    /// An API token.
    Software(ApiToken),
}

impl Caller {
    fn practice(&self) -> Option<&str> {
        match self {
            Self::Operator => None,
            Self::Software(token) => Some(&token.practice),
        }
    }

    /// A consultation that the caller may see.
    async fn find(&self, store: &Store, id: &str) -> Result<Consultation, Error> {
        let found = store.consultation(id).await?;
        let may_see = |found: &Consultation| match self {
            Self::Operator => true,
            Self::Software(token) => found.practice.as_ref() == Some(&token.practice),
        };
        found.filter(may_see).ok_or(Error::NotFound("consultation"))
    }

    /// Leaves a line in the practice's audit trail, and lets its desks read anew.
    async fn told(&self, app: &App, what: &str, id: &str) -> Result<(), Error> {
        if let Self::Software(token) = self {
            note(&app.store, &token.practice, &token.name, what, id).await;
            app.desk.tell(&token.practice, Changed::Consultation { id: id.to_owned() });
        }
        Ok(())
    }
}

/// Gives a seat a new code. Whoever came with the old one is out, at once.
pub async fn reissue_code(
    store: &Store,
    keys: &Keys,
    public_url: &Url,
    id: &str,
    number: u8,
) -> Result<IssuedSeat, Error> {
    let consultation = store.consultation(id).await?.ok_or(Error::NotFound("consultation"))?;
    if consultation.revoked_at.is_some() {
        return Err(Error::Revoked);
    }
    let seats = store.seats(id).await?;
    let seat = seats.iter().find(|seat| seat.number == number).ok_or(Error::NotFound("seat"))?;
    let code = AccessCode::random();
    store.reissue(id, number, &keys.code_hash(&code.canonical()), Utc::now()).await?;
    Ok(issued_seat(public_url, number, seat.role, &code))
}

/// The state at `now`.
pub fn planned(consultation: &Consultation, now: DateTime<Utc>) -> Planned {
    let Window { opens_at, starts_at, expires_at } = consultation.window;
    let state = match (consultation.revoked_at, consultation.window.phase(now)) {
        (Some(_), _) => PlannedState::Revoked,
        (None, Phase::Early) => PlannedState::Planned,
        (None, Phase::Open) => PlannedState::Open,
        (None, Phase::Expired) => PlannedState::Expired,
    };
    let relayed_only = consultation.paths == Paths::RelayedOnly;
    Planned { id: consultation.id.clone(), opens_at, starts_at, expires_at, relayed_only, state }
}

/// Plan a consultation.
#[utoipa::path(post, path = "/api/consultations", request_body = NewConsultation, security(("operator" = []), ("software" = [])), responses(
    (status = 201, description = "Planned; the codes are shown this once", body = Issued),
    (status = 403, description = "The API token may only read", body = Problem, content_type = "application/problem+json"),
))]
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Body(plan): Body<NewConsultation>,
) -> Result<impl IntoResponse, Error> {
    let mut planner = Planner::of_operator(&app.store, &app.keys, &app.config, &app.public_url);
    if let Some(id) = caller.practice() {
        let practice = app.store.practice(id).await?.ok_or(Error::NotFound("practice"))?;
        planner = Planner { practice: Some(id), time_zone: zone(&practice.time_zone)?, ..planner };
    }
    let issued = planner.create(&plan).await?;
    caller.told(&app, "consultation-created", &issued.id).await?;
    let location = format!("/api/consultations/{}", issued.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(issued)))
}

/// How many to list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    limit: Option<u16>,
}

/// The newest consultations by start.
#[utoipa::path(get, path = "/api/consultations", security(("operator" = []), ("software" = [])), params(
    ("limit" = Option<u16>, Query, description = "At most so many, 1 to 1000; 100 if missing", minimum = 1, maximum = 1000)
), responses(
    (status = 200, description = "Without codes: those are shown once", body = [Planned]),
    (status = 403, description = "The API token may only read", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The limit is not a number from 1 to 1000", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    page: Result<Asked<Page>, Error>,
) -> Result<Json<Vec<Planned>>, Error> {
    let limit =
        page.ok().map(|Asked(page)| page.limit.unwrap_or(100)).filter(|limit| (1..=1000).contains(limit));
    let limit = limit.ok_or_else(|| Error::Invalid("limit: a number from 1 to 1000.".to_owned()))?;
    let now = Utc::now();
    let listed = app.store.list(caller.practice(), limit.into()).await?;
    Ok(Json(listed.iter().map(|consultation| planned(consultation, now)).collect()))
}

/// One consultation, its seats and its relayed traffic.
#[utoipa::path(get, path = "/api/consultations/{id}", security(("operator" = []), ("software" = [])), params(("id" = String, Path)), responses(
    (status = 200, description = "As it stands", body = Detail),
    (status = 403, description = "The API token may only read", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such consultation", body = Problem, content_type = "application/problem+json"),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    At(id): At<String>,
) -> Result<Json<Detail>, Error> {
    let consultation = caller.find(&app.store, &id).await?;
    let state = |seat: Seat| SeatState {
        seat: seat.number,
        role: seat.role,
        admitted_at: seat.admitted_at,
        connected: seat.claim.is_some(),
    };
    let seats = app.store.seats(&id).await?.into_iter().map(state).collect();
    let traffic = app.relay.traffic(&app.keys.call_label(&id));
    let relay = RelayState {
        allocations: traffic.allocations,
        media_bytes: traffic.media_bytes,
        check_bytes: traffic.check_bytes,
    };
    Ok(Json(Detail { planned: planned(&consultation, Utc::now()), seats, relay }))
}

/// Call a consultation off. Pages that are in it read so and are closed within a second.
#[utoipa::path(delete, path = "/api/consultations/{id}", security(("operator" = []), ("software" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "Called off, now or before"),
    (status = 403, description = "The API token may only read", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such consultation", body = Problem, content_type = "application/problem+json"),
))]
pub async fn delete(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    At(id): At<String>,
) -> Result<StatusCode, Error> {
    caller.find(&app.store, &id).await?;
    ends::revoke(&app, &id).await?;
    caller.told(&app, "consultation-cancelled", &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a seat a new code; the old one dies, and whoever came with it is out.
#[utoipa::path(post, path = "/api/consultations/{id}/seats/{seat}/reissue", security(("operator" = []), ("software" = [])), params(("id" = String, Path), ("seat" = u8, Path)), responses(
    (status = 201, description = "The new code, shown this once", body = IssuedSeat),
    (status = 403, description = "The API token may only read", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such consultation or seat", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The consultation was revoked, or the seat is the doctor's in one that was planned at the desk", body = Problem, content_type = "application/problem+json"),
))]
pub async fn reissue(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    At((id, seat)): At<(String, u8)>,
) -> Result<impl IntoResponse, Error> {
    caller.find(&app.store, &id).await?;
    if let Some(practice) = caller.practice()
        && app.store.is_doctors_of_desk(practice, &id, seat).await?
    {
        return Err(Error::Conflict("role", "A doctor gets a code by starting the consultation."));
    }
    let issued = reissue_code(&app.store, &app.keys, &app.public_url, &id, seat).await?;
    ends::dismiss(&app, &id, seat, Departure::Revoked).await?;
    caller.told(&app, "code-issued", &id).await?;
    Ok((StatusCode::CREATED, Json(issued)))
}
