//! Reading a message without its person's actor: no reply waits behind it, and it
//! takes the place of none.
//!
//! Nothing is decided by what is read here: what comes of it is committed under the
//! fence, and only while the row of the agenda and the person's key are as they were
//! read ([`InHand::fenced`](super::in_hand::InHand::fenced)).

use bytes::Bytes;
use tidegate_account::{Outgoing, PartId, PartKind};
use tidegate_storage_api::StoreError;

use crate::job::Wanted;
use crate::person::load::{self, Home, Loaded};
use crate::person::parts;
use crate::ports::Ports;
use crate::seal::{WRAPPED_BYTES, WrappedKey};
use crate::tenants::Tenants;

/// What is stored of a message.
pub(super) enum Found {
    Message(Outgoing),
    /// Its person is gone, or it is.
    Gone,
    /// A newer program wrote it.
    Newer,
    /// It is damaged.
    Unreadable,
    /// Its person's record or key does not open with what this node knows.
    Locked,
}

/// A message, and its person's key as it is stored.
pub(super) async fn load(
    ports: &Ports,
    tenants: &Tenants,
    home: Home,
    number: u64,
) -> Result<(Found, Option<Bytes>), StoreError> {
    let kind = PartKind::Outbox;
    let wanted = Wanted::One(PartId { kind, number });
    let (person, rows) =
        futures_util::future::join(load::load(ports, home), parts::read(ports, home, wanted)).await;
    let Loaded { record, key } = person?;
    let rows = match rows {
        Ok(rows) => Some(rows),
        Err(StoreError::Corrupt) => None,
        Err(error) => return Err(error),
    };
    let Some(record) = record else {
        // In the place of an erased person's key stands when that was.
        return Ok((Found::Gone, None));
    };
    let cpu = &*ports.cpu;
    let wrapped = key
        .as_deref()
        .and_then(|key| <[u8; WRAPPED_BYTES]>::try_from(key).ok());
    let opened = match (&key, wrapped) {
        // A decoy's key has no row.
        (None, _) => load::open_decoy(cpu, tenants, home.user, &record).ok(),
        (Some(_), Some(wrapped)) => {
            load::open(cpu, tenants, home.user, &record, WrappedKey(wrapped)).ok()
        }
        (Some(_), None) => None,
    };
    let opened = opened.and_then(|opened| Some((opened.account.tenant()?, opened.key)));
    let found = match (opened, rows) {
        (_, Some(rows)) if rows.is_empty() => Found::Gone,
        (None, _) => Found::Locked,
        (Some(_), None) => Found::Unreadable,
        (Some((tenant, open)), Some(rows)) => {
            match parts::open(cpu, tenant, home.user, &open, &rows) {
                Ok(parts) => parts.first().map_or(Found::Gone, |part| read(&part.plain)),
                Err(_) => Found::Unreadable,
            }
        }
    };
    Ok((found, key))
}

fn read(plain: &[u8]) -> Found {
    match Outgoing::decode(plain) {
        Ok(outgoing) => Found::Message(outgoing),
        Err(_) if Outgoing::is_newer(plain) => Found::Newer,
        Err(_) => Found::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_program_wrote_is_not_damaged() {
        let newer = |plain: &[u8]| matches!(read(plain), Found::Newer);
        let damaged = |plain: &[u8]| matches!(read(plain), Found::Unreadable);
        assert!(newer(&[2, 1, 0]) && newer(&[1, 4, 0]) && newer(&[2]));
        assert!(damaged(&[1, 1, 0]) && damaged(&[1]) && damaged(&[]));
    }
}
