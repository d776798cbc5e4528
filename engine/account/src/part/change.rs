//! What a commit does to a person's parts.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::passkey::encode_passkey;
use super::text::encode_text;
use super::{Part, PartId, PartKind};
use crate::account::Changes;
use crate::agenda::{AgendaRow, Due};
use crate::audit::encode_audits;
use crate::corrupt::Corrupt;
use crate::outbox::{self, Outgoing};

/// What a commit does to a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartChange {
    /// It is written.
    Written {
        /// The part.
        part: Part,
        /// When it is of, in Unix milliseconds, where its row says so.
        at_ms: u64,
    },
    /// It goes.
    Dropped(PartId),
}

impl Changes {
    /// When what must leave is due, in the commit of this revision: at once.
    #[must_use]
    pub fn deliveries(&self, revision: u64, now_ms: u64) -> Vec<AgendaRow> {
        let rows = self.numbered(revision).map(|(number, _)| AgendaRow {
            due_ms: now_ms,
            what: Due::Delivery,
            number,
        });
        rows.collect()
    }

    fn numbered(&self, revision: u64) -> impl Iterator<Item = (u64, &Outgoing)> {
        let ordinals = (0..).map(move |ordinal| outbox::number(revision, ordinal));
        ordinals.zip(&self.outbox)
    }

    /// What the commit of this revision does to the person's parts. What is
    /// dropped comes first: a number that is free is used again.
    ///
    /// # Errors
    /// [`Corrupt`] when a part cannot be written, which no value causes.
    pub fn parts(&self, revision: u64) -> Result<Vec<PartChange>, Corrupt> {
        let text = |number: u16| PartId {
            kind: PartKind::IdentifierText,
            number: number.into(),
        };
        let dropped = self.released.iter();
        let mut parts: Vec<PartChange> = dropped
            .map(|row| PartChange::Dropped(text(row.number)))
            .collect();
        parts.extend(
            self.texts
                .iter()
                .map(|(number, claimed)| PartChange::Written {
                    part: Part {
                        id: text(*number),
                        plain: encode_text(&claimed.identifier),
                    },
                    at_ms: 0,
                }),
        );
        for (number, passkey) in &self.passkeys {
            let id = PartId {
                kind: PartKind::Passkey,
                number: (*number).into(),
            };
            parts.push(match passkey {
                None => PartChange::Dropped(id),
                Some(passkey) => PartChange::Written {
                    part: Part {
                        id,
                        plain: encode_passkey(passkey)?,
                    },
                    at_ms: 0,
                },
            });
        }
        if let Some(newest) = self.audits.last() {
            parts.push(PartChange::Written {
                part: Part {
                    id: PartId {
                        kind: PartKind::Audits,
                        number: revision,
                    },
                    plain: Zeroizing::new(encode_audits(&self.audits)?),
                },
                at_ms: newest.at,
            });
        }
        for (number, outgoing) in self.numbered(revision) {
            parts.push(PartChange::Written {
                part: Part {
                    id: PartId {
                        kind: PartKind::Outbox,
                        number,
                    },
                    plain: outgoing.encode()?,
                },
                at_ms: 0,
            });
        }
        Ok(parts)
    }
}
