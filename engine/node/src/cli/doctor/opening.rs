//! Whether store and journal open as they do when a node starts. All of both is
//! read, where a start leaves out the tables of a large store.

use std::io::ErrorKind;

use tidegate_runtime::OsEntropy;
use tidegate_storage_api::StoreError;
use tidegate_storage_fjall::{Absent, FjallStore, OpenError, Options, Verify};

use super::{Finding, fault, good};
use crate::assembly::journal_options;
use crate::backend::{Backend, BackendError};
use crate::cli::person::block_on;
use crate::config::Config;
use crate::deployment::{Deployment, DeploymentError};
use crate::disk::mend;
use crate::folder::Folder;

const SECRETS: &str = "put the secrets of this store back from where they are kept safe";

/// What is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Store,
    Journal,
}

/// The store that the configuration names, and whether the key files belong to
/// it.
pub(super) fn store(folder: &Folder, config: &Config) -> Finding {
    let backend = match Backend::examine(folder, config, &OsEntropy) {
        Ok(backend) => backend,
        Err(error) => return fault(error.to_string(), mend_backend(&error)),
    };
    let read = block_on(Deployment::open(folder, config, backend));
    match read {
        Ok(Ok(_)) => good("the store opens, and the key files belong to it"),
        Ok(Err(error @ DeploymentError::Store(StoreError::Unavailable))) => fault(
            error.to_string(),
            "is FoundationDB up (`fdbcli --exec status`), and the cluster file right?",
        ),
        Ok(Err(error)) => {
            let mend = match &error {
                DeploymentError::Directory(error) => mend_backend(error),
                DeploymentError::Key(key) => match key.kind {
                    None | Some(ErrorKind::NotFound) => SECRETS,
                    Some(kind) => mend(kind, folder.root()),
                },
                DeploymentError::Store(_)
                | DeploymentError::Region(_)
                | DeploymentError::Row(_)
                | DeploymentError::Newer { .. } => SECRETS,
            };
            fault(error.to_string(), mend)
        }
        Err(error) => fault(
            error.to_string(),
            "the machine refuses threads: look at its limits",
        ),
    }
}

/// The node's own journal, where it has one.
pub(super) fn journal(folder: &Folder) -> Option<Finding> {
    let options = Options {
        verify: Verify::Everything,
        ..journal_options(Absent::Refuse)
    };
    match FjallStore::open(&folder.journal(), &options) {
        Ok(_) => Some(good("the journal opens")),
        // The first start makes it.
        Err(OpenError::Missing(_)) if !folder.has_journal() => None,
        Err(error) => Some(fault(
            error.to_string(),
            mend_opening(&error, Part::Journal),
        )),
    }
}

fn mend_backend(error: &BackendError) -> &'static str {
    match error {
        BackendError::Embedded(error) => mend_opening(error, Part::Store),
        #[cfg(feature = "foundationdb")]
        BackendError::Foundationdb(_) => {
            "the section `storage` of config.toml says how FoundationDB is reached"
        }
        BackendError::Path => "give the file a name in UTF-8, and write it there",
        BackendError::NoDirectory => {
            "write it as in the config.toml of another node of the region (docs/regions.md)"
        }
        BackendError::NotBuilt => "run the program that served this folder before",
    }
}

fn mend_opening(error: &OpenError, part: Part) -> &'static str {
    match error {
        OpenError::InUse(_) => "a node runs here: end it, or ask it",
        OpenError::NewerFormat { .. } => "run the version that wrote it, or a later one",
        OpenError::Missing(_) => match part {
            Part::Store => "mount what holds it, or restore a backup (docs/operations.md)",
            Part::Journal => {
                "mount what holds it: sign-outs that people were promised are in it, and in no \
                 backup (docs/operations.md, \"A journal that is lost\")"
            }
        },
        OpenError::Damaged { .. } => match part {
            Part::Store => {
                "put the right file in its place, or restore a backup (docs/operations.md)"
            }
            Part::Journal => {
                "put the right file in its place: sign-outs that people were promised are in it, \
                 and in no backup (docs/operations.md, \"A journal that is lost\")"
            }
        },
        OpenError::Io { path, source } => mend(source.kind(), path),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn refusals() -> [OpenError; 5] {
        [
            OpenError::InUse("store".into()),
            OpenError::Missing("store".into()),
            OpenError::NewerFormat {
                path: "store".into(),
                found: 9,
                known: 1,
            },
            OpenError::Damaged {
                path: "store".into(),
                reason: "it is damaged".into(),
            },
            OpenError::Io {
                path: "store".into(),
                source: ErrorKind::StorageFull.into(),
            },
        ]
    }

    #[test]
    fn each_reason_has_a_remedy_of_its_own() {
        let others = [
            BackendError::Path,
            BackendError::NoDirectory,
            BackendError::NotBuilt,
        ];
        let of_store = refusals().map(BackendError::Embedded);
        let all: Vec<_> = of_store.iter().chain(&others).map(mend_backend).collect();
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
        assert!(all.iter().all(|mend| !mend.contains("FoundationDB")));
        // The journal is in no backup.
        for error in refusals() {
            let mend = mend_opening(&error, Part::Journal);
            assert!(!mend.contains("restore"), "{mend}");
        }
    }
}
