//! Which node serves which slot: the slot map, learnt from redirects and
//! forgotten where a node does not answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_wire::Code;

use crate::transport::Transport;

/// Slots of a region.
const SLOTS: usize = 4_096;

/// Makes ways to a node at an address, which was learnt from another node.
pub trait Reach: Send + Sync + 'static {
    /// Ways to it; none when the address cannot be used.
    fn reach(&self, address: &str) -> Vec<Arc<dyn Transport>>;
}

/// A node that is known from the beginning.
pub struct Seed {
    /// As redirects name it.
    pub address: String,
    /// Ways to it, taken in turn.
    pub lanes: Vec<Arc<dyn Transport>>,
}

/// The slot of a person's id.
pub(crate) fn slot_of(user: &[u8; 16]) -> u16 {
    u16::from_be_bytes([user[1], user[2]]) >> 4
}

pub(crate) struct Routes {
    state: Mutex<State>,
    reach: Arc<dyn Reach>,
}

struct State {
    nodes: Vec<Node>,
    /// The place of each slot's node; none where it is not known.
    slots: Vec<Option<usize>>,
    /// The highest epoch that any answer told, by slot.
    epochs: Vec<u64>,
    /// Where a slot's node said that it cannot reach its store: when another was
    /// last asked whether it serves the slot by now.
    cut_off: Vec<Option<u64>>,
    turn: usize,
}

struct Node {
    address: String,
    lanes: Vec<Arc<dyn Transport>>,
    turn: usize,
    /// When it last answered anything.
    answered_ms: u64,
    /// It answered nothing that was asked of it lately; when it was asked last
    /// to find out whether it does again.
    silent_since_ms: Option<u64>,
    /// How long its commits take at most at the moment, by its own word.
    commits_ms: u32,
}

/// How long a silent node is left alone before a call asks it again.
const PROBE_EVERY_MS: u64 = 500;
/// How often another node is asked for a slot whose own is cut off.
const SCOUT_EVERY_MS: u64 = 2_000;

impl Node {
    fn new(address: String, lanes: Vec<Arc<dyn Transport>>) -> Node {
        Node {
            address,
            lanes,
            turn: 0,
            answered_ms: 0,
            silent_since_ms: None,
            commits_ms: 0,
        }
    }

    fn is_left_alone(&self, now_ms: u64) -> bool {
        let silent = self.silent_since_ms;
        self.lanes.is_empty() || silent.is_some_and(|at_ms| now_ms < at_ms + PROBE_EVERY_MS)
    }

    fn is_usable(&self) -> bool {
        !self.lanes.is_empty() && self.silent_since_ms.is_none()
    }
}

/// How much a node left unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// It answers others.
    OfOne,
    OfAll,
}

fn forget(state: &mut State, slot: Option<u16>, node: usize) {
    if let Some(slot) = slot {
        let known = &mut state.slots[usize::from(slot) % SLOTS];
        if *known == Some(node) {
            *known = None;
        }
    }
}

/// Any node but `not`, if there is another: one that answers, or, while none
/// does, one that is not left alone.
fn any(state: &mut State, not: Option<usize>, now_ms: u64) -> Option<usize> {
    state.turn += 1;
    let (turn, count) = (state.turn, state.nodes.len());
    let order = || (0..count).map(|step| (turn + step) % count);
    let pick = |usable: &dyn Fn(&Node) -> bool| {
        let mut usable = order().filter(|node| usable(&state.nodes[*node]));
        let first = usable.next()?;
        match Some(first) == not {
            true => usable.next().or(Some(first)),
            false => Some(first),
        }
    };
    pick(&|node| node.is_usable()).or_else(|| pick(&|node| !node.is_left_alone(now_ms)))
}

/// A silent node that it is time to ask whether it answers again.
fn probe(state: &mut State, now_ms: u64) -> Option<Probe> {
    let due = |node: &Node| node.silent_since_ms.is_some() && !node.is_left_alone(now_ms);
    let node = state.nodes.iter().position(due)?;
    let place = &mut state.nodes[node];
    place.silent_since_ms = Some(now_ms);
    place.turn += 1;
    let lane = place.lanes.get(place.turn % place.lanes.len().max(1))?;
    Some(Probe {
        lane: Arc::clone(lane),
        node,
    })
}

/// Another node than the slot's own, when that is cut off and it is time.
fn scout(state: &mut State, slot: Option<u16>, known: usize, now_ms: u64) -> Option<usize> {
    let place = usize::from(slot?) % SLOTS;
    let asked_ms = state.cut_off[place]?;
    if asked_ms > 0 && now_ms < asked_ms + SCOUT_EVERY_MS {
        return None;
    }
    state.cut_off[place] = Some(now_ms.max(1));
    any(state, Some(known), now_ms).filter(|other| *other != known)
}

/// A way, and the place of its node.
pub(crate) struct Way {
    pub(crate) lane: Arc<dyn Transport>,
    /// Another way to the same node, where there is one.
    pub(crate) other: Option<Arc<dyn Transport>>,
    pub(crate) node: usize,
    /// Whether it was asked to find out whether the node answers again.
    pub(crate) probing: bool,
    /// The slot's node, when another is asked whether it serves the slot by now.
    pub(crate) instead_of: Option<usize>,
    /// A silent node, to be asked beside.
    pub(crate) probe: Option<Probe>,
}

/// A way to a silent node. No caller's request goes there while others answer.
pub(crate) struct Probe {
    pub(crate) lane: Arc<dyn Transport>,
    pub(crate) node: usize,
}

/// An answer, as far as it says which node serves the slot.
pub(crate) struct Answered {
    /// The slot of the person that the request named, if it did.
    pub(crate) named: Option<u16>,
    /// The slot for which the node was asked, if it is known.
    pub(crate) slot: Option<u16>,
    pub(crate) node: usize,
    /// The epoch under which it serves the person.
    pub(crate) epoch: u64,
    pub(crate) code: Code,
    /// How long the node's commits take, where it says so.
    pub(crate) commits_ms: Option<u32>,
    pub(crate) now_ms: u64,
}

impl Routes {
    pub(crate) fn new(seeds: Vec<Seed>, reach: Arc<dyn Reach>) -> Routes {
        let nodes = seeds
            .into_iter()
            .map(|seed| Node::new(seed.address, seed.lanes));
        Routes {
            state: Mutex::new(State {
                nodes: nodes.collect(),
                slots: vec![None; SLOTS],
                epochs: vec![0; SLOTS],
                cut_off: vec![None; SLOTS],
                turn: 0,
            }),
            reach,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A way to the slot's node; to any other than `not` when it is not known
    /// or silent; `None` while all are silent and were asked a moment ago.
    pub(crate) fn way(&self, slot: Option<u16>, not: Option<usize>, now_ms: u64) -> Option<Way> {
        let mut state = self.state();
        let known = slot.and_then(|slot| state.slots[usize::from(slot) % SLOTS]);
        let known = known.filter(|node| state.nodes[*node].is_usable());
        let scout = known.and_then(|known| scout(&mut state, slot, known, now_ms));
        let (node, instead_of) = match (known, scout) {
            (Some(_), Some(scout)) => (scout, known),
            (Some(node), None) => (node, None),
            (None, _) => (any(&mut state, not, now_ms)?, None),
        };
        let place = &mut state.nodes[node];
        let probing = place.silent_since_ms.is_some();
        if probing {
            place.silent_since_ms = Some(now_ms);
        }
        place.turn += 1;
        let lanes = &place.lanes;
        let lane = lanes.get(place.turn % lanes.len().max(1))?;
        let other = lanes.get((place.turn + 1) % lanes.len());
        let other = other.filter(|_| lanes.len() > 1).map(Arc::clone);
        let lane = Arc::clone(lane);
        let probe = match probing {
            true => None,
            false => probe(&mut state, now_ms),
        };
        Some(Way {
            lane,
            other,
            probe,
            node,
            probing,
            instead_of,
        })
    }

    /// A node says that a slot is served at an address. The node's place;
    /// `None` when it is not to be asked now.
    pub(crate) fn learn(&self, slot: u16, address: &str) -> Option<usize> {
        let mut state = self.state();
        let known = state.nodes.iter().position(|node| node.address == address);
        let node = match known {
            Some(node) => node,
            None => {
                let lanes = self.reach.reach(address);
                if lanes.is_empty() {
                    return None;
                }
                state.nodes.push(Node::new(address.to_owned(), lanes));
                state.nodes.len() - 1
            }
        };
        if !state.nodes[node].is_usable() {
            return None;
        }
        state.slots[usize::from(slot) % SLOTS] = Some(node);
        Some(node)
    }

    /// A slot's node says that it does not serve the slot.
    pub(crate) fn doubt(&self, slot: Option<u16>, node: usize) {
        forget(&mut self.state(), slot, node);
    }

    /// A node did not answer what was asked of it then. Whether it has answered
    /// nothing else since either.
    pub(crate) fn unanswered(
        &self,
        slot: Option<u16>,
        node: usize,
        asked_ms: u64,
        now_ms: u64,
    ) -> Silence {
        let mut state = self.state();
        forget(&mut state, slot, node);
        let node = &mut state.nodes[node];
        match node.answered_ms > asked_ms {
            true => Silence::OfOne,
            false => {
                node.silent_since_ms = Some(now_ms);
                Silence::OfAll
            }
        }
    }

    /// Whether a node has answered anything since then.
    pub(crate) fn has_answered_since(&self, node: usize, asked_ms: u64) -> bool {
        self.state().nodes[node].answered_ms > asked_ms
    }

    /// Whether another node is there to be asked.
    pub(crate) fn has_other_than(&self, node: usize) -> bool {
        let state = self.state();
        let mut others = state.nodes.iter().enumerate();
        others.any(|(place, other)| place != node && other.is_usable())
    }

    /// How long a node's commits take at most at the moment, as far as it said.
    pub(crate) fn commits_ms(&self, node: usize) -> u32 {
        self.state().nodes[node].commits_ms
    }

    /// Whether a node was found to answer nothing.
    pub(crate) fn is_silent(&self, node: usize) -> bool {
        self.state().nodes[node].silent_since_ms.is_some()
    }

    /// A node answers again.
    pub(crate) fn awake(&self, node: usize, now_ms: u64) {
        let node = &mut self.state().nodes[node];
        (node.answered_ms, node.silent_since_ms) = (now_ms, None);
    }

    /// A node is about to end: it is left alone like one that is silent.
    pub(crate) fn leaving(&self, slot: Option<u16>, node: usize, now_ms: u64) {
        let mut state = self.state();
        forget(&mut state, slot, node);
        state.nodes[node].silent_since_ms = Some(now_ms);
    }

    /// A node has answered.
    pub(crate) fn answered(&self, answered: &Answered) {
        let mut state = self.state();
        let answering = &mut state.nodes[answered.node];
        (answering.answered_ms, answering.silent_since_ms) = (answered.now_ms, None);
        answering.commits_ms = answered.commits_ms.unwrap_or(answering.commits_ms);
        if let Some(slot) = answered.named.filter(|_| answered.epoch > 0) {
            let place = usize::from(slot) % SLOTS;
            if answered.epoch >= state.epochs[place] {
                state.epochs[place] = answered.epoch;
                state.slots[place] = Some(answered.node);
            }
        }
        let Some(place) = answered.slot.map(|slot| usize::from(slot) % SLOTS) else {
            return;
        };
        match answered.code {
            Code::Ok => state.cut_off[place] = None,
            Code::Degraded | Code::Provisional | Code::AcceptedNotDurable
                if state.slots[place] == Some(answered.node) =>
            {
                state.cut_off[place].get_or_insert(0);
            }
            _ => {}
        }
    }

    /// The highest epoch that any answer told of a slot.
    pub(crate) fn epoch(&self, slot: Option<u16>) -> u64 {
        let state = self.state();
        slot.map_or(0, |slot| state.epochs[usize::from(slot) % SLOTS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Asked;
    use bytes::Bytes;

    struct Silent;

    impl Transport for Silent {
        fn ask(&self, _: u64, _: Bytes) -> Asked<'_> {
            Box::pin(std::future::pending())
        }
    }

    struct Everywhere;

    impl Reach for Everywhere {
        fn reach(&self, address: &str) -> Vec<Arc<dyn Transport>> {
            match address {
                "nowhere" => Vec::new(),
                _ => vec![Arc::new(Silent)],
            }
        }
    }

    fn routes(addresses: &[&str]) -> Routes {
        let seed = |address: &&str| Seed {
            address: (*address).to_owned(),
            lanes: vec![Arc::new(Silent)],
        };
        Routes::new(addresses.iter().map(seed).collect(), Arc::new(Everywhere))
    }

    fn heard(routes: &Routes, slot: Option<u16>, node: usize, epoch: u64, now_ms: u64, code: Code) {
        routes.answered(&Answered {
            named: slot,
            slot,
            node,
            epoch,
            code,
            commits_ms: None,
            now_ms,
        });
    }

    fn node(routes: &Routes, slot: Option<u16>, not: Option<usize>, now_ms: u64) -> usize {
        routes.way(slot, not, now_ms).unwrap().node
    }

    #[test]
    fn a_slot_stays_with_the_node_that_was_named_until_it_is_doubted() {
        let routes = routes(&["a", "b"]);
        assert_eq!(routes.learn(7, "c"), Some(2));
        assert_eq!([0; 3].map(|_| node(&routes, Some(7), None, 0)), [2; 3]);
        routes.doubt(Some(7), 0);
        assert_eq!(node(&routes, Some(7), None, 0), 2);
        routes.doubt(Some(7), 2);
        for _ in 0..6 {
            assert_ne!(node(&routes, Some(7), Some(2), 0), 2);
        }
        assert_eq!(routes.learn(7, "nowhere"), None);
    }

    #[test]
    fn whoever_has_no_slot_goes_round() {
        let routes = routes(&["a", "b", "c"]);
        let mut seen: Vec<_> = (0..3).map(|_| node(&routes, None, None, 0)).collect();
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2]);
        // With only one node there is no other to ask.
        assert_eq!(node(&self::routes(&["a"]), None, Some(0), 0), 0);
    }

    #[test]
    fn while_a_slots_node_is_cut_off_another_is_asked_now_and_then() {
        let routes = routes(&["a", "b"]);
        heard(&routes, Some(3), 1, 9, 1_000, Code::Ok);
        heard(&routes, Some(3), 1, 0, 2_000, Code::Degraded);
        let way = |now_ms| {
            let way = routes.way(Some(3), None, now_ms).unwrap();
            (way.node, way.instead_of)
        };
        assert_eq!(way(1_001), (0, Some(1)));
        assert_eq!([1_002, 3_000].map(way), [(1, None); 2]);
        assert_eq!(way(3_001), (0, Some(1)));
        heard(&routes, Some(3), 1, 0, 4_000, Code::Ok);
        assert_eq!(way(9_000), (1, None));
        // Another slot's news, or another node's, is not this one's.
        heard(&routes, Some(3), 0, 0, 2_000, Code::Degraded);
        heard(&routes, Some(4), 1, 0, 2_000, Code::Degraded);
        assert_eq!(way(9_000), (1, None));
        let one = self::routes(&["a"]);
        heard(&one, Some(3), 0, 9, 0, Code::Ok);
        heard(&one, Some(3), 0, 0, 2_000, Code::Degraded);
        assert_eq!(node(&one, Some(3), None, 5), 0);
    }

    #[test]
    fn an_older_epoch_changes_nothing() {
        let routes = routes(&["a", "b"]);
        heard(&routes, Some(3), 1, 9, 0, Code::Ok);
        heard(&routes, Some(3), 0, 8, 0, Code::Ok);
        assert_eq!(node(&routes, Some(3), None, 0), 1);
        assert_eq!(routes.epoch(Some(3)), 9);
    }

    #[test]
    fn a_silent_node_is_asked_again_beside_a_call_now_and_then() {
        let routes = routes(&["a", "b"]);
        heard(&routes, Some(3), 1, 9, 1_000, Code::Ok);
        // It answers others: only this one is doubted.
        let one = routes.unanswered(Some(3), 1, 900, 2_000);
        assert_eq!(one, Silence::OfOne);
        assert_eq!(routes.learn(3, "b"), Some(1));
        let all = routes.unanswered(Some(3), 1, 2_000, 3_000);
        assert_eq!(all, Silence::OfAll);
        assert_eq!(routes.learn(3, "b"), None);
        let way = |now_ms| {
            let way = routes.way(Some(3), None, now_ms).unwrap();
            (way.node, way.probe.map(|probe| probe.node))
        };
        assert_eq!([3_100, 3_499].map(way), [(0, None); 2]);
        assert_eq!([3_500, 3_501].map(way), [(0, Some(1)), (0, None)]);
        assert_eq!(routes.learn(3, "b"), None);
        routes.awake(1, 3_600);
        assert_eq!(routes.learn(3, "b"), Some(1));
        assert_eq!([3_601, 9_000].map(way), [(1, None); 2]);
        routes.leaving(Some(3), 1, 9_000);
        assert_eq!([9_001, 9_500].map(way), [(0, None), (0, Some(1))]);
    }

    #[test]
    fn while_everybody_is_silent_one_call_asks_and_the_others_wait() {
        let routes = routes(&["a"]);
        assert!(!routes.way(None, None, 0).unwrap().probing);
        routes.unanswered(None, 0, 0, 1_000);
        assert!(routes.way(None, None, 1_499).is_none());
        assert!(routes.way(None, None, 1_500).unwrap().probing);
        assert!(routes.way(None, None, 1_501).is_none());
        heard(&routes, None, 0, 0, 1_600, Code::Ok);
        assert!(!routes.way(None, None, 1_601).unwrap().probing);
    }
}
