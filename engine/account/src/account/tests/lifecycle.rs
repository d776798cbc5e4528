use super::*;
use crate::event::EndReason::{Evicted, Expired, Revoked};
use crate::event::EventKind::{PasswordUpgraded, SessionEnded, SignInFailed, SignedIn, SignedUp};
use crate::record::{DEVICES_MAX, SESSIONS_MAX};
use crate::status::Status;
use crate::{CredentialCommand, DeviceId, DeviceInfo, SessionCommand};
use crate::{LifecycleReply, SessionReply};

#[test]
fn a_person_signs_up_in_and_out() {
    let (mut world, grant) = World::signed_in();
    assert_eq!(grant.user, UserId::new(1, 99, [3; 16]));
    assert_eq!((grant.assurance, grant.methods), (1, 1));
    assert_eq!(grant.idle_expires_at, world.now + 33 * 86_400_000);
    assert_eq!(grant.expires_at, world.now + 365 * 86_400_000);
    let by = proof(&grant);
    let revoke = Command::Session(SessionCommand::Revoke {
        by: by.clone(),
        scope: RevokeScope::This,
    });
    assert!(matches!(
        world.ask(revoke.clone()),
        Reply::Session(SessionReply::Revoked(1))
    ));
    assert_eq!(world.ask(revoke).refused(), Refusal::InvalidToken);
    let id = grant.session.0;
    assert_eq!(
        world.events,
        [SignedUp, SignedIn(id, 1), SessionEnded(id, Revoked)]
    );
}

#[test]
fn an_account_is_made_once() {
    let mut world = World::signed_up();
    let again = world.ask(Command::Credential(CredentialCommand::SignUp(sign_up(
        "another password",
    ))));
    assert_eq!(again.refused(), Refusal::IdempotencyReused);
    assert!(world.sign_in(PASSWORD).granted().expires_at > 0);
}

#[test]
fn a_short_password_is_refused_before_any_work() {
    let mut world = World::empty();
    let reply = world.ask(Command::Credential(CredentialCommand::SignUp(sign_up(
        "seven77",
    ))));
    assert_eq!(reply.refused(), Refusal::PasswordTooShort);
    assert!(world.account.parts().is_none() && world.waiting.is_empty());
}

#[test]
fn a_hashing_pool_without_room_leaves_no_trace() {
    let mut world = World::empty();
    world.send(
        None,
        Command::Credential(CredentialCommand::SignUp(sign_up(PASSWORD))),
    );
    let pending = world.waiting.remove(0).pending();
    let output = world.input(Input::Completion {
        pending,
        completion: Completion::Refused { retry_after_ms: 9 },
    });
    assert!(output.changes.is_none() && world.account.parts().is_none());
    assert_eq!(
        output.replies[0].1.clone().refused(),
        Refusal::Busy { retry_after_ms: 9 }
    );
}

#[test]
fn a_wrong_password_is_charged_and_told_as_any_other() {
    let mut world = World::signed_up();
    assert_eq!(
        world.sign_in("wrong").refused(),
        Refusal::InvalidCredentials
    );
    assert_eq!(world.events[1..], [SignInFailed]);
    assert_eq!(world.account.parts().unwrap().1.unknown_device.failures, 1);
}

#[test]
fn another_tenant_sees_no_account_at_all() {
    let (mut world, grant) = World::signed_in();
    world.tenant = TenantId(8);
    assert_eq!(
        world.sign_in(PASSWORD).refused(),
        Refusal::InvalidCredentials
    );
    assert_eq!(world.refresh(&grant).refused(), Refusal::InvalidToken);
    let by = proof(&grant);
    let scope = RevokeScope::All;
    let revoke = Command::Session(SessionCommand::Revoke {
        by: by.clone(),
        scope,
    });
    assert_eq!(world.ask(revoke).refused(), Refusal::InvalidToken);
    assert_eq!(
        world
            .ask(Command::Session(SessionCommand::Sessions { by }))
            .refused(),
        Refusal::InvalidToken
    );
    let close = set_status(StatusChange::Suspend);
    assert_eq!(world.ask(close).refused(), Refusal::UnknownAccount);
    assert_eq!((world.sessions(), world.verified), (1, 1));
}

#[test]
fn revoking_takes_exactly_the_sessions_it_names() {
    let (mut world, first) = World::signed_in();
    let second = world.sign_in(PASSWORD).granted();
    let third = world.sign_in(PASSWORD).granted();
    let revoke = |by: &Grant, scope| {
        Command::Session(SessionCommand::Revoke {
            by: proof(by),
            scope,
        })
    };
    let one = world.ask(revoke(&first, RevokeScope::One(second.session)));
    assert!(matches!(one, Reply::Session(SessionReply::Revoked(1))));
    let again = world.ask(revoke(&first, RevokeScope::One(second.session)));
    assert!(matches!(again, Reply::Session(SessionReply::Revoked(0))));
    let others = world.ask(revoke(&third, RevokeScope::Others));
    assert!(matches!(others, Reply::Session(SessionReply::Revoked(1))));
    let Reply::Session(SessionReply::Sessions(left)) =
        world.ask(Command::Session(SessionCommand::Sessions {
            by: proof(&third),
        }))
    else {
        panic!("no list");
    };
    let ids: Vec<_> = left.iter().map(|session| session.id).collect();
    assert_eq!(ids, [third.session]);
    let all = world.ask(revoke(&third, RevokeScope::All));
    assert!(matches!(all, Reply::Session(SessionReply::Revoked(1))));
    assert_eq!(world.sessions(), 0);
}

#[test]
fn sessions_are_listed_last_used_first() {
    let (mut world, first) = World::signed_in();
    world.now += 1_000;
    let second = world.sign_in(PASSWORD).granted();
    world.now += 1_000;
    let third = world.sign_in(PASSWORD).granted();
    let listed = |world: &mut World| {
        let by = proof(&first);
        let Reply::Session(SessionReply::Sessions(sessions)) =
            world.ask(Command::Session(SessionCommand::Sessions { by }))
        else {
            panic!("no list");
        };
        sessions.iter().map(|one| one.id).collect::<Vec<_>>()
    };
    let by_age = [third.session, second.session, first.session];
    assert_eq!(listed(&mut world), by_age);
    world.now += 1_000;
    let uses = Vec::from([(first.session, world.now)]);
    world.input(Input::Touched(uses));
    let by_use = [first.session, third.session, second.session];
    assert_eq!(listed(&mut world), by_use);
}

#[test]
fn a_forged_secret_revokes_nothing() {
    let (mut world, grant) = World::signed_in();
    let by = SessionProof {
        session: grant.session,
        secret: Secret::new([0; 24]),
    };
    let scope = RevokeScope::All;
    assert_eq!(
        world
            .ask(Command::Session(SessionCommand::Revoke { by, scope }))
            .refused(),
        Refusal::InvalidToken
    );
    assert_eq!(world.sessions(), 1);
}

#[test]
fn the_least_recently_used_session_makes_room_with_an_event() {
    let (mut world, first) = World::signed_in();
    let mut second = None;
    for _ in 1..SESSIONS_MAX {
        world.now += 1_000;
        second = second.or(Some(world.sign_in(PASSWORD).granted()));
    }
    assert_eq!(world.sessions(), SESSIONS_MAX);
    world.input(Input::Touched([(first.session, world.now)].into()));
    world.now += 1_000;
    world.sign_in(PASSWORD).granted();
    assert_eq!(world.sessions(), SESSIONS_MAX);
    let evicted = second.unwrap().session.0;
    assert!(world.events.contains(&SessionEnded(evicted, Evicted)));
    assert!(matches!(
        world.refresh(&first),
        Reply::Session(SessionReply::Refreshed(_))
    ));
}

#[test]
fn devices_beyond_the_limit_are_not_remembered_and_the_person_gets_in() {
    let mut world = World::signed_up();
    for n in 0..=DEVICES_MAX {
        let grant = world
            .ask(sign_in(PASSWORD, None, Remember::Device))
            .granted();
        assert_eq!(grant.device.is_some(), n < DEVICES_MAX);
    }
    assert_eq!(world.account.parts().unwrap().1.devices.len(), DEVICES_MAX);
}

#[test]
fn a_forgotten_device_is_unknown_again_and_its_sessions_end() {
    let (mut world, other) = World::signed_in();
    let mine = world
        .ask(sign_in(PASSWORD, None, Remember::Device))
        .granted();
    let known = mine.device.clone().unwrap();
    let listed = |world: &mut World| match world.ask(Command::Session(SessionCommand::Devices {
        by: proof(&other),
    })) {
        Reply::Session(SessionReply::Devices(list)) => list,
        reply => panic!("{reply:?}"),
    };
    let forget = |device| {
        let by = proof(&other);
        Command::Session(SessionCommand::ForgetDevice { by, device })
    };
    let row = DeviceInfo {
        id: known.id,
        added_at: world.now,
        used_at: world.now,
        sessions: 1,
    };
    assert_eq!(listed(&mut world), [row]);
    let ended = |reply| match reply {
        Reply::Session(SessionReply::Forgotten(sessions)) => sessions,
        reply => panic!("{reply:?}"),
    };
    assert_eq!(ended(world.ask(forget(DeviceId(known.id.0 ^ 1)))), 0);
    assert_eq!(ended(world.ask(forget(known.id))), 1);
    assert!(
        world
            .events
            .contains(&SessionEnded(mine.session.0, Revoked))
    );
    assert_eq!(listed(&mut world), []);
    assert_eq!(ended(world.ask(forget(known.id))), 0);
    assert_eq!(world.refresh(&mine).refused(), Refusal::InvalidToken);
    world.refresh(&other).granted();
    // Its token is that of an unknown device from now on.
    let again = world.ask(sign_in(PASSWORD, Some(known), Remember::Nothing));
    assert!(again.granted().device.is_none());
}

#[test]
fn sessions_whose_time_is_over_answer_so_and_are_dropped_at_the_next_sign_in() {
    let (mut world, grant) = World::signed_in();
    world.now = grant.idle_expires_at;
    assert_eq!(world.refresh(&grant).refused(), Refusal::SessionExpired);
    world.sign_in(PASSWORD).granted();
    assert_eq!(world.sessions(), 1);
    assert!(
        world
            .events
            .contains(&SessionEnded(grant.session.0, Expired))
    );
}

#[test]
fn a_closed_account_lets_nobody_in_and_its_sessions_come_back_when_it_opens() {
    let (mut world, grant) = World::signed_in();
    for (close, open, refusal) in [
        (
            StatusChange::Lock,
            StatusChange::Unlock,
            Refusal::AccountLocked,
        ),
        (
            StatusChange::Suspend,
            StatusChange::Reinstate,
            Refusal::AccountSuspended,
        ),
    ] {
        assert!(matches!(
            world.ask(set_status(close)),
            Reply::Lifecycle(LifecycleReply::StatusSet(_))
        ));
        assert_eq!(world.sign_in(PASSWORD).refused(), refusal);
        assert_eq!(
            world.sign_in("wrong").refused(),
            Refusal::InvalidCredentials
        );
        assert_eq!(world.refresh(&grant).refused(), refusal);
        let reply = world.ask(set_status(open));
        assert!(matches!(
            reply,
            Reply::Lifecycle(LifecycleReply::StatusSet(Status::Active))
        ));
    }
    assert!(matches!(
        world.refresh(&grant),
        Reply::Session(SessionReply::Refreshed(_))
    ));
    let unlock = world.ask(set_status(StatusChange::Suspend));
    assert!(matches!(
        unlock,
        Reply::Lifecycle(LifecycleReply::StatusSet(Status::Suspended))
    ));
    let unlock = world.ask(set_status(StatusChange::Unlock));
    assert_eq!(unlock.refused(), Refusal::StatusConflict);
}

#[test]
fn a_weak_hash_is_upgraded_at_the_next_successful_sign_in() {
    let mut world = World::signed_up();
    world.policy.password.memory_kib *= 2;
    assert_eq!(
        world.sign_in("wrong").refused(),
        Refusal::InvalidCredentials
    );
    assert!(!world.events.contains(&PasswordUpgraded));
    world.sign_in(PASSWORD).granted();
    assert_eq!(world.events.last(), Some(&PasswordUpgraded));
    let row = world.account.parts().unwrap().1.password.clone().unwrap();
    let hash = PasswordHash::parse(&row.phc).unwrap();
    assert_eq!(hash.memory_kib, world.policy.password.memory_kib);
    let events = world.events.len();
    world.sign_in(PASSWORD).granted();
    assert_eq!(world.events.len(), events + 1);
}

#[test]
fn uses_are_written_behind_once_and_carried_by_any_change() {
    let (mut world, grant) = World::signed_in();
    assert!(world.input(Input::WriteBehind).changes.is_none());
    world.now += 5_000;
    let used = Input::Touched([(grant.session, world.now)].into());
    assert!(world.input(used).changes.is_none());
    assert!(world.input(Input::WriteBehind).changes.is_some());
    assert!(world.input(Input::WriteBehind).changes.is_none());
    let check = world.account.parts().unwrap().0;
    assert_eq!(check.sessions[0].used_at, world.now);
}

#[test]
fn a_deadline_that_is_told_is_made_durable_first() {
    let (mut world, grant) = World::signed_in();
    world.now += 5_000;
    world.input(Input::Touched([(grant.session, world.now)].into()));
    let list = Command::Session(SessionCommand::Sessions { by: proof(&grant) });
    let output = world.send(None, list.clone());
    assert!(output.changes.is_some());
    assert!(world.send(None, list).changes.is_none());
}

#[test]
fn an_idle_promise_survives_a_crash_by_the_tenth_and_no_more() {
    let (mut world, grant) = World::signed_in();
    let signed_in_at = world.now;
    let idle_ms = world.policy.session.idle_ms;
    world.now += 1;
    world.crash();
    world.now = signed_in_at + idle_ms + idle_ms / 10 - 1;
    assert!(matches!(
        world.ask(Command::Session(SessionCommand::Sessions {
            by: proof(&grant)
        })),
        Reply::Session(SessionReply::Sessions(_))
    ));
    world.now += 1;
    let over = world.ask(Command::Session(SessionCommand::Sessions {
        by: proof(&grant),
    }));
    assert_eq!(over.refused(), Refusal::SessionExpired);
}

#[test]
fn a_late_completion_of_unknown_work_does_nothing() {
    let mut world = World::signed_up();
    let output = world.input(Input::Completion {
        pending: PendingId(99),
        completion: Completion::Verified(PasswordCheck::Match),
    });
    assert!(output.replies.is_empty() && output.changes.is_none());
    assert_eq!(world.sessions(), 0);
}
