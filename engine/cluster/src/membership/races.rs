//! The races between nodes, each as what one node learns when, and what it does
//! about it: rows of `tables/races.txt`, compared whole. Run the tests with
//! `TIDEGATE_WRITE_TABLES=1` to write them anew, and read the difference.

use std::fmt::Write;
use std::path::Path;

use tidegate_storage_api::Fence;

use super::*;

const LEASE: Lease = Lease(3_000);
const ME: u64 = 1;

/// A row as a read finds it.
#[derive(Clone, Copy)]
enum Row {
    /// This node's, as it knows it.
    Mine,
    /// This node's, as its renewal with an unknown outcome would have written
    /// it.
    MineNext,
    MineExpelled,
    /// Another's, by its renewals.
    Other(u64, u64),
    OtherDraining(u64, u64),
    OtherExpelled(u64, u64),
}

use Row::{Mine, MineExpelled, MineNext, Other, OtherDraining, OtherExpelled};

/// What a node learns.
#[derive(Clone, Copy)]
enum Learn {
    Tick,
    Nodes(&'static [Row]),
    NoNodes,
    Renewed(Result<(), StoreError>),
    /// Every fence that was asked for: owner and epoch.
    Fences(u64, u64),
    NoFences,
    Claimed(Result<(), StoreError>),
    /// Everything that was to be emptied is.
    Emptied,
    Released(Result<(), StoreError>),
    /// The store said that the first slot is another's.
    SteppedDown,
    Leave,
}

use Learn::{
    Claimed, Emptied, Fences, Leave, NoFences, NoNodes, Nodes, Released, Renewed, SteppedDown, Tick,
};

type Race = (&'static str, &'static [(u64, Learn)]);

const OK: Result<(), StoreError> = Ok(());
const CONFLICT: Result<(), StoreError> = Err(StoreError::Conflict);
const UNKNOWN: Result<(), StoreError> = Err(StoreError::CommitUnknown);
const AWAY: Result<(), StoreError> = Err(StoreError::Unavailable);

/// Every race begins with a node that has joined beside node 2: half of the
/// slots had no owner and are its own by now, the others are node 2's.
const RACES: &[Race] = &[
    (
        "it was stopped, expelled, and wakes with a renewal to send",
        &[
            (9_000, Tick),
            (9_010, Renewed(CONFLICT)),
            (9_100, Tick),
            (9_110, Nodes(&[MineExpelled, Other(2, 9)])),
        ],
    ),
    (
        "it was stopped, expelled, and wakes with a read that comes back",
        &[
            (9_000, Nodes(&[MineExpelled, Other(2, 9)])),
            (9_010, Renewed(CONFLICT)),
        ],
    ),
    (
        "its row is gone",
        &[(600, Tick), (610, Nodes(&[Other(2, 2)]))],
    ),
    (
        "a renewal of unknown fate was written",
        &[
            (800, Tick),
            (810, Renewed(UNKNOWN)),
            (1_400, Tick),
            (1_410, Nodes(&[MineNext, Other(2, 2)])),
            (1_600, Tick),
            (1_610, Renewed(OK)),
        ],
    ),
    (
        "a renewal of unknown fate was not written",
        &[
            (800, Tick),
            (810, Renewed(UNKNOWN)),
            (1_400, Tick),
            (1_410, Nodes(&[Mine, Other(2, 2)])),
            (1_600, Tick),
            (1_610, Renewed(OK)),
        ],
    ),
    (
        "a renewal of unknown fate met an expulsion",
        &[
            (800, Tick),
            (810, Renewed(UNKNOWN)),
            (1_400, Tick),
            (1_410, Nodes(&[MineExpelled, Other(2, 2)])),
        ],
    ),
    (
        "the store is away when it renews: nothing is known, nothing is dropped",
        &[
            (800, Tick),
            (810, Renewed(AWAY)),
            (1_600, Tick),
            (1_610, Renewed(OK)),
        ],
    ),
    (
        "another is silent for a lease's length of reads",
        &[
            (500, Tick),
            (510, Nodes(&[Mine, Other(2, 1)])),
            (2_000, Tick),
            (2_010, Nodes(&[Mine, Other(2, 1)])),
            (3_600, Tick),
            (3_610, Nodes(&[Mine, Other(2, 1)])),
            (3_620, Fences(2, 4)),
        ],
    ),
    (
        "another is silent, and a read fails meanwhile: silence counts anew",
        &[
            (500, Tick),
            (510, Nodes(&[Mine, Other(2, 1)])),
            (2_000, Tick),
            (2_010, NoNodes),
            (3_600, Tick),
            (3_610, Nodes(&[Mine, Other(2, 1)])),
            (5_000, Tick),
            (5_010, Nodes(&[Mine, Other(2, 1)])),
            (6_700, Tick),
            (6_710, Nodes(&[Mine, Other(2, 1)])),
            (6_720, Fences(2, 4)),
        ],
    ),
    (
        "another that was silent renews before the claim: the claim conflicts",
        &[
            (500, Tick),
            (510, Nodes(&[Mine, Other(2, 1)])),
            (3_600, Tick),
            (3_610, Nodes(&[Mine, Other(2, 1)])),
            (3_620, Fences(2, 4)),
            (3_630, Claimed(CONFLICT)),
            (4_200, Tick),
            (4_210, Nodes(&[Mine, Other(2, 2)])),
            (4_220, Fences(2, 4)),
        ],
    ),
    (
        "two claim a silent node's slots: the other was first",
        &[
            (500, Tick),
            (510, Nodes(&[Mine, Other(2, 1), Other(3, 1)])),
            (3_600, Tick),
            (3_610, Nodes(&[Mine, Other(2, 1), Other(3, 8)])),
            (3_620, Fences(2, 4)),
            (3_630, Claimed(CONFLICT)),
            (4_200, Tick),
            (4_210, Nodes(&[Mine, OtherExpelled(2, 1), Other(3, 9)])),
            (4_220, Fences(3, 5)),
        ],
    ),
    (
        "a claim of unknown fate happened: the fences tell",
        &[
            (600, Tick),
            (610, Nodes(&[Mine, OtherDraining(2, 2)])),
            (620, Fences(0, 4)),
            (630, Claimed(UNKNOWN)),
            (1_200, Tick),
            (1_210, Nodes(&[Mine, OtherDraining(2, 2)])),
            (1_220, Fences(ME, 5)),
            (1_230, Claimed(OK)),
        ],
    ),
    (
        "a claim of unknown fate did not happen: the fences tell",
        &[
            (600, Tick),
            (610, Nodes(&[Mine, OtherDraining(2, 2)])),
            (620, Fences(0, 4)),
            (630, Claimed(UNKNOWN)),
            (1_200, Tick),
            (1_210, Nodes(&[Mine, OtherDraining(2, 2)])),
            (1_220, Fences(0, 4)),
            (1_230, Claimed(OK)),
        ],
    ),
    (
        "the fences cannot be read: nothing is claimed",
        &[
            (600, Tick),
            (610, Nodes(&[Mine, OtherDraining(2, 2)])),
            (620, NoFences),
            (1_200, Tick),
            (1_210, Nodes(&[Mine, OtherDraining(2, 2)])),
        ],
    ),
    (
        "a slot turns out to be another's while this node serves it",
        &[(100, SteppedDown), (110, Fences(2, 9))],
    ),
    (
        "another joins: its share is emptied, released, and only then given up",
        &[
            (600, Tick),
            (610, Nodes(&[Mine, Other(2, 2), Other(3, 1)])),
            (700, Emptied),
            (710, Released(OK)),
        ],
    ),
    (
        "a release of unknown fate is made again",
        &[
            (600, Tick),
            (610, Nodes(&[Mine, Other(2, 2), Other(3, 1)])),
            (700, Emptied),
            (710, Released(UNKNOWN)),
            (1_200, Tick),
            (1_210, Nodes(&[Mine, Other(2, 3), Other(3, 2)])),
        ],
    ),
    (
        "a release meets a claim of whoever took it for silent",
        &[
            (600, Tick),
            (610, Nodes(&[Mine, Other(2, 2), Other(3, 1)])),
            (700, Emptied),
            (710, Released(CONFLICT)),
            (1_200, Tick),
            (1_210, Nodes(&[MineExpelled, Other(2, 3), Other(3, 2)])),
        ],
    ),
    (
        "the one that joined is gone again before its share is released",
        &[
            (600, Tick),
            (610, Nodes(&[Mine, Other(2, 2), Other(3, 1)])),
            (650, Tick),
            (1_200, Tick),
            (1_210, Nodes(&[Mine, Other(2, 3), OtherExpelled(3, 1)])),
            (1_300, Emptied),
            (1_310, Released(OK)),
        ],
    ),
    (
        "it leaves while a renewal is under way",
        &[
            (800, Tick),
            (805, Leave),
            (810, Renewed(OK)),
            (1_200, Tick),
            (1_300, Emptied),
        ],
    ),
    (
        "it leaves and is taken for silent before it is gone",
        &[
            (100, Leave),
            (800, Tick),
            (810, Renewed(CONFLICT)),
            (820, Emptied),
        ],
    ),
];

/// One node in a race.
struct Racer {
    node: Membership,
    /// Fences that were asked for, and slots that are to be emptied.
    asked: Vec<Slot>,
    emptying: Vec<Slot>,
}

impl Racer {
    /// It has joined, owns its share, and node 2 owns the rest.
    fn new() -> Racer {
        let identity = Identity {
            id: NodeId(ME),
            name: "node-1".to_owned(),
            address: "node-1:1".to_owned(),
            reads: 1,
        };
        let node = Membership::new(Region::FIRST, identity, LEASE);
        let mut racer = Racer {
            node,
            asked: Vec::new(),
            emptying: Vec::new(),
        };
        racer.learn(0, Tick);
        racer.learn(0, Nodes(&[Other(2, 1)]));
        racer.learn(0, Renewed(Ok(())));
        while !racer.asked.is_empty() {
            let found = std::mem::take(&mut racer.asked).into_iter().map(|slot| {
                let mine = crate::owner_among(slot, &[NodeId(ME), NodeId(2)]) == Some(NodeId(ME));
                let owner = if mine { 0 } else { 2 };
                (slot, Some(Fence { epoch: 4, owner }.encode()))
            });
            let found = Input::Fences(Ok(found.collect()));
            let mut orders = racer.handle(0, found);
            while orders.contains("claim") {
                orders = racer.handle(0, Input::Claimed(Ok(())));
            }
        }
        racer
    }

    fn handle(&mut self, now_ms: u64, input: Input) -> String {
        let orders = self.node.handle(now_ms, input);
        let words: Vec<String> = orders.iter().map(|order| self.words(order)).collect();
        words.join(", ")
    }

    fn row(&self, row: Row) -> Option<(NodeId, Bytes)> {
        let mine = |stored: &Stored| (NodeId(ME), stored.bytes.clone());
        let stored = self.node.row.as_ref();
        let other = |id: u64, renewal: u64, state: NodeState| {
            let row = NodeRow {
                state,
                life: 1,
                renewal,
                name: format!("node-{id}"),
                address: format!("node-{id}:1"),
                reads: 1,
            };
            (NodeId(id), row.encode())
        };
        match row {
            Mine => stored.map(mine),
            MineNext => match &self.node.renewal {
                Renewal::UnderWay { next, .. } | Renewal::Unknown { next } => Some(mine(next)),
                Renewal::None => stored.map(mine),
            },
            MineExpelled => Some(other(ME, 0, NodeState::Expelled)),
            Other(id, renewal) => Some(other(id, renewal, NodeState::Serving)),
            OtherDraining(id, renewal) => Some(other(id, renewal, NodeState::Draining)),
            OtherExpelled(id, renewal) => Some(other(id, renewal, NodeState::Expelled)),
        }
    }

    /// Learns something; what it does, in words.
    fn learn(&mut self, now_ms: u64, learn: Learn) -> String {
        let input = match learn {
            Tick => Input::Tick,
            Nodes(rows) => Input::Nodes(Ok(rows.iter().filter_map(|row| self.row(*row)).collect())),
            NoNodes => Input::Nodes(Err(StoreError::Unavailable)),
            Renewed(outcome) => Input::Renewed(outcome),
            Fences(owner, epoch) => {
                let fence = Fence { epoch, owner }.encode();
                let asked = std::mem::take(&mut self.asked);
                let found = asked.into_iter().map(|slot| (slot, Some(fence.clone())));
                Input::Fences(Ok(found.collect()))
            }
            NoFences => {
                self.asked.clear();
                Input::Fences(Err(StoreError::Unavailable))
            }
            Claimed(outcome) => Input::Claimed(outcome),
            Emptied => Input::Emptied(std::mem::take(&mut self.emptying)),
            Released(outcome) => Input::Released(outcome),
            SteppedDown => Input::SteppedDown(Slot::all().take(1).collect()),
            Leave => {
                self.node.leave();
                return "leave".to_owned();
            }
        };
        self.handle(now_ms, input)
    }

    fn words(&mut self, order: &Order) -> String {
        match order {
            Order::ReadNodes => "read nodes".into(),
            Order::Renew(commit) => {
                let row = NodeRow::decode(&commit.puts[0].value).unwrap();
                format!("renew life {} {:?}", row.life, row.state)
            }
            Order::ReadFences(slots) => {
                self.asked.clone_from(slots);
                "read fences".into()
            }
            Order::Claim(commit) => {
                let nodes = Key::system(SystemPart::Node(2));
                let expels = commit.puts.iter().any(|put| put.key == nodes);
                if expels { "claim and expel 2" } else { "claim" }.into()
            }
            Order::Take(slots) => format!("take under epoch {}", slots[0].1),
            Order::Empty(slots) => {
                self.emptying.extend(slots);
                "empty".into()
            }
            Order::Release(_) => "release".into(),
            Order::GiveUp(_) => "give up".into(),
            Order::Lease { until_ms, .. } => format!("lease until {until_ms}"),
            Order::DropEverything => "drop everything".into(),
            Order::Gone => "gone".into(),
        }
    }
}

fn learnt(learn: Learn) -> String {
    let outcome = |name: &str, outcome: Result<(), StoreError>| match outcome {
        Ok(()) => format!("{name}: done"),
        Err(error) => format!("{name}: {error:?}"),
    };
    let row = |row: &Row| match row {
        Mine => "own".to_owned(),
        MineNext => "own, renewed".to_owned(),
        MineExpelled => "own, expelled".to_owned(),
        Other(id, renewal) => format!("{id} at {renewal}"),
        OtherDraining(id, _) => format!("{id} draining"),
        OtherExpelled(id, _) => format!("{id} expelled"),
    };
    match learn {
        Tick => "time passes".into(),
        Nodes(rows) => format!(
            "nodes: {}",
            rows.iter().map(row).collect::<Vec<_>>().join("; ")
        ),
        NoNodes => "nodes: Unavailable".into(),
        Renewed(result) => outcome("renewed", result),
        Fences(owner, epoch) => format!("fences: of {owner} under {epoch}"),
        NoFences => "fences: Unavailable".into(),
        Claimed(result) => outcome("claimed", result),
        Emptied => "emptied".into(),
        Released(result) => outcome("released", result),
        SteppedDown => "stepped down".into(),
        Leave => "leave".into(),
    }
}

#[test]
fn races_end_as_they_are_written_down() {
    let mut table = String::new();
    for (name, steps) in RACES {
        writeln!(table, "{name}").unwrap();
        let mut racer = Racer::new();
        for (at_ms, step) in *steps {
            let orders = racer.learn(*at_ms, *step);
            let standing = racer.node.standing();
            let learnt = learnt(*step);
            writeln!(table, "  {at_ms:5} {learnt:38} {standing:8?} {orders}").unwrap();
        }
    }
    let table: String = table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tables/races.txt");
    if std::env::var_os("TIDEGATE_WRITE_TABLES").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    assert_eq!(table, std::fs::read_to_string(&path).unwrap());
}
