//! Below the I/O line: the sockets, the threads that own them, and the handle the rest of a program holds.

mod acceptor;
mod clock;
mod connections;
mod control;
mod exits;
pub(crate) mod framing;
pub(crate) mod handle;
pub(crate) mod metrics;
mod moderation;
mod outbox;
mod queue;
pub(crate) mod socket;
mod stream;
mod worker;
