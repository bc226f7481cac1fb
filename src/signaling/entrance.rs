//! From the first message to a place: `look` and `join`, budgets against guessing, resume tokens, and the question to a seat's holder.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::close_code;
use chrono::{DateTime, Utc};
use tokio::time::{Interval, interval_at, sleep};
use tokio_util::sync::CancellationToken;

use super::entered::{Entered, Standing, holds, inviter};
use super::socket::{Incoming, Socket};
use super::{ERRORS, PING};
use crate::App;
use crate::access::{AccessCode, Phase, rfc3339};
use crate::bus::CAPACITY_PER_SEAT;
use crate::keys::{knock_label, random_128};
use crate::limit::{Place, Standing as Counts};
use crate::message::{ClientMessage, Complaint, Device, ErrorName, PublicKey, Secret, ServerMessage};
use crate::store::Found;

/// A page says what it wants within this time.
const FIRST_MESSAGE: Duration = Duration::from_secs(10);
/// After a look the user reads, types a name, tests a camera.
const JOIN_AFTER_LOOK: Duration = Duration::from_secs(30 * 60);

/// What `join` says.
struct Join {
    device: Secret,
    key: PublicKey,
    token: Option<Secret>,
    incarnation: Option<i64>,
}

/// What a socket counts as until it waits in a consultation or holds a seat. There three devices may wait for a seat, and one holds it.
pub struct Places {
    connection: Arc<Place>,
    /// Until a valid code was shown, of the client's address; then of the code.
    own: Place,
    has_shown: Option<String>,
}

impl Places {
    /// Of a socket that has shown nothing yet.
    pub fn of_a_stranger(app: &Arc<App>, address: IpAddr, connection: Arc<Place>) -> Self {
        let own = app.strangers.enter(address, app.proxies.is_shared(address));
        Self { connection, own, has_shown: None }
    }

    /// A code that is valid now, or will be, was shown: from here on the socket is one of its, whatever its address does.
    fn show(&mut self, app: &Arc<App>, code_hash: &str) {
        if self.has_shown.as_deref() != Some(code_hash) {
            self.own = app.looking.enter_by(code_hash);
            self.has_shown = Some(code_hash.to_owned());
            self.connection.settle(Counts::Invited);
        }
    }

    /// Something was said.
    fn touch(&self) {
        self.own.touch();
        self.connection.touch();
    }

    /// Waits until the socket must go for others' sake.
    /// The words that a place must be given back, for whoever does not hold them.
    pub fn words(&self) -> [CancellationToken; 2] {
        [self.own.word(), self.connection.word()]
    }

    async fn displaced(&self) {
        tokio::select! {
            () = self.own.displaced() => {}
            () = self.connection.displaced() => {}
        }
    }
}

/// A page at the door. Its steps return `None` where the socket is done with and was told why.
pub struct Visitor<'a> {
    app: &'a Arc<App>,
    socket: &'a mut Socket,
    address: IpAddr,
    places: Places,
    ping: Interval,
}

/// What a visitor said.
enum Said {
    Message(ClientMessage),
    Nonsense,
}

impl<'a> Visitor<'a> {
    /// A socket that has not said anything yet.
    pub fn new(app: &'a Arc<App>, socket: &'a mut Socket, address: IpAddr, places: Places) -> Self {
        let ping = interval_at(tokio::time::Instant::now() + PING, PING);
        Self { app, socket, address, places, ping }
    }

    /// Reads messages until one gets the page in.
    pub async fn enter(mut self) -> Option<Entered> {
        let mut patience = FIRST_MESSAGE;
        for _ in 0..ERRORS {
            let complaint = loop {
                match self.listen(patience).await? {
                    Said::Message(ClientMessage::Look { code }) => match self.look(code.as_str()).await? {
                        Ok(seen) => self.socket.send(&seen).await.ok()?,
                        Err(complaint) => break complaint,
                    },
                    Said::Message(ClientMessage::Join { code, device, key, token, incarnation }) => {
                        let join = Join { device, key, token, incarnation };
                        match self.join(code.as_str(), join).await? {
                            Ok(entered) => {
                                self.places.connection.settle(Counts::Settled);
                                return Some(entered);
                            }
                            Err(complaint) => break complaint,
                        }
                    }
                    Said::Message(_) => break Complaint::from(ErrorName::Unexpected),
                    Said::Nonsense => break Complaint::from(ErrorName::Malformed),
                }
                patience = JOIN_AFTER_LOOK;
            };
            if complaint.error == ErrorName::Unavailable {
                self.socket.reject(ErrorName::Unavailable).await;
                return None;
            }
            self.socket.send(&ServerMessage::Error(complaint)).await.ok()?;
            patience = JOIN_AFTER_LOOK;
        }
        self.socket.reject(ErrorName::TooManyErrors).await;
        None
    }

    /// The next thing the page says, within `patience`.
    async fn listen(&mut self, patience: Duration) -> Option<Said> {
        let deadline = sleep(patience);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                incoming = self.socket.receive() => match incoming {
                    Incoming::Message(message) => {
                        self.places.touch();
                        return Some(Said::Message(message));
                    }
                    Incoming::Malformed => return Some(Said::Nonsense),
                    Incoming::Pong(_) => {}
                    Incoming::Closed => return None,
                },
                _ = self.ping.tick() => {
                    if self.socket.is_silent() {
                        return None;
                    }
                    self.socket.ping("").await.ok()?;
                }
                close = cut(self.app, &self.places) => {
                    self.socket.close(close, "come back").await;
                    return None;
                }
                () = &mut deadline => {
                    self.socket.reject(ErrorName::TooLate).await;
                    return None;
                }
            }
        }
    }

    /// The answer to `look`.
    async fn look(&mut self, typed: &str) -> Option<Result<ServerMessage, Complaint>> {
        let found = match self.find(typed, None).await? {
            Ok((found, _)) => found,
            Err(complaint) => return Some(Err(complaint)),
        };
        let practice = match inviter(self.app, &found.consultation).await {
            Ok(practice) => practice,
            Err(cause) => return Some(Err(unavailable(&cause))),
        };
        let window = found.consultation.window;
        Some(judge(&found, None, Utc::now()).map(|phase| ServerMessage::Seen {
            practice,
            role: found.seat.role,
            seat: found.seat.number,
            state: phase,
            starts_at: rfc3339(window.starts_at),
            opens_at: rfc3339(window.opens_at),
            expires_at: rfc3339(window.expires_at),
        }))
    }

    /// Finds the seat of a typed code. A wrong code costs its address time, a right one nothing. Either waits for its answer where the address guessed
    /// before, a minute at most; who has the right one cannot be displaced by strangers meanwhile (R14). One that is over or revoked is none.
    async fn find(
        &mut self,
        typed: &str,
        device: Option<&Secret>,
    ) -> Option<Result<(Found, String), Complaint>> {
        let Ok(code) = AccessCode::parse(typed) else {
            return Some(Err(Complaint::from(ErrorName::CodeTypo)));
        };
        let hash = self.app.keys.code_hash(&code.canonical());
        let found = self.app.store.find(&hash).await;
        if let Ok(Some(found)) = &found
            && judge(found, device, Utc::now()).is_ok()
        {
            self.places.show(self.app, &hash);
        }
        let is_right = !matches!(found, Ok(None));
        let wait = self.app.guesses.weigh(self.address, is_right, Instant::now());
        if !wait.is_zero() {
            self.wait(wait).await?;
        }
        Some(match found {
            Ok(Some(found)) => Ok((found, hash)),
            Ok(None) => {
                if let Some(failures) = self.app.guesses.failed() {
                    tracing::warn!(
                        failures,
                        "many wrong access codes since the start: somebody may be guessing"
                    );
                }
                Err(Complaint::from(ErrorName::CodeUnknown))
            }
            Err(cause) => Err(unavailable(&cause)),
        })
    }

    /// Whoever talks while waiting for an answer gets none.
    async fn wait(&mut self, wait: Duration) -> Option<()> {
        tokio::select! {
            () = sleep(wait) => return Some(()),
            incoming = self.socket.receive() => {
                if !matches!(incoming, Incoming::Closed) {
                    self.socket.reject(ErrorName::TooFast).await;
                }
            }
            close = cut(self.app, &self.places) => self.socket.close(close, "come back").await,
        }
        None
    }

    async fn join(&mut self, typed: &str, join: Join) -> Option<Result<Entered, Complaint>> {
        let app = self.app;
        if let (Some(token), Ok(code)) = (&join.token, AccessCode::parse(typed)) {
            // A device with a valid token is exempt from the budgets and from the window.
            let hash = app.keys.code_hash(&code.canonical());
            match app.store.find(&hash).await {
                Ok(Some(found)) if holds(&found, token) => {
                    return Some(settle(app, found, hash, join, true).await);
                }
                Ok(_) => {}
                Err(cause) => return Some(Err(unavailable(&cause))),
            }
        }
        let (found, hash) = match self.find(typed, Some(&join.device)).await? {
            Ok(found) => found,
            Err(complaint) => return Some(Err(complaint)),
        };
        match judge(&found, Some(&join.device), Utc::now()) {
            Ok(Phase::Early) => {
                let opens_at = Some(rfc3339(found.consultation.window.opens_at));
                Some(Err(Complaint { error: ErrorName::CodeEarly, opens_at, expires_at: None }))
            }
            Ok(_) => Some(settle(app, found, hash, join, false).await),
            Err(complaint) => Some(Err(complaint)),
        }
    }
}

/// Waits until the visitor must go for others' sake, and tells the close code: the server stops, or newer sockets need the place.
async fn cut(app: &App, places: &Places) -> u16 {
    tokio::select! {
        () = app.stop.cancelled() => close_code::RESTART,
        () = places.displaced() => close_code::AGAIN,
    }
}

/// What a code without a token is worth at `now` to a device: not expired, not revoked, not another's; early or open. The same for each seat.
fn judge(found: &Found, device: Option<&Secret>, now: DateTime<Utc>) -> Result<Phase, Complaint> {
    if found.consultation.revoked_at.is_some() || found.code.revoked_at.is_some() {
        return Err(Complaint::from(ErrorName::CodeRevoked));
    }
    let label = device.map(|device| knock_label(&found.consultation.id, found.seat.number, device.as_str()));
    if found.code.is_used_up(label.as_deref(), now) {
        return Err(Complaint::from(ErrorName::CodeUsed));
    }
    let window = found.consultation.window;
    match window.phase(now) {
        Phase::Expired => {
            let expires_at = Some(rfc3339(window.expires_at));
            Err(Complaint { error: ErrorName::CodeExpired, opens_at: None, expires_at })
        }
        phase => Ok(phase),
    }
}

/// Takes the seat if the device may, or waits.
async fn settle(
    app: &Arc<App>,
    found: Found,
    code_hash: String,
    join: Join,
    resumes: bool,
) -> Result<Entered, Complaint> {
    let knock = knock_label(&found.consultation.id, found.seat.number, join.device.as_str());
    if !resumes && found.code.use_by.is_some() {
        match app.store.use_code(&code_hash, &knock, Utc::now().timestamp_millis()).await {
            Ok(true) => {}
            Ok(false) => return Err(Complaint::from(ErrorName::CodeUsed)),
            Err(cause) => return Err(unavailable(&cause)),
        }
    }
    let seats: Vec<_> = match app.store.seats(&found.consultation.id).await {
        Ok(seats) => seats.iter().map(|seat| (seat.number, seat.role)).collect(),
        Err(cause) => return Err(unavailable(&cause)),
    };
    let inviter = inviter(app, &found.consultation).await.map_err(|cause| unavailable(&cause))?;
    let mut entered = Entered {
        app: Arc::clone(app),
        inviter,
        bus: app.bus.subscribe(&found.consultation.id, CAPACITY_PER_SEAT * seats.len().max(1)),
        knock,
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
    match entered.take_or_wait(found.seat, token.as_ref(), join.incarnation).await {
        Ok(()) => Ok(entered),
        Err(cause) => Err(unavailable(&cause)),
    }
}

fn unavailable(cause: &sqlx::Error) -> Complaint {
    tracing::error!(%cause, "the store did not answer");
    Complaint::from(ErrorName::Unavailable)
}

#[cfg(test)]
mod tests {
    use chrono::Duration;

    use super::*;
    use crate::access::{Paths, Role, Window, parse_start};
    use crate::store::{NewPlan, NewSeat, Store};

    /// What a page would read that shows `typed` at `now`.
    async fn answer(store: &Store, typed: &str, now: DateTime<Utc>) -> String {
        let Ok(code) = AccessCode::parse(typed) else { return "code-typo".to_owned() };
        match store.find(&code.canonical()).await.unwrap() {
            None => "code-unknown".to_owned(),
            Some(found) => match judge(&found, None, now) {
                Ok(phase) => serde_json::to_value(phase).unwrap().as_str().unwrap().to_owned(),
                Err(complaint) => serde_json::to_value(complaint.error).unwrap().as_str().unwrap().to_owned(),
            },
        }
    }

    #[tokio::test]
    async fn the_code_table_holds_for_both_sides_over_both_clock_changes_of_berlin() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::connect_embedded(directory.path()).await.unwrap();
        store.migrate().await.unwrap();
        for (id, local, opens, last, over) in [
            (
                "spring",
                "2026-03-28T15:00",
                "2026-03-28T14:30:00+01:00",
                "2026-03-29T15:59:59+02:00",
                "2026-03-29T16:00:00+02:00",
            ),
            (
                "autumn",
                "2026-10-24T15:00",
                "2026-10-24T14:30:00+02:00",
                "2026-10-25T13:59:59+01:00",
                "2026-10-25T14:00:00+01:00",
            ),
        ] {
            let moment = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc);
            let (start, _) = parse_start(local, chrono_tz::Europe::Berlin).unwrap();
            let codes = [AccessCode::random(), AccessCode::random()];
            let seat =
                |(role, code): (Role, &AccessCode)| NewSeat { role, code_hash: Some(code.canonical()) };
            let seats: Vec<_> = [Role::Doctor, Role::Patient].into_iter().zip(&codes).map(seat).collect();
            let plan = NewPlan {
                id,
                window: Window::new(start, Duration::minutes(30)),
                paths: Paths::Any,
                practice: None,
                duration_minutes: 20,
                language: "de",
                created_by: None,
                seats: &seats,
            };
            store.create(&plan, start).await.unwrap();
            for code in codes.iter().map(ToString::to_string) {
                let mut typo = code.clone();
                typo.replace_range(0..1, if code.starts_with('7') { "8" } else { "7" });
                assert_eq!(answer(&store, &typo, start).await, "code-typo");
                assert_eq!(answer(&store, &AccessCode::random().to_string(), start).await, "code-unknown");
                assert_eq!(answer(&store, &code, moment(opens) - Duration::milliseconds(1)).await, "early");
                for open in [moment(opens), start, moment(last), moment(over) - Duration::milliseconds(1)] {
                    assert_eq!(answer(&store, &code, open).await, "open");
                }
                assert_eq!(answer(&store, &code, moment(over)).await, "code-expired");
            }
            store.reissue(id, 2, &AccessCode::random().canonical(), start).await.unwrap();
            assert_eq!(answer(&store, &codes[1].to_string(), start).await, "code-revoked");
            assert_eq!(answer(&store, &codes[0].to_string(), start).await, "open");
            assert!(store.revoke(id, start).await.unwrap());
            assert_eq!(answer(&store, &codes[0].to_string(), start).await, "code-revoked");
        }
    }
}
