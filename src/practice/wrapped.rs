//! The practice's key as it comes from a page, sealed for its holders: bounded, since nothing here can open it.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::error::Error;
use crate::fields::opaque;
use crate::store::{KeyFor, Rotation};

/// A wrapped key or private half.
pub const WRAPPED_CHARACTERS: usize = 512;
/// Versions of the practice's key.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Each sealed for the holder.
    pub keys: Vec<KeyFor>,
}

/// The rotation does not fit who stays.
pub fn recipients() -> Error {
    Error::Conflict(
        "recipients",
        "People, workplaces or the key have changed meanwhile. Load them anew and try again.",
    )
}

/// Bounds of a rotation.
pub fn check_rotation(rotation: &Rotation) -> Result<(), Error> {
    for sealed in rotation.users.iter().chain(&rotation.workplaces) {
        opaque("wrapped", &sealed.wrapped, WRAPPED_CHARACTERS)?;
    }
    Ok(())
}

/// Bounds of keys, and that the versions exist, each once: a practice has as many as there were withdrawals.
pub fn check_keys(keys: &[KeyFor], newest: i64) -> Result<(), Error> {
    let versions: BTreeSet<i64> = keys.iter().map(|key| key.version).collect();
    if versions.len() < keys.len() || versions.iter().any(|version| !(1..=newest).contains(version)) {
        return Err(Error::Invalid(format!("keys: versions from 1 to {newest}, each once.")));
    }
    keys.iter().try_for_each(|key| opaque("wrapped", &key.wrapped, WRAPPED_CHARACTERS))
}
