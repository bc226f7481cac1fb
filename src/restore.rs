//! `visavis restore FILE`: puts a backup back where no server runs. An honest restore looks like a roll-back to pages, so it leaves a mark (R57).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::access::rfc3339;
use crate::audit::note;
use crate::config::Config;
use crate::keys::KeyFile;
use crate::retention::RETENTION_DAYS;
use crate::secret_file;
use crate::start::{DataDir, Refusal, Secrets, no_store, open_store};
use crate::store::{Copied, Store, check_copy, file_url};

/// Put a backup back. No server may run on the data directory
#[derive(Debug, clap::Args)]
pub struct RestoreCommand {
    /// The backup, or - for standard input. None for PostgreSQL: put its dump back with its own tools first, and this makes it ready
    file: Option<PathBuf>,
    /// Replace the database that is there
    #[arg(long)]
    replace: bool,
}

/// Puts the backup back, and says what that means.
pub async fn put_back(command: RestoreCommand, config: &Config) -> Result<String, Refusal> {
    let data_dir = DataDir::open(&config.data_dir)?.ok_or_else(|| {
        Refusal(format!("A visavis runs on the directory {}. Stop it first.", config.data_dir.display()))
    })?;
    match (&config.database_url_file, &command.file) {
        (None, Some(file)) => put_file_back(file, command.replace, config).await,
        (None, None) => Err(Refusal("Name the backup: visavis restore FILE.".to_owned())),
        (Some(_), Some(_)) => Err(Refusal(
            "The database is PostgreSQL's: put its dump back with pg_restore or psql, then run visavis restore without a file.".to_owned(),
        )),
        (Some(_), None) => {
            let store = open_store(config, &data_dir).await?;
            let done = match Secrets::load(config, &store).await {
                Ok(_) => make_ready(&store, None).await.map_err(|error| no_store(config, &error)),
                Err(refusal) => Err(refusal),
            };
            store.close().await;
            done
        }
    }
}

async fn put_file_back(file: &Path, replace: bool, config: &Config) -> Result<String, Refusal> {
    let database = config.data_dir.join("visavis.db");
    if !replace && fs::metadata(&database).is_ok_and(|metadata| metadata.len() > 0) {
        return Err(Refusal(format!(
            "{} is there already, and what it holds would be gone. Restore into an empty directory, or say --replace.",
            database.display()
        )));
    }
    let draft = config.data_dir.join("visavis.db.restore");
    remove(&draft);
    let done = put_draft_back(file, &draft, &database, config).await;
    if done.is_err() {
        remove(&draft);
    }
    done
}

/// All is done on a draft beside; only a whole one takes the database's place.
async fn put_draft_back(
    file: &Path,
    draft: &Path,
    database: &Path,
    config: &Config,
) -> Result<String, Refusal> {
    let unwritable = |error: io::Error| {
        let mend = secret_file::mend(draft, &error);
        Refusal(format!("{} cannot be written ({error}). {mend}.", draft.display()))
    };
    let mut reader: Box<dyn io::Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let opened = File::open(file);
        Box::new(opened.map_err(|error| Refusal(format!("{} cannot be read: {error}.", file.display())))?)
    };
    let made = File::options().write(true).create_new(true).mode(secret_file::PRIVATE).open(draft);
    let mut written = made.map_err(unwritable)?;
    io::copy(&mut reader, &mut written).map_err(unwritable)?;
    let copied = check_copy(draft).await.map_err(|damage| {
        Refusal(format!(
            "{} cannot be put back: {damage}. Take another backup; nothing was changed.",
            file.display()
        ))
    })?;
    fits(&copied, config)?;
    let away = |error: sqlx::Error| no_store(config, &error);
    let store = Store::connect(&file_url(draft, "rw")).await.map_err(away)?;
    let ready = async {
        store.migrate().await?;
        make_ready(&store, copied.copied_at).await
    };
    let ready = ready.await;
    store.close().await;
    let said = ready.map_err(away)?;
    if beside(draft, "-wal").exists() {
        return Err(unwritable(io::Error::other("its log of changes could not be folded in")));
    }
    written.sync_all().map_err(unwritable)?;
    // A log of changes beside another database would damage it.
    for suffix in ["-wal", "-shm"] {
        match fs::remove_file(beside(database, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritable(error)),
            _ => {}
        }
    }
    secret_file::put_in_place(draft, database).map_err(unwritable)?;
    Ok(said)
}

/// The key at its place must be the backup's.
fn fits(copied: &Copied, config: &Config) -> Result<(), Refusal> {
    let path = config.key_path();
    let shown = path.display();
    let read = KeyFile::read(&path);
    let key = read.map_err(|error| Refusal(format!("The key {shown} cannot be read: {error}.")))?;
    let KeyFile::Whole(keys) = key else {
        return Err(Refusal(format!(
            "The key {shown} is missing or damaged, and without it the backup opens nothing. Put the key there that belongs to the backup; nothing was changed."
        )));
    };
    match &copied.key_check {
        Some(check) if *check != keys.check() => Err(Refusal(format!(
            "The key {shown} is not the one that the backup was made with: no code and no sign-in would work. Put the key there that belongs to it; nothing was changed."
        ))),
        Some(_) | None => Ok(()),
    }
}

/// What has reached the end of its time goes first; then the mark, and what a stolen or old session could do.
async fn make_ready(store: &Store, copied_at: Option<i64>) -> Result<String, sqlx::Error> {
    let now = Utc::now();
    store.delete_expired(RETENTION_DAYS, now.timestamp_millis()).await?;
    store.mark_restored(now.timestamp_millis()).await?;
    for practice in store.practices().await? {
        note(store, &practice.id, "-", "restored", "").await;
    }
    let (consultations, practices) = store.counts().await?;
    let since =
        copied_at.and_then(DateTime::from_timestamp_millis).map_or_else(|| "it was made".to_owned(), rfc3339);
    Ok(format!(
        "Put back: {consultations} consultations, {practices} practices. All are signed out.\n\
         Not in it is what came after the backup ({since}): repeat withdrawals of people, workplaces, codes and tokens since then.\n"
    ))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove(draft: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(beside(draft, suffix));
    }
}
