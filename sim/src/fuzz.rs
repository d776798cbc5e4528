//! Seeds that make worlds: sizes and faults are drawn, a phase in which anything
//! may break, then one in which nothing does and everything must be served.

use std::fmt::Write;
use std::path::Path;

use crate::calibration::Calibration;
use crate::plant::Plant;
use crate::random::Stream;
use crate::report::Report;
use crate::scenario::{Given, ScenarioError};
use crate::world::{WorldError, play_with};

/// Until then anything may break, in seconds.
const SAFETY_S: u64 = 40;
/// From then on everything must be served: what broke last has so long to mend.
const CALM_S: u64 = 65;
const END_S: u64 = 80;

/// What a seed's world broke.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was seen, the first few.
    pub wrong: Vec<String>,
    /// The faults that were enough.
    pub faults: Vec<String>,
}

/// One fault of a drawn world, as its scenario says it.
fn fault(stream: &Stream, nodes: u64) -> String {
    let at_s = 2 + stream.below(SAFETY_S - 12);
    let for_s = 1 + stream.below(SAFETY_S - at_s);
    let node = 1 + stream.below(nodes);
    let head = format!("\n[[fault]]\nat_s = {at_s}\nfor_s = {for_s}\n");
    let cluster = nodes > 1;
    let what = match stream.below(8) {
        0 => format!("what = \"kill\"\nnode = {node}\n"),
        1 => format!("what = \"pause\"\nnode = {node}\n"),
        2 if cluster => format!("what = \"cut-off\"\nnode = {node}\n"),
        3 if cluster => format!("what = \"drain\"\nnode = {node}\n"),
        4 => "what = \"store-down\"\n".to_owned(),
        5 => format!("what = \"store-slow\"\ntimes = {}\n", 2 + stream.below(30)),
        6 => {
            // Two nodes whose dates differ by more than the time for repeats
            // cannot agree on what is one, and a date far ahead ends sessions:
            // nothing but right dates helps that.
            let by_s = i64::try_from(stream.below(21)).unwrap_or(0) - 10;
            format!("what = \"date\"\nnode = {node}\nby_s = {by_s}\n")
        }
        _ => "what = \"store-recovery\"\n".to_owned(),
    };
    head + &what
}

/// In every third world something is wrong between gateways and nodes. Drawn
/// apart, so that what older seeds found is found again.
fn network_fault(seed: u64, nodes: u64) -> Option<String> {
    let stream = Stream::new(seed, "fuzz-network", 0);
    let (at_s, for_s) = (2 + stream.below(20), 1 + stream.below(15));
    let head = format!("\n[[fault]]\nat_s = {at_s}\nfor_s = {for_s}\n");
    match stream.below(6) {
        0 => {
            let node = 1 + stream.below(nodes);
            Some(format!("{head}what = \"unreachable\"\nnode = {node}\n"))
        }
        1 => {
            let times = 2 + stream.below(200);
            Some(format!("{head}what = \"network-slow\"\ntimes = {times}\n"))
        }
        _ => None,
    }
}

/// In every other world the store is slow for a while, for one node or for all,
/// and in half of these right after it was away for longer than a refresh can
/// be repeated. Drawn apart, as network faults are.
fn slowness(seed: u64, nodes: u64) -> Vec<String> {
    let stream = Stream::new(seed, "fuzz-slow", 0);
    let slow = |at_s: u64, for_s: u64| {
        let times = 10 * [1, 3, 10, 30, 100][usize::try_from(stream.below(5)).unwrap_or(0)];
        let head = format!("\n[[fault]]\nat_s = {at_s}\nfor_s = {for_s}\n");
        let node = match stream.below(nodes + 1) {
            0 => String::new(),
            node => format!("node = {node}\n"),
        };
        format!("{head}what = \"store-slow\"\ntimes = {times}\n{node}")
    };
    match stream.below(4) {
        0 => {
            let (at_s, away_s) = (2 + stream.below(3), 31 + stream.below(3));
            let away =
                format!("\n[[fault]]\nat_s = {at_s}\nfor_s = {away_s}\nwhat = \"store-down\"\n");
            vec![away, slow(at_s + away_s, 1 + stream.below(7))]
        }
        1 => (0..1 + stream.below(3))
            .map(|_| slow(2 + stream.below(20), 1 + stream.below(20)))
            .collect(),
        _ => Vec::new(),
    }
}

/// Who else comes, and whose sessions are short. Drawn apart, as network faults
/// are.
fn more_people(seed: u64, people: u64) -> (String, String) {
    let stream = Stream::new(seed, "fuzz-people", 0);
    let dormant = stream.below(people / 4 + 1);
    let mut ask = format!("reuse = {}\n", stream.below(6));
    let mut head = format!("remember_percent = {}\n", stream.below(2) * 50);
    if dormant > 0 {
        let _ = writeln!(head, "active = {}", people - dormant);
        let _ = writeln!(ask, "come_back = {}", stream.below(6));
        let _ = writeln!(ask, "last_moment = {}", stream.below(6));
    }
    (head, ask)
}

/// In every other world some are erased. Drawn apart, as network faults are.
fn erasures(seed: u64) -> u64 {
    let stream = Stream::new(seed, "fuzz-erasures", 0);
    stream.below(2) * (1 + stream.below(8))
}

/// In some worlds people come at once, and sessions are stolen. Drawn apart, as
/// network faults are.
fn rushes(seed: u64) -> Option<[u64; 3]> {
    let stream = Stream::new(seed, "fuzz-crowds", 0);
    let there = stream.below(2) == 1;
    there.then(|| [1, 2, 2].map(|most| 1 + stream.below(most)))
}

/// In every other world sessions end within the night when nobody uses them.
fn idle_s(seed: u64, usual: u64) -> u64 {
    let stream = Stream::new(seed, "fuzz-session", 0);
    match stream.below(2) {
        0 => 40 + stream.below(30),
        _ => usual,
    }
}

/// What a seed's world is: everything but its faults, and each of them.
fn drawn(seed: u64) -> (String, Vec<String>) {
    let stream = Stream::new(seed, "fuzz", 0);
    let (kind, nodes) = match stream.below(4) {
        0 => ("embedded", 1),
        _ => ("foundationdb", 1 + stream.below(4)),
    };
    let people = 20 + stream.below(400);
    let rate = 20 + stream.below(120);
    let lease_ms = 1_000 + stream.below(3) * 1_000;
    let part = |most: u64| stream.below(most + 1);
    let (mut head, mut ask) = more_people(seed, people);
    if let Some([same_source, same_account, stolen_session]) = rushes(seed) {
        let _ = writeln!(head, "at_once = {{ people = 12, devices = 8 }}");
        let _ = writeln!(ask, "same_source = {same_source}");
        let _ = writeln!(ask, "same_account = {same_account}");
        let _ = writeln!(ask, "stolen_session = {stolen_session}");
    }
    let mut text = format!(
        "about = \"seed {seed}\"\npeople = {people}\ncalm_from_s = {CALM_S}\n\
         curve = [[0, {rate}], [{END_S}, {rate}]]\n{head}[ask]\ncheck = 100\n{ask}"
    );
    if let be_erased @ 1.. = erasures(seed) {
        let _ = writeln!(text, "be_erased = {be_erased}");
    }
    for (name, most) in [
        ("forged_check", 5),
        ("refresh", 60),
        ("two_tabs", 30),
        ("sign_in", 20),
        ("mistype", 5),
        ("same_name", 5),
        ("guess_crowd", 2),
        ("sign_up", 8),
        ("sign_out", 10),
    ] {
        let _ = writeln!(text, "{name} = {}", part(most));
    }
    let unknown: Vec<u64> = (0..3).map(|_| part(1) * part(30_000)).collect();
    let _ = write!(
        text,
        "[nodes]\ncount = {nodes}\nlease_ms = {lease_ms}\nhashing_waiting = {}\nsession_idle_s = {}\n\
         [store]\nkind = \"{kind}\"\nunknown_happened = {}\nunknown_lost = {}\nunknown_later = {}\n\
         [network]\nloss_percent = {}\n[gateways]\ndeadline_ms = 8000\n",
        64 + part(200),
        idle_s(seed, 1_800 + part(1_800)),
        unknown[0],
        unknown[1],
        unknown[2],
        part(3),
    );
    let count = part(6);
    let mut faults: Vec<String> = (0..count).map(|_| fault(&stream, nodes)).collect();
    faults.extend(network_fault(seed, nodes));
    faults.extend(slowness(seed, nodes));
    (text, faults)
}

/// A seed's scenario as text, with all of its faults.
#[must_use]
pub fn scenario_of(seed: u64) -> String {
    let (text, faults) = drawn(seed);
    text + &faults.concat()
}

fn given(seed: u64, text: &str, faults: &[String], plant: Plant) -> Result<Given, ScenarioError> {
    let name = format!("seed-{seed}");
    let text = text.to_owned() + &faults.concat();
    let given = Given::parse(&name, Path::new(&name), &text)?;
    Ok(given.of_seed(plant))
}

fn played(
    seed: u64,
    text: &str,
    faults: &[String],
    plant: Plant,
) -> Result<Report, Box<dyn std::error::Error + Send + Sync>> {
    let given = given(seed, text, faults, plant)?;
    let calibration = Calibration::shipped()?;
    let played = play_with(&given, &calibration, seed, plant, &|_| {});
    let played = played.map_err(|error: WorldError| Box::new(error))?;
    Ok(Report::of(&given, &calibration, &played, 0.0))
}

/// Plays one seed's world; what it broke, if anything.
///
/// # Errors
/// When the world could not be played.
pub fn fuzz_one(
    seed: u64,
    plant: Plant,
) -> Result<Option<Failure>, Box<dyn std::error::Error + Send + Sync>> {
    let (text, faults) = drawn(seed);
    let report = played(seed, &text, &faults, plant)?;
    Ok((report.wrong > 0).then_some(Failure {
        seed,
        wrong: report.wrong_first,
        faults,
    }))
}

/// Leaves out faults as long as the world still breaks something.
///
/// # Errors
/// When a world could not be played.
pub fn shrink(
    failure: &Failure,
    plant: Plant,
) -> Result<Failure, Box<dyn std::error::Error + Send + Sync>> {
    let (text, _) = drawn(failure.seed);
    let mut smallest = failure.clone();
    let mut place = 0;
    while place < smallest.faults.len() {
        let mut fewer = smallest.faults.clone();
        fewer.remove(place);
        let report = played(failure.seed, &text, &fewer, plant)?;
        match report.wrong {
            0 => place += 1,
            _ => {
                smallest.faults = fewer;
                smallest.wrong = report.wrong_first;
            }
        }
    }
    Ok(smallest)
}
