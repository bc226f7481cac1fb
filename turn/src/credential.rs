//! Credentials: minted and checked without a table, limited in time, and barred when their seat or call ends.
//!
//! The user name is `expiry:call:seat` (expiry in unix seconds), in a call of more than two seats `expiry:call:seat:seats`, the password base64(HMAC-SHA1(secret, user name)),
//! the form of draft-uberti-behave-turn-rest.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// How long a credential opens new allocations, in seconds. An allocation, once made, outlives it.
const LIFETIME: u64 = 900;

/// The longest user name accepted, in bytes (RFC 8489 allows 508).
const LONGEST: usize = 255;

/// What a client needs to make allocations for one seat.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// `expiry:call:seat`, with `:seats` behind it where the call has more than two.
    pub username: String,
    /// base64(HMAC-SHA1(secret, user name)).
    pub password: String,
    /// How long it opens new allocations from now.
    pub lifetime: Duration,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

/// Why a user name is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Not `expiry:call:seat` or `expiry:call:seat:seats`.
    #[error(
        "a user name has the form expiry:call:seat or expiry:call:seat:seats, at most 255 bytes, no part empty, seats at most 255"
    )]
    Malformed,
}

/// A user name taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserName<'a> {
    /// The last unix second in which it opens an allocation.
    pub expiry: u64,
    /// The call's label.
    pub call: &'a str,
    /// The seat's label within the call.
    pub seat: &'a str,
    /// How many seats the call has: more partners need more allocations and more bandwidth.
    pub seats: u8,
}

/// A call's seats where nothing else is said.
const PAIR: u8 = 2;

impl<'a> UserName<'a> {
    /// Reads `expiry:call:seat` and `expiry:call:seat:seats`.
    pub fn parse(text: &'a str) -> Result<Self, CredentialError> {
        let mut parts = text.split(':');
        let (Some(expiry), Some(call), Some(seat), seats, None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(CredentialError::Malformed);
        };
        if text.len() > LONGEST || call.is_empty() || seat.is_empty() {
            return Err(CredentialError::Malformed);
        }
        let expiry = number(expiry)?;
        let seats = seats.map_or(Ok(u64::from(PAIR)), number)?;
        let seats = u8::try_from(seats).map_err(|_| CredentialError::Malformed)?;
        Ok(UserName { expiry, call, seat, seats })
    }
}

fn number(text: &str) -> Result<u64, CredentialError> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or(CredentialError::Malformed)
}

/// The password that belongs to a user name.
pub(crate) fn password(secret: &[u8], username: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(username.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// Mints credentials and knows which expiries are barred, so that a seat admitted again gets one that is not.
pub struct Mint {
    secret: Vec<u8>,
    bars: Bars,
    /// The latest second seen: a wall clock that steps back must not let a bar fall short of what was minted.
    latest: u64,
}

impl Mint {
    /// A mint over the secret that the server checks with.
    pub fn new(secret: &[u8]) -> Self {
        Mint { secret: secret.to_vec(), bars: Bars::default(), latest: 0 }
    }

    /// A credential for a seat of a call. Labels must be non-empty and hold no colon, or it opens nothing.
    pub fn mint(&mut self, unix: u64, call: &str, seat: &str) -> Credential {
        self.mint_for(unix, call, seat, PAIR)
    }

    fn mint_for(&mut self, unix: u64, call: &str, seat: &str, seats: u8) -> Credential {
        let expiry = self.next_expiry(unix, self.bars.seat(call, seat));
        let further = if seats > PAIR { format!(":{seats}") } else { String::new() };
        let username = format!("{expiry}:{call}:{seat}{further}");
        let password = password(&self.secret, &username);
        Credential { username, password, lifetime: Duration::from_secs(expiry.saturating_sub(unix)) }
    }

    /// The same for one stay of many on a seat, numbered as they follow each other, in a call of so many seats; `None` where the stay has ended
    /// ([`Mint::end_stays`]).
    pub fn mint_stay(
        &mut self,
        unix: u64,
        call: &str,
        seat: &str,
        stay: u64,
        seats: u8,
    ) -> Option<Credential> {
        (stay > self.bars.stays(call, seat)).then(|| self.mint_for(unix, call, seat, seats))
    }

    /// Bars what was minted for a seat so far; gives the last barred expiry, for [`crate::Server::end_seat`].
    pub fn end_seat(&mut self, unix: u64, call: &str, seat: &str) -> u64 {
        let stays = self.bars.stays(call, seat);
        let barred = self.next_expiry(unix, self.bars.seat(call, seat));
        self.bars.bar_seat(self.latest, call, seat, SeatBar { expiry: barred, stays });
        barred
    }

    /// The same, and what will be asked for by a stay up to this one, as long as a credential of it could live. `None`, and nothing happens, where that
    /// is so already: a word that comes late must not end the stay that followed.
    pub fn end_stays(&mut self, unix: u64, call: &str, seat: &str, up_to: u64) -> Option<u64> {
        if up_to <= self.bars.stays(call, seat) {
            return None;
        }
        let barred = self.end_seat(unix, call, seat);
        self.bars.bar_seat(self.latest, call, seat, SeatBar { expiry: barred, stays: up_to });
        Some(barred)
    }

    /// Bars what was minted for all seats of a call so far; gives the last barred expiry.
    pub fn end_call(&mut self, unix: u64, call: &str) -> u64 {
        let barred = self.next_expiry(unix, self.bars.latest_of(call));
        self.bars.bar_call(self.latest, call, barred);
        barred
    }

    /// The expiry a credential minted now has. No credential minted earlier has a later one: each had either
    /// an earlier second plus the lifetime, or the second after the bar that is still in force.
    fn next_expiry(&mut self, unix: u64, barred: Option<u64>) -> u64 {
        self.latest = self.latest.max(unix);
        (self.latest + LIFETIME).max(barred.map_or(0, |barred| barred + 1))
    }
}

/// Expiries up to which credentials are refused, by call and seat; an entry lives no longer than its expiry.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    calls: HashMap<Box<str>, CallBars>,
    /// The latest second whose past was forgotten: what expires before may have been barred, and stays refused when
    /// the wall clock steps back.
    forgotten: u64,
}

#[derive(Debug, Default)]
struct CallBars {
    whole: Option<u64>,
    seats: HashMap<Box<str>, SeatBar>,
}

/// Of one seat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeatBar {
    /// Credentials up to this expiry are refused.
    pub(crate) expiry: u64,
    /// Stays up to this one get none.
    pub(crate) stays: u64,
}

impl Bars {
    /// Whether a user name is barred.
    pub(crate) fn refuse(&self, user: UserName<'_>) -> bool {
        user.expiry < self.forgotten
            || self.seat(user.call, user.seat).is_some_and(|barred| user.expiry <= barred)
    }

    pub(crate) fn bar_seat(&mut self, unix: u64, call: &str, seat: &str, bar: SeatBar) {
        self.forget_past(unix);
        self.calls.entry(call.into()).or_default().seats.insert(seat.into(), bar);
    }

    /// The last stay of a seat that has ended, as far as it is remembered.
    fn stays(&self, call: &str, seat: &str) -> u64 {
        self.calls.get(call).and_then(|bars| bars.seats.get(seat)).map_or(0, |bar| bar.stays)
    }

    /// Bars a whole call: its seats' own bars are all earlier, and go.
    pub(crate) fn bar_call(&mut self, unix: u64, call: &str, expiry: u64) {
        self.forget_past(unix);
        self.calls.insert(call.into(), CallBars { whole: Some(expiry), seats: HashMap::new() });
    }

    fn seat(&self, call: &str, seat: &str) -> Option<u64> {
        let bars = self.calls.get(call)?;
        bars.seats.get(seat).map(|bar| bar.expiry).max(bars.whole)
    }

    fn latest_of(&self, call: &str) -> Option<u64> {
        let bars = self.calls.get(call)?;
        bars.seats.values().map(|bar| bar.expiry).max().max(bars.whole)
    }

    /// What has expired needs no bar.
    fn forget_past(&mut self, unix: u64) {
        self.forgotten = self.forgotten.max(unix);
        self.calls.retain(|_, bars| {
            bars.whole = bars.whole.filter(|expiry| *expiry >= unix);
            bars.seats.retain(|_, bar| bar.expiry >= unix);
            bars.whole.is_some() || !bars.seats.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_800_000_000;

    fn opens(bars: &Bars, credential: &Credential) -> bool {
        !bars.refuse(UserName::parse(&credential.username).unwrap())
    }

    /// A mint and the server's bars, told of each end as the handle tells the server.
    fn end_seat(mint: &mut Mint, bars: &mut Bars, unix: u64, call: &str, seat: &str) {
        let barred = mint.end_seat(unix, call, seat);
        bars.bar_seat(unix, call, seat, SeatBar { expiry: barred, stays: 0 });
    }

    #[test]
    fn a_password_is_the_base64_of_hmac_sha1_over_the_user_name() {
        // Computed with `printf '1700000000:call:seat' | openssl dgst -sha1 -hmac north -binary | base64`.
        assert_eq!(password(b"north", "1700000000:call:seat"), "CbcfoBvt0lYVa8x1kDU+1+SnTvI=");
    }

    #[test]
    fn a_user_name_has_three_parts_and_nothing_else() {
        assert_eq!(UserName::parse("17:c:s"), Ok(UserName { expiry: 17, call: "c", seat: "s", seats: 2 }));
        for wrong in ["", "17", "17:c", "17:c:", "17::s", ":c:s", "x:c:s", "+17:c:s", "17:c:s:t", "17:c:s:"] {
            assert_eq!(UserName::parse(wrong), Err(CredentialError::Malformed), "{wrong}");
        }
        let long = format!("17:{}:s", "c".repeat(251));
        assert_eq!(UserName::parse(&long), Err(CredentialError::Malformed));
    }

    #[test]
    fn a_seat_sent_back_and_admitted_again_in_the_same_second_works_and_the_old_credential_does_not() {
        let (mut mint, mut bars) = (Mint::new(b"secret"), Bars::default());
        let mut earlier = Vec::new();
        for _ in 0..5 {
            let credential = mint.mint(NOON, "call", "2");
            assert!(opens(&bars, &credential));
            earlier.push(credential);
            end_seat(&mut mint, &mut bars, NOON, "call", "2");
            assert!(earlier.iter().all(|old| !opens(&bars, old)));
        }
    }

    #[test]
    fn an_end_bars_its_own_seat_only() {
        let (mut mint, mut bars) = (Mint::new(b"secret"), Bars::default());
        let (one, two, other) =
            (mint.mint(NOON, "call", "1"), mint.mint(NOON, "call", "2"), mint.mint(NOON, "other", "1"));
        end_seat(&mut mint, &mut bars, NOON + 3, "call", "1");
        assert!(!opens(&bars, &one) && opens(&bars, &two) && opens(&bars, &other));
        let barred = mint.end_call(NOON + 3, "call");
        bars.bar_call(NOON + 3, "call", barred);
        assert!(!opens(&bars, &one) && !opens(&bars, &two) && opens(&bars, &other));
    }

    #[test]
    fn the_end_of_a_call_covers_seats_that_were_ended_and_admitted_again_just_before() {
        let (mut mint, mut bars) = (Mint::new(b"secret"), Bars::default());
        end_seat(&mut mint, &mut bars, NOON, "call", "1");
        end_seat(&mut mint, &mut bars, NOON, "call", "1");
        let latest = mint.mint(NOON, "call", "1");
        let barred = mint.end_call(NOON, "call");
        bars.bar_call(NOON, "call", barred);
        assert!(!opens(&bars, &latest));
        assert!(opens(&bars, &mint.mint(NOON, "call", "1")));
    }

    #[test]
    fn a_wall_clock_that_steps_back_leaves_no_credential_unbarred() {
        let (mut mint, mut bars) = (Mint::new(b"secret"), Bars::default());
        let credential = mint.mint(NOON, "call", "1");
        end_seat(&mut mint, &mut bars, NOON - 3600, "call", "1");
        assert!(!opens(&bars, &credential));
    }

    #[test]
    fn a_wall_clock_that_leapt_ahead_and_came_back_opens_nothing_that_was_barred() {
        let (mut mint, mut bars) = (Mint::new(b"secret"), Bars::default());
        let credential = mint.mint(NOON, "call", "1");
        end_seat(&mut mint, &mut bars, NOON, "call", "1");
        end_seat(&mut mint, &mut bars, NOON + 86_400, "another", "1");
        assert!(!opens(&bars, &credential), "its bar is forgotten, its time has come back");
        assert!(opens(&bars, &mint.mint(NOON + 1, "call", "1")), "what is minted from now on is good");
        assert!(opens(&bars, &mint.mint(NOON + 1, "third", "1")));
    }

    #[test]
    fn a_bar_vanishes_once_what_it_bars_has_expired() {
        let (mut mint, mut bars) = (Mint::new(b"secret"), Bars::default());
        for seat in 0..100 {
            end_seat(&mut mint, &mut bars, NOON, &format!("call {seat}"), "1");
        }
        assert_eq!(bars.calls.len(), 100);
        end_seat(&mut mint, &mut bars, NOON + LIFETIME + 1, "another", "1");
        assert_eq!((bars.calls.len(), mint.bars.calls.len()), (1, 1));
    }

    #[test]
    fn a_minted_credential_says_how_long_it_opens_allocations() {
        assert_eq!(Mint::new(b"secret").mint(NOON, "call", "1").lifetime, Duration::from_secs(900));
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let credential = Mint::new(b"secret").mint(NOON, "call", "1");
        assert!(!format!("{credential:?}").contains(&credential.password));
    }
}
