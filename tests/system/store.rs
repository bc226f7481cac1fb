//! Nothing acknowledged is lost (R59): what the store has taken is there after a full disk, a lock and a restart, and what it has not is said.
//! A database belongs to one key and to one server; what the server finds of itself is told.

mod backup;
mod full_disk;
mod killed;
mod locked;
mod one_key;
mod one_server;
mod ready;
mod secrets;
