//! Renewing every person after a key was rotated: a walk over all people, while
//! they are served, that can begin anywhere and be repeated without harm.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tidegate_account::record::{Corrupt, View};
use tidegate_account::{Status, UserId};
use tidegate_storage_api::{KeyRange, PersonPart, Slot, StoreError};
use tokio::sync::oneshot;

use crate::answer::Answer;
use crate::job::What;
use crate::people::People;

const PAGE: usize = 1_024;

/// What renewing one slot came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// People whose rows are under the newest keys now.
    pub people: u64,
    /// People who could not be renewed: read the log, mend, and walk again.
    pub failed: u64,
}

/// Renews every person of a slot: index hashes, the password's encryption,
/// and the wrapping of the person's own key.
///
/// # Errors
/// As the store, when it cannot be walked.
pub(crate) async fn rekey(people: &People, slot: Slot) -> Result<Rekeyed, StoreError> {
    let shared = people.shared();
    let mut range = KeyRange::people(shared.placement.ownership.region(), slot);
    let mut walk = Walk::default();
    loop {
        let rows = shared.ports.store.range(range.clone(), PAGE).await?;
        for (key, value) in &rows {
            let Some((user, PersonPart::Record)) = PersonPart::of(key) else {
                continue;
            };
            match View::new(value).map(|view| view.status()) {
                Ok(Status::Decoy) => {}
                Ok(Status::Active | Status::Locked | Status::Suspended) => {
                    walk.start(people, UserId::from_bytes(user)).await;
                }
                // A record that cannot be read is no reason to stop.
                Err(Corrupt) => walk.rekeyed.failed += 1,
            }
        }
        let Some((last, _)) = rows.last() else {
            break;
        };
        range = range.after(last);
    }
    Ok(walk.finish().await)
}

#[derive(Default)]
struct Walk {
    under_way: FuturesUnordered<oneshot::Receiver<Answer>>,
    rekeyed: Rekeyed,
}

impl Walk {
    async fn start(&mut self, people: &People, user: UserId) {
        let most = people.shared().bounds.limits.rekeys_at_once.max(1);
        while self.under_way.len() >= most {
            self.next().await;
        }
        self.under_way.push(people.ask(user, What::Rekey));
    }

    async fn next(&mut self) {
        if let Some(answer) = self.under_way.next().await {
            match answer {
                Ok(Answer::Done) => self.rekeyed.people += 1,
                Ok(
                    Answer::Reply(_)
                    | Answer::Checked(_)
                    | Answer::DegradedDecision { .. }
                    | Answer::Failed(_),
                )
                | Err(_) => self.rekeyed.failed += 1,
            }
        }
    }

    async fn finish(mut self) -> Rekeyed {
        while !self.under_way.is_empty() {
            self.next().await;
        }
        self.rekeyed
    }
}
