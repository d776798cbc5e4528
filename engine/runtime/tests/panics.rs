//! A panic planted in every kind of work: it is `unknown` for whoever asked,
//! never a yes, and nobody else notices.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use std::sync::atomic::Ordering;

use rig::{
    Expect, HASH, OPEN, PASSWORD, Rig, by, mail, refresh, revoke, sign_in, sign_up, username,
    verify,
};
use tidegate_account::{
    Command, Grant, LifecycleCommand, RevokeScope, SessionCommand, SessionProof, StatusChange,
};
use tidegate_runtime::{Failure, Outcome, Task};

/// In seals, by the least size of what is sealed.
const SEAL: usize = 0;

fn proof(grant: &Grant) -> SessionProof {
    SessionProof {
        session: grant.session,
        secret: grant.session_secret(),
    }
}

fn account(grant: &Grant, command: Command) -> Task {
    Task::Account {
        user: grant.user,
        command,
    }
}

/// Plants it, asks, and sees what came of it.
async fn panics(planted: usize, task: impl Fn(&Rig, &Grant) -> Task) {
    let rig = Rig::new().await;
    let grant = rig.signed_in("ada").await;
    let other = rig.signed_in("bob").await;
    let rig = rig.restart().await;
    rig.cpu.panic_at.store(planted, Ordering::SeqCst);
    let answer = rig.ask(None, task(&rig, &grant)).await;
    assert_eq!(answer.failed(), Failure::Unknown);
    rig.cpu.panic_at.store(usize::MAX, Ordering::SeqCst);
    rig.settle().await;
    assert_eq!(rig.engine.waiting(), 0);
    assert!(matches!(rig.check(&other).await, Outcome::Yes(_)));
    rig.ask(None, refresh(&other)).await.granted();
    let rig = rig.restart().await;
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    rig.ask(None, sign_in("ada", PASSWORD)).await.granted();
}

#[tokio::test]
async fn in_a_password_that_is_hashed() {
    panics(HASH, |_, _| sign_in("ada", PASSWORD)).await;
    panics(HASH, |_, _| sign_up("carl")).await;
    panics(HASH, |_, _| sign_in("nobody", PASSWORD)).await;
}

#[tokio::test]
async fn in_a_change_that_is_written() {
    panics(SEAL, |_, _| sign_in("ada", PASSWORD)).await;
    panics(SEAL, |_, _| sign_in("nobody", PASSWORD)).await;
    panics(SEAL, |_, _| sign_up("carl")).await;
    panics(SEAL, |_, grant| refresh(grant)).await;
    panics(SEAL, |_, grant| revoke(grant, RevokeScope::All)).await;
    panics(SEAL, |_, grant| {
        let (change, by) = (StatusChange::Suspend, by());
        account(
            grant,
            Command::Lifecycle(LifecycleCommand::SetStatus { change, by }),
        )
    })
    .await;
    panics(SEAL, |_, grant| Task::Claim {
        user: grant.user,
        by: proof(grant),
        identifier: mail("ada@example.com"),
    })
    .await;
}

#[tokio::test]
async fn in_somebody_who_is_read() {
    panics(OPEN, |_, _| sign_in("ada", PASSWORD)).await;
    panics(OPEN, |_, grant| refresh(grant)).await;
    panics(OPEN, |rig, grant| Task::Check(rig.ask_of(grant))).await;
    panics(OPEN, |_, grant| {
        account(
            grant,
            Command::Session(SessionCommand::Sessions { by: proof(grant) }),
        )
    })
    .await;
    panics(OPEN, |_, grant| verify(grant.user, username("ada"), None)).await;
}
