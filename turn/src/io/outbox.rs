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
    datagrams: Vec<Datagram>,
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

struct Datagram {
    buffer: usize,
    header: Option<[u8; DATA_HEADER]>,
    body: Range<usize>,
    padding: usize,
    next: Option<usize>,
}

impl Datagram {
    fn len(&self) -> usize {
        self.header.map_or(0, |header| header.len()) + self.body.len() + self.padding
    }
}

impl Outbox {
    /// Adds what is to be delivered of a message that begins at `start` of a buffer of the batch.
    pub(super) fn push(&mut self, delivery: Delivery, buffer: usize, start: usize) {
        let Delivery { to, header, body, padding } = delivery;
        let body = start + body.start..start + body.end;
        let datagram = Datagram { buffer, header, body, padding, next: None };
        let (length, position) = (datagram.len(), self.datagrams.len());
        match self.runs.iter_mut().rev().find(|run| run.to == to) {
            Some(run) if run.takes(length) => {
                self.datagrams[run.last].next = Some(position);
                run.last = position;
                run.count += 1;
                run.bytes += length;
                run.is_closed = length < run.segment;
            }
            _ => {
                let (first, last) = (position, position);
                self.runs.push(Run {
                    to,
                    segment: length,
                    bytes: length,
                    count: 1,
                    first,
                    last,
                    is_closed: false,
                });
            }
        }
        self.datagrams.push(datagram);
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
        self.datagrams.clear();
    }

    fn send_run(&self, run: &Run, socket: &Socket, batch: &Batch) -> io::Result<()> {
        let mut parts = [IoSlice::new(&[]); LONGEST_RUN * PARTS];
        let mut count = 0;
        let mut whole: Option<(usize, Range<usize>)> = None;
        for datagram in self.datagrams_of(run) {
            // Neighbours in one buffer, as a train leaves them, are one part.
            if let Some((buffer, range)) = &mut whole
                && datagram.header.is_none()
                && *buffer == datagram.buffer
                && range.end == datagram.body.start
            {
                range.end = datagram.body.end;
                continue;
            }
            if let Some((buffer, range)) = whole.take() {
                parts[count] = IoSlice::new(&batch.buffers[buffer][range]);
                count += 1;
            }
            if datagram.header.is_none() && datagram.padding == 0 {
                whole = Some((datagram.buffer, datagram.body.clone()));
            } else {
                count += gather(datagram, batch, &mut parts[count..]);
            }
        }
        if let Some((buffer, range)) = whole {
            parts[count] = IoSlice::new(&batch.buffers[buffer][range]);
            count += 1;
        }
        let segment = u16::try_from(run.segment).map_err(|_| io::ErrorKind::InvalidInput)?;
        socket.send(&run.to, &parts[..count], Some(segment))
    }

    fn send_one_by_one(&self, run: &Run, socket: &Socket, batch: &Batch, tally: &IoTally) {
        for datagram in self.datagrams_of(run) {
            let mut parts = [IoSlice::new(&[]); PARTS];
            let count = gather(datagram, batch, &mut parts);
            if socket.send(&run.to, &parts[..count], None).is_err() {
                tally.send_errors.add(1);
            }
        }
    }

    fn datagrams_of(&self, run: &Run) -> impl Iterator<Item = &Datagram> {
        let first = Some(&self.datagrams[run.first]);
        std::iter::successors(first, |datagram| datagram.next.map(|next| &self.datagrams[next]))
    }
}

impl Run {
    fn takes(&self, length: usize) -> bool {
        !self.is_closed
            && self.count < LONGEST_RUN
            && length <= self.segment
            && self.bytes + length <= LARGEST_RUN
    }
}

/// The parts of one datagram; gives their number.
fn gather<'a>(datagram: &'a Datagram, batch: &'a Batch, parts: &mut [IoSlice<'a>]) -> usize {
    let mut count = 0;
    let header = datagram.header.as_ref().map(|header| &header[..]);
    let body = &batch.buffers[datagram.buffer][datagram.body.clone()];
    let padding = (datagram.padding > 0).then(|| &ZEROS[..datagram.padding]);
    for part in [header, Some(body), padding].into_iter().flatten() {
        parts[count] = IoSlice::new(part);
        count += 1;
    }
    count
}
