//! People who want in: signing in and up, mistyping, coming back; and attackers
//! who guess.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use tidegate_client::{CallError, Code, Decision, DeviceToken, Knowledge, SignIn};
use tidegate_wire::Class;

use super::Crowd;
use crate::book::Entered;
use crate::diary::Who;
use crate::people::{PASSWORD, People};

/// Before a deadline, for the request to get there.
const MARGIN_MS: u64 = 500;
/// Of one person, each with a session more: an account has 50 at most.
const RETURNS_MAX: u32 = 20;
/// No person waits longer for a last moment.
const LONGEST_MS: u64 = 90_000;

impl Crowd {
    pub(super) async fn sign_in(&self, typing: Typing) {
        self.sign_in_of(self.person(), typing).await;
    }

    /// A person who was here months ago: their session has ended, their
    /// password has not.
    pub(super) async fn come_back(&self) {
        let Some(person) = self.dormant() else {
            return;
        };
        let (session, _) = self.people.tokens(person);
        let check = self.client().check(&session);
        let outcome = self.call(Class::Check, Who::Person(person), check).await;
        if matches!(outcome, Ok(Decision::Yes(_))) {
            self.wrong("a session that was not used for months was taken", person);
        }
        self.sign_in_of(person, Typing::Right).await;
    }

    /// A person signs in, is not seen, and comes back right before the deadline
    /// that they were told.
    pub(super) async fn last_moment(&self) {
        let Some(person) = self.dormant() else {
            return;
        };
        self.people.meet(person);
        let who = Who::Person(person);
        let sign_in = SignIn::username(&People::name(person), PASSWORD);
        let sign_in = sign_in.from_address(People::address(person));
        let entered = self.client().sign_in(&sign_in);
        let Ok(Decision::Yes(granted)) = self.call(Class::Password, who, entered).await else {
            return;
        };
        let left_ms = granted
            .idle_expires_at
            .saturating_sub(self.unix_ms() + self.dates_apart_ms + MARGIN_MS);
        if granted.knowledge != Knowledge::Current || !(1..LONGEST_MS).contains(&left_ms) {
            return;
        }
        self.agenda.sleep_ns(left_ms * 1_000_000).await;
        let check = self.client().check(&granted.session);
        if let Ok(Decision::No(refusal)) = self.call(Class::Check, who, check).await
            && self.unix_ms() < granted.idle_expires_at
        {
            let code = refusal.code.name();
            self.wrong(
                &format!("a session was refused before the deadline that was told: {code}"),
                person,
            );
        }
    }

    /// A person who was away for long, unless they came back so often that
    /// their account would end their oldest sessions.
    fn dormant(&self) -> Option<u64> {
        let person = self.people.dormant(&self.stream)?;
        let mut returns = self.returns.lock().unwrap_or_else(PoisonError::into_inner);
        let count = returns.entry(person).or_default();
        *count += 1;
        (*count <= RETURNS_MAX).then_some(person)
    }

    fn devices(&self) -> MutexGuard<'_, BTreeMap<u64, DeviceToken>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From the device that was remembered, or from one that is to be, or from
    /// any.
    fn on_device(&self, person: u64, sign_in: SignIn) -> SignIn {
        if self.remember_percent <= 0.0 {
            return sign_in;
        }
        match self.devices().get(&person) {
            Some(device) => sign_in.from_device(device.clone()),
            None if self.stream.fraction() * 100.0 < self.remember_percent => {
                sign_in.remember_device()
            }
            None => sign_in,
        }
    }

    async fn sign_in_of(&self, person: u64, typing: Typing) {
        self.people.meet(person);
        let who = Who::Person(person);
        let name = People::name(person);
        let sign_in = |password: &str| {
            let sign_in = SignIn::username(&name, password);
            self.on_device(person, sign_in.from_address(People::address(person)))
        };
        let (began_ns, mut tries) = (self.agenda.now_ns(), 0);
        self.book.wants_in(began_ns);
        if typing == Typing::WrongOnce {
            let client = self.client();
            let wrong = sign_in("correct house battery");
            let outcome = self
                .call(Class::Password, who, client.sign_in(&wrong))
                .await;
            if matches!(outcome, Ok(Decision::Yes(_))) {
                self.wrong("a wrong password was taken", person);
            }
            tries += 1;
            self.agenda.sleep_ns(4_000_000_000).await;
        }
        let right = sign_in(PASSWORD);
        let entered = self
            .enter(began_ns, tries, || async {
                let outcome = self.seen_to_sign_in(who, &right).await;
                if let Ok(Decision::Yes(granted)) = &outcome {
                    self.is_in(person, granted);
                    if let Some(device) = &granted.device {
                        self.devices().insert(person, device.clone());
                    }
                }
                outcome.map(|decision| decision.map(|_| ()))
            })
            .await;
        self.book.entered(began_ns, self.agenda.now_ns(), entered);
    }

    /// Tries until in, as long as patience lasts. A person who is told when to
    /// come again does.
    pub(super) async fn enter<F>(
        &self,
        began_ns: u64,
        mut tries: u32,
        attempt: impl Fn() -> F,
    ) -> Entered
    where
        F: Future<Output = Result<Decision<()>, CallError>>,
    {
        let until_ns = began_ns + self.patience.give_up_s.ns();
        loop {
            tries += 1;
            let told_ms = match attempt().await {
                Ok(Decision::Yes(())) => return Entered::In { tries },
                Ok(Decision::No(refusal)) => match refusal.code {
                    Code::Throttled => refusal.retry_after_ms,
                    _ => return Entered::GaveUp,
                },
                Err(CallError::NotDone { retry_after_ms, .. }) => Some(retry_after_ms),
                Err(_) => None,
            };
            let wait_ms = told_ms.unwrap_or(0).max(self.patience.try_again_ms.u32());
            let again_ns = self.agenda.now_ns() + u64::from(wait_ms) * 1_000_000;
            if again_ns >= until_ns {
                return Entered::GaveUp;
            }
            self.agenda.sleep_until(again_ns).await;
        }
    }

    pub(super) async fn guess(&self) {
        let person = self.person();
        self.people.meet(person);
        let stranger = self.stream.below(1 << 20);
        let guess = SignIn::username(&People::name(person), "hunter2hunter2")
            .from_address(People::address(stranger | 1 << 40));
        let outcome = self
            .call(
                Class::Password,
                Who::Person(person),
                self.client().sign_in(&guess),
            )
            .await;
        if matches!(outcome, Ok(Decision::Yes(_))) {
            self.wrong("an attacker's guess was taken", person);
        }
    }

    /// Two people want the same name at once: one of them has it.
    pub(super) async fn same_name(&self) {
        let number = self
            .newcomers
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("both-{number}");
        let wants = |place: u64| {
            SignIn::username(&name, PASSWORD).from_address(People::address(number << 1 | place))
        };
        let (first, second) = (wants(0), wants(1));
        let who = Who::Newcomer(number);
        let (one, other) = tokio::join!(
            self.call(Class::Registration, who, self.client().sign_up(&first)),
            self.call(Class::Registration, who, self.client().sign_up(&second)),
        );
        if let (Ok(Decision::Yes(one)), Ok(Decision::Yes(other))) = (&one, &other)
            && one.0 != other.0
        {
            self.wrong_of(who, "two people have one name");
        }
        let taken = |outcome: &Result<Decision<_>, CallError>| matches!(outcome, Ok(Decision::No(refusal)) if refusal.code == Code::IdentifierTaken);
        if taken(&one) && taken(&other) {
            self.wrong_of(who, "a name that no account holds was said to be taken");
        }
    }

    /// A crowd guesses at one password at once: only so many are looked at.
    pub(super) async fn guess_crowd(&self) {
        const CROWD: u64 = 24;
        let person = self.person();
        self.people.meet(person);
        let name = People::name(person);
        let guesses = (0..CROWD).map(|stranger| {
            let guess = SignIn::username(&name, &format!("hunter{stranger}hunter{stranger}"))
                .from_address(People::address(stranger | 1 << 42));
            async move {
                let client = self.client();
                let who = Who::Person(person);
                self.call(Class::Password, who, client.sign_in(&guess))
                    .await
            }
        });
        let outcomes = futures_util::future::join_all(guesses).await;
        let evaluated = outcomes.iter().filter(|outcome| {
            matches!(outcome, Ok(Decision::No(refusal)) if refusal.code == Code::InvalidCredentials)
        });
        let evaluated = evaluated.count() as u64;
        if evaluated > u64::from(self.policy.guess.free) {
            self.wrong(
                &format!("{evaluated} guesses of one crowd were looked at"),
                person,
            );
        }
    }

    pub(super) async fn sign_up(&self) {
        let number = self
            .newcomers
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let newcomer = SignIn::username(&format!("newcomer-{number}"), PASSWORD)
            .from_address(People::address(number | 1 << 41));
        // One key for all tries: they are one change.
        let key = self.key();
        let began_ns = self.agenda.now_ns();
        self.book.wants_in(began_ns);
        let entered = self
            .enter(began_ns, 0, || async {
                let client = self.client().with_key(key);
                let who = Who::Newcomer(number);
                let outcome = self
                    .call(Class::Registration, who, client.sign_up(&newcomer))
                    .await;
                if let Ok(Decision::No(refusal)) = &outcome
                    && refusal.code == Code::IdentifierTaken
                {
                    self.wrong_of(who, "a newcomer's name was said to be taken");
                }
                outcome.map(|decision| decision.map(|_| ()))
            })
            .await;
        self.book.entered(began_ns, self.agenda.now_ns(), entered);
    }
}

/// How a person types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Typing {
    Right,
    WrongOnce,
}
