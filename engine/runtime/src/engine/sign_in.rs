//! Signing in: what an identifier leads to, and a decoy account where there is none.

use tidegate_account::{
    Command, Completion, CredentialCommand, DegradedReply, Identifier, IndexHash, LedBy, Refusal,
    Reply, SignIn, Source, UserId, tagged,
};
use tidegate_storage_api::Slot;

use super::Engine;
use super::charging::Charged;
use crate::answer::{Answer, Failure, Responder};
use crate::identifiers::Hashes;
use crate::ports::{HashDone, HashJob};
use crate::regions::Home;
use crate::request::Context;
use crate::sources::Origin;
use crate::tenants::pretend;

impl Engine {
    pub(super) async fn sign_in(
        self,
        context: Context,
        identifier: Identifier,
        mut sign_in: SignIn,
        origin: Option<Origin>,
        responder: Responder,
    ) {
        let responder = match self.charge_guess(&context, origin).await {
            Ok(Charged::Nothing) => responder,
            Ok(Charged::Attempt(attempt)) => self.concluding_guess(attempt, responder),
            Ok(Charged::Held(retry_after_ms)) => {
                if sign_in.device.is_none() {
                    let refusal = Refusal::Throttled { retry_after_ms };
                    return responder.answer(Answer::Reply(Reply::No(refusal)), 0);
                }
                // The account knows whether it knows the device.
                sign_in.source = Source::Held { retry_after_ms };
                responder
            }
            Err(failure) => return responder.answer(Answer::Failed(failure), 0),
        };
        let hashes = self
            .shared()
            .settings
            .index_keys
            .hashes(context.tenant, &identifier);
        let newest = hashes.newest();
        let all = hashes.oldest_first().copied().collect();
        sign_in.led_by = LedBy::Identifier(all);
        let found = match self.shared().placement.is_cut_off() {
            true => Err(Failure::Unavailable),
            false => self.find(hashes.oldest_first()).await,
        };
        match found {
            Ok(Some(row)) => {
                self.shared().memory.lookups.remember(&newest, row.user);
                let responder = self.asking_first(context.tenant, &identifier, responder);
                self.route(
                    row.user,
                    context,
                    Command::Credential(CredentialCommand::SignIn(sign_in)),
                    responder,
                );
            }
            // The decoy account does the same work.
            Ok(None) => {
                self.shared().memory.lookups.forget(&newest);
                let user = self.decoy(newest);
                let home = self.home_of_stranger(context.tenant, &identifier, user);
                let responder = match home.await {
                    Ok(Home::Here) => responder,
                    Ok(Home::Unknown) => Engine::unsure(responder),
                    Err(failure) => return responder.answer(Answer::Failed(failure), 0),
                    Ok(Home::There(region)) => {
                        let failure = Failure::WrongRegion(region);
                        return responder.answer(Answer::Failed(failure), 0);
                    }
                };
                self.route(
                    user,
                    context,
                    Command::Credential(CredentialCommand::SignIn(sign_in)),
                    responder,
                );
            }
            Err(Failure::Unavailable) => {
                self.sign_in_from_memory(context, &hashes, sign_in, responder);
            }
            Err(
                failure @ (Failure::Busy { .. }
                | Failure::DeadlineExceeded
                | Failure::NotOwner(_)
                | Failure::WrongRegion(_)
                | Failure::UnknownTenant
                | Failure::Corrupt
                | Failure::Unknown),
            ) => responder.answer(Answer::Failed(failure), 0),
        }
    }

    /// Signs in while the store is out of reach: an account that was looked up lately
    /// and is warm here. Every other caller meets the same work and the same answer
    /// as a wrong password does.
    fn sign_in_from_memory(
        &self,
        context: Context,
        hashes: &Hashes,
        sign_in: SignIn,
        responder: Responder,
    ) {
        let shared = self.shared();
        let mut all = hashes.oldest_first();
        let known = all.find_map(|hash| shared.memory.lookups.recall(hash));
        let user = known.unwrap_or_else(|| self.decoy(hashes.newest()));
        let elsewhere = shared.placement.ownership.epoch_of(user).is_none();
        let warm = || shared.memory.is_warm(user);
        if elsewhere || (known.is_some() && warm()) {
            return self.route(
                user,
                context,
                Command::Credential(CredentialCommand::SignIn(sign_in)),
                responder,
            );
        }
        let tenant = shared.settings.tenants.get(context.tenant);
        let work = pretend(tenant.as_deref(), sign_in.password);
        let deadline_ms = context.deadline_ms;
        let epoch = shared.placement.ownership.epoch_of(user).unwrap_or(0);
        let done = HashDone::new(move |completion| {
            let reply = match completion {
                Completion::Refused { retry_after_ms } => {
                    DegradedReply::No(Refusal::Busy { retry_after_ms })
                }
                Completion::Verified(_) | Completion::Hashed(_) | Completion::Signature(_) => {
                    DegradedReply::Unsaid
                }
            };
            responder.answer(Answer::DegradedDecision { reply, age_ms: 0 }, epoch);
        });
        shared.ports.cpu.hash(HashJob { work, deadline_ms }, done);
    }

    /// The id of the decoy account of an identifier that no account has, in the slot
    /// of its hash.
    pub(super) fn decoy(&self, hash: IndexHash) -> UserId {
        let region = self.shared().placement.ownership.region().number();
        let slot = Slot::of_hash(&hash.0).number();
        UserId::new(region, slot, id_of("tg-stand-in-id-1", &[&hash.0]))
    }
}

/// An id that follows from its parts alone.
pub(super) fn id_of(tag: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&tagged(tag, parts)[..16]);
    id
}
