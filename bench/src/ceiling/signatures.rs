//! Raw signatures: what a passkey costs at least.

use std::time::{Duration, Instant};

use anyhow::Context;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, UnparsedPublicKey,
};
use serde::Serialize;

const TURN: Duration = Duration::from_secs(1);
const MESSAGE: [u8; 64] = [9; 64];

/// A second, on one core.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Signatures {
    p256_verify_per_s: f64,
    p256_sign_per_s: f64,
    ed25519_verify_per_s: f64,
    ed25519_sign_per_s: f64,
}

fn rate(mut once: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let (started, mut count) = (Instant::now(), 0u32);
    while started.elapsed() < TURN {
        for _ in 0..16 {
            once()?;
        }
        count += 16;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

/// A message with a P-256 signature, as a passkey gives one.
pub(crate) struct Signed {
    public: UnparsedPublicKey<Vec<u8>>,
    signature: Vec<u8>,
}

impl Signed {
    pub(crate) fn new() -> anyhow::Result<Signed> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).ok();
        let pair = pair.context("no P-256 key")?;
        let signature = pair.sign(&SystemRandom::new(), &MESSAGE).ok();
        let public = pair.public_key().as_ref().to_vec();
        Ok(Signed {
            public: UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public),
            signature: signature.context("no signature")?.as_ref().to_vec(),
        })
    }

    pub(crate) fn verify(&self) -> anyhow::Result<()> {
        let verified = self.public.verify(&MESSAGE, &self.signature);
        verified.ok().context("a signature was refused")
    }
}

pub(crate) fn measure() -> anyhow::Result<Signatures> {
    let random = SystemRandom::new();
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).ok();
    let p256 = p256.context("no P-256 key")?;
    let ed25519 = Ed25519KeyPair::generate().ok().context("no Ed25519 key")?;
    let signed = Signed::new()?;
    let ed25519_signed = ed25519.sign(&MESSAGE);
    let ed25519_public = UnparsedPublicKey::new(&ED25519, ed25519.public_key().as_ref());
    let verified = |result: Result<(), aws_lc_rs::error::Unspecified>| {
        result.ok().context("a signature was refused")
    };
    Ok(Signatures {
        p256_verify_per_s: rate(|| signed.verify())?,
        p256_sign_per_s: rate(|| {
            let signed = p256.sign(&random, &MESSAGE).ok();
            signed.context("no signature").map(|_| ())
        })?,
        ed25519_verify_per_s: rate(|| {
            verified(ed25519_public.verify(&MESSAGE, ed25519_signed.as_ref()))
        })?,
        ed25519_sign_per_s: rate(|| {
            std::hint::black_box(ed25519.sign(&MESSAGE));
            Ok(())
        })?,
    })
}

impl Signatures {
    pub(super) fn print(&self) {
        say!(
            "signatures on one core: P-256 verify {:.0}/s, sign {:.0}/s; Ed25519 verify {:.0}/s, sign {:.0}/s",
            self.p256_verify_per_s,
            self.p256_sign_per_s,
            self.ed25519_verify_per_s,
            self.ed25519_sign_per_s
        );
    }
}
