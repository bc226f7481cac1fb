//! What can go wrong in a request, as RFC 9457 problem details. Causes are logged once, here; nobody outside reads them.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An answer that is not a success.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the body is not what the API describes; the text names it and the mend.
    #[error("{0}")]
    Invalid(String),
    /// The bearer token is missing or wrong.
    #[error(
        "Send the operator's token as “Authorization: Bearer …”. It stands in the file operator-token of the data directory."
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
    /// The store did not answer.
    #[error("The server cannot reach its store at the moment. Try again in a few seconds.")]
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
    const fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Invalid(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request was not understood")
            }
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Not signed in"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::NoPath => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::NoMethod => (StatusCode::METHOD_NOT_ALLOWED, "method", "Method not allowed"),
            Self::Revoked => (StatusCode::CONFLICT, "revoked", "Revoked"),
            Self::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store", "Store unavailable"),
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
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}
