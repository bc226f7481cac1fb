//! Files that hold secrets: seen whole or not at all, by their owner only (R58), and what to do where the system does not let them be.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// For their owner only.
pub const PRIVATE: u32 = 0o600;

/// Writes the file with mode 0600: beside, synced, renamed, and the directory synced. Whoever looks meanwhile sees the old file or the new one,
/// and so does a start after a full disk or a power cut.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut draft = OsString::from(path);
    draft.push(".new");
    let written = write_as(Path::new(&draft), path, content);
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

fn write_as(draft: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    // A draft that a dead process left may have other rights.
    match fs::remove_file(draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    put_in_place(draft, path)
}

/// Gives a file that is whole and synced its name, for good.
pub fn put_in_place(draft: &Path, path: &Path) -> io::Result<()> {
    fs::rename(draft, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// The file's text; `None` where there is none, or an empty one.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes the rights of all but the owner away; a missing file is fine. Where another user owns it, the log says so.
pub fn make_private(path: &Path) {
    let Ok(metadata) = fs::metadata(path) else { return };
    if metadata.permissions().mode() & 0o077 == 0 {
        return;
    }
    if let Err(error) = fs::set_permissions(path, Permissions::from_mode(PRIVATE)) {
        tracing::warn!(file = %path.display(), %error, "others on this machine may read this file, and its rights cannot be changed: make it the property of the user that visavis runs as, mode 0600");
    }
}

/// A secret that others can read is still the operator's to decide: containers mount theirs that way.
pub fn warn_if_open(path: &Path) {
    let Ok(metadata) = fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let mode = format!("{mode:04o}");
        tracing::warn!(file = %path.display(), mode, "others on this machine may read this secret: set its mode to 0600");
    }
}

/// What to do about an error of the system at `path`: a sentence without its full stop. Never a backup, for the data are whole.
pub fn mend(path: &Path, error: &io::Error) -> String {
    let directory = path.parent().unwrap_or(path).display();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => format!("Make room in {directory}"),
        ErrorKind::PermissionDenied => {
            format!("Make {} readable and writable for the user that visavis runs as", path.display())
        }
        ErrorKind::ReadOnlyFilesystem => {
            format!("Make the disk under {directory} writable, or choose another with --data-dir")
        }
        _ => format!("Look at the disk under {directory}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_for_its_owner_only_and_no_draft_is_left() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("secret");
        fs::write(home.path().join("secret.new"), "a draft of a dead process").unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read(&path).unwrap(), None);
        write(&path, b"whole").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("whole"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, PRIVATE);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_full_disk_asks_for_room_and_a_missing_right_for_the_right() {
        let path = Path::new("/var/lib/visavis/key");
        let mend = |kind: ErrorKind| mend(path, &io::Error::from(kind));
        assert_eq!(mend(ErrorKind::StorageFull), "Make room in /var/lib/visavis");
        assert!(mend(ErrorKind::PermissionDenied).contains("/var/lib/visavis/key"));
        assert!(!mend(ErrorKind::Other).contains("backup"));
    }
}
