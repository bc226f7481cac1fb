//! A disk that fills up: a small tmpfs in a mount namespace of its own. The process that keeps the namespace ends with the test, and with it
//! the disk.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use super::{BINARY, within, without_settings};

/// The smallest piece of a tmpfs, in bytes.
const PAGE: u64 = 4096;

/// A mounted tmpfs, seen by the programs that [`SmallDisk::command`] starts.
pub struct SmallDisk {
    keeper: Child,
    /// Its end is the keeper's.
    _hold: ChildStdin,
    /// Where it is mounted, inside the namespace.
    inside: TempDir,
    options: &'static [&'static str],
}

impl SmallDisk {
    /// Mounts one of so many bytes; `None`, with the reason on stdout, where this user may not.
    pub async fn mount(bytes: u64) -> Option<Self> {
        let inside = tempfile::Builder::new().prefix("visavis-disk-").tempdir().unwrap();
        let mount = format!("mount -t tmpfs -o size={bytes},mode=700 tmpfs {}", inside.path().display());
        let script = format!("{mount} && echo mounted && exec cat");
        let tries: [(&[&str], &'static [&'static str]); 2] = [
            (&["--mount"], &["--mount"]),
            (&["--user", "--map-root-user", "--mount"], &["--user", "--preserve-credentials", "--mount"]),
        ];
        for (unshare, options) in tries {
            let mut keeper = Command::new("unshare")
                .args(unshare)
                .args(["sh", "-c", &script])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let hold = keeper.stdin.take().unwrap();
            let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
            if within("the mount", lines.next_line()).await.unwrap().is_some() {
                return Some(Self { keeper, _hold: hold, inside, options });
            }
        }
        println!("skipped: this user may not mount a tmpfs (needs root or user namespaces)");
        None
    }

    /// The binary under test, on this disk.
    pub fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        let target = self.keeper.id().expect("the keeper runs").to_string();
        command.args(["--target", &target]).args(self.options).arg(BINARY);
        without_settings(command)
    }

    /// Runs the binary on this disk, with `data` on it as its data directory, until it ends.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let data_dir = self.inside().join("data");
        let mut command = self.command();
        command.arg("--data-dir").arg(data_dir).args(arguments).stdin(Stdio::null());
        within("the command's end", command.output()).await.unwrap()
    }

    /// The disk's root as programs on it see it.
    pub fn inside(&self) -> &Path {
        self.inside.path()
    }

    /// The disk's root as this test sees it.
    pub fn outside(&self) -> PathBuf {
        let keeper = self.keeper.id().expect("the keeper runs");
        let inside = self.inside.path().strip_prefix("/").expect("temporary directories are absolute");
        Path::new(&format!("/proc/{keeper}/root")).join(inside)
    }

    fn ballast(&self) -> PathBuf {
        self.outside().join("ballast")
    }

    /// Fills it until so many pages of it are free.
    pub fn fill_to(&self, pages: u64) {
        let mut file = File::options().create(true).append(true).open(self.ballast()).unwrap();
        while file.write_all(&[0; PAGE as usize]).is_ok() {}
        let len = file.metadata().unwrap().len();
        file.set_len(len.saturating_sub(len % PAGE + pages * PAGE)).unwrap();
    }

    /// Gives the room back.
    pub fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}
