//! ChannelData (RFC 8656, section 12.4): four bytes of header, read and rewritten in place.

use std::ops::Range;

use crate::counters::DropReason;
use crate::settings::Clients;

/// Length of the header: channel number and length of the application data, 16 bits each.
pub(crate) const HEADER: usize = 4;

/// A channel number: 0x4000..=0x4FFF (RFC 8656, section 12), or up to 0x7FFF where [`Clients::Any`] is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelNumber(u16);

impl ChannelNumber {
    /// The number, if it lies in the range RFC 8656 leaves for channels.
    pub fn new(number: u16) -> Option<Self> {
        (0x4000..=0x4FFF).contains(&number).then_some(ChannelNumber(number))
    }

    /// The number, if it lies in the wider range of RFC 5766, section 11.
    pub(crate) fn of_rfc_5766(number: u16) -> Option<Self> {
        (0x4000..=0x7FFF).contains(&number).then_some(ChannelNumber(number))
    }

    /// The number as it stands on the wire.
    pub fn value(self) -> u16 {
        self.0
    }
}

/// The channel and where the application data lie, unless the message is shorter than it says. Over UDP padding is
/// optional, so bytes after the data are ignored.
pub(crate) fn read(bytes: &[u8], clients: Clients) -> Result<(ChannelNumber, Range<usize>), DropReason> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(DropReason::Malformed)?;
    let number = u16::from_be_bytes([header[0], header[1]]);
    let channel = clients.channel(number).ok_or(DropReason::Malformed)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if length <= rest.len() { Ok((channel, HEADER..HEADER + length)) } else { Err(DropReason::Malformed) }
}

/// Writes the header right before `payload` and gives the range of the whole message in `buffer`.
pub(crate) fn write(buffer: &mut [u8], payload: Range<usize>, channel: ChannelNumber) -> Range<usize> {
    let start = payload.start - HEADER;
    let length = u16::try_from(payload.len()).expect("a datagram's payload is shorter than 64 KiB");
    buffer[start..start + 2].copy_from_slice(&channel.0.to_be_bytes());
    buffer[start + 2..payload.start].copy_from_slice(&length.to_be_bytes());
    start..payload.end
}

/// Writes another channel number into a message.
pub(crate) fn renumber(message: &mut [u8], channel: ChannelNumber) {
    message[..2].copy_from_slice(&channel.0.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_message_survives_writing_and_reading() {
        let mut buffer = *b"....hello";
        let channel = ChannelNumber::new(0x4001).unwrap();
        assert_eq!(write(&mut buffer, 4..9, channel), 0..9);
        assert_eq!(&buffer, b"\x40\x01\x00\x05hello");
        assert_eq!(read(&buffer, Clients::Browsers), Ok((channel, 4..9)));
    }

    #[test]
    fn padding_after_the_data_is_ignored() {
        let read = read(b"\x40\x01\x00\x01h\0\0\0", Clients::Browsers);
        assert_eq!(read.map(|(_, payload)| payload), Ok(4..5));
    }

    #[test]
    fn a_message_shorter_than_it_says_is_malformed() {
        for short in [&b"\x40\x01\x00\x05hell"[..], b"\x40\x01\x00"] {
            assert_eq!(read(short, Clients::Browsers), Err(DropReason::Malformed));
        }
    }

    #[test]
    fn numbers_outside_the_range_of_rfc_8656_are_none() {
        assert_eq!(ChannelNumber::new(0x3FFF), None);
        assert_eq!(ChannelNumber::new(0x5000), None);
        assert!(ChannelNumber::new(0x4FFF).is_some());
    }
}
