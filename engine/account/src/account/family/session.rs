//! Refreshing, ending and listing sessions.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::{Away, Reply};
use crate::account::authority::Authority;
use crate::account::{Account, Step};
use crate::command::{Request, RevokeScope, SessionProof};
use crate::event::{EndReason, EventKind};
use crate::id::{DeviceId, SessionId};
use crate::record::Session;
use crate::record::v1::Outcome;
use crate::reply::{Grant, SessionInfo};
use crate::secret::Secret;
use crate::session::Liveness;

/// Refreshing, ending and listing sessions.
#[derive(Clone, Debug)]
pub enum SessionCommand {
    /// Replace a refresh token.
    Refresh {
        /// The session.
        session: SessionId,
        /// The family's secret.
        family: Secret,
        /// The token's own secret.
        token: Secret,
    },
    /// End sessions.
    Revoke {
        /// The session that asks.
        by: SessionProof,
        /// Which ones.
        scope: RevokeScope,
    },
    /// List the sessions.
    Sessions {
        /// The session that asks.
        by: SessionProof,
    },
    /// List the remembered devices.
    Devices {
        /// The session that asks.
        by: SessionProof,
    },
    /// Forget a remembered device, and end the sessions that it made.
    ForgetDevice {
        /// The session that asks.
        by: SessionProof,
        /// The device.
        device: DeviceId,
    },
}

/// The answer to a command about sessions.
#[derive(Clone, Debug)]
pub enum SessionReply {
    /// The refresh token was replaced.
    Refreshed(Grant),
    /// The person's sessions.
    Sessions(Vec<SessionInfo>),
    /// How many sessions ended.
    Revoked(u32),
    /// The remembered devices.
    Devices(Vec<DeviceInfo>),
    /// The device is forgotten; how many sessions ended.
    Forgotten(u32),
}

/// A remembered device. Times are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The device.
    pub id: DeviceId,
    /// When it was first remembered.
    pub added_at: u64,
    /// When it last signed in.
    pub used_at: u64,
    /// How many live sessions it made.
    pub sessions: u32,
}

impl SessionCommand {
    pub(super) fn authority(&self) -> Authority<'_> {
        match self {
            // The token itself is what is proven.
            SessionCommand::Refresh { .. } => Authority::Nobody,
            SessionCommand::Revoke { by, .. }
            | SessionCommand::Sessions { by }
            | SessionCommand::Devices { by }
            | SessionCommand::ForgetDevice { by, .. } => Authority::Session(by),
        }
    }

    pub(super) fn away(&self) -> Away {
        match self {
            SessionCommand::Refresh { session, .. } => Away::Keeps(*session),
            SessionCommand::Revoke { .. } => Away::Ends,
            SessionCommand::Sessions { .. }
            | SessionCommand::Devices { .. }
            | SessionCommand::ForgetDevice { .. } => Away::Unavailable,
        }
    }
}

impl SessionReply {
    pub(super) fn grant(&self) -> Option<&Grant> {
        match self {
            SessionReply::Refreshed(grant) => Some(grant),
            SessionReply::Sessions(_)
            | SessionReply::Revoked(_)
            | SessionReply::Devices(_)
            | SessionReply::Forgotten(_) => None,
        }
    }

    pub(super) fn tells_deadlines(&self) -> bool {
        match self {
            SessionReply::Refreshed(_) | SessionReply::Sessions(_) => true,
            SessionReply::Revoked(_) | SessionReply::Devices(_) | SessionReply::Forgotten(_) => {
                false
            }
        }
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self {
            SessionReply::Revoked(count) => Some(Outcome::Revoked(*count)),
            // The successor answers a repeat; a list is made anew; what is forgotten
            // stays forgotten.
            SessionReply::Refreshed(_)
            | SessionReply::Sessions(_)
            | SessionReply::Devices(_)
            | SessionReply::Forgotten(_) => None,
        }
    }
}

impl Account {
    pub(super) fn session(
        &mut self,
        request: Request,
        command: SessionCommand,
        step: &mut Step<'_>,
    ) {
        match command {
            SessionCommand::Refresh {
                session,
                family,
                token,
            } => {
                let reply = self.refresh(&request, session, &family, &token, step);
                step.reply(request.ticket, reply);
            }
            SessionCommand::Revoke { by, scope } => {
                let reply = self.revoke(&request, by.session, scope, step);
                self.settle(&request, reply, step);
            }
            SessionCommand::Sessions { .. } => {
                let reply = self.list(step);
                step.reply(request.ticket, reply);
            }
            SessionCommand::Devices { .. } => {
                let reply = SessionReply::Devices(self.devices(step));
                step.reply(request.ticket, Reply::Session(reply));
            }
            SessionCommand::ForgetDevice { device, .. } => {
                let reply = SessionReply::Forgotten(self.forget_device(device, step));
                step.reply(request.ticket, Reply::Session(reply));
            }
        }
    }

    /// The remembered devices, last used first.
    fn devices(&self, step: &Step<'_>) -> Vec<DeviceInfo> {
        let Some((check, sealed)) = self.parts() else {
            return Vec::new();
        };
        let live = |session: &&Session| {
            let liveness = session.expiry().liveness(step.now_ms);
            matches!(liveness, Liveness::Active { .. })
        };
        let devices = sealed.devices.iter().map(|device| {
            let sessions = check.sessions.iter().filter(live);
            let made = sessions.filter(|session| session.device == device.id);
            DeviceInfo {
                id: DeviceId(device.id),
                added_at: device.added_at,
                used_at: device.used_at,
                sessions: u32::try_from(made.count()).unwrap_or(u32::MAX),
            }
        });
        let mut devices: Vec<DeviceInfo> = devices.collect();
        devices.sort_by_key(|one| Reverse((one.used_at, one.added_at, one.id.0)));
        devices
    }

    /// Forgets a device and ends its sessions: a person who removes a lost phone
    /// expects it to be signed out. One that is not remembered changes nothing.
    fn forget_device(&mut self, device: DeviceId, step: &mut Step<'_>) -> u32 {
        let Some(person) = &mut self.person else {
            return 0;
        };
        let known = person.sealed.devices.len();
        person.sealed.devices.retain(|one| one.id != device.0);
        if person.sealed.devices.len() == known {
            return 0;
        }
        step.change();
        let made = |session: &mut Session| session.device() == Some(device);
        let mut count = 0;
        for session in person.check.sessions.extract_if(.., made) {
            count += 1;
            step.event(EventKind::SessionEnded(session.id, EndReason::Revoked));
        }
        count
    }
}
