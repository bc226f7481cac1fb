//! TLS on our own port: the certificate in force, from files or self-made, and looked at again while the server runs (R50).

mod certificate;
mod self_made;

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;
use url::Host;

use crate::config::CertificateSource;
use certificate::Certificate;
pub use certificate::{CertificateError, Pair};

/// How often the files are looked at again.
const LOOK: Duration = Duration::from_secs(10);
/// Days before the end of a certificate from which on the log speaks of it, once a day.
const WARN_DAYS: i64 = 14;

/// What a TLS connection is opened with.
pub struct Tls {
    /// For the broker's listener.
    pub config: Arc<ServerConfig>,
    in_force: Arc<InForce>,
    pair: Pair,
}

/// The certificate that handshakes show; a renewed one takes its place.
#[derive(Debug)]
struct InForce(RwLock<Certificate>);

impl InForce {
    fn certificate(&self) -> Certificate {
        // Panics elsewhere leave it whole: it changes in a single step.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, renewed: Certificate) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = renewed;
    }
}

impl ResolvesServerCert for InForce {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certificate().key)
    }
}

impl Tls {
    /// What the configuration asks for; `None` where it asks for no TLS. `host` is the public URL's.
    pub fn load(
        source: &CertificateSource,
        data_dir: &Path,
        host: &Host<&str>,
    ) -> Result<Option<Self>, CertificateError> {
        let pair = match source {
            CertificateSource::None => return Ok(None),
            CertificateSource::Files(pair) => pair.clone(),
            CertificateSource::SelfMade => self_made::pair(data_dir, host)?,
        };
        let in_force = Arc::new(InForce(RwLock::new(Certificate::read(&pair)?)));
        let config = server_config(Arc::clone(&in_force)).map_err(CertificateError::Tls)?;
        Ok(Some(Self { config: Arc::new(config), in_force, pair }))
    }

    /// Whether the certificate names this host.
    pub fn covers(&self, host: &Host<&str>) -> bool {
        self.in_force.certificate().covers(host)
    }

    /// Whole days until the certificate in force expires; negative afterwards.
    pub fn days_left(&self, now: chrono::DateTime<chrono::Utc>) -> i64 {
        self.in_force.certificate().days_left(now)
    }

    /// Looks at the files again until the stop. A renewed pair is taken; a broken one is a warning, and the old one stays.
    pub async fn keep_current(&self, stop: &CancellationToken) {
        let mut log = Log::default();
        log.days_left(&self.in_force.certificate());
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let pair = self.pair.clone();
            let read = tokio::task::spawn_blocking(move || Certificate::read(&pair)).await;
            match read.unwrap_or_else(|error| Err(CertificateError::Tls(io::Error::other(error)))) {
                Ok(read) if read.key.cert != self.in_force.certificate().key.cert => {
                    tracing::info!(file = %self.pair.certificate.display(), "a renewed certificate is in force");
                    self.in_force.replace(read);
                    log = Log::default();
                }
                Ok(_) => log.is_well(),
                Err(error) => log.is_broken(error.to_string()),
            }
            log.days_left(&self.in_force.certificate());
        }
    }
}

/// What the log has said already.
#[derive(Default)]
struct Log {
    seen: Option<String>,
    said: Option<String>,
    days: Option<i64>,
}

impl Log {
    fn is_well(&mut self) {
        (self.seen, self.said) = (None, None);
    }

    /// A pair that is just being written is broken for a moment: what is seen twice is worth a line, once.
    fn is_broken(&mut self, error: String) {
        if self.seen.as_ref() == Some(&error) && self.said.as_ref() != Some(&error) {
            tracing::warn!(%error, "the renewed certificate is not taken; the one before stays in force");
            self.said = Some(error.clone());
        }
        self.seen = Some(error);
    }

    /// An expired certificate is a warning and stops no start: people who wait can still be told what to click, and the renewed files are
    /// taken as soon as they are there.
    fn days_left(&mut self, certificate: &Certificate) {
        let days = certificate.days_left(chrono::Utc::now());
        if days < WARN_DAYS && self.days != Some(days) {
            let file = certificate.file.display();
            if days < 0 {
                tracing::warn!(%file, "the certificate has expired: browsers warn of this server and use no TURN over TLS. Renew it; the new files are taken without a restart");
            } else {
                tracing::warn!(%file, days, "the certificate expires soon: renew it; the new files are taken without a restart");
            }
            self.days = Some(days);
        }
    }
}

/// TLS 1.2 and 1.3. `stun.turn` is RFC 7443's name for TURN; a client that names none is welcome.
fn server_config(in_force: Arc<InForce>) -> io::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(in_force);
    config.alpn_protocols = [&b"h2"[..], b"http/1.1", b"stun.turn"].map(<[u8]>::to_vec).to_vec();
    Ok(config)
}
