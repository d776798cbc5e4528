//! Real processes, killed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

mod rig;

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use rig::disk::{Failing, made};
use rig::{Dir, NAME, Node, Raw, ada, client, frame, head, json, no, options, signed_in};
use rig::{tidegate, yes};
use tidegate_client::{CallError, Client, Code, Decision, Granted, RevokeScope, SignIn};
use tidegate_wire::{Opcode, decode_reply, v1};

fn refresh_frame(grant: &Granted) -> Vec<u8> {
    let body = v1::Refresh {
        user: grant.user.0,
        session: grant.refresh.session,
        family: grant.refresh.family.clone(),
        secret: grant.refresh.secret.clone(),
    };
    frame(&head(Opcode::Refresh), &body)
}

#[tokio::test]
async fn a_refresh_whose_answer_was_lost_to_a_kill_gets_the_identical_successor() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let grant = signed_in(&client(&dir, &node)).await;
    let mut raw = Raw::open(&dir, node.quic).await;
    raw.write(&refresh_frame(&grant)).await;
    // The answer that the gateway of this story never saw.
    let lost = raw.read().await.unwrap();
    let lost = decode_reply(&lost).unwrap();
    let lost = lost.answer::<v1::Granted>().unwrap().refresh.0;
    let address = node.kill();
    let node = Node::start_at(&dir, address);
    let again = yes(client(&dir, &node).refresh(&grant.refresh).await);
    assert_eq!(again.refresh.secret.0, lost);
    yes(client(&dir, &node).refresh(&again.refresh).await);
}

#[tokio::test]
async fn a_refresh_killed_at_any_moment_can_be_repeated() {
    let dir = Dir::new();
    let mut node = Node::start(&dir);
    let mut grant = signed_in(&client(&dir, &node)).await;
    for _ in 0..5 {
        let mut raw = Raw::open(&dir, node.quic).await;
        raw.write(&refresh_frame(&grant)).await;
        let address = node.kill();
        node = Node::start_at(&dir, address);
        let client = client(&dir, &node);
        let next = yes(client.refresh(&grant.refresh).await);
        let same = yes(client.refresh(&grant.refresh).await);
        assert_eq!(next.refresh.secret.0, same.refresh.secret.0);
        grant = next;
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let first = client(&dir, &node);
    let kept = signed_in(&first).await;
    let ended = yes(first.sign_in(&ada()).await);
    yes(first.revoke(&ended.session, RevokeScope::This).await);
    let address = node.kill();
    let node = Node::start_at(&dir, address);
    // The client from before: its connections are reset and made anew.
    let checked = yes(first.check(&kept.session).await);
    assert_eq!(checked.user, kept.user);
    assert_eq!(no(first.check(&ended.session).await), Code::InvalidToken);
    assert_eq!(no(first.sign_up(&ada()).await), Code::IdentifierTaken);
    yes(first.sign_in(&ada()).await);
    drop(node);
}

#[tokio::test]
async fn sixty_four_clients_refreshing_one_token_at_once_hold_the_identical_successor() {
    let dir = Dir::new();
    dir.configure("limits.commands_per_person", "64");
    let node = Node::start(&dir);
    let grant = signed_in(&client(&dir, &node)).await;
    let clients: Vec<Client> = (0..64).map(|_| client(&dir, &node)).collect();
    let asked = clients.iter().map(|client| client.refresh(&grant.refresh));
    let answers = futures_util::future::join_all(asked).await;
    let successors: Vec<_> = answers
        .into_iter()
        .map(|answer| yes(answer).refresh)
        .collect();
    assert!(
        successors
            .iter()
            .all(|one| one.secret.0 == successors[0].secret.0)
    );
    let next = yes(clients[7].refresh(&successors[41]).await);
    yes(clients[0].check(&next.session).await);
}

#[tokio::test]
async fn a_thousand_parallel_guesses_get_no_more_verifications_than_the_allowance() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let owner = client(&dir, &node);
    yes(owner.sign_up(&ada()).await);
    let device = yes(owner.sign_in(&ada().remember_device()).await)
        .device
        .unwrap();
    let mut options = options(&dir, node.quic);
    options.connections = 8;
    options.deadline_ms = 20_000;
    let attacker = Client::new(&options).unwrap();
    let guesses: Vec<_> = (0..1_000)
        .map(|n| SignIn::username(NAME, &format!("guess number {n}")))
        .collect();
    let asked = guesses.iter().map(|guess| attacker.sign_in(guess));
    let (mut evaluated, mut held) = (0, 0);
    for answer in futures_util::future::join_all(asked).await {
        match answer {
            Ok(Decision::No(refusal)) if refusal.code == Code::InvalidCredentials => evaluated += 1,
            Ok(Decision::No(refusal)) if refusal.code == Code::Throttled => held += 1,
            Err(CallError::NotDone {
                code: Code::Busy, ..
            }) => held += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((evaluated, held), (5, 995));
    assert_eq!(no(owner.sign_in(&ada()).await), Code::Throttled);
    yes(owner.sign_in(&ada().from_device(device)).await);
}

#[tokio::test]
async fn a_change_repeated_with_its_key_gets_its_outcome_even_after_a_kill() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let client = client(&dir, &node);
    let made = yes(client.with_key([1; 16]).sign_up(&ada()).await);
    let granted = yes(client.with_key([2; 16]).sign_in(&ada()).await);
    let address = node.kill();
    let node = Node::start_at(&dir, address);
    assert_eq!(yes(client.with_key([1; 16]).sign_up(&ada()).await), made);
    let again = yes(client.with_key([2; 16]).sign_in(&ada()).await);
    assert_eq!(again.session.session, granted.session.session);
    assert_eq!(again.refresh.secret.0, granted.refresh.secret.0);
    assert_eq!(
        no(client.with_key([3; 16]).sign_up(&ada()).await),
        Code::IdentifierTaken
    );
    drop(node);
}

#[tokio::test]
async fn a_drained_node_ends_well_and_loses_nothing() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let grant = signed_in(&client(&dir, &node)).await;
    assert!(node.terminate().success());
    assert!(!dir.path().join("address").exists());
    let node = Node::start(&dir);
    yes(client(&dir, &node).check(&grant.session).await);
}

#[tokio::test]
async fn a_restart_fails_no_call_that_was_under_way() {
    use futures_util::stream::{FuturesUnordered, StreamExt};
    let dir = Dir::new();
    let node = Node::start(&dir);
    let mut options = options(&dir, node.quic);
    options.deadline_ms = 30_000;
    let client = Client::new(&options).unwrap();
    let people: Vec<_> = (0..40)
        .map(|n| SignIn::username(&format!("person-{n}"), rig::PASSWORD))
        .collect();
    for answer in futures_util::future::join_all(people.iter().map(|p| client.sign_up(p))).await {
        yes(answer);
    }
    let mut under_way: FuturesUnordered<_> = people.iter().map(|p| client.sign_in(p)).collect();
    let first = yes(under_way.next().await.unwrap());
    let address = node.kill();
    let node = Node::start_at(&dir, address);
    let mut granted = vec![first];
    while let Some(answer) = under_way.next().await {
        granted.push(yes(answer));
    }
    assert_eq!(granted.len(), people.len());
    for grant in &granted {
        yes(client.check(&grant.session).await);
    }
    drop(node);
}

/// A place of a backup.
fn at(dir: &Dir, name: &str) -> PathBuf {
    dir.path().join("backups").join(name)
}

/// Orders a backup of the node at an address.
fn backup(dir: &Dir, connect: &str) -> Child {
    let mut command = tidegate(&["backup", "--dir", dir.text(), "--json"]);
    command.args(["--connect", connect]);
    command.arg("--rows").arg(at(dir, "rows"));
    command.arg("--keys").arg(at(dir, "keys"));
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// The operator who ordered it is told that the node is lost.
fn is_told_that_its_node_is_lost(ordered: Child) {
    let output = ordered.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(json(&output)["code"], "node_lost");
}

#[test]
fn a_backup_whose_node_was_killed_ends_and_nothing_half_made_is_a_backup() {
    let dir = Dir::new();
    let disk = Failing::of(&dir, "backups");
    let node = Node::start_with(&dir, &disk.variables());
    // It is killed in the middle: nothing of the copy reaches the disk.
    disk.fail("hang");
    let ordered = backup(&dir, &node.quic.to_string());
    made(&node, &at(&dir, "rows.unfinished"));
    node.kill();
    is_told_that_its_node_is_lost(ordered);
    assert!(at(&dir, "rows.unfinished").exists());
    assert!(!at(&dir, "rows").exists() && !at(&dir, "keys").exists());
    disk.mend();
    // It is begun anew, whatever the first one left.
    let node = Node::start(&dir);
    let ordered = backup(&dir, &node.quic.to_string());
    assert!(ordered.wait_with_output().unwrap().status.success());
    assert!(at(&dir, "rows").exists() && at(&dir, "keys").exists());
    let left = std::fs::read_dir(dir.path().join("backups")).unwrap();
    assert_eq!(left.count(), 2);
}

#[test]
fn a_backup_of_a_node_that_takes_everything_and_says_nothing_ends() {
    let dir = Dir::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    is_told_that_its_node_is_lost(backup(&dir, &address));
    assert!(!at(&dir, "rows").exists() && !at(&dir, "keys").exists());
}
