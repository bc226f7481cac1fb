//! From the first message to the consultation: `look` and `join`, and the wait of an address that has guessed (R14).

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::partners::Partners;
use super::{Context, Effect, Inside, Joining, Participant, Pending, Phase, Query, Standing, Unavailable};
use crate::access::{AccessCode, Phase as Window, rfc3339};
use crate::bus::Knock;
use crate::keys::{knock_label, token_hash};
use crate::limit::MessageRate;
use crate::message::{ClientMessage, Complaint, ErrorName, PublicKey, Secret, ServerMessage};
use crate::store::{Found, Seat};

/// A page says what it wants within this time.
const FIRST_MESSAGE: Duration = Duration::from_secs(10);
/// After a look the user reads, types a name, tests a camera.
const JOIN_AFTER_LOOK: Duration = Duration::from_secs(30 * 60);

/// A page that has shown no code that is good.
pub struct Door {
    /// Until when it has to say something.
    patience: Instant,
    /// The answer that waits, and until when.
    penalty: Option<(Instant, Box<Reply>)>,
}

impl Door {
    /// Nothing was said yet.
    pub fn new(now: Instant) -> Self {
        Self { patience: now + FIRST_MESSAGE, penalty: None }
    }

    /// When something is due.
    pub fn deadline(&self) -> Instant {
        self.penalty.as_ref().map_or(self.patience, |(until, _)| *until)
    }
}

/// What `join` says.
pub struct Join {
    code_hash: String,
    device: Secret,
    key: PublicKey,
    token: Option<Secret>,
    incarnation: Option<i64>,
    attempt: i64,
}

/// Who looked a code up.
pub enum Looked {
    /// With this hash.
    Look(String),
    Join(Join),
}

struct Reply {
    to: Looked,
    found: Option<Box<Found>>,
}

impl Participant {
    pub(super) fn said_at_the_door(&mut self, message: ClientMessage, context: &mut Context<'_>) {
        let Phase::Door(door) = &mut self.phase else { return };
        if door.penalty.is_some() {
            // Whoever talks while waiting for an answer gets none.
            return self.reject(ErrorName::TooFast, context);
        }
        door.patience = context.now.monotonic + JOIN_AFTER_LOOK;
        match message {
            ClientMessage::Look { code } => {
                let Some(code_hash) = self.hash(code.as_str(), context) else { return };
                let query = Query::Find { code_hash: code_hash.clone(), is_guess: true };
                self.ask(query, Pending::Look(code_hash), context);
            }
            ClientMessage::Join { code, device, key, token, incarnation, attempt } => {
                let Some(code_hash) = self.hash(code.as_str(), context) else { return };
                let attempt = attempt.map_or(0, i64::from);
                let join = Join { code_hash: code_hash.clone(), device, key, token, incarnation, attempt };
                // A device with a valid token is exempt from the budgets and from the window.
                let with_token = join.token.is_some();
                let query = Query::Find { code_hash, is_guess: !with_token };
                self.ask(query, Pending::Join(join, with_token), context);
            }
            _ => self.complain(ErrorName::Unexpected.into(), context),
        }
    }

    fn hash(&mut self, typed: &str, context: &mut Context<'_>) -> Option<String> {
        let Ok(code) = AccessCode::parse(typed) else {
            self.complain(ErrorName::CodeTypo.into(), context);
            return None;
        };
        Some(context.keys.code_hash(&code.canonical()))
    }

    pub(super) fn door_tick(&mut self, context: &mut Context<'_>) {
        let Phase::Door(door) = &mut self.phase else { return };
        match door.penalty.take() {
            Some((_, reply)) => self.reply(*reply, context),
            None if self.pending.is_empty() => self.reject(ErrorName::TooLate, context),
            None => door.patience = context.now.monotonic + FIRST_MESSAGE,
        }
    }

    pub(super) fn found_for_join(
        &mut self,
        join: Join,
        with_token: bool,
        found: Result<Option<Box<Found>>, Unavailable>,
        wait: Duration,
        context: &mut Context<'_>,
    ) {
        if !with_token {
            return self.looked(Looked::Join(join), found, wait, context);
        }
        match found {
            Ok(Some(found)) if join.token.as_ref().is_some_and(|token| holds(&found, token)) => {
                self.enter(join, *found, true, context);
            }
            Ok(_) => {
                let query = Query::Find { code_hash: join.code_hash.clone(), is_guess: true };
                self.ask(query, Pending::Join(join, false), context);
            }
            Err(Unavailable) => self.reject(ErrorName::Unavailable, context),
        }
    }

    /// A wrong code costs its address time, a right one nothing. Either waits for its answer where the address guessed before; who has the right one
    /// is no stranger meanwhile.
    pub(super) fn looked(
        &mut self,
        to: Looked,
        found: Result<Option<Box<Found>>, Unavailable>,
        wait: Duration,
        context: &mut Context<'_>,
    ) {
        let Ok(found) = found else { return self.reject(ErrorName::Unavailable, context) };
        if let Some(found) = &found
            && let (code_hash, device) = to.shown()
            && judge(found, device, context.now.unix).is_ok()
        {
            context.effects.push(Effect::Shown { code_hash: code_hash.to_owned() });
        }
        let reply = Reply { to, found };
        if wait.is_zero() {
            return self.reply(reply, context);
        }
        if let Phase::Door(door) = &mut self.phase {
            door.penalty = Some((context.now.monotonic + wait, Box::new(reply)));
        }
    }

    fn reply(&mut self, Reply { to, found }: Reply, context: &mut Context<'_>) {
        let Some(found) = found else { return self.complain(ErrorName::CodeUnknown.into(), context) };
        match to {
            Looked::Look(_) => match judge(&found, None, context.now.unix) {
                Ok(state) => {
                    let window = found.consultation.window;
                    context.send(ServerMessage::Seen {
                        practice: found.inviter,
                        role: found.seat.role,
                        seat: found.seat.number,
                        state,
                        starts_at: rfc3339(window.starts_at),
                        opens_at: rfc3339(window.opens_at),
                        expires_at: rfc3339(window.expires_at),
                    });
                }
                Err(complaint) => self.complain(complaint, context),
            },
            Looked::Join(join) => match judge(&found, Some(&join.device), context.now.unix) {
                Ok(Window::Early) => {
                    let opens_at = Some(rfc3339(found.consultation.window.opens_at));
                    let complaint = Complaint { error: ErrorName::CodeEarly, opens_at, expires_at: None };
                    self.complain(complaint, context);
                }
                Ok(_) if found.code.use_by.is_some() => {
                    let device = label(&found, &join.device);
                    let query = Query::Use { code_hash: join.code_hash.clone(), device };
                    self.ask(query, Pending::Use(join, found), context);
                }
                Ok(_) => self.enter(join, *found, false, context),
                Err(complaint) => self.complain(complaint, context),
            },
        }
    }

    pub(super) fn used(
        &mut self,
        join: Join,
        found: Box<Found>,
        used: Result<bool, Unavailable>,
        context: &mut Context<'_>,
    ) {
        match used {
            Ok(true) => self.enter(join, *found, false, context),
            Ok(false) => self.complain(ErrorName::CodeUsed.into(), context),
            Err(Unavailable) => self.reject(ErrorName::Unavailable, context),
        }
    }

    /// Listens first and reads then, so that nothing is missed that happens between.
    fn enter(&mut self, join: Join, found: Found, resumes: bool, context: &mut Context<'_>) {
        let consultation = found.consultation.id.clone();
        context.effects.push(Effect::Subscribe { consultation: consultation.clone(), seats: 2 });
        let code_hash = join.code_hash.clone();
        let knock = Knock {
            label: label(&found, &join.device),
            claim: (context.random)(),
            key: join.key.into(),
            attempt: join.attempt,
            since: context.now.unix,
        };
        let token = join.token.filter(|_| resumes);
        self.phase = Phase::Inside(Box::new(Inside {
            seat: found.seat.number,
            role: found.seat.role,
            consultation: found.consultation,
            inviter: found.inviter,
            code_hash: join.code_hash,
            knock,
            partners: Partners::default(),
            ended: None,
            standing: Standing::Joining(Joining { token, page: join.incarnation, tries: 0, probing: None }),
            is_stale: false,
            names: MessageRate::of_names(context.now.monotonic),
            before_me: Default::default(),
            knocks: Default::default(),
            let_in: Default::default(),
            vacant_at: None,
        }));
        self.ask(Query::Enter { code_hash, consultation }, Pending::Enter, context);
    }
}

impl Looked {
    /// The code that was looked up, and the device if it said which it is.
    fn shown(&self) -> (&str, Option<&Secret>) {
        match self {
            Self::Look(code_hash) => (code_hash, None),
            Self::Join(join) => (&join.code_hash, Some(&join.device)),
        }
    }
}

fn label(found: &Found, device: &Secret) -> String {
    knock_label(&found.consultation.id, found.seat.number, device.as_str())
}

/// Whether the token is the one of the device that was admitted to the seat.
pub fn holds(found: &Found, token: &Secret) -> bool {
    let is_revoked = found.consultation.revoked_at.is_some() || found.code.revoked_at.is_some();
    !is_revoked && holds_seat(&found.seat, token)
}

pub fn holds_seat(seat: &Seat, token: &Secret) -> bool {
    let hash = token_hash(token.as_str());
    let is_known =
        [&seat.token_hash, &seat.previous_token_hash].into_iter().flatten().any(|stored| *stored == hash);
    is_known && seat.admitted_at.is_some()
}

/// What a code without a token is worth at `now` to a device: not expired, not revoked, not another's; early or open. The same for each seat.
pub fn judge(found: &Found, device: Option<&Secret>, now: DateTime<Utc>) -> Result<Window, Complaint> {
    if found.consultation.revoked_at.is_some() || found.code.revoked_at.is_some() {
        return Err(Complaint::from(ErrorName::CodeRevoked));
    }
    let label = device.map(|device| label(found, device));
    if found.code.is_used_up(label.as_deref(), now) {
        return Err(Complaint::from(ErrorName::CodeUsed));
    }
    let window = found.consultation.window;
    match window.phase(now) {
        Window::Expired => {
            let expires_at = Some(rfc3339(window.expires_at));
            Err(Complaint { error: ErrorName::CodeExpired, opens_at: None, expires_at })
        }
        phase => Ok(phase),
    }
}
