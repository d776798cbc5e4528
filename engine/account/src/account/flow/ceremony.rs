//! What a step of a flow hands out with a method: a challenge and the options of a
//! passkey's ceremony, the secret of an authenticator app, new recovery codes. All
//! of it follows from the attempt, the step and a key of the tenant, so that nothing
//! is kept of it: the answer finds the same again.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::account::family::FlowContext;
use crate::account::{Account, Step};
use crate::continuation::Continuation;
use crate::credential::passkey::{
    Algorithm, Challenge, CreationOptions, Descriptor, RequestOptions, ResidentKey, User,
    UserHandle,
};
use crate::credential::recovery::{RECOVERY_CODES, RecoveryCode, RecoveryCodes};
use crate::credential::totp::TotpSecret;
use crate::digest::tagged;
use crate::entropy::Entropy;
use crate::id::UserId;

/// How long a browser waits for an authenticator; the flow may end before.
const TIMEOUT_MAX_MS: u64 = 5 * 60_000;

/// What is derived for a step. Tags are for ever.
fn derived(tag: &str, context: &FlowContext, continuation: &Continuation) -> [u8; 32] {
    let parts: [&[u8]; 4] = [
        context.keys.codes.expose(),
        continuation.subject.as_bytes(),
        continuation.attempt.as_bytes(),
        &continuation.step.to_le_bytes(),
    ];
    tagged(tag, &parts)
}

/// The challenge of a step. It is the same for every account: the one that a
/// passkey leads to is not known before.
pub(super) fn challenge(context: &FlowContext, continuation: &Continuation) -> Challenge {
    let parts: [&[u8]; 3] = [
        context.keys.codes.expose(),
        continuation.attempt.as_bytes(),
        &continuation.step.to_le_bytes(),
    ];
    #[cfg(tidegate_planted)]
    if crate::planted::is(crate::planted::Bug::ChallengeConstant) {
        return Challenge::new([0; 32]);
    }
    Challenge::new(tagged("tg-challenge-1", &parts))
}

/// The account's name to an authenticator.
pub(super) fn handle(user: UserId) -> Option<UserHandle> {
    UserHandle::new(user.as_bytes()).ok()
}

fn timeout_ms(continuation: &Continuation, now_ms: u64) -> u32 {
    let left_ms = continuation.expires_ms.saturating_sub(now_ms);
    u32::try_from(left_ms.min(TIMEOUT_MAX_MS)).unwrap_or(u32::MAX)
}

/// `PublicKeyCredentialRequestOptionsJSON`.
pub(super) fn request(
    account: &Account,
    context: &FlowContext,
    continuation: &Continuation,
    step: &Step<'_>,
) -> Zeroizing<String> {
    let Some(policy) = &step.policy.passkeys else {
        return Zeroizing::default();
    };
    let options = RequestOptions {
        rp_id: &policy.rp.id,
        challenge: &challenge(context, continuation),
        timeout_ms: timeout_ms(continuation, step.now_ms),
        allow: &allowed(account, context, continuation),
        user_verification: policy.user_verification,
        hints: &[],
    };
    options.to_json().into()
}

/// Which passkeys may answer. Until something was proven no list is told, which would
/// tell who is known (WebAuthn L3 §14.6.2): passkeys are found without one.
fn allowed(
    account: &Account,
    context: &FlowContext,
    continuation: &Continuation,
) -> Vec<Descriptor> {
    let stranger = context.continuation.session.is_none() && continuation.proofs.is_empty();
    match stranger {
        true => Vec::new(),
        false => account
            .passkeys()
            .iter()
            .map(|held| held.descriptor())
            .collect(),
    }
}

/// `PublicKeyCredentialCreationOptionsJSON`. The passkey is to be found without its
/// id, so that its person need not say who they are.
pub(super) fn creation(
    account: &Account,
    context: &FlowContext,
    continuation: &Continuation,
    step: &Step<'_>,
) -> Zeroizing<String> {
    let (Some(policy), Some(handle)) = (&step.policy.passkeys, handle(continuation.subject)) else {
        return Zeroizing::default();
    };
    let held = account.passkeys();
    let exclude: Vec<_> = held.iter().map(|held| held.descriptor()).collect();
    let name = account_name(context, step);
    let user = User {
        handle: &handle,
        name,
        display_name: name,
    };
    let options = CreationOptions {
        rp_id: &policy.rp.id,
        rp_name: &policy.name,
        user,
        challenge: &challenge(context, continuation),
        algorithms: &Algorithm::ALL,
        timeout_ms: timeout_ms(continuation, step.now_ms),
        exclude: &exclude,
        resident_key: ResidentKey::Required,
        user_verification: policy.user_verification,
        hints: &[],
    };
    options.to_json().into()
}

/// What an authenticator shows the account as: the identifier that the flow names,
/// or the service.
fn account_name<'a>(context: &'a FlowContext, step: &'a Step<'_>) -> &'a str {
    match &context.identifier {
        Some(claimed) => claimed.identifier.expose(),
        None => step.policy.service(),
    }
}

#[derive(Serialize)]
struct TotpJson<'a> {
    secret: &'a str,
    url: &'a str,
}

/// The secret of a new authenticator app, and the URL that it scans:
/// `{"secret", "url"}`.
pub(super) fn totp(
    context: &FlowContext,
    continuation: &Continuation,
    step: &Step<'_>,
) -> Zeroizing<String> {
    let secret = totp_secret(context, continuation);
    // A colon ends an issuer.
    let issuer = step.policy.service().replace(':', " ");
    let url = secret.to_url(&issuer, account_name(context, step));
    let url = url.unwrap_or_default();
    let json = TotpJson {
        secret: &secret.to_base32(),
        url: &url,
    };
    serde_json::to_string(&json).unwrap_or_default().into()
}

pub(super) fn totp_secret(context: &FlowContext, continuation: &Continuation) -> TotpSecret {
    let seed = derived("tg-totp-new-1", context, continuation);
    TotpSecret::draw(&mut Entropy::new(seed))
}

#[derive(Serialize)]
struct CodesJson<'a> {
    codes: Vec<&'a str>,
}

/// New recovery codes: `{"codes": [...]}`.
pub(super) fn recovery_codes(
    context: &FlowContext,
    continuation: &Continuation,
    step: &Step<'_>,
) -> Zeroizing<String> {
    let (_, codes) = new_recovery_codes(context, continuation, step.now_ms);
    let texts = codes.each_ref().map(RecoveryCode::to_text);
    let json = CodesJson {
        codes: texts.iter().map(|text| text.as_str()).collect(),
    };
    serde_json::to_string(&json).unwrap_or_default().into()
}

pub(super) fn new_recovery_codes(
    context: &FlowContext,
    continuation: &Continuation,
    now_ms: u64,
) -> (RecoveryCodes, [RecoveryCode; RECOVERY_CODES]) {
    let seed = derived("tg-recovery-new-1", context, continuation);
    RecoveryCodes::draw(continuation.subject, now_ms, &mut Entropy::new(seed))
}
