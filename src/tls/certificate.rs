//! A certificate with its key, out of PEM files. What is wrong with them is one sentence that names file and mend (R55).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use url::Host;
use x509_cert::der::Decode;

use crate::secret_file;

/// Where certificate and key lie; both may lie in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// PEM, the server's certificate first, then those between it and the authority.
    pub certificate: PathBuf,
    /// PEM, not encrypted.
    pub key: PathBuf,
}

/// Why a pair cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// One of the files cannot be read.
    #[error("The file {} cannot be read ({error}). Name a file that this user may read with {option}.", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
        /// The flag that named it.
        option: &'static str,
    },
    /// The certificate file holds none.
    #[error("The file {} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----). Name the full chain with --certificate.", .0.display())]
    NoCertificate(PathBuf),
    /// The key file holds none.
    #[error("The file {} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----). Name one that is not encrypted with --certificate-key.", .0.display())]
    NoKey(PathBuf),
    /// The key is another certificate's.
    #[error("The key in {} does not belong to the certificate in {}. Name two files that were issued together with --certificate and --certificate-key.", .0.key.display(), .0.certificate.display())]
    Strangers(Pair),
    /// What the certificate file holds is no X.509 certificate.
    #[error("The certificate in {} is damaged ({detail}). Restore it, or have it issued again.", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where reading ended.
        detail: String,
    },
    /// A kind of key that TLS here does not take.
    #[error("The key in {} cannot be used ({error}). Have a certificate issued for an ECDSA P-256 or P-384, Ed25519 or RSA key of 2048 bits or more.", path.display())]
    KeyKind {
        /// The file.
        path: PathBuf,
        /// What rustls said.
        error: rustls::Error,
    },
    /// The file of the self-made certificate holds something else.
    #[error("The self-made certificate {} is damaged. Delete it, and the next start makes a new one.", .0.display())]
    SelfMadeDamaged(PathBuf),
    /// The self-made certificate cannot be made or kept.
    #[error("The self-made certificate {} cannot be made ({error}). {}.", path.display(), secret_file::mend(path, error))]
    SelfMade {
        /// Where it was to be kept.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// TLS itself does not start.
    #[error("TLS does not start: {0}.")]
    Tls(io::Error),
}

/// A certificate that can be shown.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Chain and key.
    pub key: Arc<CertifiedKey>,
    /// Where the chain came from.
    pub file: Arc<Path>,
    /// Its last moment.
    expires_at: DateTime<Utc>,
}

impl Certificate {
    /// Reads and checks a pair.
    pub fn read(pair: &Pair) -> Result<Self, CertificateError> {
        let chain = chain(&pair.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&contents(&pair.key, "--certificate-key")?)
            .map_err(|_| CertificateError::NoKey(pair.key.clone()))?;
        let expires_at = expires_at(&chain[0])
            .map_err(|detail| CertificateError::Damaged { path: pair.certificate.clone(), detail })?;
        let provider = rustls::crypto::ring::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => CertificateError::Strangers(pair.clone()),
            rustls::Error::InvalidCertificate(error) => {
                CertificateError::Damaged { path: pair.certificate.clone(), detail: error.to_string() }
            }
            error => CertificateError::KeyKind { path: pair.key.clone(), error },
        })?;
        Ok(Self { key: Arc::new(key), file: pair.certificate.as_path().into(), expires_at })
    }

    /// Whether it names this host.
    pub fn covers(&self, host: &Host<&str>) -> bool {
        let name = match host {
            Host::Domain(name) => ServerName::try_from(*name).ok(),
            Host::Ipv4(ip) => Some(ServerName::from(std::net::IpAddr::from(*ip))),
            Host::Ipv6(ip) => Some(ServerName::from(std::net::IpAddr::from(*ip))),
        };
        let certificate = self.key.end_entity_cert().and_then(ParsedCertificate::try_from);
        name.zip(certificate.ok())
            .is_some_and(|(name, certificate)| verify_server_name(&certificate, &name).is_ok())
    }

    /// Whole days until it expires; negative afterwards.
    pub fn days_left(&self, now: DateTime<Utc>) -> i64 {
        (self.expires_at - now).num_seconds().div_euclid(86_400)
    }
}

/// Everything of the certificate's file; never empty.
fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let pem = contents(path, "--certificate")?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain
        .map_err(|error| CertificateError::Damaged { path: path.to_owned(), detail: error.to_string() })?;
    if chain.is_empty() { Err(CertificateError::NoCertificate(path.to_owned())) } else { Ok(chain) }
}

fn contents(path: &Path, option: &'static str) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|error| CertificateError::Unreadable { path: path.to_owned(), error, option })
}

/// `notAfter` (RFC 5280 §4.1.2.5).
fn expires_at(certificate: &CertificateDer<'_>) -> Result<DateTime<Utc>, String> {
    let certificate = x509_cert::Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    Ok(certificate.tbs_certificate().validity().not_after.to_system_time().into())
}
