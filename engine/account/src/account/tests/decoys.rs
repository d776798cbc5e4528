use super::*;
use crate::event::EventKind::{SignInFailed, SignedUp, UnknownIdentifier};
use crate::policy::Policy;
use crate::{CredentialCommand, SessionCommand};

/// An account that signed up long enough ago that no outcome is kept any more.
fn settled() -> World {
    let mut world = World::signed_up();
    world.now += 10 * 60_000;
    world
}

fn record_bytes(world: &World) -> usize {
    let (check, sealed) = world.account.parts().unwrap();
    unsealed(Format::NEWEST, check, sealed).len()
}

/// What one wrong guess led to: reply, verifications so far, events, size.
fn guess(world: &mut World, n: u8) -> (Refusal, usize, usize, usize) {
    let command = sign_in("wrong password", None, Remember::Nothing);
    let refusal = world.ask_with(Some(n), command).refused();
    let bytes = world.account.parts().map_or(0, |_| record_bytes(world));
    (refusal, world.verified, world.events.len(), bytes)
}

#[test]
fn guesses_at_nobody_are_told_counted_and_kept_as_guesses_at_somebody() {
    let (mut known, mut unknown) = (settled(), World::empty());
    unknown.now = known.now;
    unknown.events.push(SignedUp);
    for n in 0..40 {
        assert_eq!(guess(&mut known, n), guess(&mut unknown, n), "guess {n}");
        for world in [&mut known, &mut unknown] {
            world.now += 20_000;
            world.crash();
        }
    }
    let failed = |world: &World, kind: &EventKind| {
        let events = world.events.iter();
        events.filter(|event| *event == kind).count()
    };
    let failures = failed(&known, &SignInFailed);
    assert!(failures > 5);
    assert_eq!(failed(&unknown, &UnknownIdentifier), failures);
}

#[test]
fn a_stand_in_lets_nobody_in_and_knows_no_question() {
    let mut world = World::empty();
    world.sign_in(PASSWORD).refused();
    let output = world.send(None, sign_in(PASSWORD, None, Remember::Nothing));
    assert!(output.replies.is_empty());
    let [
        Effect::Hash {
            work: PasswordWork::Compare { stored: None, .. },
            ..
        },
    ] = world.waiting[..]
    else {
        panic!("something to compare with: {:?}", world.waiting);
    };
    let replies = world.work().replies;
    assert!(matches!(
        replies[..],
        [(_, Reply::No(Refusal::InvalidCredentials))]
    ));
    let lock = world.ask(set_status(StatusChange::Lock));
    assert_eq!(lock.refused(), Refusal::UnknownAccount);
    let by = SessionProof {
        session: SessionId(0),
        secret: Secret::new([0; 24]),
    };
    let list = world.ask(Command::Session(SessionCommand::Sessions { by }));
    assert_eq!(list.refused(), Refusal::InvalidToken);
}

#[test]
fn a_stand_in_goes_when_its_guesses_are_forgotten_and_not_before() {
    let mut world = World::empty();
    world.sign_in("wrong password").refused();
    let forget_ms = Policy::default().guess.forget_ms;
    world.now += forget_ms - 1;
    assert!(world.input(Input::Sweep).changes.is_none());
    world.now += 1;
    let output = world.account.handle(
        world.now,
        Entropy::new([9; 32]),
        &world.policy,
        Input::Sweep,
    );
    let changes = output.changes.unwrap();
    assert_eq!(
        (changes.fate, changes.released.len()),
        (Fate::Removed(TENANT), 0)
    );
    assert!(world.account.parts().is_none());
}

#[test]
fn a_source_held_back_stops_strangers_and_lets_the_known_device_in() {
    let mut world = World::signed_up();
    let remember = sign_in(PASSWORD, None, Remember::Device);
    let device = world.ask(remember).granted().device;
    let held = |password: &str, device| {
        let Command::Credential(CredentialCommand::SignIn(mut sign_in)) =
            sign_in(password, device, Remember::Nothing)
        else {
            unreachable!();
        };
        sign_in.source = Source::Held {
            retry_after_ms: 7_000,
        };
        Command::Credential(CredentialCommand::SignIn(sign_in))
    };
    let verified = world.verified;
    let stranger = world.ask(held(PASSWORD, None)).refused();
    let retry_after_ms = 7_000;
    assert_eq!(stranger, Refusal::Throttled { retry_after_ms });
    let nobody = World::empty().ask(held(PASSWORD, None)).refused();
    assert_eq!(nobody, Refusal::Throttled { retry_after_ms });
    assert_eq!(world.verified, verified);
    world.ask(held(PASSWORD, device)).granted();
}
