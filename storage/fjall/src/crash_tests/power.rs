//! Cutting the power: undoing on disk what no returned sync covered.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles the tracing library with the C compiler that every build needs.
pub(super) fn build_library(folder: &Path) -> PathBuf {
    let library = folder.join("trace.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power/trace.c");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let built = Command::new(compiler)
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .args(["-ldl"])
        .status()
        .unwrap();
    assert!(built.success(), "the tracing library does not compile");
    library
}

/// The files of the folder and their sizes before the round: all durable.
pub(super) struct Before(BTreeMap<u64, u64>);

impl Before {
    pub(super) fn of(folder: &Path) -> Before {
        let mut sizes = BTreeMap::new();
        visit(folder, &mut |path| {
            let meta = path.metadata().unwrap();
            sizes.insert(meta.ino(), meta.len());
        });
        Before(sizes)
    }
}

fn visit(folder: &Path, each: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => visit(&path, each),
            false => each(&path),
        }
    }
}

#[derive(Default)]
struct Traced {
    path: PathBuf,
    durable_size: u64,
    created_in: Option<PathBuf>,
    /// Written and not yet covered by a sync: offset and length.
    pending: Vec<(u64, u64)>,
    /// Writes and sizes that the syncs under way will cover, by token.
    syncing: BTreeMap<u64, (usize, u64)>,
    size: u64,
}

/// Replays the log and takes away everything that was not synced: a file
/// whose folder was not synced after its creation goes, bytes beyond the
/// synced size are cut off (a random part of a torn write stays), bytes
/// written over older ones become zeros.
pub(super) fn cut(log: &Path, before: &Before, roll: &mut impl FnMut(u64) -> u64) {
    let log = std::fs::read_to_string(log).unwrap();
    let mut files: BTreeMap<u64, Traced> = BTreeMap::new();
    let mut folders: BTreeMap<u64, PathBuf> = BTreeMap::new();
    for line in log.lines() {
        let mut words = line.splitn(4, ' ');
        let kind = words.next().unwrap();
        let ino: u64 = words.next().unwrap().parse().unwrap();
        if matches!(kind, "O" | "C") {
            // A store is made under another name and moved to its place.
            let path = line.splitn(3, ' ').nth(2).unwrap();
            let path = PathBuf::from(path.replace("/store.making", "/store"));
            match path.is_dir() {
                true => drop(folders.insert(ino, path)),
                false => open(&mut files, before, ino, path, kind == "C"),
            }
            continue;
        }
        let numbers: Vec<u64> = words.map(|word| word.parse().unwrap()).collect();
        if let (Some(folder), "F") = (folders.get(&ino), kind) {
            for file in files.values_mut() {
                file.created_in.take_if(|created_in| created_in == folder);
            }
        } else if let Some(file) = files.get_mut(&ino) {
            apply(file, kind, &numbers);
        }
    }
    for (ino, file) in files {
        undo(ino, &file, roll);
    }
}

fn open(
    files: &mut BTreeMap<u64, Traced>,
    before: &Before,
    ino: u64,
    path: PathBuf,
    created: bool,
) {
    let old = before.0.get(&ino).copied().filter(|_| !created);
    let fresh = || Traced {
        durable_size: old.unwrap_or(0),
        size: old.unwrap_or(0),
        created_in: created.then(|| path.parent().unwrap().to_owned()),
        ..Traced::default()
    };
    if created {
        files.insert(ino, fresh());
    }
    files
        .entry(ino)
        .or_insert_with(fresh)
        .path
        .clone_from(&path);
}

fn apply(file: &mut Traced, kind: &str, numbers: &[u64]) {
    match (kind, numbers) {
        ("W", [offset, length]) => {
            file.pending.push((*offset, *length));
            file.size = file.size.max(offset + length);
        }
        ("T", [size]) => {
            file.size = *size;
            file.durable_size = file.durable_size.min(*size);
        }
        ("S", [token]) => {
            file.syncing.insert(*token, (file.pending.len(), file.size));
        }
        ("F", [token]) => {
            let (covered, size) = file.syncing.remove(token).unwrap();
            file.pending.drain(..covered.min(file.pending.len()));
            for (count, _) in file.syncing.values_mut() {
                *count = count.saturating_sub(covered);
            }
            file.durable_size = file.durable_size.max(size);
        }
        other => panic!("not a line of the log: {other:?}"),
    }
}

fn undo(ino: u64, file: &Traced, roll: &mut impl FnMut(u64) -> u64) {
    // Renamed or removed since: what is under the path now is another file.
    let meta = file.path.metadata();
    if !meta.is_ok_and(|meta| meta.ino() == ino) {
        return;
    }
    if file.created_in.is_some() {
        return std::fs::remove_file(&file.path).unwrap();
    }
    let handle = OpenOptions::new().write(true).open(&file.path).unwrap();
    let mut keep = file.durable_size;
    for (offset, length) in &file.pending {
        let inside = file.durable_size.saturating_sub(*offset).min(*length);
        let zeros = vec![0; usize::try_from(inside).unwrap()];
        handle.write_all_at(&zeros, *offset).unwrap();
        if *offset == keep && roll(2) == 0 {
            keep += roll(*length + 1);
        }
    }
    handle
        .set_len(keep.min(file.size.max(file.durable_size)))
        .unwrap();
}
