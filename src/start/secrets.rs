//! Keys and tokens, and whether the key is the one that the database was made with.

use std::io;
use std::path::Path;

use super::database::no_store;
use super::{Refusal, refuse};
use crate::config::Config;
use crate::keys::{KeyFile, Keys, read_or_make};
use crate::secret_file;
use crate::store::Store;

/// Keys and tokens of this server.
pub(crate) struct Secrets {
    pub(crate) keys: Keys,
    pub(crate) operator_token: String,
}

impl Secrets {
    /// The secrets that belong to the store. What is missing is made, except the key to what the store already holds.
    pub(crate) async fn load(config: &Config, store: &Store) -> Result<Self, Refusal> {
        let (key_path, token_path) = (config.key_path(), config.operator_token_path());
        let keys = keys(config, store, &key_path).await?;
        let operator_token = read_or_make(&token_path).map_err(|error| unusable(&token_path, &error))?;
        if operator_token.len() < 22 {
            return Err(refuse(format!(
                "The operator's token in {} is shorter than 22 characters. Delete the file, and the next start makes a new one.",
                token_path.display()
            )));
        }
        secret_file::warn_if_open(&key_path);
        secret_file::warn_if_open(&token_path);
        Ok(Self { keys, operator_token })
    }
}

/// The key in its file, held against what the database keeps of it. A database that holds nothing takes any key.
async fn keys(config: &Config, store: &Store, path: &Path) -> Result<Keys, Refusal> {
    let away = |error: sqlx::Error| no_store(config, &error);
    let file = KeyFile::read(path).map_err(|error| unusable(path, &error))?;
    let is_filled = store.is_filled().await.map_err(away)?;
    let kept = store.key_check().await.map_err(away)?;
    let shown = path.display();
    let keys = match file {
        KeyFile::Whole(keys) if is_filled && kept.as_ref().is_some_and(|kept| *kept != keys.check()) => {
            return Err(refuse(format!(
                "The key {shown} is not the one that the database was made with: no code and no sign-in would work. Put the key back that belongs to the database, or name the database that belongs to this key."
            )));
        }
        KeyFile::Whole(keys) => keys,
        KeyFile::Unfinished | KeyFile::Damaged if is_filled => {
            return Err(refuse(format!(
                "The key {shown} is missing or damaged, and only it opens the codes and sign-ins that the database holds. Put it back from where you keep it; without it start in an empty directory, with an empty database."
            )));
        }
        KeyFile::Unfinished => Keys::make(path).map_err(|error| unusable(path, &error))?,
        KeyFile::Damaged => {
            return Err(refuse(format!(
                "The key {shown} does not hold 43 base64url characters. The database holds nothing yet: delete the file, and the next start makes a new key."
            )));
        }
    };
    let check = keys.check();
    if kept.as_ref() != Some(&check) {
        store.keep_key_check(&check).await.map_err(away)?;
    }
    Ok(keys)
}

fn unusable(path: &Path, error: &io::Error) -> Refusal {
    let mend = secret_file::mend(path, error);
    refuse(format!("The secret file {} cannot be used ({error}). {mend}.", path.display()))
}
