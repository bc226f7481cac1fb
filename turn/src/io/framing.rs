//! A byte stream cut into messages: STUN (RFC 8489, section 6.2.2) and ChannelData (RFC 8656, section 12.5) over TCP
//! and TLS.
//!
//! [`Framing::feed`] what was received, take the frames one by one, and close the stream at the first error: after
//! one wrong length nothing that follows can be trusted.

use std::mem;

use thiserror::Error;

use crate::channel_data;
use crate::settings::Clients;

/// Length of a STUN header, which its length field does not count.
const STUN_HEADER: usize = 20;

/// Bytes 4..8 of every STUN message (RFC 8489, section 5).
const MAGIC_COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();

/// How long one frame may be, its padding not counted; a connection buffers no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameLimit {
    /// 2,048 bytes: several times the longest request, and all that a stranger can make the relay hold.
    BeforeAllocation,
    /// 65,552 bytes: what the 16-bit length fields can say.
    Full,
}

impl FrameLimit {
    fn bytes(self) -> usize {
        match self {
            FrameLimit::BeforeAllocation => 2_048,
            FrameLimit::Full => STUN_HEADER + 65_532,
        }
    }
}

/// Why a stream cannot be cut into messages any further; close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum GarbledStream {
    #[error("a message begins with byte {0:#04x}, which is neither STUN nor ChannelData")]
    FirstByte(u8),
    #[error("a STUN message lacks the magic cookie")]
    MagicCookie,
    #[error("a STUN message of length {0}, which is no multiple of 4")]
    StunLength(usize),
    #[error("a message of {length} bytes, more than the {limit} this client may send")]
    TooLong { length: usize, limit: usize },
}

/// The state between two receives of one stream. It holds memory only while a frame is under way.
#[derive(Debug)]
pub(crate) struct Framing {
    clients: Clients,
    limit: FrameLimit,
    /// The beginning of a frame whose rest has not arrived; never a whole frame.
    tail: Vec<u8>,
}

impl Framing {
    /// For the beginning of a stream, under [`FrameLimit::BeforeAllocation`].
    pub(crate) fn new(clients: Clients) -> Self {
        Framing { clients, limit: FrameLimit::BeforeAllocation, tail: Vec::new() }
    }

    /// Sets how long a frame may be from the next [`Framing::feed`] on.
    pub(crate) fn set_limit(&mut self, limit: FrameLimit) {
        self.limit = limit;
    }

    /// Whether the beginning of a frame waits for its rest: a deadline for that is the caller's.
    pub(crate) fn is_within_frame(&self) -> bool {
        !self.tail.is_empty()
    }

    /// Bytes of that beginning.
    #[cfg(any(fuzzing, test))]
    pub(crate) fn held(&self) -> usize {
        self.tail.len()
    }

    /// Takes the bytes that arrived next. Frames that lie whole in `received` are served from there. Take the frames
    /// until there is none: dropped before, they are lost.
    pub(crate) fn feed<'a>(&'a mut self, received: &'a mut [u8]) -> Frames<'a> {
        Frames { framing: self, received, taken: 0, joined: Vec::new() }
    }

    /// How far the frame at the beginning of `bytes` reaches; `None` while its header is not whole.
    fn extent(&self, bytes: &[u8]) -> Result<Option<Extent>, GarbledStream> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let is_stun = first < 0x40;
        if !is_stun && !self.clients.is_channel_data(bytes) {
            return Err(GarbledStream::FirstByte(first));
        }
        let Some(&[_, _, high, low]) = bytes.first_chunk() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if is_stun && !length.is_multiple_of(4) {
            return Err(GarbledStream::StunLength(length));
        }
        let header = if is_stun { STUN_HEADER } else { channel_data::HEADER };
        let (length, limit) = (header + length, self.limit.bytes());
        if length > limit {
            return Err(GarbledStream::TooLong { length, limit });
        }
        if is_stun {
            let Some(cookie) = bytes.get(4..8) else { return Ok(None) };
            if cookie != MAGIC_COOKIE {
                return Err(GarbledStream::MagicCookie);
            }
        }
        Ok(Some(Extent { frame: length, padded: length.next_multiple_of(4) }))
    }
}

struct Extent {
    frame: usize,
    padded: usize,
}

/// The frames of what was received.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    framing: &'a mut Framing,
    received: &'a mut [u8],
    taken: usize,
    /// The frame that began in an earlier receive.
    joined: Vec<u8>,
}

impl Frames<'_> {
    /// The next whole frame, without padding, to be changed at will; `None` when what is left is no whole frame.
    pub(crate) fn next_frame(&mut self) -> Result<Option<&mut [u8]>, GarbledStream> {
        if self.framing.is_within_frame() {
            return self.join();
        }
        let left = &self.received[self.taken..];
        match self.framing.extent(left)? {
            Some(extent) if extent.padded <= left.len() => {
                let start = self.taken;
                self.taken += extent.padded;
                Ok(Some(&mut self.received[start..start + extent.frame]))
            }
            _ => {
                self.framing.tail.extend_from_slice(left);
                self.taken = self.received.len();
                Ok(None)
            }
        }
    }

    /// Completes the frame that an earlier receive began.
    fn join(&mut self) -> Result<Option<&mut [u8]>, GarbledStream> {
        // Byte by byte until the header says how long the frame is, so that no byte of the next one is taken.
        let extent = loop {
            match self.framing.extent(&self.framing.tail)? {
                Some(extent) => break extent,
                None if self.taken == self.received.len() => return Ok(None),
                None => self.move_to_tail(1),
            }
        };
        let missing = extent.padded - self.framing.tail.len();
        self.move_to_tail(missing.min(self.received.len() - self.taken));
        if self.framing.tail.len() < extent.padded {
            return Ok(None);
        }
        self.joined = mem::take(&mut self.framing.tail);
        Ok(Some(&mut self.joined[..extent.frame]))
    }

    fn move_to_tail(&mut self, count: usize) {
        let end = self.taken + count;
        self.framing.tail.extend_from_slice(&self.received[self.taken..end]);
        self.taken = end;
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn stun(length: u16) -> Vec<u8> {
        let header = [&[0, 3][..], &length.to_be_bytes(), &MAGIC_COOKIE, &[7; 12]].concat();
        [header, vec![0x5A; usize::from(length)]].concat()
    }

    fn channel_data(length: u16) -> Vec<u8> {
        [&[0x40, 1][..], &length.to_be_bytes(), &vec![0xA5; usize::from(length)]].concat()
    }

    fn padded(frame: &[u8]) -> Vec<u8> {
        let mut frame = frame.to_vec();
        frame.resize(frame.len().next_multiple_of(4), 0);
        frame
    }

    fn full() -> Framing {
        let mut framing = Framing::new(Clients::Browsers);
        framing.set_limit(FrameLimit::Full);
        framing
    }

    /// The frames of a stream that arrives in these pieces.
    fn cut<'a>(
        framing: &mut Framing,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<Vec<u8>>, GarbledStream> {
        let mut found = Vec::new();
        for piece in pieces {
            let mut received = piece.to_vec();
            let mut frames = framing.feed(&mut received);
            while let Some(frame) = frames.next_frame()? {
                found.push(frame.to_vec());
                // The relay rewrites headers in place; what follows must not suffer.
                frame.fill(0xFF);
            }
        }
        Ok(found)
    }

    #[test]
    fn many_frames_at_once_are_cut_apart_and_their_padding_is_gone() {
        let sent = [stun(8), channel_data(5), channel_data(0), stun(0), channel_data(4)];
        let stream: Vec<u8> = sent.iter().flat_map(|frame| padded(frame)).collect();
        let mut framing = full();
        assert_eq!(cut(&mut framing, [&stream[..]]).unwrap(), sent);
        assert!(!framing.is_within_frame());
        assert_eq!(framing.tail.capacity(), 0, "an idle connection holds no buffer");
    }

    #[test]
    fn a_stream_that_trickles_byte_by_byte_gives_the_same_frames() {
        let sent = [channel_data(3), stun(12), channel_data(0), channel_data(1)];
        let stream: Vec<u8> = sent.iter().flat_map(|frame| padded(frame)).collect();
        let mut framing = full();
        assert_eq!(cut(&mut framing, stream.chunks(1)).unwrap(), sent);
        assert_eq!(framing.tail.capacity(), 0, "an idle connection holds no buffer");
    }

    #[test]
    fn a_stream_cut_anywhere_gives_the_same_frames() {
        let sent = [channel_data(0), channel_data(0), stun(0), channel_data(1), channel_data(0)];
        let stream: Vec<u8> = sent.iter().flat_map(|frame| padded(frame)).collect();
        for at in 0..=stream.len() {
            let (first, second) = stream.split_at(at);
            assert_eq!(cut(&mut full(), [first, second]).unwrap(), sent, "cut at {at}");
        }
    }

    #[test]
    fn a_frame_that_lies_whole_in_what_was_received_is_served_from_there() {
        let mut received = [channel_data(4), stun(4)].concat();
        let range = received.as_ptr_range();
        let mut framing = full();
        let mut frames = framing.feed(&mut received);
        for _ in 0..2 {
            let frame = frames.next_frame().unwrap().unwrap();
            assert!(range.contains(&frame.as_ptr()));
        }
        assert_eq!(frames.next_frame(), Ok(None));
    }

    #[test]
    fn before_an_allocation_a_frame_of_2048_bytes_passes_and_a_longer_one_ends_the_stream_at_its_header() {
        let mut framing = Framing::new(Clients::Browsers);
        assert_eq!(cut(&mut framing, [&stun(2_028)[..]]).unwrap().len(), 1);
        assert_eq!(cut(&mut framing, [&channel_data(2_044)[..]]).unwrap().len(), 1);
        let too_long = |length| Err(GarbledStream::TooLong { length, limit: 2_048 });
        assert_eq!(cut(&mut framing, [&stun(2_032)[..4]]), too_long(2_052));
        let mut framing = Framing::new(Clients::Browsers);
        assert_eq!(cut(&mut framing, [&channel_data(2_045)[..4]]), too_long(2_049));
    }

    #[test]
    fn with_an_allocation_every_length_the_fields_can_say_passes() {
        let sent = [channel_data(u16::MAX), stun(65_532)];
        let stream: Vec<u8> = sent.iter().flat_map(|frame| padded(frame)).collect();
        assert_eq!(cut(&mut full(), stream.chunks(1_000)).unwrap(), sent);
    }

    #[test]
    fn what_is_neither_stun_nor_channel_data_ends_the_stream_at_its_first_byte() {
        for first in 0x50..=0xFF {
            assert_eq!(cut(&mut full(), [&[first][..]]), Err(GarbledStream::FirstByte(first)));
        }
        assert_eq!(cut(&mut full(), [&b"POST / HTTP/1.1\r\n"[..]]), Err(GarbledStream::FirstByte(b'P')));
    }

    #[test]
    fn the_channels_of_rfc_5766_pass_only_where_they_are_wanted() {
        let frame = [&[0x7F, 0xFE, 0, 4][..], b"data"].concat();
        let mut framing = Framing::new(Clients::Any);
        assert_eq!(cut(&mut framing, [&frame[..]]).unwrap().concat(), frame);
        assert_eq!(cut(&mut framing, [&[0x80][..]]), Err(GarbledStream::FirstByte(0x80)));
        assert_eq!(cut(&mut full(), [&frame[..]]), Err(GarbledStream::FirstByte(0x7F)));
    }

    #[test]
    fn a_stun_message_without_the_cookie_or_with_an_odd_length_ends_the_stream() {
        let mut wrong = stun(0);
        wrong[7] ^= 1;
        assert_eq!(cut(&mut full(), wrong.chunks(1)), Err(GarbledStream::MagicCookie));
        assert_eq!(cut(&mut full(), [&[0, 1, 0, 6][..]]), Err(GarbledStream::StunLength(6)));
    }

    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            (0..3_000_u16).prop_map(channel_data),
            (0..750_u16).prop_map(|words| stun(words * 4)),
            Just(channel_data(u16::MAX)),
            Just(stun(65_532)),
        ]
    }

    proptest! {
        #[test]
        fn any_cutting_of_a_stream_gives_the_same_frames(
            sent in vec(any_frame(), 0..8),
            cuts in vec(1..3_000_usize, 1..40),
        ) {
            let stream: Vec<u8> = sent.iter().flat_map(|frame| padded(frame)).collect();
            let mut left = &stream[..];
            let mut cuts = cuts.into_iter().cycle();
            let pieces = std::iter::from_fn(|| {
                let (piece, rest) = left.split_at(cuts.next()?.min(left.len()));
                left = rest;
                (!piece.is_empty()).then_some(piece)
            });
            prop_assert_eq!(cut(&mut full(), pieces).unwrap(), sent);
        }

        #[test]
        fn garbage_never_panics_and_an_error_does_not_depend_on_the_cutting(
            garbage in vec(any::<u8>(), 0..300),
            first in prop_oneof![Just(0_u8), Just(0x40), any::<u8>()],
            size in 1..20_usize,
        ) {
            let garbage = [&[first][..], &garbage].concat();
            let at_once = cut(&mut Framing::new(Clients::Browsers), [&garbage[..]]);
            let in_pieces = cut(&mut Framing::new(Clients::Browsers), garbage.chunks(size));
            prop_assert_eq!(at_once, in_pieces);
        }

        #[test]
        fn a_connection_buffers_less_than_one_frame(length in 0..2_045_u16, size in 1..500_usize) {
            let mut framing = Framing::new(Clients::Browsers);
            let stream = padded(&channel_data(length)).repeat(3);
            for piece in stream.chunks(size) {
                cut(&mut framing, [piece]).unwrap();
                prop_assert!(framing.tail.len() < padded(&channel_data(length)).len());
            }
        }
    }
}
