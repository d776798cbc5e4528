//! What a disk refuses, in words of people who can mend it.

use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

/// How a write that was refused is mended. Some disks say no more than that it
/// failed, and then how they stand does.
pub(crate) fn mend(kind: ErrorKind, path: &Path) -> &'static str {
    match kind {
        ErrorKind::StorageFull => FULL,
        ErrorKind::QuotaExceeded => "the quota is used up: raise it, or make room",
        ErrorKind::ReadOnlyFilesystem => READ_ONLY,
        ErrorKind::PermissionDenied => {
            "give it to the node's user (chown), and to no other (chmod 600, folders 700)"
        }
        _ if is_read_only(path) => READ_ONLY,
        _ if is_full(path) => FULL,
        _ => "the disk fails: look at the system's log",
    }
}

const FULL: &str = "the disk is full: make room";
const READ_ONLY: &str = "it is mounted read-only: remount it, and look why";

/// Whether a kind of error says by itself what is wrong with the disk.
pub(crate) fn is_of_the_disk(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
    )
}

pub(crate) fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|disk| disk.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn is_full(path: &Path) -> bool {
    statvfs(path).is_ok_and(|disk| disk.f_blocks > 0 && disk.f_bavail == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_told_from_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let of = |kind| mend(kind, folder.path());
        assert!(of(ErrorKind::StorageFull).contains("make room"));
        assert!(of(ErrorKind::ReadOnlyFilesystem).contains("read-only"));
        assert!(of(ErrorKind::PermissionDenied).contains("chown"));
        assert!(of(ErrorKind::Other).contains("the disk fails"));
        assert!(!is_read_only(folder.path()));
        assert!(is_of_the_disk(ErrorKind::StorageFull) && !is_of_the_disk(ErrorKind::Other));
    }
}
