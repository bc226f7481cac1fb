//! What the page says, turned into events and decisions.

use std::sync::Arc;
use std::time::Instant;

use super::super::ERRORS;
use super::super::attendance;
use super::super::entered::Standing;
use super::super::socket::Incoming;
use super::{Conversation, Stop};
use crate::access::Role;
use crate::bus::{Audience, Event};
use crate::ice;
use crate::message::{ClientMessage, Departure, ErrorName, ServerMessage};

impl Conversation<'_> {
    pub(super) async fn hear(&mut self, incoming: Incoming) -> Result<(), Stop> {
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
        if matches!(message, ClientMessage::Name { .. }) && !self.names.allows(Instant::now()) {
            // Nobody hears of it, and whoever goes on is let go.
            return self.error(ErrorName::Unexpected).await;
        }
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

    pub(super) async fn converse_admitted(&mut self, mine: i64, message: ClientMessage) -> Result<(), Stop> {
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
                let ice_servers =
                    ice::servers(&self.me.app, &self.me.app.keys.call_label(&self.me.consultation.id), from);
                Ok(self.socket.send(&ServerMessage::Ice { ice_servers }).await?)
            }
            ClientMessage::Probe { id, pad } => {
                Ok(self.socket.send(&ServerMessage::Probe { id, pad }).await?)
            }
            message if self.me.role == Role::Doctor => self.moderate(message).await,
            _ => self.error(ErrorName::Unexpected).await,
        }
    }

    /// What only a doctor's page may ask for.
    pub(super) async fn moderate(&mut self, message: ClientMessage) -> Result<(), Stop> {
        let app = Arc::clone(&self.me.app);
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

    pub(super) async fn decide(
        &mut self,
        knock: String,
        event: impl FnOnce(String) -> Event,
    ) -> Result<(), Stop> {
        if !self.knocks.remove(&knock) {
            return self.error(ErrorName::UnknownKnock).await;
        }
        self.me.tell(Audience::Knock(knock.clone()), event(knock));
        Ok(())
    }

    pub(super) async fn forward_known(
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

    pub(super) fn forward(&self, to: u8, incarnation: Option<i64>, message: ServerMessage) {
        self.me.tell(Audience::Seat(to), Event::Forward { incarnation, message: Box::new(message) });
    }

    pub(super) fn role_of(&self, number: u8) -> Option<Role> {
        self.me.seats.iter().find(|(seat, _)| *seat == number).map(|(_, role)| *role)
    }

    /// Answers an error; after ten before admission the socket closes.
    pub(super) async fn error(&mut self, error: ErrorName) -> Result<(), Stop> {
        self.socket.send(&ServerMessage::error(error)).await?;
        if matches!(self.me.standing, Standing::Waiting { .. }) {
            self.errors += 1;
            if self.errors >= ERRORS {
                self.socket.reject(ErrorName::TooManyErrors).await;
                return Err(Stop::Lost);
            }
        }
        Ok(())
    }

    pub(super) async fn unavailable(&mut self, cause: &sqlx::Error) -> Result<(), Stop> {
        tracing::error!(%cause, "the store did not answer");
        self.error(ErrorName::Unavailable).await
    }
}
