//! Kills a writing process at random moments, takes away what it had not
//! synced, and asks whether every acknowledged commit is still there.
//!
//! Killing alone proves nothing about syncing, because the page cache outlives
//! the process. So the child runs under a small preloaded library
//! (`tests/power/trace.c`) that writes down every write and every sync; after
//! the kill, [`power::cut`] undoes on disk whatever no returned sync covered:
//! written bytes and created files. Renames and removals are not undone.
//! The two wrong orders of writing and acknowledging must lose commits here.
//!
//! `TIDEGATE_KILLS=200` kills as often in each of four stores; the gate does 50.

mod power;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tidegate_storage_api::{Commit, Key, PersonPart, Region, Slot, Store};

use crate::store::{FjallStore, Options};
use crate::writer::SyncOrder;

const FOLDER: &str = "TIDEGATE_CRASH_FOLDER";
const ORDER: &str = "TIDEGATE_CRASH_ORDER";
const FIRST: &str = "TIDEGATE_CRASH_FIRST";
const IN_THE_GATE: u64 = 50;
/// Commits that one child has under way at once.
const WIDTH: u64 = 8;

fn row(number: u64) -> Key {
    let mut user = [0; 16];
    user[8..].copy_from_slice(&number.to_be_bytes());
    Key::person(
        Region::FIRST,
        Slot::new(1).unwrap(),
        &user,
        PersonPart::Record,
    )
}

fn person_key(number: u64) -> Key {
    let mut user = [0; 16];
    user[8..].copy_from_slice(&number.to_be_bytes());
    Key::person_key(Region::FIRST, Slot::new(1).unwrap(), &user)
}

fn value(number: u64) -> Vec<u8> {
    let fill = number.to_le_bytes();
    fill.iter().copied().cycle().take(600).collect()
}

fn wrapped(number: u64) -> Vec<u8> {
    value(number)[..72].to_vec()
}

/// The child: commits row after row and says of each when it is acknowledged.
/// As a test of the suite, without the variables, it has nothing to do.
#[test]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let order = match std::env::var(ORDER).as_deref() {
        Ok("never") => SyncOrder::NeverSync,
        Ok("late") => SyncOrder::AcknowledgeThenSync,
        _ => SyncOrder::SyncThenAcknowledge,
    };
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let store = FjallStore::open_with(Path::new(&folder), &Options::default(), order).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for group in 0.. {
        let numbers = (0..WIDTH).map(|n| first + group * WIDTH + n);
        let commits: Vec<_> = numbers
            .map(|n| {
                let mut commit = Commit::default().put(row(n), value(n));
                if n.is_multiple_of(4) {
                    commit = commit.put(person_key(n), wrapped(n));
                }
                (n, store.commit(commit))
            })
            .collect();
        for (n, commit) in commits {
            runtime.block_on(commit).unwrap();
            println!("acknowledged {n}");
        }
    }
}

/// A small generator with a fixed seed: when to kill, what a torn write keeps.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

struct World {
    folder: tempfile::TempDir,
    library: PathBuf,
    dice: Dice,
    next: u64,
    acknowledged: Vec<u64>,
}

impl World {
    fn new(seed: u64) -> World {
        let folder = tempfile::tempdir_in(scratch()).unwrap();
        std::fs::create_dir(folder.path().join("store")).unwrap();
        let library = power::build_library(folder.path());
        World {
            folder,
            library,
            dice: Dice(seed),
            next: 0,
            acknowledged: Vec::new(),
        }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Runs a child until it has acknowledged a random number of commits,
    /// kills it, and cuts the power.
    fn round(&mut self, order: &str) {
        let log = self.folder.path().join("trace.log");
        let before = power::Before::of(&self.store());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "crash_tests::child",
                "--exact",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(FOLDER, self.store())
            .env(ORDER, order)
            .env(FIRST, self.next.to_string())
            .env("LD_PRELOAD", &self.library)
            .env("TRACE_FOLDER", self.store())
            .env("TRACE_LOG", &log)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut wanted = 1 + self.dice.roll(40);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // After the kill the pipe still holds acknowledgements already given.
        while let Some(Ok(line)) = lines.next() {
            // The test harness leaves "test crash_tests::child ... " on the first line.
            let Some((_, number)) = line.split_once("acknowledged ") else {
                continue;
            };
            let number = number.parse().unwrap();
            self.acknowledged.push(number);
            self.next = self.next.max(number + WIDTH + 1);
            wanted = wanted.saturating_sub(1);
            if wanted == 0 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert_eq!(wanted, 0, "the child ended by itself");
        self.next += WIDTH;
        power::cut(&log, &before, &mut |sides| self.dice.roll(sides));
        std::fs::remove_file(log).unwrap();
    }

    /// The acknowledged commits that are not there any more, or a store that
    /// does not open at all, which counts as everything lost.
    fn lost(&self) -> usize {
        let store = match FjallStore::open(&self.store(), &Options::default()) {
            Ok(store) => store,
            Err(error) => {
                println!("does not open: {error}");
                return self.acknowledged.len();
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let is_lost = |n: &&u64| {
            let found = runtime.block_on(store.get(row(**n)));
            let key = runtime.block_on(store.get(person_key(**n)));
            let expected_key = n.is_multiple_of(4).then(|| wrapped(**n).into());
            found != Ok(Some(value(**n).into())) || key != Ok(expected_key)
        };
        self.acknowledged.iter().filter(is_lost).count()
    }
}

fn rounds_until_loss(order: &str, rounds: u64, seed: u64) -> Option<u64> {
    let mut world = World::new(seed);
    (1..=rounds).find(|_| {
        world.round(order);
        world.lost() > 0
    })
}

/// Kills with the power cut, one after the other on one store. A store of its own
/// for each of several tests, so that all cores have something to do, and because
/// each round asks for everything that any round before it acknowledged.
fn nothing_is_lost(seed: u64) {
    let rounds = std::env::var("TIDEGATE_KILLS");
    let rounds = rounds.map_or(IN_THE_GATE, |rounds| rounds.parse().unwrap());
    let mut world = World::new(seed);
    for round in 1..=rounds {
        world.round("right");
        assert_eq!(world.lost(), 0, "seed {seed}, round {round}");
    }
    assert!(world.acknowledged.len() as u64 >= rounds);
}

#[test]
fn no_acknowledged_commit_of_a_first_store_is_lost_in_kills_with_the_power_cut() {
    nothing_is_lost(1);
}

#[test]
fn no_acknowledged_commit_of_a_second_store_is_lost_in_kills_with_the_power_cut() {
    nothing_is_lost(4);
}

#[test]
fn no_acknowledged_commit_of_a_third_store_is_lost_in_kills_with_the_power_cut() {
    nothing_is_lost(5);
}

#[test]
fn no_acknowledged_commit_of_a_fourth_store_is_lost_in_kills_with_the_power_cut() {
    nothing_is_lost(6);
}

#[test]
fn a_writer_that_does_not_sync_is_caught() {
    assert!(rounds_until_loss("never", 20, 2).is_some());
}

#[test]
fn a_writer_that_acknowledges_before_the_sync_is_caught() {
    assert!(rounds_until_loss("late", 60, 3).is_some());
}

/// A folder beside the test program: on the disk that holds the build, where
/// syncs are real, while the system's temporary folder can be memory.
fn scratch() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.parent().unwrap().to_owned()
}
