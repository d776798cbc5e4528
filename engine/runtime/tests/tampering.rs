//! Rows that somebody else than a node has written: a person whose record says
//! what no node wrote is corrupt, and is answered nothing from it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use rig::{Expect, PASSWORD, Place, Rig, refresh, sign_in, tenant_key, username};
use tidegate_account::record::View;
use tidegate_account::{Grant, Password, Refusal, Remember, Secret, SecretHash};
use tidegate_runtime::{
    Answer, Ask, Failure, Field, IndexKey, IndexRow, Key, Outcome, SealContext, Task, WrappedKey,
};
use tidegate_storage_api::{Commit, Key as RowKey, PersonPart, Region, Slot, Store};

const ADA: &str = "ada";
const BOB: &str = "bob";

fn record_of(grant: &Grant) -> RowKey {
    let slot = Slot::new(grant.user.slot()).unwrap();
    RowKey::person(
        Region::FIRST,
        slot,
        grant.user.as_bytes(),
        PersonPart::Record,
    )
}

fn key_of(grant: &Grant) -> RowKey {
    let slot = Slot::new(grant.user.slot()).unwrap();
    RowKey::person_key(Region::FIRST, slot, grant.user.as_bytes())
}

async fn stored(rig: &Rig, key: RowKey) -> Vec<u8> {
    rig.store.inner.get(key).await.unwrap().unwrap().to_vec()
}

async fn put(rig: &Rig, rows: Vec<(RowKey, Vec<u8>)>) {
    let put = |commit: Commit, (key, value): (RowKey, Vec<u8>)| commit.put(key, value);
    let commit = rows.into_iter().fold(Commit::default(), put);
    rig.store.inner.commit(commit).await.unwrap();
}

/// A check of the session with a secret that the person never had.
fn forged(rig: &Rig, grant: &Grant) -> Ask {
    Ask {
        secret: Secret::new([9; 24]),
        ..rig.ask_of(grant)
    }
}

/// The record with another secret for its one session.
fn with_forged_secret(record: &[u8], grant: &Grant) -> Vec<u8> {
    let hash = SecretHash::of_session(&grant.session_secret()).0;
    let forged = SecretHash::of_session(&Secret::new([9; 24])).0;
    let place = record.windows(32).position(|window| *window == hash);
    let mut record = record.to_vec();
    record[place.unwrap()..][..32].copy_from_slice(&forged);
    record
}

/// Where the status lies: 40 bytes into the root of the check part, which has 57
/// and stands at its end.
fn with_status(record: &[u8], status: u8) -> Vec<u8> {
    let length = u32::from_le_bytes(record[4..8].try_into().unwrap());
    let place = 8 + usize::try_from(length).unwrap() - 57 + 40;
    let mut record = record.to_vec();
    record[place] = status;
    record
}

#[tokio::test]
async fn no_bit_of_a_record_can_be_changed_and_no_end_be_cut_off() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let record = stored(&rig, record_of(&grant)).await;
    let wrapped = WrappedKey(stored(&rig, key_of(&grant)).await.try_into().unwrap());
    let context = |field, revision| SealContext {
        tenant: rig.tenant,
        user: grant.user,
        field,
        revision,
    };
    let tenant = tenant_key("default", 1);
    let unwrapped = context(Field::PersonKey, 0).unwrap(&*rig.cpu, &tenant, &wrapped);
    let key: Key = unwrapped.unwrap();
    let opens = |record: &[u8]| {
        let Ok(view) = View::new(record) else {
            return false;
        };
        let context = context(Field::Record, view.revision());
        let opened = context.open_bound(&*rig.cpu, &key, view.bound(), view.sealed());
        opened.is_ok()
    };
    assert!(opens(&record));
    for length in 0..record.len() {
        assert!(!opens(&record[..length]), "{length} bytes");
    }
    for place in 0..record.len() {
        for bit in 0..8 {
            let mut flipped = record.clone();
            flipped[place] ^= 1 << bit;
            assert!(!opens(&flipped), "byte {place}, bit {bit}");
        }
    }
    let longer = [&record[..], &[0]].concat();
    assert!(!opens(&longer));
}

#[tokio::test]
async fn a_check_part_that_was_changed_makes_its_person_corrupt_and_nobody_else() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let other = rig.signed_in(BOB).await;
    let record = stored(&rig, record_of(&grant)).await;
    put(
        &rig,
        vec![(record_of(&grant), with_forged_secret(&record, &grant))],
    )
    .await;
    let rig = rig.restart().await;
    for task in [
        Task::Check(forged(&rig, &grant)),
        Task::Check(rig.ask_of(&grant)),
        refresh(&grant),
        sign_in(ADA, PASSWORD),
    ] {
        assert_eq!(rig.ask(None, task).await.failed(), Failure::Corrupt);
    }
    assert_eq!(
        rig.engine
            .check(&forged(&rig, &grant))
            .map(|(outcome, _)| outcome),
        None
    );
    assert!(matches!(rig.check(&other).await, Outcome::Yes(_)));
}

#[tokio::test]
async fn a_status_that_was_changed_makes_its_person_corrupt() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let record = stored(&rig, record_of(&grant)).await;
    assert_eq!(with_status(&record, 1), record);
    put(&rig, vec![(record_of(&grant), with_status(&record, 2))]).await;
    let rig = rig.restart().await;
    let answer = rig.ask(None, Task::Check(rig.ask_of(&grant))).await;
    assert_eq!(answer.failed(), Failure::Corrupt);
}

#[tokio::test]
async fn anothers_record_does_not_open_in_somebodys_place_even_with_its_key() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let other = rig.signed_in(BOB).await;
    let rows = [
        (record_of(&grant), stored(&rig, record_of(&other)).await),
        (key_of(&grant), stored(&rig, key_of(&other)).await),
    ];
    put(&rig, rows.into()).await;
    let rig = rig.restart().await;
    // With the token of the one whose record it is, under the other's id.
    let taken = Ask {
        user: grant.user,
        ..rig.ask_of(&other)
    };
    for task in [
        Task::Check(taken),
        Task::Check(rig.ask_of(&grant)),
        refresh(&grant),
        sign_in(ADA, PASSWORD),
    ] {
        assert_eq!(rig.ask(None, task).await.failed(), Failure::Corrupt);
    }
    assert!(matches!(rig.check(&other).await, Outcome::Yes(_)));
}

#[tokio::test]
async fn a_record_that_claims_to_stand_in_for_nobody_lets_no_session_in() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let record = stored(&rig, record_of(&grant)).await;
    let record = with_status(&with_forged_secret(&record, &grant), 4);
    let commit = Commit::default()
        .put(record_of(&grant), record)
        .delete(key_of(&grant));
    rig.store.inner.commit(commit).await.unwrap();
    let rig = rig.restart().await;
    // Without its key it is nobody's, and nothing that it says is believed.
    for ask in [forged(&rig, &grant), rig.ask_of(&grant)] {
        let answer = rig.ask(None, Task::Check(ask)).await;
        let Answer::Checked(outcome) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(outcome, Outcome::No(Refusal::InvalidToken));
    }
}

#[tokio::test]
async fn an_index_row_that_was_turned_to_another_account_lets_nobody_in() {
    let rig = Rig::new().await;
    let grant = rig.signed_in(ADA).await;
    let other = rig.signed_in(BOB).await;
    let key = IndexKey {
        version: 1,
        key: Key::new([2; 32]),
    };
    let hash = key.hash(rig.tenant, &username(ADA));
    let row = RowKey::identifier(Region::FIRST, &hash.0);
    let stored = stored(&rig, row.clone()).await;
    assert_eq!(stored, IndexRow::new(grant.user, 1).encode());
    let turned = IndexRow::new(other.user, 1).encode().to_vec();
    put(&rig, vec![(row, turned)]).await;
    let rig = rig.restart().await;
    // Both have the same password.
    let answer = rig.ask(None, sign_in(ADA, PASSWORD)).await;
    assert_eq!(answer.refused(), Refusal::Busy { retry_after_ms: 0 });
    rig.ask(None, sign_in(BOB, PASSWORD)).await.granted();
}

#[tokio::test]
async fn a_deployment_goes_from_one_format_to_any_other_and_loses_nothing() {
    let mut rig = Rig::new().await;
    let remembered = || Task::SignIn {
        identifier: username(ADA),
        password: Password::parse(PASSWORD).unwrap(),
        device: None,
        remember: Remember::Device,
        origin: None,
    };
    rig.signed_up(ADA).await;
    let mut grant = rig.ask(Some(1), remembered()).await.granted();
    assert_eq!(stored(&rig, record_of(&grant)).await[0], 3);
    for formats in [2, 3, 1, 3, 2, 1, 2, 3] {
        let place = Place {
            formats,
            ..Place::default()
        };
        rig = rig.restart_in(place).await;
        assert!(matches!(rig.check(&grant).await, Outcome::Yes(_)));
        let next = rig.ask(None, refresh(&grant)).await.granted();
        let version = stored(&rig, record_of(&grant)).await[0];
        assert_eq!(u16::from(version), formats);
        // The token before gives its successor after the next restart as well.
        rig = rig.restart().await;
        let again = rig.ask(None, refresh(&grant)).await.granted();
        assert!(again.refresh.matches(&next.refresh));
        // So does the request that was answered before all of it.
        let repeated = rig.ask(Some(1), remembered()).await.granted();
        assert_eq!(repeated.session, grant.session);
        grant = next;
    }
}
