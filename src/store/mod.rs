//! All SQL of the product, in words that SQLite and PostgreSQL both take: TEXT and BIGINT, `$1` parameters, every change one conditional
//! statement or one transaction. [`consultations`] holds windows, codes and seats, [`claims`] decides who holds one, [`codes`] those that *Start* makes, [`desk`] a practice's plans, [`accounts`] its people, [`keys`] who holds its key, [`sessions`] who is in, [`first_steps`] what one-time links do,
//! [`workplaces`] its browsers, [`records`] passkeys, API tokens and the audit trail.

mod accounts;
mod claims;
mod codes;
mod consultations;
mod copy;
mod desk;
mod failure;
mod first_steps;
mod keys;
mod lease;
mod records;
mod sessions;
#[cfg(test)]
mod tests;
mod workplaces;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{Any, AnyConnection, AnyPool, Connection, Executor, Row, Transaction};
use tokio::sync::Mutex;

pub use accounts::{Credentials, NewRole, Practice, User};
pub use claims::Claim;
pub use codes::{Ended, EndedCode, NewDoctorsCode};
#[cfg(test)]
pub use consultations::IssuedCode;
pub use consultations::{Consultation, Found, NewPlan, NewSeat, Seat};
pub use copy::{Copied, Damage, check_copy};
pub use desk::{Change, Cursor, Planned, Which};
pub use failure::Failure;
pub use first_steps::{CameOf, SetUp};
pub use keys::{Holder, KeyFor, Rotation, Withdrawal};
pub use lease::{Lease, Tenant};
pub use records::{ApiToken, AuditLine, StoredPasskey};
pub use sessions::{NewSession, Session};
pub use workplaces::Workplace;

/// How long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The only place where consultations, seats and codes outlive the process.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    is_sqlite: bool,
    /// Stays open as long as the store: with the last connection SQLite would delete its log of changes, and on a full disk make no other.
    keeper: Arc<Mutex<Option<AnyConnection>>>,
    /// For whom it was opened, once that is settled.
    tenant: Arc<OnceLock<Tenant>>,
}

impl Store {
    /// Connects to the database at `url` (`sqlite:` or `postgres:`). Its tables are as they were: [`Store::migrate`] comes next.
    pub async fn connect(url: &str) -> Result<Self, sqlx::Error> {
        sqlx::any::install_default_drivers();
        let is_sqlite = url.starts_with("sqlite:");
        let first = tokio::time::timeout(PATIENCE, first(url, is_sqlite)).await;
        let first = first.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(PATIENCE)
            .after_connect(move |connection, _| {
                Box::pin(async move { if is_sqlite { prepare(connection).await } else { Ok(()) } })
            })
            .after_release(|connection, _| Box::pin(is_whole(connection)))
            .connect(url)
            .await?;
        let keeper = Arc::new(Mutex::new(is_sqlite.then_some(first)));
        Ok(Self { pool, is_sqlite, keeper, tenant: Arc::default() })
    }

    /// Connects to the embedded database in the data directory.
    pub async fn connect_embedded(data_dir: &Path) -> Result<Self, sqlx::Error> {
        Self::connect(&file_url(&data_dir.join("visavis.db"), "rwc")).await
    }

    /// Brings the tables up to date.
    pub async fn migrate(&self) -> Result<(), sqlx::Error> {
        Ok(sqlx::migrate!().run(&self.pool).await?)
    }

    /// Whether it holds anything that a key opens: a code or a user.
    pub async fn is_filled(&self) -> Result<bool, sqlx::Error> {
        let sql = "SELECT hash FROM codes UNION ALL SELECT id FROM users LIMIT 1";
        Ok(sqlx::query(sql).fetch_optional(&self.pool).await?.is_some())
    }

    /// What was deleted shall not rest in the log of changes either (R31). Its pages were overwritten by then (`secure_delete`).
    async fn forget_deleted(&self) -> Result<(), sqlx::Error> {
        if self.is_sqlite {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await?;
        }
        Ok(())
    }

    /// Finishes what runs, lets go of the lease and closes the database.
    pub async fn close(&self) {
        self.give_lease_back().await;
        self.pool.close().await;
        if let Some(keeper) = self.keeper.lock().await.take() {
            let _ = keeper.close().await;
        }
    }

    /// A transaction, never a savepoint inside another one: with a statement of its own, sqlx refuses that. In SQLite it may write from the
    /// beginning, so that nobody comes between its first look and its change.
    async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.pool.begin_with(if self.is_sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }).await
    }
}

/// The first connection tells what is wrong with the database. A pool would try again and again until its deadline, and tell of that.
async fn first(url: &str, is_sqlite: bool) -> Result<AnyConnection, sqlx::Error> {
    let mut first = AnyConnection::connect(url).await?;
    if is_sqlite {
        prepare(&mut first).await?;
        // Reading opens the log of changes.
        first.execute("SELECT count(*) FROM sqlite_schema").await?;
    }
    Ok(first)
}

/// Settings of a connection to SQLite.
async fn prepare(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    // FULL: a code once shown survives a power cut.
    let pragmas = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";
    connection.execute(pragmas).await.map(drop)
}

/// Whether a connection may go back to the pool. Where SQLite has rolled back by itself (full disk, I/O error), sqlx's own ROLLBACK fails and
/// its count of transactions stays off by one: the next `begin` would be a savepoint in a transaction that nobody commits, and whatever
/// it acknowledges would be lost. The rollback of a dropped transaction is still queued when this is asked; the ping comes after it.
async fn is_whole(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// The URL of a database in a file; the path is percent-encoded, since it may hold any character. `mode` is SQLite's: `ro`, `rw`, `rwc`.
pub fn file_url(path: &Path, mode: &str) -> String {
    let path = url::Url::from_file_path(path)
        .map_or_else(|()| path.display().to_string(), |url| url.path().to_owned());
    format!("sqlite://{path}?mode={mode}")
}

fn moment(row: &AnyRow, column: &str) -> Result<DateTime<Utc>, sqlx::Error> {
    from_millis(row.try_get(column)?)
}

fn optional_moment(row: &AnyRow, column: &str) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    row.try_get::<Option<i64>, _>(column)?.map(from_millis).transpose()
}

fn from_millis(millis: i64) -> Result<DateTime<Utc>, sqlx::Error> {
    Utc.timestamp_millis_opt(millis).single().ok_or_else(|| sqlx::Error::Decode("a time out of range".into()))
}
