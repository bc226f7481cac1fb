//! What the kernel says of a process: CPU time in nanoseconds and resident memory.

use std::fs;
use std::io;

/// Nanoseconds all threads of a process have run, in user space and in the kernel (/proc/PID/task/*/schedstat).
///
/// A thread's figure is brought up to date when it stops running or at a clock tick: read it of a process at rest.
pub fn cpu_nanos(pid: u32) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the listing and the reading.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        sum += text.split_whitespace().next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(sum)
}

/// Resident bytes of a process (/proc/PID/smaps_rollup, counted page by page).
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.map(|count| count * 1024).ok_or_else(|| io::Error::other("smaps_rollup has no line Rss"))
}
