//! In the call: what a page says to the others and hears of them, and what only a doctor's may ask for.
#![expect(
    clippy::collapsible_match,
    reason = "what is heard changes what is known; a guard that does so would hide it"
)]

use super::{
    Context, Effect, Held, Inside, Joining, Leave, Participant, Pending, Phase, Query, Seat, Standing,
    Unavailable, Waiting,
};
use crate::access::{Role, rfc3339};
use crate::bus::{Audience, Envelope, Event, Knock};
use crate::ice::IceServer;
use crate::message::{ClientMessage, Departure, Device, ErrorName, ServerMessage};

impl Inside {
    fn end_up_to(&mut self, epoch: i64, reason: Departure) {
        self.partners.end(self.seat, epoch);
        if self.ended.is_none_or(|(ended, _)| ended < epoch) {
            self.ended = Some((epoch, reason));
        }
    }

    fn held(&self) -> Option<Held> {
        match self.standing {
            Standing::Seating(held, _) | Standing::Admitted(held) => Some(held),
            _ => None,
        }
    }

    pub(super) fn tell_here(&self, to: Audience, held: Held, asks: bool, context: &mut Context<'_>) {
        let Held { incarnation, epoch } = held;
        let key = self.knock.key.clone();
        context.tell(to, Event::Here { seat: self.seat, role: self.role, incarnation, epoch, key, asks });
    }
}

impl Participant {
    /// Whatever the standing: ends come before all else.
    pub(super) fn told(&mut self, envelope: &Envelope, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let is_for_me = match &envelope.to {
            Audience::Everybody => true,
            Audience::Seat(seat) => *seat == inside.seat && inside.held().is_some(),
            Audience::Socket(claim) => *claim == inside.knock.claim,
        };
        if !is_for_me {
            return;
        }
        match &envelope.event {
            Event::Revoked => return self.farewell(ServerMessage::Revoked {}, context),
            Event::CodeRevoked { hash } if *hash == inside.code_hash => {
                return self.farewell(ServerMessage::Revoked {}, context);
            }
            Event::Seats => inside.is_stale = true,
            // It names this socket: the seat is its own, or will be as soon as it learns so.
            Event::Probe { answer_to, question } => {
                context.effects.push(Effect::Ping(format!("{answer_to} {question}")));
            }
            Event::Alive { question } => return self.alive(question, context),
            Event::Gone { seat, epoch, reason } if *seat == inside.seat => {
                inside.end_up_to(*epoch, *reason);
                if *reason == Departure::Revoked && inside.held().is_none() {
                    return self.farewell(ServerMessage::Revoked {}, context);
                }
            }
            // Another socket took the seat over: the same page's, and this one is what a dead line left behind.
            Event::Here { seat, epoch, .. } if *seat == inside.seat => {
                inside.end_up_to(*epoch - 1, Departure::Replaced);
            }
            Event::Ended { epochs } => {
                if let Some((_, epoch)) = epochs.iter().find(|(seat, _)| *seat == inside.seat) {
                    inside.end_up_to(*epoch, Departure::Ended);
                }
            }
            _ => {}
        }
        match &inside.standing {
            Standing::Joining(_) => self.told_joining(&envelope.event, context),
            Standing::Waiting(_) => self.told_waiting(&envelope.event, context),
            Standing::Seating(held, _) | Standing::Admitted(held) => {
                let held = *held;
                match inside.ended {
                    Some((epoch, reason)) if epoch >= held.epoch => self.depart(reason, context),
                    _ => self.told_admitted(held, &envelope.event, context),
                }
            }
        }
    }

    fn told_joining(&mut self, event: &Event, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let mine = inside.seat;
        // The stay on this page's own seat that has ended, or lost its socket.
        let over = match event {
            Event::Here { seat, role, epoch, .. } => {
                inside.partners.hear(*seat, *role, *epoch);
                None
            }
            Event::Away { seat, role, epoch, .. } => {
                inside.partners.hear(*seat, *role, *epoch);
                (*seat == mine).then_some(*epoch)
            }
            Event::Gone { seat, epoch, .. } => {
                inside.partners.end(*seat, *epoch);
                (*seat == mine).then_some(*epoch)
            }
            Event::Ended { epochs } => {
                for (seat, epoch) in epochs {
                    inside.partners.end(*seat, *epoch);
                }
                epochs.iter().find(|(seat, _)| *seat == mine).map(|(_, epoch)| *epoch)
            }
            _ => None,
        };
        if let Standing::Joining(Joining { probing: Some((_, _, seen)), .. }) = &inside.standing
            && over.is_some_and(|epoch| epoch >= seen.epoch)
        {
            self.claim_from_silent(context);
        }
    }

    fn told_admitted(&mut self, held: Held, event: &Event, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let is_seated = matches!(inside.standing, Standing::Admitted(_));
        let mine = inside.seat;
        match event {
            Event::Here { seat, role, incarnation, epoch, key, asks } if *seat != mine => {
                if !inside.partners.hear(*seat, *role, *epoch) || !is_seated {
                    return;
                }
                let (seat, role, incarnation) = (*seat, *role, *incarnation);
                context.send(ServerMessage::Peer { seat, role, incarnation, key: key.clone() });
                if *asks {
                    inside.tell_here(Audience::Seat(seat), held, false, context);
                }
            }
            // A further socket of this page took the seat over, and died before it was in: there is nothing here to go on with.
            Event::Away { seat, epoch, .. } if *seat == mine => {
                if *epoch > held.epoch {
                    self.cut(1013, "come back", context);
                }
            }
            Event::Away { seat, role, incarnation, epoch } => {
                if inside.partners.hear(*seat, *role, *epoch) && is_seated {
                    context.send(ServerMessage::Away { seat: *seat, incarnation: *incarnation });
                }
            }
            Event::Gone { seat, epoch, reason } if *seat != mine => {
                if inside.partners.end(*seat, *epoch) && is_seated {
                    context.send(ServerMessage::Gone { seat: *seat, reason: *reason });
                }
            }
            // For all but who came after it.
            Event::Ended { epochs } => {
                for (seat, epoch) in epochs.iter().filter(|(seat, _)| *seat != mine) {
                    if inside.partners.end(*seat, *epoch) && is_seated {
                        context.send(ServerMessage::Gone { seat: *seat, reason: Departure::Ended });
                    }
                }
            }
            Event::Knock { knock, seat, role, another, asks } => {
                let is_own_device = knock.label == inside.knock.label;
                if is_own_device && inside.knock.is_later_than(knock) {
                    // A socket that the device has left behind.
                    let (knock, to) = (inside.knock.clone(), Audience::Socket(knock.claim.clone()));
                    let (seat, role) = (mine, inside.role);
                    context.tell(to, Event::Knock { knock, seat, role, another: false, asks: false });
                } else if is_own_device && knock.key == inside.knock.key {
                    self.own_page_knocks(held, knock, context);
                } else if inside.role == Role::Doctor && is_seated {
                    self.somebody_knocks(held, knock, (*seat, *role, *another), *asks, context);
                }
            }
            Event::KnockGone { knock, claim } => {
                inside.let_in.retain(|label, known| label != knock || known.claim != *claim);
                if inside.knocks.get(knock).is_some_and(|known| known.claim == *claim) {
                    inside.knocks.remove(knock);
                    context.send(ServerMessage::KnockGone { knock: knock.clone() });
                }
            }
            Event::Forward { from, incarnation, message } if is_seated => {
                let has_ended = from.is_some_and(|from| inside.partners.has_ended(from));
                if !has_ended && incarnation.is_none_or(|incarnation| incarnation == held.incarnation) {
                    context.send((**message).clone());
                }
            }
            _ => {}
        }
    }

    /// The page whose admission this socket has opened another before it learned of it: that one is let in.
    fn own_page_knocks(&mut self, held: Held, knock: &Knock, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        if knock.claim != inside.knock.claim {
            let by = (inside.seat, held.epoch);
            context.tell(Audience::Socket(knock.claim.clone()), Event::Admit { by });
        }
    }

    fn somebody_knocks(
        &mut self,
        held: Held,
        knock: &Knock,
        (seat, role, another): (u8, Role, bool),
        asks: bool,
        context: &mut Context<'_>,
    ) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let to = Audience::Socket(knock.claim.clone());
        if inside.knocks.get(&knock.label).is_some_and(|known| known.is_later_than(knock)) {
            return;
        }
        // The same socket knocks anew: it was let in, and sent back since.
        inside.let_in.retain(|_, known| !(asks && known.claim == knock.claim));
        if let Some(known) = inside.let_in.get_mut(&knock.label)
            && known.key == knock.key
        {
            if known.claim != knock.claim {
                *known = knock.clone();
                context.tell(to, Event::Admit { by: (inside.seat, held.epoch) });
            }
            return;
        }
        let device = if another { Device::Another } else { Device::First };
        let (label, since) = (knock.label.clone(), rfc3339(knock.since));
        context.send(ServerMessage::Knock { knock: label.clone(), seat, role, since, device });
        inside.knocks.insert(label, knock.clone());
        if asks {
            inside.tell_here(to, held, false, context);
        }
    }

    /// This page's stay was ended by somebody else.
    pub(super) fn depart(&mut self, reason: Departure, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        match reason {
            Departure::SentBack => {
                context.send(ServerMessage::SentBack {});
                inside.knocks.clear();
                inside.let_in.clear();
                inside.knock_as(Waiting::new(Device::First, false), context);
                // What was asked for the seat is of no use any more.
                self.abandon();
            }
            Departure::Removed => self.farewell(ServerMessage::Removed {}, context),
            Departure::Revoked => self.farewell(ServerMessage::Revoked {}, context),
            Departure::Ended => self.farewell(ServerMessage::Ended {}, context),
            Departure::Replaced | Departure::Left => self.farewell(ServerMessage::Replaced {}, context),
        }
    }

    pub(super) fn pong(&mut self, payload: &str, context: &mut Context<'_>) {
        // With a payload it answers the question of a device that would like this seat.
        if let Some((asker, question)) = payload.split_once(' ') {
            let alive = Event::Alive { question: question.to_owned() };
            context.tell(Audience::Socket(asker.to_owned()), alive);
        }
    }

    pub(super) fn said_inside(&mut self, message: ClientMessage, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        if matches!(message, ClientMessage::Name { .. }) && !inside.names.allows(context.now.monotonic) {
            // Nobody hears of it, and whoever goes on is let go.
            return self.complain(ErrorName::Unexpected.into(), context);
        }
        match inside.standing {
            Standing::Admitted(held) => self.said_admitted(held, message, context),
            _ => self.said_waiting(message, context),
        }
    }

    fn said_admitted(&mut self, held: Held, message: ClientMessage, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let (from, mine) = (inside.seat, held.incarnation);
        match message {
            ClientMessage::Leave {} => {
                context.effects.push(Effect::Close(1000, ""));
                self.leave(Leave::Left, context);
            }
            ClientMessage::Description { to, incarnation, description } => {
                let message = ServerMessage::Description { from, incarnation: mine, description };
                self.forward(held, to.into(), Some(incarnation), message, context);
            }
            ClientMessage::Candidate { to, incarnation, candidate } => {
                let message = ServerMessage::Candidate { from, incarnation: mine, candidate };
                self.forward(held, to.into(), Some(incarnation), message, context);
            }
            ClientMessage::Name { to, sealed } => {
                let message = ServerMessage::Name { knock: None, from: Some(from), sealed };
                self.forward(held, to.into(), None, message, context);
            }
            ClientMessage::Ice {} => {
                let consultation = inside.consultation.id.clone();
                let seats = inside.partners.len();
                let query = Query::Mint { consultation, seat: from, epoch: held.epoch, seats };
                self.ask(query, Pending::Mint, context);
            }
            ClientMessage::Probe { id, pad } => context.send(ServerMessage::Probe { id, pad }),
            message if inside.role == Role::Doctor => self.moderate(held, message, context),
            _ => self.complain(ErrorName::Unexpected.into(), context),
        }
    }

    /// What only a doctor's page may ask for.
    fn moderate(&mut self, held: Held, message: ClientMessage, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        let by = (inside.seat, held.epoch);
        let consultation = inside.consultation.id.clone();
        let (seat, reason) = match message {
            ClientMessage::Admit { knock } => {
                let knock = String::from(knock);
                let Some(known) = inside.knocks.remove(&knock) else {
                    return self.complain(ErrorName::UnknownKnock.into(), context);
                };
                context.tell(Audience::Socket(known.claim.clone()), Event::Admit { by });
                inside.let_in.insert(knock, known);
                return;
            }
            ClientMessage::Refuse { knock } => {
                let Some(known) = inside.knocks.remove(knock.as_str()) else {
                    return self.complain(ErrorName::UnknownKnock.into(), context);
                };
                return context.tell(Audience::Socket(known.claim), Event::Refuse { by });
            }
            ClientMessage::End {} => {
                return self.ask(Query::End { consultation }, Pending::Moderate, context);
            }
            ClientMessage::SendBack { seat } => (u8::from(seat), Departure::SentBack),
            ClientMessage::Remove { seat } => (u8::from(seat), Departure::Removed),
            _ => return self.complain(ErrorName::Unexpected.into(), context),
        };
        if seat == inside.seat {
            return self.complain(ErrorName::Unexpected.into(), context);
        }
        if inside.partners.role(seat).is_none() {
            return self.complain(ErrorName::UnknownSeat.into(), context);
        }
        self.ask(Query::Dismiss { consultation, seat, reason }, Pending::Moderate, context);
    }

    fn forward(
        &mut self,
        held: Held,
        to: u8,
        incarnation: Option<i64>,
        message: ServerMessage,
        context: &mut Context<'_>,
    ) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        if to == inside.seat || inside.partners.role(to).is_none() {
            return self.complain(ErrorName::UnknownSeat.into(), context);
        }
        let from = Some((inside.seat, held.epoch));
        context.tell(Audience::Seat(to), Event::Forward { from, incarnation, message: Box::new(message) });
    }

    pub(super) fn minted(&mut self, servers: Option<Vec<IceServer>>, context: &mut Context<'_>) {
        // Without any the stay has ended, and its `Gone` is on the way.
        if let Some(ice_servers) = servers {
            context.send(ServerMessage::Ice { ice_servers });
        }
    }

    /// Seats were added or taken away: they are read again as soon as no other question is open. And whoever was let in takes the seat.
    pub(super) fn go_on(&mut self, context: &mut Context<'_>) {
        let Phase::Inside(inside) = &mut self.phase else { return };
        if !self.pending.is_empty() {
            return;
        }
        let consultation = inside.consultation.id.clone();
        if let Standing::Waiting(Waiting { tries: 1.., .. }) = inside.standing {
            let code_hash = inside.code_hash.clone();
            self.ask(Query::Enter { code_hash, consultation }, Pending::Enter, context);
        } else if inside.is_stale {
            inside.is_stale = false;
            self.ask(Query::Seats { consultation }, Pending::Seats, context);
        }
    }

    pub(super) fn read_seats(&mut self, seats: Result<Vec<Seat>, Unavailable>, context: &mut Context<'_>) {
        match seats {
            Ok(seats) => self.know(&seats, context),
            Err(Unavailable) => self.reject(ErrorName::Unavailable, context),
        }
    }
}
