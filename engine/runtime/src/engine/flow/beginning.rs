//! Beginning a flow: which account its identifier leads to, and whether something
//! may be sent.

use tidegate_account::assurance::Proofs;
use tidegate_account::continuation::{AttemptId, BrowserHash, Continuation, Purpose};
use tidegate_account::{
    Account, Command, Entropy, FlowBegin, FlowCommand, FlowContext, Identifier, IndexHash, Input,
    Refusal, Request as AccountRequest, Source, Ticket, UserId, tagged,
};

use super::opened::parts_wanted;
use super::{FLOWS_SINCE, Follows, Stopped, of_flow};
use crate::answer::{Answer, Failure, Responder};
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
            Ok((user, begin)) if begin.is_nobodys() => {
                let answer = self.begin_with_nobody(&context, user, begin);
                responder.answer(answer, 0);
            }
            Ok((user, begin)) => {
                let command = Command::Flow(FlowCommand::Begin(Box::new(begin)));
                let follows = Follows::nothing();
                self.route(user, context, command, of_flow(responder, follows));
            }
            Err(stopped) => responder.answer(stopped.into(), 0),
        }
    }

    /// A flow that names nobody is begun at an account that is not there: it touches no
    /// row, and no actor begins for it.
    fn begin_with_nobody(&self, context: &Context, user: UserId, begin: FlowBegin) -> Answer {
        let shared = self.shared();
        let Some(tenant) = shared.settings.tenants.get(context.tenant) else {
            return Answer::Failed(Failure::UnknownTenant);
        };
        let request = AccountRequest {
            ticket: Ticket(0),
            tenant: context.tenant,
            idempotency: None,
        };
        let command = Command::Flow(FlowCommand::Begin(Box::new(begin)));
        let now_ms = shared.ports.clock.unix_ms();
        let entropy = Entropy::new(shared.ports.entropy.seed());
        let input = Input::Command(request, command);
        let mut nobody = Account::absent(user);
        let output = nobody.handle(now_ms, entropy, &tenant.policy, input);
        match output.replies.into_iter().next() {
            Some((_, reply)) => Answer::Reply(reply),
            None => Answer::Failed(Failure::Unknown),
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
        if let (Purpose::SignUp, Some(identifier)) = (beginning.purpose, &beginning.identifier)
            && !tenant.policy.usernames.takes(identifier)
        {
            return Err(Refusal::InvalidIdentifier.into());
        }
        let keys = tenant.flow_keys().next();
        let keys = keys.ok_or(Failure::Corrupt)?;
        let policy = &tenant.policy;
        let kind = beginning.identifier.as_ref().map(Identifier::kind);
        let source = match (&beginning.by, policy.sends_at_once(beginning.purpose, kind)) {
            (None, true) => self.charge_send(context, beginning.origin).await?,
            (None, false) | (Some(_), _) => Source::Clear,
        };
        let attempt = self.attempt_of(context);
        let subject = match (&beginning.by, &beginning.identifier) {
            (Some((user, _)), _) => *user,
            (None, Some(identifier)) => self.subject_of(context, identifier).await?,
            (None, None) => self.decoy(IndexHash(tagged("tg-nobody-1", &[attempt.as_bytes()]))),
        };
        let now_ms = shared.ports.clock.unix_ms();
        let index_keys = &shared.settings.index_keys;
        let claimed = beginning.identifier.clone();
        let claimed = claimed.map(|one| index_keys.claimed(context.tenant, one));
        let continuation = Continuation {
            purpose: beginning.purpose,
            tenant: context.tenant,
            subject,
            attempt,
            identifier: beginning.identifier,
            proofs: Proofs::default(),
            step: 0,
            issued_ms: now_ms,
            expires_ms: now_ms.saturating_add(policy.flow.lifetime_ms),
            browser: BrowserHash::of(&beginning.browser),
            session: beginning.by.as_ref().map(|(_, by)| by.session),
        };
        let begin = FlowBegin {
            context: FlowContext {
                continuation,
                identifier: claimed,
                language: beginning.language,
                keys,
                parts: parts_wanted(policy),
            },
            by: beginning.by.map(|(_, by)| by),
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
            Some(key) => id_of("tg-attempt-1", &[&tenant, &key.key, &key.request]),
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
