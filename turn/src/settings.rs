//! What an operator decides about a relay.

use crate::channel_data::ChannelNumber;

/// The longest realm: it stands in every challenge, and challenges to strangers must stay short.
const LONGEST_REALM: usize = 8;

/// Who is served, and thus how much of what no browser does is tolerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// Browsers: payloads are STUN, DTLS, RTP or RTCP by their first byte (RFC 7983), channels are 0x4000..=0x4FFF
    /// (RFC 8656, section 12), and nobody asks for an even port (508).
    Browsers,
    /// Any client, old ones of RFC 5766 too: any payload, channels up to 0x7FFF, even ports and the reservation of
    /// the next one.
    Any,
}

impl Clients {
    /// Whether a message claims to be ChannelData, by its first byte.
    pub(crate) fn is_channel_data(self, message: &[u8]) -> bool {
        let last = match self {
            Clients::Browsers => 0x4F,
            Clients::Any => 0x7F,
        };
        message.first().is_some_and(|first| (0x40..=last).contains(first))
    }

    /// The channel of a number, if it is one for these clients.
    pub(crate) fn channel(self, number: u16) -> Option<ChannelNumber> {
        match self {
            Clients::Browsers => ChannelNumber::new(number),
            Clients::Any => ChannelNumber::of_rfc_5766(number),
        }
    }
}

/// What an operator decides.
#[derive(Clone)]
pub struct Settings {
    /// The realm of challenges, 1 to 8 bytes.
    pub realm: String,
    /// The key of passwords; whoever has it can mint credentials. Not empty.
    pub secret: Vec<u8>,
    /// Who is served.
    pub clients: Clients,
    /// Allocations a seat may hold at once in a call of two or three, as many again for each two seats more; over it 486.
    pub allocations_per_seat: u16,
    /// Bits of payload a seat of a pair may send a second, and as many it may receive, and twice that in a larger call; over it packets are dropped.
    pub seat_bits_per_second: u64,
    /// Answers a second to one source (IPv4 address or IPv6 /64) that has shown no credential, with a burst of ten
    /// seconds' worth: as many over connections, ten times as many challenges of datagrams, and as many other answers
    /// to datagrams, whose source may be forged. A source with a living allocation has twenty times as many besides.
    pub answers_per_second: u32,
}

impl Settings {
    /// The defaults for browsers, with this realm and secret.
    pub fn new(realm: &str, secret: &[u8]) -> Self {
        Settings {
            realm: realm.to_owned(),
            secret: secret.to_vec(),
            clients: Clients::Browsers,
            allocations_per_seat: 48,
            seat_bits_per_second: 8_000_000,
            answers_per_second: 50,
        }
    }

    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let realm_is_text =
            self.realm.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b':');
        if self.realm.is_empty() || self.realm.len() > LONGEST_REALM || !realm_is_text {
            return Err(SettingsError::Realm { realm: self.realm.clone() });
        }
        if self.secret.is_empty() {
            return Err(SettingsError::NoSecret);
        }
        Ok(())
    }
}

/// Why settings were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The realm is empty, too long, or holds other characters than visible ASCII without `:` and `"`.
    #[error("the relay's realm {realm:?} must be 1 to 8 visible ASCII characters without ':' and '\"'")]
    Realm {
        /// As it was given.
        realm: String,
    },
    /// There is no secret.
    #[error("the relay's secret is empty: give it at least 16 random bytes")]
    NoSecret,
}
