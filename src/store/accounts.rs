//! Practices and who works in them.

use sqlx::{Any, FromRow, Transaction};

use super::codes::{end_codes_of, end_tokens_of};
use super::keys::{Holder, KeyFor, lock, write_keys};
use super::{Ended, EndedCode, Store};

/// A practice.
#[derive(Debug, Clone, FromRow)]
pub struct Practice {
    /// UUID, version 7.
    pub id: String,
    /// What people type; never changes.
    pub short: String,
    /// What patients read.
    pub name: String,
    /// What patients dial.
    pub phone: Option<String>,
    /// IANA name.
    pub time_zone: String,
    /// The newest version of its key.
    pub key_version: i64,
    /// Days that consultations and audit stay after their end.
    pub retention_days: i64,
}

/// Somebody who works in a practice.
#[derive(Debug, Clone, FromRow)]
pub struct User {
    /// UUID, version 7.
    pub id: String,
    /// The practice's id.
    pub practice: String,
    /// What they type; never changes.
    pub short: String,
    /// `doctor`, `staff`, `admin` or `head`.
    pub role: String,
    /// Argon2id, PHC string.
    pub password_hash: String,
    /// Argon2id, PHC string, once there is a recovery key.
    pub recovery_hash: Option<String>,
    /// ECDH, P-256: 65 bytes, base64url.
    pub public_key: String,
    /// The pair's private half, wrapped by the password.
    pub by_password: String,
    /// The same, wrapped by the recovery key.
    pub by_recovery: Option<String>,
    /// 1: an initial password.
    pub must_change: i64,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Unix milliseconds of the last sign-in.
    pub last_seen_at: Option<i64>,
}

/// What a password or a recovery key lets a page open, and the proof that the server keeps.
pub struct Credentials<'a> {
    /// Argon2id of what the password derives.
    pub password_hash: &'a str,
    /// Argon2id of what the recovery key derives.
    pub recovery_hash: Option<&'a str>,
    /// The user's public key.
    pub public_key: &'a str,
    /// The private half, wrapped by the password.
    pub by_password: &'a str,
    /// The private half, wrapped by the recovery key.
    pub by_recovery: Option<&'a str>,
    /// Whether the password is an initial one.
    pub must_change: bool,
}

const PRACTICE: &str = "p.id, p.short, p.name, p.phone, p.time_zone, p.key_version, p.retention_days";
pub(super) const USER: &str = "u.id, u.practice, u.short, u.role, u.password_hash, u.recovery_hash, u.public_key, u.by_password, u.by_recovery, \
     u.must_change, u.created_at, u.last_seen_at";
/// What a user becomes.
pub struct NewRole<'a> {
    /// The word in the store.
    pub word: &'a str,
    /// Whether it takes part in consultations.
    pub consults: bool,
    /// Whether it keeps people, workplaces and settings.
    pub keeps: bool,
}

impl Store {
    /// Whether any practice exists.
    pub async fn has_practice(&self) -> Result<bool, sqlx::Error> {
        Ok(sqlx::query("SELECT id FROM practices LIMIT 1").fetch_optional(&self.pool).await?.is_some())
    }

    /// A practice by its id.
    pub async fn practice(&self, id: &str) -> Result<Option<Practice>, sqlx::Error> {
        let sql = format!("SELECT {PRACTICE} FROM practices p WHERE p.id = $1");
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&self.pool).await
    }

    /// A practice by its short name.
    pub async fn practice_named(&self, short: &str) -> Result<Option<Practice>, sqlx::Error> {
        let sql = format!("SELECT {PRACTICE} FROM practices p WHERE p.short = $1");
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(short).fetch_optional(&self.pool).await
    }

    /// All practices, by short name.
    pub async fn practices(&self) -> Result<Vec<Practice>, sqlx::Error> {
        let sql = format!("SELECT {PRACTICE} FROM practices p ORDER BY p.short");
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await
    }

    /// Changes what may change.
    pub async fn change_practice(&self, practice: &Practice) -> Result<(), sqlx::Error> {
        let sql =
            "UPDATE practices SET name = $1, phone = $2, time_zone = $3, retention_days = $4 WHERE id = $5";
        sqlx::query(sql)
            .bind(&practice.name)
            .bind(&practice.phone)
            .bind(&practice.time_zone)
            .bind(practice.retention_days)
            .bind(&practice.id)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Deletes a practice and all that hangs on it.
    pub async fn delete_practice(&self, id: &str) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM practices WHERE id = $1").bind(id).execute(&self.pool).await?;
        self.forget_deleted().await
    }

    /// The user of these names.
    pub async fn user_named(&self, practice: &str, user: &str) -> Result<Option<User>, sqlx::Error> {
        let sql = format!(
            "SELECT {USER} FROM users u JOIN practices p ON p.id = u.practice WHERE p.short = $1 AND u.short = $2"
        );
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(practice).bind(user).fetch_optional(&self.pool).await
    }

    /// A practice's users, by short name.
    pub async fn users(&self, practice: &str) -> Result<Vec<User>, sqlx::Error> {
        let sql = format!("SELECT {USER} FROM users u WHERE u.practice = $1 ORDER BY u.short");
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(practice).fetch_all(&self.pool).await
    }

    /// A user of a practice.
    pub async fn user(&self, practice: &str, id: &str) -> Result<Option<User>, sqlx::Error> {
        let sql = format!("SELECT {USER} FROM users u WHERE u.practice = $1 AND u.id = $2");
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(practice).bind(id).fetch_optional(&self.pool).await
    }

    /// Writes a user with keys; `false` where the short name is taken in this practice.
    pub async fn create_user(
        &self,
        [practice, id, short, role]: [&str; 4],
        credentials: &Credentials<'_>,
        keys: &[KeyFor],
        now: i64,
    ) -> Result<bool, sqlx::Error> {
        let mut transaction = self.begin().await?;
        lock(&mut transaction, practice).await?;
        if !insert_user(&mut transaction, [practice, id, short, role], credentials, now).await? {
            return Ok(false);
        }
        write_keys(&mut transaction, Holder::User, id, keys).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Gives a user another pair: a forgotten password. Sessions, passkeys, doctors' codes and the old pair's keys are gone.
    pub async fn replace_pair(
        &self,
        id: &str,
        credentials: &Credentials<'_>,
        keys: &[KeyFor],
        now: i64,
    ) -> Result<Vec<EndedCode>, sqlx::Error> {
        let mut transaction = self.begin().await?;
        let ended = set_pair(&mut transaction, id, credentials, keys, now).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    /// Another password; the user's sessions but this one end.
    pub async fn change_password(
        &self,
        id: &str,
        password_hash: &str,
        by_password: &str,
        session: &str,
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE users SET password_hash = $1, by_password = $2, must_change = 0 WHERE id = $3")
            .bind(password_hash)
            .bind(by_password)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND id <> $2")
            .bind(id)
            .bind(session)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// Another recovery key; the old one opens nothing any more.
    pub async fn change_recovery(
        &self,
        id: &str,
        recovery_hash: &str,
        by_recovery: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE users SET recovery_hash = $1, by_recovery = $2 WHERE id = $3")
            .bind(recovery_hash)
            .bind(by_recovery)
            .bind(id)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Another role. Who takes part in consultations no more (R09) loses their doctors' codes, who is an admin no more the API tokens that they made.
    /// `None`, and nothing has happened, where it would leave the practice without an admin.
    pub async fn change_role(
        &self,
        practice: &str,
        id: &str,
        role: &NewRole<'_>,
        now: i64,
    ) -> Result<Option<Ended>, sqlx::Error> {
        let mut transaction = self.begin().await?;
        lock(&mut transaction, practice).await?;
        let sql = "UPDATE users SET role = $1 WHERE id = $2 AND practice = $3 \
             AND ($4 IN ('admin', 'head') OR EXISTS (SELECT 1 FROM users o WHERE o.practice = $5 AND o.role IN ('admin', 'head') AND o.id <> $6))";
        let done = sqlx::query(sql)
            .bind(role.word)
            .bind(id)
            .bind(practice)
            .bind(role.word)
            .bind(practice)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        let mut ended = Ended::default();
        if !role.consults {
            ended.codes = end_codes_of(&mut transaction, id, now).await?;
        }
        if !role.keeps {
            ended.tokens = end_tokens_of(&mut transaction, id).await?;
        }
        transaction.commit().await?;
        Ok(Some(ended))
    }
}

/// Writes a practice; `false` where its short name is taken. With it the links that starts printed die.
pub(super) async fn insert_practice(
    transaction: &mut Transaction<'_, Any>,
    practice: &Practice,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO practices (id, short, name, phone, time_zone, key_version, retention_days, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (short) DO NOTHING";
    let done = sqlx::query(sql)
        .bind(&practice.id)
        .bind(&practice.short)
        .bind(&practice.name)
        .bind(&practice.phone)
        .bind(&practice.time_zone)
        .bind(practice.key_version)
        .bind(practice.retention_days)
        .bind(now)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("DELETE FROM links WHERE purpose = 'first'").execute(&mut **transaction).await?;
    Ok(done.rows_affected() == 1)
}

/// Writes a user; `false` where the short name is taken in this practice.
pub(super) async fn insert_user(
    transaction: &mut Transaction<'_, Any>,
    [practice, id, short, role]: [&str; 4],
    credentials: &Credentials<'_>,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO users (id, practice, short, role, password_hash, recovery_hash, public_key, by_password, by_recovery, must_change, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (practice, short) DO NOTHING";
    let done = sqlx::query(sql)
        .bind(id)
        .bind(practice)
        .bind(short)
        .bind(role)
        .bind(credentials.password_hash)
        .bind(credentials.recovery_hash)
        .bind(credentials.public_key)
        .bind(credentials.by_password)
        .bind(credentials.by_recovery)
        .bind(i64::from(credentials.must_change))
        .bind(now)
        .execute(&mut **transaction)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Another pair for a user; what hung on the old one ends.
pub(super) async fn set_pair(
    transaction: &mut Transaction<'_, Any>,
    id: &str,
    credentials: &Credentials<'_>,
    keys: &[KeyFor],
    now: i64,
) -> Result<Vec<EndedCode>, sqlx::Error> {
    let sql = "UPDATE users SET password_hash = $1, recovery_hash = $2, public_key = $3, by_password = $4, by_recovery = $5, must_change = $6 \
         WHERE id = $7";
    sqlx::query(sql)
        .bind(credentials.password_hash)
        .bind(credentials.recovery_hash)
        .bind(credentials.public_key)
        .bind(credentials.by_password)
        .bind(credentials.by_recovery)
        .bind(i64::from(credentials.must_change))
        .bind(id)
        .execute(&mut **transaction)
        .await?;
    for table in ["user_keys", "sessions", "passkeys"] {
        let sql = format!("DELETE FROM {table} WHERE user_id = $1");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).execute(&mut **transaction).await?;
    }
    write_keys(transaction, Holder::User, id, keys).await?;
    end_codes_of(transaction, id, now).await
}
