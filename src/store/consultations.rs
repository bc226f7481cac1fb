//! Consultations, their seats and codes. Who holds a seat is decided here and nowhere else.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Store, moment, optional_moment};
use crate::access::{Paths, Role, Window};

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

/// How a device takes a seat; see [`Store::claim`].
pub struct Claim<'a> {
    /// The consultation's id.
    pub consultation: &'a str,
    /// The seat's row as it was read: the claim holds only if nobody came between.
    pub seen: &'a Seat,
    /// The hash of the code that the device showed; it must not have been revoked meanwhile.
    pub code_hash: &'a str,
    /// The number that the page gets: the row's own for the same page, the next for another.
    pub incarnation: i64,
    /// Names the socket.
    pub claim: &'a str,
    /// Of the fresh resume token.
    pub token_hash: &'a str,
    /// Of the token that stays valid until the fresh one was used.
    pub previous_token_hash: Option<&'a str>,
    /// Whether the device held the seat before: only then may it come after the window (R05).
    pub resumes: bool,
    /// The present moment.
    pub now: DateTime<Utc>,
}

const SEAT: &str =
    "s.seat, s.role, s.incarnation, s.claim, s.token_hash, s.previous_token_hash, s.admitted_at";
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
            "SELECT {CONSULTATION}, {SEAT}, k.revoked_at AS code_revoked_at, k.use_by, k.used_by FROM codes k \
             JOIN consultations c ON c.id = k.consultation \
             JOIN seats s ON s.consultation = k.consultation AND s.seat = k.seat WHERE k.hash = $1"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(code_hash).fetch_optional(&self.pool).await?;
        row.map(|row| {
            let code = IssuedCode {
                revoked_at: optional_moment(&row, "code_revoked_at")?,
                use_by: optional_moment(&row, "use_by")?,
                used_by: row.try_get("used_by")?,
            };
            Ok(Found { consultation: consultation(&row)?, seat: seat(&row)?, code })
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

    /// Takes a seat for a device: one conditional UPDATE. `false` where somebody came between, the code was revoked or the window closed.
    pub async fn claim(&self, claim: &Claim<'_>) -> Result<bool, sqlx::Error> {
        let sql = "UPDATE seats SET incarnation = $1, claim = $2, token_hash = $3, previous_token_hash = $4, code_hash = $5, \
             admitted_at = CASE WHEN $6 = 1 THEN admitted_at ELSE $7 END \
             WHERE consultation = $8 AND seat = $9 AND incarnation = $10 AND COALESCE(claim, '') = $11 AND COALESCE(token_hash, '') = $12 \
             AND EXISTS (SELECT 1 FROM consultations c JOIN codes k ON k.consultation = c.id \
                         WHERE c.id = $13 AND c.revoked_at IS NULL AND ($14 = 1 OR c.expires_at > $15) AND k.hash = $16 AND k.revoked_at IS NULL)";
        let resumes = i64::from(claim.resumes);
        let now = claim.now.timestamp_millis();
        let done = sqlx::query(sql)
            .bind(claim.incarnation)
            .bind(claim.claim)
            .bind(claim.token_hash)
            .bind(claim.previous_token_hash)
            .bind(claim.code_hash)
            .bind(resumes)
            .bind(now)
            .bind(claim.consultation)
            .bind(i64::from(claim.seen.number))
            .bind(claim.seen.incarnation)
            .bind(claim.seen.claim.as_deref().unwrap_or_default())
            .bind(claim.seen.token_hash.as_deref().unwrap_or_default())
            .bind(claim.consultation)
            .bind(resumes)
            .bind(now)
            .bind(claim.code_hash)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The socket is gone; the device may resume.
    pub async fn release(&self, consultation: &str, seat: u8, claim: &str) -> Result<(), sqlx::Error> {
        let sql = "UPDATE seats SET claim = NULL WHERE consultation = $1 AND seat = $2 AND claim = $3";
        sqlx::query(sql)
            .bind(consultation)
            .bind(i64::from(seat))
            .bind(claim)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// No socket of an earlier process holds a seat. Only for the embedded database, whose directory is locked for one process.
    pub async fn release_all(&self) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE seats SET claim = NULL WHERE claim IS NOT NULL")
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Whether any seat of the consultation is held by a socket.
    pub async fn is_attended(&self, consultation: &str) -> Result<bool, sqlx::Error> {
        let sql = "SELECT seat FROM seats WHERE consultation = $1 AND claim IS NOT NULL LIMIT 1";
        Ok(sqlx::query(sql).bind(consultation).fetch_optional(&self.pool).await?.is_some())
    }

    /// Takes a seat's admission away: its device must knock again.
    pub async fn clear_admission(&self, consultation: &str, seat: u8) -> Result<(), sqlx::Error> {
        let sql = "UPDATE seats SET claim = NULL, token_hash = NULL, previous_token_hash = NULL, admitted_at = NULL \
             WHERE consultation = $1 AND seat = $2";
        sqlx::query(sql).bind(consultation).bind(i64::from(seat)).execute(&self.pool).await.map(drop)
    }

    /// Takes every admission away but the doctors'.
    pub async fn clear_admissions(&self, consultation: &str) -> Result<(), sqlx::Error> {
        let sql = "UPDATE seats SET claim = NULL, token_hash = NULL, previous_token_hash = NULL, admitted_at = NULL \
             WHERE consultation = $1 AND role <> 'doctor'";
        sqlx::query(sql).bind(consultation).execute(&self.pool).await.map(drop)
    }
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
    })
}
