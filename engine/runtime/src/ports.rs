//! What the engine asks of the world. Production gives it tokio, the system
//! and a hashing pool; a simulator gives it one seeded world.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tidegate_account::credential::passkey::SignatureWork;
use tidegate_account::{
    Completion, Outgoing, Password, PasswordHash, PasswordPolicy, SignatureCheck, UserId,
};
use tidegate_storage_api::Store;
use zeroize::Zeroizing;

use crate::seal::{Key, SealFault};

/// A future of a port.
pub type PortFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The world, as the engine was given it.
pub(crate) struct Ports {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) cpu: Arc<dyn Cpu>,
    pub(crate) delivery: Arc<dyn Delivery>,
}

impl Ports {
    /// So many fresh random bytes, at most 32.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut random = [0; N];
        random.copy_from_slice(&self.entropy.seed()[..N]);
        random
    }
}

/// Time.
pub trait Clock: Send + Sync + 'static {
    /// Unix time, in milliseconds: what records hold. May jump.
    fn unix_ms(&self) -> u64;
    /// Milliseconds since an arbitrary moment: what deadlines use. Never
    /// goes back.
    fn monotonic_ms(&self) -> u64;
    /// The same in microseconds, to measure with.
    fn monotonic_us(&self) -> u64 {
        self.monotonic_ms().saturating_mul(1000)
    }
    /// Waits.
    fn sleep(&self, ms: u64) -> PortFuture<()>;
}

/// Randomness fit for keys and secrets.
pub trait Entropy: Send + Sync + 'static {
    /// 256 fresh bits.
    fn seed(&self) -> [u8; 32];
}

/// CPU work that takes long or that a simulator replaces.
pub trait Cpu: Send + Sync + 'static {
    /// Does a password's work on a bounded pool and calls `done`, from any
    /// thread. Without room, or when the deadline would pass before its turn,
    /// that is at once and with `Refused`.
    fn hash(&self, job: HashJob, done: HashDone);
    /// Verifies a signature, at once: it takes a fraction of a millisecond.
    fn verify(&self, work: &SignatureWork) -> SignatureCheck;
    /// Encrypts a password's hash under another pepper key; `None` when either
    /// key is not here.
    fn repepper(&self, stored: &PasswordHash, pepper_key: u32) -> Option<PasswordHash>;
    /// Seals a text in place, appending the tag.
    ///
    /// # Errors
    /// [`SealFault`] when it is too long, which no record is.
    fn seal(
        &self,
        key: &Key,
        nonce: &[u8; 24],
        aad: &[u8],
        text: &mut Vec<u8>,
    ) -> Result<(), SealFault>;
    /// Opens a sealed text.
    ///
    /// # Errors
    /// [`SealFault`] when key, nonce, associated data and text do not belong
    /// together.
    fn open(
        &self,
        key: &Key,
        nonce: &[u8; 24],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealFault>;
}

/// What carries messages out of the node: to people, to other systems.
pub trait Delivery: Send + Sync + 'static {
    /// Sends a letter. It may be sent again under the same id: when it failed, when
    /// its outcome came too late, and when the node ended before it was written down.
    fn send(&self, letter: Letter) -> PortFuture<Sent>;
}

/// A message on its way.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its id, the same at each try: what a receiver tells a repeat by.
    pub id: [u8; 16],
    /// About whom.
    pub user: UserId,
    /// What leaves, and where to.
    pub outgoing: Outgoing,
}

/// What came of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Its destination has it.
    Delivered,
    /// Its destination will never take it.
    Refused,
    /// It was not sent, or that is not known; try again.
    Failed,
}

/// Where nothing leaves: every letter is refused, and so listed as undelivered.
pub struct NoDelivery;

impl Delivery for NoDelivery {
    fn send(&self, _: Letter) -> PortFuture<Sent> {
        Box::pin(std::future::ready(Sent::Refused))
    }
}

/// A password's work.
#[derive(Debug)]
pub struct HashJob {
    /// What to do.
    pub work: HashWork,
    /// When no request waits for it any more ([`Clock::monotonic_ms`]).
    pub deadline_ms: u64,
}

/// What to do with a password.
#[derive(Debug)]
pub enum HashWork {
    /// Hash it anew.
    Hash {
        /// The password.
        password: Password,
        /// The salt.
        salt: [u8; 16],
        /// The cost and the pepper key.
        policy: PasswordPolicy,
    },
    /// Compare it.
    Verify {
        /// The password.
        password: Password,
        /// The stored hash.
        stored: PasswordHash,
    },
    /// Do the same work as a comparison, for a decoy account.
    Pretend {
        /// The password.
        password: Password,
        /// The cost.
        policy: PasswordPolicy,
    },
}

/// Whom to tell; told `Refused` when it is dropped without a call.
pub struct HashDone(Option<Box<dyn FnOnce(Completion) + Send>>);

impl HashDone {
    /// Calls `tell` once.
    #[must_use]
    pub fn new(tell: impl FnOnce(Completion) + Send + 'static) -> HashDone {
        HashDone(Some(Box::new(tell)))
    }

    /// Tells how it came out.
    pub fn tell(mut self, completion: Completion) {
        if let Some(tell) = self.0.take() {
            tell(completion);
        }
    }
}

impl Drop for HashDone {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            tell(Completion::Refused { retry_after_ms: 0 });
        }
    }
}
