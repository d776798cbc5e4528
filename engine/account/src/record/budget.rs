//! The budget of a record: what each of its parts may take of 16 KiB, checked
//! when the program is compiled. A limit that is raised, or a section that is
//! added, takes from what is kept free here, or does not compile.

use super::{HEAD_BYTES, RECORD_MAX_BYTES, SEAL_BYTES, section, v3};

/// What is remembered of where and how the person signed in.
const RISK_BYTES: usize = section::HEAD_BYTES + 1_536;
/// 16 memberships: the organization, up to 4 roles, since when.
const MEMBERSHIPS_BYTES: usize = section::HEAD_BYTES + 8 + 16 * 32;
/// Heads of 8 consents: the purpose, the revision and hash of the ledger's last
/// entry, what it says, since when.
const CONSENTS_BYTES: usize = section::HEAD_BYTES + 8 + 8 * 54;

/// Kept free for what is not built yet.
const RESERVED_BYTES: usize = RISK_BYTES + MEMBERSHIPS_BYTES + CONSENTS_BYTES;

/// The largest record of format 3 that can be written today.
pub(super) const LARGEST_BYTES: usize =
    HEAD_BYTES + v3::CHECK_MAX_BYTES + SEAL_BYTES + section::ALL_MAX_BYTES;

const _: () = assert!(LARGEST_BYTES + RESERVED_BYTES <= RECORD_MAX_BYTES);
