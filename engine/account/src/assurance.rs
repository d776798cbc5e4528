//! How sure a sign-in is: what was proven, and what it comes to.
//!
//! SP 800-63B-4, 2.2.1, wants for AAL2 either one multi-factor authenticator or
//! a password together with something that one has. What that makes of our
//! methods:
//!
//! - A passkey that verified its user is a multi-factor cryptographic
//!   authenticator (3.1.7): AAL2 alone. Without, it is single-factor (3.1.6):
//!   AAL1, and AAL2 beside a password. Synced ones count (appendix B); none of
//!   ours is said to be AAL3.
//! - TOTP is a single-factor OTP (3.1.4): AAL1, and AAL2 beside a password.
//! - A text message is an out-of-band device over the telephone network
//!   (3.1.3.3), which is restricted (3.2.9): it counts where nothing better does,
//!   and the outcome says so.
//! - Mail is no authenticator: it must not be used out of band (3.1.3.1). We let
//!   in by a code or link sent there, because that is what customers' accounts
//!   are recovered by anyway. Such a session is carried as level 1 with the basis
//!   [`Basis::Address`], which claims no AAL, and mail adds nothing to any other
//!   method.
//! - Recovery codes and resets recover (4.2), they do not authenticate: such a
//!   session is level 1 with the basis [`Basis::Recovery`], whatever else was
//!   shown, unless without them it would be AAL2.
//!
//! Two things that one has are not two factors, and no proof counts twice.

mod methods;
mod proofs;

pub use methods::Methods;
pub use proofs::{PROOFS_BYTES, PROOFS_MAX, ProofFault, Proofs};

use alloc::vec::Vec;

/// How somebody proves to be the account's. The numbers and names are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Method {
    /// A password.
    Password = 1,
    /// A passkey.
    Passkey = 2,
    /// A code sent by mail.
    EmailCode = 3,
    /// A code sent by text message.
    SmsCode = 4,
    /// A link sent by mail.
    Link = 5,
    /// A code of an authenticator app.
    Totp = 6,
    /// A saved recovery code.
    RecoveryCode = 7,
}

impl Method {
    /// All of them, by number.
    pub const ALL: [Method; 7] = [
        Method::Password,
        Method::Passkey,
        Method::EmailCode,
        Method::SmsCode,
        Method::Link,
        Method::Totp,
        Method::RecoveryCode,
    ];

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The method of a number; `None` when there is none.
    #[must_use]
    pub fn of(number: u8) -> Option<Method> {
        let mut all = Method::ALL.into_iter();
        all.find(|method| method.number() == number)
    }

    /// Its name in configuration, messages and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Method::Password => "password",
            Method::Passkey => "passkey",
            Method::EmailCode => "email_code",
            Method::SmsCode => "sms_code",
            Method::Link => "link",
            Method::Totp => "totp",
            Method::RecoveryCode => "recovery_code",
        }
    }
}

/// Whether a passkey verified its user (WebAuthn L3, 6.1, flag UV).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum UserVerification {
    /// The user was there, and no more is known.
    Present = 1,
    /// By a PIN or a biometric.
    Verified = 2,
}

/// Where a passkey's key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum KeyStorage {
    /// Nothing was attested.
    Unknown = 1,
    /// In hardware that it does not leave: attested, and not backed up.
    Hardware = 2,
    /// In software, or synced.
    Software = 3,
}

/// What was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A password.
    Password,
    /// A passkey.
    Passkey(UserVerification, KeyStorage),
    /// A code sent by mail.
    EmailCode,
    /// A code sent by text message.
    SmsCode,
    /// A link sent by mail.
    Link,
    /// A code of an authenticator app.
    Totp,
    /// A saved recovery code.
    RecoveryCode,
}

impl Shown {
    /// Its method.
    #[must_use]
    pub fn method(self) -> Method {
        match self {
            Shown::Password => Method::Password,
            Shown::Passkey(..) => Method::Passkey,
            Shown::EmailCode => Method::EmailCode,
            Shown::SmsCode => Method::SmsCode,
            Shown::Link => Method::Link,
            Shown::Totp => Method::Totp,
            Shown::RecoveryCode => Method::RecoveryCode,
        }
    }

    fn factor(self) -> Factor {
        match self {
            Shown::Password => Factor::Knowledge,
            Shown::Passkey(UserVerification::Verified, _) => Factor::Both,
            Shown::Passkey(UserVerification::Present, _) | Shown::Totp => Factor::Possession,
            Shown::SmsCode => Factor::Restricted,
            Shown::EmailCode | Shown::Link => Factor::Address,
            Shown::RecoveryCode => Factor::Recovery,
        }
    }

    /// The values of `amr` that stand for it. Those of RFC 8176, and `pop` of
    /// OpenID's EAP, where there are any; `email` and `recovery` are ours: to
    /// call mail `otp` would let an application take it for a second factor.
    fn amr(self) -> &'static [&'static str] {
        match self {
            Shown::Password => &["pwd"],
            Shown::Passkey(_, KeyStorage::Unknown) => &["pop", "user"],
            Shown::Passkey(_, KeyStorage::Hardware) => &["hwk", "user"],
            Shown::Passkey(_, KeyStorage::Software) => &["swk", "user"],
            Shown::EmailCode | Shown::Link => &["email"],
            Shown::SmsCode => &["sms"],
            Shown::Totp => &["otp"],
            Shown::RecoveryCode => &["recovery"],
        }
    }
}

/// What something proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Factor {
    Knowledge,
    Possession,
    /// Possession, over the telephone network.
    Restricted,
    /// A multi-factor authenticator.
    Both,
    Address,
    Recovery,
}

/// Something that was shown, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What.
    pub shown: Shown,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
}

/// An authentication assurance level of SP 800-63B-4. The numbers are those of
/// the standard, and stored with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// AAL1, or what we carry as no more than that.
    One = 1,
    /// AAL2.
    Two = 2,
}

/// On what a level rests, the weakest first. The numbers are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Basis {
    /// Recovery: good for putting the account in order again.
    Recovery = 1,
    /// Control of a mail address, which is no authenticator.
    Address = 2,
    /// The telephone network, without which the level would be lower.
    Restricted = 3,
    /// Authenticators.
    Authenticators = 4,
}

/// By which way a session comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// By signing in or stepping up.
    Authentication,
    /// By recovering the account: a reset by mail or text message, or with a
    /// recovery code.
    Recovery,
}

/// How sure a sign-in is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assurance {
    /// The level.
    pub level: Level,
    /// On what it rests.
    pub basis: Basis,
}

impl Assurance {
    /// The text of `acr` (OpenID Connect Core, 2). Only what rests on
    /// authenticators bears a level's bare name, so that an application which
    /// compares texts takes nothing weaker for it.
    #[must_use]
    pub fn acr(self) -> &'static str {
        match (self.level, self.basis) {
            (Level::Two, Basis::Authenticators) => "aal2",
            (Level::Two, Basis::Restricted) => "aal2-restricted",
            (Level::One, Basis::Authenticators) => "aal1",
            (Level::One, Basis::Restricted) => "aal1-restricted",
            (Level::One | Level::Two, Basis::Address) => "address",
            (Level::One | Level::Two, Basis::Recovery) => "recovery",
        }
    }
}

impl Proofs {
    /// What the proofs come to; `None` when there are none.
    #[must_use]
    pub fn assurance(&self, entry: Entry) -> Option<Assurance> {
        let has = |factor| self.iter().any(|proof| proof.shown.factor() == factor);
        if self.is_empty() {
            return None;
        }
        let one = |basis| Assurance {
            level: Level::One,
            basis,
        };
        let two = |basis| Assurance {
            level: Level::Two,
            basis,
        };
        let knows = has(Factor::Knowledge);
        Some(match entry {
            Entry::Recovery => one(Basis::Recovery),
            Entry::Authentication if has(Factor::Both) => two(Basis::Authenticators),
            Entry::Authentication if knows && has(Factor::Possession) => two(Basis::Authenticators),
            Entry::Authentication if knows && has(Factor::Restricted) => two(Basis::Restricted),
            Entry::Authentication if has(Factor::Recovery) => one(Basis::Recovery),
            Entry::Authentication if knows || has(Factor::Possession) => one(Basis::Authenticators),
            Entry::Authentication if has(Factor::Restricted) => one(Basis::Restricted),
            Entry::Authentication => one(Basis::Address),
        })
    }

    /// The values of `amr` (RFC 8176) for the proofs, each once, in the order in
    /// which they were shown, with `mfa` at the end where they come to two
    /// factors.
    #[must_use]
    pub fn amr(&self, entry: Entry) -> Vec<&'static str> {
        let mut values = Vec::new();
        let shown = self.iter().flat_map(|proof| proof.shown.amr());
        let by_two = self.assurance(entry).filter(|one| one.level == Level::Two);
        for value in shown.chain(by_two.map(|_| &"mfa")) {
            if !values.contains(value) {
                values.push(*value);
            }
        }
        values
    }

    /// When the last of them was shown, in Unix milliseconds: `auth_time`.
    #[must_use]
    pub fn newest_ms(&self) -> Option<u64> {
        self.iter().map(|proof| proof.at_ms).max()
    }
}

#[cfg(test)]
mod tests;
