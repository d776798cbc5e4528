//! The reply by which a flow goes on: what may be shown next, and what a browser
//! needs for it.

use alloc::string::String;

use super::ceremony;
use crate::account::family::{CodeSent, FlowContext, FlowReply, FlowStep, Next, Reply};
use crate::account::{Account, Step};
use crate::assurance::Method;
use crate::continuation::Continuation;
use crate::flow::Stage;
use crate::reply::Refusal;

pub(super) fn next_step(
    account: &Account,
    context: &FlowContext,
    continuation: &Continuation,
    stage: &Stage,
    sent: CodeSent,
    step: &mut Step<'_>,
) -> Reply {
    let prove = |method: &Method| match method {
        Method::EmailCode | Method::SmsCode => Next::Code {
            method: *method,
            sent,
        },
        Method::Passkey => Next::Passkey(ceremony::request(account, context, continuation, step)),
        Method::Password | Method::Link | Method::Totp | Method::RecoveryCode => {
            Next::Secret(*method)
        }
    };
    let new = |method: &Method| Next::New {
        method: *method,
        options: match method {
            Method::Passkey => ceremony::creation(account, context, continuation, step),
            Method::Totp => ceremony::totp(context, continuation, step),
            Method::RecoveryCode => ceremony::recovery_codes(context, continuation, step),
            Method::Password | Method::EmailCode | Method::SmsCode | Method::Link => {
                String::new().into()
            }
        },
    };
    let next = match stage {
        Stage::Prove(offered) => offered.iter().map(prove).collect(),
        Stage::NewPassword => [new(&Method::Password)].into(),
        Stage::New(offered) => offered.iter().map(new).collect(),
        Stage::Over => [].into(),
    };
    match continuation.seal(&context.keys.seal, step.entropy.bytes()) {
        Ok(continuation) => Reply::Flow(FlowReply::Step(FlowStep { continuation, next })),
        Err(_) => Reply::No(Refusal::InvalidIdentifier),
    }
}
