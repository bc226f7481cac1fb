//! What the operator does for practices, on the Unix socket and on the store: one-time links, and who there is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{Duration, Utc};
use url::Url;

use crate::App;
use crate::audit::note;
use crate::error::Error;
use crate::fields::{At, fold};
use crate::keys::{random_128, token_hash};
use crate::store::Store;

/// `GET /api/practices` on the Unix socket: short names and names.
pub async fn list_practices(State(app): State<Arc<App>>) -> Result<Json<Vec<(String, String)>>, Error> {
    Ok(Json(names(&app.store).await?))
}

/// `POST /api/practices` on the Unix socket: a link.
pub async fn new_practice(State(app): State<Arc<App>>) -> Result<Json<String>, Error> {
    Ok(Json(set_up_link(&app.store, &app.public_url).await?))
}

/// `POST /api/practices/{practice}/rescue/{user}` on the Unix socket: a link.
pub async fn rescue(
    State(app): State<Arc<App>>,
    At((practice, user)): At<(String, String)>,
) -> Result<Json<String>, Error> {
    Ok(Json(rescue_link(&app.store, &app.public_url, &practice, &user).await?))
}

/// Short names and names of all practices.
pub async fn names(store: &Store) -> Result<Vec<(String, String)>, Error> {
    Ok(store.practices().await?.into_iter().map(|practice| (practice.short, practice.name)).collect())
}

/// A one-time link for a user who lost password and recovery key.
pub async fn rescue_link(
    store: &Store,
    public_url: &Url,
    practice: &str,
    user: &str,
) -> Result<String, Error> {
    let user = store.user_named(&fold(practice), &fold(user)).await?.ok_or(Error::NotFound("user"))?;
    let link = one_time_link(store, public_url, "rescue", Some(&user.id)).await?;
    note(store, &user.practice, "-", "rescue-link", &user.short).await;
    Ok(link)
}

/// A one-time link to set a practice up, valid for a day.
pub async fn set_up_link(store: &Store, public_url: &Url) -> Result<String, sqlx::Error> {
    one_time_link(store, public_url, "set-up", None).await
}

/// A one-time link of the operator's, valid for a day. The secret is in the fragment: no server's log sees it.
pub async fn one_time_link(
    store: &Store,
    public_url: &Url,
    purpose: &str,
    user: Option<&str>,
) -> Result<String, sqlx::Error> {
    let secret = random_128();
    let expires_at = (Utc::now() + Duration::days(1)).timestamp_millis();
    store.create_link(&token_hash(&secret), purpose, user, expires_at).await?;
    let origin = public_url.origin().ascii_serialization();
    let page = if purpose == "rescue" { "rescue" } else { "set-up" };
    Ok(format!("{origin}/desk/sign-in.html#{page}={secret}"))
}
