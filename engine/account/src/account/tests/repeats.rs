use super::*;
use crate::outcome::OUTCOME_KEPT_MS;
use crate::{CredentialCommand, SessionCommand};
use crate::{CredentialReply, SessionReply};

#[test]
fn a_repeated_sign_up_gets_the_same_account_even_after_a_crash() {
    let mut world = World::empty();
    let Reply::Credential(CredentialReply::SignedUp(user)) = world.ask_with(
        Some(1),
        Command::Credential(CredentialCommand::SignUp(sign_up(PASSWORD))),
    ) else {
        panic!("not signed up");
    };
    world.crash();
    let again = world.ask_with(
        Some(1),
        Command::Credential(CredentialCommand::SignUp(sign_up(PASSWORD))),
    );
    assert!(matches!(again, Reply::Credential(CredentialReply::SignedUp(same)) if same == user));
    let other = world.ask_with(
        Some(2),
        Command::Credential(CredentialCommand::SignUp(sign_up(PASSWORD))),
    );
    assert_eq!(other.refused(), Refusal::IdempotencyReused);
}

#[test]
fn a_repeated_sign_in_gets_the_same_session() {
    let mut world = World::signed_up();
    let command = sign_in(PASSWORD, None, Remember::Device);
    let first = world.ask_with(Some(1), command.clone()).granted();
    world.crash();
    let again = world.ask_with(Some(1), command.clone()).granted();
    assert_eq!(again.session, first.session);
    assert!(again.family.matches(&first.family) && again.refresh.matches(&first.refresh));
    let (ours, theirs) = (first.device.unwrap(), again.device.unwrap());
    assert!(ours.id == theirs.id && ours.secret.matches(&theirs.secret));
    assert_eq!((world.sessions(), world.verified), (1, 1));
    world.now += OUTCOME_KEPT_MS;
    let later = world.ask_with(Some(1), command).granted();
    assert_ne!(later.session, first.session);
}

#[test]
fn a_repeat_joins_the_request_that_is_still_under_way() {
    let mut world = World::signed_up();
    for _ in 0..3 {
        let output = world.send(Some(1), sign_in(PASSWORD, None, Remember::Nothing));
        assert!(output.replies.is_empty());
    }
    assert_eq!(world.waiting.len(), 1);
    let replies = world.work().replies;
    let sessions: Vec<_> = replies
        .into_iter()
        .map(|(_, reply)| reply.granted().session)
        .collect();
    assert!(sessions.len() == 3 && sessions.iter().all(|id| *id == sessions[0]));
}

#[test]
fn a_failed_sign_in_repeated_is_charged_once() {
    let mut world = World::signed_up();
    for _ in 0..5 {
        let reply = world.ask_with(Some(1), sign_in("wrong", None, Remember::Nothing));
        assert_eq!(reply.refused(), Refusal::InvalidCredentials);
    }
    assert_eq!(world.account.parts().unwrap().1.unknown_device.failures, 1);
}

#[test]
fn a_key_used_for_another_request_is_refused_and_opens_nothing() {
    let mut world = World::signed_up();
    world
        .ask_with(Some(1), sign_in(PASSWORD, None, Remember::Nothing))
        .granted();
    let other = Idempotency {
        key: [1; 16],
        request: [9; 32],
    };
    let command = sign_in("wrong", None, Remember::Nothing);
    let output = world.send_with(Some(other.clone()), command.clone());
    assert_eq!(
        output.replies[0].1.clone().refused(),
        Refusal::IdempotencyReused
    );
    world.send(Some(2), command.clone());
    let reused = Idempotency {
        key: [2; 16],
        ..other
    };
    let output = world.send_with(Some(reused), command);
    assert_eq!(
        output.replies[0].1.clone().refused(),
        Refusal::IdempotencyReused
    );
}

#[test]
fn a_repeated_revocation_counts_the_same() {
    let (mut world, grant) = World::signed_in();
    let revoke = Command::Session(SessionCommand::Revoke {
        by: proof(&grant),
        scope: RevokeScope::All,
    });
    for _ in 0..2 {
        let reply = world.ask_with(Some(1), revoke.clone());
        assert!(matches!(reply, Reply::Session(SessionReply::Revoked(1))));
    }
}

#[test]
fn failures_do_not_drive_out_the_success_that_may_be_asked_for_again() {
    let mut world = World::signed_up();
    world.policy.guess.free = 100;
    world.policy.guess.free = 100;
    let first = world
        .ask_with(Some(1), sign_in(PASSWORD, None, Remember::Nothing))
        .granted();
    for key in 10..40 {
        world.now += 1;
        world
            .ask_with(Some(key), sign_in("wrong", None, Remember::Nothing))
            .refused();
    }
    let again = world
        .ask_with(Some(1), sign_in(PASSWORD, None, Remember::Nothing))
        .granted();
    assert_eq!(again.session, first.session);
}

#[test]
fn the_record_holds_no_secret_that_was_handed_out() {
    let mut world = World::signed_up();
    let command = sign_in(PASSWORD, None, Remember::Device);
    let grant = world.ask_with(Some(1), command).granted();
    let next = world.refresh(&grant).granted();
    let (check, sealed) = world.account.parts().unwrap();
    let bytes = unsealed(Format::NEWEST, check, sealed);
    let device = grant.device.clone().unwrap();
    for secret in [
        &grant.family,
        &grant.session_secret(),
        &grant.refresh,
        &next.refresh,
        &device.secret,
    ] {
        let held = bytes
            .windows(8)
            .any(|window| window == &secret.expose()[..8]);
        assert!(!held);
    }
}
