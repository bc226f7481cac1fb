//! Places for sockets that have not shown a valid code yet (R14).

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::network_of;
use crate::App;

/// Sockets of one address that have not shown a valid code yet.
const STRANGERS_PER_ADDRESS: usize = 256;

/// Sockets that have not shown a valid code, by address, the oldest first. Where an address has too many, the oldest gives way, so that nobody
/// keeps the door shut for others behind the same address. As large as the sockets alive.
#[derive(Default)]
pub struct Strangers {
    /// Never held across an await.
    places: Mutex<HashMap<[u8; 8], VecDeque<Arc<CancellationToken>>>>,
}

/// One stranger's place, given back when dropped.
pub struct Stranger {
    app: Arc<App>,
    network: [u8; 8],
    displaced: Arc<CancellationToken>,
}

impl Stranger {
    /// A place for one more socket of `address`, the oldest one's if there are too many.
    pub fn enter(app: &Arc<App>, address: IpAddr) -> Self {
        let (network, displaced) = (network_of(address), Arc::new(CancellationToken::new()));
        let mut places = app.strangers.lock();
        let queue = places.entry(network).or_default();
        queue.push_back(Arc::clone(&displaced));
        if queue.len() > STRANGERS_PER_ADDRESS && !app.proxies.is_shared(address) {
            queue.pop_front().iter().for_each(|oldest| oldest.cancel());
        }
        Self { app: Arc::clone(app), network, displaced }
    }

    /// Waits until a newer socket of the same address needs the place.
    pub async fn displaced(&self) {
        self.displaced.cancelled().await;
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut places = self.app.strangers.lock();
        let Some(queue) = places.get_mut(&self.network) else { return };
        queue.retain(|other| !Arc::ptr_eq(other, &self.displaced));
        if queue.is_empty() {
            places.remove(&self.network);
        }
    }
}

impl Strangers {
    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 8], VecDeque<Arc<CancellationToken>>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
