//! What people do, by way of a gateway, and what they know: an answer that
//! contradicts it is wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_client::{
    CallError, Client, Code, Decision, Granted, RefreshToken, RevokeScope, SessionToken, SignIn,
};
use tidegate_wire::{Class, SecretBytes};

use crate::agenda::Agenda;
use crate::book::{Book, Called, Entered};
use crate::people::{PASSWORD, People};
use crate::random::{Stream, mixed};
use crate::scenario::{Draw, Patience, Visit};
use crate::trace::{Happened, Trace};

/// Everybody, and what they hold.
pub(crate) struct Crowd {
    pub(crate) agenda: Agenda,
    pub(crate) book: Arc<Book>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) people: Arc<People>,
    pub(crate) clients: Vec<Client>,
    pub(crate) active: u64,
    pub(crate) draw: Draw,
    pub(crate) patience: Patience,
    pub(crate) stream: Stream,
    /// Those who hold something else than at the beginning.
    pub(crate) holdings: Mutex<BTreeMap<u64, Holding>>,
    pub(crate) newcomers: std::sync::atomic::AtomicU64,
}

/// What somebody holds.
#[derive(Clone)]
pub(crate) struct Holding {
    session: SessionToken,
    refresh: RefreshToken,
    standing: Standing,
    /// Something about it is being changed.
    changing: bool,
    /// How often it was changed.
    changes: u64,
}

/// What somebody knows about their session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Alive,
    /// They asked for its end, and do not know.
    Ending,
    Ended,
}

impl Crowd {
    fn holdings(&self) -> MutexGuard<'_, BTreeMap<u64, Holding>> {
        self.holdings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holding(&self, person: u64) -> Holding {
        if let Some(holding) = self.holdings().get(&person) {
            return holding.clone();
        }
        let (session, refresh) = self.people.tokens(person);
        Holding {
            session,
            refresh,
            standing: Standing::Alive,
            changing: false,
            changes: 0,
        }
    }

    /// Somebody of whom nothing is being changed, marked as being changed.
    fn to_change(&self) -> (u64, Holding) {
        let mut person = self.person();
        loop {
            let mut holding = self.holding(person);
            if !holding.changing && holding.standing == Standing::Alive {
                holding.changing = true;
                self.holdings().insert(person, holding.clone());
                return (person, holding);
            }
            person = (person + 1) % self.active;
        }
    }

    fn changed(&self, person: u64, change: impl FnOnce(&mut Holding)) {
        if let Some(holding) = self.holdings().get_mut(&person) {
            holding.changing = false;
            holding.changes += 1;
            change(holding);
        }
    }

    fn person(&self) -> u64 {
        match self.draw {
            Draw::Uniform => self.stream.below(self.active),
            // Ranks are spread over everybody.
            Draw::Zipf => mixed(self.stream.zipf(self.active)) % self.active,
        }
    }

    fn client(&self) -> &Client {
        let place = self.stream.below(self.clients.len() as u64);
        &self.clients[usize::try_from(place).unwrap_or(0)]
    }

    /// Books a call. `None` when its answer is not known.
    async fn call<T>(
        &self,
        class: Class,
        call: impl Future<Output = Result<Decision<T>, CallError>>,
    ) -> Result<Decision<T>, CallError> {
        let began_ns = self.agenda.now_ns();
        let outcome = call.await;
        let called = match outcome {
            Ok(_) => Called::Answered,
            Err(_) => Called::Failed,
        };
        self.book
            .called(class, began_ns, self.agenda.now_ns(), called);
        outcome
    }

    /// One visit, from its beginning to its end.
    pub(crate) async fn visit(self: Arc<Crowd>, visit: Visit) {
        let began_ns = self.agenda.now_ns();
        self.book.visited(began_ns);
        match visit {
            Visit::Check => self.check().await,
            Visit::ForgedCheck => self.forged_check().await,
            Visit::Refresh => self.refresh().await,
            Visit::TwoTabs => self.two_tabs().await,
            Visit::SignIn => self.sign_in(Typing::Right).await,
            Visit::Mistype => self.sign_in(Typing::WrongOnce).await,
            Visit::Guess => self.guess().await,
            Visit::SignUp => self.sign_up().await,
            Visit::SignOut => self.sign_out().await,
        }
        let now_ns = self.agenda.now_ns();
        let values = [visit as u64, now_ns - began_ns];
        self.trace.note(now_ns, Happened::Visited, &values);
    }

    async fn check(&self) {
        let person = self.person();
        let before = self.holding(person);
        let outcome = self
            .call(Class::Check, self.client().check(&before.session))
            .await;
        let after = self.holding(person);
        // Whoever changes something meanwhile may be answered either way.
        let settled = !before.changing && before.changes == after.changes;
        match outcome {
            Ok(Decision::Yes(_)) if settled && before.standing == Standing::Ended => {
                self.wrong("an ended session was said to be alive", person);
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

    async fn forged_check(&self) {
        let person = self.person();
        let mut session = self.holding(person).session;
        session.secret = SecretBytes([7; 24]);
        let outcome = self.call(Class::Check, self.client().check(&session)).await;
        if matches!(outcome, Ok(Decision::Yes(_))) {
            self.wrong("a forged session was taken", person);
        }
    }

    async fn refresh(&self) {
        let (person, holding) = self.to_change();
        let outcome = self
            .call(Class::Refresh, self.client().refresh(&holding.refresh))
            .await;
        self.refreshed(person, &outcome);
    }

    fn refreshed(&self, person: u64, outcome: &Result<Decision<Granted>, CallError>) {
        match outcome {
            Ok(Decision::Yes(granted)) => {
                let refresh = granted.refresh.clone();
                self.changed(person, |holding| holding.refresh = refresh);
            }
            Ok(Decision::No(refusal)) => {
                let code = refusal.code.name();
                self.wrong(&format!("a refresh token was refused: {code}"), person);
                self.changed(person, |holding| holding.standing = Standing::Ending);
            }
            // The token may have been replaced: whoever comes again within the
            // time for repeats gets the same successor; afterwards the family
            // ends. So nothing is known.
            Err(_) => self.changed(person, |holding| holding.standing = Standing::Ending),
        }
    }

    /// Two tabs present the same token at once: both are let on, with the
    /// same successor.
    async fn two_tabs(&self) {
        let (person, holding) = self.to_change();
        let (one, other) = tokio::join!(
            self.call(Class::Refresh, self.client().refresh(&holding.refresh)),
            self.call(Class::Refresh, self.client().refresh(&holding.refresh)),
        );
        if let (Ok(Decision::Yes(one)), Ok(Decision::Yes(other))) = (&one, &other)
            && one.refresh.secret.0 != other.refresh.secret.0
        {
            self.wrong("two tabs got two successors of one token", person);
        }
        if let (Ok(Decision::No(_)), _) | (_, Ok(Decision::No(_))) = (&one, &other) {
            self.wrong("one of two tabs was thrown out", person);
        }
        let known = match &one {
            Ok(_) => &one,
            Err(_) => &other,
        };
        self.refreshed(person, known);
    }

    async fn sign_in(&self, typing: Typing) {
        let person = self.person();
        self.people.meet(person);
        let name = People::name(person);
        let sign_in = |password: &str| {
            SignIn::username(&name, password).from_address(People::address(person))
        };
        let (began_ns, mut tries) = (self.agenda.now_ns(), 0);
        if typing == Typing::WrongOnce {
            let client = self.client();
            let wrong = sign_in("correct house battery");
            let outcome = self.call(Class::Password, client.sign_in(&wrong)).await;
            if matches!(outcome, Ok(Decision::Yes(_))) {
                self.wrong("a wrong password was taken", person);
            }
            tries += 1;
            self.agenda.sleep_ns(4_000_000_000).await;
        }
        let right = sign_in(PASSWORD);
        let entered = self
            .enter(began_ns, tries, || async {
                let client = self.client();
                let outcome = self.call(Class::Password, client.sign_in(&right)).await;
                outcome.map(|decision| decision.map(|_| ()))
            })
            .await;
        self.book.entered(began_ns, self.agenda.now_ns(), entered);
    }

    /// Tries until in, as long as patience lasts. Whoever is told when to come
    /// again does.
    async fn enter<F>(&self, began_ns: u64, mut tries: u32, attempt: impl Fn() -> F) -> Entered
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
            let wait_ms = told_ms.unwrap_or(0).max(self.patience.try_again_ms.0);
            let again_ns = self.agenda.now_ns() + u64::from(wait_ms) * 1_000_000;
            if again_ns >= until_ns {
                return Entered::GaveUp;
            }
            self.agenda.sleep_until(again_ns).await;
        }
    }

    async fn guess(&self) {
        let person = self.person();
        self.people.meet(person);
        let stranger = self.stream.below(1 << 20);
        let guess = SignIn::username(&People::name(person), "hunter2hunter2")
            .from_address(People::address(stranger | 1 << 40));
        let outcome = self
            .call(Class::Password, self.client().sign_in(&guess))
            .await;
        if matches!(outcome, Ok(Decision::Yes(_))) {
            self.wrong("a stranger's guess was taken", person);
        }
    }

    async fn sign_up(&self) {
        let number = self
            .newcomers
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let newcomer = SignIn::username(&format!("newcomer-{number}"), PASSWORD)
            .from_address(People::address(number | 1 << 41));
        let began_ns = self.agenda.now_ns();
        let entered = self
            .enter(began_ns, 0, || async {
                let outcome = self
                    .call(Class::Registration, self.client().sign_up(&newcomer))
                    .await;
                outcome.map(|decision| decision.map(|_| ()))
            })
            .await;
        self.book.entered(began_ns, self.agenda.now_ns(), entered);
    }

    async fn sign_out(&self) {
        let (person, holding) = self.to_change();
        let outcome = self
            .call(
                Class::Protection,
                self.client().revoke(&holding.session, RevokeScope::This),
            )
            .await;
        self.changed(person, |holding| {
            holding.standing = match outcome {
                Ok(Decision::Yes(_)) => Standing::Ended,
                _ => Standing::Ending,
            };
        });
    }

    fn wrong(&self, what: &str, person: u64) {
        let at_s = self.agenda.now_ns() as f64 / 1e9;
        self.book
            .wrong(format!("{at_s:.3} s, person {person}: {what}"));
    }
}

/// How somebody types.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Typing {
    Right,
    WrongOnce,
}
