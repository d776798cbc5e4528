//! The fence of a slot: under which epoch it is owned, and by which node.
//!
//! ```text
//! epoch u64 BE | owner u64 BE        the owner is left out where there is only one
//! ```

use bytes::Bytes;

/// Who owns a slot, and under which epoch. A node that claims it raises the
/// epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Raised with each claim; a commit under another one is refused.
    pub epoch: u64,
    /// The node that owns it; 0 for no node, or for the only one there is.
    pub owner: u64,
}

impl Fence {
    /// The row's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[8..].copy_from_slice(&self.owner.to_be_bytes());
        Bytes::copy_from_slice(&bytes)
    }

    /// Reads a row; `None` when it is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Fence> {
        let (epoch, owner) = bytes.split_first_chunk::<8>()?;
        let owner = match owner {
            [] => 0,
            owner => u64::from_be_bytes(owner.try_into().ok()?),
        };
        Some(Fence {
            epoch: u64::from_be_bytes(*epoch),
            owner,
        })
    }

    /// Whether a row, as stored, has this epoch.
    #[must_use]
    pub fn holds(stored: Option<&[u8]>, epoch: u64) -> bool {
        let fence = stored.and_then(Fence::decode);
        fence.is_some_and(|fence| fence.epoch == epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_reads_back_with_and_without_an_owner() {
        let fence = Fence { epoch: 7, owner: 9 };
        assert_eq!(Fence::decode(&fence.encode()), Some(fence));
        let alone = Fence { epoch: 7, owner: 0 };
        assert_eq!(Fence::decode(&7u64.to_be_bytes()), Some(alone));
        assert_eq!(Fence::decode(&[1, 2, 3]), None);
        assert_eq!(Fence::decode(&[0; 15]), None);
        assert!(Fence::holds(Some(&fence.encode()), 7));
        assert!(!Fence::holds(Some(&fence.encode()), 8) && !Fence::holds(None, 7));
    }
}
