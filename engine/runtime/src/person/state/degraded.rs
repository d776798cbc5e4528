//! While the store is out of reach: commands are answered from the warm form
//! and from what was decided since, and what is decided now is kept before any
//! answer leaves. Nothing of it touches the account that commits.

mod answers;

use tidegate_account::{
    Away, Command, Completion, DegradedAccount, DegradedDecision, DegradedInput, DegradedOutput,
    Effect, Input, PendingId, SessionId, TenantId,
};

use super::account::hash_work;
use super::commits::Commits;
use super::replies::{Held, Replies, Requests};
use super::subject::Subject;
use crate::answer::{Answer, Failure};
use crate::job::{Job, What};
use crate::person::Message;
use crate::placement::Standing;
use crate::seal::WrappedKey;

/// What was decided and is not durable: replies that wait, and the commits.
type Undurable<'a> = (&'a Replies, &'a Commits);

/// The account as it is known, for as long as a request waits for it.
#[derive(Default)]
pub(super) struct Shadows {
    current: Option<Shadow>,
    /// How many there were.
    count: u64,
}

struct Shadow {
    /// Work that was begun for another is not this one's.
    number: u64,
    account: DegradedAccount,
    tenant: TenantId,
    age_ms: u64,
    requests: Requests,
}

impl Shadows {
    pub(super) fn is_empty(&self) -> bool {
        self.current.is_none()
    }

    /// Answers a job while the store is out of reach.
    pub(super) fn job(
        &mut self,
        subject: &Subject,
        undurable: Undurable<'_>,
        job: Job,
        age_ms: u64,
    ) {
        if job.responder.is_none() {
            // Work of the engine's own waits until the store is back.
            return subject.not_written();
        }
        let Some((what, held)) = subject.in_time(job) else {
            return;
        };
        let unavailable = Answer::Failed(Failure::Unavailable);
        let What::Command { context, command } = what else {
            return held.answer(unavailable, subject.epoch);
        };
        let tenant = context.tenant;
        let grace_ms = subject.shared.settings.grace_ms(tenant);
        let young = age_ms < grace_ms.min(u64::from(context.max_age_ms));
        let answerable = is_answerable(subject, undurable, &command, young);
        let shadow = match answerable {
            true => self.shadow(subject, tenant, age_ms),
            false => None,
        };
        let Some(shadow) = shadow else {
            subject.not_told(&command);
            return held.answer(unavailable, subject.epoch);
        };
        let request = shadow.requests.enter(held, context);
        self.input(subject, DegradedInput::Command(request, command));
    }

    /// The account from what is known, built unless it is there.
    fn shadow(&mut self, subject: &Subject, tenant: TenantId, age_ms: u64) -> Option<&mut Shadow> {
        if self.current.is_none() {
            let account = known(subject, tenant)?;
            self.count += 1;
            self.current = Some(Shadow {
                number: self.count,
                account,
                tenant,
                age_ms,
                requests: Requests::default(),
            });
        }
        let shadow = self.current.as_mut()?;
        shadow.age_ms = age_ms;
        (shadow.tenant == tenant).then_some(shadow)
    }

    /// Gives up what was known when the store went: the account that commits goes
    /// on from here, and in the next outage this would be out of date. Requests
    /// whose passwords are still being compared are to come again.
    pub(super) fn leave(&mut self, subject: &Subject) {
        if self.current.is_none() {
            return;
        }
        if let Standing::CutOff { .. } = subject.standing_to_change() {
            return;
        }
        if let Some(mut shadow) = self.current.take() {
            let requests = &mut shadow.requests;
            requests.refuse_all(Failure::Unavailable, subject.epoch);
        }
    }

    pub(super) fn compared(
        &mut self,
        subject: &Subject,
        shadow: u64,
        pending: PendingId,
        completion: Completion,
    ) {
        if self.current.as_ref().map(|shadow| shadow.number) != Some(shadow) {
            return;
        }
        let input = DegradedInput::Completion {
            pending,
            completion,
        };
        self.input(subject, input);
    }

    fn input(&mut self, subject: &Subject, input: DegradedInput) {
        let Some(shadow) = &mut self.current else {
            return;
        };
        let Some(tenant) = subject.tenant(shadow.tenant) else {
            return;
        };
        let entropy = subject.entropy();
        let now_ms = subject.now_ms();
        let output = shadow
            .account
            .handle(now_ms, entropy, &tenant.policy, input);
        shadow.output(subject, output);
        if !shadow.account.is_waiting() && shadow.requests.is_empty() {
            self.current = None;
        }
    }
}

impl Shadow {
    fn output(&mut self, subject: &Subject, output: DegradedOutput) {
        for effect in output.effects {
            self.compare(subject, effect);
        }
        let states = &subject.shared.memory.degraded_states;
        for degraded in output.decided {
            let kept = match degraded {
                // Worth keeping, and nothing is lost for sure without it.
                DegradedDecision::Kept { .. } => has_room(subject),
                DegradedDecision::Ended(_)
                | DegradedDecision::Failed { .. }
                | DegradedDecision::Established(_) => true,
            };
            if kept {
                states.add(subject.user, degraded);
            }
        }
        let age_ms = self.age_ms;
        let replies: Vec<(Held, Answer)> = output
            .replies
            .into_iter()
            .filter_map(|(ticket, reply)| {
                let held = self.requests.leave(ticket)?;
                Some((held, answers::said(reply, age_ms)))
            })
            .collect();
        answers::answer(subject, replies);
    }

    fn compare(&mut self, subject: &Subject, effect: Effect) {
        let (pending, work) = match effect {
            Effect::Hash { pending, work } => (pending, work),
            // Passwords alone are compared while the store is away.
            Effect::Verify { .. } => return,
        };
        let shadow = self.number;
        let tenant = subject.tenant(self.tenant);
        let work = hash_work(work, tenant.as_deref());
        let deadline_ms = self.requests.deadline_ms();
        subject.hash(work, deadline_ms, move |completion| Message::Compared {
            shadow,
            pending,
            completion,
        });
    }
}

/// Whether something can be said to a command from what is known, which may be
/// too old for it.
fn is_answerable(
    subject: &Subject,
    (replies, commits): Undurable<'_>,
    command: &Command,
    young: bool,
) -> bool {
    // A replacement of the refresh token may be on its way to the store. A caller
    // that was told to keep the token would come back with it when it has been
    // replaced for long, and be taken for a thief.
    let may_be_replaced = |session: SessionId| {
        replies.is_replacing(session) || commits.is_replacing(subject, session)
    };
    match command.away() {
        Away::Ends => true,
        Away::Keeps(session) => young && !may_be_replaced(session),
        Away::Provisional => young && has_room(subject),
        Away::Unavailable => false,
    }
}

/// Whether one more decision of this person can be kept.
fn has_room(subject: &Subject) -> bool {
    let Subject { shared, user, .. } = subject;
    let most = shared.bounds.limits.degraded_people;
    shared.memory.degraded_states.has_room(*user, most)
}

/// The account from its warm form and from what was decided since; none, where the
/// person is not warm or a decoy.
fn known(subject: &Subject, tenant: TenantId) -> Option<DegradedAccount> {
    let Subject {
        shared,
        user,
        epoch,
        ..
    } = subject;
    let warm = shared.memory.directory.with_warm(*user, |warm| {
        let known = warm.epoch == *epoch;
        known.then(|| (warm.record().to_vec(), warm.key(), warm.uses()))
    });
    let (record, key, uses) = warm.flatten()?;
    // A decoy account is never signed in to.
    if key == WrappedKey::NONE {
        return None;
    }
    let mut opened = subject.open(&record, key).ok()?;
    if let Some(late) = subject.late_of() {
        let policy = subject.policy(Some(tenant));
        let entropy = subject.entropy();
        let now_ms = subject.now_ms();
        // It changes nothing by itself: there is nothing to commit.
        opened
            .account
            .handle(now_ms, entropy, &policy, Input::Late(late));
    }
    let decided = shared.memory.degraded_states.of(*user);
    Some(DegradedAccount::new(opened.account, &uses, decided))
}
