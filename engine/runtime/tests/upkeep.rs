//! What happens without being asked for: nothing grows without end, and keys
//! are renewed while people are served.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use std::sync::atomic::Ordering;

use rig::{
    Expect, FaultyStore, HandClock, Mood, PASSWORD, Place, Rig, SOURCE, mail, policy, refresh,
    sign_in, sign_in_as, sign_up_as, tenant_key, username, verify,
};
use tidegate_account::{
    Due, Identifier, IdentifierKind, Password, Refusal, Remember, SessionProof, TenantId,
};
use tidegate_runtime::{Costs, Failure, IndexKey, Key, Limits, Outcome, Rekeyed, Task, Tenant};
use tidegate_storage_api::{AgendaKey, Key as RowKey, KeyRange, PersonPart, Slot};

const DAY_MS: u64 = 86_400_000;
const ADA: &str = "ada@example.com";

/// The sweeper of the engine itself runs by the clock; these tests call it.
fn limits() -> Limits {
    Limits {
        sweep_rows_per_s: u32::MAX,
        ..Limits::default()
    }
}

/// Rows that are there for somebody: not the fences of slots, nor events.
async fn rows(rig: &Rig) -> Vec<RowKey> {
    let rows = rig.store.rows().await.into_iter().map(|(key, _)| key);
    rows.filter(|key| matches!(key.as_bytes().get(3), Some(0x10..=0x21)))
        .collect()
}

async fn bytes(rig: &Rig) -> usize {
    let rows = rig.store.rows().await;
    rows.iter()
        .map(|(key, value)| key.as_bytes().len() + value.len())
        .sum()
}

/// The rows of the agenda.
async fn agenda(rig: &Rig) -> Vec<AgendaKey> {
    let rows = rig.store.rows().await;
    rows.iter()
        .filter_map(|(key, _)| AgendaKey::of(key))
        .collect()
}

#[tokio::test]
async fn an_account_that_nobody_verified_goes_with_everything_it_had() {
    let rig = Rig::with(limits()).await;
    let before = rows(&rig).await;
    let user = rig.ask(None, sign_up_as(mail(ADA))).await.signed_up();
    assert!(rows(&rig).await.len() > before.len());
    assert_eq!(agenda(&rig).await.len(), 1);
    rig.clock.advance(policy().claim_ms - 1);
    assert_eq!(rig.engine.work_off().await, Ok(0));
    assert_eq!(rig.engine.sweep().await.unwrap().people, 0);
    assert!(rows(&rig).await.len() > before.len());
    rig.clock.advance(1);
    assert_eq!(rig.engine.work_off().await, Ok(1));
    assert_eq!(rows(&rig).await, before);
    assert_eq!(agenda(&rig).await, []);
    let late = rig.ask(None, verify(user, mail(ADA), Some(PASSWORD))).await;
    assert_eq!(late.refused(), Refusal::UnknownAccount);
    // The same id is never used again with an older revision.
    rig.ask(None, sign_up_as(mail(ADA))).await.signed_up();
}

#[tokio::test]
async fn whoever_stands_in_for_nobody_goes_when_the_guesses_are_forgotten() {
    let rig = Rig::with(limits()).await;
    let before = rows(&rig).await;
    let guess = || sign_in("nobody", "wrong horse");
    assert_eq!(
        rig.ask(None, guess()).await.refused(),
        Refusal::InvalidCredentials
    );
    assert_eq!(rows(&rig).await.len(), before.len() + 1);
    rig.clock.advance(policy().guess.forget_ms - 1);
    assert_eq!(rig.engine.work_off().await, Ok(0));
    rig.clock.advance(1);
    assert_eq!(rig.engine.work_off().await, Ok(1));
    assert_eq!(rows(&rig).await, before);
    assert_eq!(agenda(&rig).await, []);
    assert_eq!(
        rig.ask(None, guess()).await.refused(),
        Refusal::InvalidCredentials
    );
}

#[tokio::test]
async fn a_claim_of_somebody_who_stays_ends_when_it_is_due_and_guesses_move_one_row() {
    let rig = Rig::with(limits()).await;
    let grant = rig.signed_in("ada").await;
    let without = rows(&rig).await;
    let claim = Task::Claim {
        user: grant.user,
        by: SessionProof {
            session: grant.session,
            secret: grant.session_secret(),
        },
        identifier: mail(ADA),
    };
    rig.ask(None, claim).await;
    assert_eq!(rows(&rig).await.len(), without.len() + 1);
    for _ in 0..3 {
        rig.ask(None, sign_in("ada", "wrong horse")).await;
        rig.clock.advance(1_000);
    }
    let whats: Vec<_> = agenda(&rig).await.iter().map(|row| row.what).collect();
    assert_eq!(whats, [Due::Guesses.number(), Due::Claim.number()]);
    rig.clock.advance(policy().claim_ms);
    assert_eq!(rig.engine.work_off().await, Ok(2));
    assert_eq!(rows(&rig).await, without);
    assert_eq!(agenda(&rig).await, []);
}

#[tokio::test]
async fn what_has_no_row_on_the_agenda_is_found_by_the_walk_a_day_late() {
    let rig = Rig::with(limits()).await;
    let before = rows(&rig).await;
    let user = rig.ask(None, sign_up_as(mail(ADA))).await.signed_up();
    let slot = Slot::new(user.slot()).unwrap();
    let region = tidegate_storage_api::Region::FIRST;
    let lost = agenda(&rig).await.into_iter();
    let lost = lost.fold(tidegate_storage_api::Commit::default(), |commit, row| {
        commit.delete(row.key(region, slot))
    });
    tidegate_storage_api::Store::commit(&rig.store.inner, lost)
        .await
        .unwrap();
    rig.clock.advance(policy().claim_ms + DAY_MS - 1);
    assert_eq!(rig.engine.work_off().await, Ok(0));
    assert_eq!(rig.engine.sweep().await.unwrap().people, 0);
    rig.clock.advance(1);
    assert_eq!(rig.engine.sweep().await.unwrap().people, 1);
    assert_eq!(rows(&rig).await, before);
}

#[tokio::test]
async fn before_the_version_that_has_an_agenda_there_is_none_and_the_walk_is_in_time() {
    let place = Place {
        formats: 2,
        ..Place::default()
    };
    let clock = HandClock::new();
    let rig = Rig::at(place, FaultyStore::new(), clock, 1).await;
    let before = rows(&rig).await;
    rig.ask(None, sign_up_as(mail(ADA))).await.signed_up();
    assert_eq!(agenda(&rig).await, []);
    rig.clock.advance(policy().claim_ms);
    assert_eq!(rig.engine.work_off().await, Ok(0));
    assert_eq!(rig.engine.sweep().await.unwrap().people, 1);
    assert_eq!(rows(&rig).await, before);
}

#[tokio::test]
async fn an_agenda_that_could_not_be_read_is_read_again_and_not_in_slots_of_others() {
    let rig = Rig::with(limits()).await;
    let user = rig.ask(None, sign_up_as(mail(ADA))).await.signed_up();
    let slot = Slot::new(user.slot()).unwrap();
    rig.clock.advance(policy().claim_ms);
    rig.store.set(Mood::Unavailable);
    let away = Err(tidegate_storage_api::StoreError::Unavailable);
    assert_eq!(rig.engine.work_off().await, away);
    rig.store.set(Mood::Well);
    let epoch = rig.ownership.epoch_of_slot(slot).unwrap();
    rig.ownership.leave(&[slot]);
    assert_eq!(rig.engine.work_off().await, Ok(0));
    assert_eq!(agenda(&rig).await.len(), 1);
    rig.ownership.take(&[(slot, epoch)]);
    rig.clock.advance(60_000);
    assert_eq!(rig.engine.work_off().await, Ok(1));
    assert_eq!(agenda(&rig).await, []);
}

#[tokio::test]
async fn what_lies_in_slots_of_others_is_theirs_to_sweep() {
    let rig = Rig::with(limits()).await;
    let before = rows(&rig).await;
    for n in 0..40 {
        let guess = sign_in(&format!("name-{n}"), "wrong horse");
        rig.ask(None, guess).await;
    }
    rig.clock.advance(40 * DAY_MS);
    let theirs: Vec<Slot> = Slot::all().filter(|slot| slot.number() >= 2_048).collect();
    rig.ownership.leave(&theirs);
    rig.engine.sweep().await.unwrap();
    let left = rows(&rig).await;
    let slot = |key: &RowKey| u16::from_be_bytes([key.as_bytes()[1], key.as_bytes()[2]]);
    assert!(left.len() > before.len() && left.len() < before.len() + 40);
    assert!(left.iter().all(|key| slot(key) >= 2_048));
}

#[tokio::test]
async fn sources_sessions_and_events_go_when_they_are_over_and_people_stay() {
    let rig = Rig::with(limits()).await;
    let grant = rig.signed_in("ada").await;
    let kept = rows(&rig).await;
    for n in 0..20 {
        let guess = Task::SignIn {
            identifier: username(&format!("name-{n}")),
            password: Password::parse("wrong horse").unwrap(),
            device: None,
            remember: Remember::Nothing,
            origin: Some(SOURCE),
        };
        rig.ask(None, guess).await;
    }
    assert_eq!(rows(&rig).await.len(), kept.len() + 20 + 1);
    rig.clock.advance(40 * DAY_MS);
    rig.engine.sweep().await.unwrap();
    assert_eq!(rows(&rig).await, kept);
    let mut events = 0;
    for partition in (0..64).filter_map(tidegate_storage_api::Partition::new) {
        let range = KeyRange::events(tidegate_storage_api::Region::FIRST, partition);
        events += tidegate_storage_api::Store::range(&*rig.store, range, 1_000)
            .await
            .unwrap()
            .len();
    }
    // Those that the sweep itself told: a session ended.
    assert_eq!(events, 1);
    assert_eq!(rig.check(&grant).await, Outcome::No(Refusal::InvalidToken));
    rig.ask(None, sign_in("ada", PASSWORD)).await.granted();
}

#[tokio::test]
async fn ten_thousand_sign_ins_of_one_person_leave_one_record_of_bounded_size() {
    let rig = Rig::new().await;
    rig.signed_up("ada").await;
    let mut largest = 0;
    let mut at_a_thousand = 0;
    for n in 0..10_000u32 {
        rig.ask(None, sign_in("ada", PASSWORD)).await.granted();
        rig.clock.advance(5_000);
        let size = rig.store.sizes.lock().unwrap().pop().unwrap();
        largest = largest.max(size);
        if n == 1_000 {
            at_a_thousand = largest;
        }
    }
    assert!(largest < 16 * 1024, "{largest}");
    assert!(largest <= at_a_thousand + 64, "{at_a_thousand} {largest}");
}

#[tokio::test]
async fn a_year_of_one_persons_life_leaves_the_store_as_large_as_its_first_quarter() {
    let rig = Rig::with(limits()).await;
    rig.signed_up("ada").await;
    let mut sizes = Vec::new();
    for day in 0..365u64 {
        let grant = rig.ask(None, sign_in("ada", PASSWORD)).await.granted();
        rig.ask(None, sign_in("ada", "wrong horse")).await;
        rig.ask(None, sign_in(&format!("nobody-{day}"), "wrong horse"))
            .await;
        rig.ask(None, sign_up_as(mail(&format!("p{day}@example.com"))))
            .await;
        rig.clock.advance(DAY_MS / 2);
        rig.ask(None, refresh(&grant)).await.granted();
        rig.clock.advance(DAY_MS / 2);
        rig.engine.sweep().await.unwrap();
        sizes.push(bytes(&rig).await);
    }
    let largest_of = |days: std::ops::Range<usize>| *sizes[days].iter().max().unwrap();
    let (first, last) = (largest_of(0..90), largest_of(275..365));
    assert!(last <= first + first / 20, "{first} {last}");
}

async fn rekey_all(rig: &Rig) -> Rekeyed {
    let mut all = Rekeyed::default();
    for slot in Slot::all() {
        let rekeyed = rig.engine.rekey(slot).await.unwrap();
        all.people += rekeyed.people;
        all.failed += rekeyed.failed;
    }
    all
}

async fn ada_and_bob(rig: &Rig) -> tidegate_account::Grant {
    let user = rig.ask(None, sign_up_as(mail(ADA))).await.signed_up();
    rig.ask(None, verify(user, mail(ADA), Some(PASSWORD)))
        .await
        .verified();
    rig.ask(None, sign_up_as(mail("bob@example.com")))
        .await
        .signed_up();
    rig.signed_in("carl").await
}

#[tokio::test]
async fn the_index_key_is_rotated_while_everybody_can_sign_in() {
    let rig = Rig::with(limits()).await;
    let grant = ada_and_bob(&rig).await;
    rig.ask(None, sign_in("nobody", "wrong horse")).await;
    rig.index_keys.add(IndexKey {
        version: 2,
        key: Key::new([22; 32]),
    });
    // Under both keys: nobody moved yet.
    rig.ask(None, sign_in_as(mail(ADA), PASSWORD))
        .await
        .granted();
    let taken = rig.ask(None, rig::sign_up("carl")).await;
    assert_eq!(taken.refused(), Refusal::IdentifierTaken);
    assert_eq!(
        rekey_all(&rig).await,
        Rekeyed {
            people: 3,
            failed: 0
        }
    );
    rig.ask(None, sign_in_as(mail(ADA), PASSWORD))
        .await
        .granted();
    rig.index_keys.retire();
    rig.ask(None, sign_in_as(mail(ADA), PASSWORD))
        .await
        .granted();
    rig.ask(None, sign_in("carl", PASSWORD)).await.granted();
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    let taken = rig.ask(None, rig::sign_up("carl")).await;
    assert_eq!(taken.refused(), Refusal::IdentifierTaken);
    // What was claimed under the old key can be verified under the new one.
    let index = rows(&rig)
        .await
        .into_iter()
        .filter(|key| key.as_bytes()[3] == 0x20);
    assert_eq!(index.count(), 2);
    // And again, from the middle, without harm.
    assert_eq!(
        rekey_all(&rig).await,
        Rekeyed {
            people: 3,
            failed: 0
        }
    );
}

#[tokio::test]
async fn an_account_whose_address_is_refused_today_is_moved_to_the_new_index_key() {
    let rig = Rig::with(limits()).await;
    let text = "a\u{200b}da@example.com";
    assert!(Identifier::parse(IdentifierKind::Email, text).is_err());
    let ada = || Identifier::find(IdentifierKind::Email, text).unwrap();
    let user = rig.ask(None, sign_up_as(ada())).await.signed_up();
    rig.ask(None, verify(user, ada(), Some(PASSWORD)))
        .await
        .verified();
    rig.index_keys.add(IndexKey {
        version: 2,
        key: Key::new([22; 32]),
    });
    assert_eq!(
        rekey_all(&rig).await,
        Rekeyed {
            people: 1,
            failed: 0
        }
    );
    rig.index_keys.retire();
    rig.ask(None, sign_in_as(ada(), PASSWORD)).await.granted();
}

#[tokio::test]
async fn a_claim_of_a_line_with_its_trunk_zero_is_verified_without_and_survives_a_rotation() {
    let rig = Rig::with(limits()).await;
    let phone = |text| Identifier::find(IdentifierKind::Phone, text).unwrap();
    let (before, now) = ("+44 020 7946 0958", "+44 20 7946 0958");
    let user = rig.ask(None, sign_up_as(phone(before))).await.signed_up();
    rig.ask(None, verify(user, phone(now), Some(PASSWORD)))
        .await
        .verified();
    rig.index_keys.add(IndexKey {
        version: 2,
        key: Key::new([22; 32]),
    });
    assert_eq!(
        rekey_all(&rig).await,
        Rekeyed {
            people: 1,
            failed: 0
        }
    );
    rig.index_keys.retire();
    let signed_in = rig.ask(None, sign_in_as(phone(now), PASSWORD)).await;
    assert_eq!(signed_in.granted().user, user);
}

#[tokio::test]
async fn a_claim_made_under_the_old_index_key_is_verified_under_the_new_one() {
    let rig = Rig::with(limits()).await;
    let user = rig.ask(None, sign_up_as(mail(ADA))).await.signed_up();
    rig.index_keys.add(IndexKey {
        version: 2,
        key: Key::new([22; 32]),
    });
    rekey_all(&rig).await;
    rig.index_keys.retire();
    rig.ask(None, verify(user, mail(ADA), Some(PASSWORD)))
        .await
        .verified();
    rig.ask(None, sign_in_as(mail(ADA), PASSWORD))
        .await
        .granted();
}

#[tokio::test]
async fn what_was_begun_under_the_old_index_key_is_not_written_once_there_is_a_newer_one() {
    let rig = Rig::with(limits()).await;
    rig.cpu.hold();
    let begun = rig.submit(None, rig::sign_up("ada"));
    rig.until(|| rig.cpu.held() == 1).await;
    rig.index_keys.add(IndexKey {
        version: 2,
        key: Key::new([22; 32]),
    });
    // The walk finds nobody: nothing is written yet.
    assert_eq!(rekey_all(&rig).await, Rekeyed::default());
    rig.cpu.let_go();
    let failure = begun.await.unwrap().failed();
    assert!(matches!(failure, Failure::Busy { .. }), "{failure:?}");
    rig.index_keys.retire();
    // Coming again, as it was told to.
    rig.ask(None, rig::sign_up("ada")).await.signed_up();
    rig.ask(None, sign_in("ada", PASSWORD)).await.granted();
}

#[tokio::test]
async fn pepper_and_tenant_key_are_rotated_without_a_password_or_a_session_lost() {
    let rig = Rig::with(limits()).await;
    let grant = ada_and_bob(&rig).await;
    rig.peppers.add(2, Key::new([21; 32]));
    let mut newer = policy();
    newer.password.pepper_key = 2;
    let tenant = |keys: Vec<Key>| Tenant {
        id: TenantId::of_name("default"),
        name: "default".into(),
        keys,
        policy: newer.clone(),
        home: None,
        costs: Costs::default(),
    };
    let both = vec![tenant_key("default", 2), tenant_key("default", 1)];
    rig.tenants.put(tenant(both));
    let hashes = rig.cpu.hashes.load(Ordering::SeqCst);
    assert_eq!(
        rekey_all(&rig).await,
        Rekeyed {
            people: 3,
            failed: 0
        }
    );
    assert_eq!(rig.cpu.hashes.load(Ordering::SeqCst), hashes);
    rig.tenants.put(tenant(vec![tenant_key("default", 2)]));
    assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
    rig.ask(None, sign_in_as(mail(ADA), PASSWORD))
        .await
        .granted();
    rig.ask(None, refresh(&grant)).await.granted();
    // A single hash each: what was re-encrypted is as if it had been made so.
    assert_eq!(rig.cpu.hashes.load(Ordering::SeqCst), hashes + 1);
    // Somebody new is a person of the new key alone.
    rig.signed_in("dora").await;
}

#[tokio::test]
async fn a_person_who_cannot_be_renewed_is_counted_and_the_others_are_renewed() {
    let rig = Rig::with(limits()).await;
    let grant = ada_and_bob(&rig).await;
    let slot = Slot::new(grant.user.slot()).unwrap();
    let region = tidegate_storage_api::Region::FIRST;
    let record = RowKey::person(region, slot, grant.user.as_bytes(), PersonPart::Record);
    let damaged = tidegate_storage_api::Commit::default().put(record, vec![1; 40]);
    tidegate_storage_api::Store::commit(&rig.store.inner, damaged)
        .await
        .unwrap();
    let rig = rig.restart().await;
    assert_eq!(
        rekey_all(&rig).await,
        Rekeyed {
            people: 2,
            failed: 1
        }
    );
}
