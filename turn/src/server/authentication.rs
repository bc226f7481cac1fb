//! Who is asking: the long-term credential mechanism (RFC 8489, section 9.2) without any state before it succeeds.

use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, MessageIntegrityCredentials,
};

use super::{Now, Outcome, Server};
use crate::allocation::FiveTuple;
use crate::credential::{UserName, password};
use crate::message::{ALLOCATE, CREATE_PERMISSION, Message, REFRESH, Response, attribute};

/// The shortest request that earns a challenge, which is 68 bytes long: 20 of header, 8 of an attribute.
const SHORTEST_CHALLENGED: usize = 28;

/// A request that shows a valid credential.
pub(super) struct Request<'a> {
    pub(super) message: &'a Message<'a>,
    pub(super) user: UserName<'a>,
    /// Signs the answer.
    pub(super) key: IntegrityKey,
}

/// An error for one who has shown a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    BadRequest,
    Unauthorized,
    Forbidden,
    AllocationMismatch,
    AddressFamilyNotSupported,
    WrongCredentials,
    UnsupportedTransport,
    PeerAddressFamilyMismatch,
    AllocationQuotaReached,
    InsufficientCapacity,
}

impl Refusal {
    fn code_and_reason(self) -> (u16, &'static str) {
        match self {
            Refusal::BadRequest => (400, "Bad Request"),
            Refusal::Unauthorized => (401, ""),
            Refusal::Forbidden => (403, "Forbidden"),
            Refusal::AllocationMismatch => (437, "Allocation Mismatch"),
            Refusal::AddressFamilyNotSupported => (440, "Address Family not Supported"),
            Refusal::WrongCredentials => (441, "Wrong Credentials"),
            Refusal::UnsupportedTransport => (442, "Unsupported Transport Protocol"),
            Refusal::PeerAddressFamilyMismatch => (443, "Peer Address Family Mismatch"),
            Refusal::AllocationQuotaReached => (486, "Allocation Quota Reached"),
            Refusal::InsufficientCapacity => (508, "Insufficient Capacity"),
        }
    }
}

impl Server {
    /// Checks the credential, then lets the method speak.
    pub(super) fn authenticated(&mut self, now: Now, from: &FiveTuple, message: &Message<'_>) -> Outcome {
        let request = match self.authenticate(now, from, message) {
            Ok(request) => request,
            Err(outcome) => return outcome,
        };
        let unknown = message.unknown_attributes();
        if !unknown.is_empty() {
            let response = Response::unknown_attributes(message, &unknown, "Unknown Attribute");
            return Outcome::Answer(response.signed(&request.key).finish());
        }
        let result = match message.method() {
            ALLOCATE => self.allocate(now, from, &request),
            REFRESH => self.refresh(now, from, &request),
            CREATE_PERMISSION => self.create_permission(now, from, &request),
            _ => self.channel_bind(now, from, &request),
        };
        match result {
            Ok(response) => Outcome::Answer(response.signed(&request.key).finish()),
            Err(Refusal::Unauthorized) => self.refuse_credential(now, from, message),
            Err(refusal) => {
                let (code, reason) = refusal.code_and_reason();
                Outcome::Answer(Response::error(message, code, reason).signed(&request.key).finish())
            }
        }
    }

    /// RFC 8489, section 9.2.4. Expiry and bars are not looked at here: only Allocate asks for them.
    fn authenticate<'a>(
        &mut self,
        now: Now,
        from: &FiveTuple,
        message: &'a Message<'a>,
    ) -> Result<Request<'a>, Outcome> {
        if !message.has_integrity() {
            let earns_challenge =
                message.len() >= SHORTEST_CHALLENGED && message.has(attribute::REQUESTED_TRANSPORT);
            return Err(if earns_challenge {
                self.challenge(now, from, message, 401)
            } else {
                bad_request(message)
            });
        }
        let (Some(username), Some(_), Some(nonce)) = (
            message.first(attribute::USERNAME),
            message.first(attribute::REALM),
            message.first(attribute::NONCE),
        ) else {
            return Err(bad_request(message));
        };
        if !self.nonces.is_valid(now.unix, from, nonce) {
            return Err(self.challenge(now, from, message, 438));
        }
        let Some((username, user)) = read_user(username) else {
            return Err(self.refuse_credential(now, from, message));
        };
        let key = self.key(username);
        if !message.is_signed_with(&key) {
            return Err(self.refuse_credential(now, from, message));
        }
        Ok(Request { message, user, key })
    }

    /// The key of the long-term mechanism, MD5(user name ":" realm ":" password), for our realm whatever the client
    /// wrote: with another one its MESSAGE-INTEGRITY does not fit.
    fn key(&self, username: &str) -> IntegrityKey {
        let password = password(&self.settings.secret, username);
        let credentials =
            LongTermKeyCredentials::new(username.to_owned(), password, self.settings.realm.clone());
        MessageIntegrityCredentials::from(credentials).make_key(IntegrityAlgorithm::Sha1)
    }

    fn refuse_credential(&mut self, now: Now, from: &FiveTuple, message: &Message<'_>) -> Outcome {
        self.tally.credentials_refused.add(1);
        self.challenge(now, from, message, 401)
    }

    fn challenge(&self, now: Now, from: &FiveTuple, message: &Message<'_>, code: u16) -> Outcome {
        let nonce = self.nonces.make(now.unix, from);
        let response = Response::error(message, code, "")
            .with_bytes(attribute::REALM, self.settings.realm.as_bytes())
            .with_bytes(attribute::NONCE, nonce.as_bytes());
        Outcome::Challenge(response.finish())
    }
}

fn bad_request(message: &Message<'_>) -> Outcome {
    Outcome::AnswerToStranger(Response::error(message, 400, "").finish())
}

fn read_user(bytes: &[u8]) -> Option<(&str, UserName<'_>)> {
    let text = std::str::from_utf8(bytes).ok()?;
    Some((text, UserName::parse(text).ok()?))
}
