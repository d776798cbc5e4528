//! Keys and their order.
//!
//! Every key begins with region and slot, so everything of a slot, and within
//! it everything about a person, is one key range:
//!
//! ```text
//! region u8 | slot u16 BE | space u8 | ...
//!                           0x01  fence            (nothing more)
//!                           0x02  marker           node u64 BE | lane u16 BE
//!                           0x10  person           user 16 | 0x00, or part kind u8 | number u64 BE
//!                           0x11  person key       user 16
//!                           0x20  identifier index keyed hash 32
//!                           0x21  throttle         keyed hash 32
//!                           0x22  pending          directory's hash 32
//!                           0x23  agenda           due u64 BE | user 16 | what u8 | number u64 BE
//!                           0x24  undelivered      user 16 | number u64 BE
//!                           0x30  event            generation u32 BE | sequence u64 BE | place u16 BE
//!                                                  (in FoundationDB: generation | stamp 10 | place)
//! 0xFF      | 0x0000      | 0x00  system           name ...
//! ```
//!
//! Pending rows lie in the first slot of their hash's partition. The directory
//! of regions is a database of its own, under region 0:
//!
//! ```text
//! 0x00 | slot u16 BE | 0x40  entry     directory's hash 32
//! 0x00 | 0x0000      | 0x41  question  region u8 | directory's hash 32
//! ```
//!
//! Person keys have a space of their own, outside the person's range, because
//! they are stored, backed up and destroyed apart from everything else. In the
//! place of an erased person's key stands that they were erased.

use std::fmt;

/// How many slots a region has.
pub const SLOTS: u16 = 4096;
/// How many partitions the event log has.
pub const PARTITIONS: u8 = 64;

const SLOTS_PER_PARTITION: u16 = SLOTS / PARTITIONS as u16;
const SYSTEM_REGION: u8 = 0xFF;
const DIRECTORY_REGION: u8 = 0x00;

mod space {
    pub(super) const SYSTEM: u8 = 0x00;
    pub(super) const FENCE: u8 = 0x01;
    pub(super) const MARKER: u8 = 0x02;
    pub(super) const PERSON: u8 = 0x10;
    pub(super) const PERSON_KEY: u8 = 0x11;
    pub(super) const IDENTIFIER: u8 = 0x20;
    pub(super) const THROTTLE: u8 = 0x21;
    pub(super) const PENDING: u8 = 0x22;
    pub(super) const AGENDA: u8 = 0x23;
    pub(super) const UNDELIVERED: u8 = 0x24;
    pub(super) const EVENT: u8 = 0x30;
    pub(super) const ENTRY: u8 = 0x40;
    pub(super) const QUESTION: u8 = 0x41;
}

/// A region, the home of a person's data. `0xFF` is reserved for the system, 0
/// for the directory of regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(u8);

impl Region {
    /// The region of a deployment that has only one.
    pub const FIRST: Region = Region(1);

    /// Takes any number but the reserved ones.
    #[must_use]
    pub fn new(number: u8) -> Option<Region> {
        let reserved = matches!(number, DIRECTORY_REGION | SYSTEM_REGION);
        (!reserved).then_some(Region(number))
    }

    /// The number, as it stands in keys and user ids.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// One of the 4,096 slots of a region: the unit of ownership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// Takes a number below [`SLOTS`].
    #[must_use]
    pub fn new(number: u16) -> Option<Slot> {
        (number < SLOTS).then_some(Slot(number))
    }

    /// The slot named by the first 12 bits of a keyed hash.
    #[must_use]
    pub fn of_hash(hash: &[u8; 32]) -> Slot {
        Slot(u16::from_be_bytes([hash[0], hash[1]]) >> 4)
    }

    /// The number, 0 to 4,095.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }

    /// Every slot, in order.
    pub fn all() -> impl Iterator<Item = Slot> {
        (0..SLOTS).map(Slot)
    }

    /// The partition of which this is the first slot.
    #[must_use]
    pub fn first_of_partition(self) -> Option<Partition> {
        Some(self.partition()).filter(|partition| partition.first_slot() == self)
    }

    /// The partition that holds the events of this slot.
    #[must_use]
    pub fn partition(self) -> Partition {
        Partition(u8::try_from(self.0 / SLOTS_PER_PARTITION).unwrap_or(PARTITIONS - 1))
    }
}

/// One of the 64 partitions of the event log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(u8);

impl Partition {
    /// Takes a number below [`PARTITIONS`].
    #[must_use]
    pub fn new(number: u8) -> Option<Partition> {
        (number < PARTITIONS).then_some(Partition(number))
    }

    /// The number, 0 to 63.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    fn first_slot(self) -> Slot {
        Slot(u16::from(self.0) * SLOTS_PER_PARTITION)
    }
}

/// What is stored about a person, each part in a row of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonPart {
    /// The hot record: check part and sealed part.
    Record,
    /// A cold part beside it, sealed. Which kinds there are, and what each holds,
    /// is the account core's to say.
    Cold {
        /// Its kind.
        kind: u8,
        /// Its number among those of its kind.
        number: u64,
    },
}

impl PersonPart {
    const RECORD: u8 = 0x00;
    /// The one kind whose numbers have two bytes, for as long as they fit: its rows
    /// are older than the rule that numbers have eight.
    const SHORT_KIND: u8 = 0x10;

    /// Reads the part of a person's key, and whose it is.
    #[must_use]
    pub fn of(key: &Key) -> Option<([u8; 16], PersonPart)> {
        let [region, _, _, space::PERSON, rest @ ..] = key.as_bytes() else {
            return None;
        };
        let (user, part) = rest.split_first_chunk::<16>()?;
        let part = match part {
            [PersonPart::RECORD] => PersonPart::Record,
            [PersonPart::SHORT_KIND, high, low] => PersonPart::Cold {
                kind: PersonPart::SHORT_KIND,
                number: u16::from_be_bytes([*high, *low]).into(),
            },
            [kind, number @ ..] => {
                let number = u64::from_be_bytes(number.try_into().ok()?);
                if *kind == PersonPart::SHORT_KIND && u16::try_from(number).is_ok() {
                    return None;
                }
                let kind = *kind;
                PersonPart::Cold { kind, number }
            }
            [] => return None,
        };
        (*region != SYSTEM_REGION).then_some((*user, part))
    }
}

/// Rows of the deployment itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemPart<'a> {
    /// The format and generation of this store.
    Store,
    /// A tenant, by its id.
    Tenant(u64),
    /// A gateway's rights, by its name.
    Gateway(&'a str),
    /// An administrative act on the deployment: when, in Unix milliseconds, and
    /// a number that tells acts of one moment apart.
    Audit(u64, u64),
    /// The rotation of keys that is under way.
    Rotation,
    /// The date that the sweeper has seen last.
    Date,
    /// The newest change of tenants and gateways, for nodes to look at.
    News,
    /// The version of every format that the nodes write.
    Version,
    /// A store that is being copied into this one, and is not yet whole.
    Move,
    /// The format of the directory of regions and the check of its key; only in
    /// the directory.
    Directory,
    /// A region, by its number; only in the directory.
    Region(u8),
    /// A node of the cluster, by its id.
    Node(u64),
    /// Sessions of a person that were ended while the store was out of reach:
    /// only in a node's own journal.
    Revoked([u8; 16]),
}

/// A key: at most [`crate::MAX_KEY_BYTES`] bytes, ordered bytewise.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<[u8]>);

impl Key {
    /// The fence of a slot, whose value is a [`Fence`](crate::Fence).
    #[must_use]
    pub fn fence(region: Region, slot: Slot) -> Key {
        Key::build(region.0, slot.0, space::FENCE, &[])
    }

    /// One part of what is stored about a person.
    #[must_use]
    pub fn person(region: Region, slot: Slot, user: &[u8; 16], part: PersonPart) -> Key {
        let build = |rest: &[&[u8]]| Key::build(region.0, slot.0, space::PERSON, rest);
        match part {
            PersonPart::Record => build(&[user, &[PersonPart::RECORD]]),
            PersonPart::Cold { kind, number } => match (kind, u16::try_from(number)) {
                (PersonPart::SHORT_KIND, Ok(short)) => {
                    build(&[user, &[kind], &short.to_be_bytes()])
                }
                _ => build(&[user, &[kind], &number.to_be_bytes()]),
            },
        }
    }

    /// The wrapped key under which a person's data is sealed.
    #[must_use]
    pub fn person_key(region: Region, slot: Slot, user: &[u8; 16]) -> Key {
        Key::build(region.0, slot.0, space::PERSON_KEY, &[user])
    }

    /// Whose key of [`Key::person_key`] this is.
    #[must_use]
    pub fn keys_person(&self) -> Option<[u8; 16]> {
        match self.as_bytes() {
            [SYSTEM_REGION, ..] => None,
            [_, _, _, space::PERSON_KEY, user @ ..] => user.try_into().ok(),
            _ => None,
        }
    }

    /// Where a node's commits to a slot, or to the system, leave behind that
    /// they happened: of each lane the last one.
    #[must_use]
    pub fn marker(place: Option<(Region, Slot)>, node: u64, lane: u16) -> Key {
        let (node, lane) = (&node.to_be_bytes(), &lane.to_be_bytes());
        match place {
            Some((region, slot)) => Key::build(region.0, slot.0, space::MARKER, &[node, lane]),
            None => {
                let name = b"marker/".as_slice();
                Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[name, node, lane])
            }
        }
    }

    /// The row that maps an identifier's keyed hash to a person.
    #[must_use]
    pub fn identifier(region: Region, hash: &[u8; 32]) -> Key {
        Key::build(
            region.0,
            Slot::of_hash(hash).0,
            space::IDENTIFIER,
            &[hash.as_slice()],
        )
    }

    /// The row of a change of the directory of regions that is not finished, by
    /// the identifier's hash there.
    #[must_use]
    pub fn pending(region: Region, hash: &[u8; 32]) -> Key {
        let partition = Slot::of_hash(hash).partition();
        let slot = partition.first_slot();
        Key::build(region.0, slot.0, space::PENDING, &[hash.as_slice()])
    }

    /// The directory's row of an identifier, by its hash there.
    #[must_use]
    pub fn entry(hash: &[u8; 32]) -> Key {
        let slot = Slot::of_hash(hash);
        Key::build(DIRECTORY_REGION, slot.0, space::ENTRY, &[hash.as_slice()])
    }

    /// In the directory: a region is asked to settle an entry of its own.
    #[must_use]
    pub fn question(region: Region, hash: &[u8; 32]) -> Key {
        let rest: [&[u8]; 2] = [&[region.0], hash];
        Key::build(DIRECTORY_REGION, 0, space::QUESTION, &rest)
    }

    /// The hash of a key of [`Key::pending`] or [`Key::question`].
    #[must_use]
    pub fn directory_hash(&self) -> Option<[u8; 32]> {
        let hash = match self.as_bytes() {
            [DIRECTORY_REGION, _, _, space::QUESTION, _, hash @ ..] => hash,
            [region, _, _, space::PENDING, hash @ ..] if *region != SYSTEM_REGION => hash,
            _ => return None,
        };
        hash.try_into().ok()
    }

    /// The row that counts what a source tries, by the source's keyed hash.
    #[must_use]
    pub fn throttle(region: Region, hash: &[u8; 32]) -> Key {
        let slot = Slot::of_hash(hash);
        Key::build(region.0, slot.0, space::THROTTLE, &[hash.as_slice()])
    }

    /// The first key after this one.
    #[must_use]
    pub fn successor(&self) -> Key {
        Key([self.as_bytes(), &[0]].concat().into_boxed_slice())
    }

    /// A row of the deployment itself.
    #[must_use]
    pub fn system(part: SystemPart<'_>) -> Key {
        match part {
            SystemPart::Node(id) => {
                let id = &id.to_be_bytes();
                Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"node/", id])
            }
            SystemPart::Revoked(user) => {
                Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"revoked/", &user])
            }
            SystemPart::Directory => Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"directory"]),
            SystemPart::Region(number) => {
                Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"region/", &[number]])
            }
            SystemPart::Date => Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"date"]),
            SystemPart::Rotation => Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"rotation"]),
            SystemPart::Version => Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"version"]),
            SystemPart::Move => Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"move"]),
            SystemPart::News => Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"news"]),
            SystemPart::Store => Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"store"]),
            SystemPart::Tenant(id) => Key::build(
                SYSTEM_REGION,
                0,
                space::SYSTEM,
                &[b"tenant/", &id.to_be_bytes()],
            ),
            SystemPart::Gateway(name) => Key::build(
                SYSTEM_REGION,
                0,
                space::SYSTEM,
                &[b"gateway/", name.as_bytes()],
            ),
            SystemPart::Audit(at_ms, number) => Key::build(
                SYSTEM_REGION,
                0,
                space::SYSTEM,
                &[b"audit/", &at_ms.to_be_bytes(), &number.to_be_bytes()],
            ),
        }
    }

    pub(crate) fn event(region: Region, partition: Partition, place: &[u8]) -> Key {
        let slot = partition.first_slot();
        Key::build(region.0, slot.0, space::EVENT, &[place])
    }

    /// That a message of a person's could not be delivered, by its number.
    #[must_use]
    pub fn undelivered(region: Region, slot: Slot, user: &[u8; 16], number: u64) -> Key {
        let rest: [&[u8]; 2] = [user, &number.to_be_bytes()];
        Key::build(region.0, slot.0, space::UNDELIVERED, &rest)
    }

    /// Whose and which message a key of [`Key::undelivered`] is about.
    #[must_use]
    pub fn undelivered_message(&self) -> Option<([u8; 16], u64)> {
        match self.as_bytes() {
            [SYSTEM_REGION, ..] => None,
            [_, _, _, space::UNDELIVERED, rest @ ..] => {
                let (user, number) = rest.split_first_chunk::<16>()?;
                Some((*user, u64::from_be_bytes(number.try_into().ok()?)))
            }
            _ => None,
        }
    }

    pub(crate) fn agenda(region: Region, slot: Slot, place: &[u8]) -> Key {
        Key::build(region.0, slot.0, space::AGENDA, &[place])
    }

    /// What of a key of the agenda says where in it the row lies.
    pub(crate) fn agenda_place(&self) -> Option<&[u8]> {
        match self.as_bytes() {
            [SYSTEM_REGION, ..] => None,
            [_, _, _, space::AGENDA, place @ ..] => Some(place),
            _ => None,
        }
    }

    /// Takes bytes that a store gave back.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Key {
        Key(bytes.into())
    }

    /// The bytes, as a store keeps them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this key names a wrapped person key, which backends keep apart.
    #[must_use]
    pub fn is_person_key(&self) -> bool {
        self.0.len() > 3 && self.0[0] != SYSTEM_REGION && self.0[3] == space::PERSON_KEY
    }

    /// Whether this key holds what a backend leaves behind of its commits, and
    /// no row of its callers.
    #[must_use]
    pub fn is_marker(&self) -> bool {
        match self.as_bytes() {
            [SYSTEM_REGION, _, _, space::SYSTEM, name @ ..] => name.starts_with(b"marker/"),
            [_, _, _, space, ..] => *space == space::MARKER,
            _ => false,
        }
    }

    fn build(region: u8, slot: u16, space: u8, rest: &[&[u8]]) -> Key {
        let length = 4 + rest.iter().map(|part| part.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(length);
        bytes.push(region);
        bytes.extend_from_slice(&slot.to_be_bytes());
        bytes.push(space);
        for part in rest {
            bytes.extend_from_slice(part);
        }
        Key(bytes.into_boxed_slice())
    }
}

impl fmt::Debug for Key {
    /// Region, slot and space only: what follows can name a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_ref() {
            [region, high, low, space, rest @ ..] => {
                let slot = u16::from_be_bytes([*high, *low]);
                write!(f, "Key({region}/{slot}/{space:#04x}+{})", rest.len())
            }
            short => write!(f, "Key(short {})", short.len()),
        }
    }
}

/// A half-open range of keys: from `start`, up to but without `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key of the range.
    pub start: Key,
    /// The first key after it.
    pub end: Key,
}

impl KeyRange {
    /// Every row that there is.
    #[must_use]
    pub fn everything() -> KeyRange {
        KeyRange {
            start: Key(Box::default()),
            end: Key([SYSTEM_REGION, 0, 0, u8::MAX].into()),
        }
    }

    /// Everything stored about one person, the person key excepted.
    #[must_use]
    pub fn person(region: Region, slot: Slot, user: &[u8; 16]) -> KeyRange {
        KeyRange::prefix(Key::build(region.0, slot.0, space::PERSON, &[user]))
    }

    /// Every person of a slot.
    #[must_use]
    pub fn people(region: Region, slot: Slot) -> KeyRange {
        KeyRange::prefix(Key::build(region.0, slot.0, space::PERSON, &[]))
    }

    /// The cold parts of one kind of one person, by number.
    #[must_use]
    pub fn person_parts(region: Region, slot: Slot, user: &[u8; 16], kind: u8) -> KeyRange {
        let part: &[u8] = &[kind];
        KeyRange::prefix(Key::build(region.0, slot.0, space::PERSON, &[user, part]))
    }

    /// The key of every person of a slot.
    #[must_use]
    pub fn person_keys(region: Region, slot: Slot) -> KeyRange {
        KeyRange::prefix(Key::build(region.0, slot.0, space::PERSON_KEY, &[]))
    }

    /// Every identifier of a slot that an account holds.
    #[must_use]
    pub fn identifiers(region: Region, slot: Slot) -> KeyRange {
        KeyRange::prefix(Key::build(region.0, slot.0, space::IDENTIFIER, &[]))
    }

    /// Every source of a slot that is counted.
    #[must_use]
    pub fn throttles(region: Region, slot: Slot) -> KeyRange {
        KeyRange::prefix(Key::build(region.0, slot.0, space::THROTTLE, &[]))
    }

    /// What is not finished of changes of the directory of regions, in one
    /// partition of a region.
    #[must_use]
    pub fn pending(region: Region, partition: Partition) -> KeyRange {
        let slot = partition.first_slot();
        KeyRange::prefix(Key::build(region.0, slot.0, space::PENDING, &[]))
    }

    /// What a region is asked by others; in the directory.
    #[must_use]
    pub fn questions(region: Region) -> KeyRange {
        let rest: &[u8] = &[region.0];
        KeyRange::prefix(Key::build(DIRECTORY_REGION, 0, space::QUESTION, &[rest]))
    }

    /// Every region; in the directory.
    #[must_use]
    pub fn regions() -> KeyRange {
        KeyRange::prefix(Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"region/"]))
    }

    /// The administrative acts on the deployment up to a moment, oldest first.
    #[must_use]
    pub fn audits(until_ms: u64) -> KeyRange {
        let from = |at_ms: u64| Key::system(SystemPart::Audit(at_ms, 0));
        KeyRange {
            start: from(0),
            end: from(until_ms),
        }
    }

    /// What could not be delivered, of the people of a slot.
    #[must_use]
    pub fn undelivered(region: Region, slot: Slot) -> KeyRange {
        KeyRange::prefix(Key::build(region.0, slot.0, space::UNDELIVERED, &[]))
    }

    /// What could not be delivered, of one person.
    #[must_use]
    pub fn person_undelivered(region: Region, slot: Slot, user: &[u8; 16]) -> KeyRange {
        KeyRange::prefix(Key::build(region.0, slot.0, space::UNDELIVERED, &[user]))
    }

    /// The agenda of a slot, what is due first at the front.
    #[must_use]
    pub fn agenda(region: Region, slot: Slot) -> KeyRange {
        KeyRange::prefix(Key::agenda(region, slot, &[]))
    }

    /// What is left of the range after this key.
    #[must_use]
    pub fn after(&self, key: &Key) -> KeyRange {
        KeyRange {
            start: key.successor(),
            end: self.end.clone(),
        }
    }

    /// The events of one partition, oldest first.
    #[must_use]
    pub fn events(region: Region, partition: Partition) -> KeyRange {
        let slot = partition.first_slot();
        KeyRange::prefix(Key::build(region.0, slot.0, space::EVENT, &[]))
    }

    /// Every tenant row.
    #[must_use]
    pub fn tenants() -> KeyRange {
        KeyRange::prefix(Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"tenant/"]))
    }

    /// Every node's row.
    #[must_use]
    pub fn nodes() -> KeyRange {
        KeyRange::prefix(Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"node/"]))
    }

    /// Every row of a node's journal.
    #[must_use]
    pub fn revoked() -> KeyRange {
        KeyRange::prefix(Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"revoked/"]))
    }

    /// Every gateway row.
    #[must_use]
    pub fn gateways() -> KeyRange {
        KeyRange::prefix(Key::build(SYSTEM_REGION, 0, space::SYSTEM, &[b"gateway/"]))
    }

    /// Whether the range can hold a person's key: it can unless it lies within
    /// another space.
    #[must_use]
    pub fn may_hold_person_keys(&self) -> bool {
        let Some(space) = self.start.0.first_chunk::<4>() else {
            return true;
        };
        let within = KeyRange::prefix(Key(Box::new(*space)));
        self.start.is_person_key() || self.end > within.end
    }

    /// Whether the key lies in the range.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        *key >= self.start && *key < self.end
    }

    fn prefix(start: Key) -> KeyRange {
        let mut end = start.0.to_vec();
        // Every prefix built here holds a byte below 0xFF, so this ends.
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                break;
            }
        }
        KeyRange {
            start,
            end: Key(end.into_boxed_slice()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn slot(number: u16) -> Slot {
        Slot::new(number).unwrap()
    }

    #[test]
    fn everything_about_a_person_is_one_range_without_the_neighbours() {
        let range = KeyRange::person(Region::FIRST, slot(7), &[0xFF; 16]);
        let audit = PersonPart::Cold {
            kind: 0x20,
            number: u64::MAX,
        };
        let mine = Key::person(Region::FIRST, slot(7), &[0xFF; 16], audit);
        assert_eq!(PersonPart::of(&mine), Some(([0xFF; 16], audit)));
        let key = Key::person_key(Region::FIRST, slot(7), &[0xFF; 16]);
        let other = Key::person(Region::FIRST, slot(7), &[0xFE; 16], PersonPart::Record);
        assert_eq!(
            [&mine, &key, &other].map(|k| range.contains(k)),
            [true, false, false]
        );
    }

    #[test]
    fn cold_parts_have_numbers_of_eight_bytes_and_those_of_the_first_kind_of_two() {
        let user = [7; 16];
        let key = |kind, number| {
            let part = PersonPart::Cold { kind, number };
            let key = Key::person(Region::FIRST, slot(9), &user, part);
            assert_eq!(PersonPart::of(&key), Some((user, part)));
            let range = KeyRange::person_parts(Region::FIRST, slot(9), &user, kind);
            assert!(range.contains(&key));
            assert!(!range.contains(&Key::person(
                Region::FIRST,
                slot(9),
                &user,
                PersonPart::Record
            )));
            key.as_bytes()[20..].to_vec()
        };
        assert_eq!(key(0x10, 0x0102), [0x10, 1, 2]);
        assert_eq!(key(0x10, 0x1_0000), [0x10, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(key(0x20, 5), [0x20, 0, 0, 0, 0, 0, 0, 0, 5]);
        let longer = Key::person(Region::FIRST, slot(9), &user, PersonPart::Record).successor();
        assert_eq!(PersonPart::of(&longer), None);
    }

    #[test]
    fn what_could_not_be_delivered_lies_with_its_person_alone() {
        let slot = slot(9);
        let key = Key::undelivered(Region::FIRST, slot, &[7; 16], 5);
        assert_eq!(key.undelivered_message(), Some(([7; 16], 5)));
        assert_eq!(key.successor().undelivered_message(), None);
        let mine = KeyRange::person_undelivered(Region::FIRST, slot, &[7; 16]);
        let others = KeyRange::person_undelivered(Region::FIRST, slot, &[8; 16]);
        let all = KeyRange::undelivered(Region::FIRST, slot);
        assert!(mine.contains(&key) && all.contains(&key) && !others.contains(&key));
        assert_eq!(PersonPart::of(&key), None);
    }

    #[test]
    fn a_range_within_another_space_holds_no_key_of_a_person() {
        let (region, user) = (Region::FIRST, [7; 16]);
        let key = Key::person_key(region, slot(7), &user);
        assert_eq!(key.keys_person(), Some(user));
        let record = Key::person(region, slot(7), &user, PersonPart::Record);
        assert_eq!(record.keys_person(), None);
        for other in [
            KeyRange::person(region, slot(7), &user),
            KeyRange::person(region, slot(7), &[0xFF; 16]),
            KeyRange::people(region, slot(7)),
            KeyRange::identifiers(region, slot(7)),
            KeyRange::nodes(),
        ] {
            assert!(!other.may_hold_person_keys() && !other.contains(&key));
        }
        for range in [
            KeyRange::everything(),
            KeyRange::person_keys(region, slot(7)),
        ] {
            assert!(range.may_hold_person_keys() && range.contains(&key));
        }
    }

    #[test]
    fn a_marker_is_told_from_every_row() {
        let place = Some((Region::FIRST, slot(3)));
        for key in [Key::marker(place, 1, 2), Key::marker(None, 1, 2)] {
            assert!(key.is_marker() && KeyRange::everything().contains(&key));
        }
        let fence = Key::fence(Region::FIRST, slot(4095));
        for key in [fence, Key::system(SystemPart::Gateway("marker/"))] {
            assert!(!key.is_marker() && KeyRange::everything().contains(&key));
        }
    }

    #[test]
    fn a_slot_out_of_range_is_refused() {
        assert_eq!((Slot::new(4095), Slot::new(4096)), (Some(Slot(4095)), None));
        assert_eq!([0, 0xFF].map(Region::new), [None; 2]);
    }

    #[test]
    fn slots_map_to_partitions_in_order() {
        let partitions = [0, 63, 64, 4095].map(|n| slot(n).partition().number());
        assert_eq!(partitions, [0, 0, 1, 63]);
        let firsts = Slot::all().filter_map(Slot::first_of_partition);
        let all = (0..PARTITIONS).map(|number| Partition::new(number).unwrap());
        assert!(firsts.eq(all));
    }

    #[test]
    fn a_key_is_shown_without_whom_it_names() {
        let key = Key::person(Region::FIRST, slot(9), &[0xAB; 16], PersonPart::Record);
        assert_eq!(format!("{key:?}"), "Key(1/9/0x10+17)");
    }
}
