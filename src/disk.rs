//! How much room the data directory has.

use std::io;
use std::path::Path;

/// Below this SQLite can write no more: a change takes some pages of its log.
pub const FULL_BYTES: u64 = 256 * 1024;

/// Bytes that this user may still write on the disk under `path` (POSIX statvfs, `f_bavail`).
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether the disk under `path` is full.
pub fn is_full(path: &Path) -> bool {
    free_bytes(path).is_ok_and(|free| free < FULL_BYTES)
}
