//! What attackers achieved who tried passwords on every account.

use serde::{Deserialize, Serialize};

use crate::book::Sprayed;

/// One spraying of passwords.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SprayReport {
    /// Where the guesses came from, in words.
    pub from: String,
    /// How many there were.
    pub guesses: u64,
    /// Of those: whose password was compared.
    pub looked_at: u64,
    /// As many of them as the bounds allow (docs/security.md, Guessing).
    pub at_most: u64,
}

impl SprayReport {
    pub(super) fn of(sprayed: &Sprayed) -> SprayReport {
        SprayReport {
            from: sprayed.from.words().to_owned(),
            guesses: sprayed.guesses,
            looked_at: sprayed.looked_at,
            at_most: sprayed.at_most,
        }
    }

    /// In a sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let SprayReport {
            from,
            guesses,
            looked_at,
            at_most,
        } = self;
        format!("guesses from {from}: {looked_at} of {guesses} looked at, at most {at_most} may be")
    }
}
