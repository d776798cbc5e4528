//! The line that plays something again, when it is pasted into a shell.

use crate::calibration::{Calibration, Origin};
use crate::plant::Plant;

/// What plays a scenario.
#[derive(Clone, Debug)]
pub(crate) enum Again {
    /// `run`, with a name or a path.
    Run { scenario: String },
    /// `replay`, which makes it of its seed.
    Replay { plant: Plant },
}

impl Again {
    /// The whole line.
    pub(crate) fn line(&self, seed: u64, calibration: &Calibration) -> String {
        match self {
            Again::Run { scenario } => {
                let calibration = calibrated(calibration);
                let scenario = quoted(scenario);
                format!("tidegate-sim run {scenario} --seed {seed}{calibration}")
            }
            Again::Replay { plant: Plant::None } => format!("tidegate-sim replay {seed}"),
            Again::Replay { plant } => {
                format!("tidegate-sim replay {seed} --plant {}", plant.name())
            }
        }
    }
}

/// The flag that names its file, if it has one.
fn calibrated(calibration: &Calibration) -> String {
    match &calibration.origin {
        Origin::Calibrated(file) => format!(" --calibration {}", quoted(file)),
        Origin::Shipped => String::new(),
    }
}

/// A word for a shell: as it is, or in single quotes.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        let words = [
            "a/b-c_1.toml",
            "",
            "a b",
            "it's",
            "p99(check) < 5ms",
            "$HOME",
        ];
        let quoted = words.map(quoted);
        let expected = [
            "a/b-c_1.toml",
            "''",
            "'a b'",
            "'it'\\''s'",
            "'p99(check) < 5ms'",
            "'$HOME'",
        ];
        assert_eq!(quoted, expected);
    }

    #[test]
    fn a_line_names_the_file_the_seed_and_the_calibration_or_the_plant() {
        let shipped = Calibration::shipped().unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("calibration.json");
        let read = Calibration::read(&path).unwrap();
        let run = Again::Run {
            scenario: "my nights/a.toml".to_owned(),
        };
        assert_eq!(
            run.line(3, &shipped),
            "tidegate-sim run 'my nights/a.toml' --seed 3"
        );
        let path = quoted(&path.display().to_string());
        assert_eq!(
            run.line(3, &read),
            format!("tidegate-sim run 'my nights/a.toml' --seed 3 --calibration {path}")
        );
        let replay = |plant| Again::Replay { plant }.line(2, &shipped);
        assert_eq!(replay(Plant::None), "tidegate-sim replay 2");
        let first = Plant::ALL[0];
        assert_eq!(
            replay(first),
            format!("tidegate-sim replay 2 --plant {}", first.name())
        );
    }
}
