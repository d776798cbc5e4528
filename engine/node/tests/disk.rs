//! A real node on a disk that fails: what is said, what goes on, and what is
//! there afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

mod rig;

use std::process::Stdio;

use rig::disk::Failing;
use rig::{Dir, Node, PASSWORD, ada, client, log_of, no, signed_in, tidegate, yes};
use tidegate_client::{CallError, Client, Decision, Knowledge, RevokeScope, SignIn};
use tidegate_wire::Code;

/// A node whose store lies on a disk that fails when it is told to.
struct Frail {
    dir: Dir,
    node: Node,
    disk: Failing,
}

impl Frail {
    fn start() -> Frail {
        let dir = Dir::new();
        let disk = Failing::of(&dir, "store");
        let node = Node::start_with(&dir, &disk.variables());
        Frail { dir, node, disk }
    }
}

fn bob() -> SignIn {
    SignIn::username("bob", PASSWORD)
}

/// A disk that fails ends all changes; people go on with what is known, and a
/// revocation holds over the restart, by the journal beside the store.
async fn outlives(how: &str) {
    let frail = Frail::start();
    let gateway = client(&frail.dir, &frail.node);
    let grant = signed_in(&gateway).await;
    let other = yes(gateway.sign_in(&ada()).await);
    frail.disk.fail(how);
    // Under way when it failed: outcome unknown. From then on: refused.
    let first = gateway.sign_up(&bob()).await;
    assert!(first.is_err(), "{first:?}");
    unavailable(gateway.sign_up(&bob()).await);
    let provisional = yes(gateway.sign_in(&ada()).await);
    assert!(matches!(
        provisional.knowledge,
        Knowledge::Provisional { .. }
    ));
    yes(gateway.check(&provisional.session).await);
    let kept = yes(gateway.refresh(&grant.refresh).await);
    assert!(matches!(kept.knowledge, Knowledge::Degraded { .. }));
    assert_eq!(kept.refresh.to_text(), grant.refresh.to_text());
    let revoked = gateway.revoke(&other.session, RevokeScope::This).await;
    assert!(
        matches!(revoked, Err(CallError::Unknown { .. })),
        "{revoked:?}"
    );
    assert_eq!(no(gateway.check(&other.session).await), Code::InvalidToken);
    yes(gateway.check(&grant.session).await);
    assert!(frail.node.get("/health/ready").starts_with("HTTP/1.1 503"));
    assert!(
        frail
            .node
            .get("/metrics")
            .contains("tidegate_store_failed 1")
    );
    frail.disk.mend();
    // What is on disk is not known any more, so room alone does not mend it.
    unavailable(gateway.sign_up(&bob()).await);
    frail.node.terminate();
    let log = std::fs::read_to_string(log_of(&frail.dir.path())).unwrap();
    // Whichever was written first when the disk failed: a group, or the mark of the
    // one before.
    let failed = ["store.write_failed", "store.mark_failed"];
    assert!(failed.iter().any(|event| log.contains(event)), "{log}");
    let node = Node::start(&frail.dir);
    let gateway: Client = client(&frail.dir, &node);
    assert_eq!(no(gateway.check(&other.session).await), Code::InvalidToken);
    assert_eq!(
        no(gateway.check(&provisional.session).await),
        Code::InvalidToken
    );
    yes(gateway.check(&grant.session).await);
    let rotated = yes(gateway.refresh(&grant.refresh).await);
    assert_eq!(rotated.knowledge, Knowledge::Current);
    yes(gateway.sign_in(&ada()).await);
    // Whole or absent, and whichever it is, it can be made so.
    if is_yes(gateway.sign_in(&bob()).await) {
        assert_eq!(no(gateway.sign_up(&bob()).await), Code::IdentifierTaken);
    } else {
        yes(gateway.sign_up(&bob()).await);
    }
}

fn unavailable<T>(answer: Result<Decision<T>, CallError>) {
    let Err(CallError::NotDone { code, .. }) = answer else {
        panic!("it was answered");
    };
    assert_eq!(code, Code::Unavailable);
}

/// Whether it was yes.
fn is_yes<T>(answer: Result<Decision<T>, CallError>) -> bool {
    match answer.unwrap() {
        Decision::Yes(_) => true,
        Decision::No(refusal) => {
            assert_eq!(refusal.code, Code::InvalidCredentials);
            false
        }
    }
}

#[tokio::test]
async fn a_full_disk_ends_changes_until_the_next_start_and_checks_go_on() {
    outlives("full").await;
}

#[tokio::test]
async fn an_io_error_on_sync_ends_changes_until_the_next_start_and_checks_go_on() {
    outlives("sync").await;
}

/// What is said, at the start and by the doctor, on a disk that refuses from the
/// beginning.
fn refused_at_start(how: &str, words: &str) {
    let dir = Dir::new();
    // There is something in the store, and its ports are its own.
    dir.configure("node.listen", "\"127.0.0.1:0\"");
    dir.configure("node.metrics", "\"127.0.0.1:0\"");
    Node::start(&dir).terminate();
    let disk = Failing::of(&dir, "store");
    disk.fail(how);
    let variables = disk.variables();
    let mut serve = tidegate(&["serve", "--dir", dir.text()]);
    let child = serve
        .envs(variables.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (node, message) = Node::ready_or_refused(child);
    assert!(node.is_none(), "it serves");
    assert!(message.contains(words), "{message}");
    assert!(!message.contains("fate of the commit"), "{message}");
    let mut doctor = tidegate(&["doctor", "--json", "--dir", dir.text()]);
    let output = doctor.envs(variables.iter().cloned()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(report.contains(words), "{report}");
    assert!(!report.contains("restore a backup"), "{report}");
    disk.mend();
    Node::start(&dir).terminate();
}

#[test]
fn a_disk_that_is_full_at_the_start_is_named_as_what_it_is() {
    refused_at_start("full", "the disk is full: make room");
}

#[test]
fn a_disk_that_is_mounted_read_only_is_named_as_what_it_is() {
    refused_at_start("readonly", "it is mounted read-only: remount it");
}
