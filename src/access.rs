//! Access codes, roles and the time in which a code opens its seat: pure, no clock, no store (R03, R04, R13).

use std::fmt;

use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, SecondsFormat, SubsecRound, TimeZone, Utc};
use chrono_tz::Tz;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Seats of a consultation, at most: a therapy group of eight and the therapist.
pub const SEATS: u8 = 9;

/// Crockford's base 32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Random symbols of a code: 11 x 5 = 55 bits.
const RANDOM_SYMBOLS: usize = 11;
/// Length of a code's typed form without its dashes.
const SYMBOLS: usize = RANDOM_SYMBOLS + 1;

/// The secret that opens one seat: 55 random bits and a check symbol. Typed as `K7QF-3XM2-9TDA`.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessCode([u8; SYMBOLS]);

/// Why a typed code cannot be one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the check symbol, the length or a symbol does not fit")]
pub struct CodeTypo;

impl AccessCode {
    /// Draws a code from the operating system's randomness.
    pub fn random() -> Self {
        let mut symbols = [0; SYMBOLS];
        rand::rng().fill_bytes(&mut symbols);
        symbols.iter_mut().for_each(|symbol| *symbol %= 32);
        symbols[RANDOM_SYMBOLS] = check_symbol(&symbols[..RANDOM_SYMBOLS]);
        Self(symbols)
    }

    /// Reads a typed code: case, spaces and dashes are free, `O` is 0, `I` and `L` are 1, `U` is V.
    pub fn parse(typed: &str) -> Result<Self, CodeTypo> {
        let mut symbols = [0; SYMBOLS];
        let mut length = 0;
        for character in typed.chars().filter(|c| !c.is_whitespace() && !is_dash(*c)) {
            *symbols.get_mut(length).ok_or(CodeTypo)? = symbol_of(character).ok_or(CodeTypo)?;
            length += 1;
        }
        let fits = length == SYMBOLS && check_symbol(&symbols[..RANDOM_SYMBOLS]) == symbols[RANDOM_SYMBOLS];
        fits.then_some(Self(symbols)).ok_or(CodeTypo)
    }

    /// The twelve symbols without dashes: what is hashed.
    pub fn canonical(&self) -> String {
        self.0.iter().map(|symbol| char::from(ALPHABET[usize::from(*symbol)])).collect()
    }
}

/// Four-four-four, as it is printed and read aloud.
impl fmt::Display for AccessCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.canonical();
        write!(f, "{}-{}-{}", &text[..4], &text[4..8], &text[8..])
    }
}

/// Never shows the code: a code in a log would be a key under the mat (R34).
impl fmt::Debug for AccessCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessCode(..)")
    }
}

/// Evaluates the symbols over GF(2^5), polynomial 0x3B, each step times x^5. The multiplier has order 31, so that every single error and
/// every swap of two different symbols changes the result.
fn check_symbol(symbols: &[u8]) -> u8 {
    symbols.iter().fold(0, |sum, symbol| {
        (0..5).fold(sum ^ symbol, |value, _| (value << 1) ^ if value & 16 == 0 { 0 } else { 0x3B })
    })
}

fn symbol_of(character: char) -> Option<u8> {
    let upper = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        'U' => 'V',
        other => other,
    };
    ALPHABET.iter().position(|c| char::from(*c) == upper).and_then(|index| u8::try_from(index).ok())
}

/// Hyphen-minus and what word processors make of it.
fn is_dash(character: char) -> bool {
    matches!(character, '-' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// What a seat is for. The role hangs on the code (R03).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Admits, refuses, sends back, removes and ends.
    Doctor,
    /// Waits until admitted.
    Patient,
    /// A relative, an interpreter, a colleague, a member of a group: waits until admitted.
    Guest,
}

impl Role {
    /// The word in store and protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Doctor => "doctor",
            Self::Patient => "patient",
            Self::Guest => "guest",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Doctor, Self::Patient, Self::Guest].into_iter().find(|role| role.as_str() == word)
    }
}

/// Which ways media may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// A direct one wherever it exists, else the relay (R20).
    Any,
    /// The relay alone: neither side learns the other's address.
    RelayedOnly,
}

/// The validity of a consultation's codes (R04). 24 hours are 86,400 s of UTC, whatever the clocks on the wall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When waiting and testing begin: the lead time before the start.
    pub opens_at: DateTime<Utc>,
    /// The planned start.
    pub starts_at: DateTime<Utc>,
    /// The first moment at which nobody new enters.
    pub expires_at: DateTime<Utc>,
}

/// Where a moment lies in a [`Window`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before `opens_at`.
    Early,
    /// From `opens_at` to the last moment before `expires_at`.
    Open,
    /// From `expires_at` on.
    Expired,
}

impl Window {
    /// The window of a consultation planned for `starts_at`.
    pub fn new(starts_at: DateTime<Utc>, lead: Duration) -> Self {
        Self { opens_at: starts_at - lead, starts_at, expires_at: starts_at + Duration::seconds(86_400) }
    }

    /// The phase at `now`.
    pub fn phase(&self, now: DateTime<Utc>) -> Phase {
        if now < self.opens_at {
            Phase::Early
        } else if now < self.expires_at {
            Phase::Open
        } else {
            Phase::Expired
        }
    }
}

/// What had to be decided to turn a local time into a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalTime {
    /// The time is on the clock once.
    Plain,
    /// The clocks skip it; an hour was added.
    Skipped,
    /// The clocks show it twice; the first was taken.
    Twice,
}

/// Why a start was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "“{0}” is not a time: write 2026-11-30T09:00:00+01:00, or 2026-11-30T09:00 in the practice's time zone, between the years 2000 and 2200"
)]
pub struct BadStart(String);

/// Reads a planned start: RFC 3339 with an offset, or a local time in `zone`.
pub fn parse_start(text: &str, zone: Tz) -> Result<(DateTime<Utc>, LocalTime), BadStart> {
    let bad = || BadStart(text.chars().take(40).collect());
    let (start, kind) = if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        (moment.with_timezone(&Utc), LocalTime::Plain)
    } else {
        let local = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
            .into_iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .ok_or_else(bad)?;
        from_local(local, zone).ok_or_else(bad)?
    };
    let start = start.trunc_subsecs(0);
    let plausible = (946_684_800..7_258_118_400).contains(&start.timestamp());
    plausible.then_some((start, kind)).ok_or_else(bad)
}

fn from_local(local: NaiveDateTime, zone: Tz) -> Option<(DateTime<Utc>, LocalTime)> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(moment) => Some((moment.with_timezone(&Utc), LocalTime::Plain)),
        LocalResult::Ambiguous(first, _) => Some((first.with_timezone(&Utc), LocalTime::Twice)),
        LocalResult::None => {
            let moved = zone.from_local_datetime(&(local + Duration::hours(1))).earliest()?;
            Some((moved.with_timezone(&Utc), LocalTime::Skipped))
        }
    }
}

/// A moment as the protocol and the API write it: RFC 3339 in UTC, whole seconds.
pub fn rfc3339(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_code() -> impl Strategy<Value = AccessCode> {
        prop::array::uniform11(0u8..32).prop_map(|random| {
            let mut symbols = [0; SYMBOLS];
            symbols[..RANDOM_SYMBOLS].copy_from_slice(&random);
            symbols[RANDOM_SYMBOLS] = check_symbol(&random);
            AccessCode(symbols)
        })
    }

    #[test]
    fn the_code_of_the_documents_is_well_formed() {
        assert_eq!(AccessCode::parse("K7QF-3XM2-9TDA").unwrap().to_string(), "K7QF-3XM2-9TDA");
    }

    #[test]
    fn input_forgives_case_spaces_dashes_and_lookalikes() {
        let code = loop {
            let code = AccessCode::random();
            if ['0', '1', 'V'].iter().all(|c| code.canonical().contains(*c)) {
                break code;
            }
        };
        let sloppy = code.to_string().to_lowercase().replace('0', "o").replace('1', "l").replace('v', "u");
        let sloppy = format!("  {} ", sloppy.replace('-', " \u{2013} "));
        assert_eq!(AccessCode::parse(&sloppy), Ok(code));
    }

    #[test]
    fn a_code_never_prints_itself_into_a_log() {
        assert_eq!(format!("{:?}", AccessCode::random()), "AccessCode(..)");
    }

    #[test]
    fn ten_thousand_pairs_share_no_part_beyond_chance() {
        let pairs: Vec<_> = (0..10_000).map(|_| (AccessCode::random(), AccessCode::random())).collect();
        let mut seen = std::collections::HashSet::new();
        assert!(pairs.iter().all(|(a, b)| seen.insert(a.canonical()) && seen.insert(b.canonical())));
        // Each of the 12 places agrees by chance in 1 of 32 pairs: 312.5 expected, standard deviation 17.4. Eight of those are never chance.
        for place in 0..SYMBOLS {
            let equal = pairs.iter().filter(|(a, b)| a.0[place] == b.0[place]).count();
            assert!((173..452).contains(&equal), "place {place}: {equal} of 10,000 pairs agree");
        }
    }

    proptest! {
        #[test]
        fn every_single_error_and_every_swap_of_neighbours_is_a_typo(code in any_code(), place in 0..SYMBOLS, other in 0u8..32) {
            let mut wrong = code.0;
            wrong[place] = other;
            prop_assert_eq!(AccessCode::parse(&AccessCode(wrong).canonical()).is_ok(), wrong == code.0);
            let mut swapped = code.0;
            swapped.swap(place, (place + 1) % SYMBOLS);
            prop_assert_eq!(AccessCode::parse(&AccessCode(swapped).canonical()).is_ok(), swapped == code.0);
        }

        #[test]
        fn any_text_is_a_code_or_a_typo(text in ".{0,40}") {
            if let Ok(code) = AccessCode::parse(&text) {
                prop_assert_eq!(AccessCode::parse(&code.to_string()), Ok(code));
            }
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    #[test]
    fn a_window_is_86400_seconds_over_both_clock_changes_of_berlin() {
        for (local, opens, expires) in [
            ("2026-03-28T15:00", "2026-03-28T13:30:00Z", "2026-03-29T14:00:00Z"), // shorter night: ends at 16:00 on the wall
            ("2026-10-24T15:00", "2026-10-24T12:30:00Z", "2026-10-25T13:00:00Z"), // longer night: ends at 14:00 on the wall
        ] {
            let (start, kind) = parse_start(local, chrono_tz::Europe::Berlin).unwrap();
            let window = Window::new(start, Duration::minutes(30));
            assert_eq!(kind, LocalTime::Plain);
            assert_eq!((window.opens_at, window.expires_at), (at(opens), at(expires)));
            assert_eq!(window.phase(at(opens) - Duration::milliseconds(1)), Phase::Early);
            assert_eq!(window.phase(at(opens)), Phase::Open);
            assert_eq!(window.phase(at(expires) - Duration::milliseconds(1)), Phase::Open);
            assert_eq!(window.phase(at(expires)), Phase::Expired);
        }
    }

    #[test]
    fn a_skipped_local_time_moves_an_hour_and_a_double_one_takes_the_first() {
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(
            parse_start("2026-03-29T02:30", berlin),
            Ok((at("2026-03-29T01:30:00Z"), LocalTime::Skipped))
        );
        assert_eq!(
            parse_start("2026-10-25T02:30", berlin),
            Ok((at("2026-10-25T00:30:00Z"), LocalTime::Twice))
        );
        assert!(parse_start("tomorrow", berlin).is_err());
        assert!(parse_start("9999-01-01T00:00:00Z", berlin).is_err());
    }
}
