//! What each source of requests has tried: the generic cell rate algorithm
//! (ITU-T I.371) in a table of fixed size, settled with a durable row.
//!
//! An attempt is charged before anything is done for it, and what it was is
//! said when it is known: a success takes its charge back, a wrong guess keeps
//! it. An attempt that would be one too many only because of others under way
//! waits until one of them is known; only what failed is told as too many.
//!
//! A source that tries little is counted in memory alone. One that tries more
//! than its local allowance is settled: its row is read, and written ahead of
//! what it has tried, before the attempt goes on, once for all that wait. A node
//! that restarts, or that forgets a source to make room, thus adds at most the
//! local allowance to the stated bound. When nothing is under way any more, a row
//! that ran far ahead of what then failed is taken back: a rush of right
//! attempts leaves no failures behind.

mod place;
mod row;
mod shard;
mod trust;

use tidegate_account::SourcePolicy;
use tidegate_storage_api::{Region, Store, StoreError};

use self::place::PLACES;
pub(crate) use self::row::{Lead, read_row};
use self::shard::{Shard, Standing};
pub(crate) use self::trust::Trust;
use crate::ports::Clock;
use crate::queue::Turn;

const SHARDS: usize = 64;
/// Attempts that are counted in memory before a source is settled, and by
/// which its row runs ahead at least.
pub const LOCAL_ALLOWANCE: u32 = 8;

/// Where a request comes from, as its gateway says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An IPv4 address.
    V4([u8; 4]),
    /// The first 64 bits of an IPv6 address: what one subscriber has.
    V6([u8; 8]),
    /// Whatever the gateway tells sources apart by.
    Gateway([u8; 16]),
}

impl Origin {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        match self {
            Origin::V4(address) => [&[1], &address[..]].concat(),
            Origin::V6(prefix) => [&[2], &prefix[..]].concat(),
            Origin::Gateway(id) => [&[3], &id[..]].concat(),
        }
    }
}

/// Every source that is counted here. Its memory is fixed: where there is no
/// room, the source with the least to forget is forgotten, which is one without
/// a success of late and with little debt.
pub(crate) struct Sources {
    shards: Box<[Shard]>,
}

/// What charging an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    Charged,
    Held {
        retry_after_ms: u64,
    },
    /// Its deadline passed while it waited for others.
    Late,
    /// As many as may wait for others already.
    Full,
}

/// The outcome of an attempt that was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concluded {
    /// It was right: nothing is owed, and the source is trusted for it.
    Right,
    /// Nothing was judged: nothing is owed.
    Returned,
    /// It stays charged.
    Kept,
}

/// What a source is charged under.
#[derive(Clone, Copy)]
pub(crate) struct Account<'a> {
    /// The source's keyed hash.
    pub(crate) hash: &'a [u8; 32],
    pub(crate) policy: &'a SourcePolicy,
}

impl Sources {
    /// Makes room for about this many sources, 48 bytes each; of each so many
    /// may wait for others.
    pub(crate) fn new(sources: usize, waiting_max: usize) -> Sources {
        let buckets = sources.div_ceil(PLACES * SHARDS).max(1);
        Sources {
            shards: (0..SHARDS)
                .map(|_| Shard::new(buckets, waiting_max))
                .collect(),
        }
    }

    /// Charges an attempt before anything is done for it; waits while that
    /// depends on others under way, and no longer than to the deadline. Without a
    /// store a source has what it may try before it is settled, and no more.
    pub(crate) async fn charge(
        &self,
        account: Account<'_>,
        clock: &dyn Clock,
        deadline_ms: u64,
        region: Region,
        store: Option<&dyn Store>,
    ) -> Result<Charge, StoreError> {
        if account.policy.free == 0 {
            return Ok(Charge::Charged);
        }
        let shard = self.shard(account.hash);
        let mut own = None;
        loop {
            let now_ms = clock.unix_ms();
            match shard.try_charge(account, now_ms) {
                Standing::Charged => return Ok(Charge::Charged),
                Standing::Held { retry_after_ms } => return Ok(Charge::Held { retry_after_ms }),
                Standing::Unsettled(settling) => {
                    // The others wait for the row, and no longer for this one.
                    drop(own);
                    return settling.settle(now_ms, region, store).await;
                }
                Standing::Wait => {}
            }
            let turn = shard
                .queues
                .wait(&mut own, *account.hash, clock, deadline_ms);
            match turn.await {
                Turn::Come => {}
                Turn::Late => return Ok(Charge::Late),
                Turn::Full => return Ok(Charge::Full),
            }
        }
    }

    /// Notes the outcome of an attempt that was charged; what to give back of its
    /// row, if anything.
    pub(crate) fn conclude(
        &self,
        account: Account<'_>,
        now_ms: u64,
        outcome: Concluded,
    ) -> Option<Lead> {
        let shard = self.shard(account.hash);
        let mut table = shard.table();
        let place = match outcome {
            // A success has its place, also where nothing is charged.
            Concluded::Right => Some(table.place(account.hash)),
            Concluded::Returned | Concluded::Kept => table.find(account.hash),
        };
        let lead = place.and_then(|place| {
            place.under_way = place.under_way.saturating_sub(1);
            match outcome {
                Concluded::Kept => {}
                Concluded::Returned => place.give_back(account.policy),
                Concluded::Right => {
                    place.give_back(account.policy);
                    place.right_ms = now_ms;
                    place.failures = 0;
                }
            }
            place.lead(account, now_ms)
        });
        drop(table);
        shard.queues.wake(*account.hash);
        shard.trusting.wake(*account.hash);
        lead
    }

    fn shard(&self, hash: &[u8; 32]) -> &Shard {
        &self.shards[usize::from(hash[31]) % SHARDS]
    }
}

#[cfg(test)]
mod tests;
