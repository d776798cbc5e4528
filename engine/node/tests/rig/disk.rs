//! A disk below a node that fails when it is told to.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Dir, Node};

/// How often it is looked whether a file has appeared.
const LOOKS: u32 = 20_000;

/// A part of a node's folder whose disk fails.
pub(crate) struct Failing {
    library: PathBuf,
    told: PathBuf,
    part: PathBuf,
}

impl Failing {
    /// The disk of this part of the folder. It works until it is told to fail.
    pub(crate) fn of(dir: &Dir, part: &str) -> Failing {
        Failing {
            library: library(&dir.path()),
            told: dir.path().join("fault"),
            part: dir.path().join(part),
        }
    }

    /// The environment in which a process meets it.
    pub(crate) fn variables(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("LD_PRELOAD", self.library.clone()),
            ("FAULT_FILE", self.told.clone()),
            ("FAULT_FOLDER", self.part.clone()),
        ]
    }

    /// Lets it fail from now on: `full`, `sync`, `hang` or `readonly`.
    pub(crate) fn fail(&self, how: &str) {
        std::fs::write(&self.told, how).unwrap();
    }

    /// Lets it work again.
    pub(crate) fn mend(&self) {
        std::fs::remove_file(&self.told).unwrap();
    }
}

/// Compiles the failing disk with the C compiler that every build needs.
fn library(folder: &Path) -> PathBuf {
    let library = folder.join("fail.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/fail.c");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let built = Command::new(compiler)
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .status()
        .unwrap();
    assert!(built.success(), "the failing disk does not compile");
    library
}

/// Waits until a node has made a file; each look asks the node something, so
/// that time passes.
pub(crate) fn made(node: &Node, path: &Path) {
    for _ in 0..LOOKS {
        if path.exists() {
            return;
        }
        node.get("/health/live");
    }
    panic!("{} was not made", path.display());
}
