//! TOTP (RFC 6238): HMAC-SHA-1, six digits, steps of 30 seconds. Authenticator
//! apps know nothing else for certain.
//!
//! One step each way is taken for clocks that differ (RFC 6238, 5.2). A step is
//! accepted once, and none that is older than one that was: what was read over a
//! shoulder opens nothing, and neither does the code of the enrolment itself.
//! A code that matches is not accepted by that: the step goes into the stored
//! form by [`Totp::advance`], which one of two that race wins.
//!
//! Stored, version 1, inside a sealed section: version u8 | secret 20 | last
//! accepted step u64 LE. Frozen: a change of any field is a new version.

mod enrolment;

pub use enrolment::{LABEL_MAX_BYTES, LabelFault, TotpSecret};

use totp_rs::{Algorithm, Builder};
use zeroize::Zeroizing;

use super::code::Code;
use crate::corrupt::Corrupt;

const VERSION: u8 = 1;
/// The bytes of a secret: as many as the hash has (RFC 4226, 4, R6).
pub const TOTP_SECRET_BYTES: usize = 20;
/// The stored form's length.
pub const TOTP_BYTES: usize = 1 + TOTP_SECRET_BYTES + 8;
/// How long a step takes (RFC 6238, 4.1).
pub const STEP_MS: u64 = 30_000;
const DIGITS: u8 = 6;

/// An enrolled TOTP authenticator.
#[derive(Clone, Debug)]
pub struct Totp {
    secret: TotpSecret,
    last_step: u64,
}

/// What becomes of an enrolment.
#[derive(Clone, Debug)]
pub enum Enrolment {
    /// The authenticator has the secret. The step of the code is spent.
    Enrolled(Totp),
    /// The code is not one of now.
    Wrong,
}

/// From which last accepted step to which: what [`Totp::advance`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a step that is not stored can be accepted again"]
pub struct Advance {
    /// The last accepted step when the code was judged.
    pub from: u64,
    /// The step of the code.
    pub to: u64,
}

/// What a code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TotpJudged {
    /// Right, once the step is stored.
    Right(Advance),
    /// The code of a step that was accepted, or of one before. It counts as a
    /// wrong one, and may tell of somebody who looks on.
    Spent,
    /// Wrong.
    Wrong,
}

/// Whether a step was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advanced {
    /// It was.
    Done,
    /// Another code was accepted since this one was judged.
    Overtaken,
}

impl Totp {
    /// Enrols an authenticator that shows a code of now.
    #[must_use]
    pub fn enrol(secret: TotpSecret, code: &Code, now_ms: u64) -> Enrolment {
        let [before, now, after] = matching(&secret, code, now_ms);
        match after.or(now).or(before) {
            Some(last_step) => Enrolment::Enrolled(Totp { secret, last_step }),
            None => Enrolment::Wrong,
        }
    }

    /// Judges a code. Nothing is accepted yet.
    #[must_use]
    pub fn judge(&self, code: &Code, now_ms: u64) -> TotpJudged {
        let [before, now, after] = matching(&self.secret, code, now_ms);
        // The newest: two steps that have the same code by chance are one use.
        match after.or(now).or(before) {
            Some(to) if to > self.last_step => TotpJudged::Right(Advance {
                from: self.last_step,
                to,
            }),
            Some(_) => TotpJudged::Spent,
            None => TotpJudged::Wrong,
        }
    }

    /// Accepts a step if none was since it was judged.
    #[must_use]
    pub fn advance(&mut self, advance: Advance) -> Advanced {
        match self.last_step == advance.from && advance.to > advance.from {
            true => {
                self.last_step = advance.to;
                Advanced::Done
            }
            false => Advanced::Overtaken,
        }
    }

    /// The last accepted step: the time in Unix milliseconds by [`STEP_MS`].
    #[must_use]
    pub fn last_step(&self) -> u64 {
        self.last_step
    }

    /// What is stored, inside a sealed section.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<[u8; TOTP_BYTES]> {
        let mut bytes = Zeroizing::new([0; TOTP_BYTES]);
        bytes[0] = VERSION;
        bytes[1..=TOTP_SECRET_BYTES].copy_from_slice(self.secret.expose());
        bytes[1 + TOTP_SECRET_BYTES..].copy_from_slice(&self.last_step.to_le_bytes());
        bytes
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// [`Corrupt`] when it is none of a version that this code reads.
    pub fn decode(bytes: &[u8]) -> Result<Totp, Corrupt> {
        let [VERSION, rest @ ..] = bytes else {
            return Err(Corrupt);
        };
        let (secret, last_step) = rest.split_first_chunk().ok_or(Corrupt)?;
        let last_step = last_step.try_into().map_err(|_| Corrupt)?;
        Ok(Totp {
            secret: TotpSecret::new(*secret),
            last_step: u64::from_le_bytes(last_step),
        })
    }
}

/// Which of the steps before, now and after has this code. All are looked at,
/// each compared in constant time.
fn matching(secret: &TotpSecret, code: &Code, now_ms: u64) -> [Option<u64>; 3] {
    // A window of its own for each step: the library's ends at the first match.
    let totp = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_step_duration(STEP_MS / 1_000)
        .with_skew(0)
        .with_secret(*secret.expose())
        .build_noncompliant();
    let now = now_ms / STEP_MS;
    let steps = [now.checked_sub(1), Some(now), now.checked_add(1)];
    steps.map(|step| totp.check(code.expose(), step? * (STEP_MS / 1_000)))
}

#[cfg(test)]
mod tests;
