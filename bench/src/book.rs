//! The outcome of every request: in all, by class, and second by second.

use hdrhistogram::Histogram;
use tidegate_wire::Class;

use crate::script::Verdict;

/// Sent later than this after it could have been is late. Threads of the
/// kernel that watch over memory take 3 ms of a core at a time, twice a second.
pub(crate) const LATE_NS: u64 = 4_000_000;
/// The longest latency that is told apart, in microseconds.
const LONGEST_US: u64 = 120_000_000;

/// Counts of one class, or of all.
#[derive(Clone)]
pub(crate) struct Tally {
    pub(crate) offered: u64,
    pub(crate) served: u64,
    pub(crate) shed: u64,
    /// Of those shed: got in when they came again.
    pub(crate) returned: u64,
    pub(crate) failed: u64,
    pub(crate) wrong: u64,
    /// Microseconds from when it was due to its right answer.
    pub(crate) latency: Histogram<u64>,
}

impl Tally {
    fn new() -> anyhow::Result<Tally> {
        Ok(Tally {
            offered: 0,
            served: 0,
            shed: 0,
            returned: 0,
            failed: 0,
            wrong: 0,
            latency: Histogram::new_with_max(LONGEST_US, 3)?,
        })
    }

    fn reset(&mut self) {
        let counts = [
            &mut self.offered,
            &mut self.served,
            &mut self.shed,
            &mut self.returned,
            &mut self.failed,
            &mut self.wrong,
        ];
        counts.into_iter().for_each(|count| *count = 0);
        if !self.latency.is_empty() {
            self.latency.reset();
        }
    }

    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        // Of nothing it would walk over every bucket.
        let us = match self.latency.is_empty() {
            true => 0,
            false => self.latency.value_at_quantile(quantile),
        };
        us as f64 / 1000.0
    }

    fn add(&mut self, other: &Tally) {
        self.offered += other.offered;
        self.served += other.served;
        self.shed += other.shed;
        self.returned += other.returned;
        self.failed += other.failed;
        self.wrong += other.wrong;
        // Adding nothing walks over every bucket all the same.
        if !other.latency.is_empty() {
            // Both have the same bounds.
            let _ = self.latency.add(&other.latency);
        }
    }
}

/// One class in one second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) offered: u64,
    pub(crate) served: u64,
    pub(crate) shed: u64,
    pub(crate) failed: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

/// The whole book. Counts begin after the warm-up.
pub(crate) struct Book {
    by_class: [Tally; Class::ALL.len()],
    now: [Tally; Class::ALL.len()],
    /// By second, and in it by class.
    pub(crate) seconds: Vec<[Moment; Class::ALL.len()]>,
    pub(crate) late: u64,
    pub(crate) sent: u64,
    /// Of those offered: found no place in flight to the end.
    pub(crate) never_sent: u64,
    /// Frames and datagrams that went out, from the very beginning.
    pub(crate) frames: u64,
    pub(crate) datagrams: u64,
    /// The first few answers that were not true, and failures by name.
    pub(crate) wrong: Vec<String>,
    pub(crate) failures: std::collections::BTreeMap<&'static str, u64>,
    begins_ns: u64,
}

impl Book {
    pub(crate) fn new(begins_ns: u64) -> anyhow::Result<Book> {
        let empty = Tally::new()?;
        let tallies = || Class::ALL.map(|_| empty.clone());
        Ok(Book {
            by_class: tallies(),
            now: tallies(),
            seconds: Vec::new(),
            late: 0,
            sent: 0,
            never_sent: 0,
            frames: 0,
            datagrams: 0,
            wrong: Vec::new(),
            failures: std::collections::BTreeMap::new(),
            begins_ns,
        })
    }

    /// Whether requests due at this time are counted.
    pub(crate) fn counts(&self, due_ns: u64) -> bool {
        due_ns >= self.begins_ns
    }

    pub(crate) fn offered(&mut self, class: Class) {
        self.now[class as usize].offered += 1;
    }

    pub(crate) fn sent(&mut self, waited_ns: u64) {
        self.sent += 1;
        self.late += u64::from(waited_ns > LATE_NS);
    }

    /// It is not sent any more.
    pub(crate) fn never_sent(&mut self, class: Class) {
        self.never_sent += 1;
        self.over(class, Verdict::Failed("never_sent"), 0, 0);
    }

    /// An answer, or that none came. `attempt` counts from 0.
    pub(crate) fn over(&mut self, class: Class, verdict: Verdict, took_ns: u64, attempt: u8) {
        let now = &mut self.now[class as usize];
        match verdict {
            Verdict::Right => {
                now.served += 1;
                now.returned += u64::from(attempt > 0);
                now.latency.saturating_record(took_ns / 1000);
            }
            Verdict::Shed { .. } => now.shed += 1,
            Verdict::Failed(name) => {
                now.failed += 1;
                *self.failures.entry(name).or_insert(0) += 1;
            }
            Verdict::Wrong(what) => {
                now.wrong += 1;
                if self.wrong.len() < 10 {
                    self.wrong.push(what);
                }
            }
        }
    }

    /// Ends a second.
    pub(crate) fn turn(&mut self) {
        let mut second = [Moment::default(); Class::ALL.len()];
        for (place, moment) in second.iter_mut().enumerate() {
            let now = &mut self.now[place];
            *moment = Moment {
                offered: now.offered,
                served: now.served,
                shed: now.shed,
                failed: now.failed + now.wrong,
                p50_ms: now.quantile_ms(0.5),
                p99_ms: now.quantile_ms(0.99),
                max_ms: now.quantile_ms(1.0),
            };
            self.by_class[place].add(now);
            now.reset();
        }
        self.seconds.push(second);
    }

    pub(crate) fn class(&self, class: Class) -> &Tally {
        &self.by_class[class as usize]
    }

    pub(crate) fn all(&self) -> Tally {
        let [mut all, others @ ..] = self.by_class.clone();
        for tally in &others {
            all.add(tally);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_sent_has_failed_under_its_own_name() {
        let mut book = Book::new(1_000).unwrap();
        assert!(!book.counts(999) && book.counts(1_000));
        for _ in 0..3 {
            book.offered(Class::Check);
        }
        book.over(Class::Check, Verdict::Right, 2_000_000, 0);
        book.over(Class::Check, Verdict::Failed("no_answer"), 0, 0);
        book.never_sent(Class::Check);
        book.turn();
        let all = book.all();
        assert_eq!((all.offered, all.served, all.failed), (3, 1, 2));
        assert_eq!(book.never_sent, 1);
        let failures: Vec<_> = book.failures.into_iter().collect();
        assert_eq!(failures, [("never_sent", 1), ("no_answer", 1)]);
    }
}
