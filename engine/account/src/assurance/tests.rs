//! The whole table of assurance: every method alone, every pair, some threes.

use super::*;
use std::fmt::Write;
use std::string::String;

const VERIFIED: Shown = Shown::Passkey(UserVerification::Verified, KeyStorage::Software);
const PRESENT: Shown = Shown::Passkey(UserVerification::Present, KeyStorage::Unknown);

const ALL: [(&str, Shown); 8] = [
    ("password", Shown::Password),
    ("passkey+uv", VERIFIED),
    ("passkey", PRESENT),
    ("email_code", Shown::EmailCode),
    ("sms_code", Shown::SmsCode),
    ("link", Shown::Link),
    ("totp", Shown::Totp),
    ("recovery_code", Shown::RecoveryCode),
];

fn proofs(shown: &[Shown]) -> Proofs {
    let mut proofs = Proofs::default();
    for (shown, at_ms) in shown.iter().zip(1..) {
        proofs
            .add(Proof {
                shown: *shown,
                at_ms,
            })
            .unwrap();
    }
    proofs
}

fn write_row(table: &mut String, entry: Entry, shown: &[(&str, Shown)]) {
    let names: std::vec::Vec<_> = shown.iter().map(|(name, _)| *name).collect();
    let shown: std::vec::Vec<_> = shown.iter().map(|(_, shown)| *shown).collect();
    let proofs = proofs(&shown);
    let assurance = proofs.assurance(entry).unwrap();
    writeln!(
        table,
        "{entry:?}: {} = {:?}, {:?}; acr {}; amr {}",
        names.join(" and "),
        assurance.level,
        assurance.basis,
        assurance.acr(),
        proofs.amr(entry).join(" ")
    )
    .unwrap();
}

#[test]
fn the_table_of_assurance_is_as_written_down() {
    let mut table = String::new();
    for entry in [Entry::Authentication, Entry::Recovery] {
        for (at, first) in ALL.iter().enumerate() {
            write_row(&mut table, entry, &[*first]);
            for second in &ALL[at + 1..] {
                if first.1.method() != second.1.method() {
                    write_row(&mut table, entry, &[*first, *second]);
                }
            }
        }
    }
    for three in [[0, 4, 6], [0, 6, 7], [0, 3, 4], [2, 4, 6], [3, 4, 5]] {
        let three = three.map(|at| ALL[at]);
        write_row(&mut table, Entry::Authentication, &three);
    }
    crate::table::assert_table("assurance", &table);
}

#[test]
fn numbers_and_names_of_methods_are_for_ever() {
    let methods = Method::ALL.map(|method| (method.number(), method.name()));
    assert_eq!(
        methods,
        [
            (1, "password"),
            (2, "passkey"),
            (3, "email_code"),
            (4, "sms_code"),
            (5, "link"),
            (6, "totp"),
            (7, "recovery_code"),
        ]
    );
    let known = (0..=u8::MAX).filter_map(Method::of);
    assert_eq!(known.collect::<std::vec::Vec<_>>(), Method::ALL);
}

/// Of every list of up to four proofs: a recovery raises nothing, mail raises
/// nothing, and AAL2 has a password or a passkey that verified its user in it.
#[test]
fn no_list_comes_to_more_than_it_deserves() {
    let places = || ALL.iter().map(|(_, shown)| Some(*shown)).chain([None]);
    for first in ALL.map(|(_, shown)| shown) {
        for second in places() {
            for third in places() {
                let shown = [Some(first), second, third];
                let shown: std::vec::Vec<_> = shown.into_iter().flatten().collect();
                let list = proofs(&shown);
                let assurance = list.assurance(Entry::Authentication).unwrap();
                let has = |one| list.iter().any(|proof| proof.shown == one);
                let possesses = has(PRESENT) || has(Shown::Totp) || has(Shown::SmsCode);
                let by_two = has(VERIFIED) || has(Shown::Password) && possesses;
                assert_eq!(assurance.level == Level::Two, by_two, "{shown:?}");
                let recovered = list.assurance(Entry::Recovery).unwrap();
                assert_eq!(
                    (recovered.level, recovered.basis),
                    (Level::One, Basis::Recovery)
                );
                assert!(recovered <= assurance);
                for weak in [Shown::EmailCode, Shown::Link, Shown::RecoveryCode] {
                    let others = list.iter().map(|proof| proof.shown);
                    let others: std::vec::Vec<_> = others.filter(|one| *one != weak).collect();
                    let without = proofs(&others).assurance(Entry::Authentication);
                    assert!(
                        without.is_none_or(|without| assurance <= without),
                        "{shown:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_empty_list_is_no_assurance() {
    let none = Proofs::default();
    assert_eq!(none.assurance(Entry::Authentication), None);
    assert_eq!(none.assurance(Entry::Recovery), None);
    assert_eq!(none.amr(Entry::Authentication), [""; 0]);
    assert_eq!(none.newest_ms(), None);
}

#[test]
fn the_newest_proof_says_when() {
    let mut list = proofs(&[Shown::Password, Shown::Totp]);
    assert_eq!(list.newest_ms(), Some(2));
    let (shown, at_ms) = (Shown::Password, 9);
    list.add(Proof { shown, at_ms }).unwrap();
    assert_eq!(list.newest_ms(), Some(9));
}

#[test]
fn what_rests_on_less_is_less() {
    let mut sorted = [Level::Two, Level::One].map(|level| {
        [
            Basis::Authenticators,
            Basis::Restricted,
            Basis::Address,
            Basis::Recovery,
        ]
        .map(|basis| Assurance { level, basis })
    });
    sorted.as_flattened_mut().reverse();
    assert!(sorted.as_flattened().is_sorted());
    let numbers = [
        Basis::Recovery as u8,
        Basis::Address as u8,
        Basis::Restricted as u8,
        Basis::Authenticators as u8,
    ];
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!([Level::One as u8, Level::Two as u8], [1, 2]);
}
