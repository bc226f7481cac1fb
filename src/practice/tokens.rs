//! API tokens of a practice's software.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::member::Admin;
use crate::App;
use crate::audit::note;
use crate::error::{Error, Problem};
use crate::fields::{At, Body, line, moment};
use crate::keys::{new_id, random_128, token_hash};
use crate::store::ApiToken;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everything under /api/consultations, for this practice's.
    Plan,
    /// Its GETs.
    Read,
}

impl Scope {
    /// The word in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Read => "read",
        }
    }
}

/// A token in the list.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    id: String,
    name: String,
    scope: String,
    created_at: String,
    used_at: Option<String>,
    /// The short name of who made it: it ends when that user is withdrawn or is an admin no more. Nothing of a token of an earlier release.
    made_by: Option<String>,
    /// Shown once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

fn view(token: ApiToken, secret: Option<String>) -> TokenView {
    TokenView {
        id: token.id,
        name: token.name,
        scope: token.scope,
        created_at: moment(token.created_at),
        used_at: token.used_at.map(moment),
        made_by: token.made_by,
        token: secret,
    }
}

/// All API tokens, without their secrets.
#[utoipa::path(get, path = "/api/practice/tokens", security(("session" = [])), responses(
    (status = 200, description = "The oldest first", body = [TokenView]),
    (status = 403, description = "Not an admin, or not from here", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(State(app): State<Arc<App>>, Admin(member): Admin) -> Result<Json<Vec<TokenView>>, Error> {
    let tokens = app.store.api_tokens(&member.practice.id).await?;
    Ok(Json(tokens.into_iter().map(|token| view(token, None)).collect()))
}

/// A new token.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What the practice calls it.
    #[schema(max_length = 60)]
    name: String,
    /// What it may do.
    scope: Scope,
}

/// Make an API token.
#[utoipa::path(post, path = "/api/practice/tokens", request_body = NewToken, security(("session" = [])), responses(
    (status = 201, description = "Made; its secret is shown this once", body = TokenView),
    (status = 403, description = "Not an admin, or not from here", body = Problem, content_type = "application/problem+json"),
))]
pub async fn create(
    State(app): State<Arc<App>>,
    Admin(member): Admin,
    Body(body): Body<NewToken>,
) -> Result<impl IntoResponse, Error> {
    let secret = random_128();
    let token = ApiToken {
        id: new_id(),
        practice: member.practice.id.clone(),
        name: line("name", &body.name, 60)?,
        scope: body.scope.as_str().to_owned(),
        created_at: Utc::now().timestamp_millis(),
        used_at: None,
        made_by: Some(member.user.short.clone()),
    };
    app.store.create_api_token(&member.user.id, &token, &token_hash(&secret)).await?;
    note(&app.store, &member.practice.id, &member.user.short, "token-made", &token.name).await;
    Ok((StatusCode::CREATED, Json(view(token, Some(secret)))))
}

/// Withdraw an API token.
#[utoipa::path(delete, path = "/api/practice/tokens/{id}", security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "Withdrawn"),
    (status = 403, description = "Not an admin, or not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such token", body = Problem, content_type = "application/problem+json"),
))]
pub async fn remove(
    State(app): State<Arc<App>>,
    Admin(member): Admin,
    At(id): At<String>,
) -> Result<StatusCode, Error> {
    if !app.store.delete_api_token(&member.practice.id, &id).await? {
        return Err(Error::NotFound("token"));
    }
    note(&app.store, &member.practice.id, &member.user.short, "token-withdrawn", &id).await;
    Ok(StatusCode::NO_CONTENT)
}
