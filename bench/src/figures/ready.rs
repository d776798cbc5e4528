//! From `serve` to ready, with people on disk.

use std::path::Path;
use std::time::Instant;

use tidegate_storage_api::{Commit, Key, PersonPart, Region, Slot, Store};
use tidegate_storage_fjall::FjallStore;

use super::median;
use crate::node::{init, serve};

const TURNS: usize = 5;

async fn populate(dir: &Path, people: u64) {
    let store = FjallStore::open(&dir.join("store"), &Default::default()).unwrap();
    let started = Instant::now();
    for first in (0..people).step_by(500) {
        let mut commit = Commit::default();
        for number in first..(first + 500).min(people) {
            let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut user = [0; 16];
            user[3..11].copy_from_slice(&mixed.to_be_bytes());
            let slot = Slot::new(u16::try_from(mixed >> 52).unwrap()).unwrap();
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&mixed.rotate_left(17).to_be_bytes());
            let record = Key::person(Region::FIRST, slot, &user, PersonPart::Record);
            let profile = Key::person(
                Region::FIRST,
                slot,
                &user,
                PersonPart::Cold {
                    kind: 0x10,
                    number: 0,
                },
            );
            commit = commit
                .put(record, vec![1; 700])
                .put(profile, vec![2; 100])
                .put(Key::person_key(Region::FIRST, slot, &user), vec![3; 72])
                .put(Key::identifier(Region::FIRST, &hash), vec![4; 30]);
        }
        store.commit(commit).await.unwrap();
    }
    say!(
        "{people} people written in {:.1} s",
        started.elapsed().as_secs_f64()
    );
}

pub(crate) async fn ready(people: u64) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let dir = init(folder.path(), &[]).unwrap();
    let mut empty = Vec::new();
    for _ in 0..TURNS {
        empty.push(serve(&dir).unwrap().ready_in.as_secs_f64() * 1000.0);
    }
    populate(&dir, people).await;
    let mut full = Vec::new();
    for _ in 0..TURNS {
        full.push(serve(&dir).unwrap().ready_in.as_secs_f64() * 1000.0);
    }
    for (name, values) in [("no people", empty), ("all people", full)] {
        let (least, middle, most) = median(values);
        say!("ready with {name:10} median {middle:7.1} ms   ({least:.1} to {most:.1})");
    }
}
