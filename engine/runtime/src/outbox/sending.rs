//! One try: the port, and how long it may take.

use std::sync::Arc;

use futures_util::future::{Either, select};
use tidegate_account::{Outgoing, UserId, outgoing_id};

use crate::people::People;
use crate::ports::{Letter, Sent};

/// How long one try may take, whatever the port does.
pub(super) const TRY_MS: u64 = 10_000;

/// What one try came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    Delivered,
    /// It will never be.
    Refused,
    /// It was not, or it is not known whether it was.
    Failed,
}

impl People {
    pub(super) async fn send(&self, user: UserId, number: u64, outgoing: &Outgoing) -> Tried {
        let shared = self.shared();
        let letter = Letter {
            id: outgoing_id(user, number),
            user,
            outgoing: outgoing.clone(),
        };
        let delivery = Arc::clone(&shared.ports.delivery);
        // On a task of its own: a port that panics fails this try and nothing else.
        let sent = tokio::spawn(async move { delivery.send(letter).await });
        match select(sent, shared.ports.clock.sleep(TRY_MS)).await {
            Either::Left((Ok(Sent::Delivered), _)) => Tried::Delivered,
            Either::Left((Ok(Sent::Refused), _)) => Tried::Refused,
            Either::Left((Ok(Sent::Failed) | Err(_), _)) => Tried::Failed,
            Either::Right(((), sent)) => {
                sent.abort();
                Tried::Failed
            }
        }
    }
}
