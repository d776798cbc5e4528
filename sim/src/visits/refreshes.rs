//! Refresh tokens: replaced, from two tabs at once, and used again.

use std::sync::atomic::{AtomicU32, Ordering};

use tidegate_client::{CallError, Code, Decision, Granted, Knowledge};
use tidegate_wire::Class;

use super::{Crowd, Holding, Standing, is_over};
use crate::diary::Who;

/// For how long a refresh can be repeated.
const REPEAT_MS: u64 = 30_000;
/// A call and the pause after it take no longer.
const BETWEEN_MS: u64 = 15_000;

impl Crowd {
    pub(super) async fn refresh(&self) {
        let Some((person, holding)) = self.to_change() else {
            return;
        };
        let who = Who::Person(person);
        if !self.repeats_count() {
            let refresh = self.client().refresh(&holding.refresh);
            let outcome = self.call(Class::Refresh, who, refresh).await;
            return self.refreshed(person, &outcome);
        }
        // One call, from the first time they ask to the last answer: who waits
        // for a store to come back is one person, however often they ask.
        let asks = AtomicU32::new(0);
        let insist = self.insist(person, &holding, &asks);
        let outcome = self.booked(Class::Refresh, who, insist).await;
        self.refreshed(person, &outcome);
        if asks.load(Ordering::Relaxed) > 1
            && !matches!(&outcome, Ok(Decision::Yes(granted)) if granted.knowledge == Knowledge::Current)
        {
            // A client that was told to keep the token, by a node that had not
            // heard of its replacement, may be out of time.
            self.changed(person, |holding| holding.standing = Standing::Ending);
        }
    }

    /// Whether a client that asks again soon is sure to reach a node in time.
    fn repeats_count(&self) -> bool {
        self.silence_ms + self.dates_apart_ms + BETWEEN_MS < REPEAT_MS
    }

    /// Asks with the same token until there is an answer, and counts how often.
    async fn insist(
        &self,
        person: u64,
        holding: &Holding,
        asks: &AtomicU32,
    ) -> Result<Decision<Granted>, CallError> {
        loop {
            asks.fetch_add(1, Ordering::Relaxed);
            let began_ns = self.agenda.now_ns();
            let refresh = self.client().refresh(&holding.refresh);
            let outcome = self.placed(refresh).await;
            let Err(error) = &outcome else {
                return outcome;
            };
            // Later, the whole of it may be answered all the same.
            self.book.unanswered(Class::Refresh, began_ns, error);
            if self.agenda.now_ns() >= self.ends_ns {
                return outcome;
            }
            let words = || format!("{:?}: {error}, and is asked again", Class::Refresh);
            let who = Who::Person(person);
            self.book.diary.note(who, self.agenda.now_ns(), words);
            let pause_ms = 1_000 + self.again.below(4_000);
            self.agenda.sleep_ns(pause_ms * 1_000_000).await;
        }
    }

    /// A token that was replaced, and whose successor was used: the client that
    /// presents it has stolen it, or was robbed.
    pub(super) async fn reuse(&self) {
        let Some((person, holding)) = self.to_change() else {
            return;
        };
        let who = Who::Person(person);
        let mut token = holding.refresh.clone();
        for _ in 0..2 {
            let outcome = self
                .call(Class::Refresh, who, self.client().refresh(&token))
                .await;
            self.refreshed(person, &outcome);
            match outcome {
                Ok(Decision::Yes(granted)) if granted.knowledge == Knowledge::Current => {
                    token = granted.refresh;
                    // It is not over yet.
                    self.changed(person, |holding| holding.changing = true);
                }
                _ => return,
            }
        }
        let old = self.client().refresh(&holding.refresh);
        let outcome = self.call(Class::Refresh, who, old).await;
        if let Ok(Decision::Yes(granted)) = &outcome
            && granted.knowledge == Knowledge::Current
        {
            self.wrong("a refresh token that was used up was taken", person);
        }
        let since_ns = self.agenda.now_ns();
        self.changed(person, |holding| {
            holding.standing = match &outcome {
                Ok(Decision::No(refusal)) if refusal.code == Code::RefreshReused => {
                    Standing::Ended { since_ns }
                }
                _ => Standing::Ending,
            };
        });
    }

    fn refreshed(&self, person: u64, outcome: &Result<Decision<Granted>, CallError>) {
        match outcome {
            Ok(Decision::Yes(granted)) => {
                let now_ns = self.agenda.now_ns();
                let words = || format!("a refresh token, {:?}", granted.knowledge);
                self.book.diary.note(Who::Person(person), now_ns, words);
                let refresh = granted.refresh.clone();
                let told_ms = match granted.knowledge {
                    Knowledge::Current => granted.idle_expires_at,
                    _ => 0,
                };
                self.changed(person, |holding| {
                    holding.refresh = refresh;
                    holding.told_ms = holding.told_ms.max(told_ms);
                });
            }
            Ok(Decision::No(refusal))
                if is_over(refusal.code) && self.may_be_over(&self.holding(person)) =>
            {
                self.changed(person, |holding| holding.standing = Standing::Ending);
            }
            Ok(Decision::No(refusal)) => {
                let code = refusal.code.name();
                self.wrong(&format!("a refresh token was refused: {code}"), person);
                self.changed(person, |holding| holding.standing = Standing::Ending);
            }
            // The token may have been replaced: afterwards the family ends, so
            // nothing is known.
            Err(_) => self.changed(person, |holding| holding.standing = Standing::Ending),
        }
    }

    /// Two tabs present the same token at once: both are let on, with the
    /// same successor.
    pub(super) async fn two_tabs(&self) {
        let Some((person, holding)) = self.to_change() else {
            return;
        };
        let who = Who::Person(person);
        let (one, other) = tokio::join!(
            self.call(Class::Refresh, who, self.client().refresh(&holding.refresh)),
            self.call(Class::Refresh, who, self.client().refresh(&holding.refresh)),
        );
        let current = |outcome: &Result<Decision<Granted>, CallError>| matches!(outcome, Ok(Decision::Yes(granted)) if granted.knowledge == Knowledge::Current);
        // A node that cannot reach the store lets the client keep the token.
        let both = current(&one) && current(&other);
        if let (Ok(Decision::Yes(one)), Ok(Decision::Yes(other))) = (&one, &other)
            && both
            && one.refresh.secret.0 != other.refresh.secret.0
        {
            self.wrong("two tabs got two successors of one token", person);
        }
        let over = self.may_be_over(&holding);
        if let (Ok(Decision::No(_)), _) | (_, Ok(Decision::No(_))) = (&one, &other)
            && !over
        {
            self.wrong("one of two tabs was thrown out", person);
        }
        let known = match &one {
            Ok(_) if current(&one) || !current(&other) => &one,
            _ => &other,
        };
        self.refreshed(person, known);
    }
}
