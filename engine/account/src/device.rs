//! Remembered devices: a known one has a lane of its own for guesses, so that
//! guesses from unknown devices cannot lock its owner out.

use alloc::vec::Vec;

use crate::command::DeviceProof;
use crate::digest::SecretHash;
use crate::entropy::Entropy;
use crate::id::DeviceId;
use crate::record::{DEVICES_MAX, Device, Guesses, SealedPart};
use crate::secret::Secret;

/// Whose failures an attempt is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    UnknownDevice,
    Device(DeviceId),
}

impl Lane {
    pub(crate) fn device(self) -> Option<DeviceId> {
        match self {
            Lane::UnknownDevice => None,
            Lane::Device(id) => Some(id),
        }
    }
}

impl SealedPart {
    pub(crate) fn lane(&self, proof: Option<&DeviceProof>) -> Lane {
        let known = proof.filter(|proof| {
            let hash = SecretHash::of_device(&proof.secret);
            let mut devices = self.devices.iter();
            devices.any(|device| device.id == proof.id.0 && hash.matches(&device.secret_hash))
        });
        known.map_or(Lane::UnknownDevice, |proof| Lane::Device(proof.id))
    }

    pub(crate) fn guesses(&self, lane: Lane) -> &Guesses {
        match lane {
            Lane::UnknownDevice => &self.unknown_device,
            Lane::Device(id) => self
                .devices
                .iter()
                .find(|device| device.id == id.0)
                .map_or(&self.unknown_device, |device| &device.guesses),
        }
    }

    pub(crate) fn guesses_mut(&mut self, lane: Lane) -> &mut Guesses {
        match lane {
            Lane::UnknownDevice => &mut self.unknown_device,
            Lane::Device(id) => match self.devices.iter_mut().find(|device| device.id == id.0) {
                Some(device) => &mut device.guesses,
                None => &mut self.unknown_device,
            },
        }
    }

    pub(crate) fn use_device(&mut self, id: DeviceId, now_ms: u64) {
        let mut devices = self.devices.iter_mut();
        if let Some(device) = devices.find(|device| device.id == id.0) {
            device.used_at = now_ms;
        }
    }
}

/// Remembers a new device; `None` when the list is full.
pub(crate) fn remember(
    devices: &mut Vec<Device>,
    now_ms: u64,
    entropy: &mut Entropy,
) -> Option<DeviceProof> {
    if devices.len() >= DEVICES_MAX {
        return None;
    }
    let proof = DeviceProof {
        // 0 stands for "no device" in a session.
        id: DeviceId(entropy.number().max(1)),
        secret: Secret::new(entropy.bytes()),
    };
    devices.push(Device {
        id: proof.id.0,
        secret_hash: SecretHash::of_device(&proof.secret).0,
        added_at: now_ms,
        used_at: now_ms,
        guesses: Guesses::default(),
    });
    Some(proof)
}
