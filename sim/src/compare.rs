//! Two nights side by side.

use std::fmt::{self, Write};

use crate::report::Report;

/// What differs, as a table.
///
/// # Errors
/// None in practice: it is written to memory.
pub fn compare(one: &Report, other: &Report) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(
        text,
        "{} (seed {}) beside {} (seed {})",
        one.scenario, one.seed, other.scenario, other.seed
    )?;
    writeln!(
        text,
        "{:<34} {:>14} {:>14} {:>9}",
        "", "first", "second", "change"
    )?;
    let mut row = |name: String, first: f64, second: f64| {
        let change = match first {
            first if first.abs() < f64::EPSILON => "-".to_owned(),
            first => format!("{:+.1}%", (second - first) * 100.0 / first),
        };
        writeln!(text, "{name:<34} {first:>14.2} {second:>14.2} {change:>9}")
    };
    for (class, first) in &one.classes {
        let Some(second) = other.classes.get(class) else {
            continue;
        };
        let (a, b) = (&first.latency_ms, &second.latency_ms);
        row(
            format!("{class}: calls"),
            first.calls as f64,
            second.calls as f64,
        )?;
        row(
            format!("{class}: failed"),
            first.failed as f64,
            second.failed as f64,
        )?;
        row(
            format!("{class}: shed"),
            first.shed as f64,
            second.shed as f64,
        )?;
        row(format!("{class}: p50, ms"), a.p50, b.p50)?;
        row(format!("{class}: p99, ms"), a.p99, b.p99)?;
        row(format!("{class}: p99.9, ms"), a.p99_9, b.p99_9)?;
    }
    let (a, b) = (&one.people, &other.people);
    row(
        "people: wanted in".into(),
        a.wanted_in as f64,
        b.wanted_in as f64,
    )?;
    row(
        "people: in within 10 s, %".into(),
        a.in_within_10s_percent,
        b.in_within_10s_percent,
    )?;
    row("people: never".into(), a.never as f64, b.never as f64)?;
    row(
        "store: commits".into(),
        one.store.commits as f64,
        other.store.commits as f64,
    )?;
    for (first, second) in one.objectives.iter().zip(&other.objectives) {
        if first.objective == second.objective && first.met != second.met {
            writeln!(
                text,
                "{}: {} in the first, {} in the second",
                first.objective,
                first.word(),
                second.word()
            )?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Calibration, Given, play};

    #[test]
    fn a_night_beside_itself_has_no_change_and_beside_another_seed_it_has() {
        let given = Given::named("smoke").unwrap();
        let calibration = Calibration::shipped().unwrap();
        let night = |seed| {
            let played = play(&given, &calibration, seed, &|_| {}).unwrap();
            Report::of(&given, &calibration, &played, 1.0)
        };
        let (one, other) = (night(1), night(2));
        let same = compare(&one, &one).unwrap();
        let changes = |text: &str| text.lines().filter(|line| line.ends_with('%')).count();
        assert!(changes(&same) > 10);
        assert!(
            same.lines()
                .filter(|line| line.ends_with('%'))
                .all(|line| line.ends_with("+0.0%"))
        );
        let differs = compare(&one, &other).unwrap();
        assert!(
            differs
                .lines()
                .any(|line| line.ends_with('%') && !line.ends_with("+0.0%"))
        );
    }
}
