//! The relay's core: allocations, and the answers to requests. Each STUN method has its function in a module of its own.
//! Nothing here reads a clock, owns a socket or waits.
//!
//! Every message of a client goes through [`crate::Flows::receive`], which passes packets on and brings the rest here.

mod allocate;
mod authentication;
mod channel_bind;
mod create_permission;
mod refresh;
mod route;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stun_types::attribute::XorMappedAddress;
use stun_types::message::{BINDING, MessageClass};

use crate::address::{ClientAddr, RelayedAddr};
use crate::allocation::{Allocations, FiveTuple};
use crate::budget::{AnswerBudget, Answered};
use crate::call::Calls;
use crate::counters::{Counters, DropReason, Tally};
use crate::credential::{Bars, SeatBar};
use crate::flow::Rules;
use crate::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, Message, REFRESH, Response};
use crate::meter::Traffic;
use crate::nonce::Nonces;
use crate::settings::{Settings, SettingsError};
use crate::token_bucket::Rate;

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

/// The state machine of one relay.
pub struct Server {
    settings: Settings,
    pub(crate) rng: StdRng,
    nonces: Nonces,
    budget: AnswerBudget,
    allocations: Allocations,
    calls: Calls,
    bars: Bars,
    tally: Tally,
}

/// What a message comes to.
enum Outcome {
    /// An answer to one who has shown a credential.
    Answer(Vec<u8>),
    /// An answer to one who has not: within the budget and the ratio, or not at all.
    AnswerToStranger(Vec<u8>),
    /// The same, which asks for one.
    Challenge(Vec<u8>),
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
            allocations: Allocations::default(),
            calls: Calls::default(),
            bars: Bars::default(),
            tally: Tally::default(),
            settings,
            rng,
        })
    }

    /// The rules that flows follow.
    pub(crate) fn rules(&self) -> Rules {
        let bytes_per_second = self.settings.seat_bits_per_second / 8;
        Rules {
            clients: self.settings.clients,
            bandwidth: Rate::per_second(bytes_per_second, BANDWIDTH_BURST),
        }
    }

    /// Takes one message that is no packet to pass on; gives the answer for the client it came from, if it gets one.
    pub(crate) fn answer(&mut self, now: Now, from: &FiveTuple, bytes: &[u8]) -> Option<Vec<u8>> {
        self.handle_timeout(now);
        let outcome = match Message::read(bytes) {
            Ok(message) => self.message(now, from, &message),
            Err(_) => Outcome::Drop(DropReason::Malformed),
        };
        let answer = match outcome {
            Outcome::Answer(answer) => Ok(answer),
            Outcome::AnswerToStranger(answer) => {
                let answered = Answered::of(from.transport, false);
                self.admit_answer(now, from.client, answered, [bytes.len(), answer.len()]).map(|()| answer)
            }
            Outcome::Challenge(answer) => {
                let answered = Answered::of(from.transport, true);
                self.admit_answer(now, from.client, answered, [bytes.len(), answer.len()]).map(|()| answer)
            }
            Outcome::Nothing => return None,
            Outcome::Drop(reason) => Err(reason),
        };
        answer.map_err(|reason| self.tally.count_drop(reason)).ok()
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
        &self,
        now: Now,
        client: ClientAddr,
        answered: Answered,
        [received, sent]: [usize; 2],
    ) -> Result<(), DropReason> {
        let (most, for_each) = AMPLIFICATION;
        if sent * for_each > received * most {
            return Err(DropReason::Amplification);
        }
        let is_known = || self.allocations.has_source(client);
        if !self.budget.take(now.monotonic, client, answered, is_known) {
            return Err(DropReason::AnswerBudget);
        }
        Ok(())
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
        self.bars.bar_seat(now.unix, call, seat, SeatBar { expiry: barred, stays: 0 });
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

    /// Ends an allocation, or a reservation.
    fn end_allocation(&mut self, relayed: RelayedAddr) {
        if let Some(seat) = self.allocations.remove(relayed) {
            self.calls.remove_allocation(seat, relayed);
        }
    }

    /// Ends the allocation of a client whose connection has ended.
    pub fn end_client(&mut self, from: &FiveTuple) {
        if let Some(relayed) = self.allocations.of_client(from) {
            self.end_allocation(relayed);
        }
    }

    /// Whether a client has an allocation.
    pub fn has_allocation(&self, from: &FiveTuple) -> bool {
        self.allocations.of_client(from).is_some()
    }

    /// What a call's allocations carried; zeros if it has none.
    pub fn traffic(&self, call: &str) -> Traffic {
        self.calls.traffic(call)
    }

    /// What the server itself counted since the start; packets are counted where they pass.
    pub fn counters(&self) -> Counters {
        self.tally.read()
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
        let server = Server::new(Settings::new("visavis", b"secret"), [1; 32]).unwrap();
        let now = Now { monotonic: Duration::from_secs(1), unix: 1_800_000_000 };
        let client = ClientAddr::new("198.51.100.7:4000".parse().unwrap());
        assert_eq!(server.admit_answer(now, client, Answered::Datagram, [28, 70]), Ok(()));
        assert_eq!(
            server.admit_answer(now, client, Answered::Datagram, [28, 71]),
            Err(DropReason::Amplification)
        );
        assert_eq!(
            server.admit_answer(now, client, Answered::Datagram, [27, 68]),
            Err(DropReason::Amplification)
        );
    }
}
