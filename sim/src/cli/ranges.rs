//! Every flag that takes a number has a range, and what lies outside of it is
//! refused before anything is played.

use clap::{CommandFactory, Parser};

use super::Arguments;

const SEED: (u64, u64) = (0, (1 << 53) - 1);

/// Every flag that takes a number, with the words that stand before it, the
/// least and the greatest that it takes.
const NUMBERS: [(&str, &str, u64, u64); 11] = [
    ("run smoke", "seed", SEED.0, SEED.1),
    ("plan smoke", "seeds", 1, 10_000),
    ("plan smoke", "seed", SEED.0, SEED.1),
    ("plan smoke", "spare", 0, 1_023),
    ("plan smoke", "most", 1, 1_024),
    ("plan smoke", "cores", 1, 1_024),
    ("plan smoke", "hashing-threads", 1, 1_024),
    ("fuzz", "seeds", 1, 1_000_000_000),
    ("fuzz", "from", SEED.0, SEED.1),
    ("fuzz", "minutes", 1, 10_080),
    ("replay", "", SEED.0, SEED.1),
];

/// Those that take words.
const WORDS: [&str; 8] = [
    "scenario",
    "objectives",
    "calibration",
    "json",
    "report",
    "first",
    "second",
    "plant",
];

fn is_taken(before: &str, flag: &str, value: &str) -> bool {
    let flag = match flag {
        "" => String::new(),
        flag => format!("--{flag}="),
    };
    let words = ["tidegate-sim"].into_iter().chain(before.split(' '));
    let words = words.map(str::to_owned).chain([format!("{flag}{value}")]);
    Arguments::try_parse_from(words).is_ok()
}

#[test]
fn every_number_is_taken_within_its_range_and_refused_outside_of_it() {
    for (before, flag, least, most) in NUMBERS {
        for good in [least, most] {
            assert!(
                is_taken(before, flag, &good.to_string()),
                "{before} {flag} {good}"
            );
        }
        let below = i128::from(least) - 1;
        let above = i128::from(most) + 1;
        let odd = ["-1", "18446744073709551616", "nan", "inf", "1.5", ""];
        let bad = [below.to_string(), above.to_string()];
        for bad in bad.iter().map(String::as_str).chain(odd) {
            assert!(!is_taken(before, flag, bad), "{before} {flag} {bad}");
        }
    }
}

#[test]
fn every_flag_with_a_value_is_known_to_take_words_or_a_number_in_a_range() {
    for command in Arguments::command().get_subcommands() {
        let flags = command.get_arguments();
        for flag in flags.filter(|flag| flag.get_action().takes_values()) {
            let name = flag.get_id().as_str();
            let long = flag.get_long().unwrap_or("");
            let number = NUMBERS.iter().any(|(before, known, ..)| {
                before.split(' ').next() == Some(command.get_name()) && *known == long
            });
            assert!(
                number || WORDS.contains(&name),
                "{} {name}",
                command.get_name()
            );
        }
    }
}
