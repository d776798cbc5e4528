//! A host that is too busy to answer breaks no promise: a call without an answer
//! is repeated, with its key, until there is one or patience ends.

use thiserror::Error;
use tidegate_client::{CallError, Code, Decision};
use tidegate_runtime::ports::Clock;

/// A repeat finds what was done under its key for five minutes.
const PATIENCE_MS: u64 = 240_000;
/// The viewer is told this often.
const SAID_EVERY_MS: u64 = 30_000;
/// Between two tries, unless the node says when.
const PAUSE_MS: u64 = 1_000;
const PAUSE_MAX_MS: u64 = 5_000;

/// Whether a claim holds is not known.
#[derive(Debug, Error)]
#[error("{what} was not answered within {} s", PATIENCE_MS / 1_000)]
pub(super) struct NotAnswered {
    what: String,
}

/// The answer to a call. `waits` is told, now and then, that there is none yet.
///
/// # Errors
/// [`NotAnswered`], or what no patience mends.
pub(super) async fn patiently<T, F>(
    clock: &impl Clock,
    what: &str,
    waits: impl Fn(&str),
    call: impl Fn() -> F,
) -> anyhow::Result<Decision<T>>
where
    F: Future<Output = Result<Decision<T>, CallError>>,
{
    let began_ms = clock.monotonic_ms();
    let mut said_ms = began_ms;
    loop {
        let pause_ms = match call().await {
            // Too many at once is no answer to what was asked.
            Ok(Decision::No(refusal)) if refusal.code == Code::Throttled => {
                refusal.retry_after_ms.map_or(PAUSE_MS, u64::from)
            }
            Ok(answer) => return Ok(answer),
            Err(CallError::NotDone { retry_after_ms, .. }) => u64::from(retry_after_ms),
            Err(
                CallError::Unreachable | CallError::NoAnswer { .. } | CallError::Unknown { .. },
            ) => PAUSE_MS,
            Err(
                error @ (CallError::WrongRegion { .. }
                | CallError::Refused { .. }
                | CallError::BadAnswer
                | CallError::TooLarge
                | CallError::NoRandomness),
            ) => return Err(anyhow::Error::new(error).context(what.to_owned())),
        };
        let now_ms = clock.monotonic_ms();
        if now_ms - began_ms >= PATIENCE_MS {
            let what = what.to_owned();
            return Err(NotAnswered { what }.into());
        }
        if now_ms - said_ms >= SAID_EVERY_MS {
            said_ms = now_ms;
            waits(what);
        }
        clock.sleep(pause_ms.clamp(PAUSE_MS, PAUSE_MAX_MS)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use tidegate_client::Refusal;
    use tidegate_runtime::ports::PortFuture;

    use super::*;

    /// Advances when a task sleeps.
    #[derive(Clone, Default)]
    struct Hands(Arc<AtomicU64>);

    impl Clock for Hands {
        fn unix_ms(&self) -> u64 {
            self.monotonic_ms()
        }

        fn monotonic_ms(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        fn sleep(&self, ms: u64) -> PortFuture<()> {
            self.0.fetch_add(ms, Ordering::Relaxed);
            Box::pin(std::future::ready(()))
        }
    }

    type Answer = Result<Decision<u32>, CallError>;

    /// The outcome of a call that gives these answers one after the other, the
    /// last again and again; when it came, and how often the viewer was told.
    fn asked(answers: &[Answer]) -> (anyhow::Result<Decision<u32>>, u64, u64) {
        let (clock, tries, told) = (Hands::default(), AtomicU64::new(0), AtomicU64::new(0));
        let call = || {
            let place = tries.fetch_add(1, Ordering::Relaxed) as usize;
            let answer = answers[place.min(answers.len() - 1)].clone();
            std::future::ready(answer)
        };
        let waits = |what: &str| {
            assert_eq!(what, "sign-in");
            told.fetch_add(1, Ordering::Relaxed);
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let outcome = runtime
            .unwrap()
            .block_on(patiently(&clock, "sign-in", waits, call));
        let told = told.load(Ordering::Relaxed);
        (outcome, clock.monotonic_ms(), told)
    }

    #[test]
    fn a_call_without_an_answer_is_repeated_until_there_is_one() {
        let busy = Err(CallError::NotDone {
            code: Code::Busy,
            retry_after_ms: 3_000,
        });
        let lost = Err(CallError::Unknown {
            code: Code::Unknown,
        });
        let throttled = Ok(Decision::No(Refusal {
            code: Code::Throttled,
            retry_after_ms: Some(60_000),
        }));
        let none = Err(CallError::Unreachable);
        let (outcome, at_ms, told) = asked(&[none, busy, lost, throttled, Ok(Decision::Yes(7))]);
        assert!(matches!(outcome, Ok(Decision::Yes(7))), "{outcome:?}");
        assert_eq!((at_ms, told), (1_000 + 3_000 + 1_000 + 5_000, 0));
    }

    #[test]
    fn a_no_is_an_answer_and_what_no_patience_mends_is_said_at_once() {
        let no = Refusal {
            code: Code::InvalidCredentials,
            retry_after_ms: None,
        };
        let (outcome, at_ms, _) = asked(&[Ok(Decision::No(no))]);
        assert!(matches!(outcome, Ok(Decision::No(refusal)) if refusal == no));
        assert_eq!(at_ms, 0);
        let (outcome, at_ms, _) = asked(&[Err(CallError::BadAnswer)]);
        let refused = outcome.unwrap_err();
        assert!(!refused.is::<NotAnswered>(), "{refused:#}");
        assert_eq!((format!("{refused}").as_str(), at_ms), ("sign-in", 0));
    }

    #[test]
    fn patience_ends_and_whoever_watches_is_told_meanwhile() {
        let (outcome, at_ms, told) = asked(&[Err(CallError::Unreachable)]);
        let refused = outcome.unwrap_err();
        assert!(refused.is::<NotAnswered>(), "{refused:#}");
        assert_eq!(refused.to_string(), "sign-in was not answered within 240 s");
        assert_eq!((at_ms, told), (PATIENCE_MS, 7));
    }
}
