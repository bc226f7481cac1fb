//! Who asks: the session behind a bearer token, and what its user may do from this browser. Each right is an
//! extractor of its own, so that a handler says in its signature whom it serves.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use chrono::Utc;
use serde::{Deserialize, Serialize};

use crate::App;
use crate::error::Error;
use crate::fields;
use crate::keys::token_hash;
use crate::store::{Practice, Session, User, Workplace};

/// What somebody does in a practice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserRole {
    /// Plans and holds consultations.
    Doctor,
    /// Plans, and sees the list and the waiting; takes part in none (R09).
    Staff,
    /// Plans, and keeps people, workplaces and settings.
    Admin,
    /// A doctor who keeps these as well: the one doctor of a small practice.
    Head,
}

impl UserRole {
    /// The word in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Doctor => "doctor",
            Self::Staff => "staff",
            Self::Admin => "admin",
            Self::Head => "head",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Doctor, Self::Staff, Self::Admin, Self::Head].into_iter().find(|role| role.as_str() == word)
    }

    /// Whether people, workplaces and settings are theirs to keep.
    pub const fn keeps(self) -> bool {
        matches!(self, Self::Admin | Self::Head)
    }

    /// Whether they take part in consultations.
    pub const fn consults(self) -> bool {
        matches!(self, Self::Doctor | Self::Head)
    }
}

/// A session's use is noted once in this time.
const TOUCH_MS: i64 = 60_000;

/// Somebody with a living session, whatever the browser.
pub struct Member {
    /// The practice.
    pub practice: Practice,
    /// The user.
    pub user: User,
    /// The session.
    pub session: Session,
    /// The browser, if it is a workplace.
    pub workplace: Option<Workplace>,
}

impl Member {
    /// The member behind a session's token.
    pub async fn of_token(app: &App, token: &str) -> Result<Self, Error> {
        let now = Utc::now().timestamp_millis();
        let found = app.store.session(&token_hash(token), now).await?;
        let (session, user, practice) = found.ok_or(Error::Session)?;
        if now - session.seen_at > TOUCH_MS {
            app.store.touch_session(&session.id, now).await?;
        }
        let workplace = match &session.workplace_id {
            Some(id) => app.store.workplace(&practice.id, id).await?,
            None => None,
        };
        Ok(Self { practice, user, session, workplace })
    }

    /// Whether the browser is a workplace that somebody released.
    pub fn is_released(&self) -> bool {
        self.workplace.as_ref().is_some_and(|workplace| workplace.released_at.is_some())
    }

    /// Whether the user keeps people, workplaces and settings.
    pub fn is_admin(&self) -> bool {
        UserRole::parse(&self.user.role).is_some_and(UserRole::keeps)
    }

    /// Whether the user takes part in consultations (R09).
    pub fn consults(&self) -> bool {
        UserRole::parse(&self.user.role).is_some_and(UserRole::consults)
    }

    fn own_password(self) -> Result<Self, Error> {
        if self.user.must_change != 0 {
            return Err(Error::Forbidden(
                "must-change",
                "This is an initial password. Choose your own first.",
            ));
        }
        Ok(self)
    }

    fn released(self) -> Result<Self, Error> {
        if !self.is_released() {
            let sentence =
                "This workplace is not released yet. Somebody at a released one, or an admin, can do that.";
            return Err(Error::Forbidden("workplace", sentence));
        }
        Ok(self)
    }

    fn releaser(self) -> Result<Self, Error> {
        if self.is_admin() { Ok(self) } else { self.released() }
    }

    fn admin(self) -> Result<Self, Error> {
        if !self.is_admin() {
            return Err(Error::Forbidden("role", "Only an admin may do this."));
        }
        Ok(self)
    }
}

impl FromRequestParts<Arc<App>> for Member {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        require(parts, Asked::Session);
        Self::of_header(parts, app).await
    }
}

/// What a handler asks of a member. It is asked again when the body is there, which may be long after the head ([`fields::Body`]).
#[derive(Clone, Copy)]
enum Asked {
    Session,
    Colleague,
    Admin,
    Releaser,
}

fn require(parts: &mut Parts, asked: Asked) {
    let still_held: fields::StillHeld = match asked {
        Asked::Session => |parts, app| Box::pin(still_held(parts, app, Asked::Session)),
        Asked::Colleague => |parts, app| Box::pin(still_held(parts, app, Asked::Colleague)),
        Asked::Admin => |parts, app| Box::pin(still_held(parts, app, Asked::Admin)),
        Asked::Releaser => |parts, app| Box::pin(still_held(parts, app, Asked::Releaser)),
    };
    parts.extensions.insert(fields::Rights(still_held));
}

async fn still_held(parts: &Parts, app: &App, asked: Asked) -> Result<(), Error> {
    Member::of_header(parts, app).await?.with(asked).map(drop)
}

impl Member {
    fn with(self, asked: Asked) -> Result<Self, Error> {
        match asked {
            Asked::Session => Ok(self),
            Asked::Colleague => self.own_password()?.released(),
            Asked::Admin => self.own_password()?.released()?.admin(),
            Asked::Releaser => self.own_password()?.releaser(),
        }
    }

    async fn of_header(parts: &Parts, app: &App) -> Result<Self, Error> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Error::Session)?;
        Self::of_token(app, token).await
    }
}

/// Somebody with an own password at a released workplace.
pub struct Colleague(pub Member);

impl Colleague {
    /// The colleague behind a session's token.
    pub async fn of_token(app: &App, token: &str) -> Result<Self, Error> {
        Ok(Self(Member::of_token(app, token).await?.with(Asked::Colleague)?))
    }
}

impl FromRequestParts<Arc<App>> for Colleague {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        require(parts, Asked::Colleague);
        Ok(Self(Member::of_header(parts, app).await?.with(Asked::Colleague)?))
    }
}

/// The same, who is an admin.
pub struct Admin(pub Member);

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        require(parts, Asked::Admin);
        Ok(Self(Member::of_header(parts, app).await?.with(Asked::Admin)?))
    }
}

/// Who may release a workplace: a colleague, or an admin at any browser, so that a practice that lost all its workplaces helps itself.
pub struct Releaser(pub Member);

impl FromRequestParts<Arc<App>> for Releaser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        require(parts, Asked::Releaser);
        Ok(Self(Member::of_header(parts, app).await?.with(Asked::Releaser)?))
    }
}
