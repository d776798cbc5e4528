//! Seeds that make worlds: sizes and faults are drawn, a phase in which anything
//! may break, then one in which nothing does and everything must be served.

mod drawing;
mod text;

use self::drawing::drawn;
use self::text::{Said, Written};
use crate::calibration::Calibration;
use crate::plant::Plant;
use crate::report::Report;
use crate::scenario::{Fault, Given, Scenario, ScenarioError};
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
    faults: Vec<Fault>,
}

impl Failure {
    /// The faults that were enough, each as the keys that a scenario gives it.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let said = self.faults.iter().map(|fault| Said(fault).to_string());
        said.map(|keys| keys.trim_end().replace('\n', ", "))
            .collect()
    }
}

/// A seed's scenario as text, with all of its faults.
#[must_use]
pub fn scenario_of(seed: u64) -> String {
    Written(&drawn(seed)).to_string()
}

/// A seed's scenario, with all of its faults.
///
/// # Errors
/// [`ScenarioError`], which no seed causes.
pub fn given_of(seed: u64, plant: Plant) -> Result<Given, ScenarioError> {
    given(seed, drawn(seed), plant)
}

fn given(seed: u64, world: Scenario, plant: Plant) -> Result<Given, ScenarioError> {
    let text = Written(&world).to_string();
    Given::of_seed(&format!("seed-{seed}"), world, &text, plant)
}

fn played(
    seed: u64,
    world: Scenario,
    plant: Plant,
) -> Result<Report, Box<dyn std::error::Error + Send + Sync>> {
    let given = given(seed, world, plant)?;
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
    let world = drawn(seed);
    let faults = world.fault.clone();
    let report = played(seed, world, plant)?;
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
    let mut smallest = failure.clone();
    let mut place = 0;
    while place < smallest.faults.len() {
        let mut fewer = smallest.faults.clone();
        fewer.remove(place);
        let world = Scenario {
            fault: fewer.clone(),
            ..drawn(failure.seed)
        };
        let report = played(failure.seed, world, plant)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// By what goes into the trace. Another number is another world, in which
    /// what was found once may not be found again.
    #[test]
    fn the_worlds_of_seeds_that_found_something_once_are_as_they_were() {
        let found_once = [
            (5, 0x14c1_a0bb_427a_1672),
            (15, 0x53d0_a6c5_88a0_f4a8),
            (22, 0x141c_232c_7545_38ab),
            (31, 0x39f5_721c_9a62_7086),
            (132, 0x0c94_f757_3191_806b),
            (164, 0x0dc4_cdf6_212d_e278),
        ];
        for (seed, hash) in found_once {
            let given = given_of(seed, Plant::None).unwrap();
            assert_eq!(given.hash, hash, "{seed}: {}", scenario_of(seed));
        }
    }

    #[test]
    fn a_failure_says_its_faults_as_a_scenario_does() {
        let failure = Failure {
            seed: 5,
            wrong: Vec::new(),
            faults: drawn(5).fault,
        };
        let faults = failure.faults();
        assert_eq!(
            faults[0],
            "at_s = 29, for_s = 1, what = \"pause\", node = 2"
        );
        assert_eq!(
            faults[4],
            "at_s = 14, for_s = 14, what = \"store-slow\", times = 1000"
        );
        assert_eq!(faults.len(), 5);
    }
}
