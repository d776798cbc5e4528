//! Which region a call goes to: the home of the person that it names, or the
//! one that a node named.

use std::sync::Arc;

use tidegate_wire::{Fault, IdempotencyKey, Operation, Reply};

use crate::call::{Call, Caller};
use crate::decision::{CallError, Decision};
use crate::routes::slot_of;

/// How often one call is sent to another region. Once is enough where regions
/// agree on who there is.
const HOPS_MAX: usize = 2;

/// Ways into regions: one where a client begins, and others by number.
pub(crate) struct Regions {
    pub(crate) first: Arc<Caller>,
    others: Vec<(u8, Arc<Caller>)>,
}

impl Regions {
    pub(crate) fn new(first: Caller) -> Regions {
        Regions {
            first: Arc::new(first),
            others: Vec::new(),
        }
    }

    pub(crate) fn with(&self, region: u8, other: &Regions) -> Regions {
        let mut others = self.others.clone();
        others.retain(|(number, _)| *number != region);
        others.push((region, Arc::clone(&other.first)));
        Regions {
            first: Arc::clone(&self.first),
            others,
        }
    }

    fn of(&self, region: u8) -> Option<&Caller> {
        let mut others = self.others.iter();
        let (_, caller) = others.find(|(number, _)| *number == region)?;
        Some(caller)
    }

    /// Asks in one region and, where that one is not the right one, in the one
    /// it names: with the same idempotency key and until the same deadline.
    pub(crate) async fn call<O: Operation, T>(
        &self,
        request: &O,
        key: Option<IdempotencyKey>,
        read: impl Fn(&Reply<'_>) -> Result<T, Fault>,
    ) -> Result<Decision<T>, CallError> {
        let (opcode, user) = (O::OPCODE, request.subject());
        let home = user.and_then(|user| self.of(user.0[0]));
        let mut caller = home.unwrap_or(&self.first);
        let idempotency_key = match (opcode.needs_idempotency_key(), key) {
            (true, Some(key)) => key,
            (true, None) => caller.world.random().map_err(|_| CallError::NoRandomness)?,
            (false, _) => [0; 16],
        };
        let call = Call {
            opcode,
            slot: user.map(|user| slot_of(&user.0)),
            idempotency_key,
            deadline: caller.deadline(opcode),
        };
        for _ in 0..HOPS_MAX {
            match caller.call(call, request, &read).await {
                Err(CallError::WrongRegion { region }) => {
                    // Back to where the call began, whose number was never
                    // told.
                    let back = (!std::ptr::eq(caller, &*self.first)).then_some(&*self.first);
                    let other = self.of(region).or(back);
                    caller = other.ok_or(CallError::WrongRegion { region })?;
                }
                answer => return answer,
            }
        }
        caller.call(call, request, &read).await
    }
}

#[cfg(test)]
mod tests;
