//! What a request that guesses, or makes accounts, is charged before anything is
//! done for it, and what is said of it when its answer is known.

mod attempt;

use tidegate_account::{
    CredentialReply, DegradedReply, FlowReply, Judged, Refusal, Reply, Source, SourcePolicy,
};
use tidegate_storage_api::StoreError;

use self::attempt::{Attempt, Kind};
use super::Engine;
use crate::admission::Limit;
use crate::answer::{Answer, Failure, Responder};
use crate::crowd::Crowd;
use crate::request::Context;
use crate::sources::{Account, Charge, Concluded, Origin, Trust};

/// What was charged.
pub(super) enum Charged {
    /// Nothing: nothing bounds it.
    Nothing,
    /// One attempt.
    Attempt(Attempt),
    /// It must wait so long.
    Held(u64),
}

impl Engine {
    /// Charges a sign-in to its source, and, where no success from there answers
    /// for it, to its tenant and its gateway. These come first: what they hold off
    /// takes no place among the sources.
    pub(super) async fn charge_guess(
        &self,
        context: &Context,
        origin: Option<Origin>,
    ) -> Result<Charged, Failure> {
        let shared = self.shared();
        let Some(tenant) = shared.settings.tenants.get(context.tenant) else {
            return Ok(Charged::Nothing);
        };
        let keys = &shared.settings.index_keys;
        let source = origin.map(|origin| keys.source(context.tenant, &origin.to_bytes()));
        let mut attempt = Attempt::new(&self.people, &tenant, Kind::Guess);
        let charge = self.charge_crowds(context, source, &mut attempt).await;
        if let Some(held) = self.told(charge)? {
            return Ok(Charged::Held(held));
        }
        if let Some(hash) = &source {
            let policy = &tenant.policy.source;
            if let Some(held) = self.charge_source(context, hash, policy).await? {
                return Ok(Charged::Held(held));
            }
            attempt.source = source;
        }
        Ok(Charged::Attempt(attempt))
    }

    /// Charges a guess to its tenant and its gateway, unless a success from its
    /// source answers for it.
    async fn charge_crowds(
        &self,
        context: &Context,
        source: Option<[u8; 32]>,
        attempt: &mut Attempt,
    ) -> Charge {
        let shared = self.shared();
        let (clock, deadline_ms) = (&*shared.ports.clock, context.deadline_ms);
        let now_ms = clock.unix_ms();
        let trust = source.as_ref().map_or(Trust::Missing, |hash| {
            shared.bounds.sources.trust(hash, now_ms)
        });
        if trust == Trust::Given {
            attempt.trusted = source;
            return Charge::Charged;
        }
        let crowds = [
            Crowd::Tenant(context.tenant.0),
            Crowd::Gateway(context.gateway.0),
        ];
        let policy = &attempt.tenant.policy.crowd;
        let charge = shared
            .bounds
            .crowds
            .charge(&crowds, policy, clock, deadline_ms);
        let charge = charge.await;
        let open = match trust {
            Trust::Open => source,
            Trust::Given | Trust::Missing => None,
        };
        if let (Charge::Held { retry_after_ms }, Some(hash)) = (charge, open) {
            let sources = &shared.bounds.sources;
            let charge = sources.charge_trust(&hash, clock, deadline_ms, retry_after_ms);
            let charge = charge.await;
            if charge == Charge::Charged {
                attempt.trusted = source;
            }
            return charge;
        }
        if charge == Charge::Charged {
            attempt.crowds = crowds.to_vec();
        }
        charge
    }

    /// Charges a sign-up to its source, apart from guesses.
    pub(super) async fn charge_sign_up(
        &self,
        context: &Context,
        origin: Option<Origin>,
    ) -> Result<Charged, Failure> {
        let shared = self.shared();
        let (Some(origin), Some(tenant)) = (origin, shared.settings.tenants.get(context.tenant))
        else {
            return Ok(Charged::Nothing);
        };
        let named = [&b"sign-up"[..], &origin.to_bytes()].concat();
        let hash = shared.settings.index_keys.source(context.tenant, &named);
        let policy = &tenant.policy.sign_ups;
        if let Some(held) = self.charge_source(context, &hash, policy).await? {
            return Ok(Charged::Held(held));
        }
        let mut attempt = Attempt::new(&self.people, &tenant, Kind::SignUp);
        attempt.source = Some(hash);
        Ok(Charged::Attempt(attempt))
    }

    /// Charges a message to its source, apart from guesses: whether one may be sent.
    pub(super) async fn charge_send(
        &self,
        context: &Context,
        origin: Option<Origin>,
    ) -> Result<Source, Failure> {
        let shared = self.shared();
        let (Some(origin), Some(tenant)) = (origin, shared.settings.tenants.get(context.tenant))
        else {
            return Ok(Source::Clear);
        };
        let named = [&b"send"[..], &origin.to_bytes()].concat();
        let hash = shared.settings.index_keys.source(context.tenant, &named);
        let charged = self.charge_source(context, &hash, &tenant.policy.sends);
        match charged.await {
            Ok(None) => {
                // Whatever becomes of the message, it was asked for.
                let mut attempt = Attempt::new(&self.people, &tenant, Kind::Send);
                attempt.source = Some(hash);
                attempt.conclude(Concluded::Kept, Concluded::Returned);
                Ok(Source::Clear)
            }
            Ok(Some(retry_after_ms)) => Ok(Source::Held { retry_after_ms }),
            Err(failure) => Err(failure),
        }
    }

    /// Charges a source; how long it must wait if it may not.
    async fn charge_source(
        &self,
        context: &Context,
        hash: &[u8; 32],
        policy: &SourcePolicy,
    ) -> Result<Option<u64>, Failure> {
        let shared = self.shared();
        let region = shared.placement.ownership.region();
        let store = (!shared.placement.is_cut_off()).then_some(&*shared.ports.store);
        let account = Account { hash, policy };
        let clock = &*shared.ports.clock;
        let charge =
            shared
                .bounds
                .sources
                .charge(account, clock, context.deadline_ms, region, store);
        match charge.await {
            Ok(charge) => self.told(charge),
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

    /// How long one must wait who was not charged.
    fn told(&self, charge: Charge) -> Result<Option<u64>, Failure> {
        match charge {
            Charge::Charged => Ok(None),
            Charge::Held { retry_after_ms } => {
                self.shared().meters.sources_held.increment(1);
                Ok(Some(retry_after_ms))
            }
            Charge::Late => Err(Failure::DeadlineExceeded),
            Charge::Full => Err(self.shared().busy(Limit::Attempts)),
        }
    }

    /// Says what a guess was when it is answered.
    pub(super) fn concluding_guess(&self, mut attempt: Attempt, responder: Responder) -> Responder {
        Responder::new(move |answer, epoch| {
            let (source, crowd) = guessed(&answer);
            attempt.conclude(source, crowd);
            responder.answer(answer, epoch);
        })
    }

    /// A sign-up stays charged when it made an account.
    pub(super) fn concluding_sign_up(
        &self,
        mut attempt: Attempt,
        responder: Responder,
    ) -> Responder {
        Responder::new(move |answer, epoch| {
            let outcome = match matches!(
                answer,
                Answer::Reply(Reply::Credential(CredentialReply::SignedUp(_)))
            ) {
                true => Concluded::Kept,
                false => Concluded::Returned,
            };
            attempt.conclude(outcome, Concluded::Returned);
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
        Answer::DegradedDecision { reply, .. } => match reply {
            DegradedReply::Durable(reply) => reply,
            DegradedReply::No(refusal) => return judged(*refusal),
            DegradedReply::Provisional(_) => return (Right, Right),
            DegradedReply::Unsaid => return (Kept, Kept),
            DegradedReply::Refreshed(_) | DegradedReply::Ended(_) | DegradedReply::Unavailable => {
                return (Returned, Returned);
            }
        },
        Answer::Checked(_) | Answer::Done | Answer::Failed(_) => return (Returned, Returned),
    };
    match reply {
        Reply::No(refusal) => judged(*refusal),
        Reply::Credential(CredentialReply::SignedIn(_))
        | Reply::Flow(FlowReply::Granted(_) | FlowReply::Proven) => (Right, Right),
        Reply::Credential(
            CredentialReply::SignedUp(_) | CredentialReply::Listed(_) | CredentialReply::Removed(_),
        )
        | Reply::Flow(FlowReply::Step(_))
        | Reply::Session(_)
        | Reply::Lifecycle(_)
        | Reply::Identifier(_) => (Returned, Returned),
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
