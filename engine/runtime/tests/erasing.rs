//! Erasing a person, through every layer down to the rows.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use bytes::Bytes;
use rig::{
    Expect, Mood, PASSWORD, Rig, by, mail, refresh, sign_in, sign_in_as, sign_up, sign_up_as,
    verify,
};
use tidegate_account::{
    Command, CredentialReply, LifecycleCommand, LifecycleReply, PartKind, Refusal, Reply, UserId,
};
use tidegate_runtime::{Answer, Failure, Outcome, Task};
use tidegate_storage_api::{Commit, Key as RowKey, PersonPart, Region, Slot, Store, StoreError};

const ADA: &str = "ada.example.com";
const MAIL: &str = "ada@example.com";

fn erase(user: UserId) -> Task {
    Task::Account {
        user,
        command: Command::Lifecycle(LifecycleCommand::Erase { by: by() }),
    }
}

fn erased(answer: &Answer) -> u64 {
    match answer {
        Answer::Reply(Reply::Lifecycle(LifecycleReply::Erased(at))) => *at,
        other => panic!("{other:?}"),
    }
}

/// What stands in the place of the key.
fn key_of(user: UserId) -> RowKey {
    let slot = Slot::new(user.slot()).unwrap();
    RowKey::person_key(Region::FIRST, slot, user.as_bytes())
}

/// The rows that name a person, events apart: those have ids and facts alone.
async fn rows_of(rig: &Rig, user: UserId) -> Vec<RowKey> {
    let names = |bytes: &[u8]| bytes.windows(16).any(|part| part == user.as_bytes());
    let rows = rig.store.rows().await.into_iter();
    rows.filter(|(key, value)| names(key.as_bytes()) || names(value))
        .map(|(key, _)| key)
        .filter(|key| key.as_bytes()[3] != 0x30)
        .collect()
}

#[tokio::test]
async fn of_whoever_is_erased_one_row_is_left_and_the_rest_go_on() {
    let rig = Rig::new().await;
    let bob = rig.signed_in("bob.example.com").await;
    let others = rows_of(&rig, bob.user).await;
    let user = rig.ask(Some(1), sign_up_as(mail(MAIL))).await.signed_up();
    rig.ask(None, verify(user, mail(MAIL), Some(PASSWORD)))
        .await
        .verified();
    let grant = rig
        .ask(None, sign_in_as(mail(MAIL), PASSWORD))
        .await
        .granted();
    assert!(rows_of(&rig, user).await.len() >= 4);

    let at = erased(&rig.ask(Some(2), erase(user)).await);
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
    assert_eq!(rows_of(&rig, user).await, [key_of(user)]);
    let late = rig.ask(None, refresh(&grant)).await;
    assert_eq!(late.refused(), Refusal::InvalidToken);
    let nobody = rig.ask(None, sign_in_as(mail(MAIL), PASSWORD)).await;
    assert_eq!(nobody.refused(), Refusal::InvalidCredentials);

    // Repeats are told the same, by whoever reads it anew too.
    rig.clock.advance(1_000_000);
    let rig = rig.restart().await;
    for key in [Some(2), Some(3), None] {
        assert_eq!(erased(&rig.ask(key, erase(user)).await), at);
    }
    assert_eq!(rows_of(&rig, user).await, [key_of(user)]);
    assert_eq!(rows_of(&rig, bob.user).await, others);
    rig.ask(None, refresh(&bob)).await.granted();
    // The address is free, and whoever has it is somebody else.
    let again = rig.ask(Some(4), sign_up_as(mail(MAIL))).await.signed_up();
    assert_ne!(again, user);
    rig.ask(None, verify(again, mail(MAIL), Some(PASSWORD)))
        .await
        .verified();
    rig.ask(None, sign_in_as(mail(MAIL), PASSWORD))
        .await
        .granted();
}

#[tokio::test]
async fn a_late_repeat_of_the_registration_brings_nobody_back() {
    let rig = Rig::new().await;
    let user = rig.ask(Some(1), sign_up(ADA)).await.signed_up();
    erased(&rig.ask(Some(2), erase(user)).await);
    let rig = rig.restart().await;
    match rig.ask(Some(1), sign_up(ADA)).await {
        Answer::Reply(Reply::Credential(CredentialReply::SignedUp(other))) => {
            assert_ne!(other, user)
        }
        answer => assert_eq!(answer.refused(), Refusal::UnknownAccount),
    }
    assert_eq!(rows_of(&rig, user).await, [key_of(user)]);
}

#[tokio::test]
async fn rows_of_an_older_copy_open_nothing_once_the_newest_keys_are_there() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let older = rig.store.rows().await;
    let at = erased(&rig.ask(Some(2), erase(grant.user)).await);
    let put = |commit: Commit, (key, value): (RowKey, Bytes)| commit.put(key, value);
    let older = older.into_iter().filter(|(key, _)| !key.is_person_key());
    let older = older.fold(Commit::default(), put);
    rig.store.inner.commit(older).await.unwrap();
    let rig = rig.restart().await;
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
    let refused = rig.ask(None, refresh(&grant)).await.refused();
    assert_eq!(refused, Refusal::InvalidToken);
    let refused = rig.ask(None, sign_in(ADA, PASSWORD)).await.refused();
    assert_eq!(refused, Refusal::InvalidCredentials);
    assert_eq!(erased(&rig.ask(None, erase(grant.user)).await), at);
}

#[tokio::test]
async fn nobody_is_told_erased_before_they_are() {
    let rig = Rig::new().await;
    let user = rig.ask(Some(1), sign_up(ADA)).await.signed_up();
    rig.store.set(Mood::Held);
    let asked = rig.submit(Some(2), erase(user));
    rig.until(|| rig.store.held() == 1).await;
    for (_, answer) in rig.store.take_held() {
        answer.send(Err(StoreError::Overtaken)).unwrap();
    }
    assert_eq!(asked.await.unwrap().failed(), Failure::Unavailable);
    rig.ask(None, sign_in(ADA, PASSWORD)).await.granted();
    rig.store.set(Mood::UnknownHappened);
    erased(&rig.ask(Some(2), erase(user)).await);
    rig.store.set(Mood::Well);
    assert_eq!(rows_of(&rig, user).await, [key_of(user)]);
}

#[tokio::test]
async fn an_erasure_that_is_found_not_to_have_happened_is_made_again() {
    let rig = Rig::new().await;
    let user = rig.ask(Some(1), sign_up(ADA)).await.signed_up();
    rig.store.set(Mood::UnknownLost);
    erased(&rig.ask(Some(2), erase(user)).await);
    rig.store.set(Mood::Well);
    assert_eq!(rows_of(&rig, user).await, [key_of(user)]);
}

#[tokio::test]
async fn an_id_that_nobody_has_is_not_erased() {
    let rig = Rig::new().await;
    let nobody = UserId::new(1, 7, [9; 16]);
    let answer = rig.ask(None, erase(nobody)).await;
    assert_eq!(answer.refused(), Refusal::UnknownAccount);
    assert_eq!(rows_of(&rig, nobody).await, []);
}

#[tokio::test]
async fn a_part_of_every_kind_in_the_table_goes_with_its_person_and_nobody_elses() {
    let rig = Rig::new().await;
    let [ada, bob] = [rig.signed_up(ADA).await, rig.signed_up("bob.ex").await];
    let mut parts = Commit::default();
    for kind in PartKind::ALL {
        let part = PersonPart::Cold {
            kind: kind.number(),
            number: 77,
        };
        for user in [ada, bob] {
            let slot = Slot::new(user.slot()).unwrap();
            let row = RowKey::person(Region::FIRST, slot, user.as_bytes(), part);
            parts = parts.put(row, vec![1]);
        }
    }
    rig.store.inner.commit(parts).await.unwrap();
    let bobs = rows_of(&rig, bob).await;
    assert!(bobs.len() > PartKind::ALL.len());
    erased(&rig.ask(None, erase(ada)).await);
    assert_eq!(rows_of(&rig, ada).await, [key_of(ada)]);
    assert_eq!(rows_of(&rig, bob).await, bobs);
}
