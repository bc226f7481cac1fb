//! What one wake-up produced, by destination: datagrams of one length for one client leave as one send (GSO), single
//! ones as plain sends. The order for each client stays; payloads stay where they were received.

use std::io::{self, IoSlice};
use std::ops::Range;

use super::metrics::IoTally;
use super::socket::{Batch, Socket};
use crate::allocation::FiveTuple;
use crate::data_indication::DATA_HEADER;
use crate::flow::Delivery;

/// Bytes that one send may hold: the largest UDP datagram over IPv6 with room for its headers.
const LARGEST_RUN: usize = 65_000;

/// Datagrams that one send may hold, whatever the kernel's own limit.
const LONGEST_RUN: usize = 64;

/// A datagram has at most a header, a body and padding.
const PARTS: usize = 3;

pub(super) const ZEROS: [u8; 3] = [0; 3];

/// Datagrams to be sent once the batch they lie in has been gone through.
#[derive(Default)]
pub(crate) struct Outbox {
    runs: Vec<Run>,
    pieces: Vec<Piece>,
}

/// Datagrams for one client, of one length but for a shorter last one.
struct Run {
    to: FiveTuple,
    segment: usize,
    bytes: usize,
    count: usize,
    first: usize,
    last: usize,
    /// Nothing may follow: the last one is shorter, or another length came after it.
    is_closed: bool,
}

/// One datagram, or several of one length that lie one behind the other.
struct Piece {
    buffer: usize,
    header: Option<[u8; DATA_HEADER]>,
    body: Range<usize>,
    padding: usize,
    count: usize,
    next: Option<usize>,
}

impl Piece {
    fn len(&self) -> usize {
        self.header.map_or(0, |header| header.len()) + self.body.len() + self.padding
    }

    /// The length of one datagram.
    fn segment(&self) -> usize {
        self.len() / self.count
    }
}

impl Outbox {
    /// Adds what is to be delivered of a message that begins at `start` of a buffer of the batch.
    pub(super) fn push(&mut self, delivery: Delivery, buffer: usize, start: usize) {
        let Delivery { to, header, body, count, padding } = delivery;
        let body = start + body.start..start + body.end;
        let piece = Piece { buffer, header, body, padding, count, next: None };
        let position = self.pieces.len();
        match self.runs.iter_mut().rev().find(|run| run.to == to) {
            Some(run) if run.takes(&piece) => {
                self.pieces[run.last].next = Some(position);
                run.last = position;
                run.count += count;
                run.bytes += piece.len();
                run.is_closed = piece.segment() < run.segment;
            }
            _ => {
                let (segment, bytes) = (piece.segment(), piece.len());
                let (first, last) = (position, position);
                self.runs.push(Run { to, segment, bytes, count, first, last, is_closed: false });
            }
        }
        self.pieces.push(piece);
    }

    /// Sends everything, and is empty.
    pub(crate) fn flush(&mut self, sockets: &[Socket], batch: &Batch, tally: &IoTally) {
        for run in &self.runs {
            tally.handed_over.add(run.count as u64);
            let Some(socket) = Socket::facing(sockets, &run.to) else {
                tally.send_errors.add(run.count as u64);
                continue;
            };
            if run.count == 1 || socket.longest_run() < run.count {
                self.send_one_by_one(run, socket, batch, tally);
                continue;
            }
            match self.send_run(run, socket, batch) {
                Ok(()) => {}
                // The queue is full, and will be for the single ones too.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    tally.send_errors.add(run.count as u64);
                }
                // Whatever the kernel has against the run (a path that cannot split it, a length), it may not have
                // against its datagrams.
                Err(_) => self.send_one_by_one(run, socket, batch, tally),
            }
        }
        self.runs.clear();
        self.pieces.clear();
    }

    fn send_run(&self, run: &Run, socket: &Socket, batch: &Batch) -> io::Result<()> {
        let segment = u16::try_from(run.segment).map_err(|_| io::ErrorKind::InvalidInput)?;
        if run.first == run.last {
            let mut parts = [IoSlice::new(&[]); PARTS];
            let count = gather(&self.pieces[run.first], batch, &mut parts);
            return socket.send(&run.to, &parts[..count], Some(segment));
        }
        let mut parts = [IoSlice::new(&[]); LONGEST_RUN * PARTS];
        let mut count = 0;
        for piece in self.pieces_of(run) {
            count += gather(piece, batch, &mut parts[count..]);
        }
        socket.send(&run.to, &parts[..count], Some(segment))
    }

    fn send_one_by_one(&self, run: &Run, socket: &Socket, batch: &Batch, tally: &IoTally) {
        for piece in self.pieces_of(run) {
            let mut parts = [IoSlice::new(&[]); PARTS];
            let count = gather(piece, batch, &mut parts);
            if piece.count == 1 {
                send_one(socket, &run.to, &parts[..count], tally);
                continue;
            }
            // Several in one piece have no header apart and no padding.
            for datagram in batch.buffer(piece.buffer)[piece.body.clone()].chunks(piece.segment()) {
                send_one(socket, &run.to, &[IoSlice::new(datagram)], tally);
            }
        }
    }

    fn pieces_of(&self, run: &Run) -> impl Iterator<Item = &Piece> {
        let first = Some(&self.pieces[run.first]);
        std::iter::successors(first, |piece| piece.next.map(|next| &self.pieces[next]))
    }
}

impl Run {
    fn takes(&self, piece: &Piece) -> bool {
        // A shorter one may come last, but several shorter ones may not.
        let fits = piece.segment() == self.segment || piece.segment() < self.segment && piece.count == 1;
        !self.is_closed
            && fits
            && self.count + piece.count <= LONGEST_RUN
            && self.bytes + piece.len() <= LARGEST_RUN
    }
}

fn send_one(socket: &Socket, to: &FiveTuple, parts: &[IoSlice<'_>], tally: &IoTally) {
    if socket.send(to, parts, None).is_err() {
        tally.send_errors.add(1);
    }
}

/// The parts of one piece; gives their number.
fn gather<'a>(piece: &'a Piece, batch: &'a Batch, parts: &mut [IoSlice<'a>]) -> usize {
    let mut count = 0;
    let header = piece.header.as_ref().map(|header| &header[..]);
    let body = &batch.buffer(piece.buffer)[piece.body.clone()];
    let padding = (piece.padding > 0).then(|| &ZEROS[..piece.padding]);
    for part in [header, Some(body), padding].into_iter().flatten() {
        parts[count] = IoSlice::new(part);
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(port: u16) -> FiveTuple {
        FiveTuple::udp(([198, 51, 100, 7], port).into(), ([203, 0, 113, 9], 3478).into())
    }

    /// What would be sent: to which client, how many datagrams, of what length.
    fn runs(deliveries: &[(u16, usize, usize)]) -> Vec<(u16, usize, usize)> {
        let mut outbox = Outbox::default();
        for (position, (port, length, count)) in deliveries.iter().enumerate() {
            let (to, body) = (client(*port), 0..length * count);
            let delivery = Delivery { to, header: None, body, count: *count, padding: 0 };
            outbox.push(delivery, position, 0);
        }
        let summary = |run: &Run| (run.to.client.socket_addr().port(), run.count, run.segment);
        for run in &outbox.runs {
            let bytes: usize = outbox.pieces_of(run).map(Piece::len).sum();
            assert_eq!(bytes, run.bytes);
            let buffers: Vec<usize> = outbox.pieces_of(run).map(|piece| piece.buffer).collect();
            assert!(buffers.is_sorted(), "in the order they came in");
        }
        outbox.runs.iter().map(summary).collect()
    }

    #[test]
    fn datagrams_of_one_length_for_one_client_leave_together_whatever_lies_between_them() {
        assert_eq!(runs(&[(1, 100, 1), (2, 80, 1), (1, 100, 1), (2, 80, 1)]), [(1, 2, 100), (2, 2, 80)]);
    }

    #[test]
    fn a_shorter_one_ends_a_run_and_a_longer_one_begins_the_next() {
        assert_eq!(runs(&[(1, 100, 1), (1, 40, 1), (1, 100, 1)]), [(1, 2, 100), (1, 1, 100)]);
        assert_eq!(runs(&[(1, 100, 1), (1, 101, 1)]), [(1, 1, 100), (1, 1, 101)]);
    }

    #[test]
    fn trains_join_with_trains_of_their_length_only() {
        assert_eq!(runs(&[(1, 100, 3), (1, 100, 4), (1, 100, 1), (1, 40, 1)]), [(1, 9, 100)]);
        assert_eq!(runs(&[(1, 100, 3), (1, 40, 2)]), [(1, 3, 100), (1, 2, 40)]);
    }

    #[test]
    fn a_run_has_64_datagrams_and_65_000_bytes_at_most() {
        assert_eq!(runs(&[(1, 10, 60), (1, 10, 5), (1, 10, 1)]), [(1, 60, 10), (1, 6, 10)]);
        assert_eq!(runs(&[(1, 1_200, 54), (1, 1_200, 1)]), [(1, 54, 1_200), (1, 1, 1_200)]);
    }
}
