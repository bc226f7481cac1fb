//! Places that are given back when dropped, and whoever waits for the word that one must give way.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::shares::{Bounds, Origin, Shares, Standing, Ticket};

/// The places of one kind. As large as the places that are taken.
pub struct Places {
    started: Instant,
    /// Never held across an await.
    taken: Mutex<Taken>,
}

struct Taken {
    shares: Shares,
    words: HashMap<Ticket, CancellationToken>,
}

/// One place, given back when dropped.
pub struct Place {
    places: Arc<Places>,
    ticket: Ticket,
    displaced: CancellationToken,
}

impl Places {
    /// No place is taken.
    pub fn new(bounds: Bounds) -> Arc<Self> {
        let taken = Mutex::new(Taken { shares: Shares::new(bounds), words: HashMap::new() });
        Arc::new(Self { started: Instant::now(), taken })
    }

    /// A place for one more of this address, perhaps another one's.
    pub fn enter(self: &Arc<Self>, address: IpAddr, is_shared: bool) -> Place {
        self.enter_as(Origin::of(address, is_shared))
    }

    /// The same for whoever has shown the same secret, by its hash.
    pub fn enter_by(self: &Arc<Self>, hash: &str) -> Place {
        self.enter_as(Origin::of_name(hash))
    }

    fn enter_as(self: &Arc<Self>, origin: Origin) -> Place {
        let displaced = CancellationToken::new();
        let now = self.now();
        let mut taken = self.lock();
        let (ticket, victim) = taken.shares.enter(origin, now);
        taken.words.insert(ticket, displaced.clone());
        let word = victim.and_then(|victim| taken.words.remove(&victim));
        drop(taken);
        word.iter().for_each(CancellationToken::cancel);
        Place { places: Arc::clone(self), ticket, displaced }
    }

    /// Takes a place from whoever gives way first, because the process has no room left.
    pub fn shed(&self) {
        let mut taken = self.lock();
        let word = taken.shares.shed().and_then(|victim| taken.words.remove(&victim));
        drop(taken);
        word.iter().for_each(CancellationToken::cancel);
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits until the place must be given back for others' sake.
    pub async fn displaced(&self) {
        self.displaced.cancelled().await;
    }

    /// The word that the place must be given back, for whoever does not hold it.
    pub fn word(&self) -> CancellationToken {
        self.displaced.clone()
    }

    /// Something was heard.
    pub fn touch(&self) {
        let now = self.places.now();
        self.places.lock().shares.touch(self.ticket, now);
    }

    /// Whoever holds it is something else from now on.
    pub fn settle(&self, standing: Standing) {
        let now = self.places.now();
        self.places.lock().shares.settle(self.ticket, standing, now);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.shares.leave(self.ticket);
        taken.words.remove(&self.ticket);
    }
}
