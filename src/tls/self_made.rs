//! The self-made certificate: made at first start and kept in the data directory, so that an exception made in a browser lasts.

use std::fs;
use std::io;
use std::path::Path;

use chrono::{DateTime, Datelike, Days, Utc};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use url::Host;

use super::certificate::{Certificate, CertificateError, Pair};
use crate::secret_file;

/// Apple takes 825 days at most, even from an authority that a person trusts.
const DAYS: u64 = 800;
/// A start makes a new one where fewer days are left.
const RENEW_DAYS: i64 = 60;

/// The file with certificate and key: the one that is there if it names `host` and lasts, else a new one.
pub fn pair(data_dir: &Path, host: &Host<&str>) -> Result<Pair, CertificateError> {
    let path = data_dir.join("self-made-certificate.pem");
    let pair = Pair { certificate: path.clone(), key: path.clone() };
    let now = Utc::now();
    let is_there = fs::metadata(&path).is_ok_and(|metadata| metadata.len() > 0);
    if is_there {
        let kept = Certificate::read(&pair).map_err(|_| CertificateError::SelfMadeDamaged(path.clone()))?;
        if kept.covers(host) && kept.days_left(now) >= RENEW_DAYS {
            return Ok(pair);
        }
    }
    make(host, now)
        .map_err(io::Error::other)
        .and_then(|pem| secret_file::write(&path, pem.as_bytes()))
        .map_err(|error| CertificateError::SelfMade { path, error })?;
    Ok(pair)
}

/// Certificate and key as PEM, for the public host and this machine's own names.
fn make(host: &Host<&str>, now: DateTime<Utc>) -> Result<String, rcgen::Error> {
    let host = match host {
        Host::Domain(name) => (*name).to_owned(),
        Host::Ipv4(ip) => ip.to_string(),
        Host::Ipv6(ip) => ip.to_string(),
    };
    let mut names = vec![host.clone()];
    names.extend(
        ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into_iter().filter(|name| *name != host),
    );
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name.push(DnType::CommonName, host);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // From yesterday on, for clocks that are a little behind.
    let midnight = |day: DateTime<Utc>| {
        let [month, date] = [day.month(), day.day()].map(|number| u8::try_from(number).expect("31 at most"));
        rcgen::date_time_ymd(day.year(), month, date)
    };
    parameters.not_before = midnight(now - Days::new(1));
    parameters.not_after = midnight(now + Days::new(DAYS));
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    Ok(certificate.pem() + &key.serialize_pem())
}
