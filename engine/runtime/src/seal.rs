//! Sealing personal data: a key per person, wrapped by the tenant's, wrapped
//! by the deployment's. XChaCha20-Poly1305 with random nonces; the associated
//! data binds tenant, user, field, version and revision, and for a record what
//! stands beside it in clear, so that nothing sealed can stand in another's
//! place.

mod key;

pub use key::{Key, SealFault};

use chacha20poly1305::aead::{Aead, AeadInOut, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use tidegate_account::{PartKind, TenantId, UserId, record};
use zeroize::Zeroizing;

use crate::ports::Cpu;

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const _: () = assert!(NONCE_BYTES + TAG_BYTES == record::SEAL_BYTES);

/// The length of a wrapped key, in bytes.
pub(crate) const WRAPPED_BYTES: usize = NONCE_BYTES + 32 + TAG_BYTES;

/// A key sealed under another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrappedKey(pub [u8; WRAPPED_BYTES]);

impl WrappedKey {
    /// In the place of a key that is derived and has no wrapped form.
    pub(crate) const NONE: WrappedKey = WrappedKey([0; WRAPPED_BYTES]);
}

/// What is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A tenant's key, under the deployment's.
    TenantKey,
    /// A person's key, under the tenant's.
    PersonKey,
    /// The sealed part of a record.
    Record,
    /// A cold part beside it.
    Part(PartKind),
}

impl Field {
    /// Its number in the associated data. Those of parts stand in their table.
    fn number(self) -> u8 {
        match self {
            Field::TenantKey => 1,
            Field::PersonKey => 2,
            Field::Record => 3,
            Field::Part(kind) => kind.seal(),
        }
    }
}

/// Whose and which: what a seal binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealContext {
    /// The tenant.
    pub tenant: TenantId,
    /// The person; all zeros for a tenant's key.
    pub user: UserId,
    /// What is sealed.
    pub field: Field,
    /// The revision of the record, or the number of a part; 0 for what has
    /// neither.
    pub revision: u64,
}

impl SealContext {
    fn aad(&self) -> [u8; 48] {
        let mut aad = [0; 48];
        aad[..14].copy_from_slice(b"tidegate-seal\x01");
        aad[14] = self.field.number();
        aad[16..24].copy_from_slice(&self.tenant.0.to_be_bytes());
        aad[24..40].copy_from_slice(self.user.as_bytes());
        aad[40..].copy_from_slice(&self.revision.to_be_bytes());
        aad
    }

    /// Seals a text: nonce, ciphertext, tag.
    ///
    /// # Errors
    /// [`SealFault`] when the text is too long, which no record is.
    pub fn seal(
        &self,
        cpu: &dyn Cpu,
        key: &Key,
        nonce: [u8; NONCE_BYTES],
        text: &[u8],
    ) -> Result<Vec<u8>, SealFault> {
        self.seal_bound(cpu, key, nonce, &[], text)
    }

    /// The same, so that it opens beside these bytes in clear and no others.
    ///
    /// # Errors
    /// As [`SealContext::seal`].
    pub fn seal_bound(
        &self,
        cpu: &dyn Cpu,
        key: &Key,
        nonce: [u8; NONCE_BYTES],
        bound: &[u8],
        text: &[u8],
    ) -> Result<Vec<u8>, SealFault> {
        let mut body = Vec::with_capacity(text.len() + TAG_BYTES);
        body.extend_from_slice(text);
        cpu.seal(key, &nonce, &self.bound_with(bound), &mut body)?;
        Ok([&nonce[..], &body].concat())
    }

    fn bound_with(&self, bound: &[u8]) -> Vec<u8> {
        [&self.aad()[..], bound].concat()
    }

    /// Opens what [`SealContext::seal`] made.
    ///
    /// # Errors
    /// [`SealFault`] when it was made with another key or for another place.
    pub fn open(
        &self,
        cpu: &dyn Cpu,
        key: &Key,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealFault> {
        self.open_bound(cpu, key, &[], sealed)
    }

    /// Opens what [`SealContext::seal_bound`] made.
    ///
    /// # Errors
    /// [`SealFault`] as for [`SealContext::open`], and when other bytes stand in
    /// clear beside it.
    pub fn open_bound(
        &self,
        cpu: &dyn Cpu,
        key: &Key,
        bound: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealFault> {
        let (nonce, body) = sealed.split_first_chunk().ok_or(SealFault)?;
        cpu.open(key, nonce, &self.bound_with(bound), body)
    }

    /// Wraps a key.
    ///
    /// # Errors
    /// None in practice.
    pub fn wrap(
        &self,
        cpu: &dyn Cpu,
        under: &Key,
        nonce: [u8; NONCE_BYTES],
        key: &Key,
    ) -> Result<WrappedKey, SealFault> {
        let sealed = self.seal(cpu, under, nonce, key.expose())?;
        sealed.try_into().map(WrappedKey).map_err(|_| SealFault)
    }

    /// Unwraps a key.
    ///
    /// # Errors
    /// [`SealFault`] as for [`SealContext::open`].
    pub fn unwrap(
        &self,
        cpu: &dyn Cpu,
        under: &Key,
        wrapped: &WrappedKey,
    ) -> Result<Key, SealFault> {
        let opened = self.open(cpu, under, &wrapped.0)?;
        let bytes = <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| SealFault)?;
        Ok(Key::new(bytes))
    }
}

/// The deployment's master key, wherever it lies: the port for a KMS.
pub trait Master: Send + Sync + 'static {
    /// Wraps a tenant's key.
    ///
    /// # Errors
    /// [`SealFault`] when the service refuses.
    fn wrap(
        &self,
        context: &SealContext,
        nonce: [u8; NONCE_BYTES],
        key: &Key,
    ) -> Result<WrappedKey, SealFault>;
    /// Unwraps a tenant's key.
    ///
    /// # Errors
    /// [`SealFault`] when it was wrapped by another master or for another
    /// tenant.
    fn unwrap(&self, context: &SealContext, wrapped: &WrappedKey) -> Result<Key, SealFault>;
}

/// A master key held in this process, from a file.
pub struct LocalMaster {
    key: Key,
}

impl LocalMaster {
    /// Takes the key.
    #[must_use]
    pub fn new(key: Key) -> LocalMaster {
        LocalMaster { key }
    }
}

impl Master for LocalMaster {
    fn wrap(
        &self,
        context: &SealContext,
        nonce: [u8; NONCE_BYTES],
        key: &Key,
    ) -> Result<WrappedKey, SealFault> {
        let mut body = key.expose().to_vec();
        seal(&self.key, &nonce, &context.aad(), &mut body)?;
        let wrapped = [&nonce[..], &body].concat();
        wrapped.try_into().map(WrappedKey).map_err(|_| SealFault)
    }

    fn unwrap(&self, context: &SealContext, wrapped: &WrappedKey) -> Result<Key, SealFault> {
        let (nonce, body) = wrapped.0.split_first_chunk().ok_or(SealFault)?;
        let opened = open(&self.key, nonce, &context.aad(), body)?;
        let bytes = <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| SealFault)?;
        Ok(Key::new(bytes))
    }
}

/// The seal of production.
pub(crate) fn seal(
    key: &Key,
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    text: &mut Vec<u8>,
) -> Result<(), SealFault> {
    let cipher = XChaCha20Poly1305::new(key.expose().into());
    let sealed = cipher.encrypt_in_place(&XNonce::from(*nonce), aad, text);
    sealed.map_err(|_| SealFault)
}

pub(crate) fn open(
    key: &Key,
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealFault> {
    let cipher = XChaCha20Poly1305::new(key.expose().into());
    let payload = Payload { msg: sealed, aad };
    let opened = cipher.decrypt(&XNonce::from(*nonce), payload);
    opened.map(Zeroizing::new).map_err(|_| SealFault)
}

#[cfg(test)]
mod tests;
