//! Whether a node that carries out a long order is still there. Its answer comes
//! when it is done, so silence alone says nothing.

use tidegate_client::{CallError, Client, Decision, Operated, Options};
use tidegate_runtime::ports::Clock;

/// How often it is asked.
const ASK_EVERY_MS: u64 = 1_000;
/// How long it has to answer.
const ANSWER_MS: u32 = 3_000;
/// So many questions without an answer mean that it is gone.
const UNANSWERED_MAX: u32 = 5;

/// The node is gone, and the order with it.
#[derive(Debug, thiserror::Error)]
#[error("the node stopped answering while it carried the order out")]
pub(super) struct NodeLost;

/// Has an order carried out, for as long as the node answers something.
pub(super) async fn operate_while_there(
    options: &Options,
    text: &str,
    clock: &dyn Clock,
) -> anyhow::Result<Result<Decision<Operated>, CallError>> {
    let client = Client::new(options)?;
    let asking = Client::new(&Options {
        deadline_ms: ANSWER_MS,
        ..options.clone()
    })?;
    tokio::select! {
        biased;
        answer = client.operate(text) => Ok(answer),
        () = gone(&asking, clock) => Err(NodeLost.into()),
    }
}

async fn gone(client: &Client, clock: &dyn Clock) {
    let mut unanswered = 0;
    while unanswered < UNANSWERED_MAX {
        clock.sleep(ASK_EVERY_MS).await;
        // An operator may not ping; being told so is an answer.
        unanswered = match client.ping().await {
            Ok(_) => 0,
            Err(_) => unanswered + 1,
        };
    }
}
