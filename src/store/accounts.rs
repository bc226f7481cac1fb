//! Practices, their users, the versions of the practice's key, sessions and the operator's one-time links.

use sqlx::{Any, FromRow, Transaction};

use super::Store;

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

/// The practice's key in one version, sealed for one holder.
#[derive(Debug, Clone, FromRow, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyFor {
    /// From 1.
    #[schema(minimum = 1)]
    pub version: i64,
    /// Ciphertext of a browser's making.
    #[schema(max_length = 512)]
    pub wrapped: String,
}

/// A version sealed for a named holder.
#[derive(Debug, Clone, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The user's or the workplace's id.
    pub id: String,
    /// Ciphertext of a browser's making.
    #[schema(max_length = 512)]
    pub wrapped: String,
}

/// A new version of the practice's key, sealed for exactly all who stay.
#[derive(Debug, Clone, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// One more than the practice's newest.
    #[schema(minimum = 2)]
    pub version: i64,
    /// All users who stay.
    pub users: Vec<Sealed>,
    /// All released workplaces that stay.
    pub workplaces: Vec<Sealed>,
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

const PRACTICE: &str = "p.id, p.short, p.name, p.phone, p.time_zone, p.key_version, p.retention_days";
const USER: &str = "u.id, u.practice, u.short, u.role, u.password_hash, u.recovery_hash, u.public_key, u.by_password, u.by_recovery, \
     u.must_change, u.created_at, u.last_seen_at";
const SESSION: &str = "s.id, s.user_id, u.short AS user_short, s.workplace_id, w.name AS workplace_name, s.created_at, s.seen_at, s.expires_at";

/// The one place that lets a practice's members, workplaces and key versions change: whoever holds the row comes first (PostgreSQL), the
/// others read what it left. `None` where the practice is gone.
pub(super) async fn lock(
    transaction: &mut Transaction<'_, Any>,
    practice: &str,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query("UPDATE practices SET key_version = key_version WHERE id = $1")
        .bind(practice)
        .execute(&mut **transaction)
        .await?;
    sqlx::query_scalar("SELECT key_version FROM practices WHERE id = $1")
        .bind(practice)
        .fetch_optional(&mut **transaction)
        .await
}

impl Store {
    /// Whether any practice exists.
    pub async fn has_practice(&self) -> Result<bool, sqlx::Error> {
        Ok(sqlx::query("SELECT id FROM practices LIMIT 1").fetch_optional(&self.pool).await?.is_some())
    }

    /// Writes a practice; `false` where its short name is taken. With it the links that starts printed die.
    pub async fn create_practice(&self, practice: &Practice, now: i64) -> Result<bool, sqlx::Error> {
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
            .execute(&self.pool)
            .await?;
        sqlx::query("DELETE FROM links WHERE purpose = 'first'").execute(&self.pool).await?;
        Ok(done.rows_affected() == 1)
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
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, practice).await?;
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
            .execute(&mut *transaction)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        write_keys(&mut transaction, Holder::User, id, keys).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Gives a user another pair: a forgotten password. Sessions, passkeys and the old pair's keys are gone.
    pub async fn replace_pair(
        &self,
        id: &str,
        credentials: &Credentials<'_>,
        keys: &[KeyFor],
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
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
            .execute(&mut *transaction)
            .await?;
        for table in ["user_keys", "sessions", "passkeys"] {
            let sql = format!("DELETE FROM {table} WHERE user_id = $1");
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).execute(&mut *transaction).await?;
        }
        write_keys(&mut transaction, Holder::User, id, keys).await?;
        transaction.commit().await
    }

    /// Another password; the user's sessions but this one end.
    pub async fn change_password(
        &self,
        id: &str,
        password_hash: &str,
        by_password: &str,
        session: &str,
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
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

    /// Another role; `false` where that would leave the practice without an admin.
    pub async fn change_role(&self, practice: &str, id: &str, role: &str) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, practice).await?;
        let sql = "UPDATE users SET role = $1 WHERE id = $2 AND practice = $3 \
             AND ($4 IN ('admin', 'head') OR EXISTS (SELECT 1 FROM users o WHERE o.practice = $5 AND o.role IN ('admin', 'head') AND o.id <> $6))";
        let done = sqlx::query(sql)
            .bind(role)
            .bind(id)
            .bind(practice)
            .bind(role)
            .bind(practice)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// The versions of the practice's key that a user holds.
    pub async fn user_keys(&self, user: &str) -> Result<Vec<KeyFor>, sqlx::Error> {
        sqlx::query_as("SELECT version, wrapped FROM user_keys WHERE user_id = $1 ORDER BY version")
            .bind(user)
            .fetch_all(&self.pool)
            .await
    }

    /// Which versions of the practice's key its users or workplaces hold, as (holder, version).
    pub async fn versions_held(
        &self,
        practice: &str,
        holder: Holder,
    ) -> Result<Vec<(String, i64)>, sqlx::Error> {
        let sql = match holder {
            Holder::User => {
                "SELECT k.user_id, k.version FROM user_keys k JOIN users h ON h.id = k.user_id WHERE h.practice = $1 ORDER BY k.version"
            }
            Holder::Workplace => {
                "SELECT k.workplace_id, k.version FROM workplace_keys k JOIN workplaces h ON h.id = k.workplace_id WHERE h.practice = $1 ORDER BY k.version"
            }
        };
        sqlx::query_as(sql).bind(practice).fetch_all(&self.pool).await
    }

    /// Adds versions that a user does not hold yet.
    pub async fn add_user_keys(&self, user: &str, keys: &[KeyFor]) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        write_keys(&mut transaction, Holder::User, user, keys).await?;
        transaction.commit().await
    }

    /// Takes a user or a workplace out and puts a new version of the practice's key in the hands of all who stay; `false` where the
    /// recipients are not exactly those, or the version is not the next.
    pub async fn withdraw(
        &self,
        practice: &str,
        holder: Holder,
        id: &str,
        rotation: &Rotation,
    ) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let Some(version) = lock(&mut transaction, practice).await? else { return Ok(false) };
        let sql = format!("DELETE FROM {} WHERE practice = $1 AND id = $2", holder.table());
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(practice).bind(id).execute(&mut *transaction).await?;
        let mut users: Vec<String> = sqlx::query_scalar("SELECT id FROM users WHERE practice = $1")
            .bind(practice)
            .fetch_all(&mut *transaction)
            .await?;
        let mut workplaces: Vec<String> =
            sqlx::query_scalar("SELECT id FROM workplaces WHERE practice = $1 AND released_at IS NOT NULL")
                .bind(practice)
                .fetch_all(&mut *transaction)
                .await?;
        let exact = rotation.version == version + 1
            && same(&mut users, &rotation.users)
            && same(&mut workplaces, &rotation.workplaces);
        if !exact {
            return Ok(false);
        }
        sqlx::query("UPDATE practices SET key_version = $1 WHERE id = $2")
            .bind(rotation.version)
            .bind(practice)
            .execute(&mut *transaction)
            .await?;
        for (holder, sealed) in [(Holder::User, &rotation.users), (Holder::Workplace, &rotation.workplaces)] {
            for Sealed { id, wrapped } in sealed {
                let key = KeyFor { version: rotation.version, wrapped: wrapped.clone() };
                write_keys(&mut transaction, holder, id, &[key]).await?;
            }
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Begins a session.
    pub async fn begin_session(
        &self,
        [hash, id, user]: [&str; 3],
        workplace: Option<&str>,
        now: i64,
        expires_at: i64,
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let sql = "INSERT INTO sessions (hash, id, user_id, workplace_id, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        sqlx::query(sql)
            .bind(hash)
            .bind(id)
            .bind(user)
            .bind(workplace)
            .bind(now)
            .bind(now)
            .bind(expires_at)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE users SET last_seen_at = $1 WHERE id = $2")
            .bind(now)
            .bind(user)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE workplaces SET last_seen_at = $1 WHERE id = $2")
            .bind(now)
            .bind(workplace)
            .execute(&mut *transaction)
            .await?;
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
        let mut transaction = self.pool.begin().await?;
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

    /// The user whom a one-time link is for.
    pub async fn link_user(&self, hash: &str) -> Result<Option<String>, sqlx::Error> {
        let user: Option<Option<String>> = sqlx::query_scalar("SELECT user_id FROM links WHERE hash = $1")
            .bind(hash)
            .fetch_optional(&self.pool)
            .await?;
        Ok(user.flatten())
    }

    /// Uses a one-time link up; `None` where it is unknown, used or too old, else the user it is for, if it is for one.
    pub async fn use_link(
        &self,
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
            .fetch_optional(&self.pool)
            .await
    }
}

/// Who holds versions of the practice's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A user.
    User,
    /// A released workplace.
    Workplace,
}

impl Holder {
    const fn table(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Workplace => "workplaces",
        }
    }
}

/// Writes versions for a holder; those that it holds already stay as they are.
pub(super) async fn write_keys(
    transaction: &mut Transaction<'_, Any>,
    holder: Holder,
    id: &str,
    keys: &[KeyFor],
) -> Result<(), sqlx::Error> {
    let (table, column) = match holder {
        Holder::User => ("user_keys", "user_id"),
        Holder::Workplace => ("workplace_keys", "workplace_id"),
    };
    for key in keys {
        let sql = format!(
            "INSERT INTO {table} ({column}, version, wrapped) VALUES ($1, $2, $3) ON CONFLICT ({column}, version) DO NOTHING"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .bind(key.version)
            .bind(&key.wrapped)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

fn same(ids: &mut [String], sealed: &[Sealed]) -> bool {
    let mut named: Vec<&str> = sealed.iter().map(|sealed| sealed.id.as_str()).collect();
    named.sort_unstable();
    ids.sort_unstable();
    ids.iter().map(String::as_str).eq(named)
}
