//! How many connections this process has room for, by the files that the system lets it open; and the word to the operator where it has none.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::limit::Bounds;

/// Connections at the same time that have not shown who they are, however many files there may be; a page has one, for a moment two.
const STRANGERS: u64 = 20_000;
/// Of one address: a hospital's, with some hundred pages that load at once.
const ADDRESS: u64 = 1024;
/// Of one IPv6 /48.
const NETWORK: u64 = 2048;
/// Files for everything else: the store, the relay's ports, the command line.
const OTHERS: u64 = 64;
/// Fewer files than this are a warning at the start.
const FEW: u64 = 4096;
/// How often the log hears that there is no room.
const SILENCE: Duration = Duration::from_secs(3600);

/// Descriptors for everything that is no connection from the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// As many as there may ever be need of.
    Enough,
    /// A newcomer may stay if another one goes.
    Few,
    /// No newcomer may stay.
    None,
}

/// What there is room for.
pub struct Room {
    descriptors: u64,
    /// Connections of strangers. A quarter of the files is for whoever is admitted or waits to be.
    pub bounds: Bounds,
    said_at: Mutex<Option<Instant>>,
}

impl Room {
    /// By the number of files that may be open at once.
    pub fn of(descriptors: u64) -> Self {
        let strangers = (descriptors.saturating_sub(OTHERS) / 4 * 3).clamp(16, STRANGERS);
        let count = |places: u64| usize::try_from(places).unwrap_or(usize::MAX);
        let bounds = Bounds {
            address: count(ADDRESS.min(strangers / 2)),
            network: count(NETWORK.min(strangers / 4 * 3)),
            all: count(strangers),
        };
        Self { descriptors, bounds, said_at: Mutex::new(None) }
    }

    /// Tells the operator of a low limit.
    pub fn warn_if_small(&self) {
        let Self { descriptors, bounds, .. } = self;
        if *descriptors < FEW {
            tracing::warn!(
                descriptors,
                connections = bounds.all,
                "the system lets this process open few files at once, and each connection is one: raise the limit to 65536 (systemd: LimitNOFILE=, shells: ulimit -n, containers: --ulimit nofile=)"
            );
        }
    }

    /// What a descriptor of this number leaves: the system gives the lowest number that is free.
    pub fn after(&self, descriptor: std::os::fd::RawFd) -> Left {
        let number = u64::try_from(descriptor).unwrap_or_default();
        match self.descriptors.saturating_sub(number) {
            left if left <= OTHERS / 4 => Left::None,
            left if left <= OTHERS / 2 => Left::Few,
            _ => Left::Enough,
        }
    }

    /// Says that there is no room, once an hour.
    pub fn say_full(&self, now: Instant) {
        let mut said_at = self.said_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if said_at.is_none_or(|at| now.saturating_duration_since(at) >= SILENCE) {
            *said_at = Some(now);
            tracing::error!(
                descriptors = self.descriptors,
                "no more files can be opened, so connections that have been idle longest are closed for new ones; calls go on. Raise the limit (systemd: LimitNOFILE=, shells: ulimit -n, containers: --ulimit nofile=)"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_few_files_there_are_some_stay_for_calls_and_for_the_command_line() {
        for descriptors in [100, 256, 1024, 4096, 20_000, 65_536, u64::MAX] {
            let Room { bounds, .. } = Room::of(descriptors);
            let all = u64::try_from(bounds.all).unwrap();
            assert!(all + OTHERS / 2 <= descriptors, "{descriptors}: {bounds:?}");
            assert!(bounds.address <= bounds.network && bounds.network <= bounds.all && bounds.address >= 8);
        }
        assert_eq!(Room::of(65_536).bounds, Bounds { address: 1024, network: 2048, all: 20_000 });
    }

    #[test]
    fn the_last_descriptors_are_for_others() {
        let room = Room::of(256);
        let left = [3, 223, 224, 239, 240, 255].map(|number| room.after(number));
        assert_eq!(left, [Left::Enough, Left::Enough, Left::Few, Left::Few, Left::None, Left::None]);
    }
}
