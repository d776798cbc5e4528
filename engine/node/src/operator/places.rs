//! Where backups may be made. An order comes from another machine, and a node
//! could write wherever its user may.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use crate::folder::Folder;

/// What lies in a node's folder and is no place for a copy of it.
const OURS: [&str; 6] = [
    "store",
    "store.restoring",
    "store.making",
    "journal",
    "secrets",
    "tls",
];

/// Where a folder for a backup is in truth, links followed; why not there.
pub(super) fn place(folder: &Folder, allowed: &[PathBuf], path: &Path) -> Result<PathBuf, String> {
    let target = led(path)?;
    let root = std::path::absolute(folder.root());
    let root = led(&root.map_err(|error| error.to_string())?)?;
    let is_ours = OURS.iter().any(|part| target.starts_with(root.join(part)));
    let is_below = |allowed: &PathBuf| {
        // A relative one is in the node's folder.
        let allowed = led(&root.join(allowed));
        allowed.is_ok_and(|allowed| target != allowed && target.starts_with(allowed))
    };
    if !is_ours && allowed.iter().any(is_below) {
        return Ok(target);
    }
    let shown: Vec<String> = allowed
        .iter()
        .map(|allowed| root.join(allowed).display().to_string())
        .collect();
    Err(format!(
        "{} is no place for a backup: they go below {} (backups.folders in config.toml)",
        path.display(),
        shown.join(", ")
    ))
}

/// A path without links, as far as there is something.
fn led(path: &Path) -> Result<PathBuf, String> {
    let shown = path.display();
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(format!("{shown} must be written without `..`"));
    }
    let (mut at, mut missing) = (path, Vec::new());
    loop {
        match at.canonicalize() {
            Ok(there) => {
                let names = missing.iter().rev();
                return Ok(names.fold(there, |path, name| path.join(name)));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let (Some(name), Some(above)) = (at.file_name(), at.parent()) else {
                    return Err(format!("{shown} leads nowhere"));
                };
                missing.push(name);
                at = above;
            }
            Err(error) => return Err(format!("{shown} cannot be made: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_goes_below_a_folder_that_is_named_and_nowhere_else() {
        let outer = tempfile::tempdir().unwrap();
        let outer = outer.path().canonicalize().unwrap();
        let root = outer.join("node");
        for part in ["store/rows", "secrets", "backups"] {
            std::fs::create_dir_all(root.join(part)).unwrap();
        }
        std::fs::create_dir(outer.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(root.join("store"), root.join("backups/link")).unwrap();
        std::os::unix::fs::symlink(outer.join("elsewhere"), outer.join("there")).unwrap();
        std::fs::write(root.join("backups/file"), b"in the way").unwrap();
        let folder = Folder::at(&root);
        let allowed = [PathBuf::from("backups"), outer.join("there")];
        let placed = |path: PathBuf| place(&folder, &allowed, &path);
        for (path, target) in [
            ("node/backups/rows", "node/backups/rows"),
            ("node/backups/a/b/rows", "node/backups/a/b/rows"),
            ("there/rows", "elsewhere/rows"),
            ("elsewhere/rows", "elsewhere/rows"),
        ] {
            assert_eq!(placed(outer.join(path)), Ok(outer.join(target)));
        }
        for (path, why) in [
            ("rows", "is no place for a backup"),
            ("node/rows", "is no place for a backup"),
            ("node/backups", "is no place for a backup"),
            ("node/backups-2/rows", "is no place for a backup"),
            ("node/store/rows/copy", "is no place for a backup"),
            ("node/backups/link/rows/copy", "is no place for a backup"),
            ("node/backups/../rows", "without `..`"),
            ("node/backups/file/rows", "cannot be made"),
        ] {
            let refused = placed(outer.join(path)).unwrap_err();
            assert!(refused.contains(why), "{path}: {refused}");
        }
        // Everything may be named; what is ours is not for it all the same.
        let everywhere = [outer.clone()];
        assert!(place(&folder, &everywhere, &root.join("copy")).is_ok());
        for part in OURS {
            let path = root.join(part).join("copy");
            assert!(place(&folder, &everywhere, &path).is_err(), "{part}");
        }
    }
}
