//! What a relay has done since its start, for a metrics page: numbers only, labels from closed sets.

use crate::counters::{Count, Counters};

/// A snapshot of a relay's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Allocations alive now.
    pub allocations: usize,
    /// Calls that have allocations now.
    pub calls: usize,
    /// Connections of clients over TCP and TLS, open now.
    pub streams: usize,
    /// What the protocol counted: packets and bytes relayed, drops by reason, credentials refused.
    pub counters: Counters,
    /// What the sockets counted.
    pub io: IoCounters,
}

/// What went through the sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoCounters {
    /// Datagrams received.
    pub received: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Receives that failed; the relay goes on after each.
    pub receive_errors: u64,
    /// Datagrams the system did not take; each cost itself and nothing else.
    pub send_errors: u64,
    /// Packets for a client over TCP or TLS that reads too slowly, dropped.
    pub overtaken: u64,
}

impl std::ops::Add for IoCounters {
    type Output = IoCounters;

    fn add(self, other: IoCounters) -> IoCounters {
        IoCounters {
            received: self.received + other.received,
            sent: self.sent + other.sent,
            receive_errors: self.receive_errors + other.receive_errors,
            send_errors: self.send_errors + other.send_errors,
            overtaken: self.overtaken + other.overtaken,
        }
    }
}

/// The same, as a worker counts it.
#[derive(Debug, Default)]
pub(crate) struct IoTally {
    pub(crate) received: Count,
    /// Datagrams given to the system, counted before: who has one in its hands finds it counted.
    pub(crate) handed_over: Count,
    pub(crate) receive_errors: Count,
    pub(crate) send_errors: Count,
    pub(crate) overtaken: Count,
}

impl IoTally {
    pub(crate) fn read(&self) -> IoCounters {
        IoCounters {
            received: self.received.read(),
            sent: self.handed_over.read().saturating_sub(self.send_errors.read()),
            receive_errors: self.receive_errors.read(),
            send_errors: self.send_errors.read(),
            overtaken: self.overtaken.read(),
        }
    }
}
