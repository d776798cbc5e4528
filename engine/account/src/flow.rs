//! The flow as a table: what may be shown next, and when it is over. The server
//! drives it; between two steps its state is a sealed
//! [`Continuation`](crate::continuation::Continuation), and what must be durable
//! of it is in [`Attempts`].
//!
//! Until something was proven, what is offered follows from the tenant's policy,
//! the purpose and the kind of the identifier, and never from the account: a known
//! identifier and an unknown one get the same methods. After that it follows from
//! what the account has.

mod attempts;

pub use crate::policy::{FlowPolicy, Reach};
pub use attempts::{ATTEMPTS_MAX, Attempt, Attempts, FlowPlace, Over, SENT_TO_MAX, SendLogRow};

use alloc::vec::Vec;

use crate::assurance::{Entry, Level, Method, Methods, Proof, Proofs, Shown, UserVerification};
use crate::continuation::Purpose;
use crate::identifier::IdentifierKind;
use crate::policy::Policy;

/// What a flow waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// One of these, in the order in which they are offered.
    Prove(Vec<Method>),
    /// The password that becomes the account's.
    NewPassword,
    /// One more credential, of one of these methods.
    New(Vec<Method>),
    /// Nothing: who is there was proven.
    Over,
}

/// Where a flow is, and at what.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What it is for.
    pub purpose: Purpose,
    /// The kind of the identifier that it began with.
    pub kind: Option<IdentifierKind>,
    /// What was proven.
    pub proofs: &'a Proofs,
    /// What the account has. Counts only where something was proven, or the flow
    /// began with a session.
    pub held: Methods,
    /// The time, in Unix milliseconds.
    pub now_ms: u64,
}

impl Policy {
    /// What a flow waits for. The table stands in `tables/flow.txt`.
    #[must_use]
    pub fn stage(&self, asked: &Asked<'_>) -> Stage {
        match asked.purpose {
            Purpose::SignIn | Purpose::SignUp | Purpose::Recover if asked.proofs.is_empty() => {
                Stage::Prove(self.offered(asked.purpose, asked.kind))
            }
            Purpose::SignIn | Purpose::SignUp => self.second_or(asked, Stage::Over),
            Purpose::Recover => self.second_or(asked, Stage::NewPassword),
            Purpose::StepUp => match self.raising(asked) {
                raising if raising.is_empty() => Stage::Over,
                raising => Stage::Prove(raising),
            },
            Purpose::Add if self.is_recent(asked) => {
                self.second_or(asked, Stage::New(self.addable(asked.held)))
            }
            Purpose::Add => Stage::Prove(self.shown_by(asked)),
            Purpose::Change => Stage::Prove(Vec::new()),
        }
    }

    /// Whether a code is sent at once, before one is asked for: where it is what
    /// the tenant would have first.
    #[must_use]
    pub fn sends_at_once(&self, purpose: Purpose, kind: Option<IdentifierKind>) -> bool {
        let offered = self.offered(purpose, kind);
        matches!(offered.first(), Some(Method::EmailCode | Method::SmsCode))
    }

    /// What is offered to a stranger.
    fn offered(&self, purpose: Purpose, kind: Option<IdentifierKind>) -> Vec<Method> {
        let methods = self.flow.methods.iter().copied();
        methods
            .filter(|method| match method {
                Method::EmailCode => {
                    let reached = (kind, self.notices.reach());
                    let begins = matches!(
                        purpose,
                        Purpose::SignIn | Purpose::SignUp | Purpose::Recover
                    );
                    begins && reached == (Some(IdentifierKind::Email), Reach::Mail)
                }
                Method::Password => purpose == Purpose::SignIn && kind.is_some(),
                Method::Passkey => purpose == Purpose::SignIn && self.passkeys.is_some(),
                Method::SmsCode | Method::Link | Method::Totp | Method::RecoveryCode => false,
            })
            .collect()
    }

    /// One more factor where the account wants one, and then the end. Where the tenant
    /// asks for none there is none; where it names only what the account has not, the
    /// app is asked for.
    fn second_or(&self, asked: &Asked<'_>, end: Stage) -> Stage {
        let wanted = asked.held.contains(Method::Totp) && !self.flow.second_factors.is_empty();
        if !wanted || is_two_factors(asked.proofs) {
            return end;
        }
        let methods = self.flow.second_factors.iter().copied();
        let offered = methods.filter(|method| {
            // A recovery removes passkeys, and so asks for none.
            let kept = (*method, asked.purpose) != (Method::Passkey, Purpose::Recover);
            kept && asked.held.contains(*method) && !has(asked.proofs, *method)
        });
        let mut offered: Vec<Method> = offered.collect();
        if asked.purpose == Purpose::Add {
            let more = self.shown_by(asked).into_iter();
            let more: Vec<Method> = more.filter(|method| !offered.contains(method)).collect();
            offered.extend(more);
        }
        if offered.is_empty() && !has(asked.proofs, Method::Totp) {
            offered.push(Method::Totp);
        }
        Stage::Prove(offered)
    }

    /// What would raise the assurance of a session.
    fn raising(&self, asked: &Asked<'_>) -> Vec<Method> {
        let held = |method| asked.held.contains(method);
        // Nothing of it would do.
        let pair = held(Method::Password) && held(Method::Totp);
        if !held(Method::Passkey) && !pair {
            return Vec::new();
        }
        let assurance = asked.proofs.assurance(Entry::Authentication);
        match assurance.map(|assurance| assurance.level) {
            Some(Level::Two) => Vec::new(),
            Some(Level::One) | None => self.shown_by(asked),
        }
    }

    /// What the account has to prove with, and was not shown yet.
    fn shown_by(&self, asked: &Asked<'_>) -> Vec<Method> {
        let mut methods = Vec::new();
        let ordered = self.flow.methods.iter().chain(&self.flow.second_factors);
        for method in ordered {
            let proves = match method {
                Method::Password | Method::Passkey | Method::Totp => true,
                Method::EmailCode | Method::SmsCode | Method::Link | Method::RecoveryCode => false,
            };
            let shown = methods.contains(method) || has(asked.proofs, *method);
            if proves && asked.held.contains(*method) && !shown {
                methods.push(*method);
            }
        }
        methods
    }

    /// What can be added to an account.
    fn addable(&self, held: Methods) -> Vec<Method> {
        let methods = self.flow.methods.iter().chain(&self.flow.second_factors);
        let mut addable = Vec::new();
        for method in methods.copied() {
            let adds = match method {
                Method::Passkey => self.passkeys.is_some(),
                Method::Totp | Method::Password => !held.contains(method),
                Method::RecoveryCode => true,
                Method::EmailCode | Method::SmsCode | Method::Link => false,
            };
            if adds && !addable.contains(&method) {
                addable.push(method);
            }
        }
        addable
    }

    /// Whether something was proven not long ago.
    fn is_recent(&self, asked: &Asked<'_>) -> bool {
        let fresh_ms = self.session.fresh_ms;
        let newest = asked.proofs.newest_ms();
        // What lies ahead was dated wrong, and may be of any time.
        newest.is_some_and(|at_ms| asked.now_ms.abs_diff(at_ms) <= fresh_ms)
    }
}

/// Whether a method was shown.
fn has(proofs: &Proofs, method: Method) -> bool {
    proofs.iter().any(|proof| proof.shown.method() == method)
}

/// Whether nothing more is asked of these proofs.
pub(crate) fn is_two_factors(proofs: &Proofs) -> bool {
    proofs.iter().any(|Proof { shown, .. }| match shown {
        Shown::Passkey(UserVerification::Verified, _) => true,
        Shown::Passkey(UserVerification::Present, _) | Shown::Totp | Shown::RecoveryCode => {
            proofs.len() > 1
        }
        Shown::Password | Shown::EmailCode | Shown::SmsCode | Shown::Link => false,
    })
}

#[cfg(test)]
mod tests;
