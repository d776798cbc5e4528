//! Tokens as text: what a browser or an app holds.
//!
//! ```text
//! prefix | base64url without padding (RFC 4648, 5) of
//!   version 1 | kind | user id 16 | session or device id u64 BE | secrets | CRC-32 BE
//! ```
//! `tgs_` session (one secret), `tgr_` refresh (family and token), `tgd_`
//! device (one secret). The prefix and the checksum let scanners find leaked
//! tokens without asking a node. A token routes itself: the user id begins
//! with region and slot.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::secret::{SECRET_BYTES, SecretBytes};
use crate::v1;

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 2 + 16 + 8;
const SUM_BYTES: usize = 4;

/// A text that is no token of this kind and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the token is not well formed")]
pub struct TokenFault;

/// A person, as the wire names one. Shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub [u8; 16]);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for UserId {
    type Err = TokenFault;

    fn from_str(text: &str) -> Result<UserId, TokenFault> {
        let mut bytes = [0; 16];
        let hex = data_encoding::HEXLOWER;
        let fits = hex.decode_len(text.len()) == Ok(16);
        let count = if fits {
            hex.decode_mut(text.as_bytes(), &mut bytes)
        } else {
            Ok(0)
        };
        match count {
            Ok(16) => Ok(UserId(bytes)),
            _ => Err(TokenFault),
        }
    }
}

struct Shape {
    prefix: &'static str,
    kind: u8,
    secrets: usize,
}

const SESSION: Shape = Shape {
    prefix: "tgs_",
    kind: 1,
    secrets: 1,
};
const REFRESH: Shape = Shape {
    prefix: "tgr_",
    kind: 2,
    secrets: 2,
};
const DEVICE: Shape = Shape {
    prefix: "tgd_",
    kind: 3,
    secrets: 1,
};

/// Proves a session.
#[derive(Clone, Debug)]
pub struct SessionToken {
    /// Whose session.
    pub user: UserId,
    /// The session.
    pub session: u64,
    /// Its secret.
    pub secret: SecretBytes,
}

/// Replaces itself and prolongs a session.
#[derive(Clone, Debug)]
pub struct RefreshToken {
    /// Whose session.
    pub user: UserId,
    /// The session.
    pub session: u64,
    /// The family's secret.
    pub family: SecretBytes,
    /// The token's own secret.
    pub secret: SecretBytes,
}

/// Lets a known device in although unknown devices have used up their guesses.
#[derive(Clone, Debug)]
pub struct DeviceToken {
    /// Whose device.
    pub user: UserId,
    /// The device.
    pub device: u64,
    /// Its secret.
    pub secret: SecretBytes,
}

impl SessionToken {
    /// The token as text.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        write(&SESSION, self.user, self.session, &[&self.secret])
    }

    /// The token as a message carries it.
    #[must_use]
    pub fn to_message(&self) -> v1::Check {
        v1::Check {
            user: self.user.0,
            session: self.session,
            secret: self.secret.clone(),
        }
    }
}

impl RefreshToken {
    /// The token as text.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        write(
            &REFRESH,
            self.user,
            self.session,
            &[&self.family, &self.secret],
        )
    }
}

impl DeviceToken {
    /// The token as text.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        write(&DEVICE, self.user, self.device, &[&self.secret])
    }
}

impl FromStr for SessionToken {
    type Err = TokenFault;

    fn from_str(text: &str) -> Result<SessionToken, TokenFault> {
        let (user, session, [secret]) = read(&SESSION, text)?;
        Ok(SessionToken {
            user,
            session,
            secret,
        })
    }
}

impl FromStr for RefreshToken {
    type Err = TokenFault;

    fn from_str(text: &str) -> Result<RefreshToken, TokenFault> {
        let (user, session, [family, secret]) = read(&REFRESH, text)?;
        Ok(RefreshToken {
            user,
            session,
            family,
            secret,
        })
    }
}

impl FromStr for DeviceToken {
    type Err = TokenFault;

    fn from_str(text: &str) -> Result<DeviceToken, TokenFault> {
        let (user, device, [secret]) = read(&DEVICE, text)?;
        Ok(DeviceToken {
            user,
            device,
            secret,
        })
    }
}

fn write(shape: &Shape, user: UserId, id: u64, secrets: &[&SecretBytes]) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(vec![VERSION, shape.kind]);
    bytes.extend_from_slice(&user.0);
    bytes.extend_from_slice(&id.to_be_bytes());
    for secret in secrets {
        bytes.extend_from_slice(&secret.0);
    }
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    let mut text = Zeroizing::new(String::with_capacity(128));
    text.push_str(shape.prefix);
    BASE64URL_NOPAD.encode_append(&bytes, &mut text);
    text
}

fn read<const N: usize>(
    shape: &Shape,
    text: &str,
) -> Result<(UserId, u64, [SecretBytes; N]), TokenFault> {
    debug_assert_eq!(shape.secrets, N);
    let encoded = text.strip_prefix(shape.prefix).ok_or(TokenFault)?;
    let length = HEAD_BYTES + N * SECRET_BYTES + SUM_BYTES;
    if BASE64URL_NOPAD.decode_len(encoded.len()) != Ok(length) {
        return Err(TokenFault);
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    let decoded = BASE64URL_NOPAD.decode_mut(encoded.as_bytes(), &mut bytes);
    decoded.map_err(|_| TokenFault)?;
    let (body, sum) = bytes.split_at(length - SUM_BYTES);
    let whole = sum == crc32fast::hash(body).to_be_bytes();
    if !whole || body[..2] != [VERSION, shape.kind] {
        return Err(TokenFault);
    }
    let mut user = [0; 16];
    user.copy_from_slice(&body[2..18]);
    let mut id = [0; 8];
    id.copy_from_slice(&body[18..HEAD_BYTES]);
    let secrets = std::array::from_fn(|place| {
        let mut secret = SecretBytes([0; SECRET_BYTES]);
        let start = HEAD_BYTES + place * SECRET_BYTES;
        secret.0.copy_from_slice(&body[start..start + SECRET_BYTES]);
        secret
    });
    Ok((UserId(user), u64::from_be_bytes(id), secrets))
}
