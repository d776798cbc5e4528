//! Beginning a flow: which account its identifier leads to, and whether something
//! may be sent.

use tidegate_account::assurance::Proofs;
use tidegate_account::continuation::{AttemptId, BrowserHash, Continuation, Purpose};
use tidegate_account::{
    Command, FlowBegin, FlowCommand, FlowContext, Identifier, Refusal, Source, UserId,
};

use super::{FLOWS_SINCE, Follows, Stopped, of_flow};
use crate::answer::{Failure, Responder};
use crate::engine::Engine;
use crate::engine::sign_in::id_of;
use crate::regions::Home;
use crate::request::{Beginning, Context};

impl Engine {
    pub(in crate::engine) async fn begin_flow(
        self,
        context: Context,
        beginning: Beginning,
        responder: Responder,
    ) {
        match self.beginning(&context, beginning).await {
            Ok((user, begin)) => {
                let command = Command::Flow(FlowCommand::Begin(Box::new(begin)));
                let follows = Follows::nothing();
                self.route(user, context, command, of_flow(responder, follows));
            }
            Err(stopped) => responder.answer(stopped.into(), 0),
        }
    }

    async fn beginning(
        &self,
        context: &Context,
        beginning: Beginning,
    ) -> Result<(UserId, FlowBegin), Stopped> {
        let shared = self.shared();
        self.may_flow()?;
        let tenant = shared.settings.tenants.get(context.tenant);
        let tenant = tenant.ok_or(Failure::UnknownTenant)?;
        if beginning.purpose == Purpose::SignUp
            && let Some(home) = self.pinned_elsewhere(context.tenant)
        {
            return Err(Failure::WrongRegion(home).into());
        }
        // What is an account's already is not judged anew.
        if beginning.purpose == Purpose::SignUp
            && !tenant.policy.usernames.takes(&beginning.identifier)
        {
            return Err(Refusal::InvalidIdentifier.into());
        }
        let keys = tenant.flow_keys().next();
        let keys = keys.ok_or(Failure::Corrupt)?;
        let (policy, reach) = (&tenant.policy.flow, tenant.policy.notices.reach());
        let kind = beginning.identifier.kind();
        let source = match policy.sends_at_once(beginning.purpose, kind, reach) {
            true => self.charge_send(context, beginning.origin).await?,
            false => Source::Clear,
        };
        let subject = self.subject_of(context, &beginning.identifier).await?;
        let now_ms = shared.ports.clock.unix_ms();
        let continuation = Continuation {
            purpose: beginning.purpose,
            tenant: context.tenant,
            subject,
            attempt: self.attempt_of(context),
            identifier: Some(beginning.identifier.clone()),
            proofs: Proofs::default(),
            step: 0,
            issued_ms: now_ms,
            expires_ms: now_ms.saturating_add(policy.lifetime_ms),
            browser: BrowserHash::of(&beginning.browser),
            session: None,
        };
        let index_keys = &shared.settings.index_keys;
        let begin = FlowBegin {
            context: FlowContext {
                continuation,
                identifier: index_keys.claimed(context.tenant, beginning.identifier),
                language: beginning.language,
                keys,
            },
            source,
        };
        Ok((subject, begin))
    }

    /// Flows change what only newer programs read.
    pub(super) fn may_flow(&self) -> Result<(), Failure> {
        let shared = self.shared();
        let young = shared.settings.formats.active() < FLOWS_SINCE;
        match young || shared.placement.is_past_lease() || shared.placement.is_cut_off() {
            true => Err(Failure::Unavailable),
            false => Ok(()),
        }
    }

    /// The same for a repeat, which thus finds what the first has sent.
    fn attempt_of(&self, context: &Context) -> AttemptId {
        let tenant = context.tenant.0.to_be_bytes();
        AttemptId::from_bytes(match &context.idempotency {
            Some(key) => id_of("tg-attempt-1", &[&tenant, &key.key]),
            None => id_of(
                "tg-attempt-1",
                &[&tenant, &self.shared().ports.entropy.seed()],
            ),
        })
    }

    /// The account that holds an identifier, or the decoy in the place of one. Where
    /// there are regions the directory is asked for both: neither the time that it
    /// takes nor what is said while it is away tells the two apart.
    async fn subject_of(
        &self,
        context: &Context,
        identifier: &Identifier,
    ) -> Result<UserId, Failure> {
        let index_keys = &self.shared().settings.index_keys;
        let hashes = index_keys.hashes(context.tenant, identifier);
        let found = self.find(hashes.oldest_first()).await?;
        let user = found.map_or_else(|| self.decoy(hashes.newest()), |row| row.user);
        let home = self
            .home_of_stranger(context.tenant, identifier, user)
            .await;
        match (home?, found) {
            (Home::Here, _) | (Home::There(_), Some(_)) => Ok(user),
            (Home::Unknown, _) => Err(Failure::Unavailable),
            (Home::There(region), None) => Err(Failure::WrongRegion(region)),
        }
    }
}
