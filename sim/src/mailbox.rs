//! Where messages leave for: a destination that takes letters late, twice, never, or
//! is away. What was posted and what arrived is held against each other in `ledger`.

mod inbox;
mod ledger;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tidegate_account::{Message, Outgoing, OutgoingKind, UserId};
use tidegate_runtime::ports::{Delivery, Letter, PortFuture, Sent};
use tidegate_runtime::{Failure, Undelivered};
use zeroize::Zeroizing;

use self::inbox::Inbox;
pub(crate) use self::inbox::Read;
use self::ledger::{Ledger, Post, Posted};
use crate::agenda::Agenda;
use crate::book::Book;
use crate::diary::Who;
use crate::machine::Machine;
use crate::ports::{BEGINS_AT_MS, go_on};
use crate::random::Stream;
use crate::trace::{Happened, Trace};

/// So many letters of a hundred go wrong while something may.
const TROUBLED_PERCENT: u64 = 40;
const WELL_NS: u64 = 200_000_000;
/// Longer than the engine waits for an answer, now and then.
const SLOW_NS: u64 = 15_000_000_000;
/// So many messages of a hundred are worth something for no longer than
/// [`SHORT_MS`].
const SHORT_PERCENT: u64 = 30;
const SHORT_MS: u64 = 30_000;
const DAY_MS: u64 = 86_400_000;

/// The destination of every message of the world.
pub(crate) struct Mailbox {
    agenda: Agenda,
    trace: Arc<Trace>,
    book: Arc<Book>,
    /// What becomes of letters.
    fates: Stream,
    /// How long messages are worth something.
    worths: Stream,
    usage: Usage,
    /// Outages that last.
    outages: AtomicU32,
    posts: AtomicU64,
    /// Whether a letter ever went wrong: a node then leaves the destination alone
    /// for a while, and what waits for it for longer.
    troubled: AtomicBool,
    ledger: Mutex<Ledger>,
    /// What came for the people who read mail.
    inbox: Mutex<Inbox>,
    myself: Weak<Mailbox>,
}

/// Whether messages are posted in this world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    Unused,
    /// From then on letters arrive at once, except in an outage.
    Used {
        well_from_ns: u64,
    },
}

/// What becomes of a letter, each so long after it was handed over.
struct Fate {
    arrives_ns: Option<u64>,
    answer: Option<(u64, Sent)>,
}

impl Mailbox {
    pub(crate) fn new(
        seed: u64,
        agenda: Agenda,
        trace: Arc<Trace>,
        book: Arc<Book>,
        usage: Usage,
    ) -> Arc<Mailbox> {
        Arc::new_cyclic(|myself| Mailbox {
            agenda,
            trace,
            book,
            fates: Stream::new(seed, "mailbox-fates", 0),
            worths: Stream::new(seed, "mailbox-worths", 0),
            usage,
            outages: AtomicU32::new(0),
            posts: AtomicU64::new(0),
            troubled: AtomicBool::new(false),
            ledger: Mutex::default(),
            inbox: Mutex::default(),
            myself: Weak::clone(myself),
        })
    }

    pub(crate) fn is_in_use(&self) -> bool {
        self.usage != Usage::Unused
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message that is about to be posted, and by which number it is known. No
    /// other has its body.
    pub(crate) fn write(&self, who: Who, user: UserId) -> Option<(u64, Outgoing)> {
        let number = self.posts.fetch_add(1, Ordering::Relaxed);
        let (kind, destination) = match number % 3 {
            0 => (OutgoingKind::Sms, "sms"),
            _ => (OutgoingKind::Mail, "mail"),
        };
        let worth_ms = match self.worths.below(100) < SHORT_PERCENT {
            true => 1 + self.worths.below(SHORT_MS),
            false => DAY_MS,
        };
        let now_ms = BEGINS_AT_MS + self.agenda.now_ns() / 1_000_000;
        let body = Zeroizing::new(format!("message {number} to {who}").into_bytes());
        let outgoing = Outgoing::new(kind, destination, now_ms + worth_ms, body).ok()?;
        let post = Post::new(who, user, outgoing.clone());
        self.ledger().write(number, post);
        Some((number, outgoing))
    }

    /// What came of posting it.
    pub(crate) fn posted(&self, number: u64, outcome: Result<(), Failure>) {
        self.ledger().posted(
            number,
            match outcome {
                Ok(()) => Posted::Acknowledged,
                Err(Failure::Unknown) => Posted::Unknown,
                Err(
                    failure @ (Failure::Busy { .. }
                    | Failure::DeadlineExceeded
                    | Failure::Unavailable
                    | Failure::NotOwner(_)
                    | Failure::WrongRegion(_)
                    | Failure::UnknownTenant
                    | Failure::Corrupt),
                ) => Posted::Failed(failure),
            },
        );
    }

    /// A person is about to be erased: nothing about them need arrive any more.
    pub(crate) fn is_erased(&self, user: UserId) {
        self.ledger().is_erased(user);
    }

    /// It is away from now on.
    pub(crate) fn goes_away(&self) {
        self.outages.fetch_add(1, Ordering::Relaxed);
    }

    /// One outage is over.
    pub(crate) fn comes_back(&self) {
        self.outages.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether nothing has to arrive or to be listed any more.
    pub(crate) fn is_settled(&self, listed: &BTreeSet<(UserId, u64)>) -> bool {
        self.ledger().missing(listed).is_empty()
    }

    /// Says what should have arrived or be listed, and what should not.
    pub(crate) fn judge(&self, listed: &BTreeSet<(UserId, u64)>) {
        let ledger = self.ledger();
        for (who, what) in ledger
            .missing(listed)
            .into_iter()
            .chain(ledger.left(listed))
        {
            self.wrong(who, &what);
        }
    }

    fn wrong(&self, who: Who, what: &str) {
        let at_s = self.agenda.now_ns() as f64 / 1e9;
        self.book
            .wrong_about(who, &format!("{at_s:.3} s, {who}: {what}"));
    }

    /// A node hands a letter over.
    fn take(&self, node: u64, letter: &Letter) -> Fate {
        let now_ns = self.agenda.now_ns();
        let id = letter.id.first_chunk();
        let id = id.map_or(0, |first| u64::from_le_bytes(*first));
        self.trace.note(now_ns, Happened::Sent, &[node, id]);
        if let Ok(message) = Message::decode(letter.outgoing.body()) {
            return self.take_mail(now_ns, letter, message);
        }
        let number = match self.ledger().handed_over(letter) {
            Ok(number) => number,
            Err((Some(who), what)) => {
                self.wrong(who, &what);
                return self.fate(now_ns);
            }
            Err((None, what)) => {
                self.book.wrong(what);
                return self.fate(now_ns);
            }
        };
        let fate = self.fate(now_ns);
        if let Some(after_ns) = fate.arrives_ns {
            let mailbox = Weak::clone(&self.myself);
            self.agenda.quietly_at(now_ns + after_ns, move || {
                if let Some(mailbox) = mailbox.upgrade() {
                    mailbox.ledger().arrived(number);
                }
            });
        }
        fate
    }

    /// A node hands over what an account writes to its person.
    fn take_mail(&self, now_ns: u64, letter: &Letter, message: Message) -> Fate {
        let fate = self.fate(now_ns);
        let until_ms = letter.outgoing.until_ms();
        if let Some(after_ns) = fate.arrives_ns {
            let mailbox = Weak::clone(&self.myself);
            self.agenda.quietly_at(now_ns + after_ns, move || {
                if let Some(mailbox) = mailbox.upgrade() {
                    mailbox.inbox().arrived(until_ms, message);
                }
            });
        }
        fate
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest code that came for an address but one that was read, of those that
    /// were written from then on, in Unix milliseconds.
    pub(crate) fn code(&self, address: &str, from_ms: u64, but: Option<&Read>) -> Option<Read> {
        self.inbox().code(address, from_ms, but)
    }

    fn fate(&self, now_ns: u64) -> Fate {
        let soon_ns = 1_000_000 + self.fates.below(WELL_NS);
        let (arrives_ns, answer) = if self.outages.load(Ordering::Relaxed) > 0 {
            match self.fates.below(2) {
                0 => (None, Some((soon_ns, Sent::Failed))),
                _ => (None, None),
            }
        } else if !self.may_go_wrong(now_ns) || self.fates.below(100) >= TROUBLED_PERCENT {
            return Fate {
                arrives_ns: Some(soon_ns),
                answer: Some((soon_ns, Sent::Delivered)),
            };
        } else {
            let slow_ns = self.fates.below(SLOW_NS);
            match self.fates.below(5) {
                0 => (Some(slow_ns), Some((slow_ns, Sent::Delivered))),
                1 => (None, Some((soon_ns, Sent::Failed))),
                2 => (None, Some((soon_ns, Sent::Refused))),
                3 => (Some(soon_ns), Some((soon_ns, Sent::Failed))),
                _ => (Some(soon_ns), None),
            }
        };
        self.troubled.store(true, Ordering::Relaxed);
        Fate { arrives_ns, answer }
    }

    /// Whether no letter ever went wrong.
    pub(crate) fn was_always_well(&self) -> bool {
        !self.troubled.load(Ordering::Relaxed)
    }

    fn may_go_wrong(&self, now_ns: u64) -> bool {
        match self.usage {
            Usage::Unused => false,
            Usage::Used { well_from_ns } => now_ns < well_from_ns,
        }
    }
}

/// What is listed, by person and number.
pub(crate) fn listed(rows: &[Undelivered]) -> impl Iterator<Item = (UserId, u64)> {
    rows.iter().map(|row| (row.user, row.number))
}

/// One node's way to the mailbox. A letter that was handed over arrives although its
/// node ends or stands still; the node learns of it only when it goes on.
pub(crate) struct NodeDelivery {
    pub(crate) node: u64,
    pub(crate) agenda: Agenda,
    pub(crate) machine: Arc<Machine>,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Delivery for NodeDelivery {
    fn send(&self, letter: Letter) -> PortFuture<Sent> {
        let (node, agenda) = (self.node, self.agenda.clone());
        let (machine, mailbox) = (Arc::clone(&self.machine), Arc::clone(&self.mailbox));
        Box::pin(async move {
            go_on(&agenda, &machine).await;
            let fate = mailbox.take(node, &letter);
            let Some((after_ns, sent)) = fate.answer else {
                return std::future::pending().await;
            };
            agenda.sleep_ns(after_ns).await;
            go_on(&agenda, &machine).await;
            sent
        })
    }
}
