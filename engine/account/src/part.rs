//! Cold parts: what is stored about a person beside the record, each in a row of
//! its own under `kind u8 | number`, sealed under the person's key.
//!
//! One table says of each kind who loads it, how long it is kept, and what
//! happens to it when the person is erased, when accounts are merged and when
//! the person's data is exported. The shell stores what
//! [`Changes::parts`](crate::Changes::parts) gives it and knows no kind: a part
//! that is not in the table cannot be named, and so not stored.
//!
//! ```text
//! bare:   sealed (nonce 24 | ciphertext | tag 16)
//! dated:  version u8 = 1 | at u64 LE, Unix milliseconds | sealed
//! ```
//! A dated row says in clear when it is of, so that it can be dropped without
//! being opened. The version of a plaintext is its first byte.

mod change;
mod passkey;
#[cfg(test)]
mod tests;
mod text;

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::corrupt::Corrupt;

pub use change::PartChange;
pub(crate) use passkey::read_passkey;
pub use text::read_text;

const DATED_VERSION: u8 = 1;

/// The header in clear before a part's sealed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartForm {
    /// Nothing.
    Bare,
    /// When it is of.
    Dated,
}

/// Who loads the parts of a kind. Nothing of them lies in memory beyond that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartReader {
    /// The walk that renews every account after a key was rotated.
    Renewal,
    /// An operator's order.
    Operator,
    /// The worker that delivers it.
    Delivery,
    /// A flow at its account.
    Flow,
}

/// How long a part is kept while its account exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartRetention {
    /// As long as the record names it.
    WithRecord,
    /// As long as administrative acts are kept, from the time that it states.
    AsAudits,
    /// Until it was delivered, or was listed as undelivered for as long as that list
    /// goes back.
    UntilDelivered,
}

/// What happens to a part when its person is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtErasure {
    /// Its row goes, and the key under which copies of it were sealed.
    Cleared,
}

/// What happens to a part when its person's account is merged into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtMerge {
    /// It goes where what the record says of it goes, under a number there.
    WithRecord,
    /// It is added to those of the account that stays.
    Added,
}

/// What happens to a part when the person's data is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtExport {
    /// It is in the export.
    Included,
}

/// Numbers of kinds and seals are for ever.
macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident = $number:literal, sealed as $seal:literal, $label:literal,
        $form:ident, $reader:ident, $retention:ident, $erasure:ident, $merge:ident,
        $export:ident;)*) => {
        /// A kind of part.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum PartKind {
            $($(#[$doc])* $name = $number,)*
        }

        impl PartKind {
            /// Every kind, by number.
            pub const ALL: &[PartKind] = &[$(PartKind::$name,)*];

            /// The kind of this number.
            #[must_use]
            pub fn of(number: u8) -> Option<PartKind> {
                match number {
                    $($number => Some(PartKind::$name),)*
                    _ => None,
                }
            }

            /// What its seal says that is sealed.
            #[must_use]
            pub const fn seal(self) -> u8 {
                match self {
                    $(PartKind::$name => $seal,)*
                }
            }

            /// Its name in documents.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(PartKind::$name => $label,)*
                }
            }

            /// The header in clear before its sealed bytes.
            #[must_use]
            pub fn form(self) -> PartForm {
                match self {
                    $(PartKind::$name => PartForm::$form,)*
                }
            }

            /// Who loads it.
            #[must_use]
            pub fn reader(self) -> PartReader {
                match self {
                    $(PartKind::$name => PartReader::$reader,)*
                }
            }

            /// How long it is kept.
            #[must_use]
            pub fn retention(self) -> PartRetention {
                match self {
                    $(PartKind::$name => PartRetention::$retention,)*
                }
            }

            /// What happens to it at an erasure.
            #[must_use]
            pub fn at_erasure(self) -> AtErasure {
                match self {
                    $(PartKind::$name => AtErasure::$erasure,)*
                }
            }

            /// What happens to it at a merge.
            #[must_use]
            pub fn at_merge(self) -> AtMerge {
                match self {
                    $(PartKind::$name => AtMerge::$merge,)*
                }
            }

            /// What happens to it at an export.
            #[must_use]
            pub fn at_export(self) -> AtExport {
                match self {
                    $(PartKind::$name => AtExport::$export,)*
                }
            }
        }
    };
}

parts! {
    /// The text of an identifier, by its number in the record: the only place of
    /// it in clear.
    IdentifierText = 0x10, sealed as 4, "identifier's text",
        Bare, Renewal, WithRecord, Cleared, WithRecord, Included;
    /// Administrative acts, by the revision whose commit carried them out.
    Audits = 0x20, sealed as 5, "administrative acts",
        Dated, Operator, AsAudits, Cleared, Added, Included;
    /// What must leave, by a number of its commit's.
    Outbox = 0x30, sealed as 6, "what must leave",
        Bare, Delivery, UntilDelivered, Cleared, Added, Included;
    /// What never changes of a passkey, by its number in the record: id, public key,
    /// name.
    Passkey = 0x40, sealed as 7, "passkey",
        Bare, Flow, WithRecord, Cleared, WithRecord, Included;
}

/// What a seal can say that is sealed and is no part: a tenant's key, a person's
/// key, a record.
const SEALS_OF_NO_PART: u8 = 3;

// Numbers rise, 0 is the record's, and no two kinds are sealed alike.
const _: () = {
    let all = PartKind::ALL;
    let mut at = 0;
    while at < all.len() {
        assert!(all[at] as u8 > 0 && all[at].seal() > SEALS_OF_NO_PART);
        if at > 0 {
            assert!(all[at] as u8 > all[at - 1] as u8 && all[at].seal() > all[at - 1].seal());
        }
        at += 1;
    }
};

impl PartKind {
    /// The number under which it is stored.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The row of a part: its sealed bytes, and before them what stands in clear.
    #[must_use]
    pub fn row(self, at_ms: u64, sealed: &[u8]) -> Vec<u8> {
        match self.form() {
            PartForm::Bare => sealed.to_vec(),
            PartForm::Dated => [&[DATED_VERSION], &at_ms.to_le_bytes()[..], sealed].concat(),
        }
    }

    /// The sealed bytes of a row.
    ///
    /// # Errors
    /// [`Corrupt`] when it is none of a version that this code reads.
    pub fn sealed_of(self, row: &[u8]) -> Result<&[u8], Corrupt> {
        match (self.form(), row) {
            (PartForm::Bare, sealed) => Ok(sealed),
            (PartForm::Dated, [DATED_VERSION, rest @ ..]) => {
                let (_, sealed) = rest.split_first_chunk::<8>().ok_or(Corrupt)?;
                Ok(sealed)
            }
            (PartForm::Dated, _) => Err(Corrupt),
        }
    }

    /// When a row is of, in Unix milliseconds; `None` where it does not say so.
    #[must_use]
    pub fn at_of(self, row: &[u8]) -> Option<u64> {
        match (self.form(), row) {
            (PartForm::Dated, [DATED_VERSION, rest @ ..]) => {
                rest.first_chunk().map(|at| u64::from_le_bytes(*at))
            }
            (PartForm::Bare | PartForm::Dated, _) => None,
        }
    }
}

/// Which part of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartId {
    /// Its kind.
    pub kind: PartKind,
    /// Its number among those of its kind.
    pub number: u64,
}

/// A part in clear.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub id: PartId,
    /// What it holds.
    pub plain: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Part {
    /// What it holds is the person's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({:?}, {} bytes)", self.id, self.plain.len())
    }
}
