//! Parts that a job needs, loaded before it is done. Jobs behind it wait, and what
//! is read is what the account stands on: nothing is under way when it is read,
//! and when something changed meanwhile it is read again.

use std::sync::Arc;

use tidegate_account::TenantId;
use tidegate_storage_api::StoreError;

use super::{PersonState, Phase};
use crate::answer::{Answer, Failure};
use crate::job::Job;
use crate::person::Message;
use crate::person::parts::{self, PartRow};

/// A job that waits for its parts.
pub(super) struct Fetching {
    job: Job,
    reading: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// Not begun, until everything that was decided is durable.
    Not,
    /// Under way since the account was at this revision.
    Since { read: u64, revision: u64 },
}

impl Fetching {
    pub(super) fn new(job: Job) -> Fetching {
        Fetching {
            job,
            reading: Reading::Not,
        }
    }
}

impl PersonState {
    /// Reads the parts that the job in front waits for, once nothing of the
    /// person waits to be durable.
    pub(super) fn fetch(&mut self) {
        let revision = self.revision();
        let settled = self.under_way.is_none() && self.draft.is_empty();
        let (Some(fetching), Some(home)) = (&mut self.fetching, self.home) else {
            return;
        };
        let ready = matches!(self.phase, Phase::Ready { .. }) && settled;
        if !ready || fetching.reading != Reading::Not {
            return;
        }
        let Some(wanted) = fetching.job.what.wanted() else {
            return;
        };
        self.fetches += 1;
        let read = self.fetches;
        fetching.reading = Reading::Since { read, revision };
        let (shared, myself) = (Arc::clone(&self.shared), self.myself.clone());
        tokio::spawn(async move {
            let rows = parts::read(&shared.ports, home, wanted).await;
            let _ = myself.send_message(Message::Parts { read, rows });
        });
    }

    pub(super) fn fetched(&mut self, read: u64, rows: Result<Vec<PartRow>, StoreError>) {
        let Some(Fetching { job, reading }) = self.fetching.take() else {
            return;
        };
        let known = match reading {
            Reading::Since { read: mine, .. } if mine != read => {
                // One that was given up; the newer one is still to come.
                self.fetching = Some(Fetching { job, reading });
                return;
            }
            Reading::Since { revision, .. } => Some(revision),
            Reading::Not => None,
        };
        let ready = matches!(self.phase, Phase::Ready { .. });
        if !ready || known != Some(self.revision()) {
            self.fetching = Some(Fetching::new(job));
            return;
        }
        let opened = rows.and_then(|rows| self.open_parts(&rows));
        match opened {
            Ok(parts) => self.job(job, &parts),
            Err(error) => {
                self.fetching = Some(Fetching::new(job));
                self.fetch_failed(match error {
                    StoreError::Corrupt => Failure::Corrupt,
                    StoreError::Fenced => Failure::NotOwner(self.user.slot()),
                    StoreError::Conflict
                    | StoreError::Overtaken
                    | StoreError::Unavailable
                    | StoreError::CommitUnknown
                    | StoreError::TooLarge => Failure::Unavailable,
                });
            }
        }
    }

    /// Nobody's parts are none.
    fn open_parts(&self, rows: &[PartRow]) -> Result<Vec<tidegate_account::Part>, StoreError> {
        let Phase::Ready { account, key } = &self.phase else {
            return Ok(Vec::new());
        };
        let (Some((check, _)), Some(key)) = (account.parts(), key) else {
            return Ok(Vec::new());
        };
        let tenant = TenantId(check.tenant);
        let opened = parts::open(&*self.shared.ports.cpu, tenant, self.user, key, rows);
        opened.map_err(|_| {
            tracing::error!(event = "person.corrupt", user = %self.user);
            StoreError::Corrupt
        })
    }

    /// The job that waits for parts cannot have them.
    pub(super) fn fetch_failed(&mut self, failure: Failure) {
        let Some(Fetching { job, .. }) = self.fetching.take() else {
            return;
        };
        if let Some(responder) = job.responder {
            responder.answer(Answer::Failed(failure), self.epoch);
        }
    }
}
