//! A password's work: Argon2id, and the encryption of what comes of it under a key
//! that is not stored beside it.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use constant_time_eq::constant_time_eq_32;
use tidegate_account::{Password, PasswordCheck, PasswordHash, PasswordPolicy, Secret, tagged};
use zeroize::Zeroizing;

use crate::seal::Key;

/// The keys under which password hashes are encrypted, by their number.
#[derive(Default)]
pub struct Peppers(RwLock<BTreeMap<u32, Key>>);

impl Peppers {
    /// Adds a key.
    pub fn add(&self, number: u32, key: Key) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        keys.insert(number, key);
    }

    fn get(&self, number: u32) -> Option<Key> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&number).cloned()
    }

    /// Encrypts a hash under another key.
    pub(super) fn repepper(&self, stored: &PasswordHash, pepper_key: u32) -> Option<PasswordHash> {
        let output = self.opened(stored)?;
        let mut hash = stored.clone();
        hash.pepper_key = pepper_key;
        hash.output[..32].copy_from_slice(&*output);
        self.sealed(hash)
    }

    /// Hashes a password anew.
    pub(super) fn hash(
        &self,
        password: &Password,
        salt: [u8; 16],
        policy: &PasswordPolicy,
        memory: &mut Vec<Block>,
    ) -> Option<PasswordHash> {
        let mut hash = PasswordHash {
            memory_kib: policy.memory_kib,
            passes: policy.passes,
            lanes: policy.lanes,
            pepper_key: policy.pepper_key,
            salt,
            output: [0; 48],
        };
        let output = argon2id(password, &hash, memory)?;
        hash.output[..32].copy_from_slice(output.expose());
        self.sealed(hash)
    }

    /// Encrypts the output that lies in the first 32 bytes.
    fn sealed(&self, mut hash: PasswordHash) -> Option<PasswordHash> {
        let tag = self
            .pepper(&hash)?
            .encrypt_inout_detached(&Nonce::default(), &[], (&mut hash.output[..32]).into())
            .ok()?;
        hash.output[32..].copy_from_slice(&tag);
        Some(hash)
    }

    /// The output of a stored hash.
    fn opened(&self, stored: &PasswordHash) -> Option<Zeroizing<[u8; 32]>> {
        let (sealed, tag) = stored.output.split_first_chunk::<32>()?;
        let mut output = Zeroizing::new(*sealed);
        self.pepper(stored)?
            .decrypt_inout_detached(
                &Nonce::default(),
                &[],
                output.as_mut_slice().into(),
                &chacha20poly1305::Tag::try_from(tag).ok()?,
            )
            .ok()?;
        Some(output)
    }

    /// Compares a password with a stored hash.
    pub(super) fn verify(
        &self,
        password: &Password,
        stored: &PasswordHash,
        memory: &mut Vec<Block>,
    ) -> Option<PasswordCheck> {
        let output = argon2id(password, stored, memory)?;
        let expected = self.opened(stored)?;
        Some(match constant_time_eq_32(output.expose(), &expected) {
            true => PasswordCheck::Match,
            false => PasswordCheck::Mismatch,
        })
    }

    /// The cipher of one hash. Its key is derived from the pepper and the
    /// hash's random salt, so each key seals one output and the nonce can be
    /// constant.
    fn pepper(&self, hash: &PasswordHash) -> Option<ChaCha20Poly1305> {
        let pepper = self.get(hash.pepper_key)?;
        let key = Zeroizing::new(tagged("tg-pepper-1", &[pepper.expose(), &hash.salt]));
        Some(ChaCha20Poly1305::new(&(*key).into()))
    }
}

/// Argon2id version 1.3 (RFC 9106), 32 bytes, in memory that is kept.
pub(super) fn argon2id(
    password: &Password,
    hash: &PasswordHash,
    memory: &mut Vec<Block>,
) -> Option<Secret<32>> {
    let params = Params::new(hash.memory_kib, hash.passes, hash.lanes, Some(32)).ok()?;
    memory.resize(params.block_count(), Block::default());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut output = Zeroizing::new([0; 32]);
    let blocks = memory.as_mut_slice();
    argon2
        .hash_password_into_with_memory(
            password.expose(),
            &hash.salt,
            output.as_mut_slice(),
            blocks,
        )
        .ok()?;
    Some(Secret::new(*output))
}
