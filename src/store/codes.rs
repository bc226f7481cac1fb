//! Doctors' codes: made by *Start*, good once and for minutes, and for nobody but whom they were made for (R09). And what ends with a user's rights.

use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};

use super::Store;

/// A code of a doctor's seat for one user at one browser.
pub struct NewDoctorsCode<'a> {
    /// The consultation's id.
    pub consultation: &'a str,
    /// The doctor's seat.
    pub seat: u8,
    /// [`crate::keys::Keys::code_hash`] of the code.
    pub hash: &'a str,
    /// Whose it is.
    pub user: &'a str,
    /// From which session: an unused code ends with it.
    pub session: &'a str,
    /// Until when a device must have come with it, unix milliseconds.
    pub use_by: i64,
}

/// A code that was taken back from whom it was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedCode {
    /// The consultation's id.
    pub consultation: String,
    /// The seat it opened.
    pub seat: u8,
    /// [`crate::keys::Keys::code_hash`] of it.
    pub hash: String,
    /// If the seat was held by it: the epoch that ended that.
    pub held: Option<i64>,
}

impl Store {
    /// Keeps a doctor's code. An earlier one of the same user for the same consultation that nobody has used dies.
    pub async fn add_doctors_code(&self, code: &NewDoctorsCode<'_>, now: i64) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        let sql = "UPDATE codes SET revoked_at = $1 WHERE consultation = $2 AND user_id = $3 AND used_by IS NULL AND revoked_at IS NULL";
        sqlx::query(sql).bind(now).bind(code.consultation).bind(code.user).execute(&mut *transaction).await?;
        let sql = "INSERT INTO codes (hash, consultation, seat, user_id, session_id, use_by) VALUES ($1, $2, $3, $4, $5, $6)";
        sqlx::query(sql)
            .bind(code.hash)
            .bind(code.consultation)
            .bind(i64::from(code.seat))
            .bind(code.user)
            .bind(code.session)
            .bind(code.use_by)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// Ties a doctor's code to the device that comes with it first; `false` where it is another's, too old, or its session has ended.
    /// Codes of other kinds are tied to nothing.
    pub async fn use_code(&self, hash: &str, device: &str, now: i64) -> Result<bool, sqlx::Error> {
        let sql = "UPDATE codes SET used_by = CASE WHEN use_by IS NULL THEN NULL ELSE $1 END WHERE hash = $2 AND revoked_at IS NULL AND \
             (use_by IS NULL OR used_by = $3 OR (used_by IS NULL AND use_by > $4 \
              AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = codes.session_id AND s.expires_at > $5)))";
        let done = sqlx::query(sql)
            .bind(device)
            .bind(hash)
            .bind(device)
            .bind(now)
            .bind(now)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// What has ended with a user's rights, for whoever has to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Doctors' codes.
    pub codes: Vec<EndedCode>,
    /// API tokens, by name.
    pub tokens: Vec<String>,
}

/// Ends the API tokens that a user made, and names them.
pub async fn end_tokens_of(
    transaction: &mut Transaction<'_, Any>,
    user: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let sql = "DELETE FROM api_tokens WHERE user_id = $1 RETURNING name";
    sqlx::query_scalar(sql).bind(user).fetch_all(&mut **transaction).await
}

/// Takes all codes of a user back, with the admission of each seat that is held by one. Within the transaction that ends the user's right to them.
pub async fn end_codes_of(
    transaction: &mut Transaction<'_, Any>,
    user: &str,
    now: i64,
) -> Result<Vec<EndedCode>, sqlx::Error> {
    let sql = "UPDATE codes SET revoked_at = $1 WHERE user_id = $2 AND revoked_at IS NULL RETURNING consultation, seat, hash";
    let rows = sqlx::query(sql).bind(now).bind(user).fetch_all(&mut **transaction).await?;
    let mut ended = rows.iter().map(ended_code).collect::<Result<Vec<_>, _>>()?;
    for code in &mut ended {
        let sql = "UPDATE seats SET claim = NULL, token_hash = NULL, previous_token_hash = NULL, admitted_at = NULL, code_hash = NULL, epoch = epoch + 1 \
             WHERE consultation = $1 AND code_hash = $2 RETURNING epoch";
        code.held = sqlx::query_scalar(sql)
            .bind(&code.consultation)
            .bind(&code.hash)
            .fetch_optional(&mut **transaction)
            .await?;
    }
    Ok(ended)
}

fn ended_code(row: &AnyRow) -> Result<EndedCode, sqlx::Error> {
    let seat: i64 = row.try_get("seat")?;
    let seat = u8::try_from(seat).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(EndedCode { consultation: row.try_get("consultation")?, seat, hash: row.try_get("hash")?, held: None })
}
