//! Whether an account may be used.

use rkyv::{Archive, Deserialize, Serialize};

/// The status of an account. Only an active one signs in, refreshes, or has
/// its sessions answer checks; those of others are kept, can be listed and
/// ended, and answer again when it is active.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// In use.
    Active = 1,
    /// Closed to protect its owner, who can open it again.
    Locked = 2,
    /// Closed by an administrator, who alone can open it again.
    Suspended = 3,
    /// A decoy account: it stands for an identifier that no account holds, and
    /// counts the guesses at it. It answers every question as though there were
    /// no account.
    Decoy = 4,
}

/// What can be asked of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusChange {
    /// Close it to protect its owner.
    Lock,
    /// Open it for its owner again.
    Unlock,
    /// Close it by an administrator's decision.
    Suspend,
    /// Take that decision back.
    Reinstate,
}

impl Status {
    /// The status after a change; `None` where the change does not apply.
    /// A suspension outlives what the owner can do.
    #[must_use]
    pub fn after(self, change: StatusChange) -> Option<Status> {
        use {Status as S, StatusChange as C};
        match (self, change) {
            (S::Active | S::Locked, C::Lock) => Some(S::Locked),
            (S::Active | S::Locked, C::Unlock) => Some(S::Active),
            (S::Active | S::Locked | S::Suspended, C::Suspend) => Some(S::Suspended),
            (S::Active | S::Suspended, C::Reinstate) => Some(S::Active),
            (S::Suspended, C::Lock | C::Unlock) | (S::Locked, C::Reinstate) | (S::Decoy, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn the_table_of_transitions_is_as_written_down() {
        let mut table = std::string::String::new();
        for status in [
            Status::Active,
            Status::Locked,
            Status::Suspended,
            Status::Decoy,
        ] {
            for change in [
                StatusChange::Lock,
                StatusChange::Unlock,
                StatusChange::Suspend,
                StatusChange::Reinstate,
            ] {
                writeln!(
                    table,
                    "{status:?} + {change:?} = {:?}",
                    status.after(change)
                )
                .unwrap();
            }
        }
        crate::table::assert_table("status", &table);
    }
}
