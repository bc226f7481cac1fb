//! The server's own secrets: one key file, from which every other key is derived; made at first start, mode 0600 (R36, R58).

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::{Digest, Sha256};

/// 32 random bytes; what leaves is only ever an HMAC-SHA-256 under them, with a label that keeps the uses apart.
pub struct Keys([u8; 32]);

impl Keys {
    /// Reads the key at `path`, or makes one there.
    pub fn load(path: &Path) -> io::Result<Self> {
        let text = read_or_create(path)?;
        let key = URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        key.map(Self).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "it does not hold 43 base64url characters")
        })
    }

    /// What stands in the store for an access code: keyed, so that a stolen database cannot be searched for codes (R36).
    pub fn code_hash(&self, canonical: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.derive("access code", canonical.as_bytes()))
    }

    /// A consultation's name in TURN user names: says nothing to who does not hold the key, and is the same on every node.
    pub fn call_label(&self, consultation: &str) -> String {
        URL_SAFE_NO_PAD.encode(&self.derive("call label", consultation.as_bytes())[..9])
    }

    /// The shared secret of the TURN credentials.
    pub fn relay_secret(&self) -> [u8; 32] {
        self.derive("relay secret", b"")
    }

    /// What a browser stretches a password with: the same for these names at any time, whether or not anybody bears them (R53).
    pub fn password_salt(&self, practice: &str, user: &str) -> String {
        URL_SAFE_NO_PAD.encode(&self.derive("password salt", format!("{practice}\0{user}").as_bytes())[..16])
    }

    fn derive(&self, label: &str, data: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(label.as_bytes());
        mac.update(&[0]);
        mac.update(data);
        mac.finalize().into_bytes().into()
    }
}

/// A fresh identifier (UUID, version 7), ordered by time.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// 128 random bits as base64url: resume tokens, claims, link secrets.
pub fn random_128() -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What stands in the store for a resume token: 128 random bits need no key.
pub fn token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token))
}

/// The label of a device's knock: the same for each socket of the device, and no way back to the device's secret.
pub fn knock_label(consultation: &str, seat: u8, device: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(format!("{consultation}|{seat}|{device}"))[..12])
}

/// Reads a secret file, or writes 256 fresh bits into it with mode 0600.
pub fn read_or_create(path: &Path) -> io::Result<String> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let mut bytes = [0; 32];
            rand::rng().fill_bytes(&mut bytes);
            let text = URL_SAFE_NO_PAD.encode(bytes);
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            Ok(text)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut text = String::new();
            OpenOptions::new().read(true).open(path)?.read_to_string(&mut text)?;
            Ok(text)
        }
        Err(error) => Err(error),
    }
}
