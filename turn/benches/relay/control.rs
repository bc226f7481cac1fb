//! The control plane: brings clients through the steps of the protocol, many at once, with retransmissions.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::client::{Client, Step};
use crate::socket::{Batch, Socket, client_ip};

/// Requests under way at once: enough to keep a server busy, few enough for its receive buffer.
const WINDOW: usize = 32;
/// After this long without an answer a request goes out again, as often as `TRIES` says.
const PATIENCE: Duration = Duration::from_millis(250);
const TRIES: usize = 8;
/// The pause between two looks for answers.
const PAUSE: Duration = Duration::from_micros(50);

/// Makes the clients of the given numbers (an even number of them, from an even number on), without an allocation.
pub fn clients(first: u32, count: u32, secret: &str) -> Vec<Client> {
    (first..first + count).map(|number| Client::new(number, secret)).collect()
}

/// Brings all clients through some steps, a window of clients at a time; each step of a window ends before its next.
pub fn perform(socket: &Socket, clients: &mut [Client], steps: &[Step]) -> Result<(), Failure> {
    perform_where(socket, clients, steps, |_| true)
}

/// The same, for the clients alone whose index in the list is chosen.
pub fn perform_where(
    socket: &Socket,
    clients: &mut [Client],
    steps: &[Step],
    chosen: impl Fn(usize) -> bool,
) -> Result<(), Failure> {
    let mut batch = Batch::new();
    for (window, clients) in clients.chunks_mut(WINDOW).enumerate() {
        for step in steps {
            perform_step(socket, clients, *step, &mut batch, |index| chosen(window * WINDOW + index))?;
        }
    }
    Ok(())
}

/// The relayed address of the other seat of a client's call. The clients begin with an even number.
pub fn partner(clients: &[Client], index: usize) -> Option<SocketAddr> {
    clients[index ^ 1].relayed()
}

fn perform_step(
    socket: &Socket,
    clients: &mut [Client],
    step: Step,
    batch: &mut Batch,
    chosen: impl Fn(usize) -> bool,
) -> Result<(), Failure> {
    let mut waiting: Vec<Option<Vec<u8>>> = Vec::new();
    for index in 0..clients.len() {
        let partner = partner(clients, index);
        waiting.push(chosen(index).then(|| clients[index].request(step, partner)));
    }
    for _ in 0..TRIES {
        for (client, request) in clients.iter().zip(&waiting) {
            if let Some(request) = request {
                socket.send(client.ip(), request)?;
            }
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let count = socket.receive(batch)?;
            for received in batch.datagrams(count) {
                let first = clients[0].ip().to_bits();
                let index = received.to.to_bits().wrapping_sub(first) as usize;
                if index < clients.len() && clients[index].take(step, received.bytes)? {
                    waiting[index] = None;
                }
            }
            if waiting.iter().all(Option::is_none) {
                return Ok(());
            }
            if count == 0 {
                thread::sleep(PAUSE);
            }
        }
    }
    let silent = waiting.iter().flatten().count();
    let (clients, tries) = (clients.len(), TRIES);
    Err(format!("{silent} of {clients} clients got no answer to {step:?} after {tries} tries").into())
}

/// Whether a server answers a Binding request within 20 ms.
pub fn is_answering(socket: &Socket) -> Result<bool, Failure> {
    socket.send(client_ip(0), &crate::client::binding_request())?;
    thread::sleep(Duration::from_millis(20));
    Ok(socket.receive(&mut Batch::new())? > 0)
}
