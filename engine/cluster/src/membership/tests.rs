use tidegate_storage_api::{Fence, SLOTS};

use super::*;

const LEASE: Lease = Lease(3_000);
/// Fences that are read at once.
const BATCH_READ: usize = 1_024;

fn node(id: u64) -> Membership {
    let identity = Identity {
        id: NodeId(id),
        name: format!("node-{id}"),
        address: format!("node-{id}:1"),
        reads: 1,
    };
    Membership::new(Region::FIRST, identity, LEASE)
}

fn row(id: u64, renewal: u64) -> (NodeId, Bytes) {
    let row = NodeRow {
        state: NodeState::Serving,
        life: 1,
        renewal,
        name: format!("node-{id}"),
        address: format!("node-{id}:1"),
        reads: 1,
    };
    (NodeId(id), row.encode())
}

fn fences(owner: u64, epoch: u64, slots: Vec<Slot>) -> Input {
    let fence = Fence { epoch, owner }.encode();
    Input::Fences(Ok(slots
        .into_iter()
        .map(|slot| (slot, Some(fence.clone())))
        .collect()))
}

fn lease(known_ms: u64) -> Order {
    let until_ms = known_ms + 2_400;
    Order::Lease { known_ms, until_ms }
}

/// What a node asks for, in words that leave out how much.
fn words(orders: &[Order]) -> Vec<&'static str> {
    let word = |order: &Order| match order {
        Order::ReadNodes => "read nodes",
        Order::Renew(_) => "renew",
        Order::ReadFences(_) => "read fences",
        Order::Claim(_) => "claim",
        Order::Take(_) => "take",
        Order::Empty(_) => "empty",
        Order::Release(_) => "release",
        Order::GiveUp(_) => "give up",
        Order::Lease { .. } => "lease",
        Order::DropEverything => "drop everything",
        Order::Gone => "gone",
    };
    orders.iter().map(word).collect()
}

/// Answers every read of fences with the same fence until none is asked.
fn with_fences(
    node: &mut Membership,
    now_ms: u64,
    mut orders: Vec<Order>,
    owner: u64,
    epoch: u64,
) -> Vec<Order> {
    let mut all = Vec::new();
    while let Some(place) = orders
        .iter()
        .position(|order| matches!(order, Order::ReadFences(_)))
    {
        let Order::ReadFences(slots) = orders.remove(place) else {
            unreachable!();
        };
        all.append(&mut orders);
        orders = node.handle(now_ms, fences(owner, epoch, slots));
    }
    all.append(&mut orders);
    all
}

/// Lets every claim succeed until none is asked for.
fn with_claims(node: &mut Membership, now_ms: u64, mut orders: Vec<Order>) -> Vec<Order> {
    let mut all = Vec::new();
    while orders.iter().any(|order| matches!(order, Order::Claim(_))) {
        all.append(&mut orders);
        orders = node.handle(now_ms, Input::Claimed(Ok(())));
    }
    all.append(&mut orders);
    all
}

fn taken(orders: &[Order]) -> Vec<(Slot, u64)> {
    let takes = orders.iter().filter_map(|order| match order {
        Order::Take(slots) => Some(slots.clone()),
        _ => None,
    });
    takes.flatten().collect()
}

/// A member of a cluster with these others, which has read nothing of slots.
fn member(id: u64, others: &[u64], now_ms: u64) -> (Membership, Vec<Order>) {
    let mut node = node(id);
    assert_eq!(words(&node.handle(now_ms, Input::Tick)), ["read nodes"]);
    let rows = others.iter().map(|id| row(*id, 1)).collect();
    assert_eq!(
        words(&node.handle(now_ms, Input::Nodes(Ok(rows)))),
        ["renew"]
    );
    let joined = node.handle(now_ms, Input::Renewed(Ok(())));
    (node, joined)
}

#[test]
fn a_node_alone_reads_every_fence_and_claims_every_slot() {
    let (mut node, joined) = member(1, &[], 1_000);
    assert_eq!(joined[0], lease(1_000));
    let claims = with_fences(&mut node, 1_000, joined, 0, 4);
    let all = with_claims(&mut node, 1_000, claims);
    let taken = taken(&all);
    assert_eq!(taken.len(), usize::from(SLOTS));
    assert!(taken.iter().all(|(_, epoch)| *epoch == 5));
    assert!(Slot::all().all(|slot| node.owner_of(slot) == Some(NodeId(1))));
}

#[test]
fn nothing_is_claimed_from_a_node_that_lives() {
    let (mut node, joined) = member(1, &[2], 0);
    let orders = with_fences(&mut node, 0, joined, 2, 4);
    assert!(!words(&orders).contains(&"claim"));
    // As long as its row changes, whatever time passes.
    for renewal in 2..20 {
        let now_ms = renewal * 2_900;
        node.handle(now_ms, Input::Tick);
        let orders = node.handle(now_ms, Input::Nodes(Ok(vec![row(2, renewal), mine(&node)])));
        let orders = with_fences(&mut node, now_ms, orders, 2, 4);
        assert!(!words(&orders).contains(&"claim"), "{renewal}");
    }
}

fn mine(node: &Membership) -> (NodeId, Bytes) {
    (node.me, node.row.as_ref().unwrap().bytes.clone())
}

/// Reads the nodes at these times, the other's row unchanged, every second
/// read failing where it is said so; whether its slots were claimed.
fn claims_after(reads: &[(u64, bool)]) -> Option<Commit> {
    let (mut node, joined) = member(1, &[2], 0);
    with_fences(&mut node, 0, joined, 2, 4);
    for (at_ms, fails) in reads {
        node.looked_at_ms = None;
        node.handle(*at_ms, Input::Tick);
        let found = match fails {
            true => Err(StoreError::Unavailable),
            false => Ok(vec![row(2, 1), mine(&node)]),
        };
        let orders = node.handle(*at_ms, Input::Nodes(found));
        let orders = with_fences(&mut node, *at_ms, orders, 2, 4);
        let claim = orders.into_iter().find_map(|order| match order {
            Order::Claim(commit) => Some(commit),
            _ => None,
        });
        if claim.is_some() {
            return claim;
        }
    }
    None
}

#[test]
fn a_read_that_began_before_a_renewal_landed_says_nothing_of_it() {
    let (mut node, joined) = member(1, &[2], 0);
    with_fences(&mut node, 0, joined, 2, 4);
    let before = mine(&node);
    let orders = node.handle(1_000, Input::Tick);
    assert_eq!(words(&orders), ["read nodes", "renew"]);
    assert_eq!(
        words(&node.handle(1_010, Input::Renewed(Ok(())))),
        ["lease"]
    );
    // The row as it was when the read began, told after the renewal's answer.
    let late = Input::Nodes(Ok(vec![row(2, 2), before.clone()]));
    assert!(!words(&node.handle(1_020, late)).contains(&"drop everything"));
    assert_eq!(node.standing(), Standing::Member);
    // Told by a read that began afterwards, it is another life's.
    node.handle(1_300, Input::Tick);
    let other = Input::Nodes(Ok(vec![row(2, 3), before]));
    assert!(words(&node.handle(1_310, other)).contains(&"drop everything"));
}

#[test]
fn silence_counts_to_the_beginning_of_a_read_whatever_is_lost_meanwhile() {
    let (mut node, joined) = member(1, &[2], 0);
    with_fences(&mut node, 0, joined, 2, 4);
    node.handle(2_990, Input::Tick);
    node.handle(2_995, Input::Claimed(Err(StoreError::Conflict)));
    let orders = node.handle(3_100, Input::Nodes(Ok(vec![row(2, 1), mine(&node)])));
    assert!(!words(&orders).contains(&"claim"));
}

#[test]
fn a_claim_holds_only_while_whoever_owned_the_slots_is_as_gone_as_it_was_read() {
    let expelled = |id: u64| {
        let row = NodeRow::decode(&row(id, 1).1).unwrap();
        let state = NodeState::Expelled;
        (NodeId(id), NodeRow { state, ..row }.encode())
    };
    let (mut node, joined) = member(1, &[], 0);
    // Of node 2, which has no row, and then of node 3, which is expelled.
    let orders = with_fences(&mut node, 0, joined, 2, 4);
    let Some(Order::Claim(absent)) = orders.iter().find(|order| matches!(order, Order::Claim(_)))
    else {
        panic!("{orders:?}");
    };
    let key = |id| Key::system(SystemPart::Node(id));
    assert!(absent.checks.contains(&Check::Absent(key(2))));
    let (mut node, _) = member(1, &[], 0);
    node.handle(600, Input::Tick);
    let orders = node.handle(610, Input::Nodes(Ok(vec![expelled(3), mine(&node)])));
    let orders = match orders.is_empty() {
        true => node.handle(620, fences(3, 4, Slot::all().take(BATCH_READ).collect())),
        false => orders,
    };
    let Some(Order::Claim(claim)) = orders.iter().find(|order| matches!(order, Order::Claim(_)))
    else {
        panic!("{orders:?}");
    };
    let check = Check::Value(key(3), expelled(3).1);
    assert!(claim.checks.contains(&check) && claim.puts.iter().all(|put| put.key != key(3)));
}

#[test]
fn a_claim_of_an_earlier_life_is_not_believed_however_late_it_is_answered() {
    let (mut node, joined) = member(1, &[], 0);
    let claims = with_fences(&mut node, 0, joined, 0, 4);
    assert!(words(&claims).contains(&"claim"));
    node.handle(1_000, Input::Tick);
    node.handle(1_010, Input::Renewed(Err(StoreError::Conflict)));
    node.handle(1_020, Input::Nodes(Ok(Vec::new())));
    let rejoined = node.handle(1_030, Input::Renewed(Ok(())));
    with_fences(&mut node, 1_030, rejoined, 2, 9);
    let late = node.handle(1_040, Input::Claimed(Ok(())));
    assert!(taken(&late).is_empty());
    assert_eq!(node.held(), 0);
}

#[test]
fn whoever_lost_a_claim_looks_again_with_the_next_tick() {
    let (mut node, joined) = member(1, &[], 1_000);
    let claims = with_fences(&mut node, 1_000, joined, 0, 4);
    assert!(words(&claims).contains(&"claim"));
    node.handle(1_010, Input::Claimed(Err(StoreError::Unavailable)));
    assert_eq!(words(&node.handle(1_050, Input::Tick)), Vec::<&str>::new());
    let (mut node, joined) = member(1, &[], 1_000);
    with_fences(&mut node, 1_000, joined, 0, 4);
    node.handle(1_010, Input::Claimed(Err(StoreError::Conflict)));
    assert_eq!(words(&node.handle(1_050, Input::Tick)), ["read nodes"]);
}

#[test]
fn silence_counts_over_reads_that_succeed_and_anew_after_one_that_fails() {
    let read = |at_ms| (at_ms, false);
    assert!(claims_after(&[read(1_000), read(2_999)]).is_none());
    assert!(claims_after(&[read(1_000), read(3_000)]).is_some());
    assert!(claims_after(&[read(1_000), (2_000, true), read(3_000), read(5_999)]).is_none());
    assert!(claims_after(&[read(1_000), (2_000, true), read(3_000), read(6_000)]).is_some());
}

#[test]
fn the_claim_of_a_silent_nodes_slots_expels_it_if_it_is_still_silent() {
    let commit = claims_after(&[(3_000, false)]).unwrap();
    let key = Key::system(SystemPart::Node(2));
    let condition = Check::Value(key.clone(), row(2, 1).1);
    assert!(commit.checks.contains(&condition));
    let marks: Vec<_> = commit.puts.iter().filter(|put| put.key == key).collect();
    assert_eq!(marks.len(), 1);
    let marked = NodeRow::decode(&marks[0].value).unwrap();
    assert_eq!(marked.state, NodeState::Expelled);
}

#[test]
fn a_node_that_was_expelled_drops_everything_and_begins_a_new_life() {
    let (mut node, joined) = member(1, &[], 0);
    let claims = with_fences(&mut node, 0, joined, 0, 4);
    with_claims(&mut node, 0, claims);
    let renewal = node.handle(1_000, Input::Tick);
    assert!(words(&renewal).contains(&"renew"));
    let fallen = node.handle(1_000, Input::Renewed(Err(StoreError::Conflict)));
    assert_eq!(words(&fallen), ["drop everything"]);
    assert_eq!(node.standing(), Standing::Outside);
    assert_eq!(node.owner_of(Slot::all().next().unwrap()), None);
    let expelled = NodeRow {
        state: NodeState::Expelled,
        life: 1,
        renewal: 0,
        name: String::new(),
        reads: 1,
        address: "node-1:1".into(),
    };
    let rows = vec![(NodeId(1), expelled.encode())];
    let again = node.handle(1_500, Input::Nodes(Ok(rows)));
    let Order::Renew(commit) = &again[0] else {
        panic!("{again:?}");
    };
    assert_eq!(NodeRow::decode(&commit.puts[0].value).unwrap().life, 2);
    let condition = Check::Value(Key::system(SystemPart::Node(1)), expelled.encode());
    assert_eq!(commit.checks, [condition]);
}

#[test]
fn a_node_that_reads_of_its_expulsion_drops_everything_without_renewing() {
    let (mut node, _) = member(1, &[], 0);
    let mut expelled = node.row.clone().unwrap().row;
    expelled.state = NodeState::Expelled;
    let rows = vec![(NodeId(1), expelled.encode())];
    let orders = node.handle(600, Input::Nodes(Ok(rows)));
    assert_eq!(words(&orders), ["drop everything"]);
}

#[test]
fn a_renewal_of_unknown_fate_extends_no_lease() {
    let (mut node, _) = member(1, &[], 0);
    let sent = node.handle(800, Input::Tick);
    assert!(words(&sent).contains(&"renew"));
    let unknown = node.handle(900, Input::Renewed(Err(StoreError::CommitUnknown)));
    assert!(!words(&unknown).contains(&"lease"));
    let Renewal::Unknown { next } = &node.renewal else {
        panic!("the renewal is forgotten");
    };
    // It was written: the node goes on from it, and the lease stays as it was.
    let rows = vec![(NodeId(1), next.bytes.clone())];
    let read = node.handle(1_000, Input::Nodes(Ok(rows)));
    assert!(!words(&read).contains(&"lease") && node.standing() == Standing::Member);
    let next = node.handle(1_700, Input::Tick);
    assert!(words(&next).contains(&"renew"));
    let renewed = node.handle(1_710, Input::Renewed(Ok(())));
    assert!(renewed.contains(&lease(1_700)));
}

#[test]
fn slots_that_should_be_anothers_are_emptied_then_released_and_only_then_given_up() {
    let (mut node, joined) = member(1, &[], 0);
    let claims = with_fences(&mut node, 0, joined, 0, 4);
    with_claims(&mut node, 0, claims);
    let rows = vec![mine(&node), row(2, 1)];
    let orders = node.handle(500, Input::Nodes(Ok(rows)));
    let Some(Order::Empty(slots)) = orders.iter().find(|order| matches!(order, Order::Empty(_)))
    else {
        panic!("{:?}", words(&orders));
    };
    assert_eq!(
        words(&node.handle(600, Input::Emptied(slots.clone()))),
        ["empty", "release"]
    );
    let given = node.handle(700, Input::Released(Ok(())));
    assert_eq!(given[0], Order::GiveUp(slots.clone()));
    assert!(
        slots
            .iter()
            .all(|slot| node.owner_of(*slot) == Some(NodeId(2)))
    );
}

#[test]
fn a_slot_that_the_store_says_is_anothers_is_read_and_claimed_anew() {
    let (mut node, joined) = member(1, &[], 0);
    let claims = with_fences(&mut node, 0, joined, 0, 4);
    with_claims(&mut node, 0, claims);
    let slot = Slot::all().nth(9).unwrap();
    let orders = node.handle(100, Input::SteppedDown(vec![slot]));
    assert_eq!(orders, [Order::ReadFences(vec![slot])]);
    let orders = node.handle(110, fences(1, 7, vec![slot]));
    let orders = with_claims(&mut node, 120, orders);
    assert_eq!(taken(&orders), [(slot, 8)]);
}

#[test]
fn a_release_of_unknown_fate_is_made_again() {
    let (mut node, joined) = member(1, &[], 0);
    let claims = with_fences(&mut node, 0, joined, 0, 4);
    with_claims(&mut node, 0, claims);
    let rows = vec![mine(&node), row(2, 1)];
    let orders = node.handle(500, Input::Nodes(Ok(rows.clone())));
    let Some(Order::Empty(slots)) = orders
        .into_iter()
        .find(|order| matches!(order, Order::Empty(_)))
    else {
        panic!();
    };
    node.handle(600, Input::Emptied(slots.clone()));
    let unknown = node.handle(700, Input::Released(Err(StoreError::CommitUnknown)));
    assert!(!words(&unknown).contains(&"give up"));
    // It may be another's by now, so nothing is vouched for.
    let owned = node.owned();
    assert!(owned.len() > usize::from(SLOTS) / 2);
    assert!(
        owned
            .iter()
            .all(|(slot, epoch)| *epoch == 5 && !slots.contains(slot))
    );
    let again = node.handle(1_000, Input::Nodes(Ok(rows)));
    assert!(words(&again).contains(&"release"), "{:?}", words(&again));
}

#[test]
fn whoever_leaves_gives_everything_away_and_then_goes() {
    let (mut node, joined) = member(1, &[2], 0);
    let claims = with_fences(&mut node, 0, joined, 0, 4);
    with_claims(&mut node, 0, claims);
    node.leave();
    let mut orders = node.handle(100, Input::Tick);
    let mut gone = false;
    for round in 0..200 {
        let empties: Vec<_> = orders
            .iter()
            .filter_map(|order| match order {
                Order::Empty(slots) => Some(slots.clone()),
                _ => None,
            })
            .collect();
        gone |= orders.contains(&Order::Gone);
        let releases = words(&orders).contains(&"release");
        orders = Vec::new();
        for slots in empties {
            orders.extend(node.handle(200 + round, Input::Emptied(slots)));
        }
        if releases {
            orders.extend(node.handle(200 + round, Input::Released(Ok(()))));
        }
        if orders.is_empty() {
            orders = node.handle(200 + round, Input::Tick);
        }
    }
    assert!(gone);
}

#[test]
fn a_node_that_falls_while_it_leaves_does_not_come_back() {
    let (mut node, joined) = member(1, &[2], 0);
    let claims = with_fences(&mut node, 0, joined, 0, 4);
    with_claims(&mut node, 0, claims);
    node.leave();
    node.handle(1_000, Input::Tick);
    let expelled = node.handle(1_100, Input::Renewed(Err(StoreError::Conflict)));
    assert_eq!(words(&expelled), ["drop everything", "gone"]);
    let (mut now_ms, mut orders) = (1_200, Vec::new());
    while now_ms < 10_000 {
        orders.extend(node.handle(now_ms, Input::Tick));
        orders.extend(node.handle(now_ms, Input::Nodes(Ok(vec![row(2, now_ms)]))));
        now_ms += 300;
    }
    assert!(!words(&orders).contains(&"renew"), "{:?}", words(&orders));
    assert_eq!((node.standing(), node.held()), (Standing::Outside, 0));
}

#[test]
fn a_node_that_is_to_go_before_it_is_in_is_gone_at_once_or_as_soon_as_it_is_in() {
    let mut outside = node(1);
    outside.leave();
    let orders = outside.handle(0, Input::Tick);
    assert_eq!(words(&orders), ["read nodes", "gone"]);
    let orders = outside.handle(0, Input::Nodes(Ok(Vec::new())));
    assert_eq!(words(&orders), ["gone"]);
    // Its first row is on its way.
    let mut joining = node(1);
    joining.handle(0, Input::Tick);
    let orders = joining.handle(0, Input::Nodes(Ok(Vec::new())));
    assert_eq!(words(&orders), ["renew"]);
    joining.leave();
    assert_eq!(words(&joining.handle(100, Input::Tick)), [""; 0]);
    let orders = joining.handle(200, Input::Renewed(Ok(())));
    assert!(!words(&orders).contains(&"claim"));
    assert_eq!(joining.standing(), Standing::Leaving);
    let orders = joining.handle(1_000, Input::Tick);
    assert!(words(&orders).contains(&"gone"), "{:?}", words(&orders));
}
