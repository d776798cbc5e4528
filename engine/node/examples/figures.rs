//! Figures of a real node in a process of its own, built beside this program:
//! `cargo build --release -p tidegate-node && cargo run --release -p tidegate-node --example figures -- sign-ins`
//! (password sign-ins a second beside the raw Argon2id rate, in turn), and
//! `... -- ready 1000000` (from `serve` to ready with that many people on disk).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement that is run by hand"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tidegate_client::{Client, Decision, Options, SignIn};
use tidegate_storage_api::{Commit, Key, PersonPart, Region, Slot, Store};
use tidegate_storage_fjall::FjallStore;

const TURN: Duration = Duration::from_secs(4);
const TURNS: usize = 5;

struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn tidegate() -> Command {
    let program = std::env::current_exe().unwrap();
    let beside = program.parent().unwrap().parent().unwrap();
    Command::new(beside.join("tidegate"))
}

fn init(folder: &Path) -> PathBuf {
    let dir = folder.join("node");
    let made = tidegate()
        .arg("init")
        .arg("--dir")
        .arg(&dir)
        .output()
        .unwrap();
    assert!(made.status.success());
    dir
}

fn serve(dir: &Path) -> (Node, std::net::SocketAddr, Duration) {
    let started = Instant::now();
    let mut child = tidegate()
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--metrics",
            "127.0.0.1:0",
            "--dir",
        ])
        .arg(dir)
        .env("TIDEGATE_LOG", "error")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let took = started.elapsed();
    let mut words = line.split_whitespace();
    let address = words.find_map(|word| word.strip_prefix("quic=")).unwrap();
    (Node(child), address.parse().unwrap(), took)
}

/// Bare Argon2id with the default cost on every core, a second.
fn raw_hashes() -> f64 {
    let cores = std::thread::available_parallelism().unwrap().get();
    let threads: Vec<_> = (0..cores)
        .map(|_| {
            std::thread::spawn(|| {
                let params = argon2::Params::new(19_456, 2, 1, Some(32)).unwrap();
                let mut memory = vec![argon2::Block::default(); params.block_count()];
                let version = argon2::Version::V0x13;
                let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, version, params);
                let (started, mut count) = (Instant::now(), 0u32);
                let mut output = [0; 32];
                while started.elapsed() < TURN {
                    argon2
                        .hash_password_into_with_memory(
                            b"horse",
                            &[7; 16],
                            &mut output,
                            &mut memory,
                        )
                        .unwrap();
                    count += 1;
                }
                f64::from(count) / started.elapsed().as_secs_f64()
            })
        })
        .collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum()
}

async fn sign_ins(client: &Arc<Client>, people: &Arc<Vec<SignIn>>) -> f64 {
    let started = Instant::now();
    let lanes = (0..64).map(|lane| {
        let (client, people) = (Arc::clone(client), Arc::clone(people));
        tokio::spawn(async move {
            let mut count = 0u32;
            for n in (lane..).step_by(64) {
                if started.elapsed() >= TURN {
                    break;
                }
                let answer = client.sign_in(&people[n % people.len()]).await;
                assert!(matches!(answer, Ok(Decision::Yes(_))), "{answer:?}");
                count += 1;
            }
            count
        })
    });
    let counts = join_all(lanes).await;
    let total: u32 = counts.into_iter().map(|count| count.unwrap()).sum();
    f64::from(total) / started.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (
        values[0],
        values[values.len() / 2],
        values[values.len() - 1],
    )
}

async fn compare() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let dir = init(folder.path());
    let (_node, address, _) = serve(&dir);
    let file = |name: &str| std::fs::read(dir.join(name)).unwrap();
    let mut options = Options::new(
        address,
        file("tls/ca.crt"),
        file("tls/gateway-default.crt"),
        file("tls/gateway-default.key"),
        "default",
    );
    options.deadline_ms = 30_000;
    let client = Arc::new(Client::new(&options).unwrap());
    let people: Vec<_> = (0..256)
        .map(|n| SignIn::username(&format!("person-{n}"), "correct horse"))
        .collect();
    let made = join_all(people.iter().map(|person| client.sign_up(person))).await;
    assert!(
        made.iter()
            .all(|answer| matches!(answer, Ok(Decision::Yes(_))))
    );
    let people = Arc::new(people);
    let (mut ours, mut raw, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let bare = tokio::task::spawn_blocking(raw_hashes).await.unwrap();
        let through = sign_ins(&client, &people).await;
        raw.push(bare);
        ours.push(through);
        ratios.push(through / bare);
    }
    for (name, values) in [
        ("raw Argon2id /s", raw),
        ("sign-ins /s", ours),
        ("ratio", ratios),
    ] {
        let (least, middle, most) = median(values);
        println!("{name:16} median {middle:8.2}   ({least:.2} to {most:.2})");
    }
}

async fn populate(dir: &Path, people: u64) {
    let store = FjallStore::open(&dir.join("store"), &Default::default()).unwrap();
    let started = Instant::now();
    for first in (0..people).step_by(500) {
        let mut commit = Commit::default();
        for number in first..(first + 500).min(people) {
            let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut user = [0; 16];
            user[3..11].copy_from_slice(&mixed.to_be_bytes());
            let slot = Slot::new(u16::try_from(mixed >> 52).unwrap()).unwrap();
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&mixed.rotate_left(17).to_be_bytes());
            let record = Key::person(Region::FIRST, slot, &user, PersonPart::Record);
            let profile = Key::person(Region::FIRST, slot, &user, PersonPart::Identifier(0));
            commit = commit
                .put(record, vec![1; 700])
                .put(profile, vec![2; 100])
                .put(Key::person_key(Region::FIRST, slot, &user), vec![3; 72])
                .put(Key::identifier(Region::FIRST, &hash), vec![4; 30]);
        }
        store.commit(commit).await.unwrap();
    }
    println!(
        "{people} people written in {:.1} s",
        started.elapsed().as_secs_f64()
    );
}

async fn ready(people: u64) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let dir = init(folder.path());
    let mut empty = Vec::new();
    for _ in 0..TURNS {
        empty.push(serve(&dir).2.as_secs_f64() * 1000.0);
    }
    populate(&dir, people).await;
    let mut full = Vec::new();
    for _ in 0..TURNS {
        full.push(serve(&dir).2.as_secs_f64() * 1000.0);
    }
    for (name, values) in [("nobody", empty), ("everybody", full)] {
        let (least, middle, most) = median(values);
        println!("ready with {name:10} median {middle:7.1} ms   ({least:.1} to {most:.1})");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("sign-ins") => compare().await,
        Some("ready") => ready(args.next().map_or(1_000_000, |n| n.parse().unwrap())).await,
        _ => println!("sign-ins | ready PEOPLE"),
    }
}
