//! What leaves, as an operator sees it.

use serde_json::json;
use tidegate_runtime::{ToLeave, Undelivered};

use super::order::OutboxList;
use super::{Operator, OperatorError, OrderOutcome};

impl Operator {
    /// What is to leave to people whom this node owns and when it is tried next;
    /// what could not be delivered, why, and when it was given up (Unix
    /// milliseconds). Never what it says.
    pub(super) async fn outbox(
        &self,
        list: OutboxList,
        limit: usize,
    ) -> Result<OrderOutcome, OperatorError> {
        let undelivered = self.engine.undelivered(limit).await?;
        let undelivered: Vec<_> = undelivered.iter().map(shown).collect();
        Ok(OrderOutcome::Done(match list {
            OutboxList::Undelivered => json!({ "undelivered": undelivered }),
            OutboxList::All => {
                let waiting = self.engine.to_leave(limit).await?;
                let waiting: Vec<_> = waiting.iter().map(to_leave).collect();
                json!({ "waiting": waiting, "undelivered": undelivered })
            }
        }))
    }
}

fn to_leave(message: &ToLeave) -> serde_json::Value {
    json!({
        "user": message.user.to_string(),
        "message": format!("{:016x}", message.number),
        "tries": message.tries,
        "due": message.due_ms,
    })
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
