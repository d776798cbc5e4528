//! What is stored of parts, and where.

use alloc::vec::Vec;

use super::*;
use crate::account::Changes;
use crate::audit::{Act, Audit, decode_audits};
use crate::status::Status;

#[test]
fn numbers_and_seals_of_kinds_are_as_they_were_stored() {
    let stored: Vec<_> = PartKind::ALL
        .iter()
        .map(|kind| (kind.number(), kind.seal(), kind.form(), kind.name()))
        .collect();
    assert_eq!(
        stored,
        [
            (0x10, 4, PartForm::Bare, "identifier's text"),
            (0x20, 5, PartForm::Dated, "administrative acts"),
            (0x30, 6, PartForm::Bare, "what must leave"),
            (0x40, 7, PartForm::Bare, "passkey"),
        ]
    );
    for number in 0..=u8::MAX {
        let kind = PartKind::of(number);
        assert_eq!(kind.is_some(), [0x10, 0x20, 0x30, 0x40].contains(&number));
        assert_eq!(kind.map(PartKind::number), kind.map(|_| number));
    }
}

#[test]
fn a_row_says_when_it_is_of_where_its_kind_does() {
    let (bare, dated) = (PartKind::IdentifierText, PartKind::Audits);
    assert_eq!(bare.row(5, b"sealed"), b"sealed");
    let row = dated.row(0x0102, b"sealed");
    assert_eq!(row, b"\x01\x02\x01\0\0\0\0\0\0sealed");
    assert_eq!(dated.sealed_of(&row), Ok(&b"sealed"[..]));
    assert_eq!(bare.sealed_of(b"sealed"), Ok(&b"sealed"[..]));
    assert_eq!((bare.at_of(&row), dated.at_of(&row)), (None, Some(0x0102)));
    for other in [&b"\x02\x02\x01\0\0\0\0\0\0sealed"[..], b"\x01\x02", b""] {
        assert_eq!(dated.sealed_of(other), Err(Corrupt));
        assert_eq!(dated.at_of(other), None);
    }
}

#[test]
fn acts_of_one_commit_are_one_part_under_its_revision() {
    let act = |at| Audit {
        at,
        by: "office".into(),
        act: Act::StatusSet(Status::Locked),
    };
    let changes = Changes {
        audits: [act(3), act(4)].into(),
        ..Changes::default()
    };
    let parts = changes.parts(9).unwrap();
    let [PartChange::Written { part, at_ms: 4 }] = &parts[..] else {
        panic!("{parts:?}");
    };
    let id = PartId {
        kind: PartKind::Audits,
        number: 9,
    };
    assert_eq!(part.id, id);
    assert_eq!(decode_audits(&part.plain), Ok([act(3), act(4)].into()));
    assert_eq!(Changes::default().parts(9), Ok(Vec::new()));
}
