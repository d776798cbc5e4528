//! A date that is set wrong, forwards, backwards, or stands still.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use rig::{Expect, PASSWORD, Rig, SOURCE, mail, policy, refresh, sign_in, sign_up_as, username};
use tidegate_account::{Password, Policy, Refusal, Remember};
use tidegate_runtime::{Limits, Outcome, Task};

const YEAR_MS: i64 = 365 * 86_400_000;

#[tokio::test]
async fn a_date_a_year_ahead_refuses_sessions_while_it_lasts_and_throws_nothing_away() {
    let rig = Rig::new().await;
    let grant = rig.signed_in("ada").await;
    let user = rig.ask(None, sign_up_as(mail("bob@example.com"))).await;
    user.signed_up();
    rig.engine.sweep().await.unwrap();
    let before = rig.store.rows().await;
    rig.clock.set_off(YEAR_MS);
    assert!(matches!(rig.check(&grant).await, Outcome::No(_)));
    assert_eq!(
        rig.engine.sweep().await.unwrap(),
        tidegate_runtime::Swept::default()
    );
    assert_eq!(rig.store.rows().await, before);
    rig.clock.set_off(0);
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    rig.ask(None, refresh(&grant)).await.granted();
}

#[tokio::test]
async fn a_node_that_starts_with_a_wrong_date_throws_nothing_away() {
    let rig = Rig::new().await;
    let grant = rig.signed_in("ada").await;
    rig.engine.sweep().await.unwrap();
    rig.clock.set_off(YEAR_MS);
    let rig = rig.restart().await;
    assert_eq!(rig.engine.sweep().await.unwrap().people, 0);
    rig.clock.set_off(0);
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
}

#[tokio::test]
async fn a_date_a_year_behind_keeps_sessions_and_lets_people_in() {
    let rig = Rig::new().await;
    let grant = rig.signed_in("ada").await;
    rig.clock.set_off(-YEAR_MS);
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    let grant = rig.ask(None, refresh(&grant)).await.granted();
    rig.ask(None, sign_in("ada", PASSWORD)).await.granted();
    rig.clock.set_off(0);
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
}

fn from_source(name: &str, password: &str) -> Task {
    Task::SignIn {
        identifier: username(name),
        password: Password::parse(password).unwrap(),
        device: None,
        remember: Remember::Nothing,
        origin: Some(SOURCE),
    }
}

#[tokio::test]
async fn whoever_was_held_off_while_the_date_was_ahead_is_let_in_when_it_is_right() {
    let mut strict = policy();
    strict.source.free = 3;
    let rig = Rig::under(Limits::default(), strict).await;
    rig.signed_up("ada").await;
    rig.clock.set_off(YEAR_MS);
    let mut held = 0;
    for _ in 0..20 {
        let refusal = rig.ask(None, from_source("ada", "wrong horse")).await;
        held += u32::from(refusal.refused() != Refusal::InvalidCredentials);
    }
    assert!(held > 0);
    rig.clock.set_off(0);
    let refill_ms = Policy::default().source.refill_ms;
    rig.clock.advance(refill_ms);
    let rig = rig.restart().await;
    rig.clock.advance(refill_ms);
    rig.ask(None, from_source("ada", PASSWORD)).await.granted();
}

#[tokio::test]
async fn a_date_that_stands_still_lets_people_in_and_ends_nothing_early() {
    let rig = Rig::new().await;
    let grant = rig.signed_in("ada").await;
    for hour in 1..48 {
        rig.clock.advance(3_600_000);
        rig.clock.set_off(-3_600_000 * hour);
        assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    }
    rig.ask(None, sign_in("ada", PASSWORD)).await.granted();
    rig.ask(None, refresh(&grant)).await.granted();
}
