//! The arrows between our crates are those of ARCHITECTURE.md and no others,
//! one crate alone names each heavy dependency, files of a crate do not use each
//! other in a circle, and no match over an enum that decides has a catch-all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

#[path = "structure/arms.rs"]
mod arms;
#[path = "structure/circles.rs"]
mod circles;
#[path = "structure/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Who may import whom. Dependencies of tests are not arrows.
const ARROWS: &[(&str, &[&str])] = &[
    ("tidegate-account", &[]),
    ("tidegate-prefetch", &[]),
    ("tidegate-wire", &[]),
    ("tidegate-storage-api", &[]),
    ("tidegate-storage-fjall", &["tidegate-storage-api"]),
    (
        "tidegate-runtime",
        &[
            "tidegate-account",
            "tidegate-prefetch",
            "tidegate-storage-api",
        ],
    ),
    (
        "tidegate-delivery",
        &["tidegate-account", "tidegate-runtime"],
    ),
    ("tidegate-libfdb", &[]),
    (
        "tidegate-storage-foundationdb",
        &["tidegate-libfdb", "tidegate-storage-api"],
    ),
    ("tidegate-storage-simulated", &["tidegate-storage-api"]),
    ("tidegate-cluster", &["tidegate-storage-api"]),
    ("tidegate-client", &["tidegate-wire"]),
    (
        "tidegate-sim",
        &[
            "tidegate-account",
            "tidegate-client",
            "tidegate-cluster",
            "tidegate-node",
            "tidegate-runtime",
            "tidegate-storage-api",
            "tidegate-storage-simulated",
            "tidegate-wire",
        ],
    ),
    (
        "tidegate-node",
        &[
            "tidegate-account",
            "tidegate-client",
            "tidegate-cluster",
            "tidegate-delivery",
            "tidegate-runtime",
            "tidegate-storage-api",
            "tidegate-storage-fjall",
            "tidegate-storage-foundationdb",
            "tidegate-wire",
        ],
    ),
    (
        "tidegate-bench",
        &[
            "tidegate-account",
            "tidegate-client",
            "tidegate-runtime",
            "tidegate-storage-api",
            "tidegate-storage-fjall",
            "tidegate-wire",
        ],
    ),
];

/// Who may name what is heavy.
const HEAVY: &[(&str, &[&str])] = &[
    ("ractor", &["tidegate-runtime"]),
    // The bench measures what they can do at best.
    ("dashmap", &["tidegate-runtime", "tidegate-bench"]),
    ("argon2", &["tidegate-runtime", "tidegate-bench"]),
    (
        "quinn",
        &[
            "tidegate-client",
            "tidegate-node",
            "tidegate-bench",
            "tidegate-sim",
        ],
    ),
    ("fjall", &["tidegate-storage-fjall"]),
    ("foundationdb", &["tidegate-storage-foundationdb"]),
    ("lettre", &["tidegate-delivery"]),
    ("minijinja", &["tidegate-delivery"]),
    ("fluent-bundle", &["tidegate-delivery"]),
];

/// Catch-alls that may stand: each is one name that is handed on whole to a
/// function which takes the variants apart again, and has no catch-all itself.
const HANDED_ON: &[(&str, &str)] = &[
    // `code_of` has a code for every refusal.
    ("engine/node/src/answers.rs", "Reply::No(refusal)"),
    // `answers::write` writes every answer.
    ("engine/node/src/service/request.rs", "answer"),
];

/// Arrows between files that close a circle still: crate, who uses, whom.
const CLOSING: &[(&str, &str, &str)] = &[
    // Bugs for the simulator change a verdict where it is made; nothing of it is
    // in any other build.
    ("account", "planted", "refresh"),
    // The cluster hands out its clients.
    ("storage-simulated", "cluster", "store"),
    // Each end of a connection knows where the other is.
    ("sim", "node", "gateway"),
    // A report shows what was measured, and a measurement ends in a report.
    ("bench", "report", "ceiling"),
    ("bench", "report", "run"),
    ("bench", "report/limit", "fidelity/point"),
];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn project() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    here.canonicalize().unwrap()
}

/// Where a package's sources are.
fn sources(package: &Value) -> PathBuf {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    let folder = manifest.parent().unwrap().canonicalize().unwrap();
    folder.join("src")
}

/// A crate's name, as the document draws it.
fn short(name: &&'static str) -> &'static str {
    name.strip_prefix("tidegate-").unwrap()
}

fn imports(package: &Value) -> Vec<&str> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    let shipped = dependencies.filter(|dependency| dependency["kind"].is_null());
    shipped
        .map(|dependency| dependency["name"].as_str().unwrap())
        .collect()
}

#[test]
fn every_arrow_between_our_crates_is_one_that_the_design_allows() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let Some((_, allowed)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
            panic!("{name} has no row in ARROWS");
        };
        for import in imports(&package) {
            let ours = import.starts_with("tidegate-");
            assert!(
                !ours || allowed.contains(&import),
                "{name} imports {import}"
            );
        }
    }
}

#[test]
fn the_arrows_that_are_drawn_are_those_that_are_allowed() {
    let page = std::fs::read_to_string(project().join("ARCHITECTURE.md")).unwrap();
    let drawn = page.split("\n## Arrows\n").nth(1).unwrap();
    let drawn = drawn.split("```").nth(1).unwrap().lines();
    let drawn: BTreeMap<_, BTreeSet<_>> = drawn
        .filter_map(|line| line.split_once("->"))
        .map(|(from, to)| {
            let to = to.split(',').map(str::trim);
            let to = to.filter(|to| *to != "nothing of ours");
            (from.trim(), to.collect())
        })
        .collect();
    let allowed: BTreeMap<_, BTreeSet<_>> = ARROWS
        .iter()
        .map(|(from, to)| (short(from), to.iter().map(short).collect()))
        .collect();
    assert_eq!(drawn, allowed);
}

#[test]
fn one_crate_alone_names_each_heavy_dependency() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        for (heavy, allowed) in HEAVY {
            let named = imports(&package).contains(heavy);
            assert!(!named || allowed.contains(&name), "{name} names {heavy}");
        }
    }
}

#[test]
fn files_of_a_crate_use_each_other_in_no_circle() {
    let mut listed = 0;
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let arrows = circles::arrows(&circles::read(&sources(&package)));
        let closing: circles::Arrows = CLOSING
            .iter()
            .filter(|(of, ..)| name.strip_prefix("tidegate-") == Some(*of))
            .map(|(_, from, to)| ((*from).to_owned(), (*to).to_owned()))
            .collect();
        let others = arrows.difference(&closing).cloned().collect();
        let found = circles::in_circles(&others);
        assert!(found.is_empty(), "{name}: {found:?}");
        for arrow in &closing {
            let needed = arrows.contains(arrow) && circles::closes_a_circle(&others, arrow);
            assert!(needed, "{arrow:?} of {name} closes no circle: drop its row");
        }
        listed += closing.len();
    }
    assert_eq!(listed, CLOSING.len());
}

#[test]
fn a_circle_of_files_is_found_however_its_paths_are_written() {
    let files = [
        (
            "",
            "pub use way::{End, far::Far as Further}; mod way; mod ways;",
        ),
        ("one", "use crate::{two::{self, Two}, way::End};"),
        (
            "two",
            "fn two() -> super::three::Three { crate::two::two() }",
        ),
        (
            "three",
            "mod part; pub(crate) use part::Part; type Two = part::Part;",
        ),
        ("three/part", "use super::Three; use crate::one;"),
        (
            "way",
            "use crate::Further; mod far; pub(crate) use far::Far;",
        ),
        ("way/far", "use super::End; struct Far(crate::ways::Ways);"),
        ("ways", "struct Ways; fn superb() { megacrate::way::End }"),
    ];
    let files = files.map(|(place, text)| (place.to_owned(), text.to_owned()));
    let arrows = circles::arrows(&circles::Files::from(files));
    let circle = [
        ("one", "two"),
        ("three", "three/part"),
        ("three/part", "one"),
        ("two", "three"),
    ];
    let circle = circle.map(|(from, to)| (from.to_owned(), to.to_owned()));
    assert_eq!(circles::in_circles(&arrows), circle);
    let others = [("one", "way"), ("way", "way/far"), ("way/far", "ways")];
    for (from, to) in others {
        let arrow = (from.to_owned(), to.to_owned());
        assert!(arrows.contains(&arrow), "{arrow:?} in {arrows:?}");
    }
}

#[test]
fn no_match_over_an_enum_that_decides_has_a_catch_all() {
    let (mut found, mut files) = (BTreeSet::new(), 0);
    for package in packages() {
        for path in source::files(&sources(&package)) {
            let text = source::shipped(&std::fs::read_to_string(&path).unwrap());
            let path = path.strip_prefix(project()).unwrap().to_str().unwrap();
            let arms = arms::catch_alls(&text).into_iter();
            found.extend(arms.map(|arm| (path.to_owned(), arm)));
            files += 1;
        }
    }
    let permitted = HANDED_ON.iter();
    let permitted: BTreeSet<_> = permitted
        .map(|(path, arm)| ((*path).to_owned(), (*arm).to_owned()))
        .collect();
    assert_eq!(found, permitted);
    assert!(files > 200, "{files}");
}

#[test]
fn a_catch_all_is_found_wherever_it_stands_and_nothing_else_is() {
    let planted = r##"
        fn plane(self) -> Plane {
            match self { Opcode::Erase => { audit("} _ => {"); Plane::Admin } _ => Plane::Auth }
        }
        fn one_in(outcome: Result<Reply, Gone>) -> bool {
            match outcome.map(|reply| { reply }) {
                Ok(Reply::No(refusal)) if refusal.is_final() => collect::<Map<_, _>>(refusal),
                Ok(Reply::Erased(_)) | Err(Gone) => true,
                Ok(other) => match other { Reply::Sessions(_) => 'x' == '{', ref rest => false },
            }
        }
        fn two(asked: (Command, u8)) -> u8 {
            match asked {
                (Command::SignIn(_), 1 | 2) => 1,
                // `_ =>` in a comment /* is none */.
                (_, number) => number,
            }
        }
        fn nothing<'a>(text: &'a str, what: What) -> u8 {
            match text { r#""_ =>"# => 0, "Opcode::Ping" => 1, _ => 2 };
            match what { What::Check(_) | What::Sweep => 0, _ if text.is_empty() => 1, What::Settle => 2 }
        }
        #[cfg(test)]
        mod tests {
            fn told(answer: Answer) { match answer { Answer::Done => {} other => panic!("{other:?}") } }
        }
    "##;
    let found = arms::catch_alls(&source::shipped(planted));
    assert_eq!(found, ["_", "Ok(other)", "ref rest", "(_, number)"]);
}
