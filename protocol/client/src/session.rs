//! Checks, refreshes, lists and ends of sessions.

use tidegate_wire::v1::{self, RevokeScope};
use tidegate_wire::{RefreshToken, Reply, SessionToken, UserId};

use crate::client::Client;
use crate::credential::granted;
use crate::decision::{CallError, Checked, Decision, Granted, Knowledge, Session};

impl Client {
    /// Asks whether a session is alive.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn check(&self, token: &SessionToken) -> Result<Decision<Checked>, CallError> {
        let read = |reply: &Reply<'_>, checked: &v1::ArchivedChecked| {
            Ok(Checked {
                user: UserId(checked.user),
                idle_expires_at: checked.idle_expires_at.to_native(),
                expires_at: checked.expires_at.to_native(),
                assurance: checked.assurance,
                knowledge: Knowledge::of(reply),
            })
        };
        self.ask_and(&token.to_message(), read).await
    }

    /// Replaces a refresh token. Presenting the same token again within 30
    /// seconds, before its successor was used, gives the identical successor.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn refresh(&self, token: &RefreshToken) -> Result<Decision<Granted>, CallError> {
        let request = v1::Refresh {
            user: token.user.0,
            session: token.session,
            family: token.family.clone(),
            secret: token.secret.clone(),
        };
        self.ask_and(&request, granted).await
    }

    /// Ends sessions; how many ended.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn revoke(
        &self,
        by: &SessionToken,
        scope: RevokeScope,
    ) -> Result<Decision<u32>, CallError> {
        let request = v1::Revoke::new(by.to_message(), scope);
        let read = |_: &Reply<'_>, answer: &v1::ArchivedRevoked| Ok(answer.count.to_native());
        self.ask_and(&request, read).await
    }

    /// Lists the person's sessions, last used first.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn sessions(&self, by: &SessionToken) -> Result<Decision<Vec<Session>>, CallError> {
        let request = v1::Sessions {
            by: by.to_message(),
        };
        let read = |_: &Reply<'_>, list: &v1::ArchivedSessionList| {
            let sessions = list.sessions.iter().map(|row| Session {
                id: row.session.to_native(),
                created_at: row.created_at.to_native(),
                used_at: row.used_at.to_native(),
                idle_expires_at: row.idle_expires_at.to_native(),
                expires_at: row.expires_at.to_native(),
                assurance: row.assurance,
            });
            Ok(sessions.collect())
        };
        self.ask_and(&request, read).await
    }
}
