//! Who should own a slot: rendezvous hashing (Thaler, Ravishankar 1998). A node
//! that comes or goes moves its own share and nothing else.

use tidegate_storage_api::Slot;

use crate::row::NodeId;

/// The node that should own a slot among those that live; `None` among none.
#[must_use]
pub fn owner_among(slot: Slot, live: &[NodeId]) -> Option<NodeId> {
    let weight = |node: &NodeId| (weight(*node, slot), *node);
    live.iter().copied().max_by_key(weight)
}

/// The finaliser of splitmix64 (Steele, Lea, Flood 2014).
fn weight(node: NodeId, slot: Slot) -> u64 {
    let mut z = node.0 ^ (u64::from(slot.number()) << 48 | 0x7469_6465);
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(live: &[NodeId]) -> Vec<Option<NodeId>> {
        Slot::all().map(|slot| owner_among(slot, live)).collect()
    }

    #[test]
    fn shares_are_even_and_the_order_of_nodes_does_not_matter() {
        let live = [1, 2, 3, 4].map(NodeId);
        let owners = shares(&live);
        for node in live {
            let share = owners.iter().filter(|owner| **owner == Some(node)).count();
            assert!((900..1_150).contains(&share), "{share}");
        }
        assert_eq!(owners, shares(&[3, 1, 4, 2].map(NodeId)));
        assert_eq!(owner_among(Slot::all().next().unwrap(), &[]), None);
    }

    #[test]
    fn whoever_comes_takes_slots_and_nothing_else_moves() {
        let before = shares(&[1, 2, 3].map(NodeId));
        let after = shares(&[1, 2, 3, 4].map(NodeId));
        let moved = before.iter().zip(&after).filter(|(old, new)| old != new);
        let moved: Vec<_> = moved.collect();
        assert!(moved.iter().all(|(_, new)| **new == Some(NodeId(4))));
        assert!((900..1_150).contains(&moved.len()));
    }
}
