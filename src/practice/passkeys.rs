//! Passkeys (WebAuthn level 3) instead of the password, at released workplaces: there the browser's own key opens the vault.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::Utc;
use serde::{Deserialize, Serialize};
use url::{Host, Url};
use webauthn_rs::prelude::{
    Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential,
    Uuid,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use super::member::Colleague;
use super::proof::{Budget, By};
use super::session::{Signed, begin};
use crate::App;
use crate::audit::note;
use crate::client::ClientAddress;
use crate::error::{Error, Problem};
use crate::fields::{At, Body, fold, line, moment};
use crate::keys::{new_id, token_hash};
use crate::store::{StoredPasskey, Workplace};

/// A ceremony ends within this time.
const CEREMONY: Duration = Duration::from_secs(5 * 60);
/// Ceremonies under way at once, at most: the oldest give way.
const CEREMONIES: usize = 1024;

/// Challenges that were given out and not answered yet.
#[derive(Default)]
pub struct Ceremonies {
    /// Never held across an await.
    under_way: Mutex<HashMap<String, (Instant, Ceremony)>>,
}

enum Ceremony {
    Registration { user: String, state: Box<PasskeyRegistration> },
    SignIn { practice: String, user: String, workplace: String, state: Box<PasskeyAuthentication> },
}

impl Ceremonies {
    fn begin(&self, ceremony: Ceremony) -> String {
        let (id, now) = (new_id(), Instant::now());
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, (since, _)| now.duration_since(*since) < CEREMONY);
        if under_way.len() >= CEREMONIES {
            let oldest = under_way.iter().min_by_key(|(_, (since, _))| *since).map(|(id, _)| id.clone());
            oldest.and_then(|oldest| under_way.remove(&oldest));
        }
        under_way.insert(id.clone(), (now, ceremony));
        id
    }

    fn finish(&self, id: &str) -> Option<Ceremony> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, ceremony) = under_way.remove(id)?;
        (since.elapsed() < CEREMONY).then_some(ceremony)
    }
}

/// Passkeys belong to a name: an address cannot have any.
pub fn relying_party(public_url: &Url) -> Option<Webauthn> {
    let Some(Host::Domain(name)) = public_url.host() else { return None };
    let builder = WebauthnBuilder::new(name, public_url).ok()?;
    builder.rp_name("visavis").build().ok()
}

/// A passkey in its owner's list.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyView {
    id: String,
    name: String,
    created_at: String,
    used_at: Option<String>,
}

impl From<StoredPasskey> for PasskeyView {
    fn from(passkey: StoredPasskey) -> Self {
        Self {
            id: passkey.id,
            name: passkey.name,
            created_at: moment(passkey.created_at),
            used_at: passkey.used_at.map(moment),
        }
    }
}

/// A ceremony's challenge.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Challenge {
    /// Of the ceremony.
    id: String,
    /// For `navigator.credentials`, binary values as base64url.
    options: serde_json::Value,
}

/// The user's passkeys.
#[utoipa::path(get, path = "/api/practice/passkeys", security(("session" = [])), responses(
    (status = 200, description = "The oldest first", body = [PasskeyView]),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
) -> Result<Json<Vec<PasskeyView>>, Error> {
    Ok(Json(app.store.passkeys(&member.user.id).await?.into_iter().map(Into::into).collect()))
}

/// Begin to make a passkey.
#[utoipa::path(post, path = "/api/practice/passkeys/begin", security(("session" = [])), responses(
    (status = 200, description = "PublicKeyCredentialCreationOptions", body = Challenge),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "This address cannot have passkeys", body = Problem, content_type = "application/problem+json"),
))]
pub async fn register_begin(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
) -> Result<Json<Challenge>, Error> {
    let known = credentials(&app.store.passkeys(&member.user.id).await?);
    let known = known.iter().map(|(_, passkey)| passkey.cred_id().clone()).collect();
    let id = Uuid::parse_str(&member.user.id).unwrap_or_else(|_| Uuid::nil());
    let name = format!("{} · {}", member.user.short, member.practice.short);
    let begun = webauthn(&app)?.start_passkey_registration(id, &name, &name, Some(known));
    let (options, state) = begun.map_err(|_| impossible())?;
    let ceremony = Ceremony::Registration { user: member.user.id, state: Box::new(state) };
    Ok(Json(Challenge { id: app.desk.ceremonies.begin(ceremony), options: json(&options) }))
}

/// A new passkey.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPasskey {
    /// Of the ceremony.
    #[schema(max_length = 64)]
    id: String,
    /// What its owner calls it.
    #[schema(max_length = 60)]
    name: String,
    /// The browser's answer, binary values as base64url.
    #[schema(value_type = Object)]
    credential: serde_json::Value,
}

/// Finish making a passkey.
#[utoipa::path(post, path = "/api/practice/passkeys/finish", request_body = NewPasskey, security(("session" = [])), responses(
    (status = 201, description = "Made", body = PasskeyView),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "This address cannot have passkeys", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The ceremony is over, or the browser's answer does not fit", body = Problem, content_type = "application/problem+json"),
))]
pub async fn register_finish(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    Body(body): Body<NewPasskey>,
) -> Result<impl IntoResponse, Error> {
    let unfit = || Error::Invalid("credential: it does not fit. Begin anew.".to_owned());
    let name = line("name", &body.name, 60)?;
    let credential: RegisterPublicKeyCredential =
        serde_json::from_value(body.credential).map_err(|_| unfit())?;
    let state = match app.desk.ceremonies.finish(&body.id) {
        Some(Ceremony::Registration { user, state }) if user == member.user.id => state,
        _ => return Err(unfit()),
    };
    let passkey = webauthn(&app)?.finish_passkey_registration(&credential, &state).map_err(|_| unfit())?;
    let stored = StoredPasskey {
        id: new_id(),
        name,
        credential: json(&passkey).to_string(),
        created_at: Utc::now().timestamp_millis(),
        used_at: None,
    };
    app.store.create_passkey(&member.user.id, &stored).await?;
    note(&app.store, &member.practice.id, &member.user.short, "passkey-added", &stored.name).await;
    Ok((StatusCode::CREATED, Json(PasskeyView::from(stored))))
}

/// Remove a passkey.
#[utoipa::path(delete, path = "/api/practice/passkeys/{id}", security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "Removed"),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such passkey", body = Problem, content_type = "application/problem+json"),
))]
pub async fn remove(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    At(id): At<String>,
) -> Result<StatusCode, Error> {
    if !app.store.delete_passkey(&member.user.id, &id).await? {
        return Err(Error::NotFound("passkey"));
    }
    note(&app.store, &member.practice.id, &member.user.short, "passkey-removed", "").await;
    Ok(StatusCode::NO_CONTENT)
}

/// Who signs in, where.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyNames {
    /// The practice's short name.
    #[schema(max_length = 100)]
    practice: String,
    /// The user's short name.
    #[schema(max_length = 100)]
    user: String,
    /// This browser's token.
    #[schema(max_length = 100)]
    workplace: String,
}

/// Begin to sign in with a passkey, at a released workplace.
#[utoipa::path(post, path = "/api/practice/passkey/begin", request_body = PasskeyNames, responses(
    (status = 200, description = "PublicKeyCredentialRequestOptions", body = Challenge),
    (status = 401, description = "Not a released workplace, no such user or no passkey: one answer", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "This address cannot have passkeys", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "Too many attempts", body = Problem, content_type = "application/problem+json"),
))]
pub async fn sign_in_begin(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    Body(body): Body<PasskeyNames>,
) -> Result<Json<Challenge>, Error> {
    let webauthn = webauthn(&app)?;
    let (practice, user) = (fold(&body.practice), fold(&body.user));
    let workplace = released(&app, &practice, &body.workplace).await?;
    let account = format!("{practice}\0{user}");
    let budget = Budget::take(&app, address, workplace.as_ref(), (&account, By::Password))?;
    let workplace = workplace.ok_or(Error::SignIn)?;
    let user = app.store.user_named(&practice, &user).await?.ok_or(Error::SignIn)?;
    let known: Vec<Passkey> =
        credentials(&app.store.passkeys(&user.id).await?).into_iter().map(|(_, passkey)| passkey).collect();
    let (options, state) = webauthn.start_passkey_authentication(&known).map_err(|_| Error::SignIn)?;
    budget.give_back(&app);
    let ceremony = Ceremony::SignIn {
        practice: user.practice,
        user: user.id,
        workplace: workplace.id,
        state: Box::new(state),
    };
    Ok(Json(Challenge { id: app.desk.ceremonies.begin(ceremony), options: json(&options) }))
}

/// The browser's answer.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyAnswer {
    /// Of the ceremony.
    #[schema(max_length = 64)]
    id: String,
    /// The browser's answer, binary values as base64url.
    #[schema(value_type = Object)]
    credential: serde_json::Value,
}

/// Sign in with a passkey.
#[utoipa::path(post, path = "/api/practice/passkey/finish", request_body = PasskeyAnswer, responses(
    (status = 200, description = "Signed in", body = Signed),
    (status = 401, description = "The ceremony is over, or the answer does not fit", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "This address cannot have passkeys", body = Problem, content_type = "application/problem+json"),
))]
pub async fn sign_in_finish(
    State(app): State<Arc<App>>,
    Body(body): Body<PasskeyAnswer>,
) -> Result<Json<Signed>, Error> {
    let webauthn = webauthn(&app)?;
    let credential: PublicKeyCredential =
        serde_json::from_value(body.credential).map_err(|_| Error::SignIn)?;
    let Some(Ceremony::SignIn { practice, user, workplace, state }) = app.desk.ceremonies.finish(&body.id)
    else {
        return Err(Error::SignIn);
    };
    let answer = webauthn.finish_passkey_authentication(&credential, &state).map_err(|_| Error::SignIn)?;
    let user = app.store.user(&practice, &user).await?.ok_or(Error::SignIn)?;
    let workplace = app.store.workplace(&practice, &workplace).await?.ok_or(Error::SignIn)?;
    let stored = credentials(&app.store.passkeys(&user.id).await?);
    let (id, mut passkey) =
        stored.into_iter().find(|(_, passkey)| passkey.cred_id() == answer.cred_id()).ok_or(Error::SignIn)?;
    passkey.update_credential(&answer);
    app.store.use_passkey(&id, &json(&passkey).to_string(), Utc::now().timestamp_millis()).await?;
    Ok(Json(begin(&app, &user, Some(&workplace), "sign-in-passkey").await?))
}

async fn released(app: &App, practice: &str, token: &str) -> Result<Option<Workplace>, Error> {
    let workplace = app.store.workplace_of(practice, &token_hash(token)).await?;
    Ok(workplace.filter(|workplace| workplace.released_at.is_some()))
}

fn credentials(stored: &[StoredPasskey]) -> Vec<(String, Passkey)> {
    let read =
        |stored: &StoredPasskey| Some((stored.id.clone(), serde_json::from_str(&stored.credential).ok()?));
    stored.iter().filter_map(read).collect()
}

fn webauthn(app: &App) -> Result<&Webauthn, Error> {
    app.desk.webauthn.as_ref().ok_or_else(impossible)
}

fn impossible() -> Error {
    Error::Conflict("no-passkeys", "Passkeys belong to a name: this server is reached by an address only.")
}

fn json(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).expect("credentials and options are plain data")
}
