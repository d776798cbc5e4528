//! What people do, by way of a gateway, and what they know: an answer that
//! contradicts it is wrong.

mod addresses;
mod checks;
mod codes;
mod entries;
mod erasures;
mod messages;
mod passkeys;
mod refreshes;
mod rushes;
mod sprays;
mod thefts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_account::Policy;
use tidegate_client::{
    CallError, Client, Code, Decision, DeviceToken, Granted, Knowledge, RefreshToken, SessionToken,
};
use tidegate_wire::Class;
use tokio::sync::Semaphore;

use self::entries::Typing;
use crate::agenda::Agenda;
use crate::book::{Book, Called};
use crate::diary::Who;
use crate::mailbox::Mailbox;
use crate::node::Running;
use crate::people::People;
use crate::ports::BEGINS_AT_MS;
use crate::random::Stream;
use crate::scenario::{AtOnce, Draw, Habits, Patience, Visit};
use crate::trace::{Happened, Trace};

/// No night is longer: who is told more than this needs not be remembered.
const A_DAY_MS: u64 = 86_400_000;

/// All people, and what they hold.
pub(crate) struct Crowd {
    pub(crate) agenda: Agenda,
    pub(crate) book: Arc<Book>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) people: Arc<People>,
    pub(crate) clients: Vec<Client>,
    pub(crate) active: u64,
    pub(crate) draw: Draw,
    pub(crate) habits: Option<Habits>,
    /// Of those who sign in: those whose device is remembered.
    pub(crate) remember_percent: f64,
    /// When the night begins.
    pub(crate) origin_ns: u64,
    /// Remembered ones.
    pub(crate) devices: Mutex<BTreeMap<u64, DeviceToken>>,
    /// How often those came back who had been away for long.
    pub(crate) returns: Mutex<BTreeMap<u64, u32>>,
    /// How far two nodes' dates may be apart.
    pub(crate) dates_apart_ms: u64,
    /// For how long nothing that is asked may reach a node.
    pub(crate) silence_ms: u64,
    pub(crate) patience: Patience,
    pub(crate) stream: Stream,
    /// When a client that had no answer asks again.
    pub(crate) again: Stream,
    /// When the night ends.
    pub(crate) ends_ns: u64,
    /// Those who hold something else than at the beginning.
    pub(crate) holdings: Mutex<BTreeMap<u64, Holding>>,
    pub(crate) newcomers: std::sync::atomic::AtomicU64,
    /// By which the engine decides.
    pub(crate) policy: Policy,
    pub(crate) at_once: AtOnce,
    /// People who were seen to sign in at their own source, where attackers
    /// spray.
    pub(crate) seen: Option<Mutex<BTreeSet<Who>>>,
    /// Sign-ins from sources where none was seen before.
    pub(crate) first_seen: std::sync::atomic::AtomicU64,
    /// From then on nothing is broken, if there is such a time.
    pub(crate) quiet_from_ns: Option<u64>,
    /// Where gateways bound what they have in flight.
    pub(crate) places: Option<Semaphore>,
    /// How long another node may still answer from memory for one that lost its
    /// slots; none where there is no other.
    pub(crate) stale_ns: u64,
    /// Where messages are posted.
    pub(crate) running: Running,
    pub(crate) mailbox: Arc<Mailbox>,
    /// At which node, and what.
    pub(crate) messages: Stream,
}

/// What a person holds.
#[derive(Clone)]
pub(crate) struct Holding {
    session: SessionToken,
    refresh: RefreshToken,
    standing: Standing,
    /// Something about it is being changed.
    changing: bool,
    /// How often it was changed.
    changes: u64,
    /// Until when it was told to be alive, in Unix milliseconds.
    told_ms: u64,
}

/// Whether this is said of a session that has come to its end by itself: it is
/// forgotten when its person signs in again.
fn is_over(code: Code) -> bool {
    matches!(code, Code::SessionExpired | Code::InvalidToken)
}

/// What a person knows about their session.
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
            told_ms: self.people.told_ms(person),
        }
    }

    fn unix_ms(&self) -> u64 {
        BEGINS_AT_MS + self.agenda.now_ns() / 1_000_000
    }

    /// A person was told until when their session is alive.
    fn told(&self, person: u64, session: &SessionToken, until_ms: u64) {
        if let Some(holding) = self.holdings().get_mut(&person)
            && holding.session.session == session.session
        {
            holding.told_ms = holding.told_ms.max(until_ms);
        }
    }

    /// Whether nothing is broken from then on.
    fn is_quiet(&self, from_ns: u64) -> bool {
        self.quiet_from_ns.is_some_and(|quiet| from_ns >= quiet)
    }

    /// The number of a new person.
    fn newcomer(&self) -> u64 {
        self.newcomers
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    /// Whether a session may have come to its end by itself by now.
    fn may_be_over(&self, holding: &Holding) -> bool {
        self.unix_ms() + self.dates_apart_ms >= holding.told_ms
    }

    /// A session has come to its end by itself.
    fn over(&self, person: u64, holding: Holding) {
        self.holdings().entry(person).or_insert(holding);
        self.changed(person, |holding| holding.standing = Standing::Ending);
    }

    /// A person who is signed in and not being changed, marked as being
    /// changed; `None` when there is none.
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

    /// A person who had no session any more has a new one.
    fn is_in(&self, person: u64, granted: &Granted) {
        if let Some(holding) = self.holdings().get_mut(&person)
            && !holding.changing
            && holding.standing != Standing::Alive
            // What may be lost with its node is not relied on.
            && granted.knowledge == Knowledge::Current
        {
            holding.session = granted.session.clone();
            holding.refresh = granted.refresh.clone();
            holding.standing = Standing::Alive;
            holding.told_ms = granted.idle_expires_at;
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
        let draw = || self.draw.person(&self.stream, self.active);
        match &self.habits {
            None => draw(),
            Some(habits) => {
                let since_ns = self.agenda.now_ns().saturating_sub(self.origin_ns);
                habits.person(&self.stream, since_ns, draw)
            }
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

    /// Makes a call when a gateway has room for it, and books it.
    async fn call<T>(
        &self,
        class: Class,
        who: Who,
        call: impl Future<Output = Result<Decision<T>, CallError>>,
    ) -> Result<Decision<T>, CallError> {
        self.booked(class, who, self.placed(call)).await
    }

    /// Makes a call when a gateway has room for it.
    async fn placed<T>(&self, call: impl Future<Output = T>) -> T {
        let place = match &self.places {
            Some(places) => Some(places.acquire().await),
            None => None,
        };
        let outcome = call.await;
        drop(place);
        outcome
    }

    /// Books a call, with what it waits for before it is made.
    async fn booked<T>(
        &self,
        class: Class,
        who: Who,
        call: impl Future<Output = Result<Decision<T>, CallError>>,
    ) -> Result<Decision<T>, CallError> {
        let began_ns = self.agenda.now_ns();
        let begins = || format!("{class:?} is asked");
        self.book.diary.note(who, began_ns, begins);
        self.book.begun(class, began_ns);
        let outcome = call.await;
        let called = match &outcome {
            Ok(_) => Called::Answered,
            Err(error) => Called::Failed(error),
        };
        let now_ns = self.agenda.now_ns();
        let words = || match &outcome {
            Ok(Decision::Yes(_)) => format!("{class:?}: yes"),
            Ok(Decision::No(refusal)) => format!("{class:?}: no, {}", refusal.code.name()),
            Err(error) => format!("{class:?}: {error}"),
        };
        self.book.diary.note(who, now_ns, words);
        self.book.called(class, began_ns, now_ns, called);
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
            Visit::Reuse => self.reuse().await,
            Visit::ComeBack => self.come_back().await,
            Visit::LastMoment => self.last_moment().await,
            Visit::BeErased => self.be_erased().await,
            Visit::SameSource => self.same_source().await,
            Visit::SameAccount => self.same_account().await,
            Visit::StolenSession => self.stolen_session().await,
            Visit::AddAddress => self.add_address().await,
            Visit::Message => self.message().await,
            Visit::MailedCode => self.mailed_code().await,
            Visit::Passkey => self.passkey().await,
        }
        let now_ns = self.agenda.now_ns();
        let values = [visit as u64, now_ns - began_ns];
        self.trace.note(now_ns, Happened::Visited, &values);
    }

    /// A person is there before the night begins.
    pub(crate) async fn warm(self: Arc<Crowd>, person: u64) {
        let session = self.holding(person).session;
        let place = usize::try_from(person).unwrap_or(0) % self.clients.len();
        // What comes of it is not counted yet.
        let _ = self.clients[place].check(&session).await;
    }

    fn wrong(&self, what: &str, person: u64) {
        self.wrong_of(Who::Person(person), what);
    }

    fn wrong_of(&self, who: Who, what: &str) {
        let at_s = self.agenda.now_ns() as f64 / 1e9;
        let what = format!("{at_s:.3} s, {who}: {what}");
        self.book.wrong_about(who, &what);
    }
}
