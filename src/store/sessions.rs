//! Sessions, and the operator's one-time links.

use sqlx::{Any, FromRow, Transaction};

use super::Store;
use super::accounts::{Practice, USER, User};

/// A session as it is listed.
#[derive(Debug, Clone, FromRow)]
pub struct Session {
    /// Its public name.
    pub id: String,
    /// Whose.
    pub user_id: String,
    /// Whose, as typed.
    pub user_short: String,
    /// Where, if the browser is a workplace.
    pub workplace_id: Option<String>,
    /// Its name.
    pub workplace_name: Option<String>,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Unix milliseconds.
    pub seen_at: i64,
    /// Unix milliseconds.
    pub expires_at: i64,
}

/// A session to begin.
pub struct NewSession<'a> {
    /// Of its token.
    pub hash: &'a str,
    /// Its public name.
    pub id: &'a str,
    /// Whose: the user's id.
    pub user: &'a str,
    /// Where, if the browser is a workplace.
    pub workplace: Option<&'a str>,
    /// Unix milliseconds.
    pub expires_at: i64,
}

const SESSION: &str = "s.id, s.user_id, u.short AS user_short, s.workplace_id, w.name AS workplace_name, s.created_at, s.seen_at, s.expires_at";

impl Store {
    /// Begins a session.
    pub async fn begin_session(&self, session: &NewSession<'_>, now: i64) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        insert_session(&mut transaction, session, now).await?;
        transaction.commit().await
    }

    /// The living session behind a token's hash.
    pub async fn session(
        &self,
        hash: &str,
        now: i64,
    ) -> Result<Option<(Session, User, Practice)>, sqlx::Error> {
        let sql = format!(
            "SELECT {SESSION} FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN workplaces w ON w.id = s.workplace_id \
             WHERE s.hash = $1 AND s.expires_at > $2"
        );
        let session: Option<Session> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(hash).bind(now).fetch_optional(&self.pool).await?;
        let Some(session) = session else { return Ok(None) };
        let sql = format!("SELECT {USER} FROM users u WHERE u.id = $1");
        let user: Option<User> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(&session.user_id)
            .fetch_optional(&self.pool)
            .await?;
        let Some(user) = user else { return Ok(None) };
        let Some(practice) = self.practice(&user.practice).await? else { return Ok(None) };
        Ok(Some((session, user, practice)))
    }

    /// Notes that a session is in use.
    pub async fn touch_session(&self, id: &str, now: i64) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE sessions SET seen_at = $1 WHERE id = $2")
            .bind(now)
            .bind(id)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Ties a session to the workplace that its browser has become.
    pub async fn seat_session(&self, id: &str, workplace: &str) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE sessions SET workplace_id = $1 WHERE id = $2")
            .bind(workplace)
            .bind(id)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// A practice's living sessions, the newest first; one user's where named.
    pub async fn sessions(
        &self,
        practice: &str,
        user: Option<&str>,
        now: i64,
    ) -> Result<Vec<Session>, sqlx::Error> {
        let sql = format!(
            "SELECT {SESSION} FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN workplaces w ON w.id = s.workplace_id \
             WHERE u.practice = $1 AND s.expires_at > $2 AND ($3 = '' OR u.id = $4) ORDER BY s.created_at DESC, s.id"
        );
        let user = user.unwrap_or_default();
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(practice)
            .bind(now)
            .bind(user)
            .bind(user)
            .fetch_all(&self.pool)
            .await
    }

    /// Ends a session of a practice, or of one user where named; `false` if there is none.
    pub async fn end_session(
        &self,
        practice: &str,
        user: Option<&str>,
        id: &str,
    ) -> Result<bool, sqlx::Error> {
        let sql = "DELETE FROM sessions WHERE id = $1 AND user_id IN (SELECT u.id FROM users u WHERE u.practice = $2 AND ($3 = '' OR u.id = $4))";
        let user = user.unwrap_or_default();
        let done = sqlx::query(sql).bind(id).bind(practice).bind(user).bind(user).execute(&self.pool).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps a one-time link. A former one for the same user dies, and one that an earlier start printed.
    pub async fn create_link(
        &self,
        hash: &str,
        purpose: &str,
        user: Option<&str>,
        expires_at: i64,
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM links WHERE purpose = $1 AND (purpose = 'first' OR user_id = $2)")
            .bind(purpose)
            .bind(user.unwrap_or_default())
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO links (hash, purpose, user_id, expires_at) VALUES ($1, $2, $3, $4)")
            .bind(hash)
            .bind(purpose)
            .bind(user)
            .bind(expires_at)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// Looks at a one-time link: `None` where it is unknown, used or too old, else the user it is for, if it is for one.
    pub async fn link(
        &self,
        hash: &str,
        purpose: &str,
        now: i64,
    ) -> Result<Option<Option<String>>, sqlx::Error> {
        let sql = "SELECT user_id FROM links WHERE hash = $1 AND (purpose = $2 OR (purpose = 'first' AND $3 = 'set-up')) AND expires_at > $4";
        sqlx::query_scalar(sql)
            .bind(hash)
            .bind(purpose)
            .bind(purpose)
            .bind(now)
            .fetch_optional(&self.pool)
            .await
    }
}

/// Begins a session, and notes when its user and its workplace were last seen.
pub(super) async fn insert_session(
    transaction: &mut Transaction<'_, Any>,
    session: &NewSession<'_>,
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO sessions (hash, id, user_id, workplace_id, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    sqlx::query(sql)
        .bind(session.hash)
        .bind(session.id)
        .bind(session.user)
        .bind(session.workplace)
        .bind(now)
        .bind(now)
        .bind(session.expires_at)
        .execute(&mut **transaction)
        .await?;
    for (table, id) in [("users", Some(session.user)), ("workplaces", session.workplace)] {
        let sql = format!("UPDATE {table} SET last_seen_at = $1 WHERE id = $2");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now).bind(id).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Uses a one-time link up; `None` where it is unknown, used or too old, else the user it is for, if it is for one.
pub(super) async fn spend_link(
    transaction: &mut Transaction<'_, Any>,
    hash: &str,
    purpose: &str,
    now: i64,
) -> Result<Option<Option<String>>, sqlx::Error> {
    let sql = "DELETE FROM links WHERE hash = $1 AND (purpose = $2 OR (purpose = 'first' AND $3 = 'set-up')) AND expires_at > $4 RETURNING user_id";
    sqlx::query_scalar(sql)
        .bind(hash)
        .bind(purpose)
        .bind(purpose)
        .bind(now)
        .fetch_optional(&mut **transaction)
        .await
}
