use super::*;
use tidegate_account::Ended;

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

fn ended(session: u64, at: u64) -> DegradedDecision {
    DegradedDecision::Ended(Ended {
        sessions: vec![SessionId(session)],
        request: None,
        at,
    })
}

async fn add(degraded_states: &DegradedStates, number: u8, degraded: DegradedDecision) {
    degraded_states.add(user(number), degraded);
    degraded_states.write_down(user(number)).await.unwrap();
}

fn sessions(degraded_states: &DegradedStates, number: u8) -> Vec<u64> {
    let decided = degraded_states.of(user(number)).into_iter();
    let ids = decided.map(|degraded| match degraded {
        DegradedDecision::Ended(ended) => ended.sessions[0].0,
        DegradedDecision::Failed { .. }
        | DegradedDecision::Established(_)
        | DegradedDecision::Kept { .. } => 0,
    });
    ids.collect()
}

#[tokio::test]
async fn a_revocation_outlives_the_node_until_it_is_taken_over() {
    let journal: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let open = || DegradedStates::open(Arc::clone(&journal));
    let first = open().await.unwrap();
    add(&first, 1, ended(7, 1_000)).await;
    add(
        &first,
        1,
        DegradedDecision::Failed {
            device: None,
            at: 2,
        },
    )
    .await;
    add(&first, 1, ended(8, 1_001)).await;
    add(&first, 2, ended(9, 1_002)).await;
    let second = open().await.unwrap();
    assert_eq!(second.people_count(), 2);
    assert_eq!(sessions(&second, 1), [7, 8]);
    let (taken, name) = second.take(user(1), None);
    assert_eq!(taken.len(), 2);
    // What is decided meanwhile waits for the next time.
    add(&second, 1, ended(10, 1_003)).await;
    second.settled(user(1), name).unwrap().await.unwrap();
    assert_eq!(sessions(&second, 1), [10]);
    let third = open().await.unwrap();
    assert_eq!(
        (sessions(&third, 1), sessions(&third, 2)),
        (vec![10], vec![9])
    );
    assert_eq!(third.to_settle(9, |one| one != user(2)), [user(1)]);
}

#[tokio::test]
async fn there_is_room_for_so_many_and_what_is_old_goes() {
    let degraded_states = DegradedStates::open(Arc::new(MemoryStore::new()))
        .await
        .unwrap();
    for number in 0..10 {
        add(&degraded_states, number, ended(1, 5)).await;
    }
    assert!(!degraded_states.has_room(user(11), 10));
    for _ in 1..OF_PERSON_MAX {
        add(&degraded_states, 3, ended(1, 6)).await;
    }
    assert!(!degraded_states.has_room(user(3), 10) && degraded_states.has_room(user(4), 10));
    assert!(degraded_states.expire(5 + KEPT_MS, |_| true).is_empty());
    for write in degraded_states.expire(5 + KEPT_MS, |_| false) {
        write.await.unwrap();
    }
    assert_eq!(degraded_states.people_count(), 1);
}
