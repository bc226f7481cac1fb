//! What the rest of a program holds of a running relay: mint credentials, end seats and calls, read counters.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mio::Waker;
use rand::TryRng;
use rand::rngs::SysRng;

use super::metrics::Totals;
use super::socket::Socket;
use super::worker::{Command, Worker, unix_now};
use crate::call::Traffic;
use crate::credential::{Credential, Mint};
use crate::server::{Server, Settings};

/// How long a question to the worker may take; it answers between two batches, within a millisecond or so.
const PATIENCE: Duration = Duration::from_secs(1);

/// A running relay. Clones are handles to the same one; it stops with [`Relay::shutdown`], or with the last handle.
///
/// No method waits for the network. `mint`, `end_seat` and `end_call` return at once; `traffic` and `totals` wait for
/// the worker's answer, a millisecond or so, 1 s at most.
#[derive(Clone)]
pub struct Relay {
    shared: Arc<Shared>,
}

struct Shared {
    local: SocketAddr,
    mint: Mutex<Mint>,
    commands: Sender<Command>,
    waker: Arc<Waker>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Relay {
    /// Starts a relay on a socket, best made by [`crate::bind`]. Wrong settings are an error of kind `InvalidInput`
    /// that names the setting.
    pub fn start(settings: Settings, udp: UdpSocket) -> io::Result<Relay> {
        let mut seed = [0; 32];
        SysRng.try_fill_bytes(&mut seed).map_err(io::Error::other)?;
        let mint = Mutex::new(Mint::new(&settings.secret));
        let server = Server::new(settings, seed)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let socket = Socket::new(udp)?;
        let local = socket.local_addr();
        let (commands, received) = channel();
        let (worker, waker) = Worker::new(server, socket, received)?;
        let thread = thread::Builder::new().name("relay".to_owned()).spawn(move || worker.run())?;
        let thread = Mutex::new(Some(thread));
        Ok(Relay { shared: Arc::new(Shared { local, mint, commands, waker, thread }) })
    }

    /// The address the relay listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local
    }

    /// A credential for a seat of a call, good for 15 minutes. Labels must be non-empty, hold no colon and have no
    /// more than 200 bytes together, or the credential opens nothing.
    pub fn mint(&self, call: &str, seat: &str) -> Credential {
        self.shared.mint().mint(unix_now(), call, seat)
    }

    /// Ends a seat's allocations and bars the credentials minted for it so far; one minted after this call is good.
    ///
    /// Returns at once. The worker carries it out before any datagram it reads later, within milliseconds, and before
    /// it answers a later [`Relay::traffic`].
    pub fn end_seat(&self, call: &str, seat: &str) {
        // The mint stays locked until the command is under way, so that ends reach the worker in their order.
        let mut mint = self.shared.mint();
        let barred = mint.end_seat(unix_now(), call, seat);
        self.shared.command(Command::EndSeat { call: call.to_owned(), seat: seat.to_owned(), barred });
    }

    /// Ends all allocations of a call and bars the credentials minted for its seats so far; else as
    /// [`Relay::end_seat`].
    pub fn end_call(&self, call: &str) {
        let mut mint = self.shared.mint();
        let barred = mint.end_call(unix_now(), call);
        self.shared.command(Command::EndCall { call: call.to_owned(), barred });
    }

    /// What a call's allocations carried since it has had any; zeros without any, or when the relay has stopped.
    pub fn traffic(&self, call: &str) -> Traffic {
        self.shared.ask(|reply| Command::Traffic { call: call.to_owned(), reply })
    }

    /// Counters of the whole relay; zeros when it has stopped.
    pub fn totals(&self) -> Totals {
        self.shared.ask(|reply| Command::Totals { reply })
    }

    /// Stops the relay and waits for its thread; its port is free then. A second call does nothing.
    pub fn shutdown(&self) {
        self.shared.stop();
    }
}

impl Shared {
    /// A panic elsewhere while the lock was held leaves the mint whole: it changes in single steps.
    fn mint(&self) -> MutexGuard<'_, Mint> {
        self.mint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn command(&self, command: Command) {
        // Both fail only when the worker is gone, and with it all allocations.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }

    fn ask<T: Default>(&self, question: impl FnOnce(SyncSender<T>) -> Command) -> T {
        let (reply, answer) = sync_channel(1);
        self.command(question(reply));
        answer.recv_timeout(PATIENCE).unwrap_or_default()
    }

    fn stop(&self) {
        self.command(Command::Shutdown);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            tracing::error!("the relay's thread had panicked; its allocations were lost then");
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop();
    }
}
