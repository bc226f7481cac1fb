//! What comes in a body, a path or a query: read, bounded, and refused with the field's name.

use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::de::DeserializeOwned;

use crate::App;
use crate::access::rfc3339;
use crate::error::Error;

/// What a handler asked of whoever sent the head; [`Body`] asks it again.
#[derive(Clone, Copy)]
pub struct Rights(pub StillHeld);

/// An error where the rights are gone.
pub type StillHeld =
    for<'a> fn(&'a Parts, &'a App) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// A JSON body; whatever is wrong with it is a 422 that says so. It has to come within [`BODY`], and whoever has lost their rights since they sent
/// the head has lost them (R11).
pub struct Body<T>(pub T);

/// How long a body may take. The largest, a practice's keys, has 2 MB.
const BODY: Duration = Duration::from_secs(20);

impl<T: DeserializeOwned + Send> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts.clone(), body);
        let body = tokio::time::timeout(BODY, Json::from_request(request, app)).await;
        let body = body.map_err(|_| Error::Invalid("The body took too long. Send it at once.".to_owned()))?;
        let Json(body) =
            body.map_err(|rejection: JsonRejection| Error::Invalid(format!("{}.", rejection.body_text())))?;
        if let Some(Rights(still_held)) = parts.extensions.get::<Rights>().copied() {
            still_held(&parts, app).await?;
        }
        Ok(Self(body))
    }
}

/// Parts of the path; what cannot be one of ours leads nowhere.
pub struct At<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(path)| Self(path)).map_err(|_| Error::NotFound("entry"))
    }
}

/// The query.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let query = Query::from_request_parts(parts, state).await;
        query
            .map(|Query(query)| Self(query))
            .map_err(|rejection: QueryRejection| Error::Invalid(format!("{}.", rejection.body_text())))
    }
}

/// The short name of a practice or a user: what the salt hangs on, so written in one way only.
pub fn short(field: &str, typed: &str) -> Result<String, Error> {
    let name = fold(typed);
    let fits = (1..=40).contains(&name.chars().count())
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
    fits.then_some(name).ok_or_else(|| {
        Error::Invalid(format!(
            "{field}: 1 to 40 letters, digits, dots, dashes and underscores, without spaces."
        ))
    })
}

/// A typed name in the one way of writing it. For sign-in: a name that cannot be one is simply unknown.
pub fn fold(typed: &str) -> String {
    typed.trim().to_lowercase()
}

/// A line of text for people.
pub fn line(field: &str, text: &str, most: usize) -> Result<String, Error> {
    let text = text.trim();
    let fits = (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
        .ok_or_else(|| Error::Invalid(format!("{field}: 1 to {most} characters on one line.")))
}

/// Ciphertext or a key of a browser's making: base64url, perhaps with a dot between its parts.
pub fn opaque(field: &str, text: &str, most: usize) -> Result<(), Error> {
    let fits = (1..=most).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    fits.then_some(()).ok_or_else(|| Error::Invalid(format!("{field}: 1 to {most} characters of base64url.")))
}

/// A telephone number as people write it; an empty one is none.
pub fn phone(text: Option<&str>) -> Result<Option<String>, Error> {
    match text.map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => line("phone", text, 40).map(Some),
    }
}

/// A time zone's IANA name.
pub fn time_zone(text: &str) -> Result<String, Error> {
    let zone = Tz::from_str(text.trim());
    let zone = zone.map_err(|_| Error::Invalid("timeZone: a name like Europe/Berlin.".to_owned()))?;
    Ok(zone.name().to_owned())
}

/// The time zone of a stored name.
pub fn zone(name: &str) -> Result<Tz, Error> {
    Tz::from_str(name).map_err(|_| {
        Error::Invalid("The practice's time zone is unknown to this version. Set it anew.".to_owned())
    })
}

/// A moment of the store, as answers show it.
pub fn moment(millis: i64) -> String {
    rfc3339(at(millis))
}

/// A moment of the store.
pub fn at(millis: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(millis).single().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_trimmed_and_know_no_case() {
        assert_eq!(short("user", "  Dr.Müller ").unwrap(), "dr.müller");
        assert!(short("user", "a b").is_err());
        assert!(short("user", "").is_err());
        assert!(short("user", &"a".repeat(41)).is_err());
    }
}
