//! The one-time link for the first practice: to a terminal, or into a file that only its owner reads; never to where output is kept (R34).

use std::fs;
use std::io::{self, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};

use crate::secret_file;

/// Beside the other secrets, until it is used.
fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("set-up-link")
}

/// Gives the link to whoever started the server, and answers what standard output says of it.
pub fn hand_out(data_dir: &Path, link: &str) -> io::Result<String> {
    if io::stdout().is_terminal() {
        forget(data_dir);
        return Ok(format!("Set up the first practice, once and within a day: {link}\n"));
    }
    let file = file(data_dir);
    secret_file::write(&file, format!("{link}\n").as_bytes())?;
    Ok(format!("Set up the first practice, once and within a day, with the link in {}\n", file.display()))
}

/// It was used, or there is a practice already.
pub fn forget(data_dir: &Path) {
    let file = file(data_dir);
    if let Err(error) = fs::remove_file(&file)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(file = %file.display(), %error, "the used set-up link cannot be deleted");
    }
}
