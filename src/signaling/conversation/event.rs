//! What others do, turned into messages for the page.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;

use super::super::entered::Standing;
use super::{Conversation, Stop};
use crate::access::{Role, rfc3339};
use crate::bus::{Audience, Envelope, Event, Lagged};
use crate::message::{Departure, Device, ErrorName, ServerMessage};

/// Devices that may wait for one seat.
const DEVICES_PER_SEAT: usize = 3;
/// Events handled before what they produced is flushed.
const BATCH: usize = 64;
/// A doctor's page that reloads is back sooner; after this a colleague who waits for the seat gets it.
const VACANT: Duration = Duration::from_secs(15);

impl Conversation<'_> {
    /// Handles an event and all that queued behind it, then flushes once.
    pub(super) async fn attend(&mut self, envelope: Result<Arc<Envelope>, Lagged>) -> Result<(), Stop> {
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

    pub(super) async fn react(&mut self, envelope: &Envelope) -> Result<(), Stop> {
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
            (Event::CodeRevoked { hash }, _) if *hash == self.me.code_hash => {
                self.farewell(&ServerMessage::Revoked {}).await
            }
            (event, Standing::Waiting { .. }) => self.react_waiting(event).await,
            (event, Standing::Admitted { incarnation }) => self.react_admitted(incarnation, event).await,
        }
    }

    pub(super) async fn react_waiting(&mut self, event: &Event) -> Result<(), Stop> {
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
            Event::Knock { seat, knock, claim, since, asks: true, .. } if *seat == self.me.seat => {
                if *knock == self.me.knock {
                    // My own knock comes back to me; another socket's means that the same device opened anew.
                    if *claim != self.me.claim {
                        return self.superseded().await;
                    }
                } else if (self.since, &self.me.claim) < (*since, claim) {
                    // One order for all, so that of many who come at once the first three stay.
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
    pub(super) async fn doctors_gone(&mut self) -> Result<(), Stop> {
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

    pub(super) async fn react_admitted(&mut self, mine: i64, event: &Event) -> Result<(), Stop> {
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
                    since: rfc3339(*since),
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
    pub(super) async fn depart(&mut self, reason: Departure) -> Result<(), Stop> {
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

    pub(super) async fn farewell(&mut self, message: &ServerMessage) -> Result<(), Stop> {
        self.socket.farewell(message).await;
        Err(Stop::Dismissed)
    }
}
