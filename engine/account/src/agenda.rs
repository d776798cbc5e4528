//! The agenda: what must happen to a person at a time, so that nothing is found
//! by walking all accounts. Rows follow from the account's state and are
//! written in the commit that changes it; one that is no longer so is found to
//! be none when it is due. Those of the outbox are written with what leaves.

/// What must happen. The numbers are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Due {
    /// A claim ends.
    Claim = 1,
    /// The account is needed no more: nothing of it was ever verified.
    Abandoned = 2,
    /// Failed guesses are forgotten, and a decoy with them.
    Guesses = 3,
    /// A message leaves: the part of the outbox of this number.
    Delivery = 4,
    /// A message that could not be delivered is kept no longer.
    Discard = 5,
    /// Flows are over, and what was sent for them counts no more.
    Attempts = 6,
}

impl Due {
    /// What this number stands for.
    #[must_use]
    pub fn of(number: u8) -> Option<Due> {
        match number {
            1 => Some(Due::Claim),
            2 => Some(Due::Abandoned),
            3 => Some(Due::Guesses),
            4 => Some(Due::Delivery),
            5 => Some(Due::Discard),
            6 => Some(Due::Attempts),
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
    /// To which of several; 0 where a person has at most one such row.
    pub number: u64,
}

impl AgendaRow {
    pub(crate) fn only(due_ms: u64, what: Due) -> AgendaRow {
        AgendaRow {
            due_ms,
            what,
            number: 0,
        }
    }
}
