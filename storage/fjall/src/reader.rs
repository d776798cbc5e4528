//! Reads, on a bounded pool of threads of their own.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tidegate_storage_api::StoreError;
use tokio::sync::oneshot;

use crate::rows::Rows;

/// How many reads may wait; a further one is refused as `Unavailable`.
const READS_WAITING_MAX: usize = 16_384;

type Job = Box<dyn FnOnce(&Rows) + Send>;

pub(crate) struct Reader {
    jobs: SyncSender<Job>,
}

impl Reader {
    pub(crate) fn start(rows: Arc<Rows>, threads: usize) -> io::Result<Reader> {
        let (jobs, waiting) = sync_channel(READS_WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..threads.max(1) {
            let (rows, waiting) = (Arc::clone(&rows), Arc::clone(&waiting));
            thread::Builder::new()
                .name(format!("store-read-{number}"))
                .spawn(move || work(&rows, &waiting))?;
        }
        Ok(Reader { jobs })
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
        match self.jobs.try_send(job) {
            Ok(()) => Ok(answered),
            Err(_) => Err(StoreError::Unavailable),
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
