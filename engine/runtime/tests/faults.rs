//! The engine on a store that fails, and with what must not happen.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use std::sync::atomic::Ordering;

use rig::{Expect, Mood, PASSWORD, Rig, refresh, revoke, sign_in, sign_up};
use tidegate_account::{
    Command, CredentialCommand, Grant, LedBy, Password, Refusal, Remember, Reply, RevokeScope,
    SessionReply, SignIn, Source,
};
use tidegate_runtime::{Answer, Failure, Outcome, Ownership, Task};
use tidegate_storage_api::{Commit, Key as RowKey, PersonPart, Region, Slot, Store, StoreError};
use tokio::sync::oneshot::Receiver;

const ADA: &str = "ada.example.com";

#[tokio::test]
async fn a_commit_of_unknown_fate_that_happened_is_answered_as_done() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::UnknownHappened);
    let answer = rig.ask(Some(1), revoke(&grant, RevokeScope::This)).await;
    assert!(matches!(
        answer,
        Answer::Reply(Reply::Session(SessionReply::Revoked(1)))
    ));
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
}

#[tokio::test]
async fn a_commit_of_unknown_fate_that_did_not_happen_is_made_again() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::UnknownLost);
    let answer = rig.ask(Some(1), revoke(&grant, RevokeScope::This)).await;
    assert!(matches!(
        answer,
        Answer::Reply(Reply::Session(SessionReply::Revoked(1)))
    ));
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
    let again = rig.ask(Some(1), revoke(&grant, RevokeScope::This)).await;
    assert!(matches!(
        again,
        Answer::Reply(Reply::Session(SessionReply::Revoked(1)))
    ));
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
}

/// A refresh with whose commit the store goes away, for longer than a repeat is
/// forgiven.
async fn late_refresh(rig: &Rig, grant: &Grant) -> Receiver<Answer> {
    rig.store.set(Mood::Held);
    let asked = rig.submit(Some(1), refresh(grant));
    rig.until(|| rig.store.held() == 1).await;
    rig.clock.advance(40_000);
    asked
}

#[tokio::test]
async fn whoever_waited_for_a_late_commit_is_not_thrown_out_for_asking_again() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let asked = late_refresh(&rig, &grant).await;
    rig.store.let_go().await;
    let first = asked.await.unwrap().granted();
    // Nobody had it before, so whoever missed the answer asks as if it were new.
    rig.clock.advance(29_000);
    let again = rig.ask(Some(2), refresh(&grant)).await.granted();
    assert!(again.refresh.matches(&first.refresh));
    let rig = rig.restart().await;
    let again = rig.ask(Some(3), refresh(&grant)).await.granted();
    assert!(again.refresh.matches(&first.refresh));
    // Nobody here knows that it was answered before the restart.
    rig.clock.advance(30_001);
    let late = rig.ask(Some(4), refresh(&grant)).await;
    assert_eq!(late.refused(), Refusal::RefreshReused);
}

#[tokio::test]
async fn whoever_asks_again_while_a_late_commit_is_on_its_way_is_not_thrown_out() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    // The store can be reached again, and this commit is not yet decided.
    let first = late_refresh(&rig, &grant).await;
    let second = rig.submit(Some(2), refresh(&grant));
    rig.settle().await;
    rig.store.let_go().await;
    let first = first.await.unwrap().granted();
    let second = second.await.unwrap().granted();
    assert!(second.refresh.matches(&first.refresh));
    rig.clock.advance(29_000);
    let third = rig.ask(Some(3), refresh(&grant)).await.granted();
    assert!(third.refresh.matches(&first.refresh));
}

#[tokio::test]
async fn a_late_commit_leads_to_no_other() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let before = rig.store.commits();
    let asked = late_refresh(&rig, &grant).await;
    rig.store.let_go().await;
    asked.await.unwrap().granted();
    rig.settle().await;
    assert_eq!(rig.store.commits() - before, 1);
}

#[tokio::test]
async fn whoever_was_never_answered_is_not_thrown_out_by_a_restart() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let asked = late_refresh(&rig, &grant).await;
    // It lands, and the node is gone before it could say so.
    let mut unsaid = Vec::new();
    for (commit, answer) in rig.store.take_held() {
        rig.store.inner.commit(commit).await.unwrap();
        unsaid.push(answer);
    }
    drop(asked);
    let rig = rig.restart().await;
    let first = rig.ask(Some(2), refresh(&grant)).await.granted();
    rig.clock.advance(30_000);
    let again = rig.ask(Some(3), refresh(&grant)).await.granted();
    assert!(again.refresh.matches(&first.refresh));
    rig.clock.advance(1);
    let late = rig.ask(Some(4), refresh(&grant)).await;
    assert_eq!(late.refused(), Refusal::RefreshReused);
    assert_eq!(unsaid.len(), 1);
}

#[tokio::test]
async fn a_restart_brings_no_token_back_that_was_replaced_long_ago_or_whose_successor_was_used() {
    let rig = Rig::new().await;
    let first = rig.signed_in(ADA).await;
    let second = rig.ask(None, refresh(&first)).await.granted();
    rig.ask(None, refresh(&second)).await.granted();
    let rig = rig.restart().await;
    let used = rig.ask(None, refresh(&first)).await;
    assert_eq!(used.refused(), Refusal::RefreshReused);
    let first = rig.signed_in("bob.example.com").await;
    rig.ask(None, refresh(&first)).await.granted();
    rig.clock.advance(60 * 60 * 1000 + 1);
    let rig = rig.restart().await;
    let long_ago = rig.ask(None, refresh(&first)).await;
    assert_eq!(long_ago.refused(), Refusal::RefreshReused);
}

#[tokio::test]
async fn after_a_restore_within_the_hour_nobody_is_called_a_thief() {
    let rig = Rig::new().await;
    let first = rig.signed_in(ADA).await;
    rig.clock.advance(60_000);
    let second = rig.ask(None, refresh(&first)).await.granted();
    let copied = rig.store.inner.get(record_of(&first)).await.unwrap();
    rig.clock.advance(60_000);
    let third = rig.ask(None, refresh(&second)).await.granted();
    let put_back = Commit::default().put(record_of(&first), copied.unwrap());
    rig.store.inner.commit(put_back).await.unwrap();
    let rig = rig.restart().await;
    let newer = rig.ask(None, refresh(&third)).await;
    assert_eq!(newer.refused(), Refusal::InvalidToken);
    rig.ask(None, refresh(&second)).await.granted();
}

#[tokio::test]
async fn whoever_waited_for_a_commit_of_unknown_fate_is_not_thrown_out_either() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let asked = late_refresh(&rig, &grant).await;
    for (commit, answer) in rig.store.take_held() {
        rig.store.inner.commit(commit).await.unwrap();
        answer.send(Err(StoreError::CommitUnknown)).unwrap();
    }
    let first = asked.await.unwrap().granted();
    let again = rig.ask(Some(2), refresh(&grant)).await.granted();
    assert!(again.refresh.matches(&first.refresh));
}

#[tokio::test]
async fn of_whom_nothing_was_decided_nothing_is_unknown_when_a_commit_is() {
    for mood in [
        Mood::UnknownHappened,
        Mood::UnknownLost,
        Mood::UnknownThenAway,
    ] {
        let rig = Rig::new().await;
        let grant = rig.signed_in(ADA).await;
        rig.cpu.hold();
        let waiting = rig.submit(None, sign_in(ADA, PASSWORD));
        rig.until(|| rig.cpu.held() == 1).await;
        rig.store.set(mood);
        let answer = rig.ask(Some(1), revoke(&grant, RevokeScope::This)).await;
        match mood != Mood::UnknownThenAway {
            true => assert!(matches!(
                answer,
                Answer::Reply(Reply::Session(SessionReply::Revoked(1)))
            )),
            false => assert_eq!(answer.failed(), Failure::Unknown),
        }
        rig.cpu.let_go();
        match mood != Mood::UnknownThenAway {
            true => drop(waiting.await.unwrap().granted()),
            false => assert_eq!(waiting.await.unwrap().failed(), Failure::Unavailable),
        }
        assert_eq!(rig.engine.waiting(), 0);
    }
}

#[tokio::test]
async fn nothing_is_built_on_a_commit_whose_fate_cannot_be_found_out() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::UnknownThenAway);
    let answer = rig.ask(Some(1), revoke(&grant, RevokeScope::This)).await;
    assert_eq!(answer.failed(), Failure::Unknown);
    let reads = rig.store.reads();
    let away = rig.ask(None, refresh(&grant)).await;
    assert_eq!(away.failed(), Failure::Unavailable);
    // Nobody was loaded meanwhile.
    assert_eq!(rig.store.reads(), reads);
    rig.clock.advance(1_000);
    rig.until(|| rig.store.reads() == reads + 1).await;
    rig.store.set(Mood::Well);
    rig.clock.advance(1_000);
    rig.ask(None, refresh(&grant)).await.granted();
}

#[tokio::test]
async fn a_commit_of_unknown_fate_is_written_over_so_that_it_cannot_land_later() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::UnknownLost);
    let commits = rig.store.commits();
    rig.ask(Some(1), revoke(&grant, RevokeScope::This)).await;
    // It, what is written over it, and it again.
    assert_eq!(rig.store.commits(), commits + 3);
}

#[tokio::test]
async fn what_was_decided_on_a_commit_that_fell_falls_with_it() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::Held);
    let first = rig.submit(None, refresh(&grant));
    rig.until(|| rig.store.held() == 1).await;
    let repeat = rig.submit(None, refresh(&grant));
    let ended = rig.submit(None, revoke(&grant, RevokeScope::All));
    rig.settle().await;
    let stolen = Commit::default().put(fence(&rig, &grant), 99u64.to_be_bytes().to_vec());
    rig.store.inner.commit(stolen).await.unwrap();
    rig.store.let_go().await;
    for answer in [first, repeat, ended] {
        assert_eq!(
            answer.await.unwrap().failed(),
            Failure::NotOwner(grant.user.slot())
        );
    }
}

fn fence(_: &Rig, grant: &tidegate_account::Grant) -> RowKey {
    RowKey::fence(Region::FIRST, Slot::new(grant.user.slot()).unwrap())
}

#[tokio::test]
async fn a_node_whose_slots_were_claimed_by_another_cannot_write_and_answers_nothing() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let successor = Ownership::claim_all(Region::FIRST, &*rig.store)
        .await
        .unwrap();
    assert_eq!(successor.epoch_of(grant.user), Some(2));
    let answer = rig.ask(Some(1), revoke(&grant, RevokeScope::This)).await;
    assert_eq!(answer.failed(), Failure::NotOwner(grant.user.slot()));
    assert!(rig.engine.check(&rig.ask_of(&grant)).is_none());
    let answer = rig.ask(None, Task::Check(rig.ask_of(&grant))).await;
    assert_eq!(answer.failed(), Failure::NotOwner(grant.user.slot()));
    let rig = rig.restart().await;
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
}

#[tokio::test]
async fn a_store_that_is_away_turns_no_valid_session_into_a_no() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::Unavailable);
    // Nobody here accepts anything but what is certain (`degraded.rs` does).
    for task in [refresh(&grant), refresh(&grant), sign_up("bob.example.com")] {
        assert_eq!(rig.ask(Some(3), task).await.failed(), Failure::Unavailable);
    }
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    rig.store.set(Mood::Well);
    // The store is tried once a second.
    rig.clock.advance(1_000);
    rig.ask(None, refresh(&grant)).await.granted();
}

#[tokio::test]
async fn a_cold_check_while_the_store_is_away_is_unavailable_not_no() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let rig = rig.restart().await;
    rig.store.set(Mood::Unavailable);
    let answer = rig.ask(None, Task::Check(rig.ask_of(&grant))).await;
    assert_eq!(answer.failed(), Failure::Unavailable);
    rig.store.set(Mood::Well);
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
}

fn record_of(grant: &tidegate_account::Grant) -> RowKey {
    let slot = Slot::new(grant.user.slot()).unwrap();
    RowKey::person(
        Region::FIRST,
        slot,
        grant.user.as_bytes(),
        PersonPart::Record,
    )
}

#[tokio::test]
async fn a_corrupt_record_is_told_for_that_person_alone() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let other = rig.signed_in("bob.example.com").await;
    let key = record_of(&grant);
    let mut bytes = rig
        .store
        .inner
        .get(key.clone())
        .await
        .unwrap()
        .unwrap()
        .to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let damaged = Commit::default().put(key, bytes);
    rig.store.inner.commit(damaged).await.unwrap();
    let rig = rig.restart().await;
    for task in [
        Task::Check(rig.ask_of(&grant)),
        refresh(&grant),
        sign_in(ADA, PASSWORD),
    ] {
        assert_eq!(rig.ask(None, task).await.failed(), Failure::Corrupt);
    }
    assert!(matches!(rig.check(&other).await, Outcome::Yes(_)));
}

#[tokio::test]
async fn an_older_record_put_back_in_a_newer_place_does_not_open() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let other = rig.signed_in("bob.example.com").await;
    let foreign = rig
        .store
        .inner
        .get(record_of(&other))
        .await
        .unwrap()
        .unwrap();
    let swapped = Commit::default().put(record_of(&grant), foreign);
    rig.store.inner.commit(swapped).await.unwrap();
    let rig = rig.restart().await;
    let answer = rig.ask(None, refresh(&grant)).await;
    assert_eq!(answer.failed(), Failure::Corrupt);
}

#[tokio::test]
async fn a_destroyed_person_key_leaves_nothing_that_opens() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let slot = Slot::new(grant.user.slot()).unwrap();
    let key = RowKey::person_key(Region::FIRST, slot, grant.user.as_bytes());
    rig.store
        .inner
        .commit(Commit::default().delete(key))
        .await
        .unwrap();
    let rig = rig.restart().await;
    assert_eq!(
        rig.ask(None, refresh(&grant)).await.failed(),
        Failure::Corrupt
    );
}

#[tokio::test]
async fn a_panic_about_one_person_is_unknown_and_ends_with_that_person() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let other = rig.signed_in("bob.example.com").await;
    rig.cpu.panic_at.store(0, Ordering::SeqCst);
    let answer = rig.ask(None, refresh(&grant)).await;
    assert_eq!(answer.failed(), Failure::Unknown);
    rig.cpu.panic_at.store(usize::MAX, Ordering::SeqCst);
    rig.settle().await;
    assert_eq!(
        rig.ask(None, refresh(&grant)).await.failed(),
        Failure::Unknown
    );
    assert!(rig.engine.check(&rig.ask_of(&grant)).is_none());
    assert!(matches!(rig.check(&other).await, Outcome::Yes(_)));
    rig.ask(None, refresh(&other)).await.granted();
}

#[tokio::test]
async fn a_dropped_hashing_pool_refuses_and_nobody_waits_for_ever() {
    let rig = Rig::new().await;
    rig.signed_up(ADA).await;
    rig.cpu.hold();
    let asked = rig.submit(None, sign_in(ADA, PASSWORD));
    rig.until(|| rig.cpu.held() == 1).await;
    rig.cpu.hold();
    assert_eq!(
        asked.await.unwrap().refused(),
        Refusal::Busy { retry_after_ms: 0 }
    );
    rig.cpu.let_go();
    rig.ask(None, sign_in(ADA, PASSWORD)).await.granted();
}

#[tokio::test]
async fn a_verification_begun_before_a_failed_commit_lets_nobody_else_in() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    rig.cpu.hold();
    let owner = rig.submit(None, sign_in(ADA, PASSWORD));
    rig.until(|| rig.cpu.held() == 1).await;
    rig.store.set(Mood::UnknownLost);
    // One read to find out about the commit, which is made again then.
    rig.store.allow_reads(1);
    let refreshed = rig.ask(None, refresh(&grant)).await;
    // The same actor takes this one meanwhile.
    let attacker = rig.submit(None, direct_sign_in(&grant, "wrong horse"));
    refreshed.granted();
    rig.store.set(Mood::Well);
    rig.store.allow_reads(usize::MAX);
    rig.until(|| rig.cpu.held() == 2).await;
    rig.cpu.let_go();
    owner.await.unwrap().granted();
    let answer = attacker.await.unwrap();
    assert_eq!(answer.refused(), Refusal::InvalidCredentials);
}

/// A sign-in that goes to the person's actor without a look-up before.
fn direct_sign_in(grant: &tidegate_account::Grant, password: &str) -> Task {
    Task::Account {
        user: grant.user,
        command: Command::Credential(CredentialCommand::SignIn(SignIn {
            password: Password::parse(password).unwrap(),
            device: None,
            remember: Remember::Nothing,
            source: Source::Clear,
            led_by: LedBy::Id,
        })),
    }
}

#[tokio::test]
async fn a_lost_slot_answers_nothing_from_memory_for_anybody_in_it() {
    let rig = Rig::new().await;
    let mut people: Vec<tidegate_account::Grant> = Vec::new();
    let pair = loop {
        let grant = rig
            .signed_in(&format!("p{}.example.com", people.len()))
            .await;
        let slot = grant.user.slot();
        if let Some(other) = people.iter().find(|other| other.user.slot() == slot) {
            break (other.clone(), grant);
        }
        people.push(grant);
    };
    Ownership::claim_all(Region::FIRST, &*rig.store)
        .await
        .unwrap();
    let fenced = rig.ask(None, refresh(&pair.0)).await;
    assert_eq!(fenced.failed(), Failure::NotOwner(pair.0.user.slot()));
    assert!(rig.engine.check(&rig.ask_of(&pair.1)).is_none());
    let answer = rig.ask(None, Task::Check(rig.ask_of(&pair.1))).await;
    assert_eq!(answer.failed(), Failure::NotOwner(pair.1.user.slot()));
}
