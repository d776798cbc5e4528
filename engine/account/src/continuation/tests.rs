//! What a continuation's bytes are, and by whom it is opened.

use super::*;
use crate::assurance::{KeyStorage, Proof, Shown, UserVerification};
use crate::identifier::IdentifierKind;
use proptest::prelude::*;
use std::fmt::Write;
use std::format;

const TENANT: TenantId = TenantId(7);
const NONCE: [u8; 24] = [0x4E; 24];

fn key() -> Secret<32> {
    Secret::new([9; 32])
}

fn browser() -> Secret {
    Secret::new([8; 24])
}

fn smallest() -> Continuation {
    Continuation {
        purpose: Purpose::SignIn,
        tenant: TENANT,
        subject: UserId::from_bytes([0x5A; 16]),
        attempt: AttemptId::from_bytes([0xA7; 16]),
        identifier: None,
        proofs: Proofs::default(),
        step: 0,
        issued_ms: 1_000,
        expires_ms: 2_000,
        browser: BrowserHash::of(&browser()),
        session: None,
    }
}

fn full() -> Continuation {
    let mut proofs = Proofs::default();
    let passkey = Shown::Passkey(UserVerification::Verified, KeyStorage::Hardware);
    let shown = [Shown::Password, passkey, Shown::Totp, Shown::SmsCode];
    for (shown, at_ms) in shown.into_iter().zip(0x0101..) {
        proofs.add(Proof { shown, at_ms }).unwrap();
    }
    let text = "x".repeat(IDENTIFIER_MAX_BYTES);
    Continuation {
        purpose: Purpose::StepUp,
        identifier: Some(Identifier::from_stored(IdentifierKind::Username, &text)),
        proofs,
        step: 0x0203,
        session: Some(SessionId(0x0405)),
        ..smallest()
    }
}

fn known(text: &str) -> Continuation {
    let identifier = Identifier::parse(IdentifierKind::Email, text).unwrap();
    Continuation {
        identifier: Some(identifier),
        ..smallest()
    }
}

fn open(text: &str, tenant: TenantId, now_ms: u64) -> Result<Continuation, ContinuationFault> {
    let browser = browser();
    let presenter = Presenter {
        tenant,
        browser: &browser,
        now_ms,
    };
    Continuation::open(text, &key(), &presenter)
}

/// Everything of it; the hash of the browser, which is not shown, in bytes.
fn whole(one: &Continuation) -> String {
    let identifier = one.identifier.as_ref().map(Identifier::expose);
    format!("{one:?} {identifier:?} {:?}", one.browser.0)
}

#[test]
fn the_bytes_of_continuations_are_as_written_down() {
    let mut table = String::new();
    for (name, one) in [
        ("smallest", smallest()),
        ("with a mail address", known("ada@example.com")),
        ("full", full()),
    ] {
        writeln!(table, "{name}").unwrap();
        let plain = one.encode().unwrap();
        for row in plain.chunks(32) {
            row.iter()
                .for_each(|byte| write!(table, "{byte:02x}").unwrap());
            writeln!(table).unwrap();
        }
        writeln!(table, "{}", one.seal(&key(), NONCE).unwrap().as_str()).unwrap();
        let read = Continuation::decode(plain.as_slice()).unwrap();
        assert_eq!(whole(&read), whole(&one));
    }
    crate::table::assert_table("continuation_v1", &table);
}

#[test]
fn what_was_sealed_opens_whole() {
    for one in [smallest(), known("ada@example.com"), full()] {
        let text = one.seal(&key(), NONCE).unwrap();
        let opened = open(&text, TENANT, 1_999).unwrap();
        assert_eq!(whole(&opened), whole(&one));
    }
}

#[test]
fn every_continuation_has_the_same_length() {
    let lengths = [smallest(), known("a@b.example"), full()]
        .map(|one| one.seal(&key(), NONCE).unwrap().len());
    assert_eq!(lengths, [CONTINUATION_TEXT_BYTES; 3]);
    assert_eq!((PLAIN_BYTES, CONTINUATION_TEXT_BYTES), (448, 655));
}

#[test]
fn an_identifier_that_is_too_long_is_not_cut_off() {
    let text = "x".repeat(IDENTIFIER_MAX_BYTES + 1);
    let identifier = Some(Identifier::from_stored(IdentifierKind::Username, &text));
    let one = Continuation {
        identifier,
        ..smallest()
    };
    assert_eq!(one.seal(&key(), NONCE).err(), Some(TooLong));
}

#[test]
fn each_fault_is_told_from_the_others() {
    let text = smallest().seal(&key(), NONCE).unwrap();
    let fault = |text: &str, tenant, now_ms| open(text, tenant, now_ms).err();
    let malformed = Some(ContinuationFault::Malformed);
    assert_eq!(
        fault(&text, TENANT, 2_000),
        Some(ContinuationFault::Expired)
    );
    assert_eq!(
        fault(&text, TenantId(8), 1_500),
        Some(ContinuationFault::Foreign)
    );
    for other in [
        "",
        "tgf_",
        &text[1..],
        &text[..text.len() - 1],
        &format!("{}A", text.as_str()),
        &format!("{}=", &text[..text.len() - 1]),
        &text.replacen("tgf_", "tgs_", 1),
        &text.replacen("tgf_", "TGF_", 1),
    ] {
        assert_eq!(fault(other, TENANT, 1_500), malformed, "{other}");
    }
    let browser = Secret::new([7; 24]);
    for now_ms in [1_500, 2_000] {
        let presenter = Presenter {
            tenant: TENANT,
            browser: &browser,
            now_ms,
        };
        let opened = Continuation::open(&text, &key(), &presenter);
        assert_eq!(opened.err(), Some(ContinuationFault::OtherBrowser));
    }
    let other_key = smallest().seal(&Secret::new([1; 32]), NONCE).unwrap();
    assert_eq!(
        fault(&other_key, TENANT, 1_500),
        Some(ContinuationFault::Foreign)
    );
}

/// Opens what the right key sealed, with other bytes in it.
fn reseal(plain: &[u8; PLAIN_BYTES]) -> Option<ContinuationFault> {
    let mut sealed = [0; SEALED_BYTES];
    sealed[..24].copy_from_slice(&NONCE);
    sealed[24..472].copy_from_slice(plain);
    let (body, tenant) = (&mut sealed[24..472], associated(TENANT));
    let tag = cipher(&key()).encrypt_inout_detached(&XNonce::from(NONCE), &tenant, body.into());
    sealed[472..].copy_from_slice(&tag.unwrap());
    let text = format!("tgf_{}", BASE64URL_NOPAD.encode(&sealed));
    open(&text, TENANT, 1_500).err()
}

#[test]
fn what_a_newer_program_sealed_is_malformed_here() {
    let plain = *known("ada@example.com").encode().unwrap();
    assert_eq!(reseal(&plain), None);
    // Version, purpose, session, proofs, identifier's kind, its length, padding.
    for (at, value) in [
        (0, 2),
        (1, 7),
        (92, 2),
        (93, 1),
        (101, 2),
        (147, 0),
        (147, 4),
        (149, 2),
        (150, 0xFF),
        (447, 1),
    ] {
        let mut other = plain;
        other[at] = value;
        let fault = reseal(&other);
        assert_eq!(fault, Some(ContinuationFault::Malformed), "{at} {value}");
    }
    // The tenant inside is the one it was sealed for.
    let mut other = plain;
    other[2] = 8;
    assert_eq!(reseal(&other), Some(ContinuationFault::Foreign));
}

#[test]
fn bent_in_any_byte_it_never_opens() {
    let text = full().seal(&key(), NONCE).unwrap();
    let mut opened = 0;
    for at in 0..text.len() {
        for other in "Ab0-_=~".chars() {
            let mut bent = String::from(text.as_str());
            bent.replace_range(at..=at, other.encode_utf8(&mut [0; 4]));
            if bent != text.as_str() && open(&bent, TENANT, 1_500).is_ok() {
                opened += 1;
            }
        }
    }
    assert_eq!(opened, 0);
}

#[test]
fn nothing_of_a_person_is_shown() {
    let one = known("ada@example.com");
    let shown = format!("{one:?}");
    assert!(!shown.contains("example"), "{shown}");
    assert!(shown.contains("BrowserHash(..)"), "{shown}");
}

proptest! {
    #[test]
    fn bent_anywhere_in_its_bytes_it_is_foreign(
        at in 0..SEALED_BYTES, bits in 1u8.., nonce: [u8; 24],
    ) {
        let text = full().seal(&key(), nonce).unwrap();
        let mut sealed = read(&text).unwrap();
        sealed[at] ^= bits;
        let bent = format!("tgf_{}", BASE64URL_NOPAD.encode(sealed.as_slice()));
        prop_assert_eq!(open(&bent, TENANT, 1_500).err(), Some(ContinuationFault::Foreign));
    }

    #[test]
    fn no_text_is_a_panic(text in "(tgf_)?[A-Za-z0-9_=~-]{0,700}", whole in "tgf_[A-Za-z0-9_-]{651}") {
        for text in [&text, &whole] {
            prop_assert!(open(text, TENANT, 1_500).is_err());
        }
    }
}
