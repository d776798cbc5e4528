//! A night's report as text.

use tidegate_sim::{ObjectiveReport, Report};

/// The value of an objective while each fault lasted.
pub(crate) fn print_faults(objective: &ObjectiveReport, indent: &str) {
    for fault in &objective.faults {
        let word = match fault.met {
            true => "",
            false => ", MISSED",
        };
        say!(
            "{indent}while {} ({}): {}{word}",
            fault.what,
            fault.window,
            fault.words(&objective.unit)
        );
    }
}

/// The result of a night.
pub(crate) fn print(report: &Report) {
    say!("{}: {}", report.scenario, report.about);
    say!(
        "{:.0} s played in {:.2} s, {} requests ({:.0} a second), trace {}",
        report.virtual_seconds,
        report.wall_seconds,
        report.requests,
        report.requests as f64 / report.wall_seconds,
        report.trace_hash
    );
    if !report.uncovered.is_empty() {
        say!("no objective covers: {}", report.uncovered.join("; "));
    }
    say!(
        "{:<12} {:>10} {:>10} {:>8} {:>10} {:>8} {:>9} {:>9} {:>9} {:>9}",
        "",
        "calls",
        "answered",
        "failed",
        "attempts",
        "shed",
        "p50 ms",
        "p99",
        "p99.9",
        "max"
    );
    for (name, class) in &report.classes {
        let latency = &class.latency_ms;
        say!(
            "{name:<12} {:>10} {:>10} {:>8} {:>10} {:>8} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
            class.calls,
            class.served,
            class.failed,
            class.attempts,
            class.shed,
            latency.p50,
            latency.p99,
            latency.p99_9,
            latency.max
        );
    }
    let people = &report.people;
    if people.wanted_in > 0 {
        say!(
            "people: {} wanted in; {:.2}% within 1 s, {:.2}% within 10 s, {:.2}% within 60 s; {} never",
            people.wanted_in,
            people.in_within_1s_percent,
            people.in_within_10s_percent,
            people.in_within_60s_percent,
            people.never
        );
    }
    for spray in &report.sprays {
        say!("{}", spray.words());
    }
    if let Some(gives_out) = &report.gives_out {
        say!("{}", gives_out.words());
    }
    for objective in &report.objectives {
        let word = match objective.met {
            true => objective.word().to_owned(),
            false => objective.word().to_uppercase(),
        };
        say!("{word:<7} {}: {}", objective.objective, objective.words());
        print_faults(objective, "        ");
    }
    for wrong in &report.wrong_first {
        say!("WRONG  {wrong}");
    }
    say!("again: {}", report.again);
}
