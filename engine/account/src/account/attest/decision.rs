//! What showing that one has an identifier may do to an account: a table of
//! how the account stands to the identifier, its status, and who asks.

use crate::record::IdentifierRow;
use crate::reply::Refusal;
use crate::status::Status;

/// How an account stands to an identifier that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It claims it, and nothing of the account was ever shown, taken or used:
    /// no person loses anything.
    Unused,
    /// It claims it, and is established: it holds an identifier or is in use.
    Established,
    /// It holds it.
    Holder,
}

/// Who shows the identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// The account's owner: a session or the password says so.
    ByOwner,
    /// Any person who receives what is sent there.
    ByAnybody,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Everything stays, and the identifier is the account's.
    Confirm,
    /// Everything that was set up before goes, and the account is theirs.
    TakeOver,
    /// The account loses its claim, and the identifier is free for an account
    /// of its owner's own.
    DropClaim,
    Refuse(Refusal),
}

pub(super) fn decide(standing: Standing, status: Status, shown: Shown) -> Decision {
    match (shown, standing, status) {
        (_, _, Status::Decoy) => Decision::Refuse(Refusal::UnknownAccount),
        (Shown::ByOwner, _, Status::Active) => Decision::Confirm,
        // A session or a password may be what the account was closed for.
        (Shown::ByOwner, _, Status::Locked) => Decision::Refuse(Refusal::AccountLocked),
        (Shown::ByOwner, _, Status::Suspended)
        | (Shown::ByAnybody, Standing::Holder, Status::Suspended) => {
            Decision::Refuse(Refusal::AccountSuspended)
        }
        // Recovery. A lock protects the owner, who it is that recovers; it stays.
        (Shown::ByAnybody, Standing::Holder, Status::Active | Status::Locked)
        | (Shown::ByAnybody, Standing::Unused, Status::Active) => Decision::TakeOver,
        // A closed account keeps no person from their own address.
        (Shown::ByAnybody, Standing::Unused, Status::Locked | Status::Suspended)
        | (
            Shown::ByAnybody,
            Standing::Established,
            Status::Active | Status::Locked | Status::Suspended,
        ) => Decision::DropClaim,
    }
}

/// Whether a row stays held when the account is recovered through an identifier
/// that is held since then. What was added later may be a thief's; what was
/// there before outlives a thief who recovers through what they added.
pub(super) fn outlives_recovery(row: &IdentifierRow, since: u64) -> bool {
    use crate::identifier::IdentifierKind as Kind;
    use crate::record::Hold;
    match (row.kind, row.hold) {
        (_, Hold::Claimed { .. }) => false,
        // It is taken, not shown, and opens nothing without the password.
        (Kind::Username, Hold::Held { .. }) => true,
        (Kind::Email | Kind::Phone, Hold::Held { since: held }) => held < since,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn the_table_of_verifications_is_as_written_down() {
        let mut table = std::string::String::new();
        for shown in [Shown::ByOwner, Shown::ByAnybody] {
            for standing in [Standing::Unused, Standing::Established, Standing::Holder] {
                for status in [
                    Status::Active,
                    Status::Locked,
                    Status::Suspended,
                    Status::Decoy,
                ] {
                    let decision = decide(standing, status, shown);
                    writeln!(
                        table,
                        "{shown:?} + {standing:?} + {status:?} = {decision:?}"
                    )
                    .unwrap();
                }
            }
        }
        crate::table::assert_table("attest", &table);
    }
}
