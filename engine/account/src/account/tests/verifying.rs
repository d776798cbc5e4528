//! Claims, and who wins them. The pre-hijacking cases are those of Sudhodanan
//! and Paverd (USENIX Security 2022), each played to its end.

use super::*;
use crate::event::EndReason;
use crate::record::Hold;
use crate::reply::Verification::{self, Confirmed, TakenOver};
use crate::{CredentialCommand, DeviceId, IdentifierCommand, LifecycleCommand, SessionCommand};
use crate::{CredentialReply, IdentifierReply, LifecycleReply, SessionReply};

pub(super) const MAIL: u8 = 0x41;
const OTHER: u8 = 0x42;

/// An identifier whose hash is all this byte.
pub(super) fn identifier(kind: IdentifierKind, fill: u8) -> ClaimedIdentifier {
    let text = match kind {
        IdentifierKind::Email => std::format!("m{fill}@example.com"),
        IdentifierKind::Phone => std::format!("+493012345{fill}"),
        IdentifierKind::Username => std::format!("name{fill}"),
    };
    ClaimedIdentifier {
        identifier: Identifier::parse(kind, &text).unwrap(),
        hash: IndexHash([fill; 32]),
        key_version: 1,
        older: Vec::new(),
        reservation: None,
    }
}

pub(super) fn mail(fill: u8) -> ClaimedIdentifier {
    identifier(IdentifierKind::Email, fill)
}

/// An account set up with a user name to sign in by, and this mail address.
pub(super) fn set_up(password: &str, fill: u8) -> (World, Grant) {
    let mut world = World::empty();
    let name = identifier(IdentifierKind::Username, 0x55);
    world.ask(Command::Credential(CredentialCommand::SignUp(SignUp {
        identifiers: [name, mail(fill)].into(),
        password: Password::parse(password).unwrap(),
    })));
    let grant = world.sign_in(password).granted();
    (world, grant)
}

pub(super) fn verify(fill: u8, session: Option<&Grant>, password: Option<&str>) -> Command {
    Command::Identifier(IdentifierCommand::Attest(Box::new(
        crate::command::Attest {
            identifier: mail(fill),
            session: session.map(proof),
            password: password.map(|text| Password::parse(text).unwrap()),
            by: Administrator("mailer".into()),
        },
    )))
}

pub(super) fn claim(grant: &Grant, identifier: ClaimedIdentifier) -> Command {
    Command::Identifier(IdentifierCommand::Claim {
        by: proof(grant),
        identifier,
    })
}

fn verified(reply: Reply) -> Verification {
    match reply {
        Reply::Identifier(IdentifierReply::Verified(verification)) => verification,
        other => panic!("{other:?}"),
    }
}

fn holds(world: &World) -> Vec<(u8, bool)> {
    let rows = &world.account.parts().unwrap().1.identifiers;
    let hold = |row: &IdentifierRow| (row.hash[0], matches!(row.hold, Hold::Held { .. }));
    rows.iter().map(hold).collect()
}

#[test]
fn whoever_set_the_account_up_verifies_and_keeps_everything() {
    for by in [0, 1] {
        let (mut world, grant) = set_up(PASSWORD, MAIL);
        let command = match by {
            0 => verify(MAIL, Some(&grant), None),
            _ => verify(MAIL, None, Some(PASSWORD)),
        };
        assert_eq!(verified(world.ask(command)), Confirmed);
        assert_eq!(holds(&world), [(0x55, true), (MAIL, true)]);
        assert_eq!(world.sessions(), 1);
        world.sign_in(PASSWORD).granted();
    }
}

#[test]
fn verifying_writes_the_index_row_and_the_audit_in_the_same_commit() {
    let (mut world, grant) = set_up(PASSWORD, MAIL);
    let output = world.send(None, verify(MAIL, Some(&grant), None));
    let changes = output.changes.unwrap();
    assert_eq!(changes.held[0].hash, IndexHash([MAIL; 32]));
    assert_eq!(changes.audits[0].by, "mailer");
    let again = world.send(None, verify(MAIL, Some(&grant), None));
    assert!(again.changes.is_none());
}

/// An account of which nothing is held yet: this mail address is claimed.
fn claimed_only(password: &str, fill: u8) -> World {
    let mut world = World::empty();
    world.ask(Command::Credential(CredentialCommand::SignUp(SignUp {
        identifiers: [mail(fill)].into(),
        password: Password::parse(password).unwrap(),
    })));
    world
}

#[test]
fn classic_merge_an_account_prepared_with_a_victims_address_is_worth_nothing() {
    let mut world = claimed_only("attacker's password", MAIL);
    let reply = world.ask(verify(MAIL, None, Some("victim's password")));
    assert_eq!(verified(reply), TakenOver);
    assert_eq!(holds(&world), [(MAIL, true)]);
    let refusal = world.sign_in("attacker's password").refused();
    assert_eq!(refusal, Refusal::InvalidCredentials);
    world.sign_in("victim's password").granted();
}

#[test]
fn an_account_that_is_somebodys_is_not_given_away_for_an_address_that_it_claims() {
    for password in [None, Some("the address owner's")] {
        let (mut world, owner) = set_up(PASSWORD, MAIL);
        let other = world.ask(verify(MAIL, None, password));
        assert_eq!(other.refused(), Refusal::ClaimExpired);
        // The mistyped address is free, and nothing else has changed.
        assert_eq!(holds(&world), [(0x55, true)]);
        assert_eq!(world.sessions(), 1);
        world.refresh(&owner).granted();
        world.sign_in(PASSWORD).granted();
        let again = world.ask(verify(MAIL, Some(&owner), None));
        assert_eq!(again.refused(), Refusal::ClaimExpired);
    }
}

#[test]
fn an_account_with_a_session_is_somebodys_though_it_holds_nothing() {
    let (mut world, owner) = set_up(PASSWORD, MAIL);
    let person = world.account.person.as_mut().unwrap();
    person.sealed.identifiers.retain(|row| !row.is_held());
    let other = world.ask(verify(MAIL, None, Some("the address owner's")));
    assert_eq!(other.refused(), Refusal::ClaimExpired);
    world.refresh(&owner).granted();
}

#[test]
fn unexpired_session_the_attackers_session_opens_nothing_of_the_victims() {
    let (mut world, attacker) = set_up("attacker's password", MAIL);
    let victim = world.ask(verify(MAIL, None, Some("victim's password")));
    assert_eq!(victim.refused(), Refusal::ClaimExpired);
    let late = world.ask(verify(MAIL, Some(&attacker), None));
    assert_eq!(late.refused(), Refusal::ClaimExpired);
    assert_eq!(holds(&world), [(0x55, true)]);
}

#[test]
fn a_recovery_ends_every_session_and_the_list_with_them() {
    let (mut world, thief) = set_up(PASSWORD, MAIL);
    world.ask(verify(MAIL, Some(&thief), None));
    assert_eq!(verified(world.ask(verify(MAIL, None, None))), TakenOver);
    assert_eq!(world.sessions(), 0);
    let ended = EventKind::SessionEnded(thief.session.0, EndReason::TakenOver);
    assert!(world.events.contains(&ended));
    let list = world.ask(Command::Session(SessionCommand::Sessions {
        by: proof(&thief),
    }));
    assert_eq!(list.refused(), Refusal::InvalidToken);
}

#[test]
fn trojan_identifier_what_a_thief_added_is_a_claim_after_the_recovery() {
    for recovered_with in [None, Some("the owner's next")] {
        let (mut world, thief) = set_up(PASSWORD, MAIL);
        world.ask(verify(MAIL, Some(&thief), None));
        world.now += 1;
        world.ask(claim(&thief, mail(OTHER)));
        assert_eq!(
            verified(world.ask(verify(OTHER, Some(&thief), None))),
            Confirmed
        );
        world.now += 1;
        let recovery = verify(MAIL, None, recovered_with);
        let changes = world.send(None, recovery).changes;
        while !world.waiting.is_empty() {
            world.work();
        }
        assert_eq!(holds(&world), [(0x55, true), (MAIL, true), (OTHER, false)]);
        let fallen = |changes: &Changes| changes.fallen.iter().map(|row| row.hash[0]).collect();
        let fallen: Option<Vec<u8>> = changes.as_ref().map(fallen);
        assert!(recovered_with.is_some() || fallen == Some([OTHER].into()));
        let planted = world.ask(verify(OTHER, None, Some("the thief's")));
        assert_eq!(planted.refused(), Refusal::ClaimExpired);
        assert_eq!(holds(&world), [(0x55, true), (MAIL, true)]);
        let thiefs = world.sign_in("the thief's").refused();
        assert_eq!(thiefs, Refusal::InvalidCredentials);
    }
}

#[test]
fn a_thief_who_recovers_first_through_what_they_added_is_undone_by_the_owner() {
    let (mut world, thief) = set_up(PASSWORD, MAIL);
    world.ask(verify(MAIL, Some(&thief), None));
    world.now += 1;
    world.ask(claim(&thief, mail(OTHER)));
    world.ask(verify(OTHER, Some(&thief), None));
    world.now += 1;
    let stolen = world.ask(verify(OTHER, None, Some("the thief's")));
    assert_eq!(verified(stolen), TakenOver);
    // What was there before the planted address outlives it.
    assert_eq!(holds(&world), [(0x55, true), (MAIL, true), (OTHER, true)]);
    let thief = world.sign_in("the thief's").granted();
    world.now += 1;
    let owner = world.ask(verify(MAIL, None, Some("the owner's")));
    assert_eq!(verified(owner), TakenOver);
    assert_eq!(world.refresh(&thief).refused(), Refusal::InvalidToken);
    let again = world.ask(verify(OTHER, None, Some("the thief's")));
    assert_eq!(again.refused(), Refusal::ClaimExpired);
    world.sign_in("the owner's").granted();
}

#[test]
fn what_a_thief_added_falls_though_the_date_was_ahead_when_the_owner_showed_theirs() {
    let (mut world, owner) = set_up(PASSWORD, MAIL);
    world.ask(verify(MAIL, Some(&owner), None));
    world.now -= 366 * 86_400_000;
    let thief = world.sign_in(PASSWORD).granted();
    world.ask(claim(&thief, mail(OTHER)));
    let added = world.ask(verify(OTHER, Some(&thief), None));
    assert_eq!(verified(added), Confirmed);
    assert_eq!(verified(world.ask(verify(MAIL, None, None))), TakenOver);
    assert_eq!(holds(&world), [(0x55, true), (MAIL, true), (OTHER, false)]);
}

#[test]
fn an_address_is_not_added_on_a_sign_in_whose_date_was_far_ahead() {
    let (mut world, grant) = set_up(PASSWORD, MAIL);
    world.now -= world.policy.session.fresh_ms;
    assert!(matches!(
        world.ask(claim(&grant, mail(OTHER))),
        Reply::Identifier(IdentifierReply::Claimed(_))
    ));
    world.now -= 1;
    let ahead = world.ask(claim(&grant, mail(3))).refused();
    assert_eq!(ahead, Refusal::StaleSignIn);
}

#[test]
fn an_address_is_added_only_soon_after_a_sign_in() {
    let (mut world, grant) = set_up(PASSWORD, MAIL);
    world.now += world.policy.session.fresh_ms;
    assert!(matches!(
        world.ask(claim(&grant, mail(OTHER))),
        Reply::Identifier(IdentifierReply::Claimed(_))
    ));
    world.now += 1;
    let stale = world.ask(claim(&grant, mail(3))).refused();
    assert_eq!(stale, Refusal::StaleSignIn);
    // A refresh is no proof of the person.
    let grant = world.refresh(&grant).granted();
    let stale = world.ask(claim(&grant, mail(3))).refused();
    assert_eq!(stale, Refusal::StaleSignIn);
    let fresh = world.sign_in(PASSWORD).granted();
    assert!(matches!(
        world.ask(claim(&fresh, mail(3))),
        Reply::Identifier(IdentifierReply::Claimed(_))
    ));
}

#[test]
fn a_closed_account_takes_no_address_on_the_word_of_its_old_session() {
    for (change, refusal) in [
        (StatusChange::Lock, Refusal::AccountLocked),
        (StatusChange::Suspend, Refusal::AccountSuspended),
    ] {
        let (mut world, thief) = set_up(PASSWORD, MAIL);
        world.ask(set_status(change));
        assert_eq!(world.ask(claim(&thief, mail(OTHER))).refused(), refusal);
        let by_session = world.ask(verify(MAIL, Some(&thief), None));
        assert_eq!(by_session.refused(), refusal);
        let by_password = world.ask(verify(MAIL, None, Some(PASSWORD)));
        assert_eq!(by_password.refused(), refusal);
        assert_eq!(holds(&world), [(0x55, true), (MAIL, false)]);
    }
}

/// What an attacker does who holds a session of another person's account, and
/// addresses of their own.
#[derive(Clone, Copy, Debug)]
enum Theft {
    Claim(u8),
    VerifyBySession(u8),
    VerifyByPassword(u8),
    VerifyByNothing(u8),
    SignIn,
    Refresh,
    EndTheOthers,
    Wait(u64),
    /// The date is set back.
    Back(u64),
    /// What was decided so far is written.
    Commit,
}

fn theft() -> impl proptest::strategy::Strategy<Value = Theft> {
    use proptest::prelude::*;
    prop_oneof![
        (1u8..4).prop_map(Theft::Claim),
        (1u8..4).prop_map(Theft::VerifyBySession),
        (1u8..4).prop_map(Theft::VerifyByPassword),
        (1u8..4).prop_map(Theft::VerifyByNothing),
        Just(Theft::SignIn),
        Just(Theft::Refresh),
        Just(Theft::EndTheOthers),
        (1u64..100_000).prop_map(Theft::Wait),
        (1u64..100_000).prop_map(Theft::Back),
        Just(Theft::Commit),
    ]
}

/// Plays one act; gives the attacker's newest tokens.
fn steal(world: &mut World, held: &Grant, act: Theft) -> Grant {
    const THEIRS: &str = "the thief's password";
    let reply = match act {
        Theft::Claim(fill) => world.ask(claim(held, mail(fill))),
        Theft::VerifyBySession(fill) => world.ask(verify(fill, Some(held), None)),
        Theft::VerifyByPassword(fill) => world.ask(verify(fill, None, Some(THEIRS))),
        Theft::VerifyByNothing(fill) => world.ask(verify(fill, None, None)),
        Theft::SignIn => world.sign_in(THEIRS),
        Theft::Refresh => world.refresh(held),
        Theft::EndTheOthers => world.ask(Command::Session(SessionCommand::Revoke {
            by: proof(held),
            scope: RevokeScope::Others,
        })),
        Theft::Wait(ms) => {
            world.now += ms;
            return held.clone();
        }
        Theft::Back(ms) => {
            world.now -= ms;
            return held.clone();
        }
        Theft::Commit => {
            world.commit();
            return held.clone();
        }
    };
    match reply {
        Reply::Credential(CredentialReply::SignedIn(grant))
        | Reply::Session(SessionReply::Refreshed(grant)) => grant,
        _ => held.clone(),
    }
}

proptest::proptest! {
    #[test]
    fn nothing_that_a_thief_does_survives_the_owners_recovery(
        before in proptest::collection::vec(theft(), 0..30),
        after in proptest::collection::vec(theft(), 0..30),
    ) {
        let (mut world, stolen) = set_up(PASSWORD, MAIL);
        world.ask(verify(MAIL, Some(&stolen), None));
        world.commit();
        let mut thief = stolen;
        let mut latest = world.now;
        for act in before {
            thief = steal(&mut world, &thief, act);
            latest = latest.max(world.now);
        }
        world.now += 1;
        let recovered = world.ask(verify(MAIL, None, Some("the owner's next")));
        proptest::prop_assert_eq!(verified(recovered), TakenOver);
        let owner = world.sign_in("the owner's next").granted();
        for act in after {
            let next = steal(&mut world, &thief, act);
            proptest::prop_assert!(next.session == thief.session, "{:?} let the thief in", act);
            thief = next;
            latest = latest.max(world.now);
        }
        world.now = latest + world.policy.guess.cap_ms;
        world.refresh(&owner).granted();
        world.sign_in("the owner's next").granted();
        let held: Vec<u8> = holds(&world).iter().filter(|row| row.1).map(|row| row.0).collect();
        proptest::prop_assert_eq!(held, [0x55, MAIL]);
        world.commit();
    }
}

/// Every operation on an account in every status, by a caller with a session,
/// the password and the address: what a status lets through stands in a table.
#[test]
fn the_table_of_operations_by_status_is_as_written_down() {
    use std::fmt::Write;
    let mut table = std::string::String::new();
    for change in [None, Some(StatusChange::Lock), Some(StatusChange::Suspend)] {
        let fresh = || {
            let (mut world, grant) = set_up(PASSWORD, MAIL);
            world.ask(verify(MAIL, Some(&grant), None));
            world.ask(claim(&grant, mail(OTHER)));
            if let Some(change) = change {
                world.ask(set_status(change));
            }
            (world, grant)
        };
        let (_, grant) = fresh();
        let (by, administrator) = (proof(&grant), Administrator("office".into()));
        let operations = [
            ("sign in", sign_in(PASSWORD, None, Remember::Nothing)),
            ("refresh", refresh(&grant)),
            (
                "list sessions",
                Command::Session(SessionCommand::Sessions { by: by.clone() }),
            ),
            (
                "list devices",
                Command::Session(SessionCommand::Devices { by: by.clone() }),
            ),
            (
                "forget a device",
                Command::Session(SessionCommand::ForgetDevice {
                    by: by.clone(),
                    device: DeviceId(7),
                }),
            ),
            (
                "list credentials",
                Command::Credential(CredentialCommand::List { by: by.clone() }),
            ),
            (
                "remove the only credential",
                Command::Credential(CredentialCommand::Remove {
                    by: by.clone(),
                    method: crate::assurance::Method::Password,
                    number: 0,
                }),
            ),
            ("claim", claim(&grant, mail(3))),
            (
                "verify a claim by session",
                verify(OTHER, Some(&grant), None),
            ),
            (
                "verify a claim by password",
                verify(OTHER, None, Some(PASSWORD)),
            ),
            ("verify a claim by nothing", verify(OTHER, None, None)),
            (
                "recover by a held address",
                verify(MAIL, None, Some("another one")),
            ),
            (
                "revoke",
                Command::Session(SessionCommand::Revoke {
                    by,
                    scope: RevokeScope::This,
                }),
            ),
            ("lock", set_status(StatusChange::Lock)),
            ("unlock", set_status(StatusChange::Unlock)),
            ("suspend", set_status(StatusChange::Suspend)),
            ("reinstate", set_status(StatusChange::Reinstate)),
            (
                "erase",
                Command::Lifecycle(LifecycleCommand::Erase { by: administrator }),
            ),
        ];
        for (name, command) in operations {
            let (mut world, _) = fresh();
            let status = world.account.parts().unwrap().0.status;
            let reply = match world.ask(command) {
                Reply::No(refusal) => std::format!("{refusal:?}"),
                Reply::Credential(CredentialReply::SignedIn(_)) => "signed in".into(),
                Reply::Session(SessionReply::Refreshed(_)) => "refreshed".into(),
                Reply::Session(SessionReply::Sessions(_)) => "listed".into(),
                Reply::Identifier(IdentifierReply::Claimed(_)) => "claimed".into(),
                Reply::Identifier(IdentifierReply::Verified(verification)) => {
                    std::format!("{verification:?}")
                }
                Reply::Session(SessionReply::Devices(list)) => std::format!("{list:?}"),
                Reply::Session(SessionReply::Forgotten(count)) => {
                    std::format!("forgotten, {count}")
                }
                Reply::Session(SessionReply::Revoked(count)) => std::format!("revoked {count}"),
                Reply::Lifecycle(LifecycleReply::StatusSet(status)) => std::format!("{status:?}"),
                Reply::Lifecycle(LifecycleReply::Erased(_)) => "erased".into(),
                Reply::Credential(CredentialReply::SignedUp(_)) => "signed up".into(),
                Reply::Credential(CredentialReply::Listed(list)) => {
                    std::format!("{} credentials", list.credentials.len())
                }
                Reply::Credential(CredentialReply::Removed(count)) => {
                    std::format!("removed {count}")
                }
                Reply::Flow(_) => "a step of a flow".into(),
            };
            writeln!(table, "{status:?}: {name} = {reply}").unwrap();
        }
    }
    crate::table::assert_table("operations", &table);
}

#[test]
fn unexpired_change_a_change_begun_before_a_recovery_cannot_be_finished() {
    let (mut world, attacker) = set_up("attacker's password", MAIL);
    world.ask(verify(MAIL, Some(&attacker), None));
    world.ask(claim(&attacker, mail(OTHER)));
    let recovered = world.ask(verify(MAIL, None, Some("victim's password")));
    assert_eq!(verified(recovered), TakenOver);
    let finished = world.ask(verify(OTHER, Some(&attacker), None)).refused();
    assert_eq!(finished, Refusal::InvalidToken);
    let finished = world.ask(verify(OTHER, None, None)).refused();
    assert_eq!(finished, Refusal::ClaimExpired);
}

#[test]
fn a_claim_that_nobody_verified_lets_nobody_into_an_established_account() {
    let (mut world, owner) = set_up(PASSWORD, MAIL);
    world.ask(verify(MAIL, Some(&owner), None));
    world.ask(claim(&owner, mail(OTHER)));
    let wrong = world.ask(verify(OTHER, None, Some("not the password")));
    assert_eq!(wrong.refused(), Refusal::ClaimExpired);
    assert_eq!(holds(&world), [(0x55, true), (MAIL, true)]);
    assert_eq!(world.account.parts().unwrap().1.unknown_device.failures, 1);
    world.sign_in(PASSWORD).granted();
}

#[test]
fn guessing_the_password_by_verifying_is_bounded() {
    let (mut world, owner) = set_up(PASSWORD, MAIL);
    world.ask(verify(MAIL, Some(&owner), None));
    let before = world.verified;
    // Each guess costs the claim, so that of many at once one is judged.
    for n in 0..100 {
        world.ask(claim(&owner, mail(OTHER)));
        for m in 0..3 {
            let guess = std::format!("guess number {n} {m}");
            world.send(None, verify(OTHER, None, Some(&guess)));
        }
        while !world.waiting.is_empty() {
            world.work();
        }
    }
    let free = usize::from(world.policy.guess.free);
    assert_eq!(world.verified - before, free);
}

#[test]
fn a_sign_in_under_way_does_not_outlive_a_take_over() {
    let (mut world, thief) = set_up("attacker's password", MAIL);
    world.ask(verify(MAIL, Some(&thief), None));
    world.send(
        None,
        sign_in("attacker's password", None, Remember::Nothing),
    );
    let output = world.send(None, verify(MAIL, None, None));
    let told: Vec<_> = output.replies.iter().map(|(_, reply)| reply).collect();
    assert!(matches!(
        told[..],
        [
            Reply::No(Refusal::InvalidCredentials),
            Reply::Identifier(IdentifierReply::Verified(TakenOver))
        ]
    ));
    assert!(world.work().replies.is_empty());
    assert_eq!(world.sessions(), 0);
}

#[test]
fn a_claim_ends_and_with_the_last_one_the_account() {
    let mut world = World::empty();
    world.ask(Command::Credential(CredentialCommand::SignUp(SignUp {
        identifiers: [mail(MAIL)].into(),
        password: Password::parse(PASSWORD).unwrap(),
    })));
    world.now += world.policy.claim_ms;
    let late = world.ask(verify(MAIL, None, Some(PASSWORD))).refused();
    assert_eq!(late, Refusal::ClaimExpired);
    let output = world.account.handle(
        world.now,
        Entropy::new([9; 32]),
        &world.policy,
        Input::Sweep,
    );
    let changes = output.changes.unwrap();
    assert_eq!(
        (changes.fate, changes.events),
        (Fate::Removed(TENANT), [EventKind::Removed].into())
    );
}

#[test]
fn sweeping_drops_what_is_over_and_leaves_the_rest() {
    let (mut world, grant) = set_up(PASSWORD, MAIL);
    world.ask(verify(MAIL, Some(&grant), None));
    world.ask_with(Some(1), claim(&grant, mail(OTHER)));
    assert!(world.input(Input::Sweep).changes.is_none());
    world.now += 366 * 86_400_000;
    let changes = world.input(Input::Sweep).changes.unwrap();
    assert_eq!((changes.fate, changes.released.len()), (Fate::Kept, 1));
    assert_eq!(
        (holds(&world), world.sessions()),
        ([(0x55, true), (MAIL, true)].into(), 0)
    );
    let sealed = world.account.parts().unwrap().1;
    assert!(sealed.outcomes.is_empty());
    assert!(world.input(Input::Sweep).changes.is_none());
}

#[test]
fn an_account_claims_at_most_eight_identifiers_and_no_user_name() {
    let (mut world, grant) = set_up(PASSWORD, MAIL);
    for fill in 1..=6 {
        let reply = world.ask(claim(&grant, mail(fill)));
        assert!(matches!(
            reply,
            Reply::Identifier(IdentifierReply::Claimed(_))
        ));
    }
    let ninth = world.ask(claim(&grant, mail(9))).refused();
    assert_eq!(ninth, Refusal::LimitReached);
    let name = identifier(IdentifierKind::Username, 9);
    let (mut world, grant) = set_up(PASSWORD, MAIL);
    let refused = world.ask(claim(&grant, name)).refused();
    assert_eq!(refused, Refusal::LimitReached);
}

#[test]
fn new_keys_move_the_rows_and_change_nothing_else() {
    let (mut world, grant) = set_up(PASSWORD, MAIL);
    let password = |world: &World| {
        let row = world.account.parts().unwrap().1.password.clone();
        PasswordHash::parse(&row.unwrap().phc).unwrap()
    };
    let old = password(&world);
    let mut new = old.clone();
    new.pepper_key = 2;
    let rekey = || Rekey {
        hashes: [(0, IndexHash([0xA0; 32])), (1, IndexHash([0xA1; 32]))].into(),
        key_version: 2,
        password: Some((old.clone(), new.clone())),
    };
    let changes = world.input(Input::Rekey(rekey())).changes.unwrap();
    // The claimed mail address has no row to move.
    assert_eq!(changes.moved.len(), 1);
    assert_eq!(changes.moved[0].to, IndexHash([0xA0; 32]));
    assert_eq!(holds(&world), [(0xA0, true), (0xA1, false)]);
    assert_eq!(password(&world), new);
    let changes = world.input(Input::Rekey(rekey())).changes.unwrap();
    assert!(changes.moved.is_empty());
    world.refresh(&grant).granted();
}
