//! The form in which the hash of a password is stored.

use alloc::string::{String, ToString};
use core::fmt;

use phc::{Ident, Output, ParamsString, Salt};

use crate::policy::PasswordPolicy;

/// Argon2 version 1.3 (RFC 9106).
const ARGON2_VERSION: u32 = 0x13;

/// A stored text that is no password hash of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhcFault;

/// A stored password hash: an Argon2id PHC string whose output is encrypted
/// under the pepper key that its `keyid` names (four bytes, big endian).
///
/// `$argon2id$v=19$m=19456,t=2,p=1,keyid=AAAAAQ$<salt>$<encrypted output>`
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// The pepper key.
    pub pepper_key: u32,
    /// The salt.
    pub salt: [u8; 16],
    /// The 32-byte output, encrypted: 48 bytes with its tag.
    pub output: [u8; 48],
}

impl PasswordHash {
    /// Reads a PHC string.
    ///
    /// # Errors
    /// [`PhcFault`] when it is not one of ours.
    pub fn parse(text: &str) -> Result<PasswordHash, PhcFault> {
        PasswordHash::read(text).ok_or(PhcFault)
    }

    fn read(text: &str) -> Option<PasswordHash> {
        let hash = phc::PasswordHash::new(text).ok()?;
        if hash.algorithm.as_str() != "argon2id" || hash.version != Some(ARGON2_VERSION) {
            return None;
        }
        let mut key = [0; 4];
        let key_text = hash.params.get_str("keyid")?;
        let key_bytes = hash.params.get("keyid")?.b64_decode(&mut key).ok()?.len();
        (key_bytes == 4 && !key_text.is_empty()).then_some(())?;
        Some(PasswordHash {
            memory_kib: hash.params.get_decimal("m")?,
            passes: hash.params.get_decimal("t")?,
            lanes: hash.params.get_decimal("p")?,
            pepper_key: u32::from_be_bytes(key),
            salt: hash.salt?.as_ref().try_into().ok()?,
            output: hash.hash?.as_bytes().try_into().ok()?,
        })
    }

    /// The PHC string. Nothing here can fail for values of these sizes.
    fn write(&self) -> Result<String, phc::Error> {
        let mut params = ParamsString::new();
        params.add_decimal("m", self.memory_kib)?;
        params.add_decimal("t", self.passes)?;
        params.add_decimal("p", self.lanes)?;
        params.add_b64_bytes("keyid", &self.pepper_key.to_be_bytes())?;
        let hash = phc::PasswordHash {
            algorithm: Ident::new("argon2id")?,
            version: Some(ARGON2_VERSION),
            params,
            salt: Some(Salt::new(&self.salt)?),
            hash: Some(Output::new(&self.output)?),
        };
        Ok(hash.to_string())
    }

    /// Whether the policy asks for more than this hash has.
    #[must_use]
    pub fn is_weaker_than(&self, policy: &PasswordPolicy) -> bool {
        self.memory_kib < policy.memory_kib
            || self.passes < policy.passes
            || self.lanes < policy.lanes
            || self.pepper_key != policy.pepper_key
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.write().map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn sample() -> PasswordHash {
        PasswordHash {
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
            pepper_key: 1,
            salt: [0x11; 16],
            output: [0x22; 48],
        }
    }

    #[test]
    fn a_hash_is_one_phc_string() {
        let text = sample().to_string();
        assert_eq!(
            text,
            std::format!(
                "$argon2id$v=19$m=19456,t=2,p=1,keyid=AAAAAQ${}${}",
                "EREREREREREREREREREREQ",
                "IiIi".repeat(16)
            )
        );
        assert_eq!(PasswordHash::parse(&text), Ok(sample()));
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let ours = sample().to_string();
        for bad in [
            ours.replace("argon2id", "argon2i"),
            ours.replace("v=19", "v=16"),
            ours.replace(",keyid=AAAAAQ", ""),
            ours.replace("m=19456", "m=x"),
            String::new(),
        ] {
            assert_eq!(PasswordHash::parse(&bad), Err(PhcFault), "{bad}");
        }
    }

    #[test]
    fn a_hash_is_weaker_when_any_cost_is_lower_or_the_pepper_key_is_old() {
        let policy = Policy::default().password;
        let weaker = |change: fn(&mut PasswordHash)| {
            let mut hash = sample();
            change(&mut hash);
            hash.is_weaker_than(&policy)
        };
        assert!(!weaker(|_| {}));
        assert!(!weaker(|hash| hash.memory_kib += 1));
        assert!(weaker(|hash| hash.memory_kib -= 1));
        assert!(weaker(|hash| hash.passes -= 1));
        assert!(weaker(|hash| hash.lanes -= 1));
        assert!(weaker(|hash| hash.pepper_key = 7));
    }
}
