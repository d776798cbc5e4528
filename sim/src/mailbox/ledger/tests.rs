use tidegate_account::OutgoingKind;
use zeroize::Zeroizing;

use super::*;

const WHO: Who = Who::Person(1);

fn user() -> UserId {
    UserId::from_bytes([1; 16])
}

fn outgoing(body: &[u8]) -> Outgoing {
    let body = Zeroizing::new(body.to_vec());
    Outgoing::new(OutgoingKind::Mail, "mail", 9, body).unwrap()
}

/// One message that was answered so.
fn ledger(posted: Posted) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.write(0, Post::new(WHO, user(), outgoing(b"hello")));
    ledger.posted(0, posted);
    ledger
}

/// As the engine hands it over: in the name of the tenant.
fn letter(id: [u8; 16], body: &[u8]) -> Letter {
    let mut plain = vec![1, OutgoingKind::Mail as u8];
    plain.extend_from_slice(&TenantId::of_name(TENANT).0.to_le_bytes());
    plain.extend_from_slice(&9u64.to_le_bytes());
    plain.extend_from_slice(b"\x04mail");
    plain.extend_from_slice(body);
    Letter {
        id,
        user: user(),
        outgoing: Outgoing::decode(&plain).unwrap(),
    }
}

#[test]
fn what_is_acknowledged_arrives_or_is_listed() {
    let none = BTreeSet::new();
    let listed = BTreeSet::from([(user(), 7)]);
    let mut acknowledged = ledger(Posted::Acknowledged);
    assert_eq!(acknowledged.missing(&none).len(), 1);
    // Listed before it was ever handed over.
    assert_eq!(acknowledged.missing(&listed), []);
    let id = outgoing_id(user(), 8);
    assert_eq!(acknowledged.handed_over(&letter(id, b"hello")), Ok(0));
    // That is another one.
    assert_eq!(acknowledged.missing(&listed).len(), 1);
    assert_eq!(acknowledged.left(&listed).len(), 1);
    acknowledged.arrived(0);
    assert_eq!(acknowledged.missing(&none), []);
    assert_eq!(acknowledged.left(&none), []);
    let mut erased = ledger(Posted::Acknowledged);
    erased.is_erased(user());
    assert_eq!(erased.missing(&none), []);
}

#[test]
fn of_what_failed_nothing_leaves_and_of_what_is_unknown_either_is_right() {
    let (none, listed) = (BTreeSet::new(), BTreeSet::from([(user(), 7)]));
    let id = outgoing_id(user(), 7);
    for (posted, wrong) in [
        (Posted::Failed(Failure::Unavailable), 1),
        (Posted::Unknown, 0),
    ] {
        let mut ledger = ledger(posted);
        assert_eq!(ledger.missing(&none), []);
        assert_eq!(ledger.left(&none), []);
        assert_eq!(ledger.left(&listed).len(), wrong);
        assert_eq!(ledger.handed_over(&letter(id, b"hello")), Ok(0));
        assert_eq!(ledger.missing(&none), []);
        assert_eq!(ledger.left(&none).len(), wrong);
    }
}

#[test]
fn a_letter_is_one_that_was_posted_and_keeps_its_id() {
    let mut ledger = ledger(Posted::Acknowledged);
    let (one, other) = (outgoing_id(user(), 7), outgoing_id(user(), 8));
    assert_eq!(
        ledger.handed_over(&letter(one, b"hallo")),
        Err((None, "a letter leaves that was never posted".into()))
    );
    assert_eq!(ledger.handed_over(&letter(one, b"hello")), Ok(0));
    assert_eq!(ledger.handed_over(&letter(one, b"hello")), Ok(0));
    assert_eq!(
        ledger.handed_over(&letter(other, b"hello")),
        Err((Some(WHO), "message 0 leaves under two ids".into()))
    );
    ledger.write(1, Post::new(WHO, user(), outgoing(b"again")));
    assert_eq!(
        ledger.handed_over(&letter(one, b"again")),
        Err((Some(WHO), "message 1 leaves under another's id".into()))
    );
    let stranger = Letter {
        user: UserId::from_bytes([2; 16]),
        ..letter(one, b"hello")
    };
    assert_eq!(
        ledger.handed_over(&stranger),
        Err((Some(WHO), "message 0 leaves changed".into()))
    );
}
