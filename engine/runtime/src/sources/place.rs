//! The table that sources are counted in: buckets of a few places, whose
//! memory never grows.

use tidegate_account::SourcePolicy;

/// For this long a success is good for its source.
pub(super) const TRUSTED_MS: u64 = 24 * 60 * 60_000;
/// So many failures a success is good for.
pub(super) const TRUSTED_FAILURES: u8 = 8;
/// Places of a bucket.
pub(super) const PLACES: usize = 8;

/// One source's count.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    key: [u8; 16],
    /// When the source is free of debt.
    pub(super) due_ms: u64,
    /// What the durable row says; 0 before it was read.
    pub(super) settled_ms: u64,
    /// When a sign-in from there last succeeded; 0: not that it is remembered.
    pub(super) right_ms: u64,
    /// What has failed since, or may, of what that success answers for.
    pub(super) failures: u8,
    /// Such attempts that are not known yet.
    pub(super) trusted: u8,
    /// Attempts that are charged and not known yet.
    pub(super) under_way: u32,
    /// Whether its row is being written.
    pub(super) settling: bool,
    /// Whether its row holds what another node has counted.
    pub(super) shared: bool,
}

impl Place {
    /// The debt of what is under way.
    pub(super) fn under_way_ms(&self, policy: &SourcePolicy) -> u64 {
        u64::from(self.under_way) * policy.refill_ms
    }

    pub(super) fn give_back(&mut self, policy: &SourcePolicy) {
        self.due_ms = self.due_ms.saturating_sub(policy.refill_ms);
    }

    /// Whether an attempt will come back to it.
    fn is_in_use(&self) -> bool {
        self.under_way > 0 || self.trusted > 0 || self.settling
    }

    /// Until when there is something to forget: what it owes, and the success for
    /// which it is no stranger. Sources that were invented owe less than a day.
    fn worth_until_ms(&self) -> u64 {
        let trusted = self.right_ms > 0 && self.failures < TRUSTED_FAILURES;
        match trusted {
            true => self.due_ms.max(self.right_ms.saturating_add(TRUSTED_MS)),
            false => self.due_ms,
        }
    }

    /// Takes an attempt back as if it had not come.
    pub(super) fn withdraw(&mut self, policy: &SourcePolicy) {
        self.give_back(policy);
        self.under_way = self.under_way.saturating_sub(1);
    }
}

type Bucket = [Place; PLACES];

pub(super) struct Table(Box<[Bucket]>);

impl Table {
    pub(super) fn new(buckets: usize) -> Table {
        Table(vec![Bucket::default(); buckets].into_boxed_slice())
    }

    fn bucket(&mut self, hash: &[u8; 32]) -> &mut Bucket {
        let [a, b, c, d] = [hash[16], hash[17], hash[18], hash[19]];
        let number = u32::from_le_bytes([a, b, c, d]) as usize % self.0.len();
        &mut self.0[number]
    }

    pub(super) fn find(&mut self, hash: &[u8; 32]) -> Option<&mut Place> {
        let key = key_of(hash);
        self.bucket(hash).iter_mut().find(|place| place.key == key)
    }

    /// The source's place: its own, or that of the source with the least to
    /// forget, of which nothing is under way where there is one.
    pub(super) fn place(&mut self, hash: &[u8; 32]) -> &mut Place {
        let key = key_of(hash);
        let bucket = self.bucket(hash);
        if let Some(found) = bucket.iter().position(|place| place.key == key) {
            return &mut bucket[found];
        }
        let places = bucket.iter().enumerate();
        let least = places.min_by_key(|(_, place)| (place.is_in_use(), place.worth_until_ms()));
        let place = &mut bucket[least.map_or(0, |(number, _)| number)];
        *place = Place {
            key,
            ..Place::default()
        };
        place
    }
}

fn key_of(hash: &[u8; 32]) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&hash[..16]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_takes_as_much_memory_as_the_limit_says() {
        assert_eq!(size_of::<Place>(), 48);
    }
}
