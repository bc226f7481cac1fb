//! From a configuration to a running server. Whatever stands in the way ends in one sentence that names the mend (R55).

mod data_dir;
mod database;
mod secrets;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use url::{Host, Url};

use crate::client::{Proxies, shared};
use crate::config::{Config, is_secure_context};
use crate::consultation::{Issued, NewConsultation, Planner};
use crate::health::Watched;
use crate::ice::{self, TlsEnd};
use crate::invitation::Mailer;
use crate::listener::room::Room;
use crate::listener::{self, Entrance};
use crate::ports::Ports;
use crate::tls::Tls;
use crate::{App, backup, first_link, health, http, operator, retention};

pub(crate) use data_dir::DataDir;
pub(crate) use database::{no_store, open_store};
pub(crate) use secrets::Secrets;

/// A start that cannot be: one sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// How people reach this server.
pub(crate) struct Network {
    pub(crate) relay: visavis_turn::Relay,
    /// Where browsers find the relay.
    pub(crate) relay_urls: Vec<String>,
    pub(crate) proxies: Proxies,
    pub(crate) room: Room,
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
    backup::sweep(&config.data_dir);
    let room = Room::of(descriptors());
    room.warn_if_small();
    let tls = load_tls(&config)?;
    let mailer = Mailer::from_config(&config).map_err(refuse)?;
    let ports = Ports::bind(config.listen, config.turn_listen, config.workers())?;
    let address = ports.address;
    let store = open_store(&config, &data_dir).await?;
    let secrets = Secrets::load(&config, &store).await?;
    store.release_all().await.map_err(|error| no_store(&config, &error))?;
    let settings = visavis_turn::Settings::new("visavis", &secrets.keys.relay_secret());
    let relay = visavis_turn::Relay::start(settings, ports.relay)
        .map_err(|error| refuse(format!("The relay does not start: {error}.")))?;
    let public_url = config.public_url(address.port());
    warn_about(&config, &public_url, address, tls.as_ref());
    let tls_end = if tls.is_some() { TlsEnd::Here } else { TlsEnd::Elsewhere };
    let turn_address = ports.turn.as_ref().map(|(_, turn)| *turn);
    let relay_urls =
        ice::relay_urls(&public_url, tls_end, address.port(), turn_address.map(|turn| turn.port()));
    let relay_sockets = std::iter::once(relay.local_addr()).chain(turn_address).collect();
    let shared = shared::addresses(&config, address, &public_url);
    let proxies = Proxies::new(config.trusted_proxies.clone(), shared);
    let network = Network { relay, relay_urls, proxies, room };
    let app = crate::app(config, public_url, secrets, store, network, mailer);
    let local = listen_locally(&app.config)?;
    let entrance = match &tls {
        None => Entrance { plain: http::router(&app), tls: None },
        Some(tls) => Entrance {
            plain: http::plain_router(&app),
            tls: Some((Arc::clone(&tls.config), http::router(&app))),
        },
    };
    let tls = tls.map(Arc::new);
    let watched = Watched { tls: tls.clone(), relay: relay_sockets };
    health::look_once(&app, &watched).await;
    let mut servers = vec![
        tokio::spawn(health::run(Arc::clone(&app), watched)),
        tokio::spawn(listener::serve_tcp(Arc::clone(&app), ports.pages, entrance)),
        tokio::spawn(listener::serve_unix(Arc::clone(&app), local, http::local_router(&app))),
        tokio::spawn(retention::run(Arc::clone(&app))),
    ];
    if let Some((turn, _)) = ports.turn {
        servers.push(tokio::spawn(listener::serve_relay(Arc::clone(&app), turn)));
    }
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

    /// Hands a one-time link for the first practice out, as long as there is none, and answers what standard output says of it.
    pub async fn set_up_link(&self) -> Result<Option<String>, Refusal> {
        let app = &self.app;
        let link = async {
            if app.store.has_practice().await? {
                return Ok(None);
            }
            let link = operator::one_time_link(&app.store, &app.public_url, "first", None).await?;
            Ok(Some(link))
        };
        let link = link.await.map_err(|error: sqlx::Error| no_store(&app.config, &error))?;
        let data_dir = &app.config.data_dir;
        let Some(link) = link else {
            first_link::forget(data_dir);
            return Ok(None);
        };
        Ok(Some(first_link::hand_out(data_dir, &link).unwrap_or_else(|error| {
            tracing::warn!(%error, "the link for the first practice cannot be kept in the data directory: `visavis practice new` prints one");
            String::new()
        })))
    }

    /// Comes when another server holds the store's lease: the reason to stop.
    pub async fn lost(&self) -> Refusal {
        self.app.health.lost.cancelled().await;
        refuse(
            "Another visavis has taken the database over, so this one ends: only one may use it.".to_owned(),
        )
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

/// As many files as the system lets this process open at once.
fn descriptors() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "the number of open files stays as the system limits it");
        rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(1024, |(soft, _)| soft)
    })
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
    if shared::is_proxy_unnamed(config, address, public_url) {
        tracing::warn!(
            "only this machine can connect, and no proxy is named: whoever comes through one shares one budget with all others. Name it with --trusted-proxies 127.0.0.0/8,::1/128"
        );
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
