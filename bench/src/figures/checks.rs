//! Checks at a set rate, each timed from the moment when it was due, whatever
//! came before it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tidegate_client::Decision;
use tidegate_wire::SessionToken;

use crate::node::{Addresses, client};

/// People who are checked again and again.
pub(crate) const CHECKED: usize = 2_000;

/// The outcome of checks.
pub(crate) struct Seen {
    /// Microseconds from due to answered, sorted.
    pub(crate) took_us: Vec<u64>,
    /// Not answered with yes.
    pub(crate) failed: u64,
}

impl Seen {
    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        let last = self.took_us.len().saturating_sub(1);
        let at = (last as f64 * quantile).round() as usize;
        self.took_us.get(at).map_or(0.0, |us| *us as f64 / 1000.0)
    }
}

/// Checks that go on, on a thread of their own, until they are stopped.
pub(crate) struct Checks {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Checks {
    pub(crate) fn start(dir: &Path, at: Addresses, tokens: &[SessionToken], per_s: u64) -> Checks {
        let stop = Arc::new(AtomicBool::new(false));
        let (dir, tokens) = (dir.to_owned(), tokens.to_vec());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(go_on(&dir, at, &tokens, per_s, &stopped))
        });
        Checks { stop, thread }
    }

    pub(crate) fn stop(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

async fn go_on(
    dir: &Path,
    at: Addresses,
    tokens: &[SessionToken],
    per_s: u64,
    stopped: &AtomicBool,
) -> Seen {
    let client = Arc::new(client(dir, at.quic, 1).unwrap());
    for token in tokens {
        let answer = client.check(token).await;
        assert!(matches!(answer, Ok(Decision::Yes(_))), "{answer:?}");
    }
    let took = Arc::new(Mutex::new((Vec::new(), 0)));
    let started = Instant::now();
    let mut sent = 0u64;
    while !stopped.load(Ordering::SeqCst) {
        let due_by_now = started.elapsed().as_micros() as u64 * per_s / 1_000_000;
        while sent < due_by_now {
            let due = started + Duration::from_micros(sent * 1_000_000 / per_s);
            let token = tokens[sent as usize % tokens.len()].clone();
            let (client, took) = (Arc::clone(&client), Arc::clone(&took));
            sent += 1;
            tokio::spawn(async move {
                let answer = client.check(&token).await;
                let us = due.elapsed().as_micros() as u64;
                let mut took = took.lock().unwrap();
                took.0.push(us);
                took.1 += u64::from(!matches!(answer, Ok(Decision::Yes(_))));
            });
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while (took.lock().unwrap().0.len() as u64) < sent {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut took = took.lock().unwrap();
    let mut took_us = std::mem::take(&mut took.0);
    took_us.sort_unstable();
    Seen {
        took_us,
        failed: took.1,
    }
}
