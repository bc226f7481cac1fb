//! What can go wrong in a request, as RFC 9457 problem details. Causes are logged once, here; nobody outside reads them.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::store::Failure;

/// An answer that is not a success.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the body is not what the API describes; the text names it and the mend.
    #[error("{0}")]
    Invalid(String),
    /// The bearer token is missing or wrong.
    #[error(
        "Send the operator's token or an API token of a practice as “Authorization: Bearer …”. The operator's stands in the file operator-token of the data directory."
    )]
    Unauthorized,
    /// No such consultation or seat.
    #[error("There is no {0} with this number.")]
    NotFound(&'static str),
    /// The API has no such path.
    #[error("There is nothing under this path. /api/openapi.json lists what there is.")]
    NoPath,
    /// The path takes other methods; the header `Allow` names them.
    #[error("This path does not take this method. /api/openapi.json lists which it takes.")]
    NoMethod,
    /// The consultation was called off.
    #[error("This consultation was revoked. Create a new one.")]
    Revoked,
    /// No session, or one that has ended.
    #[error("Sign in first, and send the session's token as “Authorization: Bearer …”.")]
    Session,
    /// A wrong practice, user, password, recovery key or passkey: one answer for all of them (R53).
    #[error("These names and this password do not fit together. Check all three, or use the recovery key.")]
    SignIn,
    /// Somebody guesses, or seems to.
    #[error("Too many attempts. Try again in {0} s; signing in works at once at a released workplace.")]
    TooMany(u64),
    /// The same thing was asked for too often.
    #[error("This was asked for too often. Try again in {0} s.")]
    TooOften(u64),
    /// Too much is asked at the same time.
    #[error("The server has too much to do at the moment. Try again in {0} s.")]
    Busy(u64),
    /// The session's user, browser or password must not do this; the kind tells which.
    #[error("{1}")]
    Forbidden(&'static str, &'static str),
    /// Something stands against it; the kind tells what.
    #[error("{1}")]
    Conflict(&'static str, &'static str),
    /// The consultation's codes are not valid any more.
    #[error("This consultation's time is over.")]
    Expired,
    /// The mail server did not take a message; its own words.
    #[error("The mail server did not take the message: {0}")]
    Mail(String),
    /// The store did not do it.
    #[error("{}", of_store(.0))]
    Store(#[from] sqlx::Error),
}

/// The body of a problem (RFC 9457), media type `application/problem+json`.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// A URI reference that names the kind of problem, relative to the API document.
    pub r#type: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do.
    pub detail: String,
}

impl Error {
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Invalid(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request was not understood")
            }
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Not signed in"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::NoPath => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::NoMethod => (StatusCode::METHOD_NOT_ALLOWED, "method", "Method not allowed"),
            Self::Session => (StatusCode::UNAUTHORIZED, "session", "Not signed in"),
            Self::SignIn => (StatusCode::UNAUTHORIZED, "sign-in", "Not signed in"),
            Self::TooOften(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many attempts"),
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many attempts"),
            Self::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too much at once"),
            Self::Forbidden(kind, _) => (StatusCode::FORBIDDEN, kind, "Not allowed"),
            Self::Conflict(kind, _) => (StatusCode::CONFLICT, kind, "Not possible"),
            Self::Expired => (StatusCode::GONE, "expired", "Expired"),
            Self::Mail(_) => (StatusCode::BAD_GATEWAY, "mail", "Message not delivered"),
            Self::Revoked => (StatusCode::CONFLICT, "revoked", "Revoked"),
            Self::Store(cause) if Failure::of(cause) == Failure::Full => {
                (StatusCode::SERVICE_UNAVAILABLE, "no-space", "No space left")
            }
            Self::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store", "Store unavailable"),
        }
    }
}

/// What is wrong with the store, what became of the request, and what to do.
fn of_store(cause: &sqlx::Error) -> &'static str {
    match Failure::of(cause) {
        Failure::Full => {
            "No space is left on the server's disk: this was not saved. Once there is room again, try again; calls go on meanwhile."
        }
        Failure::Disk => {
            "The server's disk reports an error: this may not have been saved. Have the disk looked at, and look whether it is there before you try again."
        }
        Failure::Permission => {
            "The server may not write to its database: this was not saved. Have the rights of the data directory looked at."
        }
        Failure::Busy => {
            "The server's store was busy for too long: this was not saved. Try again in a few seconds."
        }
        Failure::Damaged | Failure::Away => {
            "The server cannot reach its store at the moment: this may not have been saved. Try again in a few seconds."
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, kind, title) = self.kind();
        if let Self::Store(cause) = &self {
            tracing::error!(%cause, "the store did not answer");
        }
        let problem = Problem {
            r#type: format!("#{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
        };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
        if let Self::TooMany(seconds) | Self::TooOften(seconds) | Self::Busy(seconds) = &self {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from(*seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}
