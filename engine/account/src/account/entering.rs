//! Establishing a session for a person who has proven to be the account's.

use super::{Person, Step};
use crate::assurance::{
    Assurance, Entry, KeyStorage, Level, Method, Proof, Proofs, Shown, UserVerification,
};
use crate::command::{DeviceProof, Remember};
use crate::device::{self, Lane};
use crate::digest::SecretHash;
use crate::event::{EndReason, EventKind};
use crate::id::{DeviceId, SessionId, UserId};
use crate::record::{SESSIONS_MAX, Session};
use crate::refresh::{refresh_secret, session_secret};
use crate::reply::Grant;
use crate::secret::Secret;
use crate::session::Liveness;

/// The bit in a session's methods that says that the account was recovered.
const RECOVERED: u8 = 1 << 7;

/// How a session comes about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entering {
    lane: Lane,
    remember: Remember,
    assurance: u8,
    methods: u8,
}

impl Entering {
    /// By the account's password.
    pub(super) fn by_password(lane: Lane, remember: Remember) -> Entering {
        Entering {
            lane,
            remember,
            assurance: Level::One as u8,
            methods: bit(Method::Password),
        }
    }

    /// By what a flow proved.
    pub(super) fn by_flow(
        proofs: &Proofs,
        entry: Entry,
        (lane, remember): (Lane, Remember),
    ) -> Entering {
        let assurance = proofs.assurance(entry);
        let level = assurance.map_or(Level::One, |Assurance { level, .. }| level);
        let methods = proofs.iter().map(|proof| bit(proof.shown.method()));
        let entered = match entry {
            Entry::Authentication => 0,
            Entry::Recovery => RECOVERED,
        };
        Entering {
            lane,
            remember,
            assurance: level as u8,
            methods: methods.fold(entered, |all, one| all | one),
        }
    }
}

/// Methods are stored by one bit each.
fn bit(method: Method) -> u8 {
    1 << (method.number() - 1)
}

impl Person {
    pub(super) fn establish_session(&mut self, entering: &Entering, step: &mut Step<'_>) -> Grant {
        self.prune(step);
        self.make_room(step);
        let device = self.device(entering, step);
        let family = Secret::new(step.entropy.bytes());
        let id = step.entropy.number();
        let refresh = refresh_secret(&family, id, step.now_ms, step.entropy.bytes());
        let policy = &step.policy.session;
        let expires_at = step.now_ms.saturating_add(policy.lifetime_ms);
        let session = Session {
            id,
            secret_hash: SecretHash::of_session(&session_secret(&family)).0,
            created_at: step.now_ms,
            used_at: step.now_ms,
            idle_ms: policy.idle_ms,
            expires_at,
            assurance: entering.assurance,
            methods: entering.methods,
            device: match (&device, entering.lane) {
                (Some(device), _) => device.id.0,
                (None, Lane::Device(DeviceId(id))) => id,
                (None, Lane::UnknownDevice) => 0,
            },
            refresh_hash: SecretHash::of_refresh(&refresh).0,
            rotated: None,
        };
        let idle_expires_at = session.idle_expires_at(step.now_ms);
        let grant = Grant {
            user: UserId::from_bytes(self.check.user),
            session: SessionId(session.id),
            family,
            refresh,
            idle_expires_at,
            expires_at,
            assurance: session.assurance,
            methods: session.methods,
            device,
        };
        step.event(EventKind::SignedIn(session.id, session.methods));
        self.check.sessions.push(session);
        grant
    }

    /// At the limit the least recently used session ends.
    pub(super) fn make_room(&mut self, step: &mut Step<'_>) {
        while self.check.sessions.len() >= SESSIONS_MAX {
            let sessions = self.check.sessions.iter().enumerate();
            let Some((oldest, _)) = sessions.min_by_key(|(_, session)| session.used_at) else {
                return;
            };
            let session = self.check.sessions.remove(oldest);
            step.event(EventKind::SessionEnded(session.id, EndReason::Evicted));
        }
    }

    /// A known device starts afresh; an unknown one is remembered if it asks.
    fn device(&mut self, entering: &Entering, step: &mut Step<'_>) -> Option<DeviceProof> {
        match (entering.lane, entering.remember) {
            (Lane::Device(id), _) => {
                self.sealed.guesses_mut(entering.lane).forget();
                self.sealed.use_device(id, step.now_ms);
                None
            }
            (Lane::UnknownDevice, Remember::Nothing) => None,
            (Lane::UnknownDevice, Remember::Device) => {
                let devices = &mut self.sealed.devices;
                let device = device::remember(devices, step.now_ms, &mut step.entropy)?;
                step.event(EventKind::DeviceAdded(device.id.0));
                Some(device)
            }
        }
    }
}

impl Session {
    /// Whether the account was recovered by it.
    pub(super) fn is_recovered(&self) -> bool {
        self.methods & RECOVERED != 0
    }

    /// What was proven for it, as far as it says: by which methods, all at its
    /// beginning.
    pub(super) fn proofs(&self) -> Proofs {
        let mut proofs = Proofs::default();
        let methods = Method::ALL.into_iter();
        for method in methods.filter(|method| self.methods & bit(*method) != 0) {
            let shown = match method {
                Method::Password => Shown::Password,
                Method::Passkey => {
                    let alone = self.assurance >= Level::Two as u8;
                    let verified = match alone {
                        true => UserVerification::Verified,
                        false => UserVerification::Present,
                    };
                    Shown::Passkey(verified, KeyStorage::Unknown)
                }
                Method::EmailCode => Shown::EmailCode,
                Method::SmsCode => Shown::SmsCode,
                Method::Link => Shown::Link,
                Method::Totp => Shown::Totp,
                Method::RecoveryCode => Shown::RecoveryCode,
            };
            let at_ms = self.created_at;
            // More than four methods are not shown for one session.
            let _ = proofs.add(Proof { shown, at_ms });
        }
        proofs
    }

    /// The reply's idle deadline for a session used now.
    pub(super) fn idle_expires_at(&self, now_ms: u64) -> u64 {
        match self.expiry().liveness(now_ms) {
            Liveness::Active { idle_expires_at } => idle_expires_at,
            Liveness::IdleOver | Liveness::Expired => now_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_a_bit_and_recovery_the_last() {
        assert_eq!(Method::ALL.map(bit), [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(RECOVERED, 128);
    }
}
