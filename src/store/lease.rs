//! Who may use the database: the server of one data directory at a time. What is kept is a lease on the database's own clock, because a lock of a
//! session outlives a cut line and is lost behind a pooler.

use std::time::Duration;

use super::Store;

/// How long a lease lasts without being renewed.
pub const LEASE: Duration = Duration::from_secs(30);

/// Who asks: a data directory, and a process on it.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The data directory's id: a restart on the same directory takes over at once.
    pub directory: String,
    /// The process's. Whoever comes later on the same directory wins, and the earlier one learns of it by its next renewal.
    pub run: String,
}

/// What came of asking for the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    /// It is the tenant's.
    Ours,
    /// Another data directory's server holds it for so long, unless it renews it.
    Held(Duration),
    /// Nobody has ever held it, or there is no table for it yet: [`Store::take_first_lease`] is next, after the tables are up to date.
    Never,
}

impl Store {
    /// Takes the lease if it has run out or is held by the same data directory.
    pub async fn take_lease(&self, tenant: &Tenant) -> Result<Lease, sqlx::Error> {
        let now = self.clock();
        let sql = format!("SELECT directory, held_until - {now} FROM server WHERE one = 1");
        let row: Result<(Option<String>, i64), _> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(&self.pool).await;
        let left = match row {
            Err(error) if is_missing_table(&error) => return Ok(Lease::Never),
            Err(error) => return Err(error),
            Ok((None, _)) => return Ok(Lease::Never),
            Ok((Some(_), left)) => left,
        };
        let sql = format!(
            "UPDATE server SET directory = $1, run = $2, held_until = {now} + $3 \
             WHERE one = 1 AND (directory = $4 OR held_until <= {now} OR $5 = 1)"
        );
        let taken = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(&tenant.directory)
            .bind(&tenant.run)
            .bind(millis(LEASE))
            .bind(&tenant.directory)
            // Whoever uses the embedded database holds the lock of its directory.
            .bind(i64::from(self.is_sqlite))
            .execute(&self.pool)
            .await?;
        Ok(self.came_of(tenant, taken.rows_affected(), left))
    }

    /// Takes a lease that nobody has ever held.
    pub async fn take_first_lease(&self, tenant: &Tenant) -> Result<Lease, sqlx::Error> {
        let sql = format!(
            "UPDATE server SET directory = $1, run = $2, held_until = {} + $3 WHERE one = 1 AND directory IS NULL",
            self.clock()
        );
        let taken = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(&tenant.directory)
            .bind(&tenant.run)
            .bind(millis(LEASE))
            .execute(&self.pool)
            .await?;
        Ok(self.came_of(tenant, taken.rows_affected(), millis(LEASE)))
    }

    fn came_of(&self, tenant: &Tenant, rows: u64, left: i64) -> Lease {
        if rows == 0 {
            return Lease::Held(Duration::from_millis(left.max(0).unsigned_abs()));
        }
        // A store is opened for one tenant.
        let _ = self.tenant.set(tenant.clone());
        Lease::Ours
    }

    /// Holds the lease for longer: a real write. `false` where it is another's by now.
    pub async fn renew_lease(&self) -> Result<bool, sqlx::Error> {
        let Some(tenant) = self.tenant.get() else { return Ok(false) };
        let sql = format!("UPDATE server SET held_until = {} + $1 WHERE one = 1 AND run = $2", self.clock());
        let renewed = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(millis(LEASE))
            .bind(&tenant.run)
            .execute(&self.pool)
            .await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Lets go of the lease: another data directory's server need not wait until it has run out.
    pub(super) async fn give_lease_back(&self) {
        let Some(tenant) = self.tenant.get() else { return };
        let sql = "UPDATE server SET held_until = 0 WHERE one = 1 AND run = $1";
        let done = sqlx::query(sql).bind(&tenant.run).execute(&self.pool);
        // Where the store is away, the lease runs out by itself.
        let _ = tokio::time::timeout(Duration::from_secs(1), done).await;
    }

    /// What is kept of the key that this database was made with ([`crate::keys::Keys::check`]).
    pub async fn key_check(&self) -> Result<Option<String>, sqlx::Error> {
        sqlx::query_scalar("SELECT key_check FROM server WHERE one = 1").fetch_one(&self.pool).await
    }

    /// Ties the database to a key.
    pub async fn keep_key_check(&self, check: &str) -> Result<(), sqlx::Error> {
        let sql = "UPDATE server SET key_check = $1 WHERE one = 1";
        sqlx::query(sql).bind(check).execute(&self.pool).await.map(drop)
    }

    /// The database's clock in unix milliseconds, as an expression of SQL: the one thing that no words of both engines tell.
    const fn clock(&self) -> &'static str {
        if self.is_sqlite {
            "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
        } else {
            "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// PostgreSQL has a code for it, SQLite words.
fn is_missing_table(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    error.code().is_some_and(|code| code == "42P01") || error.message().starts_with("no such table")
}
