//! What a flow is for, and which attempt at it.

use crate::entropy::Entropy;

/// What a flow ends in. The numbers are for ever: codes and continuations are
/// bound to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Purpose {
    /// A session for an account that is there.
    SignIn = 1,
    /// A new account.
    SignUp = 2,
    /// More assurance for a session.
    StepUp = 3,
    /// A way back into an account.
    Recover = 4,
    /// One more credential or identifier.
    Add = 5,
    /// Another credential or identifier in the place of one.
    Change = 6,
}

impl Purpose {
    /// All of them, by number.
    pub const ALL: [Purpose; 6] = [
        Purpose::SignIn,
        Purpose::SignUp,
        Purpose::StepUp,
        Purpose::Recover,
        Purpose::Add,
        Purpose::Change,
    ];

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The purpose of a number; `None` when there is none.
    #[must_use]
    pub fn of(number: u8) -> Option<Purpose> {
        let mut all = Purpose::ALL.into_iter();
        all.find(|purpose| purpose.number() == number)
    }
}

/// One attempt at a flow: 128 random bits. What is sent for an attempt answers
/// that attempt and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttemptId([u8; 16]);

impl AttemptId {
    /// A new one.
    #[must_use]
    pub fn draw(entropy: &mut Entropy) -> AttemptId {
        AttemptId(entropy.bytes())
    }

    /// Takes the bytes of one.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> AttemptId {
        AttemptId(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_purposes_are_for_ever() {
        let numbers = Purpose::ALL.map(|purpose| (purpose.number(), purpose));
        assert_eq!(
            numbers,
            [
                (1, Purpose::SignIn),
                (2, Purpose::SignUp),
                (3, Purpose::StepUp),
                (4, Purpose::Recover),
                (5, Purpose::Add),
                (6, Purpose::Change),
            ]
        );
        let known = (0..=u8::MAX).filter_map(Purpose::of);
        assert_eq!(known.collect::<std::vec::Vec<_>>(), Purpose::ALL);
    }
}
