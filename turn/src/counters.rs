//! What the server counts: plain numbers, labels from closed sets, nothing per user.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Why a message went nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Neither a well-formed STUN message of a kind a server takes, nor ChannelData.
    Malformed,
    /// The source's budget of answers is used up.
    AnswerBudget,
    /// The answer would have been more than 2.5 times the request of a stranger.
    Amplification,
    /// Data from a client without an allocation.
    NoAllocation,
    /// A Send indication to an address its allocation has no permission for.
    NoPermission,
    /// ChannelData on a channel that is not bound.
    ChannelNotBound,
    /// Nobody of the same call lives at the peer address.
    NoPeer,
    /// The peer's allocation has no permission for the sender.
    PeerNoPermission,
    /// Not STUN, DTLS, RTP or RTCP by its first byte (RFC 7983).
    FirstByte,
    /// Over the bandwidth of the sender's or the receiver's seat.
    Bandwidth,
}

impl DropReason {
    /// All reasons, in the order of their counters.
    pub const ALL: [DropReason; 10] = [
        DropReason::Malformed,
        DropReason::AnswerBudget,
        DropReason::Amplification,
        DropReason::NoAllocation,
        DropReason::NoPermission,
        DropReason::ChannelNotBound,
        DropReason::NoPeer,
        DropReason::PeerNoPermission,
        DropReason::FirstByte,
        DropReason::Bandwidth,
    ];

    /// A label for metrics.
    pub fn label(self) -> &'static str {
        match self {
            DropReason::Malformed => "malformed",
            DropReason::AnswerBudget => "answer_budget",
            DropReason::Amplification => "amplification",
            DropReason::NoAllocation => "no_allocation",
            DropReason::NoPermission => "no_permission",
            DropReason::ChannelNotBound => "channel_not_bound",
            DropReason::NoPeer => "no_peer",
            DropReason::PeerNoPermission => "peer_no_permission",
            DropReason::FirstByte => "first_byte",
            DropReason::Bandwidth => "bandwidth",
        }
    }
}

/// Totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets passed from one allocation to another.
    pub relayed_packets: u64,
    /// Their payload, in bytes.
    pub relayed_bytes: u64,
    /// Allocations made.
    pub allocations_made: u64,
    /// Requests with a wrong, expired or barred credential.
    pub credentials_refused: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl Counters {
    /// Messages that went nowhere for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }
}

impl std::ops::Add for Counters {
    type Output = Counters;

    fn add(self, other: Counters) -> Counters {
        Counters {
            relayed_packets: self.relayed_packets + other.relayed_packets,
            relayed_bytes: self.relayed_bytes + other.relayed_bytes,
            allocations_made: self.allocations_made + other.allocations_made,
            credentials_refused: self.credentials_refused + other.credentials_refused,
            dropped: std::array::from_fn(|reason| self.dropped[reason] + other.dropped[reason]),
        }
    }
}

/// A number that one thread counts up and others read: no locked instruction.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed) + more, Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The counters as they are kept: by the server, and by each worker's flows.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) relayed_packets: Count,
    pub(crate) relayed_bytes: Count,
    pub(crate) allocations_made: Count,
    pub(crate) credentials_refused: Count,
    dropped: [Count; DropReason::ALL.len()],
}

impl Tally {
    pub(crate) fn count_drop(&self, reason: DropReason) {
        self.dropped[reason as usize].add(1);
    }

    pub(crate) fn read(&self) -> Counters {
        Counters {
            relayed_packets: self.relayed_packets.read(),
            relayed_bytes: self.relayed_bytes.read(),
            allocations_made: self.allocations_made.read(),
            credentials_refused: self.credentials_refused.read(),
            dropped: std::array::from_fn(|reason| self.dropped[reason].read()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_counts_in_its_own_place() {
        let tally = Tally::default();
        for (position, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, position);
            tally.count_drop(reason);
        }
        let counters = tally.read();
        assert!(DropReason::ALL.into_iter().all(|reason| counters.dropped(reason) == 1));
    }
}
