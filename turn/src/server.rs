//! The relay's core: a datagram and the time go in; what to send, and along which five-tuple, comes out.
//!
//! [`Server::receive`] is the whole protocol; each STUN method has its function in a module of its own. Nothing here
//! reads a clock, owns a socket or waits.

mod allocate;
mod authentication;
mod channel_bind;
mod create_permission;
mod refresh;
mod relaying;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stun_types::attribute::XorMappedAddress;
use stun_types::message::{BINDING, MessageClass};

use crate::address::{ClientAddr, RelayedAddr};
use crate::allocation::{Allocations, FiveTuple};
use crate::budget::AnswerBudget;
use crate::call::{Calls, Traffic};
use crate::channel_data;
use crate::counters::{Counters, DropReason};
use crate::credential::Bars;
use crate::data_indication::DataHeader;
use crate::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, Message, REFRESH, Response, SEND};
use crate::nonce::Nonces;
use crate::packet::{Packet, Transmit};
use crate::token_bucket::Rate;

/// The longest realm: it stands in every challenge, and challenges to strangers must stay short.
const LONGEST_REALM: usize = 8;

/// A stranger gets at most 5 bytes for every 2 it sent.
const AMPLIFICATION: (usize, usize) = (5, 2);

/// A seat may save up this much of its bandwidth: a key frame after a quiet moment.
const BANDWIDTH_BURST: Duration = Duration::from_millis(500);

/// The time, as the caller's clocks tell it.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Since any fixed moment; never steps back. Lifetimes are measured with it.
    pub monotonic: Duration,
    /// Unix seconds; may step. Credentials and nonces are judged by it.
    pub unix: u64,
}

/// Which payloads pass, by their first byte (RFC 7983).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstByte {
    /// STUN (0..=3), DTLS (20..=63), RTP and RTCP (128..=191).
    WebRtcOnly,
    /// Anything, the empty payload too.
    Any,
}

/// What an operator decides.
#[derive(Clone)]
pub struct Settings {
    /// The realm of challenges, 1 to 8 bytes.
    pub realm: String,
    /// The key of passwords; whoever has it can mint credentials. Not empty.
    pub secret: Vec<u8>,
    /// Which payloads pass.
    pub first_byte: FirstByte,
    /// Allocations a seat may hold at once; over it 486.
    pub allocations_per_seat: u16,
    /// Bits of payload a seat may send a second, and as many it may receive; over it packets are dropped.
    pub seat_bits_per_second: u64,
    /// Answers a second to one source (IPv4 address or IPv6 /64) that has shown no credential, with a burst of ten
    /// seconds' worth.
    pub answers_per_second: u32,
}

impl Settings {
    /// The defaults for browsers, with this realm and secret.
    pub fn new(realm: &str, secret: &[u8]) -> Self {
        Settings {
            realm: realm.to_owned(),
            secret: secret.to_vec(),
            first_byte: FirstByte::WebRtcOnly,
            allocations_per_seat: 48,
            seat_bits_per_second: 8_000_000,
            answers_per_second: 50,
        }
    }

    fn check(&self) -> Result<(), SettingsError> {
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

/// The state machine of one relay.
pub struct Server {
    settings: Settings,
    rng: StdRng,
    nonces: Nonces,
    budget: AnswerBudget,
    data_header: DataHeader,
    bandwidth: Rate,
    allocations: Allocations,
    calls: Calls,
    bars: Bars,
    counters: Counters,
    /// The last answer, so that it need not fit the packet it answers.
    answer: Vec<u8>,
}

/// What a datagram comes to.
enum Outcome {
    /// An answer to one who has shown a credential.
    Answer(Vec<u8>),
    /// An answer to one who has not: within the budget and the ratio, or not at all.
    AnswerToStranger(Vec<u8>),
    /// Nothing, and that is right: an indication that only keeps a NAT open.
    Nothing,
    Drop(DropReason),
}

impl Server {
    /// A server without allocations. `seed` must come from the operating system's randomness: keys of nonces,
    /// relayed ports and transaction ids are drawn from it.
    pub fn new(settings: Settings, seed: [u8; 32]) -> Result<Self, SettingsError> {
        settings.check()?;
        let mut rng = StdRng::from_seed(seed);
        let mut nonce_key = [0; 32];
        rng.fill_bytes(&mut nonce_key);
        Ok(Server {
            nonces: Nonces::new(nonce_key),
            budget: AnswerBudget::new(settings.answers_per_second),
            data_header: DataHeader::new(),
            bandwidth: Rate::per_second(settings.seat_bits_per_second / 8, BANDWIDTH_BURST),
            allocations: Allocations::default(),
            calls: Calls::default(),
            bars: Bars::default(),
            counters: Counters::default(),
            answer: Vec::new(),
            settings,
            rng,
        })
    }

    /// Takes one datagram; gives the one datagram to send for it, if any, which may lie in the packet's buffer.
    pub fn receive<'a>(&'a mut self, now: Now, from: &FiveTuple, packet: Packet<'a>) -> Option<Transmit<'a>> {
        self.handle_timeout(now);
        // Port 0 cannot be sent to; only a forger sends from it.
        if from.client.socket_addr().port() == 0 {
            return self.count_drop(DropReason::Malformed);
        }
        let bytes = packet.bytes();
        if channel_data::is_channel_data(bytes) {
            return self.channel_data(now, from, packet);
        }
        let received = bytes.len();
        let outcome = match Message::read(bytes) {
            Ok(message) if message.class() == MessageClass::Indication && message.method() == SEND => {
                let send = self.read_send(&message);
                return self.send_indication(now, from, send, packet);
            }
            Ok(message) => self.message(now, from, &message),
            Err(_) => Outcome::Drop(DropReason::Malformed),
        };
        let answer = match outcome {
            Outcome::Answer(answer) => answer,
            Outcome::AnswerToStranger(answer) => {
                match self.admit_answer(now, from.client, received, answer.len()) {
                    Ok(()) => answer,
                    Err(reason) => return self.count_drop(reason),
                }
            }
            Outcome::Nothing => return None,
            Outcome::Drop(reason) => return self.count_drop(reason),
        };
        self.answer = answer;
        Some(Transmit { to: *from, bytes: &self.answer })
    }

    /// One function per method; unknown methods are not answered (RFC 8489, section 6.3).
    fn message(&mut self, now: Now, from: &FiveTuple, message: &Message<'_>) -> Outcome {
        match (message.class(), message.method()) {
            (MessageClass::Request, BINDING) => self.binding(from, message),
            (MessageClass::Indication, BINDING) => Outcome::Nothing,
            (MessageClass::Request, ALLOCATE | REFRESH | CREATE_PERMISSION | CHANNEL_BIND) => {
                self.authenticated(now, from, message)
            }
            _ => Outcome::Drop(DropReason::Malformed),
        }
    }

    /// STUN Binding (RFC 8489, section 3): the client's own address, for direct paths.
    fn binding(&self, from: &FiveTuple, message: &Message<'_>) -> Outcome {
        let unknown = message.unknown_attributes();
        let response = if unknown.is_empty() {
            let mapped = XorMappedAddress::new(from.client.socket_addr(), message.transaction);
            Response::success(message).with(&mapped)
        } else {
            Response::unknown_attributes(message, &unknown, "")
        };
        Outcome::AnswerToStranger(response.finish())
    }

    fn admit_answer(
        &mut self,
        now: Now,
        client: ClientAddr,
        received: usize,
        answered: usize,
    ) -> Result<(), DropReason> {
        let (most, for_each) = AMPLIFICATION;
        if answered * for_each > received * most {
            return Err(DropReason::Amplification);
        }
        if !self.budget.take(now.monotonic, client) {
            return Err(DropReason::AnswerBudget);
        }
        Ok(())
    }

    fn count_drop<T>(&mut self, reason: DropReason) -> Option<T> {
        self.counters.count_drop(reason);
        None
    }

    /// When [`Server::handle_timeout`] has something to do next, on the monotonic clock.
    pub fn next_timeout(&self) -> Option<Duration> {
        self.allocations.next_expiry().map(|(at, _)| at)
    }

    /// Ends the allocations whose lifetime is over.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some((at, relayed)) = self.allocations.next_expiry()
            && at <= now.monotonic
        {
            self.end_allocation(relayed);
        }
    }

    /// Ends a seat's allocations and refuses its credentials with an expiry up to `barred` (see
    /// [`crate::Mint::end_seat`]).
    pub fn end_seat(&mut self, now: Now, call: &str, seat: &str, barred: u64) {
        self.bars.bar_seat(now.unix, call, seat, barred);
        self.end_allocations(call, Some(seat));
    }

    /// Ends all allocations of a call and refuses its credentials with an expiry up to `barred`.
    pub fn end_call(&mut self, now: Now, call: &str, barred: u64) {
        self.bars.bar_call(now.unix, call, barred);
        self.end_allocations(call, None);
    }

    fn end_allocations(&mut self, call: &str, seat: Option<&str>) {
        for relayed in self.calls.allocations(call, seat) {
            self.end_allocation(relayed);
        }
    }

    fn end_allocation(&mut self, relayed: RelayedAddr) {
        if let Some(allocation) = self.allocations.remove(relayed) {
            self.calls.remove_allocation(allocation.seat, relayed);
        }
    }

    /// What a call's allocations carried; zeros if it has none.
    pub fn traffic(&self, call: &str) -> Traffic {
        self.calls.traffic(call)
    }

    /// Totals since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Allocations alive.
    pub fn allocations(&self) -> usize {
        self.allocations.len()
    }

    /// Calls that have allocations.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_never_gets_more_than_two_and_a_half_times_what_it_sent() {
        let mut server = Server::new(Settings::new("visavis", b"secret"), [1; 32]).unwrap();
        let now = Now { monotonic: Duration::from_secs(1), unix: 1_800_000_000 };
        let client = ClientAddr::new("198.51.100.7:4000".parse().unwrap());
        assert_eq!(server.admit_answer(now, client, 28, 70), Ok(()));
        assert_eq!(server.admit_answer(now, client, 28, 71), Err(DropReason::Amplification));
        assert_eq!(server.admit_answer(now, client, 27, 68), Err(DropReason::Amplification));
    }
}
