//! What ends by itself, and when (RFC 8656, sections 5, 9 and 12); what a step of the wall clock does not end.

use std::time::Duration;

use crate::lab::Lab;
use crate::support::*;

const RTP: u8 = 0x80;

#[test]
fn an_allocation_ends_with_its_lifetime_and_not_before() {
    let mut lab = Lab::new();
    let (mut party, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    assert_eq!(lab.server.next_timeout(), Some(lab.now.monotonic + Duration::from_secs(600)));
    lab.advance(599);
    lab.server.handle_timeout(lab.now);
    assert_eq!(lab.server.allocations(), 1);
    lab.advance(1);
    lab.server.handle_timeout(lab.now);
    assert_eq!((lab.server.allocations(), lab.server.calls(), lab.server.next_timeout()), (0, 0, None));
    assert_eq!(party.request(&mut lab, REFRESH, &[]).error(), 437);
}

#[test]
fn an_allocation_past_its_end_carries_nothing_even_if_no_one_called_the_timeout() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    lab.advance(300);
    let (mut two, at_two) = lab.permitted("call", "2", "198.51.100.8:4000");
    lab.advance(300);
    assert!(two.send(&mut lab, at_one, &[RTP]).is_none());
    assert!(one.send(&mut lab, at_two, &[RTP]).is_none());
    assert_eq!(lab.server.allocations(), 1);
}

#[test]
fn the_next_timeout_is_that_of_the_allocation_which_ends_first() {
    let mut lab = Lab::new();
    let (mut one, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    lab.advance(10);
    lab.allocated("call", "2", "198.51.100.8:4000");
    let second_ends = lab.now.monotonic + Duration::from_secs(600);
    assert_eq!(lab.server.next_timeout(), Some(second_ends - Duration::from_secs(10)));
    one.request(&mut lab, REFRESH, &[(LIFETIME, &3600_u32.to_be_bytes())]);
    assert_eq!(lab.server.next_timeout(), Some(second_ends));
}

#[test]
fn a_permission_lasts_300_seconds_and_is_renewed() {
    let mut lab = Lab::new();
    let (mut one, _) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (mut two, at_two) = lab.permitted("call", "2", "198.51.100.8:4000");
    lab.advance(299);
    assert!(one.send(&mut lab, at_two, &[RTP]).is_some());
    assert!(one.permit(&mut lab, at_two).is_success());
    lab.advance(1);
    assert!(one.send(&mut lab, at_two, &[RTP]).is_none(), "the second's has ended");
    assert!(two.permit(&mut lab, at_two).is_success());
    assert!(one.send(&mut lab, at_two, &[RTP]).is_some());
    lab.advance(299);
    assert!(one.send(&mut lab, at_two, &[RTP]).is_none(), "now the first's has");
}

#[test]
fn a_channel_lasts_600_seconds_and_its_permission_300() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.allocated("call", "1", "198.51.100.7:4000");
    let (mut two, at_two) = lab.allocated("call", "2", "198.51.100.8:4000");
    assert!(one.bind(&mut lab, 0x4000, at_two).is_success());
    assert!(two.bind(&mut lab, 0x4000, at_one).is_success());
    lab.advance(300);
    assert!(
        lab.receive(&one.at, &channel_data(0x4000, &[RTP])).is_none(),
        "the receiver's permission is over"
    );
    for party in [&mut one, &mut two] {
        assert!(party.permit(&mut lab, at_one).is_success());
        assert!(party.request(&mut lab, REFRESH, &[]).is_success());
    }
    assert!(lab.receive(&one.at, &channel_data(0x4000, &[RTP])).is_some());
    lab.advance(299);
    assert!(lab.receive(&one.at, &channel_data(0x4000, &[RTP])).is_some());
    assert!(two.permit(&mut lab, at_one).is_success() && one.permit(&mut lab, at_one).is_success());
    lab.advance(1);
    assert!(lab.receive(&one.at, &channel_data(0x4000, &[RTP])).is_none(), "the channel is over");
    assert_eq!(lab.counters().dropped(visavis_turn::DropReason::ChannelNotBound), 1);
    let (_, as_data) = one.send(&mut lab, at_two, &[RTP]).unwrap();
    assert_eq!(
        as_data.data_indication(),
        Some((at_one, vec![RTP])),
        "nor does the receiver's channel carry it"
    );
}

/// A worker remembers flows: what it remembers ends with the first of all that the flow rests on.
#[test]
fn a_flow_that_is_in_use_changes_its_header_the_moment_the_receivers_channel_ends() {
    let mut lab = Lab::new();
    let (mut one, at_one) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (mut two, at_two) = lab.permitted("call", "2", "198.51.100.8:4000");
    assert!(two.bind(&mut lab, 0x4000, at_one).is_success());
    for _ in 0..2 {
        lab.advance(299);
        for party in [&mut one, &mut two] {
            assert!(party.permit(&mut lab, at_one).is_success());
            assert!(party.request(&mut lab, REFRESH, &[]).is_success());
        }
    }
    for _ in 0..2 {
        let (_, in_channel) = one.send(&mut lab, at_two, &[RTP]).unwrap();
        assert_eq!(in_channel.0, channel_data(0x4000, &[RTP]));
        lab.advance(1);
    }
    let (_, as_data) = one.send(&mut lab, at_two, &[RTP]).unwrap();
    assert_eq!(as_data.data_indication(), Some((at_one, vec![RTP])));
}

#[test]
fn an_expired_channel_number_may_lead_elsewhere() {
    let mut lab = Lab::new();
    let (mut one, _) = lab.allocated("call", "1", "198.51.100.7:4000");
    let (_, at_two) = lab.allocated("call", "2", "198.51.100.8:4000");
    assert!(one.bind(&mut lab, 0x4000, at_two).is_success());
    lab.advance(599);
    assert!(one.request(&mut lab, REFRESH, &[]).is_success());
    let (_, at_three) = lab.allocated("call", "3", "198.51.100.9:4000");
    assert_eq!(one.bind(&mut lab, 0x4000, at_three).error(), 400);
    lab.advance(1);
    assert!(one.bind(&mut lab, 0x4000, at_three).is_success());
}

#[test]
fn a_step_of_the_wall_clock_ends_no_call() {
    let mut lab = Lab::new();
    let (mut one, _) = lab.permitted("call", "1", "198.51.100.7:4000");
    let (_, at_two) = lab.permitted("call", "2", "198.51.100.8:4000");
    for step in [86_400_i64, -2 * 86_400] {
        lab.now.unix = lab.now.unix.checked_add_signed(step).unwrap();
        assert!(one.send(&mut lab, at_two, &[RTP]).is_some());
        let stale = one.request(&mut lab, REFRESH, &[]);
        assert_eq!(stale.error(), 438);
        one.client.learn(&stale);
        assert!(one.request(&mut lab, REFRESH, &[]).is_success());
    }
    assert_eq!(lab.server.allocations(), 2);
}
