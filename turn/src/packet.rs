//! A received datagram with room around it, so that its header is rewritten where it lies and the payload never moves.

use std::ops::Range;

use crate::allocation::FiveTuple;

/// Bytes the server may write before a datagram: a Data indication's header is 32 longer than ChannelData's.
pub const HEADROOM: usize = 32;

/// Bytes the server may write after a datagram: the padding of a DATA attribute.
pub const TAILROOM: usize = 3;

/// One received datagram inside a larger buffer.
#[derive(Debug)]
pub struct Packet<'a> {
    buffer: &'a mut [u8],
    datagram: Range<usize>,
}

impl<'a> Packet<'a> {
    /// The datagram is `buffer[datagram]`.
    ///
    /// # Panics
    ///
    /// If there are not [`HEADROOM`] bytes before it and [`TAILROOM`] bytes after it.
    pub fn new(buffer: &'a mut [u8], datagram: Range<usize>) -> Self {
        assert!(HEADROOM <= datagram.start && datagram.start <= datagram.end, "no headroom: {datagram:?}");
        assert!(datagram.end + TAILROOM <= buffer.len(), "no tailroom: {datagram:?} of {}", buffer.len());
        Packet { buffer, datagram }
    }

    /// The datagram as it was received.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.datagram.clone()]
    }

    /// Where in the buffer the part `within` of the datagram lies.
    pub(crate) fn position(&self, within: &Range<usize>) -> Range<usize> {
        self.datagram.start + within.start..self.datagram.start + within.end
    }

    pub(crate) fn buffer(&mut self) -> &mut [u8] {
        self.buffer
    }

    pub(crate) fn into_slice(self, range: Range<usize>) -> &'a [u8] {
        &self.buffer[range]
    }
}

/// What the server wants sent: one datagram, along one five-tuple.
#[derive(Debug)]
pub struct Transmit<'a> {
    /// The client it goes to, and the local address it goes from.
    pub to: FiveTuple,
    /// The datagram.
    pub bytes: &'a [u8],
}
