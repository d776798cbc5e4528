//! What two decisions come to in one commit.

use super::*;
use crate::identifier::IdentifierKind;

fn row(number: u16, fill: u8) -> IdentifierRow {
    IdentifierRow {
        number,
        kind: IdentifierKind::Email,
        hash: [fill; 32],
        key_version: 1,
        normaliser: 1,
        hold: Hold::Held { since: 5 },
        directory: Some([0xD0; 32]),
    }
}

fn held(fill: u8, older: &[u8]) -> Changes {
    let held = Held {
        hash: IndexHash([fill; 32]),
        key_version: 2,
        older: older.iter().map(|fill| IndexHash([*fill; 32])).collect(),
        reservation: None,
    };
    Changes {
        held: [held].into(),
        ..Changes::default()
    }
}

fn fallen(fill: u8) -> Changes {
    Changes {
        fallen: [row(1, fill)].into(),
        ..Changes::default()
    }
}

fn moved(from: u8, to: u8) -> Changes {
    let moved = Moved {
        from: IndexHash([from; 32]),
        to: IndexHash([to; 32]),
        key_version: 2,
    };
    Changes {
        moved: [moved].into(),
        ..Changes::default()
    }
}

fn released(row: IdentifierRow) -> Changes {
    Changes {
        released: [row].into(),
        ..Changes::default()
    }
}

/// What the commit does to index rows: those to write, to delete and to move,
/// by the first bytes of their hashes.
type Rows = (Vec<u8>, Vec<u8>, Vec<(u8, u8)>);

fn rows(decided: impl IntoIterator<Item = Changes>) -> Rows {
    let mut all = Changes::default();
    for changes in decided {
        all.extend(changes);
    }
    let released = all.released.iter().filter(|row| row.is_held());
    let deleted = released.chain(&all.fallen);
    let moved = all.moved.iter();
    (
        all.held.iter().map(|held| held.hash.0[0]).collect(),
        deleted.map(|row| row.hash[0]).collect(),
        moved
            .map(|moved| (moved.from.0[0], moved.to.0[0]))
            .collect(),
    )
}

fn none() -> Rows {
    (Vec::new(), Vec::new(), Vec::new())
}

#[test]
fn what_was_held_and_fell_before_it_was_written_has_no_row() {
    assert_eq!(rows([held(8, &[]), fallen(8)]), none());
    // Held under an older key, which a new one has moved since.
    assert_eq!(rows([held(7, &[]), moved(7, 8), fallen(8)]), none());
    let (written, deleted, _) = rows([held(9, &[]), fallen(8)]);
    assert_eq!((written, deleted), ([9].into(), [8].into()));
    let (written, deleted, _) = rows([held(8, &[]), fallen(8), held(8, &[])]);
    assert_eq!((written, deleted), ([8].into(), Vec::new()));
}

#[test]
fn what_fell_and_is_held_again_keeps_its_row_or_moves_it() {
    assert_eq!(rows([fallen(8), held(8, &[])]), none());
    let again = rows([fallen(7), held(8, &[6, 7])]);
    assert_eq!(again, (Vec::new(), Vec::new(), [(7, 8)].into()));
    let (_, deleted, _) = rows([fallen(8), held(8, &[]), fallen(8)]);
    assert_eq!(deleted, [8]);
}

#[test]
fn what_was_to_move_and_fell_goes_from_where_it_lies() {
    let (written, deleted, left) = rows([moved(7, 8), fallen(8)]);
    assert_eq!(
        (written, deleted, left),
        (Vec::new(), [7].into(), Vec::new())
    );
    let back = rows([moved(7, 8), fallen(8), held(8, &[7])]);
    assert_eq!(back, (Vec::new(), Vec::new(), [(7, 8)].into()));
    let twice = rows([moved(6, 7), moved(7, 8)]);
    assert_eq!(twice, (Vec::new(), Vec::new(), [(6, 8)].into()));
    let mut all = moved(7, 8);
    all.extend(fallen(8));
    assert_eq!(all.fallen[0].directory, Some([0xD0; 32]));
}

#[test]
fn a_row_that_moved_before_it_was_written_is_written_once_and_looked_for_twice() {
    let mut all = held(7, &[6]);
    all.extend(moved(7, 8));
    assert!(all.moved.is_empty());
    let [held] = &all.held[..] else {
        panic!("{all:?}");
    };
    assert_eq!((held.hash, held.key_version), (IndexHash([8; 32]), 2));
    assert_eq!(held.older, [6, 7].map(|fill| IndexHash([fill; 32])));
}

#[test]
fn nobody_elses_row_goes_with_whoever_is_erased_before_theirs_was_written() {
    assert_eq!(rows([held(8, &[]), released(row(1, 8))]), none());
    let (_, deleted, _) = rows([released(row(1, 8))]);
    assert_eq!(deleted, [8]);
}

#[test]
fn a_text_that_was_to_be_kept_goes_with_its_claim() {
    let claimed = |number: u16| Changes {
        texts: [(
            number,
            crate::command::ClaimedIdentifier {
                identifier: crate::identifier::Identifier::parse(
                    IdentifierKind::Email,
                    "m@example.com",
                )
                .unwrap(),
                hash: IndexHash([8; 32]),
                key_version: 1,
                older: Vec::new(),
                reservation: None,
            },
        )]
        .into(),
        ..Changes::default()
    };
    let gone = IdentifierRow {
        hold: Hold::Claimed { until: 9 },
        ..row(3, 8)
    };
    let mut all = claimed(2);
    all.extend(claimed(3));
    all.extend(released(gone));
    let numbers: Vec<u16> = all.texts.iter().map(|(number, _)| *number).collect();
    assert_eq!((numbers, all.released.len()), ([2].into(), 1));
    // Another claim under the number that is free now.
    all.extend(claimed(3));
    assert_eq!(all.texts.len(), 2);
}
