//! What a node does about its place in the cluster, without doing it: time and
//! the store's answers go in, orders come out.
//!
//! The rules that everything rests on:
//! - A lease is counted from before its renewal was sent, and ends at four
//!   fifths of its length.
//! - Silence is counted from the end of a read that saw a change to the end of
//!   a later one, and anew after every read that failed.
//! - The node that claims a silent node's slots marks that node expelled in the
//!   same commit, on the condition that its row is still the one that was
//!   silent.
//! - A renewal is conditional on the row that was last written, so a node that
//!   was expelled cannot renew, however late it wakes.
//! - An indeterminate commit advances nothing.

mod slots;

use std::collections::BTreeMap;

use bytes::Bytes;
use tidegate_storage_api::{Check, Commit, Key, Region, Slot, StoreError, SystemPart};

use crate::row::{NodeId, NodeRow, NodeState};
use slots::{Gone, Table};

/// How long silence lasts before a node is taken for gone, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease(pub u64);

impl Lease {
    fn renew_every_ms(self) -> u64 {
        (self.0 / 4).max(1)
    }

    fn look_every_ms(self) -> u64 {
        (self.0 / 12).max(1)
    }

    /// Until when an owner answers that sent its renewal then.
    fn held_until_ms(self, sent_ms: u64) -> u64 {
        sent_ms + self.0 * 4 / 5
    }
}

/// How a node stands, as it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has no row of its own in this life.
    Outside,
    /// It renews its row and owns its share.
    Member,
    /// It gives everything away.
    Leaving,
}

/// What a node learns. Times are milliseconds of its own monotonic clock.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// [`Order::ReadNodes`] came back: every node's row.
    Nodes(Result<Vec<(NodeId, Bytes)>, StoreError>),
    /// [`Order::Renew`] came back.
    Renewed(Result<(), StoreError>),
    /// [`Order::ReadFences`] came back.
    Fences(Result<Vec<(Slot, Option<Bytes>)>, StoreError>),
    /// [`Order::Claim`] came back.
    Claimed(Result<(), StoreError>),
    /// Nothing is under way any more in slots that were to be left.
    Emptied(Vec<Slot>),
    /// The store said of these slots that they are another's.
    SteppedDown(Vec<Slot>),
    /// [`Order::Release`] came back.
    Released(Result<(), StoreError>),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Read every node's row.
    ReadNodes,
    /// Commit: the node's own row, anew.
    Renew(Commit),
    /// Read the fences of these slots.
    ReadFences(Vec<Slot>),
    /// Commit: slots become this node's.
    Claim(Commit),
    /// These slots are this node's, under these epochs.
    Take(Vec<(Slot, u64)>),
    /// Take nothing new in these slots, and say when nothing is under way.
    Empty(Vec<Slot>),
    /// Commit: slots that were emptied have no owner.
    Release(Commit),
    /// These slots are not this node's any more.
    GiveUp(Vec<Slot>),
    /// The lease was renewed.
    Lease {
        /// Ours at this moment, for certain.
        known_ms: u64,
        /// Answers from memory are certain until this one.
        until_ms: u64,
    },
    /// Forget everything: another node may own any of it.
    DropEverything,
    /// The last slot is given away: the node can go.
    Gone,
}

/// Who a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its id; not 0, and no other node's.
    pub id: NodeId,
    /// What operators call it.
    pub name: String,
    /// Where gateways reach it.
    pub address: String,
    /// The newest formats that it reads.
    pub reads: u16,
}

/// A node's own view of the cluster.
pub struct Membership {
    me: NodeId,
    identity: Identity,
    lease: Lease,
    standing: Standing,
    wish: Wish,
    /// This node's row as it is stored.
    row: Option<Stored>,
    /// A renewal under way, or one whose outcome is not known.
    renewal: Renewal,
    nodes_read: Reading,
    looked_at_ms: Option<u64>,
    /// This node's row before a renewal that was answered while the nodes were
    /// being read: they may have been read before it.
    superseded: Option<Bytes>,
    /// When the last read that succeeded was begun.
    seen_at_ms: u64,
    renewed_at_ms: Option<u64>,
    others: BTreeMap<NodeId, Other>,
    table: Table,
}

#[derive(Clone)]
struct Stored {
    row: NodeRow,
    bytes: Bytes,
}

impl Stored {
    fn new(row: NodeRow) -> Stored {
        let bytes = row.encode();
        Stored { row, bytes }
    }
}

/// Whether the node goes on, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Serve,
    /// It goes, and does not come back in this process.
    Go,
}

enum Renewal {
    None,
    UnderWay {
        sent_ms: u64,
        next: Stored,
    },
    /// It may have been written, or may yet be.
    Unknown {
        next: Stored,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Idle,
    UnderWay { since_ms: u64 },
}

/// Another node, as it was last read.
struct Other {
    row: NodeRow,
    bytes: Bytes,
    /// Since when its row has not changed over reads that all succeeded.
    silent_since_ms: Option<u64>,
}

impl Membership {
    /// A node that is not yet in the cluster.
    #[must_use]
    pub fn new(region: Region, identity: Identity, lease: Lease) -> Membership {
        let me = identity.id;
        Membership {
            me,
            identity,
            lease,
            standing: Standing::Outside,
            wish: Wish::Serve,
            row: None,
            renewal: Renewal::None,
            nodes_read: Reading::Idle,
            looked_at_ms: None,
            superseded: None,
            seen_at_ms: 0,
            renewed_at_ms: None,
            others: BTreeMap::new(),
            table: Table::new(region, me),
        }
    }

    /// Where gateways reach the node, from its next life on.
    pub fn reached_at(&mut self, address: String) {
        self.identity.address = address;
    }

    /// Where gateways reach it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.identity.address
    }

    /// Whether no other node lives, as far as this one knows.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        !self.others.values().any(|other| self.lives(other))
    }

    /// How many slots it holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.table.held()
    }

    /// The slots that it holds, and under which epochs.
    #[must_use]
    pub fn owned(&self) -> Vec<(Slot, u64)> {
        self.table.owned()
    }

    /// For how long each other node's row has not changed, as this node saw it.
    #[must_use]
    pub fn silences(&self, now_ms: u64) -> BTreeMap<NodeId, u64> {
        let since = |other: &Other| now_ms.saturating_sub(other.silent_since_ms.unwrap_or(now_ms));
        let others = self.others.iter();
        others.map(|(id, other)| (*id, since(other))).collect()
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Where gateways reach the owner of a slot, as far as this node knows and
    /// when it is another one.
    #[must_use]
    pub fn elsewhere(&self, slot: Slot) -> Option<String> {
        let owner = self.owner_of(slot).filter(|owner| *owner != self.me)?;
        self.others
            .get(&owner)
            .map(|other| other.row.address.clone())
    }

    /// Who owns a slot as far as this node knows: by the fence it holds, or by
    /// who should.
    #[must_use]
    pub fn owner_of(&self, slot: Slot) -> Option<NodeId> {
        match self.table.holds(slot) {
            true => Some(self.me),
            false => crate::owner_among(slot, &self.serving()),
        }
    }

    /// The node is to go, however it stands: the next inputs give everything
    /// away, and it begins no new life.
    pub fn leave(&mut self) {
        self.wish = Wish::Go;
        if self.standing == Standing::Member {
            self.standing = Standing::Leaving;
            self.renewed_at_ms = None;
        }
    }

    /// Takes what was learnt; says what to do.
    pub fn handle(&mut self, now_ms: u64, input: Input) -> Vec<Order> {
        let mut orders = Vec::new();
        match input {
            Input::Tick => self.tick(now_ms, &mut orders),
            Input::Nodes(found) => self.nodes(now_ms, found, &mut orders),
            Input::Renewed(outcome) => self.renewed(outcome, &mut orders),
            Input::Fences(found) => self.table.learn(found),
            Input::Claimed(outcome) => {
                if outcome == Err(StoreError::Conflict) {
                    // Another was first: what it left is known with the next tick.
                    self.looked_at_ms = None;
                }
                self.table.claimed(outcome, &mut orders);
            }
            Input::Emptied(slots) => self.table.emptied(&slots),
            Input::SteppedDown(slots) => self.table.stepped_down(&slots),
            Input::Released(outcome) => self.table.released(outcome, &mut orders),
        }
        self.balance(&mut orders);
        orders
    }

    fn tick(&mut self, now_ms: u64, orders: &mut Vec<Order>) {
        let due = |last: Option<u64>, every_ms: u64| last.is_none_or(|at| now_ms >= at + every_ms);
        if self.nodes_read == Reading::Idle && due(self.looked_at_ms, self.lease.look_every_ms()) {
            self.nodes_read = Reading::UnderWay { since_ms: now_ms };
            self.superseded = None;
            self.looked_at_ms = Some(now_ms);
            orders.push(Order::ReadNodes);
        }
        let renews = self.standing != Standing::Outside;
        if renews
            && matches!(self.renewal, Renewal::None)
            && due(self.renewed_at_ms, self.lease.renew_every_ms())
        {
            self.renew(now_ms, orders);
        }
    }

    fn key(&self, node: NodeId) -> Key {
        Key::system(SystemPart::Node(node.0))
    }

    fn renew(&mut self, now_ms: u64, orders: &mut Vec<Order>) {
        let Some(stored) = &self.row else {
            return;
        };
        let next = Stored::new(NodeRow {
            state: match self.standing {
                Standing::Leaving => NodeState::Draining,
                Standing::Outside | Standing::Member => NodeState::Serving,
            },
            renewal: stored.row.renewal + 1,
            ..stored.row.clone()
        });
        let check = Check::Value(self.key(self.me), stored.bytes.clone());
        self.write(now_ms, check, next, orders);
    }

    /// Begins a new life: the row is written on the condition that it is still
    /// what was read.
    fn join(&mut self, now_ms: u64, found: Option<Bytes>, orders: &mut Vec<Order>) {
        let before = found.as_deref().and_then(NodeRow::decode);
        let next = Stored::new(NodeRow {
            state: NodeState::Serving,
            life: before.map_or(1, |row| row.life + 1),
            renewal: 0,
            name: self.identity.name.clone(),
            address: self.identity.address.clone(),
            reads: self.identity.reads,
        });
        let check = match found {
            None => Check::Absent(self.key(self.me)),
            Some(found) => Check::Value(self.key(self.me), found),
        };
        self.write(now_ms, check, next, orders);
    }

    fn write(&mut self, now_ms: u64, check: Check, next: Stored, orders: &mut Vec<Order>) {
        let commit = Commit::default()
            .check(check)
            .put(self.key(self.me), next.bytes.clone());
        self.renewed_at_ms = Some(now_ms);
        self.renewal = Renewal::UnderWay {
            sent_ms: now_ms,
            next,
        };
        orders.push(Order::Renew(commit));
    }

    fn renewed(&mut self, outcome: Result<(), StoreError>, orders: &mut Vec<Order>) {
        let renewal = std::mem::replace(&mut self.renewal, Renewal::None);
        let Renewal::UnderWay { sent_ms, next } = renewal else {
            return;
        };
        match (outcome, self.standing) {
            (Ok(()), standing) => {
                let before = self.row.replace(next);
                self.superseded = before.map(|stored| stored.bytes);
                if standing == Standing::Outside {
                    self.standing = match self.wish {
                        Wish::Serve => Standing::Member,
                        Wish::Go => Standing::Leaving,
                    };
                }
                orders.push(Order::Lease {
                    known_ms: sent_ms,
                    until_ms: self.lease.held_until_ms(sent_ms),
                });
            }
            // Whatever is stored is read before the next life begins.
            (Err(_), Standing::Outside) => {}
            (Err(StoreError::CommitUnknown), _) => self.renewal = Renewal::Unknown { next },
            (Err(StoreError::Conflict | StoreError::Fenced | StoreError::Overtaken), _) => {
                self.fall(orders);
            }
            (Err(_), _) => {}
        }
    }

    /// Another node expelled this one, or another life of it is there.
    fn fall(&mut self, orders: &mut Vec<Order>) {
        self.standing = Standing::Outside;
        self.row = None;
        self.renewal = Renewal::None;
        self.table.drop_everything();
        orders.push(Order::DropEverything);
    }

    fn nodes(
        &mut self,
        now_ms: u64,
        found: Result<Vec<(NodeId, Bytes)>, StoreError>,
        orders: &mut Vec<Order>,
    ) {
        let read = std::mem::replace(&mut self.nodes_read, Reading::Idle);
        self.table.look_again();
        let Ok(found) = found else {
            for other in self.others.values_mut() {
                other.silent_since_ms = None;
            }
            return;
        };
        let mut mine = None;
        let mut others = BTreeMap::new();
        for (id, bytes) in found {
            if id == self.me {
                mine = Some(bytes);
                continue;
            }
            let Some(row) = NodeRow::decode(&bytes) else {
                continue;
            };
            let before = self.others.get(&id).filter(|other| other.bytes == bytes);
            let since_ms = before.and_then(|other| other.silent_since_ms);
            others.insert(
                id,
                Other {
                    row,
                    bytes,
                    silent_since_ms: Some(since_ms.unwrap_or(now_ms)),
                },
            );
        }
        self.others = others;
        self.seen_at_ms = match read {
            Reading::UnderWay { since_ms } => since_ms,
            Reading::Idle => now_ms,
        };
        // What is read is as it was when the read began.
        if mine.is_none() || mine != self.superseded {
            self.look_at_own(now_ms, mine, orders);
        }
    }

    /// Compares this node's row with what was read of it.
    fn look_at_own(&mut self, now_ms: u64, found: Option<Bytes>, orders: &mut Vec<Order>) {
        match (&self.renewal, self.standing) {
            // What is under way tells more than what was read meanwhile.
            (Renewal::UnderWay { .. }, _) => {}
            (_, Standing::Outside) if self.wish == Wish::Go => {}
            (_, Standing::Outside) => self.join(now_ms, found, orders),
            (Renewal::Unknown { next }, _) if found.as_ref() == Some(&next.bytes) => {
                // It was written; when is not known, so the lease stays as it
                // is.
                self.row = Some(next.clone());
                self.renewal = Renewal::None;
            }
            (renewal, _) => {
                let ours = self.row.as_ref().map(|stored| &stored.bytes);
                let same = found.as_ref() == ours;
                match (same, renewal) {
                    // A late one may still land: the next renewal replaces
                    // this row and cannot be the condition of both.
                    (true, _) => self.renewal = Renewal::None,
                    (false, _) => self.fall(orders),
                }
            }
        }
    }

    fn lives(&self, other: &Other) -> bool {
        other.row.state == NodeState::Serving && !self.is_silent(other)
    }

    /// Whether a read that began a lease's length after the last change that
    /// was seen found nothing new.
    fn is_silent(&self, other: &Other) -> bool {
        other
            .silent_since_ms
            .is_some_and(|since_ms| self.seen_at_ms >= since_ms + self.lease.0)
    }

    /// The nodes among which slots are shared out.
    fn serving(&self) -> Vec<NodeId> {
        let mine = (self.standing == Standing::Member).then_some(self.me);
        let others = self.others.iter().filter(|(_, other)| self.lives(other));
        mine.into_iter().chain(others.map(|(id, _)| *id)).collect()
    }

    /// Claims what should be this node's and can be, gives away what should be
    /// another's.
    fn balance(&mut self, orders: &mut Vec<Order>) {
        if self.standing == Standing::Outside {
            // It holds nothing; a life that is just beginning is waited for.
            if self.wish == Wish::Go && matches!(self.renewal, Renewal::None) {
                orders.push(Order::Gone);
            }
            return;
        }
        let serving = self.serving();
        let gone: BTreeMap<NodeId, Gone> = self
            .others
            .iter()
            .filter_map(|(id, other)| match other.row.state {
                NodeState::Expelled => {
                    let row = other.bytes.clone();
                    Some((*id, Gone::Expelled { row }))
                }
                NodeState::Serving | NodeState::Draining if self.is_silent(other) => {
                    let expelled = NodeRow {
                        state: NodeState::Expelled,
                        ..other.row.clone()
                    };
                    let (row, mark) = (other.bytes.clone(), expelled.encode());
                    Some((*id, Gone::Silent { row, mark }))
                }
                NodeState::Serving | NodeState::Draining => None,
            })
            .collect();
        let there = |id: NodeId| self.others.contains_key(&id);
        self.table.balance(&serving, &gone, &there, orders);
        if self.standing == Standing::Leaving && self.table.is_empty() {
            orders.push(Order::Gone);
        }
    }
}

#[cfg(test)]
mod races;
#[cfg(test)]
mod tests;
