//! The identifier index: a keyed hash leads to a person.
//!
//! Row, format 1: version u8 | state u8 | key version u16 LE | normaliser
//! version u16 LE | expires_at u64 LE (0: never) | user id 16.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tidegate_account::{
    Identifier, IdentifierKind, IndexHash, NORMALISER_VERSION, TenantId, UserId,
};

use crate::seal::Key;

const VERSION: u8 = 1;
const ROW_BYTES: usize = 30;

/// The key of the index, with its number.
pub struct IndexKey {
    /// Its number.
    pub version: u16,
    /// The key.
    pub key: Key,
}

impl IndexKey {
    /// HMAC-SHA-256 (RFC 2104) over tenant, kind, normaliser version and the
    /// identifier's normal form.
    #[must_use]
    pub fn hash(&self, tenant: TenantId, identifier: &Identifier) -> IndexHash {
        let mac = Hmac::<Sha256>::new_from_slice(self.key.expose());
        let Ok(mut mac) = mac else {
            // HMAC takes keys of any length.
            return IndexHash([0; 32]);
        };
        mac.update(b"tidegate-index-1");
        mac.update(&tenant.0.to_be_bytes());
        mac.update(&[identifier.kind() as u8]);
        mac.update(&NORMALISER_VERSION.to_be_bytes());
        mac.update(identifier.expose().as_bytes());
        IndexHash(mac.finalize().into_bytes().into())
    }
}

/// Whether whoever holds an identifier has shown that it is theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RowState {
    /// Said, not shown.
    Claimed = 1,
    /// Shown; or a user name, which belongs to whoever takes it first.
    Verified = 2,
}

/// A row of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexRow {
    /// Whose it is.
    pub user: UserId,
    /// Claimed or verified.
    pub state: RowState,
    /// The number of the key of its hash.
    pub key_version: u16,
    /// The rules by which the identifier was normalised.
    pub normaliser: u16,
    /// When a claim ends, in Unix milliseconds; 0 for never.
    pub expires_at: u64,
}

impl IndexRow {
    /// The row of an identifier that was just registered.
    #[must_use]
    pub fn claim(user: UserId, kind: IdentifierKind, key_version: u16) -> IndexRow {
        IndexRow {
            user,
            state: match kind {
                IdentifierKind::Username => RowState::Verified,
                IdentifierKind::Email | IdentifierKind::Phone => RowState::Claimed,
            },
            key_version,
            normaliser: NORMALISER_VERSION,
            expires_at: 0,
        }
    }

    /// The row's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(ROW_BYTES);
        bytes.extend_from_slice(&[VERSION, self.state as u8]);
        bytes.extend_from_slice(&self.key_version.to_le_bytes());
        bytes.extend_from_slice(&self.normaliser.to_le_bytes());
        bytes.extend_from_slice(&self.expires_at.to_le_bytes());
        bytes.extend_from_slice(self.user.as_bytes());
        bytes.into()
    }

    /// Reads a row; `None` when it is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<IndexRow> {
        let bytes = <&[u8; ROW_BYTES]>::try_from(bytes).ok()?;
        let [VERSION, state, k0, k1, n0, n1, rest @ ..] = bytes else {
            return None;
        };
        let (expires_at, user) = rest.split_first_chunk::<8>()?;
        Some(IndexRow {
            user: UserId::from_bytes(user.try_into().ok()?),
            state: match state {
                1 => RowState::Claimed,
                2 => RowState::Verified,
                _ => return None,
            },
            key_version: u16::from_le_bytes([*k0, *k1]),
            normaliser: u16::from_le_bytes([*n0, *n1]),
            expires_at: u64::from_le_bytes(*expires_at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fill: u8) -> IndexKey {
        IndexKey {
            version: 1,
            key: Key::new([fill; 32]),
        }
    }

    #[test]
    fn hashes_differ_by_key_tenant_kind_and_text() {
        let id = |kind, text| Identifier::parse(kind, text).unwrap();
        let ada = id(IdentifierKind::Email, "ada@example.com");
        let base = key(1).hash(TenantId(1), &ada);
        assert_eq!(base, key(1).hash(TenantId(1), &ada.clone()));
        let others = [
            key(2).hash(TenantId(1), &ada),
            key(1).hash(TenantId(2), &ada),
            key(1).hash(TenantId(1), &id(IdentifierKind::Email, "bob@example.com")),
            key(1).hash(TenantId(1), &id(IdentifierKind::Username, "ada")),
        ];
        assert!(others.iter().all(|other| *other != base));
    }

    #[test]
    fn rows_read_back_and_nothing_else_does() {
        let user = UserId::from_bytes([9; 16]);
        let row = IndexRow::claim(user, IdentifierKind::Phone, 3);
        assert_eq!(IndexRow::decode(&row.encode()), Some(row));
        assert_eq!(row.state, RowState::Claimed);
        let name = IndexRow::claim(user, IdentifierKind::Username, 3);
        assert_eq!(name.state, RowState::Verified);
        let mut bytes = row.encode().to_vec();
        bytes[1] = 9;
        assert_eq!(IndexRow::decode(&bytes), None);
        assert_eq!(IndexRow::decode(&bytes[1..]), None);
    }
}
