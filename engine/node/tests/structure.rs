//! The arrows between our crates are those of ARCHITECTURE.md and no others,
//! and one crate alone names each heavy dependency.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

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
fn one_crate_alone_names_each_heavy_dependency() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        for (heavy, allowed) in HEAVY {
            let named = imports(&package).contains(heavy);
            assert!(!named || allowed.contains(&name), "{name} names {heavy}");
        }
    }
}
