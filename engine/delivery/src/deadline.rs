//! Our own deadline around whatever talks to others: no library's own is relied on.

use std::future::Future;
use std::pin::pin;

use futures_util::future::{Either, select};
use tidegate_runtime::ports::Clock;

/// It took too long, and was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLate;

/// What `work` comes to within so long. Afterwards it is dropped where it stands, and
/// its connection with it.
pub(crate) async fn within<T>(
    clock: &dyn Clock,
    deadline_ms: u64,
    work: impl Future<Output = T>,
) -> Result<T, TooLate> {
    match select(pin!(work), clock.sleep(deadline_ms)).await {
        Either::Left((outcome, _)) => Ok(outcome),
        Either::Right(((), _)) => Err(TooLate),
    }
}
