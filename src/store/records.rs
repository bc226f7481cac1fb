//! Passkeys, API tokens and the audit trail.

use sqlx::FromRow;

use super::Store;

/// A passkey.
#[derive(Debug, Clone, FromRow)]
pub struct StoredPasskey {
    /// UUID, version 7.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// JSON of the WebAuthn library.
    pub credential: String,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Unix milliseconds.
    pub used_at: Option<i64>,
}

/// A token of the practice's software.
#[derive(Debug, Clone, FromRow)]
pub struct ApiToken {
    /// UUID, version 7.
    pub id: String,
    /// The practice's id.
    pub practice: String,
    /// What the practice calls it.
    pub name: String,
    /// `plan` or `read`.
    pub scope: String,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Unix milliseconds.
    pub used_at: Option<i64>,
    /// The short name of who made it; of tokens of earlier releases nobody knows.
    pub made_by: Option<String>,
}

const TOKEN: &str = "t.id, t.practice, t.name, t.scope, t.created_at, t.used_at, u.short AS made_by FROM api_tokens t LEFT JOIN users u ON u.id = t.user_id";

/// A line of the audit trail.
#[derive(Debug, Clone, FromRow)]
pub struct AuditLine {
    /// UUID, version 7: ordered by time.
    pub id: String,
    /// Unix milliseconds.
    pub at: i64,
    /// A user's short name, an API token's name, or `-`.
    pub actor: String,
    /// What was done.
    pub what: String,
    /// To what: an id or a short name.
    pub about: String,
}

impl Store {
    /// Keeps a passkey.
    pub async fn create_passkey(&self, user: &str, passkey: &StoredPasskey) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO passkeys (id, user_id, name, credential, created_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&passkey.id)
        .bind(user)
        .bind(&passkey.name)
        .bind(&passkey.credential)
        .bind(passkey.created_at)
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// A user's passkeys, the oldest first.
    pub async fn passkeys(&self, user: &str) -> Result<Vec<StoredPasskey>, sqlx::Error> {
        sqlx::query_as(
            "SELECT id, name, credential, created_at, used_at FROM passkeys WHERE user_id = $1 ORDER BY id",
        )
        .bind(user)
        .fetch_all(&self.pool)
        .await
    }

    /// Notes a passkey's use, with its new counter.
    pub async fn use_passkey(&self, id: &str, credential: &str, now: i64) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE passkeys SET credential = $1, used_at = $2 WHERE id = $3")
            .bind(credential)
            .bind(now)
            .bind(id)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Removes a user's passkey; `false` if there is none.
    pub async fn delete_passkey(&self, user: &str, id: &str) -> Result<bool, sqlx::Error> {
        let done = sqlx::query("DELETE FROM passkeys WHERE user_id = $1 AND id = $2")
            .bind(user)
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps an API token of a user's making.
    pub async fn create_api_token(
        &self,
        user: &str,
        token: &ApiToken,
        hash: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO api_tokens (id, practice, hash, name, scope, created_at, user_id) VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(&token.id)
            .bind(&token.practice)
            .bind(hash)
            .bind(&token.name)
            .bind(&token.scope)
            .bind(token.created_at)
            .bind(user)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// A practice's API tokens.
    pub async fn api_tokens(&self, practice: &str) -> Result<Vec<ApiToken>, sqlx::Error> {
        let sql = format!("SELECT {TOKEN} WHERE t.practice = $1 ORDER BY t.id");
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(practice).fetch_all(&self.pool).await
    }

    /// The API token behind a hash; its use is noted, once a minute at most.
    pub async fn use_api_token(&self, hash: &str, now: i64) -> Result<Option<ApiToken>, sqlx::Error> {
        let sql = format!("SELECT {TOKEN} WHERE t.hash = $1");
        let token: Option<ApiToken> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(hash).fetch_optional(&self.pool).await?;
        if let Some(token) = &token
            && token.used_at.is_none_or(|used_at| now - used_at > 60_000)
        {
            sqlx::query("UPDATE api_tokens SET used_at = $1 WHERE id = $2")
                .bind(now)
                .bind(&token.id)
                .execute(&self.pool)
                .await?;
        }
        Ok(token)
    }

    /// Withdraws an API token; `false` if there is none.
    pub async fn delete_api_token(&self, practice: &str, id: &str) -> Result<bool, sqlx::Error> {
        let done = sqlx::query("DELETE FROM api_tokens WHERE practice = $1 AND id = $2")
            .bind(practice)
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Adds a line to a practice's audit trail.
    pub async fn write_audit(&self, practice: &str, line: &AuditLine) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO audit (id, practice, at, actor, what, about) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&line.id)
        .bind(practice)
        .bind(line.at)
        .bind(&line.actor)
        .bind(&line.what)
        .bind(&line.about)
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// A practice's audit trail, the newest first, at most `limit` lines before the named one.
    pub async fn audit(
        &self,
        practice: &str,
        before: Option<&str>,
        limit: i64,
    ) -> Result<Vec<AuditLine>, sqlx::Error> {
        // Version 7 begins with the time: no id is greater than "g".
        sqlx::query_as("SELECT id, at, actor, what, about FROM audit WHERE practice = $1 AND id < $2 ORDER BY id DESC LIMIT $3")
            .bind(practice)
            .bind(before.unwrap_or("g"))
            .bind(limit)
            .fetch_all(&self.pool)
            .await
    }
}
