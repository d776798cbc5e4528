//! At most one epoch of a slot commits: whatever is written about a person is
//! written under the epoch that the slot's fence has at that moment.

use tidegate_storage_api::{Check, Commit, Fence, Key, PersonPart, Region, Slot};

use super::Before;

pub(super) fn broken_by(commit: &Commit, before: Before<'_>) -> Option<String> {
    let person = commit
        .puts
        .iter()
        .find_map(|put| PersonPart::of(&put.key))?;
    let slot = Slot::new(u16::from_be_bytes([person.0[1], person.0[2]]) >> 4)?;
    let epoch = commit.checks.iter().find_map(|check| match check {
        Check::Fence {
            slot: fenced,
            epoch,
            ..
        } if *fenced == slot => Some(*epoch),
        _ => None,
    });
    let stored = before(&Key::fence(Region::FIRST, slot));
    let fence = stored.as_deref().and_then(Fence::decode);
    match (epoch, fence) {
        (None, _) => Some("a person is written without a fence".into()),
        (Some(epoch), fence) if fence.is_none_or(|fence| fence.epoch != epoch) => {
            Some(format!("epoch {epoch} commits under {fence:?}"))
        }
        _ => None,
    }
}
