//! The data directory: one process at a time, for its owner only, known to the database by an id.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Refusal, refuse};
use crate::secret_file;

/// The data directory, held by this process alone.
pub(crate) struct DataDir {
    path: PathBuf,
    /// Its id, if a server on it has ever opened a database.
    id: Option<String>,
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is missing and locks it; `None` where another process holds it.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, Refusal> {
        let unusable = |path: &Path, error: &io::Error| {
            let what = format!("{} cannot be written ({error})", path.display());
            refuse(format!(
                "{what}. {}, or choose another directory with --data-dir.",
                secret_file::mend(path, error)
            ))
        };
        make_directory(path).map_err(|error| unusable(path, &error))?;
        let lock_path = path.join("visavis.lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(secret_file::PRIVATE)
            .open(&lock_path)
            .map_err(|error| unusable(&lock_path, &error))?;
        secret_file::make_private(&lock_path);
        match lock.try_lock() {
            Ok(()) => {
                let id_path = id_path(path);
                let id = secret_file::read(&id_path).map_err(|error| unusable(&id_path, &error))?;
                Ok(Some(Self { path: path.to_owned(), id, _lock: lock }))
            }
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(unusable(&lock_path, &error)),
        }
    }

    /// By what the database knows it, if it does.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Where the id stands.
    pub(super) fn id_path(&self) -> PathBuf {
        id_path(&self.path)
    }

    /// Keeps the id that the database knows by now.
    pub(super) fn keep_id(&self, id: &str) -> Result<(), Refusal> {
        let path = self.id_path();
        secret_file::write(&path, id.as_bytes()).map_err(|error| {
            let mend = secret_file::mend(&path, &error);
            refuse(format!("{} cannot be written ({error}). {mend}.", path.display()))
        })
    }
}

fn id_path(directory: &Path) -> PathBuf {
    directory.join("directory-id")
}

fn make_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        let mode = format!("{mode:04o}");
        tracing::warn!(directory = %path.display(), mode, "others on this machine may replace what is in the data directory: set its mode to 0700");
    }
    Ok(())
}
