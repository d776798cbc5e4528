//! While the store is out of reach: commands are answered from the warm form
//! and from what was decided since, and what is decided now is kept before any
//! answer leaves. Nothing of it touches the account that commits.

use std::collections::BTreeMap;

use tidegate_account::record::View;
use tidegate_account::{
    Asked, Command, Completion, CredentialCommand, DegradedAccount, DegradedDecision,
    DegradedInput, DegradedOutput, DegradedReply, Effect, Entropy, IdentifierCommand, Input,
    LifecycleCommand, PendingId, Policy, Reply, SessionCommand, SessionId, SessionReply, TenantId,
    Ticket,
};

use super::{Held, PersonState, hash_work};
use crate::answer::{Answer, Failure};
use crate::degraded_states::Taken;
use crate::job::{Job, What};
use crate::meters::Degraded;
use crate::person::Message;
use crate::person::load;
use crate::placement::Standing;
use crate::seal::WrappedKey;

/// The account as it is known, for as long as somebody waits for it.
pub(super) struct Shadow {
    /// Work that was begun for another is not this one's.
    number: u64,
    account: DegradedAccount,
    tenant: TenantId,
    age_ms: u64,
    open: BTreeMap<Ticket, Held>,
}

/// What the account is taking over from the time when the store was away.
pub(super) struct Settling {
    revision: u64,
    taken: Taken,
}

impl PersonState {
    /// Answers a job while the store is out of reach.
    pub(super) fn job_degraded(&mut self, job: Job, age_ms: u64) {
        if job.responder.is_none() {
            // Work of the engine's own waits until the store is back.
            return self.shared.memory.not_written(self.user);
        }
        let Some((what, held)) = self.in_time(job) else {
            return;
        };
        let unavailable = Answer::Failed(Failure::Unavailable);
        let What::Command {
            tenant,
            idempotency,
            max_age_ms,
            command,
        } = what
        else {
            return held.answer(unavailable, self.epoch);
        };
        let oldest_ms = self
            .shared
            .settings
            .grace_ms(tenant)
            .min(u64::from(max_age_ms));
        let young = age_ms < oldest_ms;
        let answerable = match &command {
            // To end a session is safe however old the knowledge is.
            Command::Session(SessionCommand::Revoke { .. }) => true,
            Command::Session(SessionCommand::Refresh { session, .. }) => {
                young && !self.may_be_replacing(*session)
            }
            Command::Credential(CredentialCommand::SignIn(_)) => young && self.has_room(),
            Command::Credential(CredentialCommand::SignUp(_))
            | Command::Session(SessionCommand::Sessions { .. })
            | Command::Lifecycle(LifecycleCommand::SetStatus { .. })
            | Command::Lifecycle(LifecycleCommand::Erase { .. })
            | Command::Identifier(IdentifierCommand::Claim { .. })
            | Command::Identifier(IdentifierCommand::Attest(_)) => false,
        };
        if !answerable || !self.has_shadow(tenant, age_ms) {
            self.not_told(&command);
            return held.answer(unavailable, self.epoch);
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        if let Some(shadow) = &mut self.shadow {
            shadow.open.insert(ticket, held);
        }
        self.input_degraded(DegradedInput::Command(Asked {
            ticket,
            tenant,
            idempotency,
            command,
        }));
    }

    /// Whether a replacement of a session's refresh token is on its way to the
    /// store, or may be. Whoever was told to keep the token would come back with
    /// it when it has been replaced for long, and be taken for somebody who
    /// stole it.
    fn may_be_replacing(&self, session: SessionId) -> bool {
        self.is_replacing(session) || self.is_replaced_in_what_is_under_way(session)
    }

    /// Whether a successor of a session's refresh token waits to be durable:
    /// nobody has had it.
    pub(super) fn is_replacing(&self, session: SessionId) -> bool {
        self.replies.iter().any(|(_, _, answer)| {
            matches!(answer, Answer::Reply(Reply::Session(SessionReply::Refreshed(grant))) if grant.session == session)
        })
    }

    fn is_replaced_in_what_is_under_way(&self, session: SessionId) -> bool {
        let under_way = self.under_way.as_ref();
        let Some((record, _)) = under_way.and_then(|one| one.prepared.written.as_ref()) else {
            return false;
        };
        let replaced = self.shared.memory.directory.with_warm(self.user, |warm| {
            let (new, durable) = (View::new(record).ok()?, View::new(warm.record()).ok()?);
            Some(new.replaces_token(&durable, session))
        });
        replaced.flatten().unwrap_or(true)
    }

    /// Whether one more decision of this person can be kept.
    fn has_room(&self) -> bool {
        let most = self.shared.bounds.limits.degraded_people;
        self.shared.memory.degraded_states.has_room(self.user, most)
    }

    /// Builds the account from what is known, unless it is there. Whether it
    /// is.
    fn has_shadow(&mut self, tenant: TenantId, age_ms: u64) -> bool {
        if let Some(shadow) = &mut self.shadow {
            shadow.age_ms = age_ms;
            return shadow.tenant == tenant;
        }
        let epoch = self.epoch;
        let warm = self.shared.memory.directory.with_warm(self.user, |warm| {
            let known = warm.epoch == epoch;
            known.then(|| (warm.record().to_vec(), warm.key(), warm.uses()))
        });
        let Some((record, key, uses)) = warm.flatten() else {
            return false;
        };
        // Whoever does not exist is nobody to be let in.
        if key == WrappedKey::NONE {
            return false;
        }
        let Ok(mut opened) = load::open(
            &*self.shared.ports.cpu,
            &self.shared.settings.tenants,
            self.user,
            &record,
            key,
        ) else {
            return false;
        };
        if let Some(late) = self.shared.memory.late_of(self.user) {
            let policy = self.shared.settings.tenants.get(tenant);
            let policy = policy.map_or_else(Policy::default, |tenant| tenant.policy.clone());
            let entropy = Entropy::new(self.shared.ports.entropy.seed());
            let now_ms = self.shared.ports.clock.unix_ms();
            // It changes nothing by itself: there is nothing to commit.
            opened
                .account
                .handle(now_ms, entropy, &policy, Input::Late(late));
        }
        let decided = self.shared.memory.degraded_states.of(self.user);
        self.shadows += 1;
        self.shadow = Some(Shadow {
            number: self.shadows,
            account: DegradedAccount::new(opened.account, &uses, decided),
            tenant,
            age_ms,
            open: BTreeMap::new(),
        });
        true
    }

    /// Gives up what was known when the store went: the account that commits goes
    /// on from here, and in the next outage this would be out of date. Requests
    /// whose passwords are still being compared are to come again.
    pub(super) fn leave_shadow(&mut self) {
        if self.shadow.is_none() {
            return;
        }
        let standing = self
            .shared
            .placement
            .standing_to_change(self.user, self.epoch);
        if let Standing::CutOff { .. } = standing {
            return;
        }
        let open = self.shadow.take().map(|shadow| shadow.open);
        for held in open.unwrap_or_default().into_values() {
            held.answer(Answer::Failed(Failure::Unavailable), self.epoch);
        }
    }

    pub(super) fn compared(&mut self, shadow: u64, pending: PendingId, completion: Completion) {
        if self.shadow.as_ref().map(|shadow| shadow.number) != Some(shadow) {
            return;
        }
        self.input_degraded(DegradedInput::Completion {
            pending,
            completion,
        });
    }

    fn input_degraded(&mut self, input: DegradedInput) {
        let Some(shadow) = &mut self.shadow else {
            return;
        };
        let Some(tenant) = self.shared.settings.tenants.get(shadow.tenant) else {
            return;
        };
        let entropy = Entropy::new(self.shared.ports.entropy.seed());
        let now_ms = self.shared.ports.clock.unix_ms();
        let output = shadow
            .account
            .handle(now_ms, entropy, &tenant.policy, input);
        self.output_degraded(output);
        if let Some(shadow) = &self.shadow
            && !shadow.account.is_waiting()
            && shadow.open.is_empty()
        {
            self.shadow = None;
        }
    }

    fn output_degraded(&mut self, output: DegradedOutput) {
        for effect in output.effects {
            self.compare(effect);
        }
        for degraded in output.decided {
            let kept = match degraded {
                // Worth keeping, and nothing is lost for sure without it.
                DegradedDecision::Kept { .. } => self.has_room(),
                DegradedDecision::Ended(_)
                | DegradedDecision::Failed { .. }
                | DegradedDecision::Established(_) => true,
            };
            if kept {
                self.shared.memory.degraded_states.add(self.user, degraded);
            }
        }
        let Some(shadow) = &mut self.shadow else {
            return;
        };
        let age_ms = shadow.age_ms;
        let replies: Vec<(Held, Answer)> = output
            .replies
            .into_iter()
            .filter_map(|(ticket, reply)| {
                let held = shadow.open.remove(&ticket)?;
                Some((held, said(reply, age_ms)))
            })
            .collect();
        for (_, answer) in &replies {
            self.count(answer);
        }
        let epoch = self.epoch;
        let accepts = |(_, answer): &(Held, Answer)| {
            matches!(
                answer,
                Answer::DegradedDecision {
                    reply: DegradedReply::Ended(_),
                    ..
                }
            )
        };
        if !replies.iter().any(accepts) {
            for (held, answer) in replies {
                held.answer(answer, epoch);
            }
            return;
        }
        // A repeat writes once more: the first write may have failed.
        let written = self.shared.memory.degraded_states.write_down(self.user);
        let myself = self.myself.clone();
        tokio::spawn(async move {
            let written = written.await;
            for (held, answer) in replies {
                // In effect all the same; but nobody must rely on it.
                let answer = match written {
                    Ok(_) => answer,
                    Err(_) => Answer::Failed(Failure::Unavailable),
                };
                held.answer(answer, epoch);
            }
            // The desk may be left now.
            let _ = myself.send_message(Message::LookAgain);
        });
    }

    fn count(&self, answer: &Answer) {
        let Answer::DegradedDecision { reply, .. } = answer else {
            return;
        };
        let what = match reply {
            DegradedReply::Refreshed(_) => Degraded::Refresh,
            DegradedReply::Provisional(_) => Degraded::SignIn,
            DegradedReply::Ended(_) => Degraded::Revocation,
            DegradedReply::Durable(_)
            | DegradedReply::No(_)
            | DegradedReply::Unsaid
            | DegradedReply::Unavailable => return,
        };
        self.shared.meters.degraded(what);
    }

    fn compare(&mut self, effect: Effect) {
        let Effect::Hash { pending, work } = effect;
        let Some(Shadow { number, tenant, .. }) = &self.shadow else {
            return;
        };
        let (shadow, tenant) = (*number, self.shared.settings.tenants.get(*tenant));
        let work = hash_work(work, tenant.as_deref());
        let open = self.shadow.iter().flat_map(|shadow| shadow.open.values());
        let deadline_ms = open.map(|held| held.deadline_ms).max();
        self.hash(work, deadline_ms, move |completion| Message::Compared {
            shadow,
            pending,
            completion,
        });
    }

    /// Lets the account take over what was decided while the store was away,
    /// and the session that a refresh goes on with.
    pub(super) fn adopt(&mut self, established: Option<SessionId>) {
        if self.shared.memory.degraded_states.people_count() == 0 || self.settling.is_some() {
            return;
        }
        let (decided, taken) = self
            .shared
            .memory
            .degraded_states
            .take(self.user, established);
        if decided.is_empty() {
            return;
        }
        if self.phase.is_absent() {
            // Whoever is about to go may yet stay.
            if self.under_way.is_none() && self.draft.is_empty() {
                self.discard_degraded(taken);
            }
            return;
        }
        let before = self.revision();
        self.input(Input::Adopt(decided));
        let revision = self.revision();
        if revision > before {
            self.settling = Some(Settling { revision, taken });
            return;
        }
        // There was nothing left of it to do.
        self.discard_degraded(taken);
    }

    /// What was taken over is durable.
    pub(super) fn settled(&mut self) {
        if let Some(settling) = self.settling.take_if(|one| one.revision <= self.durable) {
            self.shared.meters.settled.increment(1);
            self.discard_degraded(settling.taken);
        }
    }

    fn discard_degraded(&self, taken: Taken) {
        let Some(written) = self.shared.memory.degraded_states.settled(self.user, taken) else {
            return;
        };
        // What stays is taken over once more, and changes nothing.
        tokio::spawn(async move {
            let _ = written.await;
        });
    }
}

/// The session that a refresh goes on with.
pub(super) fn goes_on_with(what: &What) -> Option<SessionId> {
    match what {
        What::Command {
            command: Command::Session(SessionCommand::Refresh { session, .. }),
            ..
        } => Some(*session),
        What::Command {
            command:
                Command::Credential(CredentialCommand::SignUp(_))
                | Command::Credential(CredentialCommand::SignIn(_))
                | Command::Session(SessionCommand::Revoke { .. })
                | Command::Session(SessionCommand::Sessions { .. })
                | Command::Lifecycle(LifecycleCommand::SetStatus { .. })
                | Command::Lifecycle(LifecycleCommand::Erase { .. })
                | Command::Identifier(IdentifierCommand::Claim { .. })
                | Command::Identifier(IdentifierCommand::Attest(_)),
            ..
        }
        | What::Check(_)
        | What::WriteBehind
        | What::Settle
        | What::Sweep
        | What::Due(_)
        | What::Post(_)
        | What::Parts { .. }
        | What::Rekey => None,
    }
}

fn said(reply: DegradedReply, age_ms: u64) -> Answer {
    match reply {
        DegradedReply::Durable(reply) => Answer::Reply(reply),
        DegradedReply::Unavailable => Answer::Failed(Failure::Unavailable),
        reply @ (DegradedReply::Refreshed(_)
        | DegradedReply::Provisional(_)
        | DegradedReply::Ended(_)
        | DegradedReply::No(_)
        | DegradedReply::Unsaid) => Answer::DegradedDecision { reply, age_ms },
    }
}
