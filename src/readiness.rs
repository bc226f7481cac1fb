//! The check before the appointment: a patient's page tries camera, microphone and one relayed loop, and tells the practice with consent how it went.
//! No content, no address, no name of a device (R30).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    let label = app.keys.check_label(&found.consultation.id, found.seat.number);
    let number = app.checks.begin(&label);
    let ice_servers = ice::servers(&app, &label, found.seat.number);
    end_in_time(&app, &label, number);
    // Called off meanwhile: what that has barred was minted before, and this was minted after.
    let now = seat_of(&app, &body.code).await?;
    if now.is_none_or(|found| is_over(&found)) {
        app.relay.end_call(&label);
        return Err(Error::Revoked);
    }
    Ok(Json(Loop { ice_servers }))
}

/// A check takes seconds. After this its allocations end, whatever its page does.
const CHECK: Duration = Duration::from_secs(120);

fn end_in_time(app: &Arc<App>, label: &str, number: u64) {
    let (app, label) = (Arc::clone(app), label.to_owned());
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(CHECK) => {}
            () = app.stop.cancelled() => return,
        }
        if app.checks.is_last(&label, number) {
            app.relay.end_call(&label);
        }
    });
}

/// The last check of each seat, by its label at the relay.
#[derive(Default)]
pub struct Checks(Mutex<HashMap<String, u64>>);

impl Checks {
    /// Another check of a seat begins; gives its number.
    pub fn begin(&self, label: &str) -> u64 {
        let mut checks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = checks.entry(label.to_owned()).or_default();
        *number += 1;
        *number
    }

    /// Whether no other check of the seat has begun since; then it is forgotten.
    pub fn is_last(&self, label: &str, number: u64) -> bool {
        let mut checks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_last = checks.get(label) == Some(&number);
        if is_last {
            checks.remove(label);
        }
        is_last
    }
}

/// Whether a code has been called off.
fn is_over(found: &Found) -> bool {
    found.consultation.revoked_at.is_some()
        || found.code.revoked_at.is_some()
        || found.code.is_used_up(None, Utc::now())
}

async fn seat_of(app: &App, typed: &str) -> Result<Option<Found>, Error> {
    let Ok(code) = AccessCode::parse(typed) else { return Ok(None) };
    Ok(app.store.find(&app.keys.code_hash(&code.canonical())).await?)
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
    AccessCode::parse(typed).map_err(|_| unknown())?;
    let found = seat_of(app, typed).await?;
    let wait = app.guesses.weigh(address, found.is_some(), Instant::now());
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
    if is_over(&found) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_ends_in_time_unless_another_of_the_seat_has_begun() {
        let checks = Checks::default();
        let (first, second) = (checks.begin("seat"), checks.begin("seat"));
        assert!(!checks.is_last("seat", first));
        assert!(checks.is_last("seat", second));
        assert!(checks.0.lock().unwrap().is_empty(), "nothing stays of it");
    }
}
