//! Checks while each limit is filled, beside the same checks of the same node
//! when nothing else happens, in turn.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tidegate_client::{Client, Decision, SignIn};
use tidegate_wire::{RefreshToken, SessionToken};
use tokio::runtime::Runtime;

use super::checks::{CHECKED, Checks};
use super::{folder, median, tokens};
use crate::node::{Addresses, client, configure, serve};
use crate::population::{PASSWORD, name};

const PEOPLE: usize = 20_000;
const PER_S: u64 = 2_000;
const TURN: Duration = Duration::from_secs(5);
const TURNS: usize = 3;
const LANES: u64 = 256;

/// What is sent to fill a limit.
#[derive(Clone, Copy)]
enum Flood {
    Passwords,
    Refreshes,
    OnePerson,
    ColdPeople,
}

/// A limit, how it is set, and what fills it.
struct Filled {
    name: &'static str,
    key: &'static str,
    value: &'static str,
    flood: Flood,
}

const FILLED: [Filled; 6] = [
    Filled {
        name: "hashing",
        key: "waiting_max",
        value: "64",
        flood: Flood::Passwords,
    },
    Filled {
        name: "commands",
        key: "commands",
        value: "100",
        flood: Flood::Passwords,
    },
    Filled {
        name: "frames_in_flight",
        key: "frames_per_connection",
        value: "32",
        flood: Flood::Passwords,
    },
    Filled {
        name: "commits",
        key: "commits",
        value: "16",
        flood: Flood::Refreshes,
    },
    Filled {
        name: "commands_per_person",
        key: "commands_per_person",
        value: "8",
        flood: Flood::OnePerson,
    },
    Filled {
        name: "activations",
        key: "activations",
        value: "2",
        flood: Flood::ColdPeople,
    },
];

struct World {
    dir: std::path::PathBuf,
    at: Addresses,
    sessions: Vec<SessionToken>,
    others: Arc<Vec<(SessionToken, RefreshToken)>>,
}

pub(crate) fn run(runtime: &Runtime) {
    for filled in FILLED {
        let (_scratch, dir) = folder(PEOPLE);
        configure(&dir, filled.key, filled.value).unwrap();
        let node = serve(&dir).unwrap();
        let at = node.at;
        let all = tokens(&dir);
        let checked = all[..CHECKED].iter().map(|(session, _)| session.clone());
        let world = World {
            dir,
            at,
            sessions: checked.collect(),
            others: Arc::new(all[CHECKED..].to_vec()),
        };
        world.measure(runtime, &filled);
    }
}

impl World {
    fn measure(&self, runtime: &Runtime, filled: &Filled) {
        let series = format!("tidegate_refused_total{{limit=\"{}\"}}", filled.name);
        let (mut quiet_ms, mut flooded_ms, mut failed) = (Vec::new(), Vec::new(), 0);
        let mut done = 0;
        for _ in 0..TURNS {
            let checks = Checks::start(&self.dir, self.at, &self.sessions, PER_S);
            std::thread::sleep(TURN);
            let quiet = checks.stop();
            quiet_ms.push(quiet.quantile_ms(0.99));
            let checks = Checks::start(&self.dir, self.at, &self.sessions, PER_S);
            done += runtime.block_on(flood(&self.dir, self.at, &self.others, filled.flood));
            let flooded = checks.stop();
            flooded_ms.push(flooded.quantile_ms(0.99));
            failed += quiet.failed + flooded.failed;
        }
        let (_, quiet, _) = median(quiet_ms);
        let (least, middle, most) = median(flooded_ms);
        say!(
            "{:20} p99 of checks quiet {quiet:.2} ms, filled {middle:.2} ms ({least:.2} to \
             {most:.2}), {failed} failed; {:.0} refused by it, {done} done",
            filled.name,
            self.at.metric(&series).unwrap(),
        );
    }
}

/// Sends from many lanes for a turn; how many were done.
async fn flood(
    dir: &Path,
    at: Addresses,
    others: &Arc<Vec<(SessionToken, RefreshToken)>>,
    flood: Flood,
) -> u64 {
    let client = Arc::new(client(dir, at.quic, 4).unwrap());
    let (stop, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let lanes = (0..LANES).map(|lane| {
        let (client, stop, done) = (Arc::clone(&client), Arc::clone(&stop), Arc::clone(&done));
        let others = Arc::clone(others);
        tokio::spawn(async move {
            let mut number = lane;
            while !stop.load(Ordering::Relaxed) {
                let yes = once(&client, &others, flood, number).await;
                done.fetch_add(u64::from(yes), Ordering::Relaxed);
                number += LANES;
            }
        })
    });
    let lanes: Vec<_> = lanes.collect();
    tokio::time::sleep(TURN).await;
    stop.store(true, Ordering::Relaxed);
    for lane in lanes {
        lane.abort();
    }
    done.load(Ordering::Relaxed)
}

async fn once(
    client: &Client,
    others: &[(SessionToken, RefreshToken)],
    flood: Flood,
    number: u64,
) -> bool {
    let (session, refresh) = &others[number as usize % others.len()];
    match flood {
        Flood::Passwords => {
            let who = SignIn::username(&name(number as usize % PEOPLE), PASSWORD);
            matches!(client.sign_in(&who).await, Ok(Decision::Yes(_)))
        }
        Flood::Refreshes => matches!(client.refresh(refresh).await, Ok(Decision::Yes(_))),
        Flood::OnePerson => matches!(client.refresh(&others[0].1).await, Ok(Decision::Yes(_))),
        Flood::ColdPeople => matches!(client.check(session).await, Ok(Decision::Yes(_))),
    }
}
