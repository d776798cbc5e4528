//! Sections: what the sealed part of format 3 is made of.
//!
//! ```text
//! tag u8 | version u8 | length u16 LE | bytes       one after the other
//! ```
//! Tags rise, and a section that holds nothing is not there. A tag or version
//! that is not known here is of a newer program, and the record is refused: to
//! pass over it would forget what it holds when the record is written next.
//! The seal says that sections are whole and all there; nothing here does.

mod attempts_v1;
mod devices_v1;
mod identifiers_v1;
mod outcomes_v1;
mod passkeys_v1;
mod password_v1;
mod recovery_codes_v1;
mod sessions_v1;
mod totp_v1;
mod unknown_device_v1;

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::parts::{CheckPart, SealedPart};
use super::{Corrupt, Unwritable};

/// The header before a section's bytes.
pub(super) const HEAD_BYTES: usize = 4;

/// Tags and versions are for ever, and each pair has a frozen module.
macro_rules! sections {
    ($($name:ident = $tag:literal, $version:literal, $module:ident;)*) => {
        /// A section in a version that this code reads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Kind {
            $($name,)*
        }

        impl Kind {
            fn code(self) -> [u8; 2] {
                match self {
                    $(Kind::$name => [$tag, $version],)*
                }
            }

            fn of(code: [u8; 2]) -> Option<Kind> {
                match code {
                    $([$tag, $version] => Some(Kind::$name),)*
                    _ => None,
                }
            }

            fn max_bytes(self) -> usize {
                match self {
                    $(Kind::$name => $module::MAX_BYTES,)*
                }
            }
        }

        /// All sections in their largest forms.
        pub(super) const ALL_MAX_BYTES: usize = 0 $(+ HEAD_BYTES + $module::MAX_BYTES)*;
    };
}

sections! {
    Identifiers = 1, 1, identifiers_v1;
    Password = 2, 1, password_v1;
    UnknownDevice = 3, 1, unknown_device_v1;
    Sessions = 4, 1, sessions_v1;
    Devices = 5, 1, devices_v1;
    Outcomes = 6, 1, outcomes_v1;
    Attempts = 7, 1, attempts_v1;
    Passkeys = 8, 1, passkeys_v1;
    Totp = 9, 1, totp_v1;
    RecoveryCodes = 10, 1, recovery_codes_v1;
}

/// The plaintext of a sealed part.
///
/// # Errors
/// [`Unwritable::TooLarge`] when a section is larger than it may be.
pub(super) fn write(
    check: &CheckPart,
    sealed: &SealedPart,
) -> Result<Zeroizing<Vec<u8>>, Unwritable> {
    let sections = [
        (
            Kind::Identifiers,
            identifiers_v1::write(&sealed.identifiers)?,
        ),
        (
            Kind::Password,
            password_v1::write(sealed.password.as_ref())?,
        ),
        (
            Kind::UnknownDevice,
            unknown_device_v1::write(&sealed.unknown_device)?,
        ),
        (Kind::Sessions, sessions_v1::write(&check.sessions)?),
        (Kind::Devices, devices_v1::write(&sealed.devices)?),
        (Kind::Outcomes, outcomes_v1::write(&sealed.outcomes)?),
        (Kind::Attempts, attempts_v1::write(&sealed.attempts)?),
        (
            Kind::Passkeys,
            passkeys_v1::write(&sealed.factors.passkeys)?,
        ),
        (Kind::Totp, totp_v1::write(sealed.factors.totp.as_ref())),
        (
            Kind::RecoveryCodes,
            recovery_codes_v1::write(sealed.factors.recovery_codes.as_ref()),
        ),
    ];
    let sections = sections.map(|(kind, bytes)| (kind, Zeroizing::new(bytes)));
    let lengths = sections.iter().map(|(_, bytes)| HEAD_BYTES + bytes.len());
    // At once as large as it becomes: what grows leaves copies behind.
    let mut plain = Zeroizing::new(Vec::<u8>::with_capacity(lengths.sum()));
    for (kind, bytes) in &sections {
        push(&mut plain, *kind, bytes)?;
    }
    Ok(plain)
}

fn push(plain: &mut Vec<u8>, kind: Kind, bytes: &[u8]) -> Result<(), Unwritable> {
    if bytes.is_empty() {
        return Ok(());
    }
    if bytes.len() > kind.max_bytes() {
        return Err(Unwritable::TooLarge);
    }
    let length = u16::try_from(bytes.len()).map_err(|_| Unwritable::TooLarge)?;
    plain.extend_from_slice(&kind.code());
    plain.extend_from_slice(&length.to_le_bytes());
    plain.extend_from_slice(bytes);
    Ok(())
}

/// Reads the plaintext of a sealed part, and adds to the sessions of the check
/// part what it holds of them.
///
/// # Errors
/// [`Corrupt`] when it is none, or holds what this code does not know.
pub(super) fn read(check: &mut CheckPart, plain: &[u8]) -> Result<SealedPart, Corrupt> {
    let mut sealed = SealedPart::default();
    let mut sessions = None;
    for (kind, bytes) in split(plain)? {
        match kind {
            Kind::Identifiers => sealed.identifiers = identifiers_v1::read(bytes)?,
            Kind::Password => sealed.password = Some(password_v1::read(bytes)?),
            Kind::UnknownDevice => sealed.unknown_device = unknown_device_v1::read(bytes)?,
            Kind::Sessions => sessions = Some(bytes),
            Kind::Devices => sealed.devices = devices_v1::read(bytes)?,
            Kind::Outcomes => sealed.outcomes = outcomes_v1::read(bytes)?,
            Kind::Attempts => sealed.attempts = attempts_v1::read(bytes)?,
            Kind::Passkeys => sealed.factors.passkeys = passkeys_v1::read(bytes)?,
            Kind::Totp => sealed.factors.totp = Some(totp_v1::read(bytes)?),
            Kind::RecoveryCodes => {
                sealed.factors.recovery_codes = Some(recovery_codes_v1::read(bytes)?);
            }
        }
    }
    match (sessions, check.sessions.is_empty()) {
        (Some(bytes), _) => sessions_v1::read(bytes, &mut check.sessions)?,
        (None, true) => {}
        (None, false) => return Err(Corrupt),
    }
    Ok(sealed)
}

fn split(plain: &[u8]) -> Result<Vec<(Kind, &[u8])>, Corrupt> {
    let (mut rest, mut last) = (plain, 0);
    let mut sections = Vec::new();
    while !rest.is_empty() {
        let (head, after) = rest.split_first_chunk::<HEAD_BYTES>().ok_or(Corrupt)?;
        let [tag, version, length @ ..] = head;
        let kind = Kind::of([*tag, *version]).ok_or(Corrupt)?;
        if *tag <= last {
            return Err(Corrupt);
        }
        last = *tag;
        let length = usize::from(u16::from_le_bytes(*length));
        let (bytes, after) = after.split_at_checked(length).ok_or(Corrupt)?;
        sections.push((kind, bytes));
        rest = after;
    }
    Ok(sections)
}
