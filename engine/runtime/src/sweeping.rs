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
    Commit, Key as RowKey, KeyRange, Partition, PersonPart, Slot, StoreError,
};

use crate::agenda::AGENDA_SINCE;
use crate::date::Trust;
use crate::job::What;
use crate::limits::DAY_MS;
use crate::people::{People, WeakPeople};
use crate::shared::Shared;
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
pub(crate) async fn run(people: WeakPeople) {
    loop {
        people.clock.sleep(REST_MS).await;
        let Some(people) = people.upgrade() else {
            return;
        };
        if let Err(error) = sweep(&people).await {
            tracing::warn!(event = "sweep.failed", %error);
        }
    }
}

/// Walks every slot of this node once, and what belongs to no slot if the
/// first is this node's; not at all for a day after the date jumped.
///
/// # Errors
/// As the store; what was dropped before stays dropped.
pub(crate) async fn sweep(people: &People) -> Result<Swept, StoreError> {
    let shared = people.shared();
    match shared.upkeep.date.look_and_keep(&shared.ports).await? {
        Trust::Believed => {}
        Trust::Jumped { .. } | Trust::Held => {
            shared.meters.sweeps_held.increment(1);
            return Ok(Swept::default());
        }
    }
    let mut walk = Walk {
        people,
        shared,
        swept: Swept::default(),
    };
    for slot in Slot::all() {
        walk.slot(slot).await?;
    }
    let Walk { swept, .. } = walk;
    shared.meters.sweeps.increment(1);
    shared.meters.swept_people.increment(swept.people);
    shared.meters.swept_rows.increment(swept.dropped);
    Ok(swept)
}

/// One walk, and what it did so far.
struct Walk<'a> {
    people: &'a People,
    shared: &'a Shared,
    swept: Swept,
}

impl Walk<'_> {
    /// Sweeps a slot that is this node's; one that turns out to be another's is
    /// that node's to sweep. The owner of a partition's first slot sweeps its
    /// events, the owner of the first of all the deployment's audits.
    async fn slot(&mut self, slot: Slot) -> Result<(), StoreError> {
        if self
            .shared
            .placement
            .ownership
            .epoch_of_slot(slot)
            .is_none()
        {
            return Ok(());
        }
        let walk = async {
            self.people(slot).await?;
            self.sources(slot).await?;
            if let Some(partition) = slot.first_of_partition() {
                self.events(partition).await?;
            }
            match slot.number() {
                0 => self.audits().await,
                _ => Ok(()),
            }
        };
        match walk.await {
            Err(StoreError::Fenced) => Ok(()),
            outcome => outcome,
        }
    }

    async fn people(&mut self, slot: Slot) -> Result<(), StoreError> {
        let shared = self.shared;
        let region = shared.placement.ownership.region();
        let mut range = KeyRange::people(region, slot);
        loop {
            let rows = shared.ports.store.range(range.clone(), PAGE).await?;
            let now_ms = shared.ports.clock.unix_ms();
            let abandoned_by = match shared.settings.formats.active() < AGENDA_SINCE {
                true => now_ms,
                false => now_ms.saturating_sub(MISSED_MS),
            };
            let audits_before = now_ms.saturating_sub(shared.settings.retention.audits_ms);
            let mut old = Vec::new();
            for (key, value) in &rows {
                match PersonPart::of(key) {
                    Some((user, PersonPart::Record)) if is_over(value, now_ms, abandoned_by) => {
                        self.person(UserId::from_bytes(user)).await;
                        self.swept.people += 1;
                    }
                    Some((_, PersonPart::Cold { kind, .. }))
                        if is_past_retention(kind, value, audits_before) =>
                    {
                        old.push(key.clone());
                    }
                    Some(_) | None => {}
                }
            }
            self.swept.dropped += drop_rows(shared, Some(slot), &old).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            range = range.after(last);
            self.pace(rows.len()).await;
        }
    }

    /// Lets the person's actor drop what is over, and waits until it has.
    async fn person(&self, user: UserId) {
        // However it came out, the next walk comes by again.
        let _ = self.people.ask(user, What::Sweep).await;
    }

    async fn sources(&mut self, slot: Slot) -> Result<(), StoreError> {
        let shared = self.shared;
        let mut range = KeyRange::throttles(shared.placement.ownership.region(), slot);
        loop {
            let rows = shared.ports.store.range(range.clone(), PAGE).await?;
            let now_ms = shared.ports.clock.unix_ms();
            let free = |(key, value): &(RowKey, bytes::Bytes)| {
                let over = sources::read_row(value).is_ok_and(|due_ms| due_ms <= now_ms);
                over.then(|| key.clone())
            };
            let free: Vec<_> = rows.iter().filter_map(free).collect();
            self.swept.dropped += drop_rows(shared, Some(slot), &free).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            range = range.after(last);
            self.pace(rows.len()).await;
        }
    }

    /// Events lie in the order of their commits: the first that is young ends
    /// the walk.
    async fn events(&mut self, partition: Partition) -> Result<(), StoreError> {
        let shared = self.shared;
        loop {
            let range = KeyRange::events(shared.placement.ownership.region(), partition);
            let rows = shared.ports.store.range(range, PAGE).await?;
            let before_ms = shared
                .ports
                .clock
                .unix_ms()
                .saturating_sub(shared.settings.retention.events_ms);
            let old = rows.iter().take_while(|(_, value)| {
                // One that cannot be read is no use to keep either.
                decode_event(value).map_or(true, |event| event.at < before_ms)
            });
            let old: Vec<_> = old.map(|(key, _)| key.clone()).collect();
            self.swept.dropped += drop_rows(shared, None, &old).await?;
            self.pace(rows.len()).await;
            if old.len() < PAGE {
                return Ok(());
            }
        }
    }

    async fn audits(&mut self) -> Result<(), StoreError> {
        let shared = self.shared;
        let now_ms = shared.ports.clock.unix_ms();
        let until_ms = now_ms.saturating_sub(shared.settings.retention.audits_ms);
        loop {
            let rows = shared
                .ports
                .store
                .range(KeyRange::audits(until_ms), PAGE)
                .await?;
            let old: Vec<_> = rows.into_iter().map(|(key, _)| key).collect();
            self.swept.dropped += drop_rows(shared, None, &old).await?;
            if old.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// Waits as long as so many rows may take.
    async fn pace(&mut self, rows: usize) {
        let rows = rows as u64;
        let (shared, swept) = (self.shared, &mut self.swept);
        swept.rows += rows;
        let per_s = u64::from(shared.bounds.limits.sweep_rows_per_s).max(1);
        let wait_ms =
            (swept.rows * 1000 / per_s).saturating_sub((swept.rows - rows) * 1000 / per_s);
        if wait_ms > 0 {
            shared.ports.clock.sleep(wait_ms).await;
        }
    }
}

/// Deletes rows, under the slot's epoch where they belong to one. How many.
///
/// # Errors
/// As the store.
pub(crate) async fn drop_rows(
    shared: &Shared,
    slot: Option<Slot>,
    keys: &[RowKey],
) -> Result<u64, StoreError> {
    if keys.is_empty() {
        return Ok(0);
    }
    let mut commit = match slot {
        Some(slot) => shared.placement.fenced(slot)?,
        None => Commit::default(),
    };
    commit.deletes.extend_from_slice(keys);
    shared.ports.store.commit(commit).await?;
    Ok(keys.len() as u64)
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
