//! What is measured of a call and of its seats while packets pass: atomic numbers, so that every worker counts in the
//! same place and none waits for another.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::atomic::{Ordering::Acquire, Ordering::Release};
use std::time::Duration;

use crate::token_bucket::{Rate, TokenBucket};

/// What passed between the allocations of one call since it has had any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Allocations alive now.
    pub allocations: usize,
    /// Bytes of payload that were not connectivity checks: DTLS, RTP and RTCP by their first byte (RFC 7983).
    pub media_bytes: u64,
    /// The packets they came in.
    pub media_packets: u64,
    /// Bytes of payload that were STUN: the connectivity checks of ICE.
    pub check_bytes: u64,
}

/// One call's traffic, and the version of its allocations and channels.
#[derive(Debug, Default)]
pub(crate) struct CallMeter {
    version: AtomicU32,
    media_bytes: AtomicU64,
    media_packets: AtomicU64,
    check_bytes: AtomicU64,
}

impl CallMeter {
    /// The version of the call's allocations and channels: a flow of an earlier one must be looked up again.
    pub(crate) fn version(&self) -> u32 {
        self.version.load(Acquire)
    }

    /// Makes every flow of this call be looked up again.
    pub(crate) fn change(&self) {
        self.version.fetch_add(1, Release);
    }

    pub(crate) fn count_media(&self, packets: u64, bytes: u64) {
        self.media_bytes.fetch_add(bytes, Relaxed);
        self.media_packets.fetch_add(packets, Relaxed);
    }

    pub(crate) fn count_checks(&self, bytes: u64) {
        self.check_bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn traffic(&self, allocations: usize) -> Traffic {
        Traffic {
            allocations,
            media_bytes: self.media_bytes.load(Relaxed),
            media_packets: self.media_packets.load(Relaxed),
            check_bytes: self.check_bytes.load(Relaxed),
        }
    }
}

/// One seat's bandwidth, each way.
#[derive(Debug, Default)]
pub(crate) struct SeatMeter {
    sending: TokenBucket,
    receiving: TokenBucket,
    /// In a call of more than two the seat has twice the bandwidth.
    is_in_group: AtomicBool,
}

impl SeatMeter {
    /// From here on the seat is one of a group.
    pub(crate) fn widen(&self) {
        self.is_in_group.store(true, Relaxed);
    }

    /// What so many bytes cost of a pair's bandwidth.
    fn cost(&self, bytes: u64) -> u64 {
        if self.is_in_group.load(Relaxed) { bytes / 2 } else { bytes }
    }
}

/// Takes the bandwidth of packets from both seats; takes nothing from either if one has none left.
pub(crate) fn spend(from: &SeatMeter, to: &SeatMeter, now: Duration, rate: Rate, bytes: u64) -> bool {
    let sent = from.cost(bytes);
    if !from.sending.take(now, rate, sent) {
        return false;
    }
    let received = to.receiving.take(now, rate, to.cost(bytes));
    if !received {
        from.sending.put_back(rate, sent);
    }
    received
}
