//! Credentials of accounts that are not there. A list of allowed credentials
//! would tell which identifier is known (WebAuthn L3 §14.6.2), so an unknown one
//! gets a list too: always the same, and like those that accounts have.
//!
//! What it cannot imitate is change: an account's list changes when a passkey is
//! added or removed. A tenant that offers passkeys without an identifier
//! (an empty list, for every caller) tells nothing at all.

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::descriptor::{Descriptor, Transport};
use super::id::CredentialId;
use crate::id::TenantId;

/// The shortest id of a decoy.
pub const DECOY_MIN_BYTES: usize = 16;
/// The longest id of a decoy.
pub const DECOY_MAX_BYTES: usize = 64;

/// What credentials of one make look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoyKind {
    /// The length of its ids; outside of 16 to 64 the nearer of the two counts.
    pub id_bytes: usize,
    /// Its transports.
    pub transports: Vec<Transport>,
}

/// What lists look like. A plan that changes changes every decoy, which an
/// account's list does not: so a tenant sets it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoyPlan {
    /// Makes, each as likely as the other; one that is listed twice is twice as
    /// likely.
    pub kinds: Vec<DecoyKind>,
    /// Of 256 lists so many have two credentials, and the others one.
    pub pairs_in_256: u8,
}

impl Default for DecoyPlan {
    /// Ids of 16, 20, 32, 48 and 64 bytes, most of them of synced passkeys; one
    /// list in four is of two.
    fn default() -> DecoyPlan {
        let synced = [Transport::Hybrid, Transport::Internal].as_slice();
        let device = [Transport::Internal].as_slice();
        let security_key = [Transport::Usb, Transport::Nfc].as_slice();
        let kinds = [
            (16, synced),
            (16, synced),
            (20, synced),
            (20, synced),
            (32, synced),
            (32, device),
            (48, security_key),
            (64, security_key),
        ];
        let kinds = kinds.map(|(id_bytes, transports)| DecoyKind {
            id_bytes,
            transports: transports.to_vec(),
        });
        DecoyPlan {
            kinds: kinds.to_vec(),
            pairs_in_256: 64,
        }
    }
}

/// One or two credentials for an identifier in its normal form, always the same
/// under a key, a tenant and a plan. Without the key they cannot be told from
/// random ones (HMAC-SHA-256). None for a plan without kinds.
#[must_use]
pub fn decoys(
    key: &[u8; 32],
    tenant: TenantId,
    identifier: &[u8],
    plan: &DecoyPlan,
) -> Vec<Descriptor> {
    let [pairs, ..] = random(key, tenant, Use::Count, identifier);
    let count = if pairs < plan.pairs_in_256 { 2 } else { 1 };
    let one = |entry| decoy(key, tenant, identifier, plan, entry);
    (0..count).filter_map(one).collect()
}

fn decoy(
    key: &[u8; 32],
    tenant: TenantId,
    identifier: &[u8],
    plan: &DecoyPlan,
    entry: u8,
) -> Option<Descriptor> {
    let [choice, ..] = random(key, tenant, Use::Kind(entry), identifier);
    let at = usize::from(choice) % plan.kinds.len().max(1);
    let kind = plan.kinds.get(at)?;
    let length = kind.id_bytes.clamp(DECOY_MIN_BYTES, DECOY_MAX_BYTES);
    let half = |half| random(key, tenant, Use::Id(entry, half), identifier);
    let mut bytes = [half(0), half(1)].concat();
    bytes.truncate(length);
    Some(Descriptor {
        id: CredentialId::new(&bytes).ok()?,
        transports: kind.transports.clone(),
    })
}

/// What a pseudorandom value is for.
#[derive(Clone, Copy)]
enum Use {
    Count,
    Kind(u8),
    Id(u8, u8),
}

fn random(key: &[u8; 32], tenant: TenantId, of: Use, identifier: &[u8]) -> [u8; 32] {
    let label = match of {
        Use::Count => [0, 0, 0],
        Use::Kind(entry) => [1, entry, 0],
        Use::Id(entry, half) => [2, entry, half],
    };
    // A key of one block is taken as it is (RFC 2104 §2).
    let mut block = [0; 64];
    let (start, _) = block.split_at_mut(key.len());
    start.copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    // All but the identifier have fixed lengths.
    mac.update(b"tg-passkey-decoy-1");
    mac.update(&tenant.0.to_be_bytes());
    mac.update(&label);
    mac.update(identifier);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn of(identifier: &str) -> Vec<Descriptor> {
        let identifier = identifier.as_bytes();
        decoys(&[7; 32], TenantId(1), identifier, &DecoyPlan::default())
    }

    #[test]
    fn an_identifier_has_always_the_same_decoys() {
        let (tenant, plan) = (TenantId(1), DecoyPlan::default());
        assert_eq!(of("ada@example.org"), of("ada@example.org"));
        let ada = of("ada@example.org");
        for other in [
            of("bob@example.org"),
            decoys(&[8; 32], tenant, b"ada@example.org", &plan),
            decoys(&[7; 32], TenantId(2), b"ada@example.org", &plan),
        ] {
            assert_ne!(other.first().map(|it| &it.id), ada.first().map(|it| &it.id));
        }
    }

    #[test]
    fn lists_are_of_one_and_of_two_and_of_every_kind() {
        let lists: Vec<_> = (0..1_000)
            .map(|n| of(&std::format!("{n}@example.org")))
            .collect();
        let pairs = lists.iter().filter(|list| list.len() == 2).count();
        assert!((200..300).contains(&pairs), "{pairs}");
        assert!(lists.iter().all(|list| matches!(list.len(), 1 | 2)));
        let all: Vec<_> = lists.into_iter().flatten().collect();
        let lengths: BTreeSet<_> = all.iter().map(|it| it.id.as_bytes().len()).collect();
        assert_eq!(Vec::from_iter(lengths), [16, 20, 32, 48, 64]);
        let ids: BTreeSet<_> = all.iter().map(|it| it.id.as_bytes()).collect();
        assert_eq!(ids.len(), all.len());
    }

    #[test]
    fn a_plan_bounds_lengths_and_counts() {
        let kind = |id_bytes| DecoyKind {
            id_bytes,
            transports: Vec::new(),
        };
        for (id_bytes, length) in [(0, 16), (40, 40), (1_000, 64)] {
            let plan = DecoyPlan {
                kinds: [kind(id_bytes)].to_vec(),
                pairs_in_256: 0,
            };
            let list = decoys(&[7; 32], TenantId(1), b"ada", &plan);
            let lengths: Vec<_> = list.iter().map(|it| it.id.as_bytes().len()).collect();
            assert_eq!(lengths, [length]);
        }
        let nothing = DecoyPlan {
            kinds: Vec::new(),
            pairs_in_256: 255,
        };
        assert_eq!(decoys(&[7; 32], TenantId(1), b"ada", &nothing), []);
    }
}
