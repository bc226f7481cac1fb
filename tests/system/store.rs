//! Nothing acknowledged is lost (R59): what the store has taken is there after a full disk, a lock and a restart, and what it has not is said.

mod full_disk;
mod locked;
mod secrets;
