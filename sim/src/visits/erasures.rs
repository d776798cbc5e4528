//! Erased people: nothing of theirs answers any more, it stays known since
//! when, and their name is free.

use tidegate_client::{CallError, Code, Decision, Granted, Knowledge, SignIn, UserId};
use tidegate_wire::Class;

use super::Crowd;
use crate::diary::Who;
use crate::people::{PASSWORD, People};

/// How often an erasure with an unknown outcome is asked for again.
const TRIES: u32 = 8;

impl Crowd {
    /// A person signs up and in, is erased, and is looked for everywhere.
    pub(super) async fn be_erased(&self) {
        let number = self
            .newcomers
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let who = Who::Newcomer(number);
        let person = SignIn::username(&format!("leaver-{number}"), PASSWORD)
            .from_address(People::address(number | 1 << 43));
        let made = self.call(Class::Registration, who, self.client().sign_up(&person));
        let Ok(Decision::Yes(user)) = made.await else {
            return;
        };
        let entered = self.call(Class::Password, who, self.client().sign_in(&person));
        let Some(granted) = current(entered.await) else {
            return;
        };
        if self.mailbox.is_in_use() {
            let user = tidegate_account::UserId::from_bytes(user.0);
            self.post(who, user).await;
            self.mailbox.is_erased(user);
        }
        let Some(at_ms) = self.erased(who, user).await else {
            return;
        };
        // The node that lost the slot may still answer until the lease is over.
        self.agenda.sleep_ns(self.stale_ns).await;
        self.look_for(who, &person, &granted).await;
        let again = self.call(Class::Protection, who, self.client().erase(user));
        match again.await {
            Ok(Decision::Yes(then_ms)) if then_ms != at_ms => {
                self.wrong_of(who, "an erasure was told as of another time");
            }
            Ok(Decision::No(refusal)) => {
                let code = refusal.code.name();
                self.wrong_of(who, &format!("who was erased is not known as such: {code}"));
            }
            _ => {}
        }
        let other = self.call(Class::Registration, who, self.client().sign_up(&person));
        match other.await {
            Ok(Decision::Yes(other)) if other == user => {
                self.wrong_of(who, "a person came back after their erasure");
            }
            Ok(Decision::No(refusal)) if refusal.code == Code::IdentifierTaken => {
                self.wrong_of(who, "the name of an erased person is not free");
            }
            _ => {}
        }
    }

    /// Since when a person is erased; `None` when that is not known.
    async fn erased(&self, who: Who, user: UserId) -> Option<u64> {
        let client = self.client().with_key(self.key());
        for _ in 0..TRIES {
            match self.call(Class::Protection, who, client.erase(user)).await {
                Ok(Decision::Yes(at_ms)) => return Some(at_ms),
                Ok(Decision::No(refusal)) => {
                    let code = refusal.code.name();
                    self.wrong_of(who, &format!("who is there cannot be erased: {code}"));
                    return None;
                }
                Err(_) => {
                    let wait_ms = self.patience.try_again_ms.0;
                    self.agenda.sleep_ns(wait_ms * 1_000_000).await;
                }
            }
        }
        None
    }

    /// Nothing answers but what says that it rests on what was so earlier.
    async fn look_for(&self, who: Who, person: &SignIn, granted: &Granted) {
        let check = self.call(Class::Check, who, self.client().check(&granted.session));
        if let Ok(Decision::Yes(checked)) = check.await
            && checked.knowledge == Knowledge::Current
        {
            self.wrong_of(who, "a session of an erased person is alive");
        }
        let refresh = self.client().refresh(&granted.refresh);
        if current(self.call(Class::Refresh, who, refresh).await).is_some() {
            self.wrong_of(who, "an erased person has a refresh token");
        }
        let sign_in = self.client().sign_in(person);
        if current(self.call(Class::Password, who, sign_in).await).is_some() {
            self.wrong_of(who, "an erased person signed in");
        }
    }
}

/// What was handed out for certain.
pub(super) fn current(outcome: Result<Decision<Granted>, CallError>) -> Option<Granted> {
    match outcome {
        Ok(Decision::Yes(granted)) if granted.knowledge == Knowledge::Current => Some(granted),
        _ => None,
    }
}
