//! The status of accounts and their end (the gateway needs the admin plane).

use tidegate_wire::v1::{self, StatusChange};
use tidegate_wire::{Reply, UserId};

use crate::client::Client;
use crate::decision::{CallError, Decision};

impl Client {
    /// Opens or closes an account.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn set_status(
        &self,
        user: UserId,
        change: StatusChange,
    ) -> Result<Decision<()>, CallError> {
        let request = v1::SetStatus {
            user: user.0,
            change: change.number(),
        };
        let read = |_: &Reply<'_>, _: &v1::ArchivedStatusSet| Ok(());
        self.ask_and(&request, read).await
    }

    /// Erases a person, whose id leads nowhere from then on: since when, in Unix
    /// milliseconds. A person who is erased already is told as erased since then.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn erase(&self, user: UserId) -> Result<Decision<u64>, CallError> {
        let request = v1::Erase { user: user.0 };
        let read = |_: &Reply<'_>, erased: &v1::ArchivedErased| Ok(erased.at.to_native());
        self.ask_and(&request, read).await
    }
}
