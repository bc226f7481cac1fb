//! From the first message to a place: `look` and `join`, budgets against guessing, resume tokens, and the question to a seat's holder.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::time::{sleep, timeout, timeout_at};

use super::socket::{Incoming, Socket};
use crate::App;
use crate::access::{AccessCode, Phase, Role, rfc3339};
use crate::bus::{Audience, Bus, Event, Subscription};
use crate::keys::{knock_label, random_128, token_hash};
use crate::message::{
    ClientMessage, Complaint, Departure, Device, ErrorName, PublicKey, Secret, ServerMessage,
};
use crate::store::{Claim, Consultation, Found, Seat};

/// A page says what it wants within this time.
const FIRST_MESSAGE: Duration = Duration::from_secs(10);
/// After a look the user reads, types a name, tests a camera.
const JOIN_AFTER_LOOK: Duration = Duration::from_secs(30 * 60);
/// Errors before admission that a socket survives.
const ERRORS: u32 = 10;
/// How long the holder of a seat has to answer.
const PROBE: Duration = Duration::from_secs(1);
/// How often a claim is tried anew where somebody else came between.
const CLAIM_TRIES: u32 = 4;

/// A page whose code is valid: it holds its seat or waits for it.
pub struct Entered {
    pub app: Arc<App>,
    pub bus: Subscription,
    pub consultation: Consultation,
    pub seat: u8,
    pub role: Role,
    /// All seats of the consultation.
    pub seats: Vec<(u8, Role)>,
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

/// What `join` says.
struct Join {
    device: Secret,
    key: PublicKey,
    token: Option<Secret>,
    incarnation: Option<i64>,
}

/// Reads messages until one gets the page in. `None`: the socket is done with and was told why.
pub async fn enter(app: &Arc<App>, socket: &mut Socket, address: IpAddr) -> Option<Entered> {
    let mut deadline = tokio::time::Instant::now() + FIRST_MESSAGE;
    for _ in 0..ERRORS {
        let error = loop {
            let incoming = tokio::select! {
                incoming = timeout_at(deadline, socket.receive()) => incoming,
                () = app.stop.cancelled() => { socket.close(1012, "restarting").await; return None }
            };
            match incoming {
                Err(_) => {
                    socket.reject(ErrorName::TooLate).await;
                    return None;
                }
                Ok(Incoming::Closed) => return None,
                Ok(Incoming::Pong(_)) => {}
                Ok(Incoming::Malformed) => break Complaint::from(ErrorName::Malformed),
                Ok(Incoming::Message(ClientMessage::Look { code })) => {
                    match look(app, socket, address, code.as_str()).await? {
                        Ok(seen) => {
                            deadline = tokio::time::Instant::now() + JOIN_AFTER_LOOK;
                            socket.send(&seen).await.ok()?;
                        }
                        Err(error) => break error,
                    }
                }
                Ok(Incoming::Message(ClientMessage::Join { code, device, key, token, incarnation })) => {
                    let join = Join { device, key, token, incarnation };
                    match self::join(app, socket, address, code.as_str(), join).await? {
                        Ok(entered) => return Some(entered),
                        Err(error) => break error,
                    }
                }
                Ok(Incoming::Message(_)) => break Complaint::from(ErrorName::Unexpected),
            }
        };
        if error.error == ErrorName::Unavailable {
            socket.reject(ErrorName::Unavailable).await;
            return None;
        }
        socket.send(&ServerMessage::Error(error)).await.ok()?;
        deadline = tokio::time::Instant::now() + JOIN_AFTER_LOOK;
    }
    socket.reject(ErrorName::TooManyErrors).await;
    None
}

/// The answer to `look`; the outer `None`: the socket closed meanwhile.
async fn look(
    app: &App,
    socket: &mut Socket,
    address: IpAddr,
    typed: &str,
) -> Option<Result<ServerMessage, Complaint>> {
    let found = match find(app, socket, address, typed).await? {
        Ok((found, _)) => found,
        Err(error) => return Some(Err(error)),
    };
    let window = found.consultation.window;
    let phase = window.phase(Utc::now());
    Some(match valid(&found, phase) {
        Err(error) => Err(error),
        Ok(()) => Ok(ServerMessage::Seen {
            role: found.seat.role,
            seat: found.seat.number,
            state: phase,
            starts_at: rfc3339(window.starts_at),
            opens_at: rfc3339(window.opens_at),
            expires_at: rfc3339(window.expires_at),
        }),
    })
}

/// Finds the seat of a typed code. A wrong code costs its address time, a right one nothing; nobody waits more than a minute (R14).
async fn find(
    app: &App,
    socket: &mut Socket,
    address: IpAddr,
    typed: &str,
) -> Option<Result<(Found, String), Complaint>> {
    let Ok(code) = AccessCode::parse(typed) else {
        return Some(Err(Complaint::from(ErrorName::CodeTypo)));
    };
    let wait = app.guesses.charge(address, Instant::now());
    if !wait.is_zero() {
        tokio::select! {
            () = sleep(wait) => {}
            incoming = socket.receive() => {
                // Whoever talks while waiting for an answer gets none.
                if !matches!(incoming, Incoming::Closed) {
                    socket.reject(ErrorName::TooFast).await;
                }
                return None;
            }
            () = app.stop.cancelled() => {
                socket.close(1012, "restarting").await;
                return None;
            }
        }
    }
    let hash = app.keys.code_hash(&code.canonical());
    Some(match app.store.find(&hash).await {
        Ok(Some(found)) => {
            app.guesses.forgive(address);
            Ok((found, hash))
        }
        Ok(None) => {
            if let Some(failures) = app.guesses.failed() {
                tracing::warn!(failures, "many wrong access codes since the start: somebody may be guessing");
            }
            Err(Complaint::from(ErrorName::CodeUnknown))
        }
        Err(cause) => Err(unavailable(&cause)),
    })
}

/// What stands against a code, whoever shows it. A code before its time is a matter of the caller.
fn valid(found: &Found, phase: Phase) -> Result<(), Complaint> {
    if found.consultation.revoked_at.is_some() || found.code_revoked_at.is_some() {
        return Err(Complaint::from(ErrorName::CodeRevoked));
    }
    if phase == Phase::Expired {
        let expires_at = Some(rfc3339(found.consultation.window.expires_at));
        return Err(Complaint { error: ErrorName::CodeExpired, opens_at: None, expires_at });
    }
    Ok(())
}

async fn join(
    app: &Arc<App>,
    socket: &mut Socket,
    address: IpAddr,
    typed: &str,
    join: Join,
) -> Option<Result<Entered, Complaint>> {
    if let (Some(token), Ok(code)) = (&join.token, AccessCode::parse(typed)) {
        // A device with a valid token is exempt from the budgets and from the window.
        let hash = app.keys.code_hash(&code.canonical());
        match app.store.find(&hash).await {
            Ok(Some(found)) if holds(&found, token) => return settle(app, found, hash, join, true).await,
            Ok(_) => {}
            Err(cause) => return Some(Err(unavailable(&cause))),
        }
    }
    let (found, hash) = match find(app, socket, address, typed).await? {
        Ok(found) => found,
        Err(error) => return Some(Err(error)),
    };
    let phase = found.consultation.window.phase(Utc::now());
    if let Err(error) = valid(&found, phase) {
        return Some(Err(error));
    }
    if phase == Phase::Early {
        let opens_at = Some(rfc3339(found.consultation.window.opens_at));
        return Some(Err(Complaint { error: ErrorName::CodeEarly, opens_at, expires_at: None }));
    }
    settle(app, found, hash, join, false).await
}

/// Whether the token is the one of the device that was admitted to the seat.
fn holds(found: &Found, token: &Secret) -> bool {
    let hash = token_hash(token.as_str());
    let revoked = found.consultation.revoked_at.is_some() || found.code_revoked_at.is_some();
    let seat = &found.seat;
    let known =
        [&seat.token_hash, &seat.previous_token_hash].into_iter().flatten().any(|stored| *stored == hash);
    known && seat.admitted_at.is_some() && !revoked
}

/// Takes the seat if the device may, or waits.
async fn settle(
    app: &Arc<App>,
    found: Found,
    code_hash: String,
    join: Join,
    resumes: bool,
) -> Option<Result<Entered, Complaint>> {
    let seats = match app.store.seats(&found.consultation.id).await {
        Ok(seats) => seats.iter().map(|seat| (seat.number, seat.role)).collect(),
        Err(cause) => return Some(Err(unavailable(&cause))),
    };
    let mut entered = Entered {
        app: Arc::clone(app),
        bus: Bus::subscribe(app, &found.consultation.id),
        knock: knock_label(&found.consultation.id, found.seat.number, join.device.as_str()),
        seat: found.seat.number,
        role: found.seat.role,
        consultation: found.consultation,
        seats,
        code_hash,
        key: join.key.into(),
        claim: random_128(),
        standing: Standing::Waiting { device: Device::First, occupied: false },
        token: None,
    };
    let token = join.token.filter(|_| resumes);
    Some(match entered.take_or_wait(found.seat, token.as_ref(), join.incarnation).await {
        Ok(()) => Ok(entered),
        Err(cause) => Err(unavailable(&cause)),
    })
}

fn unavailable(cause: &sqlx::Error) -> Complaint {
    tracing::error!(%cause, "the store did not answer");
    Complaint::from(ErrorName::Unavailable)
}

impl Entered {
    /// Publishes to everybody in the consultation.
    pub fn tell(&self, to: Audience, event: Event) {
        self.app.bus.publish(&self.consultation.id, to, event);
    }

    /// A resume and a free doctor's seat take the row; everything else waits (decisions: admission belongs to a device).
    async fn take_or_wait(
        &mut self,
        mut seat: Seat,
        token: Option<&Secret>,
        page: Option<i64>,
    ) -> Result<(), sqlx::Error> {
        for _ in 0..CLAIM_TRIES {
            let alive = match &seat.claim {
                Some(holder) => self.is_alive(seat.number, holder).await,
                None => false,
            };
            if alive || (token.is_none() && seat.role != Role::Doctor) {
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
                    _ => {}
                }
            }
            false
        };
        timeout(PROBE, answer).await.unwrap_or(false)
    }
}
