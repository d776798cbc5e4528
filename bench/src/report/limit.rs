//! The bottleneck: the node, or the generator.

use super::{Report, Validity};
use crate::fidelity::{Bottleneck, Outcome};

/// In words, with the classes that were held up.
pub(super) fn of(report: &Report) -> String {
    let asker = invalid(&report.validity);
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

/// What gave out where the figures say nothing of how fast a node is.
fn invalid(validity: &Validity) -> Option<&'static str> {
    match validity {
        Validity::Valid => None,
        Validity::NothingAsked => Some("nothing: nothing was asked"),
        // Places that no answer frees are all taken soon, and not by too many.
        Validity::NothingServed { asked, never_sent } if never_sent < asked => {
            Some("the node: nothing was served")
        }
        Validity::NothingServed { .. } | Validity::NeverSent { .. } => {
            Some("the generator's places in flight")
        }
        Validity::GeneratorBusy { .. } | Validity::Late { .. } => Some("the generator"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_serves_nothing_is_not_put_down_to_the_generator() {
        let of =
            |asked, served, never_sent| invalid(&Validity::of(asked, served, never_sent, None));
        let (node, places) = (
            Some("the node: nothing was served"),
            Some("the generator's places in flight"),
        );
        assert_eq!(of(300_000, 0, 0), node);
        assert_eq!(of(295_255, 0, 295_000), node);
        assert_eq!(of(1_000, 0, 1_000), places);
        assert_eq!(of(1_000, 900, 100), places);
        assert_eq!(of(1_000, 1_000, 0), None);
        assert_eq!(of(0, 0, 0), Some("nothing: nothing was asked"));
    }
}
