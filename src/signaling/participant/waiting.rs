//! Outside the door: knocking, and what the waiting hear.
#![expect(
    clippy::collapsible_match,
    reason = "what is heard changes what is known; a guard that does so would hide it"
)]

use std::time::Duration;

use super::claiming::CLAIM_TRIES;
use super::{Context, Inside, Leave, Participant, Pending, Phase, Query, Standing, Waiting};
use crate::access::{Role, rfc3339};
use crate::bus::{Audience, Event, Knock};
use crate::message::{ClientMessage, Device, ErrorName, ServerMessage};

/// Devices that may wait for one seat.
const DEVICES_PER_SEAT: usize = 3;
/// A doctor's page that reloads is back sooner; after this a colleague who waits for the seat gets it.
pub const VACANT: Duration = Duration::from_secs(15);

impl Waiting {
    pub(super) fn new(device: Device, occupied: bool) -> Self {
        Self { device, occupied, tries: 0, let_in_by: None }
    }
}

impl Inside {
    /// Waits, says so and knocks.
    pub(super) fn knock_as(&mut self, waiting: Waiting, context: &mut Context<'_>) {
        self.knock.since = context.now.unix;
        context.send(ServerMessage::Waiting {
            consultation: self.consultation.id.clone(),
            seat: self.seat,
            role: self.role,
            knock: self.knock.label.clone(),
            occupied: waiting.occupied,
            starts_at: rfc3339(self.consultation.window.starts_at),
            expires_at: rfc3339(self.consultation.window.expires_at),
            practice: self.inviter.clone(),
        });
        self.standing = Standing::Waiting(waiting);
        self.show(true, context);
        self.before_me.clear();
        self.tell_knock(Audience::Everybody, true, context);
    }

    pub(super) fn tell_knock(&self, to: Audience, asks: bool, context: &mut Context<'_>) {
        let Standing::Waiting(waiting) = &self.standing else { return };
        let another = waiting.device == Device::Another;
        let event =
            Event::Knock { knock: self.knock.clone(), seat: self.seat, role: self.role, another, asks };
        context.tell(to, event);
    }

    /// A doctor is not there any more: a doctor who waits looks after a while whether the seat is free.
    pub(super) fn doctor_left(&mut self, context: &mut Context<'_>) {
        if self.role == Role::Doctor {
            self.vacant_at = Some(context.now.monotonic + VACANT);
        }
    }
}

impl Participant {
    pub(super) fn told_waiting(&mut self, event: &Event, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let Standing::Waiting(waiting) = &mut inside.standing else { return };
        match event {
            Event::Here { seat, role, epoch, key, asks, .. } => {
                if inside.partners.hear(*seat, *role, *epoch) && *role == Role::Doctor {
                    inside.vacant_at = inside.vacant_at.filter(|_| *seat != inside.seat);
                    context.send(ServerMessage::Doctor { seat: *seat, key: key.clone() });
                    if *asks {
                        inside.tell_knock(Audience::Seat(*seat), false, context);
                    }
                }
            }
            Event::Away { seat, role, epoch, .. } => {
                if inside.partners.hear(*seat, *role, *epoch) && *role == Role::Doctor {
                    inside.doctor_left(context);
                    context.send(ServerMessage::DoctorGone { seat: *seat });
                }
            }
            Event::Gone { seat, epoch, .. } => {
                let is_last = inside.partners.end(*seat, *epoch);
                if is_last && inside.partners.role(*seat) == Some(Role::Doctor) {
                    inside.doctor_left(context);
                    context.send(ServerMessage::DoctorGone { seat: *seat });
                }
            }
            // The doctor ended the consultation for all: whoever waits goes on waiting, and no doctor is there.
            Event::Ended { epochs } => {
                for (seat, epoch) in epochs {
                    if inside.partners.end(*seat, *epoch) && inside.partners.role(*seat) == Some(Role::Doctor)
                    {
                        context.send(ServerMessage::DoctorGone { seat: *seat });
                        inside.doctor_left(context);
                    }
                }
            }
            Event::Admit { by } if !inside.partners.has_ended(*by) => {
                waiting.tries = CLAIM_TRIES;
                waiting.let_in_by = Some(*by);
            }
            Event::Refuse { by } if !inside.partners.has_ended(*by) => {
                self.farewell(ServerMessage::Refused {}, context);
            }
            Event::Knock { knock, seat, asks, .. } if *seat == inside.seat => {
                self.another_knocks(knock, *asks, context);
            }
            // Another socket of this device was seen in its place, and is gone.
            Event::KnockGone { knock, claim }
                if *knock == inside.knock.label && *claim != inside.knock.claim =>
            {
                inside.tell_knock(Audience::Everybody, false, context);
            }
            Event::AlsoWaiting { knock } => {
                inside.before_me.insert(knock.clone());
                if inside.before_me.len() >= DEVICES_PER_SEAT {
                    self.reject(ErrorName::Crowded, context);
                }
            }
            _ => {}
        }
    }

    fn another_knocks(&mut self, other: &Knock, asks: bool, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let mine = &inside.knock;
        if other.claim == mine.claim {
            return;
        }
        if other.label != mine.label {
            // One order for all, so that of many who come at once the first three stay.
            if asks && (mine.since, &mine.claim) < (other.since, &other.claim) {
                let also = Event::AlsoWaiting { knock: mine.label.clone() };
                context.tell(Audience::Socket(other.claim.clone()), also);
            }
            return;
        }
        // Two sockets of one device: it goes on with the later, and what the earlier was granted is granted to that one.
        if !other.is_later_than(mine) {
            return inside.tell_knock(Audience::Socket(other.claim.clone()), false, context);
        }
        if let Standing::Waiting(Waiting { let_in_by: Some(by), .. }) = inside.standing {
            context.tell(Audience::Socket(other.claim.clone()), Event::Admit { by });
        }
        self.farewell(ServerMessage::Replaced {}, context);
    }

    /// What a page may say that waits.
    pub(super) fn said_waiting(&mut self, message: ClientMessage, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        match message {
            ClientMessage::Leave {} => {
                context.effects.push(super::Effect::Close(1000, ""));
                self.leave(Leave::Left, context);
            }
            ClientMessage::Name { to, sealed } => {
                let to = u8::from(to);
                if inside.partners.role(to) != Some(Role::Doctor) {
                    return self.complain(ErrorName::UnknownSeat.into(), context);
                }
                let knock = Some(inside.knock.label.clone());
                let message = Box::new(ServerMessage::Name { knock, from: None, sealed });
                let event = Event::Forward { from: None, incarnation: None, message };
                context.tell(Audience::Seat(to), event);
            }
            _ => self.complain(ErrorName::Unexpected.into(), context),
        }
    }

    pub(super) fn inside_tick(&mut self, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let now = context.now.monotonic;
        if let Standing::Joining(joining) = &inside.standing {
            if joining.probing.as_ref().is_some_and(|(_, until, _)| *until <= now) {
                self.claim_from_silent(context);
            }
            return;
        }
        if !self.pending.is_empty() || inside.vacant_at.is_none_or(|at| at > now) {
            return;
        }
        inside.vacant_at = None;
        if let Standing::Waiting(_) = inside.standing {
            let (code_hash, consultation) = (inside.code_hash.clone(), inside.consultation.id.clone());
            self.ask(Query::Enter { code_hash, consultation }, Pending::Vacancy, context);
        }
    }
}
