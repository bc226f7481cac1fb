//! The browsers of a practice.

use sqlx::{Any, FromRow, Transaction};

use super::Store;
use super::keys::{Holder, KeyFor, lock, write_keys};

/// A browser of the practice.
#[derive(Debug, Clone, FromRow)]
pub struct Workplace {
    /// UUID, version 7.
    pub id: String,
    /// The practice's id.
    pub practice: String,
    /// What people call it.
    pub name: String,
    /// ECDH, P-256: 65 bytes, base64url.
    pub public_key: String,
    /// Who asked for it.
    pub requested_by: String,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Unix milliseconds; without it, it opens nothing.
    pub released_at: Option<i64>,
    /// Who released it.
    pub released_by: Option<String>,
    /// Unix milliseconds of the last sign-in here.
    pub last_seen_at: Option<i64>,
}

const WORKPLACE: &str = "w.id, w.practice, w.name, w.public_key, w.requested_by, w.created_at, w.released_at, w.released_by, w.last_seen_at";
/// Browsers that wait for a release, at most: whoever knows a password cannot fill the table.
const WAITING: i64 = 20;

impl Store {
    /// Keeps a browser that asks to become a workplace; `false` where too many wait already.
    pub async fn create_workplace(
        &self,
        workplace: &Workplace,
        token_hash: &str,
    ) -> Result<bool, sqlx::Error> {
        let mut transaction = self.begin().await?;
        lock(&mut transaction, &workplace.practice).await?;
        let waiting: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM workplaces WHERE practice = $1 AND released_at IS NULL")
                .bind(&workplace.practice)
                .fetch_one(&mut *transaction)
                .await?;
        if waiting >= WAITING {
            return Ok(false);
        }
        insert_workplace(&mut transaction, workplace, token_hash).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// A practice's workplaces, those that wait first.
    pub async fn workplaces(&self, practice: &str) -> Result<Vec<Workplace>, sqlx::Error> {
        let sql = format!(
            "SELECT {WORKPLACE} FROM workplaces w WHERE w.practice = $1 \
             ORDER BY CASE WHEN w.released_at IS NULL THEN 0 ELSE 1 END, w.name, w.id"
        );
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(practice).fetch_all(&self.pool).await
    }

    /// A workplace of a practice.
    pub async fn workplace(&self, practice: &str, id: &str) -> Result<Option<Workplace>, sqlx::Error> {
        let sql = format!("SELECT {WORKPLACE} FROM workplaces w WHERE w.practice = $1 AND w.id = $2");
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(practice).bind(id).fetch_optional(&self.pool).await
    }

    /// The workplace behind a browser's token.
    pub async fn workplace_of(
        &self,
        practice: &str,
        token_hash: &str,
    ) -> Result<Option<Workplace>, sqlx::Error> {
        let sql = format!(
            "SELECT {WORKPLACE} FROM workplaces w JOIN practices p ON p.id = w.practice WHERE p.short = $1 AND w.token_hash = $2"
        );
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(practice)
            .bind(token_hash)
            .fetch_optional(&self.pool)
            .await
    }

    /// Another name.
    pub async fn rename_workplace(&self, id: &str, name: &str) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE workplaces SET name = $1 WHERE id = $2")
            .bind(name)
            .bind(id)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Releases a workplace with the practice's key sealed for it; `false` where the newest version is not among them.
    pub async fn release_workplace(
        &self,
        practice: &str,
        id: &str,
        by: &str,
        keys: &[KeyFor],
        now: i64,
    ) -> Result<bool, sqlx::Error> {
        let mut transaction = self.begin().await?;
        let newest = lock(&mut transaction, practice).await?;
        if !keys.iter().any(|key| Some(key.version) == newest) {
            return Ok(false);
        }
        let sql = "UPDATE workplaces SET released_at = COALESCE(released_at, $1), released_by = COALESCE(released_by, $2) WHERE id = $3";
        sqlx::query(sql).bind(now).bind(by).bind(id).execute(&mut *transaction).await?;
        write_keys(&mut transaction, Holder::Workplace, id, keys).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Refuses a workplace that waits; `false` where it does not.
    pub async fn refuse_workplace(&self, practice: &str, id: &str) -> Result<bool, sqlx::Error> {
        let sql = "DELETE FROM workplaces WHERE practice = $1 AND id = $2 AND released_at IS NULL";
        Ok(sqlx::query(sql).bind(practice).bind(id).execute(&self.pool).await?.rows_affected() == 1)
    }

    /// The versions of the practice's key that a workplace holds.
    pub async fn workplace_keys(&self, id: &str) -> Result<Vec<KeyFor>, sqlx::Error> {
        sqlx::query_as("SELECT version, wrapped FROM workplace_keys WHERE workplace_id = $1 ORDER BY version")
            .bind(id)
            .fetch_all(&self.pool)
            .await
    }
}

/// Writes a workplace, released or not.
pub(super) async fn insert_workplace(
    transaction: &mut Transaction<'_, Any>,
    workplace: &Workplace,
    token_hash: &str,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO workplaces (id, practice, name, public_key, token_hash, requested_by, created_at, released_at, released_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    sqlx::query(sql)
        .bind(&workplace.id)
        .bind(&workplace.practice)
        .bind(&workplace.name)
        .bind(&workplace.public_key)
        .bind(token_hash)
        .bind(&workplace.requested_by)
        .bind(workplace.created_at)
        .bind(workplace.released_at)
        .bind(&workplace.released_by)
        .execute(&mut **transaction)
        .await
        .map(drop)
}
