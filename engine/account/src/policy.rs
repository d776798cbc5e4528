//! What a tenant decides: costs, lifetimes, bounds and which names it takes.

mod flow;
mod guess;
mod passkey;

use alloc::string::String;

pub use flow::{FlowPolicy, Reach};
pub use guess::GuessPolicy;
pub use passkey::PasskeyPolicy;

use crate::identifier::Identifier;

/// The rules under which an account decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Passwords and their hashes.
    pub password: PasswordPolicy,
    /// Sessions and refresh tokens.
    pub session: SessionPolicy,
    /// Guessing at one account.
    pub guess: GuessPolicy,
    /// Guessing from one source.
    pub source: SourcePolicy,
    /// Accounts made from one source, whatever happens to them.
    pub sign_ups: SourcePolicy,
    /// Guessing from sources that are not named, or from which no sign-in
    /// succeeded: for each gateway and for each tenant.
    pub crowd: SourcePolicy,
    /// Messages that one source asks for.
    pub sends: SourcePolicy,
    /// For this long a claimed identifier can be verified.
    pub claim_ms: u64,
    /// For this long answers are given while the store is out of reach; 0
    /// forbids them.
    pub grace_ms: u64,
    /// Which user names are taken when they are new.
    pub usernames: UsernamePolicy,
    /// Whether people are told of what changed about their account.
    pub notices: NoticePolicy,
    /// Flows: methods, codes and their bounds.
    pub flow: FlowPolicy,
    /// Passkeys, where the tenant has a relying party.
    pub passkeys: Option<PasskeyPolicy>,
}

impl Policy {
    /// What people know the service by.
    #[must_use]
    pub fn service(&self) -> &str {
        match (&self.notices, &self.passkeys) {
            (NoticePolicy::Mail { app }, _) => app,
            (NoticePolicy::None, Some(passkeys)) => &passkeys.name,
            (NoticePolicy::None, None) => "Tidegate",
        }
    }
}

/// Whether people are told of what changed about their account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NoticePolicy {
    /// Nothing carries messages to them.
    #[default]
    None,
    /// By mail, in the name of this application.
    Mail {
        /// What people know the application by.
        app: String,
    },
}

impl NoticePolicy {
    /// What carries messages to people.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match self {
            NoticePolicy::None => Reach::Nothing,
            NoticePolicy::Mail { .. } => Reach::Mail,
        }
    }
}

/// Which user names a tenant takes when they are new. An account that has
/// another keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsernamePolicy {
    /// Those that UTS 39, 5.2, calls highly restrictive: no Cyrillic letter
    /// stands among Latin ones. Scripts of limited use (UAX 31) are not taken.
    #[default]
    HighlyRestrictive,
    /// Every user name.
    Any,
}

impl UsernamePolicy {
    /// Whether this may become an account's identifier. Of other kinds than
    /// user names everything may.
    #[must_use]
    pub fn takes(self, identifier: &Identifier) -> bool {
        match self {
            UsernamePolicy::HighlyRestrictive => identifier.is_highly_restrictive().unwrap_or(true),
            UsernamePolicy::Any => true,
        }
    }
}

/// The cost of a password hash (Argon2id, RFC 9106) and what a password must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Memory, in KiB; at least 19,456 (OWASP).
    pub memory_kib: u32,
    /// Passes over the memory; at least 2.
    pub passes: u32,
    /// Lanes; at least 1.
    pub lanes: u32,
    /// The pepper key under which new hashes are encrypted.
    pub pepper_key: u32,
    /// The least number of characters of a new password (SP 800-63B: 8).
    pub min_chars: usize,
}

/// How long sessions live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// A session unused for this long ends.
    pub idle_ms: u64,
    /// A session ends this long after its sign-in, used or not.
    pub lifetime_ms: u64,
    /// For this long after its sign-in a session may change what recovers the
    /// account.
    pub fresh_ms: u64,
    /// For this long a rotated refresh token still returns its successor.
    pub refresh_retry_ms: u64,
}

/// The bound on what one source (an address, or what a gateway calls one) may
/// try: `free` attempts at once, and one more every `refill_ms`. A success costs
/// nothing. In any time `T` one source thus fails at most `free + T / refill_ms`
/// times, and a node that restarts or forgets it adds its local allowance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePolicy {
    /// Attempts at once; 0 for no bound.
    pub free: u32,
    /// How long until one more.
    pub refill_ms: u64,
}

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            password: PasswordPolicy {
                memory_kib: 19_456,
                passes: 2,
                lanes: 1,
                pepper_key: 1,
                min_chars: 8,
            },
            session: SessionPolicy {
                idle_ms: 30 * DAY_MS,
                lifetime_ms: 365 * DAY_MS,
                fresh_ms: 15 * MINUTE_MS,
                refresh_retry_ms: 30_000,
            },
            guess: GuessPolicy {
                free: 5,
                base_ms: MINUTE_MS / 2,
                cap_ms: 60 * MINUTE_MS,
                forget_ms: DAY_MS,
            },
            source: SourcePolicy {
                free: 100,
                refill_ms: 10_000,
            },
            sign_ups: SourcePolicy {
                free: 1_000,
                refill_ms: 5_000,
            },
            crowd: SourcePolicy {
                free: 300,
                refill_ms: 200,
            },
            sends: SourcePolicy {
                free: 100,
                refill_ms: 10_000,
            },
            claim_ms: 3 * DAY_MS,
            grace_ms: 5 * MINUTE_MS,
            usernames: UsernamePolicy::default(),
            notices: NoticePolicy::default(),
            flow: FlowPolicy::default(),
            passkeys: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::IdentifierKind;

    #[test]
    fn a_name_of_mixed_scripts_is_taken_by_the_policy_that_takes_any() {
        let default = Policy::default().usernames;
        assert_eq!(default, UsernamePolicy::HighlyRestrictive);
        for (kind, text, restrictive) in [
            (IdentifierKind::Username, "admin", true),
            (IdentifierKind::Username, "\u{430}dmin", false),
            // Not asked of what is shown by receiving something there.
            (IdentifierKind::Email, "\u{430}dmin@example.com", true),
            (IdentifierKind::Phone, "+442079460958", true),
        ] {
            let identifier = Identifier::parse(kind, text).unwrap();
            assert_eq!(default.takes(&identifier), restrictive, "{text}");
            assert!(UsernamePolicy::Any.takes(&identifier), "{text}");
        }
    }
}
