//! People who use their sessions through the client library, as gateways do:
//! due when they are due, whatever the outcome of those before.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tidegate_client::{CallError, Client, Decision, Granted, Knowledge, RevokeScope, SignIn};

use super::judge::{Person, Session, Stale, Tally, after_the_end, code};
use super::rig::Rig;
use crate::load::Ticker;
use crate::population;
use crate::random::Random;

/// A change with an unknown outcome is repeated, with its key, for so long.
const REPEAT: Duration = Duration::from_secs(90);
const TICK: Duration = Duration::from_millis(1);
/// What the crowd asks, of a thousand requests; the rest are checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asks {
    pub(crate) revocations: usize,
    pub(crate) refreshes: usize,
    pub(crate) sign_ins: usize,
}

/// What an evening is like.
pub(crate) const EVENING: Asks = Asks {
    revocations: 20,
    refreshes: 130,
    sign_ins: 5,
};

/// People who are asked at once, at the end.
const AT_ONCE: usize = 64;

/// A part of the time, and what it was like.
pub(crate) struct Phase {
    began_ns: u64,
}

pub(crate) struct Crowd {
    people: RefCell<Vec<Person>>,
    pub(crate) tally: RefCell<Tally>,
    random: RefCell<Random>,
    client: Client,
    asks: Asks,
    started: Instant,
    under_way: RefCell<usize>,
}

impl Crowd {
    pub(crate) fn new(rig: &Rig, asks: Asks, seed: u64) -> anyhow::Result<Rc<Crowd>> {
        let person = |(session, refresh): &(_, _)| Person {
            session: Clone::clone(session),
            refresh: Clone::clone(refresh),
            state: Session::Alive,
            changing: false,
        };
        Ok(Rc::new(Crowd {
            people: RefCell::new(rig.people.iter().map(person).collect()),
            tally: RefCell::default(),
            random: RefCell::new(Random::new(seed)),
            client: rig.client(0)?,
            asks,
            started: Instant::now(),
            under_way: RefCell::new(0),
        }))
    }

    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// From now on; see [`Crowd::tell`].
    pub(crate) fn phase(&self) -> Phase {
        let mut tally = self.tally.borrow_mut();
        (tally.waited_until_ns, tally.waited) = (0, 0);
        Phase {
            began_ns: self.now_ns(),
        }
    }

    /// Says how long after its beginning the last of those who had to wait were
    /// answered.
    pub(crate) fn tell(&self, phase: &Phase, what: &str) {
        let tally = self.tally.borrow();
        match tally.waited_until_ns.checked_sub(phase.began_ns) {
            None => say!("since {what}, no call waited more than half a second"),
            Some(after_ns) => say!(
                "since {what}, {} waited more than half a second; the last of them was answered {:.2} s after",
                tally.waited,
                after_ns as f64 / 1e9
            ),
        }
    }

    /// Asks about every person once, so that all are warm.
    pub(crate) async fn warm(self: &Rc<Crowd>) {
        let count = self.people.borrow().len();
        self.each(0..count, async |crowd, index| {
            crowd.check(index, crowd.now_ns()).await
        })
        .await;
        *self.tally.borrow_mut() = Tally::default();
    }

    async fn each(
        self: &Rc<Crowd>,
        indexes: impl IntoIterator<Item = usize>,
        ask: impl AsyncFn(&Rc<Crowd>, usize),
    ) {
        let mut waiting = FuturesUnordered::new();
        for index in indexes {
            if waiting.len() >= AT_ONCE {
                waiting.next().await;
            }
            waiting.push(ask(self, index));
        }
        while waiting.next().await.is_some() {}
    }

    /// Makes `rate` requests a second for so long; their answers may come
    /// later.
    pub(crate) async fn come(self: &Rc<Crowd>, rate: f64, length: Duration) -> anyhow::Result<()> {
        let ticker = Ticker::start()?;
        let mut due_ns = self.now_ns();
        let until_ns = due_ns + u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        while due_ns < until_ns {
            while due_ns <= self.now_ns() && due_ns < until_ns {
                let gap_ns = -self.random.borrow_mut().unit().ln() / rate * 1e9;
                self.arrive(due_ns);
                due_ns += (gap_ns as u64).max(1);
            }
            ticker.tick().await?;
        }
        Ok(())
    }

    /// Waits for every answer.
    pub(crate) async fn answered(&self) {
        while *self.under_way.borrow() > 0 {
            tokio::time::sleep(TICK).await;
        }
    }

    fn arrive(self: &Rc<Crowd>, due_ns: u64) {
        let (ticket, index) = {
            let mut random = self.random.borrow_mut();
            let people = self.people.borrow().len();
            (random.below(1_000), random.below(people))
        };
        let Asks {
            revocations,
            refreshes,
            sign_ins,
        } = self.asks;
        let crowd = Rc::clone(self);
        *self.under_way.borrow_mut() += 1;
        let sign_in = ticket >= 1_000 - sign_ins;
        let (revoke, refresh) = match ticket {
            ticket if ticket < revocations => (self.begin(index), false),
            ticket if ticket < revocations + refreshes => (false, self.begin(index)),
            _ => (false, false),
        };
        tokio::task::spawn_local(async move {
            match (revoke, refresh, sign_in) {
                (true, ..) => crowd.revoke(index, due_ns).await,
                (_, true, _) => crowd.refresh(index, due_ns).await,
                (.., true) => crowd.sign_in(index, due_ns).await,
                _ => crowd.check(index, due_ns).await,
            }
            *crowd.under_way.borrow_mut() -= 1;
        });
    }

    /// Whether this person can be changed now; if so, no other task does.
    fn begin(&self, index: usize) -> bool {
        let person = &mut self.people.borrow_mut()[index];
        let free = !person.changing && person.state == Session::Alive;
        person.changing |= free;
        free
    }

    fn state(&self, index: usize) -> Session {
        self.people.borrow()[index].state
    }

    async fn check(&self, index: usize, due_ns: u64) {
        let (session, before) = {
            let person = &self.people.borrow()[index];
            (person.session.clone(), person.state)
        };
        let asked_ns = self.now_ns();
        let answer = self.client.check(&session).await;
        let (now_ns, after) = (self.now_ns(), self.state(index));
        let mut tally = self.tally.borrow_mut();
        let decision = match answer {
            Ok(decision) => decision,
            Err(error) => return tally.failed("check", &error),
        };
        match (&decision, before) {
            (Decision::Yes(checked), _) if checked.user != session.user => {
                tally.wrong(format!("a check named another person than {index}"));
            }
            (Decision::Yes(checked), Session::Ended { at_ns }) => {
                match after_the_end(checked.knowledge, at_ns, asked_ns) {
                    Stale::Wrong(what) => tally.wrong(what),
                    Stale::Marked => {
                        let stale_ms = now_ns.saturating_sub(at_ns) / 1_000_000;
                        tally.stale_ms = tally.stale_ms.max(stale_ms);
                    }
                }
            }
            (Decision::No(refusal), Session::Alive) if after == Session::Alive => {
                let name = refusal.code.name();
                tally.wrong(format!("a check of a session that lives: {name}"));
            }
            (Decision::Yes(checked), _) => {
                if let Knowledge::Degraded { age_ms } = checked.knowledge {
                    tally.degraded("check", age_ms);
                }
                tally.right("check", due_ns, now_ns);
            }
            (Decision::No(_), _) => tally.right("check", due_ns, now_ns),
        }
    }

    /// Repeats a change until its outcome is known.
    async fn change<T>(
        &self,
        kind: &'static str,
        once: impl AsyncFn(&Client) -> Result<Decision<T>, CallError>,
    ) -> Option<Decision<T>> {
        let client = self.client.with_key(self.random.borrow_mut().key());
        let began = Instant::now();
        let mut told = false;
        while began.elapsed() < REPEAT {
            match once(&client).await {
                Ok(decision) => return Some(decision),
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        self.tally.borrow_mut().failed(kind, &error);
                    }
                }
            }
        }
        None
    }

    async fn refresh(&self, index: usize, due_ns: u64) {
        let token = self.people.borrow()[index].refresh.clone();
        let answer = self.change("refresh", async |client| client.refresh(&token).await);
        let answer = answer.await;
        let now_ns = self.now_ns();
        let mut tally = self.tally.borrow_mut();
        let person = &mut self.people.borrow_mut()[index];
        person.changing = false;
        match answer {
            Some(Decision::Yes(granted)) => {
                person.took(&granted);
                if let Knowledge::Degraded { age_ms } = granted.knowledge {
                    tally.degraded("refresh", age_ms);
                }
                tally.right("refresh", due_ns, now_ns);
            }
            Some(Decision::No(refusal)) => {
                person.state = Session::Ending;
                tally.wrong(format!("a refresh: {}", refusal.code.name()));
            }
            None => tally.wrong("a refresh was never answered".to_owned()),
        }
    }

    async fn revoke(&self, index: usize, due_ns: u64) {
        let session = {
            let person = &mut self.people.borrow_mut()[index];
            person.state = Session::Ending;
            person.session.clone()
        };
        let scope = RevokeScope::This;
        let answer = self.change("revoke", async |client| {
            client.revoke(&session, scope).await
        });
        let answer = answer.await;
        let now_ns = self.now_ns();
        let mut tally = self.tally.borrow_mut();
        let person = &mut self.people.borrow_mut()[index];
        person.changing = false;
        match answer {
            Some(Decision::Yes(1)) => {
                person.state = Session::Ended { at_ns: now_ns };
                tally.right("revoke", due_ns, now_ns);
            }
            Some(other) => tally.wrong(format!("a revocation: {:?}", code(&other))),
            None => tally.wrong("a revocation was never answered".to_owned()),
        }
    }

    async fn sign_in(&self, index: usize, due_ns: u64) {
        let person = SignIn::username(&population::name(index), population::PASSWORD);
        let answer = self.client.sign_in(&person).await;
        let now_ns = self.now_ns();
        let mut tally = self.tally.borrow_mut();
        match answer {
            Ok(Decision::Yes(granted)) => {
                if let Knowledge::Provisional { age_ms } = granted.knowledge {
                    tally.degraded("sign in", age_ms);
                }
                tally.right("sign in", due_ns, now_ns);
            }
            Ok(Decision::No(refusal)) => {
                tally.wrong(format!("a sign-in: {}", refusal.code.name()));
            }
            Err(error) => tally.failed("sign in", &error),
        }
    }

    /// Asks for every person whether what was acknowledged is so; how many are
    /// not as they should be.
    pub(crate) async fn verify(self: &Rc<Crowd>) -> usize {
        let lost = Rc::new(RefCell::new(Vec::new()));
        let count = self.people.borrow().len();
        let found = Rc::clone(&lost);
        self.each(0..count, async |crowd: &Rc<Crowd>, index| {
            if let Some(what) = crowd.differs(index).await {
                found.borrow_mut().push(what);
            }
        })
        .await;
        let lost = lost.borrow();
        say!("of {count} people asked at the end, {} differ", lost.len());
        lost.iter().take(10).for_each(|what| say!("  {what}"));
        lost.len()
    }

    async fn differs(&self, index: usize) -> Option<String> {
        let (session, refresh, state) = {
            let person = &self.people.borrow()[index];
            let tokens = (person.session.clone(), person.refresh.clone());
            (tokens.0, tokens.1, person.state)
        };
        let checked = self.client.check(&session).await;
        let alive = match checked {
            Ok(Decision::Yes(_)) => true,
            Ok(Decision::No(_)) => false,
            Err(error) => return Some(format!("a check: {error}")),
        };
        match state {
            Session::Ending => None,
            Session::Ended { .. } => alive.then(|| "a session that was ended lives".to_owned()),
            Session::Alive if !alive => Some("a session that lives is refused".to_owned()),
            Session::Alive => match self.client.refresh(&refresh).await {
                Ok(Decision::Yes(_)) => None,
                Ok(Decision::No(refusal)) => {
                    Some(format!("the last refresh token: {}", refusal.code.name()))
                }
                Err(error) => Some(format!("a refresh: {error}")),
            },
        }
    }
}

impl Person {
    /// Keeps what a refresh gave.
    fn took(&mut self, granted: &Granted) {
        self.refresh = granted.refresh.clone();
        self.session = granted.session.clone();
    }
}
