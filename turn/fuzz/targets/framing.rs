//! A byte stream in arbitrary pieces: the frames, and the end of a garbled stream, do not depend on where it was cut; a
//! frame is as long as its header says; what is held of a frame is less than the longest one.
//!
//! Input: one byte of settings, one byte for the number of cuts, two bytes for each piece's length, then the stream.

use visavis_turn::Clients;
use visavis_turn::fuzzing::Stream;

/// One input.
pub fn run(input: &[u8]) {
    let [settings, cuts, rest @ ..] = input else { return };
    let Some((cuts, stream)) = rest.split_at_checked(usize::from(*cuts) * 2) else { return };
    let clients = if settings & 1 == 0 { Clients::Browsers } else { Clients::Any };
    let has_allocation = settings & 2 != 0;
    let longest = if has_allocation { 20 + 65_532 } else { 2_048 };

    let (mut at_once, mut whole) = (Stream::new(clients, has_allocation), Vec::new());
    let goes_on = at_once.feed(&mut stream.to_vec(), &mut whole);
    assert!(at_once.held() <= stream.len() && at_once.held() < longest + 4);

    let (mut cut, mut frames) = (Stream::new(clients, has_allocation), Vec::new());
    let still_goes_on = pieces(cuts, stream).all(|piece| {
        let goes_on = cut.feed(&mut piece.to_vec(), &mut frames);
        assert!(cut.held() < longest + 4, "{} bytes held", cut.held());
        goes_on
    });
    assert_eq!((still_goes_on, &frames), (goes_on, &whole));
    if goes_on {
        assert_eq!(cut.held(), at_once.held());
    }
    for frame in whole {
        let header = if frame[0] < 0x40 { 20 } else { 4 };
        assert_eq!(frame.len(), header + usize::from(u16::from_be_bytes([frame[2], frame[3]])));
        assert!(frame.len() <= longest);
    }
}

/// The stream in pieces of these lengths, the rest in one.
fn pieces<'a>(cuts: &'a [u8], mut stream: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = cuts.chunks_exact(2).map(|pair| usize::from(u16::from_le_bytes([pair[0], pair[1]])));
    std::iter::from_fn(move || {
        let length = match lengths.next() {
            Some(length) => length.min(stream.len()),
            None if stream.is_empty() => return None,
            None => stream.len(),
        };
        let (piece, rest) = stream.split_at(length);
        stream = rest;
        Some(piece)
    })
}
