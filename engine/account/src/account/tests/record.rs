use super::*;
use crate::record::{
    DEVICES_MAX, Format, IDENTIFIERS_MAX, IdentifierRow, OUTCOMES_MAX, RECORD_MAX_BYTES,
    SESSIONS_MAX, Unwritable, assemble, write,
};
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

#[test]
fn events_read_back_and_their_bytes_are_as_written_down() {
    let mut dump = String::new();
    for kind in [
        EventKind::SignedUp,
        EventKind::SignedIn(3, 1),
        EventKind::SignInFailed,
        EventKind::SessionEnded(3, EndReason::Evicted),
        EventKind::DeviceAdded(4),
        EventKind::PasswordUpgraded,
        EventKind::StatusChanged(crate::status::Status::Locked),
        EventKind::Erased,
    ] {
        let event = crate::event::Event {
            tenant: 7,
            user: [1; 16],
            at: 5,
            kind,
        };
        let bytes = crate::event::encode_event(&event).unwrap();
        assert_eq!(crate::event::decode_event(&bytes), Ok(event.clone()));
        let hex: String = bytes
            .iter()
            .map(|byte| std::format!("{byte:02x}"))
            .collect();
        writeln!(dump, "{:?}\n{hex}", event.kind).unwrap();
    }
    assert_table("event_v1", &dump);
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
        let span = Span {
            used_at: world.now,
            touched_at: world.now,
            idle_ms: world.policy.session.idle_ms,
            expires_at: grant.expires_at,
        };
        assert_eq!((found.place, found.span), (0, span));
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
