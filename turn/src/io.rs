//! Below the I/O line: the sockets, the threads that own them, and the handle the rest of a program holds.

mod control;
pub(crate) mod handle;
pub(crate) mod metrics;
mod moderation;
mod outbox;
pub(crate) mod socket;
mod worker;
