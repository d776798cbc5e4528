//! Opening what a browser presents: the sealed state of a flow.

use tidegate_account::continuation::{Continuation, ContinuationFault, Presenter};
use tidegate_account::{ClaimedIdentifier, FlowKeys, Policy, Refusal};

use super::Stopped;
use crate::answer::Failure;
use crate::engine::Engine;
use crate::request::{Answering, Context};

/// A continuation that was opened, and the rules that it goes on by.
pub(super) struct Opened {
    pub(super) continuation: Continuation,
    pub(super) identifier: ClaimedIdentifier,
    pub(super) keys: FlowKeys,
    pub(super) policy: Policy,
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
                    let identifier = identifier.ok_or(Refusal::FlowOver)?;
                    let index_keys = &shared.settings.index_keys;
                    return Ok(Opened {
                        identifier: index_keys.claimed(context.tenant, identifier),
                        policy: tenant.policy.clone(),
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
