use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use tidegate_wire::{
    Code, MESSAGE_VERSION, ReplyHead, SecretBytes, SessionToken, UserId, decode_request,
    encode_refusal, encode_reply, v1,
};

use super::*;
use crate::client::{Client, Ways};
use crate::credential::SignIn;
use crate::routes::{Reach, Seed};
use crate::surroundings::{NoRandomness, Surroundings};
use crate::transport::{Asked, Transport};

/// What a region was asked: opcodes and idempotency keys.
type Asks = Arc<Mutex<Vec<(u16, [u8; 16])>>>;

/// A node that says of every person that they are at home in a region, or that
/// it knows none.
struct Node(Asks, Option<u8>);

impl Transport for Node {
    fn ask(&self, correlation: u64, frame: Bytes) -> Asked<'_> {
        let head = decode_request(&frame).unwrap().head;
        let mut asks = self.0.lock().unwrap();
        asks.push((head.opcode, head.idempotency_key));
        let head = |code| ReplyHead {
            version: MESSAGE_VERSION,
            code: code as u16,
            correlation,
            epoch: 0,
            age_ms: 0,
            retry_after_ms: 0,
        };
        let mut answer = BytesMut::new();
        match self.1 {
            None => encode_refusal(&mut answer, &head(Code::InvalidToken)),
            Some(region) => {
                let body = v1::Elsewhere { region };
                encode_reply(&mut answer, &head(Code::WrongRegion), &body).unwrap();
            }
        }
        Box::pin(std::future::ready(Ok(answer.freeze())))
    }
}

struct Nobody;

impl Reach for Nobody {
    fn reach(&self, _: &str) -> Vec<Arc<dyn Transport>> {
        Vec::new()
    }
}

/// Randomness that never repeats, and time that stands still.
struct Still(AtomicU64);

impl Surroundings for Still {
    fn monotonic_ms(&self) -> u64 {
        0
    }

    fn sleep(&self, _: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        let next = self.0.fetch_add(1, Ordering::Relaxed);
        bytes.fill(u8::try_from(next % 250).unwrap() + 1);
        Ok(())
    }
}

/// A client of a region whose node answers like this.
fn client(sends_to: Option<u8>) -> (Client, Asks) {
    let asks = Asks::default();
    let lane: Arc<dyn Transport> = Arc::new(Node(Arc::clone(&asks), sends_to));
    let client = Client::over(Ways {
        seeds: vec![Seed {
            address: "one".to_owned(),
            lanes: vec![lane],
        }],
        reach: Arc::new(Nobody),
        surroundings: Arc::new(Still(AtomicU64::new(0))),
        tenant: "default".to_owned(),
        deadline_ms: 5_000,
        max_age_ms: 0,
        hedge_ms: None,
    });
    (client, asks)
}

fn of(region: u8) -> SessionToken {
    let mut user = [0; 16];
    user[0] = region;
    SessionToken {
        user: UserId(user),
        session: 1,
        secret: SecretBytes([2; 24]),
    }
}

fn asked(asks: &Asks) -> Vec<(u16, [u8; 16])> {
    asks.lock().unwrap().clone()
}

fn is_no<T>(answer: Result<Decision<T>, CallError>) -> bool {
    matches!(answer, Ok(Decision::No(refusal)) if refusal.code == Code::InvalidToken)
}

#[tokio::test]
async fn a_token_is_asked_about_where_its_person_is_at_home() {
    let ((first, here), (second, there)) = (client(None), client(None));
    let client = first.with_region(2, &second);
    assert!(is_no(client.check(&of(2)).await));
    assert_eq!((asked(&here).len(), asked(&there).len()), (0, 1));
    assert!(is_no(client.check(&of(1)).await));
    assert_eq!((asked(&here).len(), asked(&there).len()), (1, 1));
}

#[tokio::test]
async fn whoever_is_at_home_elsewhere_is_asked_for_there_with_the_same_key() {
    let ((first, here), (second, there)) = (client(Some(2)), client(None));
    let client = first.with_region(2, &second);
    let person = SignIn::username("ada", "correct horse");
    assert!(is_no(client.sign_in(&person).await));
    let (here, there) = (asked(&here), asked(&there));
    assert_eq!((here.len(), &here), (1, &there));
    assert_ne!(here[0].1, [0; 16]);
}

#[tokio::test]
async fn a_region_that_is_not_known_is_named() {
    let (client, asks) = client(Some(7));
    let person = SignIn::username("ada", "correct horse");
    let answer = client.sign_in(&person).await;
    let named = matches!(answer, Err(CallError::WrongRegion { region: 7 }));
    assert!(named, "{answer:?}");
    assert_eq!(asked(&asks).len(), 1);
}

#[tokio::test]
async fn regions_that_send_to_each_other_are_not_followed_for_ever() {
    let ((first, here), (second, there)) = (client(Some(2)), client(Some(2)));
    let client = first.with_region(2, &second);
    let answer = client.ping().await;
    let named = matches!(answer, Err(CallError::WrongRegion { region: 2 }));
    assert!(named, "{answer:?}");
    assert_eq!((asked(&here).len(), asked(&there).len()), (1, 2));
}
