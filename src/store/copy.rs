//! Copies of the embedded database: made, looked at, and made ready to be served again.

use std::path::Path;

use chrono::Utc;
use sqlx::{AnyConnection, Connection, Executor};

use super::{Failure, Store, file_url};

/// Why a file cannot take the database's place.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// No database at all, or not visavis's.
    #[error("it is no backup of visavis")]
    Foreign,
    /// SQLite's own check fails.
    #[error("it is damaged ({0})")]
    Damaged(String),
    /// It cannot be read.
    #[error("{0}")]
    Store(sqlx::Error),
}

/// What a copy says of itself.
#[derive(Debug, Clone)]
pub struct Copied {
    /// What it keeps of its key; copies of early releases keep nothing.
    pub key_check: Option<String>,
    /// When it was made, unix milliseconds, if it is a copy.
    pub copied_at: Option<i64>,
}

impl Store {
    /// Writes all that was acknowledged before into an empty file, with the time. The state is that of one moment, however long it takes.
    pub async fn copy_into(&self, path: &Path) -> Result<(), sqlx::Error> {
        let name = path.to_str().ok_or_else(|| sqlx::Error::Configuration("the path is no UTF-8".into()))?;
        let now = Utc::now().timestamp_millis();
        sqlx::query("VACUUM INTO $1").bind(name).execute(&self.pool).await?;
        let mut copy = AnyConnection::connect(&file_url(path, "rw")).await?;
        sqlx::query("UPDATE server SET copied_at = $1, held_until = 0").bind(now).execute(&mut copy).await?;
        copy.close().await
    }

    /// Makes a database that was put back ready to be served: who was signed in is not any more (with that doctors' codes that nobody has used are
    /// dead), no page holds a seat, and the `restored` mark tells since when pages may meet older versions than they have seen.
    pub async fn mark_restored(&self, now: i64) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        for sql in ["DELETE FROM sessions", "DELETE FROM links", "UPDATE seats SET claim = NULL"] {
            sqlx::query(sql).execute(&mut *transaction).await?;
        }
        let sql = "UPDATE server SET restored_at = $1, held_until = 0 WHERE one = 1";
        sqlx::query(sql).bind(now).execute(&mut *transaction).await?;
        transaction.commit().await
    }

    /// How many consultations and practices it holds.
    pub async fn counts(&self) -> Result<(i64, i64), sqlx::Error> {
        let sql = "SELECT (SELECT COUNT(*) FROM consultations), (SELECT COUNT(*) FROM practices)";
        sqlx::query_as(sql).fetch_one(&self.pool).await
    }
}

/// Reads a file as a database of visavis, without changing it.
pub async fn check_copy(path: &Path) -> Result<Copied, Damage> {
    sqlx::any::install_default_drivers();
    let mut copy = AnyConnection::connect(&file_url(path, "ro")).await.map_err(judge)?;
    let found = look_into(&mut copy).await;
    let _ = copy.close().await;
    found
}

async fn look_into(copy: &mut AnyConnection) -> Result<Copied, Damage> {
    let check: String =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut *copy).await.map_err(judge)?;
    if check != "ok" {
        // SQLite says it in several lines.
        return Err(Damage::Damaged(check.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    let tables = "SELECT COUNT(*) FROM sqlite_schema WHERE name IN ('_sqlx_migrations', 'consultations', 'seats', 'codes')";
    let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut *copy).await.map_err(judge)?;
    if tables < 4 {
        return Err(Damage::Foreign);
    }
    if copy.execute("SELECT key_check, copied_at FROM server").await.is_err() {
        return Ok(Copied { key_check: None, copied_at: None });
    }
    let row: (Option<String>, Option<i64>) =
        sqlx::query_as("SELECT key_check, copied_at FROM server WHERE one = 1")
            .fetch_one(&mut *copy)
            .await
            .map_err(judge)?;
    Ok(Copied { key_check: row.0, copied_at: row.1 })
}

fn judge(error: sqlx::Error) -> Damage {
    match (Failure::of(&error), &error) {
        (Failure::Damaged, sqlx::Error::Database(said)) if said.code().is_some_and(|code| code == "26") => {
            Damage::Foreign
        }
        (Failure::Damaged, _) => Damage::Damaged(error.to_string()),
        _ => Damage::Store(error),
    }
}
