//! The sweeper: nothing grows without end. It walks the slots at a limited
//! rate and drops what is over and has no row on the agenda: sessions, sources that
//! are free of debt, events and audits beyond their retention. Accounts that nothing
//! of was ever verified, claims and stand-ins are the agenda's; the walk takes those
//! up whose row is missing, a day late, and all of them until the active version
//! has an agenda.

use tidegate_account::record::View;
use tidegate_account::session::Liveness;
use tidegate_account::{PartKind, PartRetention, UserId, decode_event};
use tidegate_storage_api::{
    Check, Commit, Key as RowKey, KeyRange, Partition, PersonPart, Slot, StoreError, SystemPart,
};

use crate::agenda::AGENDA_SINCE;
use crate::answer::Responder;
use crate::date::{Date, Look, Trust};
use crate::engine::{Engine, WeakEngine};
use crate::limits::DAY_MS;
use crate::person::What;
use crate::sources;

/// Rows looked at between two waits.
const PAGE: usize = 512;
/// What the agenda should have dropped so long ago has no row there: it was written
/// before there were any.
const MISSED_MS: u64 = DAY_MS;
/// How long to rest between two walks, and after a store that did not answer.
const REST_MS: u64 = 60_000;

/// What one walk did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows looked at.
    pub rows: u64,
    /// People from whom something was dropped, or who went.
    pub people: u64,
    /// Rows of sources, events and audits that went.
    pub dropped: u64,
}

/// Walks again and again for as long as the engine lives.
pub(crate) async fn sweep(engine: WeakEngine) {
    loop {
        engine.clock.sleep(REST_MS).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        if let Err(error) = engine.sweep().await {
            tracing::warn!(event = "sweep.failed", %error);
        }
    }
}

impl Engine {
    /// Walks every slot of this node once, and what belongs to no slot if the
    /// first is this node's; not at all for a day after the date jumped.
    ///
    /// # Errors
    /// As the store; what was dropped before stays dropped.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        match self.date().await? {
            Trust::Believed => {}
            Trust::Jumped { .. } | Trust::Held => {
                self.shared().meters.sweeps_held.increment(1);
                return Ok(swept);
            }
        }
        for slot in Slot::all() {
            self.sweep_slot(slot, &mut swept).await?;
        }
        let meters = &self.shared().meters;
        meters.sweeps.increment(1);
        meters.swept_people.increment(swept.people);
        meters.swept_rows.increment(swept.dropped);
        Ok(swept)
    }

    /// Sweeps a slot that is this node's; one that turns out to be another's is
    /// that node's to sweep. The owner of a partition's first slot sweeps its
    /// events, the owner of the first of all the deployment's audits.
    async fn sweep_slot(&self, slot: Slot, swept: &mut Swept) -> Result<(), StoreError> {
        if self.shared().ownership.epoch_of_slot(slot).is_none() {
            return Ok(());
        }
        let walk = async {
            self.sweep_people(slot, swept).await?;
            self.sweep_sources(slot, swept).await?;
            if let Some(partition) = slot.first_of_partition() {
                self.sweep_events(partition, swept).await?;
            }
            match slot.number() {
                0 => self.sweep_audits(swept).await,
                _ => Ok(()),
            }
        };
        match walk.await {
            Err(StoreError::Fenced) => Ok(()),
            outcome => outcome,
        }
    }

    /// Looks at the date, and writes down what it is for the node's next life.
    async fn date(&self) -> Result<Trust, StoreError> {
        let shared = self.shared();
        let now_ms = shared.clock.unix_ms();
        let trust = self.look_at_date().await?;
        if trust == Trust::Believed {
            let row = RowKey::system(SystemPart::Date);
            let commit = Commit::default().put(row, now_ms.to_le_bytes().to_vec());
            shared.store.commit(commit).await?;
        }
        Ok(trust)
    }

    /// Looks at the date.
    pub(crate) async fn look_at_date(&self) -> Result<Trust, StoreError> {
        let shared = self.shared();
        let mut date = shared.date.lock().await;
        let row = RowKey::system(SystemPart::Date);
        let now = Look {
            unix_ms: shared.clock.unix_ms(),
            monotonic_ms: shared.clock.monotonic_ms(),
        };
        let trust = match &mut *date {
            Some(date) => date.look(now),
            None => {
                let before = shared.store.get(row).await?;
                let before = before.and_then(|row| Some(u64::from_le_bytes(*row.first_chunk()?)));
                let (first, trust) = Date::first(now, before);
                *date = Some(first);
                trust
            }
        };
        if let Trust::Jumped { by_ms } = trust {
            tracing::error!(event = "clock.jumped", by_ms);
        }
        Ok(trust)
    }

    async fn sweep_people(&self, slot: Slot, swept: &mut Swept) -> Result<(), StoreError> {
        let shared = self.shared();
        let region = shared.ownership.region();
        let mut range = KeyRange::people(region, slot);
        loop {
            let rows = shared.store.range(range.clone(), PAGE).await?;
            let now_ms = shared.clock.unix_ms();
            let abandoned_by = match shared.formats.active() < AGENDA_SINCE {
                true => now_ms,
                false => now_ms.saturating_sub(MISSED_MS),
            };
            let audits_before = now_ms.saturating_sub(shared.retention.audits_ms);
            let mut old = Vec::new();
            for (key, value) in &rows {
                match PersonPart::of(key) {
                    Some((user, PersonPart::Record)) if is_over(value, now_ms, abandoned_by) => {
                        self.sweep_person(UserId::from_bytes(user)).await;
                        swept.people += 1;
                    }
                    Some((_, PersonPart::Cold { kind, .. }))
                        if is_past_retention(kind, value, audits_before) =>
                    {
                        old.push(key.clone());
                    }
                    Some(_) | None => {}
                }
            }
            swept.dropped += self.drop_rows(Some(slot), &old).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            range = range.after(last);
            self.pace(rows.len(), swept).await;
        }
    }

    /// Lets the person's actor drop what is over, and waits until it has.
    async fn sweep_person(&self, user: UserId) {
        let (told, done) = tokio::sync::oneshot::channel();
        // However it came out, the next walk comes by again.
        let responder = Responder::new(move |_, _| {
            let _ = told.send(());
        });
        self.seat(user, What::Sweep, u64::MAX, Some(responder));
        let _ = done.await;
    }

    async fn sweep_sources(&self, slot: Slot, swept: &mut Swept) -> Result<(), StoreError> {
        let shared = self.shared();
        let mut range = KeyRange::throttles(shared.ownership.region(), slot);
        loop {
            let rows = shared.store.range(range.clone(), PAGE).await?;
            let now_ms = shared.clock.unix_ms();
            let free = |(key, value): &(RowKey, bytes::Bytes)| {
                let over = sources::read_row(value).is_ok_and(|due_ms| due_ms <= now_ms);
                over.then(|| key.clone())
            };
            let free: Vec<_> = rows.iter().filter_map(free).collect();
            swept.dropped += self.drop_rows(Some(slot), &free).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            range = range.after(last);
            self.pace(rows.len(), swept).await;
        }
    }

    /// Events lie in the order of their commits: the first that is young ends
    /// the walk.
    async fn sweep_events(
        &self,
        partition: Partition,
        swept: &mut Swept,
    ) -> Result<(), StoreError> {
        let shared = self.shared();
        loop {
            let range = KeyRange::events(shared.ownership.region(), partition);
            let rows = shared.store.range(range, PAGE).await?;
            let before_ms = shared
                .clock
                .unix_ms()
                .saturating_sub(shared.retention.events_ms);
            let old = rows.iter().take_while(|(_, value)| {
                // One that nobody can read is no use to keep either.
                decode_event(value).map_or(true, |event| event.at < before_ms)
            });
            let old: Vec<_> = old.map(|(key, _)| key.clone()).collect();
            swept.dropped += self.drop_rows(None, &old).await?;
            self.pace(rows.len(), swept).await;
            if old.len() < PAGE {
                return Ok(());
            }
        }
    }

    async fn sweep_audits(&self, swept: &mut Swept) -> Result<(), StoreError> {
        let shared = self.shared();
        let now_ms = shared.clock.unix_ms();
        let until_ms = now_ms.saturating_sub(shared.retention.audits_ms);
        loop {
            let rows = shared.store.range(KeyRange::audits(until_ms), PAGE).await?;
            let old: Vec<_> = rows.into_iter().map(|(key, _)| key).collect();
            swept.dropped += self.drop_rows(None, &old).await?;
            if old.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// Deletes rows, under the slot's epoch where they belong to one.
    pub(crate) async fn drop_rows(
        &self,
        slot: Option<Slot>,
        keys: &[RowKey],
    ) -> Result<u64, StoreError> {
        if keys.is_empty() {
            return Ok(0);
        }
        let shared = self.shared();
        let mut commit = Commit::default();
        if let Some(slot) = slot {
            let epoch = shared.ownership.epoch_of_slot(slot);
            commit = commit.check(Check::Fence {
                region: shared.ownership.region(),
                slot,
                epoch: epoch.ok_or(StoreError::Fenced)?,
            });
        }
        commit.deletes.extend_from_slice(keys);
        shared.store.commit(commit).await?;
        Ok(keys.len() as u64)
    }

    /// Waits as long as so many rows may take.
    async fn pace(&self, rows: usize, swept: &mut Swept) {
        let rows = rows as u64;
        swept.rows += rows;
        let shared = self.shared();
        let per_s = u64::from(shared.limits.sweep_rows_per_s).max(1);
        let wait_ms =
            (swept.rows * 1000 / per_s).saturating_sub((swept.rows - rows) * 1000 / per_s);
        if wait_ms > 0 {
            shared.clock.sleep(wait_ms).await;
        }
    }
}

/// Whether a record holds something that is over, by what is in clear.
fn is_over(record: &[u8], now_ms: u64, abandoned_by_ms: u64) -> bool {
    let Ok(view) = View::new(record) else {
        return false;
    };
    let abandoned = (1..=abandoned_by_ms).contains(&view.abandoned_at());
    let mut sessions = view.sessions();
    let ended = |expiry: tidegate_account::session::Expiry| {
        !matches!(expiry.liveness(now_ms), Liveness::Active { .. })
    };
    abandoned || sessions.any(|(_, expiry)| ended(expiry))
}

/// Whether the row of a part is kept no longer. What is of no kind that is known
/// here, or says nothing that can be read, is left alone.
fn is_past_retention(kind: u8, row: &[u8], audits_before_ms: u64) -> bool {
    let Some(kind) = PartKind::of(kind) else {
        return false;
    };
    match kind.retention() {
        PartRetention::WithRecord | PartRetention::UntilDelivered => false,
        PartRetention::AsAudits => kind.at_of(row).is_some_and(|at| at < audits_before_ms),
    }
}
