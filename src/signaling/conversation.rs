//! One page's conversation: a single select loop that owns the seat's state. What others do arrives as events; what the page asks for leaves as
//! events.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::attendance;
use super::entrance::{Entered, Standing};
use super::socket::{Closed, Incoming, Socket};
use crate::access::{Role, rfc3339};
use crate::bus::{Audience, Envelope, Event, Lagged};
use crate::ice;
use crate::message::{ClientMessage, Complaint, Departure, Device, ErrorName, Holder, ServerMessage};
use crate::store::Seat;

/// Proxies cut after 30 to 60 s of silence.
const PING: Duration = Duration::from_secs(25);
/// Devices that may wait for one seat.
const DEVICES_PER_SEAT: usize = 3;
/// Events handled before what they produced is flushed.
const BATCH: usize = 64;
/// A doctor's page that reloads is back sooner; after this a colleague who waits for the seat gets it.
const VACANT: Duration = Duration::from_secs(15);

/// Why the loop goes no further.
enum Stop {
    /// The socket is gone; the device may resume.
    Lost,
    /// The page hung up or stopped waiting.
    Left,
    /// A farewell was said; the row was changed by whoever decided.
    Dismissed,
}

impl From<Closed> for Stop {
    fn from(_: Closed) -> Self {
        Self::Lost
    }
}

struct Conversation<'a> {
    me: Entered,
    socket: &'a mut Socket,
    since: DateTime<Utc>,
    /// Knocks that this doctor's page was shown.
    knocks: HashSet<String>,
    /// Devices that waited for this seat before this one.
    before_me: HashSet<String>,
    /// When a doctor who waits for a colleague's seat may try to take it.
    vacant_at: Option<Instant>,
}

/// Talks with the page until it leaves, is sent away, or its socket is lost.
pub async fn converse(me: Entered, socket: &mut Socket) {
    let mut conversation = Conversation {
        me,
        socket,
        since: Utc::now(),
        knocks: HashSet::new(),
        before_me: HashSet::new(),
        vacant_at: None,
    };
    let stop = match conversation.begin().await {
        Ok(()) => conversation.run().await,
        Err(stop) => stop,
    };
    conversation.finish(&stop).await;
}

impl Conversation<'_> {
    /// Greets the page by its standing and makes it known.
    async fn begin(&mut self) -> Result<(), Stop> {
        match self.me.standing {
            Standing::Waiting { .. } => self.knock().await,
            Standing::Admitted { .. } => self.welcome().await,
        }
    }

    async fn run(&mut self) -> Stop {
        let mut ping = interval_at(Instant::now() + PING, PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.me.app.stop.clone();
        loop {
            let vacant_at = self.vacant_at.unwrap_or_else(|| Instant::now() + PING * 1000);
            let step = tokio::select! {
                incoming = self.socket.receive() => self.hear(incoming).await,
                envelope = self.me.bus.next() => self.attend(envelope).await,
                _ = ping.tick() => self.ping().await,
                () = sleep_until(vacant_at), if self.vacant_at.is_some() => self.take_vacant_seat().await,
                () = stop.cancelled() => {
                    self.socket.close(1012, "restarting").await;
                    Err(Stop::Lost)
                }
            };
            if let Err(stop) = step {
                return stop;
            }
        }
    }

    async fn ping(&mut self) -> Result<(), Stop> {
        if self.socket.is_silent() {
            return Err(Stop::Lost);
        }
        Ok(self.socket.ping("").await?)
    }

    /// Tells the others how this ended.
    async fn finish(&mut self, stop: &Stop) {
        let me = &self.me;
        let incarnation = match me.standing {
            Standing::Waiting { .. } => {
                me.tell(Audience::Everybody, Event::KnockGone { knock: me.knock.clone() });
                return;
            }
            Standing::Admitted { incarnation } => incarnation,
        };
        // Also after a farewell: `end` leaves the doctors' rows as they are.
        if let Err(cause) = me.app.store.release(&me.consultation.id, me.seat, &me.claim).await {
            tracing::error!(%cause, "a seat could not be released; its device will wait a second longer when it comes back");
        }
        match stop {
            Stop::Left => {
                attendance::depart(&me.app, &me.consultation.id, me.seat, incarnation, Departure::Left);
            }
            Stop::Lost => {
                let away = Event::Away { seat: me.seat, role: me.role, incarnation, claim: me.claim.clone() };
                me.tell(Audience::Everybody, away);
                attendance::end_if_deserted(&me.app, &me.consultation.id);
            }
            Stop::Dismissed => {}
        }
    }

    // ---- from the page ----

    async fn hear(&mut self, incoming: Incoming) -> Result<(), Stop> {
        let message = match incoming {
            Incoming::Closed => return Err(Stop::Lost),
            Incoming::Malformed => return self.error(ErrorName::Malformed).await,
            Incoming::Pong(payload) => {
                // A pong with a payload answers the question of a device that would like this seat.
                if let Ok(question) = std::str::from_utf8(&payload)
                    && !question.is_empty()
                {
                    self.me.tell(Audience::Everybody, Event::Alive { answer_to: question.to_owned() });
                }
                return Ok(());
            }
            Incoming::Message(message) => message,
        };
        match (self.me.standing, message) {
            (_, ClientMessage::Leave {}) => {
                self.socket.close(1000, "").await;
                Err(Stop::Left)
            }
            (Standing::Waiting { .. }, ClientMessage::Name { to, sealed }) => {
                let to = u8::from(to);
                if self.role_of(to) != Some(Role::Doctor) {
                    return self.error(ErrorName::UnknownSeat).await;
                }
                let message = ServerMessage::Name { knock: Some(self.me.knock.clone()), from: None, sealed };
                self.forward(to, None, message);
                Ok(())
            }
            (Standing::Admitted { incarnation }, message) => {
                self.converse_admitted(incarnation, message).await
            }
            (Standing::Waiting { .. }, _) => self.error(ErrorName::Unexpected).await,
        }
    }

    async fn converse_admitted(&mut self, mine: i64, message: ClientMessage) -> Result<(), Stop> {
        let from = self.me.seat;
        match message {
            ClientMessage::Description { to, incarnation, description } => {
                let message = ServerMessage::Description { from, incarnation: mine, description };
                self.forward_known(to.into(), Some(incarnation), message).await
            }
            ClientMessage::Candidate { to, incarnation, candidate } => {
                let message = ServerMessage::Candidate { from, incarnation: mine, candidate };
                self.forward_known(to.into(), Some(incarnation), message).await
            }
            ClientMessage::Name { to, sealed } => {
                let message = ServerMessage::Name { knock: None, from: Some(from), sealed };
                self.forward_known(to.into(), None, message).await
            }
            ClientMessage::Ice {} => {
                let ice_servers = ice::servers(&self.me.app, &self.me.consultation.id, from);
                Ok(self.socket.send(&ServerMessage::Ice { ice_servers }).await?)
            }
            message if self.me.role == Role::Doctor => self.moderate(message).await,
            _ => self.error(ErrorName::Unexpected).await,
        }
    }

    /// What only a doctor's page may ask for.
    async fn moderate(&mut self, message: ClientMessage) -> Result<(), Stop> {
        let app = std::sync::Arc::clone(&self.me.app);
        let consultation = self.me.consultation.id.clone();
        let done = match message {
            ClientMessage::Admit { knock } => {
                return self.decide(knock.into(), |knock| Event::Admit { knock }).await;
            }
            ClientMessage::Refuse { knock } => {
                return self.decide(knock.into(), |knock| Event::Refuse { knock }).await;
            }
            ClientMessage::SendBack { seat } | ClientMessage::Remove { seat }
                if u8::from(seat) == self.me.seat =>
            {
                return self.error(ErrorName::Unexpected).await;
            }
            ClientMessage::SendBack { seat } | ClientMessage::Remove { seat }
                if self.role_of(seat.into()).is_none() =>
            {
                return self.error(ErrorName::UnknownSeat).await;
            }
            ClientMessage::SendBack { seat } => {
                attendance::dismiss(&app, &consultation, seat.into(), Departure::SentBack).await
            }
            ClientMessage::Remove { seat } => {
                attendance::dismiss(&app, &consultation, seat.into(), Departure::Removed).await
            }
            ClientMessage::End {} => attendance::end(&app, &consultation).await,
            _ => return self.error(ErrorName::Unexpected).await,
        };
        match done {
            Ok(()) => Ok(()),
            Err(cause) => self.unavailable(&cause).await,
        }
    }

    async fn decide(&mut self, knock: String, event: impl FnOnce(String) -> Event) -> Result<(), Stop> {
        if !self.knocks.remove(&knock) {
            return self.error(ErrorName::UnknownKnock).await;
        }
        self.me.tell(Audience::Knock(knock.clone()), event(knock));
        Ok(())
    }

    async fn forward_known(
        &mut self,
        to: u8,
        incarnation: Option<i64>,
        message: ServerMessage,
    ) -> Result<(), Stop> {
        if to == self.me.seat || self.role_of(to).is_none() {
            return self.error(ErrorName::UnknownSeat).await;
        }
        self.forward(to, incarnation, message);
        Ok(())
    }

    fn forward(&self, to: u8, incarnation: Option<i64>, message: ServerMessage) {
        self.me.tell(Audience::Seat(to), Event::Forward { incarnation, message: Box::new(message) });
    }

    fn role_of(&self, number: u8) -> Option<Role> {
        self.me.seats.iter().find(|(seat, _)| *seat == number).map(|(_, role)| *role)
    }

    async fn error(&mut self, error: ErrorName) -> Result<(), Stop> {
        Ok(self.socket.send(&ServerMessage::error(error)).await?)
    }

    async fn unavailable(&mut self, cause: &sqlx::Error) -> Result<(), Stop> {
        tracing::error!(%cause, "the store did not answer");
        self.error(ErrorName::Unavailable).await
    }

    // ---- from the bus ----

    /// Handles an event and all that queued behind it, then flushes once.
    async fn attend(&mut self, envelope: Result<std::sync::Arc<Envelope>, Lagged>) -> Result<(), Stop> {
        let Ok(envelope) = envelope else {
            self.socket.close(1013, "too slow").await;
            return Err(Stop::Lost);
        };
        self.react(&envelope).await?;
        for _ in 0..BATCH {
            let Some(envelope) = self.me.bus.try_next() else { break };
            self.react(&envelope).await?;
        }
        Ok(self.socket.flush().await?)
    }

    async fn react(&mut self, envelope: &Envelope) -> Result<(), Stop> {
        let for_me = match (&envelope.to, self.me.standing) {
            (Audience::Everybody, _) => true,
            (Audience::Seat(seat), Standing::Admitted { .. }) => *seat == self.me.seat,
            (Audience::Knock(knock), Standing::Waiting { .. }) => *knock == self.me.knock,
            _ => false,
        };
        if !for_me {
            return Ok(());
        }
        match (&envelope.event, self.me.standing) {
            (Event::Revoked, _) => self.farewell(&ServerMessage::Revoked {}).await,
            (event, Standing::Waiting { .. }) => self.react_waiting(event).await,
            (event, Standing::Admitted { incarnation }) => self.react_admitted(incarnation, event).await,
        }
    }

    async fn react_waiting(&mut self, event: &Event) -> Result<(), Stop> {
        match event {
            Event::Here { seat, role: Role::Doctor, key, asks, .. } => {
                self.vacant_at = self.vacant_at.filter(|_| *seat != self.me.seat);
                self.socket.feed(&ServerMessage::Doctor { seat: *seat, key: key.clone() }).await?;
                if *asks {
                    self.tell_knock(Audience::Seat(*seat), false);
                }
            }
            Event::Away { seat, role: Role::Doctor, .. } | Event::Gone { seat, .. }
                if self.role_of(*seat) == Some(Role::Doctor) =>
            {
                if *seat == self.me.seat {
                    if matches!(event, Event::Gone { reason: Departure::Revoked, .. }) {
                        return self.farewell(&ServerMessage::Revoked {}).await;
                    }
                    self.vacant_at = Some(Instant::now() + VACANT);
                }
                self.socket.feed(&ServerMessage::DoctorGone { seat: *seat }).await?;
            }
            Event::Gone { seat, reason: Departure::Revoked, .. } if *seat == self.me.seat => {
                return self.farewell(&ServerMessage::Revoked {}).await;
            }
            Event::Ended => return self.doctors_gone().await,
            Event::Admit { .. } => return self.take_seat().await,
            Event::Refuse { .. } => return self.farewell(&ServerMessage::Refused {}).await,
            Event::Knock { seat, knock, claim, asks: true, .. } if *seat == self.me.seat => {
                if *knock == self.me.knock {
                    // My own knock comes back to me; another socket's means that the same device opened anew.
                    if *claim != self.me.claim {
                        return self.superseded().await;
                    }
                } else {
                    let also = Event::AlsoWaiting { knock: self.me.knock.clone() };
                    self.me.tell(Audience::Knock(knock.clone()), also);
                }
            }
            Event::AlsoWaiting { knock } => {
                self.before_me.insert(knock.clone());
                if self.before_me.len() >= DEVICES_PER_SEAT {
                    self.socket.reject(ErrorName::Crowded).await;
                    return Err(Stop::Lost);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The doctor ended the consultation for all: whoever waits goes on waiting, and no doctor is there.
    async fn doctors_gone(&mut self) -> Result<(), Stop> {
        for (seat, role) in &self.me.seats {
            if *role == Role::Doctor {
                self.socket.feed(&ServerMessage::DoctorGone { seat: *seat }).await?;
            }
        }
        if self.me.role == Role::Doctor {
            self.vacant_at = Some(Instant::now() + VACANT);
        }
        Ok(())
    }

    async fn react_admitted(&mut self, mine: i64, event: &Event) -> Result<(), Stop> {
        let doctor = self.me.role == Role::Doctor;
        match event {
            // The same device resumed on another socket, and this one is what a dead line left behind.
            Event::Here { seat, claim, .. } if *seat == self.me.seat && *claim != self.me.claim => {
                return self.farewell(&ServerMessage::Replaced {}).await;
            }
            Event::Here { seat, role, incarnation, key, asks, .. } if *seat != self.me.seat => {
                let peer = ServerMessage::Peer {
                    seat: *seat,
                    role: *role,
                    incarnation: *incarnation,
                    key: key.clone(),
                };
                self.socket.feed(&peer).await?;
                if *asks {
                    self.tell_here(Audience::Seat(*seat), mine, false);
                }
            }
            Event::Away { seat, incarnation, .. } if *seat != self.me.seat => {
                self.socket.feed(&ServerMessage::Away { seat: *seat, incarnation: *incarnation }).await?;
            }
            Event::Gone { seat, reason, .. } if *seat != self.me.seat => {
                self.socket.feed(&ServerMessage::Gone { seat: *seat, reason: *reason }).await?;
            }
            Event::Gone { seat, incarnation, reason } if *seat == self.me.seat && *incarnation >= mine => {
                return self.depart(*reason).await;
            }
            Event::Ended => return self.farewell(&ServerMessage::Ended {}).await,
            Event::Knock { knock, seat, role, since, another, asks, .. } if doctor => {
                self.knocks.insert(knock.clone());
                let device = if *another { Device::Another } else { Device::First };
                let message = ServerMessage::Knock {
                    knock: knock.clone(),
                    seat: *seat,
                    role: *role,
                    since: since.clone(),
                    device,
                };
                self.socket.feed(&message).await?;
                if *asks {
                    self.tell_here(Audience::Knock(knock.clone()), mine, false);
                }
            }
            Event::KnockGone { knock } if self.knocks.remove(knock) => {
                self.socket.feed(&ServerMessage::KnockGone { knock: knock.clone() }).await?;
            }
            Event::Forward { incarnation, message }
                if incarnation.is_none_or(|incarnation| incarnation == mine) =>
            {
                self.socket.feed(message).await?;
            }
            Event::Probe { seat, claim, answer_to } if *seat == self.me.seat && *claim == self.me.claim => {
                self.socket.ping(answer_to).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// My stay was ended by somebody else.
    async fn depart(&mut self, reason: Departure) -> Result<(), Stop> {
        match reason {
            Departure::SentBack => {
                self.me.standing = Standing::Waiting { device: Device::First, occupied: false };
                self.me.token = None;
                self.since = Utc::now();
                self.socket.feed(&ServerMessage::SentBack {}).await?;
                self.knock().await
            }
            Departure::Removed => self.farewell(&ServerMessage::Removed {}).await,
            Departure::Revoked => self.farewell(&ServerMessage::Revoked {}).await,
            Departure::Ended => self.farewell(&ServerMessage::Ended {}).await,
            Departure::Replaced | Departure::Left => self.farewell(&ServerMessage::Replaced {}).await,
        }
    }

    async fn farewell(&mut self, message: &ServerMessage) -> Result<(), Stop> {
        self.socket.farewell(message).await;
        Err(Stop::Dismissed)
    }

    // ---- knocking and taking the seat ----

    async fn knock(&mut self) -> Result<(), Stop> {
        let Standing::Waiting { occupied, .. } = self.me.standing else { return Ok(()) };
        let waiting = ServerMessage::Waiting {
            consultation: self.me.consultation.id.clone(),
            seat: self.me.seat,
            role: self.me.role,
            knock: self.me.knock.clone(),
            occupied,
            starts_at: rfc3339(self.me.consultation.window.starts_at),
            expires_at: rfc3339(self.me.consultation.window.expires_at),
        };
        self.socket.send(&waiting).await?;
        self.before_me.clear();
        self.tell_knock(Audience::Everybody, true);
        Ok(())
    }

    fn tell_knock(&self, to: Audience, asks: bool) {
        let me = &self.me;
        let another = matches!(me.standing, Standing::Waiting { device: Device::Another, .. });
        let event = Event::Knock {
            knock: me.knock.clone(),
            seat: me.seat,
            role: me.role,
            since: rfc3339(self.since),
            another,
            claim: me.claim.clone(),
            asks,
        };
        me.tell(to, event);
    }

    fn tell_here(&self, to: Audience, incarnation: i64, asks: bool) {
        let me = &self.me;
        let (key, claim) = (me.key.clone(), me.claim.clone());
        me.tell(to, Event::Here { seat: me.seat, role: me.role, incarnation, key, claim, asks });
    }

    /// The same device knocks on another socket: that one waits now, this one goes without a word to the doctor.
    async fn superseded(&mut self) -> Result<(), Stop> {
        self.me.knock.clear();
        self.farewell(&ServerMessage::Replaced {}).await
    }

    /// A doctor opened the door.
    async fn take_seat(&mut self) -> Result<(), Stop> {
        match self.claim_afresh().await {
            Ok(true) => self.welcome().await,
            Ok(false) => {
                let expires_at = Some(rfc3339(self.me.consultation.window.expires_at));
                let complaint = Complaint { error: ErrorName::CodeExpired, opens_at: None, expires_at };
                self.socket.farewell(&ServerMessage::Error(complaint)).await;
                Err(Stop::Lost)
            }
            Err(cause) => self.without_store(&cause).await,
        }
    }

    /// Nothing to stand on: the page comes back when the store does.
    async fn without_store(&mut self, cause: &sqlx::Error) -> Result<(), Stop> {
        tracing::error!(%cause, "the store did not answer");
        self.socket.reject(ErrorName::Unavailable).await;
        Err(Stop::Lost)
    }

    /// The colleague whose seat this doctor waits for has been away for long.
    async fn take_vacant_seat(&mut self) -> Result<(), Stop> {
        self.vacant_at = None;
        let found = self.me.app.store.find(&self.me.code_hash).await;
        match found {
            Ok(Some(found)) if found.seat.claim.is_none() => self.take_seat().await,
            _ => Ok(()),
        }
    }

    /// `false` where the code or the window has ended: a row that somebody else changed is simply read again.
    async fn claim_afresh(&mut self) -> Result<bool, sqlx::Error> {
        for _ in 0..4 {
            let Some(found) = self.me.app.store.find(&self.me.code_hash).await? else { return Ok(false) };
            if self.me.claim_seat(&found.seat, None, None).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn welcome(&mut self) -> Result<(), Stop> {
        let Standing::Admitted { incarnation } = self.me.standing else { return Ok(()) };
        let holders = match self.me.app.store.seats(&self.me.consultation.id).await {
            Ok(seats) => seats,
            Err(cause) => return self.without_store(&cause).await,
        };
        let is_other = |seat: &Seat| seat.admitted_at.is_some() && seat.number != self.me.seat;
        let holder = |seat: Seat| Holder { seat: seat.number, incarnation: seat.incarnation };
        let holders = holders.into_iter().filter(is_other).map(holder).collect();
        let me = &mut self.me;
        let welcome = ServerMessage::Welcome {
            consultation: me.consultation.id.clone(),
            seat: me.seat,
            role: me.role,
            incarnation,
            token: me.token.take().unwrap_or_default(),
            ice_servers: ice::servers(&me.app, &me.consultation.id, me.seat),
            holders,
            starts_at: rfc3339(me.consultation.window.starts_at),
            expires_at: rfc3339(me.consultation.window.expires_at),
        };
        me.tell(Audience::Everybody, Event::KnockGone { knock: me.knock.clone() });
        self.socket.send(&welcome).await?;
        self.tell_here(Audience::Everybody, incarnation, true);
        Ok(())
    }
}
