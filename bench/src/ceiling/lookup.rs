//! A bare look-up in a map of people and a comparison in constant time.

use std::time::{Duration, Instant};

use constant_time_eq::constant_time_eq_32;
use dashmap::DashMap;
use foldhash::fast::FixedState;
use serde::Serialize;

use crate::random::Random;

const TURN: Duration = Duration::from_secs(2);
/// As the directory has.
const SHARDS: usize = 4_096;

/// On one core.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Lookup {
    people: usize,
    ns: f64,
    /// Reads of one cache line each at random places of this many MiB.
    memory_mib: usize,
    memory_ns: f64,
}

fn user(random: &mut Random) -> [u8; 16] {
    random.key()
}

pub(crate) fn measure(people: usize) -> Lookup {
    let map = DashMap::with_hasher_and_shard_amount(FixedState::with_seed(7), SHARDS);
    let mut random = Random::new(1);
    let users: Vec<_> = (0..people.max(1)).map(|_| user(&mut random)).collect();
    for user in &users {
        map.insert(*user, [user[0]; 32]);
    }
    let timed = |mut once: Box<dyn FnMut() -> u64 + '_>| {
        let (started, mut count, mut sum) = (Instant::now(), 0u64, 0);
        while started.elapsed() < TURN {
            for _ in 0..1_000 {
                sum += once();
            }
            count += 1_000;
        }
        std::hint::black_box(sum);
        started.elapsed().as_secs_f64() * 1e9 / count as f64
    };
    let mut draws = Random::new(2);
    let ns = timed(Box::new(|| {
        let user = &users[draws.below(users.len())];
        let found = map.get(user);
        let same = |found: &[u8; 32]| constant_time_eq_32(found, &[user[0]; 32]);
        found.map_or(0, |found| u64::from(same(&found)))
    }));
    let lines: Vec<[u64; 8]> = vec![[1; 8]; 256 << 14];
    let mut draws = Random::new(3);
    let memory_ns = timed(Box::new(|| lines[draws.below(lines.len())][0]));
    Lookup {
        people,
        ns,
        memory_mib: lines.len() >> 14,
        memory_ns,
    }
}

impl Lookup {
    pub(super) fn print(&self) {
        say!(
            "map look-up and compare among {} people: {:.0} ns; one line of {} MiB: {:.0} ns",
            self.people,
            self.ns,
            self.memory_mib,
            self.memory_ns
        );
    }
}
