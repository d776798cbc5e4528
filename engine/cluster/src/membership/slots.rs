//! The slots: who owns them, who should, and what is under way about it.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidegate_storage_api::{
    Check, Commit, Fence, Key, Region, SLOTS, Slot, StoreError, SystemPart,
};

use super::Order;
use crate::placement::owner_among;
use crate::row::NodeId;

/// Slots that change hands in one commit.
const BATCH: usize = 1_024;
/// Slots that are emptied at once: each makes its people cold.
const EMPTYING_MAX: usize = 256;

pub(super) struct Table {
    region: Region,
    me: NodeId,
    slots: Vec<Row>,
    /// Who should own each slot, among these nodes.
    targets: (Vec<NodeId>, Vec<Option<NodeId>>),
    reading: Vec<Slot>,
    claiming: Vec<(Slot, u64)>,
    claim: Claim,
    releasing: Vec<Slot>,
    /// Something failed: the store is left alone until the next look.
    resting: Resting,
    /// The slot whose fence is read anew next, whatever is known of it.
    doubted: u16,
}

/// A node whose slots may be claimed, with its row as it was read.
pub(super) enum Gone {
    Expelled {
        row: Bytes,
    },
    /// It is to be expelled: what its row becomes.
    Silent {
        row: Bytes,
        mark: Bytes,
    },
}

/// Whose the claim under way is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    Ours,
    /// Of an earlier life: whatever is answered, others may have the slots.
    Void,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Resting {
    No,
    Yes,
}

/// Fences read anew with each look: a claim with an unknown outcome may land
/// after its fence was read, and nothing else would notice.
const DOUBTED: u16 = 16;

#[derive(Clone, Default)]
struct Row {
    state: State,
    /// The fence as it was last read or written.
    fence: Known,
    /// Whether it should be ours and is still another's.
    waiting: Waiting,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Waiting {
    #[default]
    No,
    Yes,
}

/// What a slot is to this node.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    NotOurs,
    Held {
        epoch: u64,
    },
    /// Nothing new is taken in it.
    Emptying {
        epoch: u64,
    },
    Emptied {
        epoch: u64,
    },
}

#[derive(Clone, Default)]
enum Known {
    #[default]
    Unknown,
    Read(Option<Bytes>),
}

impl Table {
    pub(super) fn new(region: Region, me: NodeId) -> Table {
        Table {
            region,
            me,
            slots: vec![Row::default(); usize::from(SLOTS)],
            targets: (Vec::new(), vec![None; usize::from(SLOTS)]),
            reading: Vec::new(),
            claiming: Vec::new(),
            claim: Claim::Ours,
            releasing: Vec::new(),
            resting: Resting::No,
            doubted: 0,
        }
    }

    /// The nodes were read: what failed is tried again.
    pub(super) fn look_again(&mut self) {
        self.resting = Resting::No;
        for _ in 0..DOUBTED {
            self.doubted = (self.doubted + 1) % SLOTS;
            let row = &mut self.slots[usize::from(self.doubted)];
            if row.state == State::NotOurs {
                row.fence = Known::Unknown;
            }
        }
        for row in &mut self.slots {
            // Its owner may have given it away.
            if row.waiting == Waiting::Yes {
                row.fence = Known::Unknown;
            }
        }
    }

    fn row(&mut self, slot: Slot) -> &mut Row {
        &mut self.slots[usize::from(slot.number())]
    }

    pub(super) fn holds(&self, slot: Slot) -> bool {
        matches!(
            self.slots[usize::from(slot.number())].state,
            State::Held { .. }
        )
    }

    pub(super) fn held(&self) -> usize {
        self.count(|state| matches!(state, State::Held { .. }))
    }

    /// What is held. Not what is being given away: whether that is still this
    /// node's depends on a release that may have landed.
    pub(super) fn owned(&self) -> Vec<(Slot, u64)> {
        let held = Slot::all().zip(&self.slots);
        held.filter_map(|(slot, row)| match row.state {
            State::Held { epoch } => Some((slot, epoch)),
            State::NotOurs | State::Emptying { .. } | State::Emptied { .. } => None,
        })
        .collect()
    }

    /// Whether nothing is this node's any more.
    pub(super) fn is_empty(&self) -> bool {
        let ours = |row: &Row| row.state != State::NotOurs;
        self.claiming.is_empty() && self.releasing.is_empty() && !self.slots.iter().any(ours)
    }

    pub(super) fn drop_everything(&mut self) {
        // What is under way comes back and is read anew.
        if !self.claiming.is_empty() {
            self.claim = Claim::Void;
        }
        self.slots.fill(Row::default());
    }

    pub(super) fn learn(&mut self, found: Result<Vec<(Slot, Option<Bytes>)>, StoreError>) {
        self.reading.clear();
        if found.is_err() {
            self.resting = Resting::Yes;
        }
        for (slot, bytes) in found.into_iter().flatten() {
            let row = self.row(slot);
            // What this node wrote itself is newer than what was read meanwhile.
            if row.state == State::NotOurs {
                row.fence = Known::Read(bytes);
            }
        }
    }

    pub(super) fn claimed(&mut self, outcome: Result<(), StoreError>, orders: &mut Vec<Order>) {
        let claimed = std::mem::take(&mut self.claiming);
        let claim = std::mem::replace(&mut self.claim, Claim::Ours);
        if outcome.is_err() {
            self.resting = Resting::Yes;
        }
        for (slot, epoch) in &claimed {
            let owner = self.me.0;
            let row = self.row(*slot);
            // Dropped meanwhile, or with an unknown outcome: the fence tells
            // which.
            let known =
                outcome.is_ok() && claim == Claim::Ours && matches!(row.fence, Known::Read(_));
            match known {
                true => {
                    row.state = State::Held { epoch: *epoch };
                    let fence = Fence {
                        epoch: *epoch,
                        owner,
                    };
                    row.fence = Known::Read(Some(fence.encode()));
                }
                false => row.fence = Known::Unknown,
            }
        }
        let taken: Vec<_> = claimed
            .into_iter()
            .filter(|(slot, _)| self.holds(*slot))
            .collect();
        if !taken.is_empty() {
            orders.push(Order::Take(taken));
        }
    }

    pub(super) fn stepped_down(&mut self, slots: &[Slot]) {
        for slot in slots {
            *self.row(*slot) = Row::default();
        }
    }

    pub(super) fn emptied(&mut self, slots: &[Slot]) {
        for slot in slots {
            let row = self.row(*slot);
            if let State::Emptying { epoch } = row.state {
                row.state = State::Emptied { epoch };
            }
        }
    }

    pub(super) fn released(&mut self, outcome: Result<(), StoreError>, orders: &mut Vec<Order>) {
        let released = std::mem::take(&mut self.releasing);
        let again = matches!(
            outcome,
            Err(StoreError::Unavailable | StoreError::CommitUnknown | StoreError::Corrupt)
        );
        if outcome.is_err() {
            self.resting = Resting::Yes;
        }
        let mut given_up = Vec::new();
        for slot in released {
            let row = self.row(slot);
            // Emptied ones are released again when that is not known to be done.
            if !again || row.state == State::NotOurs {
                given_up.push(slot);
                *row = Row::default();
            }
        }
        if !given_up.is_empty() {
            orders.push(Order::GiveUp(given_up));
        }
    }

    /// `gone` are nodes that are expelled, or silent and to be expelled (with
    /// their row and what it is to become); `there` tells whether there is a
    /// row of a node at all.
    pub(super) fn balance(
        &mut self,
        serving: &[NodeId],
        gone: &BTreeMap<NodeId, Gone>,
        there: &dyn Fn(NodeId) -> bool,
        orders: &mut Vec<Order>,
    ) {
        if self.targets.0 != serving {
            let owners = Slot::all().map(|slot| owner_among(slot, serving));
            self.targets = (serving.to_vec(), owners.collect());
        }
        let (mut claim, mut read, mut empty, mut release) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut emptying = self.count(|state| matches!(state, State::Emptying { .. }));
        for slot in Slot::all() {
            let place = usize::from(slot.number());
            let target = self.targets.1[place];
            let row = &mut self.slots[place];
            row.waiting = Waiting::No;
            match row.state {
                State::NotOurs if matches!(row.fence, Known::Unknown) => read.push(slot),
                State::NotOurs if target == Some(self.me) => {
                    match is_claimable(&row.fence, self.me, gone, there) {
                        true => claim.push(slot),
                        false => row.waiting = Waiting::Yes,
                    }
                }
                // A claim of an earlier life, or one that landed late.
                State::NotOurs if is_owner(&row.fence, self.me) => release.push(slot),
                State::NotOurs => {}
                State::Held { epoch } => {
                    let other = target.is_some_and(|target| target != self.me);
                    if other && emptying < EMPTYING_MAX {
                        row.state = State::Emptying { epoch };
                        emptying += 1;
                        empty.push(slot);
                    }
                }
                State::Emptying { .. } => {}
                State::Emptied { .. } => release.push(slot),
            }
        }
        if !empty.is_empty() {
            orders.push(Order::Empty(empty));
        }
        if self.resting == Resting::Yes {
            return;
        }
        self.claim(claim, gone, orders);
        self.release(release, orders);
        self.read(read, orders);
    }

    fn count(&self, of: impl Fn(&State) -> bool) -> usize {
        self.slots.iter().filter(|row| of(&row.state)).count()
    }

    fn claim(
        &mut self,
        mut slots: Vec<Slot>,
        gone: &BTreeMap<NodeId, Gone>,
        orders: &mut Vec<Order>,
    ) {
        slots.truncate(BATCH);
        if !self.claiming.is_empty() || slots.is_empty() {
            return;
        }
        let (mut commit, mut looked_at) = (Commit::default(), Vec::new());
        for slot in slots {
            let (region, me) = (self.region, self.me);
            let Known::Read(bytes) = self.row(slot).fence.clone() else {
                continue;
            };
            let key = Key::fence(region, slot);
            let before = bytes.as_deref().and_then(Fence::decode);
            let epoch = before.map_or(1, |fence| fence.epoch + 1);
            let fence = Fence { epoch, owner: me.0 };
            commit = commit
                .check(match bytes {
                    None => Check::Absent(key.clone()),
                    Some(bytes) => Check::Value(key.clone(), bytes),
                })
                .put(key, fence.encode());
            self.claiming.push((slot, epoch));
            // The node that owned it is gone as it was read: one that has come
            // back since has another row.
            let owner = before.map(|fence| NodeId(fence.owner));
            let owner = owner.filter(|owner| owner.0 != 0 && *owner != me);
            if let Some(owner) = owner
                && !looked_at.contains(&owner)
            {
                let key = Key::system(SystemPart::Node(owner.0));
                commit = match gone.get(&owner) {
                    None => commit.check(Check::Absent(key)),
                    Some(Gone::Expelled { row }) => commit.check(Check::Value(key, row.clone())),
                    Some(Gone::Silent { row, mark }) => commit
                        .check(Check::Value(key.clone(), row.clone()))
                        .put(key, mark.clone()),
                };
                looked_at.push(owner);
            }
        }
        orders.push(Order::Claim(commit));
    }

    fn release(&mut self, mut slots: Vec<Slot>, orders: &mut Vec<Order>) {
        slots.truncate(BATCH);
        if !self.releasing.is_empty() || slots.is_empty() {
            return;
        }
        let mut commit = Commit::default();
        for slot in &slots {
            let region = self.region;
            let Known::Read(Some(bytes)) = self.row(*slot).fence.clone() else {
                continue;
            };
            let Some(fence) = Fence::decode(&bytes) else {
                continue;
            };
            let nobody = Fence { owner: 0, ..fence };
            let key = Key::fence(region, *slot);
            commit = commit
                .check(Check::Fence {
                    region,
                    slot: *slot,
                    epoch: fence.epoch,
                })
                .put(key, nobody.encode());
        }
        self.releasing = slots;
        orders.push(Order::Release(commit));
    }

    fn read(&mut self, mut slots: Vec<Slot>, orders: &mut Vec<Order>) {
        slots.truncate(BATCH);
        if self.reading.is_empty() && !slots.is_empty() {
            self.reading.clone_from(&slots);
            orders.push(Order::ReadFences(slots));
        }
    }
}

fn is_owner(fence: &Known, me: NodeId) -> bool {
    match fence {
        Known::Unknown | Known::Read(None) => false,
        Known::Read(Some(bytes)) => Fence::decode(bytes).is_some_and(|fence| fence.owner == me.0),
    }
}

/// Whether no living node owns it.
fn is_claimable(
    fence: &Known,
    me: NodeId,
    gone: &BTreeMap<NodeId, Gone>,
    there: &dyn Fn(NodeId) -> bool,
) -> bool {
    let bytes = match fence {
        Known::Unknown => return false,
        Known::Read(None) => return true,
        Known::Read(Some(bytes)) => bytes,
    };
    // A fence that cannot be read is not claimed by any node: an operator must
    // look.
    Fence::decode(bytes).is_some_and(|fence| {
        let owner = NodeId(fence.owner);
        fence.owner == 0 || owner == me || gone.contains_key(&owner) || !there(owner)
    })
}
