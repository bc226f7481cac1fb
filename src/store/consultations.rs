//! Consultations, their seats and codes.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Store, moment, optional_moment};
use crate::access::{Paths, Role, Window};
use crate::message::Inviter;

/// A planned consultation.
#[derive(Debug, Clone)]
pub struct Consultation {
    /// UUID, version 7.
    pub id: String,
    /// When its codes open.
    pub window: Window,
    /// When it was called off.
    pub revoked_at: Option<DateTime<Utc>>,
    /// How media go.
    pub paths: Paths,
    /// Whose it is; the operator's have none.
    pub practice: Option<String>,
}

/// A seat's row.
#[derive(Debug, Clone)]
pub struct Seat {
    /// 1 to 9.
    pub number: u8,
    /// What the seat is for.
    pub role: Role,
    /// Counts the pages that took the seat.
    pub incarnation: i64,
    /// The socket that holds the seat, while one does.
    pub claim: Option<String>,
    /// Of the device's resume token.
    pub token_hash: Option<String>,
    /// Of the token before, until the newer one was used.
    pub previous_token_hash: Option<String>,
    /// When the device was admitted.
    pub admitted_at: Option<DateTime<Utc>>,
    /// The fencing token; see [`super::claims`].
    pub epoch: i64,
    /// The how manyth socket of its device holds it.
    pub attempt: i64,
    /// That device's label.
    pub device: Option<String>,
    /// Whether a doctor was sent back or removed from it.
    pub is_barred: bool,
}

/// A consultation to be created.
pub struct NewPlan<'a> {
    /// UUID, version 7.
    pub id: &'a str,
    /// When its codes open.
    pub window: Window,
    /// How media go.
    pub paths: Paths,
    /// Whose it is; the operator's have none.
    pub practice: Option<&'a str>,
    /// As planned.
    pub duration_minutes: i64,
    /// Of the invitation.
    pub language: &'a str,
    /// A user's short name, or nothing where software planned it.
    pub created_by: Option<&'a str>,
    /// Numbered from 1 in the order given.
    pub seats: &'a [NewSeat],
}

/// A seat to be created: its role and the keyed hash of its code.
pub struct NewSeat {
    /// What the seat is for.
    pub role: Role,
    /// [`crate::keys::Keys::code_hash`] of its code; without one nobody can take the seat yet.
    pub code_hash: Option<String>,
}

/// What a code leads to.
#[derive(Debug, Clone)]
pub struct Found {
    /// The one consultation it opens (R06).
    pub consultation: Consultation,
    /// The seat it opens.
    pub seat: Seat,
    /// The code itself.
    pub code: IssuedCode,
    /// The practice that invites; the operator's consultations have none.
    pub inviter: Option<Inviter>,
}

/// A code's row. One that *Start* made is good for minutes, until a device has come with it, and from then on for that device alone.
#[derive(Debug, Clone)]
pub struct IssuedCode {
    /// When it was replaced or called off.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Until when a device must have come with it; other codes have none.
    pub use_by: Option<DateTime<Utc>>,
    /// The label ([`crate::keys::knock_label`]) of the device that did.
    pub used_by: Option<String>,
}

impl IssuedCode {
    /// Whether it opens nothing any more for `device`, or for one that does not say which it is.
    pub fn is_used_up(&self, device: Option<&str>, now: DateTime<Utc>) -> bool {
        match (&self.used_by, self.use_by) {
            (Some(label), _) => device != Some(label),
            (None, Some(use_by)) => use_by <= now,
            (None, None) => false,
        }
    }
}

const SEAT: &str = "s.seat, s.role, s.incarnation, s.claim, s.token_hash, s.previous_token_hash, s.admitted_at, s.epoch, s.attempt, s.device, s.barred";
const CONSULTATION: &str =
    "c.id, c.opens_at, c.starts_at, c.expires_at, c.revoked_at, c.relayed_only, c.practice";

impl Store {
    /// Writes a consultation with its seats and their codes: all or nothing.
    pub async fn create(&self, plan: &NewPlan<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        let sql = "INSERT INTO consultations (id, opens_at, starts_at, expires_at, created_at, relayed_only, practice, duration_minutes, language, created_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        sqlx::query(sql)
            .bind(plan.id)
            .bind(plan.window.opens_at.timestamp_millis())
            .bind(plan.window.starts_at.timestamp_millis())
            .bind(plan.window.expires_at.timestamp_millis())
            .bind(now.timestamp_millis())
            .bind(i64::from(plan.paths == Paths::RelayedOnly))
            .bind(plan.practice)
            .bind(plan.duration_minutes)
            .bind(plan.language)
            .bind(plan.created_by)
            .execute(&mut *transaction)
            .await?;
        for (number, seat) in (1i64..).zip(plan.seats) {
            sqlx::query("INSERT INTO seats (consultation, seat, role, incarnation) VALUES ($1, $2, $3, 0)")
                .bind(plan.id)
                .bind(number)
                .bind(seat.role.as_str())
                .execute(&mut *transaction)
                .await?;
            let Some(code_hash) = &seat.code_hash else { continue };
            sqlx::query("INSERT INTO codes (hash, consultation, seat) VALUES ($1, $2, $3)")
                .bind(code_hash)
                .bind(plan.id)
                .bind(number)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }

    /// What a code leads to, revoked and expired ones included: the caller tells which.
    pub async fn find(&self, code_hash: &str) -> Result<Option<Found>, sqlx::Error> {
        let sql = format!(
            "SELECT {CONSULTATION}, {SEAT}, k.revoked_at AS code_revoked_at, k.use_by, k.used_by, \
             p.name AS practice_name, p.phone AS practice_phone, p.time_zone AS practice_time_zone FROM codes k \
             JOIN consultations c ON c.id = k.consultation \
             JOIN seats s ON s.consultation = k.consultation AND s.seat = k.seat \
             LEFT JOIN practices p ON p.id = c.practice WHERE k.hash = $1"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(code_hash).fetch_optional(&self.pool).await?;
        row.map(|row| {
            let code = IssuedCode {
                revoked_at: optional_moment(&row, "code_revoked_at")?,
                use_by: optional_moment(&row, "use_by")?,
                used_by: row.try_get("used_by")?,
            };
            Ok(Found { consultation: consultation(&row)?, seat: seat(&row)?, code, inviter: inviter(&row)? })
        })
        .transpose()
    }

    /// The newest consultations first, at most `limit`; one practice's where named.
    pub async fn list(&self, practice: Option<&str>, limit: i64) -> Result<Vec<Consultation>, sqlx::Error> {
        let sql = format!(
            "SELECT {CONSULTATION} FROM consultations c WHERE ($1 = '' OR c.practice = $2) ORDER BY c.starts_at DESC, c.id DESC LIMIT $3"
        );
        let practice = practice.unwrap_or_default();
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(practice)
            .bind(practice)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(consultation).collect()
    }

    /// One consultation.
    pub async fn consultation(&self, id: &str) -> Result<Option<Consultation>, sqlx::Error> {
        let sql = format!("SELECT {CONSULTATION} FROM consultations c WHERE c.id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(consultation).transpose()
    }

    /// A consultation's seats, by number.
    pub async fn seats(&self, consultation: &str) -> Result<Vec<Seat>, sqlx::Error> {
        let sql = format!("SELECT {SEAT} FROM seats s WHERE s.consultation = $1 ORDER BY s.seat");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(consultation).fetch_all(&self.pool).await?;
        rows.iter().map(seat).collect()
    }

    /// Calls a consultation off; `false` if there is none. Calling off twice keeps the first time.
    pub async fn revoke(&self, id: &str, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
        let sql = "UPDATE consultations SET revoked_at = COALESCE(revoked_at, $1) WHERE id = $2";
        Ok(sqlx::query(sql).bind(now.timestamp_millis()).bind(id).execute(&self.pool).await?.rows_affected()
            == 1)
    }

    /// Calls all consultations of a practice off, and names them.
    pub async fn revoke_all(&self, practice: &str, now: DateTime<Utc>) -> Result<Vec<String>, sqlx::Error> {
        let sql =
            "UPDATE consultations SET revoked_at = COALESCE(revoked_at, $1) WHERE practice = $2 RETURNING id";
        sqlx::query_scalar(sql).bind(now.timestamp_millis()).bind(practice).fetch_all(&self.pool).await
    }

    /// Gives a seat a new code; the old one dies.
    pub async fn reissue(
        &self,
        id: &str,
        number: u8,
        code_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "UPDATE codes SET revoked_at = $1 WHERE consultation = $2 AND seat = $3 AND revoked_at IS NULL",
        )
        .bind(now.timestamp_millis())
        .bind(id)
        .bind(i64::from(number))
        .execute(&mut *transaction)
        .await?;
        sqlx::query("INSERT INTO codes (hash, consultation, seat) VALUES ($1, $2, $3)")
            .bind(code_hash)
            .bind(id)
            .bind(i64::from(number))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }
}

fn inviter(row: &AnyRow) -> Result<Option<Inviter>, sqlx::Error> {
    let Some(name) = row.try_get("practice_name")? else { return Ok(None) };
    let (phone, time_zone) = (row.try_get("practice_phone")?, row.try_get("practice_time_zone")?);
    Ok(Some(Inviter { name, phone, time_zone }))
}

fn consultation(row: &AnyRow) -> Result<Consultation, sqlx::Error> {
    let window = Window {
        opens_at: moment(row, "opens_at")?,
        starts_at: moment(row, "starts_at")?,
        expires_at: moment(row, "expires_at")?,
    };
    let paths = if row.try_get::<i64, _>("relayed_only")? == 1 { Paths::RelayedOnly } else { Paths::Any };
    Ok(Consultation {
        id: row.try_get("id")?,
        window,
        revoked_at: optional_moment(row, "revoked_at")?,
        paths,
        practice: row.try_get("practice")?,
    })
}

fn seat(row: &AnyRow) -> Result<Seat, sqlx::Error> {
    let number: i64 = row.try_get("seat")?;
    let role: String = row.try_get("role")?;
    Ok(Seat {
        number: u8::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))?,
        role: Role::parse(&role)
            .ok_or_else(|| sqlx::Error::Decode("a role that this version does not know".into()))?,
        incarnation: row.try_get("incarnation")?,
        claim: row.try_get("claim")?,
        token_hash: row.try_get("token_hash")?,
        previous_token_hash: row.try_get("previous_token_hash")?,
        admitted_at: optional_moment(row, "admitted_at")?,
        epoch: row.try_get("epoch")?,
        attempt: row.try_get("attempt")?,
        device: row.try_get("device")?,
        is_barred: row.try_get::<i64, _>("barred")? == 1,
    })
}
