//! Knocking, and taking the seat.

use super::super::entered::Standing;
use super::{Conversation, Stop};
use crate::access::{Paths, rfc3339};
use crate::bus::{Audience, Event};
use crate::ice;
use crate::message::{Complaint, Device, ErrorName, Holder, ServerMessage};
use crate::practice::presence::{Attending, Visitor};
use crate::store::Seat;

impl Conversation<'_> {
    pub(super) async fn knock(&mut self) -> Result<(), Stop> {
        let Standing::Waiting { occupied, .. } = self.me.standing else { return Ok(()) };
        let waiting = ServerMessage::Waiting {
            consultation: self.me.consultation.id.clone(),
            seat: self.me.seat,
            role: self.me.role,
            knock: self.me.knock.clone(),
            occupied,
            starts_at: rfc3339(self.me.consultation.window.starts_at),
            expires_at: rfc3339(self.me.consultation.window.expires_at),
            practice: self.me.inviter.clone(),
        };
        self.socket.send(&waiting).await?;
        self.show(Some(self.me.knock.clone()));
        self.before_me.clear();
        self.tell_knock(Audience::Everybody, true);
        Ok(())
    }

    /// Shows the practice's desks that the device waits under a label, or sits.
    fn show(&mut self, knock: Option<String>) {
        let me = &self.me;
        let Some(practice) = &me.consultation.practice else { return };
        let (consultation, claim, seat, role) =
            (me.consultation.id.as_str(), me.claim.as_str(), me.seat, me.role);
        let visitor = Visitor { practice, consultation, claim, seat, role };
        self.attending = Some(match knock {
            Some(knock) => Attending::waits(&me.app, &visitor, &knock, self.since),
            None => Attending::sits(&me.app, &visitor),
        });
    }

    pub(super) fn tell_knock(&self, to: Audience, asks: bool) {
        let me = &self.me;
        let another = matches!(me.standing, Standing::Waiting { device: Device::Another, .. });
        let event = Event::Knock {
            knock: me.knock.clone(),
            seat: me.seat,
            role: me.role,
            since: self.since,
            another,
            claim: me.claim.clone(),
            asks,
        };
        me.tell(to, event);
    }

    pub(super) fn tell_here(&self, to: Audience, incarnation: i64, asks: bool) {
        let me = &self.me;
        let (key, claim) = (me.key.clone(), me.claim.clone());
        me.tell(to, Event::Here { seat: me.seat, role: me.role, incarnation, key, claim, asks });
    }

    /// The same device knocks on another socket: that one waits now, this one goes without a word to the doctor.
    pub(super) async fn superseded(&mut self) -> Result<(), Stop> {
        self.me.knock.clear();
        self.farewell(&ServerMessage::Replaced {}).await
    }

    /// A doctor opened the door.
    pub(super) async fn take_seat(&mut self) -> Result<(), Stop> {
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
    pub(super) async fn without_store(&mut self, cause: &sqlx::Error) -> Result<(), Stop> {
        tracing::error!(%cause, "the store did not answer");
        self.socket.reject(ErrorName::Unavailable).await;
        Err(Stop::Lost)
    }

    /// The colleague whose seat this doctor waits for has been away for long.
    pub(super) async fn take_vacant_seat(&mut self) -> Result<(), Stop> {
        self.vacant_at = None;
        let found = self.me.app.store.find(&self.me.code_hash).await;
        match found {
            Ok(Some(found)) if found.seat.claim.is_none() => self.take_seat().await,
            _ => Ok(()),
        }
    }

    /// `false` where the code or the window has ended: a row that somebody else changed is simply read again.
    pub(super) async fn claim_afresh(&mut self) -> Result<bool, sqlx::Error> {
        for _ in 0..4 {
            let Some(found) = self.me.app.store.find(&self.me.code_hash).await? else { return Ok(false) };
            if self.me.claim_seat(&found.seat, None, None).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) async fn welcome(&mut self) -> Result<(), Stop> {
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
            ice_servers: ice::servers(&me.app, &me.app.keys.call_label(&me.consultation.id), me.seat),
            relayed_only: me.consultation.paths == Paths::RelayedOnly,
            holders,
            starts_at: rfc3339(me.consultation.window.starts_at),
            expires_at: rfc3339(me.consultation.window.expires_at),
            practice: me.inviter.clone(),
        };
        me.tell(Audience::Everybody, Event::KnockGone { knock: me.knock.clone() });
        self.socket.send(&welcome).await?;
        self.show(None);
        self.tell_here(Audience::Everybody, incarnation, true);
        Ok(())
    }
}
