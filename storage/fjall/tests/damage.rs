//! A store's folder is damaged in every way, one file at a time, and opened:
//! either everything that was acknowledged is served, or opening is refused,
//! nothing on disk changes, and the right file put back brings everything back.
//!
//! `TIDEGATE_DAMAGES=2000` damages as often as that; the gate does 120.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tidegate_storage_api::{Commit, Key, KeyRange, PersonPart, Region, Slot, Store, SystemPart};
use tidegate_storage_fjall::{
    Absent, BackupError, FjallStore, OpenError, Options, Verify, restore,
};

const IN_THE_GATE: u64 = 120;

type Rows = Vec<(Key, Vec<u8>)>;
type Files = BTreeMap<PathBuf, Vec<u8>>;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

fn options() -> Options {
    Options {
        absent: Absent::Refuse,
        verify: Verify::Everything,
        ..Options::default()
    }
}

fn record(user: u8) -> Key {
    let slot = Slot::new(u16::from(user)).unwrap();
    Key::person(Region::FIRST, slot, &[user; 16], PersonPart::Record)
}

fn person_key(user: u8) -> Key {
    Key::person_key(
        Region::FIRST,
        Slot::new(u16::from(user)).unwrap(),
        &[user; 16],
    )
}

fn block<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

fn commit(store: &FjallStore, commit: Commit) {
    block(store.commit(commit)).unwrap();
}

/// People come, change and go, one commit each.
fn live(store: &FjallStore, people: std::ops::Range<u8>) {
    for user in people {
        let value = vec![user; 200];
        let joins = Commit::default()
            .put(record(user), value)
            .put(person_key(user), vec![user; 72]);
        commit(store, joins);
        if user.is_multiple_of(3) {
            commit(store, Commit::default().put(record(user), vec![!user; 90]));
        }
        if user.is_multiple_of(5) {
            commit(
                store,
                Commit::default().put(person_key(user), vec![!user; 96]),
            );
        }
        if user.is_multiple_of(7) {
            let erased = Commit::default().delete(record(user));
            commit(store, erased.delete(person_key(user)));
        }
    }
}

fn everything(store: &FjallStore) -> Rows {
    let found = block(store.range(KeyRange::everything(), 100_000)).unwrap();
    found
        .into_iter()
        .map(|(key, value)| (key, value.to_vec()))
        .collect()
}

/// A store with tables and a journal, as it was at a time and a while later.
struct Sample {
    earlier: Files,
    now: Files,
    rows: Rows,
}

impl Sample {
    fn new(folder: &Path, first: u8) -> Sample {
        let at = |name: &str| folder.join(name);
        let store = FjallStore::open(&at("made"), &Options::default()).unwrap();
        live(&store, first..first + 40);
        store.backup(&at("rows"), &at("keys")).unwrap();
        drop(store);
        let restored = restore(&at("rows"), &at("keys"), &at("store"), |_| {
            Ok::<_, BackupError>(())
        });
        restored.unwrap();
        live(
            &FjallStore::open(&at("store"), &options()).unwrap(),
            first + 40..first + 60,
        );
        // Opened once more, the journal has no room set aside and is small.
        drop(FjallStore::open(&at("store"), &options()).unwrap());
        let earlier = files(&at("store"));
        let store = FjallStore::open(&at("store"), &options()).unwrap();
        live(&store, first + 60..first + 80);
        let rows = everything(&store);
        drop(store);
        Sample {
            earlier,
            now: files(&at("store")),
            rows,
        }
    }
}

fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(folder).unwrap().to_owned();
                    found.insert(name, fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}

fn lay(files: &Files, folder: &Path) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Opens a damaged folder; how it was refused.
fn judge(sample: &Sample, damaged: &Files, what: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("store");
    fs::create_dir(&folder).unwrap();
    lay(damaged, &folder);
    let refused = match FjallStore::open(&folder, &options()) {
        Ok(store) => {
            assert!(
                everything(&store) == sample.rows,
                "{what}: served, and not what it was"
            );
            return None;
        }
        Err(OpenError::Damaged { path, reason }) => format!("{}: {reason}", path.display()),
        Err(error) => error.to_string(),
    };
    assert!(
        files(&folder) == *damaged,
        "{what}: refused ({refused}), and changed something"
    );
    fs::remove_dir_all(&folder).unwrap();
    lay(&sample.now, &folder);
    let store = FjallStore::open(&folder, &options());
    let store = store.unwrap_or_else(|error| panic!("{what}: put back, and {error}"));
    assert!(
        everything(&store) == sample.rows,
        "{what}: put back, and not what it was"
    );
    Some(refused)
}

fn damaged(sample: &Sample, name: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Files {
    let mut files = sample.now.clone();
    change(files.get_mut(name).unwrap());
    files
}

#[test]
fn a_flipped_bit_or_a_lost_end_of_any_file_is_harmless_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::new(folder.path(), 0);
    let rounds = std::env::var("TIDEGATE_DAMAGES");
    let rounds = rounds.map_or(IN_THE_GATE, |rounds| rounds.parse().unwrap());
    let names: Vec<&PathBuf> = sample
        .now
        .keys()
        .filter(|name| !sample.now[*name].is_empty())
        .collect();
    let mut dice = Dice(rounds);
    let mut refused = 0;
    for round in 0..rounds {
        let name = names[dice.roll(names.len())];
        let length = sample.now[name].len();
        let (what, damaged) = match round % 4 {
            0 => {
                let length = [0, 1, length / 2, length - 1, dice.roll(length)][dice.roll(5)];
                let what = format!("{} cut to {length} bytes", name.display());
                (what, damaged(&sample, name, |bytes| bytes.truncate(length)))
            }
            1 => {
                let (at, zeros) = (dice.roll(length), 1 + dice.roll(600));
                let what = format!("{}: {zeros} zeros at byte {at}", name.display());
                let zero = |bytes: &mut Vec<u8>| {
                    bytes
                        .iter_mut()
                        .skip(at)
                        .take(zeros)
                        .for_each(|byte| *byte = 0)
                };
                (what, damaged(&sample, name, zero))
            }
            _ => {
                let bit = dice.roll(length * 8);
                let what = format!("{}: bit {bit} flipped", name.display());
                (
                    what,
                    damaged(&sample, name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8)),
                )
            }
        };
        refused += u64::from(judge(&sample, &damaged, &what).is_some());
    }
    assert!(
        refused * 2 > rounds,
        "only {refused} of {rounds} were noticed"
    );
}

#[test]
fn every_bit_of_the_journal_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::new(folder.path(), 0);
    let is_journal = |name: &&PathBuf| name.extension().is_some_and(|kind| kind == "jnl");
    let name = sample.now.keys().find(is_journal).unwrap().clone();
    let length = sample.now[&name].len();
    // Each bit of the last batches, where damage looks like an unfinished write.
    for bit in ((length - 1_500) * 8..length * 8).step_by(37) {
        let damaged = damaged(&sample, &name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let what = format!("bit {bit} of {}", length * 8);
        let refused = judge(&sample, &damaged, &what);
        assert!(
            refused.is_some_and(|why| why.contains(".jnl")),
            "{what} was served"
        );
    }
}

#[test]
fn a_file_that_is_gone_or_of_another_time_or_store_is_harmless_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| folder.path().join(name));
    let (sample, other) = (Sample::new(&ours, 0), Sample::new(&theirs, 100));
    for name in sample.now.keys() {
        let mut gone = sample.now.clone();
        gone.remove(name);
        judge(&sample, &gone, &format!("{} gone", name.display()));
        for (source, whose) in [
            (&sample.earlier, "of another time"),
            (&other.now, "of another store"),
            (&other.earlier, "of another store and time"),
        ] {
            let Some(bytes) = source.get(name) else {
                continue;
            };
            let damaged = damaged(&sample, name, |file| file.clone_from(bytes));
            judge(&sample, &damaged, &format!("{} {whose}", name.display()));
        }
    }
    for part in [
        "rows",
        "keys",
        "rows/keyspaces",
        "rows/keyspaces/1",
        "rows/keyspaces/2",
    ] {
        let mut gone = sample.now.clone();
        gone.retain(|name, _| !name.starts_with(part));
        let refused = judge(&sample, &gone, part);
        assert!(
            refused.is_some(),
            "{part} was gone, and something was served"
        );
        for (source, whose) in [(&sample.earlier, "earlier"), (&other.now, "another's")] {
            let mut swapped = gone.clone();
            let part_of = source.iter().filter(|(name, _)| name.starts_with(part));
            swapped.extend(part_of.map(|(name, bytes)| (name.clone(), bytes.clone())));
            judge(&sample, &swapped, &format!("{whose} {part}"));
        }
    }
}

#[test]
fn keys_that_are_away_are_not_made_anew_and_come_back_with_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::new(folder.path(), 0);
    let mut gone = sample.now.clone();
    gone.remove(Path::new("keys/person.keys"));
    let why = judge(&sample, &gone, "keys gone").unwrap();
    assert!(why.ends_with("keys/person.keys: it is missing"), "{why}");
    let name = Path::new("keys/person.keys");
    let shorter = damaged(&sample, name, |bytes| bytes.truncate(128 * 20));
    let why = judge(&sample, &shorter, "keys shorter").unwrap();
    assert!(why.contains("shorter"), "{why}");
}

#[test]
fn where_there_is_no_store_none_is_made_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("store");
    let refused = FjallStore::open(&at, &options()).err().unwrap();
    assert!(matches!(&refused, OpenError::Missing(path) if *path == at));
    assert!(!at.exists());
    let store = FjallStore::open(&at, &Options::default()).unwrap();
    commit(
        &store,
        Commit::default().put(Key::system(SystemPart::Tenant(1)), vec![1]),
    );
    drop(store);
    FjallStore::open(&at, &options()).unwrap();
}

/// A folder of a program that wrote no mark and no header.
#[test]
fn a_store_of_an_older_program_opens_and_is_guarded_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("store");
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/folders/unmarked");
    lay(&files(&old), &at);
    let store = FjallStore::open(&at, &options()).unwrap();
    let rows = everything(&store);
    assert_eq!(
        rows.iter().filter(|(key, _)| key.is_person_key()).count(),
        6
    );
    drop(store);
    assert!(at.join("acknowledged").exists());
    let store = FjallStore::open(&at, &options()).unwrap();
    assert!(everything(&store) == rows);
    live(&store, 60..70);
    let rows = everything(&store);
    drop(store);
    let sample = Sample {
        earlier: files(&old),
        now: files(&at),
        rows,
    };
    for name in sample.now.keys() {
        let Some(bytes) = sample.earlier.get(name) else {
            continue;
        };
        let damaged = damaged(&sample, name, |file| file.clone_from(bytes));
        judge(
            &sample,
            &damaged,
            &format!("{} as it was before", name.display()),
        );
    }
}
