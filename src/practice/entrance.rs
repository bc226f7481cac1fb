//! The door of the desk: the salt, the one-time links, and signing in. Wrong practice, wrong user and wrong password get the same answer after the same
//! work (R53).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::member::UserRole;
use super::proof::{Budget, By, secrets};
use super::session::{Fresh, Signed, begin};
use super::wrapped::WRAPPED_CHARACTERS;
use crate::App;
use crate::client::ClientAddress;
use crate::error::{Error, Problem};
use crate::fields::{Body, fold, line, opaque, phone, short, time_zone};
use crate::first_link;
use crate::keys::{new_id, random_128, token_hash};
use crate::retention::RETENTION_DAYS;
use crate::signaling::ends;
use crate::store::{self, CameOf, Credentials, KeyFor, Practice, Workplace};

/// Two names.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// The practice's short name.
    #[schema(max_length = 100)]
    practice: String,
    /// The user's short name.
    #[schema(max_length = 100)]
    user: String,
}

/// What a password is stretched with.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Salt {
    /// 16 bytes, base64url.
    salt: String,
}

/// What a password is stretched with: the same for these names at any time, whether or not anybody bears them.
#[utoipa::path(post, path = "/api/practice/salt", request_body = Names, responses(
    (status = 200, description = "16 bytes", body = Salt),
))]
pub async fn salt(State(app): State<Arc<App>>, Body(names): Body<Names>) -> Result<Json<Salt>, Error> {
    Ok(Json(Salt { salt: app.keys.password_salt(&fold(&names.practice), &fold(&names.user)) }))
}

/// A first user, or one who begins anew.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetUp {
    /// The secret of the one-time link.
    #[schema(max_length = 100)]
    link: String,
    /// The practice's short name; it never changes.
    #[schema(max_length = 100)]
    practice: String,
    /// What patients read.
    #[schema(max_length = 120)]
    name: String,
    /// What patients dial.
    #[schema(max_length = 40)]
    phone: Option<String>,
    /// IANA name.
    #[schema(max_length = 64, example = "Europe/Berlin")]
    time_zone: String,
    /// The first user's short name.
    #[schema(max_length = 100)]
    user: String,
    /// `admin`, or `head` for a doctor.
    role: UserRole,
    /// What the password derives.
    #[schema(max_length = 128)]
    secret: String,
    /// What the recovery key derives.
    #[schema(max_length = 128)]
    recovery_secret: String,
    /// The user's public key.
    #[schema(max_length = 512)]
    public_key: String,
    /// The private half, wrapped by the password.
    #[schema(max_length = 512)]
    by_password: String,
    /// The private half, wrapped by the recovery key.
    #[schema(max_length = 512)]
    by_recovery: String,
    /// The practice's key, version 1, sealed for the user.
    #[schema(max_length = 512)]
    practice_key: String,
    /// This browser, released at once.
    workplace: FirstWorkplace,
}

/// The browser at which a practice is set up.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FirstWorkplace {
    /// What people call it.
    #[schema(max_length = 60)]
    name: String,
    /// Its public key.
    #[schema(max_length = 512)]
    public_key: String,
    /// The practice's key, version 1, sealed for it.
    #[schema(max_length = 512)]
    practice_key: String,
}

/// Set a practice up with the operator's one-time link.
#[utoipa::path(post, path = "/api/practice/set-up", request_body = SetUp, responses(
    (status = 201, description = "The practice, its admin and this workplace, signed in", body = Signed),
    (status = 404, description = "The link is unknown, used or too old", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The practice's short name is taken", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "Too many unknown links; Retry-After says when", body = Problem, content_type = "application/problem+json"),
))]
pub async fn set_up(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    Body(body): Body<SetUp>,
) -> Result<impl IntoResponse, Error> {
    let now = Utc::now().timestamp_millis();
    let practice = Practice {
        id: new_id(),
        short: short("practice", &body.practice)?,
        name: line("name", &body.name, 120)?,
        phone: phone(body.phone.as_deref())?,
        time_zone: time_zone(&body.time_zone)?,
        key_version: 1,
        retention_days: RETENTION_DAYS,
    };
    let user = short("user", &body.user)?;
    let workplace_name = line("workplace.name", &body.workplace.name, 60)?;
    if !body.role.keeps() {
        return Err(Error::Invalid("role: the first user is admin or head.".to_owned()));
    }
    secrets(&[("secret", &body.secret), ("recoverySecret", &body.recovery_secret)])?;
    for (field, text) in [
        ("publicKey", &body.public_key),
        ("byPassword", &body.by_password),
        ("byRecovery", &body.by_recovery),
        ("practiceKey", &body.practice_key),
        ("workplace.publicKey", &body.workplace.public_key),
        ("workplace.practiceKey", &body.workplace.practice_key),
    ] {
        opaque(field, text, WRAPPED_CHARACTERS)?;
    }
    let budget = Budget::take_for_link(&app, address)?;
    let (link, unknown) = (token_hash(&body.link), || Error::NotFound("set-up link"));
    // Looked at before anything is hashed, and used up when all else is right. It has 128 bits, so the time of an answer tells nothing.
    app.store.link(&link, "set-up", now).await?.ok_or_else(unknown)?;
    budget.give_back(&app);
    if app.store.practice_named(&practice.short).await?.is_some() {
        return Err(taken());
    }
    let password_hash = budget.hash(&app, body.secret).await?;
    let recovery_hash = budget.hash(&app, body.recovery_secret).await?;
    let id = new_id();
    let credentials = Credentials {
        password_hash: &password_hash,
        recovery_hash: Some(&recovery_hash),
        public_key: &body.public_key,
        by_password: &body.by_password,
        by_recovery: Some(&body.by_recovery),
        must_change: false,
    };
    let workplace = Workplace {
        id: new_id(),
        practice: practice.id.clone(),
        name: workplace_name,
        public_key: body.workplace.public_key,
        requested_by: user.clone(),
        created_at: now,
        released_at: Some(now),
        released_by: Some(user.clone()),
        last_seen_at: None,
    };
    let (token, session) = (random_128(), Fresh::draw());
    let set_up = store::SetUp {
        link: &link,
        practice: &practice,
        user: [&id, &user, body.role.as_str()],
        credentials: &credentials,
        user_key: &KeyFor { version: 1, wrapped: body.practice_key },
        workplace: &workplace,
        workplace_token_hash: &token_hash(&token),
        workplace_key: &KeyFor { version: 1, wrapped: body.workplace.practice_key },
        session: &session.of(&id, Some(&workplace.id)),
    };
    match app.store.set_up(&set_up, now).await? {
        CameOf::Done(()) => {}
        CameOf::NoLink => return Err(unknown()),
        CameOf::Taken => return Err(taken()),
    }
    first_link::forget(&app.config.data_dir);
    let signed = session.view(&app, "set-up", Some(&workplace.id)).await?;
    Ok((StatusCode::CREATED, Json(Signed { workplace_token: Some(token), ..signed })))
}

fn taken() -> Error {
    Error::Conflict("taken", "This short name is taken. Choose another.")
}

/// A new password and pair for a user who lost both, by the operator's one-time link. The practice's key comes from a workplace or a colleague.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rescue {
    /// The secret of the one-time link.
    #[schema(max_length = 100)]
    link: String,
    /// The practice's short name.
    #[schema(max_length = 100)]
    practice: String,
    /// The user's short name.
    #[schema(max_length = 100)]
    user: String,
    /// What the password derives.
    #[schema(max_length = 128)]
    secret: String,
    /// What the recovery key derives.
    #[schema(max_length = 128)]
    recovery_secret: String,
    /// The user's public key.
    #[schema(max_length = 512)]
    public_key: String,
    /// The private half, wrapped by the password.
    #[schema(max_length = 512)]
    by_password: String,
    /// The private half, wrapped by the recovery key.
    #[schema(max_length = 512)]
    by_recovery: String,
}

/// Give a user access again with the operator's one-time link: access, not the names (R36).
#[utoipa::path(post, path = "/api/practice/rescue", request_body = Rescue, responses(
    (status = 201, description = "Signed in, without the practice's key", body = Signed),
    (status = 404, description = "The link is unknown, used, too old or for somebody else", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "Too many unknown links; Retry-After says when", body = Problem, content_type = "application/problem+json"),
))]
pub async fn rescue(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    Body(body): Body<Rescue>,
) -> Result<impl IntoResponse, Error> {
    secrets(&[("secret", &body.secret), ("recoverySecret", &body.recovery_secret)])?;
    for (field, text) in [
        ("publicKey", &body.public_key),
        ("byPassword", &body.by_password),
        ("byRecovery", &body.by_recovery),
    ] {
        opaque(field, text, WRAPPED_CHARACTERS)?;
    }
    let budget = Budget::take_for_link(&app, address)?;
    let (link, now) = (token_hash(&body.link), Utc::now().timestamp_millis());
    let unknown = || Error::NotFound("rescue link for this user");
    // Looked at before anything is hashed and before it is used up: a mistyped name shall not cost the link.
    let whose = app.store.link(&link, "rescue", now).await?.ok_or_else(unknown)?;
    budget.give_back(&app);
    let user = app.store.user_named(&fold(&body.practice), &fold(&body.user)).await?.ok_or_else(unknown)?;
    if whose != Some(user.id.clone()) {
        return Err(unknown());
    }
    let password_hash = budget.hash(&app, body.secret).await?;
    let recovery_hash = budget.hash(&app, body.recovery_secret).await?;
    let credentials = Credentials {
        password_hash: &password_hash,
        recovery_hash: Some(&recovery_hash),
        public_key: &body.public_key,
        by_password: &body.by_password,
        by_recovery: Some(&body.by_recovery),
        must_change: false,
    };
    let session = Fresh::draw();
    let CameOf::Done(ended) = app.store.rescue(&link, &credentials, &session.of(&user.id, None), now).await?
    else {
        return Err(unknown());
    };
    ends::bar(&app, ended);
    Ok((StatusCode::CREATED, Json(session.view(&app, "rescue", None).await?)))
}

/// Signing in.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The practice's short name.
    #[schema(max_length = 100)]
    practice: String,
    /// The user's short name.
    #[schema(max_length = 100)]
    user: String,
    /// What the password or the recovery key derives.
    #[schema(max_length = 128)]
    secret: String,
    /// Which of both.
    by: By,
    /// This browser's token, if it is a workplace.
    #[schema(max_length = 100)]
    workplace: Option<String>,
}

/// Sign in.
#[utoipa::path(post, path = "/api/practice/sign-in", request_body = SignIn, responses(
    (status = 200, description = "Signed in", body = Signed),
    (status = 401, description = "Wrong practice, user or password: one answer", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "Too many attempts; Retry-After says when", body = Problem, content_type = "application/problem+json"),
))]
pub async fn sign_in(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    Body(body): Body<SignIn>,
) -> Result<Json<Signed>, Error> {
    secrets(&[("secret", &body.secret)])?;
    let (practice, user) = (fold(&body.practice), fold(&body.user));
    let workplace = match &body.workplace {
        Some(token) => app.store.workplace_of(&practice, &token_hash(token)).await?,
        None => None,
    };
    let budget = Budget::take(&app, address, workplace.as_ref(), (&format!("{practice}\0{user}"), body.by))?;
    let user = app.store.user_named(&practice, &user).await?;
    let stored = user.as_ref().and_then(|user| match body.by {
        By::Password => Some(user.password_hash.clone()),
        By::Recovery => user.recovery_hash.clone(),
    });
    let fits = budget.fits(&app, body.secret, stored).await?;
    let user = user.filter(|_| fits).ok_or(Error::SignIn)?;
    budget.give_back(&app);
    let what = if body.by == By::Password { "sign-in" } else { "recovery" };
    Ok(Json(begin(&app, &user, workplace.as_ref(), what).await?))
}
