//! What happens while the crowd is there, and what it saw of it.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::Signal;
use serde_json::Value;

use super::crowd::{Crowd, EVENING};
use super::rig::{NODES, Program, Rig};
use super::slowing::Slowed;
use super::{Ground, Happening};

/// Before anything happens.
const BEFORE: Duration = Duration::from_secs(5);
/// After the last thing that happens.
const AFTER: Duration = Duration::from_secs(10);
/// How long FoundationDB is away.
const OUTAGE: Duration = Duration::from_secs(30);
/// How long a killed node is away.
const DEAD: Duration = Duration::from_secs(15);
/// How long something is slow.
const SLOW: Duration = Duration::from_secs(20);
/// How many times as long FoundationDB takes, one after the other.
const TIMES: [u32; 3] = [10, 100, 500];
/// How many times as long a node takes.
const NODE_TIMES: u32 = 100;
/// Which node it happens to.
const VICTIM: usize = 1;

/// Lets something happen under load; how much was wrong.
pub(super) async fn watch(ground: &Ground, happening: Happening) -> anyhow::Result<usize> {
    let mut rig = match happening {
        Happening::Upgrade => Rig::older(ground).await?,
        _ => Rig::make(ground).await?,
    };
    let crowd = Crowd::new(&rig, EVENING, ground.seed)?;
    crowd.warm().await;
    say!("{}", nodes(&rig.status(0)?));
    let over = Rc::new(std::cell::Cell::new(false));
    let load = {
        let (crowd, over, rate) = (Rc::clone(&crowd), Rc::clone(&over), ground.rate);
        tokio::task::spawn_local(async move {
            while !over.get() {
                crowd.come(rate, Duration::from_millis(100)).await?;
            }
            anyhow::Ok(())
        })
    };
    tokio::time::sleep(BEFORE).await;
    match happening {
        Happening::Upgrade => upgrade(&mut rig, ground, &crowd).await?,
        happening => happen(&mut rig, happening, &crowd).await?,
    }
    tokio::time::sleep(AFTER).await;
    over.set(true);
    load.await??;
    crowd.answered().await;
    crowd.tally.borrow_mut().print();
    say!("{}", nodes(&rig.settled().await?));
    let mut asked = (0.0, 0.0, 0.0);
    for member in 0..NODES {
        asked.0 += rig.metric(member, "tidegate_foundationdb_commits_total ")?;
        asked.1 += rig.metric(member, "tidegate_foundationdb_read_versions_total ")?;
        asked.2 += rig.metric(member, "tidegate_foundationdb_settled_total ")?;
    }
    let (commits, versions, settled) = asked;
    say!(
        "since the nodes started: {commits} commits, {versions} read versions for them, {settled} fates found out"
    );
    let wrong = crowd.tally.borrow().wrong.len();
    Ok(wrong + crowd.verify().await)
}

async fn happen(rig: &mut Rig, happening: Happening, crowd: &Crowd) -> anyhow::Result<()> {
    let victim = &mut rig.members[VICTIM];
    match happening {
        Happening::Nothing
        | Happening::Storm
        | Happening::Fidelity
        | Happening::Restore
        | Happening::Upgrade => {}
        Happening::Kill => {
            let phase = crowd.phase();
            victim.kill();
            tokio::time::sleep(DEAD).await;
            crowd.tell(&phase, "the node was killed");
            let phase = crowd.phase();
            victim.start().await?;
            rig.settled().await?;
            crowd.tell(&phase, "it was started again");
        }
        Happening::Pause => {
            let lease_ms = rig.status(0)?["lease_ms"].as_u64().unwrap_or(0);
            let victim = &rig.members[VICTIM];
            let phase = crowd.phase();
            victim.signal(Signal::STOP)?;
            tokio::time::sleep(Duration::from_millis(2 * lease_ms)).await;
            crowd.tell(&phase, "the node stood still");
            let phase = crowd.phase();
            victim.signal(Signal::CONT)?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            rig.settled().await?;
            crowd.tell(&phase, "it went on");
        }
        Happening::Rolling => {
            for member in 0..NODES {
                restart(rig, member, crowd).await?;
            }
        }
        Happening::Slow => slow(rig, crowd).await?,
        Happening::Outage => {
            let before = rig.status(0)?;
            let phase = crowd.phase();
            rig.database.kill()?;
            tokio::time::sleep(OUTAGE).await;
            crowd.tell(&phase, "FoundationDB was killed");
            let phase = crowd.phase();
            rig.database.up()?;
            tokio::time::sleep(AFTER).await;
            crowd.tell(&phase, "FoundationDB was started again");
            let after = rig.settled().await?;
            say!("before it\n{}\nafter it", nodes(&before));
            say!("{}", nodes(&after));
        }
    }
    Ok(())
}

/// FoundationDB gets a small part of its time, and then one node.
async fn slow(rig: &mut Rig, crowd: &Crowd) -> anyhow::Result<()> {
    for times in TIMES {
        let phase = crowd.phase();
        let slowed = Slowed::begin(rig.database.pid()?, times);
        tokio::time::sleep(SLOW).await;
        slowed.end().await?;
        crowd.tell(
            &phase,
            &format!("FoundationDB became {times} times as slow"),
        );
        let phase = crowd.phase();
        tokio::time::sleep(AFTER).await;
        crowd.tell(&phase, "it was as quick as before");
    }
    let phase = crowd.phase();
    let slowed = Slowed::begin(rig.members[VICTIM].pid()?, NODE_TIMES);
    tokio::time::sleep(SLOW).await;
    slowed.end().await?;
    crowd.tell(&phase, &format!("a node became {NODE_TIMES} times as slow"));
    rig.settled().await?;
    for (number, member) in (1..).zip(&mut rig.members) {
        ensure!(member.runs()?, "node-{number} ended by itself");
    }
    Ok(())
}

/// Ends a node and starts it again.
async fn restart(rig: &mut Rig, member: usize, crowd: &Crowd) -> anyhow::Result<()> {
    let (phase, ends_ns) = (crowd.phase(), crowd.now_ns());
    rig.members[member].terminate().await?;
    let ended_ns = crowd.now_ns();
    rig.members[member].start().await?;
    let (ended, started) = (ended_ns - ends_ns, crowd.now_ns() - ended_ns);
    rig.settled().await?;
    crowd.tell(&phase, "its end began");
    say!(
        "node-{} ended in {:.1} s, was ready again in {:.1} s",
        member + 1,
        ended as f64 / 1e9,
        started as f64 / 1e9
    );
    Ok(())
}

/// From the older program to this one, back, forward again, and finished.
async fn upgrade(rig: &mut Rig, ground: &Ground, crowd: &Crowd) -> anyhow::Result<()> {
    let older = ground.older.clone().context("--older names no program")?;
    for program in [Program::This, Program::Older(older.clone()), Program::This] {
        say!("every node becomes {program:?}");
        for member in 0..NODES {
            rig.members[member].becomes(program.clone());
            restart(rig, member, crowd).await?;
        }
    }
    say!("before: {}", rig.order(VICTIM, &["upgrade", "status"])?);
    say!("finished: {}", rig.order(0, &["upgrade", "finish"])?);
    tokio::time::sleep(BEFORE).await;
    // There is no way back now.
    let victim = &mut rig.members[VICTIM];
    victim.terminate().await?;
    victim.becomes(Program::Older(older));
    let started = victim.start().await;
    ensure!(
        started.is_err(),
        "the older program serves what it cannot read"
    );
    say!("the older program does not start any more");
    victim.becomes(Program::This);
    victim.start().await?;
    rig.settled().await?;
    Ok(())
}

/// The nodes in a line each.
fn nodes(status: &Value) -> String {
    let none = Vec::new();
    let nodes = status["nodes"].as_array().unwrap_or(&none).iter();
    let lines = nodes.map(|node| {
        format!(
            "{} {}: {} slots, epochs {}, life {}",
            node["node"].as_str().unwrap_or("?"),
            node["state"].as_str().unwrap_or("?"),
            node["slots"],
            node["epochs"],
            node["life"]
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}
