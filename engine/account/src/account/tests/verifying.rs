//! Claims, and who wins them. The pre-hijacking cases are those of Sudhodanan
//! and Paverd (USENIX Security 2022), each played to its end.

use super::*;
use crate::event::EndReason;
use crate::record::v1::Hold;
use crate::reply::Verification::{self, Confirmed, TakenOver};

const MAIL: u8 = 0x41;
const OTHER: u8 = 0x42;

/// An identifier whose hash is all this byte.
fn identifier(kind: IdentifierKind, fill: u8) -> ClaimedIdentifier {
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

fn mail(fill: u8) -> ClaimedIdentifier {
    identifier(IdentifierKind::Email, fill)
}

/// An account set up with a user name to sign in by, and this mail address.
fn set_up(password: &str, fill: u8) -> (World, Grant) {
    let mut world = World::empty();
    let name = identifier(IdentifierKind::Username, 0x55);
    world.ask(Command::SignUp(SignUp {
        identifiers: [name, mail(fill)].into(),
        password: Password::parse(password).unwrap(),
    }));
    let grant = world.sign_in(password).granted();
    (world, grant)
}

fn verify(fill: u8, session: Option<&Grant>, password: Option<&str>) -> Command {
    Command::Verify(Box::new(crate::command::Verify {
        identifier: mail(fill),
        session: session.map(proof),
        password: password.map(|text| Password::parse(text).unwrap()),
        by: Administrator("mailer".into()),
    }))
}

fn claim(grant: &Grant, identifier: ClaimedIdentifier) -> Command {
    Command::Claim {
        by: proof(grant),
        identifier,
    }
}

fn verified(reply: Reply) -> Verification {
    match reply {
        Reply::Verified(verification) => verification,
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

#[test]
fn classic_merge_an_account_prepared_with_a_victims_address_is_worth_nothing() {
    let (mut world, attacker) = set_up("attacker's password", MAIL);
    let reply = world.ask(verify(MAIL, None, Some("victim's password")));
    assert_eq!(verified(reply), TakenOver);
    assert_eq!(holds(&world), [(MAIL, true)]);
    let refusal = world.sign_in("attacker's password").refused();
    assert_eq!(refusal, Refusal::InvalidCredentials);
    assert_eq!(world.refresh(&attacker).refused(), Refusal::InvalidToken);
    world.sign_in("victim's password").granted();
}

#[test]
fn unexpired_session_the_attackers_session_ends_with_the_take_over() {
    let (mut world, attacker) = set_up("attacker's password", MAIL);
    assert_eq!(verified(world.ask(verify(MAIL, None, None))), TakenOver);
    assert_eq!(world.sessions(), 0);
    let ended = EventKind::SessionEnded(attacker.session.0, EndReason::TakenOver);
    assert!(world.events.contains(&ended));
    let list = world.ask(Command::Sessions {
        by: proof(&attacker),
    });
    assert_eq!(list.refused(), Refusal::InvalidToken);
}

#[test]
fn trojan_identifier_what_the_attacker_added_goes() {
    let (mut world, attacker) = set_up("attacker's password", MAIL);
    let phone = identifier(IdentifierKind::Phone, OTHER);
    world.ask(claim(&attacker, phone));
    world.ask(verify(MAIL, None, Some("victim's password")));
    assert_eq!(holds(&world), [(MAIL, true)]);
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
    let without = world.ask(verify(OTHER, None, None)).refused();
    assert_eq!(without, Refusal::InvalidCredentials);
    let wrong = world.ask(verify(OTHER, None, Some("not the password")));
    assert_eq!(wrong.refused(), Refusal::InvalidCredentials);
    assert_eq!(world.account.parts().unwrap().1.strangers.failures, 1);
    world.sign_in(PASSWORD).granted();
}

#[test]
fn guessing_the_password_by_verifying_is_bounded() {
    let (mut world, owner) = set_up(PASSWORD, MAIL);
    world.ask(verify(MAIL, Some(&owner), None));
    world.ask(claim(&owner, mail(OTHER)));
    let before = world.verified;
    for n in 0..100 {
        world.send(
            None,
            verify(OTHER, None, Some(&std::format!("guess number {n}"))),
        );
    }
    while !world.waiting.is_empty() {
        world.work();
    }
    let free = usize::from(world.policy.guess.free);
    assert_eq!(world.verified - before, free);
}

#[test]
fn a_sign_in_under_way_does_not_outlive_a_take_over() {
    let (mut world, _) = set_up("attacker's password", MAIL);
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
            Reply::Verified(TakenOver)
        ]
    ));
    assert!(world.work().replies.is_empty());
    assert_eq!(world.sessions(), 0);
}

#[test]
fn a_claim_ends_and_with_the_last_one_the_account() {
    let mut world = World::empty();
    world.ask(Command::SignUp(SignUp {
        identifiers: [mail(MAIL)].into(),
        password: Password::parse(PASSWORD).unwrap(),
    }));
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
        assert!(matches!(reply, Reply::Claimed(_)));
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
