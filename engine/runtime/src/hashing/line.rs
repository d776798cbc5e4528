//! Who waits for hashing, and who is told to come again: no threads, no clock.

use std::collections::VecDeque;

use super::HashingOptions;
use super::turns::Turns;
use crate::ports::{HashDone, HashJob, HashWork};

/// A bounded line of work. Comparisons go first: a sign-in comes before a
/// sign-up. Times are microseconds of one clock, that of
/// [`Clock::monotonic_us`](crate::ports::Clock::monotonic_us).
pub struct HashingLine {
    comparisons: VecDeque<(HashJob, HashDone)>,
    others: VecDeque<(HashJob, HashDone)>,
    turns: Turns,
    waiting_max: usize,
    threads: u64,
    /// How long a job takes lately.
    job_us: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Comparison,
    Other,
}

fn rank_of(work: &HashWork) -> Rank {
    match work {
        HashWork::Verify { .. } | HashWork::Pretend { .. } => Rank::Comparison,
        HashWork::Hash { .. } => Rank::Other,
    }
}

impl HashingLine {
    /// An empty line.
    #[must_use]
    pub fn new(options: HashingOptions) -> HashingLine {
        HashingLine {
            comparisons: VecDeque::new(),
            others: VecDeque::new(),
            turns: Turns::default(),
            waiting_max: options.waiting_max,
            threads: options.threads.max(1) as u64,
            job_us: 0,
        }
    }

    /// Takes a job up: there is room for one of its rank, and its turn comes
    /// before its deadline.
    ///
    /// # Errors
    /// Whom to tell, and in how many milliseconds to come again.
    pub fn enter(
        &mut self,
        now_us: u64,
        job: HashJob,
        done: HashDone,
    ) -> Result<(), (HashDone, u32)> {
        let rank = rank_of(&job.work);
        let room = match rank {
            Rank::Comparison => self.waiting_max,
            Rank::Other => self.waiting_max.div_ceil(2),
        };
        let wait_us = (self.ahead(rank) as u64 + 1) * self.piece_us();
        let in_time = (now_us / 1000).saturating_add(wait_us / 1000) <= job.deadline_ms;
        if self.waiting() >= room || !in_time {
            return Err((done, self.turns.give(now_us, wait_us, self.piece_us())));
        }
        match rank {
            Rank::Comparison => self.comparisons.push_back((job, done)),
            Rank::Other => self.others.push_back((job, done)),
        }
        Ok(())
    }

    /// The next job.
    pub fn take(&mut self) -> Option<(HashJob, HashDone)> {
        let first = self.comparisons.pop_front();
        first.or_else(|| self.others.pop_front())
    }

    /// Learns how long a job took: an average that a few odd jobs do not move
    /// much.
    pub fn took(&mut self, us: u64) {
        self.job_us = match self.job_us {
            0 => us,
            old => (old * 7 + us) / 8,
        };
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.comparisons.len() + self.others.len()
    }

    /// Gives back all that waits.
    pub fn clear(&mut self) -> Vec<(HashJob, HashDone)> {
        let others = std::mem::take(&mut self.others);
        self.comparisons.drain(..).chain(others).collect()
    }

    /// How many would be done before one of this rank.
    fn ahead(&self, rank: Rank) -> usize {
        match rank {
            Rank::Comparison => self.comparisons.len(),
            Rank::Other => self.waiting(),
        }
    }

    /// From one piece of work done to the next, all threads together.
    fn piece_us(&self) -> u64 {
        self.job_us / self.threads
    }
}
