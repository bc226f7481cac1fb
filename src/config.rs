//! Configuration: one struct from flags, environment and secret files; a wrong value stops the start with a plain sentence (R55).

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use chrono::Duration;
use chrono_tz::Tz;
use ipnet::IpNet;
use lettre::address::Address;
use tracing::level_filters::LevelFilter;
use url::Url;

use crate::tls::Pair;

/// Everything an operator may set. Flags win over the environment.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// Directory for database, keys and socket; made if missing
    #[arg(long, env = "VISAVIS_DATA_DIR", default_value = "visavis-data", global = true, value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Address and port for pages, signaling and the relay (TCP, and UDP of the same number); port 0 takes a free one
    #[arg(
        long,
        env = "VISAVIS_LISTEN",
        default_value = "127.0.0.1:8080",
        global = true,
        value_name = "ADDR:PORT"
    )]
    pub listen: SocketAddr,

    /// Where people reach this server, e.g. https://video.example.org [default: localhost and the port; https with a certificate]
    #[arg(long, env = "VISAVIS_PUBLIC_URL", value_parser = parse_public_url, global = true, value_name = "URL")]
    pub public_url: Option<Url>,

    /// File that holds the certificate and its chain (PEM): TLS on the port of --listen; a renewed file is taken without a restart
    #[arg(long, env = "VISAVIS_CERTIFICATE", global = true, value_name = "FILE")]
    pub certificate: Option<PathBuf>,

    /// File that holds the certificate's key (PEM)
    #[arg(long, env = "VISAVIS_CERTIFICATE_KEY", global = true, value_name = "FILE")]
    pub certificate_key: Option<PathBuf>,

    /// For a first try: TLS with a certificate made here and kept in the data directory; browsers warn of it
    #[arg(long, env = "VISAVIS_SELF_MADE_CERTIFICATE", global = true)]
    pub self_made_certificate: bool,

    /// One more address and port for the relay alone (UDP and TCP), e.g. [::]:3478, for firewalls that know TURN by its port
    #[arg(long, env = "VISAVIS_TURN_LISTEN", global = true, value_name = "ADDR:PORT")]
    pub turn_listen: Option<SocketAddr>,

    /// Threads of the relay [default: one for each core, 8 at most]
    #[arg(long, env = "VISAVIS_WORKERS", value_parser = parse_workers, global = true, value_name = "N")]
    pub workers: Option<usize>,

    /// Practice's name, shown to patients
    #[arg(long, env = "VISAVIS_PRACTICE_NAME", global = true, value_name = "NAME")]
    pub practice_name: Option<String>,

    /// Practice's telephone number, shown with every error
    #[arg(long, env = "VISAVIS_PRACTICE_PHONE", global = true, value_name = "NUMBER")]
    pub practice_phone: Option<String>,

    /// Practice's time zone, for times without an offset
    #[arg(
        long,
        env = "VISAVIS_TIME_ZONE",
        default_value = "Europe/Berlin",
        global = true,
        value_name = "ZONE"
    )]
    pub time_zone: Tz,

    /// Minutes before the planned start in which codes already open the waiting room
    #[arg(long, env = "VISAVIS_LEAD_MINUTES", default_value_t = 30, value_parser = clap::value_parser!(i64).range(0..=1440), global = true, value_name = "MINUTES")]
    pub lead_minutes: i64,

    /// Networks whose X-Forwarded-For, Forwarded and PROXY protocol are believed, e.g. 10.0.0.0/8; repeat or separate by commas
    #[arg(
        long,
        env = "VISAVIS_TRUSTED_PROXIES",
        value_delimiter = ',',
        global = true,
        value_name = "NETWORK"
    )]
    pub trusted_proxies: Vec<IpNet>,

    /// File that holds a PostgreSQL URL [default: SQLite in the data directory]
    #[arg(long, env = "VISAVIS_DATABASE_URL_FILE", global = true, value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,

    /// File that holds the server's key [default: key in the data directory, made at first start]
    #[arg(long, env = "VISAVIS_KEY_FILE", global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,

    /// File that holds the operator's API token [default: operator-token in the data directory, made at first start]
    #[arg(long, env = "VISAVIS_OPERATOR_TOKEN_FILE", global = true, value_name = "FILE")]
    pub operator_token_file: Option<PathBuf>,

    /// File that holds the mail server's address, e.g. smtps://user:password@mail.example.org [default: no mail is sent]
    #[arg(long, env = "VISAVIS_SMTP_URL_FILE", global = true, value_name = "FILE")]
    pub smtp_url_file: Option<PathBuf>,

    /// Sender's address of mail, e.g. praxis@example.org; the practice's name stands before it
    #[arg(long, env = "VISAVIS_MAIL_FROM", value_parser = parse_mail_from, global = true, value_name = "ADDRESS")]
    pub mail_from: Option<Address>,

    /// How much visavis says in its log: error, warn, info, debug or trace
    #[arg(long, env = "VISAVIS_LOG", default_value = "info", global = true, value_name = "LEVEL")]
    pub log: LevelFilter,

    /// Write logs as JSON, one object a line
    #[arg(long, env = "VISAVIS_LOG_JSON", global = true)]
    pub log_json: bool,
}

impl Config {
    /// How long before the start the codes open.
    pub fn lead(&self) -> Duration {
        Duration::minutes(self.lead_minutes)
    }

    /// The server's key.
    pub fn key_path(&self) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| self.data_dir.join("key"))
    }

    /// The operator's token.
    pub fn operator_token_path(&self) -> PathBuf {
        self.operator_token_file.clone().unwrap_or_else(|| self.data_dir.join("operator-token"))
    }

    /// Where the command line finds a running server.
    pub fn socket_path(&self) -> PathBuf {
        self.data_dir.join("visavis.sock")
    }

    /// The public URL, by the port in use where none is configured.
    pub fn public_url(&self, port: u16) -> Url {
        let scheme = if self.certificate.is_some() || self.self_made_certificate { "https" } else { "http" };
        let local =
            || Url::parse(&format!("{scheme}://localhost:{port}")).expect("a host and a port make a URL");
        self.public_url.clone().unwrap_or_else(local)
    }

    /// Where the certificate comes from; a sentence where the flags contradict each other.
    pub fn certificate_source(&self) -> Result<CertificateSource, String> {
        let source = match (&self.certificate, &self.certificate_key, self.self_made_certificate) {
            (None, None, false) => return Ok(CertificateSource::None),
            (None, None, true) => CertificateSource::SelfMade,
            (Some(certificate), Some(key), false) => {
                CertificateSource::Files(Pair { certificate: certificate.clone(), key: key.clone() })
            }
            (Some(_), Some(_), true) => {
                return Err(
                    "--self-made-certificate and --certificate exclude each other: leave one of them out."
                        .to_owned(),
                );
            }
            (certificate, ..) => {
                let missing = if certificate.is_none() { "--certificate" } else { "--certificate-key" };
                return Err(format!(
                    "A certificate and its key belong together: name the other file with {missing}."
                ));
            }
        };
        match &self.public_url {
            Some(url) if url.scheme() != "https" => Err(format!(
                "The public URL {url} says http, and the certificate makes this port https: write --public-url https://…, or leave the certificate out."
            )),
            _ => Ok(source),
        }
    }

    /// Whether somebody at this address watches over the server: on this machine, or in a trusted network.
    pub fn is_neighbour(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// Threads of the relay.
    pub fn workers(&self) -> usize {
        self.workers
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8)))
    }
}

/// Where TLS takes its certificate from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// No TLS here.
    None,
    /// Two files of the operator's.
    Files(Pair),
    /// One of our own.
    SelfMade,
}

fn parse_workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(workers) if (1..=64).contains(&workers) => Ok(workers),
        _ => Err("a number from 1 to 64".to_owned()),
    }
}

fn parse_mail_from(text: &str) -> Result<Address, String> {
    let form = "an e-mail address, like praxis@example.org";
    text.parse().map_err(|_| form.to_owned())
}

fn parse_public_url(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text).map_err(|error| format!("{error}; write it like https://video.example.org"))?;
    let is_origin =
        url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && is_origin {
        Ok(url)
    } else {
        Err("only scheme, host and port, like https://video.example.org".to_owned())
    }
}

/// Whether browsers offer cameras to pages of this URL (W3C Secure Contexts).
pub fn is_secure_context(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    url.scheme() == "https"
        || host == "localhost"
        || host.ends_with(".localhost")
        || host.starts_with("127.")
        || host == "[::1]"
}
