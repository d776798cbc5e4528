//! What must leave: a message to a person or a call to another system. It is
//! decided with a change, becomes durable in its commit as a part of the person's,
//! and leaves afterwards, at least once, or is listed as undelivered.
//!
//! Format 1, before it is sealed: version u8 | kind u8 | tenant u64 LE | until u64 LE,
//! Unix milliseconds | length of the destination u8 | destination | body.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::corrupt::Corrupt;
use crate::digest::tagged;
use crate::id::{TenantId, UserId};

const VERSION: u8 = 1;
/// The longest name of a destination, in bytes.
pub const DESTINATION_MAX_BYTES: usize = 64;
/// The largest body, in bytes.
pub const BODY_MAX_BYTES: usize = 32 * 1024;
/// How many messages of one commit have numbers of their own.
const ORDINALS: u64 = 1 << 16;

/// What kind of thing leaves. The numbers are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum OutgoingKind {
    /// A mail.
    Mail = 1,
    /// A text message.
    Sms = 2,
    /// A call to another system.
    Call = 3,
}

impl OutgoingKind {
    fn of(number: u8) -> Option<OutgoingKind> {
        match number {
            1 => Some(OutgoingKind::Mail),
            2 => Some(OutgoingKind::Sms),
            3 => Some(OutgoingKind::Call),
            _ => None,
        }
    }
}

/// Why something cannot leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutgoingFault {
    /// The destination has no name, or one that is too long.
    Destination,
    /// The body is larger than [`BODY_MAX_BYTES`].
    Body,
}

/// Something that must leave.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    tenant: TenantId,
    kind: OutgoingKind,
    destination: String,
    until_ms: u64,
    body: Zeroizing<Vec<u8>>,
}

impl Outgoing {
    /// Something for a destination (the name of a route, not an address), worth
    /// nothing from `until_ms` (Unix milliseconds) on.
    ///
    /// # Errors
    /// [`OutgoingFault`] when it is over a limit.
    pub fn new(
        kind: OutgoingKind,
        destination: &str,
        until_ms: u64,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Outgoing, OutgoingFault> {
        if !(1..=DESTINATION_MAX_BYTES).contains(&destination.len()) {
            return Err(OutgoingFault::Destination);
        }
        if body.len() > BODY_MAX_BYTES {
            return Err(OutgoingFault::Body);
        }
        Ok(Outgoing {
            tenant: TenantId(0),
            kind,
            destination: destination.to_owned(),
            until_ms,
            body,
        })
    }

    /// In whose name it leaves: that of the person's tenant.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> OutgoingKind {
        self.kind
    }

    /// The route that it takes.
    #[must_use]
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// From when on it is worth nothing, in Unix milliseconds.
    #[must_use]
    pub fn until_ms(&self) -> u64 {
        self.until_ms
    }

    /// What it says.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The same in the name of a tenant.
    pub(crate) fn of_tenant(mut self, tenant: TenantId) -> Outgoing {
        self.tenant = tenant;
        self
    }

    pub(crate) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        let destination = self.destination.as_bytes();
        let length = u8::try_from(destination.len()).map_err(|_| Corrupt)?;
        let bytes = 19 + destination.len() + self.body.len();
        let mut plain = Zeroizing::new(Vec::with_capacity(bytes));
        plain.extend_from_slice(&[VERSION, self.kind as u8]);
        plain.extend_from_slice(&self.tenant.0.to_le_bytes());
        plain.extend_from_slice(&self.until_ms.to_le_bytes());
        plain.push(length);
        plain.extend_from_slice(destination);
        plain.extend_from_slice(&self.body);
        Ok(plain)
    }

    /// Reads an opened one.
    ///
    /// # Errors
    /// [`Corrupt`] when it is none of a version that this code reads.
    pub fn decode(plain: &[u8]) -> Result<Outgoing, Corrupt> {
        let [VERSION, kind, rest @ ..] = plain else {
            return Err(Corrupt);
        };
        let (tenant, rest) = rest.split_first_chunk::<8>().ok_or(Corrupt)?;
        let (until, rest) = rest.split_first_chunk::<8>().ok_or(Corrupt)?;
        let (length, rest) = rest.split_first().ok_or(Corrupt)?;
        let (destination, body) = rest.split_at_checked((*length).into()).ok_or(Corrupt)?;
        let destination = core::str::from_utf8(destination).map_err(|_| Corrupt)?;
        let kind = OutgoingKind::of(*kind).ok_or(Corrupt)?;
        let body = Zeroizing::new(body.to_vec());
        let until_ms = u64::from_le_bytes(*until);
        let outgoing = Outgoing::new(kind, destination, until_ms, body);
        let tenant = TenantId(u64::from_le_bytes(*tenant));
        Ok(outgoing.map_err(|_| Corrupt)?.of_tenant(tenant))
    }

    /// Whether an opened one is of a version or a kind that this code does not know:
    /// what sealed it was another program, so it is not damaged.
    #[must_use]
    pub fn is_newer(plain: &[u8]) -> bool {
        match plain {
            [VERSION, kind, ..] => OutgoingKind::of(*kind).is_none(),
            [VERSION] | [] => false,
            [_, ..] => true,
        }
    }
}

impl fmt::Debug for Outgoing {
    /// What it says, and to whom, is the person's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, bytes) = (self.kind, self.body.len());
        write!(f, "Outgoing({kind:?}, {}, {bytes} bytes)", self.destination)
    }
}

/// The number of a commit's message of this place: no commit has the revision of
/// another that became durable.
pub(crate) fn number(revision: u64, ordinal: u64) -> u64 {
    revision.wrapping_mul(ORDINALS).wrapping_add(ordinal)
}

/// The id by which a receiver tells a repeat: the same however often it is sent.
#[must_use]
pub fn outgoing_id(user: UserId, number: u64) -> [u8; 16] {
    let hash = tagged("tg-outbox-1", &[user.as_bytes(), &number.to_be_bytes()]);
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(body: &[u8]) -> Outgoing {
        let body = Zeroizing::new(body.to_vec());
        let made = Outgoing::new(OutgoingKind::Sms, "sms", 0x0203, body);
        made.unwrap().of_tenant(TenantId(7))
    }

    #[test]
    fn it_reads_back_as_it_was_written_and_nothing_else_does() {
        let plain = outgoing(b"code").encode().unwrap();
        let golden = b"\x01\x02\x07\0\0\0\0\0\0\0\x03\x02\0\0\0\0\0\0\x03smscode";
        assert_eq!(plain.as_slice(), golden);
        assert_eq!(Outgoing::decode(&plain), Ok(outgoing(b"code")));
        assert_eq!(Outgoing::decode(&plain[..22]), Ok(outgoing(b"")));
        for (at, value) in [(0, 2), (1, 0), (1, 4), (18, 0), (18, 8), (19, 0xFF)] {
            let mut other = plain.to_vec();
            other[at] = value;
            assert_eq!(Outgoing::decode(&other), Err(Corrupt), "{at} {value}");
            assert_eq!(Outgoing::is_newer(&other), at < 2, "{at} {value}");
        }
        assert!(!Outgoing::is_newer(&plain) && !Outgoing::is_newer(&plain[..0]));
        for length in 0..22 {
            assert_eq!(Outgoing::decode(&plain[..length]), Err(Corrupt), "{length}");
        }
    }

    #[test]
    fn what_is_over_a_limit_is_none() {
        let made = |destination: &str, bytes| {
            let body = Zeroizing::new(std::vec![0; bytes]);
            Outgoing::new(OutgoingKind::Mail, destination, 1, body).map(|_| ())
        };
        let longest = "x".repeat(DESTINATION_MAX_BYTES);
        assert_eq!(made(&longest, BODY_MAX_BYTES), Ok(()));
        assert_eq!(made("", 0), Err(OutgoingFault::Destination));
        let longer = "x".repeat(DESTINATION_MAX_BYTES + 1);
        assert_eq!(made(&longer, 0), Err(OutgoingFault::Destination));
        assert_eq!(made("mail", BODY_MAX_BYTES + 1), Err(OutgoingFault::Body));
    }

    #[test]
    fn ids_are_of_the_person_and_the_number_alone() {
        let [ada, bob] = [1, 2].map(|fill| UserId::from_bytes([fill; 16]));
        let ids = [(ada, 1), (ada, 2), (bob, 1)].map(|(user, number)| outgoing_id(user, number));
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(outgoing_id(ada, 1), ids[0]);
        assert_eq!((number(1, 0), number(1, 65_535)), (65_536, 131_071));
    }
}
