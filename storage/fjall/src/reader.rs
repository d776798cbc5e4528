//! Reads, on a bounded pool of threads of their own.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tidegate_storage_api::StoreError;
use tokio::sync::oneshot;

use crate::rows::Rows;

/// How many reads may wait; a further one is refused as `Unavailable`.
const READS_WAITING_MAX: usize = 16_384;

type Job = Box<dyn FnOnce(&Rows) + Send>;

pub(crate) struct Reader {
    jobs: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Reader {
    pub(crate) fn start(rows: Arc<Rows>, threads: usize) -> io::Result<Reader> {
        let (jobs, waiting) = sync_channel(READS_WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        let spawn = |number| {
            let (rows, waiting) = (Arc::clone(&rows), Arc::clone(&waiting));
            thread::Builder::new()
                .name(format!("store-read-{number}"))
                .spawn(move || work(&rows, &waiting))
        };
        let threads = (0..threads.max(1)).map(spawn);
        Ok(Reader {
            threads: threads.collect::<io::Result<_>>()?,
            jobs: Some(jobs),
        })
    }

    pub(crate) fn submit<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Rows) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |rows| {
            if !answer.is_closed() {
                // The asker may leave while the read runs: nothing to tell then.
                let _ = answer.send(read(rows));
            }
        });
        let jobs = self.jobs.as_ref().ok_or(StoreError::Unavailable)?;
        match jobs.try_send(job) {
            Ok(()) => Ok(answered),
            Err(_) => Err(StoreError::Unavailable),
        }
    }
}

impl Drop for Reader {
    /// Waits for the threads, so that the folder is free when the store is gone.
    fn drop(&mut self) {
        drop(self.jobs.take());
        for thread in self.threads.drain(..) {
            // A panic there has left its asker without an answer already.
            let _ = thread.join();
        }
    }
}

fn work(rows: &Rows, waiting: &Mutex<Receiver<Job>>) {
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        match next {
            Ok(job) => job(rows),
            Err(_) => return,
        }
    }
}
