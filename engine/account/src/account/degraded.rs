//! An account while the store is out of reach: nothing can be made durable, so
//! it says what it knows, decides what can be decided for a while, and keeps
//! the decisions until the account can take them over.
//!
//! A "no" that rests on knowledge which may be out of date could turn away a
//! person who is right; so it is not said. Only a caller with a known device is
//! told that a password was wrong: from an unknown device, a wrong guess, an
//! unknown identifier and a person who cannot be served now all look the same.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::authority::Authority;
use super::family::{
    Away, Command, CredentialCommand, CredentialReply, Reply, SessionCommand, SessionReply,
};
use super::{Account, Pending, Step, Work};
use crate::command::{
    Completion, Effect, Idempotency, PasswordWork, PendingId, Remember, Request, RevokeScope,
    SessionProof, SignIn, Ticket,
};
use crate::device::Lane;
use crate::digest::{SecretHash, tagged};
use crate::entropy::Entropy;
use crate::event::{EndReason, EventKind};
use crate::id::{DeviceId, SessionId, TenantId};
use crate::policy::Policy;
use crate::record::Session;
use crate::refresh::{Verdict, session_secret};
use crate::reply::{Grant, Refusal};
use crate::secret::Secret;
use crate::status::Status;

/// Wrong guesses at one account until the store is back.
pub const INTERIM_GUESSES_MAX: usize = 3;

/// What was decided while the store was out of reach.
#[derive(Clone, Debug)]
pub enum DegradedDecision {
    /// Sessions were ended.
    Ended(Ended),
    /// A wrong password was tried, from a known or an unknown device.
    Failed {
        /// The device.
        device: Option<DeviceId>,
        /// When, in Unix milliseconds.
        at: u64,
    },
    /// A provisional session was made.
    Established(Box<Provisional>),
    /// A refresh token was kept.
    Kept {
        /// Of which session.
        session: SessionId,
        /// Its hash.
        token: [u8; 32],
        /// When, in Unix milliseconds.
        at: u64,
    },
}

/// Sessions that were ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub sessions: Vec<SessionId>,
    /// On which request, whose repeat is answered alike.
    pub request: Option<Idempotency>,
    /// When, in Unix milliseconds.
    pub at: u64,
}

/// A session that no record holds. It may be lost with its node.
#[derive(Clone, Debug)]
pub struct Provisional {
    /// What was handed out.
    pub grant: Grant,
    /// The tenant.
    pub tenant: TenantId,
    request: Option<Idempotency>,
    session: Session,
    /// Of the stored password that was compared with.
    password: [u8; 32],
}

impl Provisional {
    /// Whether this is the session's secret.
    #[must_use]
    pub fn is_proven_by(&self, secret: &SecretHash) -> bool {
        secret.matches(&self.session.secret_hash)
    }
}

/// What is answered meanwhile.
#[derive(Clone, Debug)]
pub enum DegradedReply {
    /// The session goes on under the same refresh token.
    Refreshed(Grant),
    /// The person is in for a while.
    Provisional(Grant),
    /// So many sessions ended here, and are to be ended for good.
    Ended(u32),
    /// What was durable before the store went.
    Durable(Reply),
    /// No, and that is certain.
    No(Refusal),
    /// Nothing is said about a guess.
    Unsaid,
    /// This cannot be done now.
    Unavailable,
}

/// One input.
#[derive(Debug)]
pub enum DegradedInput {
    /// A command, which gets one reply under its ticket.
    Command(Request, Command),
    /// Work done.
    Completion {
        /// The work's name.
        pending: PendingId,
        /// How it came out.
        completion: Completion,
    },
}

/// What one input led to.
#[derive(Debug, Default)]
pub struct DegradedOutput {
    /// Replies, by ticket.
    pub replies: Vec<(Ticket, DegradedReply)>,
    /// Work to do.
    pub effects: Vec<Effect>,
    /// What was decided, to be kept before any of the replies leave.
    pub decided: Vec<DegradedDecision>,
}

/// An account as it was when the store was last heard, and what was decided
/// since.
#[derive(Debug)]
pub struct DegradedAccount {
    account: Account,
    decided: Vec<DegradedDecision>,
}

impl DegradedAccount {
    /// From the account as it is stored, the uses that only memory knows, and
    /// earlier decisions.
    #[must_use]
    pub fn new(
        mut account: Account,
        uses: &[(SessionId, u64)],
        decided: Vec<DegradedDecision>,
    ) -> DegradedAccount {
        account.touch(uses);
        if let Some(person) = &mut account.person {
            for degraded in &decided {
                match degraded {
                    DegradedDecision::Ended(ended) => person
                        .check
                        .sessions
                        .retain(|session| !ended.sessions.contains(&session.id())),
                    DegradedDecision::Established(one) => {
                        person.check.sessions.push(one.session.clone())
                    }
                    DegradedDecision::Failed { .. } | DegradedDecision::Kept { .. } => {}
                }
            }
        }
        DegradedAccount { account, decided }
    }

    /// Whether a command waits for work.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.account.is_waiting()
    }

    /// Takes one input at `now_ms` (Unix milliseconds). A provisional session
    /// lasts for the policy's grace; a refresh prolongs by no more than that.
    pub fn handle(
        &mut self,
        now_ms: u64,
        entropy: Entropy,
        policy: &Policy,
        input: DegradedInput,
    ) -> DegradedOutput {
        let mut policy = policy.clone();
        policy.session.idle_ms = policy.grace_ms;
        policy.session.lifetime_ms = policy.grace_ms;
        let mut step = Step {
            now_ms,
            entropy,
            policy: &policy,
            output: super::Output::default(),
        };
        match input {
            DegradedInput::Command(request, command) => self.command(request, command, &mut step),
            DegradedInput::Completion {
                pending,
                completion,
            } => self.complete(pending, completion, &mut step),
        }
    }

    fn command(
        &mut self,
        request: Request,
        command: Command,
        step: &mut Step<'_>,
    ) -> DegradedOutput {
        let ticket = request.ticket;
        let mut output = DegradedOutput::default();
        if let Some(reply) = self.earlier(&request) {
            output.replies.push((ticket, reply));
            return output;
        }
        match (command.away(), command) {
            (
                Away::Keeps(_),
                Command::Session(SessionCommand::Refresh {
                    session,
                    family,
                    token,
                }),
            ) => {
                let proof = Proof {
                    session,
                    family: &family,
                    token: &token,
                };
                let reply = self.refresh(&request, &proof, step);
                if let DegradedReply::Refreshed(grant) = &reply {
                    output.decided.extend(self.keeping(grant, step));
                }
                output.replies.push((ticket, reply));
            }
            (Away::Ends, Command::Session(SessionCommand::Revoke { by, scope })) => {
                let reply = self.revoke(request, &by, scope, &mut output, step);
                output.replies.push((ticket, reply));
            }
            (Away::Provisional, Command::Credential(CredentialCommand::SignIn(sign_in))) => {
                return self.sign_in(request, sign_in, step);
            }
            (
                Away::Keeps(_) | Away::Ends | Away::Provisional | Away::Unavailable,
                Command::Credential(_)
                | Command::Flow(_)
                | Command::Identifier(_)
                | Command::Lifecycle(_)
                | Command::Session(_),
            ) => output.replies.push((ticket, DegradedReply::Unavailable)),
        }
        self.decided.extend(output.decided.iter().cloned());
        output
    }

    fn revoke(
        &mut self,
        request: Request,
        by: &SessionProof,
        scope: RevokeScope,
        output: &mut DegradedOutput,
        step: &mut Step<'_>,
    ) -> DegradedReply {
        let proven = self
            .account
            .authorize(&request, Authority::Session(by), step);
        let ended_by = |()| self.account.revoke(&request, by.session, scope, step);
        match proven.map(ended_by) {
            // There was none to end: nothing is decided.
            Ok(Reply::Session(SessionReply::Revoked(0))) => DegradedReply::Ended(0),
            Ok(Reply::Session(SessionReply::Revoked(count))) => {
                output.decided.push(DegradedDecision::Ended(Ended {
                    sessions: ended(step),
                    request: request.idempotency,
                    at: step.now_ms,
                }));
                DegradedReply::Ended(count)
            }
            Ok(
                Reply::Session(_)
                | Reply::Credential(_)
                | Reply::Flow(_)
                | Reply::Lifecycle(_)
                | Reply::Identifier(_)
                | Reply::No(_),
            )
            | Err(_) => DegradedReply::Unavailable,
        }
    }

    /// What was answered to the same request already.
    fn earlier(&self, request: &Request) -> Option<DegradedReply> {
        let key = request.idempotency.as_ref()?;
        self.decided.iter().find_map(|degraded| match degraded {
            DegradedDecision::Ended(ended) if ended.request.as_ref() == Some(key) => {
                let count = u32::try_from(ended.sessions.len()).unwrap_or(u32::MAX);
                Some(DegradedReply::Ended(count))
            }
            DegradedDecision::Established(one) if one.request.as_ref() == Some(key) => {
                Some(DegradedReply::Provisional(one.grant.clone()))
            }
            DegradedDecision::Ended(_)
            | DegradedDecision::Established(_)
            | DegradedDecision::Failed { .. }
            | DegradedDecision::Kept { .. } => None,
        })
    }

    fn refresh(&self, request: &Request, proof: &Proof<'_>, step: &Step<'_>) -> DegradedReply {
        let by = SessionProof {
            session: proof.session,
            secret: session_secret(proof.family),
        };
        let person = self.account.person.as_ref();
        let (Ok(place), Some(person)) = (self.account.prove(request, &by, step.now_ms), person)
        else {
            return DegradedReply::Unavailable;
        };
        if person.check.status != Status::Active {
            return DegradedReply::Unavailable;
        }
        let row = &person.check.sessions[place];
        let presented = row.presented(proof.family, proof.token, step.now_ms);
        let token = match presented.verdict(step.policy.session.refresh_retry_ms) {
            Verdict::Rotate => Some(proof.token.clone()),
            Verdict::Repeat => row.successor(proof.token),
            // Another owner may have let it go on meanwhile.
            Verdict::EndFamily | Verdict::Refuse => None,
        };
        let Some(token) = token else {
            return DegradedReply::Unavailable;
        };
        let mut grant = row.grant(self.account.user, proof.family, token, step.now_ms);
        let prolonged = step.now_ms.saturating_add(step.policy.grace_ms);
        let prolonged = prolonged.min(grant.expires_at);
        grant.idle_expires_at = grant.idle_expires_at.max(prolonged);
        DegradedReply::Refreshed(grant)
    }

    /// A replacement that was under way when the store went may still come to
    /// be; then this token is the one before the current one.
    fn keeping(&self, grant: &Grant, step: &Step<'_>) -> Option<DegradedDecision> {
        let (session, token) = (grant.session, SecretHash::of_refresh(&grant.refresh).0);
        let known = self.decided.iter().any(|degraded| {
            matches!(
                degraded,
                DegradedDecision::Kept { session: of, token: known, .. }
                    if *of == session && *known == token
            )
        });
        (!known).then_some(DegradedDecision::Kept {
            session,
            token,
            at: step.now_ms,
        })
    }

    fn sign_in(
        &mut self,
        request: Request,
        mut sign_in: SignIn,
        step: &mut Step<'_>,
    ) -> DegradedOutput {
        let ticket = request.ticket;
        let mut output = DegradedOutput::default();
        if !self.may_guess() {
            output.replies.push((ticket, DegradedReply::Unavailable));
            return output;
        }
        // A device that is not durable would be forgotten at once.
        sign_in.remember = Remember::Nothing;
        let person = self.account.person.as_ref();
        let lane = person.map(|person| person.sealed.lane(sign_in.device.as_ref()));
        let known = lane.is_some_and(|lane| lane != Lane::UnknownDevice);
        let command = Command::Credential(CredentialCommand::SignIn(sign_in));
        if let Some(Command::Credential(CredentialCommand::SignIn(sign_in))) =
            self.account.first_time(&request, command, step)
        {
            self.account.sign_in(request, sign_in.into(), step);
        } else {
            // Durable before the store went, or joined to what is under way.
            let earlier = core::mem::take(&mut step.output.replies);
            let durable = earlier
                .into_iter()
                .map(|(ticket, reply)| (ticket, DegradedReply::Durable(reply)));
            output.replies.extend(durable);
        }
        let refused = core::mem::take(&mut step.output.replies).into_iter();
        output.replies.extend(refused.map(|(ticket, reply)| {
            let said = match reply {
                Reply::No(refusal) if known => DegradedReply::No(refusal),
                Reply::No(_)
                | Reply::Credential(_)
                | Reply::Flow(_)
                | Reply::Identifier(_)
                | Reply::Lifecycle(_)
                | Reply::Session(_) => DegradedReply::Unsaid,
            };
            (ticket, said)
        }));
        output.effects = core::mem::take(&mut step.output.effects);
        output
    }

    fn may_guess(&self) -> bool {
        let failed =
            |degraded: &&DegradedDecision| matches!(degraded, DegradedDecision::Failed { .. });
        let guessed = self.decided.iter().filter(failed).count();
        guessed + self.account.pending.len() < INTERIM_GUESSES_MAX
    }

    fn complete(
        &mut self,
        id: PendingId,
        completion: Completion,
        step: &mut Step<'_>,
    ) -> DegradedOutput {
        let mut output = DegradedOutput::default();
        let mut all = self.account.pending.iter_mut();
        let pending = all.find(|pending| pending.id == id);
        let Some(Pending {
            work: Work::SignIn(attempt),
            request,
            ..
        }) = pending
        else {
            return output;
        };
        let (lane, tenant) = (attempt.lane(), request.tenant);
        // No outcome is kept that must not be told later.
        let idempotency = request.idempotency.take();
        let password = self.password();
        let unknown_device = self.unknown_devices_that_wait();
        self.account.complete(id, completion, step);
        // The password is hashed anew when the store is back.
        let upgrade = |pending: &Pending| !matches!(pending.work, Work::Upgrade);
        self.account.pending.retain(upgrade);
        // Those that waited for this one may be looked at now.
        output.effects = comparisons(step);
        for (ticket, reply) in core::mem::take(&mut step.output.replies) {
            let decided = !output.decided.is_empty();
            let said = match reply {
                Reply::Credential(CredentialReply::SignedIn(grant)) => {
                    if let (false, Some(session)) = (decided, self.row(grant.session)) {
                        output
                            .decided
                            .push(DegradedDecision::Established(Box::new(Provisional {
                                grant: grant.clone(),
                                tenant,
                                request: idempotency.clone(),
                                session,
                                password,
                            })));
                    }
                    DegradedReply::Provisional(grant)
                }
                Reply::No(Refusal::InvalidCredentials) => {
                    if !decided {
                        output.decided.push(DegradedDecision::Failed {
                            device: lane.device(),
                            at: step.now_ms,
                        });
                    }
                    match lane {
                        Lane::UnknownDevice => DegradedReply::Unsaid,
                        Lane::Device(_) => DegradedReply::No(Refusal::InvalidCredentials),
                    }
                }
                Reply::No(Refusal::Throttled { .. }) if unknown_device.contains(&ticket) => {
                    DegradedReply::Unsaid
                }
                Reply::No(
                    refusal @ (Refusal::InvalidToken
                    | Refusal::SessionExpired
                    | Refusal::RefreshReused
                    | Refusal::Throttled { .. }
                    | Refusal::AccountLocked
                    | Refusal::AccountSuspended
                    | Refusal::IdentifierTaken
                    | Refusal::InvalidIdentifier
                    | Refusal::PasswordTooShort
                    | Refusal::IdempotencyReused
                    | Refusal::StatusConflict
                    | Refusal::UnknownAccount
                    | Refusal::ClaimExpired
                    | Refusal::LimitReached
                    | Refusal::StaleSignIn
                    | Refusal::InvalidCode
                    | Refusal::InvalidPasskey
                    | Refusal::SecondFactorNeeded
                    | Refusal::LastCredential
                    | Refusal::FlowOver
                    | Refusal::Busy { .. }),
                ) => DegradedReply::No(refusal),
                Reply::Credential(
                    CredentialReply::SignedUp(_)
                    | CredentialReply::Listed(_)
                    | CredentialReply::Removed(_),
                )
                | Reply::Flow(_)
                | Reply::Identifier(_)
                | Reply::Lifecycle(_)
                | Reply::Session(_) => DegradedReply::Unavailable,
            };
            output.replies.push((ticket, said));
        }
        self.decided.extend(output.decided.iter().cloned());
        output
    }

    /// Sign-ins from unknown devices that wait for others: their result would
    /// tell how the others came out.
    fn unknown_devices_that_wait(&self) -> Vec<Ticket> {
        let pending = self.account.pending.iter();
        let unknown_device = pending.filter(|pending| match &pending.work {
            Work::Queued(asked) => self.account.lane(&asked.sign_in) == Lane::UnknownDevice,
            Work::SignUp(_)
            | Work::SignIn(_)
            | Work::Upgrade
            | Work::Attest(_)
            | Work::TakeOver(_)
            | Work::Recover(_)
            | Work::Passkey(_)
            | Work::Register(_) => false,
        });
        unknown_device
            .flat_map(|pending| pending.tickets.iter().copied())
            .collect()
    }

    fn row(&self, id: SessionId) -> Option<Session> {
        let person = self.account.person.as_ref()?;
        let mut sessions = person.check.sessions.iter();
        sessions.find(|session| session.id() == id).cloned()
    }

    fn password(&self) -> [u8; 32] {
        self.account
            .person
            .as_ref()
            .map_or([0; 32], password_digest)
    }
}

/// A refresh token, and what it belongs to.
struct Proof<'a> {
    session: SessionId,
    family: &'a Secret,
    token: &'a Secret,
}

/// Passwords to compare. None is hashed anew before the store is back.
fn comparisons(step: &mut Step<'_>) -> Vec<Effect> {
    let effects = core::mem::take(&mut step.output.effects).into_iter();
    effects
        .filter(|effect| match effect {
            Effect::Hash { work, .. } => matches!(work, PasswordWork::Compare { .. }),
            Effect::Verify { .. } => false,
        })
        .collect()
}

/// The sessions that a step has ended.
fn ended(step: &Step<'_>) -> Vec<SessionId> {
    let changes = step.output.changes.iter();
    let events = changes.flat_map(|changes| &changes.events);
    events
        .filter_map(|event| match event {
            EventKind::SessionEnded(id, _) => Some(SessionId(*id)),
            EventKind::SignedUp
            | EventKind::SignedIn(..)
            | EventKind::SignInFailed
            | EventKind::DeviceAdded(_)
            | EventKind::PasswordUpgraded
            | EventKind::StatusChanged(_)
            | EventKind::UnknownIdentifier
            | EventKind::IdentifierClaimed(_)
            | EventKind::IdentifierVerified(..)
            | EventKind::IdentifierDropped(_)
            | EventKind::PasswordReplaced
            | EventKind::Removed
            | EventKind::Erased
            | EventKind::CredentialAdded(_)
            | EventKind::CredentialRemoved(_)
            | EventKind::PasskeyCountRegressed(_) => None,
        })
        .collect()
}

fn password_digest(person: &super::Person) -> [u8; 32] {
    let phc = person.sealed.password.as_ref();
    tagged(
        "tg-degraded-password-1",
        &[phc.map_or(&[][..], |row| row.phc.as_bytes())],
    )
}

impl Account {
    /// Takes over what was decided while the store was out of reach. A
    /// provisional session becomes one of the account's if the account still
    /// accepts that password.
    pub(super) fn adopt(&mut self, decided: Vec<DegradedDecision>, step: &mut Step<'_>) {
        for degraded in decided {
            match degraded {
                DegradedDecision::Ended(ended) => self.end_for_good(ended, step),
                DegradedDecision::Failed { device, at } => {
                    let Some(person) = &mut self.person else {
                        continue;
                    };
                    let lane = device.map_or(Lane::UnknownDevice, Lane::Device);
                    let guesses = person.sealed.guesses_mut(lane);
                    guesses.fail(at.min(step.now_ms), &step.policy.guess);
                    step.event(EventKind::SignInFailed);
                }
                DegradedDecision::Established(one) => self.let_stay(*one, step),
                DegradedDecision::Kept { session, token, .. } => {
                    self.repeat_longer(session, &token, step)
                }
            }
        }
    }

    fn end_for_good(&mut self, ended: Ended, step: &mut Step<'_>) {
        let Some(person) = &mut self.person else {
            return;
        };
        let tenant = TenantId(person.check.tenant);
        let ends = |session: &mut Session| ended.sessions.contains(&session.id());
        for session in person.check.sessions.extract_if(.., ends) {
            step.event(EventKind::SessionEnded(session.id, EndReason::Revoked));
        }
        let count = u32::try_from(ended.sessions.len()).unwrap_or(u32::MAX);
        let request = Request {
            ticket: Ticket(0),
            tenant,
            idempotency: ended.request,
        };
        step.change();
        self.keep(
            &request,
            &Reply::Session(SessionReply::Revoked(count)),
            step,
        );
    }

    /// A client that was told to keep a token which has been replaced all the
    /// same gets its successor for as long as they were told, and the usual
    /// time on top.
    fn repeat_longer(&mut self, session: SessionId, token: &[u8; 32], step: &mut Step<'_>) {
        let people = self.person.iter_mut();
        let mut sessions = people.flat_map(|person| &mut person.check.sessions);
        let Some(row) = sessions.find(|row| row.id() == session) else {
            return;
        };
        let until = step.now_ms.saturating_add(step.policy.grace_ms);
        if let Some(last) = &mut row.rotated
            && last.hash == *token
            && last.at < until
        {
            last.at = until;
            step.change();
        }
    }

    fn let_stay(&mut self, one: Provisional, step: &mut Step<'_>) {
        let Some(person) = &mut self.person else {
            return;
        };
        let mut sessions = person.check.sessions.iter();
        let there = sessions.any(|session| session.id == one.session.id);
        let same_tenant = person.check.tenant == one.tenant.0;
        // An app may have been enrolled meanwhile, elsewhere.
        let welcome = person.check.status == Status::Active
            && password_digest(person) == one.password
            && !person.wants_second_factor(step);
        let over = step.now_ms >= one.session.expires_at;
        if there || over || !welcome || !same_tenant {
            return;
        }
        person.prune(step);
        person.make_room(step);
        let policy = &step.policy.session;
        let session = Session {
            idle_ms: policy.idle_ms,
            expires_at: one.session.created_at.saturating_add(policy.lifetime_ms),
            ..one.session
        };
        step.event(EventKind::SignedIn(session.id, session.methods));
        person.check.sessions.push(session);
    }
}
