//! The practice's key in its versions: who holds it, and how a withdrawal changes it.

use sqlx::{Any, FromRow, Transaction};

use super::codes::{end_codes_of, end_tokens_of};
use super::{Ended, Store};

/// The practice's key in one version, sealed for one holder.
#[derive(Debug, Clone, FromRow, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyFor {
    /// From 1.
    #[schema(minimum = 1)]
    pub version: i64,
    /// Ciphertext of a browser's making.
    #[schema(max_length = 512)]
    pub wrapped: String,
}

/// A version sealed for a named holder.
#[derive(Debug, Clone, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The user's or the workplace's id.
    pub id: String,
    /// Ciphertext of a browser's making.
    #[schema(max_length = 512)]
    pub wrapped: String,
}

/// A new version of the practice's key, sealed for exactly all who stay.
#[derive(Debug, Clone, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// One more than the practice's newest.
    #[schema(minimum = 2)]
    pub version: i64,
    /// All users who stay.
    pub users: Vec<Sealed>,
    /// All released workplaces that stay.
    pub workplaces: Vec<Sealed>,
}

/// The one place that lets a practice's members, workplaces and key versions change: whoever holds the row comes first (PostgreSQL), the
/// others read what it left. `None` where the practice is gone.
pub(super) async fn lock(
    transaction: &mut Transaction<'_, Any>,
    practice: &str,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query("UPDATE practices SET key_version = key_version WHERE id = $1")
        .bind(practice)
        .execute(&mut **transaction)
        .await?;
    sqlx::query_scalar("SELECT key_version FROM practices WHERE id = $1")
        .bind(practice)
        .fetch_optional(&mut **transaction)
        .await
}

impl Store {
    /// The versions of the practice's key that a user holds.
    pub async fn user_keys(&self, user: &str) -> Result<Vec<KeyFor>, sqlx::Error> {
        sqlx::query_as("SELECT version, wrapped FROM user_keys WHERE user_id = $1 ORDER BY version")
            .bind(user)
            .fetch_all(&self.pool)
            .await
    }

    /// Which versions of the practice's key its users or workplaces hold, as (holder, version).
    pub async fn versions_held(
        &self,
        practice: &str,
        holder: Holder,
    ) -> Result<Vec<(String, i64)>, sqlx::Error> {
        let sql = match holder {
            Holder::User => {
                "SELECT k.user_id, k.version FROM user_keys k JOIN users h ON h.id = k.user_id WHERE h.practice = $1 ORDER BY k.version"
            }
            Holder::Workplace => {
                "SELECT k.workplace_id, k.version FROM workplace_keys k JOIN workplaces h ON h.id = k.workplace_id WHERE h.practice = $1 ORDER BY k.version"
            }
        };
        sqlx::query_as(sql).bind(practice).fetch_all(&self.pool).await
    }

    /// Adds versions that a user does not hold yet.
    pub async fn add_user_keys(&self, user: &str, keys: &[KeyFor]) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        write_keys(&mut transaction, Holder::User, user, keys).await?;
        transaction.commit().await
    }

    /// Takes a user or a workplace out and puts a new version of the practice's key in the hands of all who stay. All is judged where
    /// nobody else changes the practice meanwhile.
    pub async fn withdraw(
        &self,
        practice: &str,
        holder: Holder,
        id: &str,
        rotation: &Rotation,
        now: i64,
    ) -> Result<Withdrawal, sqlx::Error> {
        let mut transaction = self.begin().await?;
        let Some(version) = lock(&mut transaction, practice).await? else {
            return Ok(Withdrawal::OtherRecipients);
        };
        let sql = format!("DELETE FROM {} WHERE practice = $1 AND id = $2", holder.table());
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(practice).bind(id).execute(&mut *transaction).await?;
        if holder == Holder::User && !has_admin(&mut transaction, practice).await? {
            return Ok(Withdrawal::LastAdmin);
        }
        let mut users: Vec<String> = sqlx::query_scalar("SELECT id FROM users WHERE practice = $1")
            .bind(practice)
            .fetch_all(&mut *transaction)
            .await?;
        let mut workplaces: Vec<String> =
            sqlx::query_scalar("SELECT id FROM workplaces WHERE practice = $1 AND released_at IS NOT NULL")
                .bind(practice)
                .fetch_all(&mut *transaction)
                .await?;
        let exact = rotation.version == version + 1
            && same(&mut users, &rotation.users)
            && same(&mut workplaces, &rotation.workplaces);
        if !exact {
            return Ok(Withdrawal::OtherRecipients);
        }
        sqlx::query("UPDATE practices SET key_version = $1 WHERE id = $2")
            .bind(rotation.version)
            .bind(practice)
            .execute(&mut *transaction)
            .await?;
        for (holder, sealed) in [(Holder::User, &rotation.users), (Holder::Workplace, &rotation.workplaces)] {
            for Sealed { id, wrapped } in sealed {
                let key = KeyFor { version: rotation.version, wrapped: wrapped.clone() };
                write_keys(&mut transaction, holder, id, &[key]).await?;
            }
        }
        let ended = match holder {
            Holder::User => Ended {
                codes: end_codes_of(&mut transaction, id, now).await?,
                tokens: end_tokens_of(&mut transaction, id).await?,
            },
            Holder::Workplace => Ended::default(),
        };
        transaction.commit().await?;
        Ok(Withdrawal::Done(ended))
    }
}

/// What became of a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withdrawal {
    /// It is done, and this has ended with it.
    Done(Ended),
    /// Nothing happened: nobody would keep people, workplaces and settings.
    LastAdmin,
    /// Nothing happened: the recipients are not exactly all who stay, or the version is not the next.
    OtherRecipients,
}

async fn has_admin(transaction: &mut Transaction<'_, Any>, practice: &str) -> Result<bool, sqlx::Error> {
    let sql = "SELECT id FROM users WHERE practice = $1 AND role IN ('admin', 'head') LIMIT 1";
    Ok(sqlx::query(sql).bind(practice).fetch_optional(&mut **transaction).await?.is_some())
}

/// Who holds versions of the practice's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A user.
    User,
    /// A released workplace.
    Workplace,
}

impl Holder {
    const fn table(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Workplace => "workplaces",
        }
    }
}

/// Writes versions for a holder; those that it holds already stay as they are.
pub(super) async fn write_keys(
    transaction: &mut Transaction<'_, Any>,
    holder: Holder,
    id: &str,
    keys: &[KeyFor],
) -> Result<(), sqlx::Error> {
    let (table, column) = match holder {
        Holder::User => ("user_keys", "user_id"),
        Holder::Workplace => ("workplace_keys", "workplace_id"),
    };
    for key in keys {
        let sql = format!(
            "INSERT INTO {table} ({column}, version, wrapped) VALUES ($1, $2, $3) ON CONFLICT ({column}, version) DO NOTHING"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .bind(key.version)
            .bind(&key.wrapped)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

fn same(ids: &mut [String], sealed: &[Sealed]) -> bool {
    let mut named: Vec<&str> = sealed.iter().map(|sealed| sealed.id.as_str()).collect();
    named.sort_unstable();
    ids.sort_unstable();
    ids.iter().map(String::as_str).eq(named)
}
