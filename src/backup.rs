//! `visavis backup FILE`: a consistent, checked copy of the embedded database, made while the server runs and written by whoever asks (R57).

use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::Method;
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio_util::io::ReaderStream;

use crate::App;
use crate::config::Config;
use crate::error::Error;
use crate::local::{Door, send};
use crate::secret_file;
use crate::start::Refusal;
use crate::store::{Damage, Store, check_copy};

/// Copies on their way out begin like this; a killed process leaves them behind.
const PREFIX: &str = "backup-copy-";
/// For standard output.
const STDOUT: &str = "-";

/// Keep what the database holds, while the server runs
#[derive(Debug, clap::Args)]
pub struct BackupCommand {
    /// Where to write the copy, mode 0600; an older one there is replaced once the new one is whole. - for standard output
    file: PathBuf,
    /// Keep the key, too, as FILE.key: whoever has both can try passwords. Better keep it apart
    #[arg(long)]
    with_key: bool,
}

/// Writes the backup, and says what was written.
pub async fn back_up(command: BackupCommand, config: &Config) -> Result<String, Refusal> {
    if config.database_url_file.is_some() {
        return Err(Refusal("The database is PostgreSQL's: keep it with pg_dump, and the file key apart (docs/operating.md, “Backup”).".to_owned()));
    }
    let to_stdout = command.file == Path::new(STDOUT);
    if to_stdout && (command.with_key || io::stdout().is_terminal()) {
        return Err(Refusal("Standard output takes the database alone, and not on a terminal: send it to a file or a program, without --with-key.".to_owned()));
    }
    let door = Door::open(config).await?;
    if to_stdout {
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        let stdout = stdout.map_err(|error| unwritable(&command.file, &error))?;
        let written = write_copy(door, config, &mut File::from_std(stdout.into())).await;
        return written.map(|_| String::new());
    }
    let mut draft = OsString::from(&command.file);
    draft.push(".new");
    let draft = Path::new(&draft);
    let done = keep(door, config, draft, &command.file).await;
    if done.is_err() {
        let _ = fs::remove_file(draft);
    }
    let bytes = done?;
    let mut said = format!("{} holds the database, {bytes} bytes, checked.\n", command.file.display());
    if command.with_key {
        let mut key_file = OsString::from(&command.file);
        key_file.push(".key");
        let key_file = Path::new(&key_file);
        let key = fs::read(config.key_path()).map_err(|error| unwritable(&config.key_path(), &error))?;
        secret_file::write(key_file, &key).map_err(|error| unwritable(key_file, &error))?;
        said.push_str(&format!("{} holds the key: keep it apart.\n", key_file.display()));
    }
    Ok(said)
}

/// Beside first, so that a backup that fails leaves the one before as it was.
async fn keep(door: Door, config: &Config, draft: &Path, file: &Path) -> Result<u64, Refusal> {
    let failed = |error: io::Error| unwritable(file, &error);
    let _ = fs::remove_file(draft);
    let made = File::options().write(true).create_new(true).mode(secret_file::PRIVATE).open(draft).await;
    let mut written = made.map_err(failed)?;
    let bytes = write_copy(door, config, &mut written).await?;
    written.sync_all().await.map_err(failed)?;
    secret_file::put_in_place(draft, file).map_err(failed)?;
    Ok(bytes)
}

fn unwritable(path: &Path, error: &io::Error) -> Refusal {
    Refusal(format!("{} cannot be written ({error}). {}.", path.display(), secret_file::mend(path, error)))
}

async fn write_copy(door: Door, config: &Config, to: &mut (impl AsyncWrite + Unpin)) -> Result<u64, Refusal> {
    let broken =
        |error: &dyn std::fmt::Display| Refusal(format!("The backup is not whole ({error}). Try again."));
    match door {
        Door::Server(stream) => {
            let answer = send(stream, Method::GET, "/api/backup", None).await?;
            let mut body = answer.into_body();
            let mut bytes = 0;
            // The length was announced: a body that ends early is an error.
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| broken(&error))?;
                let Some(data) = frame.data_ref() else { continue };
                to.write_all(data).await.map_err(|error| broken(&error))?;
                bytes += data.len() as u64;
            }
            to.flush().await.map_err(|error| broken(&error))?;
            Ok(bytes)
        }
        Door::Store { store, .. } => {
            let copied = copy(&store, &config.data_dir).await;
            store.close().await;
            let copy = copied.map_err(|error| Refusal(error.to_string()))?;
            let mut file = File::open(copy.path()).await.map_err(|error| broken(&error))?;
            let bytes = tokio::io::copy(&mut file, to).await.map_err(|error| broken(&error))?;
            to.flush().await.map_err(|error| broken(&error))?;
            Ok(bytes)
        }
    }
}

/// `GET /api/backup` on the Unix socket: the copy.
pub async fn answer(State(app): State<Arc<App>>) -> Result<Response, Error> {
    let copy = copy(&app.store, &app.config.data_dir).await?;
    let file = File::open(copy.path()).await.map_err(store_error)?;
    let bytes = file.metadata().await.map_err(store_error)?.len();
    // The open file outlives its name.
    drop(copy);
    let headers = [
        (header::CONTENT_LENGTH, bytes.to_string()),
        (header::CONTENT_TYPE, "application/vnd.sqlite3".to_owned()),
    ];
    Ok((StatusCode::OK, headers, Body::from_stream(ReaderStream::new(file))).into_response())
}

/// A copy in a file of its own in the data directory, gone with what is returned.
async fn copy(store: &Store, data_dir: &Path) -> Result<NamedTempFile, Error> {
    let file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(data_dir).map_err(store_error)?;
    store.copy_into(file.path()).await?;
    match check_copy(file.path()).await {
        Ok(_) => Ok(file),
        Err(Damage::Store(error)) => Err(error.into()),
        Err(damage) => Err(Error::Store(sqlx::Error::Protocol(damage.to_string()))),
    }
}

fn store_error(error: io::Error) -> Error {
    Error::Store(sqlx::Error::Io(error))
}

/// Removes what a killed process left of its copies: they hold what the database holds.
pub fn sweep(data_dir: &Path) {
    let Ok(entries) = fs::read_dir(data_dir) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
