//! What people do, by way of a gateway, and what they know: an answer that
//! contradicts it is wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_client::{
    CallError, Client, Code, Decision, Granted, Knowledge, RefreshToken, RevokeScope, SessionToken,
    SignIn,
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
    /// Guesses that one person's account bears at once.
    pub(crate) guesses_free: u64,
    /// How long another node may still answer from memory for one that lost its
    /// slots.
    pub(crate) stale_ns: u64,
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
    Ended {
        since_ns: u64,
    },
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

    /// Somebody who is signed in and of whom nothing is being changed, marked as
    /// being changed; `None` when there is nobody.
    fn to_change(&self) -> Option<(u64, Holding)> {
        let first = self.person();
        for step in 0..self.active.min(1_000) {
            let person = (first + step) % self.active;
            let mut holding = self.holding(person);
            if !holding.changing && holding.standing == Standing::Alive {
                holding.changing = true;
                self.holdings().insert(person, holding.clone());
                return Some((person, holding));
            }
        }
        None
    }

    /// Somebody who had no session any more has a new one.
    fn is_in(&self, person: u64, granted: &Granted) {
        if let Some(holding) = self.holdings().get_mut(&person)
            && !holding.changing
            && holding.standing != Standing::Alive
            // What may be lost with its node is nobody's to rely on.
            && granted.knowledge == Knowledge::Current
        {
            holding.session = granted.session.clone();
            holding.refresh = granted.refresh.clone();
            holding.standing = Standing::Alive;
            holding.changes += 1;
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

    fn key(&self) -> [u8; 16] {
        let mut key = [0; 16];
        self.stream.fill(&mut key);
        key
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
            Visit::SameName => self.same_name().await,
            Visit::GuessCrowd => self.guess_crowd().await,
            Visit::SignUp => self.sign_up().await,
            Visit::SignOut => self.sign_out().await,
        }
        let now_ns = self.agenda.now_ns();
        let values = [visit as u64, now_ns - began_ns];
        self.trace.note(now_ns, Happened::Visited, &values);
    }

    /// Somebody is there before the night begins.
    pub(crate) async fn warm(self: Arc<Crowd>, person: u64) {
        let session = self.holding(person).session;
        let place = usize::try_from(person).unwrap_or(0) % self.clients.len();
        // What comes of it is not counted yet.
        let _ = self.clients[place].check(&session).await;
    }

    async fn check(&self) {
        let person = self.person();
        let before = self.holding(person);
        let began_ns = self.agenda.now_ns();
        let outcome = self
            .call(Class::Check, self.client().check(&before.session))
            .await;
        let after = self.holding(person);
        // Whoever changes something meanwhile may be answered either way.
        let changing = before.changing || after.changing;
        let settled = !changing && before.changes == after.changes;
        match outcome {
            Ok(Decision::Yes(checked)) if settled => {
                // Whoever lost the slot may still answer until the lease is over,
                // and says how old its knowledge is afterwards.
                let age_ns = match checked.knowledge {
                    Knowledge::Current => self.stale_ns,
                    Knowledge::Degraded { age_ms } | Knowledge::Provisional { age_ms } => {
                        self.stale_ns.max(u64::from(age_ms) * 1_000_000)
                    }
                };
                if let Standing::Ended { since_ns } = before.standing
                    && began_ns > since_ns + age_ns
                {
                    self.wrong("an ended session was said to be alive", person);
                }
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
        let Some((person, holding)) = self.to_change() else {
            return;
        };
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
        let Some((person, holding)) = self.to_change() else {
            return;
        };
        let (one, other) = tokio::join!(
            self.call(Class::Refresh, self.client().refresh(&holding.refresh)),
            self.call(Class::Refresh, self.client().refresh(&holding.refresh)),
        );
        let current = |outcome: &Result<Decision<Granted>, CallError>| matches!(outcome, Ok(Decision::Yes(granted)) if granted.knowledge == Knowledge::Current);
        // Whoever cannot reach the store keeps the token.
        let both = current(&one) && current(&other);
        if let (Ok(Decision::Yes(one)), Ok(Decision::Yes(other))) = (&one, &other)
            && both
            && one.refresh.secret.0 != other.refresh.secret.0
        {
            self.wrong("two tabs got two successors of one token", person);
        }
        if let (Ok(Decision::No(_)), _) | (_, Ok(Decision::No(_))) = (&one, &other) {
            self.wrong("one of two tabs was thrown out", person);
        }
        let known = match &one {
            Ok(_) if current(&one) || !current(&other) => &one,
            _ => &other,
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
                if let Ok(Decision::Yes(granted)) = &outcome {
                    self.is_in(person, granted);
                }
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

    /// Two people want the same name at once: one of them has it.
    async fn same_name(&self) {
        let number = self
            .newcomers
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("both-{number}");
        let wants = |place: u64| {
            SignIn::username(&name, PASSWORD).from_address(People::address(number << 1 | place))
        };
        let (first, second) = (wants(0), wants(1));
        let (one, other) = tokio::join!(
            self.call(Class::Registration, self.client().sign_up(&first)),
            self.call(Class::Registration, self.client().sign_up(&second)),
        );
        if let (Ok(Decision::Yes(one)), Ok(Decision::Yes(other))) = (&one, &other)
            && one.0 != other.0
        {
            self.wrong("two people have one name", number);
        }
        let taken = |outcome: &Result<Decision<_>, CallError>| matches!(outcome, Ok(Decision::No(refusal)) if refusal.code == Code::IdentifierTaken);
        if taken(&one) && taken(&other) {
            self.wrong("a name that nobody has was said to be taken", number);
        }
    }

    /// A crowd guesses at one password at once: only so many are looked at.
    async fn guess_crowd(&self) {
        const CROWD: u64 = 24;
        let person = self.person();
        self.people.meet(person);
        let name = People::name(person);
        let guesses = (0..CROWD).map(|stranger| {
            let guess = SignIn::username(&name, &format!("hunter{stranger}hunter{stranger}"))
                .from_address(People::address(stranger | 1 << 42));
            async move {
                let client = self.client();
                self.call(Class::Password, client.sign_in(&guess)).await
            }
        });
        let outcomes = futures_util::future::join_all(guesses).await;
        let evaluated = outcomes.iter().filter(|outcome| {
            matches!(outcome, Ok(Decision::No(refusal)) if refusal.code == Code::InvalidCredentials)
        });
        let evaluated = evaluated.count() as u64;
        if evaluated > self.guesses_free {
            self.wrong(
                &format!("{evaluated} guesses of one crowd were looked at"),
                person,
            );
        }
    }

    async fn sign_up(&self) {
        let number = self
            .newcomers
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let newcomer = SignIn::username(&format!("newcomer-{number}"), PASSWORD)
            .from_address(People::address(number | 1 << 41));
        // One key for all tries: they are one change.
        let key = self.key();
        let began_ns = self.agenda.now_ns();
        let entered = self
            .enter(began_ns, 0, || async {
                let client = self.client().with_key(key);
                let outcome = self
                    .call(Class::Registration, client.sign_up(&newcomer))
                    .await;
                if let Ok(Decision::No(refusal)) = &outcome
                    && refusal.code == Code::IdentifierTaken
                {
                    self.wrong("a newcomer's name was said to be taken", number);
                }
                outcome.map(|decision| decision.map(|_| ()))
            })
            .await;
        self.book.entered(began_ns, self.agenda.now_ns(), entered);
    }

    async fn sign_out(&self) {
        let Some((person, holding)) = self.to_change() else {
            return;
        };
        let outcome = self
            .call(
                Class::Protection,
                self.client().revoke(&holding.session, RevokeScope::This),
            )
            .await;
        self.changed(person, |holding| {
            holding.standing = match outcome {
                Ok(Decision::Yes(_)) => Standing::Ended {
                    since_ns: self.agenda.now_ns(),
                },
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
