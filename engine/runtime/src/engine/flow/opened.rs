//! Opening what a browser presents: the sealed state of a flow.

use tidegate_account::continuation::{Continuation, ContinuationFault, Presenter};
use tidegate_account::{ClaimedIdentifier, FlowKeys, PartsWanted, Policy, Refusal};

use super::Stopped;
use crate::answer::Failure;
use crate::engine::Engine;
use crate::request::{Answering, Context};

/// A continuation that was opened, and the rules that it goes on by.
pub(super) struct Opened {
    pub(super) continuation: Continuation,
    pub(super) identifier: Option<ClaimedIdentifier>,
    pub(super) keys: FlowKeys,
    pub(super) parts: PartsWanted,
}

/// Where there are passkeys they are loaded for every step: which account has some
/// is not to be told by the time that it takes.
pub(super) fn parts_wanted(policy: &Policy) -> PartsWanted {
    match policy.passkeys {
        Some(_) => PartsWanted::Passkeys,
        None => PartsWanted::Nothing,
    }
}

impl Engine {
    /// Opens a continuation under whichever of the tenant's keys it was sealed.
    pub(super) fn opened(
        &self,
        context: &Context,
        answering: &Answering,
    ) -> Result<Opened, Stopped> {
        self.may_flow()?;
        let shared = self.shared();
        let tenant = shared.settings.tenants.get(context.tenant);
        let tenant = tenant.ok_or(Failure::UnknownTenant)?;
        let presenter = Presenter {
            tenant: context.tenant,
            browser: &answering.browser,
            now_ms: shared.ports.clock.unix_ms(),
        };
        let mut fault = ContinuationFault::Foreign;
        for keys in tenant.flow_keys() {
            match Continuation::open(&answering.continuation, &keys.seal, &presenter) {
                Ok(continuation) => {
                    let identifier = continuation.identifier.clone();
                    let index_keys = &shared.settings.index_keys;
                    let claimed = identifier.map(|one| index_keys.claimed(context.tenant, one));
                    return Ok(Opened {
                        identifier: claimed,
                        parts: parts_wanted(&tenant.policy),
                        continuation,
                        keys,
                    });
                }
                Err(ContinuationFault::Foreign) => {}
                Err(other) => fault = other,
            }
        }
        Err(Stopped::No(match fault {
            ContinuationFault::Malformed
            | ContinuationFault::Foreign
            | ContinuationFault::OtherBrowser => Refusal::InvalidToken,
            ContinuationFault::Expired => Refusal::FlowOver,
        }))
    }
}
