//! Processes that get only a part of their time, and cores that are busy with
//! something else: what is slow, and not away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Threads that run until this is dropped.
struct Threads {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Threads {
    fn begin(count: usize, work: impl Fn(&AtomicBool) + Clone + Send + 'static) -> Threads {
        let over = Arc::new(AtomicBool::new(false));
        let one = |_| {
            let (over, work) = (Arc::clone(&over), work.clone());
            spawn(move || work(&over))
        };
        Threads {
            threads: (0..count).map(one).collect(),
            over,
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // One that panicked does nothing any more.
            let _ = thread.join();
        }
    }
}

/// Threads that only compute, beside everything else.
pub(crate) struct Busy {
    _threads: Threads,
}

impl Busy {
    pub(crate) fn begin(threads: usize) -> Busy {
        let compute = |over: &AtomicBool| {
            while !over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        };
        Busy {
            _threads: Threads::begin(threads, compute),
        }
    }
}

/// When a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Duty {
    runs: Duration,
    stands: Duration,
}

impl Duty {
    /// So many times as slow. The timers of the machine are no finer than a
    /// part of a millisecond, so a very slow process stands for longer.
    fn of(times: u32) -> Duty {
        let period = match times {
            0..=100 => Duration::from_millis(100),
            _ => Duration::from_secs(1),
        };
        let runs = period / times.max(1);
        Duty {
            runs,
            stands: period.saturating_sub(runs),
        }
    }
}

/// A process that stands still most of the time (SIGSTOP, SIGCONT).
pub(crate) struct Slowed {
    threads: Threads,
}

impl Slowed {
    pub(crate) fn begin(process: Pid, times: u32) -> Slowed {
        let duty = Duty::of(times);
        let threads = Threads::begin(1, move |over| {
            while !over.load(Ordering::Relaxed) {
                if kill_process(process, Signal::STOP).is_err() {
                    // It has ended, which others notice.
                    return;
                }
                sleep(duty.stands);
                // The same.
                let _ = kill_process(process, Signal::CONT);
                sleep(duty.runs);
            }
        });
        Slowed { threads }
    }

    /// It has all of its time again when this ends.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        let threads = self.threads;
        Ok(tokio::task::spawn_blocking(move || drop(threads)).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_gets_its_part_of_the_time() {
        let ms = Duration::from_millis;
        let duty = |times| {
            let duty = Duty::of(times);
            (duty.runs, duty.stands)
        };
        assert_eq!(duty(1), (ms(100), ms(0)));
        assert_eq!(duty(10), (ms(10), ms(90)));
        assert_eq!(duty(100), (ms(1), ms(99)));
        assert_eq!(duty(500), (ms(2), ms(998)));
    }
}
