//! A page whose code is valid, and the one conditional UPDATE by which it takes its seat.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::time::timeout;

use crate::App;
use crate::access::Role;
use crate::bus::{Audience, Envelope, Event, Subscription};
use crate::keys::{random_128, token_hash};
use crate::message::{Departure, Device, Inviter, Secret};
use crate::store::{Claim, Consultation, Found, Practice, Seat};

/// How long the holder of a seat has to answer.
const PROBE: Duration = Duration::from_secs(1);
/// How often a claim is tried anew where somebody else came between.
const CLAIM_TRIES: u32 = 4;

/// A page whose code is valid: it holds its seat or waits for it.
pub struct Entered {
    pub app: Arc<App>,
    pub bus: Subscription<Envelope>,
    pub consultation: Consultation,
    pub seat: u8,
    pub role: Role,
    /// All seats of the consultation.
    pub seats: Vec<(u8, Role)>,
    /// The practice that invites.
    pub inviter: Option<Inviter>,
    pub code_hash: String,
    pub key: String,
    /// The label under which the device knocks.
    pub knock: String,
    /// Names this socket.
    pub claim: String,
    pub standing: Standing,
    /// The fresh resume token, until `welcome` has carried it to the page.
    pub token: Option<String>,
}

/// Where a page stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Outside: no SDP, candidate or credential (R07).
    Waiting { device: Device, occupied: bool },
    /// Holds its seat, as this incarnation.
    Admitted { incarnation: i64 },
}

impl Entered {
    /// Publishes to everybody in the consultation.
    pub fn tell(&self, to: Audience, event: Event) {
        self.app.bus.tell(&self.consultation.id, to, event);
    }

    /// A resume and a free doctor's seat take the row; everything else waits (decisions: admission belongs to a device).
    pub async fn take_or_wait(
        &mut self,
        mut seat: Seat,
        token: Option<&Secret>,
        page: Option<i64>,
    ) -> Result<(), sqlx::Error> {
        let may_take = token.is_some() || seat.role == Role::Doctor;
        // Whoever waits anyway asks nobody first.
        let tries = if may_take { CLAIM_TRIES } else { 0 };
        for _ in 0..tries {
            // A page has one socket: where the same page comes back, the former one is dead, whether or not the broker knows.
            let same_page = token.is_some() && page == Some(seat.incarnation);
            if let Some(holder) = &seat.claim
                && !same_page
                && self.is_alive(seat.number, holder).await
            {
                break;
            }
            let token_before = token.map(|token| token_hash(token.as_str()));
            if self.claim_seat(&seat, token_before.as_deref(), page).await? {
                return Ok(());
            }
            match self.app.store.find(&self.code_hash).await? {
                Some(found) if token.is_none_or(|token| holds(&found, token)) => seat = found.seat,
                _ => break,
            }
        }
        self.wait_for(&seat);
        Ok(())
    }

    /// Stands outside the seat as its row was read.
    pub fn wait_for(&mut self, seat: &Seat) {
        let device = if seat.token_hash.is_some() { Device::Another } else { Device::First };
        self.standing = Standing::Waiting { device, occupied: seat.claim.is_some() };
    }

    /// One conditional UPDATE decides. On success the former incarnation's allocations have ended and a former device was told.
    pub async fn claim_seat(
        &mut self,
        seen: &Seat,
        token_before: Option<&str>,
        page: Option<i64>,
    ) -> Result<bool, sqlx::Error> {
        let resumes = token_before.is_some();
        let same_page = resumes && page == Some(seen.incarnation);
        let incarnation = if same_page { seen.incarnation } else { seen.incarnation + 1 };
        let token = random_128();
        let claim = Claim {
            consultation: &self.consultation.id,
            seen,
            code_hash: &self.code_hash,
            incarnation,
            claim: &self.claim,
            token_hash: &token_hash(&token),
            previous_token_hash: token_before,
            resumes,
            now: Utc::now(),
        };
        if !self.app.store.claim(&claim).await? {
            return Ok(false);
        }
        if !same_page && seen.incarnation > 0 {
            self.app.relay.end_seat(&self.app.keys.call_label(&self.consultation.id), &self.seat.to_string());
        }
        if !resumes && (seen.claim.is_some() || seen.token_hash.is_some()) {
            let gone =
                Event::Gone { seat: self.seat, incarnation: seen.incarnation, reason: Departure::Replaced };
            self.tell(Audience::Everybody, gone);
        }
        self.standing = Standing::Admitted { incarnation };
        self.token = Some(token);
        Ok(true)
    }

    /// Asks the holder of a claim; it asks its device over its socket. The events heard meanwhile are of no use to who is not in yet.
    async fn is_alive(&mut self, seat: u8, holder: &str) -> bool {
        let question = random_128();
        let probe = Event::Probe { seat, claim: holder.to_owned(), answer_to: question.clone() };
        self.tell(Audience::Everybody, probe);
        let answer = async {
            while let Ok(envelope) = self.bus.next().await {
                match &envelope.event {
                    Event::Alive { answer_to } if *answer_to == question => return true,
                    Event::Away { claim, .. } if claim == holder => return false,
                    Event::Gone { seat: gone, .. } if *gone == seat => return false,
                    _ => {}
                }
            }
            false
        };
        timeout(PROBE, answer).await.unwrap_or(false)
    }
}

/// The practice that invites to a consultation; the operator's have none.
pub async fn inviter(app: &App, consultation: &Consultation) -> Result<Option<Inviter>, sqlx::Error> {
    let Some(id) = &consultation.practice else { return Ok(None) };
    let practice = app.store.practice(id).await?;
    Ok(practice.map(|Practice { name, phone, time_zone, .. }| Inviter { name, phone, time_zone }))
}

/// Whether the token is the one of the device that was admitted to the seat.
pub fn holds(found: &Found, token: &Secret) -> bool {
    let hash = token_hash(token.as_str());
    let revoked = found.consultation.revoked_at.is_some() || found.code.revoked_at.is_some();
    let seat = &found.seat;
    let known =
        [&seat.token_hash, &seat.previous_token_hash].into_iter().flatten().any(|stored| *stored == hash);
    known && seat.admitted_at.is_some() && !revoked
}
