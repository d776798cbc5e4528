use clap::{CommandFactory, Parser};

use crate::Cli;

/// The words before a flag that takes a number, the flag, and the least and the
/// greatest that it takes.
const NUMBERS: &[(&str, &str, f64, f64)] = &[
    ("run checks", "connections", 1.0, 4_096.0),
    ("run checks", "in-flight", 1.0, 4_096.0),
    ("run checks", "people", 1.0, 1e7),
    ("run checks", "warm-up", 0.0, 3_600.0),
    ("run checks", "seed", 0.0, 9_007_199_254_740_991.0),
    ("run checks", "rate", 1.0, 1e7),
    ("run checks", "duration", 1.0, 86_400.0),
    ("highest checks", "connections", 1.0, 4_096.0),
    ("highest checks", "in-flight", 1.0, 4_096.0),
    ("highest checks", "people", 1.0, 1e7),
    ("highest checks", "warm-up", 0.0, 3_600.0),
    ("highest checks", "seed", 0.0, 9_007_199_254_740_991.0),
    ("highest checks", "from", 1.0, 1e7),
    ("highest checks", "duration", 1.0, 86_400.0),
    ("ceiling", "turns", 1.0, 1_000.0),
    ("ceiling", "seconds", 1.0, 3_600.0),
    ("ceiling", "people", 1.0, 1e7),
    ("calibrate", "people", 1.0, 1e7),
    ("fidelity", "turns", 1.0, 100.0),
    ("guarded view", "", 1.0, 1e9),
    ("figures ready", "", 1.0, 1e7),
    ("figures rotation", "", 1.0, 1e7),
    ("figures cold", "", 1.0, 1e7),
    ("figures refreshes", "", 1.0, 1e7),
    ("figures tail", "", 1.0, 1e7),
    ("figures backup", "", 1.0, 1e7),
    ("cluster nothing", "rate", 1.0, 1e6),
    ("cluster nothing", "people", 1.0, 1e7),
    ("cluster nothing", "seed", 0.0, 9_007_199_254_740_991.0),
    ("cluster nothing", "busy", 0.0, 1_024.0),
    ("people --dir D", "", 1.0, 1e7),
];

/// Those that take words.
const WORDS: &[&str] = &[
    "mix",
    "draw",
    "dir",
    "connect",
    "node_on",
    "json",
    "report",
    "shapes",
    "calibration",
    "file",
    "function",
    "fdbserver",
    "fdbcli",
    "fdbbackup",
    "fdbrestore",
    "backup_agent",
    "client_library",
    "older",
];

fn is_taken(before: &str, flag: &str, value: &str) -> bool {
    let flag = match flag {
        "" => String::new(),
        flag => format!("--{flag}="),
    };
    let words = ["tidegate-bench"].into_iter().chain(before.split(' '));
    let words = words.map(str::to_owned).chain([format!("{flag}{value}")]);
    Cli::try_parse_from(words).is_ok()
}

#[test]
fn every_number_is_taken_within_its_range_and_refused_outside_of_it() {
    for (before, flag, least, most) in NUMBERS {
        for good in [least, most] {
            let good = format!("{good:.0}");
            assert!(is_taken(before, flag, &good), "{before} {flag} {good}");
        }
        let beyond = [least - 1.0, most + 1.0].map(|value| format!("{value:.0}"));
        let odd = [
            "-1",
            "1e400",
            "18446744073709551616",
            "nan",
            "inf",
            "many",
            "",
        ];
        for bad in beyond.iter().map(String::as_str).chain(odd) {
            assert!(!is_taken(before, flag, bad), "{before} {flag} {bad}");
        }
    }
    for (shape, taken) in [
        ("1x1", true),
        ("4096x4096", true),
        ("0x1", false),
        ("1x0", false),
        ("4097x1", false),
        ("1x4097", false),
        ("64", false),
    ] {
        assert_eq!(is_taken("ceiling", "shapes", shape), taken, "{shape}");
    }
    assert!(is_taken("run checks", "rate", "max"));
}

#[test]
fn every_flag_with_a_value_is_known_to_take_words_or_a_number_in_a_range() {
    let all = Cli::command();
    let mut commands: Vec<&clap::Command> = vec![&all];
    let mut place = 0;
    while let Some(command) = commands.get(place).copied() {
        commands.extend(command.get_subcommands());
        place += 1;
        for flag in command.get_arguments() {
            let name = flag.get_id().as_str();
            let long = flag.get_long().unwrap_or("");
            let number = NUMBERS.iter().any(|(before, known, ..)| {
                before.split(' ').any(|word| word == command.get_name()) && *known == long
            });
            let known = number || WORDS.contains(&name);
            let takes_none = !flag.get_action().takes_values();
            assert!(known || takes_none, "{} {name}", command.get_name());
        }
    }
}
