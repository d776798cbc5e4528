//! A part of the sources with a lock of its own, and the rule for each attempt.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tidegate_account::SourcePolicy;
use tidegate_storage_api::{Key as RowKey, Region, Store, StoreError};

use super::place::{Place, Table};
use super::row::{self, Lead, Settled};
use super::{Account, Charge, LOCAL_ALLOWANCE};
use crate::queue::Queues;

pub(super) struct Shard {
    table: Mutex<Table>,
    /// Who waits until an attempt of a source is known, or its row is written.
    pub(super) queues: Queues<[u8; 32]>,
    /// Who waits until it is known whether a success answers for them.
    pub(super) trusting: Queues<[u8; 32]>,
}

/// How an attempt stands.
pub(super) enum Standing<'a> {
    /// Charged, and the row covers it.
    Charged,
    /// Charged in memory; the row must be brought ahead first.
    Unsettled(Settling<'a>),
    /// Not charged: it depends on what is under way.
    Wait,
    Held {
        retry_after_ms: u64,
    },
}

impl Shard {
    pub(super) fn new(buckets: usize, waiting_max: usize) -> Shard {
        Shard {
            table: Mutex::new(Table::new(buckets)),
            queues: Queues::new(waiting_max),
            trusting: Queues::new(waiting_max),
        }
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn try_charge<'a>(&'a self, account: Account<'a>, now_ms: u64) -> Standing<'a> {
        let Account { hash, policy } = account;
        let mut table = self.table();
        let place = table.place(hash);
        let most_ms = u64::from(policy.free) * policy.refill_ms;
        // No source owes more than everything: a clock that went back far makes
        // it look so.
        place.due_ms = place.due_ms.clamp(now_ms, now_ms + most_ms);
        let due_ms = place.due_ms + policy.refill_ms;
        let debt_ms = due_ms - now_ms;
        if debt_ms > most_ms {
            return match place.under_way {
                0 => Standing::Held {
                    retry_after_ms: debt_ms - most_ms,
                },
                _ if debt_ms.saturating_sub(place.under_way_ms(policy)) <= most_ms => {
                    Standing::Wait
                }
                _ => Standing::Held {
                    retry_after_ms: debt_ms - most_ms,
                },
            };
        }
        let local_ms = u64::from(LOCAL_ALLOWANCE) * policy.refill_ms;
        let covered = debt_ms <= local_ms || due_ms <= place.settled_ms;
        if !covered && place.settling {
            return Standing::Wait;
        }
        place.due_ms = due_ms;
        place.under_way = place.under_way.saturating_add(1);
        if covered {
            return Standing::Charged;
        }
        place.settling = true;
        // The busier it is, the further ahead: one row for many attempts. None
        // comes to owe more than everything.
        let ahead_ms = local_ms.max(place.under_way_ms(policy));
        Standing::Unsettled(Settling {
            shard: self,
            account: Some(account),
            until_ms: due_ms.saturating_add(ahead_ms).min(now_ms + most_ms),
        })
    }

    /// Takes over what the row said and says now.
    fn settled(
        &self,
        Account { hash, policy }: Account<'_>,
        now_ms: u64,
        settled: Result<Settled, StoreError>,
    ) -> Result<Charge, StoreError> {
        let charge = match self.table().find(hash) {
            // Forgotten meanwhile; the row has it.
            None => settled.map(|_| Charge::Charged),
            Some(place) => {
                place.settling = false;
                settled
                    .inspect_err(|_| place.withdraw(policy))
                    .map(|settled| place.settle(policy, now_ms, &settled))
            }
        };
        self.queues.wake(*hash);
        charge
    }
}

/// An attempt whose source's row is being brought ahead. If it ends without an
/// outcome, as when the store panics, the attempt is taken back and another may
/// settle the source: none waits for it for ever.
pub(super) struct Settling<'a> {
    shard: &'a Shard,
    /// None when its outcome was taken over.
    account: Option<Account<'a>>,
    until_ms: u64,
}

impl Settling<'_> {
    /// Brings the row ahead and takes over what it said. Without a store nothing
    /// is charged.
    pub(super) async fn settle(
        mut self,
        now_ms: u64,
        region: Region,
        store: Option<&dyn Store>,
    ) -> Result<Charge, StoreError> {
        let (Some(store), Some(account)) = (store, self.account) else {
            return Err(StoreError::Unavailable);
        };
        let key = RowKey::throttle(region, account.hash);
        let settled = row::settle(store, key, now_ms, self.until_ms).await;
        self.account = None;
        self.shard.settled(account, now_ms, settled)
    }
}

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        if let Some(account) = self.account.take() {
            let nothing = Err(StoreError::Unavailable);
            // What it says is what it was given.
            let _ = self.shard.settled(account, 0, nothing);
        }
    }
}

impl Place {
    /// What the row says beyond what is owed, when nothing is under way: other
    /// nodes, and this one after a restart, would take it for failures. In memory
    /// it counts no longer from now on, before the row is written.
    pub(super) fn lead(&mut self, account: Account<'_>, now_ms: u64) -> Option<Lead> {
        let local_ms = u64::from(LOCAL_ALLOWANCE) * account.policy.refill_ms;
        let to_ms = self.due_ms.max(now_ms).saturating_add(local_ms);
        let quiet = self.under_way == 0 && !self.settling;
        // What others counted is over when the row is.
        self.shared &= self.settled_ms > now_ms;
        if !quiet || self.shared || self.settled_ms <= to_ms.saturating_add(local_ms) {
            return None;
        }
        Some(Lead {
            hash: *account.hash,
            from_ms: std::mem::replace(&mut self.settled_ms, to_ms),
            to_ms,
        })
    }

    fn settle(&mut self, policy: &SourcePolicy, now_ms: u64, settled: &Settled) -> Charge {
        let most_ms = now_ms + u64::from(policy.free) * policy.refill_ms;
        if self.settled_ms == 0 && settled.before_ms > self.due_ms {
            // An earlier life of this node counted more than this one.
            self.due_ms = settled.before_ms.min(most_ms) + policy.refill_ms;
        }
        // Where others said more than a row is ever taken back to, it is theirs
        // as well, and stays.
        let local_ms = u64::from(LOCAL_ALLOWANCE) * policy.refill_ms;
        self.shared |= settled.before_ms > self.settled_ms.max(now_ms + local_ms);
        self.settled_ms = self.settled_ms.max(settled.after_ms);
        match self.due_ms.checked_sub(most_ms) {
            None | Some(0) => Charge::Charged,
            Some(retry_after_ms) => {
                self.under_way = self.under_way.saturating_sub(1);
                Charge::Held { retry_after_ms }
            }
        }
    }
}
