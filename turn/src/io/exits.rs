//! The ways out of a worker: its sockets, and the streams of all workers.

use std::io::IoSlice;
use std::sync::Arc;

use super::handle::Shared;
use super::metrics::IoTally;
use super::outbox::{Outbox, ZEROS};
use super::queue::FrameKind;
use super::socket::{Batch, Socket};
use super::stream::Stream;
use crate::allocation::{FiveTuple, Transport};
use crate::flow::Delivery;

/// What a worker sends with.
pub(super) struct Exits {
    pub(super) sockets: Vec<Socket>,
    shared: Arc<Shared>,
    outbox: Outbox,
    /// Streams that something was queued for in this wake-up: each is written once at its end.
    touched: Vec<Arc<Stream>>,
}

impl Exits {
    pub(super) fn new(shared: Arc<Shared>, sockets: Vec<Socket>) -> Self {
        Exits { sockets, shared, outbox: Outbox::default(), touched: Vec::new() }
    }

    /// A delivery whose message begins at `start` of a buffer of the batch: over UDP it leaves with the batch.
    pub(super) fn deliver_of_batch(
        &mut self,
        delivery: Delivery,
        batch: &Batch,
        (buffer, start): (usize, usize),
        tally: &IoTally,
    ) {
        if delivery.to.transport == Transport::Udp {
            self.outbox.push(delivery, buffer, start);
        } else {
            self.deliver_to_stream(&delivery, &batch.buffer(buffer)[start..], tally);
        }
    }

    /// A delivery out of a stream: over UDP it leaves at once.
    pub(super) fn deliver(&mut self, delivery: &Delivery, message: &[u8], tally: &IoTally) {
        if delivery.to.transport != Transport::Udp {
            return self.deliver_to_stream(delivery, message, tally);
        }
        let header = delivery.header.as_ref().map_or(&[][..], |header| header);
        let parts = [header, &message[delivery.body.clone()], &ZEROS[..delivery.padding]].map(IoSlice::new);
        self.send(&delivery.to, &parts, tally);
    }

    /// An answer to a client over UDP.
    pub(super) fn answer(&self, to: &FiveTuple, answer: &[u8], tally: &IoTally) {
        self.send(to, &[IoSlice::new(answer)], tally);
    }

    /// An answer to a client over TCP or TLS.
    pub(super) fn answer_to_stream(&mut self, stream: &Arc<Stream>, answer: &[u8], tally: &IoTally) {
        // An error has ended the stream: its owner hears of it as an event.
        if let Ok(dropped) = stream.queue(FrameKind::Answer, &[answer]) {
            tally.overtaken.add(dropped as u64);
            self.touch(stream);
        }
    }

    /// Sends what has gathered.
    pub(super) fn flush(&mut self, batch: &Batch, tally: &IoTally) {
        self.outbox.flush(&self.sockets, batch, tally);
        for stream in self.touched.drain(..) {
            // As above.
            let _ = stream.flush();
        }
    }

    fn send(&self, to: &FiveTuple, parts: &[IoSlice<'_>], tally: &IoTally) {
        tally.handed_over.add(1);
        let sent = match Socket::facing(&self.sockets, to) {
            Some(socket) => socket.send(to, parts, None),
            None => Err(std::io::ErrorKind::AddrNotAvailable.into()),
        };
        if sent.is_err() {
            tally.send_errors.add(1);
        }
    }

    fn deliver_to_stream(&mut self, delivery: &Delivery, message: &[u8], tally: &IoTally) {
        // The stream may have ended a moment before its allocation does.
        let Some(stream) = self.shared.stream(&delivery.to) else { return tally.send_errors.add(1) };
        let header = delivery.header.as_ref().map_or(&[][..], |header| header);
        let body = &message[delivery.body.clone()];
        for frame in body.chunks((body.len() / delivery.count).max(1)) {
            // An error has ended the stream: its owner hears of it as an event.
            if let Ok(dropped) = stream.queue(FrameKind::Media, &[header, frame]) {
                tally.overtaken.add(dropped as u64);
            }
        }
        self.touch(&stream);
    }

    fn touch(&mut self, stream: &Arc<Stream>) {
        if !self.touched.iter().any(|touched| Arc::ptr_eq(touched, stream)) {
            self.touched.push(Arc::clone(stream));
        }
    }
}
