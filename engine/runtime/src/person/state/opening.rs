//! Opening a person: from the warm form, or from storage.

use std::sync::Arc;

use tidegate_account::record::{Corrupt, View};
use tidegate_account::{Account, ERASURE_BYTES, Erasure, Input, Late, Status};
use tidegate_storage_api::StoreError;

use super::{PersonState, Phase};
use crate::admission::Counted;
use crate::answer::Failure;
use crate::person::Message;
use crate::person::load::{self, Loaded, Opened};
use crate::placement::Standing;
use crate::seal::{WRAPPED_BYTES, WrappedKey};

/// Who replaced a refresh token no longer ago than this, and is read from the
/// store, may never have been answered: whoever committed that may have gone
/// before, and nobody here knows.
const UNSURE_MS: u64 = 60 * 60 * 1000;

impl PersonState {
    /// Opens the warm form, or reads the person from storage.
    pub(super) fn load(&mut self) {
        let activation = self.activation.take();
        let not_owner = Failure::NotOwner(self.user.slot());
        let Some(epoch) = self.shared.placement.ownership.epoch_of(self.user) else {
            return self.phase = Phase::Refused(not_owner);
        };
        self.epoch = epoch;
        let shared = Arc::clone(&self.shared);
        let warm = shared.memory.directory.with_warm(self.user, |warm| {
            (warm.epoch == epoch).then(|| (warm.record().to_vec(), warm.key()))
        });
        match (warm.flatten(), self.home) {
            (Some((record, WrappedKey::NONE)), _) => {
                let opened = load::open_decoy(
                    &*shared.ports.cpu,
                    &shared.settings.tenants,
                    self.user,
                    &record,
                );
                self.decoy(opened);
            }
            (Some((record, key)), _) => {
                let opened = load::open(
                    &*shared.ports.cpu,
                    &shared.settings.tenants,
                    self.user,
                    &record,
                    key,
                );
                self.opened(opened.map_err(|_| StoreError::Corrupt));
            }
            (None, None) => self.phase = Phase::Refused(not_owner),
            (None, Some(home)) => {
                self.phase = Phase::Loading;
                self.shared.meters.loads.increment(1);
                let myself = self.myself.clone();
                // Whoever was warm a moment ago is read without asking.
                let counted = activation
                    .unwrap_or_else(|| Counted::count(&shared.bounds.admission.activations));
                tokio::spawn(async move {
                    let loaded = load::load(&shared.ports, home).await;
                    drop(counted);
                    let _ = myself.send_message(Message::Loaded(loaded));
                });
            }
        }
    }

    pub(super) fn loaded(&mut self, loaded: Result<Loaded, StoreError>) {
        if self.shared.placement.standing(self.user, self.epoch) == Standing::NotOwner {
            return self.load();
        }
        match loaded {
            // Whatever else is there is of an older copy of the store.
            Ok(Loaded { key: Some(key), .. }) if key.len() == ERASURE_BYTES => {
                match Erasure::decode(&key) {
                    Ok(erasure) => self.nobody(Account::erased(self.user, erasure)),
                    Err(Corrupt) => self.opened(Err(StoreError::Corrupt)),
                }
            }
            Ok(Loaded { record: None, .. }) => self.absent(),
            Ok(Loaded {
                record: Some(record),
                key: Some(key),
            }) => {
                let opened = self.open_loaded(&record, &key);
                self.opened(opened);
            }
            Ok(Loaded {
                record: Some(record),
                key: None,
            }) if is_decoy(&record) => {
                let opened = load::open_decoy(
                    &*self.shared.ports.cpu,
                    &self.shared.settings.tenants,
                    self.user,
                    &record,
                );
                // What is in clear is believed when it opened, and not before.
                if opened.is_ok() {
                    self.publish(record.to_vec(), WrappedKey::NONE);
                }
                self.decoy(opened);
            }
            // A record whose key is destroyed is nobody's any more.
            Ok(Loaded { key: None, .. }) => self.opened(Err(StoreError::Corrupt)),
            Err(error) => self.opened(Err(error)),
        }
    }

    /// Nobody is here yet.
    fn absent(&mut self) {
        self.nobody(Account::absent(self.user));
    }

    fn nobody(&mut self, account: Account) {
        self.phase = Phase::Ready {
            account: Box::new(account),
            key: None,
        };
    }

    /// One that no key opens any more counts afresh: its tenant's keys have
    /// been rotated since.
    fn decoy(&mut self, opened: Result<Opened, Corrupt>) {
        match opened {
            Ok(opened) => self.opened(Ok(opened)),
            Err(Corrupt) => self.absent(),
        }
    }

    fn open_loaded(&mut self, record: &[u8], key: &[u8]) -> Result<Opened, StoreError> {
        let wrapped = <[u8; WRAPPED_BYTES]>::try_from(key).map_err(|_| StoreError::Corrupt)?;
        let opened = load::open(
            &*self.shared.ports.cpu,
            &self.shared.settings.tenants,
            self.user,
            record,
            WrappedKey(wrapped),
        );
        let opened = opened.map_err(|_| StoreError::Corrupt)?;
        for hash in opened.account.held() {
            self.shared.memory.lookups.remember(&hash, self.user);
        }
        self.publish(record.to_vec(), WrappedKey(wrapped));
        self.unsure(&opened.account);
        Ok(opened)
    }

    /// Whoever presents the last token now gets its successor, if nobody has used
    /// that, for the usual time from now on.
    fn unsure(&self, account: &Account) {
        let landed = self.shared.ports.clock.unix_ms();
        let since = landed.saturating_sub(UNSURE_MS);
        if account.rotated_since(since) {
            self.shared.memory.late(self.user, Late { since, landed });
        }
    }

    fn opened(&mut self, opened: Result<Opened, StoreError>) {
        match opened {
            Ok(opened) => {
                self.durable = opened.account.revision();
                self.phase = Phase::Ready {
                    account: Box::new(opened.account),
                    key: Some(opened.key),
                };
                if let Some(late) = self.shared.memory.late_of(self.user) {
                    self.input(Input::Late(late));
                }
            }
            Err(StoreError::Corrupt) => {
                tracing::error!(event = "person.corrupt", user = %self.user);
                self.shared.memory.directory.forget(self.user);
                self.phase = Phase::Refused(Failure::Corrupt);
            }
            Err(_) => self.phase = Phase::Refused(Failure::Unavailable),
        }
    }
}

fn is_decoy(record: &[u8]) -> bool {
    View::new(record).is_ok_and(|view| view.status() == Status::Decoy)
}
