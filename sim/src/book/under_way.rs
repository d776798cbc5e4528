//! What has begun and has not come to its end: when a night is over it is
//! booked like whatever failed.

use std::collections::BTreeMap;

/// When each of them began, and how many did at that moment.
#[derive(Debug, Default)]
pub(super) struct UnderWay(BTreeMap<u64, u64>);

impl UnderWay {
    pub(super) fn begin(&mut self, began_ns: u64) {
        *self.0.entry(began_ns).or_default() += 1;
    }

    /// One that began then is over.
    pub(super) fn end(&mut self, began_ns: u64) {
        if let Some(count) = self.0.get_mut(&began_ns) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&began_ns);
            }
        }
    }

    /// When each of those began that are not over.
    pub(super) fn began_ns(&self) -> Vec<u64> {
        let mut all = Vec::new();
        for (began_ns, count) in &self.0 {
            all.extend((0..*count).map(|_| *began_ns));
        }
        all
    }
}
