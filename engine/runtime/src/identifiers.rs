//! The identifier index: a keyed hash leads to a person. Only identifiers that
//! are one person's alone have a row: verified ones and user names. What is
//! merely claimed lies with the claimant.
//!
//! Row, format 1: version u8 | 0 | key version u16 LE | normaliser version
//! u16 LE | user id 16.

use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tidegate_account::{
    ClaimedIdentifier, Identifier, IndexHash, NORMALISER_VERSION, TenantId, UserId,
};

use crate::seal::Key;

const VERSION: u8 = 1;
const ROW_BYTES: usize = 22;

/// A key of the index, with its number.
#[derive(Clone)]
pub struct IndexKey {
    /// Its number; a later key has a greater one.
    pub version: u16,
    /// The key.
    pub key: Key,
}

impl IndexKey {
    /// HMAC-SHA-256 (RFC 2104) over tenant, kind, normaliser version and the
    /// identifier's normal form.
    #[must_use]
    pub fn hash(&self, tenant: TenantId, identifier: &Identifier) -> IndexHash {
        IndexHash(self.mac(&[
            b"tidegate-index-1",
            &tenant.0.to_be_bytes(),
            &[identifier.kind() as u8],
            &NORMALISER_VERSION.to_be_bytes(),
            identifier.expose().as_bytes(),
        ]))
    }

    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new_from_slice(self.key.expose());
        let Ok(mut mac) = mac else {
            // HMAC takes keys of any length.
            return [0; 32];
        };
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// The keys of the index: the newest, under which rows are written, and those
/// under which rows may still lie while they are moved.
pub struct IndexKeys {
    keys: RwLock<Vec<IndexKey>>,
}

/// Every hash under which an identifier's row may lie: for each key, that of the
/// form that an older rule made of it, where it was another, and that of its
/// form. The oldest key's first, the form of today last.
fn hashes_of(keys: &[IndexKey], tenant: TenantId, identifier: &Identifier) -> Vec<IndexHash> {
    let older = identifier.older_form();
    let mut hashes = Vec::new();
    for key in keys {
        let forms = older.iter().chain([identifier]);
        hashes.extend(forms.map(|form| key.hash(tenant, form)));
    }
    hashes
}

/// An identifier's hashes, the oldest key's first.
pub(crate) struct Hashes(Vec<IndexHash>);

impl Hashes {
    /// The order in which to look: a row that is being moved meanwhile is found
    /// under the old hash or, after that was looked at, under the new one.
    pub(crate) fn oldest_first(&self) -> impl Iterator<Item = &IndexHash> {
        self.0.iter()
    }

    /// The hash under the newest key.
    pub(crate) fn newest(&self) -> IndexHash {
        self.0.last().copied().unwrap_or(IndexHash([0; 32]))
    }
}

impl IndexKeys {
    /// Takes the one key there is.
    #[must_use]
    pub fn new(key: IndexKey) -> IndexKeys {
        IndexKeys {
            keys: RwLock::new(vec![key]),
        }
    }

    /// Adds a newer key; rows are written under it from now on.
    pub fn add(&self, key: IndexKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|old| old.version != key.version);
        keys.push(key);
        keys.sort_by_key(|key| key.version);
    }

    /// Forgets every key but the newest: no row lies under them any more.
    pub fn retire(&self) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let old = keys.len().saturating_sub(1);
        keys.drain(..old);
    }

    /// The number of the newest key.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.with(|keys| keys.last().map_or(0, |key| key.version))
    }

    pub(crate) fn hashes(&self, tenant: TenantId, identifier: &Identifier) -> Hashes {
        Hashes(self.with(|keys| hashes_of(keys, tenant, identifier)))
    }

    pub(crate) fn claimed(&self, tenant: TenantId, identifier: Identifier) -> ClaimedIdentifier {
        // Under one lock: a key that is added meanwhile has another version.
        let (mut older, key_version) = self.with(|keys| {
            let hashes = hashes_of(keys, tenant, &identifier);
            (hashes, keys.last().map_or(0, |key| key.version))
        });
        ClaimedIdentifier {
            hash: older.pop().unwrap_or(IndexHash([0; 32])),
            key_version,
            older,
            reservation: None,
            identifier,
        }
    }

    /// The hash under which a source of requests is counted.
    pub(crate) fn source(&self, tenant: TenantId, source: &[u8]) -> [u8; 32] {
        let tenant = tenant.0.to_be_bytes();
        let parts: &[&[u8]] = &[b"tidegate-source-1", &tenant, source];
        self.with(|keys| keys.last().map_or([0; 32], |key| key.mac(parts)))
    }

    fn with<T>(&self, read: impl FnOnce(&[IndexKey]) -> T) -> T {
        read(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A row of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexRow {
    /// Whose it is.
    pub user: UserId,
    /// The number of the key of its hash.
    pub key_version: u16,
    /// The rules by which the identifier was normalised.
    pub normaliser: u16,
}

impl IndexRow {
    /// The row of an identifier that is this person's.
    #[must_use]
    pub fn new(user: UserId, key_version: u16) -> IndexRow {
        IndexRow {
            user,
            key_version,
            normaliser: NORMALISER_VERSION,
        }
    }

    /// The row's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(ROW_BYTES);
        bytes.extend_from_slice(&[VERSION, 0]);
        bytes.extend_from_slice(&self.key_version.to_le_bytes());
        bytes.extend_from_slice(&self.normaliser.to_le_bytes());
        bytes.extend_from_slice(self.user.as_bytes());
        bytes.into()
    }

    /// Reads a row; `None` when it is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<IndexRow> {
        let bytes = <&[u8; ROW_BYTES]>::try_from(bytes).ok()?;
        let [VERSION, 0, k0, k1, n0, n1, user @ ..] = bytes else {
            return None;
        };
        Some(IndexRow {
            user: UserId::from_bytes(*user),
            key_version: u16::from_le_bytes([*k0, *k1]),
            normaliser: u16::from_le_bytes([*n0, *n1]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_account::IdentifierKind;

    fn key(fill: u8) -> IndexKey {
        IndexKey {
            version: fill.into(),
            key: Key::new([fill; 32]),
        }
    }

    fn ada() -> Identifier {
        Identifier::parse(IdentifierKind::Email, "ada@example.com").unwrap()
    }

    #[test]
    fn hashes_differ_by_key_tenant_kind_and_text() {
        let id = |kind, text| Identifier::parse(kind, text).unwrap();
        let base = key(1).hash(TenantId(1), &ada());
        assert_eq!(base, key(1).hash(TenantId(1), &ada()));
        let others = [
            key(2).hash(TenantId(1), &ada()),
            key(1).hash(TenantId(2), &ada()),
            key(1).hash(TenantId(1), &id(IdentifierKind::Email, "bob@example.com")),
            key(1).hash(TenantId(1), &id(IdentifierKind::Username, "ada")),
        ];
        assert!(others.iter().all(|other| *other != base));
    }

    #[test]
    fn rows_are_written_under_the_newest_key_and_looked_for_under_all() {
        let keys = IndexKeys::new(key(1));
        keys.add(key(2));
        let [old, new] = [1, 2].map(|fill| key(fill).hash(TenantId(1), &ada()));
        let claimed = keys.claimed(TenantId(1), ada());
        assert_eq!((claimed.hash, claimed.key_version), (new, 2));
        assert_eq!(claimed.older, [old]);
        let hashes = keys.hashes(TenantId(1), &ada());
        assert_eq!(hashes.oldest_first().collect::<Vec<_>>(), [&old, &new]);
        keys.retire();
        let hashes = keys.hashes(TenantId(1), &ada());
        assert_eq!(hashes.oldest_first().collect::<Vec<_>>(), [&new]);
    }

    #[test]
    fn a_phone_number_is_looked_for_with_its_trunk_zero_too() {
        let id = |text| Identifier::find(IdentifierKind::Phone, text).unwrap();
        let (now, before) = (id("+442079460958"), id("+44 020 7946 0958"));
        let keys = IndexKeys::new(key(1));
        keys.add(key(2));
        let hash = |fill, form| key(fill).hash(TenantId(1), form);
        let all = [
            hash(1, &before),
            hash(1, &now),
            hash(2, &before),
            hash(2, &now),
        ];
        let hashes = keys.hashes(TenantId(1), &now);
        assert_eq!(hashes.oldest_first().copied().collect::<Vec<_>>(), all);
        assert_eq!(hashes.newest(), all[3]);
        let claimed = keys.claimed(TenantId(1), now);
        assert_eq!((claimed.hash, claimed.key_version), (all[3], 2));
        assert_eq!(claimed.older, all[..3]);
        // What was stored under the older form is moved in that form.
        let stored = keys.claimed(TenantId(1), before);
        assert_eq!((stored.hash, stored.older), (all[2], vec![all[0]]));
    }

    #[test]
    fn rows_read_back_and_nothing_else_does() {
        let row = IndexRow::new(UserId::from_bytes([9; 16]), 3);
        assert_eq!(IndexRow::decode(&row.encode()), Some(row));
        let mut bytes = row.encode().to_vec();
        bytes[1] = 9;
        assert_eq!(IndexRow::decode(&bytes), None);
        assert_eq!(IndexRow::decode(&bytes[1..]), None);
    }
}
