//! The check before the appointment: a patient's page tries camera, microphone and one relayed loop, and tells the practice with consent how it went.
//! No content, no address, no name of a device (R30).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::Utc;
use serde::{Deserialize, Serialize};

use crate::App;
use crate::access::{AccessCode, Phase, rfc3339};
use crate::client::ClientAddress;
use crate::error::{Error, Problem};
use crate::fields::Body;
use crate::ice::{self, IceServer};
use crate::limit::Attempt;
use crate::practice::live::Changed;
use crate::store::Found;

/// A code.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// As typed.
    #[schema(max_length = 64)]
    code: String,
}

/// What the check needs.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Loop {
    /// For both ends of the loop: `RTCIceServer`s whose credential is good for nothing else.
    ice_servers: Vec<IceServer>,
}

/// One part's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// It works.
    Ok,
    /// There is none; of the relay: no answer.
    Missing,
    /// There is one, and it is not allowed, in use, silent, or does not work.
    Failed,
}

/// All in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything works.
    Green,
    /// A call is possible, with something missing.
    Yellow,
    /// No call is possible this way.
    Red,
}

/// How the check went.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Readiness {
    verdict: Verdict,
    camera: Part,
    microphone: Part,
    relay: Part,
    /// RFC 3339.
    at: String,
}

/// How the check went, from the page.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// As typed.
    #[schema(max_length = 64)]
    code: String,
    verdict: Verdict,
    camera: Part,
    microphone: Part,
    relay: Part,
}

/// Begin the check of a seat's device.
#[utoipa::path(post, path = "/api/readiness/begin", request_body = Code, responses(
    (status = 200, description = "Relays for a loop of the page with itself", body = Loop),
    (status = 404, description = "No such code", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The code was revoked", body = Problem, content_type = "application/problem+json"),
    (status = 410, description = "The consultation's time is over", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "This seat's device was checked too often; Retry-After says when", body = Problem, content_type = "application/problem+json"),
))]
pub async fn begin(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    Body(body): Body<Code>,
) -> Result<Json<Loop>, Error> {
    let found = find(&app, address, &body.code).await?;
    // A label of its own: the credential reaches nobody in the consultation (R07).
    let label = format!("check {} {}", found.consultation.id, found.seat.number);
    Ok(Json(Loop { ice_servers: ice::servers(&app, &label, found.seat.number) }))
}

/// Tell the practice how the check went. The page asks the patient before.
#[utoipa::path(post, path = "/api/readiness", request_body = Report, responses(
    (status = 204, description = "Told"),
    (status = 404, description = "No such code", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The code was revoked", body = Problem, content_type = "application/problem+json"),
    (status = 410, description = "The consultation's time is over", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "This seat's device was checked too often; Retry-After says when", body = Problem, content_type = "application/problem+json"),
))]
pub async fn report(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    Body(report): Body<Report>,
) -> Result<StatusCode, Error> {
    let Report { code, verdict, camera, microphone, relay } = report;
    let Found { consultation, seat, .. } = find(&app, address, &code).await?;
    let readiness = Readiness { verdict, camera, microphone, relay, at: rfc3339(Utc::now()) };
    let text = serde_json::to_string(&readiness).expect("a report is plain data");
    app.store.note_readiness(&consultation.id, seat.number, &text).await?;
    if let Some(practice) = &consultation.practice {
        app.desk.tell(practice, Changed::Consultation { id: consultation.id.clone() });
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The seat of a code that is or will be valid. Wrong codes wait as they do at the door (R14).
async fn find(app: &App, address: IpAddr, typed: &str) -> Result<Found, Error> {
    let unknown = || Error::NotFound("consultation");
    let code = AccessCode::parse(typed).map_err(|_| unknown())?;
    let wait = app.guesses.charge(address, Instant::now());
    let found = app.store.find(&app.keys.code_hash(&code.canonical())).await?;
    if found.is_some() {
        app.guesses.forgive(address);
    }
    if !wait.is_zero() {
        // Who waits takes a place as a socket does, so that an address waits for a bounded number of answers at once.
        let is_shared = app.proxies.is_shared(address);
        let place = found.is_none().then(|| app.strangers.enter(address, is_shared));
        let displaced = async {
            match &place {
                Some(place) => place.displaced().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = displaced => return Err(Error::Busy(wait.as_secs())),
            () = app.stop.cancelled() => return Err(unknown()),
        }
    }
    let found = found.ok_or_else(unknown)?;
    let code = &found.code;
    if found.consultation.revoked_at.is_some()
        || code.revoked_at.is_some()
        || code.is_used_up(None, Utc::now())
    {
        return Err(Error::Revoked);
    }
    if found.consultation.window.phase(Utc::now()) == Phase::Expired {
        return Err(Error::Expired);
    }
    let seat = format!("{}/{}", found.consultation.id, found.seat.number);
    app.desk
        .attempts
        .take(Attempt::Check, seat.as_bytes(), Instant::now())
        .map_err(|wait| Error::TooOften(wait.as_secs() + 1))?;
    Ok(found)
}
