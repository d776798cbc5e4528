//! What was posted, and what came of it. What is acknowledged arrives at least once or
//! is listed as undelivered; of what failed nothing leaves; of what is unknown either
//! is right.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_account::{Outgoing, TenantId, UserId, outgoing_id};
use tidegate_runtime::Failure;
use tidegate_runtime::ports::Letter;

use crate::diary::Who;
use crate::people::TENANT;

/// What is known of a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posted {
    Acknowledged,
    /// It may leave. So is every one until it is answered.
    Unknown,
    Failed(Failure),
}

/// A message.
pub(super) struct Post {
    who: Who,
    user: UserId,
    outgoing: Outgoing,
    posted: Posted,
    /// Under which it was handed over first.
    id: Option<[u8; 16]>,
    arrived: u64,
}

impl Post {
    pub(super) fn new(who: Who, user: UserId, outgoing: Outgoing) -> Post {
        Post {
            who,
            user,
            outgoing,
            posted: Posted::Unknown,
            id: None,
            arrived: 0,
        }
    }

    fn is(&self, letter: &Letter) -> bool {
        let (one, other) = (&self.outgoing, &letter.outgoing);
        self.user == letter.user
            && other.tenant() == TenantId::of_name(TENANT)
            && one.kind() == other.kind()
            && one.destination() == other.destination()
            && one.until_ms() == other.until_ms()
    }
}

/// Something that cannot be, and about whom where that is known.
type Wrong<W> = (W, String);

#[derive(Default)]
pub(super) struct Ledger {
    posts: BTreeMap<u64, Post>,
    bodies: BTreeMap<Vec<u8>, u64>,
    /// Which message was handed over under an id.
    ids: BTreeMap<[u8; 16], u64>,
    erased: BTreeSet<UserId>,
}

impl Ledger {
    pub(super) fn write(&mut self, number: u64, post: Post) {
        self.bodies.insert(post.outgoing.body().to_vec(), number);
        self.posts.insert(number, post);
    }

    pub(super) fn posted(&mut self, number: u64, posted: Posted) {
        if let Some(post) = self.posts.get_mut(&number) {
            post.posted = posted;
        }
    }

    pub(super) fn is_erased(&mut self, user: UserId) {
        self.erased.insert(user);
    }

    pub(super) fn arrived(&mut self, number: u64) {
        if let Some(post) = self.posts.get_mut(&number) {
            post.arrived += 1;
        }
    }

    /// Which message a letter is.
    pub(super) fn handed_over(&mut self, letter: &Letter) -> Result<u64, Wrong<Option<Who>>> {
        let number = self.bodies.get(letter.outgoing.body()).copied();
        let post = number.and_then(|number| Some((number, self.posts.get_mut(&number)?)));
        let Some((number, post)) = post else {
            return Err((None, "a letter leaves that was never posted".into()));
        };
        let who = Some(post.who);
        if !post.is(letter) {
            return Err((who, format!("message {number} leaves changed")));
        }
        if *post.id.get_or_insert(letter.id) != letter.id {
            return Err((who, format!("message {number} leaves under two ids")));
        }
        if *self.ids.entry(letter.id).or_insert(number) != number {
            return Err((who, format!("message {number} leaves under another's id")));
        }
        Ok(number)
    }

    /// Acknowledged messages that neither arrived nor are listed.
    pub(super) fn missing(&self, listed: &BTreeSet<(UserId, u64)>) -> Vec<Wrong<Who>> {
        let ids: BTreeSet<[u8; 16]> = ids_of(listed).map(|(_, id)| id).collect();
        let mut unseen = self.unseen_listed(listed);
        let mut missing = Vec::new();
        for (number, post) in &self.posts {
            let due = post.posted == Posted::Acknowledged && !self.erased.contains(&post.user);
            if !due || post.arrived > 0 {
                continue;
            }
            let is_listed = match &post.id {
                Some(id) => ids.contains(id),
                None => take_one(&mut unseen, post.user),
            };
            if !is_listed {
                let what = format!(
                    "message {number} was acknowledged, and neither arrived nor is listed \
                     as undelivered"
                );
                missing.push((post.who, what));
            }
        }
        missing
    }

    /// Messages that were not posted, and left all the same or are listed.
    pub(super) fn left(&self, listed: &BTreeSet<(UserId, u64)>) -> Vec<Wrong<Who>> {
        let ids: BTreeSet<[u8; 16]> = ids_of(listed).map(|(_, id)| id).collect();
        let mut unseen = self.unseen_listed(listed);
        let mut left = Vec::new();
        for (number, post) in &self.posts {
            match (post.posted, &post.id) {
                (Posted::Failed(failure), Some(id)) => {
                    let how = match ids.contains(id) && post.arrived == 0 {
                        true => "is listed as undelivered",
                        false => "left",
                    };
                    let what = format!("message {number} {how} though it was told {failure:?}");
                    left.push((post.who, what));
                }
                (Posted::Acknowledged | Posted::Unknown, None) => {
                    take_one(&mut unseen, post.user);
                }
                (Posted::Acknowledged | Posted::Unknown, Some(_)) | (Posted::Failed(_), None) => {}
            }
        }
        for post in self.posts.values() {
            if take_one(&mut unseen, post.user) {
                let what = "something is listed as undelivered that was not posted";
                left.push((post.who, what.into()));
            }
        }
        left
    }

    /// Of each person: how much is listed that was never handed over. Which messages
    /// these are their numbers do not tell.
    fn unseen_listed(&self, listed: &BTreeSet<(UserId, u64)>) -> BTreeMap<UserId, u64> {
        let mut unseen = BTreeMap::new();
        for (user, id) in ids_of(listed) {
            if !self.ids.contains_key(&id) {
                *unseen.entry(user).or_default() += 1;
            }
        }
        unseen
    }
}

fn ids_of(listed: &BTreeSet<(UserId, u64)>) -> impl Iterator<Item = (UserId, [u8; 16])> {
    listed
        .iter()
        .map(|(user, number)| (*user, outgoing_id(*user, *number)))
}

/// Whether there was one of a person, which is gone now.
fn take_one(unseen: &mut BTreeMap<UserId, u64>, user: UserId) -> bool {
    match unseen.get_mut(&user) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests;
