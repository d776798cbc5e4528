//! What happened to each person lately, for finding out why an invariant was
//! broken. Kept where there are few enough of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Of each person.
const EVENTS: usize = 12;
/// In a world with more people nothing is kept.
const PEOPLE_MAX: u64 = 10_000;

/// A person in this world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// Registered before it began.
    Person(u64),
    /// Registers in it.
    Newcomer(u64),
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Who::Person(number) => write!(f, "person {number}"),
            Who::Newcomer(number) => write!(f, "newcomer {number}"),
        }
    }
}

pub(crate) struct Diary {
    people: u64,
    events: Mutex<BTreeMap<Who, VecDeque<String>>>,
}

impl Diary {
    pub(crate) fn new(people: u64) -> Diary {
        Diary {
            people,
            events: Mutex::default(),
        }
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.people <= PEOPLE_MAX
    }

    /// Something happened to a person.
    pub(crate) fn note(&self, who: Who, now_ns: u64, what: impl FnOnce() -> String) {
        if !self.is_kept() {
            return;
        }
        let event = format!("{:.3} s: {}", now_ns as f64 / 1e9, what());
        let mut all = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let events = all.entry(who).or_default();
        if events.len() == EVENTS {
            events.pop_front();
        }
        events.push_back(event);
    }

    /// The last of it, the oldest first.
    pub(crate) fn of(&self, who: Who) -> Vec<String> {
        let all = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&who)
            .map_or_else(Vec::new, |events| events.iter().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_events_of_somebody_are_kept_and_nobody_elses() {
        let diary = Diary::new(10);
        for second in 0..20u64 {
            let who = Who::Person(second % 2);
            diary.note(who, second * 1_000_000_000, || format!("event {second}"));
        }
        let events = diary.of(Who::Person(1));
        assert_eq!(events.len(), 10);
        assert_eq!(events[9], "19.000 s: event 19");
        assert_eq!(diary.of(Who::Newcomer(1)), [""; 0]);
        let crowded = Diary::new(PEOPLE_MAX + 1);
        crowded.note(Who::Person(1), 0, || "event".into());
        assert_eq!(crowded.of(Who::Person(1)), [""; 0]);
    }
}
