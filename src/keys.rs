//! The server's own secrets: one key file, from which every other key is derived; made at first start, mode 0600 (R36, R58).

use std::io;
use std::path::Path;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::{Digest, Sha256};

use crate::secret_file;

/// 32 bytes as base64url without padding.
const KEY_CHARACTERS: usize = 43;

/// 32 random bytes; what leaves is only ever an HMAC-SHA-256 under them, with a label that keeps the uses apart.
pub struct Keys([u8; 32]);

/// What stands in a key's file.
pub enum KeyFile {
    /// A key.
    Whole(Keys),
    /// Nothing, or the beginning of a key: a first start did not get further.
    Unfinished,
    /// Something else, that is not ours to overwrite.
    Damaged,
}

impl KeyFile {
    /// Looks into the file at `path`.
    pub fn read(path: &Path) -> io::Result<Self> {
        let Some(text) = secret_file::read(path)? else { return Ok(Self::Unfinished) };
        let key = URL_SAFE_NO_PAD.decode(&text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        Ok(match key {
            Some(key) => Self::Whole(Keys(key)),
            None if text.len() < KEY_CHARACTERS && text.bytes().all(is_base64url) => Self::Unfinished,
            None => Self::Damaged,
        })
    }
}

impl Keys {
    /// Makes a new key and keeps it at `path`.
    pub fn make(path: &Path) -> io::Result<Self> {
        let key = random_256();
        secret_file::write(path, URL_SAFE_NO_PAD.encode(key).as_bytes())?;
        Ok(Self(key))
    }

    /// The same at any time.
    #[cfg(test)]
    pub fn fixed() -> Self {
        Self([7; 32])
    }

    /// What stands in the store for an access code: keyed, so that a stolen database cannot be searched for codes (R36).
    pub fn code_hash(&self, canonical: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.derive("access code", canonical.as_bytes()))
    }

    /// A consultation's name in TURN user names: says nothing to who does not hold the key, and is the same on every node.
    pub fn call_label(&self, consultation: &str) -> String {
        URL_SAFE_NO_PAD.encode(&self.derive("call label", consultation.as_bytes())[..9])
    }

    /// The same for the check of a seat's device before the appointment: a name of its own, so that its credential reaches nobody in the
    /// consultation (R07).
    pub fn check_label(&self, consultation: &str, seat: u8) -> String {
        self.call_label(&format!("check {consultation} {seat}"))
    }

    /// The shared secret of the TURN credentials.
    pub fn relay_secret(&self) -> [u8; 32] {
        self.derive("relay secret", b"")
    }

    /// What a database keeps of its key, to know it again: tells nothing about it.
    pub fn check(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.derive("key check", b""))
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

/// The text of the secret file at `path`; where there is none, or an empty one, 256 fresh bits as base64url.
pub fn read_or_make(path: &Path) -> io::Result<String> {
    if let Some(text) = secret_file::read(path)? {
        return Ok(text);
    }
    let text = URL_SAFE_NO_PAD.encode(random_256());
    secret_file::write(path, text.as_bytes())?;
    Ok(text)
}

fn random_256() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
