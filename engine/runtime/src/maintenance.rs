//! Work in the background: times of use made durable behind the answers, what was
//! decided without the store taken over, warm people made cold.

use tidegate_account::UserId;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

use crate::job::What;
use crate::people::WeakPeople;

const TICK_MS: u64 = 100;
const COOL_EVERY_MS: u64 = 10_000;
/// How often a directory of regions that is away is asked whether it is back.
const DIRECTORY_TRY_MS: u64 = 1_000;
/// How often is looked for what was left in the middle between regions.
const DIRECTORY_SETTLE_MS: u64 = 5_000;

/// Sends due people to their actors, at most so many per second.
pub(crate) async fn write_behind(people: WeakPeople, mut queue: Receiver<UserId>) {
    loop {
        people.clock.sleep(TICK_MS).await;
        let Some(people) = people.upgrade() else {
            return;
        };
        let per_s = u64::from(people.shared().bounds.limits.write_behind_per_s);
        for _ in 0..(per_s * TICK_MS / 1000).max(1) {
            match queue.try_recv() {
                Ok(user) => people.seat(user, What::WriteBehind, u64::MAX, None),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }
}

/// Lets accounts take over what was decided while the store was out of reach,
/// at most so many per second: an account that is asked for takes it over at once.
pub(crate) async fn settle(people: WeakPeople) {
    loop {
        people.clock.sleep(TICK_MS).await;
        let Some(people) = people.upgrade() else {
            return;
        };
        let shared = people.shared();
        let cut_off = shared.placement.is_cut_off();
        shared.meters.cut_off.set(f64::from(u8::from(cut_off)));
        let count = u32::try_from(shared.memory.degraded_states.people_count()).unwrap_or(u32::MAX);
        shared.meters.degraded_people.set(f64::from(count));
        if count == 0 || cut_off {
            continue;
        }
        let per_s = u64::from(shared.bounds.limits.settle_per_s);
        let most = usize::try_from((per_s * TICK_MS / 1000).max(1)).unwrap_or(1);
        let ours = |user| shared.placement.ownership.epoch_of(user).is_some();
        for user in shared.memory.degraded_states.to_settle(most, ours) {
            people.seat(user, What::Settle, u64::MAX, None);
        }
    }
}

/// Finds out whether a store that was lost takes changes again, so that no
/// request is spent on it: until then people are answered from memory.
pub(crate) async fn seek(people: WeakPeople) {
    loop {
        people.clock.sleep(TICK_MS).await;
        let Some(people) = people.upgrade() else {
            return;
        };
        let shared = people.shared();
        let Some(commit) = shared
            .placement
            .tries()
            .then(|| shared.placement.ownership.affirm())
            .flatten()
        else {
            continue;
        };
        if shared.ports.store.commit(commit).await.is_ok() {
            shared.placement.found();
        }
    }
}

/// Makes people cold who were not used for long, sooner when there are too many.
pub(crate) async fn cool(people: WeakPeople) {
    loop {
        people.clock.sleep(COOL_EVERY_MS).await;
        let Some(people) = people.upgrade() else {
            return;
        };
        let shared = people.shared();
        let now_ms = shared.ports.clock.unix_ms();
        let ours = |user| shared.placement.ownership.epoch_of(user).is_some();
        for written in shared.memory.degraded_states.expire(now_ms, ours) {
            // What stays is dropped the next time that the journal is read.
            let _ = written.await;
        }
        if shared.placement.is_cut_off() {
            // None could be made warm again.
            continue;
        }
        let mut idle_s =
            u32::try_from(shared.bounds.limits.warm_idle_ms / 1000).unwrap_or(u32::MAX);
        shared.memory.directory.cool(idle_s.max(1), now_ms);
        while shared.memory.directory.warm_people() > shared.bounds.limits.warm_people && idle_s > 1
        {
            idle_s /= 2;
            shared.memory.directory.cool(idle_s, now_ms);
        }
        let count = |people: usize| u32::try_from(people).map_or(f64::from(u32::MAX), f64::from);
        shared
            .meters
            .people_warm
            .set(count(shared.memory.directory.warm_people()));
        shared
            .meters
            .people_hot
            .set(count(shared.memory.directory.hot_people()));
    }
}

/// Looks now and then for what was left in the middle between regions.
pub(crate) async fn settle_directory(people: WeakPeople) {
    let mut settled_ms = people.clock.monotonic_ms();
    loop {
        people.clock.sleep(DIRECTORY_TRY_MS).await;
        let Some(people) = people.upgrade() else {
            return;
        };
        let shared = people.shared();
        let Some(border) = shared.border() else {
            return;
        };
        let away = f64::from(u8::from(border.is_away_still().await));
        shared.meters.directory_away.set(away);
        let now_ms = shared.ports.clock.monotonic_ms();
        if now_ms >= settled_ms + DIRECTORY_SETTLE_MS && !shared.placement.is_cut_off() {
            settled_ms = now_ms;
            if let Err(error) = border.settle_all().await {
                tracing::debug!(event = "directory.unsettled", %error);
            }
        }
    }
}
