//! Each named limit, filled: what is over it is refused at once and by name,
//! warm checks go on, and nothing is left waiting.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use rig::{Expect, Mood, PASSWORD, Rig, refresh, revoke, sign_in, sign_up};
use tidegate_account::{Grant, Refusal, RevokeScope};
use tidegate_runtime::ports::Clock;
use tidegate_runtime::{
    Answer, Class, Context, Failure, GatewayId, Limit, Limits, Outcome, Request, Task,
};

fn busy(answer: Answer) -> Limit {
    match answer {
        Answer::Failed(Failure::Busy {
            limit,
            retry_after_ms,
        }) => {
            assert!(retry_after_ms > 0);
            limit
        }
        other => panic!("{other:?}"),
    }
}

fn still_answered(rig: &Rig, grant: &Grant) {
    let (outcome, _) = rig.engine.check(&rig.ask_of(grant)).unwrap();
    assert!(matches!(outcome, Outcome::Yes(_)));
}

#[tokio::test]
async fn requests_that_wait_in_all() {
    let limits = Limits {
        commands: 10,
        ..Limits::default()
    };
    let rig = Rig::with(limits).await;
    let grant = rig.signed_in("ada").await;
    rig.cpu.hold();
    // Registrations may fill half of it.
    let waiting: Vec<_> = (0..5)
        .map(|n| rig.submit(None, sign_up(&format!("p{n}"))))
        .collect();
    rig.until(|| rig.cpu.held() == 5).await;
    assert_eq!(busy(rig.ask(None, sign_up("p9")).await), Limit::Commands);
    still_answered(&rig, &grant);
    // What makes somebody safer goes on.
    let ended = rig.ask(None, revoke(&grant, RevokeScope::All)).await;
    assert!(matches!(ended, Answer::Reply(_)));
    rig.cpu.let_go();
    for answer in waiting {
        answer.await.unwrap().signed_up();
    }
    assert_eq!(rig.engine.waiting(), 0);
}

#[tokio::test]
async fn people_being_read_from_storage() {
    let mut rig = Rig::with(Limits {
        activations: 3,
        ..Limits::default()
    })
    .await;
    let mut grants = Vec::new();
    for n in 0..5 {
        grants.push(rig.signed_in(&format!("p{n}")).await);
    }
    rig = rig.restart().await;
    let warm = grants.pop().unwrap();
    assert!(matches!(rig.check(&warm).await, Outcome::Yes(_)));
    rig.store.allow_reads(0);
    let check = |grant| Task::Check(rig.ask_of(grant));
    let waiting: Vec<_> = grants[..3]
        .iter()
        .map(|one| rig.submit(None, check(one)))
        .collect();
    rig.until(|| rig.engine.hot_people() == 3).await;
    assert_eq!(
        busy(rig.ask(None, check(&grants[3])).await),
        Limit::Activations
    );
    still_answered(&rig, &warm);
    rig.store.allow_reads(usize::MAX);
    for answer in waiting {
        assert!(matches!(
            answer.await.unwrap(),
            Answer::Checked(Outcome::Yes(_))
        ));
    }
    assert!(matches!(rig.check(&grants[3]).await, Outcome::Yes(_)));
}

#[tokio::test]
async fn commits_that_wait_to_be_durable() {
    let rig = Rig::with(Limits {
        commits: 4,
        ..Limits::default()
    })
    .await;
    let mut grants = Vec::new();
    for n in 0..6 {
        grants.push(rig.signed_in(&format!("p{n}")).await);
    }
    rig.store.set(Mood::Held);
    // Refreshes may fill 85 % of it.
    let waiting: Vec<_> = grants[..3]
        .iter()
        .map(|one| rig.submit(None, refresh(one)))
        .collect();
    rig.until(|| rig.store.held() == 3).await;
    assert_eq!(
        busy(rig.ask(None, refresh(&grants[3])).await),
        Limit::Commits
    );
    still_answered(&rig, &grants[4]);
    let ended = rig.submit(None, revoke(&grants[4], RevokeScope::All));
    rig.until(|| rig.store.held() == 4).await;
    rig.store.let_go().await;
    for answer in waiting {
        answer.await.unwrap().granted();
    }
    assert!(matches!(ended.await.unwrap(), Answer::Reply(_)));
}

#[tokio::test]
async fn commands_that_wait_for_one_person() {
    let rig = Rig::with(Limits {
        commands_per_person: 2,
        ..Limits::default()
    })
    .await;
    let grant = rig.signed_in("ada").await;
    let other = rig.signed_in("bob").await;
    rig.store.set(Mood::Held);
    let waiting = [refresh(&grant), refresh(&grant)].map(|task| rig.submit(None, task));
    rig.until(|| rig.store.held() == 1).await;
    assert_eq!(
        busy(rig.ask(None, refresh(&grant)).await),
        Limit::CommandsPerPerson
    );
    still_answered(&rig, &grant);
    still_answered(&rig, &other);
    rig.store.let_go().await;
    for answer in waiting {
        answer.await.unwrap().granted();
    }
}

#[tokio::test]
async fn passwords_that_would_be_hashed_too_late_are_refused_before_they_begin() {
    let rig = Rig::new().await;
    rig.signed_up("ada").await;
    let request = |remaining_ms| Request {
        context: Context {
            gateway: GatewayId::default(),
            max_age_ms: 0,
            known_epoch: 0,
            tenant: rig.tenant,
            class: Class::Password,
            idempotency: None,
            deadline_ms: rig.clock.monotonic_ms() + remaining_ms,
        },
        task: sign_in("ada", PASSWORD),
    };
    rig.cpu.hold();
    let late = rig.submit_request(request(1_000));
    rig.until(|| rig.cpu.held() == 1).await;
    rig.clock.advance(1_001);
    rig.cpu.let_go();
    let refusal = late.await.unwrap().refused();
    assert!(matches!(refusal, Refusal::Busy { .. }), "{refusal:?}");
    // Nothing was charged for what was not verified.
    rig.submit_request(request(1_000)).await.unwrap().granted();
}

#[tokio::test]
async fn attempts_that_wait_for_others_of_their_tenant() {
    let limits = Limits {
        attempts: 2,
        ..Limits::default()
    };
    let mut policy = rig::policy();
    policy.crowd.free = 2;
    let rig = Rig::under(limits, policy).await;
    let names = ["ada", "bob", "eve", "joe", "kim"];
    for name in names {
        rig.signed_up(name).await;
    }
    rig.cpu.hold();
    let ask = |name| rig.submit(None, sign_in(name, PASSWORD));
    let [ada, bob] = ["ada", "bob"].map(ask);
    rig.until(|| rig.cpu.held() == 2).await;
    let waiting = ["eve", "joe"].map(ask);
    rig.settle().await;
    assert_eq!(busy(ask("kim").await.unwrap()), Limit::Attempts);
    // Nobody waits for those two any more.
    rig.clock.advance(60_001);
    for answer in waiting {
        assert_eq!(answer.await.unwrap().failed(), Failure::DeadlineExceeded);
    }
    rig.cpu.let_go();
    // The deadlines of what was under way have passed as well. Nothing is owed.
    for answer in [ada, bob] {
        let refusal = answer.await.unwrap().refused();
        assert!(matches!(refusal, Refusal::Busy { .. }), "{refusal:?}");
    }
    for name in names {
        ask(name).await.unwrap().granted();
    }
    assert_eq!(rig.engine.waiting(), 0);
}
