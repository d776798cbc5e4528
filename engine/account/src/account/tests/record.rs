use super::*;
use crate::record::{
    Corrupt, DEVICES_MAX, Format, IDENTIFIERS_MAX, IdentifierRow, OUTCOMES_MAX, RECORD_MAX_BYTES,
    SESSIONS_MAX, Unwritable, assemble, write,
};
use crate::reply::Verification;
use crate::table::assert_table;
use std::fmt::Write;

fn bytes_in(format: Format, world: &World) -> Vec<u8> {
    let (check, sealed) = world.account.parts().unwrap();
    unsealed(format, check, sealed)
}

#[test]
fn a_record_with_every_list_full_fits() {
    let mut world = World::signed_up();
    for n in 0..60u8 {
        // Longer than a successor must be kept.
        world.now += 31_000;
        let remember = sign_in(PASSWORD, None, Remember::Device);
        let grant = world.ask_with(Some(n), remember).granted();
        world.refresh(&grant).granted();
    }
    world.sign_in("wrong").refused();
    let (check, sealed) = world.account.parts().unwrap();
    let mut sealed = sealed.clone();
    let row = IdentifierRow {
        directory: Some([1; 32]),
        ..sealed.identifiers[0].clone()
    };
    sealed.identifiers = std::vec![row; IDENTIFIERS_MAX];
    let lists = [
        check.sessions.len(),
        sealed.devices.len(),
        sealed.outcomes.len(),
    ];
    assert_eq!(lists, [SESSIONS_MAX, DEVICES_MAX, OUTCOMES_MAX]);
    assert!(
        check
            .sessions
            .iter()
            .all(|session| session.rotated.is_some())
    );
    let size = unsealed(Format::NEWEST, check, &sealed).len() + crate::record::SEAL_BYTES;
    assert!(size <= RECORD_MAX_BYTES, "{size} bytes");
}

#[test]
fn a_record_over_the_limit_is_refused() {
    let world = World::signed_up();
    let (check, sealed) = world.account.parts().unwrap();
    let clear = write(Format::V1, check, sealed).unwrap().clear;
    let room = RECORD_MAX_BYTES - clear.len();
    let whole = assemble(clear.clone(), &std::vec![0u8; room]).unwrap();
    assert_eq!(whole.len(), RECORD_MAX_BYTES);
    let over = assemble(clear, &std::vec![0u8; room + 1]);
    assert_eq!(over, Err(Unwritable::TooLarge));
}

#[test]
fn the_bytes_of_every_version_are_as_written_down() {
    let (mut world, grant) = World::signed_in();
    world.now += 1_000;
    world.refresh(&grant).granted();
    for (format, table) in [(Format::V1, "record_v1"), (Format::V2, "record_v2")] {
        let mut dump = String::new();
        for line in bytes_in(format, &world).chunks(32) {
            let hex: String = line.iter().map(|byte| std::format!("{byte:02x}")).collect();
            writeln!(dump, "{hex}").unwrap();
        }
        assert_table(table, &dump);
    }
}

#[test]
fn every_version_reads_back_as_the_same_account() {
    let (mut world, grant) = World::signed_in();
    world.refresh(&grant).granted();
    let (check, sealed) = world.account.parts().unwrap();
    for format in [Format::V1, Format::V2, Format::V3] {
        let bytes = bytes_in(format, &world);
        let view = View::new(&bytes).unwrap();
        assert_eq!(view.format(), format);
        let read = view.read(view.sealed()).unwrap();
        assert_eq!(read, (check.clone(), sealed.clone()));
    }
}

#[test]
fn version_1_is_not_written_where_it_would_forget_the_directory() {
    let world = World::signed_up();
    let (check, sealed) = world.account.parts().unwrap();
    let mut sealed = sealed.clone();
    sealed.identifiers[0].directory = Some([1; 32]);
    let forgetful = write(Format::V1, check, &sealed).err();
    assert_eq!(forgetful, Some(Unwritable::Corrupt));
    for format in [Format::V2, Format::V3] {
        let bytes = unsealed(format, check, &sealed);
        let view = View::new(&bytes).unwrap();
        let read = view.read(view.sealed());
        assert_eq!(read, Ok((check.clone(), sealed.clone())));
    }
}

const KINDS: [IdentifierKind; 3] = [
    IdentifierKind::Email,
    IdentifierKind::Phone,
    IdentifierKind::Username,
];
const VERIFICATIONS: [Verification; 2] = [Verification::Confirmed, Verification::TakenOver];
/// Those that a real account can have.
const STATUSES: [Status; 3] = [Status::Active, Status::Locked, Status::Suspended];

fn shown_kinds() -> impl Iterator<Item = (IdentifierKind, Verification)> {
    let of = |kind| VERIFICATIONS.map(|verification| (kind, verification));
    KINDS.into_iter().flat_map(of)
}

/// Every event that can be appended, in the order of its kinds.
fn every_event() -> Vec<EventKind> {
    use EventKind as E;
    let reasons = [
        EndReason::Revoked,
        EndReason::RefreshReused,
        EndReason::Evicted,
        EndReason::Expired,
        EndReason::TakenOver,
        EndReason::Replaced,
    ];
    let mut all = Vec::from([E::SignedUp, E::SignedIn(3, 1), E::SignInFailed]);
    all.extend(reasons.map(|reason| E::SessionEnded(3, reason)));
    all.extend([E::DeviceAdded(4), E::PasswordUpgraded]);
    all.extend(STATUSES.map(E::StatusChanged));
    all.push(E::UnknownIdentifier);
    all.extend(KINDS.map(E::IdentifierClaimed));
    all.extend(shown_kinds().map(|(kind, by)| E::IdentifierVerified(kind, by)));
    all.extend(KINDS.map(E::IdentifierDropped));
    all.extend([E::PasswordReplaced, E::Removed, E::Erased]);
    all.extend([E::CredentialAdded(2), E::CredentialRemoved(6)]);
    all.push(E::PasskeyCountRegressed(3));
    all
}

/// A new kind gets the next number, and joins [`every_event`].
fn number(kind: &EventKind) -> usize {
    match kind {
        EventKind::SignedUp => 0,
        EventKind::SignedIn(..) => 1,
        EventKind::SignInFailed => 2,
        EventKind::SessionEnded(..) => 3,
        EventKind::DeviceAdded(_) => 4,
        EventKind::PasswordUpgraded => 5,
        EventKind::StatusChanged(_) => 6,
        EventKind::UnknownIdentifier => 7,
        EventKind::IdentifierClaimed(_) => 8,
        EventKind::IdentifierVerified(..) => 9,
        EventKind::IdentifierDropped(_) => 10,
        EventKind::PasswordReplaced => 11,
        EventKind::Removed => 12,
        EventKind::Erased => 13,
        EventKind::CredentialAdded(_) => 14,
        EventKind::CredentialRemoved(_) => 15,
        EventKind::PasskeyCountRegressed(_) => 16,
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| std::format!("{byte:02x}"));
    digits.collect()
}

#[test]
fn every_event_reads_back_and_its_bytes_are_as_written_down() {
    let mut dump = String::new();
    let mut numbers: Vec<usize> = every_event().iter().map(number).collect();
    numbers.dedup();
    assert_eq!(numbers, (0..17).collect::<Vec<_>>());
    for kind in every_event() {
        let event = crate::event::Event {
            tenant: 7,
            user: [1; 16],
            at: 5,
            kind,
        };
        let bytes = crate::event::encode_event(&event).unwrap();
        assert_eq!(crate::event::decode_event(&bytes), Ok(event.clone()));
        writeln!(dump, "{:?}\n{}", event.kind, hex(&bytes)).unwrap();
    }
    assert_table("event_v1", &dump);
}

/// A new act gets the next number, and joins [`every_act`].
fn act_number(act: &Act) -> usize {
    match act {
        Act::StatusSet(_) => 0,
        Act::IdentifierVerified(..) => 1,
    }
}

fn every_act() -> Vec<Act> {
    let mut all = Vec::from(STATUSES.map(Act::StatusSet));
    all.extend(shown_kinds().map(|(kind, by)| Act::IdentifierVerified(kind, by)));
    all
}

fn audit(at: u64, by: &str, act: Act) -> Audit {
    let by = by.into();
    Audit { at, by, act }
}

#[test]
fn every_act_reads_back_and_its_bytes_are_as_written_down() {
    let mut dump = String::new();
    let acts = every_act();
    let mut numbers: Vec<usize> = acts.iter().map(act_number).collect();
    numbers.dedup();
    assert_eq!(numbers, [0, 1]);
    let both = Vec::from([
        audit(5, "desk", acts[0].clone()),
        audit(6, "a gateway of the head office", acts[8].clone()),
    ]);
    let alone = acts.into_iter().map(|act| {
        let name = std::format!("{act:?}");
        (name, Vec::from([audit(5, "desk", act)]))
    });
    for (name, audits) in alone.chain([("two at once".into(), both)]) {
        let bytes = crate::audit::encode_audits(&audits).unwrap();
        assert_eq!(crate::audit::decode_audits(&bytes), Ok(audits));
        writeln!(dump, "{name}\n{}", hex(&bytes)).unwrap();
    }
    assert_table("audit_v1", &dump);
    for other in [&[][..], &[0], &[2, 0, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(crate::audit::decode_audits(other), Err(Corrupt));
    }
}

#[test]
fn a_view_reads_what_was_written_in_place() {
    let (world, grant) = World::signed_in();
    let formats = [Format::V1, Format::V2, Format::V3];
    for (offset, format) in (0..8).flat_map(|offset| formats.map(|format| (offset, format))) {
        let bytes = bytes_in(format, &world);
        let mut shifted = std::vec![0; offset];
        shifted.extend_from_slice(&bytes);
        let view = View::new(&shifted[offset..]).unwrap();
        assert_eq!((view.user(), view.tenant()), (grant.user, TENANT));
        assert_eq!(view.revision(), world.account.revision());
        let hash = SecretHash::of_session(&grant.session_secret());
        let found = view.find(grant.session, &hash).unwrap();
        let expiry = Expiry {
            used_at: world.now,
            touched_at: world.now,
            idle_ms: world.policy.session.idle_ms,
            expires_at: grant.expires_at,
        };
        assert_eq!((found.place, found.expiry), (0, expiry));
        let forged = SecretHash::of_session(&Secret::new([0; 24]));
        assert_eq!(view.find(grant.session, &forged), None);
        assert_eq!(view.find(SessionId(0), &hash), None);
    }
}

#[test]
fn damaged_records_are_told_and_never_panic() {
    let (world, _) = World::signed_in();
    for format in [Format::V1, Format::V2, Format::V3] {
        let whole = bytes_in(format, &world);
        for length in 0..whole.len() {
            if let Ok(view) = View::new(&whole[..length]) {
                assert!(view.read(view.sealed()).is_err(), "{format:?} {length}");
            }
        }
        for (place, bit) in (0..whole.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
            let mut flipped = whole.clone();
            flipped[place] ^= 1 << bit;
            if let Ok(view) = View::new(&flipped) {
                // Whatever it says, the seal tells that it is not what was written.
                let _ = view.read(view.sealed());
            }
        }
        for head in [[0, 0, 0, 0], [4, 0, 0, 0], [1, 1, 0, 0], [3, 0, 0, 1]] {
            let mut other = whole.clone();
            other[..4].copy_from_slice(&head);
            assert!(View::new(&other).is_err());
        }
    }
}
