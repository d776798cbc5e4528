//! The engine while its store is out of reach, and when it is back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use rig::{
    Expect, Mood, PASSWORD, Rig, SOURCE, policy, refresh, revoke, sign_in, sign_in_as, sign_up,
    username,
};
use tidegate_account::{DegradedReply, Grant, Policy, Refusal, Reply, RevokeScope, SessionReply};
use tidegate_runtime::{Answer, Failure, Limits, Outcome, Task};

const ADA: &str = "ada.example.com";
const GRACE_MS: u64 = 300_000;

/// A node of several, whose lease was renewed last when it began, and ends
/// after three seconds.
async fn node() -> Rig {
    let mut rig = Rig::new().await;
    rig.max_age_ms = u32::MAX;
    rig.ownership.lease(0, 3_000);
    rig
}

/// Nothing goes to the store any more, and the lease is over.
async fn cut_off(rig: &Rig) {
    rig.store.set(Mood::Unavailable);
    rig.store.allow_reads(0);
    rig.clock.advance(4_000);
    rig.settle().await;
}

async fn back(rig: &Rig) {
    rig.store.set(Mood::Well);
    rig.store.allow_reads(usize::MAX / 2);
    rig.ownership.lease(10_000, u64::MAX - 1);
}

fn degraded(answer: Answer) -> (DegradedReply, u64) {
    match answer {
        Answer::DegradedDecision { reply, age_ms } => (reply, age_ms),
        other => panic!("not of an interim: {other:?}"),
    }
}

fn provisional(answer: Answer) -> Grant {
    match degraded(answer).0 {
        DegradedReply::Provisional(grant) => grant,
        other => panic!("not let in: {other:?}"),
    }
}

#[tokio::test]
async fn a_check_says_how_old_its_knowledge_is_and_for_how_long_it_is_said() {
    let mut rig = node().await;
    let grant = rig.signed_in(ADA).await;
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    cut_off(&rig).await;
    let answered = rig.check(&grant).await;
    assert!(matches!(answered, Outcome::Degraded(checked, 4_000) if checked.user == grant.user));
    rig.max_age_ms = 4_000;
    assert!(rig.engine.check(&rig.ask_of(&grant)).is_none());
    let answer = rig.ask(None, Task::Check(rig.ask_of(&grant))).await;
    assert_eq!(answer.failed(), Failure::Unavailable);
    rig.max_age_ms = u32::MAX;
    rig.clock.advance(GRACE_MS - 4_001);
    assert!(
        matches!(rig.check(&grant).await, Outcome::Degraded(_, age_ms) if age_ms == GRACE_MS - 1)
    );
    rig.clock.advance(1);
    assert!(rig.engine.check(&rig.ask_of(&grant)).is_none());
    back(&rig).await;
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
}

#[tokio::test]
async fn what_is_not_known_to_be_alive_is_no_no() {
    let rig = node().await;
    let mut grant = rig.signed_in(ADA).await;
    grant.session.0 ^= 1;
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
    cut_off(&rig).await;
    let answer = rig.ask(None, Task::Check(rig.ask_of(&grant))).await;
    assert_eq!(answer.failed(), Failure::Unavailable);
}

#[tokio::test]
async fn a_tenant_can_forbid_it() {
    let policy = Policy {
        grace_ms: 0,
        ..policy()
    };
    let mut rig = Rig::under(Limits::default(), policy).await;
    rig.max_age_ms = u32::MAX;
    rig.ownership.lease(0, 3_000);
    let grant = rig.signed_in(ADA).await;
    cut_off(&rig).await;
    rig.ownership.lease(4_000, 4_000);
    assert!(rig.engine.check(&rig.ask_of(&grant)).is_none());
    for task in [refresh(&grant), sign_in(ADA, PASSWORD)] {
        let answer = rig.ask(Some(1), task).await;
        assert!(!matches!(
            answer,
            Answer::Reply(_)
                | Answer::DegradedDecision {
                    reply: DegradedReply::Provisional(_) | DegradedReply::Refreshed(_),
                    ..
                }
        ));
    }
}

#[tokio::test]
async fn nobody_is_told_to_keep_a_token_whose_replacement_is_on_its_way() {
    let rig = node().await;
    let grant = rig.signed_in(ADA).await;
    let other = rig.ask(None, sign_in(ADA, PASSWORD)).await.granted();
    rig.store.set(Mood::Held);
    let first = rig.submit(Some(1), refresh(&grant));
    rig.until(|| rig.store.held() == 1).await;
    rig.clock.advance(4_000);
    let second = rig.ask(Some(2), refresh(&grant)).await;
    assert_eq!(second.failed(), Failure::Unavailable);
    // Another session of the same person has nothing to wait for.
    let (reply, _) = degraded(rig.ask(None, refresh(&other)).await);
    assert!(
        matches!(reply, DegradedReply::Refreshed(kept) if kept.refresh.matches(&other.refresh))
    );
    let held = rig.store.take_held();
    back(&rig).await;
    rig.store.land(held).await;
    let successor = first.await.unwrap().granted();
    let again = rig.ask(Some(2), refresh(&grant)).await.granted();
    assert!(again.refresh.matches(&successor.refresh));
}

#[tokio::test]
async fn nobody_is_told_to_keep_a_token_while_the_fate_of_its_replacement_is_unknown() {
    let rig = node().await;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::UnknownThenAway);
    let first = rig.ask(Some(1), refresh(&grant)).await;
    assert_eq!(first.failed(), Failure::Unknown);
    rig.clock.advance(4_000);
    let second = rig.ask(Some(2), refresh(&grant)).await;
    assert_eq!(second.failed(), Failure::Unavailable);
    back(&rig).await;
    rig.ask(Some(3), refresh(&grant)).await.granted();
}

#[tokio::test]
async fn a_refresh_keeps_its_token_until_the_store_is_back() {
    let rig = node().await;
    let grant = rig.signed_in(ADA).await;
    cut_off(&rig).await;
    let commits = rig.store.commits();
    let (reply, age_ms) = degraded(rig.ask(None, refresh(&grant)).await);
    let DegradedReply::Refreshed(kept) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(age_ms, 4_000);
    assert_eq!(kept.refresh.expose(), grant.refresh.expose());
    assert_eq!(rig.store.commits(), commits);
    back(&rig).await;
    let rotated = rig.ask(None, refresh(&kept)).await.granted();
    assert_ne!(rotated.refresh.expose(), grant.refresh.expose());
}

#[tokio::test]
async fn whoever_has_the_password_gets_in_and_a_refresh_makes_it_last() {
    let rig = node().await;
    rig.signed_in(ADA).await;
    cut_off(&rig).await;
    let grant = provisional(rig.ask(Some(5), sign_in(ADA, PASSWORD)).await);
    let again = provisional(rig.ask(Some(5), sign_in(ADA, PASSWORD)).await);
    assert_eq!(again.session, grant.session);
    assert!(matches!(rig.check(&grant).await, Outcome::Degraded(..)));
    back(&rig).await;
    // Until its end it is as good as any.
    let Outcome::Yes(checked) = rig.check(&grant).await else {
        panic!("it was let in");
    };
    assert_eq!(checked.expires_at, grant.expires_at);
    let lasting = rig.ask(None, refresh(&grant)).await.granted();
    assert!(lasting.expires_at > grant.expires_at);
    let rig = rig.restart().await;
    assert!(matches!(rig.check(&lasting).await, Outcome::Yes(_)));
}

#[tokio::test]
async fn a_sign_in_that_waits_for_another_is_answered_and_the_person_is_left() {
    let rig = node().await;
    rig.signed_in(ADA).await;
    for _ in 0..4 {
        let wrong = rig.ask(None, sign_in(ADA, "wrong horse")).await;
        assert_eq!(wrong.refused(), Refusal::InvalidCredentials);
    }
    cut_off(&rig).await;
    rig.cpu.hold();
    // Two at once could be one failure too many, so one waits.
    let asked = [1, 2].map(|key| rig.submit(Some(key), sign_in(ADA, PASSWORD)));
    rig.until(|| rig.cpu.held() == 1).await;
    rig.settle().await;
    assert_eq!(rig.cpu.held(), 1);
    rig.cpu.let_go();
    let mut let_in = Vec::new();
    for answer in asked {
        let_in.push(provisional(answer.await.unwrap()).session);
    }
    assert_ne!(let_in[0], let_in[1]);
    assert_eq!(rig.engine.waiting(), 0);
    rig.until(|| rig.engine.hot_people() == 0).await;
}

#[tokio::test]
async fn what_was_known_in_one_outage_is_no_answer_in_the_next() {
    let rig = node().await;
    let grant = rig.signed_in(ADA).await;
    cut_off(&rig).await;
    rig.cpu.hold();
    let asked = rig.submit(Some(1), sign_in(ADA, PASSWORD));
    rig.until(|| rig.cpu.held() == 1).await;
    back(&rig).await;
    let ended = rig.ask(Some(2), revoke(&grant, RevokeScope::This)).await;
    assert!(matches!(
        ended,
        Answer::Reply(Reply::Session(SessionReply::Revoked(1)))
    ));
    let left = asked.await.unwrap();
    assert_eq!(left.failed(), Failure::Unavailable);
    rig.ownership.lease(4_000, 7_000);
    cut_off(&rig).await;
    let refused = rig.ask(None, refresh(&grant)).await;
    assert_eq!(refused.failed(), Failure::Unavailable);
    // What was begun in the first outage says nothing in the second.
    let again = rig.submit(Some(3), sign_in(ADA, "wrong horse"));
    rig.until(|| rig.cpu.held() == 2).await;
    rig.cpu.let_go();
    let (said, _) = degraded(again.await.unwrap());
    assert!(matches!(said, DegradedReply::Unsaid));
}

#[tokio::test]
async fn a_provisional_session_ends_with_its_grace() {
    let rig = node().await;
    rig.signed_in(ADA).await;
    cut_off(&rig).await;
    let grant = provisional(rig.ask(None, sign_in(ADA, PASSWORD)).await);
    back(&rig).await;
    rig.clock.advance(GRACE_MS - 1);
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    rig.clock.advance(1);
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
    rig.clock.advance(10_000);
    rig.until(|| rig.engine.degraded_people() == 0).await;
}

#[tokio::test]
async fn a_stranger_cannot_tell_a_wrong_guess_from_somebody_who_is_not_known_here() {
    let rig = node().await;
    rig.signed_in(ADA).await;
    rig.signed_up("cold.example.com").await;
    cut_off(&rig).await;
    let mut seen = Vec::new();
    for (key, name) in [(1, ADA), (2, "cold.example.com"), (3, "nobody.example.com")] {
        let (effects, answer) = rig.effects_of(key, sign_in(name, "wrong horse")).await;
        assert!(matches!(degraded(answer).0, DegradedReply::Unsaid));
        seen.push((effects.hashes, effects.commits.len()));
    }
    assert_eq!(seen, [(1, 0); 3]);
}

#[tokio::test]
async fn guesses_are_few_and_are_charged_when_the_store_is_back() {
    let rig = node().await;
    rig.signed_in(ADA).await;
    cut_off(&rig).await;
    let before = rig.effects().hashes;
    for _ in 0..10 {
        rig.ask(None, sign_in(ADA, "wrong horse")).await;
    }
    assert_eq!(rig.effects().hashes - before, 3);
    back(&rig).await;
    // Five are free: three are gone.
    let refusals = [
        Refusal::InvalidCredentials,
        Refusal::InvalidCredentials,
        Refusal::Throttled {
            retry_after_ms: 30_000,
        },
    ];
    for refusal in refusals {
        let answer = rig.ask(None, sign_in(ADA, "wrong horse")).await;
        assert_eq!(answer.refused(), refusal);
    }
}

#[tokio::test]
async fn a_wrong_guess_is_charged_to_its_source_as_well() {
    let rig = node().await;
    rig.signed_in(ADA).await;
    cut_off(&rig).await;
    let guess = || {
        let mut task = sign_in_as(username("nobody.example.com"), "wrong horse");
        if let Task::SignIn { origin, .. } = &mut task {
            *origin = Some(SOURCE);
        }
        task
    };
    let before = rig.effects().hashes;
    for _ in 0..30 {
        rig.ask(None, guess()).await;
    }
    // What a source may try before its row is written.
    let allowance = usize::try_from(tidegate_runtime::LOCAL_ALLOWANCE).unwrap();
    assert_eq!(rig.effects().hashes - before, allowance);
}

#[tokio::test]
async fn a_revocation_holds_at_once_after_a_crash_and_for_good() {
    let rig = node().await;
    let grant = rig.signed_in(ADA).await;
    cut_off(&rig).await;
    let (reply, _) = degraded(rig.ask(Some(7), revoke(&grant, RevokeScope::This)).await);
    assert!(matches!(reply, DegradedReply::Ended(1)));
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
    assert_eq!(rig.journal.commits(), 1);
    back(&rig).await;
    let mut rig = rig.restart().await;
    rig.max_age_ms = u32::MAX;
    assert_eq!(rig.engine.degraded_people(), 1);
    // Nobody has taken it over yet, and nobody is warm.
    rig.store.set(Mood::Held);
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
    rig.store.let_go().await;
    // Asked again under the same key, it is done, and for good.
    let answer = rig.ask(Some(7), revoke(&grant, RevokeScope::This)).await;
    assert!(matches!(
        answer,
        Answer::Reply(Reply::Session(SessionReply::Revoked(1)))
    ));
    rig.until(|| rig.engine.degraded_people() == 0).await;
    let rig = rig.restart().await;
    assert_eq!(rig.engine.degraded_people(), 0);
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
}

#[tokio::test]
async fn accounts_take_over_what_was_decided_without_being_asked() {
    let rig = node().await;
    let grant = rig.signed_in(ADA).await;
    cut_off(&rig).await;
    rig.ask(Some(7), revoke(&grant, RevokeScope::All)).await;
    rig.clock.advance(1_000);
    rig.settle().await;
    assert_eq!(rig.engine.degraded_people(), 1);
    back(&rig).await;
    rig.clock.advance(1_000);
    rig.until(|| rig.engine.degraded_people() == 0).await;
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
}

#[tokio::test]
async fn a_revocation_that_no_journal_took_is_not_accepted() {
    let rig = node().await;
    let grant = rig.signed_in(ADA).await;
    cut_off(&rig).await;
    rig.journal.set(Mood::Unavailable);
    let answer = rig.ask(Some(7), revoke(&grant, RevokeScope::This)).await;
    assert_eq!(answer.failed(), Failure::Unavailable);
    let again = rig.ask(Some(7), revoke(&grant, RevokeScope::This)).await;
    assert_eq!(again.failed(), Failure::Unavailable);
    rig.journal.set(Mood::Well);
    let (reply, _) = degraded(rig.ask(Some(7), revoke(&grant, RevokeScope::This)).await);
    assert!(matches!(reply, DegradedReply::Ended(1)));
    // In memory it held from the first: that can only be safer.
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
}

#[tokio::test]
async fn what_cannot_wait_to_be_durable_is_refused() {
    let rig = node().await;
    rig.signed_in(ADA).await;
    cut_off(&rig).await;
    let answer = rig.ask(Some(1), sign_up("bob.example.com")).await;
    assert_eq!(answer.failed(), Failure::Unavailable);
}

#[tokio::test]
async fn nobody_becomes_cold_who_could_not_be_made_warm_again() {
    let rig = node().await;
    let grant = rig.signed_in(ADA).await;
    cut_off(&rig).await;
    rig.ownership.lease(0, 1);
    rig.clock.advance(7 * 60 * 60 * 1000);
    rig.settle().await;
    back(&rig).await;
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
}

#[tokio::test]
async fn a_node_that_is_alone_is_certain_of_its_checks_and_tries_the_store_now_and_then() {
    let mut rig = Rig::new().await;
    rig.max_age_ms = u32::MAX;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::Unavailable);
    let first = rig.ask(None, refresh(&grant)).await;
    assert_eq!(first.failed(), Failure::Unavailable);
    let commits = rig.store.commits();
    for _ in 0..5 {
        let (reply, _) = degraded(rig.ask(None, refresh(&grant)).await);
        assert!(matches!(reply, DegradedReply::Refreshed(_)));
    }
    provisional(rig.ask(Some(3), sign_in(ADA, PASSWORD)).await);
    assert_eq!(rig.store.commits(), commits);
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    // Trying costs nobody an answer.
    rig.clock.advance(1_000);
    rig.settle().await;
    let (reply, _) = degraded(rig.ask(None, refresh(&grant)).await);
    assert!(matches!(reply, DegradedReply::Refreshed(_)));
    rig.store.set(Mood::Well);
    rig.clock.advance(1_000);
    rig.settle().await;
    let rotated = rig.ask(None, refresh(&grant)).await.granted();
    assert_ne!(rotated.refresh.expose(), grant.refresh.expose());
    rig.ask(None, sign_up("bob.example.com")).await.signed_up();
}

#[tokio::test]
async fn a_node_that_is_alone_reads_whoever_is_cold_while_it_cannot_write() {
    let rig = Rig::new().await;
    let ada = rig.signed_in(ADA).await;
    let bob = rig.signed_in("bob.example.com").await;
    let rig = rig.restart().await;
    assert!(matches!(rig.check(&ada).await, Outcome::Yes(_)));
    rig.store.set(Mood::Unwritable);
    let failed = rig.ask(None, refresh(&ada)).await;
    assert_eq!(failed.failed(), Failure::Unavailable);
    assert!(matches!(rig.check(&bob).await, Outcome::Yes(_)));
}

#[tokio::test]
async fn where_there_is_no_room_for_decisions_nobody_is_let_in_and_sessions_can_be_ended() {
    let limits = Limits {
        degraded_people: 0,
        ..Limits::default()
    };
    let mut rig = Rig::with(limits).await;
    rig.max_age_ms = u32::MAX;
    rig.ownership.lease(0, 3_000);
    let grant = rig.signed_in(ADA).await;
    cut_off(&rig).await;
    let before = rig.effects().hashes;
    let refused = rig.ask(Some(1), sign_in(ADA, PASSWORD)).await;
    assert_eq!(refused.failed(), Failure::Unavailable);
    assert_eq!(rig.effects().hashes, before);
    let (kept, _) = degraded(rig.ask(None, refresh(&grant)).await);
    assert!(matches!(kept, DegradedReply::Refreshed(_)));
    let (ended, _) = degraded(rig.ask(Some(2), revoke(&grant, RevokeScope::This)).await);
    assert!(matches!(ended, DegradedReply::Ended(1)));
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
}

#[tokio::test]
async fn a_revocation_holds_for_as_long_as_the_store_is_away() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::Unavailable);
    rig.ask(None, refresh(&grant)).await;
    rig.ask(Some(7), revoke(&grant, RevokeScope::This)).await;
    for _ in 0..3 {
        rig.clock.advance(20 * 60 * 60 * 1000);
        rig.settle().await;
    }
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
}

#[tokio::test]
async fn whoever_a_commit_of_unknown_fate_is_about_stays_in() {
    let rig = node().await;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::UnknownThenAway);
    let answer = rig.ask(Some(1), revoke(&grant, RevokeScope::This)).await;
    assert_eq!(answer.failed(), Failure::Unknown);
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    cut_off(&rig).await;
    assert!(matches!(rig.check(&grant).await, Outcome::Degraded(..)));
    let (reply, _) = degraded(rig.ask(None, refresh(&grant)).await);
    assert!(matches!(reply, DegradedReply::Refreshed(_)));
}
