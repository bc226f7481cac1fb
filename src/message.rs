//! The messages of `docs/protocol.md`: tagged enums with bounded fields. SDP and candidates stay opaque (R23).

use serde::{Deserialize, Serialize};

use crate::access::{Phase, Role};
use crate::ice::IceServer;

/// From the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ClientMessage {
    /// Which seat is this, and is it open? Changes nothing (R15).
    Look { code: Bounded<64> },
    /// Take the seat, resume, or wait and knock.
    Join {
        code: Bounded<64>,
        device: Secret,
        key: PublicKey,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Secret>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incarnation: Option<i64>,
        /// The how manyth socket of this device: of two it goes on with the later. Pages of before do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
    },
    /// The user's name, sealed for one seat (R10).
    Name { to: SeatNumber, sealed: Sealed },
    /// Let a waiting device in.
    Admit { knock: Bounded<32> },
    /// Do not.
    Refuse { knock: Bounded<32> },
    /// Back to the waiting room.
    SendBack { seat: SeatNumber },
    /// Out of the consultation.
    Remove { seat: SeatNumber },
    /// The consultation is over for all.
    End {},
    /// I hang up.
    Leave {},
    /// SDP for one seat, unless its page has changed since.
    Description { to: SeatNumber, incarnation: i64, description: Description },
    /// A candidate, or the end of candidates.
    Candidate { to: SeatNumber, incarnation: i64, candidate: Option<Candidate> },
    /// Fresh `iceServers`, please.
    Ice {},
    /// Say the same again: measures the page's own way to the server.
    Probe { id: u32, pad: Bounded<8192> },
}

/// From the broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ServerMessage {
    /// The answer to `look`.
    Seen {
        role: Role,
        seat: u8,
        state: Phase,
        starts_at: String,
        opens_at: String,
        expires_at: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        practice: Option<Inviter>,
    },
    /// The device waits and has knocked.
    Waiting {
        consultation: String,
        seat: u8,
        role: Role,
        knock: String,
        occupied: bool,
        starts_at: String,
        expires_at: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        practice: Option<Inviter>,
    },
    /// A doctor's page is open.
    Doctor { seat: u8, key: String },
    /// It is not any more.
    DoctorGone { seat: u8 },
    /// The device holds its seat.
    Welcome {
        consultation: String,
        seat: u8,
        role: Role,
        incarnation: i64,
        token: String,
        ice_servers: Vec<IceServer>,
        relayed_only: bool,
        holders: Vec<Holder>,
        starts_at: String,
        expires_at: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        practice: Option<Inviter>,
    },
    /// A partner is present.
    Peer { seat: u8, role: Role, incarnation: i64, key: String },
    /// A partner lost its socket; media may be flowing.
    Away { seat: u8, incarnation: i64 },
    /// A partner's stay has ended: close the connection to it.
    Gone { seat: u8, reason: Departure },
    /// A device waits.
    Knock { knock: String, seat: u8, role: Role, since: String, device: Device },
    /// It does not any more.
    KnockGone { knock: String },
    /// A sealed name, from one who waits or from a seat.
    Name {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        knock: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<u8>,
        sealed: Sealed,
    },
    /// SDP, unchanged.
    Description { from: u8, incarnation: i64, description: Description },
    /// A candidate, unchanged.
    Candidate { from: u8, incarnation: i64, candidate: Option<Candidate> },
    /// Fresh credentials.
    Ice { ice_servers: Vec<IceServer> },
    /// What the page said, again.
    Probe { id: u32, pad: Bounded<8192> },
    /// Back to waiting, on this socket.
    SentBack {},
    /// Farewell: the doctor did not let you in.
    Refused {},
    /// Farewell: the doctor removed you.
    Removed {},
    /// Farewell: another device of yours has the seat.
    Replaced {},
    /// Farewell: the consultation is over.
    Ended {},
    /// Farewell: the consultation or your code was called off.
    Revoked {},
    /// What you sent did not work.
    Error(Complaint),
}

/// The practice that invites, where the consultation has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inviter {
    /// As patients know it.
    pub name: String,
    /// What patients dial.
    pub phone: Option<String>,
    /// IANA name.
    pub time_zone: String,
}

/// An error by name, and the time that helps to understand it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Complaint {
    /// What did not work.
    pub error: ErrorName,
    /// With `code-early`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<String>,
    /// With `code-expired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

impl From<ErrorName> for Complaint {
    fn from(error: ErrorName) -> Self {
        Self { error, opens_at: None, expires_at: None }
    }
}

impl ServerMessage {
    /// An error that its name explains.
    pub fn error(error: ErrorName) -> Self {
        Self::Error(error.into())
    }
}

/// Errors by name; the page knows the words for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorName {
    CodeTypo,
    CodeUnknown,
    CodeEarly,
    CodeExpired,
    CodeRevoked,
    CodeUsed,
    Crowded,
    Malformed,
    Unexpected,
    UnknownKnock,
    UnknownSeat,
    TooFast,
    TooLate,
    TooManyErrors,
    Unavailable,
}

/// Who else is admitted. A page that missed `gone` closes its connections to everybody who is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The seat.
    pub seat: u8,
    /// Its last page.
    pub incarnation: i64,
}

/// Why a seat's stay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Departure {
    /// It hung up.
    Left,
    /// The doctor sent it back to waiting.
    SentBack,
    /// The doctor removed it.
    Removed,
    /// Another device has the seat.
    Replaced,
    /// The consultation is over.
    Ended,
    /// The code was called off.
    Revoked,
}

/// Whether a seat was held before by another device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// Nobody held the seat.
    First,
    /// Somebody did, or does.
    Another,
}

/// `RTCSessionDescriptionInit`, and which of the two pages' connections it is about; the SDP is not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    r#type: SdpType,
    #[serde(default)]
    sdp: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SdpType {
    Offer,
    Pranswer,
    Answer,
    Rollback,
}

/// `RTCIceCandidateInit`: an object of at most 2 kB, whatever its fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Map<String, serde_json::Value>")]
pub struct Candidate(serde_json::Map<String, serde_json::Value>);

impl TryFrom<serde_json::Map<String, serde_json::Value>> for Candidate {
    type Error = &'static str;

    fn try_from(map: serde_json::Map<String, serde_json::Value>) -> Result<Self, Self::Error> {
        let flat = map.values().all(|value| !value.is_array() && !value.is_object());
        let length: usize =
            map.iter().map(|(key, value)| key.len() + value.as_str().map_or(8, str::len)).sum();
        if flat && length <= 2048 {
            Ok(Self(map))
        } else {
            Err("a candidate is a flat object of at most 2048 bytes")
        }
    }
}

/// A name that only the addressee's page can open; see *Sealed names* in docs/protocol.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    key: PublicKey,
    iv: Bounded<16>,
    data: Bounded<512>,
    salted: bool,
}

/// The number of a seat, 1 to 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct SeatNumber(u8);

impl TryFrom<u8> for SeatNumber {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        if (1..=9).contains(&number) { Ok(Self(number)) } else { Err("seats are numbered 1 to 9") }
    }
}

impl From<SeatNumber> for u8 {
    fn from(seat: SeatNumber) -> Self {
        seat.0
    }
}

/// A text of at most `MAX` bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bounded<const MAX: usize>(String);

impl<const MAX: usize> TryFrom<String> for Bounded<MAX> {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() <= MAX { Ok(Self(text)) } else { Err("the text is too long") }
    }
}

impl<const MAX: usize> From<Bounded<MAX>> for String {
    fn from(text: Bounded<MAX>) -> Self {
        text.0
    }
}

impl<const MAX: usize> Bounded<MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// 128 bits as 22 base64url characters: a device's secret or a resume token. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Secret(String);

impl TryFrom<String> for Secret {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() == 22 && is_base64url(&text) {
            Ok(Self(text))
        } else {
            Err("22 base64url characters expected")
        }
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.0
    }
}

impl Secret {
    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// An uncompressed P-256 point as 87 base64url characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(String);

impl TryFrom<String> for PublicKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() == 87 && is_base64url(&text) {
            Ok(Self(text))
        } else {
            Err("87 base64url characters expected")
        }
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.0
    }
}

fn is_base64url(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn golden(section: &str) -> Vec<Value> {
        let all: Value = serde_json::from_str(include_str!("../tests/golden/messages.json")).unwrap();
        all[section].as_array().unwrap().clone()
    }

    #[test]
    fn every_golden_message_of_a_page_is_read_and_written_unchanged() {
        for message in golden("client") {
            let read: ClientMessage =
                serde_json::from_value(message.clone()).unwrap_or_else(|e| panic!("{message}: {e}"));
            assert_eq!(serde_json::to_value(&read).unwrap(), message);
        }
    }

    #[test]
    fn every_golden_message_of_the_broker_is_written_as_it_stands() {
        for message in golden("server") {
            let read: ServerMessage =
                serde_json::from_value(message.clone()).unwrap_or_else(|e| panic!("{message}: {e}"));
            assert_eq!(serde_json::to_value(&read).unwrap(), message);
        }
    }

    #[test]
    fn no_golden_bad_message_is_read() {
        for bad in golden("bad") {
            assert!(serde_json::from_str::<ClientMessage>(bad["text"].as_str().unwrap()).is_err(), "{bad}");
        }
    }
}
