//! Codes of an authenticator app, and recovery codes. Each has a lane of its own:
//! what is wrong here holds off nothing else. A wrong one is durable before it is
//! answered.

use crate::account::family::{FlowAnswer, Reply};
use crate::account::{Account, Step};
use crate::assurance::Shown;
use crate::credential::code::Code;
use crate::credential::recovery::{RecoveryCode, RecoveryJudged};
use crate::credential::totp::{Advanced, TotpJudged};
use crate::event::EventKind;
use crate::guess::Admission;
use crate::reply::Refusal;

impl Account {
    pub(super) fn answer_totp(
        &mut self,
        answer: &FlowAnswer,
        code: &Code,
        step: &mut Step<'_>,
    ) -> Reply {
        let person = self.person.as_mut();
        let Some(held) = person.and_then(|person| person.sealed.factors.totp.as_mut()) else {
            return Reply::No(Refusal::FlowOver);
        };
        let policy = &step.policy.guess;
        if let Admission::Hold { retry_after_ms } = held.failures.admit(0, step.now_ms, policy) {
            return Reply::No(Refusal::Throttled { retry_after_ms });
        }
        let right = match held.totp.judge(code, step.now_ms) {
            TotpJudged::Right(advance) => held.totp.advance(advance) == Advanced::Done,
            TotpJudged::Spent | TotpJudged::Wrong => false,
        };
        match right {
            true => {
                held.failures.forget();
                let at = self.at(answer);
                self.proven(&answer.context, Shown::Totp, at, step)
            }
            false => {
                held.failures.fail(step.now_ms, policy);
                step.event(EventKind::SignInFailed);
                Reply::No(Refusal::InvalidCode)
            }
        }
    }

    pub(super) fn answer_recovery_code(
        &mut self,
        answer: &FlowAnswer,
        code: &RecoveryCode,
        step: &mut Step<'_>,
    ) -> Reply {
        let user = self.user;
        let person = self.person.as_mut();
        let held = person.and_then(|person| person.sealed.factors.recovery_codes.as_mut());
        let Some(held) = held else {
            return Reply::No(Refusal::FlowOver);
        };
        let policy = &step.policy.guess;
        if let Admission::Hold { retry_after_ms } = held.failures.admit(0, step.now_ms, policy) {
            return Reply::No(Refusal::Throttled { retry_after_ms });
        }
        match held.codes.judge(user, code) {
            RecoveryJudged::Right { .. } => {
                held.failures.forget();
                let at = self.at(answer);
                self.proven(&answer.context, Shown::RecoveryCode, at, step)
            }
            RecoveryJudged::Spent | RecoveryJudged::Wrong => {
                held.failures.fail(step.now_ms, policy);
                step.event(EventKind::SignInFailed);
                Reply::No(Refusal::InvalidCode)
            }
        }
    }
}
