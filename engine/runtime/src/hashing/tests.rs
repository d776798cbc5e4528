use std::sync::mpsc;

use tidegate_account::{Password, PasswordPolicy};

use super::peppers::argon2id;
use super::*;
use crate::system::SystemClock;

const COST: PasswordPolicy = PasswordPolicy {
    memory_kib: 64,
    passes: 1,
    lanes: 1,
    pepper_key: 1,
    min_chars: 8,
};

fn pool(waiting_max: usize) -> HashingPool {
    let options = HashingOptions {
        threads: 1,
        waiting_max,
    };
    let peppers = Peppers::default();
    peppers.add(1, Key::new([7; 32]));
    peppers.add(2, Key::new([8; 32]));
    HashingPool::start(options, Arc::new(peppers), Arc::new(SystemClock::new())).unwrap()
}

fn ask(pool: &HashingPool, work: HashWork, deadline_ms: u64) -> Completion {
    let (done, told) = mpsc::channel();
    let job = HashJob { work, deadline_ms };
    pool.hash(
        job,
        HashDone::new(move |completion| done.send(completion).unwrap()),
    );
    told.recv().unwrap()
}

fn hash(pool: &HashingPool, policy: PasswordPolicy) -> Completion {
    let work = HashWork::Hash {
        password: Password::parse("correct horse").unwrap(),
        salt: [3; 16],
        policy,
    };
    ask(pool, work, u64::MAX)
}

fn hashed(pool: &HashingPool) -> PasswordHash {
    match hash(pool, COST) {
        Completion::Hashed(hash) => hash,
        other => panic!("{other:?}"),
    }
}

fn verify(pool: &HashingPool, password: &str, stored: PasswordHash) -> Completion {
    let password = Password::parse(password).unwrap();
    ask(pool, HashWork::Verify { password, stored }, u64::MAX)
}

#[test]
fn a_password_matches_its_own_hash_and_no_other() {
    let pool = pool(10);
    let stored = hashed(&pool);
    let right = verify(&pool, "correct horse", stored.clone());
    assert!(matches!(right, Completion::Verified(PasswordCheck::Match)));
    let wrong = verify(&pool, "correct Horse", stored);
    assert!(matches!(
        wrong,
        Completion::Verified(PasswordCheck::Mismatch)
    ));
}

#[test]
fn what_is_stored_is_not_the_bare_output_and_opens_under_its_own_pepper_alone() {
    let pool = pool(10);
    let stored = hashed(&pool);
    let password = Password::parse("correct horse").unwrap();
    let bare = argon2id(&password, &stored, &mut Vec::new()).unwrap();
    assert_ne!(&stored.output[..32], bare.expose());
    for change in [2, 9] {
        let mut other = stored.clone();
        other.pepper_key = change;
        let refused = verify(&pool, "correct horse", other);
        assert!(matches!(refused, Completion::Refused { .. }));
    }
    let mut salted = stored;
    salted.salt = [4; 16];
    let refused = verify(&pool, "correct horse", salted);
    assert!(matches!(refused, Completion::Refused { .. }));
}

#[test]
fn costs_out_of_range_are_refused_and_the_thread_goes_on() {
    let pool = pool(10);
    let impossible = PasswordPolicy { lanes: 0, ..COST };
    assert!(matches!(
        hash(&pool, impossible),
        Completion::Refused { .. }
    ));
    hashed(&pool);
}

#[test]
fn work_without_room_or_past_its_deadline_is_refused() {
    assert!(matches!(hash(&pool(0), COST), Completion::Refused { .. }));
    let work = HashWork::Pretend {
        password: Password::parse("correct horse").unwrap(),
        policy: PasswordPolicy {
            memory_kib: 4_096,
            ..COST
        },
    };
    let pool = pool(10);
    // The clock starts with the pool: wait until it has moved by real work.
    while pool.shared.clock.monotonic_ms() == 0 {
        hashed(&pool);
    }
    assert!(matches!(ask(&pool, work, 0), Completion::Refused { .. }));
}

#[test]
fn done_that_is_dropped_untold_refuses() {
    let (done, told) = mpsc::channel();
    drop(HashDone::new(move |completion| {
        done.send(completion).unwrap()
    }));
    assert!(matches!(told.recv(), Ok(Completion::Refused { .. })));
}
