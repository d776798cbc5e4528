//! The engine on a store that works: who answers, from where, in which order.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use rig::{Expect, Mood, PASSWORD, Rig, policy, refresh, revoke, sign_in, sign_up};
use tidegate_account::{
    Command, CredentialReply, Refusal, Reply, RevokeScope, Secret, SessionCommand, SessionProof,
    SessionReply, TenantId,
};
use tidegate_runtime::ports::Clock;
use tidegate_runtime::{
    Answer, Class, Context, Failure, GatewayId, Limit, Limits, Outcome, Request, Task,
};
use tidegate_storage_api::{Key as RowKey, PersonPart, Region, Slot, Store};

const ADA: &str = "ada.example.com";

#[tokio::test]
async fn a_warm_check_touches_neither_the_store_nor_an_actor() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let before = (rig.store.reads(), rig.store.commits());
    for _ in 0..100 {
        let (outcome, epoch) = rig.engine.check(&rig.ask_of(&grant)).unwrap();
        assert!(matches!(outcome, Outcome::Yes(checked) if checked.user == grant.user));
        assert_eq!(epoch, 1);
    }
    assert_eq!((rig.store.reads(), rig.store.commits()), before);
    assert_eq!((rig.engine.hot_people(), rig.engine.warm_people()), (0, 1));
}

#[tokio::test]
async fn going_from_warm_to_hot_reads_nothing() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let before = rig.store.reads();
    rig.ask(None, refresh(&grant)).await.granted();
    assert_eq!(rig.store.reads(), before);
}

#[tokio::test]
async fn a_cold_person_is_read_once_however_many_wait() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let rig = rig.restart().await;
    let before = rig.store.reads();
    let asked: Vec<_> = (0..30)
        .map(|_| {
            assert!(rig.engine.check(&rig.ask_of(&grant)).is_none());
            rig.submit(None, Task::Check(rig.ask_of(&grant)))
        })
        .collect();
    for answer in asked {
        assert!(matches!(
            answer.await.unwrap(),
            Answer::Checked(Outcome::Yes(_))
        ));
    }
    // The record and the key of its sealed part.
    assert_eq!(rig.store.reads() - before, 2);
    assert_eq!((rig.engine.hot_people(), rig.engine.warm_people()), (0, 1));
}

#[tokio::test]
async fn a_revocation_is_durable_and_seen_by_checks_before_it_is_acknowledged() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::Held);
    let mut asked = rig.submit(Some(1), revoke(&grant, RevokeScope::This));
    rig.until(|| rig.store.held() == 1).await;
    rig.settle().await;
    assert!(asked.try_recv().is_err(), "answered before the commit");
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    rig.store.let_go().await;
    let answer = asked.await.unwrap();
    assert!(matches!(
        answer,
        Answer::Reply(Reply::Session(SessionReply::Revoked(1)))
    ));
    let (outcome, _) = rig.engine.check(&rig.ask_of(&grant)).unwrap();
    assert_eq!(outcome, Outcome::No(Refusal::InvalidToken));
    let rig = rig.restart().await;
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
}

#[tokio::test]
async fn one_commit_is_under_way_and_what_comes_meanwhile_goes_into_the_next() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let other = rig.ask(None, sign_in(ADA, PASSWORD)).await.granted();
    let third = rig.ask(None, sign_in(ADA, PASSWORD)).await.granted();
    let before = rig.store.commits();
    rig.store.set(Mood::Held);
    let first = rig.submit(None, refresh(&grant));
    rig.until(|| rig.store.held() == 1).await;
    let rest = [refresh(&other), refresh(&third)].map(|task| rig.submit(None, task));
    rig.settle().await;
    assert_eq!(rig.store.held(), 1);
    rig.store.let_go().await;
    first.await.unwrap().granted();
    for answer in rest {
        answer.await.unwrap().granted();
    }
    assert_eq!(rig.store.commits() - before, 2);
}

#[tokio::test]
async fn sixty_four_clients_refreshing_one_token_at_once_hold_the_identical_successor() {
    let limits = Limits {
        commands_per_person: 64,
        ..Limits::default()
    };
    let rig = Rig::with(limits).await;
    let grant = rig.signed_in(ADA).await;
    let asked: Vec<_> = (0..64).map(|_| rig.submit(None, refresh(&grant))).collect();
    let mut successors = Vec::new();
    for answer in asked {
        successors.push(answer.await.unwrap().granted().refresh);
    }
    assert!(successors.iter().all(|one| one.matches(&successors[0])));
    assert!(!successors[0].matches(&grant.refresh));
    let rig = rig.restart().await;
    let again = rig.ask(None, refresh(&grant)).await.granted();
    assert!(again.refresh.matches(&successors[0]));
}

#[tokio::test]
async fn a_thousand_parallel_guesses_get_no_more_verifications_than_the_allowance() {
    let limits = Limits {
        commands_per_person: 1_000,
        ..Limits::default()
    };
    let rig = Rig::with(limits).await;
    rig.signed_up(ADA).await;
    let before = rig.cpu.hashes.load(std::sync::atomic::Ordering::SeqCst);
    let asked: Vec<_> = (0..1_000)
        .map(|n| rig.submit(None, sign_in(ADA, &format!("guess {n}"))))
        .collect();
    let (mut wrong, mut throttled) = (0, 0);
    for answer in asked {
        match answer.await.unwrap().refused() {
            Refusal::InvalidCredentials => wrong += 1,
            Refusal::Throttled { .. } => throttled += 1,
            other => panic!("{other:?}"),
        }
    }
    let free = usize::from(policy().guess.free);
    assert_eq!((wrong, throttled), (free, 1_000 - free));
    let after = rig.cpu.hashes.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(after - before, free);
    let rig = rig.restart().await;
    let refusal = rig.ask(None, sign_in(ADA, PASSWORD)).await.refused();
    assert!(matches!(refusal, Refusal::Throttled { .. }));
}

#[tokio::test]
async fn a_sign_up_with_one_key_makes_one_account_however_often_it_comes() {
    let rig = Rig::new().await;
    let asked: Vec<_> = (0..10).map(|_| rig.submit(Some(1), sign_up(ADA))).collect();
    let mut users = Vec::new();
    for answer in asked {
        match answer.await.unwrap() {
            Answer::Reply(Reply::Credential(CredentialReply::SignedUp(user))) => users.push(user),
            other => panic!("{other:?}"),
        }
    }
    users.dedup();
    assert_eq!(users.len(), 1);
    let rig = rig.restart().await;
    let again = rig.ask(Some(1), sign_up(ADA)).await;
    assert!(
        matches!(again, Answer::Reply(Reply::Credential(CredentialReply::SignedUp(user))) if user == users[0])
    );
}

#[tokio::test]
async fn of_many_sign_ups_for_one_identifier_one_gets_it() {
    let rig = Rig::new().await;
    let asked: Vec<_> = (1..=20)
        .map(|key| rig.submit(Some(key), sign_up(ADA)))
        .collect();
    let mut made = 0;
    for answer in asked {
        match answer.await.unwrap() {
            Answer::Reply(Reply::Credential(CredentialReply::SignedUp(_))) => made += 1,
            other => assert_eq!(other.refused(), Refusal::IdentifierTaken),
        }
    }
    assert_eq!(made, 1);
    let later = rig.ask(Some(99), sign_up("ADA.example.COM")).await;
    assert_eq!(later.refused(), Refusal::IdentifierTaken);
}

#[tokio::test]
async fn an_unknown_identifier_is_refused_like_a_wrong_password_after_a_real_hash() {
    let rig = Rig::new().await;
    let before = rig.cpu.hashes.load(std::sync::atomic::Ordering::SeqCst);
    let answer = rig.ask(None, sign_in("nobody.example.com", PASSWORD)).await;
    assert_eq!(answer.refused(), Refusal::InvalidCredentials);
    let after = rig.cpu.hashes.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(after - before, 1);
}

#[tokio::test]
async fn a_lost_answer_to_a_sign_in_is_given_again_after_a_restart() {
    let rig = Rig::new().await;
    rig.signed_up(ADA).await;
    let first = rig.ask(Some(7), sign_in(ADA, PASSWORD)).await.granted();
    let rig = rig.restart().await;
    let again = rig.ask(Some(7), sign_in(ADA, PASSWORD)).await.granted();
    assert_eq!(again.session, first.session);
    assert!(again.refresh.matches(&first.refresh));
}

#[tokio::test]
async fn no_more_commands_wait_for_one_person_than_the_limit() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::Held);
    let limit = Limits::default().commands_per_person;
    let asked: Vec<_> = (0..=limit)
        .map(|_| rig.submit(None, refresh(&grant)))
        .collect();
    let mut busy = 0;
    rig.until(|| rig.store.held() == 1).await;
    rig.store.let_go().await;
    for answer in asked {
        match answer.await.unwrap() {
            Answer::Failed(failure) => {
                assert_eq!(
                    failure,
                    Failure::Busy {
                        limit: Limit::CommandsPerPerson,
                        retry_after_ms: 250
                    }
                );
                busy += 1;
            }
            other => drop(other.granted()),
        }
    }
    assert_eq!(busy, 1);
}

#[tokio::test]
async fn no_more_commands_wait_in_all_than_the_limit() {
    let rig = Rig::with(Limits {
        commands: 6,
        ..Limits::default()
    })
    .await;
    rig.cpu.hold();
    let asked: Vec<_> = (0..5)
        .map(|n| rig.submit(None, sign_up(&format!("p{n}.example.com"))))
        .collect();
    rig.until(|| rig.cpu.held() == 3).await;
    rig.cpu.let_go();
    let mut busy = 0;
    for answer in asked {
        busy += usize::from(matches!(
            answer.await.unwrap(),
            Answer::Failed(Failure::Busy { .. })
        ));
    }
    assert_eq!((busy, rig.engine.waiting()), (2, 0));
}

#[tokio::test]
async fn work_that_nobody_waits_for_any_more_is_not_begun() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    rig.clock.advance(10_000);
    let before = (
        rig.store.commits(),
        rig.cpu.hashes.load(std::sync::atomic::Ordering::SeqCst),
    );
    let answer = rig.submit_request(Request {
        context: Context {
            gateway: GatewayId::default(),
            max_age_ms: 0,
            known_epoch: 0,
            tenant: rig.tenant,
            class: Class::Refresh,
            idempotency: None,
            deadline_ms: 9_999,
        },
        task: refresh(&grant),
    });
    assert_eq!(answer.await.unwrap().failed(), Failure::DeadlineExceeded);
    assert_eq!(rig.store.commits(), before.0);
}

#[tokio::test]
async fn tenants_see_nothing_of_each_other() {
    let mut rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    rig.tenant = TenantId::of_name("other");
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
    let answer = rig.ask(None, sign_in(ADA, PASSWORD)).await;
    assert_eq!(answer.refused(), Refusal::InvalidCredentials);
    assert_eq!(
        rig.ask(None, refresh(&grant)).await.refused(),
        Refusal::InvalidToken
    );
    let user = rig.signed_up(ADA).await;
    assert_ne!(user, grant.user);
    rig.tenant = TenantId::of_name("nobody");
    let answer = rig.ask(None, refresh(&grant)).await;
    assert_eq!(answer.failed(), Failure::UnknownTenant);
}

#[tokio::test]
async fn a_token_of_nobody_is_refused_and_leaves_nothing_behind() {
    let rig = Rig::new().await;
    let mut grant = rig.signed_in(ADA).await;
    let known = grant.user;
    let mut bytes = *known.as_bytes();
    bytes[9] ^= 1;
    grant.user = tidegate_account::UserId::from_bytes(bytes);
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
    assert_eq!(
        rig.ask(None, refresh(&grant)).await.refused(),
        Refusal::InvalidToken
    );
    rig.settle().await;
    assert_eq!((rig.engine.hot_people(), rig.engine.warm_people()), (0, 1));
    bytes[0] = 9;
    grant.user = tidegate_account::UserId::from_bytes(bytes);
    let nowhere = rig.ask(None, refresh(&grant)).await.refused();
    assert_eq!(nowhere, Refusal::InvalidToken);
}

#[tokio::test]
async fn a_forged_secret_is_refused_warm_and_cold() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let mut ask = rig.ask_of(&grant);
    ask.secret = Secret::new([0; 24]);
    let (outcome, _) = rig.engine.check(&ask).unwrap();
    assert_eq!(outcome, Outcome::No(Refusal::InvalidToken));
    let rig = rig.restart().await;
    let answer = rig.ask(None, Task::Check(ask)).await;
    assert!(matches!(
        answer,
        Answer::Checked(Outcome::No(Refusal::InvalidToken))
    ));
}

#[tokio::test]
async fn uses_are_written_behind_and_survive_a_restart() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let idle_ms = policy().session.idle_ms;
    rig.clock.advance(idle_ms / 20 - 1);
    rig.check(&grant).await;
    rig.clock.advance(1_000);
    rig.settle().await;
    let commits = rig.store.commits();
    rig.clock.advance(idle_ms / 10);
    rig.check(&grant).await;
    let used_at = rig.clock.unix_ms();
    rig.clock.advance(100);
    rig.until(|| rig.store.commits() > commits).await;
    rig.settle().await;
    assert_eq!(rig.store.commits(), commits + 1);
    let rig = rig.restart().await;
    let by = SessionProof {
        session: grant.session,
        secret: grant.session_secret(),
    };
    let list = Task::Account {
        user: grant.user,
        command: Command::Session(SessionCommand::Sessions { by }),
    };
    let Answer::Reply(Reply::Session(SessionReply::Sessions(sessions))) = rig.ask(None, list).await
    else {
        panic!("no list");
    };
    // The touch of a session is capped at a tenth of the idle time.
    let capped = (used_at - 1_000 - 999).min(sessions[0].created_at + idle_ms / 10);
    assert!(sessions[0].used_at >= capped && sessions[0].used_at <= used_at);
}

#[tokio::test]
async fn what_was_promised_holds_after_a_restart() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let idle_ms = policy().session.idle_ms;
    rig.clock.advance(idle_ms / 25);
    let Outcome::Yes(checked) = rig.check(&grant).await else {
        panic!("not active");
    };
    assert!(checked.idle_expires_at >= grant.idle_expires_at);
    let rig = rig.restart().await;
    rig.clock
        .advance(checked.idle_expires_at - 1 - rig.clock.unix_ms());
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    rig.clock.advance(idle_ms);
    assert_eq!(
        rig.check(&grant).await,
        Outcome::No(Refusal::SessionExpired)
    );
}

#[tokio::test]
async fn people_unused_for_long_become_cold_and_come_back() {
    let rig = Rig::with(Limits {
        warm_idle_ms: 60_000,
        ..Limits::default()
    })
    .await;
    let grant = rig.signed_in(ADA).await;
    let used = rig.signed_in("bob.example.com").await;
    for _ in 0..8 {
        rig.clock.advance(10_000);
        rig.check(&used).await;
        rig.settle().await;
    }
    assert_eq!(rig.engine.warm_people(), 1);
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    assert_eq!(rig.engine.warm_people(), 2);
}

#[tokio::test]
async fn beyond_the_limit_those_longest_unused_become_cold() {
    let rig = Rig::with(Limits {
        warm_people: 2,
        ..Limits::default()
    })
    .await;
    for n in 0..4 {
        rig.signed_in(&format!("p{n}.example.com")).await;
        rig.clock.advance(2_000);
    }
    rig.clock.advance(10_000);
    rig.settle().await;
    assert!(rig.engine.warm_people() <= 2);
}

#[tokio::test]
async fn nothing_that_names_a_person_is_stored_in_clear() {
    let rig = Rig::new().await;
    let user = rig.signed_up(ADA).await;
    for (_, value) in rig.store.rows().await {
        let clear = |text: &[u8]| value.windows(text.len()).any(|window| window == text);
        assert!(!clear(b"ada.") && !clear(b"example.com") && !clear(b"argon2id"));
    }
    let slot = Slot::new(user.slot()).unwrap();
    let profile = RowKey::person(
        Region::FIRST,
        slot,
        user.as_bytes(),
        PersonPart::Cold {
            kind: 0x10,
            number: 0,
        },
    );
    assert!(rig.store.inner.get(profile).await.unwrap().is_some());
}

#[tokio::test]
async fn events_are_appended_with_the_changes_they_report() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    rig.ask(None, revoke(&grant, RevokeScope::All)).await;
    let slot = Slot::new(grant.user.slot()).unwrap();
    let range = tidegate_storage_api::KeyRange::events(Region::FIRST, slot.partition());
    let rows = rig.store.inner.range(range, 100).await.unwrap();
    let kinds: Vec<_> = rows
        .iter()
        .map(|(_, value)| tidegate_account::decode_event(value).unwrap().kind)
        .collect();
    use tidegate_account::{EndReason, EventKind};
    let session = grant.session.0;
    assert_eq!(
        kinds,
        [
            EventKind::SignedUp,
            EventKind::SignedIn(session, 1),
            EventKind::SessionEnded(session, EndReason::Revoked)
        ]
    );
}

#[tokio::test]
async fn a_hot_person_stays_warm_however_long_unused() {
    let rig = Rig::with(Limits {
        warm_idle_ms: 60_000,
        ..Limits::default()
    })
    .await;
    let grant = rig.signed_in(ADA).await;
    rig.store.set(Mood::Held);
    let asked = rig.submit(None, refresh(&grant));
    rig.until(|| rig.store.held() == 1).await;
    for _ in 0..10 {
        rig.clock.advance(10_000);
        rig.settle().await;
    }
    let (outcome, _) = rig.engine.check(&rig.ask_of(&grant)).unwrap();
    assert!(matches!(outcome, Outcome::Yes(_)));
    rig.store.let_go().await;
    asked.await.unwrap().granted();
}

#[tokio::test]
async fn a_use_that_finds_the_person_cold_is_written_behind_too() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let rig = rig.restart().await;
    rig.clock.advance(policy().session.idle_ms / 5);
    let commits = rig.store.commits();
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    rig.clock.advance(100);
    rig.until(|| rig.store.commits() > commits).await;
}

#[tokio::test]
async fn a_use_that_is_not_written_yet_is_not_forgotten_when_another_change_is_published() {
    let rig = Rig::with(Limits {
        write_behind_queue: 1,
        ..Limits::default()
    })
    .await;
    let used = rig.signed_in(ADA).await;
    let other = rig.ask(None, sign_in(ADA, PASSWORD)).await.granted();
    let bob = rig.signed_in("bob.example.com").await;
    let idle_ms = policy().session.idle_ms;
    rig.store.set(Mood::Held);
    let asked = rig.submit(None, refresh(&other));
    rig.until(|| rig.store.held() == 1).await;
    rig.clock.advance(idle_ms / 10 * 9);
    // Bob fills the queue, so that the use of the other is in memory alone.
    assert!(matches!(rig.check(&bob).await, Outcome::Yes(_)));
    assert!(matches!(rig.check(&used).await, Outcome::Yes(_)));
    rig.store.let_go().await;
    asked.await.unwrap().granted();
    rig.clock.advance(idle_ms / 10 * 6);
    assert!(matches!(rig.check(&used).await, Outcome::Yes(_)));
}
