//! Raw Argon2id with the default cost.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::machine::{Side, pin};
use crate::summary::Summary;

const TURN: Duration = Duration::from_secs(2);
const TURNS: usize = 3;

/// Hashes a second of one core, and of all at once.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Hashing {
    one_core_per_s: Summary,
    pub(crate) all_cores_per_s: Summary,
}

/// Hashes on this thread for a while; how many a second.
pub(crate) fn on_this_thread(time: Duration) -> anyhow::Result<f64> {
    let params = argon2::Params::new(19_456, 2, 1, Some(32));
    let params = params.map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut memory = vec![argon2::Block::default(); params.block_count()];
    let version = argon2::Version::V0x13;
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, version, params);
    let (started, mut count, mut output) = (Instant::now(), 0u32, [0; 32]);
    while started.elapsed() < time {
        let hashed =
            argon2.hash_password_into_with_memory(b"horse", &[7; 16], &mut output, &mut memory);
        hashed.map_err(|error| anyhow::anyhow!("{error}"))?;
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

pub(crate) fn measure() -> anyhow::Result<Hashing> {
    let (mut one, mut all) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        one.push(on_this_thread(TURN)?);
        all.push(on_all_cores(TURN)?);
    }
    Ok(Hashing {
        one_core_per_s: Summary::of(one),
        all_cores_per_s: Summary::of(all),
    })
}

pub(crate) fn on_all_cores(time: Duration) -> anyhow::Result<f64> {
    pin(Side::Either);
    let cores = std::thread::available_parallelism()?.get();
    let threads = (0..cores).map(|_| std::thread::spawn(move || on_this_thread(time)));
    let threads: Vec<_> = threads.collect();
    pin(Side::Generator);
    let mut sum = 0.0;
    for thread in threads {
        let joined = thread.join();
        sum += joined.map_err(|_| anyhow::anyhow!("a thread panicked"))??;
    }
    Ok(sum)
}

impl Hashing {
    pub(super) fn print(&self) {
        say!(
            "Argon2id (19 MiB, t=2): {:.1}/s on one core, {:.1}/s on all",
            self.one_core_per_s.median,
            self.all_cores_per_s.median
        );
    }
}
