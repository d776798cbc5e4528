//! Group commit: one thread, one sync for all commits that wait for it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fjall::PersistMode;
use tidegate_storage_api::{Commit, Stamp, StoreError};
use tokio::sync::oneshot;

use crate::group::Group;
use crate::mark::MarkFile;
use crate::rows::{GroupWrites, MetaError, Rows};

/// How many commits may wait; a further one is refused as `Unavailable`.
const COMMITS_WAITING_MAX: usize = 16_384;
/// How many commits one group takes, which bounds the memory of a group.
const GROUP_MAX: usize = 4_096;
/// After how long without a commit the mark is made durable.
const MARK_IDLE: Duration = Duration::from_millis(100);

/// When a group is synced and when its commits are acknowledged. The wrong
/// orders exist in tests alone, which show that they lose commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncOrder {
    SyncThenAcknowledge,
    #[cfg(test)]
    NeverSync,
    #[cfg(test)]
    AcknowledgeThenSync,
    /// The disk fails at the first write.
    #[cfg(test)]
    Fail,
}

type Acknowledgement = oneshot::Sender<Result<Stamp, StoreError>>;

struct Request {
    commit: Commit,
    acknowledge: Acknowledgement,
}

pub(crate) struct Writer {
    groups_written: Arc<AtomicU64>,
    failed: Arc<AtomicBool>,
    fault: Arc<OnceLock<io::ErrorKind>>,
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(rows: Arc<Rows>, mark: MarkFile, order: SyncOrder) -> io::Result<Writer> {
        let (requests, waiting) = sync_channel(COMMITS_WAITING_MAX);
        let mut thread = CommitThread::new(rows, mark, order)?;
        let groups_written = Arc::clone(&thread.groups_written);
        let failed = Arc::clone(&thread.failed);
        let fault = Arc::clone(&thread.fault);
        let thread = thread::Builder::new()
            .name("store-write".into())
            .spawn(move || thread.work(&waiting))?;
        Ok(Writer {
            groups_written,
            failed,
            fault,
            requests: Some(requests),
            thread: Some(thread),
        })
    }

    pub(crate) fn health(&self) -> Health {
        match self.failed.load(Ordering::Acquire) {
            true => Health::Failed,
            false => Health::Good,
        }
    }

    /// What the system said when a write failed.
    pub(crate) fn fault(&self) -> Option<io::ErrorKind> {
        self.fault.get().copied()
    }

    pub(crate) fn groups_written(&self) -> u64 {
        self.groups_written.load(Ordering::Relaxed)
    }

    pub(crate) fn submit(
        &self,
        commit: Commit,
    ) -> Result<oneshot::Receiver<Result<Stamp, StoreError>>, StoreError> {
        let (acknowledge, acknowledged) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or(StoreError::Unavailable)?;
        let request = Request {
            commit,
            acknowledge,
        };
        match requests.try_send(request) {
            Ok(()) => Ok(acknowledged),
            // Never taken up, so nothing was written.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                Err(StoreError::Unavailable)
            }
        }
    }
}

impl Drop for Writer {
    /// Waits until every commit taken up is durable and acknowledged.
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has already answered its commits as unknown.
            let _ = thread.join();
        }
    }
}

/// Whether a store takes commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Good,
    /// An I/O error happened: what is on disk is not known any more, so it
    /// takes none until it is opened again. Reads go on.
    Failed,
}

struct CommitThread {
    rows: Arc<Rows>,
    mark: MarkFile,
    groups_written: Arc<AtomicU64>,
    order: SyncOrder,
    generation: u32,
    sequence: u64,
    failed: Arc<AtomicBool>,
    fault: Arc<OnceLock<io::ErrorKind>>,
}

impl CommitThread {
    fn new(rows: Arc<Rows>, mark: MarkFile, order: SyncOrder) -> io::Result<CommitThread> {
        let unreadable = |error: MetaError| io::Error::other(format!("{error:?}"));
        let generation = rows.generation().map_err(unreadable)?;
        let sequence = rows.sequence().map_err(unreadable)?;
        Ok(CommitThread {
            rows,
            mark,
            groups_written: Arc::default(),
            order,
            generation,
            sequence,
            failed: Arc::default(),
            fault: Arc::default(),
        })
    }

    fn work(&mut self, waiting: &Receiver<Request>) {
        while let Some(first) = self.next(waiting) {
            let mut requests = vec![first];
            while requests.len() < GROUP_MAX {
                match waiting.try_recv() {
                    Ok(next) => requests.push(next),
                    Err(_) => break,
                }
            }
            self.write_group(requests);
        }
    }

    /// The next commit. The mark is made durable whenever nothing comes for a
    /// moment, and at the end: commits never wait for it.
    fn next(&mut self, waiting: &Receiver<Request>) -> Option<Request> {
        if let Ok(request) = waiting.recv_timeout(MARK_IDLE) {
            return Some(request);
        }
        if let Err(error) = self.mark.sync() {
            tracing::error!(event = "store.mark_failed", %error);
            let _ = self.fault.set(error.kind());
            self.failed.store(true, Ordering::Release);
        }
        waiting.recv().ok()
    }

    fn write_group(&mut self, requests: Vec<Request>) {
        if self.failed.load(Ordering::Acquire) {
            let refused = requests.into_iter().map(|request| request.acknowledge);
            return answer(refused.map(|sender| (sender, Err(StoreError::Unavailable))));
        }
        let rows = Arc::clone(&self.rows);
        let mut group = Group::new(&rows, self.generation, self.sequence);
        let mut decided = Vec::with_capacity(requests.len());
        for request in requests {
            decided.push((request.acknowledge, group.decide(request.commit)));
        }
        if group.sequence() == self.sequence {
            return answer(decided.into_iter());
        }
        self.sequence = group.sequence();
        #[cfg(test)]
        if self.order == SyncOrder::AcknowledgeThenSync {
            answer(decided.drain(..));
        }
        if let Err(error) = self.write(&group) {
            tracing::error!(event = "store.write_failed", %error);
            let kind = match &error {
                fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
                    error.kind()
                }
                _ => io::ErrorKind::Other,
            };
            // Only the first one says why.
            let _ = self.fault.set(kind);
            self.failed.store(true, Ordering::Release);
            for (_, outcome) in &mut decided {
                *outcome = outcome.and(Err(StoreError::CommitUnknown));
            }
        }
        answer(decided.into_iter());
    }

    fn write(&mut self, group: &Group<'_>) -> Result<(), fjall::Error> {
        let sync = match self.order {
            SyncOrder::SyncThenAcknowledge => Some(PersistMode::SyncAll),
            #[cfg(test)]
            SyncOrder::NeverSync => Some(PersistMode::Buffer),
            #[cfg(test)]
            SyncOrder::AcknowledgeThenSync => Some(PersistMode::Buffer),
            #[cfg(test)]
            SyncOrder::Fail => return Err(fjall::Error::Poisoned),
        };
        self.rows.write(GroupWrites {
            rows: &mut group.changed().iter(),
            sequence: group.sequence(),
            sync,
        })?;
        self.mark.advance(group.sequence(), self.rows.newest())?;
        self.groups_written.fetch_add(1, Ordering::Relaxed);
        #[cfg(test)]
        if self.order == SyncOrder::AcknowledgeThenSync {
            self.rows.persist()?;
        }
        Ok(())
    }
}

fn answer(outcomes: impl Iterator<Item = (Acknowledgement, Result<Stamp, StoreError>)>) {
    for (acknowledge, outcome) in outcomes {
        // The caller may be gone; the commit stands all the same.
        let _ = acknowledge.send(outcome);
    }
}
