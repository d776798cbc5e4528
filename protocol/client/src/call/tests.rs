use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tidegate_wire::{Close, ReplyHead, SecretBytes, SessionToken, UserId, encode_refusal};

use super::*;
use crate::client::{Client, Ways};
use crate::routes::{Reach, Seed};
use crate::surroundings::{NoRandomness, Surroundings};
use crate::transport::{Refused, Transport};
use tidegate_wire::v1::RevokeScope;

#[test]
fn a_call_that_may_have_been_carried_out_does_not_end_as_not_done() {
    let busy = CallError::NotDone {
        code: Code::Busy,
        retry_after_ms: 5,
    };
    let unknown = CallError::Unknown {
        code: Code::Unknown,
    };
    assert_eq!(Fate::NotDone.of(busy), busy);
    assert_eq!(Fate::NotDone.after(Sent::Nothing).of(busy), busy);
    let maybe = Fate::NotDone.after(Sent::Maybe);
    assert_eq!(maybe.of(busy), unknown);
    assert_eq!(maybe.after(Sent::Nothing).of(busy), unknown);
    assert_eq!(maybe.of(CallError::Unreachable), CallError::Unreachable);
}

/// What a lane was asked, by correlation ids.
type Asks = Arc<Mutex<Vec<u64>>>;

/// A lane, and whether it ever answers.
struct Lane(Asks, Answers);

#[derive(Clone, Copy)]
enum Answers {
    /// That the token is none.
    AtOnce,
    Never,
}

impl Transport for Lane {
    fn ask(&self, correlation: u64, _: Bytes) -> Asked<'_> {
        self.0.lock().unwrap().push(correlation);
        let mut frame = BytesMut::new();
        let head = ReplyHead {
            version: MESSAGE_VERSION,
            code: Code::InvalidToken as u16,
            correlation,
            epoch: 0,
            age_ms: 0,
            retry_after_ms: 0,
        };
        encode_refusal(&mut frame, &head);
        match self.1 {
            Answers::AtOnce => Box::pin(std::future::ready(Ok(frame.freeze()))),
            Answers::Never => Box::pin(std::future::pending()),
        }
    }
}

struct Nobody;

impl Reach for Nobody {
    fn reach(&self, _: &str) -> Vec<Arc<dyn Transport>> {
        Vec::new()
    }
}

/// Time that passes as soon as a task waits for it.
struct Jumping(AtomicU64);

impl Surroundings for Jumping {
    fn monotonic_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn sleep(&self, ms: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.fetch_add(u64::from(ms), Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        bytes.fill(7);
        Ok(())
    }
}

/// A client with two lanes to one node, of which the first to be asked never
/// answers; what each was asked.
fn client(hedge_ms: Option<u32>) -> (Client, [Asks; 2]) {
    let asks = [Asks::default(), Asks::default()];
    let lane = |place: usize, answers| -> Arc<dyn Transport> {
        Arc::new(Lane(Arc::clone(&asks[place]), answers))
    };
    let client = Client::over(Ways {
        seeds: vec![Seed {
            address: "one".to_owned(),
            // A node's lanes are taken in turn, the second first.
            lanes: vec![lane(1, Answers::AtOnce), lane(0, Answers::Never)],
        }],
        reach: Arc::new(Nobody),
        surroundings: Arc::new(Jumping(AtomicU64::new(0))),
        tenant: "default".to_owned(),
        deadline_ms: 5_000,
        max_age_ms: 0,
        hedge_ms,
    });
    (client, asks)
}

fn counts(asks: &[Asks; 2]) -> [usize; 2] {
    [&asks[0], &asks[1]].map(|asks| asks.lock().unwrap().len())
}

fn token() -> SessionToken {
    SessionToken {
        user: UserId([1; 16]),
        session: 1,
        secret: SecretBytes([2; 24]),
    }
}

#[tokio::test]
async fn a_check_that_takes_too_long_is_asked_by_another_connection() {
    let (client, asks) = client(Some(50));
    let outcome = client.check(&token()).await;
    assert!(
        matches!(&outcome, Ok(Decision::No(refusal)) if refusal.code == Code::InvalidToken),
        "{outcome:?}"
    );
    assert_eq!(counts(&asks), [1, 1]);
    assert_ne!(*asks[0].lock().unwrap(), *asks[1].lock().unwrap());
}

#[tokio::test]
async fn asking_once_more_is_paid_from_the_budget() {
    let (client, _) = client(None);
    let caller = &client.regions.first;
    let answer = || -> Asked<'static> { Box::pin(std::future::ready(Ok(Bytes::new()))) };
    let hedged = || {
        let silent: Asked<'static> = Box::pin(std::future::pending());
        let asked = caller.hedged(Some(50), silent, || Some(answer()));
        caller.world.within(1_000, asked)
    };
    assert_eq!(hedged().await, Some(Ok(Bytes::new())));
    while caller.budgets.of(Class::Check).spend() {}
    assert_eq!(hedged().await, None);
}

/// A lane that answers so many requests with nothing and then with `busy`.
struct Waking(Arc<Mutex<u32>>);

impl Transport for Waking {
    fn ask(&self, correlation: u64, _: Bytes) -> Asked<'_> {
        let mut silent = self.0.lock().unwrap();
        if *silent > 0 {
            *silent -= 1;
            return Box::pin(std::future::pending());
        }
        busy(correlation)
    }
}

fn busy(correlation: u64) -> Asked<'static> {
    let mut frame = BytesMut::new();
    let head = ReplyHead {
        version: MESSAGE_VERSION,
        code: Code::Busy as u16,
        correlation,
        epoch: 0,
        age_ms: 0,
        retry_after_ms: 10,
    };
    encode_refusal(&mut frame, &head);
    Box::pin(std::future::ready(Ok(frame.freeze())))
}

/// What a node that was silent was asked may have been done, whether or not that
/// attempt was to find out if it answers again.
#[tokio::test]
async fn what_a_silent_node_was_asked_may_have_been_done() {
    let silent = Arc::new(Mutex::new(u32::MAX));
    let client = Client::over(Ways {
        seeds: vec![Seed {
            address: "one".to_owned(),
            lanes: vec![Arc::new(Waking(Arc::clone(&silent)))],
        }],
        reach: Arc::new(Nobody),
        surroundings: Arc::new(Jumping(AtomicU64::new(0))),
        tenant: "default".to_owned(),
        deadline_ms: 5_000,
        max_age_ms: 0,
        hedge_ms: None,
    });
    // The node is known to be silent when the change is asked for.
    client.check(&token()).await.unwrap_err();
    *silent.lock().unwrap() = 1;
    let outcome = client.revoke(&token(), RevokeScope::This).await;
    let unknown = CallError::Unknown {
        code: Code::Unknown,
    };
    assert_eq!(outcome.map(|_| ()), Err(unknown));
}

/// An answer that comes when it was waited for so often.
async fn slow(waits: u32) -> &'static str {
    let mut left = waits;
    std::future::poll_fn(move |context| match left {
        0 => std::task::Poll::Ready("late"),
        _ => {
            left -= 1;
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn what_cannot_be_asked_again_is_waited_for() {
    let (client, _) = client(None);
    let caller = &client.regions.first;
    let wait = || Wait {
        patience_ms: 1_000,
        left_ms: 10_000,
        node: 0,
        asked_ms: 100,
        class: Class::Refresh,
    };
    // The node answers no call.
    let silent = caller.patiently(wait(), slow(5)).await;
    assert_eq!(silent, Err(GivenUp::Silent));
    caller.routes.awake(0, 500);
    for _ in 0..32 {
        let replaced = caller.patiently(wait(), slow(5)).await;
        assert_eq!(replaced, Err(GivenUp::Replaced));
    }
    // Nothing is left in the budget: commits that take 5 s are waited for.
    assert_eq!(caller.patiently(wait(), slow(5)).await, Ok("late"));
    let never = caller.patiently(wait(), slow(20)).await;
    assert_eq!(never, Err(GivenUp::Silent));
    assert!(caller.budgets.of(Class::Check).spend());
}

#[test]
fn patience_follows_what_commits_take() {
    let of = |opcode, commits_ms| Caller::patience(opcode, 10_000, commits_ms);
    assert_eq!(
        [0, 300, 900].map(|ms| of(Opcode::Refresh, ms)),
        [1_000, 1_000, 2_050]
    );
    // A part of what is left, however slow the store is.
    assert_eq!(of(Opcode::Revoke, 60_000), 2_500);
    assert_eq!(of(Opcode::Check, 60_000), 1_000);
    assert_eq!(of(Opcode::SignIn, 60_000), 5_000);
}

#[tokio::test]
async fn whoever_is_not_answered_is_told_what_was_waited_for() {
    let client = Client::over(Ways {
        seeds: vec![Seed {
            address: "one".to_owned(),
            lanes: vec![Arc::new(Lane(Asks::default(), Answers::Never))],
        }],
        reach: Arc::new(Nobody),
        surroundings: Arc::new(Jumping(AtomicU64::new(0))),
        tenant: "default".to_owned(),
        deadline_ms: 5_000,
        max_age_ms: 0,
        hedge_ms: None,
    });
    let error = client.check(&token()).await.unwrap_err();
    let CallError::NoAnswer {
        waited_ms,
        asked,
        over: Over::Deadline,
    } = error
    else {
        panic!("{error:?}");
    };
    assert!((1..=5_000).contains(&waited_ms) && asked > 0, "{error:?}");
    let text = format!("no answer in {waited_ms} ms, asked {asked} times: the deadline came");
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_node_that_lets_nobody_of_this_gateway_ping_answers_all_the_same() {
    let told = [
        Code::Ok,
        Code::NotPermitted,
        Code::Draining,
        Code::Unavailable,
    ];
    assert_eq!(told.map(is_up), [true, true, false, false]);
}

/// A lane on which a node says that it wants nothing of this client.
struct Refusing(Arc<Mutex<u32>>, Refused);

impl Transport for Refusing {
    fn ask(&self, _: u64, _: Bytes) -> Asked<'_> {
        *self.0.lock().unwrap() += 1;
        Box::pin(std::future::ready(Err(Gone::Refused(self.1))))
    }
}

/// What a call to a node that refuses comes to, and how often it was asked.
async fn refused_for(reason: Refused) -> (CallError, u32) {
    let asked = Arc::new(Mutex::new(0));
    let client = Client::over(Ways {
        seeds: vec![Seed {
            address: "one".to_owned(),
            lanes: vec![Arc::new(Refusing(Arc::clone(&asked), reason))],
        }],
        reach: Arc::new(Nobody),
        surroundings: Arc::new(Jumping(AtomicU64::new(0))),
        tenant: "default".to_owned(),
        deadline_ms: 5_000,
        max_age_ms: 0,
        hedge_ms: None,
    });
    let error = client
        .revoke(&token(), RevokeScope::This)
        .await
        .unwrap_err();
    let asked = *asked.lock().unwrap();
    (error, asked)
}

#[tokio::test]
async fn what_every_node_refuses_is_told_at_once_and_asked_no_second_time() {
    for reason in [
        Refused::Closed(Close::NotAGateway),
        Refused::Closed(Close::UnknownGateway),
        Refused::Closed(Close::RightsWithdrawn),
        Refused::Closed(Close::CertificateExpired),
        Refused::OwnCertificate,
    ] {
        let (error, asked) = refused_for(reason).await;
        assert_eq!((error, asked), (CallError::Refused { reason }, 1));
    }
}

#[tokio::test]
async fn what_one_node_refuses_for_now_is_asked_again_and_then_named() {
    for reason in [
        Refused::Closed(Close::TooManyConnections),
        Refused::NodeCertificate,
    ] {
        let (error, asked) = refused_for(reason).await;
        assert_eq!(error, CallError::Refused { reason });
        assert!(asked > 1, "{asked}");
    }
}

/// A client of nodes with one lane each; the second is asked first.
fn client_of(lanes: [Arc<dyn Transport>; 2]) -> Client {
    let seeds = ["one", "two"].into_iter().zip(lanes);
    let seed = |(address, lane): (&str, Arc<dyn Transport>)| Seed {
        address: address.to_owned(),
        lanes: vec![lane],
    };
    Client::over(Ways {
        seeds: seeds.map(seed).collect(),
        reach: Arc::new(Nobody),
        surroundings: Arc::new(Jumping(AtomicU64::new(0))),
        tenant: "default".to_owned(),
        deadline_ms: 5_000,
        max_age_ms: 0,
        hedge_ms: None,
    })
}

#[tokio::test]
async fn a_node_that_alone_refuses_for_good_is_left_for_another() {
    let reason = Refused::Closed(Close::CertificateExpired);
    let (refusals, answers) = (Arc::new(Mutex::new(0)), Asks::default());
    let client = client_of([
        Arc::new(Lane(Arc::clone(&answers), Answers::AtOnce)),
        Arc::new(Refusing(Arc::clone(&refusals), reason)),
    ]);
    let outcome = client.check(&token()).await;
    assert!(
        matches!(&outcome, Ok(Decision::No(refusal)) if refusal.code == Code::InvalidToken),
        "{outcome:?}"
    );
    let asked = (*refusals.lock().unwrap(), answers.lock().unwrap().len());
    assert_eq!(asked, (1, 1));
    // It is known from then on that it answers nothing.
    assert!(client.regions.first.routes.is_silent(1));
}

#[tokio::test]
async fn what_two_nodes_refuse_for_good_is_asked_of_no_third() {
    let reason = Refused::Closed(Close::UnknownGateway);
    let refusals: [Arc<Mutex<u32>>; 2] = Default::default();
    let lanes = [&refusals[0], &refusals[1]]
        .map(|asked| -> Arc<dyn Transport> { Arc::new(Refusing(Arc::clone(asked), reason)) });
    let error = client_of(lanes).check(&token()).await.unwrap_err();
    let asked = [&refusals[0], &refusals[1]].map(|asked| *asked.lock().unwrap());
    assert_eq!((error, asked), (CallError::Refused { reason }, [1, 1]));
}

/// A lane whose first request ends like this, and what happens to the others.
struct Turning(Mutex<Option<Gone>>, Then);

#[derive(Clone, Copy)]
enum Then {
    Busy,
    Silent,
}

impl Transport for Turning {
    fn ask(&self, correlation: u64, _: Bytes) -> Asked<'_> {
        if let Some(gone) = self.0.lock().unwrap().take() {
            return Box::pin(std::future::ready(Err(gone)));
        }
        match self.1 {
            Then::Busy => busy(correlation),
            Then::Silent => Box::pin(std::future::pending()),
        }
    }
}

/// How a change ends that is asked of such a node.
async fn turning(gone: Gone, then: Then) -> CallError {
    let client = Client::over(Ways {
        seeds: vec![Seed {
            address: "one".to_owned(),
            lanes: vec![Arc::new(Turning(Mutex::new(Some(gone)), then))],
        }],
        reach: Arc::new(Nobody),
        surroundings: Arc::new(Jumping(AtomicU64::new(0))),
        tenant: "default".to_owned(),
        deadline_ms: 5_000,
        max_age_ms: 0,
        hedge_ms: None,
    });
    let revoked = client.revoke(&token(), RevokeScope::This).await;
    revoked.unwrap_err()
}

#[tokio::test]
async fn what_is_refused_while_connecting_was_not_done() {
    let reason = Refused::Closed(Close::TooManyConnections);
    let not_done = CallError::NotDone {
        code: Code::Busy,
        retry_after_ms: 10,
    };
    let unknown = CallError::Unknown {
        code: Code::Unknown,
    };
    let before = turning(Gone::RefusedBeforeSending(reason), Then::Busy).await;
    let after = turning(Gone::Refused(reason), Then::Busy).await;
    assert_eq!((before, after), (not_done, unknown));
}

#[tokio::test]
async fn an_old_refusal_does_not_explain_that_nobody_answers() {
    let reason = Refused::Closed(Close::TooManyConnections);
    for gone in [Gone::Refused(reason), Gone::RefusedBeforeSending(reason)] {
        let error = turning(gone, Then::Silent).await;
        assert!(matches!(error, CallError::NoAnswer { .. }), "{error:?}");
    }
}
