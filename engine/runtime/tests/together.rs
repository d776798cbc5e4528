//! Decisions that go into one commit, because another was under way: what they
//! come to in the end is written, in whatever order they were made.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use rig::{
    Expect, Mood, PASSWORD, Rig, by, mail, refresh, sign_in, sign_in_as, sign_up_as, username,
    verify,
};
use tidegate_account::{Grant, Password, SessionProof, UserId, Verification};
use tidegate_runtime::{Answer, Task};
use tokio::sync::oneshot::Receiver;

const ADA: &str = "ada.example.com";
const OWN: &str = "ada@example.com";
const ADDED: &str = "added@example.com";
const NEXT: &str = "the owner's next";

/// Somebody with a user name and two addresses, of which one is shown, and a
/// session of theirs.
async fn with_two_addresses(rig: &Rig) -> (UserId, Grant) {
    let sign_up = Task::SignUp {
        identifiers: vec![username(ADA), mail(OWN), mail(ADDED)],
        password: Password::parse(PASSWORD).unwrap(),
        origin: None,
    };
    let user = rig.ask(None, sign_up).await.signed_up();
    let grant = rig.ask(None, sign_in(ADA, PASSWORD)).await.granted();
    let shown = rig.ask(None, by_session(&grant, OWN)).await;
    assert_eq!(shown.verified(), Verification::Confirmed);
    rig.clock.advance(1);
    (user, grant)
}

fn by_session(grant: &Grant, address: &str) -> Task {
    Task::Attest {
        user: grant.user,
        verification: tidegate_runtime::Verification {
            identifier: mail(address),
            session: Some(SessionProof {
                session: grant.session,
                secret: grant.session_secret(),
            }),
            password: None,
            by: by(),
        },
    }
}

/// A commit of this person that does not come back: what is decided meanwhile
/// goes together into the next.
async fn stalled(rig: &Rig, grant: &Grant) -> Receiver<Answer> {
    rig.store.set(Mood::Held);
    let asked = rig.submit(None, refresh(grant));
    rig.until(|| rig.store.held() == 1).await;
    asked
}

#[tokio::test]
async fn what_is_shown_and_falls_in_one_commit_is_free_for_its_owner() {
    let rig = Rig::new().await;
    let (user, thief) = with_two_addresses(&rig).await;
    let stalled = stalled(&rig, &thief).await;
    let shown = rig.submit(None, by_session(&thief, ADDED));
    rig.settle().await;
    let recovered = rig.submit(None, verify(user, mail(OWN), None));
    rig.settle().await;
    rig.store.let_go().await;
    stalled.await.unwrap().granted();
    let shown = shown.await.unwrap().verified();
    assert_eq!(shown, Verification::Confirmed);
    let recovered = recovered.await.unwrap().verified();
    assert_eq!(recovered, Verification::TakenOver);
    // Nobody has it now, as the record says.
    let bob = rig.ask(None, sign_up_as(mail(ADDED))).await.signed_up();
    let theirs = rig.ask(None, verify(bob, mail(ADDED), Some(PASSWORD)));
    assert_eq!(theirs.await.verified(), Verification::Confirmed);
    let bobs = rig.ask(None, sign_in_as(mail(ADDED), PASSWORD)).await;
    assert_eq!(bobs.granted().user, bob);
}

#[tokio::test]
async fn what_falls_and_is_shown_again_in_one_commit_opens_the_recovered_account() {
    let rig = Rig::new().await;
    let (user, grant) = with_two_addresses(&rig).await;
    let added = rig.ask(None, by_session(&grant, ADDED)).await;
    assert_eq!(added.verified(), Verification::Confirmed);
    let stalled = stalled(&rig, &grant).await;
    let recovered = rig.recovering(user, mail(OWN), NEXT).await;
    let again = rig.submit(None, verify(user, mail(ADDED), Some(NEXT)));
    rig.settle().await;
    rig.hashed().await;
    assert_eq!(rig.store.held(), 1);
    rig.store.let_go().await;
    stalled.await.unwrap().granted();
    let recovered = recovered.await.unwrap().verified();
    assert_eq!(recovered, Verification::TakenOver);
    let again = again.await.unwrap().verified();
    assert_eq!(again, Verification::Confirmed);
    let rig = rig.restart().await;
    for address in [OWN, ADDED] {
        let grant = rig.ask(None, sign_in_as(mail(address), NEXT)).await;
        assert_eq!(grant.granted().user, user);
    }
}
