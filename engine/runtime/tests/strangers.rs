//! What strangers can do and learn: nothing more than they are told.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use rig::{
    Effects, Expect, PASSWORD, Rig, SOURCE, mail, policy, sign_in, sign_in_as, sign_up, sign_up_as,
    verify,
};
use tidegate_account::{
    CredentialReply, DeviceProof, Identifier, IdentifierKind, IdentifierReply, Password, Policy,
    Refusal, Remember, Reply, UsernamePolicy, Verification,
};
use tidegate_runtime::{Answer, Limits, Origin, Task};

const ADA: &str = "ada@example.com";
const WRONG: &str = "wrong horse";

async fn verified(rig: &Rig, address: &str) -> tidegate_account::UserId {
    let user = rig.ask(None, sign_up_as(mail(address))).await.signed_up();
    let shown = verify(user, mail(address), Some(PASSWORD));
    let verification = rig.ask(None, shown).await.verified();
    assert_eq!(verification, Verification::Confirmed);
    user
}

/// Twenty failures as fast as the waits allow: what each did and answered.
async fn twenty_failures(rig: &Rig, who: &dyn Fn() -> Identifier) -> Vec<(Effects, Refusal)> {
    let mut seen = Vec::new();
    let mut key = 0;
    while seen.len() < 40 {
        key += 1;
        let (effects, answer) = rig.effects_of(key, sign_in_as(who(), WRONG)).await;
        let refusal = answer.refused();
        if let Refusal::Throttled { retry_after_ms } = refusal {
            rig.clock.advance(retry_after_ms);
        }
        seen.push((effects, refusal));
        let failures = seen
            .iter()
            .filter(|(_, one)| *one == Refusal::InvalidCredentials);
        if failures.count() == 20 {
            break;
        }
    }
    seen
}

#[tokio::test]
async fn guesses_at_nobody_do_and_answer_what_guesses_at_somebody_do() {
    let rig = Rig::new().await;
    verified(&rig, ADA).await;
    // Their sign-up is over: its outcome is kept for repeats no longer.
    rig.clock.advance(10 * 60 * 1000);
    let rig = rig.restart().await;
    let known = twenty_failures(&rig, &|| mail(ADA)).await;
    let unknown = twenty_failures(&rig, &|| mail("bob@example.com")).await;
    assert_eq!(known, unknown);
    let failures = known
        .iter()
        .filter(|(_, one)| *one == Refusal::InvalidCredentials);
    assert_eq!(failures.count(), 20);
    assert!(
        known
            .iter()
            .any(|(_, one)| matches!(one, Refusal::Throttled { .. }))
    );
    let hashes: usize = known.iter().map(|(effects, _)| effects.hashes).sum();
    assert_eq!(hashes, 20);
    assert!(known[0].0.commits.len() == 1 && known[0].0.reads > 0);
}

#[tokio::test]
async fn a_sign_up_with_somebodys_address_does_and_answers_what_any_other_does() {
    let rig = Rig::new().await;
    verified(&rig, ADA).await;
    let (taken, answer) = rig.effects_of(1, sign_up_as(mail(ADA))).await;
    let second = answer.signed_up();
    let (free, answer) = rig.effects_of(2, sign_up_as(mail("bob@example.com"))).await;
    answer.signed_up();
    // The two addresses differ in nothing but their letters, and the texts of
    // both are of one length.
    assert_eq!(taken, free);
    // Neither lets anybody in before the address was shown to be theirs.
    let refused = rig
        .ask(None, sign_in_as(mail("bob@example.com"), PASSWORD))
        .await;
    assert_eq!(refused.refused(), Refusal::InvalidCredentials);
    let shown = rig
        .ask(None, verify(second, mail(ADA), Some(PASSWORD)))
        .await;
    assert_eq!(shown.refused(), Refusal::IdentifierTaken);
}

#[tokio::test]
async fn a_taken_user_name_is_told_which_is_the_stated_exception() {
    let rig = Rig::new().await;
    rig.signed_up("ada").await;
    let again = rig.ask(Some(1), sign_up("Ada")).await;
    assert_eq!(again.refused(), Refusal::IdentifierTaken);
}

#[tokio::test]
async fn of_two_who_claim_an_address_the_one_who_shows_it_first_has_it() {
    let rig = Rig::new().await;
    let claims = [1, 2].map(|key| rig.submit(Some(key), sign_up_as(mail(ADA))));
    let mut users = Vec::new();
    for claim in claims {
        users.push(claim.await.unwrap().signed_up());
    }
    assert_ne!(users[0], users[1]);
    let shown: Vec<_> = users
        .iter()
        .map(|user| rig.submit(None, verify(*user, mail(ADA), Some(PASSWORD))))
        .collect();
    let mut confirmed = 0;
    for answer in shown {
        match answer.await.unwrap() {
            Answer::Reply(Reply::Identifier(IdentifierReply::Verified(_))) => confirmed += 1,
            other => assert_eq!(other.refused(), Refusal::IdentifierTaken),
        }
    }
    assert_eq!(confirmed, 1);
    let grant = rig
        .ask(None, sign_in_as(mail(ADA), PASSWORD))
        .await
        .granted();
    assert!(users.contains(&grant.user));
}

#[tokio::test]
async fn an_account_prepared_with_anothers_address_is_worth_nothing() {
    let rig = Rig::new().await;
    let user = rig.ask(None, rig::sign_up_as(mail(ADA))).await.signed_up();
    // The owner shows the address and sets a password of their own.
    let shown = rig
        .ask(None, verify(user, mail(ADA), Some("another horse")))
        .await;
    assert_eq!(shown.verified(), Verification::TakenOver);
    let attacker = rig.ask(None, sign_in_as(mail(ADA), PASSWORD)).await;
    assert_eq!(attacker.refused(), Refusal::InvalidCredentials);
    rig.ask(None, sign_in_as(mail(ADA), "another horse"))
        .await
        .granted();
}

#[tokio::test]
async fn an_account_that_is_somebodys_keeps_everything_but_the_address_it_mistyped() {
    let rig = Rig::new().await;
    let sign_up = Task::SignUp {
        identifiers: vec![rig::username("mallory"), mail(ADA)],
        password: Password::parse(PASSWORD).unwrap(),
        origin: None,
    };
    let user = rig.ask(None, sign_up).await.signed_up();
    let grant = rig.ask(None, sign_in("mallory", PASSWORD)).await.granted();
    // The address's owner shows it: the account is not theirs, the address is.
    let shown = rig
        .ask(None, verify(user, mail(ADA), Some("another horse")))
        .await;
    assert_eq!(shown.refused(), Refusal::ClaimExpired);
    let (outcome, _) = rig.engine.check(&rig.ask_of(&grant)).unwrap();
    assert!(matches!(outcome, tidegate_runtime::Outcome::Yes(_)));
    let own = rig.ask(None, rig::sign_up_as(mail(ADA))).await.signed_up();
    assert_ne!(own, user);
    let shown = rig.ask(None, verify(own, mail(ADA), None)).await;
    assert_eq!(shown.verified(), Verification::TakenOver);
    rig.ask(None, sign_in("mallory", PASSWORD)).await.granted();
}

fn from(origin: Origin, name: &str, password: &str, device: Option<DeviceProof>) -> Task {
    Task::SignIn {
        identifier: rig::username(name),
        password: Password::parse(password).unwrap(),
        device,
        remember: Remember::Device,
        origin: Some(origin),
    }
}

fn strict() -> Policy {
    let mut policy = policy();
    policy.source.free = 12;
    policy.source.refill_ms = 60_000;
    policy.sign_ups = policy.source.clone();
    policy
}

#[tokio::test]
async fn a_source_that_guesses_widely_is_held_off_and_a_known_device_gets_past() {
    let rig = Rig::under(Limits::default(), strict()).await;
    for name in ["ada", "bob"] {
        rig.signed_up(name).await;
    }
    let grant = rig
        .ask(None, from(SOURCE, "ada", PASSWORD, None))
        .await
        .granted();
    let device = grant.device.unwrap();
    let mut wrong = 0;
    let held = loop {
        // Each name once: no account's own bound is ever met.
        let guess = from(SOURCE, &format!("name-{wrong}"), WRONG, None);
        match rig.ask(None, guess).await.refused() {
            Refusal::InvalidCredentials => wrong += 1,
            other => break other,
        }
    };
    assert_eq!(wrong, 12);
    assert!(matches!(held, Refusal::Throttled { retry_after_ms } if retry_after_ms <= 60_000));
    // Held off with the right password too, because strangers are.
    let stranger = rig.ask(None, from(SOURCE, "bob", PASSWORD, None)).await;
    assert!(matches!(stranger.refused(), Refusal::Throttled { .. }));
    rig.ask(None, from(SOURCE, "ada", PASSWORD, Some(device)))
        .await
        .granted();
    // Other sources are not held, and time lets this one in again.
    rig.ask(
        None,
        from(Origin::V4([192, 0, 2, 2]), "bob", PASSWORD, None),
    )
    .await
    .granted();
    rig.clock.advance(60_000);
    rig.ask(None, from(SOURCE, "bob", PASSWORD, None))
        .await
        .granted();
}

#[tokio::test]
async fn a_source_is_held_after_a_restart_too_and_successes_cost_it_nothing() {
    let rig = Rig::under(Limits::default(), strict()).await;
    rig.signed_up("ada").await;
    for _ in 0..100 {
        rig.ask(None, from(SOURCE, "ada", PASSWORD, None))
            .await
            .granted();
    }
    for n in 0..12 {
        rig.ask(None, from(SOURCE, &format!("name-{n}"), WRONG, None))
            .await;
    }
    let mut rig = rig;
    let mut more = 0;
    for _ in 0..3 {
        rig = rig.restart().await;
        for n in 0..50 {
            let guess = from(SOURCE, &format!("other-{n}"), WRONG, None);
            let refusal = rig.ask(None, guess).await.refused();
            more += u32::from(refusal == Refusal::InvalidCredentials);
        }
    }
    assert!(more <= 3 * tidegate_runtime::LOCAL_ALLOWANCE, "{more}");
}

/// Many people at once from one address, as behind a carrier's: whoever is right
/// gets in, and whoever makes an account gets one.
#[tokio::test]
async fn a_rush_of_right_passwords_from_one_source_or_none_all_get_in() {
    for (origin, at_once) in [(Some(SOURCE), 60), (Some(SOURCE), 500), (None, 500)] {
        let rig = Rig::new().await;
        let names: Vec<_> = (0..at_once).map(|n| format!("person-{n}")).collect();
        let sign_up = |name: &String| Task::SignUp {
            identifiers: vec![rig::username(name)],
            password: Password::parse(PASSWORD).unwrap(),
            origin,
        };
        let made: Vec<_> = names
            .iter()
            .map(|name| rig.submit(None, sign_up(name)))
            .collect();
        for answer in made {
            answer.await.unwrap().signed_up();
        }
        let sign_in = |name: &String| Task::SignIn {
            identifier: rig::username(name),
            password: Password::parse(PASSWORD).unwrap(),
            device: None,
            remember: Remember::Nothing,
            origin,
        };
        let let_in: Vec<_> = names
            .iter()
            .map(|name| rig.submit(None, sign_in(name)))
            .collect();
        for answer in let_in {
            answer.await.unwrap().granted();
        }
    }
}

/// The row of a source runs ahead of a rush. When the rush is over it says no
/// more than failed, to a later life of the node and to every other.
#[tokio::test]
async fn a_rush_of_right_passwords_keeps_nobody_out_at_another_node_afterwards() {
    let mut rig = Rig::new().await;
    let names: Vec<_> = (0..100).map(|n| format!("person-{n}")).collect();
    for name in &names {
        rig.signed_up(name).await;
    }
    for _ in 0..2 {
        let sign_in = |name: &String| rig.submit(None, from(SOURCE, name, PASSWORD, None));
        let let_in: Vec<_> = names.iter().map(sign_in).collect();
        for answer in let_in {
            answer.await.unwrap().granted();
        }
        rig.settle().await;
        rig = rig.restart().await;
    }
}

/// One password against many accounts. What bounds it where no source is named,
/// or another one for each attempt, is what the tenant and the gateway may fail;
/// an attacker who was there before and waited has no more of it.
#[tokio::test]
async fn spraying_without_a_source_or_with_invented_ones_is_bounded() {
    for (invented, idle_ms) in [(false, 0), (true, 0), (false, 3_600_000), (true, 3_600_000)] {
        let rig = Rig::new().await;
        let first = rig.ask(None, sign_in("nobody", WRONG)).await.refused();
        assert_eq!(first, Refusal::InvalidCredentials);
        rig.clock.advance(idle_ms);
        let earlier = usize::from(idle_ms == 0);
        let before = rig.effects().hashes;
        let asked: Vec<_> = (0..1_000u16)
            .map(|n| {
                let [high, low] = n.to_be_bytes();
                let origin = Origin::V4([198, 51, high, low]);
                rig.submit(
                    None,
                    Task::SignIn {
                        identifier: rig::username(&format!("person-{n}")),
                        password: Password::parse("the same for all").unwrap(),
                        device: None,
                        remember: Remember::Nothing,
                        origin: invented.then_some(origin),
                    },
                )
            })
            .collect();
        let mut held = 0;
        for answer in asked {
            let refusal = answer.await.unwrap().refused();
            held += usize::from(matches!(refusal, Refusal::Throttled { .. }));
        }
        let free = policy().crowd.free as usize - earlier;
        assert_eq!((rig.effects().hashes - before, held), (free, 1_000 - free));
    }
}

#[tokio::test]
async fn a_sprayed_tenant_keeps_nobody_out_who_was_seen_at_their_source_or_device() {
    let rig = Rig::new().await;
    rig.signed_up("ada").await;
    let ada = || from(SOURCE, "ada", PASSWORD, None);
    rig.ask(None, ada()).await.granted();
    for n in 0..policy().crowd.free + 20 {
        rig.ask(None, sign_in(&format!("person-{n}"), "the same for all"))
            .await;
    }
    let stranger = rig.ask(None, sign_in("ada", PASSWORD)).await.refused();
    assert!(matches!(stranger, Refusal::Throttled { .. }));
    rig.ask(None, ada()).await.granted();
}

/// A success from a source is good for eight failures there, and an attacker may
/// have any number of sources and an account to succeed with.
#[tokio::test]
async fn an_account_of_ones_own_buys_each_source_eight_guesses_at_a_sprayed_tenant() {
    let rig = Rig::new().await;
    rig.signed_up("mallory").await;
    let source = |number| Origin::V4([198, 51, 100, number]);
    for number in 0..5 {
        let own = from(source(number), "mallory", PASSWORD, None);
        rig.ask(None, own).await.granted();
    }
    // What those earned is used up with the rest.
    for n in 0..policy().crowd.free + 20 {
        rig.ask(None, sign_in(&format!("person-{n}"), WRONG)).await;
    }
    let mut compared = [0; 5];
    for (number, compared) in (0..5).zip(&mut compared) {
        for n in 0..50 {
            let name = format!("other-{number}-{n}");
            let guess = from(source(number), &name, WRONG, None);
            let refusal = rig.ask(None, guess).await.refused();
            *compared += usize::from(refusal == Refusal::InvalidCredentials);
        }
    }
    assert_eq!(compared, [8; 5]);
}

#[tokio::test]
async fn a_rush_from_where_somebody_signed_in_gets_into_a_sprayed_tenant() {
    let rig = Rig::new().await;
    let names: Vec<_> = (0..100).map(|n| format!("at-home-{n}")).collect();
    for name in &names {
        rig.signed_up(name).await;
    }
    let enter = |name: &String| rig.submit(None, from(SOURCE, name, PASSWORD, None));
    enter(&names[0]).await.unwrap().granted();
    for n in 0..policy().crowd.free + 20 {
        rig.ask(None, sign_in(&format!("person-{n}"), WRONG)).await;
    }
    let rush: Vec<_> = names.iter().map(enter).collect();
    for answer in rush {
        answer.await.unwrap().granted();
    }
}

#[tokio::test]
async fn new_accounts_are_bounded_per_source() {
    let rig = Rig::under(Limits::default(), strict()).await;
    let mut made = 0;
    for n in 0..30 {
        let task = Task::SignUp {
            identifiers: vec![mail(&format!("person-{n}@example.com"))],
            password: Password::parse(PASSWORD).unwrap(),
            origin: Some(SOURCE),
        };
        match rig.ask(None, task).await {
            Answer::Reply(Reply::Credential(CredentialReply::SignedUp(_))) => made += 1,
            other => assert!(matches!(other.refused(), Refusal::Throttled { .. })),
        }
    }
    assert_eq!(made, 12);
}

#[tokio::test]
async fn a_thousand_parallel_guesses_at_nobody_get_no_more_verifications_than_at_somebody() {
    let limits = Limits {
        commands_per_person: 1_000,
        ..Limits::default()
    };
    let rig = Rig::with(limits).await;
    let asked: Vec<_> = (0..1_000)
        .map(|n| rig.submit(None, sign_in("nobody", &format!("guess {n}"))))
        .collect();
    let mut wrong = 0;
    for answer in asked {
        wrong += u32::from(answer.await.unwrap().refused() == Refusal::InvalidCredentials);
    }
    assert_eq!(wrong, u32::from(policy().guess.free));
}

#[tokio::test]
async fn a_line_that_was_registered_with_its_trunk_zero_has_one_holder() {
    let rig = Rig::new().await;
    let phone = |text| Identifier::find(IdentifierKind::Phone, text).unwrap();
    let (before, now) = ("+44 020 7946 0958", "+44 20 7946 0958");
    let user = rig.ask(None, sign_up_as(phone(before))).await.signed_up();
    rig.ask(None, verify(user, phone(before), Some(PASSWORD)))
        .await
        .verified();
    for text in [before, now, "+44 (0)20 7946 0958"] {
        let signed_in = rig.ask(None, sign_in_as(phone(text), PASSWORD)).await;
        assert_eq!(signed_in.granted().user, user, "{text}");
    }
    let other = rig.ask(None, sign_up_as(phone(now))).await.signed_up();
    let shown = verify(other, phone(now), Some(PASSWORD));
    let shown = rig.ask(None, shown).await;
    assert_eq!(shown.refused(), Refusal::IdentifierTaken);
}

#[tokio::test]
async fn a_name_of_mixed_scripts_is_taken_only_where_the_tenant_says_so() {
    let mixed = "\u{430}dmin";
    let rig = Rig::new().await;
    let refused = rig.ask(None, sign_up(mixed)).await;
    assert_eq!(refused.refused(), Refusal::InvalidIdentifier);
    rig.ask(None, sign_up("admin")).await.signed_up();
    let any = Policy {
        usernames: UsernamePolicy::Any,
        ..policy()
    };
    let rig = Rig::under(Limits::default(), any).await;
    rig.ask(None, sign_up(mixed)).await.signed_up();
    rig.ask(None, sign_in(mixed, PASSWORD)).await.granted();
    let taken = rig.ask(None, sign_up(mixed)).await;
    assert_eq!(taken.refused(), Refusal::IdentifierTaken);
}
