//! Checks, refreshes, lists and ends of sessions.

use tidegate_account::{
    Command, RevokeScope, Secret, SessionCommand, SessionId, SessionInfo, SessionProof, TenantId,
    UserId,
};
use tidegate_runtime::{Ask, Checked, Task};
use tidegate_wire::{ArchivedSecretBytes, RequestHead, v1};

use super::NotTaken;

pub(crate) fn to_ask(check: &v1::ArchivedCheck, head: &RequestHead) -> Ask {
    Ask {
        tenant: TenantId(head.tenant),
        user: UserId::from_bytes(check.user),
        session: SessionId(check.session.to_native()),
        secret: secret(&check.secret),
        max_age_ms: head.max_age_ms,
    }
}

pub(super) fn to_refresh(body: &v1::ArchivedRefresh) -> Task {
    Task::Account {
        user: UserId::from_bytes(body.user),
        command: Command::Session(SessionCommand::Refresh {
            session: SessionId(body.session.to_native()),
            family: secret(&body.family),
            token: secret(&body.secret),
        }),
    }
}

pub(super) fn to_revoke(body: &v1::ArchivedRevoke) -> Result<Task, NotTaken> {
    let scope = match body.scope()? {
        v1::RevokeScope::This => RevokeScope::This,
        v1::RevokeScope::One(id) => RevokeScope::One(SessionId(id)),
        v1::RevokeScope::Others => RevokeScope::Others,
        v1::RevokeScope::All => RevokeScope::All,
    };
    let by = proof(&body.by);
    Ok(Task::Account {
        user: UserId::from_bytes(body.by.user),
        command: Command::Session(SessionCommand::Revoke { by, scope }),
    })
}

pub(super) fn to_list(body: &v1::ArchivedSessions) -> Task {
    let by = proof(&body.by);
    Task::Account {
        user: UserId::from_bytes(body.by.user),
        command: Command::Session(SessionCommand::Sessions { by }),
    }
}

/// What proves a session, of a token.
pub(super) fn proof(check: &v1::ArchivedCheck) -> SessionProof {
    SessionProof {
        session: SessionId(check.session.to_native()),
        secret: secret(&check.secret),
    }
}

pub(super) fn secret(bytes: &ArchivedSecretBytes) -> Secret {
    Secret::new(bytes.0)
}

pub(crate) fn checked(checked: &Checked) -> v1::Checked {
    v1::Checked {
        user: *checked.user.as_bytes(),
        idle_expires_at: checked.idle_expires_at,
        expires_at: checked.expires_at,
        assurance: checked.assurance,
        methods: checked.methods,
    }
}

pub(crate) fn revoked(count: u32) -> v1::Revoked {
    v1::Revoked { count }
}

pub(crate) fn list(sessions: &[SessionInfo]) -> v1::SessionList {
    let sessions = sessions.iter().map(|session| v1::SessionRow {
        session: session.id.0,
        created_at: session.created_at,
        used_at: session.used_at,
        idle_expires_at: session.idle_expires_at,
        expires_at: session.expires_at,
        assurance: session.assurance,
        methods: session.methods,
    });
    v1::SessionList {
        sessions: sessions.collect(),
    }
}
