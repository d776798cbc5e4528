//! Orders to a node, and the way there and back.

use tidegate_wire::{Reply, Text, v1};

use crate::client::Client;
use crate::decision::{CallError, Decision, Operated};

impl Client {
    /// Measures the way to the node and back.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn ping(&self) -> Result<Decision<()>, CallError> {
        let read = |_: &Reply<'_>, _: &v1::ArchivedPing| Ok(());
        self.ask_and(&v1::Ping {}, read).await
    }

    /// Gives an order to the node, one JSON object (docs/operations.md), and
    /// gives its outcome (for operators).
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn operate(&self, order: &str) -> Result<Decision<Operated>, CallError> {
        let request = v1::Operate {
            command: Text(order.to_owned()),
        };
        let read = |_: &Reply<'_>, operated: &v1::ArchivedOperated| {
            let answer = operated.answer.as_str().to_owned();
            Ok(match operated.outcome()? {
                v1::OrderOutcome::Done => Operated::Done(answer),
                v1::OrderOutcome::Refused => Operated::Refused(answer),
            })
        };
        self.ask_and(&request, read).await
    }
}
