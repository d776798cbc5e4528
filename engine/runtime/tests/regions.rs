//! Two regions and the directory between them: whose an identifier is, what
//! crosses the border, and what is left when somebody dies in the middle.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

mod rig;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use rig::{
    Expect, FaultyStore, HandClock, Mood, PASSWORD, Place, Rig, sign_in, sign_in_as, sign_up,
    sign_up_as, verify,
};
use tidegate_account::{
    Command, CredentialReply, DegradedReply, Grant, Identifier, IdentifierKind, LifecycleCommand,
    LifecycleReply, Refusal, Reply, UserId, Verification,
};
use tidegate_runtime::{Answer, DirectoryKey, Failure, Key, Outcome, Regions, Task};
use tidegate_storage_api::{
    Commit, Key as RowKey, KeyRange, Region, Stamp, Store, StoreFuture, SystemPart,
};
use tokio::sync::oneshot::Receiver;

const EU: usize = 0;
const US: usize = 1;
const ADA: &str = "ada.example.com";

/// When a process dies: at this operation on any of its stores, before or after
/// it is done. What it asks for then is never answered.
struct Death {
    left: AtomicUsize,
    /// Draws how long each operation takes; 0: none takes any time.
    seed: AtomicUsize,
    after: AtomicUsize,
}

impl Death {
    fn never() -> Arc<Death> {
        Arc::new(Death {
            left: AtomicUsize::new(usize::MAX),
            seed: AtomicUsize::new(0),
            after: AtomicUsize::new(0),
        })
    }

    fn at(&self, operation: usize, moment: Moment) {
        let after = usize::from(moment == Moment::After);
        self.after.store(after, Ordering::SeqCst);
        self.left.store(operation, Ordering::SeqCst);
    }

    fn has_come(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    /// For how many turns others go first.
    fn turns(&self) -> usize {
        match self.seed.load(Ordering::SeqCst) {
            0 => 0,
            seed => {
                let next = tidegate_account::tagged("turns", &[&seed.to_le_bytes()]);
                let next = usize::from_le_bytes(next[..8].try_into().unwrap());
                self.seed.store(next | 1, Ordering::SeqCst);
                next % 7
            }
        }
    }

    /// Whether this operation is done, and whether it is answered.
    fn pass(&self) -> (bool, bool) {
        let less = |left: usize| match left {
            usize::MAX => Some(left),
            left => left.checked_sub(1),
        };
        match self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
        {
            Ok(1) => (self.after.load(Ordering::SeqCst) == 1, false),
            Ok(_) => (true, true),
            Err(_) => (false, false),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

/// A store as one process sees it.
struct Mortal {
    inner: Arc<dyn Store>,
    death: Arc<Death>,
}

impl Mortal {
    fn pass<T: Send + 'static>(&self, done: impl FnOnce() -> StoreFuture<T>) -> StoreFuture<T> {
        let (happens, answered) = self.death.pass();
        let turns = self.death.turns();
        let outcome = happens.then(done);
        Box::pin(async move {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            match outcome {
                Some(outcome) if answered => outcome.await,
                Some(outcome) => {
                    let _ = outcome.await;
                    std::future::pending().await
                }
                None => std::future::pending().await,
            }
        })
    }
}

impl Store for Mortal {
    fn get(&self, key: RowKey) -> StoreFuture<Option<Bytes>> {
        self.pass(|| self.inner.get(key))
    }

    fn range(&self, range: KeyRange, limit: usize) -> StoreFuture<Vec<(RowKey, Bytes)>> {
        self.pass(|| self.inner.range(range, limit))
    }

    fn commit(&self, commit: Commit) -> StoreFuture<Stamp> {
        self.pass(|| self.inner.commit(commit))
    }
}

/// Two regions with a node each, and the directory.
struct World {
    nodes: [Rig; 2],
    deaths: [Arc<Death>; 2],
    stores: [Arc<FaultyStore>; 2],
    directory: Arc<FaultyStore>,
    clock: Arc<HandClock>,
    lives: u64,
}

fn region(number: usize) -> Region {
    Region::new(u8::try_from(number).unwrap() + 1).unwrap()
}

impl World {
    async fn new() -> World {
        let (clock, directory) = (HandClock::new(), FaultyStore::new());
        let stores = [FaultyStore::new(), FaultyStore::new()];
        let deaths = [Death::never(), Death::never()];
        let node = |number: usize| {
            let (store, death) = (stores[number].clone(), deaths[number].clone());
            node(
                number,
                store,
                directory.clone(),
                clock.clone(),
                death,
                1 + number as u64,
            )
        };
        World {
            nodes: [node(EU).await, node(US).await],
            deaths,
            stores: stores.clone(),
            directory: directory.clone(),
            clock: clock.clone(),
            lives: 2,
        }
    }

    /// A new process in the place of the old one.
    async fn restart(&mut self, number: usize) {
        self.lives += 1;
        let death = Death::never();
        self.deaths[number] = death.clone();
        let store = self.stores[number].clone();
        let (directory, clock) = (self.directory.clone(), self.clock.clone());
        self.nodes[number] = node(number, store, directory, clock, death, self.lives).await;
    }

    /// The answer to what was asked of a process, unless it dies before.
    async fn answer_of(&self, number: usize, asked: Receiver<Answer>) -> Option<Answer> {
        let death = &self.deaths[number];
        tokio::select! {
            biased;
            answer = asked => answer.ok(),
            () = self.nodes[number].until(|| death.has_come()) => None,
        }
    }

    /// Lets what was left in the middle be old, and be settled.
    async fn time_passes(&self) {
        for step_ms in [31_000, 5_000, 5_000] {
            self.clock.advance(step_ms);
            for node in &self.nodes {
                node.settle().await;
            }
        }
    }

    /// What the directory says: states and regions of all entries.
    async fn entries(&self) -> Vec<(u8, u8)> {
        let rows = self.directory.rows().await;
        let entry = |(key, value): &(RowKey, Bytes)| match key.as_bytes()[3] {
            0x40 => {
                assert_eq!(value.len(), 20);
                Some((value[1], value[2]))
            }
            _ => {
                assert_eq!((key.as_bytes()[3], value.len()), (0x41, 0));
                None
            }
        };
        rows.iter().filter_map(entry).collect()
    }

    /// How many questions wait for an answer.
    async fn questions(&self) -> usize {
        let rows = self.directory.rows().await;
        let question = |(key, _): &&(RowKey, Bytes)| key.as_bytes()[3] == 0x41;
        rows.iter().filter(question).count()
    }

    async fn pending(&self, number: usize) -> usize {
        let rows = self.stores[number].rows().await;
        let pending = |(key, _): &&(RowKey, Bytes)| key.as_bytes()[3] == 0x22;
        rows.iter().filter(pending).count()
    }

    async fn holds(&self, number: usize, name: &str) -> bool {
        match self.nodes[number].ask(None, sign_in(name, PASSWORD)).await {
            Answer::Reply(Reply::Credential(CredentialReply::SignedIn(_))) => true,
            Answer::Reply(Reply::No(Refusal::InvalidCredentials))
            | Answer::Failed(Failure::WrongRegion(_)) => false,
            other => panic!("{other:?}"),
        }
    }

    /// What must hold when everything is settled: whoever holds the name is known
    /// to the directory, and nobody else is.
    async fn agrees(&self, name: &str, what: &str) -> Option<usize> {
        let holds = [self.holds(EU, name).await, self.holds(US, name).await];
        assert_ne!(holds, [true, true], "{what}: two people have it");
        let holder = holds.iter().position(|holds| *holds);
        let expected: Vec<_> = holder
            .iter()
            .map(|number| (2, region(*number).number()))
            .collect();
        assert_eq!(self.entries().await, expected, "{what}");
        let pending = [self.pending(EU).await, self.pending(US).await];
        assert_eq!((pending, self.questions().await), ([0, 0], 0), "{what}");
        holder
    }
}

async fn node(
    number: usize,
    store: Arc<FaultyStore>,
    directory: Arc<FaultyStore>,
    clock: Arc<HandClock>,
    death: Arc<Death>,
    life: u64,
) -> Rig {
    let mortal = |inner: Arc<dyn Store>| Mortal {
        inner,
        death: death.clone(),
    };
    let key = DirectoryKey(Key::new([9; 32]));
    let regions = Regions::new(Arc::new(mortal(directory)), key);
    regions.set(vec![region(EU), region(US)]);
    let place = Place {
        region: region(number),
        regions: Some(Arc::new(regions)),
        seen: Some(Arc::new(mortal(store.clone()))),
        ..Place::default()
    };
    Rig::at(place, store, clock, life).await
}

fn mail(text: &str) -> Identifier {
    Identifier::parse(IdentifierKind::Email, text).unwrap()
}

const OWN: &str = "ada@example.com";
const ADDED: &str = "added@example.com";

/// An account at home in the first region that holds two addresses, one of them
/// added later.
async fn with_two_addresses(world: &World) -> UserId {
    let eu = &world.nodes[EU];
    let sign_up = Task::SignUp {
        identifiers: vec![mail(OWN), mail(ADDED)],
        password: tidegate_account::Password::parse(PASSWORD).unwrap(),
        origin: None,
    };
    let user = eu.ask(None, sign_up).await.signed_up();
    for address in [OWN, ADDED] {
        let shown = verify(user, mail(address), Some(PASSWORD));
        assert_eq!(
            eu.ask(None, shown).await.verified(),
            Verification::Confirmed
        );
        world.clock.advance(1);
    }
    user
}

/// Whether the added address opens the account with its first password.
async fn added_opens(world: &World) -> bool {
    let sign_in = rig::sign_in_as(mail(ADDED), PASSWORD);
    match world.nodes[EU].ask(None, sign_in).await {
        Answer::Reply(Reply::Credential(CredentialReply::SignedIn(_))) => true,
        Answer::Reply(Reply::No(Refusal::InvalidCredentials))
        | Answer::Failed(Failure::WrongRegion(_)) => false,
        other => panic!("{other:?}"),
    }
}

/// Shows, in the second region, that somebody has the added address.
async fn shown_elsewhere(world: &World) -> Answer {
    let us = &world.nodes[US];
    let user = us.ask(None, rig::sign_up_as(mail(ADDED))).await.signed_up();
    us.ask(None, verify(user, mail(ADDED), Some(PASSWORD)))
        .await
}

fn wrong_region(answer: Answer) -> Region {
    match answer {
        Answer::Failed(Failure::WrongRegion(region)) => region,
        other => panic!("{other:?}"),
    }
}

fn unsaid(answer: &Answer) -> bool {
    let unsaid = |reply: &DegradedReply| matches!(reply, DegradedReply::Unsaid);
    matches!(answer, Answer::DegradedDecision { reply, .. } if unsaid(reply))
}

#[tokio::test]
async fn a_name_is_one_persons_in_all_regions_and_the_others_send_there() {
    let world = World::new().await;
    let [eu, us] = &world.nodes;
    let grant = eu.signed_in(ADA).await;
    eu.settle().await;
    assert_eq!(world.agrees(ADA, "after").await, Some(EU));
    let taken = us.ask(None, sign_up(ADA)).await.refused();
    assert_eq!(taken, Refusal::IdentifierTaken);
    us.settle().await;
    assert_eq!(world.agrees(ADA, "refused").await, Some(EU));
    let elsewhere = us.ask(None, sign_in(ADA, PASSWORD)).await;
    assert_eq!(wrong_region(elsewhere), region(EU));
    // A token names its region.
    let ask = Task::Check(us.ask_of(&grant));
    assert_eq!(wrong_region(us.ask(None, ask).await), region(EU));
    let elsewhere = us.ask(None, rig::refresh(&grant)).await;
    assert_eq!(wrong_region(elsewhere), region(EU));
}

#[tokio::test]
async fn a_token_of_a_region_that_is_not_there_is_nobodys() {
    let world = World::new().await;
    let eu = &world.nodes[EU];
    let mut grant = eu.signed_in(ADA).await;
    let mut user = *grant.user.as_bytes();
    user[0] = 77;
    grant.user = UserId::from_bytes(user);
    assert_eq!(eu.check(&grant).await, Outcome::No(Refusal::InvalidToken));
    let refused = eu.ask(None, rig::refresh(&grant)).await.refused();
    assert_eq!(refused, Refusal::InvalidToken);
    let refused = eu
        .ask(None, verify(grant.user, mail("a@example.com"), None))
        .await;
    assert_eq!(refused.refused(), Refusal::UnknownAccount);
}

#[tokio::test]
async fn a_verified_address_is_one_persons_in_all_regions() {
    let world = World::new().await;
    let [eu, us] = &world.nodes;
    let address = || mail("ada@example.com");
    let here = eu.ask(None, sign_up_as(address())).await.signed_up();
    let there = us.ask(None, sign_up_as(address())).await.signed_up();
    assert_eq!(world.entries().await, []);
    eu.ask(None, verify(here, address(), Some(PASSWORD)))
        .await
        .verified();
    let taken = us.ask(None, verify(there, address(), Some(PASSWORD))).await;
    assert_eq!(taken.refused(), Refusal::IdentifierTaken);
    // What is the person's already needs nobody's leave.
    world.directory.set(Mood::Unavailable);
    eu.ask(None, verify(here, address(), Some(PASSWORD)))
        .await
        .verified();
    world.directory.set(Mood::Well);
    let home = us.ask(None, sign_in_as(address(), PASSWORD)).await;
    assert_eq!(wrong_region(home), region(EU));
    eu.ask(None, sign_in_as(address(), PASSWORD))
        .await
        .granted();
}

#[tokio::test]
async fn an_identifier_that_is_given_up_is_free_in_all_regions() {
    let mut world = World::new().await;
    let user = with_two_addresses(&world).await;
    world.time_passes().await;
    assert_eq!(world.entries().await, [(2, 1), (2, 1)]);
    // The owner recovers the account, and what was added later goes.
    let recovered = verify(user, mail(OWN), Some("another password"));
    world.nodes[EU].ask(None, recovered).await.verified();
    world.restart(EU).await;
    world.time_passes().await;
    assert_eq!(world.entries().await, [(2, 1)]);
    let shown = shown_elsewhere(&world).await;
    assert_eq!(shown.verified(), Verification::Confirmed);
    assert!(!added_opens(&world).await);
}

#[tokio::test]
async fn what_an_erased_person_had_is_free_in_all_regions() {
    let world = World::new().await;
    let [eu, us] = &world.nodes;
    let grant = eu.signed_in(ADA).await;
    let erase = || Task::Account {
        user: grant.user,
        command: Command::Lifecycle(LifecycleCommand::Erase { by: rig::by() }),
    };
    let elsewhere = us.ask(None, erase()).await;
    assert_eq!(wrong_region(elsewhere), region(EU));
    let erased = eu.ask(None, erase()).await;
    assert!(matches!(
        erased,
        Answer::Reply(Reply::Lifecycle(LifecycleReply::Erased(_)))
    ));
    world.time_passes().await;
    assert_eq!(world.entries().await, []);
    us.signed_up(ADA).await;
    us.settle().await;
    assert_eq!(world.agrees(ADA, "after").await, Some(US));
}

#[tokio::test]
async fn whoever_is_at_home_signs_in_while_the_directory_is_away() {
    let world = World::new().await;
    let [eu, us] = &world.nodes;
    eu.signed_up(ADA).await;
    eu.settle().await;
    world.directory.set(Mood::Unavailable);
    let grant = eu.ask(None, sign_in(ADA, PASSWORD)).await.granted();
    assert!(matches!(eu.check(&grant).await, Outcome::Yes(_)));
    // Nothing is said of anybody else, and nobody is told no.
    let wrong = eu.ask(None, sign_in(ADA, "wrong password")).await;
    let nobody = eu.ask(None, sign_in("nobody", PASSWORD)).await;
    let elsewhere = us.ask(None, sign_in(ADA, PASSWORD)).await;
    assert!(unsaid(&wrong), "{wrong:?}");
    assert!(unsaid(&nobody), "{nobody:?}");
    assert!(unsaid(&elsewhere), "{elsewhere:?}");
    let refused = us.ask(None, sign_up("bob")).await.failed();
    assert_eq!(refused, Failure::Unavailable);
    // An address that is only claimed needs no directory.
    let claimed = sign_up_as(mail("bob@example.com"));
    us.ask(None, claimed).await.signed_up();
    world.directory.set(Mood::Well);
    world.time_passes().await;
    let elsewhere = us.ask(None, sign_in(ADA, PASSWORD)).await;
    assert_eq!(wrong_region(elsewhere), region(EU));
    us.signed_up("bob").await;
}

#[tokio::test]
async fn somebody_known_and_somebody_unknown_meet_the_same_work() {
    let world = World::new().await;
    let [eu, us] = &world.nodes;
    // Of those whom nobody knows, each region answers for its share.
    let mut here = Vec::new();
    for number in 0..40 {
        let name = format!("nobody{number}");
        let answers = [
            eu.ask(None, sign_in(&name, PASSWORD)).await,
            us.ask(None, sign_in(&name, PASSWORD)).await,
        ];
        match answers {
            [
                Answer::Reply(_),
                Answer::Failed(Failure::WrongRegion(there)),
            ] => {
                assert_eq!(there, region(EU));
                here.push(name);
            }
            [
                Answer::Failed(Failure::WrongRegion(there)),
                Answer::Reply(_),
            ] => {
                assert_eq!(there, region(US));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((8..32).contains(&here.len()), "{here:?}");
    let unknown = here.pop().unwrap();
    let known = here.pop().unwrap();
    eu.signed_up(&known).await;
    eu.settle().await;
    let mut looks = Vec::new();
    for (key, name) in [(1, &known), (2, &unknown)] {
        let before = world.directory.reads();
        let (effects, answer) = eu.effects_of(key, sign_in(name, "wrong password")).await;
        assert_eq!(answer.refused(), Refusal::InvalidCredentials);
        looks.push((
            effects.hashes,
            effects.commits.len(),
            world.directory.reads() - before,
        ));
    }
    assert_eq!(looks[0], looks[1]);
    assert_eq!(looks[0], (1, 1, 1));
    // Whoever has guessed too often is held off without being compared.
    for (key, name) in [(10, &known), (20, &unknown)] {
        for more in 0..5 {
            eu.ask(Some(key + more), sign_in(name, "wrong password"))
                .await;
        }
        let before = world.directory.reads();
        let (effects, answer) = eu.effects_of(key + 5, sign_in(name, PASSWORD)).await;
        assert!(matches!(answer.refused(), Refusal::Throttled { .. }));
        let looks = world.directory.reads() - before;
        assert_eq!((effects.hashes, looks), (0, 1), "{name}");
    }
}

#[tokio::test]
async fn nothing_of_a_person_crosses_the_border_but_a_hash_and_a_region() {
    let world = World::new().await;
    let [eu, us] = &world.nodes;
    let before = world.stores[US].rows().await;
    let grant = eu.signed_in(ADA).await;
    eu.ask(None, sign_in(ADA, "wrong password")).await.refused();
    wrong_region(us.ask(None, sign_in(ADA, PASSWORD)).await);
    wrong_region(us.ask(None, sign_in(ADA, "wrong password")).await);
    us.ask(None, sign_up(ADA)).await.refused();
    wrong_region(us.ask(None, rig::refresh(&grant)).await);
    world.time_passes().await;
    let fixed = |(key, _): &(RowKey, Bytes)| !key.as_bytes().ends_with(b"date");
    let after: Vec<_> = world.stores[US]
        .rows()
        .await
        .into_iter()
        .filter(fixed)
        .collect();
    assert_eq!(after, before.into_iter().filter(fixed).collect::<Vec<_>>());
    let rows = world.directory.rows().await;
    let [(key, entry)] = &rows[..] else {
        panic!("{rows:?}");
    };
    assert_eq!(
        (key.as_bytes().len(), &entry[..4]),
        (4 + 32, &[1, 2, 1, 0][..])
    );
    let index = eu.index_keys.version();
    assert_eq!(index, 1);
    for (home, _) in world.stores[EU].rows().await {
        // Not under the key by which home knows it, nor anything of the person's.
        assert!(!home.as_bytes().ends_with(&key.as_bytes()[4..]));
    }
    let user = grant.user.as_bytes();
    let found = |hay: &[u8]| hay.windows(16).any(|window| window == user);
    assert!(!found(key.as_bytes()) && !found(entry));
}

#[tokio::test]
async fn a_tenant_may_pin_its_people_to_a_region() {
    let world = World::new().await;
    let [eu, us] = &world.nodes;
    for node in [eu, us] {
        let old = node.tenants.get(node.tenant).unwrap();
        node.tenants.put(tidegate_runtime::Tenant {
            id: old.id,
            name: old.name.clone(),
            keys: old.keys.clone(),
            policy: old.policy.clone(),
            home: Some(region(EU)),
            costs: tidegate_runtime::Costs::default(),
        });
    }
    assert_eq!(wrong_region(us.ask(None, sign_up(ADA)).await), region(EU));
    let claimed = sign_up_as(mail("ada@example.com"));
    assert_eq!(wrong_region(us.ask(None, claimed).await), region(EU));
    eu.signed_up(ADA).await;
    // There alone whoever is nobody is refused: elsewhere a redirect says nothing.
    for number in 0..20 {
        let name = format!("nobody{number}");
        let here = eu.ask(None, sign_in(&name, PASSWORD)).await.refused();
        assert_eq!(here, Refusal::InvalidCredentials);
        let there = us.ask(None, sign_in(&name, PASSWORD)).await;
        assert_eq!(wrong_region(there), region(EU));
    }
}

#[tokio::test]
async fn a_region_that_is_newer_than_the_list_is_asked_for_before_its_people_are_refused() {
    let world = World::new().await;
    let eu = &world.nodes[EU];
    let mut grant = eu.signed_in(ADA).await;
    let of = |grant: &Grant, number: u8| {
        let mut user = *grant.user.as_bytes();
        user[0] = number;
        UserId::from_bytes(user)
    };
    let newer = RowKey::system(SystemPart::Region(3));
    let commit = Commit::default().put(newer, b"{}".to_vec());
    world.directory.inner.commit(commit).await.unwrap();
    grant.user = of(&grant, 3);
    let asked = Task::Check(eu.ask_of(&grant));
    assert_eq!(
        wrong_region(eu.ask(None, asked).await),
        Region::new(3).unwrap()
    );
    world.directory.set(Mood::Unavailable);
    grant.user = of(&grant, 4);
    let asked = Task::Check(eu.ask_of(&grant));
    assert_eq!(eu.ask(None, asked).await.failed(), Failure::Unavailable);
}

#[tokio::test]
async fn a_node_that_does_not_know_the_regions_yet_refuses_nobody() {
    let world = World::new().await;
    let key = DirectoryKey(Key::new([9; 32]));
    let place = Place {
        region: region(EU),
        regions: Some(Arc::new(Regions::new(world.directory.clone(), key))),
        ..Place::default()
    };
    let fresh = Rig::at(place, FaultyStore::new(), world.clock.clone(), 9).await;
    let nobody = fresh.ask(None, sign_in("nobody", PASSWORD)).await;
    assert!(unsaid(&nobody), "{nobody:?}");
}

/// What is decided while the slot is another's is not carried out when it comes
/// meanwhile.
#[tokio::test]
async fn whoever_does_not_own_the_slot_reserves_nothing_and_asks_for_nobody() {
    let world = World::new().await;
    let eu = &world.nodes[EU];
    eu.ownership.leave_everything();
    let before = world.directory.reads();
    let made = eu.ask(None, sign_up(ADA)).await.failed();
    assert!(matches!(made, Failure::NotOwner(_)), "{made:?}");
    let in_ = eu.ask(None, sign_in(ADA, PASSWORD)).await.failed();
    assert!(matches!(in_, Failure::NotOwner(_)), "{in_:?}");
    assert_eq!(
        (world.directory.reads(), world.entries().await),
        (before, vec![])
    );
}

/// Dies at every operation of a registration in turn, before and after it, and
/// is followed by whatever comes next.
#[tokio::test]
async fn a_registration_that_ends_anywhere_is_whole_or_absent_in_all_regions() {
    let mut moments = 0;
    for operation in 1.. {
        let mut died = false;
        for moment in [Moment::Before, Moment::After] {
            let mut world = World::new().await;
            world.deaths[EU].at(operation, moment);
            let asked = world.nodes[EU].submit(Some(1), sign_up(ADA));
            let answered = world.answer_of(EU, asked).await;
            world.nodes[EU].settle().await;
            died |= world.deaths[EU].has_come();
            let what = format!("{operation} {moment:?}");
            // Somebody elsewhere wants the same meanwhile.
            let other = world.nodes[US].ask(Some(2), sign_up(ADA)).await;
            world.restart(EU).await;
            world.time_passes().await;
            world.time_passes().await;
            let holder = world.agrees(ADA, &what).await;
            if let Some(answer) = answered {
                answer.signed_up();
                assert_eq!(holder, Some(EU), "{what}: acknowledged and lost");
            }
            match other {
                Answer::Reply(Reply::Credential(CredentialReply::SignedUp(_))) => {
                    assert_eq!(holder, Some(US), "{what}");
                }
                Answer::Reply(Reply::No(Refusal::IdentifierTaken)) => {
                    assert_eq!(holder, Some(EU), "{what}");
                }
                Answer::Failed(Failure::Unavailable) => {}
                other => panic!("{what}: {other:?}"),
            }
            // Nobody is kept from it for ever.
            let again = world.nodes[US].ask(Some(3), sign_up(ADA)).await;
            match holder {
                None => drop(again.signed_up()),
                Some(_) => assert_eq!(again.refused(), Refusal::IdentifierTaken, "{what}"),
            }
            moments += 1;
        }
        if !died {
            break;
        }
    }
    assert!(moments > 20, "{moments}");
}

/// The same for giving up: a verification that takes the account over.
#[tokio::test]
async fn a_release_that_ends_anywhere_is_whole_or_absent_in_all_regions() {
    let mut moments = 0;
    for operation in 1.. {
        let mut died = false;
        for moment in [Moment::Before, Moment::After] {
            let mut world = World::new().await;
            let user = with_two_addresses(&world).await;
            world.time_passes().await;
            world.deaths[EU].at(operation, moment);
            let over = verify(user, mail(OWN), Some("another password"));
            let asked = world.nodes[EU].submit(Some(1), over);
            let answered = world.answer_of(EU, asked).await;
            world.nodes[EU].settle().await;
            world.clock.advance(5_000);
            world.nodes[EU].settle().await;
            died |= world.deaths[EU].has_come();
            let what = format!("{operation} {moment:?}");
            world.restart(EU).await;
            world.time_passes().await;
            world.time_passes().await;
            let released = !added_opens(&world).await;
            if let Some(answer) = answered {
                answer.verified();
                assert!(released, "{what}: acknowledged and lost");
            }
            let held = match released {
                true => 1,
                false => 2,
            };
            assert_eq!(world.entries().await, vec![(2, 1); held], "{what}");
            assert_eq!(world.pending(EU).await, 0, "{what}");
            let elsewhere = shown_elsewhere(&world).await;
            match released {
                true => assert_eq!(elsewhere.verified(), Verification::Confirmed, "{what}"),
                false => assert_eq!(elsewhere.refused(), Refusal::IdentifierTaken, "{what}"),
            }
            moments += 1;
        }
        if !died {
            break;
        }
    }
    assert!(moments > 10, "{moments}");
}

/// An address that falls with a recovery and is shown again before that is
/// durable stays in the directory, and leaves it when it falls for good.
#[tokio::test]
async fn an_address_that_fell_and_was_shown_again_in_one_commit_stays_in_the_directory() {
    const NEXT: &str = "the owner's next";
    let world = World::new().await;
    let eu = &world.nodes[EU];
    let user = with_two_addresses(&world).await;
    world.time_passes().await;
    let sign_in = rig::sign_in_as(mail(OWN), PASSWORD);
    let grant = eu.ask(None, sign_in).await.granted();
    world.stores[EU].set(Mood::Held);
    let stalled = eu.submit(None, rig::refresh(&grant));
    eu.until(|| world.stores[EU].held() == 1).await;
    let recovered = eu.recovering(user, mail(OWN), NEXT).await;
    let again = eu.submit(None, verify(user, mail(ADDED), Some(NEXT)));
    eu.settle().await;
    eu.hashed().await;
    world.stores[EU].let_go().await;
    stalled.await.unwrap().granted();
    let recovered = recovered.await.unwrap().verified();
    assert_eq!(recovered, Verification::TakenOver);
    let again = again.await.unwrap().verified();
    assert_eq!(again, Verification::Confirmed);
    world.time_passes().await;
    assert_eq!(world.entries().await, [(2, 1), (2, 1)]);
    assert_eq!(world.pending(EU).await, 0);
    let taken = shown_elsewhere(&world).await;
    assert_eq!(taken.refused(), Refusal::IdentifierTaken);
    // Shown last, it falls with the next recovery, and is free everywhere.
    let next = eu.ask(None, verify(user, mail(OWN), Some("yet another one")));
    assert_eq!(next.await.verified(), Verification::TakenOver);
    world.time_passes().await;
    assert_eq!(world.entries().await, [(2, 1)]);
}

/// Both regions at once, each operation taking its own time, and sometimes a
/// death: nobody ever has what somebody else has.
#[tokio::test]
async fn two_regions_never_give_one_name_to_two_people() {
    let mut ends = [0; 3];
    for seed in 1..=150usize {
        let mut world = World::new().await;
        let drawn = tidegate_account::tagged("two regions", &[&seed.to_le_bytes()]);
        for (number, death) in world.deaths.iter().enumerate() {
            let slowness =
                usize::from_le_bytes(drawn[8 * number..8 * number + 8].try_into().unwrap());
            death.seed.store(slowness | 1, Ordering::SeqCst);
            if drawn[16 + number] < 90 {
                let moment = match drawn[18 + number] % 2 {
                    0 => Moment::Before,
                    _ => Moment::After,
                };
                death.at(1 + usize::from(drawn[20 + number] % 24), moment);
            }
        }
        let [eu, us] = [EU, US].map(|number| world.nodes[number].submit(Some(1), sign_up(ADA)));
        let (eu, us) = tokio::join!(world.answer_of(EU, eu), world.answer_of(US, us));
        for node in &world.nodes {
            node.settle().await;
        }
        for number in [EU, US] {
            match world.deaths[number].has_come() {
                true => world.restart(number).await,
                false => world.deaths[number].at(usize::MAX, Moment::Before),
            }
        }
        world.time_passes().await;
        world.time_passes().await;
        let holder = world.agrees(ADA, &format!("seed {seed}")).await;
        for (number, answer) in [(EU, eu), (US, us)] {
            if let Some(Answer::Reply(Reply::Credential(CredentialReply::SignedUp(_)))) = answer {
                assert_eq!(holder, Some(number), "seed {seed}: acknowledged and lost");
            }
        }
        ends[holder.map_or(2, |number| number)] += 1;
    }
    // Every end comes about.
    assert!(ends.iter().all(|count| *count > 0), "{ends:?}");
}

/// Two people of one region want one name at once: one has it, and the directory
/// goes on to say so.
#[tokio::test]
async fn two_people_of_one_region_never_lose_a_name_to_another_region() {
    for seed in 1..=150usize {
        let world = World::new().await;
        let drawn = tidegate_account::tagged("one region", &[&seed.to_le_bytes()]);
        let slowness = usize::from_le_bytes(drawn[..8].try_into().unwrap());
        world.deaths[EU].seed.store(slowness | 1, Ordering::SeqCst);
        let eu = &world.nodes[EU];
        let first = eu.submit(Some(1), sign_up(ADA));
        for _ in 0..drawn[8] {
            tokio::task::yield_now().await;
        }
        let second = eu.submit(Some(2), sign_up(ADA));
        let answers = [first.await.unwrap(), second.await.unwrap()];
        eu.settle().await;
        world.time_passes().await;
        assert_eq!(world.agrees(ADA, &format!("seed {seed}")).await, Some(EU));
        let made = |answer: &&Answer| {
            matches!(
                answer,
                Answer::Reply(Reply::Credential(CredentialReply::SignedUp(_)))
            )
        };
        assert_eq!(
            answers.iter().filter(made).count(),
            1,
            "seed {seed}: {answers:?}"
        );
    }
}

/// Home decides what home holds, and the directory follows.
#[tokio::test]
async fn a_region_that_was_put_back_takes_up_what_it_forgot() {
    let mut world = World::new().await;
    world.nodes[EU].signed_up(ADA).await;
    world.time_passes().await;
    assert_eq!(world.entries().await, [(2, 1)]);
    world.stores[EU] = FaultyStore::new();
    world.restart(EU).await;
    assert!(!world.holds(EU, ADA).await);
    let taken = world.nodes[US].ask(None, sign_up(ADA)).await.refused();
    assert_eq!(taken, Refusal::IdentifierTaken);
    world.nodes[EU].signed_up(ADA).await;
    world.time_passes().await;
    assert_eq!(world.agrees(ADA, "put back").await, Some(EU));
}

/// A commit whose fate nobody tells, in the directory.
#[tokio::test]
async fn a_directory_that_leaves_one_in_the_dark_is_asked_again() {
    for mood in [Mood::UnknownHappened, Mood::UnknownLost] {
        let world = World::new().await;
        world.directory.set(mood);
        let first = world.nodes[EU].ask(Some(1), sign_up(ADA)).await;
        if let Answer::Failed(failure) = first {
            assert_eq!(failure, Failure::Unavailable);
        }
        let user = world.nodes[EU].ask(Some(1), sign_up(ADA)).await.signed_up();
        world.nodes[EU].settle().await;
        world.time_passes().await;
        assert_eq!(world.agrees(ADA, &format!("{mood:?}")).await, Some(EU));
        let again = world.nodes[EU].ask(Some(1), sign_up(ADA)).await.signed_up();
        assert_eq!(user, again);
    }
}

/// Whoever is slow finds that the intention was taken back, and harms nobody.
#[tokio::test]
async fn a_registration_that_took_too_long_cannot_land_any_more() {
    let world = World::new().await;
    let [eu, us] = &world.nodes;
    eu.cpu.hold();
    let slow = eu.submit(Some(1), sign_up(ADA));
    eu.until(|| eu.cpu.held() == 1).await;
    // Nobody gets between as long as it is not too slow.
    for node in [eu, us] {
        let later = node.ask(Some(2), sign_up(ADA)).await.failed();
        assert_eq!(later, Failure::Unavailable);
    }
    world.clock.advance(5_000);
    eu.settle().await;
    assert_eq!(world.questions().await, 1);
    assert_eq!(world.entries().await, [(1, 1)]);
    world.time_passes().await;
    assert_eq!(world.entries().await, []);
    us.signed_up(ADA).await;
    eu.cpu.let_go();
    assert_eq!(slow.await.unwrap().failed(), Failure::Unavailable);
    eu.settle().await;
    assert_eq!(world.agrees(ADA, "slow").await, Some(US));
    let again = eu.ask(Some(1), sign_up(ADA)).await.refused();
    assert_eq!(again, Refusal::IdentifierTaken);
}

/// A reservation that lands after its intention was taken back is nobody's, and
/// home says so when another region asks.
#[tokio::test]
async fn a_reservation_that_lands_late_keeps_nobody_out() {
    let mut world = World::new().await;
    world.directory.set(Mood::Held);
    let slow = world.nodes[EU].submit(Some(1), sign_up(ADA));
    let directory = world.directory.clone();
    world.nodes[EU].until(|| directory.held() == 1).await;
    // It dies, and what it asked for is on its way.
    world.deaths[EU].at(1, Moment::Before);
    let late = directory.take_held();
    world.restart(EU).await;
    world.time_passes().await;
    assert_eq!(
        (world.pending(EU).await, world.entries().await),
        (0, vec![])
    );
    directory.land(late).await;
    drop(slow);
    assert_eq!(world.entries().await, [(1, 1)]);
    let us = &world.nodes[US];
    let later = us.ask(Some(2), sign_up(ADA)).await.failed();
    assert_eq!(later, Failure::Unavailable);
    world.time_passes().await;
    us.ask(Some(2), sign_up(ADA)).await.signed_up();
    us.settle().await;
    assert_eq!(world.agrees(ADA, "late").await, Some(US));
}
