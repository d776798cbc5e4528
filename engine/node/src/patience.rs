//! Waiting at the start for what will be there: for the store, however slow it
//! is, and for a folder that a command has open for a moment.

use tidegate_runtime::ports::Clock;

use crate::serve::ServeError;

/// How long until a store that did not answer is asked again.
const ASK_AGAIN_MS: u64 = 1_000;
/// How long a folder may be in use by another process. A command is done by
/// then; a node is not.
const IN_USE_MS: u64 = 5_000;
/// How often it is looked whether it still is.
const LOOK_MS: u64 = 100;

/// Does what needs the store again and again until the store answers. None when
/// `ended` came first.
pub(crate) async fn patiently<T>(
    clock: &dyn Clock,
    mut ended: impl AsyncFnMut(),
    mut once: impl AsyncFnMut() -> Result<T, ServeError>,
) -> Result<Option<T>, ServeError> {
    loop {
        tokio::select! {
            biased;
            () = ended() => return Ok(None),
            outcome = once() => match outcome {
                Err(error) if error.is_away() => {}
                outcome => return outcome.map(Some),
            }
        }
        tracing::warn!(event = "store.awaited");
        tokio::select! {
            biased;
            () = ended() => return Ok(None),
            () = clock.sleep(ASK_AGAIN_MS) => {}
        }
    }
}

/// Opens what another process may have open for a moment.
pub(crate) async fn when_free<T>(
    clock: &dyn Clock,
    mut open: impl FnMut() -> Result<T, ServeError>,
) -> Result<T, ServeError> {
    let until_ms = clock.monotonic_ms().saturating_add(IN_USE_MS);
    loop {
        match open() {
            Err(error) if error.is_in_use() && clock.monotonic_ms() < until_ms => {}
            outcome => return outcome,
        }
        tracing::debug!(event = "folder.awaited");
        clock.sleep(LOOK_MS).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tidegate_runtime::ports::PortFuture;
    use tidegate_storage_api::StoreError;
    use tidegate_storage_fjall::OpenError;

    use super::*;
    use crate::backend::BackendError;
    use crate::deployment::DeploymentError;

    /// A clock on which every wait is over at once.
    #[derive(Default)]
    struct Jumping(AtomicU64);

    impl Clock for Jumping {
        fn unix_ms(&self) -> u64 {
            self.monotonic_ms()
        }

        fn monotonic_ms(&self) -> u64 {
            self.0.load(Ordering::SeqCst)
        }

        fn sleep(&self, ms: u64) -> PortFuture<()> {
            self.0.fetch_add(ms, Ordering::SeqCst);
            Box::pin(std::future::ready(()))
        }
    }

    const AWAY: StoreError = StoreError::Unavailable;

    #[tokio::test]
    async fn whichever_read_of_the_start_fails_it_is_done_again() {
        // A start that reads four times; each of the reads is slow once.
        let mut reads = 0;
        let mut slow = vec![0, 2, 5, 9];
        let clock = Jumping::default();
        let started = patiently(
            &clock,
            async || std::future::pending::<()>().await,
            async || {
                for _ in 0..4 {
                    let read = reads;
                    reads += 1;
                    if slow.first() == Some(&read) {
                        slow.remove(0);
                        return Err(ServeError::from(DeploymentError::Store(AWAY)));
                    }
                }
                Ok("started")
            },
        );
        assert_eq!(started.await.unwrap(), Some("started"));
        assert_eq!(clock.monotonic_ms(), 4 * ASK_AGAIN_MS);
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_at_once_and_a_signal_ends_the_wait() {
        let clock = Jumping::default();
        let newer = patiently(
            &clock,
            async || std::future::pending::<()>().await,
            async || {
                let (needed, reads) = (3, 2);
                Err::<(), _>(ServeError::from(DeploymentError::Newer { needed, reads }))
            },
        );
        let text = newer.await.unwrap_err().to_string();
        assert!(text.contains("written in version 3"), "{text}");
        assert_eq!(clock.monotonic_ms(), 0);
        let ended = patiently(
            &clock,
            async || {},
            async || Err::<(), _>(ServeError::Store(AWAY)),
        );
        assert_eq!(ended.await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_folder_may_be_in_use_for_a_moment_and_not_for_longer() {
        let in_use = || BackendError::Embedded(OpenError::InUse("store".into()));
        let clock = Jumping::default();
        let mut tries = 0;
        let opened = when_free(&clock, || {
            tries += 1;
            match tries {
                1..=10 => Err(ServeError::from(in_use())),
                _ => Ok("open"),
            }
        });
        assert_eq!(opened.await.unwrap(), "open");
        let never = when_free(&clock, || Err::<(), _>(ServeError::from(in_use()))).await;
        let text = never.unwrap_err().to_string();
        assert_eq!(text, "the store in store is in use by another process");
        assert_eq!(clock.monotonic_ms(), 10 * LOOK_MS + IN_USE_MS);
    }
}
