//! Records made by hand: their bytes in every format, and their limits.

use std::fmt::Write;
use std::string::String;
use std::vec::Vec;

use rkyv::Archived;

use super::*;
use crate::continuation::AttemptId;
use crate::credential::code::{LIVE_CODE_BYTES, LiveCode, SendLog};
use crate::credential::held::{Backup, HeldFactors, HeldRecoveryCodes, HeldTotp, PasskeyHead};
use crate::credential::recovery::{RECOVERY_BYTES, RecoveryCodes};
use crate::credential::totp::{TOTP_BYTES, Totp};
use crate::flow::{Attempt, Attempts, SendLogRow};
use crate::identifier::IdentifierKind;
use crate::status::Status;
use crate::table::assert_table;

type Record = (CheckPart, SealedPart);

const ALL: [Format; 3] = [Format::V1, Format::V2, Format::V3];

fn session(n: u8) -> Session {
    let at = u64::from(n) << 32;
    let rotated = |successor| {
        Some(Rotated {
            hash: [n | 0x80; 32],
            at: at + 5,
            successor,
        })
    };
    Session {
        id: at + 1,
        secret_hash: [n; 32],
        created_at: at + 2,
        used_at: at + 3,
        idle_ms: 1_000,
        expires_at: at + 4,
        assurance: 1,
        methods: 2,
        device: u64::from(n % 2),
        refresh_hash: [n | 0x40; 32],
        rotated: match n % 3 {
            0 => None,
            1 => rotated(Some([n | 0xc0; 52])),
            _ => rotated(None),
        },
    }
}

fn identifier(n: u8) -> IdentifierRow {
    let (kind, hold, directory) = match n % 3 {
        0 => (IdentifierKind::Email, Hold::Claimed { until: 9 }, None),
        1 => (
            IdentifierKind::Phone,
            Hold::Held { since: 8 },
            Some([n; 32]),
        ),
        _ => (IdentifierKind::Username, Hold::Held { since: 7 }, None),
    };
    IdentifierRow {
        number: u16::from(n),
        kind,
        hash: [n | 0x20; 32],
        key_version: 1,
        normaliser: 2,
        hold,
        directory,
    }
}

fn device(n: u8) -> Device {
    Device {
        id: u64::from(n),
        secret_hash: [n | 0x10; 32],
        added_at: 11,
        used_at: 12,
        guesses: Guesses {
            failures: 13,
            failed_at: 14,
        },
    }
}

fn outcome(n: u8, bytes: usize) -> OutcomeRow {
    OutcomeRow {
        key_hash: [n; 16],
        kept_until: 15,
        grants: n % 2,
        sealed: std::vec![n; bytes],
    }
}

/// With something of everything.
fn record() -> Record {
    let check = CheckPart {
        tenant: 0x0102_0304_0506_0708,
        user: *b"sixteen bytes id",
        revision: 21,
        created_at: 22,
        status: Status::Suspended,
        abandoned_at: 23,
        sessions: (0..3).map(session).collect(),
    };
    let sealed = SealedPart {
        identifiers: (0..3).map(identifier).collect(),
        password: Some(PasswordRow {
            phc: String::from("$a string of a hash"),
            rule: 2,
            set_at: 24,
        }),
        unknown_device: Guesses {
            failures: 25,
            failed_at: 26,
        },
        devices: (1..3).map(device).collect(),
        outcomes: (1..3).map(|n| outcome(n, usize::from(n) + 2)).collect(),
        // They came after the bytes that are written down.
        attempts: Attempts::default(),
        factors: HeldFactors::default(),
    };
    (check, sealed)
}

/// With every list full, everything that can be left out there, and the longest
/// texts.
fn largest() -> Record {
    let (mut check, mut sealed) = record();
    check.sessions = (0..50).map(|n| session(3 * n + 1)).collect();
    check.bound_successors();
    sealed.identifiers = (0..8).map(|n| identifier(3 * n + 1)).collect();
    if let Some(password) = &mut sealed.password {
        password.phc = "h".repeat(160);
    }
    let sealed_bytes = 12 + size_of::<Archived<v1::Outcome>>() + 16;
    sealed.devices = (0..20).map(device).collect();
    sealed.outcomes = (0..8).map(|n| outcome(n, sealed_bytes)).collect();
    sealed.attempts = attempts(6, 4);
    sealed.factors = factors(10);
    (check, sealed)
}

/// So many passkeys, an authenticator app and recovery codes.
fn factors(passkeys: u16) -> HeldFactors {
    let passkey = |number: u16| PasskeyHead {
        number,
        sign_count: 7 + u32::from(number),
        backup: Backup::BackedUp,
        added_at: 11,
        used_at: 12,
    };
    let failures = Guesses {
        failures: 13,
        failed_at: 14,
    };
    let mut totp = [0x21; TOTP_BYTES];
    totp[0] = 1;
    let mut codes = [0x22; RECOVERY_BYTES];
    codes[..3].copy_from_slice(&[1, 0b101, 0]);
    HeldFactors {
        passkeys: (1..=passkeys).map(passkey).collect(),
        totp: Some(HeldTotp {
            totp: Totp::decode(&totp).unwrap(),
            added_at: 15,
            failures: failures.clone(),
        }),
        recovery_codes: Some(HeldRecoveryCodes {
            codes: RecoveryCodes::decode(&codes).unwrap(),
            failures,
        }),
    }
}

#[test]
fn factors_have_the_bytes_that_are_written_down_and_no_older_format_forgets_them() {
    let (check, mut sealed) = record();
    let without = write(Format::V3, &check, &sealed).unwrap().plain.len();
    sealed.factors = factors(2);
    let written = write(Format::V3, &check, &sealed).unwrap();
    assert_table("record_factors", &hex(&written.plain[without..]));
    for format in [Format::V1, Format::V2] {
        let refused = write(format, &check, &sealed).err();
        assert_eq!(refused, Some(Unwritable::Corrupt));
    }
}

/// So many attempts, every other with a code, and sends.
fn attempts(rows: u8, sends: u16) -> Attempts {
    let attempt = |n: u8| {
        let id = AttemptId::from_bytes([n; 16]);
        let mut stored = [0; LIVE_CODE_BYTES];
        stored[..7].copy_from_slice(&[1, 1, 1, 0, n, 2, 42]);
        stored[23..].fill(n);
        Attempt {
            id,
            step: n.into(),
            expires_ms: 100 + u64::from(n),
            code: n
                .is_multiple_of(2)
                .then(|| LiveCode::decode(id, &stored).unwrap()),
        }
    };
    let row = |number: u16| {
        let mut log = SendLog::default();
        log.note(1_000 * u64::from(number) + 1);
        SendLogRow { number, log }
    };
    Attempts {
        rows: (0..rows).map(attempt).collect(),
        horizon_ms: 7,
        sends: (0..sends).map(row).collect(),
        failures: Guesses {
            failures: 8,
            failed_at: 9,
        },
    }
}

#[test]
fn flows_have_the_bytes_that_are_written_down_and_no_older_format_forgets_them() {
    let (check, mut sealed) = record();
    let without = write(Format::V3, &check, &sealed).unwrap().plain.len();
    sealed.attempts = attempts(2, 1);
    let written = write(Format::V3, &check, &sealed).unwrap();
    assert_table("record_flows", &hex(&written.plain[without..]));
    for format in [Format::V1, Format::V2] {
        let refused = write(format, &check, &sealed).err();
        assert_eq!(refused, Some(Unwritable::Corrupt));
    }
}

/// What a format can say of a record.
fn as_in(format: Format, (check, mut sealed): Record) -> Record {
    match format {
        Format::V1 => {
            sealed.attempts = Attempts::default();
            sealed.factors = HeldFactors::default();
            for row in &mut sealed.identifiers {
                row.directory = None;
            }
        }
        Format::V2 => {
            sealed.attempts = Attempts::default();
            sealed.factors = HeldFactors::default();
        }
        Format::V3 => {}
    }
    (check, sealed)
}

fn hex(bytes: &[u8]) -> String {
    let mut lines = String::new();
    for line in bytes.chunks(32) {
        let digits: String = line.iter().map(|byte| std::format!("{byte:02x}")).collect();
        writeln!(lines, "{digits}").unwrap();
    }
    lines
}

#[test]
fn a_record_with_something_of_everything_has_the_bytes_that_are_written_down() {
    for (format, table) in ALL.into_iter().zip(["full_v1", "full_v2", "full_v3"]) {
        let (check, sealed) = as_in(format, record());
        let written = write(format, &check, &sealed).unwrap();
        let (clear, plain) = (hex(&written.clear), hex(&written.plain));
        assert_table(
            &std::format!("record_{table}"),
            &std::format!("in clear\n{clear}to be sealed\n{plain}"),
        );
    }
}

/// They outlive a change of the record's format, in rows that only their client
/// can open.
#[test]
fn outcomes_have_the_bytes_that_are_written_down() {
    let grant = v1::GrantRow {
        session: 1,
        family: [2; 24],
        refresh: [3; 24],
        idle_expires_at: 4,
        expires_at: 5,
        assurance: 6,
        methods: 7,
        device: None,
    };
    let remembered = v1::GrantRow {
        device: Some((8, [9; 24])),
        ..grant.clone()
    };
    let mut dump = String::new();
    for outcome in [
        v1::Outcome::SignedUp,
        v1::Outcome::SignedIn(grant),
        v1::Outcome::SignedIn(remembered),
        v1::Outcome::InvalidCredentials,
        v1::Outcome::Revoked(10),
        v1::Outcome::StatusSet(v1::Status::Decoy),
        v1::Outcome::Claimed(11),
        v1::Outcome::Verified(v1::Verification::TakenOver),
    ] {
        let bytes = rkyv::to_bytes::<RkyvError>(&outcome).unwrap();
        writeln!(dump, "{outcome:?}\n{}", hex(&bytes).trim_end()).unwrap();
        let read = rkyv::from_bytes::<v1::Outcome, RkyvError>(&bytes);
        assert_eq!(read.unwrap(), outcome);
    }
    assert_table("outcome_v1", &dump);
}

type Enlarge = fn(&mut Record);

#[test]
fn the_largest_record_takes_what_the_budget_says_and_is_not_written_larger() {
    let (check, sealed) = largest();
    let written = write(Format::V3, &check, &sealed).unwrap();
    let bytes = written.clear.len() + written.plain.len() + SEAL_BYTES;
    assert_eq!(bytes, budget::LARGEST_BYTES);
    let enlarge: [(&str, Enlarge); 6] = [
        ("session", |(check, _)| check.sessions.push(session(0))),
        ("successor", |(check, _)| {
            for rotated in check
                .sessions
                .iter_mut()
                .filter_map(|one| one.rotated.as_mut())
            {
                rotated.successor = Some([1; 52]);
            }
        }),
        ("identifier", |(_, sealed)| {
            sealed.identifiers.push(identifier(0))
        }),
        ("hash", |(_, sealed)| {
            let password = sealed.password.as_mut();
            password.unwrap().phc.push('h');
        }),
        ("device", |(_, sealed)| sealed.devices.push(device(0))),
        ("outcome", |(_, sealed)| sealed.outcomes[0].sealed.push(0)),
    ];
    for (what, enlarge) in enlarge {
        let mut record = largest();
        enlarge(&mut record);
        let written = write(Format::V3, &record.0, &record.1);
        assert_eq!(written.err(), Some(Unwritable::TooLarge), "{what}");
    }
}

#[test]
fn every_format_reads_back_what_was_written() {
    let (check, _) = record();
    let nothing = CheckPart {
        sessions: Vec::new(),
        ..check
    };
    for record in [record(), largest(), (nothing, SealedPart::default())] {
        for format in ALL {
            let (check, sealed) = as_in(format, record.clone());
            let written = write(format, &check, &sealed).unwrap();
            let bytes = assemble(written.clear.clone(), &written.plain).unwrap();
            let view = View::new(&bytes).unwrap();
            assert_eq!((view.format(), view.bound()), (format, written.bound()));
            assert_eq!(view.sealed(), written.plain.as_slice());
            let spans: Vec<_> = check
                .sessions
                .iter()
                .map(|one| (one.id(), one.expiry()))
                .collect();
            assert_eq!(view.sessions().collect::<Vec<_>>(), spans);
            assert_eq!(view.status(), check.status);
            assert_eq!(view.abandoned_at(), check.abandoned_at);
            assert_eq!(view.read(view.sealed()), Ok((check, sealed)));
        }
    }
}

#[test]
fn only_format_3_binds_what_is_in_clear() {
    let (check, sealed) = as_in(Format::V1, record());
    for format in ALL {
        let written = write(format, &check, &sealed).unwrap();
        let bound = match format {
            Format::V1 | Format::V2 => &[][..],
            Format::V3 => &written.clear[..],
        };
        assert_eq!(written.bound(), bound);
    }
}

#[test]
fn sections_that_are_unknown_out_of_order_or_cut_short_are_refused() {
    let (check, sealed) = record();
    let plain = write(Format::V3, &check, &sealed).unwrap().plain.to_vec();
    let read = |plain: &[u8]| {
        let mut check = check.clone();
        section::read(&mut check, plain).map(|sealed| (check, sealed))
    };
    assert_eq!(read(&plain), Ok((check.clone(), sealed.clone())));
    let first = 4 + usize::from(u16::from_le_bytes([plain[2], plain[3]]));
    let (identifiers, rest) = plain.split_at(first);
    let with = |place: usize, byte: u8| {
        let mut other = plain.clone();
        other[place] = byte;
        other
    };
    for (what, other) in [
        ("an unknown tag", with(0, 200)),
        ("tag 0", with(0, 0)),
        ("an unknown version", with(1, 2)),
        ("a section after a later one", [rest, identifiers].concat()),
        ("one section twice", [identifiers, &plain[..]].concat()),
        ("half a head", [&plain[..], &[7, 1, 0]].concat()),
        (
            "a section of a newer program",
            [&plain[..], &[7, 1, 0, 0]].concat(),
        ),
        (
            "a length beyond the end",
            [identifiers, &rest[..rest.len() - 1]].concat(),
        ),
        ("no bytes of the sessions", identifiers.to_vec()),
    ] {
        assert_eq!(read(&other), Err(Corrupt), "{what}");
    }
}

#[test]
fn sessions_and_what_belongs_to_them_must_fit_each_other() {
    let (check, sealed) = record();
    let plain = write(Format::V3, &check, &sealed).unwrap().plain;
    let mut fewer = check.clone();
    fewer.sessions.pop();
    assert_eq!(section::read(&mut fewer, &plain), Err(Corrupt));
    let mut none = check.clone();
    none.sessions.clear();
    assert_eq!(section::read(&mut none, &plain), Err(Corrupt));
    let without = write(Format::V3, &none, &sealed).unwrap().plain;
    assert_eq!(section::read(&mut check.clone(), &without), Err(Corrupt));
}
