//! What others did on this machine while we rested: figures of a busy host are
//! worth little, and nothing in them says so.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::machine::{Glance, Side, pin};

const WATCHED: Duration = Duration::from_secs(3);
/// What a watcher works before it rests, and how long it rests.
const WORK: Duration = Duration::from_micros(400);
const REST: Duration = Duration::from_micros(300);
/// A sleep ends this much late when nothing is in its way: the timer's slack,
/// and waking.
const WAKE_US: u64 = 100;
/// Time is lost in gaps that are longer.
const GAP: Duration = Duration::from_millis(1);

/// Of what a quiet machine stays below.
const OTHERS_CORES_MAX: f64 = 0.10;
const WAKE_P99_MAX_US: u64 = 200;
const LOST_MAX_PERCENT: f64 = 0.5;
const LONGEST_MAX_MS: f64 = 20.0;
/// A quiet machine takes 30 to 70 µs to wake a thread.
const ENDPOINT_WAKE_MAX_US: f64 = 150.0;

/// What was seen of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Noise {
    /// Cores in use by others, or taken by the machine's owner.
    pub(super) others_cores: f64,
    /// How late sleeps ended, beyond what every sleep is.
    pub(super) wake_p50_us: u64,
    pub(super) wake_p99_us: u64,
    /// The longest time for which a thread that only reads the clock did not run.
    pub(super) longest_ms: f64,
    /// Of its time: in gaps of more than a millisecond.
    pub(super) lost_percent: f64,
}

/// Noise, and why it is too much.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Judged {
    #[serde(flatten)]
    noise: Noise,
    pub(super) why: Vec<String>,
}

impl Noise {
    /// Watches both sides' cores for three seconds.
    pub(super) fn measure() -> anyhow::Result<Noise> {
        let own = std::process::id();
        let (before, own_before) = (busy_cs()?, Glance::of(own).cpu_cs);
        let watches = [Side::Server, Side::Generator].map(|side| {
            std::thread::spawn(move || {
                pin(side);
                watch()
            })
        });
        let mut seen = Seen::default();
        for watch in watches {
            let watched = watch.join();
            seen.add(watched.map_err(|_| anyhow::anyhow!("a thread panicked"))?);
        }
        let busy = busy_cs()?.saturating_sub(before);
        let ours = Glance::of(own).cpu_cs.saturating_sub(own_before);
        let others_s = busy.saturating_sub(ours) as f64 / 100.0;
        Ok(seen.noise(others_s / WATCHED.as_secs_f64()))
    }

    /// The worse of two, in each respect.
    pub(super) fn or_worse(self, other: Noise) -> Noise {
        Noise {
            others_cores: self.others_cores.max(other.others_cores),
            wake_p50_us: self.wake_p50_us.max(other.wake_p50_us),
            wake_p99_us: self.wake_p99_us.max(other.wake_p99_us),
            longest_ms: self.longest_ms.max(other.longest_ms),
            lost_percent: self.lost_percent.max(other.lost_percent),
        }
    }

    /// With why it is too much; nothing of a quiet machine.
    pub(super) fn judged(self, endpoint_wake_us: Option<f64>) -> Judged {
        let mut why = Vec::new();
        if self.others_cores > OTHERS_CORES_MAX {
            why.push(format!("others use {:.2} cores", self.others_cores));
        }
        if self.wake_p99_us > WAKE_P99_MAX_US {
            why.push(format!(
                "one sleep in a hundred ends {} us late",
                self.wake_p99_us
            ));
        }
        if self.lost_percent > LOST_MAX_PERCENT {
            why.push(format!("{:.1}% of the time is lost", self.lost_percent));
        }
        if self.longest_ms > LONGEST_MAX_MS {
            why.push(format!("a core was away for {:.0} ms", self.longest_ms));
        }
        if let Some(us) = endpoint_wake_us.filter(|us| *us > ENDPOINT_WAKE_MAX_US) {
            why.push(format!(
                "a wake-up costs {us:.0} us, on a quiet machine 30 to 70"
            ));
        }
        Judged { noise: self, why }
    }
}

/// What watchers saw.
#[derive(Default)]
struct Seen {
    late_us: Vec<u64>,
    longest: Duration,
    lost: Duration,
    watched: Duration,
}

impl Seen {
    fn add(&mut self, other: Seen) {
        self.late_us.extend(other.late_us);
        self.longest = self.longest.max(other.longest);
        self.lost += other.lost;
        self.watched += other.watched;
    }

    fn saw(&mut self, gap: Duration) {
        self.longest = self.longest.max(gap);
        if gap > GAP {
            self.lost += gap;
        }
    }

    fn noise(mut self, others_cores: f64) -> Noise {
        self.late_us.sort_unstable();
        let count = self.late_us.len();
        let at = |percent: usize| {
            let rank = (count * percent / 100).min(count.saturating_sub(1));
            self.late_us.get(rank).copied().unwrap_or(0)
        };
        let watched_s = self.watched.as_secs_f64().max(1e-9);
        Noise {
            others_cores,
            wake_p50_us: at(50),
            wake_p99_us: at(99),
            longest_ms: self.longest.as_secs_f64() * 1e3,
            lost_percent: self.lost.as_secs_f64() * 100.0 / watched_s,
        }
    }
}

/// Reads the clock, and rests in between, as a node below saturation does.
fn watch() -> Seen {
    let began = Instant::now();
    let (mut last, mut rested, mut seen) = (began, began, Seen::default());
    while last - began < WATCHED {
        let now = Instant::now();
        seen.saw(now - last);
        last = now;
        if last - rested >= WORK {
            std::thread::sleep(REST);
            rested = Instant::now();
            let late = (rested - last).saturating_sub(REST + Duration::from_micros(WAKE_US));
            seen.saw(late);
            let us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
            seen.late_us.push(us);
            last = rested;
        }
    }
    seen.watched = last - began;
    seen
}

/// Hundredths of a second that all cores have worked so far, for any process.
fn busy_cs() -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    parsed(&stat).ok_or_else(|| anyhow::anyhow!("/proc/stat cannot be read"))
}

/// User, nice, system, interrupts of both kinds and what was stolen; neither
/// rest nor waiting for a disk.
fn parsed(stat: &str) -> Option<u64> {
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let times: Vec<u64> = all
        .split_whitespace()
        .map(|time| time.parse().ok())
        .collect::<Option<_>>()?;
    let &[
        user,
        nice,
        system,
        _idle,
        _waiting,
        interrupts,
        softly,
        stolen,
        ..,
    ] = times.as_slice()
    else {
        return None;
    };
    Some(user + nice + system + interrupts + softly + stolen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_says_why_it_is_and_a_quiet_one_nothing() {
        let quiet = Noise {
            others_cores: 0.10,
            wake_p50_us: 9,
            wake_p99_us: 200,
            longest_ms: 20.0,
            lost_percent: 0.5,
        };
        assert_eq!(quiet.judged(Some(53.0)).why, [""; 0]);
        let busy = Noise {
            others_cores: 0.82,
            wake_p50_us: 40,
            wake_p99_us: 390,
            longest_ms: 101.0,
            lost_percent: 1.4,
        };
        let expected = [
            "others use 0.82 cores",
            "one sleep in a hundred ends 390 us late",
            "1.4% of the time is lost",
            "a core was away for 101 ms",
            "a wake-up costs 390 us, on a quiet machine 30 to 70",
        ];
        assert_eq!(busy.judged(Some(390.0)).why, expected);
        assert_eq!(busy.judged(None).why, expected[..4]);
        assert_eq!(quiet.or_worse(busy), busy);
        assert_eq!(busy.or_worse(quiet), busy);
    }

    #[test]
    fn what_watchers_saw_becomes_quantiles_and_shares() {
        let mut seen = Seen {
            late_us: (0..50).collect(),
            watched: Duration::from_secs(1),
            ..Seen::default()
        };
        seen.saw(Duration::from_micros(900));
        seen.saw(Duration::from_millis(5));
        seen.add(Seen {
            late_us: (50..100).collect(),
            watched: Duration::from_secs(1),
            ..Seen::default()
        });
        let noise = seen.noise(0.25);
        assert_eq!((noise.wake_p50_us, noise.wake_p99_us), (50, 99));
        assert_eq!((noise.longest_ms, noise.others_cores), (5.0, 0.25));
        assert!((noise.lost_percent - 0.25).abs() < 1e-9, "{noise:?}");
    }

    #[test]
    fn work_is_told_from_rest_in_what_the_kernel_says() {
        let stat = "cpu  100 20 30 4000 50 6 7 8 0 0\ncpu0 50 10 15 2000 25 3 3 4 0 0\n";
        assert_eq!(parsed(stat), Some(171));
        assert_eq!(parsed("cpu  1 2 3\n"), None);
        assert_eq!(parsed("cpu0 1 2 3 4 5 6 7 8\n"), None);
        assert_eq!(parsed("cpu  1 2 x 4 5 6 7 8\n"), None);
    }
}
