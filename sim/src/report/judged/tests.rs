use std::path::Path;

use tidegate_wire::Class;

use super::*;
use crate::book::Cell;
use crate::scenario::Given;

/// A night of so many seconds with a fault from second 10 to 13, a hundred
/// checks a second, 2 ms each.
fn night(head: &str, length: usize) -> (Scenario, Vec<Slot>) {
    let text = format!(
        "about = \"x\"\npeople = 10\n{head}\ncurve = [[0, 1], [{length}, 1]]\n\
         fault = [{{ at_s = 10, for_s = 3, what = \"store-down\" }}]\n[ask]\ncheck = 1\nsign_in = 1\n"
    );
    let given = Given::parse("x", Path::new("x.toml"), &text).unwrap();
    let mut slot = Slot::default();
    let check = &mut slot.classes[Class::Check as usize];
    (check.attempts, check.calls) = (100, 100);
    check.took_us = vec![2_000; 100];
    (given.scenario, vec![slot; length])
}

fn check(slot: &mut Slot) -> &mut Cell {
    &mut slot.classes[Class::Check as usize]
}

fn only(scenario: &Scenario, slots: &[Slot]) -> ObjectiveReport {
    let mut all = objectives(scenario, slots);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn quiet_seconds_are_no_excuse_for_a_bad_one() {
    for length in [20, 160] {
        let (scenario, mut slots) = night("objectives = [\"p99(check) < 50ms\"]", length);
        for us in check(&mut slots[10]).took_us.iter_mut().take(30) {
            *us = 300_000;
        }
        let one = only(&scenario, &slots);
        assert_eq!((one.met, one.word(), one.value), (false, "missed", 300.0));
        let worst = one.worst.unwrap();
        assert!(worst.from_s <= 10.0 && worst.to_s >= 11.0, "{worst:?}");
        assert_eq!(worst.to_s - worst.from_s, 10.0);
        assert_eq!(one.seen, 100 * length as u64);
        // Thirty of 2,000 are more than one in a hundred, of 16,000 they are not.
        assert_eq!(one.night, if length == 20 { 300.0 } else { 2.0 });
        let [fault] = &one.faults[..] else {
            panic!("{:?}", one.faults);
        };
        let window = Window {
            from_s: 10.0,
            to_s: 13.0,
            value: 300.0,
        };
        assert_eq!((fault.met, fault.window), (false, window));
        assert!(one.words().starts_with("300.00 ms in the worst 10 s ("));
    }
}

#[test]
fn a_fault_is_judged_on_its_own_where_windows_hide_it() {
    let head = "window_s = 60\nobjectives = [\"p99(check) < 50ms\"]";
    let (scenario, mut slots) = night(head, 120);
    for us in check(&mut slots[11]).took_us.iter_mut().take(10) {
        *us = 300_000;
    }
    let one = only(&scenario, &slots);
    let worst = one.worst.unwrap();
    assert_eq!((one.night, worst.value, one.met), (2.0, 2.0, false));
    assert!(!one.faults[0].met);
}

#[test]
fn counts_are_bounded_in_all_and_name_their_worst_window() {
    let (scenario, mut slots) = night("objectives = [\"failed(check) <= 30\"]", 60);
    for slot in &mut slots[30..34] {
        check(slot).failed = 10;
    }
    let one = only(&scenario, &slots);
    assert_eq!((one.met, one.value, one.seen), (false, 40.0, 6_000));
    assert_eq!(one.words(), "40 in all, 40 of them from 24 to 34 s");
}

#[test]
fn times_count_from_the_end_of_the_warm_up() {
    let head = "warm_up_s = 5\nobjectives = [\"shed(check) = 0\"]";
    let (scenario, mut slots) = night(head, 40);
    check(&mut slots[20]).shed = 7;
    let one = only(&scenario, &slots);
    let worst = one.worst.unwrap();
    assert_eq!((worst.from_s, worst.to_s, worst.value), (16.0, 26.0, 7.0));
    assert_eq!(one.faults[0].window.from_s, 10.0);
}

#[test]
fn of_nothing_nothing_holds() {
    let head = "objectives = [\"p99(check) < 50ms\", \"shed(check) = 0\", \"in_within(1s) >= 0%\"]";
    let (scenario, slots) = night(head, 20);
    let judged = objectives(&scenario, &vec![Slot::default(); slots.len()]);
    for one in &judged {
        assert_eq!((one.met, one.word(), one.seen), (false, "no data", 0));
        assert_eq!(one.words(), "nothing of the kind was seen");
    }
    assert_eq!(judged.len(), 3);
}

/// The value of an objective while the fault lasted.
fn meanwhile(one: &ObjectiveReport) -> (bool, u64, String) {
    let [fault] = &one.faults[..] else {
        panic!("{:?}", one.faults);
    };
    (fault.met, fault.seen, fault.words(&one.unit))
}

/// No node answers in these seconds.
fn silent(slots: &mut [Slot]) {
    for slot in slots {
        let check = check(slot);
        (check.failed, check.took_us) = (check.calls, Vec::new());
    }
}

#[test]
fn a_fault_in_which_nobody_is_answered_or_asks_is_not_met_by_the_calm_after_it() {
    let head = "objectives = [\"p99(check) < 50ms\"]";
    let own = |one: &ObjectiveReport| {
        let window = one.faults[0].window;
        (window.from_s, window.to_s)
    };
    let (scenario, mut slots) = night(head, 60);
    silent(&mut slots[10..13]);
    let one = only(&scenario, &slots);
    assert_eq!(meanwhile(&one), (false, 0, "no data".to_owned()));
    assert_eq!((own(&one), one.met, one.night), ((10.0, 13.0), false, 2.0));
    let (scenario, mut slots) = night(head, 60);
    slots[10..13].fill(Slot::default());
    let one = only(&scenario, &slots);
    assert_eq!(meanwhile(&one), (false, 0, "no data".to_owned()));
    assert!(!one.met && one.unanswered.is_none());
    // Where some are answered they are what is judged.
    let (scenario, mut slots) = night(head, 60);
    silent(&mut slots[10..12]);
    check(&mut slots[12]).took_us.truncate(3);
    let one = only(&scenario, &slots);
    assert_eq!(meanwhile(&one), (true, 3, "2.00 ms".to_owned()));
}

#[test]
fn a_fault_after_which_nothing_was_seen_any_more_has_no_data() {
    let objectives = [
        ("p99(check) < 50ms", false),
        ("in_within(1s) >= 99%", false),
        ("failed(check) = 0", true),
    ];
    for (objective, met) in objectives {
        let head = format!("objectives = [\"{objective}\"]");
        let (scenario, mut slots) = night(&head, 60);
        slots.truncate(9);
        for slot in &mut slots {
            (slot.entries.calls, slot.entries.took_us) = (100, vec![2_000; 100]);
        }
        let one = only(&scenario, &slots);
        let (here, seen, _) = meanwhile(&one);
        assert_eq!((here, seen, one.met), (met, 0, met), "{one:?}");
    }
}

#[test]
fn a_window_in_which_nobody_is_answered_is_missed_without_any_fault() {
    let (mut scenario, mut slots) = night("objectives = [\"p99(check) < 50ms\"]", 60);
    scenario.fault.clear();
    silent(&mut slots[20..32]);
    let one = only(&scenario, &slots);
    let window = Window {
        from_s: 20.0,
        to_s: 30.0,
        value: 1_000.0,
    };
    assert_eq!((one.met, one.unanswered), (false, Some(window)));
    let words = one.words();
    let expected = "; none of 1000 calls from 20 to 30 s was answered";
    assert!(words.ends_with(expected), "{words}");
    // Where some of the window are answered, those are judged.
    let (mut scenario, mut slots) = night("objectives = [\"p99(check) < 50ms\"]", 60);
    scenario.fault.clear();
    silent(&mut slots[20..29]);
    assert!(only(&scenario, &slots).met);
}

#[test]
fn a_fault_that_ends_where_counting_begins_is_nobodys() {
    let faults = |begins_s: u32| {
        let head = format!("warm_up_s = {begins_s}\nobjectives = [\"p99(check) < 50ms\"]");
        let (scenario, slots) = night(&head, 40);
        only(&scenario, &slots).faults.len()
    };
    assert_eq!([12, 13, 14].map(faults), [1, 0, 0]);
}

#[test]
fn what_is_missed_is_worse_than_what_is_met_and_less_of_a_share_is() {
    let one = |value, unit: &str, met| ObjectiveReport {
        objective: "x".to_owned(),
        value,
        unit: unit.to_owned(),
        met,
        seen: 1,
        night: value,
        worst: None,
        unanswered: None,
        faults: Vec::new(),
    };
    assert!(one(1.0, " ms", false).is_worse_than(&one(2.0, " ms", true)));
    assert!(one(2.0, " ms", true).is_worse_than(&one(1.0, " ms", true)));
    assert!(one(1.0, " %", true).is_worse_than(&one(2.0, " %", true)));
    assert!(!one(1.0, " %", true).is_worse_than(&one(2.0, " %", false)));
}
