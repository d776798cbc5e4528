//! Rotation and backup while checks go on.

use std::path::Path;
use std::time::{Duration, Instant};

use tidegate_wire::SessionToken;

use super::checks::{CHECKED, Checks, Seen};
use super::{folder, tokens};
use crate::node::{order, serve};

pub(super) const PER_S: u64 = 2_000;
const QUIET: Duration = Duration::from_secs(10);

fn sessions(dir: &Path) -> Vec<SessionToken> {
    let tokens = tokens(dir).into_iter().take(CHECKED);
    tokens.map(|(session, _)| session).collect()
}

pub(super) fn show(what: &str, seen: &Seen) {
    say!(
        "{what:20} {} checks at {PER_S}/s, {} failed: p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms",
        seen.took_us.len(),
        seen.failed,
        seen.quantile_ms(0.5),
        seen.quantile_ms(0.99),
        seen.quantile_ms(1.0),
    );
}

fn quiet(dir: &Path, at: crate::node::Addresses, sessions: &[SessionToken]) -> Seen {
    let checks = Checks::start(dir, at, sessions, PER_S);
    std::thread::sleep(QUIET);
    checks.stop()
}

pub(crate) fn rotation(people: usize) {
    let (_scratch, dir) = folder(people);
    let sessions = sessions(&dir);
    let node = serve(&dir).unwrap();
    let at = node.at;
    show("before", &quiet(&dir, at, &sessions));
    let checks = Checks::start(&dir, at, &sessions, PER_S);
    let started = Instant::now();
    order(&dir, &["keys", "rotate", "index"]).unwrap();
    let mut renewed = 0;
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let status = order(&dir, &["keys", "status"]).unwrap();
        match status["rotation"]["people"].as_u64() {
            Some(people) => renewed = people,
            None => break,
        }
    }
    let took = started.elapsed();
    show("while it is rotated", &checks.stop());
    say!(
        "index key of {people} people rotated in {:.1} s (last seen at {renewed})",
        took.as_secs_f64()
    );
    show("afterwards", &quiet(&dir, at, &sessions));
}

fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let bytes = entries.map(|entry| match entry.path().is_dir() {
        true => bytes_in(&entry.path()),
        false => entry.metadata().unwrap().len(),
    });
    bytes.sum()
}

pub(crate) fn backup(people: usize) {
    let (_scratch, dir) = folder(people);
    let sessions = sessions(&dir);
    let node = serve(&dir).unwrap();
    let at = node.at;
    show("before", &quiet(&dir, at, &sessions));
    let (rows, keys) = (dir.join("backups/rows"), dir.join("backups/keys"));
    let places = [
        "--rows",
        rows.to_str().unwrap(),
        "--keys",
        keys.to_str().unwrap(),
    ];
    let checks = Checks::start(&dir, at, &sessions, PER_S);
    let started = Instant::now();
    let copied = order(&dir, &[&["backup"][..], &places].concat()).unwrap();
    let took = started.elapsed();
    show("while it is copied", &checks.stop());
    say!(
        "backup of {people} people: {} rows, {} MiB, {:.1} s",
        copied["count"],
        (bytes_in(&rows) + bytes_in(&keys)) >> 20,
        took.as_secs_f64()
    );
    drop(node);
    std::fs::remove_dir_all(dir.join("store")).unwrap();
    let started = Instant::now();
    order(
        &dir,
        &[&["restore", "--gateways", "all"][..], &places].concat(),
    )
    .unwrap();
    let took = started.elapsed();
    let node = serve(&dir).unwrap();
    let (at, ready) = (node.at, node.ready_in);
    say!(
        "restored in {:.1} s, ready {:.1} s later",
        took.as_secs_f64(),
        ready.as_secs_f64()
    );
    show("afterwards", &quiet(&dir, at, &sessions));
}
