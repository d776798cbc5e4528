//! Work in the background: times of use made durable behind the answers,
//! and warm people made cold.

use tidegate_account::UserId;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

use crate::engine::WeakEngine;
use crate::person::What;

const TICK_MS: u64 = 100;
const COOL_EVERY_MS: u64 = 10_000;

/// Sends due people to their actors, at most so many per second.
pub(crate) async fn write_behind(engine: WeakEngine, mut queue: Receiver<UserId>) {
    loop {
        engine.clock.sleep(TICK_MS).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        let per_s = u64::from(engine.shared().limits.write_behind_per_s);
        for _ in 0..(per_s * TICK_MS / 1000).max(1) {
            match queue.try_recv() {
                Ok(user) => engine.seat(user, What::WriteBehind, u64::MAX, None),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }
}

/// Lets accounts take over what was decided while the store was out of reach,
/// at most so many per second: whoever is asked for takes it over at once.
pub(crate) async fn settle(engine: WeakEngine) {
    loop {
        engine.clock.sleep(TICK_MS).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        let shared = engine.shared();
        let cut_off = shared.is_cut_off();
        shared.meters.cut_off.set(f64::from(u8::from(cut_off)));
        let people = u32::try_from(shared.degraded_states.people_count()).unwrap_or(u32::MAX);
        shared.meters.degraded_people.set(f64::from(people));
        if people == 0 || cut_off {
            continue;
        }
        let per_s = u64::from(shared.limits.settle_per_s);
        let most = usize::try_from((per_s * TICK_MS / 1000).max(1)).unwrap_or(1);
        let ours = |user| shared.ownership.epoch_of(user).is_some();
        for user in shared.degraded_states.to_settle(most, ours) {
            engine.seat(user, What::Settle, u64::MAX, None);
        }
    }
}

/// Finds out whether a store that was lost takes changes again, so that nobody's
/// request is spent on it: until then everybody is answered from memory.
pub(crate) async fn seek(engine: WeakEngine) {
    loop {
        engine.clock.sleep(TICK_MS).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        let shared = engine.shared();
        let Some(commit) = shared.tries().then(|| shared.ownership.affirm()).flatten() else {
            continue;
        };
        if shared.store.commit(commit).await.is_ok() {
            shared.found();
        }
    }
}

/// Makes people cold who were not used for long, sooner when there are too many.
pub(crate) async fn cool(engine: WeakEngine) {
    loop {
        engine.clock.sleep(COOL_EVERY_MS).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        let shared = engine.shared();
        let now_ms = shared.clock.unix_ms();
        let ours = |user| shared.ownership.epoch_of(user).is_some();
        for written in shared.degraded_states.expire(now_ms, ours) {
            // What stays is dropped the next time that the journal is read.
            let _ = written.await;
        }
        if shared.is_cut_off() {
            // Nobody could be made warm again.
            continue;
        }
        let mut idle_s = u32::try_from(shared.limits.warm_idle_ms / 1000).unwrap_or(u32::MAX);
        shared.directory.cool(idle_s.max(1), now_ms);
        while shared.directory.warm_people() > shared.limits.warm_people && idle_s > 1 {
            idle_s /= 2;
            shared.directory.cool(idle_s, now_ms);
        }
        let count = |people: usize| u32::try_from(people).map_or(f64::from(u32::MAX), f64::from);
        shared
            .meters
            .people_warm
            .set(count(shared.directory.warm_people()));
        shared
            .meters
            .people_hot
            .set(count(shared.directory.hot_people()));
    }
}
