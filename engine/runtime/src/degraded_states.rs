//! What was decided while the store was out of reach: kept in memory until the
//! accounts have taken it over, and revocations in a journal of the node's own
//! as well, which is read again before the node serves.

mod kept;
mod row;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tidegate_account::{DegradedDecision, Refusal, SecretHash, SessionId, UserId};
use tidegate_storage_api::{
    Commit, Key, KeyRange, MemoryStore, Stamp, Store, StoreError, StoreFuture, SystemPart,
};

use crate::check::{Ask, Checked, Outcome};
use kept::{Kept, is_written, settles};

/// Decisions that are kept of one person.
const OF_PERSON_MAX: usize = 64;
/// Rows of the journal that are read at once.
const ROWS_AT_ONCE: usize = 1_000;
/// How long a decision is kept for an account that another node owns now: who
/// asked for it was told to ask again, and has, there.
const KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// What was decided, and has not been taken over yet.
pub struct DegradedStates {
    journal: Arc<dyn Store>,
    kept: RwLock<Kept>,
    /// How many people: a check looks no further while it is 0.
    count: AtomicUsize,
}

/// Decisions on their way into an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// So many of those that are taken over in any case.
    settled: usize,
    /// A session that goes on.
    established: Option<SessionId>,
}

impl DegradedStates {
    /// Takes up what a node's journal holds.
    ///
    /// # Errors
    /// As the journal; `Corrupt` when a row cannot be read.
    pub async fn open(journal: Arc<dyn Store>) -> Result<DegradedStates, StoreError> {
        let mut kept = Kept::default();
        let mut range = KeyRange::revoked();
        loop {
            let rows = journal.range(range.clone(), ROWS_AT_ONCE).await?;
            let Some((last, _)) = rows.last() else {
                break;
            };
            range = range.after(last);
            for (key, value) in &rows {
                let user = key.as_bytes().last_chunk::<16>();
                let user = UserId::from_bytes(*user.ok_or(StoreError::Corrupt)?);
                let ended = row::decode(value).ok_or(StoreError::Corrupt)?;
                kept.change(user, |decided| {
                    decided.extend(ended.into_iter().map(DegradedDecision::Ended));
                });
            }
        }
        Ok(DegradedStates {
            journal,
            count: AtomicUsize::new(kept.people.len()),
            kept: RwLock::new(kept),
        })
    }

    /// Nothing yet, and a journal that ends with the process.
    #[must_use]
    pub fn in_memory() -> DegradedStates {
        DegradedStates {
            journal: Arc::new(MemoryStore::new()),
            kept: RwLock::default(),
            count: AtomicUsize::new(0),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is kept.
    fn change<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> T {
        let kept = self.kept.write();
        let mut kept: RwLockWriteGuard<'_, Kept> = kept.unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut kept);
        self.count.store(kept.people.len(), Ordering::Release);
        changed
    }

    /// How many people something was decided of.
    #[must_use]
    pub fn people_count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// What was decided of a person.
    pub(crate) fn of(&self, user: UserId) -> Vec<DegradedDecision> {
        match self.people_count() {
            0 => Vec::new(),
            _ => self.read().people.get(&user).cloned().unwrap_or_default(),
        }
    }

    /// Whether one more decision of a person can be kept, of at most so many
    /// people. A revocation always is: it bounds itself by the sessions it ends.
    pub(crate) fn has_room(&self, user: UserId, people_max: usize) -> bool {
        let kept = self.read();
        match kept.people.get(&user) {
            Some(decided) => decided.len() < OF_PERSON_MAX,
            None => kept.people.len() < people_max,
        }
    }

    /// Keeps a decision. A revocation is in effect at once, and safe when
    /// [`DegradedStates::write_down`] is done.
    pub(crate) fn add(&self, user: UserId, degraded: DegradedDecision) {
        self.change(|kept| {
            kept.change(user, |decided| {
                if let DegradedDecision::Ended(ended) = &degraded {
                    decided.retain(|earlier| match earlier {
                        DegradedDecision::Established(one) => {
                            !ended.sessions.contains(&one.grant.session)
                        }
                        DegradedDecision::Ended(_)
                        | DegradedDecision::Failed { .. }
                        | DegradedDecision::Kept { .. } => true,
                    });
                }
                decided.push(degraded);
            });
        });
    }

    /// Writes a person's revocations into the journal as they are now, whether
    /// they stand there or not.
    pub(crate) fn write_down(&self, user: UserId) -> StoreFuture<Stamp> {
        // Handed over under the guard: a later row never comes before this one.
        self.change(|kept| {
            let decided = kept.people.get(&user).map_or(&[][..], Vec::as_slice);
            self.write(user, row::encode(decided))
        })
    }

    fn write(&self, user: UserId, row: Option<Vec<u8>>) -> StoreFuture<Stamp> {
        let key = Key::system(SystemPart::Revoked(*user.as_bytes()));
        self.journal.commit(match row {
            Some(row) => Commit::default().put(key, row),
            None => Commit::default().delete(key),
        })
    }

    /// What was decided of a session that is asked about.
    pub(crate) fn check(&self, ask: &Ask, secret: &SecretHash, now_ms: u64) -> Option<Outcome> {
        if self.people_count() == 0 {
            return None;
        }
        let kept = self.read();
        kept.people
            .get(&ask.user)?
            .iter()
            .find_map(|degraded| match degraded {
                DegradedDecision::Ended(ended) if ended.sessions.contains(&ask.session) => {
                    Some(Outcome::No(Refusal::InvalidToken))
                }
                DegradedDecision::Established(one)
                    if one.grant.session == ask.session
                        && one.tenant == ask.tenant
                        && one.is_proven_by(secret)
                        && now_ms < one.grant.expires_at =>
                {
                    Some(Outcome::Yes(Checked {
                        user: ask.user,
                        idle_expires_at: one.grant.idle_expires_at,
                        expires_at: one.grant.expires_at,
                        assurance: one.grant.assurance,
                        methods: one.grant.methods,
                    }))
                }
                DegradedDecision::Ended(_)
                | DegradedDecision::Established(_)
                | DegradedDecision::Failed { .. }
                | DegradedDecision::Kept { .. } => None,
            })
    }

    /// What a person's account has to take over: everything but provisional
    /// sessions, of which only `established`.
    pub(crate) fn take(
        &self,
        user: UserId,
        established: Option<SessionId>,
    ) -> (Vec<DegradedDecision>, Taken) {
        let mut taken = self.of(user);
        taken.retain(|degraded| match degraded {
            DegradedDecision::Established(one) => Some(one.grant.session) == established,
            DegradedDecision::Ended(_)
            | DegradedDecision::Failed { .. }
            | DegradedDecision::Kept { .. } => true,
        });
        let settled = taken.iter().filter(|degraded| settles(degraded)).count();
        (
            taken,
            Taken {
                settled,
                established,
            },
        )
    }

    /// An account has taken these over, and it is durable. The journal follows
    /// in its own time: what is taken over twice changes nothing more.
    pub(crate) fn settled(&self, user: UserId, taken: Taken) -> Option<StoreFuture<Stamp>> {
        self.change(|kept| {
            let row = kept.change(user, |decided| {
                let written = decided.iter().any(is_written);
                let mut left = taken.settled;
                decided.retain(|degraded| match degraded {
                    DegradedDecision::Established(one) => {
                        Some(one.grant.session) != taken.established
                    }
                    DegradedDecision::Ended(_)
                    | DegradedDecision::Failed { .. }
                    | DegradedDecision::Kept { .. } => {
                        let goes = left > 0;
                        left = left.saturating_sub(1);
                        !goes
                    }
                });
                written.then(|| row::encode(decided))
            });
            row.map(|row| self.write(user, row))
        })
    }

    /// At most so many people whose accounts have something to take over.
    pub(crate) fn to_settle(&self, most: usize, ours: impl Fn(UserId) -> bool) -> Vec<UserId> {
        let kept = self.read();
        let waiting = kept.waiting.iter().copied();
        waiting.filter(|user| ours(*user)).take(most).collect()
    }

    /// Drops what is over. What an account of ours has to take over stays until
    /// it has, however long the store is away.
    pub(crate) fn expire(
        &self,
        now_ms: u64,
        ours: impl Fn(UserId) -> bool,
    ) -> Vec<StoreFuture<Stamp>> {
        let is_over = |user: UserId, degraded: &DegradedDecision| {
            let old = |at: u64| !ours(user) && now_ms >= at.saturating_add(KEPT_MS);
            match degraded {
                DegradedDecision::Established(one) => now_ms >= one.grant.expires_at,
                DegradedDecision::Ended(ended) => old(ended.at),
                DegradedDecision::Failed { at, .. } | DegradedDecision::Kept { at, .. } => old(*at),
            }
        };
        let users: Vec<UserId> = {
            let kept = self.read();
            let all = kept.people.iter();
            let with_some =
                all.filter(|(user, decided)| decided.iter().any(|one| is_over(**user, one)));
            with_some.map(|(user, _)| *user).collect()
        };
        let drop = |user| {
            let over = |degraded: &DegradedDecision| is_over(user, degraded);
            let of_journal = |degraded: &DegradedDecision| is_written(degraded) && over(degraded);
            self.change(|kept| {
                let row = kept.change(user, |decided| {
                    let written = decided.iter().any(of_journal);
                    decided.retain(|degraded| !over(degraded));
                    written.then(|| row::encode(decided))
                });
                row.map(|row| self.write(user, row))
            })
        };
        users.into_iter().filter_map(drop).collect()
    }
}

#[cfg(test)]
mod tests;
