//! Whom identifiers belong to, as far as it was met here lately: for sign-ins
//! while the store is out of reach.
//!
//! Two generations, each a map that is filled once: when the younger is full,
//! it becomes the older, and what was not asked for since is forgotten.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::FixedState;
use tidegate_account::{IndexHash, UserId};

pub(crate) struct Lookups {
    of_each: usize,
    generations: Mutex<Generations>,
}

/// By the first half of the keyed hash: no attacker can make two of them meet.
type Generation = HashMap<[u8; 16], UserId, FixedState>;

fn key_of(hash: &IndexHash) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&hash.0[..16]);
    key
}

struct Generations {
    young: Generation,
    old: Generation,
}

impl Lookups {
    /// Remembers at least half of so many, and never more.
    pub(crate) fn new(identifiers: usize) -> Lookups {
        // Keyed hashes are random already.
        let generation = || HashMap::with_hasher(FixedState::default());
        Lookups {
            of_each: identifiers / 2,
            generations: Mutex::new(Generations {
                young: generation(),
                old: generation(),
            }),
        }
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remember(&self, hash: &IndexHash, user: UserId) {
        let mut generations = self.generations();
        if self.of_each == 0 {
            return;
        }
        generations.young.insert(key_of(hash), user);
        if generations.young.len() >= self.of_each {
            let young = std::mem::take(&mut generations.young);
            generations.old = young;
        }
    }

    pub(crate) fn forget(&self, hash: &IndexHash) {
        let mut generations = self.generations();
        generations.young.remove(&key_of(hash));
        generations.old.remove(&key_of(hash));
    }

    pub(crate) fn recall(&self, hash: &IndexHash) -> Option<UserId> {
        let generations = self.generations();
        let young = generations.young.get(&key_of(hash));
        young
            .or_else(|| generations.old.get(&key_of(hash)))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_remembered_and_the_rest_is_forgotten_in_time() {
        let lookups = Lookups::new(8);
        let hash = |number: u8| IndexHash([number; 32]);
        let user = |number: u8| UserId::from_bytes([number; 16]);
        for number in 0..100 {
            lookups.remember(&hash(number), user(number));
            lookups.remember(&hash(200), user(200));
        }
        assert_eq!(lookups.recall(&hash(200)), Some(user(200)));
        assert_eq!(lookups.recall(&hash(99)), Some(user(99)));
        assert_eq!(lookups.recall(&hash(50)), None);
        lookups.forget(&hash(200));
        assert_eq!(lookups.recall(&hash(200)), None);
        let nothing = Lookups::new(0);
        nothing.remember(&hash(1), user(1));
        assert_eq!(nothing.recall(&hash(1)), None);
    }
}
