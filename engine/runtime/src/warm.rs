//! A warm person: the stored bytes, and when each session was last used.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tidegate_account::record::{Corrupt, View};
use tidegate_account::session::{Expiry, Liveness};
use tidegate_account::{Refusal, SecretHash, SessionId, Status};

use crate::check::{Ask, Checked, Outcome};
use crate::seal::{WRAPPED_BYTES, WrappedKey};

/// The warm form of one person: small enough to lie in the directory itself,
/// with one allocation beside it, because every step to another place in
/// memory costs a check more than all that is computed.
pub(crate) struct Warm {
    /// The record, then the wrapped key.
    bytes: Box<[u8]>,
    touched: Touched,
    pub(crate) epoch: u64,
    used_at_s: AtomicU32,
    due: AtomicBool,
}

/// The last use of each session, in the record's order.
enum Touched {
    /// Of the only one.
    One(AtomicU64),
    Many(Box<[AtomicU64]>),
}

impl Touched {
    fn new(mut uses: impl ExactSizeIterator<Item = u64>) -> Touched {
        match (uses.len(), uses.next()) {
            (1, Some(only)) => Touched::One(AtomicU64::new(only)),
            (_, first) => {
                Touched::Many(first.into_iter().chain(uses).map(AtomicU64::new).collect())
            }
        }
    }

    fn all(&self) -> &[AtomicU64] {
        match self {
            Touched::One(only) => std::slice::from_ref(only),
            Touched::Many(all) => all,
        }
    }
}

/// Whether a check found that the durable time of use lags too far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteBehind {
    NotDue,
    /// Due, and not asked for yet.
    Due,
}

/// What a warm person is made of.
pub(crate) struct WarmParts {
    pub(crate) record: Vec<u8>,
    pub(crate) key: WrappedKey,
    pub(crate) epoch: u64,
}

impl Warm {
    pub(crate) fn new(parts: WarmParts, now_ms: u64) -> Result<Warm, Corrupt> {
        let view = View::new(&parts.record)?;
        let touched = Touched::new(view.sessions().map(|(_, expiry)| expiry.used_at));
        Ok(Warm {
            touched,
            bytes: [&parts.record[..], &parts.key.0].concat().into(),
            epoch: parts.epoch,
            used_at_s: AtomicU32::new(seconds(now_ms)),
            due: AtomicBool::new(false),
        })
    }

    pub(crate) fn view(&self) -> Result<View<'_>, Corrupt> {
        View::new(self.record())
    }

    pub(crate) fn record(&self) -> &[u8] {
        &self.bytes[..self.bytes.len() - WRAPPED_BYTES]
    }

    pub(crate) fn key(&self) -> WrappedKey {
        let mut key = [0; WRAPPED_BYTES];
        key.copy_from_slice(&self.bytes[self.bytes.len() - WRAPPED_BYTES..]);
        WrappedKey(key)
    }

    /// Answers a check. The caller has hashed the secret before it took the
    /// guard under which this runs: here is only look, compare and touch.
    pub(crate) fn check(
        &self,
        ask: &Ask,
        secret: &SecretHash,
        now_ms: u64,
    ) -> (Outcome, WriteBehind) {
        let Ok(view) = self.view() else {
            return (Outcome::Corrupt, WriteBehind::NotDue);
        };
        self.used_at_s.store(seconds(now_ms), Ordering::Relaxed);
        let found = (view.tenant() == ask.tenant).then(|| view.find(ask.session, secret));
        let Some(found) = found.flatten() else {
            return (Outcome::No(Refusal::InvalidToken), WriteBehind::NotDue);
        };
        match view.status() {
            Status::Active => {}
            // It is no account's, whatever sessions its record says it has.
            Status::Decoy => return (Outcome::No(Refusal::InvalidToken), WriteBehind::NotDue),
            Status::Locked => return (Outcome::No(Refusal::AccountLocked), WriteBehind::NotDue),
            Status::Suspended => {
                return (Outcome::No(Refusal::AccountSuspended), WriteBehind::NotDue);
            }
        }
        let expiry = self.expiry(found.place, found.expiry);
        let Liveness::Active { idle_expires_at } = expiry.liveness(now_ms) else {
            return (Outcome::No(Refusal::SessionExpired), WriteBehind::NotDue);
        };
        if let Some(touched) = self.touched.all().get(found.place) {
            touched.fetch_max(now_ms, Ordering::Relaxed);
        }
        let checked = Checked {
            user: ask.user,
            idle_expires_at,
            expires_at: expiry.expires_at,
            assurance: found.assurance,
            methods: found.methods,
        };
        // The low byte of a random id spreads people evenly.
        let spread = ask.user.as_bytes()[15];
        let due = expiry.is_due(now_ms, spread) && !self.due.swap(true, Ordering::Relaxed);
        let write_behind = match due {
            true => WriteBehind::Due,
            false => WriteBehind::NotDue,
        };
        (Outcome::Yes(checked), write_behind)
    }

    /// Lets the next check ask for the write again.
    pub(crate) fn not_written(&self) {
        self.due.store(false, Ordering::Relaxed);
    }

    /// The uses that the record does not hold yet.
    pub(crate) fn uses(&self) -> Vec<(SessionId, u64)> {
        let Ok(view) = self.view() else {
            return Vec::new();
        };
        let touched = self
            .touched
            .all()
            .iter()
            .map(|touched| touched.load(Ordering::Relaxed));
        let sessions = view.sessions().zip(touched);
        let newer = sessions.filter(|((_, expiry), touched)| *touched > expiry.used_at);
        newer.map(|((id, _), touched)| (id, touched)).collect()
    }

    /// Takes over what an older form of this person has seen.
    pub(crate) fn inherit(&self, older: &Warm) {
        let (Ok(view), uses) = (self.view(), older.uses()) else {
            return;
        };
        for ((id, _), touched) in view.sessions().zip(self.touched.all()) {
            if let Some((_, at)) = uses.iter().find(|(used, _)| *used == id) {
                touched.fetch_max(*at, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn idle_s(&self, now_ms: u64) -> u32 {
        seconds(now_ms).saturating_sub(self.used_at_s.load(Ordering::Relaxed))
    }

    fn expiry(&self, place: usize, stored: Expiry) -> Expiry {
        let touched = self.touched.all().get(place);
        Expiry {
            touched_at: touched.map_or(stored.used_at, |at| at.load(Ordering::Relaxed)),
            ..stored
        }
    }
}

fn seconds(ms: u64) -> u32 {
    u32::try_from(ms / 1000).unwrap_or(u32::MAX)
}
