use super::*;
use crate::SessionReply;
use crate::event::EndReason::RefreshReused;
use crate::event::EventKind::SessionEnded;
use crate::record::SUCCESSORS_MAX;

#[test]
fn a_refresh_replaces_the_token_and_keeps_the_session() {
    let (mut world, first) = World::signed_in();
    world.now += 60_000;
    let second = world.refresh(&first).granted();
    assert_eq!(second.session, first.session);
    assert!(second.session_secret().matches(&first.session_secret()));
    assert!(!second.refresh.matches(&first.refresh));
    let idle_ms = world.policy.session.idle_ms;
    assert_eq!(second.idle_expires_at, world.now + idle_ms + idle_ms / 10);
    assert_eq!(second.expires_at, first.expires_at);
}

#[test]
fn sixty_four_refreshes_of_one_token_all_hold_the_identical_successor() {
    let (mut world, first) = World::signed_in();
    let grants: Vec<_> = (0..64).map(|_| world.refresh(&first).granted()).collect();
    assert!(
        grants
            .iter()
            .all(|grant| grant.refresh.matches(&grants[0].refresh))
    );
    let third = world.refresh(&grants[63]).granted();
    assert!(!third.refresh.matches(&grants[0].refresh));
}

#[test]
fn one_session_more_than_keep_successors_waits_half_a_minute_and_none_is_lost() {
    let mut world = World::signed_up();
    let sign_in = |_| world.sign_in(PASSWORD).granted();
    let grants: Vec<Grant> = (0..=SUCCESSORS_MAX).map(sign_in).collect();
    let (last, others) = grants.split_last().unwrap();
    for grant in others {
        world.refresh(grant).granted();
    }
    let retry_after_ms = 30_001;
    let refused = world.refresh(last).refused();
    assert_eq!(refused, Refusal::Busy { retry_after_ms });
    // The successor that may still be asked for is there.
    let again = world.refresh(&others[0]).granted();
    world.now += u64::from(retry_after_ms);
    world.refresh(last).granted();
    let next = world.refresh(&again).granted();
    assert_eq!(next.session, again.session);
    assert_eq!(world.sessions(), SUCCESSORS_MAX + 1);
}

#[test]
fn a_repeat_after_a_crash_within_the_time_gets_the_identical_successor() {
    let (mut world, first) = World::signed_in();
    let second = world.refresh(&first).granted();
    world.crash();
    world.now += 30_000;
    assert!(
        world
            .refresh(&first)
            .granted()
            .refresh
            .matches(&second.refresh)
    );
}

#[test]
fn a_repeat_after_the_time_ends_the_family() {
    let (mut world, first) = World::signed_in();
    let second = world.refresh(&first).granted();
    world.now += 30_001;
    assert_eq!(world.refresh(&first).refused(), Refusal::RefreshReused);
    assert_eq!(world.refresh(&second).refused(), Refusal::InvalidToken);
    let ended = SessionEnded(first.session.0, RefreshReused);
    assert_eq!(world.events.last(), Some(&ended));
}

#[test]
fn a_repeat_after_the_successor_was_used_ends_the_family() {
    let (mut world, first) = World::signed_in();
    let second = world.refresh(&first).granted();
    let third = world.refresh(&second).granted();
    assert_eq!(world.refresh(&first).refused(), Refusal::RefreshReused);
    assert_eq!(world.refresh(&third).refused(), Refusal::InvalidToken);
}

#[test]
fn reuse_in_one_family_leaves_the_others_alone() {
    let (mut world, first) = World::signed_in();
    let other = world.sign_in(PASSWORD).granted();
    let second = world.refresh(&first).granted();
    world.refresh(&second).granted();
    world.refresh(&first).refused();
    assert!(matches!(
        world.refresh(&other),
        Reply::Session(SessionReply::Refreshed(_))
    ));
}

#[test]
fn a_forged_token_ends_nothing() {
    let (mut world, first) = World::signed_in();
    let mut forged = first.clone();
    forged.family = Secret::new([9; 24]);
    assert_eq!(world.refresh(&forged).refused(), Refusal::InvalidToken);
    let mut unknown = first.clone();
    unknown.session = SessionId(1);
    assert_eq!(world.refresh(&unknown).refused(), Refusal::InvalidToken);
    assert!(matches!(
        world.refresh(&first),
        Reply::Session(SessionReply::Refreshed(_))
    ));
}

#[test]
fn garbage_under_the_right_family_ends_nothing() {
    let (mut world, first) = World::signed_in();
    let second = world.refresh(&first).granted();
    let third = world.refresh(&second).granted();
    for bit in [0, 60, 130, 191] {
        let mut garbage = third.clone();
        let mut bytes = *third.refresh.expose();
        bytes[bit / 8] ^= 1 << (bit % 8);
        garbage.refresh = Secret::new(bytes);
        assert_eq!(world.refresh(&garbage).refused(), Refusal::InvalidToken);
    }
    world.refresh(&third).granted();
}

#[test]
fn after_a_restore_of_an_older_copy_nobody_is_called_a_thief() {
    for replaced_before in 0..3 {
        let (mut world, mut first) = World::signed_in();
        for _ in 0..replaced_before {
            world.now += 60_000;
            first = world.refresh(&first).granted();
        }
        let parts = world.account.parts().unwrap();
        let (check, sealed) = (parts.0.clone(), parts.1.clone());
        world.now += 60_000;
        let second = world.refresh(&first).granted();
        world.now += 60_000;
        let third = world.refresh(&second).granted();
        // The store is put back as it was before the two refreshes. Who is read
        // from it may never have been answered, and the next change says so.
        world.account = Account::load(check, sealed);
        world.now += 60_000;
        let (since, landed) = (world.now - 3_600_000, world.now);
        world.input(Input::Late(Late { since, landed }));
        world.crash();
        for newer in [&third, &second] {
            assert_eq!(world.refresh(newer).refused(), Refusal::InvalidToken);
            assert_eq!(world.sessions(), 1);
        }
        let next = world.refresh(&first).granted();
        assert_eq!(world.refresh(&third).refused(), Refusal::RefreshReused);
        assert_eq!(world.refresh(&next).refused(), Refusal::InvalidToken);
    }
}

#[test]
fn a_refresh_never_reaches_beyond_the_absolute_end() {
    let (mut world, mut grant) = World::signed_in();
    let end = grant.expires_at;
    while grant.idle_expires_at < end {
        world.now = grant.idle_expires_at - 1;
        grant = world.refresh(&grant).granted();
    }
    assert_eq!((grant.idle_expires_at, grant.expires_at), (end, end));
    world.now = end;
    assert_eq!(world.refresh(&grant).refused(), Refusal::SessionExpired);
}

#[test]
fn a_successor_that_became_durable_late_is_given_for_its_whole_time_from_then_on() {
    let (mut world, grant) = World::signed_in();
    let older = world.sign_in(PASSWORD).granted();
    let younger = world.sign_in(PASSWORD).granted();
    world.refresh(&older).granted();
    world.now += 2_000;
    let kept = world.refresh(&younger).granted();
    world.now += 29_000;
    let since = world.now;
    let successor = world.refresh(&grant).granted();
    world.now += 40_000;
    let landed = world.now;
    let late = Late { since, landed };
    assert!(world.input(Input::Late(late)).changes.is_none());
    world.now += world.policy.session.refresh_retry_ms;
    // The runtime tells the account of the same wait whenever it opens it.
    assert!(world.input(Input::Late(late)).changes.is_none());
    let again = world.refresh(&grant).granted();
    assert!(again.refresh.matches(&successor.refresh));
    // 29 s before the wait began this one could still be repeated.
    let again = world.refresh(&younger).granted();
    assert!(again.refresh.matches(&kept.refresh));
    world.now += 1;
    for reused in [&grant, &younger] {
        assert_eq!(world.refresh(reused).refused(), Refusal::RefreshReused);
    }
    // Its time was over when the wait began.
    assert_eq!(world.refresh(&older).refused(), Refusal::RefreshReused);
}

#[test]
fn the_next_change_carries_along_what_was_late() {
    let (mut world, grant) = World::signed_in();
    let other = world.sign_in(PASSWORD).granted();
    let since = world.now;
    let successor = world.refresh(&grant).granted();
    assert!(world.account.rotated_since(since));
    assert!(!world.account.rotated_since(since + 1));
    world.now += 40_000;
    let landed = world.now;
    world.input(Input::Late(Late { since, landed }));
    world.refresh(&other).granted();
    world.crash();
    assert!(world.account.rotated_since(landed));
    world.now += 30_000;
    let again = world.refresh(&grant).granted();
    assert!(again.refresh.matches(&successor.refresh));
}

#[test]
fn a_wait_brings_no_token_back_whose_successor_was_used() {
    let (mut world, first) = World::signed_in();
    let since = world.now;
    let second = world.refresh(&first).granted();
    world.refresh(&second).granted();
    world.now += 40_000;
    let landed = world.now;
    world.input(Input::Late(Late { since, landed }));
    assert_eq!(world.refresh(&first).refused(), Refusal::RefreshReused);
}
