//! While the store is out of reach, and after.

use crate::SessionReply;
use crate::{CredentialCommand, SessionCommand};
use std::vec::Vec;

use super::*;
use crate::account::degraded::{
    DegradedAccount, DegradedDecision, DegradedInput, DegradedOutput, DegradedReply,
    INTERIM_GUESSES_MAX,
};
use crate::id::SessionId;

const GRACE_MS: u64 = 300_000;

/// The account of a world whose store has gone.
struct CutOff {
    account: DegradedAccount,
    policy: Policy,
    now: u64,
    decided: Vec<DegradedDecision>,
    waiting: Vec<Effect>,
    drawn: u64,
}

impl CutOff {
    fn of(world: &World) -> CutOff {
        CutOff::knowing(world, &[], Vec::new())
    }

    fn knowing(world: &World, uses: &[(SessionId, u64)], decided: Vec<DegradedDecision>) -> CutOff {
        let (check, sealed) = world.account.parts().unwrap();
        let account = Account::load(check.clone(), sealed.clone());
        CutOff {
            account: DegradedAccount::new(account, uses, decided.clone()),
            policy: world.policy.clone(),
            now: world.now,
            decided,
            waiting: Vec::new(),
            drawn: 1_000,
        }
    }

    fn input(&mut self, input: DegradedInput) -> DegradedOutput {
        self.drawn += 1;
        let mut seed = [1; 32];
        seed[..8].copy_from_slice(&self.drawn.to_le_bytes());
        let (entropy, policy) = (Entropy::new(seed), self.policy.clone());
        let mut output = self.account.handle(self.now, entropy, &policy, input);
        self.decided.append(&mut output.decided);
        self.waiting.append(&mut output.effects);
        output
    }

    fn send(&mut self, key: Option<u8>, command: Command) -> DegradedOutput {
        let request = Request {
            ticket: Ticket(self.drawn),
            tenant: TENANT,
            idempotency: key.map(idempotency),
        };
        self.input(DegradedInput::Command(request, command))
    }

    /// Does the oldest work that waits.
    fn work(&mut self) -> DegradedOutput {
        let Effect::Hash {
            pending,
            work: PasswordWork::Compare { password, stored },
        } = self.waiting.remove(0)
        else {
            panic!("only passwords are compared while the store is away");
        };
        let same = stored.is_some_and(|stored| {
            test_hash(&password, stored.salt, &self.policy.password).output == stored.output
        });
        let check = match same {
            true => PasswordCheck::Match,
            false => PasswordCheck::Mismatch,
        };
        self.input(DegradedInput::Completion {
            pending,
            completion: Completion::Verified(check),
        })
    }

    fn ask(&mut self, command: Command) -> DegradedReply {
        self.ask_with(None, command)
    }

    fn ask_with(&mut self, key: Option<u8>, command: Command) -> DegradedReply {
        let mut output = self.send(key, command);
        while output.replies.is_empty() {
            output = self.work();
        }
        assert!(self.waiting.is_empty() && !self.account.is_waiting());
        assert_eq!(output.replies.len(), 1);
        output.replies.remove(0).1
    }
}

fn idempotency(key: u8) -> Idempotency {
    Idempotency {
        key: [key; 16],
        request: [0; 32],
    }
}

impl DegradedReply {
    fn grant(self) -> Grant {
        match self {
            DegradedReply::Refreshed(grant) | DegradedReply::Provisional(grant) => grant,
            other => panic!("no grant: {other:?}"),
        }
    }
}

pub(super) fn revoke(grant: &Grant, scope: RevokeScope) -> Command {
    let by = proof(grant);
    Command::Session(SessionCommand::Revoke { by, scope })
}

/// The store is back: the account takes over what was decided.
fn adopt(world: &mut World, cut_off: CutOff) {
    world.now = cut_off.now;
    world.input(Input::Adopt(cut_off.decided));
}

#[test]
fn a_refresh_goes_on_under_the_same_token_and_nothing_is_decided() {
    let (mut world, grant) = World::signed_in();
    world.policy.session.idle_ms = 60_000;
    let short = world.sign_in(PASSWORD).granted();
    let mut cut_off = CutOff::of(&world);
    let long = cut_off.ask(refresh(&grant)).grant();
    assert_eq!(long.refresh.expose(), grant.refresh.expose());
    assert_eq!(long.idle_expires_at, grant.idle_expires_at);
    let prolonged = cut_off.ask(refresh(&short)).grant();
    assert_eq!(prolonged.idle_expires_at, world.now + GRACE_MS);
    cut_off.ask(refresh(&grant)).grant();
    assert_eq!(cut_off.decided.len(), 2);
    let revision = world.account.revision();
    adopt(&mut world, cut_off);
    assert_eq!(world.account.revision(), revision);
    let rotated = world.refresh(&grant).granted();
    assert_ne!(rotated.refresh.expose(), grant.refresh.expose());
}

#[test]
fn a_kept_token_outlives_a_replacement_that_came_to_be_all_the_same() {
    let (mut world, grant) = World::signed_in();
    let mut cut_off = CutOff::of(&world);
    // It was on its way when the store went.
    let successor = world.refresh(&grant).granted();
    cut_off.ask(refresh(&grant)).grant();
    cut_off.now += 2 * GRACE_MS;
    adopt(&mut world, cut_off);
    world.now += GRACE_MS + world.policy.session.refresh_retry_ms;
    let repeated = world.refresh(&grant).granted();
    assert_eq!(repeated.refresh.expose(), successor.refresh.expose());
    world.now += 1;
    assert_eq!(world.refresh(&grant).refused(), Refusal::RefreshReused);
}

#[test]
fn after_a_restore_nobody_is_called_a_thief_because_another_token_was_kept() {
    let (mut world, grant) = World::signed_in();
    let mut cut_off = CutOff::of(&world);
    let successor = world.refresh(&grant).granted();
    cut_off.ask(refresh(&grant)).grant();
    adopt(&mut world, cut_off);
    let (check, sealed) = world.account.parts().unwrap();
    let older_copy = Account::load(check.clone(), sealed.clone());
    world.now += GRACE_MS / 2;
    let newer = world.refresh(&successor).granted();
    world.account = older_copy;
    assert_eq!(world.refresh(&newer).refused(), Refusal::InvalidToken);
    world.refresh(&successor).granted();
}

#[test]
fn a_token_that_was_just_replaced_gives_its_successor_and_an_older_one_says_nothing() {
    let (mut world, first) = World::signed_in();
    let second = world.refresh(&first).granted();
    let mut cut_off = CutOff::of(&world);
    let again = cut_off.ask(refresh(&first)).grant();
    assert_eq!(again.refresh.expose(), second.refresh.expose());
    let third = world.refresh(&second).granted();
    let mut cut_off = CutOff::of(&world);
    let old = cut_off.ask(refresh(&first));
    assert!(matches!(old, DegradedReply::Unavailable));
    assert!(cut_off.decided.is_empty());
    world.refresh(&third).granted();
}

#[test]
fn a_session_that_only_memory_knows_to_be_used_goes_on() {
    let (mut world, grant) = World::signed_in();
    let idle_ms = world.policy.session.idle_ms;
    world.now += idle_ms * 11 / 10;
    let mut forgetful = CutOff::of(&world);
    let refused = forgetful.ask(refresh(&grant));
    assert!(matches!(refused, DegradedReply::Unavailable));
    // The durable time of use lags; a check kept it alive.
    let uses = [(grant.session, world.now - idle_ms / 2)];
    let mut cut_off = CutOff::knowing(&world, &uses, Vec::new());
    let kept = cut_off.ask(refresh(&grant)).grant();
    assert_eq!(kept.refresh.expose(), grant.refresh.expose());
}

#[test]
fn whoever_has_the_password_is_in_for_a_while_and_a_repeat_is_answered_alike() {
    let (world, _) = World::signed_in();
    let mut cut_off = CutOff::of(&world);
    let command = || sign_in(PASSWORD, None, Remember::Device);
    let grant = cut_off.ask_with(Some(4), command()).grant();
    assert_eq!(
        (grant.idle_expires_at, grant.expires_at),
        (world.now + GRACE_MS, world.now + GRACE_MS)
    );
    assert!(grant.device.is_none());
    let again = cut_off.ask_with(Some(4), command()).grant();
    assert_eq!(again.session, grant.session);
    // The same after the account was forgotten and built again.
    let decided = cut_off.decided.clone();
    let mut later = CutOff::knowing(&world, &[], decided);
    let again = later.ask_with(Some(4), command()).grant();
    assert_eq!(again.refresh.expose(), grant.refresh.expose());
    let kept = later.ask(refresh(&grant)).grant();
    assert_eq!(kept.expires_at, grant.expires_at);
    assert_eq!(later.decided.len(), 2);
}

#[test]
fn strangers_learn_nothing_from_a_guess_and_have_few() {
    let (world, _) = World::signed_in();
    let mut cut_off = CutOff::of(&world);
    let wrong = || sign_in("wrong horse", None, Remember::Nothing);
    for _ in 0..INTERIM_GUESSES_MAX {
        assert!(matches!(cut_off.ask(wrong()), DegradedReply::Unsaid));
    }
    let locked = cut_off.ask(sign_in(PASSWORD, None, Remember::Nothing));
    assert!(matches!(locked, DegradedReply::Unavailable));
    assert_eq!(cut_off.decided.len(), INTERIM_GUESSES_MAX);
    // Nor does it help to guess side by side.
    let mut cut_off = CutOff::of(&world);
    for _ in 0..20 {
        cut_off.send(None, wrong());
    }
    assert_eq!(cut_off.waiting.len(), INTERIM_GUESSES_MAX);
    // Nor where one guess waits for another and is too many when that failed.
    for failures in [4, 5] {
        let mut cut_off = CutOff::of(&guessed_at(failures));
        for _ in 0..2 {
            assert!(cut_off.send(None, wrong()).replies.is_empty());
        }
        assert_eq!(cut_off.waiting.len(), 1);
        let said = cut_off.work().replies;
        assert!(matches!(
            said[..],
            [(_, DegradedReply::Unsaid), (_, DegradedReply::Unsaid)]
        ));
        assert!(cut_off.waiting.is_empty() && !cut_off.account.is_waiting());
        assert_eq!(cut_off.decided.len(), 1);
    }
}

/// An account at which unknown devices have guessed so often that of two more
/// at once one waits for the other, and none is held off.
fn guessed_at(failures: usize) -> World {
    let (mut world, _) = World::signed_in();
    for _ in 0..failures {
        let refused = world.sign_in("wrong horse").refused();
        assert_eq!(refused, Refusal::InvalidCredentials);
    }
    world.now += world.policy.guess.cap_ms;
    world
}

#[test]
fn a_sign_in_that_waits_for_another_is_looked_at_when_that_is_known() {
    for failures in [4, 5] {
        let mut cut_off = CutOff::of(&guessed_at(failures));
        // The first would be hashed anew, which waits until the store is back.
        cut_off.policy.password.passes += 1;
        for _ in 0..2 {
            let command = sign_in(PASSWORD, None, Remember::Nothing);
            assert!(cut_off.send(None, command).replies.is_empty());
        }
        let mut told = Vec::new();
        for _ in 0..2 {
            assert_eq!(cut_off.waiting.len(), 1);
            let replies = cut_off.work().replies;
            assert!(matches!(replies[..], [(_, DegradedReply::Provisional(_))]));
            told.extend(replies.into_iter().map(|(ticket, _)| ticket));
        }
        assert_ne!(told[0], told[1]);
        assert!(cut_off.waiting.is_empty() && !cut_off.account.is_waiting());
        assert_eq!(cut_off.decided.len(), 2);
    }
}

#[test]
fn a_known_device_whose_sign_in_waited_is_told_that_there_were_too_many() {
    let mut world = World::signed_up();
    let command = sign_in(PASSWORD, None, Remember::Device);
    let device = world.ask(command).granted().device;
    let wrong = || sign_in("wrong horse", device.clone(), Remember::Nothing);
    for _ in 0..4 {
        world.ask(wrong()).refused();
    }
    let mut cut_off = CutOff::of(&world);
    for _ in 0..2 {
        assert!(cut_off.send(None, wrong()).replies.is_empty());
    }
    let told = cut_off.work().replies;
    assert!(matches!(
        told[..],
        [
            (_, DegradedReply::No(Refusal::InvalidCredentials)),
            (_, DegradedReply::No(Refusal::Throttled { .. }))
        ]
    ));
    assert!(cut_off.waiting.is_empty() && !cut_off.account.is_waiting());
}

#[test]
fn a_stranger_who_repeats_a_guess_while_another_is_looked_at_learns_nothing() {
    let (world, _) = World::signed_in();
    let mut cut_off = CutOff::of(&world);
    let wrong = || sign_in("wrong horse", None, Remember::Nothing);
    cut_off.send(Some(1), wrong());
    cut_off.send(Some(2), wrong());
    let first = cut_off.work();
    assert!(matches!(first.replies[0].1, DegradedReply::Unsaid));
    let repeat = cut_off.send(Some(1), wrong());
    assert!(repeat.replies.is_empty());
    assert_eq!(cut_off.waiting.len(), 2);
}

#[test]
fn to_end_sessions_where_there_are_none_decides_nothing() {
    let (world, grant) = World::signed_in();
    let mut cut_off = CutOff::of(&world);
    for key in 0..100 {
        let told = cut_off.ask_with(Some(key), revoke(&grant, RevokeScope::Others));
        assert!(matches!(told, DegradedReply::Ended(0)));
    }
    assert!(cut_off.decided.is_empty());
}

#[test]
fn a_known_device_is_told_that_the_password_was_wrong() {
    let mut world = World::signed_up();
    let command = sign_in(PASSWORD, None, Remember::Device);
    let device = world.ask(command).granted().device;
    let mut cut_off = CutOff::of(&world);
    let told = cut_off.ask(sign_in("wrong horse", device, Remember::Nothing));
    assert!(matches!(
        told,
        DegradedReply::No(Refusal::InvalidCredentials)
    ));
}

#[test]
fn a_revocation_holds_and_becomes_durable_with_its_answer() {
    let (mut world, first) = World::signed_in();
    let second = world.sign_in(PASSWORD).granted();
    let mut cut_off = CutOff::of(&world);
    let command = || revoke(&first, RevokeScope::All);
    let told = cut_off.ask_with(Some(9), command());
    assert!(matches!(told, DegradedReply::Ended(2)));
    let again = cut_off.ask_with(Some(9), command());
    assert!(matches!(again, DegradedReply::Ended(2)));
    for grant in [&first, &second] {
        let refused = cut_off.ask(refresh(grant));
        assert!(matches!(refused, DegradedReply::Unavailable));
    }
    assert_eq!(cut_off.decided.len(), 1);
    adopt(&mut world, cut_off);
    assert_eq!(world.sessions(), 0);
    world.crash();
    let settled = world.ask_with(Some(9), command());
    assert!(matches!(settled, Reply::Session(SessionReply::Revoked(2))));
    let ended = world.events.iter();
    let ended = ended.filter(|event| matches!(event, EventKind::SessionEnded(..)));
    assert_eq!(ended.count(), 2);
}

#[test]
fn wrong_guesses_are_charged_when_the_store_is_back() {
    let (mut world, _) = World::signed_in();
    let mut cut_off = CutOff::of(&world);
    for _ in 0..2 {
        cut_off.ask(sign_in("wrong horse", None, Remember::Nothing));
    }
    adopt(&mut world, cut_off);
    assert_eq!(world.account.parts().unwrap().1.unknown_device.failures, 2);
}

#[test]
fn a_provisional_session_stays_only_where_its_password_still_lets_in() {
    let (mut world, _) = World::signed_in();
    let mut cut_off = CutOff::of(&world);
    let command = sign_in(PASSWORD, None, Remember::Nothing);
    let grant = cut_off.ask(command).grant();
    let decided = cut_off.decided.clone();
    adopt(&mut world, cut_off);
    let kept = world.refresh(&grant).granted();
    assert!(kept.expires_at > grant.expires_at);
    assert_ne!(kept.refresh.expose(), grant.refresh.expose());
    // Twice is once.
    world.input(Input::Adopt(decided.clone()));
    assert_eq!(world.sessions(), 2);

    let (mut locked, _) = World::signed_in();
    locked.ask(set_status(StatusChange::Lock));
    locked.input(Input::Adopt(decided.clone()));
    let (mut late, _) = World::signed_in();
    late.now += GRACE_MS;
    late.input(Input::Adopt(decided.clone()));
    let mut other = World::empty();
    other.ask(Command::Credential(CredentialCommand::SignUp(sign_up(
        "another password",
    ))));
    other.input(Input::Adopt(decided));
    let left = [&locked, &late, &other].map(World::sessions);
    assert_eq!(left, [1, 1, 0]);
}

#[test]
fn everything_else_is_refused_clearly() {
    let (world, grant) = World::signed_in();
    let mut cut_off = CutOff::of(&world);
    let by = proof(&grant);
    let commands = [
        Command::Credential(CredentialCommand::SignUp(sign_up(PASSWORD))),
        Command::Session(SessionCommand::Sessions { by }),
        set_status(StatusChange::Lock),
    ];
    for command in commands {
        let refused = cut_off.ask(command);
        assert!(matches!(refused, DegradedReply::Unavailable));
    }
    assert!(cut_off.decided.is_empty());
}
