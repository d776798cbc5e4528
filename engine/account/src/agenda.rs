//! The agenda: what must happen to a person at a time, so that nothing is found by
//! walking everybody. Rows follow from the account's state and are written in the
//! commit that changes it; one that is no longer so is found to be none when it is
//! due.

/// What must happen. The numbers are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Due {
    /// A claim ends.
    Claim = 1,
    /// The account is needed no more: nothing of it was ever verified.
    Abandoned = 2,
    /// Failed guesses are forgotten, and a stand-in with them.
    Guesses = 3,
}

impl Due {
    /// What this number stands for.
    #[must_use]
    pub fn of(number: u8) -> Option<Due> {
        match number {
            1 => Some(Due::Claim),
            2 => Some(Due::Abandoned),
            3 => Some(Due::Guesses),
            _ => None,
        }
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// One row of a person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgendaRow {
    /// When it is due, in Unix milliseconds.
    pub due_ms: u64,
    /// What must happen.
    pub what: Due,
}
