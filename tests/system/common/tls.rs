//! The client's side of TLS: an authority of the test's own, certificates for servers, and clients that believe it alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Issues certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// Whom a client believes.
#[derive(Clone)]
pub struct Trust(CertificateDer<'static>);

/// A certificate and its key, as PEM.
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

/// Two files.
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "An authority of the tests");
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(parameters, key), certificate }
    }

    /// Clients that believe this authority.
    pub fn trust(&self) -> Trust {
        Trust(self.certificate.clone())
    }

    /// A certificate for these names that lasts.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_until(names, 2096)
    }

    /// A certificate for these names, valid until the first day of this year.
    pub fn issue_until(&self, names: &[&str], year: i32) -> Issued {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.not_before = date_time_ymd(2001, 1, 1);
        parameters.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Issued {
    /// Writes, or replaces, both files.
    pub fn write(&self, directory: &Path) -> Files {
        let files = Files { certificate: directory.join("certificate.pem"), key: directory.join("key.pem") };
        std::fs::write(&files.certificate, &self.certificate).unwrap();
        std::fs::write(&files.key, &self.key).unwrap();
        files
    }

    /// What a handshake shows.
    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }
}

impl Files {
    /// The two flags.
    pub fn flags(&self) -> [&str; 4] {
        ["--certificate", self.certificate.to_str().unwrap(), "--certificate-key", self.key.to_str().unwrap()]
    }
}

impl Trust {
    /// Believes the certificate in this file itself.
    pub fn in_file(path: &Path) -> Self {
        Self(CertificateDer::from_pem_slice(&std::fs::read(path).unwrap()).unwrap())
    }

    /// A client's configuration that offers these protocols (ALPN).
    pub fn client(&self, protocols: &[&[u8]]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.clone()).unwrap();
        config(roots, protocols)
    }

    /// A handshake as `localhost`.
    pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        protocols: &[&[u8]],
    ) -> std::io::Result<TlsStream<S>> {
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(self.client(protocols))).connect(name, stream).await
    }
}

/// An HTTP client that asks no proxy, follows no redirect, and believes whom it is told.
pub fn http_client(trust: Option<&Trust>, protocols: &[&[u8]]) -> reqwest::Client {
    let config =
        trust.map_or_else(|| config(RootCertStore::empty(), protocols), |trust| trust.client(protocols));
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.tls_backend_preconfigured(config).build().unwrap()
}

fn config(roots: RootCertStore, protocols: &[&[u8]]) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config
}
