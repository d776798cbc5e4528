//! What a seed's world is: sizes, people and faults, each family of them drawn
//! from a stream of its own, so that a new one leaves older seeds' worlds as they
//! are.

use super::{CALM_S, END_S, SAFETY_S};
use crate::random::Stream;
use crate::scenario::{
    AtOnce, Curve, Fault, Gateways, Network, Nodes, Parts, Scenario, Share, Span, Store, StoreKind,
    What, Whole,
};

fn seconds<const LEAST: u64, const MOST: u64>(whole: u64) -> Span<LEAST, MOST> {
    Span(whole as f64)
}

fn during((at_s, for_s): (u64, u64), what: What) -> Fault {
    Fault {
        at_s: seconds(at_s),
        for_s: seconds(for_s),
        what,
    }
}

/// The number of one of the nodes.
fn one_of(stream: &Stream, nodes: u64) -> u32 {
    u32::try_from(1 + stream.below(nodes)).unwrap_or(1)
}

fn times(least: u64, stream: &Stream, range: u64) -> f64 {
    (least + stream.below(range)) as f64
}

/// One fault of a drawn world.
fn fault(stream: &Stream, nodes: u64) -> Fault {
    let at_s = 2 + stream.below(SAFETY_S - 12);
    let for_s = 1 + stream.below(SAFETY_S - at_s);
    let node = one_of(stream, nodes);
    let cluster = nodes > 1;
    let what = match stream.below(8) {
        0 => What::Kill { node },
        1 => What::Pause { node },
        2 if cluster => What::CutOff { node },
        3 if cluster => What::Drain { node },
        4 => What::StoreDown,
        5 => What::StoreSlow {
            times: times(2, stream, 30),
            node: None,
        },
        6 => {
            // Two nodes whose dates differ by more than the time for repeats
            // cannot agree on what is one, and a date far ahead ends sessions:
            // nothing but right dates helps that.
            let by_s = i64::try_from(stream.below(21)).unwrap_or(0) - 10;
            What::Date { node, by_s }
        }
        _ => What::StoreRecovery,
    };
    during((at_s, for_s), what)
}

/// In every third world something is wrong between gateways and nodes.
fn network_fault(seed: u64, nodes: u64) -> Option<Fault> {
    let stream = Stream::new(seed, "fuzz-network", 0);
    let when = (2 + stream.below(20), 1 + stream.below(15));
    let what = match stream.below(6) {
        0 => What::Unreachable {
            node: one_of(&stream, nodes),
        },
        1 => What::NetworkSlow {
            times: times(2, &stream, 200),
        },
        _ => return None,
    };
    Some(during(when, what))
}

/// In every other world the store is slow for a while, for one node or for all,
/// and in half of these right after it was away for longer than a refresh can
/// be repeated.
fn slowness(seed: u64, nodes: u64) -> Vec<Fault> {
    let stream = Stream::new(seed, "fuzz-slow", 0);
    let slow = |when: (u64, u64)| {
        let tens = [1_u32, 3, 10, 30, 100][usize::try_from(stream.below(5)).unwrap_or(0)];
        let node = match stream.below(nodes + 1) {
            0 => None,
            node => u32::try_from(node).ok(),
        };
        let times = f64::from(10 * tens);
        during(when, What::StoreSlow { times, node })
    };
    match stream.below(4) {
        0 => {
            let (at_s, away_s) = (2 + stream.below(3), 31 + stream.below(3));
            let away = during((at_s, away_s), What::StoreDown);
            vec![away, slow((at_s + away_s, 1 + stream.below(7)))]
        }
        1 => (0..1 + stream.below(3))
            .map(|_| slow((2 + stream.below(20), 1 + stream.below(20))))
            .collect(),
        _ => Vec::new(),
    }
}

/// Who else comes: those who were away for months, if there are any, and those
/// who present what is used up.
struct More {
    remember_percent: f64,
    dormant: u64,
    reuse: u64,
    come_back: u64,
    last_moment: u64,
}

fn more_people(seed: u64, people: u64) -> More {
    let stream = Stream::new(seed, "fuzz-people", 0);
    let dormant = stream.below(people / 4 + 1);
    let mut more = More {
        dormant,
        reuse: stream.below(6),
        remember_percent: (stream.below(2) * 50) as f64,
        come_back: 0,
        last_moment: 0,
    };
    if dormant > 0 {
        more.come_back = stream.below(6);
        more.last_moment = stream.below(6);
    }
    more
}

/// In every other world some are erased.
fn erasures(seed: u64) -> u64 {
    let stream = Stream::new(seed, "fuzz-erasures", 0);
    stream.below(2) * (1 + stream.below(8))
}

/// In every other world people come at once, and sessions are stolen: of one
/// source, of one account, and stolen.
fn rushes(seed: u64) -> [u64; 3] {
    let stream = Stream::new(seed, "fuzz-crowds", 0);
    match stream.below(2) {
        1 => [1, 2, 2].map(|most| 1 + stream.below(most)),
        _ => [0; 3],
    }
}

/// In every other world people add addresses of their own.
fn addresses(seed: u64) -> u64 {
    let stream = Stream::new(seed, "fuzz-verified", 0);
    match stream.below(2) {
        1 => 1 + stream.below(4),
        _ => 0,
    }
}

/// In every third world messages are posted that must leave; in every other of these
/// their destination is away for a while. By this name none of the seeds that found
/// something once is one of them.
fn messages(seed: u64) -> (u64, Option<Fault>) {
    let stream = Stream::new(seed, "fuzz-letter", 0);
    if stream.below(3) > 0 {
        return (0, None);
    }
    let part = 1 + stream.below(6);
    let when = (2 + stream.below(20), 1 + stream.below(15));
    let away = stream.below(2) == 0;
    (part, away.then(|| during(when, What::DestinationDown)))
}

/// In every third world people sign up and in by codes that are mailed; in some of
/// these the mail is away for a while. By this name none of the seeds that found
/// something once is one of them.
fn codes(seed: u64) -> (u64, Option<Fault>) {
    let stream = Stream::new(seed, "fuzz-by-mail", 0);
    if stream.below(3) > 0 {
        return (0, None);
    }
    let part = 1 + stream.below(6);
    let when = (2 + stream.below(20), 1 + stream.below(15));
    let away = stream.below(3) == 0;
    (part, away.then(|| during(when, What::DestinationDown)))
}

/// In every third world people add passkeys and sign in by them. By this name none of
/// the seeds that found something once is one of them.
fn passkeys(seed: u64) -> u64 {
    let stream = Stream::new(seed, "fuzz-device-key", 0);
    match stream.below(3) {
        0 => 1 + stream.below(6),
        _ => 0,
    }
}

/// In every other world sessions end within the night when they are not used.
fn idle_s(seed: u64, usual: u64) -> u64 {
    let stream = Stream::new(seed, "fuzz-session", 0);
    match stream.below(2) {
        0 => 40 + stream.below(30),
        _ => usual,
    }
}

/// A seed's world with all of its faults.
pub(super) fn drawn(seed: u64) -> Scenario {
    let stream = Stream::new(seed, "fuzz", 0);
    let (kind, count) = match stream.below(4) {
        0 => (StoreKind::Embedded, 1),
        _ => (StoreKind::Foundationdb, 1 + stream.below(4)),
    };
    let people = 20 + stream.below(400);
    let rate = 20 + stream.below(120);
    let lease_ms = 1_000 + stream.below(3) * 1_000;
    let part = |most: u64| stream.below(most + 1);
    let more = more_people(seed, people);
    let (message, destination_away) = messages(seed);
    let (mailed_code, mail_away) = codes(seed);
    let [same_source, same_account, stolen_session] = rushes(seed);
    // Drawn in the order in which they stand here.
    let ask = Parts {
        check: Whole(100),
        reuse: Whole(more.reuse),
        come_back: Whole(more.come_back),
        last_moment: Whole(more.last_moment),
        same_source: Whole(same_source),
        same_account: Whole(same_account),
        stolen_session: Whole(stolen_session),
        be_erased: Whole(erasures(seed)),
        add_address: Whole(addresses(seed)),
        message: Whole(message),
        mailed_code: Whole(mailed_code),
        passkey: Whole(passkeys(seed)),
        forged_check: Whole(part(5)),
        refresh: Whole(part(60)),
        two_tabs: Whole(part(30)),
        sign_in: Whole(part(20)),
        mistype: Whole(part(5)),
        same_name: Whole(part(5)),
        guess_crowd: Whole(part(2)),
        sign_up: Whole(part(8)),
        sign_out: Whole(part(10)),
        ..Parts::default()
    };
    let unknown: [u64; 3] = std::array::from_fn(|_| part(1) * part(30_000));
    let nodes = Nodes {
        count: Whole(count),
        lease_ms: Whole(lease_ms),
        hashing_waiting: Whole(64 + part(200)),
        session_idle_s: seconds(idle_s(seed, 1_800 + part(1_800))),
        ..Nodes::default()
    };
    let network = Network {
        loss_percent: Share(part(3) as f64),
        ..Network::default()
    };
    let faults = part(6);
    let mut fault: Vec<Fault> = (0..faults).map(|_| fault(&stream, count)).collect();
    fault.extend(network_fault(seed, count));
    fault.extend(slowness(seed, count));
    fault.extend(destination_away);
    fault.extend(mail_away);
    Scenario {
        active: (more.dormant > 0).then(|| Whole(people - more.dormant)),
        remember_percent: Share(more.remember_percent),
        calm_from_s: Some(seconds(CALM_S)),
        ask,
        nodes,
        store: Store {
            kind,
            unknown_happened: Whole(unknown[0]),
            unknown_lost: Whole(unknown[1]),
            unknown_later: Whole(unknown[2]),
            ..Store::default()
        },
        gateways: Gateways {
            deadline_ms: Whole(8_000),
            ..Gateways::default()
        },
        network,
        at_once: match same_source {
            0 => AtOnce::default(),
            _ => AtOnce {
                people: Whole(12),
                // An indeterminate commit sends all of them back at once, and
                // the client's reserve for asking again is 32.
                devices: Whole(6),
            },
        },
        fault,
        ..Scenario::plain(
            format!("seed {seed}"),
            Whole(people),
            Curve::level(rate as f64, END_S as f64),
        )
    }
}
