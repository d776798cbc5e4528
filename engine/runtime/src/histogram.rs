//! Histograms with fixed buckets, a stripe per thread: recording is two relaxed
//! additions on a line that no other thread writes. (The usual exporter keeps
//! every sample until it is read: 315 MiB for 20 million.)

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Upper bounds, in microseconds; one more bucket takes the rest.
const BOUNDS_US: [u64; 18] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000,
    500_000, 1_000_000, 2_500_000, 10_000_000,
];
const BUCKETS: usize = BOUNDS_US.len() + 1;
const STRIPES: usize = 16;

/// One thread's counts, alone on its cache lines.
#[repr(align(128))]
#[derive(Default)]
struct Stripe {
    buckets: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

/// A histogram of durations. Cheap to clone.
#[derive(Clone)]
pub struct Histogram(Arc<Cells>);

struct Cells {
    name: &'static str,
    meaning: &'static str,
    /// As in the text format, without braces: `class="check"`.
    labels: String,
    stripes: [Stripe; STRIPES],
}

static ALL: OnceLock<Mutex<Vec<Histogram>>> = OnceLock::new();

fn all() -> &'static Mutex<Vec<Histogram>> {
    ALL.get_or_init(Mutex::default)
}

fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    MINE.with(|mine| *mine)
}

impl Histogram {
    /// The histogram of this name and these labels, which every caller shares.
    /// Not for a hot path: resolve once, and keep it.
    #[must_use]
    pub fn new(name: &'static str, meaning: &'static str, labels: &str) -> Histogram {
        let mut all = all().lock().unwrap_or_else(PoisonError::into_inner);
        let known = all
            .iter()
            .find(|one| one.0.name == name && one.0.labels == labels);
        if let Some(known) = known {
            return known.clone();
        }
        let histogram = Histogram(Arc::new(Cells {
            name,
            meaning,
            labels: labels.to_owned(),
            stripes: Default::default(),
        }));
        all.push(histogram.clone());
        histogram
    }

    /// Counts one duration.
    pub fn record_us(&self, us: u64) {
        self.record_many_us(us, 1);
    }

    /// Counts so many of the same duration.
    pub fn record_many_us(&self, us: u64, count: u64) {
        let stripe = &self.0.stripes[stripe()];
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        stripe.buckets[bucket].fetch_add(count, Ordering::Relaxed);
        stripe.sum_us.fetch_add(us * count, Ordering::Relaxed);
    }

    fn render(&self, out: &mut String) {
        let sum = |read: &dyn Fn(&Stripe) -> u64| self.0.stripes.iter().map(read).sum::<u64>();
        let (name, labels) = (self.0.name, &self.0.labels);
        let comma = if labels.is_empty() { "" } else { "," };
        let mut count = 0;
        for bucket in 0..BUCKETS {
            count += sum(&|stripe| stripe.buckets[bucket].load(Ordering::Relaxed));
            let bound = match BOUNDS_US.get(bucket) {
                Some(bound) => seconds(*bound),
                None => "+Inf".to_owned(),
            };
            let _ = writeln!(
                out,
                "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}"
            );
        }
        let total = seconds(sum(&|stripe| stripe.sum_us.load(Ordering::Relaxed)));
        let braces = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{labels}}}"),
        };
        let _ = writeln!(out, "{name}_sum{braces} {total}");
        let _ = writeln!(out, "{name}_count{braces} {count}");
    }
}

fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Every histogram of this process in Prometheus' text format.
#[must_use]
pub fn render() -> String {
    let mut histograms = all().lock().unwrap_or_else(PoisonError::into_inner).clone();
    histograms.sort_by(|a, b| (a.0.name, &a.0.labels).cmp(&(b.0.name, &b.0.labels)));
    let (mut out, mut last) = (String::new(), "");
    for histogram in histograms {
        if histogram.0.name != last {
            last = histogram.0.name;
            let _ = writeln!(out, "# HELP {last} {}", histogram.0.meaning);
            let _ = writeln!(out, "# TYPE {last} histogram");
        }
        histogram.render(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_their_buckets_whichever_thread_counts_them() {
        let name = "test_seconds";
        let histogram = Histogram::new(name, "of this test", "class=\"check\"");
        let threads = (0..4).map(|_| {
            let histogram = Histogram::new(name, "of this test", "class=\"check\"");
            std::thread::spawn(move || {
                histogram.record_us(10);
                histogram.record_us(11);
                histogram.record_many_us(60_000_000, 2);
            })
        });
        for thread in threads.collect::<Vec<_>>() {
            thread.join().unwrap();
        }
        let mut text = String::new();
        histogram.render(&mut text);
        for line in [
            "test_seconds_bucket{class=\"check\",le=\"0.00001\"} 4",
            "test_seconds_bucket{class=\"check\",le=\"0.000025\"} 8",
            "test_seconds_bucket{class=\"check\",le=\"10\"} 8",
            "test_seconds_bucket{class=\"check\",le=\"+Inf\"} 16",
            "test_seconds_sum{class=\"check\"} 480.000084",
            "test_seconds_count{class=\"check\"} 16",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
