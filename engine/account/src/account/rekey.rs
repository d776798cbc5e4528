//! Taking over what new keys made of the old ones' work: index hashes and the
//! password's encryption. Nothing that a person can do changes by it.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Account, Moved, Step};
use crate::digest::IndexHash;
use crate::password::PasswordHash;
use crate::record::PasswordRow;

/// What new keys made. The record is written anew even when nothing of it
/// changed, because the key under which it is sealed may have been wrapped anew.
#[derive(Debug)]
pub struct Rekey {
    /// Identifiers by number, and their new hashes.
    pub hashes: Vec<(u16, IndexHash)>,
    /// The version of the key of those hashes.
    pub key_version: u16,
    /// The password under the new pepper, with the one it was made from, as
    /// PHC strings.
    pub password: Option<(PasswordHash, PasswordHash)>,
}

impl Account {
    pub(super) fn rekey(&mut self, rekey: &Rekey, step: &mut Step<'_>) {
        let Some(person) = &mut self.person else {
            return;
        };
        let change = step.change();
        for row in &mut person.sealed.identifiers {
            let new = rekey
                .hashes
                .iter()
                .find(|(number, _)| *number == row.number);
            let Some((_, to)) = new.filter(|_| row.key_version < rekey.key_version) else {
                continue;
            };
            let from = IndexHash(core::mem::replace(&mut row.hash, to.0));
            row.key_version = rekey.key_version;
            if row.is_held() {
                change.moved.push(Moved {
                    from,
                    to: *to,
                    key_version: rekey.key_version,
                });
            }
        }
        if let (Some((old, new)), Some(row)) = (&rekey.password, &mut person.sealed.password) {
            // Whatever was set meanwhile is newer than what was made anew.
            if row.phc == old.to_string() {
                *row = PasswordRow {
                    phc: new.to_string(),
                    ..row.clone()
                };
            }
        }
    }
}
