//! All SQL of the product, in words that SQLite and PostgreSQL both take: TEXT and BIGINT, `$1` parameters, every change one conditional
//! statement or one transaction. [`consultations`] holds windows, codes and seats, [`desk`] a practice's plans, [`accounts`] its people, [`keys`] who holds its key, [`sessions`] who is in,
//! [`workplaces`] its browsers, [`records`] passkeys, API tokens and the audit trail.

mod accounts;
mod consultations;
mod desk;
mod keys;
mod records;
mod sessions;
mod workplaces;

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{AnyConnection, AnyPool, Connection, Executor, Row};

pub use accounts::{Credentials, Practice, User};
pub use consultations::{Claim, Consultation, Found, NewPlan, NewSeat, Seat};
pub use desk::{Change, Cursor, Planned, Which};
pub use keys::{Holder, KeyFor, Rotation};
pub use records::{ApiToken, AuditLine, StoredPasskey};
pub use sessions::Session;
pub use workplaces::Workplace;

/// The only place where consultations, seats and codes outlive the process.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    is_sqlite: bool,
}

impl Store {
    /// Opens the database at `url` (`sqlite:` or `postgres:`) and brings its tables up to date.
    pub async fn open(url: &str) -> Result<Self, sqlx::Error> {
        sqlx::any::install_default_drivers();
        let is_sqlite = url.starts_with("sqlite:");
        if is_sqlite {
            // A pool would try a damaged file again and again until its deadline.
            let mut first = AnyConnection::connect(url).await?;
            first.execute("PRAGMA schema_version").await?;
            first.close().await?;
        }
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(5))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if is_sqlite {
                        // FULL: a code once shown survives a power cut.
                        let pragmas = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";
                        connection.execute(pragmas).await?;
                    }
                    Ok(())
                })
            })
            .connect(url)
            .await?;
        sqlx::migrate!().run(&pool).await?;
        Ok(Self { pool, is_sqlite })
    }

    /// Opens the embedded database in the data directory.
    pub async fn open_embedded(data_dir: &Path) -> Result<Self, sqlx::Error> {
        Self::open(&embedded_url(data_dir)).await
    }

    /// Answers if the database does.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map(drop)
    }

    /// What was deleted shall not rest in the log of changes either (R31). Its pages were overwritten by then (`secure_delete`).
    async fn forget_deleted(&self) -> Result<(), sqlx::Error> {
        if self.is_sqlite {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await?;
        }
        Ok(())
    }

    /// Finishes what runs and closes the database.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// The URL of the embedded database; the path is percent-encoded, since it may hold any character.
fn embedded_url(data_dir: &Path) -> String {
    let path = data_dir.join("visavis.db");
    let path = url::Url::from_file_path(&path)
        .map_or_else(|()| path.display().to_string(), |url| url.path().to_owned());
    format!("sqlite://{path}?mode=rwc")
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
