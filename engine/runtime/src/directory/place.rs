//! Bringing warm people near before they are looked at. What is asked for is a
//! guess from how the map lays its entries out: a wrong one costs a little
//! time and changes no answer.

use tidegate_account::UserId;
use tidegate_prefetch as prefetch;

use super::Directory;
use crate::warm::Warm;

/// Where a person would lie in the warm map.
pub(crate) struct Place {
    user: UserId,
    hash: usize,
    shard: usize,
}

const ENTRY_BYTES: usize = size_of::<(UserId, Warm)>();
/// What a check reads of a record with one session.
const RECORD_LINES: usize = 6;

impl<A> Directory<A> {
    /// Where a person would lie; asks for the head of the shard.
    pub(crate) fn place(&self, user: UserId) -> Place {
        let hash = self.warm.hash_usize(&user);
        let shard = self.warm.determine_shard(hash);
        prefetch::line(std::ptr::from_ref(&self.warm.shards()[shard]).cast());
        Place { user, hash, shard }
    }

    /// Asks for the memory where the person's entry lies, most likely.
    pub(crate) fn approach(&self, place: &Place) {
        if let Some((control, entry)) = self.likely(place) {
            prefetch::line(control);
            prefetch::line(entry);
            prefetch::line(entry.wrapping_add(ENTRY_BYTES - 1));
        }
    }

    /// Where the control byte and the entry lie, most likely.
    fn likely(&self, place: &Place) -> Option<(*const u8, *const u8)> {
        // A thread that writes there now brings it near anyway.
        let table = self.warm.shards()[place.shard].try_read()?;
        // The table's control bytes lie forwards from here, its entries
        // backwards; a key is looked for from its hash's place on.
        let end = table.data_end().as_ptr().cast_const();
        let first = place.hash & (table.buckets() - 1);
        let control = end.cast::<u8>().wrapping_add(first);
        Some((control, end.wrapping_sub(first + 1).cast()))
    }

    /// Asks for the person's record.
    pub(crate) fn approach_record(&self, place: &Place) {
        let Some(table) = self.warm.shards()[place.shard].try_read() else {
            return;
        };
        if let Some((_, person)) = table.get(place.hash as u64, |(user, _)| *user == place.user) {
            prefetch::bytes(person.get().record(), RECORD_LINES);
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_account::record::{CheckPart, Format, SealedPart, assemble, write};
    use tidegate_account::{Status, tagged};

    use super::*;
    use crate::seal::WrappedKey;
    use crate::warm::WarmParts;

    fn person(number: u64) -> (UserId, Warm) {
        let [user @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
            tagged("place", &[&number.to_le_bytes()]);
        let check = CheckPart {
            tenant: 1,
            user,
            revision: 1,
            created_at: 0,
            status: Status::Active,
            abandoned_at: 0,
            sessions: Vec::new(),
        };
        let written = write(Format::NEWEST, &check, &SealedPart::default()).unwrap();
        let parts = WarmParts {
            record: assemble(written.clear, b"sealed").unwrap(),
            key: WrappedKey::NONE,
            epoch: 1,
        };
        (UserId::from_bytes(user), Warm::new(parts, 0).unwrap())
    }

    /// Holds the guess against the map: another version of it may lay its
    /// entries out in another way, and nothing else would tell.
    #[test]
    fn most_people_lie_where_they_are_guessed_to_be() {
        let directory = Directory::<()>::new();
        let users: Vec<_> = (0..4_000)
            .map(|number| {
                let (user, warm) = person(number);
                directory.publish(user, warm);
                user
            })
            .collect();
        let guessed = users.iter().filter(|user| {
            let place = directory.place(**user);
            directory.approach(&place);
            directory.approach_record(&place);
            let (_, entry) = directory.likely(&place).unwrap();
            let entry = entry.addr()..entry.addr() + ENTRY_BYTES;
            let lies = directory.with_warm(**user, |warm| std::ptr::from_ref(warm).addr());
            entry.contains(&lies.unwrap())
        });
        assert!(guessed.count() > 2_800);
    }
}
