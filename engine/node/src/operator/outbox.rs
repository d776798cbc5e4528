//! What leaves, as an operator sees it.

use serde_json::json;
use tidegate_runtime::Undelivered;

use super::{Operator, OperatorError, OrderOutcome};

impl Operator {
    /// What could not be delivered to people whom this node owns: the reason, the
    /// tries, and when it was given up, in Unix milliseconds. Never what it says.
    pub(super) async fn outbox(&self, limit: usize) -> Result<OrderOutcome, OperatorError> {
        let undelivered = self.engine.undelivered(limit).await?;
        let undelivered: Vec<_> = undelivered.iter().map(shown).collect();
        Ok(OrderOutcome::Done(json!({ "undelivered": undelivered })))
    }
}

fn shown(message: &Undelivered) -> serde_json::Value {
    json!({
        "user": message.user.to_string(),
        "message": format!("{:016x}", message.number),
        "reason": message.reason.name(),
        "tries": message.tries,
        "at": message.at_ms,
    })
}
