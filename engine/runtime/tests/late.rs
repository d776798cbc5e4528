//! Refreshes that were decided long before anybody could be told: nobody is
//! thrown out for asking again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use rig::{Expect, Mood, PASSWORD, Rig, policy, refresh, revoke, sign_in};
use tidegate_account::{DegradedReply, Policy, Refusal, Reply, RevokeScope, SessionReply};
use tidegate_runtime::{Answer, Failure, Limits, Outcome};
use tidegate_storage_api::StoreError;

const ADA: &str = "ada.example.com";

/// One of several nodes, whose lease does not end.
async fn leased() -> Rig {
    let mut rig = Rig::new().await;
    rig.max_age_ms = u32::MAX;
    rig.ownership.lease(0, u64::MAX - 1);
    rig
}

/// Nothing goes to the store any more, and the lease is over.
async fn cut_off(rig: &Rig) {
    rig.store.set(Mood::Unavailable);
    rig.store.allow_reads(0);
    rig.clock.advance(4_000);
    rig.settle().await;
}

fn back(rig: &Rig) {
    rig.store.set(Mood::Well);
    rig.store.allow_reads(usize::MAX / 2);
    rig.ownership.lease(10_000, u64::MAX - 1);
}

#[tokio::test]
async fn a_late_commit_is_not_forgotten_when_what_follows_it_fails() {
    let moods = [
        (Mood::Unwritable, Some(Failure::Unavailable)),
        // It is made again, by an account that is read anew afterwards.
        (Mood::UnknownLost, None),
    ];
    for (mood, failure) in moods {
        let rig = leased().await;
        let grant = rig.signed_in(ADA).await;
        let other = rig.ask(None, sign_in(ADA, PASSWORD)).await.granted();
        rig.store.set(Mood::Held);
        let asked = rig.submit(Some(1), refresh(&grant));
        rig.until(|| rig.store.held() == 1).await;
        rig.clock.advance(40_000);
        rig.store.let_go().await;
        let successor = asked.await.unwrap().granted();
        // The account as it is in memory goes with this commit.
        rig.store.set(mood);
        let next = rig.ask(Some(2), refresh(&other)).await;
        match failure {
            Some(failure) => assert_eq!(next.failed(), failure),
            None => drop(next.granted()),
        }
        rig.store.set(Mood::Well);
        rig.clock.advance(30_000);
        let again = rig.ask(Some(3), refresh(&grant)).await.granted();
        assert!(again.refresh.matches(&successor.refresh));
        rig.clock.advance(1);
        let late = rig.ask(Some(4), refresh(&grant)).await;
        assert_eq!(late.refused(), Refusal::RefreshReused);
    }
}

#[tokio::test]
async fn a_late_commit_is_not_forgotten_when_the_next_one_is_late_as_well() {
    let rig = leased().await;
    let grant = rig.signed_in(ADA).await;
    let other = rig.ask(None, sign_in(ADA, PASSWORD)).await.granted();
    rig.store.set(Mood::Held);
    let first = rig.submit(Some(1), refresh(&grant));
    rig.until(|| rig.store.held() == 1).await;
    let second = rig.submit(Some(2), refresh(&other));
    rig.settle().await;
    rig.clock.advance(40_000);
    let held = rig.store.take_held();
    rig.store.set(Mood::Held);
    rig.store.land(held).await;
    let successor = first.await.unwrap().granted();
    rig.until(|| rig.store.held() == 1).await;
    rig.clock.advance(40_000);
    rig.store.let_go().await;
    second.await.unwrap().granted();
    rig.clock.advance(29_000);
    let again = rig.ask(Some(3), refresh(&grant)).await.granted();
    assert!(again.refresh.matches(&successor.refresh));
}

#[tokio::test]
async fn a_repeat_that_waits_for_a_late_commit_of_something_else_has_its_time_as_well() {
    let rig = leased().await;
    let grant = rig.signed_in(ADA).await;
    // Its answer is lost.
    let successor = rig.ask(Some(1), refresh(&grant)).await.granted();
    rig.clock.advance(1_000);
    // What only memory knows of the session must be durable before it is said.
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    rig.store.set(Mood::Held);
    let second = rig.submit(Some(2), refresh(&grant));
    rig.until(|| rig.store.held() == 1).await;
    rig.clock.advance(40_000);
    rig.store.let_go().await;
    let second = second.await.unwrap().granted();
    assert!(second.refresh.matches(&successor.refresh));
    rig.clock.advance(29_000);
    let third = rig.ask(Some(3), refresh(&grant)).await.granted();
    assert!(third.refresh.matches(&successor.refresh));
}

#[tokio::test]
async fn a_repeat_whose_late_commit_falls_may_be_asked_again() {
    let rig = leased().await;
    let grant = rig.signed_in(ADA).await;
    let successor = rig.ask(Some(1), refresh(&grant)).await.granted();
    rig.clock.advance(1_000);
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    rig.store.set(Mood::Held);
    let second = rig.submit(Some(2), refresh(&grant));
    rig.until(|| rig.store.held() == 1).await;
    rig.clock.advance(40_000);
    for (_, answer) in rig.store.take_held() {
        answer.send(Err(StoreError::Unavailable)).unwrap();
    }
    let second = second.await.unwrap();
    assert_eq!(second.failed(), Failure::Unavailable);
    rig.clock.advance(29_000);
    let third = rig.ask(Some(3), refresh(&grant)).await.granted();
    assert!(third.refresh.matches(&successor.refresh));
}

#[tokio::test]
async fn a_repeat_behind_another_late_change_of_the_same_person_is_not_taken_for_reuse() {
    let rig = leased().await;
    let grant = rig.signed_in(ADA).await;
    let other = rig.ask(None, sign_in(ADA, PASSWORD)).await.granted();
    let successor = rig.ask(Some(1), refresh(&grant)).await.granted();
    rig.store.set(Mood::Held);
    let ended = rig.submit(Some(2), revoke(&other, RevokeScope::This));
    rig.until(|| rig.store.held() == 1).await;
    rig.clock.advance(40_000);
    let again = rig.submit(Some(3), refresh(&grant));
    rig.settle().await;
    rig.store.let_go().await;
    let ended = ended.await.unwrap();
    assert!(matches!(
        ended,
        Answer::Reply(Reply::Session(SessionReply::Revoked(1)))
    ));
    let again = again.await.unwrap().granted();
    assert!(again.refresh.matches(&successor.refresh));
}

#[tokio::test]
async fn whoever_asked_in_time_and_could_not_be_told_may_ask_again() {
    let policy = Policy {
        grace_ms: 0,
        ..policy()
    };
    let rig = Rig::under(Limits::default(), policy).await;
    rig.ownership.lease(0, 3_000);
    let ada = rig.signed_in(ADA).await;
    let bob = rig.signed_in("bob.example.com").await;
    let successor = rig.ask(Some(1), refresh(&ada)).await.granted();
    rig.ask(Some(1), refresh(&bob)).await.granted();
    cut_off(&rig).await;
    rig.clock.advance(16_000);
    let asked = rig.ask(Some(2), refresh(&ada)).await;
    assert_eq!(asked.failed(), Failure::Unavailable);
    rig.clock.advance(20_000);
    back(&rig);
    let again = rig.ask(Some(3), refresh(&ada)).await.granted();
    assert!(again.refresh.matches(&successor.refresh));
    // Nobody asked for the other one in time.
    let late = rig.ask(Some(3), refresh(&bob)).await;
    assert_eq!(late.refused(), Refusal::RefreshReused);
}

#[tokio::test]
async fn a_node_that_is_cut_off_again_repeats_what_became_durable_late() {
    let rig = leased().await;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::Held);
    let asked = rig.submit(Some(1), refresh(&grant));
    rig.until(|| rig.store.held() == 1).await;
    rig.clock.advance(40_000);
    rig.store.let_go().await;
    let successor = asked.await.unwrap().granted();
    rig.ownership.lease(40_000, 43_000);
    cut_off(&rig).await;
    let answer = rig.ask(Some(2), refresh(&grant)).await;
    let Answer::DegradedDecision {
        reply: DegradedReply::Refreshed(again),
        age_ms: 4_000,
    } = answer
    else {
        panic!("{answer:?}");
    };
    assert!(again.refresh.matches(&successor.refresh));
}
