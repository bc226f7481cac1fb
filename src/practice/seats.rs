//! Seats and codes of a practice's consultation.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::member::{Colleague, Member};
use super::plan::{find, told};
use crate::App;
use crate::access::{AccessCode, Role, SEATS};
use crate::consultation::{IssuedSeat, issued_seat, reissue_code};
use crate::error::{Error, Problem};
use crate::fields::{At, Body};
use crate::message::Departure;
use crate::signaling::ends;
use crate::store::{NewDoctorsCode, NewSeat, Planned};

/// What opens the doctor's seat.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DoctorsCode {
    /// Told this once; the page appends the link's secret.
    code: String,
}

/// So long a page has to come with the code. Whoever takes longer over camera and microphone gets another from the page that started it.
const USE_WITHIN: Duration = Duration::from_secs(10 * 60);

/// A fresh code for the doctor's seat, for the doctor who starts the consultation (R09): good once, and for ten minutes, for the device that comes
/// with it first. It ends with the session while nobody has used it, and with the doctor's right to it in any case.
#[utoipa::path(post, path = "/api/practice/consultations/{id}/enter", security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 201, description = "The code, shown this once", body = DoctorsCode),
    (status = 403, description = "Not a doctor, or not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such consultation", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It was called off", body = Problem, content_type = "application/problem+json"),
    (status = 410, description = "Its time is over", body = Problem, content_type = "application/problem+json"),
))]
pub async fn enter(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    At(id): At<String>,
) -> Result<impl IntoResponse, Error> {
    if !member.consults() {
        return Err(Error::Forbidden("role", "Only a doctor takes part in a consultation."));
    }
    let planned = living(&app, &member, &id).await?;
    let code = AccessCode::random();
    let now = Utc::now();
    let code_of = NewDoctorsCode {
        consultation: &planned.id,
        seat: DOCTORS_SEAT,
        hash: &app.keys.code_hash(&code.canonical()),
        user: &member.user.id,
        session: &member.session.id,
        use_by: (now + USE_WITHIN).timestamp_millis(),
    };
    app.store.add_doctors_code(&code_of, now.timestamp_millis()).await?;
    told(&app, &member, "entered", &id).await?;
    Ok((StatusCode::CREATED, Json(DoctorsCode { code: code.to_string() })))
}

/// The first seat is the doctor's.
const DOCTORS_SEAT: u8 = 1;

/// Who else is invited.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnotherSeat {
    /// A patient or a guest.
    role: Role,
}

/// Add a seat with a code of its own.
#[utoipa::path(post, path = "/api/practice/consultations/{id}/seats", request_body = AnotherSeat, security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 201, description = "Its code, shown this once", body = IssuedSeat),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such consultation", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "All nine seats are taken, or it was called off", body = Problem, content_type = "application/problem+json"),
    (status = 410, description = "Its time is over", body = Problem, content_type = "application/problem+json"),
))]
pub async fn add(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    At(id): At<String>,
    Body(body): Body<AnotherSeat>,
) -> Result<impl IntoResponse, Error> {
    if body.role == Role::Doctor {
        return Err(Error::Invalid("role: patient or guest.".to_owned()));
    }
    living(&app, &member, &id).await?;
    let code = AccessCode::random();
    let seat = NewSeat { role: body.role, code_hash: Some(app.keys.code_hash(&code.canonical())) };
    let number = app.store.add_seat(&id, &seat, SEATS.into()).await?;
    let number = number.and_then(|number| u8::try_from(number).ok());
    let number =
        number.ok_or(Error::Conflict("full", "A consultation has nine seats, and all are taken."))?;
    ends::say_seats(&app, &id);
    told(&app, &member, "code-issued", &id).await?;
    Ok((StatusCode::CREATED, Json(issued_seat(&app.public_url, number, body.role, &code))))
}

/// Take a seat away: its code dies, and who sits there is out.
#[utoipa::path(delete, path = "/api/practice/consultations/{id}/seats/{seat}", security(("session" = [])), params(("id" = String, Path), ("seat" = u8, Path)), responses(
    (status = 204, description = "Taken away"),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such consultation or seat", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "A consultation keeps its doctor and one more", body = Problem, content_type = "application/problem+json"),
))]
pub async fn remove(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    At((id, seat)): At<(String, u8)>,
) -> Result<StatusCode, Error> {
    find(&app, &member, &id).await?;
    if !app.store.remove_seat(&id, seat, Utc::now().timestamp_millis()).await? {
        return Err(Error::Conflict(
            "last-seat",
            "A consultation keeps its doctor and one more. Call it off instead.",
        ));
    }
    ends::dismiss(&app, &id, seat, Departure::Revoked).await?;
    ends::say_seats(&app, &id);
    told(&app, &member, "code-revoked", &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a seat a new code; the old one dies, and whoever came with it is out.
#[utoipa::path(post, path = "/api/practice/consultations/{id}/seats/{seat}/reissue", security(("session" = [])), params(("id" = String, Path), ("seat" = u8, Path)), responses(
    (status = 201, description = "The new code, shown this once", body = IssuedSeat),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such consultation or seat", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It was called off, or the seat is the doctor's", body = Problem, content_type = "application/problem+json"),
))]
pub async fn reissue(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    At((id, seat)): At<(String, u8)>,
) -> Result<impl IntoResponse, Error> {
    find(&app, &member, &id).await?;
    if seat == DOCTORS_SEAT {
        return Err(Error::Conflict("role", "A doctor gets a code by starting the consultation."));
    }
    let issued = reissue_code(&app.store, &app.keys, &app.public_url, &id, seat).await?;
    ends::dismiss(&app, &id, seat, Departure::Revoked).await?;
    told(&app, &member, "code-issued", &id).await?;
    Ok((StatusCode::CREATED, Json(issued)))
}

/// A consultation whose codes open something.
async fn living(app: &App, member: &Member, id: &str) -> Result<Planned, Error> {
    let planned = find(app, member, id).await?;
    if planned.revoked_at.is_some() {
        return Err(Error::Revoked);
    }
    if planned.expires_at <= Utc::now().timestamp_millis() {
        return Err(Error::Expired);
    }
    Ok(planned)
}
