//! Which credentials an account has, and removing one where another way in remains.

use alloc::vec::Vec;

use super::family::{CredentialReply, Reply};
use super::{Account, Person, Step};
use crate::assurance::Method;
use crate::command::{Request, RevokeScope, SessionProof};
use crate::credential::passkey::{CredentialId, UserHandle, all_accepted_credentials};
use crate::event::EventKind;
use crate::flow::{Reach, is_two_factors};
use crate::identifier::IdentifierKind;
use crate::reply::{CredentialInfo, CredentialList, Refusal};

impl Account {
    /// What the account has, and what a browser is told so that authenticators drop
    /// passkeys that it has no more (WebAuthn L3 §5.1.10.3).
    pub(super) fn list_credentials(&self, step: &Step<'_>) -> Reply {
        let Some(person) = &self.person else {
            return Reply::No(Refusal::InvalidToken);
        };
        let factors = &person.sealed.factors;
        let password = person.sealed.password.iter();
        let mut list: Vec<CredentialInfo> = password
            .map(|row| CredentialInfo::of(Method::Password, row.set_at))
            .collect();
        let passkeys = self.passkeys();
        list.extend(passkeys.iter().map(|passkey| CredentialInfo {
            number: passkey.head.number,
            used_at: passkey.head.used_at,
            backup: Some(passkey.head.backup),
            name: passkey.part.name.clone(),
            ..CredentialInfo::of(Method::Passkey, passkey.head.added_at)
        }));
        let totp = factors.totp.iter();
        list.extend(totp.map(|held| CredentialInfo::of(Method::Totp, held.added_at)));
        let codes = factors.recovery_codes.iter();
        list.extend(codes.map(|held| CredentialInfo {
            remaining: Some(held.codes.remaining()),
            ..CredentialInfo::of(Method::RecoveryCode, held.codes.made_ms())
        }));
        let handle = UserHandle::new(self.user.as_bytes()).ok();
        // A part that this program cannot read is a passkey all the same.
        let all = passkeys.len() == factors.passkeys.len();
        let signal = step.policy.passkeys.as_ref().filter(|_| all).zip(handle);
        let ids: Vec<CredentialId> = passkeys.iter().map(|it| it.part.id.clone()).collect();
        let signal =
            signal.map(|(policy, handle)| all_accepted_credentials(&policy.rp.id, &handle, &ids));
        Reply::Credential(CredentialReply::Listed(CredentialList {
            credentials: list,
            signal: signal.unwrap_or_default(),
        }))
    }

    /// Removes a credential, and ends every other session: who has it may have made
    /// them.
    pub(super) fn remove_credential(
        &mut self,
        request: &Request,
        by: &SessionProof,
        (method, number): (Method, u16),
        step: &mut Step<'_>,
    ) -> Reply {
        let Some(person) = self.person_of(request) else {
            return Reply::No(Refusal::InvalidToken);
        };
        let mut sessions = person.check.sessions.iter();
        let session = sessions.find(|session| session.id() == by.session);
        let sure = session.is_some_and(|session| is_two_factors(&session.proofs()));
        if !sure && person.wants_second_factor(step) {
            return Reply::No(Refusal::StaleSignIn);
        }
        if !person.has(method, number) {
            return Reply::Credential(CredentialReply::Removed(0));
        }
        if !person.keeps_a_way_in(method, step) {
            return Reply::No(Refusal::LastCredential);
        }
        person.remove(method, number, step);
        // What began with it must not end in a session.
        person.sealed.attempts.end(None);
        step.event(EventKind::CredentialRemoved(method.number()));
        self.discard_work(step);
        match self.revoke(request, by.session, RevokeScope::Others, step) {
            Reply::No(refusal) => Reply::No(refusal),
            Reply::Credential(_)
            | Reply::Flow(_)
            | Reply::Identifier(_)
            | Reply::Lifecycle(_)
            | Reply::Session(_) => Reply::Credential(CredentialReply::Removed(1)),
        }
    }
}

impl Person {
    fn has(&self, method: Method, number: u16) -> bool {
        let factors = &self.sealed.factors;
        match method {
            Method::Password => number == 0 && self.sealed.password.is_some(),
            Method::Passkey => factors.passkeys.iter().any(|head| head.number == number),
            Method::Totp => number == 0 && factors.totp.is_some(),
            Method::RecoveryCode => number == 0 && factors.recovery_codes.is_some(),
            Method::EmailCode | Method::SmsCode | Method::Link => false,
        }
    }

    /// Whether the account can be signed in to without one credential of a method.
    fn keeps_a_way_in(&self, without: Method, step: &Step<'_>) -> bool {
        let spent = |method| u8::from(without == method);
        let passwords = u8::from(self.sealed.password.is_some());
        let passkeys = match &step.policy.passkeys {
            Some(_) if step.policy.flow.methods.contains(&Method::Passkey) => {
                self.sealed.factors.passkeys.len()
            }
            Some(_) | None => 0,
        };
        let mut rows = self.sealed.identifiers.iter();
        let by_mail = step.policy.notices.reach() == Reach::Mail
            && step.policy.flow.methods.contains(&Method::EmailCode)
            && rows.any(|row| row.is_held() && row.kind == IdentifierKind::Email);
        by_mail
            || passwords > spent(Method::Password)
            || passkeys > usize::from(spent(Method::Passkey))
    }

    fn remove(&mut self, method: Method, number: u16, step: &mut Step<'_>) {
        let factors = &mut self.sealed.factors;
        match method {
            Method::Password => self.sealed.password = None,
            Method::Passkey => {
                factors.passkeys.retain(|head| head.number != number);
                step.change().passkeys.push((number, None));
            }
            Method::Totp => factors.totp = None,
            Method::RecoveryCode => factors.recovery_codes = None,
            Method::EmailCode | Method::SmsCode | Method::Link => {}
        }
    }
}
