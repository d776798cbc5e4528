//! The outcome of everything: attempts as the network saw them, calls as
//! gateways saw them, visits as people saw them; in all and second by second.

mod slots;
mod under_way;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;
use tidegate_wire::{Class, Code, Kind};

use crate::diary::{Diary, Who};
use crate::scenario::Sprayers;
pub(crate) use slots::{Cell, Slot};
use under_way::UnderWay;

/// The classes' number, for tables by class.
const CLASSES: usize = Class::ALL.len();
/// The longest time that is told apart, in microseconds.
const LONGEST_US: u64 = 3_600_000_000;
const SECOND_NS: u64 = 1_000_000_000;

pub(crate) struct Book {
    begins_ns: u64,
    /// Whatever begins from then on must be answered.
    calm_ns: Option<u64>,
    pub(crate) diary: Diary,
    state: Mutex<State>,
}

pub(crate) struct State {
    /// When the night begins: seconds count from there.
    origin_ns: u64,
    /// When the warm-up is over: slots count from there.
    begins_ns: u64,
    pub(crate) slots: Vec<Slot>,
    pub(crate) classes: [ClassBook; CLASSES],
    pub(crate) seconds: Vec<Second>,
    pub(crate) entries: Entries,
    /// What attackers tried on every account.
    pub(crate) sprayed: Vec<Sprayed>,
    /// The first few answers that cannot be.
    pub(crate) wrong: Vec<String>,
    pub(crate) wrong_count: u64,
    now: [Histogram<u64>; CLASSES],
    /// Calls that have no end yet.
    calling: [UnderWay; CLASSES],
    /// People who want in, and have not given up.
    entering: UnderWay,
}

/// One class, in all.
pub(crate) struct ClassBook {
    pub(crate) attempts: u64,
    pub(crate) shed: u64,
    pub(crate) redirected: u64,
    pub(crate) unknown: u64,
    /// Answered from what was known before the store went.
    pub(crate) degraded: u64,
    pub(crate) calls: u64,
    /// Answered, with yes or no.
    pub(crate) served: u64,
    pub(crate) failed: u64,
    /// From the call to its answer, retries included, in microseconds.
    pub(crate) latency: Histogram<u64>,
}

/// One second of one class.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) attempts: u64,
    pub(crate) calls: u64,
    pub(crate) served: u64,
    pub(crate) shed: u64,
    pub(crate) degraded: u64,
    pub(crate) failed: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p99_9_ms: f64,
}

/// One second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Second {
    pub(crate) visits: u64,
    pub(crate) classes: [Moment; CLASSES],
}

/// People who want in.
pub(crate) struct Entries {
    pub(crate) wanted: u64,
    /// In at the first attempt.
    pub(crate) at_once: u64,
    pub(crate) gave_up: u64,
    /// From the first attempt to being in, in microseconds.
    pub(crate) took: Histogram<u64>,
}

/// The result of one spraying of passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sprayed {
    pub(crate) from: Sprayers,
    pub(crate) guesses: u64,
    /// Guesses whose password was compared.
    pub(crate) looked_at: u64,
    /// As many of them as the bounds allow.
    pub(crate) at_most: u64,
}

/// How a call ended.
#[derive(Clone, Copy)]
pub(crate) enum Called<'a> {
    Answered,
    /// And why.
    Failed(&'a dyn fmt::Display),
}

/// How a visit of a person who wanted in ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    In { tries: u32 },
    GaveUp,
}

fn histogram() -> Histogram<u64> {
    // Bounds that hdrhistogram takes, so this never fails.
    Histogram::new_with_max(LONGEST_US, 3).unwrap_or_else(|_| {
        Histogram::new_with_bounds(1, 2, 1).unwrap_or_else(|_| std::process::abort())
    })
}

impl Book {
    /// Counts what begins from then on; from `calm_ns` on every call must be
    /// answered.
    pub(crate) fn new(origin_ns: u64, begins_ns: u64, calm_ns: Option<u64>, people: u64) -> Book {
        let class = |_| ClassBook {
            attempts: 0,
            shed: 0,
            redirected: 0,
            unknown: 0,
            degraded: 0,
            calls: 0,
            served: 0,
            failed: 0,
            latency: histogram(),
        };
        Book {
            begins_ns,
            calm_ns,
            diary: Diary::new(people),
            state: Mutex::new(State {
                origin_ns,
                begins_ns,
                slots: Vec::new(),
                classes: Class::ALL.map(class),
                seconds: Vec::new(),
                entries: Entries {
                    wanted: 0,
                    at_once: 0,
                    gave_up: 0,
                    took: histogram(),
                },
                sprayed: Vec::new(),
                wrong: Vec::new(),
                wrong_count: 0,
                now: Class::ALL.map(|_| histogram()),
                calling: Class::ALL.map(|_| UnderWay::default()),
                entering: UnderWay::default(),
            }),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A frame was sent.
    pub(crate) fn attempted(&self, class: Class, now_ns: u64) {
        let mut state = self.state();
        if now_ns < state.origin_ns {
            return;
        }
        state.moment(class, now_ns).attempts += 1;
        if now_ns >= self.begins_ns {
            state.classes[class as usize].attempts += 1;
            state.slot(now_ns).classes[class as usize].attempts += 1;
        }
    }

    /// A frame was answered.
    pub(crate) fn told(&self, class: Class, code: Code, now_ns: u64) {
        let mut state = self.state();
        if now_ns < state.origin_ns {
            return;
        }
        match code.kind() {
            Kind::Later if code == Code::NotOwner && now_ns >= self.begins_ns => {
                state.classes[class as usize].redirected += 1;
            }
            Kind::Later if code == Code::NotOwner => {}
            Kind::Later => {
                state.moment(class, now_ns).shed += 1;
                if now_ns >= self.begins_ns {
                    state.classes[class as usize].shed += 1;
                    state.slot(now_ns).classes[class as usize].shed += 1;
                }
            }
            Kind::Yes if code == Code::Ok => {}
            Kind::Yes => {
                state.moment(class, now_ns).degraded += 1;
                if now_ns >= self.begins_ns {
                    state.classes[class as usize].degraded += 1;
                }
            }
            Kind::Unknown if now_ns >= self.begins_ns => {
                state.classes[class as usize].unknown += 1;
            }
            Kind::Unknown | Kind::No | Kind::Fault => {}
        }
    }

    /// A person came.
    pub(crate) fn visited(&self, now_ns: u64) {
        self.state().second(now_ns).visits += 1;
    }

    /// A call begins.
    pub(crate) fn begun(&self, class: Class, began_ns: u64) {
        self.state().calling[class as usize].begin(began_ns);
    }

    /// A person wants in from now on.
    pub(crate) fn wants_in(&self, began_ns: u64) {
        self.state().entering.begin(began_ns);
    }

    /// The night is over, and no person waits any longer: what is still under
    /// way was not answered, and who is not in is not.
    pub(crate) fn close(&self, now_ns: u64) {
        for class in Class::ALL {
            let calling = self.state().calling[class as usize].began_ns();
            for began_ns in calling {
                self.called(
                    class,
                    began_ns,
                    now_ns,
                    Called::Failed(&"it is not answered"),
                );
            }
        }
        let entering = self.state().entering.began_ns();
        for began_ns in entering {
            self.entered(began_ns, now_ns, Entered::GaveUp);
        }
    }

    /// A call has come to its end.
    pub(crate) fn called(&self, class: Class, began_ns: u64, now_ns: u64, called: Called<'_>) {
        let took_us = (now_ns - began_ns) / 1_000;
        if let Called::Failed(why) = called {
            self.unanswered(class, began_ns, why);
        }
        let mut state = self.state();
        state.calling[class as usize].end(began_ns);
        let moment = state.moment(class, now_ns);
        moment.calls += 1;
        match called {
            Called::Answered => moment.served += 1,
            Called::Failed(_) => moment.failed += 1,
        }
        if matches!(called, Called::Answered) {
            state.now[class as usize].saturating_record(took_us);
        }
        if began_ns < self.begins_ns {
            return;
        }
        let took = match called {
            Called::Answered => Some(took_us),
            Called::Failed(_) => None,
        };
        state.slot(began_ns).classes[class as usize].ended(took);
        let book = &mut state.classes[class as usize];
        book.calls += 1;
        match called {
            Called::Answered => {
                book.served += 1;
                book.latency.saturating_record(took_us);
            }
            Called::Failed(_) => book.failed += 1,
        }
    }

    /// A request had no answer, whether it is asked again or not: wrong when
    /// nothing is broken any more.
    pub(crate) fn unanswered(&self, class: Class, began_ns: u64, why: &dyn fmt::Display) {
        if self.calm_ns.is_some_and(|calm_ns| began_ns >= calm_ns) {
            let at_s = began_ns as f64 / 1e9;
            self.wrong(format!(
                "{at_s:.3} s: a {class:?} call failed though nothing is broken: {why}"
            ));
        }
    }

    /// A person who wanted in is, or has given up.
    pub(crate) fn entered(&self, began_ns: u64, now_ns: u64, entered: Entered) {
        let mut state = self.state();
        state.entering.end(began_ns);
        if began_ns < self.begins_ns {
            return;
        }
        let took_us = (now_ns - began_ns) / 1_000;
        let took = match entered {
            Entered::In { .. } => Some(took_us),
            Entered::GaveUp => None,
        };
        state.slot(began_ns).entries.ended(took);
        let entries = &mut state.entries;
        entries.wanted += 1;
        match entered {
            Entered::In { tries } => {
                entries.at_once += u64::from(tries == 1);
                entries.took.saturating_record(took_us);
            }
            Entered::GaveUp => entries.gave_up += 1,
        }
    }

    /// Attackers have tried what they had on every account.
    pub(crate) fn sprayed(&self, sprayed: Sprayed) {
        if sprayed.looked_at > sprayed.at_most {
            self.wrong(format!(
                "{} of {} guesses from {} were looked at, at most {} may be",
                sprayed.looked_at,
                sprayed.guesses,
                sprayed.from.words(),
                sprayed.at_most
            ));
        }
        self.state().sprayed.push(sprayed);
    }

    /// Something about a person that cannot be, with what happened to them
    /// lately.
    pub(crate) fn wrong_about(&self, who: Who, what: &str) {
        let mut words = what.to_owned();
        for event in self.diary.of(who) {
            words.push_str("\n      ");
            words.push_str(&event);
        }
        self.wrong(words);
    }

    /// An answer that cannot be.
    pub(crate) fn wrong(&self, what: String) {
        let mut state = self.state();
        state.wrong_count += 1;
        if state.wrong.len() < 20 {
            state.wrong.push(what);
        }
    }

    /// A second is over: its quantiles are taken.
    pub(crate) fn turn(&self, now_ns: u64) {
        let mut state = self.state();
        for class in Class::ALL {
            let place = class as usize;
            if state.now[place].is_empty() {
                continue;
            }
            let at = |quantile| quantile_ms(&state.now[place], quantile);
            let (p50_ms, p99_ms, p99_9_ms) = (at(0.5), at(0.99), at(0.999));
            state.now[place].reset();
            let moment = state.moment(class, now_ns.saturating_sub(1));
            (moment.p50_ms, moment.p99_ms, moment.p99_9_ms) = (p50_ms, p99_ms, p99_9_ms);
        }
    }
}

impl State {
    /// The second in which something began, the warm-up left out.
    fn slot(&mut self, began_ns: u64) -> &mut Slot {
        let since_ns = began_ns.saturating_sub(self.begins_ns);
        let place = usize::try_from(since_ns / SECOND_NS).unwrap_or(0);
        if self.slots.len() <= place {
            self.slots.resize(place + 1, Slot::default());
        }
        &mut self.slots[place]
    }

    fn second(&mut self, now_ns: u64) -> &mut Second {
        let since_ns = now_ns.saturating_sub(self.origin_ns);
        let place = usize::try_from(since_ns / SECOND_NS).unwrap_or(0);
        if self.seconds.len() <= place {
            self.seconds.resize(place + 1, Second::default());
        }
        &mut self.seconds[place]
    }

    fn moment(&mut self, class: Class, now_ns: u64) -> &mut Moment {
        &mut self.second(now_ns).classes[class as usize]
    }
}

/// A quantile in milliseconds; 0 of nothing.
pub(crate) fn quantile_ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    match histogram.is_empty() {
        true => 0.0,
        false => histogram.value_at_quantile(quantile) as f64 / 1_000.0,
    }
}

impl Entries {
    /// The share of those who wanted in and were within so many seconds, in
    /// percent; 100 where none wanted in.
    pub(crate) fn in_within_percent(&self, seconds: f64) -> f64 {
        if self.wanted == 0 {
            return 100.0;
        }
        let us = crate::random::to_u64(seconds * 1e6);
        let within = match self.took.is_empty() {
            true => 0,
            false => self.took.count_between(0, us),
        };
        within as f64 * 100.0 / self.wanted as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_when_the_night_is_over_has_failed_once() {
        const SECOND: u64 = 1_000_000_000;
        let book = Book::new(0, 0, Some(6 * SECOND), 10);
        for at_s in [1, 1, 7] {
            book.begun(Class::Check, at_s * SECOND);
        }
        book.wants_in(2 * SECOND);
        book.wants_in(3 * SECOND);
        book.called(Class::Check, SECOND, 2 * SECOND, Called::Answered);
        book.entered(3 * SECOND, 4 * SECOND, Entered::In { tries: 1 });
        for _ in 0..2 {
            book.close(9 * SECOND);
            let state = book.state();
            let check = &state.classes[Class::Check as usize];
            assert_eq!((check.calls, check.served, check.failed), (3, 1, 2));
            assert_eq!((state.entries.wanted, state.entries.gave_up), (2, 1));
            let began = |second: usize| state.slots[second].classes[Class::Check as usize].failed;
            assert_eq!([1, 7].map(began), [1, 1]);
            let wrong = "7.000 s: a Check call failed though nothing is broken: \
                         it is not answered";
            assert_eq!(state.wrong, [wrong]);
        }
    }

    #[test]
    fn one_guess_more_than_may_be_is_wrong() {
        let book = Book::new(0, 0, None, 10);
        let sprayed = |looked_at| Sprayed {
            from: Sprayers::NoSource,
            guesses: 100,
            looked_at,
            at_most: 30,
        };
        book.sprayed(sprayed(30));
        assert_eq!(book.state().wrong, [""; 0]);
        book.sprayed(sprayed(31));
        let wrong = "31 of 100 guesses from no source were looked at, at most 30 may be";
        assert_eq!(book.state().wrong, [wrong]);
        assert_eq!(book.state().sprayed, [sprayed(30), sprayed(31)]);
    }
}
