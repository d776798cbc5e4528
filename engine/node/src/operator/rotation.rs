//! Rotating keys while people are served. The new key is added and takes what
//! is written from then on; a walk renews every person; only then does the old
//! key go. How far the walk is lies in a row, so a restart goes on with it.

use std::sync::atomic::{AtomicBool, Ordering};

use metrics::{Gauge, gauge};
use serde_json::{Value, json};
use tidegate_account::TenantId;
use tidegate_runtime::{IndexKey, Master, Rekeyed};
use tidegate_storage_api::{Commit, Key as RowKey, Slot, StoreError, SystemPart};

use super::tenant::tenant_key;
use super::{Operator, OperatorError, OrderOutcome, no};
use crate::deployment::{
    DeploymentError, KeyKind, RotationRow, StoreRow, TenantRow, make_key, store_row,
    tenant_context, write,
};
use crate::hex::{hex, unhex};

/// How long commits that were prepared under the old key may still be under
/// way when the walk begins.
const SETTLE_MS: u64 = 5_000;
/// How long until a store that did not answer is asked again.
const ASK_AGAIN_MS: u64 = 1_000;
/// How often a slot is tried before its people count as failed.
const TRIES: u32 = 3;
/// After so many slots the walk's place is written down.
const NOTE_EVERY: u16 = 32;
/// Keys of each kind; their numbers only grow.
const NUMBER_MAX: u32 = 60_000;

/// Whether a walk is under way in this process.
pub(crate) struct Walk {
    under_way: AtomicBool,
    slots_left: Gauge,
}

impl Default for Walk {
    fn default() -> Walk {
        Walk {
            under_way: AtomicBool::new(false),
            slots_left: gauge!("tidegate_rotation_slots_left"),
        }
    }
}

/// How far a rotation is, of how much.
fn shown(row: &RotationRow) -> Value {
    json!({
        "key": row.key,
        "slots_done": row.next_slot,
        "slots": Slot::all().count(),
        "people": row.people,
        "failed": row.failed,
        "started_at": row.started_at,
    })
}

impl Operator {
    pub(super) async fn keys_rotate(
        &self,
        by: &str,
        key: KeyKind,
    ) -> Result<OrderOutcome, OperatorError> {
        if self.member.is_some() {
            let message = "the nodes of a cluster do not hand new keys to each other yet";
            return Ok(no("not_clustered", message));
        }
        if let Some(row) = self.rotation().await? {
            if row.key != key {
                let message = format!("a rotation of {:?} is under way", row.key);
                return Ok(no("rotation_under_way", message));
            }
            self.walk_on();
            return Ok(OrderOutcome::Done(json!({ "rotation": shown(&row) })));
        }
        if key == KeyKind::Deployment {
            return self.rotate_deployment(by).await;
        }
        let row = RotationRow {
            key,
            next_slot: 0,
            people: 0,
            failed: 0,
            started_at: self.clock.unix_ms(),
        };
        let commit = Commit::default().put(rotation_key(), write(&row).ok_or(OperatorError::Row)?);
        let commit = self.audited(commit, by, "keys.rotate", kind_name(key))?;
        match key {
            KeyKind::Index => self.add_index_key(commit).await?,
            KeyKind::Pepper => self.add_pepper(commit).await?,
            KeyKind::Tenant | KeyKind::Deployment => self.add_tenant_keys(commit).await?,
        }
        self.walk_on();
        Ok(OrderOutcome::Done(json!({ "rotation": shown(&row) })))
    }

    pub(super) async fn keys_status(&self) -> Result<OrderOutcome, OperatorError> {
        let row = store_row(self.store()).await?;
        Ok(OrderOutcome::Done(json!({
            "master": row.master.number,
            "index": numbers(&row.index),
            "pepper": numbers(&row.pepper),
            "rotation": self.rotation().await?.as_ref().map(shown),
        })))
    }

    /// Goes on with a rotation that an earlier process did not finish, as soon as
    /// the store tells whether there is one.
    pub(crate) fn resume(&self) {
        let operator = self.clone();
        self.actors.spawn(async move {
            loop {
                match operator.rotation().await {
                    Ok(None) => return,
                    Ok(Some(_)) => return operator.walk_on(),
                    Err(OperatorError::Store(StoreError::Unavailable)) => {
                        tracing::warn!(event = "store.awaited");
                    }
                    Err(error) => {
                        return tracing::error!(event = "rotation.not_resumed", %error);
                    }
                }
                operator.clock.sleep(ASK_AGAIN_MS).await;
            }
        });
    }

    pub(super) async fn rotation(&self) -> Result<Option<RotationRow>, OperatorError> {
        self.row(SystemPart::Rotation, "the rotation").await
    }

    async fn add_index_key(&self, commit: Commit) -> Result<(), OperatorError> {
        let mut row = store_row(self.store()).await?;
        let number = next(&row.index)?;
        let folder = &self.deployment.folder;
        let (key, key_ref) = make_key(folder, "index", number, &*self.entropy)?;
        row.index.push(key_ref);
        self.put_store_row(commit, &row).await?;
        let version = u16::try_from(number).map_err(|_| OperatorError::Row)?;
        self.deployment.index_keys.add(IndexKey { version, key });
        Ok(())
    }

    async fn add_pepper(&self, commit: Commit) -> Result<(), OperatorError> {
        let mut row = store_row(self.store()).await?;
        let number = next(&row.pepper)?;
        let folder = &self.deployment.folder;
        let (key, key_ref) = make_key(folder, "pepper", number, &*self.entropy)?;
        row.pepper.push(key_ref);
        self.put_store_row(commit, &row).await?;
        self.deployment.peppers.add(number, key);
        for tenant in self.tenant_rows().await? {
            self.serve_tenant(&tenant).await?;
        }
        Ok(())
    }

    async fn add_tenant_keys(&self, mut commit: Commit) -> Result<(), OperatorError> {
        let mut rows = self.tenant_rows().await?;
        for row in &mut rows {
            let fresh = self.fresh_tenant_key(&row.name)?;
            row.wrapped_keys.insert(0, fresh);
            commit = commit.put(tenant_key(&row.name), write(row).ok_or(OperatorError::Row)?);
        }
        self.store().commit(commit).await?;
        self.serve_all(&rows).await
    }

    /// The master key wraps tenants' keys alone: one commit renews them.
    async fn rotate_deployment(&self, by: &str) -> Result<OrderOutcome, OperatorError> {
        let mut store = store_row(self.store()).await?;
        let number = store.master.number + 1;
        let folder = &self.deployment.folder;
        let (key, key_ref) = make_key(folder, "master", number, &*self.entropy)?;
        let old = self.deployment.master();
        let new = tidegate_runtime::LocalMaster::new(key.clone());
        let mut commit = Commit::default();
        for mut row in self.tenant_rows().await? {
            let context = tenant_context(TenantId::of_name(&row.name));
            for text in &mut row.wrapped_keys {
                let unreadable = || DeploymentError::Row(format!("tenant {}", row.name));
                let wrapped = unhex(text).ok_or_else(unreadable)?;
                let opened = old.unwrap(&context, &wrapped);
                let opened = opened.map_err(|_| unreadable())?;
                let mut nonce = [0; 24];
                nonce.copy_from_slice(&self.entropy.seed()[..24]);
                let wrapped = new.wrap(&context, nonce, &opened);
                *text = hex(&wrapped.map_err(|_| OperatorError::Seal)?.0);
            }
            commit = commit.put(
                tenant_key(&row.name),
                write(&row).ok_or(OperatorError::Row)?,
            );
        }
        let retired = std::mem::replace(&mut store.master, key_ref).number;
        let commit = self.audited(commit, by, "keys.rotate", "deployment")?;
        self.put_store_row(commit, &store).await?;
        self.deployment.set_master(key);
        Ok(OrderOutcome::Done(
            json!({ "master": number, "retired": retired }),
        ))
    }

    async fn put_store_row(&self, commit: Commit, row: &StoreRow) -> Result<(), OperatorError> {
        let key = RowKey::system(SystemPart::Store);
        let commit = commit.put(key, write(row).ok_or(OperatorError::Row)?);
        self.store().commit(commit).await?;
        Ok(())
    }

    async fn serve_all(&self, rows: &[TenantRow]) -> Result<(), OperatorError> {
        for row in rows {
            self.serve_tenant(row).await?;
        }
        Ok(())
    }

    fn walk_on(&self) {
        if self.walk.under_way.swap(true, Ordering::AcqRel) {
            return;
        }
        let operator = self.clone();
        self.actors.spawn(async move {
            if let Err(error) = operator.walk_all().await {
                tracing::error!(event = "rotation.stopped", %error);
            }
            operator.walk.under_way.store(false, Ordering::Release);
        });
    }

    async fn walk_all(&self) -> Result<(), OperatorError> {
        let Some(mut row) = self.rotation().await? else {
            return Ok(());
        };
        self.clock.sleep(SETTLE_MS).await;
        let first = row.next_slot;
        for slot in Slot::all().filter(|slot| slot.number() >= first) {
            let rekeyed = self.walk_slot(slot).await?;
            row.people += rekeyed.people;
            row.failed += rekeyed.failed;
            row.next_slot = slot.number() + 1;
            let left = Slot::all().count() - usize::from(row.next_slot);
            self.walk
                .slots_left
                .set(u32::try_from(left).map_or(0.0, f64::from));
            if row.next_slot % NOTE_EVERY == 0 {
                self.note(&row).await?;
            }
        }
        let _alone = self.one_at_a_time.lock().await;
        match row.failed {
            0 => self.finish(&row).await,
            failed => {
                tracing::error!(event = "rotation.incomplete", failed);
                // The old key stays; the next order walks again.
                row.next_slot = 0;
                row.failed = 0;
                self.note(&row).await
            }
        }
    }

    async fn walk_slot(&self, slot: Slot) -> Result<Rekeyed, OperatorError> {
        let mut rekeyed = Rekeyed::default();
        for attempt in 0..TRIES {
            if attempt > 0 {
                self.clock.sleep(1_000).await;
            }
            rekeyed = self.engine.rekey(slot).await?;
            if rekeyed.failed == 0 {
                break;
            }
        }
        Ok(rekeyed)
    }

    async fn note(&self, row: &RotationRow) -> Result<(), OperatorError> {
        let bytes = write(row).ok_or(OperatorError::Row)?;
        let commit = Commit::default().put(rotation_key(), bytes);
        self.store().commit(commit).await?;
        Ok(())
    }

    /// Every person is renewed: the old key goes. (Old peppers stay known: a
    /// password that was being hashed meanwhile may still lie under one.)
    async fn finish(&self, row: &RotationRow) -> Result<(), OperatorError> {
        let commit = Commit::default().delete(rotation_key());
        match row.key {
            KeyKind::Index => {
                let mut store = store_row(self.store()).await?;
                let old = store.index.len().saturating_sub(1);
                store.index.drain(..old);
                self.put_store_row(commit, &store).await?;
                self.deployment.index_keys.retire();
            }
            KeyKind::Tenant => {
                let mut commit = commit;
                let mut rows = self.tenant_rows().await?;
                for tenant in &mut rows {
                    tenant.wrapped_keys.truncate(1);
                    let bytes = write(tenant).ok_or(OperatorError::Row)?;
                    commit = commit.put(tenant_key(&tenant.name), bytes);
                }
                self.store().commit(commit).await?;
                self.serve_all(&rows).await?;
            }
            KeyKind::Pepper | KeyKind::Deployment => {
                self.store().commit(commit).await?;
            }
        }
        let ms = self.clock.unix_ms().saturating_sub(row.started_at);
        let key = kind_name(row.key);
        tracing::info!(event = "rotation.finished", key, people = row.people, ms);
        Ok(())
    }
}

fn rotation_key() -> RowKey {
    RowKey::system(SystemPart::Rotation)
}

fn numbers(keys: &[crate::deployment::KeyRef]) -> Vec<u32> {
    keys.iter().map(|key| key.number).collect()
}

fn next(keys: &[crate::deployment::KeyRef]) -> Result<u32, OperatorError> {
    let newest = keys.last().map_or(0, |key| key.number);
    match newest < NUMBER_MAX {
        true => Ok(newest + 1),
        false => Err(OperatorError::Row),
    }
}

fn kind_name(key: KeyKind) -> &'static str {
    match key {
        KeyKind::Index => "index",
        KeyKind::Pepper => "pepper",
        KeyKind::Tenant => "tenant",
        KeyKind::Deployment => "deployment",
    }
}
