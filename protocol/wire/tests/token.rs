//! Tokens as text.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

use proptest::prelude::*;
use tidegate_wire::{DeviceToken, RefreshToken, SecretBytes, SessionToken, TokenFault, UserId};

fn session() -> SessionToken {
    SessionToken {
        user: UserId([0xA1; 16]),
        session: 7,
        secret: SecretBytes([0x51; 24]),
    }
}

fn refresh() -> RefreshToken {
    RefreshToken {
        user: UserId([0xA1; 16]),
        session: 7,
        family: SecretBytes([0x52; 24]),
        secret: SecretBytes([0x51; 24]),
    }
}

#[test]
fn tokens_read_back() {
    let read: SessionToken = session().to_text().parse().unwrap();
    let whole = (read.user, read.session, read.secret.0);
    assert_eq!(whole, (session().user, 7, [0x51; 24]));
    let read: RefreshToken = refresh().to_text().parse().unwrap();
    let whole = (read.user, read.session, read.family.0, read.secret.0);
    assert_eq!(whole, (session().user, 7, [0x52; 24], [0x51; 24]));
    let device = DeviceToken {
        user: session().user,
        device: 9,
        secret: SecretBytes([3; 24]),
    };
    let read: DeviceToken = device.to_text().parse().unwrap();
    assert_eq!(
        (read.user, read.device, read.secret.0),
        (device.user, 9, [3; 24])
    );
}

#[test]
fn a_token_has_the_text_written_down() {
    assert_eq!(
        session().to_text().as_str(),
        "tgs_AQGhoaGhoaGhoaGhoaGhoaGhAAAAAAAAAAdRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFifa1n"
    );
}

#[test]
fn no_kind_passes_for_another() {
    let text = session().to_text().replace("tgs_", "tgr_");
    assert_eq!(text.parse::<RefreshToken>().err(), Some(TokenFault));
    let text = session().to_text().replace("tgs_", "tgd_");
    assert_eq!(text.parse::<DeviceToken>().err(), Some(TokenFault));
    assert_eq!(
        refresh().to_text().parse::<SessionToken>().err(),
        Some(TokenFault)
    );
}

#[test]
fn user_ids_are_32_hexadecimal_digits() {
    let text = "a1".repeat(16);
    assert_eq!(text.parse(), Ok(UserId([0xA1; 16])));
    assert_eq!(UserId([0xA1; 16]).to_string(), text);
    for bad in ["", "a1", &text[1..], &"g1".repeat(16), &"é".repeat(16)] {
        assert_eq!(bad.parse::<UserId>(), Err(TokenFault), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_changed_or_missing_character_is_told(place in 4usize..76, to in "[A-Za-z0-9_-]") {
        let text = session().to_text();
        let mut changed = text.to_string();
        changed.replace_range(place..=place, &to);
        if changed != *text {
            prop_assert_eq!(changed.parse::<SessionToken>().err(), Some(TokenFault));
        }
        prop_assert_eq!(text[..place].parse::<SessionToken>().err(), Some(TokenFault));
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,100}") {
        let _ = (text.parse::<SessionToken>().is_ok(), text.parse::<RefreshToken>().is_ok());
        let _ = format!("tgs_{text}").parse::<SessionToken>().is_ok();
    }
}
