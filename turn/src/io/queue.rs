//! What waits for a slow reader: whole frames, of which old media are dropped before anything grows without bound.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem::size_of;

use thiserror::Error;

/// The most that may wait, the queue's own bookkeeping included. A key frame of a video, 30 to 60 KB in one burst,
/// must fit, and so must the longest frame there is, a STUN message of 65,552 bytes; more would only be delay: at
/// 1 Mbit/s this is half a second.
const WAITING: usize = 66 * 1024;

/// The memory an empty queue keeps for the next burst.
const KEPT: usize = 16 * 1024;

/// Whether a frame may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// Data of a peer: dropped, oldest first, when too much waits.
    Media,
    /// An answer to the client's own request: never dropped.
    Answer,
}

/// The client asks and does not read the answers; close its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the client asks without reading: more than {WAITING} bytes of answers wait for it")]
pub(crate) struct AnswersUnread;

/// Bytes for one stream, in order: the rest of a frame that was begun and must be finished, then whole frames.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    bytes: VecDeque<u8>,
    /// How many of the first bytes finish a frame whose beginning has been sent.
    begun: usize,
    /// The frames behind that.
    waiting: VecDeque<Frame>,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    length: u32,
    kind: FrameKind,
}

impl Frame {
    fn length(self) -> usize {
        self.length as usize
    }
}

impl SendQueue {
    /// Appends a frame given in parts and pads it with zeros to a multiple of 4, as ChannelData on a stream must be
    /// (STUN is already). Gives the number of media frames that were dropped for it; a media frame for which no
    /// room can be made counts as such.
    pub(crate) fn push(&mut self, kind: FrameKind, parts: &[&[u8]]) -> Result<usize, AnswersUnread> {
        let unpadded: usize = parts.iter().map(|part| part.len()).sum();
        let length = unpadded.next_multiple_of(4);
        let mut dropped = 0;
        while self.waiting_cost() + length + size_of::<Frame>() > WAITING {
            match (self.oldest_media(), kind) {
                (Some((position, start)), _) => self.remove(position, start),
                (None, FrameKind::Media) => return Ok(dropped + 1),
                (None, FrameKind::Answer) => return Err(AnswersUnread),
            }
            dropped += 1;
        }
        for part in parts {
            self.bytes.extend(*part);
        }
        self.bytes.extend(&[0; 3][..length - unpadded]);
        let length = u32::try_from(length).expect("what fits into WAITING is shorter than 4 GiB");
        self.waiting.push_back(Frame { length, kind });
        Ok(dropped)
    }

    /// Whether nothing is left to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All there is to send, in order.
    pub(crate) fn slices(&self) -> [IoSlice<'_>; 2] {
        let (front, back) = self.bytes.as_slices();
        [IoSlice::new(front), IoSlice::new(back)]
    }

    /// The first bytes there are to send, at most `most`, and none of a second frame.
    pub(crate) fn front(&self, most: usize) -> [IoSlice<'_>; 2] {
        let whole = |frame: &Frame| frame.length();
        let length = if self.begun > 0 { self.begun } else { self.waiting.front().map_or(0, whole) };
        let (front, back) = self.bytes.as_slices();
        let length = length.min(most);
        let in_front = length.min(front.len());
        [IoSlice::new(&front[..in_front]), IoSlice::new(&back[..length - in_front])]
    }

    /// Forgets the first bytes, which have been sent; a frame of which a part was among them will be finished.
    ///
    /// # Panics
    ///
    /// If there are not as many.
    pub(crate) fn advance(&mut self, sent: usize) {
        self.bytes.drain(..sent);
        if sent < self.begun {
            self.begun -= sent;
            return;
        }
        let mut beyond = sent - self.begun;
        self.begun = 0;
        while beyond > 0 {
            let frame =
                self.waiting.pop_front().expect("all bytes behind the frame begun are of frames waiting");
            self.begun = frame.length().saturating_sub(beyond);
            beyond = beyond.saturating_sub(frame.length());
        }
        if self.is_empty() {
            self.bytes.shrink_to(KEPT);
            self.waiting.shrink_to(KEPT / size_of::<Frame>());
        }
    }

    fn waiting_cost(&self) -> usize {
        self.bytes.len() - self.begun + self.waiting.len() * size_of::<Frame>()
    }

    /// Its position among the frames waiting, and where its bytes begin.
    fn oldest_media(&self) -> Option<(usize, usize)> {
        let mut start = self.begun;
        for (position, frame) in self.waiting.iter().enumerate() {
            if frame.kind == FrameKind::Media {
                return Some((position, start));
            }
            start += frame.length();
        }
        None
    }

    fn remove(&mut self, position: usize, start: usize) {
        if let Some(frame) = self.waiting.remove(position) {
            self.bytes.drain(start..start + frame.length());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use FrameKind::{Answer, Media};

    /// Takes as many bytes off the queue as a socket might.
    fn take(queue: &mut SendQueue, most: usize) -> Vec<u8> {
        let mut socket = Vec::new();
        let _ = socket.write_vectored(&queue.slices()).unwrap();
        socket.truncate(most);
        queue.advance(socket.len());
        socket
    }

    fn frame(fill: u8, length: usize) -> Vec<u8> {
        vec![fill; length]
    }

    /// Media frames of 1,000 bytes, 0, 1, 2, ..., as many as fit.
    fn filled() -> (SendQueue, u8) {
        let mut queue = SendQueue::default();
        let fitting = u8::try_from(WAITING / 1_008).unwrap();
        for fill in 0..fitting {
            assert_eq!(queue.push(Media, &[&frame(fill, 1_000)]), Ok(0));
        }
        (queue, fitting)
    }

    #[test]
    fn the_parts_of_a_frame_go_out_together_and_padded_with_zeros() {
        let mut queue = SendQueue::default();
        queue.push(Media, &[b"\x40\x01\x00\x05", b"hel", b"lo"]).unwrap();
        queue.push(Answer, &[b"answer, long"]).unwrap();
        assert_eq!(take(&mut queue, usize::MAX), b"\x40\x01\x00\x05hello\0\0\0answer, long");
        assert!(queue.is_empty());
    }

    #[test]
    fn over_the_bound_the_oldest_media_frame_makes_room() {
        let (mut queue, fitting) = filled();
        assert_eq!(queue.push(Media, &[&frame(fitting, 1_000)]), Ok(1));
        let sent = take(&mut queue, usize::MAX);
        let fills: Vec<u8> = sent.chunks(1_000).map(|chunk| chunk[0]).collect();
        assert_eq!(fills, (1..=fitting).collect::<Vec<_>>());
    }

    #[test]
    fn a_frame_once_begun_is_finished_whatever_follows() {
        let (mut queue, fitting) = filled();
        assert_eq!(take(&mut queue, 1), [0]);
        // The room of what was begun is not counted, so one fits and the next one pushes out 1, not the rest of 0.
        assert_eq!(queue.push(Media, &[&frame(fitting, 1_000)]), Ok(0));
        assert_eq!(queue.push(Media, &[&frame(fitting + 1, 1_000)]), Ok(1));
        let sent = take(&mut queue, usize::MAX);
        assert_eq!(sent[..999], frame(0, 999));
        assert_eq!(sent[999..1_999], frame(2, 1_000));
    }

    #[test]
    fn an_answer_in_front_of_old_media_survives_it() {
        let mut queue = SendQueue::default();
        queue.push(Answer, &[&frame(0xAA, 100)]).unwrap();
        let mut dropped = 0;
        for _ in 0..1_000 {
            dropped += queue.push(Media, &[&frame(0x01, 1_200)]).unwrap();
        }
        queue.push(Answer, &[&frame(0xBB, 100)]).unwrap();
        assert!(dropped > 900);
        let sent = take(&mut queue, usize::MAX);
        assert_eq!(sent[..100], frame(0xAA, 100));
        assert_eq!(sent[sent.len() - 100..], frame(0xBB, 100));
    }

    #[test]
    fn a_client_that_asks_without_reading_is_an_error_and_media_behind_its_answers_are_dropped() {
        let mut queue = SendQueue::default();
        let answers = (0..).take_while(|_| queue.push(Answer, &[&frame(0xAA, 100)]).is_ok()).count();
        assert_eq!(answers, WAITING / 108);
        assert_eq!(queue.push(Answer, &[&frame(0xAA, 100)]), Err(AnswersUnread));
        assert_eq!(queue.push(Media, &[&frame(0x01, 1_200)]), Ok(1));
    }

    #[test]
    fn the_longest_frame_fits() {
        let mut queue = SendQueue::default();
        assert_eq!(queue.push(Media, &[&frame(1, 65_552)]), Ok(0));
        assert_eq!(queue.push(Media, &[&frame(2, 65_552)]), Ok(1));
        assert_eq!(take(&mut queue, usize::MAX), frame(2, 65_552));
    }

    #[test]
    fn empty_frames_cannot_grow_the_bookkeeping_without_bound() {
        let mut queue = SendQueue::default();
        for _ in 0..100_000 {
            queue.push(Media, &[b"\x40\x01\0\0"]).unwrap();
        }
        assert!(queue.waiting.len() * size_of::<Frame>() < WAITING);
    }

    #[test]
    fn a_queue_that_ran_empty_keeps_no_more_than_a_burst_of_memory() {
        let (mut queue, _) = filled();
        take(&mut queue, usize::MAX);
        assert!(queue.bytes.capacity() <= KEPT);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(FrameKind, usize),
        Take(usize),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let kind = prop_oneof![9 => Just(Media), 1 => Just(Answer)];
        prop_oneof![
            2 => (kind, 2..6_000_usize).prop_map(|(kind, words)| Step::Push(kind, words * 4)),
            1 => (0..20_000_usize).prop_map(Step::Take),
        ]
    }

    /// A frame that says its number, kind and length, as a client would find them in a stream.
    fn numbered(number: u32, kind: FrameKind, length: usize) -> Vec<u8> {
        let length_field = u32::try_from(length).unwrap() | if kind == Answer { 1 << 31 } else { 0 };
        let mut frame = [number.to_be_bytes(), length_field.to_be_bytes()].concat();
        frame.resize(length, number.to_le_bytes()[0]);
        frame
    }

    proptest! {
        #[test]
        fn order_is_kept_no_frame_is_torn_no_answer_is_lost_and_the_bound_holds(steps in vec(any_step(), 0..200)) {
            let mut queue = SendQueue::default();
            let (mut stream, mut answers, mut pushed, mut dropped) = (Vec::new(), Vec::new(), 0, 0);
            let mut closed = false;
            for step in steps {
                match step {
                    Step::Take(most) => stream.extend(take(&mut queue, most)),
                    Step::Push(kind, length) => {
                        match queue.push(kind, &[&numbered(pushed, kind, length)]) {
                            Ok(lost) => dropped += lost,
                            Err(AnswersUnread) => {
                                closed = true;
                                break;
                            }
                        }
                        if kind == Answer {
                            answers.push(pushed);
                        }
                        pushed += 1;
                    }
                }
                prop_assert!(queue.waiting_cost() <= WAITING);
                prop_assert!(queue.begun <= 24_000);
            }
            stream.extend(take(&mut queue, usize::MAX));
            let (mut left, mut arrived, mut arrived_answers) = (&stream[..], Vec::new(), Vec::new());
            while let Some((head, _)) = left.split_at_checked(8) {
                let number = u32::from_be_bytes(*head.first_chunk().unwrap());
                let length_field = u32::from_be_bytes(*head.last_chunk().unwrap());
                let kind = if length_field >> 31 == 1 { Answer } else { Media };
                let length = (length_field & !(1 << 31)) as usize;
                let (whole, rest) = left.split_at(length);
                prop_assert_eq!(whole, &numbered(number, kind, length)[..]);
                arrived.push(number);
                if kind == Answer {
                    arrived_answers.push(number);
                }
                left = rest;
            }
            prop_assert!(left.is_empty());
            prop_assert!(arrived.is_sorted());
            prop_assert_eq!(arrived_answers, answers);
            prop_assert!(closed || arrived.len() + dropped == pushed as usize);
        }
    }
}
