//! The database: opened, known again, held by one server at a time; and why not, in one sentence.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::MigrateError;

use super::data_dir::DataDir;
use super::{Refusal, refuse};
use crate::config::Config;
use crate::keys::random_128;
use crate::store::{Failure, Lease, Store, Tenant};
use crate::{disk, secret_file};

/// The store that the configuration names, held by this data directory's server alone, its tables up to date.
pub(crate) async fn open_store(config: &Config, data_dir: &DataDir) -> Result<Store, Refusal> {
    let opened = match &config.database_url_file {
        None => {
            keep_database_private(&config.data_dir)?;
            Store::connect_embedded(&config.data_dir).await
        }
        Some(path) => {
            let url = fs::read_to_string(path)
                .map_err(|error| refuse(format!("The file {} cannot be read: {error}.", path.display())))?;
            Store::connect(url.trim()).await
        }
    };
    let store = opened.map_err(|error| no_store(config, &error))?;
    match hold(&store, config, data_dir).await {
        Ok(()) => Ok(store),
        Err(refusal) => {
            store.close().await;
            Err(refusal)
        }
    }
}

/// Takes the lease before the tables change: another server may be at work on them.
async fn hold(store: &Store, config: &Config, data_dir: &DataDir) -> Result<(), Refusal> {
    let away = |error: sqlx::Error| no_store(config, &error);
    let directory = data_dir.id().map_or_else(random_128, str::to_owned);
    let tenant = Tenant { directory, run: random_128() };
    let mut lease = store.take_lease(&tenant).await.map_err(away)?;
    if let Lease::Held(left) = lease {
        return Err(held(left));
    }
    store.migrate().await.map_err(away)?;
    if lease == Lease::Never {
        let is_filled = store.is_filled().await.map_err(away)?;
        if data_dir.id().is_some() && !is_filled {
            return Err(lost_database(config, data_dir));
        }
        lease = store.take_first_lease(&tenant).await.map_err(away)?;
    }
    if let Lease::Held(left) = lease {
        return Err(held(left));
    }
    if data_dir.id().is_none() {
        data_dir.keep_id(&tenant.directory)?;
    }
    Ok(())
}

fn held(left: Duration) -> Refusal {
    let seconds = left.as_secs() + 1;
    refuse(format!(
        "Another visavis, on another data directory, uses this database, and patients of one would never meet doctors of the other. Stop it, or wait {seconds} s if it has crashed."
    ))
}

/// A directory that has served before, and a database that nobody has ever used.
fn lost_database(config: &Config, data_dir: &DataDir) -> Refusal {
    let id_path = data_dir.id_path();
    let (what, mend) = match &config.database_url_file {
        None => (
            format!("{}/visavis.db is missing or empty", config.data_dir.display()),
            "Put it back from a backup".to_owned(),
        ),
        Some(file) => (
            format!("The database that {} names is empty", file.display()),
            "Correct the file, or put the database back from a backup".to_owned(),
        ),
    };
    refuse(format!(
        "{what}, though this data directory has served before. {mend}; to begin with nothing, delete {}.",
        id_path.display()
    ))
}

/// SQLite makes its files with the rights that the database has, and the database with those that the system leaves.
fn keep_database_private(data_dir: &Path) -> Result<(), Refusal> {
    let path = data_dir.join("visavis.db");
    let made = File::options().create(true).append(true).mode(secret_file::PRIVATE).open(&path);
    made.map_err(|error| {
        let mend = secret_file::mend(&path, &error);
        refuse(format!("The database {} does not open ({error}). {mend}.", path.display()))
    })?;
    for file in ["visavis.db", "visavis.db-wal", "visavis.db-shm"] {
        secret_file::make_private(&data_dir.join(file));
    }
    Ok(())
}

/// Why the store cannot be used, and what to do. A backup is named only where the database itself is damaged.
pub(crate) fn no_store(config: &Config, error: &sqlx::Error) -> Refusal {
    if let sqlx::Error::Migrate(error) = error
        && let MigrateError::VersionMissing(_) = **error
    {
        return refuse(format!(
            "A newer visavis has used this database; this one ({}) is older and does not know it. Install the newer one again.",
            env!("CARGO_PKG_VERSION")
        ));
    }
    let said = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    };
    if let Some(file) = &config.database_url_file {
        let mend = match Failure::of(error) {
            Failure::Full => "Make room on PostgreSQL's disk".to_owned(),
            _ => format!("Look whether PostgreSQL runs and whether the URL in {} is right", file.display()),
        };
        return refuse(format!("The database does not open: {said}. {mend}."));
    }
    let directory = config.data_dir.display();
    let is_full = disk::is_full(&config.data_dir);
    let mend = match Failure::of(error) {
        Failure::Full => format!("Make room in {directory}; nothing is lost"),
        Failure::Disk | Failure::Permission if is_full => {
            format!("Make room in {directory}; nothing is lost")
        }
        Failure::Disk => format!("Look at the disk under {directory}, and into the system's log"),
        Failure::Permission => {
            format!(
                "Make {directory} and the files visavis.db* in it writable for the user that visavis runs as"
            )
        }
        Failure::Damaged => format!("Put visavis.db in {directory} back from a backup"),
        Failure::Busy => format!("Another program holds visavis.db in {directory}: close it"),
        Failure::Away => "Start again with --log debug, and report it if that does not help".to_owned(),
    };
    refuse(format!("The database does not open: {said}. {mend}."))
}
