//! What gave out first: the node, or whoever asked.

use super::{Report, Validity};
use crate::fidelity::{Bottleneck, Outcome};

/// In words, with the classes that were held up.
pub(super) fn of(report: &Report) -> String {
    let asker = match report.validity {
        Validity::Valid => None,
        Validity::NothingAsked => Some("nothing: nothing was asked"),
        Validity::NothingServed { .. } | Validity::NeverSent { .. } => {
            Some("the generator's places in flight")
        }
        Validity::GeneratorBusy { .. } | Validity::Late { .. } => Some("the generator"),
    };
    let outcome = Outcome::measured(report);
    let bottleneck = outcome.bottleneck();
    match (asker, bottleneck) {
        (Some(asker), _) => asker.to_owned(),
        (None, Bottleneck::None) => bottleneck.to_string(),
        (None, Bottleneck::Hashing | Bottleneck::Core | Bottleneck::Elsewhere) => {
            format!("{bottleneck} ({})", outcome.held_up().join(", "))
        }
    }
}
