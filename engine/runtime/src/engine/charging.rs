//! What a request that guesses, or makes accounts, is charged before anything is
//! done for it, and what is said of it when its answer is known.

use std::sync::Arc;

use tidegate_account::{InterimReply, Judged, Refusal, Reply, SourcePolicy};
use tidegate_storage_api::StoreError;

use super::{Engine, Errand};
use crate::answer::{Answer, Failure, Responder};
use crate::crowd::Crowd;
use crate::sources::{Account, Charge, Concluded, Origin};
use crate::tenants::Tenant;

/// For this long a source is known for whoever signed in from there.
const KNOWN_MS: u64 = 24 * 60 * 60_000;

/// What was charged.
pub(super) enum Charged {
    /// Nothing: nothing bounds it.
    Nothing,
    /// One attempt.
    Attempt(Attempt),
    /// It must wait so long.
    Held(u64),
}

/// An attempt that was charged.
pub(super) struct Attempt {
    tenant: Arc<Tenant>,
    /// The source, by its keyed hash.
    source: Option<[u8; 32]>,
    /// The crowds that it is one of.
    crowds: Vec<Crowd>,
}

impl Engine {
    /// Charges a sign-in to its source, and, where nobody was seen to sign in
    /// from there, to its tenant and its gateway.
    pub(super) async fn charge_guess(
        &self,
        errand: &Errand,
        origin: Option<Origin>,
    ) -> Result<Charged, Failure> {
        let shared = &self.shared;
        let Some(tenant) = shared.tenants.get(errand.tenant) else {
            return Ok(Charged::Nothing);
        };
        let keys = &shared.index_keys;
        let source = origin.map(|origin| keys.source(errand.tenant, &origin.to_bytes()));
        if let Some(hash) = &source
            && let Some(held) = self.charge_source(hash, &tenant.policy.source).await?
        {
            return Ok(Charged::Held(held));
        }
        let now_ms = shared.clock.unix_ms();
        let known = |hash: &[u8; 32]| shared.sources.is_known(hash, now_ms, KNOWN_MS);
        let crowds = match source.as_ref().is_some_and(known) {
            true => Vec::new(),
            false => vec![
                Crowd::Tenant(errand.tenant.0),
                Crowd::Gateway(errand.gateway.0),
            ],
        };
        let policy = &tenant.policy.crowd;
        let charge = shared.crowds.charge(&crowds, policy, &*shared.clock);
        if let Charge::Held { retry_after_ms } = charge.await {
            shared.meters.sources_held.increment(1);
            if let Some(hash) = &source {
                self.conclude_source(hash, &tenant.policy.source, Concluded::Returned);
            }
            return Ok(Charged::Held(retry_after_ms));
        }
        Ok(Charged::Attempt(Attempt {
            tenant,
            source,
            crowds,
        }))
    }

    /// Charges a sign-up to its source, apart from guesses.
    pub(super) async fn charge_sign_up(
        &self,
        errand: &Errand,
        origin: Option<Origin>,
    ) -> Result<Charged, Failure> {
        let shared = &self.shared;
        let (Some(origin), Some(tenant)) = (origin, shared.tenants.get(errand.tenant)) else {
            return Ok(Charged::Nothing);
        };
        let named = [&b"sign-up"[..], &origin.to_bytes()].concat();
        let hash = shared.index_keys.source(errand.tenant, &named);
        let held = self.charge_source(&hash, &tenant.policy.sign_ups).await?;
        Ok(match held {
            Some(retry_after_ms) => Charged::Held(retry_after_ms),
            None => Charged::Attempt(Attempt {
                tenant,
                source: Some(hash),
                crowds: Vec::new(),
            }),
        })
    }

    /// Charges a source; how long it must wait if it may not.
    async fn charge_source(
        &self,
        hash: &[u8; 32],
        policy: &SourcePolicy,
    ) -> Result<Option<u64>, Failure> {
        let shared = &self.shared;
        let region = shared.ownership.region();
        let store = (!shared.is_cut_off()).then_some(&*shared.store);
        let account = Account { hash, policy };
        let charge = shared
            .sources
            .charge(account, &*shared.clock, region, store);
        match charge.await {
            Ok(Charge::Charged) => Ok(None),
            Ok(Charge::Held { retry_after_ms }) => {
                shared.meters.sources_held.increment(1);
                Ok(Some(retry_after_ms))
            }
            Err(StoreError::Corrupt) => Err(Failure::Corrupt),
            Err(
                StoreError::Conflict
                | StoreError::Overtaken
                | StoreError::Fenced
                | StoreError::Unavailable
                | StoreError::CommitUnknown
                | StoreError::TooLarge,
            ) => Err(Failure::Unavailable),
        }
    }

    fn conclude_source(&self, hash: &[u8; 32], policy: &SourcePolicy, outcome: Concluded) {
        let account = Account { hash, policy };
        let now_ms = self.shared.clock.unix_ms();
        self.shared.sources.conclude(account, now_ms, outcome);
    }

    /// Says what a guess was when it is answered.
    pub(super) fn concluding_guess(&self, attempt: Attempt, responder: Responder) -> Responder {
        let engine = self.clone();
        Responder::new(move |answer, epoch| {
            let (source, crowd) = guessed(&answer);
            let policy = &attempt.tenant.policy;
            if let Some(hash) = &attempt.source {
                engine.conclude_source(hash, &policy.source, source);
            }
            let now_ms = engine.shared.clock.monotonic_ms();
            let crowds = &engine.shared.crowds;
            crowds.conclude(&attempt.crowds, &policy.crowd, now_ms, crowd);
            responder.answer(answer, epoch);
        })
    }

    /// A sign-up stays charged when it made an account.
    pub(super) fn concluding_sign_up(&self, attempt: Attempt, responder: Responder) -> Responder {
        let engine = self.clone();
        Responder::new(move |answer, epoch| {
            let outcome = match matches!(answer, Answer::Reply(Reply::SignedUp(_))) {
                true => Concluded::Kept,
                false => Concluded::Returned,
            };
            if let Some(hash) = &attempt.source {
                engine.conclude_source(hash, &attempt.tenant.policy.sign_ups, outcome);
            }
            responder.answer(answer, epoch);
        })
    }
}

/// What an answer to a guess means for its source, and for its crowds. What an
/// account holds off costs its source, which goes on trying; it costs no crowd,
/// or hammering at one account would keep a whole tenant waiting.
fn guessed(answer: &Answer) -> (Concluded, Concluded) {
    use Concluded::{Kept, Returned, Right};
    let reply = match answer {
        Answer::Reply(reply) => reply,
        Answer::Interim { reply, .. } => match reply {
            InterimReply::Durable(reply) => reply,
            InterimReply::No(refusal) => return judged(*refusal),
            InterimReply::Provisional(_) => return (Right, Right),
            InterimReply::Unsaid => return (Kept, Kept),
            InterimReply::Refreshed(_) | InterimReply::Ended(_) | InterimReply::Unavailable => {
                return (Returned, Returned);
            }
        },
        Answer::Checked(_) | Answer::Done | Answer::Failed(_) => return (Returned, Returned),
    };
    match reply {
        Reply::No(refusal) => judged(*refusal),
        Reply::SignedIn(_) => (Right, Right),
        Reply::SignedUp(_)
        | Reply::Refreshed(_)
        | Reply::Sessions(_)
        | Reply::Revoked(_)
        | Reply::StatusSet(_)
        | Reply::Erased(_)
        | Reply::Claimed(_)
        | Reply::Verified(_) => (Returned, Returned),
    }
}

fn judged(refusal: Refusal) -> (Concluded, Concluded) {
    use Concluded::{Kept, Returned};
    match refusal.judged() {
        Judged::Wrong => (Kept, Kept),
        Judged::Held => (Kept, Returned),
        Judged::Nothing => (Returned, Returned),
    }
}
