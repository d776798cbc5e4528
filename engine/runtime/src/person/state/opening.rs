//! Opening a person: from the warm form, or from storage.

use std::sync::Arc;

use tidegate_account::record::{Corrupt, View};
use tidegate_account::{Account, ERASURE_BYTES, Erasure, Input, Late, Status};
use tidegate_storage_api::StoreError;

use super::PersonState;
use super::phase::Phase;
use super::subject::Subject;
use crate::admission::Counted;
use crate::answer::Failure;
use crate::person::Message;
use crate::person::load::{self, Loaded, Opened};
use crate::placement::Standing;
use crate::seal::{WRAPPED_BYTES, WrappedKey};

/// A refresh token that was replaced no longer ago than this, and is read from the
/// store, may never have been answered: the node that committed that may have ended
/// before, and no other knows.
const UNSURE_MS: u64 = 60 * 60 * 1000;

impl PersonState {
    /// Opens the warm form, or reads the person from storage.
    pub(super) fn load(&mut self) {
        let activation = self.activation.take();
        let not_owner = self.subject.not_owner();
        let shared = Arc::clone(&self.subject.shared);
        let user = self.subject.user;
        let Some(epoch) = shared.placement.ownership.epoch_of(user) else {
            return self.phase = Phase::Refused(not_owner);
        };
        self.subject.epoch = epoch;
        let warm = shared.memory.directory.with_warm(user, |warm| {
            (warm.epoch == epoch).then(|| (warm.record().to_vec(), warm.key()))
        });
        match (warm.flatten(), self.subject.home) {
            (Some((record, WrappedKey::NONE)), _) => {
                let opened = self.subject.open_decoy(&record);
                self.decoy(opened);
            }
            (Some((record, key)), _) => {
                let opened = self.subject.open(&record, key);
                self.opened(opened.map_err(|_| StoreError::Corrupt));
            }
            (None, None) => self.phase = Phase::Refused(not_owner),
            (None, Some(home)) => {
                self.phase = Phase::Loading;
                shared.meters.loads.increment(1);
                // A person who was warm a moment ago is read without asking.
                let activations = &shared.bounds.admission.activations;
                let counted = activation.unwrap_or_else(|| Counted::count(activations));
                self.subject.begin(async move {
                    let loaded = load::load(&shared.ports, home).await;
                    drop(counted);
                    Message::Loaded(loaded)
                });
            }
        }
    }

    pub(super) fn loaded(&mut self, loaded: Result<Loaded, StoreError>) {
        if self.subject.standing() == Standing::NotOwner {
            return self.load();
        }
        match loaded {
            // Whatever else is there is of an older copy of the store.
            Ok(Loaded { key: Some(key), .. }) if key.len() == ERASURE_BYTES => {
                match Erasure::decode(&key) {
                    Ok(erasure) => self.no_account(Account::erased(self.subject.user, erasure)),
                    Err(Corrupt) => self.opened(Err(StoreError::Corrupt)),
                }
            }
            Ok(Loaded { record: None, .. }) => self.absent(),
            Ok(Loaded {
                record: Some(record),
                key: Some(key),
            }) => {
                let opened = self.subject.open_loaded(&record, &key);
                self.opened(opened);
            }
            Ok(Loaded {
                record: Some(record),
                key: None,
            }) if is_decoy(&record) => {
                let opened = self.subject.open_decoy(&record);
                // What is in clear is believed when it opened, and not before.
                if opened.is_ok() {
                    self.subject.publish(record.to_vec(), WrappedKey::NONE);
                }
                self.decoy(opened);
            }
            // A record whose key is destroyed is no account any more.
            Ok(Loaded { key: None, .. }) => self.opened(Err(StoreError::Corrupt)),
            Err(error) => self.opened(Err(error)),
        }
    }

    /// There is no account yet.
    fn absent(&mut self) {
        self.no_account(Account::absent(self.subject.user));
    }

    fn no_account(&mut self, account: Account) {
        self.phase = Phase::ready(account, None);
    }

    /// One that no key opens any more counts afresh: its tenant's keys have
    /// been rotated since.
    fn decoy(&mut self, opened: Result<Opened, Corrupt>) {
        match opened {
            Ok(opened) => self.opened(Ok(opened)),
            Err(Corrupt) => self.absent(),
        }
    }

    fn opened(&mut self, opened: Result<Opened, StoreError>) {
        match opened {
            Ok(Opened { account, key }) => {
                self.replies.set_durable(account.revision());
                self.phase = Phase::ready(account, Some(key));
                if let Some(late) = self.subject.late_of() {
                    self.input(Input::Late(late));
                }
            }
            Err(StoreError::Corrupt) => {
                tracing::error!(event = "person.corrupt", user = %self.subject.user);
                self.subject.forget();
                self.phase = Phase::Refused(Failure::Corrupt);
            }
            Err(_) => self.phase = Phase::Refused(Failure::Unavailable),
        }
    }
}

impl Subject {
    pub(super) fn open(&self, record: &[u8], wrapped: WrappedKey) -> Result<Opened, Corrupt> {
        let (cpu, tenants) = (&*self.shared.ports.cpu, &self.shared.settings.tenants);
        load::open(cpu, tenants, self.user, record, wrapped)
    }

    fn open_decoy(&self, record: &[u8]) -> Result<Opened, Corrupt> {
        let (cpu, tenants) = (&*self.shared.ports.cpu, &self.shared.settings.tenants);
        load::open_decoy(cpu, tenants, self.user, record)
    }

    /// Opens what was read from storage, and makes it warm.
    fn open_loaded(&self, record: &[u8], key: &[u8]) -> Result<Opened, StoreError> {
        let wrapped = <[u8; WRAPPED_BYTES]>::try_from(key).map_err(|_| StoreError::Corrupt)?;
        let opened = self.open(record, WrappedKey(wrapped));
        let opened = opened.map_err(|_| StoreError::Corrupt)?;
        for hash in opened.account.held() {
            self.shared.memory.lookups.remember(&hash, self.user);
        }
        self.publish(record.to_vec(), WrappedKey(wrapped));
        self.unsure(&opened.account);
        Ok(opened)
    }

    /// A caller that presents the last token now gets its successor, if that has not
    /// been used, for the usual time from now on.
    fn unsure(&self, account: &Account) {
        let landed = self.now_ms();
        let since = landed.saturating_sub(UNSURE_MS);
        if account.rotated_since(since) {
            self.late(Late { since, landed });
        }
    }
}

fn is_decoy(record: &[u8]) -> bool {
    View::new(record).is_ok_and(|view| view.status() == Status::Decoy)
}
