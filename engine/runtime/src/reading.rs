//! What is read of a person for an operator: through the person's actor, so that it
//! is what the account stands on, and opened with their key. And what is to leave,
//! on the same way.

use tidegate_account::{Audit, Outgoing, PartKind, UserId, decode_audits};

use crate::answer::Failure;
use crate::job::{Wanted, What};
use crate::people::People;

pub(crate) async fn audits(people: &People, user: UserId) -> Result<Vec<Audit>, Failure> {
    let mut acts = Vec::new();
    for part in people.parts(user, Wanted::All(PartKind::Audits)).await? {
        acts.extend(decode_audits(&part.plain).map_err(|_| Failure::Corrupt)?);
    }
    Ok(acts)
}

pub(crate) async fn post(people: &People, user: UserId, outgoing: Outgoing) -> Result<(), Failure> {
    people.done(user, What::Post(Box::new(outgoing))).await
}
