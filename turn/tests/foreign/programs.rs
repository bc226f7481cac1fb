//! Other programs: where they are, how long they may take, how they end.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus};

/// The path of a program, or the end of the test with a sentence that says what brings it.
pub fn installed(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!("{program} is missing: install Debian's package {package} (apt-get install {package})")
        })
}

/// A command that ends after so many seconds whatever happens to this process, first asked to, then forced.
pub fn limited(seconds: u32, program: &Path) -> Command {
    let mut command = Command::new(installed("timeout", "coreutils"));
    command.arg("--kill-after=5").arg(seconds.to_string()).arg(program);
    command
}

/// A program that runs until it is told to end, or this is dropped.
pub struct Running(Child);

impl Running {
    pub fn start(command: &mut Command) -> Self {
        Running(command.spawn().unwrap())
    }

    /// What it prints, if that was piped; to be taken once.
    pub fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().expect("piped, and not taken before")
    }

    /// Asks it to end: SIGTERM, which the `timeout` of [`limited`] hands on.
    pub fn terminate(&self) {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status().unwrap();
        assert!(asked.success(), "the program had already ended");
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.try_wait().unwrap().is_none() {
            self.terminate();
            self.wait();
        }
    }
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("turn/ lies in the repository").to_owned()
}
