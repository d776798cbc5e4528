//! Same seed, same trace: twice in one process, and in another.
#![allow(clippy::unwrap_used, reason = "a test program")]

use std::path::Path;
use std::process::Command;

use tidegate_sim::{Calibration, Given, Plant, Report, given_of, play};

const SMOKE: &str = "smoke";

/// Everything that the outside of the engine saw in this seed's world.
fn trace(seed: u64) -> (u64, u64) {
    let given = Given::named(SMOKE).unwrap();
    let calibration = Calibration::shipped().unwrap();
    let played = play(&given, &calibration, seed, &|_| {}).unwrap();
    (played.trace_hash, played.trace_length)
}

#[test]
fn the_same_seed_gives_the_same_trace_in_this_process_and_in_another() {
    let first = trace(1);
    assert_eq!(trace(1), first);
    let folder = std::env::temp_dir().join(format!("tidegate-sim-{}", std::process::id()));
    let status = Command::new(env!("CARGO_BIN_EXE_tidegate-sim"))
        .args(["run", SMOKE, "--seed", "1", "--json"])
        .arg(&folder)
        .status()
        .unwrap();
    assert!(status.success());
    let report: Report = serde_json::from_slice(&std::fs::read(&folder).unwrap()).unwrap();
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(report.trace_hash, format!("{:016x}", first.0));
    assert_ne!(trace(2), first);
}

/// Messages are posted in it, and it is short.
const WITH_MESSAGES: u64 = 7;

#[test]
fn a_drawn_night_with_messages_has_the_same_trace_in_this_process_and_in_another() {
    let given = given_of(WITH_MESSAGES, Plant::None).unwrap();
    let calibration = Calibration::shipped().unwrap();
    let hash = || {
        let played = play(&given, &calibration, WITH_MESSAGES, &|_| {}).unwrap();
        format!("{:016x}", played.trace_hash)
    };
    let first = hash();
    assert_eq!(hash(), first);
    let replayed = Command::new(env!("CARGO_BIN_EXE_tidegate-sim"))
        .args(["replay", "7"])
        .output()
        .unwrap();
    let said = String::from_utf8(replayed.stdout).unwrap();
    assert!(said.contains("\nmessage = "), "{said}");
    assert!(said.contains(&first), "{first} is not in {said}");
}

/// Real QUIC, with datagrams that are lost and doubled, and a node that dies.
const QUIC: &str = r#"
about = "QUIC itself."
people = 500
curve = [[0, 100], [12, 100]]
[ask]
check = 8
refresh = 1
sign_in = 1
[nodes]
count = 2
[store]
kind = "foundationdb"
[network]
transport = "quic"
loss_percent = 2
double_percent = 2
[[fault]]
at_s = 4
for_s = 3
what = "kill"
node = 1
"#;

#[test]
fn a_night_over_real_quic_has_the_same_trace_in_this_process_and_in_another() {
    let scenario = std::env::temp_dir().join(format!("tidegate-quic-{}.toml", std::process::id()));
    std::fs::write(&scenario, QUIC).unwrap();
    let json = scenario.with_extension("json");
    let status = Command::new(env!("CARGO_BIN_EXE_tidegate-sim"))
        .arg("run")
        .arg(&scenario)
        .arg("--json")
        .arg(&json)
        .status()
        .unwrap();
    assert!(status.success());
    let report: Report = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert!(report.classes["check"].served > 500, "{:?}", report.classes);
    let given = Given::named(scenario.to_str().unwrap()).unwrap();
    std::fs::remove_file(&scenario).unwrap();
    std::fs::remove_file(&json).unwrap();
    let calibration = Calibration::shipped().unwrap();
    let hash = |seed| {
        let played = play(&given, &calibration, seed, &|_| {}).unwrap();
        format!("{:016x}", played.trace_hash)
    };
    assert_eq!(hash(1), report.trace_hash);
    assert_ne!(hash(2), report.trace_hash);
}

#[test]
fn a_calibration_is_an_input_of_the_trace() {
    let given = Given::named(SMOKE).unwrap();
    let shipped = Calibration::shipped().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("calibration.json");
    let mut text = std::fs::read_to_string(path).unwrap();
    text.push('\n');
    let other = std::env::temp_dir().join(format!("tidegate-cal-{}.json", std::process::id()));
    std::fs::write(&other, text).unwrap();
    let read = Calibration::read(&other).unwrap();
    std::fs::remove_file(&other).unwrap();
    let hash = |calibration| play(&given, calibration, 3, &|_| {}).unwrap().trace_hash;
    assert_ne!(hash(&shipped), hash(&read));
}
