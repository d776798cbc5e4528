//! Parts that a job needs, loaded before it is done. Jobs behind it wait, and what
//! is read is what the account stands on: nothing is under way when it is read,
//! and when something changed meanwhile it is read again.

use std::sync::Arc;

use tidegate_account::{Input, Part, TenantId};
use tidegate_storage_api::StoreError;

use super::PersonState;
use super::phase::{Phase, Ready};
use super::subject::Subject;
use crate::answer::{Answer, Failure};
use crate::job::{Job, Wanted};
use crate::person::Message;
use crate::person::parts::{self, PartRow};

/// The job that waits for parts, if one does.
#[derive(Default)]
pub(super) struct Fetches {
    waiting: Option<Fetching>,
    /// How often parts were read.
    reads: u64,
}

/// A job that waits for its parts.
struct Fetching {
    job: Job,
    wanted: Wanted,
    reading: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// Not begun, until everything that was decided is durable.
    Not,
    /// Under way since the account was at this revision.
    Since { read: u64, revision: u64 },
}

impl Fetches {
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    pub(super) fn wait(&mut self, job: Job, wanted: Wanted) {
        self.waiting = Some(Fetching {
            job,
            wanted,
            reading: Reading::Not,
        });
    }

    /// The job that waits for parts cannot have them.
    pub(super) fn refuse(&mut self, failure: Failure, epoch: u64) {
        if let Some(Fetching { job, .. }) = self.waiting.take() {
            refuse(job, failure, epoch);
        }
    }

    /// Reads the parts that the job waits for, of an account at this revision.
    fn begin(&mut self, subject: &Subject, revision: u64) {
        let (Some(fetching), Some(home)) = (&mut self.waiting, subject.home) else {
            return;
        };
        if fetching.reading != Reading::Not {
            return;
        }
        let wanted = fetching.wanted;
        self.reads += 1;
        let read = self.reads;
        fetching.reading = Reading::Since { read, revision };
        let shared = Arc::clone(&subject.shared);
        subject.begin(async move {
            let rows = parts::read(&shared.ports, home, wanted).await;
            Message::Parts { read, rows }
        });
    }

    /// The job whose parts were read, if the account is still at the revision that
    /// it was at then; otherwise they are read again.
    fn take(&mut self, read: u64, revision: Option<u64>) -> Option<(Job, Wanted)> {
        let Fetching {
            job,
            wanted,
            reading,
        } = self.waiting.take()?;
        let known = match reading {
            Reading::Since { read: mine, .. } if mine != read => {
                // One that was given up; the newer one is still to come.
                self.waiting = Some(Fetching {
                    job,
                    wanted,
                    reading,
                });
                return None;
            }
            Reading::Since { revision, .. } => Some(revision),
            Reading::Not => None,
        };
        if revision.is_none() || known != revision {
            self.wait(job, wanted);
            return None;
        }
        Some((job, wanted))
    }
}

impl PersonState {
    /// Reads the parts that the job in front waits for, once nothing of the
    /// person waits to be durable.
    pub(super) fn fetch(&mut self) {
        if matches!(self.phase, Phase::Ready(_)) && self.commits.is_settled() {
            self.fetches.begin(&self.subject, self.phase.revision());
        }
    }

    pub(super) fn fetched(&mut self, read: u64, rows: Result<Vec<PartRow>, StoreError>) {
        let opened = self.phase.opened();
        let revision = opened.map(|ready| ready.account.revision());
        let Some((job, wanted)) = self.fetches.take(read, revision) else {
            return;
        };
        let opened = rows.and_then(|rows| open(&self.subject, &self.phase, &rows));
        match opened {
            Ok(parts) => match (job.what.command(), wanted) {
                (Some(_), Wanted::All(kind)) => {
                    self.input(Input::Parts(kind, parts));
                    self.job(job, &[]);
                }
                (Some(_) | None, Wanted::All(_) | Wanted::One(_)) => self.job(job, &parts),
            },
            Err(error) => {
                let failure = match error {
                    StoreError::Corrupt => Failure::Corrupt,
                    StoreError::Fenced => self.subject.not_owner(),
                    StoreError::Conflict
                    | StoreError::Overtaken
                    | StoreError::Unavailable
                    | StoreError::CommitUnknown
                    | StoreError::TooLarge => Failure::Unavailable,
                };
                refuse(job, failure, self.subject.epoch);
            }
        }
    }
}

/// Opens what was read. Where there is no account there are no parts.
fn open(subject: &Subject, phase: &Phase, rows: &[PartRow]) -> Result<Vec<Part>, StoreError> {
    let Some(Ready { account, key }) = phase.opened() else {
        return Ok(Vec::new());
    };
    let (Some((check, _)), Some(key)) = (account.parts(), key) else {
        return Ok(Vec::new());
    };
    let (cpu, tenant) = (&*subject.shared.ports.cpu, TenantId(check.tenant));
    let opened = parts::open(cpu, tenant, subject.user, key, rows);
    opened.map_err(|_| {
        tracing::error!(event = "person.corrupt", user = %subject.user);
        StoreError::Corrupt
    })
}

fn refuse(job: Job, failure: Failure, epoch: u64) {
    if let Some(responder) = job.responder {
        responder.answer(Answer::Failed(failure), epoch);
    }
}
