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

pub(crate) fn measure() -> anyhow::Result<Signatures> {
    let random = SystemRandom::new();
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).ok();
    let p256 = p256.context("no P-256 key")?;
    let ed25519 = Ed25519KeyPair::generate().ok().context("no Ed25519 key")?;
    let p256_signed = p256.sign(&random, &MESSAGE).ok().context("no signature")?;
    let ed25519_signed = ed25519.sign(&MESSAGE);
    let p256_public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, p256.public_key().as_ref());
    let ed25519_public = UnparsedPublicKey::new(&ED25519, ed25519.public_key().as_ref());
    let verified = |result: Result<(), aws_lc_rs::error::Unspecified>| {
        result.ok().context("a signature was refused")
    };
    Ok(Signatures {
        p256_verify_per_s: rate(|| verified(p256_public.verify(&MESSAGE, p256_signed.as_ref())))?,
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
        println!(
            "signatures on one core: P-256 verify {:.0}/s, sign {:.0}/s; Ed25519 verify {:.0}/s, sign {:.0}/s",
            self.p256_verify_per_s,
            self.p256_sign_per_s,
            self.ed25519_verify_per_s,
            self.ed25519_sign_per_s
        );
    }
}
