//! A certificate for the TLS ports on 127.0.0.1, made anew for each test.

use std::fs;
use std::path::{Path, PathBuf};

/// PEM files. The certificate is its own authority: a client that trusts it verifies the server.
pub struct Certificate {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    pub fn make(directory: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let files = Certificate { cert: directory.join("cert.pem"), key: directory.join("key.pem") };
        fs::write(&files.cert, made.cert.pem()).unwrap();
        fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        files
    }
}
