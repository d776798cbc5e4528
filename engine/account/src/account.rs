//! One person's account: the machine itself.

mod agenda;
mod attest;
mod authority;
mod changes;
mod claim;
mod credentials;
mod decoy;
mod degraded;
mod entering;
mod erase;
pub(crate) mod family;
mod flow;
mod loaded;
mod post;
mod refresh;
mod rekey;
mod revoke;
mod sign_in;
mod sign_up;
mod sweep;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::audit::{Act, Audit};
use crate::command::{
    Administrator, ClaimedIdentifier, Completion, Effect, PendingId, Request, Ticket,
};
use crate::credential::held::PasskeyPart;
use crate::digest::IndexHash;
use crate::entropy::Entropy;
use crate::erasure::Erasure;
use crate::event::{EndReason, EventKind};
use crate::id::{SessionId, TenantId, UserId};
use crate::outbox::Outgoing;
use crate::outcome::{self, Earlier};
use crate::part::{Part, PartKind};
use crate::policy::Policy;
use crate::record::{CheckPart, IdentifierRow, SealedPart};
use crate::reply::{Refusal, SessionInfo};
use crate::session::Liveness;
use crate::status::{Status, StatusChange};

pub use agenda::AgendaChange;
pub use authority::Authority;
pub use changes::{Changes, Fate, Held, Moved};
pub use degraded::{
    DegradedAccount, DegradedDecision, DegradedInput, DegradedOutput, DegradedReply, Ended,
    INTERIM_GUESSES_MAX, Provisional,
};
pub(crate) use family::*;
pub use rekey::Rekey;

/// One input of the machine.
#[derive(Debug)]
pub enum Input {
    /// A command, which gets one reply under its ticket.
    Command(Request, Command),
    /// Work done.
    Completion {
        /// The work's name.
        pending: PendingId,
        /// How it came out.
        completion: Completion,
    },
    /// Uses of sessions that were answered from memory. Changes nothing by
    /// itself; the next change carries them along.
    Touched(Vec<(SessionId, u64)>),
    /// Make the uses durable, when there are any.
    WriteBehind,
    /// For some time no request could be answered. Changes nothing by itself;
    /// the next change carries it along.
    Late(Late),
    /// Drop what has expired: sessions, claims, outcomes, and the account
    /// itself once nothing needs it any more.
    Sweep,
    /// Let something leave.
    Post(Box<Outgoing>),
    /// Take over what new keys made of the old ones' work.
    Rekey(Rekey),
    /// Take over what was decided while the store was out of reach.
    Adopt(Vec<DegradedDecision>),
    /// Parts of a kind that were loaded, all of them. Changes nothing.
    Parts(PartKind, Vec<Part>),
}

/// A wait that does not count against the time in which a client may repeat a
/// request. Both times are Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// When it began.
    pub since: u64,
    /// When it ended: answers could leave again.
    pub landed: u64,
}

/// What one input led to. Replies must wait until the changes are durable.
#[derive(Debug, Default)]
pub struct Output {
    /// Replies, by ticket.
    pub replies: Vec<(Ticket, Reply)>,
    /// Work to do.
    pub effects: Vec<Effect>,
    /// What to make durable; `None` when the record did not change.
    pub changes: Option<Changes>,
}

/// One person's account, or the place where one may be made.
#[derive(Debug)]
pub struct Account {
    user: UserId,
    person: Option<Person>,
    /// Who was here and is erased.
    erased: Option<Erasure>,
    /// The revision to go on from when there is no person (any more).
    last_revision: u64,
    pending: Vec<Pending>,
    next_pending: u64,
    durability: Durability,
    /// The parts of its passkeys by number, once they were loaded.
    passkeys: Option<Vec<(u16, PasskeyPart)>>,
}

#[derive(Debug)]
struct Person {
    check: CheckPart,
    sealed: SealedPart,
}

/// Whether uses of sessions are known that no commit holds yet.
#[derive(Debug, PartialEq, Eq)]
enum Durability {
    Current,
    Behind,
}

/// A command that waits for work, with every ticket that waits for it.
#[derive(Debug)]
struct Pending {
    id: PendingId,
    tickets: Vec<Ticket>,
    request: Request,
    work: Work,
}

#[derive(Debug)]
enum Work {
    SignUp(Vec<ClaimedIdentifier>),
    SignIn(sign_in::Attempt),
    /// A sign-in that waits for those under way: whether it may be verified
    /// depends on how they come out.
    Queued(sign_in::Asked),
    Upgrade,
    /// Is this the account's password?
    Attest(attest::Attempt),
    /// The password of the person who takes the account over.
    TakeOver(attest::Attempt),
    /// The password of a person who recovers the account.
    Recover(Box<flow::Recovering>),
    /// Is this the passkey's signature?
    Passkey(Box<flow::Asserting>),
    /// Is this a new passkey's signature?
    Register(Box<flow::Registering>),
}

/// The surroundings of one input and what it led to so far.
struct Step<'a> {
    now_ms: u64,
    entropy: Entropy,
    policy: &'a Policy,
    output: Output,
}

impl Step<'_> {
    fn change(&mut self) -> &mut Changes {
        self.output.changes.get_or_insert_default()
    }

    fn event(&mut self, event: EventKind) {
        self.change().events.push(event);
    }

    fn audit(&mut self, by: &Administrator, act: Act) {
        let audit = Audit {
            at: self.now_ms,
            by: by.0.clone(),
            act,
        };
        self.change().audits.push(audit);
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply) {
        self.output.replies.push((ticket, reply));
    }
}

impl Account {
    /// The place of an account that does not exist yet.
    #[must_use]
    pub fn absent(user: UserId) -> Account {
        Account {
            user,
            person: None,
            erased: None,
            last_revision: 0,
            pending: Vec::new(),
            next_pending: 0,
            durability: Durability::Current,
            passkeys: None,
        }
    }

    /// An erasure tombstone: no account is made here again.
    #[must_use]
    pub fn erased(user: UserId, erasure: Erasure) -> Account {
        Account {
            erased: Some(erasure),
            ..Account::absent(user)
        }
    }

    /// An account from its stored parts.
    #[must_use]
    pub fn load(mut check: CheckPart, sealed: SealedPart) -> Account {
        check.bound_successors();
        Account {
            user: UserId::from_bytes(check.user),
            person: Some(Person { check, sealed }),
            ..Account::absent(UserId::from_bytes([0; 16]))
        }
    }

    /// The stored parts; `None` when there is no account.
    #[must_use]
    pub fn parts(&self) -> Option<(&CheckPart, &SealedPart)> {
        self.person
            .as_ref()
            .map(|person| (&person.check, &person.sealed))
    }

    /// How often the record was written, its removal included; 0 when there
    /// never was an account.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.person
            .as_ref()
            .map_or(self.last_revision, |person| person.check.revision)
    }

    /// The tenant of the person, or, while there is no account, the one in
    /// whose name the work under way was asked for.
    #[must_use]
    pub fn tenant(&self) -> Option<TenantId> {
        let asked = || self.pending.first().map(|pending| pending.request.tenant);
        let person = self.person.as_ref();
        person
            .map(|person| TenantId(person.check.tenant))
            .or_else(asked)
    }

    /// The identifiers that are the person's alone, by their keyed hashes.
    pub fn held(&self) -> impl Iterator<Item = IndexHash> + '_ {
        let people = self.person.iter();
        let rows = people.flat_map(|person| &person.sealed.identifiers);
        rows.filter(|row| row.is_held())
            .map(|row| IndexHash(row.hash))
    }

    /// Whether an account is here, or the decoy in the place of one.
    fn presence(&self) -> Presence {
        match &self.person {
            Some(person) if person.check.status == Status::Decoy => Presence::Decoy,
            Some(_) | None => Presence::Account,
        }
    }

    /// Whether a command waits for work.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes one input at `now_ms` (Unix milliseconds). `entropy` must be a
    /// fresh seed each time. The state changes at once: a caller whose commit
    /// fails throws the account away and loads it again.
    pub fn handle(
        &mut self,
        now_ms: u64,
        entropy: Entropy,
        policy: &Policy,
        input: Input,
    ) -> Output {
        let mut step = Step {
            now_ms,
            entropy,
            policy,
            output: Output::default(),
        };
        let due_before = self.agenda(policy);
        match input {
            Input::Command(request, command) => self.command(request, command, &mut step),
            Input::Completion {
                pending,
                completion,
            } => self.complete(pending, completion, &mut step),
            Input::Touched(uses) => self.touch(&uses),
            Input::WriteBehind if self.durability == Durability::Behind => {
                step.change();
            }
            Input::WriteBehind => {}
            Input::Late(late) => self.late(late, step.policy),
            Input::Sweep => self.sweep(&mut step),
            Input::Post(outgoing) => self.post(*outgoing, &mut step),
            Input::Rekey(rekey) => self.rekey(&rekey, &mut step),
            Input::Adopt(decided) => self.adopt(decided, &mut step),
            Input::Parts(kind, parts) => self.loaded(kind, &parts),
        }
        // A deadline is told only when it is durable.
        let tells = |(_, reply): &(Ticket, Reply)| reply.tells_deadlines();
        if self.durability == Durability::Behind && step.output.replies.iter().any(tells) {
            step.change();
        }
        if let (Some(_), Some(person)) = (&step.output.changes, &mut self.person) {
            person.check.revision += 1;
            person.check.abandoned_at = person.abandoned_at(policy);
            self.durability = Durability::Current;
        }
        if let (Some(_), None) = (&step.output.changes, &self.person) {
            self.last_revision += 1;
            self.durability = Durability::Current;
        }
        if let Some(changes) = &mut step.output.changes {
            changes.agenda = AgendaChange::between(due_before, self.agenda(policy));
        }
        step.output
    }

    fn command(&mut self, request: Request, command: Command, step: &mut Step<'_>) {
        let Some(command) = self.first_time(&request, command, step) else {
            return;
        };
        if let Err(refusal) = self.authorize(&request, command.authority(), step) {
            return step.reply(request.ticket, Reply::No(refusal));
        }
        self.carry_out(request, command, step);
    }

    /// Answers a repeat from what is kept, or joins it to the request that is
    /// still under way; gives a new command back.
    fn first_time(
        &mut self,
        request: &Request,
        command: Command,
        step: &mut Step<'_>,
    ) -> Option<Command> {
        let Some(key) = &request.idempotency else {
            return Some(command);
        };
        let mut waiting = self.pending.iter_mut();
        let same_key = |pending: &&mut Pending| {
            let theirs = pending.request.idempotency.as_ref();
            theirs.is_some_and(|theirs| theirs.key == key.key)
        };
        if let Some(pending) = waiting.find(same_key) {
            match pending.request.idempotency.as_ref() == Some(key) {
                true => pending.tickets.push(request.ticket),
                false => step.reply(request.ticket, Reply::No(Refusal::IdempotencyReused)),
            }
            return None;
        }
        let person = self.person.as_ref();
        let person = person.filter(|person| person.check.tenant == request.tenant.0);
        let rows = person.map_or(&[][..], |person| &person.sealed.outcomes);
        match outcome::recall(rows, key, step.now_ms) {
            Earlier::None => return Some(command),
            Earlier::Same(outcome) => {
                let reply = Reply::from_outcome(outcome, self.user, self.presence());
                step.reply(request.ticket, reply);
            }
            Earlier::Different => {
                step.reply(request.ticket, Reply::No(Refusal::IdempotencyReused));
            }
        }
        None
    }

    /// Replies, and keeps the outcome for a repeat when something changed.
    fn settle(&mut self, request: &Request, reply: Reply, step: &mut Step<'_>) {
        if step.output.changes.is_some() {
            self.keep(request, &reply, step);
        }
        step.reply(request.ticket, reply);
    }

    fn keep(&mut self, request: &Request, reply: &Reply, step: &mut Step<'_>) {
        let (Some(person), Some(key)) = (&mut self.person, &request.idempotency) else {
            return;
        };
        if let Some(outcome) = reply.outcome() {
            let rows = &mut person.sealed.outcomes;
            outcome::keep(rows, key, &outcome, step.now_ms, &mut step.entropy);
        }
    }

    fn complete(&mut self, id: PendingId, completion: Completion, step: &mut Step<'_>) {
        let Some(place) = self.pending.iter().position(|pending| pending.id == id) else {
            return;
        };
        let Pending {
            tickets,
            request,
            work,
            ..
        } = self.pending.swap_remove(place);
        let reply = match work {
            Work::SignUp(identifiers) => self.hashed(&request, identifiers, completion, step),
            Work::SignIn(attempt) => self.verified(attempt, &completion, &request, step),
            // No work was begun for it that could be done.
            Work::Queued(_) => busy(&completion),
            Work::Upgrade => return self.upgraded(completion, step),
            Work::Attest(attempt) => match self.compared(attempt, &completion, &request, step) {
                attest::Next::Reply(reply) => reply,
                attest::Next::Hash(attempt) => {
                    self.hash_replacement(attempt, request, tickets, step);
                    return self.admit_queued(step);
                }
            },
            Work::TakeOver(attempt) => self.replaced(&attempt, completion, &request, step),
            Work::Recover(recovering) => self.recovered(&recovering, completion, &request, step),
            Work::Passkey(asserting) => self.asserted(&asserting, &completion, &request, step),
            Work::Register(registering) => {
                self.registered(*registering, &completion, &request, step)
            }
        };
        if step.output.changes.is_some() {
            self.keep(&request, &reply, step);
        }
        for ticket in tickets {
            step.reply(ticket, reply.clone());
        }
        self.admit_queued(step);
    }

    fn start(&mut self, request: Request, work: Work) -> PendingId {
        let id = PendingId(self.next_pending);
        self.next_pending += 1;
        self.pending.push(Pending {
            id,
            tickets: match work {
                Work::Upgrade => Vec::new(),
                Work::SignUp(_)
                | Work::SignIn(_)
                | Work::Queued(_)
                | Work::Attest(_)
                | Work::TakeOver(_)
                | Work::Recover(_)
                | Work::Passkey(_)
                | Work::Register(_) => [request.ticket].into(),
            },
            request,
            work,
        });
        id
    }

    fn touch(&mut self, uses: &[(SessionId, u64)]) {
        let sessions = self.person.iter_mut();
        for session in sessions.flat_map(|person| &mut person.check.sessions) {
            let used = uses.iter().find(|(id, _)| id.0 == session.id);
            if let Some((_, at)) = used.filter(|(_, at)| *at > session.used_at) {
                session.used_at = *at;
                self.durability = Durability::Behind;
            }
        }
    }

    /// The person, when the request comes in the name of the right tenant.
    fn person_of(&mut self, request: &Request) -> Option<&mut Person> {
        let person = self.person.as_mut();
        person.filter(|person| person.is_of(request.tenant))
    }

    fn list(&self, step: &Step<'_>) -> Reply {
        let sessions = self.person.iter().flat_map(|person| &person.check.sessions);
        let live = sessions.filter_map(|session| {
            let Liveness::Active { idle_expires_at } = session.expiry().liveness(step.now_ms)
            else {
                return None;
            };
            Some(SessionInfo {
                id: session.id(),
                created_at: session.created_at,
                used_at: session.used_at,
                idle_expires_at,
                expires_at: session.expires_at,
                assurance: session.assurance,
                methods: session.methods,
            })
        });
        let mut live: Vec<SessionInfo> = live.collect();
        // Last used first; of those used at one time the newest.
        live.sort_by_key(|one| Reverse((one.used_at, one.created_at, one.id)));
        Reply::Session(SessionReply::Sessions(live))
    }

    fn set_status(
        &mut self,
        request: &Request,
        change: StatusChange,
        by: &Administrator,
        step: &mut Step<'_>,
    ) -> Reply {
        let Some(person) = self.person_of(request) else {
            return Reply::No(Refusal::UnknownAccount);
        };
        let Some(status) = person.check.status.after(change) else {
            return Reply::No(Refusal::StatusConflict);
        };
        if status != person.check.status {
            person.check.status = status;
            step.event(EventKind::StatusChanged(status));
            step.audit(by, Act::StatusSet(status));
        }
        Reply::Lifecycle(LifecycleReply::StatusSet(status))
    }
}

/// Work that was not done: nothing was judged.
fn busy(completion: &Completion) -> Reply {
    let retry_after_ms = match completion {
        Completion::Refused { retry_after_ms } => *retry_after_ms,
        Completion::Hashed(_) | Completion::Verified(_) | Completion::Signature(_) => 0,
    };
    Reply::No(Refusal::Busy { retry_after_ms })
}

impl Person {
    /// Whether there is an account (not a decoy), and of this tenant.
    fn is_of(&self, tenant: TenantId) -> bool {
        self.check.status != Status::Decoy && self.check.tenant == tenant.0
    }

    /// Drops the sessions that have expired.
    fn prune(&mut self, step: &mut Step<'_>) {
        let now_ms = step.now_ms;
        let over = |session: &crate::record::Session| {
            !matches!(session.expiry().liveness(now_ms), Liveness::Active { .. })
        };
        for session in self.check.sessions.extract_if(.., |session| over(session)) {
            step.event(EventKind::SessionEnded(session.id, EndReason::Expired));
        }
    }
}
