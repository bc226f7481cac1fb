//! Who holds a seat: one conditional step for each change, and nothing else decides it. What it stands on is the seat's `epoch`, a fencing token
//! that every claim and every end raises: whoever read an older one comes too late, and what is said of a seat names the epoch it is about.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::Store;

/// How a device takes a seat; see [`Store::claim`].
#[derive(Debug, Clone)]
pub struct Claim {
    /// The consultation's id.
    pub consultation: String,
    /// The seat's number.
    pub seat: u8,
    /// The epoch of the row as it was read: the claim holds only if nobody came between, and then the next one is its own.
    pub seen: i64,
    /// The hash of the code that the device showed; it must not have been revoked meanwhile.
    pub code_hash: String,
    /// The number that the page gets: the row's own for the same page, the next for another.
    pub incarnation: i64,
    /// Names the socket.
    pub claim: String,
    /// The how manyth socket of its device.
    pub attempt: i64,
    /// The device's label ([`crate::keys::knock_label`]).
    pub device: String,
    /// Of the fresh resume token.
    pub token_hash: String,
    /// Of the token that stays valid until the fresh one was used.
    pub previous_token_hash: Option<String>,
    /// Whether the device held the seat before: only then may it come after the window (R05).
    pub resumes: bool,
    /// The present moment.
    pub now: DateTime<Utc>,
}

/// What takes an admission away.
const CLEARED: &str =
    "claim = NULL, token_hash = NULL, previous_token_hash = NULL, admitted_at = NULL, epoch = epoch + 1";

impl Store {
    /// Takes a seat for a device: one conditional UPDATE. `false` where somebody came between, the code was revoked or the window closed.
    pub async fn claim(&self, claim: &Claim) -> Result<bool, sqlx::Error> {
        let sql = "UPDATE seats SET epoch = epoch + 1, incarnation = $1, claim = $2, attempt = $3, device = $4, token_hash = $5, previous_token_hash = $6, \
             code_hash = $7, barred = 0, admitted_at = CASE WHEN $8 = 1 THEN admitted_at ELSE $9 END \
             WHERE consultation = $10 AND seat = $11 AND epoch = $12 \
             AND EXISTS (SELECT 1 FROM consultations c JOIN codes k ON k.consultation = c.id \
                         WHERE c.id = $13 AND c.revoked_at IS NULL AND ($14 = 1 OR c.expires_at > $15) AND k.hash = $16 AND k.revoked_at IS NULL)";
        let resumes = i64::from(claim.resumes);
        let now = claim.now.timestamp_millis();
        let done = sqlx::query(sql)
            .bind(claim.incarnation)
            .bind(&claim.claim)
            .bind(claim.attempt)
            .bind(&claim.device)
            .bind(&claim.token_hash)
            .bind(&claim.previous_token_hash)
            .bind(&claim.code_hash)
            .bind(resumes)
            .bind(now)
            .bind(&claim.consultation)
            .bind(i64::from(claim.seat))
            .bind(claim.seen)
            .bind(&claim.consultation)
            .bind(resumes)
            .bind(now)
            .bind(&claim.code_hash)
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

    /// No socket of an earlier process holds a seat. For whoever holds the store's lease ([`super::lease`]).
    pub async fn release_all(&self) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE seats SET claim = NULL WHERE claim IS NOT NULL")
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Takes a seat's admission away: its device must knock again, and with `bars` even a doctor's. Gives the epoch that ended everything up to it;
    /// `None` where there is no such seat.
    pub async fn clear_admission(
        &self,
        consultation: &str,
        seat: u8,
        bars: bool,
    ) -> Result<Option<i64>, sqlx::Error> {
        let sql = format!(
            "UPDATE seats SET {CLEARED}, barred = $1 WHERE consultation = $2 AND seat = $3 RETURNING epoch"
        );
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(i64::from(bars))
            .bind(consultation)
            .bind(i64::from(seat))
            .fetch_optional(&self.pool)
            .await
    }

    /// Ends every stay and takes every admission away but the doctors'. Gives each seat's epoch.
    pub async fn clear_admissions(&self, consultation: &str) -> Result<Vec<(u8, i64)>, sqlx::Error> {
        let kept = |column: &str| format!("{column} = CASE WHEN role = 'doctor' THEN {column} END");
        let [token, previous, admitted] = ["token_hash", "previous_token_hash", "admitted_at"].map(kept);
        let sql = format!(
            "UPDATE seats SET claim = NULL, {token}, {previous}, {admitted}, epoch = epoch + 1 WHERE consultation = $1 RETURNING seat, epoch"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(consultation).fetch_all(&self.pool).await?;
        rows.iter().map(seat_and_epoch).collect()
    }
}

fn seat_and_epoch(row: &AnyRow) -> Result<(u8, i64), sqlx::Error> {
    let seat: i64 = row.try_get("seat")?;
    let seat = u8::try_from(seat).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok((seat, row.try_get("epoch")?))
}
