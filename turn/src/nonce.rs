//! Stateless nonces: the time and a MAC over it and the client's address, 22 characters, nothing remembered.

use std::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::allocation::{FiveTuple, Transport};

/// Seconds a nonce is good for; after it 438 brings a new one.
const LIFETIME: u32 = 3600;

const TIME: usize = 4;
const MAC: usize = 12;

/// Makes and checks nonces under a key that only this process has.
pub(crate) struct Nonces {
    key: Hmac<Sha1>,
}

impl Nonces {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Nonces { key: Hmac::new_from_slice(&key).expect("HMAC takes keys of any length") }
    }

    /// A nonce for this client, at this unix second.
    pub(crate) fn make(&self, unix: u64, from: &FiveTuple) -> String {
        let time = seconds(unix).to_be_bytes();
        let mac = self.mac(time, from).finalize().into_bytes();
        let mut nonce = [0; TIME + MAC];
        nonce[..TIME].copy_from_slice(&time);
        nonce[TIME..].copy_from_slice(&mac[..MAC]);
        BASE64_URL_SAFE_NO_PAD.encode(nonce)
    }

    /// Whether the nonce was made for this client and is young enough.
    pub(crate) fn is_valid(&self, unix: u64, from: &FiveTuple, nonce: &[u8]) -> bool {
        let mut bytes = [0; TIME + MAC];
        if BASE64_URL_SAFE_NO_PAD.decode_slice(nonce, &mut bytes) != Ok(TIME + MAC) {
            return false;
        }
        let (time, mac) = bytes.split_first_chunk::<TIME>().expect("the array is longer than a time");
        let age = seconds(unix).wrapping_sub(u32::from_be_bytes(*time));
        age <= LIFETIME && self.mac(*time, from).verify_truncated_left(mac).is_ok()
    }

    fn mac(&self, time: [u8; TIME], from: &FiveTuple) -> Hmac<Sha1> {
        let client = from.client.socket_addr();
        let mut mac = self.key.clone();
        mac.update(&time);
        match client.ip() {
            IpAddr::V4(v4) => mac.update(&v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => mac.update(&v6.octets()),
        }
        mac.update(&client.port().to_be_bytes());
        mac.update(&[match from.transport {
            Transport::Udp => 0,
            Transport::Tcp => 1,
            Transport::Tls => 2,
        }]);
        mac
    }
}

/// The low 32 bits of unix time; ages are differences, so the turn of 2106 costs nothing.
fn seconds(unix: u64) -> u32 {
    (unix & u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_800_000_000;

    fn from(client: &str) -> FiveTuple {
        FiveTuple::udp(client.parse().unwrap(), "203.0.113.1:3478".parse().unwrap())
    }

    #[test]
    fn a_nonce_is_22_characters_and_good_for_an_hour() {
        let nonces = Nonces::new([7; 32]);
        let nonce = nonces.make(NOON, &from("198.51.100.7:4000"));
        assert_eq!(nonce.len(), 22);
        for (age, good) in [(0, true), (3600, true), (3601, false)] {
            assert_eq!(
                nonces.is_valid(NOON + age, &from("198.51.100.7:4000"), nonce.as_bytes()),
                good,
                "{age}"
            );
        }
        assert!(!nonces.is_valid(NOON - 1, &from("198.51.100.7:4000"), nonce.as_bytes()), "from the future");
    }

    #[test]
    fn a_nonce_is_good_for_the_address_it_was_made_for_only() {
        let nonces = Nonces::new([7; 32]);
        let nonce = nonces.make(NOON, &from("198.51.100.7:4000"));
        for other in ["198.51.100.7:4001", "198.51.100.8:4000", "[2001:db8::1]:4000"] {
            assert!(!nonces.is_valid(NOON, &from(other), nonce.as_bytes()), "{other}");
        }
        assert!(
            !Nonces::new([8; 32]).is_valid(NOON, &from("198.51.100.7:4000"), nonce.as_bytes()),
            "another key"
        );
    }

    #[test]
    fn any_other_text_is_no_nonce() {
        let nonces = Nonces::new([7; 32]);
        let nonce = nonces.make(NOON, &from("198.51.100.7:4000"));
        for at in 0..nonce.len() {
            let mut changed = nonce.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(!nonces.is_valid(NOON, &from("198.51.100.7:4000"), &changed), "changed at {at}");
        }
        for text in [&b""[..], b"0", &[b'A'; 21], &[b'A'; 22], &[b'A'; 23], &[0xff; 22]] {
            assert!(!nonces.is_valid(NOON, &from("198.51.100.7:4000"), text));
        }
    }
}
