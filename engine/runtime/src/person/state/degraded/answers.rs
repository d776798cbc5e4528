//! Answers while the store is out of reach.

use tidegate_account::DegradedReply;

use super::{Held, Subject};
use crate::answer::{Answer, Failure};
use crate::meters::Degraded;
use crate::person::Message;

pub(super) fn said(reply: DegradedReply, age_ms: u64) -> Answer {
    match reply {
        DegradedReply::Durable(reply) => Answer::Reply(reply),
        DegradedReply::Unavailable => Answer::Failed(Failure::Unavailable),
        reply @ (DegradedReply::Refreshed(_)
        | DegradedReply::Provisional(_)
        | DegradedReply::Ended(_)
        | DegradedReply::No(_)
        | DegradedReply::Unsaid) => Answer::DegradedDecision { reply, age_ms },
    }
}

/// Answers, at once or, where sessions were ended, when the journal has that.
pub(super) fn answer(subject: &Subject, replies: Vec<(Held, Answer)>) {
    for (_, answer) in &replies {
        count(subject, answer);
    }
    let epoch = subject.epoch;
    let ends = |(_, answer): &(Held, Answer)| {
        matches!(
            answer,
            Answer::DegradedDecision {
                reply: DegradedReply::Ended(_),
                ..
            }
        )
    };
    if !replies.iter().any(ends) {
        for (held, answer) in replies {
            held.answer(answer, epoch);
        }
        return;
    }
    // A repeat writes once more: the first write may have failed.
    let written = subject
        .shared
        .memory
        .degraded_states
        .write_down(subject.user);
    subject.begin(async move {
        let written = written.await;
        for (held, answer) in replies {
            // In effect all the same; but no caller must rely on it.
            let answer = match written {
                Ok(_) => answer,
                Err(_) => Answer::Failed(Failure::Unavailable),
            };
            held.answer(answer, epoch);
        }
        // The actor may end now.
        Message::LookAgain
    });
}

fn count(subject: &Subject, answer: &Answer) {
    let Answer::DegradedDecision { reply, .. } = answer else {
        return;
    };
    let what = match reply {
        DegradedReply::Refreshed(_) => Degraded::Refresh,
        DegradedReply::Provisional(_) => Degraded::SignIn,
        DegradedReply::Ended(_) => Degraded::Revocation,
        DegradedReply::Durable(_)
        | DegradedReply::No(_)
        | DegradedReply::Unsaid
        | DegradedReply::Unavailable => return,
    };
    subject.shared.meters.degraded(what);
}
