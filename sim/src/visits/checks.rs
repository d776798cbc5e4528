//! Whose session is alive: checks, and ending it.

use tidegate_client::{CallError, Code, Decision, Knowledge, RevokeScope};
use tidegate_wire::{Class, SecretBytes};

use super::{A_DAY_MS, Crowd, Standing, is_over};
use crate::diary::Who;

impl Crowd {
    pub(super) async fn check(&self) {
        self.check_of(self.person()).await;
    }

    pub(super) async fn check_of(&self, person: u64) {
        let before = self.holding(person);
        let began_ns = self.agenda.now_ns();
        let check = self.client().check(&before.session);
        let outcome = self.call(Class::Check, Who::Person(person), check).await;
        if let Ok(Decision::Yes(checked)) = &outcome
            && checked.knowledge == Knowledge::Current
            && self.people.told_ms(person) < self.unix_ms() + A_DAY_MS
        {
            self.holdings()
                .entry(person)
                .or_insert_with(|| before.clone());
            self.told(person, &before.session, checked.idle_expires_at);
        }
        let after = self.holding(person);
        // A person who is changed meanwhile may be answered either way.
        let changing = before.changing || after.changing;
        let settled = !changing && before.changes == after.changes;
        match outcome {
            Ok(Decision::Yes(checked)) if settled => {
                // The node that lost the slot may still answer until the lease
                // is over, and says how old its knowledge is afterwards.
                let age_ns = match checked.knowledge {
                    Knowledge::Current => self.stale_ns,
                    Knowledge::Degraded { age_ms } | Knowledge::Provisional { age_ms } => {
                        self.stale_ns.max(u64::from(age_ms) * 1_000_000)
                    }
                };
                if let Standing::Ended { since_ns } = before.standing
                    && began_ns >= since_ns + age_ns
                {
                    self.wrong("an ended session was said to be alive", person);
                }
            }
            Ok(Decision::No(refusal))
                if settled && is_over(refusal.code) && self.may_be_over(&after) =>
            {
                self.over(person, after);
            }
            Ok(Decision::No(refusal)) if settled && before.standing == Standing::Alive => {
                let code = refusal.code.name();
                self.wrong(
                    &format!("a session that is alive was refused: {code}"),
                    person,
                );
            }
            _ => {}
        }
    }

    pub(super) async fn forged_check(&self) {
        let person = self.person();
        let mut session = self.holding(person).session;
        session.secret = SecretBytes([7; 24]);
        let check = self.client().check(&session);
        let outcome = self.call(Class::Check, Who::Person(person), check).await;
        if matches!(outcome, Ok(Decision::Yes(_))) {
            self.wrong("a forged session was taken", person);
        }
    }

    pub(super) async fn sign_out(&self) {
        let Some((person, holding)) = self.to_change() else {
            return;
        };
        let revoke = self.client().revoke(&holding.session, RevokeScope::This);
        let outcome = self
            .call(Class::Protection, Who::Person(person), revoke)
            .await;
        let since_ns = self.agenda.now_ns();
        let ended = match outcome {
            Ok(Decision::Yes(_)) => true,
            // Where there is one node, what it has written down holds from then
            // on, whatever happens to it.
            Err(CallError::Unknown {
                code: Code::AcceptedNotDurable,
            }) => self.stale_ns == 0,
            _ => false,
        };
        self.changed(person, |holding| {
            holding.standing = match ended {
                true => Standing::Ended { since_ns },
                false => Standing::Ending,
            };
        });
        // A person who signs out and goes back sees it at once.
        self.check_of(person).await;
    }
}
