//! Checks, refreshes, lists and ends of sessions.

use bytes::BytesMut;
use tidegate_account::{
    Command, DeviceId, DeviceInfo, RevokeScope, SessionCommand, SessionId, SessionInfo,
    SessionReply, TenantId, UserId,
};
use tidegate_runtime::{Ask, Checked, Task};
use tidegate_wire::{ReplyHead, RequestHead, v1};

use super::credential::granted;
use super::token::{proof, secret};
use super::work::{NotTaken, ToWork, Work};
use crate::answers::frame::say;
use crate::rights::Gateway;

pub(crate) fn to_ask(check: &v1::ArchivedCheck, head: &RequestHead) -> Ask {
    Ask {
        tenant: TenantId(head.tenant),
        user: UserId::from_bytes(check.user),
        session: SessionId(check.session.to_native()),
        secret: secret(&check.secret),
        max_age_ms: head.max_age_ms,
    }
}

impl ToWork for v1::ArchivedCheck {
    fn to_work(&self, head: &RequestHead, _: &Gateway) -> Result<Work<'_>, NotTaken> {
        Ok(Work::Task(Task::Check(to_ask(self, head))))
    }
}

impl ToWork for v1::ArchivedRefresh {
    fn to_work(&self, _: &RequestHead, _: &Gateway) -> Result<Work<'_>, NotTaken> {
        let command = SessionCommand::Refresh {
            session: SessionId(self.session.to_native()),
            family: secret(&self.family),
            token: secret(&self.secret),
        };
        Ok(of_account(self.user, command))
    }
}

impl ToWork for v1::ArchivedRevoke {
    fn to_work(&self, _: &RequestHead, _: &Gateway) -> Result<Work<'_>, NotTaken> {
        let scope = match self.scope()? {
            v1::RevokeScope::This => RevokeScope::This,
            v1::RevokeScope::One(id) => RevokeScope::One(SessionId(id)),
            v1::RevokeScope::Others => RevokeScope::Others,
            v1::RevokeScope::All => RevokeScope::All,
        };
        let by = proof(&self.by);
        Ok(of_account(
            self.by.user,
            SessionCommand::Revoke { by, scope },
        ))
    }
}

impl ToWork for v1::ArchivedSessions {
    fn to_work(&self, _: &RequestHead, _: &Gateway) -> Result<Work<'_>, NotTaken> {
        let by = proof(&self.by);
        Ok(of_account(self.by.user, SessionCommand::Sessions { by }))
    }
}

impl ToWork for v1::ArchivedDevices {
    fn to_work(&self, _: &RequestHead, _: &Gateway) -> Result<Work<'_>, NotTaken> {
        let by = proof(&self.by);
        Ok(of_account(self.by.user, SessionCommand::Devices { by }))
    }
}

impl ToWork for v1::ArchivedForgetDevice {
    fn to_work(&self, _: &RequestHead, _: &Gateway) -> Result<Work<'_>, NotTaken> {
        let by = proof(&self.by);
        let device = DeviceId(self.device.to_native());
        let command = SessionCommand::ForgetDevice { by, device };
        Ok(of_account(self.by.user, command))
    }
}

fn of_account(user: [u8; 16], command: SessionCommand) -> Work<'static> {
    Work::Task(Task::Account {
        user: UserId::from_bytes(user),
        command: Command::Session(command),
    })
}

/// Appends the frame of a yes.
pub(crate) fn write(out: &mut BytesMut, head: &ReplyHead, reply: &SessionReply) {
    match reply {
        SessionReply::Refreshed(grant) => say(out, head, &granted(grant)),
        SessionReply::Sessions(sessions) => say(out, head, &list(sessions)),
        SessionReply::Revoked(count) => say(out, head, &revoked(*count)),
        SessionReply::Devices(devices) => say(out, head, &device_list(devices)),
        SessionReply::Forgotten(sessions) => {
            let sessions = *sessions;
            say(out, head, &v1::Forgotten { sessions });
        }
    }
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

fn list(sessions: &[SessionInfo]) -> v1::SessionList {
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

fn device_list(devices: &[DeviceInfo]) -> v1::DeviceList {
    let devices = devices.iter().map(|device| v1::DeviceRow {
        device: device.id.0,
        added_at: device.added_at,
        used_at: device.used_at,
        sessions: device.sessions,
    });
    v1::DeviceList {
        devices: devices.collect(),
    }
}
