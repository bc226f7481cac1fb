//! What a relay has done since its start, for a metrics page: numbers only, labels from closed sets.

use crate::counters::Counters;

/// A snapshot of a relay's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Allocations alive now.
    pub allocations: usize,
    /// Calls that have allocations now.
    pub calls: usize,
    /// What the protocol counted: packets and bytes relayed, drops by reason, credentials refused.
    pub counters: Counters,
    /// What the socket counted.
    pub socket: SocketCounters,
}

/// Datagrams and errors of the socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketCounters {
    /// Datagrams received.
    pub received: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Receives that failed; the relay goes on after each.
    pub receive_errors: u64,
    /// Datagrams the system did not take; each cost itself and nothing else.
    pub send_errors: u64,
}
