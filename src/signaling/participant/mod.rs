//! One page's way through a consultation as a function without I/O: what happens comes in as an [`Input`] with the time, what follows goes out as
//! [`Effect`]s, and [`super::shell`] carries them out. A question to the store is an effect, too, and its answer an input: between the two, whatever ends
//! the page's stay is heard.
//!
//! [`join`] reads the code, [`claiming`] takes the seat, [`waiting`] and [`admitted`] are the two standings, [`partners`] knows what was heard last of
//! each seat.

mod admitted;
mod claiming;
mod join;
mod partners;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::access::Role;
use crate::bus::{Audience, Envelope, Event, Knock};
use crate::ice::IceServer;
use crate::keys::Keys;
use crate::limit::MessageRate;
use crate::message::{
    ClientMessage, Complaint, Departure, Device, ErrorName, Inviter, Secret, ServerMessage,
};
use crate::store::{Claim, Consultation, Found, Seat};
use join::{Door, Join, Looked};
use partners::Partners;

/// Proxies cut after 30 to 60 s of silence.
const PING: Duration = Duration::from_secs(25);
/// Two pings and a bit without any answer: the device is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// Errors before admission that a socket survives.
const ERRORS: u32 = 10;
/// So long a call goes on whose pages have all lost their sockets.
const DESERTED: Duration = Duration::from_secs(120);

/// Both clocks of one moment: durations go by the first, codes and windows by the second.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Never steps back.
    pub monotonic: Instant,
    /// What the calendar says.
    pub unix: DateTime<Utc>,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The page said something.
    Message(ClientMessage),
    /// Text that is no message of the protocol.
    Malformed,
    /// The answer to a ping that carried this, or a ping of the page's own.
    Pong(String),
    /// Bytes where text is spoken.
    Binary,
    /// More than a message may have.
    TooLarge,
    /// The socket is gone, or takes nothing any more.
    Lost,
    /// Somebody in the consultation tells something.
    Event(Arc<Envelope>),
    /// Events, or messages for the page, were lost because there were too many.
    Overflow,
    /// What came of the question that is open.
    Answer(Answer),
    /// A stranger's place is needed.
    Displaced,
    /// The server stops.
    Stop,
    /// The moment of [`Participant::deadline`] has come.
    Tick,
}

/// What follows, in this order.
#[derive(Debug)]
pub enum Effect {
    /// To the page.
    Send(ServerMessage),
    /// Asks the device whether it is there.
    Ping(String),
    /// Ends the socket with a code of RFC 6455 §7.4, once what was sent before has gone out.
    Close(u16, &'static str),
    /// To who is in the consultation.
    Publish(Audience, Event),
    /// Listens to a consultation of so many seats from here on.
    Subscribe { consultation: String, seats: usize },
    /// It has more seats by now.
    Widen { seats: usize },
    /// Listens no more.
    Unsubscribe,
    /// A question; one at a time, and its [`Answer`] follows.
    Ask(Query),
    /// A code that opens or will open something was shown: the socket is no stranger's any more.
    Shown { code_hash: String },
    /// The page waits in a consultation or holds a seat, and takes no stranger's place.
    Settled,
    /// What the practice's desks see of the page; nothing takes it away.
    Show(Option<Presence>),
    /// A seat's allocations and credentials up to this epoch end at the relay.
    EndSeat { consultation: String, seat: u8, epoch: i64 },
}

/// What the practice's desks see.
#[derive(Debug)]
pub struct Presence {
    /// The practice's id.
    pub practice: String,
    /// The consultation's id.
    pub consultation: String,
    /// Names the socket.
    pub claim: String,
    /// Its seat.
    pub seat: u8,
    /// The seat's role.
    pub role: Role,
    /// Waits under this label since then; else it sits.
    pub waits: Option<(String, DateTime<Utc>)>,
}

/// A question to whoever can wait.
#[derive(Debug)]
pub enum Query {
    /// What a code leads to; a guess is weighed. [`Answer::Found`].
    Find { code_hash: String, is_guess: bool },
    /// Ties a code of *Start* to the device that comes with it. [`Answer::Used`].
    Use { code_hash: String, device: String },
    /// The same as `Find`, and all seats, read after the consultation was subscribed to. [`Answer::Entered`].
    Enter { code_hash: String, consultation: String },
    /// [`Answer::Claimed`].
    Claim(Box<Claim>),
    /// Gives a seat's row back. [`Answer::Done`].
    Release { consultation: String, seat: u8, claim: String },
    /// All seats, and credentials unless the epoch has ended. [`Answer::Seated`].
    Seated { consultation: String, seat: u8, epoch: i64 },
    /// All seats. [`Answer::Seats`].
    Seats { consultation: String },
    /// Credentials for one of so many seats unless the epoch has ended. [`Answer::Minted`].
    Mint { consultation: String, seat: u8, epoch: i64, seats: usize },
    /// Ends a seat's stay. [`Answer::Done`].
    Dismiss { consultation: String, seat: u8, reason: Departure },
    /// Ends the consultation for all. [`Answer::Done`].
    End { consultation: String },
}

/// The store did not answer; whoever asked it has said why in the log.
#[derive(Debug, Clone, Copy)]
pub struct Unavailable;

/// What a code leads to, and all seats.
pub type Entered = (Box<Found>, Vec<Seat>);

/// What came of a [`Query`].
#[derive(Debug)]
pub enum Answer {
    /// What the code leads to, and how long the answer shall wait.
    Found(Result<Option<Box<Found>>, Unavailable>, Duration),
    /// Whether it is this device's.
    Used(Result<bool, Unavailable>),
    /// As found, with all seats.
    Entered(Result<Option<Entered>, Unavailable>),
    /// Whether the seat is this socket's.
    Claimed(Result<bool, Unavailable>),
    /// All seats, and credentials for a seat that is still held.
    Seated(Result<(Vec<Seat>, Option<Vec<IceServer>>), Unavailable>),
    /// All seats.
    Seats(Result<Vec<Seat>, Unavailable>),
    /// Credentials for a seat that is still held.
    Minted(Option<Vec<IceServer>>),
    /// Done, or not.
    Done(Result<(), Unavailable>),
}

/// What the open question is for.
enum Pending {
    /// By the hash of the code.
    Look(String),
    /// With a token first, without if that is none of the seat's.
    Join(Join, bool),
    Use(Join, Box<Found>),
    Enter,
    Claim(Claiming),
    Seated,
    Seats,
    Mint,
    Moderate,
    Vacancy,
    Release,
    Deserted,
    /// The page has gone meanwhile.
    Abandoned,
}

/// A claim on its way, and what follows if it holds.
struct Claiming {
    claim: Box<Claim>,
    /// What the seat is for.
    role: Role,
    /// Of the seat, in clear.
    token: String,
    /// A former stay's allocations end with it.
    ends: bool,
    /// Another device is told.
    replaces: bool,
}

/// What surrounds a step.
pub struct Context<'a> {
    /// The present moment.
    pub now: Now,
    /// The server's secrets, for labels and hashes.
    pub keys: &'a Keys,
    /// Draws claims and tokens.
    pub random: &'a mut dyn FnMut() -> String,
    /// What follows.
    pub effects: &'a mut Vec<Effect>,
}

impl Context<'_> {
    fn send(&mut self, message: ServerMessage) {
        self.effects.push(Effect::Send(message));
    }

    fn tell(&mut self, to: Audience, event: Event) {
        self.effects.push(Effect::Publish(to, event));
    }

    fn tell_all(&mut self, event: Event) {
        self.tell(Audience::Everybody, event);
    }
}

/// One page.
pub struct Participant {
    phase: Phase,
    /// What the open questions are for, in their order. A page that stays asks one at a time.
    pending: VecDeque<Pending>,
    /// A place is needed that a stranger has.
    is_displaced: bool,
    /// Errors before admission.
    errors: u32,
    rate: MessageRate,
    heard_at: Instant,
    ping_at: Instant,
}

enum Phase {
    /// Has shown no code that is good.
    Door(Door),
    /// In a consultation.
    Inside(Box<Inside>),
    /// Without a socket; what is left to do is done.
    Leaving,
    /// The call may be deserted; that is looked at then.
    Deserting {
        consultation: String,
        at: Instant,
    },
    Over,
}

/// A page in a consultation.
struct Inside {
    consultation: Consultation,
    inviter: Option<Inviter>,
    seat: u8,
    role: Role,
    code_hash: String,
    /// Names this socket, and the device's knock.
    knock: Knock,
    partners: Partners,
    /// Of the stays on this page's own seat: up to this epoch they have ended, and why.
    ended: Option<(i64, Departure)>,
    standing: Standing,
    /// Seats were added or taken away since they were read.
    is_stale: bool,
    /// How many names it may send.
    names: MessageRate,
    /// Devices that waited for this seat before this one.
    before_me: HashSet<String>,
    /// Sockets that knock, as this doctor's page was shown them, by label.
    knocks: HashMap<String, Knock>,
    /// Devices that this doctor let in, by label, until they are: if such a page opens another socket meanwhile, that one is.
    let_in: HashMap<String, Knock>,
    /// When a doctor who waits looks whether the seat may be taken.
    vacant_at: Option<Instant>,
}

/// Where a page stands.
enum Standing {
    /// Comes in, with a token if it was here before.
    Joining(Joining),
    /// Outside: no SDP, candidate or credential (R07).
    Waiting(Waiting),
    /// The seat is its own; `welcome` is on its way.
    Seating(Held, String),
    /// Holds its seat.
    Admitted(Held),
}

struct Joining {
    token: Option<Secret>,
    /// The same page held the seat as this incarnation.
    page: Option<i64>,
    tries: u32,
    /// The question to the seat's holder, until when it may be answered, and the row as it was read.
    probing: Option<(String, Instant, Seat)>,
}

struct Waiting {
    device: Device,
    occupied: bool,
    /// So often a claim is still tried, once the door was opened.
    tries: u32,
    /// Who opened it.
    let_in_by: Option<(u8, i64)>,
}

/// A seat that is held.
#[derive(Clone, Copy)]
struct Held {
    incarnation: i64,
    epoch: i64,
}

impl Participant {
    /// A socket that has not said anything yet.
    pub fn new(now: Now) -> Self {
        Self {
            phase: Phase::Door(Door::new(now.monotonic)),
            pending: VecDeque::new(),
            is_displaced: false,
            errors: 0,
            rate: MessageRate::new(now.monotonic),
            heard_at: now.monotonic,
            ping_at: now.monotonic + PING,
        }
    }

    /// Whether the next message of the page is wanted. While a question is open it waits in the socket.
    pub fn is_listening(&self) -> bool {
        self.pending.is_empty() && matches!(self.phase, Phase::Door(_) | Phase::Inside(_))
    }

    /// Whether nothing more will come of it.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over) && self.pending.is_empty()
    }

    /// When [`Input::Tick`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        let further = match &self.phase {
            Phase::Door(door) => Some(door.deadline()),
            Phase::Inside(inside) => match &inside.standing {
                Standing::Joining(Joining { probing: Some((_, until, _)), .. }) => Some(*until),
                _ => inside.vacant_at.filter(|_| self.pending.is_empty()),
            },
            Phase::Deserting { at, .. } => return Some(*at),
            Phase::Leaving | Phase::Over => return None,
        };
        Some(further.map_or(self.ping_at, |further| further.min(self.ping_at)))
    }

    /// One step.
    pub fn step(&mut self, input: Input, context: &mut Context<'_>) {
        match input {
            Input::Answer(answer) => self.answered(answer, context),
            Input::Event(envelope) => self.told(&envelope, context),
            Input::Tick => self.tick(context),
            Input::Stop => self.cut(1012, "restarting", context),
            Input::Overflow => self.cut(1013, "too slow", context),
            Input::Displaced => self.is_displaced = true,
            Input::Lost => self.lost(context),
            Input::TooLarge => self.cut(1009, "64 KiB at most", context),
            Input::Binary => {
                if self.is_within_rate(context) {
                    self.cut(1003, "text frames only", context);
                }
            }
            Input::Message(_) | Input::Malformed | Input::Pong(_) => {
                if self.is_within_rate(context) {
                    self.heard(input, context);
                }
            }
        }
        // Whoever has asked something gets the answer first.
        if self.is_displaced && self.pending.is_empty() && matches!(self.phase, Phase::Door(_)) {
            self.cut(1013, "come back", context);
        }
        self.go_on(context);
    }

    fn is_within_rate(&mut self, context: &mut Context<'_>) -> bool {
        self.heard_at = context.now.monotonic;
        let is_within = self.rate.allows(context.now.monotonic);
        if !is_within {
            self.reject(ErrorName::TooFast, context);
        }
        is_within
    }

    fn heard(&mut self, input: Input, context: &mut Context<'_>) {
        match (input, &self.phase) {
            (Input::Pong(payload), Phase::Inside(_)) => self.pong(&payload, context),
            (Input::Pong(_), _) => {}
            (Input::Message(message), Phase::Door(_)) => self.said_at_the_door(message, context),
            (Input::Message(message), Phase::Inside(_)) => self.said_inside(message, context),
            (_, Phase::Door(_) | Phase::Inside(_)) => self.complain(ErrorName::Malformed.into(), context),
            _ => {}
        }
    }

    fn tick(&mut self, context: &mut Context<'_>) {
        let now = context.now.monotonic;
        if let Phase::Deserting { consultation, at } = &self.phase {
            if *at <= now && self.pending.is_empty() {
                let consultation = consultation.clone();
                self.ask(Query::Seats { consultation }, Pending::Deserted, context);
            }
            return;
        }
        if self.ping_at <= now && matches!(self.phase, Phase::Door(_) | Phase::Inside(_)) {
            if now.saturating_duration_since(self.heard_at) > SILENCE {
                return self.lost(context);
            }
            context.effects.push(Effect::Ping(String::new()));
            self.ping_at = now + PING;
        }
        match &self.phase {
            Phase::Door(door) if door.deadline() <= now => self.door_tick(context),
            Phase::Inside(_) => self.inside_tick(context),
            _ => {}
        }
    }

    fn answered(&mut self, answer: Answer, context: &mut Context<'_>) {
        let Some(pending) = self.pending.pop_front() else { return };
        match (pending, answer) {
            (Pending::Look(hash), Answer::Found(found, wait)) => {
                self.looked(Looked::Look(hash), found, wait, context);
            }
            (Pending::Join(join, with_token), Answer::Found(found, wait)) => {
                self.found_for_join(join, with_token, found, wait, context);
            }
            (Pending::Use(join, found), Answer::Used(used)) => self.used(join, found, used, context),
            (Pending::Enter, Answer::Entered(entered)) => self.entered(entered, context),
            (Pending::Vacancy, Answer::Entered(entered)) => self.looked_at_vacancy(entered, context),
            (Pending::Claim(claiming), Answer::Claimed(claimed)) => self.claimed(claiming, claimed, context),
            (Pending::Seated, Answer::Seated(seated)) => self.seated(seated, context),
            (Pending::Seats, Answer::Seats(seats)) => self.read_seats(seats, context),
            (Pending::Mint, Answer::Minted(servers)) => self.minted(servers, context),
            (Pending::Moderate, Answer::Done(done)) => {
                if done.is_err() {
                    self.complain(ErrorName::Unavailable.into(), context);
                }
            }
            (Pending::Deserted, Answer::Seats(seats)) => self.end_if_deserted(seats, context),
            // A row that could not be given back keeps its device waiting a second longer.
            (Pending::Release, Answer::Done(_)) => self.released(),
            (Pending::Abandoned, _) => {}
            _ => unreachable!("each question has its own kind of answer"),
        }
    }

    fn ask(&mut self, query: Query, pending: Pending, context: &mut Context<'_>) {
        self.pending.push_back(pending);
        context.effects.push(Effect::Ask(query));
    }

    /// Answers an error; after ten before admission the socket closes.
    fn complain(&mut self, complaint: Complaint, context: &mut Context<'_>) {
        let is_admitted = match &self.phase {
            Phase::Door(_) => false,
            Phase::Inside(inside) => matches!(inside.standing, Standing::Admitted(_)),
            _ => return,
        };
        context.send(ServerMessage::Error(complaint));
        if !is_admitted {
            self.errors += 1;
            if self.errors >= ERRORS {
                self.reject(ErrorName::TooManyErrors, context);
            }
        }
    }

    /// Says what was wrong and closes with 1008, or 1011 where the server is to blame.
    fn reject(&mut self, error: ErrorName, context: &mut Context<'_>) {
        context.send(ServerMessage::error(error));
        let code = if error == ErrorName::Unavailable { 1011 } else { 1008 };
        self.cut(code, "see the error before", context);
    }

    /// Ends the socket; the device may resume.
    fn cut(&mut self, code: u16, reason: &'static str, context: &mut Context<'_>) {
        if matches!(self.phase, Phase::Door(_) | Phase::Inside(_)) {
            context.effects.push(Effect::Close(code, reason));
        }
        self.lost(context);
    }

    /// Says the last word; the row was changed by whoever decided.
    fn farewell(&mut self, message: ServerMessage, context: &mut Context<'_>) {
        context.send(message);
        context.effects.push(Effect::Close(1000, ""));
        self.leave(Leave::Dismissed, context);
    }

    fn lost(&mut self, context: &mut Context<'_>) {
        self.leave(Leave::Lost, context);
    }

    /// Tells the others how this ended, and only then gives the seat's row back: a device that resumes must not hear of its own departure.
    fn leave(&mut self, leave: Leave, context: &mut Context<'_>) {
        let inside = match std::mem::replace(&mut self.phase, Phase::Leaving) {
            Phase::Inside(inside) => inside,
            Phase::Door(_) => {
                self.phase = Phase::Over;
                self.abandon();
                return;
            }
            other => {
                self.phase = other;
                return;
            }
        };
        context.effects.push(Effect::Show(None));
        let Inside { consultation, seat, role, knock, standing, .. } = *inside;
        let own_claim = knock.claim;
        if matches!(standing, Standing::Waiting(_) | Standing::Seating(..)) {
            let (knock, claim) = (knock.label, own_claim.clone());
            context.tell_all(Event::KnockGone { knock, claim });
        }
        let held = match standing {
            Standing::Joining(_) | Standing::Waiting(_) => None,
            Standing::Seating(held, _) | Standing::Admitted(held) => Some(held),
        };
        let consultation = consultation.id;
        if let Some(Held { incarnation, epoch }) = held {
            match leave {
                Leave::Left => {
                    context.effects.push(Effect::EndSeat { consultation: consultation.clone(), seat, epoch });
                    context.tell_all(Event::Gone { seat, epoch, reason: Departure::Left });
                }
                Leave::Lost => context.tell_all(Event::Away { seat, role, incarnation, epoch }),
                Leave::Dismissed => {}
            }
        }
        context.effects.push(Effect::Unsubscribe);
        let is_claiming = self.pending.iter().any(|pending| matches!(pending, Pending::Claim(_)));
        self.abandon();
        if held.is_none() && !is_claiming {
            self.phase = Phase::Over;
            return;
        }
        if matches!(leave, Leave::Lost) {
            let at = context.now.monotonic + DESERTED;
            self.phase = Phase::Deserting { consultation: consultation.clone(), at };
        }
        // A claim on its way may hold; its answer gives the row back.
        if !is_claiming {
            self.ask(Query::Release { consultation, seat, claim: own_claim }, Pending::Release, context);
        }
    }

    /// What was asked is of no use any more, but for a claim.
    fn abandon(&mut self) {
        for pending in self.pending.iter_mut().filter(|pending| !matches!(pending, Pending::Claim(_))) {
            *pending = Pending::Abandoned;
        }
    }

    fn released(&mut self) {
        if matches!(self.phase, Phase::Leaving) {
            self.phase = Phase::Over;
        }
    }

    /// A lost socket ends no call; two minutes without any do.
    fn end_if_deserted(&mut self, seats: Result<Vec<Seat>, Unavailable>, context: &mut Context<'_>) {
        let Phase::Deserting { consultation, .. } = std::mem::replace(&mut self.phase, Phase::Over) else {
            return;
        };
        let Ok(seats) = seats else { return };
        if seats.iter().all(|seat| seat.claim.is_none()) {
            for Seat { number: seat, epoch, .. } in seats {
                context.effects.push(Effect::EndSeat { consultation: consultation.clone(), seat, epoch });
            }
        }
    }
}

/// How a page goes.
#[derive(Clone, Copy)]
enum Leave {
    /// The socket is gone; the device may resume.
    Lost,
    /// The page hung up or stopped waiting.
    Left,
    /// A farewell was said.
    Dismissed,
}
