//! Whether figures say anything about the node, or only about the generator.

use std::fmt;

use serde::{Serialize, Serializer};

/// Of its core; above, the generator was the limit.
const GENERATOR_SHARE_MAX: f64 = 0.85;
/// Of what was sent; above, the generator did not keep up.
const LATE_SHARE_MAX: f64 = 0.001;
/// Of what was asked; above, there were too few places in flight.
const NEVER_SENT_SHARE_MAX: f64 = 0.001;

/// Whether the figures count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Validity {
    Valid,
    NothingAsked,
    NothingServed {
        asked: u64,
        never_sent: u64,
    },
    /// Every place in flight was taken to the end.
    NeverSent {
        count: u64,
        asked: u64,
    },
    GeneratorBusy {
        share: f64,
    },
    Late {
        share: f64,
    },
}

/// How a generator did that keeps to times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeping {
    /// Of its core.
    pub(crate) cpu_share: f64,
    /// Of what was sent.
    pub(crate) late_share: f64,
}

impl Validity {
    /// `keeping` is nothing where the generator is as busy as it can be by
    /// intention.
    pub(crate) fn of(
        asked: u64,
        served: u64,
        never_sent: u64,
        keeping: Option<Keeping>,
    ) -> Validity {
        if asked == 0 {
            return Validity::NothingAsked;
        }
        if served == 0 {
            return Validity::NothingServed { asked, never_sent };
        }
        if never_sent as f64 > asked as f64 * NEVER_SENT_SHARE_MAX {
            return Validity::NeverSent {
                count: never_sent,
                asked,
            };
        }
        match keeping {
            Some(Keeping { cpu_share, .. }) if cpu_share > GENERATOR_SHARE_MAX => {
                Validity::GeneratorBusy { share: cpu_share }
            }
            Some(Keeping { late_share, .. }) if late_share > LATE_SHARE_MAX => {
                Validity::Late { share: late_share }
            }
            Some(_) | None => Validity::Valid,
        }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Validity::Valid => f.write_str("valid"),
            Validity::NothingAsked => f.write_str("invalid: nothing was asked"),
            Validity::NothingServed { asked, .. } => {
                write!(f, "invalid: nothing of {asked} was served")
            }
            Validity::NeverSent { count, asked } => write!(
                f,
                "invalid: {count} of {asked} were never sent: more --connections or --in-flight, \
                 or a lower --rate"
            ),
            Validity::GeneratorBusy { share } => write!(
                f,
                "invalid: the generator used {:.0}% of its core, more than {:.0}%",
                share * 100.0,
                GENERATOR_SHARE_MAX * 100.0
            ),
            Validity::Late { share } => write!(
                f,
                "invalid: {:.2}% was sent late, more than {:.1}%",
                share * 100.0,
                LATE_SHARE_MAX * 100.0
            ),
        }
    }
}

impl Serialize for Validity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_say_nothing_of_the_node_are_invalid_and_say_why() {
        let keeping = |cpu_share, late_share| {
            Some(Keeping {
                cpu_share,
                late_share,
            })
        };
        let cases = [
            (Validity::of(1_000, 1_000, 0, keeping(0.85, 0.001)), "valid"),
            (Validity::of(1_000, 1_000, 1, None), "valid"),
            (
                Validity::of(0, 0, 0, keeping(0.1, 0.0)),
                "invalid: nothing was asked",
            ),
            (
                Validity::of(295_255, 0, 295_000, keeping(0.1, 0.0)),
                "invalid: nothing of 295255 was served",
            ),
            (
                Validity::of(1_000, 900, 2, None),
                "invalid: 2 of 1000 were never sent: more --connections or --in-flight, or a lower \
                 --rate",
            ),
            (
                Validity::of(1_000, 1_000, 0, keeping(0.91, 0.5)),
                "invalid: the generator used 91% of its core, more than 85%",
            ),
            (
                Validity::of(1_000, 1_000, 0, keeping(0.5, 0.0033)),
                "invalid: 0.33% was sent late, more than 0.1%",
            ),
        ];
        for (validity, words) in cases {
            assert_eq!(validity.to_string(), words);
            let json = serde_json::to_string(&validity).unwrap();
            assert_eq!(json, format!("\"{words}\""));
        }
    }
}
