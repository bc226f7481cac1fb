//! What a page holds once somebody is in, and how it begins.

use chrono::{Duration, Utc};
use serde::Serialize;

use super::member::Member;
use crate::App;
use crate::audit::note;
use crate::error::Error;
use crate::fields::moment;
use crate::keys::{new_id, random_128, token_hash};
use crate::store::{KeyFor, NewSession, Practice, User, Workplace};

/// A day's work and a bit. A tab that closes forgets its session earlier.
const SESSION: Duration = Duration::hours(12);
/// A session as its page keeps it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signed {
    /// Shown once; missing where a session asks about itself.
    pub token: Option<String>,
    /// RFC 3339.
    pub expires_at: String,
    /// The practice.
    pub practice: PracticeView,
    /// The user, with what their password opens.
    pub user: SelfView,
    /// This browser, if it is a workplace.
    pub workplace: Option<WorkplaceView>,
    /// This browser's token, shown once when a practice is set up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workplace_token: Option<String>,
    /// A mail server is configured.
    pub mail: bool,
    /// Passkeys are possible under this address.
    pub passkeys: bool,
    /// Minutes before the start in which codes open the waiting room.
    pub lead_minutes: i64,
}

/// A practice as its members see it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PracticeView {
    id: String,
    short: String,
    name: String,
    phone: Option<String>,
    time_zone: String,
    key_version: i64,
    retention_days: i64,
}

impl From<Practice> for PracticeView {
    fn from(practice: Practice) -> Self {
        let Practice { id, short, name, phone, time_zone, key_version, retention_days } = practice;
        Self { id, short, name, phone, time_zone, key_version, retention_days }
    }
}

/// The user behind a session.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SelfView {
    id: String,
    short: String,
    role: String,
    public_key: String,
    by_password: String,
    by_recovery: Option<String>,
    must_change: bool,
    keys: Vec<KeyFor>,
}

/// The browser behind a session.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkplaceView {
    id: String,
    name: String,
    state: WorkplaceState,
    keys: Vec<KeyFor>,
}

/// Whether a workplace may be used.
#[derive(Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WorkplaceState {
    /// Somebody must release it first.
    Waiting,
    /// It may.
    Released,
}

impl WorkplaceState {
    /// By the row.
    pub fn of(workplace: &Workplace) -> Self {
        if workplace.released_at.is_some() { Self::Released } else { Self::Waiting }
    }
}

/// Everything a page needs of its session.
pub async fn view(app: &App, member: Member) -> Result<Signed, Error> {
    let Member { practice, user, session, workplace } = member;
    let keys = app.store.user_keys(&user.id).await?;
    let workplace = match workplace {
        None => None,
        Some(workplace) => Some(WorkplaceView {
            state: WorkplaceState::of(&workplace),
            keys: app.store.workplace_keys(&workplace.id).await?,
            id: workplace.id,
            name: workplace.name,
        }),
    };
    let User { id, short, role, public_key, by_password, by_recovery, must_change, .. } = user;
    let must_change = must_change != 0;
    Ok(Signed {
        token: None,
        expires_at: moment(session.expires_at),
        practice: practice.into(),
        user: SelfView { id, short, role, public_key, by_password, by_recovery, must_change, keys },
        workplace,
        workplace_token: None,
        mail: app.desk.mailer.is_some(),
        passkeys: app.desk.webauthn.is_some(),
        lead_minutes: app.config.lead_minutes,
    })
}

/// A session that is begun, or will be: its token and its public name.
pub struct Fresh {
    token: String,
    hash: String,
    id: String,
    expires_at: i64,
}

impl Fresh {
    /// Draws one.
    pub fn draw() -> Self {
        let token = random_128();
        Self {
            hash: token_hash(&token),
            token,
            id: new_id(),
            expires_at: (Utc::now() + SESSION).timestamp_millis(),
        }
    }

    /// For the store.
    pub fn of<'a>(&'a self, user: &'a str, workplace: Option<&'a str>) -> NewSession<'a> {
        NewSession { hash: &self.hash, id: &self.id, user, workplace, expires_at: self.expires_at }
    }

    /// Once the store has it: what its page needs, and a line of the trail.
    pub async fn view(self, app: &App, what: &str, workplace: Option<&str>) -> Result<Signed, Error> {
        let member = Member::of_token(app, &self.token).await?;
        let (practice, user) = (&member.practice.id, &member.user.short);
        note(&app.store, practice, user, what, workplace.unwrap_or_default()).await;
        Ok(Signed { token: Some(self.token), ..view(app, member).await? })
    }
}

/// Begins a session for a user at a browser.
pub async fn begin(
    app: &App,
    user: &User,
    workplace: Option<&Workplace>,
    what: &str,
) -> Result<Signed, Error> {
    let (fresh, workplace) = (Fresh::draw(), workplace.map(|workplace| workplace.id.as_str()));
    app.store.begin_session(&fresh.of(&user.id, workplace), Utc::now().timestamp_millis()).await?;
    fresh.view(app, what, workplace).await
}
