//! Who works in the practice.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::live::Changed;
use super::member::{Admin, Colleague, Member, Releaser, UserRole};
use super::password;
use super::proof::secrets;
use super::wrapped::{Keys, WRAPPED_CHARACTERS, check_keys, check_rotation, recipients};
use crate::App;
use crate::audit::note;
use crate::error::{Error, Problem};
use crate::fields::{At, Body, moment, opaque, short};
use crate::keys::new_id;
use crate::limit::Origin;
use crate::signaling::ends;
use crate::store::{self, Credentials, Ended, Holder, KeyFor, Rotation, User, Withdrawal};

/// A user as colleagues see them.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    id: String,
    short: String,
    role: String,
    public_key: String,
    created_at: String,
    last_seen_at: Option<String>,
    /// Versions of the practice's key that they hold.
    keys: Vec<i64>,
    /// Still has an initial password.
    must_change: bool,
}

fn view(user: User, keys: Vec<i64>) -> UserView {
    UserView {
        id: user.id,
        short: user.short,
        role: user.role,
        public_key: user.public_key,
        created_at: moment(user.created_at),
        last_seen_at: user.last_seen_at.map(moment),
        keys,
        must_change: user.must_change != 0,
    }
}

/// All users.
#[utoipa::path(get, path = "/api/practice/users", security(("session" = [])), responses(
    (status = 200, description = "By short name", body = [UserView]),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    Releaser(member): Releaser,
) -> Result<Json<Vec<UserView>>, Error> {
    let mut versions: HashMap<String, Vec<i64>> = HashMap::new();
    for (user, version) in app.store.versions_held(&member.practice.id, Holder::User).await? {
        versions.entry(user).or_default().push(version);
    }
    let users = app.store.users(&member.practice.id).await?.into_iter();
    let users = users.map(|user| {
        let keys = versions.remove(&user.id).unwrap_or_default();
        view(user, keys)
    });
    Ok(Json(users.collect()))
}

/// A new colleague, with an initial password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewUser {
    /// The short name; it never changes.
    #[schema(max_length = 100)]
    short: String,
    /// What they do.
    role: UserRole,
    /// What the initial password derives.
    #[schema(max_length = 128)]
    secret: String,
    /// Their public key.
    #[schema(max_length = 512)]
    public_key: String,
    /// The private half, wrapped by the initial password.
    #[schema(max_length = 512)]
    by_password: String,
    /// The practice's key in all its versions, sealed for them.
    keys: Vec<KeyFor>,
}

/// Add a user.
#[utoipa::path(post, path = "/api/practice/users", request_body = NewUser, security(("session" = [])), responses(
    (status = 201, description = "Added", body = UserView),
    (status = 403, description = "Not an admin, or not from here", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The short name is taken, or the practice's key has changed", body = Problem, content_type = "application/problem+json"),
))]
pub async fn create(
    State(app): State<Arc<App>>,
    Admin(member): Admin,
    Body(body): Body<NewUser>,
) -> Result<impl IntoResponse, Error> {
    let name = short("short", &body.short)?;
    let pair = InitialPair::read(&app, &member, (body.secret, body.public_key, body.by_password), &body.keys)
        .await?;
    let (id, now) = (new_id(), Utc::now().timestamp_millis());
    let row = [member.practice.id.as_str(), &id, &name, body.role.as_str()];
    if !app.store.create_user(row, &pair.credentials(), &body.keys, now).await? {
        return Err(Error::Conflict(
            "taken",
            "Somebody in this practice has this short name. Choose another.",
        ));
    }
    told(&app, &member, "user-added", &name).await?;
    let user = find(&app, &member, &id).await?;
    Ok((StatusCode::CREATED, Json(view(user, body.keys.iter().map(|key| key.version).collect()))))
}

/// Another role.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    role: UserRole,
}

/// Change a user's role. The last admin stays one; who is a doctor no more holds no seat.
#[utoipa::path(patch, path = "/api/practice/users/{id}", request_body = NewRole, security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "Changed"),
    (status = 403, description = "Not an admin, or not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such user", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The last admin", body = Problem, content_type = "application/problem+json"),
))]
pub async fn change(
    State(app): State<Arc<App>>,
    Admin(member): Admin,
    At(id): At<String>,
    Body(body): Body<NewRole>,
) -> Result<StatusCode, Error> {
    let user = find(&app, &member, &id).await?;
    let now = Utc::now().timestamp_millis();
    let role = body.role;
    let role = store::NewRole { word: role.as_str(), consults: role.consults(), keeps: role.keeps() };
    let ended = app.store.change_role(&member.practice.id, &id, &role, now).await?;
    end(&app, &member, ended.ok_or_else(last_admin)?).await;
    told(&app, &member, "role-changed", &user.short).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn last_admin() -> Error {
    Error::Conflict("last-admin", "A practice needs an admin. Make somebody else one first.")
}

/// An initial password for a user who forgot theirs.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reset {
    /// What the initial password derives.
    #[schema(max_length = 128)]
    secret: String,
    /// Their new public key.
    #[schema(max_length = 512)]
    public_key: String,
    /// The private half, wrapped by the initial password.
    #[schema(max_length = 512)]
    by_password: String,
    /// The practice's key in all its versions, sealed for them.
    keys: Vec<KeyFor>,
}

/// Give a user an initial password and a new pair. Their sessions, passkeys and doctors' codes end, and so does the seat that they hold in a call.
#[utoipa::path(post, path = "/api/practice/users/{id}/reset", request_body = Reset, security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "Given"),
    (status = 403, description = "Not an admin, or not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such user", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The practice's key has changed", body = Problem, content_type = "application/problem+json"),
))]
pub async fn reset(
    State(app): State<Arc<App>>,
    Admin(member): Admin,
    At(id): At<String>,
    Body(body): Body<Reset>,
) -> Result<StatusCode, Error> {
    let user = find(&app, &member, &id).await?;
    let pair = InitialPair::read(&app, &member, (body.secret, body.public_key, body.by_password), &body.keys)
        .await?;
    let now = Utc::now().timestamp_millis();
    let ended = app.store.replace_pair(&id, &pair.credentials(), &body.keys, now).await?;
    ends::bar(&app, ended);
    told(&app, &member, "user-reset", &user.short).await?;
    app.desk.tell_sessions(&member.practice.id);
    Ok(StatusCode::NO_CONTENT)
}

/// Give a colleague versions of the practice's key that they lack.
#[utoipa::path(put, path = "/api/practice/users/{id}/keys", request_body = Keys, security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "Given"),
    (status = 403, description = "Not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such user", body = Problem, content_type = "application/problem+json"),
))]
pub async fn keys(
    State(app): State<Arc<App>>,
    Colleague(member): Colleague,
    At(id): At<String>,
    Body(body): Body<Keys>,
) -> Result<StatusCode, Error> {
    let user = find(&app, &member, &id).await?;
    check_keys(&body.keys, member.practice.key_version)?;
    app.store.add_user_keys(&id, &body.keys).await?;
    told(&app, &member, "keys-given", &user.short).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Withdraw a user: sessions, passkeys and keys are gone, and all who stay hold a new version of the practice's key.
#[utoipa::path(post, path = "/api/practice/users/{id}/withdraw", request_body = Rotation, security(("session" = [])), params(("id" = String, Path)), responses(
    (status = 204, description = "Withdrawn"),
    (status = 403, description = "Not an admin, or not from here", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such user", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The last admin, or the recipients are not exactly all who stay", body = Problem, content_type = "application/problem+json"),
))]
pub async fn withdraw(
    State(app): State<Arc<App>>,
    Admin(member): Admin,
    At(id): At<String>,
    Body(rotation): Body<Rotation>,
) -> Result<StatusCode, Error> {
    let user = find(&app, &member, &id).await?;
    check_rotation(&rotation)?;
    let now = Utc::now().timestamp_millis();
    match app.store.withdraw(&member.practice.id, Holder::User, &id, &rotation, now).await? {
        Withdrawal::Done(ended) => end(&app, &member, ended).await,
        Withdrawal::LastAdmin => return Err(last_admin()),
        Withdrawal::OtherRecipients => return Err(recipients()),
    }
    told(&app, &member, "user-withdrawn", &user.short).await?;
    app.desk.tell_sessions(&member.practice.id);
    Ok(StatusCode::NO_CONTENT)
}

/// A pair that an admin's page made for somebody.
struct InitialPair {
    password_hash: String,
    public_key: String,
    by_password: String,
}

impl InitialPair {
    async fn read(
        app: &App,
        member: &Member,
        (secret, public_key, by_password): (String, String, String),
        keys: &[KeyFor],
    ) -> Result<Self, Error> {
        secrets(&[("secret", &secret)])?;
        opaque("publicKey", &public_key, WRAPPED_CHARACTERS)?;
        opaque("byPassword", &by_password, WRAPPED_CHARACTERS)?;
        check_keys(keys, member.practice.key_version)?;
        if !keys.iter().any(|key| key.version == member.practice.key_version) {
            return Err(recipients());
        }
        // An admin's, who sits at a released workplace.
        let origin = Origin::of_name(&member.user.id);
        let password_hash = password::hash(&app.desk.hashing_here, origin, secret).await?;
        Ok(Self { password_hash, public_key, by_password })
    }

    fn credentials(&self) -> Credentials<'_> {
        Credentials {
            password_hash: &self.password_hash,
            recovery_hash: None,
            public_key: &self.public_key,
            by_password: &self.by_password,
            by_recovery: None,
            must_change: true,
        }
    }
}

async fn find(app: &App, member: &Member, id: &str) -> Result<User, Error> {
    app.store.user(&member.practice.id, id).await?.ok_or(Error::NotFound("user"))
}

/// Tells what has ended with a user's rights: pages are out, the trail names the programs that come in no more.
async fn end(app: &App, member: &Member, ended: Ended) {
    ends::bar(app, ended.codes);
    for token in ended.tokens {
        note(&app.store, &member.practice.id, &member.user.short, "token-ended", &token).await;
    }
}

async fn told(app: &App, member: &Member, what: &str, about: &str) -> Result<(), Error> {
    note(&app.store, &member.practice.id, &member.user.short, what, about).await;
    app.desk.tell(&member.practice.id, Changed::Users);
    Ok(())
}
