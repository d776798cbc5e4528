//! What must leave: at least once, or listed as undelivered, and never what keeps a
//! reply waiting.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use rig::sink::SinkMood;
use rig::{Expect, Mood, PASSWORD, Rig, by, sign_in, username};
use tidegate_account::{
    Command, Due, LifecycleCommand, Outgoing, OutgoingKind, PartKind, UserId, outgoing_id,
};
use tidegate_runtime::ports::{Clock, Sent};
use tidegate_runtime::{Failure, Task, Undelivered, UndeliveredReason};
use tidegate_storage_api::{AgendaKey, PersonPart, Region};
use zeroize::Zeroizing;

const ADA: &str = "ada.example.com";
const DAY_MS: u64 = 86_400_000;
/// How long one try may take.
const TRY_MS: u64 = 10_000;

fn message(rig: &Rig, worth_ms: u64) -> Outgoing {
    let body = Zeroizing::new(b"hello".to_vec());
    let until_ms = rig.clock.unix_ms() + worth_ms;
    Outgoing::new(OutgoingKind::Mail, "mail", until_ms, body).unwrap()
}

/// What the agenda says of messages: what, when and which.
async fn due(rig: &Rig) -> Vec<(u8, u64, u64)> {
    let messages = [Due::Delivery, Due::Discard].map(Due::number);
    let rows = rig.store.rows().await;
    let places = rows.iter().filter_map(|(key, _)| AgendaKey::of(key));
    let places = places.filter(|place| messages.contains(&place.what));
    places
        .map(|place| (place.what, place.due_ms, place.number))
        .collect()
}

/// How many messages are stored.
async fn stored(rig: &Rig) -> usize {
    let outbox = PartKind::Outbox.number();
    let rows = rig.store.rows().await;
    let parts = rows.iter().filter_map(|(key, _)| PersonPart::of(key));
    parts
        .filter(|(_, part)| matches!(part, PersonPart::Cold { kind, .. } if *kind == outbox))
        .count()
}

/// Waits until what was tried is written down: nothing is due now.
async fn settled(rig: &Rig) {
    let now_ms = rig.clock.unix_ms();
    while due(rig)
        .await
        .iter()
        .any(|(_, due_ms, _)| *due_ms <= now_ms)
    {
        tokio::task::yield_now().await;
    }
}

/// Lets what is due be tried, and waits until that is written down.
async fn tried(rig: &Rig, letters: usize) {
    rig.engine.work_off().await.unwrap();
    rig.until(|| rig.sink.letters().len() == letters).await;
    settled(rig).await;
}

async fn posted(rig: &Rig, worth_ms: u64) -> UserId {
    let user = rig.signed_up(ADA).await;
    let message = message(rig, worth_ms);
    rig.engine.post(user, message).await.unwrap();
    user
}

#[tokio::test]
async fn what_is_posted_leaves_once_and_nothing_of_it_stays() {
    let rig = Rig::new().await;
    let user = posted(&rig, DAY_MS).await;
    assert_eq!((stored(&rig).await, due(&rig).await.len()), (1, 1));
    let number = due(&rig).await[0].2;
    tried(&rig, 1).await;
    assert_eq!((stored(&rig).await, due(&rig).await), (0, vec![]));
    let [letter] = &rig.sink.letters()[..] else {
        panic!("{:?}", rig.sink.letters());
    };
    assert_eq!((letter.user, letter.id), (user, outgoing_id(user, number)));
    assert_eq!(letter.outgoing.tenant(), rig.tenant);
    assert_eq!(letter.outgoing.body(), b"hello");
    rig.clock.advance(DAY_MS);
    rig.engine.work_off().await.unwrap();
    assert_eq!(rig.sink.letters().len(), 1);
    assert_eq!(rig.engine.undelivered(10).await, Ok(Vec::new()));
}

#[tokio::test]
async fn no_reply_waits_for_what_leaves() {
    let rig = Rig::new().await;
    rig.sink.set(SinkMood::Holds);
    posted(&rig, DAY_MS).await;
    rig.engine.work_off().await.unwrap();
    rig.until(|| rig.sink.letters().len() == 1).await;
    rig.ask(None, sign_in(ADA, PASSWORD)).await.granted();
    // And it is sent once, however often the agenda is read meanwhile.
    rig.engine.work_off().await.unwrap();
    rig.sink.answer(Sent::Delivered);
    settled(&rig).await;
    assert_eq!((rig.sink.letters().len(), stored(&rig).await), (1, 0));
}

#[tokio::test]
async fn what_fails_is_tried_again_under_the_same_id_until_it_is_delivered() {
    let rig = Rig::new().await;
    posted(&rig, DAY_MS).await;
    rig.sink.set(SinkMood::Answers(Sent::Failed));
    tried(&rig, 1).await;
    rig.clock.advance(2_000);
    rig.sink.set(SinkMood::Panics);
    tried(&rig, 2).await;
    rig.clock.advance(4_000);
    rig.sink.set(SinkMood::Answers(Sent::Delivered));
    tried(&rig, 3).await;
    let letters = rig.sink.letters();
    assert!(letters.iter().all(|letter| letter.id == letters[0].id));
    assert_eq!((stored(&rig).await, due(&rig).await), (0, vec![]));
}

#[tokio::test]
async fn a_try_that_takes_too_long_has_failed_and_its_answer_comes_too_late() {
    let rig = Rig::new().await;
    posted(&rig, DAY_MS).await;
    rig.sink.set(SinkMood::Holds);
    rig.engine.work_off().await.unwrap();
    rig.until(|| rig.sink.letters().len() == 1).await;
    rig.clock.advance(TRY_MS);
    settled(&rig).await;
    rig.sink.answer(Sent::Delivered);
    assert_eq!((stored(&rig).await, due(&rig).await.len()), (1, 1));
    rig.sink.set(SinkMood::Answers(Sent::Delivered));
    rig.clock.advance(2_000);
    tried(&rig, 2).await;
    assert_eq!((stored(&rig).await, due(&rig).await), (0, vec![]));
}

#[tokio::test]
async fn what_is_refused_is_listed_for_thirty_days_and_not_tried_again() {
    let rig = Rig::new().await;
    let user = posted(&rig, DAY_MS).await;
    let number = due(&rig).await[0].2;
    rig.sink.set(SinkMood::Answers(Sent::Refused));
    let at_ms = rig.clock.unix_ms();
    tried(&rig, 1).await;
    let listed = Undelivered {
        user,
        number,
        reason: UndeliveredReason::Refused,
        tries: 0,
        at_ms,
    };
    assert_eq!(rig.engine.undelivered(10).await, Ok(vec![listed]));
    assert_eq!(rig.engine.undelivered(0).await, Ok(Vec::new()));
    assert_eq!(stored(&rig).await, 1);
    rig.clock.advance(30 * DAY_MS);
    assert_eq!(rig.engine.work_off().await, Ok(1));
    assert_eq!(rig.engine.undelivered(10).await, Ok(Vec::new()));
    assert_eq!((stored(&rig).await, due(&rig).await), (0, vec![]));
    assert_eq!(rig.sink.letters().len(), 1);
}

#[tokio::test]
async fn what_is_worth_nothing_any_more_is_listed_and_not_sent() {
    let rig = Rig::new().await;
    let user = posted(&rig, 1_500).await;
    let number = due(&rig).await[0].2;
    rig.sink.set(SinkMood::Answers(Sent::Failed));
    tried(&rig, 1).await;
    rig.clock.advance(1_500);
    tried(&rig, 1).await;
    let listed = Undelivered {
        user,
        number,
        reason: UndeliveredReason::Late,
        tries: 1,
        at_ms: rig.clock.unix_ms(),
    };
    assert_eq!(rig.engine.undelivered(10).await, Ok(vec![listed]));
}

#[tokio::test]
async fn what_was_sent_and_not_written_down_is_sent_again_by_the_next_node() {
    let rig = Rig::new().await;
    posted(&rig, DAY_MS).await;
    rig.sink.set(SinkMood::Holds);
    rig.engine.work_off().await.unwrap();
    rig.until(|| rig.sink.letters().len() == 1).await;
    // The node sends, and ends before it has written that down.
    rig.store.set(Mood::Unavailable);
    let commits = rig.store.commits();
    rig.sink.answer(Sent::Delivered);
    rig.until(|| rig.store.commits() > commits).await;
    let first = rig.sink.letters().remove(0);
    rig.store.set(Mood::Well);
    let rig = rig.restart().await;
    tried(&rig, 1).await;
    assert_eq!(rig.sink.letters()[0].id, first.id);
    assert_eq!((stored(&rig).await, due(&rig).await), (0, vec![]));
}

#[tokio::test]
async fn a_destination_that_fails_is_left_alone_by_all_but_one() {
    let rig = Rig::new().await;
    let user = posted(&rig, DAY_MS).await;
    for _ in 1..5 {
        let message = message(&rig, DAY_MS);
        rig.engine.post(user, message).await.unwrap();
    }
    rig.sink.set(SinkMood::Answers(Sent::Failed));
    tried(&rig, 5).await;
    // Its breaker is open: another is not even tried.
    let message = message(&rig, DAY_MS);
    rig.engine.post(user, message).await.unwrap();
    tried(&rig, 5).await;
    assert_eq!(stored(&rig).await, 6);
    rig.sink.set(SinkMood::Holds);
    rig.clock.advance(40_000);
    rig.engine.work_off().await.unwrap();
    rig.until(|| rig.sink.letters().len() == 6).await;
    rig.sink.set(SinkMood::Answers(Sent::Delivered));
    rig.sink.answer(Sent::Delivered);
    rig.until(|| rig.sink.letters().len() >= 6).await;
    settled(&rig).await;
    while stored(&rig).await > 0 {
        rig.clock.advance(60_000);
        rig.engine.work_off().await.unwrap();
        settled(&rig).await;
    }
    assert_eq!(rig.sink.letters().len(), 11);
}

#[tokio::test]
async fn nothing_leaves_about_nobody_nor_of_whoever_is_erased() {
    let rig = Rig::new().await;
    let nobody = UserId::new(Region::FIRST.number(), 7, [9; 16]);
    let to_nobody = message(&rig, DAY_MS);
    assert_eq!(rig.engine.post(nobody, to_nobody).await, Ok(()));
    let user = posted(&rig, DAY_MS).await;
    let command = Command::Lifecycle(LifecycleCommand::Erase { by: by() });
    rig.ask(None, Task::Account { user, command }).await;
    assert_eq!(stored(&rig).await, 0);
    tried(&rig, 0).await;
    assert_eq!(due(&rig).await, []);
    assert_eq!(rig.engine.undelivered(10).await, Ok(Vec::new()));
    // The identifier is free again.
    let taken = rig.ask(None, rig::sign_up_as(username(ADA))).await;
    assert_ne!(taken.signed_up(), user);
}

#[tokio::test]
async fn what_cannot_become_durable_does_not_leave() {
    let rig = Rig::new().await;
    let user = rig.signed_up(ADA).await;
    for (sent, mood) in [(1, Mood::UnknownHappened), (2, Mood::UnknownLost)] {
        rig.store.set(mood);
        let settled = message(&rig, DAY_MS);
        assert_eq!(rig.engine.post(user, settled).await, Ok(()), "{mood:?}");
        tried(&rig, sent).await;
        assert_eq!((stored(&rig).await, due(&rig).await), (0, vec![]));
    }
    rig.store.set(Mood::Unwritable);
    let lost = message(&rig, DAY_MS);
    let refused = rig.engine.post(user, lost).await;
    assert_eq!(refused, Err(Failure::Unavailable));
    assert_eq!((stored(&rig).await, due(&rig).await), (0, vec![]));
}

#[tokio::test]
async fn a_date_that_jumped_ahead_makes_nothing_too_late() {
    let rig = Rig::new().await;
    posted(&rig, DAY_MS).await;
    rig.engine.sweep().await.unwrap();
    let year_ms = 365 * DAY_MS;
    rig.clock.set_off(i64::try_from(year_ms).unwrap());
    tried(&rig, 1).await;
    assert_eq!(rig.engine.undelivered(10).await, Ok(Vec::new()));
    assert_eq!((stored(&rig).await, due(&rig).await), (0, vec![]));
}
