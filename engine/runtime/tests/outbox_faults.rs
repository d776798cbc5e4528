//! What must leave, where something is damaged, stale, slow or gone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use rig::sink::SinkMood;
use rig::{
    Expect, FaultyStore, HandClock, Mood, PASSWORD, Place, Rig, by, mail, sign_in, sign_up_as,
};
use tidegate_account::{Command, Due, LifecycleCommand, Outgoing, OutgoingKind, PartKind, UserId};
use tidegate_runtime::ports::{Clock, Sent};
use tidegate_runtime::{Limits, Task, UndeliveredReason};
use tidegate_storage_api::{
    AgendaKey, Commit, Key, KeyRange, PersonPart, Region, Slot, Stamp, Store, StoreError,
    StoreFuture,
};
use tokio::sync::watch;
use zeroize::Zeroizing;

const ADA: &str = "ada.example.com";
const DAY_MS: u64 = 86_400_000;

/// A store that says how often agendas were read, and holds what was read of them.
struct Seen {
    inner: Arc<FaultyStore>,
    /// Where the agenda of each slot ends.
    ends: BTreeSet<Key>,
    agendas: AtomicUsize,
    /// The read of this number does not come back.
    held: watch::Sender<usize>,
}

impl Seen {
    fn new(inner: &Arc<FaultyStore>) -> Arc<Seen> {
        Arc::new(Seen {
            inner: inner.clone(),
            ends: Slot::all()
                .map(|slot| KeyRange::agenda(Region::FIRST, slot).end)
                .collect(),
            agendas: AtomicUsize::new(0),
            held: watch::channel(usize::MAX).0,
        })
    }

    fn agendas(&self) -> usize {
        self.agendas.load(Ordering::SeqCst)
    }
}

impl Store for Seen {
    fn get(&self, key: Key) -> StoreFuture<Option<Bytes>> {
        self.inner.get(key)
    }

    fn range(&self, range: KeyRange, limit: usize) -> StoreFuture<Vec<(Key, Bytes)>> {
        let is_agenda = self.ends.contains(&range.end);
        let rows = self.inner.range(range, limit);
        if !is_agenda {
            return rows;
        }
        let number = self.agendas.fetch_add(1, Ordering::SeqCst);
        let mut held = self.held.subscribe();
        Box::pin(async move {
            let rows = rows.await;
            // The store outlives its reads.
            let _ = held.wait_for(|held| number != *held).await;
            rows
        })
    }

    fn commit(&self, commit: Commit) -> StoreFuture<Stamp> {
        self.inner.commit(commit)
    }
}

async fn seen() -> (Rig, Arc<Seen>) {
    let store = FaultyStore::new();
    let seen = Seen::new(&store);
    let place = Place {
        seen: Some(seen.clone()),
        ..Place::default()
    };
    (Rig::at(place, store, HandClock::new(), 1).await, seen)
}

fn message_to(rig: &Rig, destination: &str) -> Outgoing {
    let body = Zeroizing::new(b"hello".to_vec());
    let until_ms = rig.clock.unix_ms() + DAY_MS;
    Outgoing::new(OutgoingKind::Mail, destination, until_ms, body).unwrap()
}

async fn post(rig: &Rig, user: UserId, destination: &str, count: usize) {
    for _ in 0..count {
        let message = message_to(rig, destination);
        rig.engine.post(user, message).await.unwrap();
    }
}

async fn posted(rig: &Rig) -> UserId {
    let user = rig.signed_up(ADA).await;
    post(rig, user, "mail", 1).await;
    user
}

/// What the agenda says of messages.
async fn rows(rig: &Rig) -> Vec<(Key, AgendaKey)> {
    let messages = [Due::Delivery, Due::Discard].map(Due::number);
    let rows = rig.store.rows().await.into_iter();
    rows.filter_map(|(key, _)| AgendaKey::of(&key).map(|place| (key, place)))
        .filter(|(_, place)| messages.contains(&place.what))
        .collect()
}

/// The stored messages.
async fn parts(rig: &Rig) -> Vec<(Key, Bytes)> {
    let outbox = PartKind::Outbox.number();
    let mut rows = rig.store.rows().await;
    rows.retain(|(key, _)| {
        let part = PersonPart::of(key).map(|(_, part)| part);
        matches!(part, Some(PersonPart::Cold { kind, .. }) if kind == outbox)
    });
    rows
}

async fn reasons(rig: &Rig) -> Vec<UndeliveredReason> {
    let all = rig.engine.undelivered(1_000).await.unwrap();
    all.iter().map(|message| message.reason).collect()
}

/// Lets what is due be tried, and everything that follows from it happen.
async fn work_off(rig: &Rig) {
    rig.engine.work_off().await.unwrap();
    rig.settle().await;
}

fn letters(rig: &Rig) -> usize {
    rig.sink.letters().len()
}

#[tokio::test]
async fn what_is_damaged_is_listed_and_what_cannot_be_read_now_is_not() {
    let rig = Rig::new().await;
    posted(&rig).await;
    rig.store.set(Mood::Unreadable);
    work_off(&rig).await;
    rig.store.set(Mood::Well);
    assert_eq!((reasons(&rig).await, letters(&rig)), (vec![], 0));
    let (key, part) = parts(&rig).await.remove(0);
    let mut damaged = part.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let damage = Commit::default().put(key, damaged);
    rig.store.inner.commit(damage).await.unwrap();
    rig.clock.advance(60_000);
    work_off(&rig).await;
    assert_eq!(reasons(&rig).await, [UndeliveredReason::Unreadable]);
    assert_eq!(letters(&rig), 0);
    rig.clock.advance(30 * DAY_MS);
    work_off(&rig).await;
    assert_eq!((reasons(&rig).await, parts(&rig).await), (vec![], vec![]));
}

#[tokio::test]
async fn what_no_key_opens_is_tried_for_most_of_a_day_and_then_listed() {
    for key in [None, Some(vec![7; 72])] {
        let rig = Rig::new().await;
        let user = posted(&rig).await;
        let slot = Slot::new(user.slot()).unwrap();
        let row = Key::person_key(Region::FIRST, slot, user.as_bytes());
        let damage = match key {
            Some(key) => Commit::default().put(row, key),
            None => Commit::default().delete(row),
        };
        rig.store.inner.commit(damage).await.unwrap();
        for _ in 0..32 {
            work_off(&rig).await;
            assert_eq!(reasons(&rig).await, []);
            rig.clock.advance(3_600_000);
        }
        work_off(&rig).await;
        assert_eq!(reasons(&rig).await, [UndeliveredReason::Unreadable]);
        assert_eq!(letters(&rig), 0);
    }
}

#[tokio::test]
async fn a_row_that_another_pass_has_moved_begins_no_second_delivery() {
    let (rig, seen) = seen().await;
    let user = posted(&rig).await;
    work_off(&rig).await;
    assert_eq!(letters(&rig), 1);
    rig.sink.set(SinkMood::Answers(Sent::Failed));
    post(&rig, user, "mail", 1).await;
    // One pass has read a row, and goes on when another has tried and moved it.
    let before = seen.agendas();
    seen.held.send_replace(before);
    let engine = rig.engine.clone();
    let stale = tokio::spawn(async move { engine.work_off().await });
    rig.until(|| seen.agendas() > before).await;
    rig.settle().await;
    post(&rig, user, "mail", 1).await;
    work_off(&rig).await;
    let moved = rows(&rig).await;
    assert_eq!((letters(&rig), moved.len()), (3, 2));
    seen.held.send_replace(usize::MAX);
    stale.await.unwrap().unwrap();
    rig.settle().await;
    assert_eq!((letters(&rig), rows(&rig).await), (3, moved));
    rig.sink.set(SinkMood::Answers(Sent::Delivered));
    rig.clock.advance(60_000);
    work_off(&rig).await;
    assert_eq!((letters(&rig), rows(&rig).await), (5, vec![]));
}

#[tokio::test]
async fn what_was_delivered_and_could_not_be_written_down_is_not_sent_again_by_that_node() {
    for (sent, listed) in [
        (Sent::Delivered, vec![]),
        (Sent::Refused, vec![UndeliveredReason::Refused]),
    ] {
        let rig = Rig::new().await;
        posted(&rig).await;
        rig.sink.set(SinkMood::Holds);
        work_off(&rig).await;
        rig.store.set(Mood::UnknownLost);
        rig.sink.answer(sent);
        rig.settle().await;
        rig.clock.advance(60_000);
        work_off(&rig).await;
        assert_eq!(letters(&rig), 1);
        assert_eq!(reasons(&rig).await, listed);
        assert_eq!(rows(&rig).await.len(), listed.len());
    }
}

#[tokio::test]
async fn what_waits_for_a_destination_that_fails_is_looked_at_ever_less_often() {
    let rig = Rig::new().await;
    rig.sink.set(SinkMood::Answers(Sent::Failed));
    let user = posted(&rig).await;
    post(&rig, user, "mail", 19).await;
    let before = rig.store.commits();
    let minutes = 20;
    for _ in 0..minutes * 60 {
        work_off(&rig).await;
        rig.clock.advance(1_000);
    }
    // One tries each half minute, and each of them is moved some seven times.
    let (commits, letters) = (rig.store.commits() - before, letters(&rig));
    assert!(letters <= 20 + minutes * 2, "{letters}");
    assert!(commits <= letters + 20 * 10, "{commits}");
    assert_eq!(parts(&rig).await.len(), 20);
    rig.sink.set(SinkMood::Answers(Sent::Delivered));
    for _ in 0..40 {
        rig.clock.advance(60_000);
        work_off(&rig).await;
    }
    assert_eq!(rows(&rig).await, []);
}

#[tokio::test]
async fn a_destination_that_is_slow_leaves_room_for_others() {
    let rig = Rig::new().await;
    rig.sink.set(SinkMood::Holds);
    let user = posted(&rig).await;
    post(&rig, user, "mail", 39).await;
    post(&rig, user, "sms", 1).await;
    work_off(&rig).await;
    assert_eq!(letters(&rig), 33);
    rig.sink.set(SinkMood::Answers(Sent::Delivered));
    rig.sink.answer(Sent::Delivered);
    rig.settle().await;
    rig.clock.advance(2_000);
    work_off(&rig).await;
    assert_eq!((letters(&rig), rows(&rig).await), (41, vec![]));
}

#[tokio::test]
async fn where_there_is_no_room_the_agenda_is_read_less_and_less_often() {
    let (rig, seen) = seen().await;
    rig.sink.set(SinkMood::Holds);
    let user = posted(&rig).await;
    for number in 0..9 {
        post(&rig, user, &format!("to-{number}"), 30).await;
    }
    // What was posted is looked at once, at once.
    rig.clock.advance(10);
    rig.settle().await;
    work_off(&rig).await;
    assert_eq!(letters(&rig), 256);
    let before = seen.agendas();
    for _ in 0..9 {
        rig.clock.advance(1_000);
        work_off(&rig).await;
    }
    // After 1, 3 and 7 seconds, five pages each.
    assert_eq!((letters(&rig), seen.agendas() - before), (256, 15));
    rig.sink.set(SinkMood::Answers(Sent::Delivered));
    rig.sink.answer(Sent::Delivered);
    rig.settle().await;
    rig.clock.advance(8_000);
    work_off(&rig).await;
    assert_eq!((letters(&rig), rows(&rig).await), (271, vec![]));
}

#[tokio::test]
async fn what_waits_for_the_date_to_be_believed_is_not_read_each_minute() {
    let (rig, seen) = seen().await;
    rig.ask(None, sign_up_as(mail("ada@example.com"))).await;
    work_off(&rig).await;
    rig.clock.set_off(i64::try_from(365 * DAY_MS).unwrap());
    work_off(&rig).await;
    let before = seen.agendas();
    for _ in 0..14 {
        rig.clock.advance(60_000);
        work_off(&rig).await;
    }
    assert_eq!(seen.agendas(), before);
    rig.clock.advance(60_000);
    work_off(&rig).await;
    assert_eq!(seen.agendas(), before + 1);
}

#[tokio::test]
async fn a_message_is_read_beside_its_person_and_takes_nobodys_turn() {
    let limits = Limits {
        commands_per_person: 1,
        ..Limits::default()
    };
    let rig = Rig::with(limits).await;
    posted(&rig).await;
    rig.cpu.hold();
    let asked = rig.submit(None, sign_in(ADA, PASSWORD));
    rig.until(|| rig.cpu.held() == 1).await;
    work_off(&rig).await;
    assert_eq!((letters(&rig), rows(&rig).await), (1, vec![]));
    rig.cpu.let_go();
    asked.await.unwrap().granted();
}

#[tokio::test]
async fn nothing_is_written_about_a_person_who_was_erased_while_it_was_sent() {
    for sent in [Sent::Refused, Sent::Failed, Sent::Delivered] {
        let rig = Rig::new().await;
        let user = posted(&rig).await;
        rig.sink.set(SinkMood::Holds);
        work_off(&rig).await;
        let command = Command::Lifecycle(LifecycleCommand::Erase { by: by() });
        rig.ask(None, Task::Account { user, command }).await;
        let before = rows(&rig).await;
        rig.sink.answer(sent);
        rig.settle().await;
        assert_eq!(reasons(&rig).await, []);
        assert_eq!(rows(&rig).await, before);
        rig.clock.advance(1_000);
        work_off(&rig).await;
        assert_eq!((letters(&rig), rows(&rig).await), (1, vec![]));
    }
}

#[tokio::test]
async fn a_row_of_a_newer_program_lies_until_it_can_be_read() {
    let (rig, seen) = seen().await;
    posted(&rig).await;
    let (key, _) = rows(&rig).await.remove(0);
    let newer = Commit::default().put(key.clone(), vec![2, 0, 0]);
    rig.store.inner.commit(newer).await.unwrap();
    work_off(&rig).await;
    let before = seen.agendas();
    for _ in 0..59 {
        rig.clock.advance(60_000);
        work_off(&rig).await;
    }
    assert_eq!((seen.agendas(), reasons(&rig).await), (before, vec![]));
    let older = Commit::default().put(key, vec![1, 0, 0]);
    rig.store.inner.commit(older).await.unwrap();
    rig.clock.advance(60_000);
    work_off(&rig).await;
    assert_eq!((letters(&rig), rows(&rig).await), (1, vec![]));
}

#[tokio::test]
async fn what_could_not_be_read_is_read_again_in_a_minute() {
    let rig = Rig::new().await;
    posted(&rig).await;
    rig.store.set(Mood::Unavailable);
    assert_eq!(rig.engine.work_off().await, Err(StoreError::Unavailable));
    rig.store.set(Mood::Unreadable);
    rig.clock.advance(60_000);
    work_off(&rig).await;
    rig.store.set(Mood::Well);
    rig.clock.advance(60_000);
    work_off(&rig).await;
    assert_eq!((letters(&rig), rows(&rig).await), (1, vec![]));
}
