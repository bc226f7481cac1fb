//! Who waits and who sits where, for the desks of a practice. In this process, like the sockets themselves.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::live::{Call, LiveMessage, Waiting};
use crate::App;
use crate::access::{Role, rfc3339};

/// Sockets of consultations that belong to a practice, by practice and claim. As large as the sockets alive.
#[derive(Default)]
pub struct Presence {
    /// Never held across an await.
    practices: Mutex<HashMap<String, HashMap<String, Present>>>,
    counter: AtomicU64,
}

struct Present {
    number: u64,
    consultation: String,
    seat: u8,
    /// Waiting under this label; without one, in the call.
    waiting: Option<Waiting>,
}

/// One socket's presence, gone when dropped.
pub struct Attending {
    app: Arc<App>,
    practice: String,
    claim: String,
    /// The entry that is this one's: a later one under the same claim is not.
    number: u64,
}

/// What a socket of a consultation is, for the desk.
pub struct Visitor<'a> {
    /// The practice's id.
    pub practice: &'a str,
    /// The consultation's id.
    pub consultation: &'a str,
    /// Names the socket.
    pub claim: &'a str,
    /// Its seat.
    pub seat: u8,
    /// The seat's role.
    pub role: Role,
}

impl Attending {
    /// A device that waits under a label since then.
    pub fn waits(app: &Arc<App>, visitor: &Visitor<'_>, knock: &str, since: DateTime<Utc>) -> Self {
        let waiting = Waiting {
            consultation: visitor.consultation.to_owned(),
            knock: knock.to_owned(),
            seat: visitor.seat,
            role: visitor.role,
            since: rfc3339(since),
        };
        Self::begin(app, visitor, Some(waiting))
    }

    /// A page that holds its seat.
    pub fn sits(app: &Arc<App>, visitor: &Visitor<'_>) -> Self {
        Self::begin(app, visitor, None)
    }

    fn begin(app: &Arc<App>, visitor: &Visitor<'_>, waiting: Option<Waiting>) -> Self {
        let number = app.desk.presence.counter.fetch_add(1, Ordering::Relaxed);
        let present = Present {
            number,
            consultation: visitor.consultation.to_owned(),
            seat: visitor.seat,
            waiting: waiting.clone(),
        };
        let mut practices = app.desk.presence.lock();
        let practice = practices.entry(visitor.practice.to_owned()).or_default();
        let before = practice.insert(visitor.claim.to_owned(), present);
        let messages = match waiting {
            Some(waiting) => vec![LiveMessage::Waiting(waiting)],
            None => vec![call(practice, visitor.consultation)],
        };
        let gone = before.and_then(|before| left(practice, &before));
        for message in gone.into_iter().chain(messages) {
            app.desk.bus.publish(visitor.practice, message);
        }
        Self {
            app: Arc::clone(app),
            practice: visitor.practice.to_owned(),
            claim: visitor.claim.to_owned(),
            number,
        }
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        let mut practices = self.app.desk.presence.lock();
        let Some(practice) = practices.get_mut(&self.practice) else { return };
        if practice.get(&self.claim).is_none_or(|present| present.number != self.number) {
            return;
        }
        let Some(present) = practice.remove(&self.claim) else { return };
        let message = match &present.waiting {
            Some(_) => left(practice, &present),
            None => Some(call(practice, &present.consultation)),
        };
        if practice.is_empty() {
            practices.remove(&self.practice);
        }
        if let Some(message) = message {
            self.app.desk.bus.publish(&self.practice, message);
        }
    }
}

impl Presence {
    /// All who wait and all calls of a practice.
    pub fn of(&self, practice: &str) -> (Vec<Waiting>, Vec<Call>) {
        let practices = self.lock();
        let Some(practice) = practices.get(practice) else { return (Vec::new(), Vec::new()) };
        let mut waiting: Vec<Waiting> =
            practice.values().filter_map(|present| present.waiting.clone()).collect();
        waiting.sort_by(|a, b| (&a.since, &a.knock).cmp(&(&b.since, &b.knock)));
        waiting.dedup_by(|a, b| a.knock == b.knock);
        let seated = practice.values().filter(|present| present.waiting.is_none());
        let consultations: BTreeSet<&str> = seated.map(|present| present.consultation.as_str()).collect();
        let calls = consultations.into_iter().map(|consultation| seats(practice, consultation)).collect();
        (waiting, calls)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashMap<String, Present>>> {
        self.practices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn call(practice: &HashMap<String, Present>, consultation: &str) -> LiveMessage {
    LiveMessage::Call(seats(practice, consultation))
}

fn seats(practice: &HashMap<String, Present>, consultation: &str) -> Call {
    let here =
        practice.values().filter(|present| present.waiting.is_none() && present.consultation == consultation);
    let seats: BTreeSet<u8> = here.map(|present| present.seat).collect();
    Call { consultation: consultation.to_owned(), seats: seats.into_iter().collect() }
}

/// Says that a device waits no more, unless another socket of it does.
fn left(practice: &HashMap<String, Present>, present: &Present) -> Option<LiveMessage> {
    let Waiting { knock, consultation, .. } = present.waiting.clone()?;
    let still =
        practice.values().any(|other| other.waiting.as_ref().is_some_and(|waiting| waiting.knock == knock));
    (!still).then_some(LiveMessage::Left { consultation, knock })
}
