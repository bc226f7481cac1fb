//! Below the I/O line: the socket, the thread that owns it, and the handle the rest of a program holds.

pub(crate) mod handle;
pub(crate) mod metrics;
pub(crate) mod socket;
mod worker;
