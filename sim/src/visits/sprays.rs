//! Attackers who try one password on every account: how many of their guesses
//! are looked at is bounded, wherever they come from (docs/security.md,
//! Guessing).

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use tidegate_account::SourcePolicy;
use tidegate_client::{CallError, Code, Decision, Granted, SignIn};
use tidegate_wire::Class;
use tokio::task::JoinSet;

use super::Crowd;
use crate::book::Sprayed;
use crate::diary::Who;
use crate::people::People;
use crate::scenario::{Spray, Sprayers};

/// The password that is tried on every account.
const GUESS: &str = "password of the year";
const SECOND_NS: u64 = 1_000_000_000;

/// The outcome of a guess.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guess {
    /// Its password was compared.
    LookedAt,
    /// It was held off, or not answered.
    Not,
}

impl Crowd {
    fn seen(&self) -> Option<MutexGuard<'_, BTreeSet<Who>>> {
        let seen = self.seen.as_ref()?;
        Some(seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Signs a person in from their own source, which is known for it from then
    /// on.
    pub(super) async fn seen_to_sign_in(
        &self,
        who: Who,
        person: &SignIn,
    ) -> Result<Decision<Granted>, CallError> {
        // At that moment it may be known already, but not yet to them.
        let known = self.seen().is_some_and(|seen| seen.contains(&who));
        let sign_in = self.client().sign_in(person);
        let outcome = self.call(Class::Password, who, sign_in).await;
        if let (Ok(Decision::Yes(_)), Some(mut seen)) = (&outcome, self.seen()) {
            seen.insert(who);
            if !known {
                self.first_seen.fetch_add(1, Ordering::Relaxed);
            }
        }
        outcome
    }

    /// Tries the password on every account in turn, for as long as it says.
    pub(crate) async fn spray(self: Arc<Crowd>, spray: Spray) {
        let begins_ns = self.origin_ns + spray.at_s.ns();
        let ends_ns = self.ends_ns.min(begins_ns + spray.for_s.ns());
        let gap_ns = SECOND_NS / spray.per_s.0;
        let (mut guesses, mut looked_at) = (0, 0);
        let mut under_way = JoinSet::new();
        self.agenda.sleep_until(begins_ns).await;
        while self.agenda.now_ns() < ends_ns {
            under_way.spawn(Arc::clone(&self).guess_at_next(spray.from, guesses));
            guesses += 1;
            self.agenda.sleep_until(begins_ns + guesses * gap_ns).await;
            while let Some(guess) = under_way.try_join_next() {
                looked_at += u64::from(matches!(guess, Ok(Guess::LookedAt)));
            }
        }
        while let Some(guess) = under_way.join_next().await {
            looked_at += u64::from(matches!(guess, Ok(Guess::LookedAt)));
        }
        let took_ms = (self.agenda.now_ns() - begins_ns) / 1_000_000 + 1;
        self.book.sprayed(Sprayed {
            from: spray.from,
            guesses,
            looked_at,
            at_most: self.at_most(spray.from, took_ms),
        });
    }

    async fn guess_at_next(self: Arc<Crowd>, from: Sprayers, number: u64) -> Guess {
        let person = number % self.people.count();
        self.people.meet(person);
        let guess = SignIn::username(&People::name(person), GUESS);
        let guess = match from.source(number) {
            Some(address) => guess.from_address(address),
            None => guess,
        };
        let gateway = from.gateway(number, self.clients.len());
        let sign_in = self.clients[gateway].sign_in(&guess);
        let outcome = self
            .call(Class::Password, Who::Person(person), sign_in)
            .await;
        match outcome {
            Ok(Decision::Yes(_)) => {
                self.wrong("an attacker's guess was taken", person);
                Guess::LookedAt
            }
            Ok(Decision::No(refusal)) if refusal.code == Code::InvalidCredentials => {
                Guess::LookedAt
            }
            Ok(Decision::No(_)) | Err(_) => Guess::Not,
        }
    }

    /// How many guesses may be looked at in so long: by the sources' bound, where
    /// they are few, and by that on whatever comes from nowhere in particular.
    fn at_most(&self, from: Sprayers, took_ms: u64) -> u64 {
        let of = |policy: &SourcePolicy| u64::from(policy.free) + took_ms / policy.refill_ms.max(1);
        let earned = self.first_seen.load(Ordering::Relaxed);
        let of_crowd = of(&self.policy.crowd) + earned;
        match from.sources() {
            Some(sources) => of_crowd.min(sources * of(&self.policy.source)),
            None => of_crowd,
        }
    }
}
