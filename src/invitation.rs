//! Mail to an invited person through the practice's own mail server: checked, sent, forgotten. Nothing of it is kept, and no line of the
//! log says who got what (R34).

mod calendar;
mod message;

use std::path::Path;
use std::time::Duration;

use lettre::address::Address;
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use url::{Host, Url};

pub use calendar::{Calendar, Method};
pub use message::Mail;

use crate::config::Config;

/// As long as somebody waits before a button.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What hands mails to the configured mail server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
}

/// Why a mail did not leave.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// What was handed in is no such mail; the text names the mend.
    #[error("{0}")]
    Invalid(&'static str),
    /// The mail server's own sentence, or why there is none.
    #[error("{0}")]
    Server(String),
}

impl Mailer {
    /// By the configuration; `None` where no mail server is configured.
    pub fn from_config(config: &Config) -> Result<Option<Self>, String> {
        let (file, from) = match (&config.smtp_url_file, &config.mail_from) {
            (None, None) => return Ok(None),
            (Some(file), Some(from)) => (file, from.clone()),
            (file, _) => {
                let missing = if file.is_none() { "--smtp-url-file" } else { "--mail-from" };
                return Err(format!("A mail server and a sender belong together: add {missing}."));
            }
        };
        let wrong = |why: &str| {
            format!(
                "The file {} holds no address of a mail server ({why}): write smtps://user:password@mail.example.org, or smtp://…?tls=required.",
                file.display()
            )
        };
        let url = read(file)?;
        encrypted_or_local(&url).map_err(wrong)?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str())
            .map_err(|error| wrong(&error.to_string()))?
            .timeout(Some(TIMEOUT));
        // An own name is more than the “[127.0.0.1]” by which many mail servers know spam. The file may name another.
        if url.path().len() <= 1
            && let Some(Host::Domain(name)) = config.public_url.as_ref().and_then(Url::host)
        {
            builder = builder.hello_name(ClientId::Domain(name.to_owned()));
        }
        Ok(Some(Self { transport: builder.build(), from }))
    }

    /// Checks a mail and hands it over. Success means that the mail server took it.
    pub async fn send(&self, mail: Mail) -> Result<(), MailError> {
        let (to, message) = message::compose(mail, &self.from)?;
        let sent = match tokio::time::timeout(TIMEOUT, self.transport.send(message)).await {
            Ok(sent) => sent,
            Err(_) => return Err(MailError::Server(silence())),
        };
        sent.map(drop).map_err(|error| {
            // Its sentence may repeat the address: the log gets the kind alone.
            match error.status() {
                Some(code) => tracing::warn!(%code, "the mail server did not take a mail"),
                None => tracing::warn!("no mail server took a mail: the connection failed"),
            }
            MailError::Server(sentence(&error, to.as_ref()))
        })
    }
}

fn read(file: &Path) -> Result<Url, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("The file {} cannot be read: {error}.", file.display()))?;
    // The parser's own words hold nothing of the address, which has a password in it.
    Url::parse(text.trim())
        .map_err(|error| format!("The file {} holds no URL of a mail server: {error}.", file.display()))
}

/// Whether a password and patients' addresses stay unread on the way.
fn encrypted_or_local(url: &Url) -> Result<(), &'static str> {
    // To the parser, a host under a scheme it does not know is any text.
    let local = match Host::parse(url.host_str().unwrap_or_default()) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => return Err("it names no host"),
    };
    let required = url.query_pairs().any(|(key, value)| key == "tls" && value == "required");
    match url.scheme() {
        "smtps" => Ok(()),
        "smtp" if required || local => Ok(()),
        "smtp" => Err("without ?tls=required everybody on the way could read along"),
        _ => Err("only smtps:// and smtp:// are known"),
    }
}

/// The mail server's words with its number, without the recipient's address; or what kept it from speaking.
fn sentence(error: &lettre::transport::smtp::Error, to: &str) -> String {
    use std::error::Error;
    if error.is_timeout() {
        return silence();
    }
    let said = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let said = match error.status() {
        Some(code) => format!("{code} {said}"),
        None => said,
    };
    let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
    without(&said, to).chars().take(500).collect()
}

fn silence() -> String {
    format!("no answer within {} seconds", TIMEOUT.as_secs())
}

/// Every occurrence of the address replaced, in upper or lower case.
fn without(text: &str, address: &str) -> String {
    let (lower, wanted) = (text.to_ascii_lowercase(), address.to_ascii_lowercase());
    let mut rest = String::with_capacity(text.len());
    let mut from = 0;
    for (at, found) in lower.match_indices(&wanted) {
        rest.push_str(&text[from..at]);
        rest.push('…');
        from = at + found.len();
    }
    rest + &text[from..]
}

#[cfg(test)]
mod tests;
