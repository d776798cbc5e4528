//! Who and what: ids of people, tenants, sessions and devices.

use core::fmt;

use crate::digest::tagged;

/// A person. 128 bits: region (8), slot (12), random (108).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId([u8; 16]);

impl UserId {
    /// Builds an id in a region and slot (only its low 12 bits count) from
    /// 128 random bits, of which 108 are used.
    #[must_use]
    pub fn new(region: u8, slot: u16, random: [u8; 16]) -> UserId {
        let mut bytes = random;
        bytes[0] = region;
        bytes[1] = slot.to_be_bytes()[0] << 4 | slot.to_be_bytes()[1] >> 4;
        bytes[2] = slot.to_be_bytes()[1] << 4 | (random[2] & 0x0F);
        UserId(bytes)
    }

    /// Takes the bytes of an id.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> UserId {
        UserId(bytes)
    }

    /// The bytes, region first.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The home region.
    #[must_use]
    pub fn region(&self) -> u8 {
        self.0[0]
    }

    /// The slot, 0 to 4,095.
    #[must_use]
    pub fn slot(&self) -> u16 {
        u16::from_be_bytes([self.0[1], self.0[2]]) >> 4
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for UserId {
    /// 32 hexadecimal digits. A user id is a pseudonym and may be logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A tenant: the first 64 bits of a hash of its name, so that a name needs no
/// look-up anywhere. Two names with one id are refused when a tenant is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(pub u64);

impl TenantId {
    /// The id of the tenant with this name.
    #[must_use]
    pub fn of_name(name: &str) -> TenantId {
        let hash = tagged("tg-tenant-1", &[name.as_bytes()]);
        let [a, b, c, d, e, f, g, h, ..] = hash;
        TenantId(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// A session of one person, random and unique among that person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// A device that a person signed in from and asked to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_region_and_slot() {
        for slot in [0, 1, 0x0ABC, 4095] {
            let id = UserId::new(7, slot, [0xFF; 16]);
            assert_eq!((id.region(), id.slot()), (7, slot));
            assert_eq!(&id.as_bytes()[3..], &[0xFF; 13]);
        }
    }

    #[test]
    fn tenants_are_told_apart_by_name() {
        assert_eq!(TenantId::of_name("default"), TenantId::of_name("default"));
        assert_ne!(TenantId::of_name("default"), TenantId::of_name("Default"));
    }
}
