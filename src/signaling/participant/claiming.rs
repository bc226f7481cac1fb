//! Taking the seat: the question to its holder, the one conditional claim, and the way in.

use std::time::Duration;

use super::join::holds_seat;
use super::{
    Claiming, Context, Effect, Entered, Held, Inside, Participant, Pending, Phase, Presence, Query, Standing,
    Unavailable, Waiting,
};
use crate::access::{Paths, Role, rfc3339};
use crate::bus::{Audience, Event, Knock};
use crate::ice::IceServer;
use crate::keys::token_hash;
use crate::message::{Complaint, Departure, Device, ErrorName, Holder, Secret, ServerMessage};
use crate::store::{Claim, Found, Seat};

/// How long the holder of a seat has to answer.
const PROBE: Duration = Duration::from_secs(1);
/// How often a claim is tried where somebody else came between.
pub const CLAIM_TRIES: u32 = 4;

impl Participant {
    /// The rows as they are now, and what follows for who comes in or was let in.
    pub(super) fn entered(
        &mut self,
        entered: Result<Option<Entered>, Unavailable>,
        context: &mut Context<'_>,
    ) {
        let Some((found, seats)) = self.living(entered, context) else { return };
        let Phase::Inside(inside) = &mut self.phase else { return };
        let Knock { label, attempt, .. } = &inside.knock;
        let is_own = found.seat.claim.is_some() && found.seat.device.as_ref() == Some(label);
        if is_own && *attempt < found.seat.attempt {
            // What comes late is a socket that its device has given up.
            return self.farewell(ServerMessage::Replaced {}, context);
        }
        let joining = match &mut inside.standing {
            Standing::Joining(joining) => joining,
            Standing::Waiting(waiting) if waiting.tries > 0 => {
                waiting.tries -= 1;
                return self.claim(&found.seat, None, false, context);
            }
            // So often somebody came between that the code must have ended.
            Standing::Waiting(_) => {
                let expires_at = Some(rfc3339(inside.consultation.window.expires_at));
                let complaint = Complaint { error: ErrorName::CodeExpired, opens_at: None, expires_at };
                return self.farewell(ServerMessage::Error(complaint), context);
            }
            Standing::Seating(..) | Standing::Admitted(_) => return,
        };
        let seat = found.seat;
        joining.token = joining.token.take().filter(|token| holds_seat(&seat, token));
        joining.tries += 1;
        // A resume and a free doctor's seat take the row; everything else waits (decisions: admission belongs to a device).
        let may_take = joining.token.is_some()
            || (inside.role == Role::Doctor && (!seat.is_barred || is_without_doctor(&seats, seat.number)));
        if !may_take || joining.tries > CLAIM_TRIES {
            return self.wait(&seat, context);
        }
        // A page has one socket: where the same page comes back, the former one is dead, whether or not the broker knows.
        let is_same_page = joining.token.is_some() && joining.page == Some(seat.incarnation);
        match &seat.claim {
            Some(holder) if !is_same_page => {
                let question = (context.random)();
                let probe =
                    Event::Probe { answer_to: inside.knock.claim.clone(), question: question.clone() };
                context.tell(Audience::Socket(holder.clone()), probe);
                joining.probing = Some((question, context.now.monotonic + PROBE, seat));
            }
            _ => {
                let token = joining.token.clone();
                self.claim(&seat, token.as_ref(), is_same_page, context);
            }
        }
    }

    /// What was read, unless the consultation or the code is no more: then the page is told.
    fn living(
        &mut self,
        entered: Result<Option<Entered>, Unavailable>,
        context: &mut Context<'_>,
    ) -> Option<Entered> {
        let Ok(entered) = entered else {
            self.reject(ErrorName::Unavailable, context);
            return None;
        };
        let is_revoked =
            |found: &Found| found.consultation.revoked_at.is_some() || found.code.revoked_at.is_some();
        let Some((found, seats)) = entered.filter(|(found, _)| !is_revoked(found)) else {
            self.farewell(ServerMessage::Revoked {}, context);
            return None;
        };
        let Phase::Inside(inside) = &mut self.phase else { return None };
        inside.consultation = found.consultation.clone();
        inside.role = found.seat.role;
        self.know(&seats, context);
        Some((found, seats))
    }

    /// The seats as they are now; what is sized by their number follows.
    pub(super) fn know(&mut self, seats: &[Seat], context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let before = inside.partners.len();
        inside.partners.read(seats);
        let seats = inside.partners.len();
        if seats != before {
            inside.names.widen(seats);
            self.rate.widen(seats);
            context.effects.push(Effect::Widen { seats });
        }
    }

    /// The holder has answered, and keeps its seat.
    pub(super) fn alive(&mut self, answered: &str, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let Standing::Joining(joining) = &mut inside.standing else { return };
        if let Some((_, _, seat)) = joining.probing.take_if(|(question, _, _)| question == answered) {
            self.wait(&seat, context);
        }
    }

    /// The holder has not answered, or is gone.
    pub(super) fn claim_from_silent(&mut self, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let Standing::Joining(joining) = &mut inside.standing else { return };
        let Some((_, _, seat)) = joining.probing.take() else { return };
        let token = joining.token.clone();
        self.claim(&seat, token.as_ref(), false, context);
    }

    pub(super) fn claim(
        &mut self,
        seen: &Seat,
        token_before: Option<&Secret>,
        is_same_page: bool,
        context: &mut Context<'_>,
    ) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let resumes = token_before.is_some();
        let token = (context.random)();
        let claim = Claim {
            consultation: inside.consultation.id.clone(),
            seat: seen.number,
            seen: seen.epoch,
            code_hash: inside.code_hash.clone(),
            incarnation: if is_same_page { seen.incarnation } else { seen.incarnation + 1 },
            claim: inside.knock.claim.clone(),
            attempt: inside.knock.attempt,
            device: inside.knock.label.clone(),
            token_hash: token_hash(&token),
            previous_token_hash: token_before.map(|token| token_hash(token.as_str())),
            resumes,
            now: context.now.unix,
        };
        let claiming = Claiming {
            claim: Box::new(claim.clone()),
            role: inside.role,
            token,
            ends: !is_same_page && seen.incarnation > 0,
            replaces: !resumes && (seen.claim.is_some() || seen.token_hash.is_some()),
        };
        self.ask(Query::Claim(Box::new(claim)), Pending::Claim(claiming), context);
    }

    pub(super) fn claimed(
        &mut self,
        claiming: Claiming,
        claimed: Result<bool, Unavailable>,
        context: &mut Context<'_>,
    ) {
        let Claiming { claim, role, token, ends, replaces } = claiming;
        let Claim { consultation, seat, seen, incarnation, claim, .. } = *claim;
        if matches!(claimed, Ok(true)) {
            if ends {
                let consultation = consultation.clone();
                context.effects.push(Effect::EndSeat { consultation, seat, epoch: seen });
            }
            if replaces {
                context.tell_all(Event::Gone { seat, epoch: seen, reason: Departure::Replaced });
            }
        }
        let held = Held { incarnation, epoch: seen + 1 };
        match (&mut self.phase, claimed) {
            (Phase::Inside(inside), Ok(true)) => {
                inside.standing = Standing::Seating(held, token);
                match inside.ended {
                    Some((epoch, reason)) if epoch >= held.epoch => self.depart(reason, context),
                    _ => self.ask(
                        Query::Seated { consultation, seat, epoch: held.epoch },
                        Pending::Seated,
                        context,
                    ),
                }
            }
            // Somebody else saw the vacancy first.
            (Phase::Inside(inside), Ok(false)) if inside.is_not_let_in() => inside.doctor_left(context),
            (Phase::Inside(inside), Ok(false)) => {
                let code_hash = inside.code_hash.clone();
                self.ask(Query::Enter { code_hash, consultation }, Pending::Enter, context);
            }
            (Phase::Inside(_), Err(Unavailable)) => {
                self.reject(ErrorName::Unavailable, context);
                // Whether it holds is not known.
                self.ask(Query::Release { consultation, seat, claim }, Pending::Release, context);
            }
            // The page has gone meanwhile. Whoever held the seat before learns that it does no more.
            (_, claimed @ (Ok(true) | Err(Unavailable))) => {
                if claimed.is_ok() {
                    context.tell_all(Event::Away { seat, role, incarnation, epoch: held.epoch });
                }
                self.ask(Query::Release { consultation, seat, claim }, Pending::Release, context);
            }
            (_, Ok(false)) => self.phase = Phase::Over,
        }
    }

    pub(super) fn seated(
        &mut self,
        seated: Result<(Vec<Seat>, Option<Vec<IceServer>>), Unavailable>,
        context: &mut Context<'_>,
    ) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let Standing::Seating(held, token) = &mut inside.standing else { return };
        let (held, token) = (*held, std::mem::take(token));
        let Ok((seats, ice_servers)) = seated else { return self.reject(ErrorName::Unavailable, context) };
        // The stay has ended already, and word of it is on the way: the next socket will learn what follows.
        let is_still = seats.iter().any(|seat| (seat.number, seat.epoch) == (inside.seat, held.epoch));
        let Some(ice_servers) = ice_servers.filter(|_| is_still) else {
            return self.cut(1013, "come back", context);
        };
        let holder = |seat: &Seat| Holder { seat: seat.number, incarnation: seat.incarnation };
        let is_other = |seat: &&Seat| seat.admitted_at.is_some() && seat.number != inside.seat;
        let consultation = &inside.consultation;
        context.send(ServerMessage::Welcome {
            consultation: consultation.id.clone(),
            seat: inside.seat,
            role: inside.role,
            incarnation: held.incarnation,
            token,
            ice_servers,
            relayed_only: consultation.paths == Paths::RelayedOnly,
            holders: seats.iter().filter(is_other).map(holder).collect(),
            starts_at: rfc3339(consultation.window.starts_at),
            expires_at: rfc3339(consultation.window.expires_at),
            practice: inside.inviter.clone(),
        });
        inside.standing = Standing::Admitted(held);
        inside.vacant_at = None;
        let (knock, claim) = (inside.knock.label.clone(), inside.knock.claim.clone());
        context.tell_all(Event::KnockGone { knock, claim });
        inside.show(false, context);
        inside.tell_here(Audience::Everybody, held, true, context);
        context.effects.push(Effect::Settled);
        self.know(&seats, context);
    }

    /// Stands outside the seat as its row was read, and knocks.
    fn wait(&mut self, seat: &Seat, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let device = if seat.token_hash.is_some() { Device::Another } else { Device::First };
        inside.knock_as(Waiting::new(device, seat.claim.is_some()), context);
        context.effects.push(Effect::Settled);
    }

    /// Nobody answers for a seat, or no doctor is there: whether this doctor may take it now.
    pub(super) fn looked_at_vacancy(
        &mut self,
        entered: Result<Option<Entered>, Unavailable>,
        context: &mut Context<'_>,
    ) {
        let Some((found, seats)) = self.living(entered, context) else { return };
        let seat = found.seat;
        let is_free = seat.claim.is_none() && (!seat.is_barred || is_without_doctor(&seats, seat.number));
        if is_free {
            self.claim(&seat, None, false, context);
        }
    }
}

impl Inside {
    /// Waits, and nobody has opened the door.
    fn is_not_let_in(&self) -> bool {
        matches!(self.standing, Standing::Waiting(Waiting { let_in_by: None, .. }))
    }

    /// Shows the practice's desks that the device waits, or sits.
    pub(super) fn show(&self, waits: bool, context: &mut Context<'_>) {
        let Some(practice) = self.consultation.practice.clone() else { return };
        let presence = Presence {
            practice,
            consultation: self.consultation.id.clone(),
            claim: self.knock.claim.clone(),
            seat: self.seat,
            role: self.role,
            waits: waits.then(|| (self.knock.label.clone(), self.knock.since)),
        };
        context.effects.push(Effect::Show(Some(presence)));
    }
}

/// Whether no other doctor holds a seat.
fn is_without_doctor(seats: &[Seat], but: u8) -> bool {
    !seats.iter().any(|seat| seat.role == Role::Doctor && seat.number != but && seat.claim.is_some())
}
