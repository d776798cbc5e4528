//! Erasing a person: nothing stays but that it happened.

use super::*;
use crate::LifecycleReply;
use crate::{CredentialCommand, LifecycleCommand};

fn erase() -> Command {
    let by = Administrator("office".into());
    Command::Lifecycle(LifecycleCommand::Erase { by })
}

fn erasure(at: u64) -> Erasure {
    Erasure {
        tenant: TENANT,
        at,
        by: Administrator("office".into()),
    }
}

#[test]
fn everything_goes_and_a_row_stays_that_says_so() {
    let (mut world, _) = World::signed_in();
    let held = world.account.held().collect::<Vec<_>>();
    let output = world.send(Some(1), erase());
    let at = world.now;
    assert!(
        matches!(output.replies[..], [(_, Reply::Lifecycle(LifecycleReply::Erased(then)))] if then == at)
    );
    let changes = output.changes.unwrap();
    let released: Vec<_> = changes.released.iter().map(|row| row.hash).collect();
    assert_eq!(released, [held[0].0]);
    assert_eq!(changes.fate, Fate::Erased(erasure(at)));
    assert_eq!(changes.events, [EventKind::Erased]);
    assert!(changes.texts.is_empty() && changes.held.is_empty() && changes.audits.is_empty());
    assert!(world.account.parts().is_none());
}

#[test]
fn a_repeat_is_told_since_when_and_nobody_is_made_in_that_place_again() {
    let (mut world, grant) = World::signed_in();
    let at = world.now;
    world.ask_with(Some(1), erase());
    // Read anew, as after a crash or by the next owner.
    let user = grant.user;
    for account in [None, Some(Account::erased(user, erasure(at)))] {
        if let Some(account) = account {
            world.account = account;
        }
        world.now += 1_000_000;
        for key in [Some(1), Some(2), None] {
            let again = world.ask_with(key, erase());
            assert!(matches!(again, Reply::Lifecycle(LifecycleReply::Erased(then)) if then == at));
        }
        let late = world.ask(Command::Credential(CredentialCommand::SignUp(sign_up(
            PASSWORD,
        ))));
        assert_eq!(late.refused(), Refusal::UnknownAccount);
        assert_eq!(world.refresh(&grant).refused(), Refusal::InvalidToken);
        let nobody = world.sign_in(PASSWORD).refused();
        assert_eq!(nobody, Refusal::InvalidCredentials);
        world.tenant = TenantId(8);
        assert_eq!(world.ask(erase()).refused(), Refusal::UnknownAccount);
        world.tenant = TENANT;
        assert!(world.account.parts().is_none());
    }
}

#[test]
fn a_use_that_was_not_written_yet_is_written_for_nobody() {
    let (mut world, grant) = World::signed_in();
    world.now += 1;
    let uses = Vec::from([(grant.session, world.now)]);
    world.input(Input::Touched(uses));
    let mut changes = world.send(None, erase()).changes.unwrap();
    assert!(world.input(Input::WriteBehind).changes.is_none());
    // Nor does anything that goes into the same commit.
    changes.extend(Changes::default());
    assert_eq!(changes.fate, Fate::Erased(erasure(world.now)));
}

#[test]
fn what_began_before_finds_nobody() {
    let mut world = World::signed_up();
    let attempt = sign_in(PASSWORD, None, Remember::Nothing);
    assert!(world.send(None, attempt).replies.is_empty());
    let output = world.send(None, erase());
    assert!(matches!(
        output.replies[..],
        [
            (_, Reply::No(Refusal::InvalidCredentials)),
            (_, Reply::Lifecycle(LifecycleReply::Erased(_)))
        ]
    ));
    let late = world.work();
    assert!(late.replies.is_empty() && late.changes.is_none());
    assert!(world.account.parts().is_none());
}

#[test]
fn nobody_is_erased_who_is_not_there_or_is_anothers() {
    let mut world = World::empty();
    assert_eq!(world.ask(erase()).refused(), Refusal::UnknownAccount);
    // A decoy cannot be erased.
    world.sign_in("wrong password").refused();
    assert!(world.account.parts().is_some());
    assert_eq!(world.ask(erase()).refused(), Refusal::UnknownAccount);
    let mut world = World::signed_up();
    world.tenant = TenantId(8);
    assert_eq!(world.ask(erase()).refused(), Refusal::UnknownAccount);
    assert!(world.account.parts().is_some());
}
