//! A practice's consultations as its desk sees them, and what ends with them.

use sqlx::FromRow;

use super::{NewSeat, Store};
use crate::access::{Role, Window};

/// A consultation of a practice.
#[derive(Debug, Clone, FromRow)]
pub struct Planned {
    /// UUID, version 7.
    pub id: String,
    /// Unix milliseconds.
    pub opens_at: i64,
    /// Unix milliseconds.
    pub starts_at: i64,
    /// Unix milliseconds.
    pub expires_at: i64,
    /// Unix milliseconds.
    pub revoked_at: Option<i64>,
    /// 1: media go over the relay alone.
    pub relayed_only: i64,
    /// As planned.
    pub duration_minutes: i64,
    /// Of the invitation.
    pub language: String,
    /// Ciphertext of a browser's making.
    pub sealed: Option<String>,
    /// Counts the changes.
    pub revision: i64,
    /// Counts the changes that a calendar must hear of (RFC 5545 §3.8.7.4).
    pub sequence: i64,
    /// The user's short name.
    pub created_by: Option<String>,
    /// JSON of the patient's check.
    pub readiness: Option<String>,
}

/// Where a listing goes on.
#[derive(Debug, Clone)]
pub struct Cursor {
    /// Unix milliseconds of the last one's start.
    pub starts_at: i64,
    /// Its id.
    pub id: String,
}

/// Which consultations to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Whose window is open or comes, the earliest first.
    Coming,
    /// Whose window is over, the latest first.
    Past,
}

/// A change of a plan; what is missing stays.
#[derive(Debug, Default)]
pub struct Change {
    /// Another window.
    pub window: Option<Window>,
    /// Another length.
    pub duration_minutes: Option<i64>,
    /// Another language.
    pub language: Option<String>,
    /// Another sealed record.
    pub sealed: Option<String>,
}

const PLANNED: &str = "c.id, c.opens_at, c.starts_at, c.expires_at, c.revoked_at, c.relayed_only, c.duration_minutes, c.language, c.sealed, \
     c.revision, c.sequence, c.created_by, COALESCE((SELECT p.readiness FROM seats p WHERE p.consultation = c.id AND p.role = 'patient' \
     AND p.readiness IS NOT NULL ORDER BY p.seat LIMIT 1), c.readiness) AS readiness";
/// The doctor's seat is always there; another one as long as a code opens it.
const LIVING_SEAT: &str = "(s.role = 'doctor' OR EXISTS (SELECT 1 FROM codes k WHERE k.consultation = s.consultation AND k.seat = s.seat AND k.revoked_at IS NULL))";

impl Store {
    /// At most `limit` consultations of a practice, from the cursor on.
    pub async fn planned_list(
        &self,
        practice: &str,
        which: Which,
        after: Option<&Cursor>,
        limit: i64,
        now: i64,
    ) -> Result<Vec<Planned>, sqlx::Error> {
        let (window, beyond, order) = match which {
            Which::Coming => {
                ("c.expires_at > $2", "c.starts_at > $3 OR (c.starts_at = $4 AND c.id > $5)", "ASC")
            }
            Which::Past => {
                ("c.expires_at <= $2", "c.starts_at < $3 OR (c.starts_at = $4 AND c.id < $5)", "DESC")
            }
        };
        let sql = format!(
            "SELECT {PLANNED} FROM consultations c WHERE c.practice = $1 AND {window} AND ({beyond}) \
             ORDER BY c.starts_at {order}, c.id {order} LIMIT $6"
        );
        let first =
            Cursor { starts_at: if which == Which::Coming { i64::MIN } else { i64::MAX }, id: String::new() };
        let after = after.unwrap_or(&first);
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(practice)
            .bind(now)
            .bind(after.starts_at)
            .bind(after.starts_at)
            .bind(&after.id)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
    }

    /// A consultation of a practice.
    pub async fn planned(&self, practice: &str, id: &str) -> Result<Option<Planned>, sqlx::Error> {
        let sql = format!("SELECT {PLANNED} FROM consultations c WHERE c.practice = $1 AND c.id = $2");
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(practice).bind(id).fetch_optional(&self.pool).await
    }

    /// The seats in use of consultations from `first` to `last` (ids of one listing), as (consultation, seat, role, what its check found).
    pub async fn living_seats(
        &self,
        consultations: &[&str],
    ) -> Result<Vec<(String, i64, String, Option<String>)>, sqlx::Error> {
        let mut seats = Vec::new();
        // Few enough parameters for every engine.
        for chunk in consultations.chunks(500) {
            let places: Vec<String> = (1..=chunk.len()).map(|number| format!("${number}")).collect();
            let sql = format!(
                "SELECT s.consultation, s.seat, s.role, s.readiness FROM seats s WHERE s.consultation IN ({}) AND {LIVING_SEAT} ORDER BY s.consultation, s.seat",
                places.join(", ")
            );
            let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql));
            for id in chunk {
                query = query.bind(*id);
            }
            seats.extend(query.fetch_all(&self.pool).await?);
        }
        Ok(seats)
    }

    /// Changes a plan if its revision is still the one that was read; `false` where somebody came between. Another time or length makes calendars
    /// hear of it, and a patient's check is for the new time as good as for the old.
    pub async fn change_plan(
        &self,
        practice: &str,
        id: &str,
        revision: i64,
        change: &Change,
    ) -> Result<bool, sqlx::Error> {
        let (opens_at, starts_at, expires_at) = match change.window {
            Some(window) => (
                Some(window.opens_at.timestamp_millis()),
                Some(window.starts_at.timestamp_millis()),
                Some(window.expires_at.timestamp_millis()),
            ),
            None => (None, None, None),
        };
        let louder = i64::from(change.window.is_some() || change.duration_minutes.is_some());
        let sql = "UPDATE consultations SET opens_at = COALESCE($1, opens_at), starts_at = COALESCE($2, starts_at), expires_at = COALESCE($3, expires_at), \
             duration_minutes = COALESCE($4, duration_minutes), language = COALESCE($5, language), sealed = COALESCE($6, sealed), \
             revision = revision + 1, sequence = sequence + $7 WHERE practice = $8 AND id = $9 AND revision = $10";
        let done = sqlx::query(sql)
            .bind(opens_at)
            .bind(starts_at)
            .bind(expires_at)
            .bind(change.duration_minutes)
            .bind(&change.language)
            .bind(&change.sealed)
            .bind(louder)
            .bind(practice)
            .bind(id)
            .bind(revision)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether a seat is the doctor's in a consultation that somebody planned at the desk, so that only *Start* opens it (R09).
    pub async fn is_doctors_of_desk(&self, practice: &str, id: &str, seat: u8) -> Result<bool, sqlx::Error> {
        let sql = "SELECT c.id FROM consultations c JOIN seats s ON s.consultation = c.id \
             WHERE c.practice = $1 AND c.id = $2 AND c.created_by IS NOT NULL AND s.seat = $3 AND s.role = 'doctor'";
        let found =
            sqlx::query(sql).bind(practice).bind(id).bind(i64::from(seat)).fetch_optional(&self.pool).await?;
        Ok(found.is_some())
    }

    /// Calendars must hear that it was called off.
    pub async fn raise_sequence(&self, id: &str) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE consultations SET sequence = sequence + 1, revision = revision + 1 WHERE id = $1")
            .bind(id)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Deletes a consultation of a practice; `false` if there is none.
    pub async fn delete_consultation(&self, practice: &str, id: &str) -> Result<bool, sqlx::Error> {
        let sql = "DELETE FROM consultations WHERE practice = $1 AND id = $2";
        let gone = sqlx::query(sql).bind(practice).bind(id).execute(&self.pool).await?.rows_affected() == 1;
        self.forget_deleted().await?;
        Ok(gone)
    }

    /// Adds a seat under the lowest number that is free, where a seat without a code counts as free; `None` where all `most` are in use.
    pub async fn add_seat(&self, id: &str, seat: &NewSeat, most: i64) -> Result<Option<i64>, sqlx::Error> {
        let mut transaction = self.begin().await?;
        // Two who add at once come one after the other.
        sqlx::query("UPDATE consultations SET revision = revision + 1 WHERE id = $1")
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        let sql = format!("SELECT s.seat FROM seats s WHERE s.consultation = $1 AND {LIVING_SEAT}");
        let taken: Vec<i64> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(id).fetch_all(&mut *transaction).await?;
        let Some(number) = (1..=most).find(|number| !taken.contains(number)) else { return Ok(None) };
        let sql = "INSERT INTO seats (consultation, seat, role, incarnation) VALUES ($1, $2, $3, 0) \
             ON CONFLICT (consultation, seat) DO UPDATE SET role = excluded.role, readiness = NULL";
        sqlx::query(sql).bind(id).bind(number).bind(seat.role.as_str()).execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO codes (hash, consultation, seat) VALUES ($1, $2, $3)")
            .bind(&seat.code_hash)
            .bind(id)
            .bind(number)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some(number))
    }

    /// Takes all codes of a seat away; `false` where it is a doctor's, or the last besides.
    pub async fn remove_seat(&self, id: &str, seat: u8, now: i64) -> Result<bool, sqlx::Error> {
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE consultations SET revision = revision + 1 WHERE id = $1")
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        let sql = format!(
            "SELECT s.seat FROM seats s WHERE s.consultation = $1 AND s.role <> '{}' AND {LIVING_SEAT}",
            Role::Doctor.as_str()
        );
        let others: Vec<i64> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(id).fetch_all(&mut *transaction).await?;
        if others.len() < 2 || !others.contains(&i64::from(seat)) {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE codes SET revoked_at = $1 WHERE consultation = $2 AND seat = $3 AND revoked_at IS NULL",
        )
        .bind(now)
        .bind(id)
        .bind(i64::from(seat))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// What the check of a seat's device found.
    pub async fn note_readiness(&self, id: &str, seat: u8, readiness: &str) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE seats SET readiness = $1 WHERE consultation = $2 AND seat = $3")
            .bind(readiness)
            .bind(id)
            .bind(i64::from(seat))
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// R31: deletes what has reached the end of its time, and tells how many consultations went. `days` is for those without a practice.
    pub async fn delete_expired(&self, days: i64, now: i64) -> Result<u64, sqlx::Error> {
        const DAY: i64 = 86_400_000;
        let of_practices = sqlx::query(
            "DELETE FROM consultations WHERE practice IS NOT NULL AND expires_at + $1 * \
             (SELECT p.retention_days FROM practices p WHERE p.id = consultations.practice) <= $2",
        )
        .bind(DAY)
        .bind(now)
        .execute(&self.pool)
        .await?
        .rows_affected();
        let of_operator =
            sqlx::query("DELETE FROM consultations WHERE practice IS NULL AND expires_at <= $1")
                .bind(now - DAY * days)
                .execute(&self.pool)
                .await?
                .rows_affected();
        sqlx::query("DELETE FROM audit WHERE at + $1 * (SELECT p.retention_days FROM practices p WHERE p.id = audit.practice) <= $2")
            .bind(DAY)
            .bind(now)
            .execute(&self.pool)
            .await?;
        for table in ["sessions", "links"] {
            let sql = format!("DELETE FROM {table} WHERE expires_at <= $1");
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now).execute(&self.pool).await?;
        }
        self.forget_deleted().await?;
        Ok(of_practices + of_operator)
    }
}
