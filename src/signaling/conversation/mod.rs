//! One page's conversation: a single select loop that owns the seat's state. What others do arrives as events; what the page asks for leaves as
//! events.

mod event;
mod page;
mod seat;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::entered::{Entered, Standing};
use super::socket::{Closed, Socket};
use super::{PING, attendance};
use crate::bus::{Audience, Event};
use crate::limit::MessageRate;
use crate::message::Departure;
use crate::practice::presence::Attending;

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
    /// What the practice's desks see of this page.
    attending: Option<Attending>,
    /// How many names it may send.
    names: MessageRate,
    /// Errors while waiting.
    errors: u32,
}

/// Talks with the page until it leaves, is sent away, or its socket is lost.
pub async fn converse(me: Entered, socket: &mut Socket) {
    socket.expect_seats(me.seats.len());
    let mut names = MessageRate::of_names(std::time::Instant::now());
    names.widen(me.seats.len());
    let mut conversation = Conversation {
        me,
        socket,
        since: Utc::now(),
        knocks: HashSet::new(),
        before_me: HashSet::new(),
        vacant_at: None,
        attending: None,
        names,
        errors: 0,
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

    /// Tells the others how this ended, and only then gives the seat's row back: a device that resumes must not hear of its own departure.
    async fn finish(&mut self, stop: &Stop) {
        let me = &self.me;
        let incarnation = match me.standing {
            Standing::Waiting { .. } => {
                me.tell(Audience::Everybody, Event::KnockGone { knock: me.knock.clone() });
                return;
            }
            Standing::Admitted { incarnation } => incarnation,
        };
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
        // Also after a farewell: `end` leaves the doctors' rows as they are.
        if let Err(cause) = me.app.store.release(&me.consultation.id, me.seat, &me.claim).await {
            tracing::error!(%cause, "a seat could not be released; its device will wait a second longer when it comes back");
        }
    }
}
