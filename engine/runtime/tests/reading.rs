//! What is read of a person for an operator.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use rig::{Expect, Mood, PASSWORD, Rig, by, mail, sign_up_as, verify};
use tidegate_account::{
    Act, Audit, Command, IdentifierKind, LifecycleCommand, Status, StatusChange, UserId,
    Verification,
};
use tidegate_runtime::ports::Clock;
use tidegate_runtime::{Failure, Task};
use tidegate_storage_api::{Commit, Key as RowKey, PersonPart, Region, Slot, Store};

const MAIL: &str = "ada@example.com";

fn set_status(user: UserId, change: StatusChange) -> Task {
    Task::Account {
        user,
        command: Command::Lifecycle(LifecycleCommand::SetStatus { change, by: by() }),
    }
}

fn act(at: u64, act: Act) -> Audit {
    Audit {
        at,
        by: by().0,
        act,
    }
}

/// Somebody whose address was verified and whose account is locked, and the acts.
async fn locked(rig: &Rig) -> (UserId, Vec<Audit>) {
    let user = rig.ask(None, sign_up_as(mail(MAIL))).await.signed_up();
    let verified_at = rig.clock.unix_ms();
    rig.ask(None, verify(user, mail(MAIL), Some(PASSWORD)))
        .await
        .verified();
    rig.clock.advance(5_000);
    let locked_at = rig.clock.unix_ms();
    rig.ask(None, set_status(user, StatusChange::Lock)).await;
    let verified = Act::IdentifierVerified(IdentifierKind::Email, Verification::Confirmed);
    let acts = vec![
        act(verified_at, verified),
        act(locked_at, Act::StatusSet(Status::Locked)),
    ];
    (user, acts)
}

#[tokio::test]
async fn acts_on_a_person_are_read_in_their_order_by_a_node_that_did_none_of_them() {
    let rig = Rig::new().await;
    let (user, acts) = locked(&rig).await;
    assert_eq!(rig.engine.audits(user).await, Ok(acts.clone()));
    let rig = rig.restart().await;
    assert_eq!(rig.engine.audits(user).await, Ok(acts));
    let nobody = UserId::new(Region::FIRST.number(), 7, [9; 16]);
    assert_eq!(rig.engine.audits(nobody).await, Ok(Vec::new()));
}

#[tokio::test]
async fn what_is_on_its_way_to_the_store_is_waited_for() {
    let rig = Rig::new().await;
    let (user, mut acts) = locked(&rig).await;
    rig.store.set(Mood::Held);
    let at = rig.clock.unix_ms();
    let unlocked = rig.submit(None, set_status(user, StatusChange::Unlock));
    rig.until(|| rig.store.held() == 1).await;
    let engine = rig.engine.clone();
    let read = tokio::spawn(async move { engine.audits(user).await });
    rig.store.let_go().await;
    acts.push(act(at, Act::StatusSet(Status::Active)));
    assert_eq!(read.await.unwrap(), Ok(acts));
    unlocked.await.unwrap();
}

#[tokio::test]
async fn acts_that_cannot_be_read_are_told_as_such_and_the_person_is_served() {
    let rig = Rig::new().await;
    let (user, acts) = locked(&rig).await;
    let slot = Slot::new(user.slot()).unwrap();
    let part = PersonPart::Cold {
        kind: 0x20,
        number: 99,
    };
    let row = RowKey::person(Region::FIRST, slot, user.as_bytes(), part);
    let damaged = Commit::default().put(row.clone(), vec![1; 60]);
    rig.store.inner.commit(damaged).await.unwrap();
    assert_eq!(rig.engine.audits(user).await, Err(Failure::Corrupt));
    let repaired = Commit::default().delete(row);
    rig.store.inner.commit(repaired).await.unwrap();
    assert_eq!(rig.engine.audits(user).await, Ok(acts));
    rig.store.set(Mood::Unavailable);
    assert_eq!(rig.engine.audits(user).await, Err(Failure::Unavailable));
}

#[tokio::test]
async fn a_person_of_another_node_is_read_there() {
    let rig = Rig::new().await;
    let (user, _) = locked(&rig).await;
    rig.ownership.leave(&[Slot::new(user.slot()).unwrap()]);
    let elsewhere = Err(Failure::NotOwner(user.slot()));
    assert_eq!(rig.engine.audits(user).await, elsewhere);
}
