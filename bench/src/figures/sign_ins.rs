//! Password sign-ins a second beside the raw Argon2id rate, in turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tidegate_client::{Client, Decision, SignIn};

use super::median;
use crate::node::{client, init, serve};

const TURN: Duration = Duration::from_secs(4);
const TURNS: usize = 5;

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

pub(crate) async fn compare() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let dir = init(folder.path(), &[]).unwrap();
    let node = serve(&dir).unwrap();
    let at = node.at;
    let client = Arc::new(client(&dir, at.quic, 2).unwrap());
    let people: Vec<_> = (0..256)
        .map(|n| SignIn::username(&format!("person-{n}"), "correct horse"))
        .collect();
    // No more at once than may wait to be hashed.
    for some in people.chunks(32) {
        let made = join_all(some.iter().map(|person| client.sign_up(person))).await;
        let all = made
            .iter()
            .all(|answer| matches!(answer, Ok(Decision::Yes(_))));
        assert!(all, "{made:?}");
    }
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
        say!("{name:16} median {middle:8.2}   ({least:.2} to {most:.2})");
    }
}
