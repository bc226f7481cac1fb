//! From a configuration to a running server. Whatever stands in the way ends in one sentence that names the mend (R55).

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use url::{Host, Url};

use crate::config::{Config, is_secure_context};
use crate::consultation::{Issued, NewConsultation, Planner};
use crate::ice::{self, TlsEnd};
use crate::invitation::Mailer;
use crate::keys::{KeyFile, Keys, read_or_make};
use crate::listener::{self, Entrance};
use crate::ports::Ports;
use crate::store::{Failure, Store};
use crate::tls::Tls;
use crate::{App, disk, http, operator, retention, secret_file};

/// A start that cannot be: one sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// Keys and tokens of this server.
pub(crate) struct Secrets {
    pub(crate) keys: Keys,
    pub(crate) operator_token: String,
}

/// The data directory, held by this process alone.
pub(crate) struct DataDir {
    _lock: File,
}

/// A server that serves.
pub struct Running {
    app: Arc<App>,
    servers: Vec<tokio::task::JoinHandle<()>>,
    _data_dir: DataDir,
}

/// Opens everything and begins to serve.
pub async fn start(config: Config) -> Result<Running, Refusal> {
    let data_dir = DataDir::open(&config.data_dir)?.ok_or_else(|| {
        refuse(format!(
            "Another visavis uses the directory {}. Stop it, or choose another with --data-dir.",
            config.data_dir.display()
        ))
    })?;
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the number of open connections stays as the system limits it");
    }
    let tls = load_tls(&config)?;
    let mailer = Mailer::from_config(&config).map_err(refuse)?;
    let ports = Ports::bind(config.listen, config.turn_listen, config.workers())?;
    let address = ports.address;
    let store = open_store(&config).await?;
    let secrets = Secrets::load(&config, &store).await?;
    if config.database_url_file.is_none() {
        store.release_all().await.map_err(|error| no_store(&config, &error))?;
    }
    let settings = visavis_turn::Settings::new("visavis", &secrets.keys.relay_secret());
    let relay = visavis_turn::Relay::start(settings, ports.relay)
        .map_err(|error| refuse(format!("The relay does not start: {error}.")))?;
    let public_url = config.public_url(address.port());
    warn_about(&config, &public_url, address, tls.as_ref());
    let tls_end = if tls.is_some() { TlsEnd::Here } else { TlsEnd::Elsewhere };
    let relay_urls =
        ice::relay_urls(&public_url, tls_end, address.port(), ports.turn_address.map(|turn| turn.port()));
    let app = crate::app(config, public_url, secrets, store, relay, relay_urls, mailer);
    let local = listen_locally(&app.config)?;
    let entrance = match &tls {
        None => Entrance { plain: http::router(&app), tls: None },
        Some(tls) => Entrance {
            plain: http::plain_router(&app),
            tls: Some((Arc::clone(&tls.config), http::router(&app))),
        },
    };
    let mut servers = vec![
        tokio::spawn(listener::serve_tcp(Arc::clone(&app), ports.pages, entrance)),
        tokio::spawn(listener::serve_unix(Arc::clone(&app), local, http::local_router(&app))),
        tokio::spawn(retention::run(Arc::clone(&app))),
    ];
    if let Some(tls) = tls {
        let stop = app.stop.clone();
        servers.push(tokio::spawn(async move { tls.keep_current(&stop).await }));
    }
    tracing::info!(%address, public_url = %app.public_url, "serving");
    Ok(Running { app, servers, _data_dir: data_dir })
}

impl Running {
    /// The address people open.
    pub fn public_url(&self) -> &Url {
        &self.app.public_url
    }

    /// A consultation that starts now, for `--demo`: doctor's link and patient's link.
    pub async fn demo_links(&self) -> Result<(String, String), Refusal> {
        let app = &self.app;
        let planner = Planner::of_operator(&app.store, &app.keys, &app.config, &app.public_url);
        let issued = planner.create(&NewConsultation::now()).await;
        let Issued { seats, .. } = issued.map_err(|error| refuse(error.to_string()))?;
        match seats.as_slice() {
            [doctor, patient] => Ok((doctor.link.clone(), patient.link.clone())),
            _ => Err(refuse("The demo's consultation has no two seats.".to_owned())),
        }
    }

    /// A one-time link to set the first practice up, as long as there is none.
    pub async fn set_up_link(&self) -> Result<Option<String>, Refusal> {
        let app = &self.app;
        let link = async {
            if app.store.has_practice().await? {
                return Ok(None);
            }
            let link = operator::one_time_link(&app.store, &app.public_url, "first", None).await?;
            Ok(Some(link))
        };
        link.await.map_err(|error: sqlx::Error| no_store(&app.config, &error))
    }

    /// Says "come back soon" to every page, finishes what runs, and closes the store. Calls on a direct path go on.
    pub async fn stop(self) {
        self.app.stop.cancel();
        for server in self.servers {
            let _ = server.await;
        }
        self.app.sockets.close();
        if tokio::time::timeout(Duration::from_secs(5), self.app.sockets.wait()).await.is_err() {
            tracing::warn!("some pages did not take their farewell within 5 s");
        }
        self.app.relay.shutdown();
        self.app.store.close().await;
        let _ = fs::remove_file(self.app.config.socket_path());
    }
}

impl DataDir {
    /// Makes the directory if it is missing and locks it; `None` where another process holds it.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, Refusal> {
        let unusable = |path: &Path, error: &io::Error| {
            let what = format!("{} cannot be written ({error})", path.display());
            refuse(format!("{what}. {}, or choose another directory with --data-dir.", secret_file::mend(path, error)))
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
            Ok(()) => Ok(Some(Self { _lock: lock })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(unusable(&lock_path, &error)),
        }
    }
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

impl Secrets {
    /// The secrets that belong to the store. What is missing is made, except the key to what the store already holds.
    pub(crate) async fn load(config: &Config, store: &Store) -> Result<Self, Refusal> {
        let unusable = |path: &Path, error: &io::Error| {
            let mend = secret_file::mend(path, error);
            refuse(format!("The secret file {} cannot be used ({error}). {mend}.", path.display()))
        };
        let (key_path, token_path) = (config.key_path(), config.operator_token_path());
        let file = KeyFile::read(&key_path).map_err(|error| unusable(&key_path, &error))?;
        let is_filled = store.is_filled().await.map_err(|error| no_store(config, &error))?;
        let shown = key_path.display();
        let keys = match file {
            KeyFile::Whole(keys) => keys,
            KeyFile::Unfinished | KeyFile::Damaged if is_filled => {
                return Err(refuse(format!(
                    "The key {shown} is missing or damaged, and only it opens the codes and sign-ins that the database holds. Put it back from where you keep it; without it start in an empty directory, with an empty database."
                )));
            }
            KeyFile::Unfinished => Keys::make(&key_path).map_err(|error| unusable(&key_path, &error))?,
            KeyFile::Damaged => {
                return Err(refuse(format!(
                    "The key {shown} does not hold 43 base64url characters. The database holds nothing yet: delete the file, and the next start makes a new key."
                )));
            }
        };
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

/// The store that the configuration names.
pub(crate) async fn open_store(config: &Config) -> Result<Store, Refusal> {
    let opened = match &config.database_url_file {
        None => {
            keep_database_private(&config.data_dir)?;
            Store::open_embedded(&config.data_dir).await
        }
        Some(path) => {
            let url = fs::read_to_string(path)
                .map_err(|error| refuse(format!("The file {} cannot be read: {error}.", path.display())))?;
            Store::open(url.trim()).await
        }
    };
    opened.map_err(|error| no_store(config, &error))
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
fn no_store(config: &Config, error: &sqlx::Error) -> Refusal {
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
        Failure::Disk | Failure::Permission if is_full => format!("Make room in {directory}; nothing is lost"),
        Failure::Disk => format!("Look at the disk under {directory}, and into the system's log"),
        Failure::Permission => {
            format!("Make {directory} and the files visavis.db* in it writable for the user that visavis runs as")
        }
        Failure::Damaged => format!("Put visavis.db in {directory} back from a backup"),
        Failure::Busy => format!("Another program holds visavis.db in {directory}: close it"),
        Failure::Away => "Start again with --log debug, and report it if that does not help".to_owned(),
    };
    refuse(format!("The database does not open: {said}. {mend}."))
}

/// The command line's door: whoever may open the socket's file is the operator.
fn listen_locally(config: &Config) -> Result<UnixListener, Refusal> {
    let path = config.socket_path();
    // The directory is locked: whatever lies here is left over from a process that died.
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).and_then(|listener| {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map(|()| listener)
    });
    listener.map_err(|error| {
        refuse(format!(
            "The socket {} cannot be made ({error}). Choose a shorter path on a local disk with --data-dir.",
            path.display()
        ))
    })
}

/// TLS as configured. The host of the public URL does not depend on the port in use.
fn load_tls(config: &Config) -> Result<Option<Tls>, Refusal> {
    let source = config.certificate_source().map_err(refuse)?;
    let public_url = config.public_url(config.listen.port());
    let host = public_url.host().expect("a public URL has a host");
    Tls::load(&source, &config.data_dir, &host).map_err(|error| refuse(error.to_string()))
}

fn warn_about(config: &Config, public_url: &Url, address: SocketAddr, tls: Option<&Tls>) {
    if !is_secure_context(public_url) {
        tracing::warn!(%public_url, "browsers give no camera to pages without HTTPS: set --public-url https://…, and name a certificate with --certificate and --certificate-key or put a proxy with one in front");
    }
    let Some(tls) = tls else {
        if !address.ip().is_loopback() && config.trusted_proxies.is_empty() {
            tracing::warn!(%address, "plain HTTP beyond this machine: name a certificate with --certificate and --certificate-key, or put a proxy with TLS in front and name its network with --trusted-proxies");
        }
        return;
    };
    let host = public_url.host().expect("a public URL has a host");
    if config.self_made_certificate {
        tracing::warn!(
            "browsers warn of the self-made certificate; whoever clicks the warning away gets pages and camera, but no TURN over TLS. For more than a first try name a certificate with --certificate and --certificate-key"
        );
    } else if !tls.covers(&host) {
        tracing::warn!(%host, "the certificate does not name the public URL's host: browsers will warn of it. Have it issued for this name, or correct --public-url");
    }
    if !matches!(host, Host::Domain(_)) {
        tracing::warn!(%host, "the public URL holds an address instead of a name: Firefox then ignores TURN over TLS");
    }
}

pub(crate) fn refuse(sentence: String) -> Refusal {
    Refusal(sentence)
}
