//! A session is stolen. Its thief plants addresses of their own, its owner
//! recovers the account, and nothing of the thief's opens it afterwards.

use tidegate_client::{
    CallError, Code, Decision, Granted, Identifier, Knowledge, SignIn, UserId, Verify,
};
use tidegate_wire::Class;

use super::Crowd;
use super::erasures::current;
use crate::diary::Who;
use crate::people::{PASSWORD, People};

/// What the owner recovers with.
const NEXT: &str = "the owner's next password";
const THIEFS: &str = "the thief's own password";
/// How often a recovery with an unknown outcome is asked for again.
const TRIES: u32 = 8;

/// An account with its owner's address and those that a thief plants.
struct Robbed {
    who: Who,
    user: UserId,
    home: u64,
    own: String,
    /// Verified with the stolen session.
    planted: String,
    /// Claimed with it alone.
    waiting: String,
}

impl Robbed {
    /// Its owner, at home.
    fn owner(&self, password: &str) -> SignIn {
        SignIn::email(&self.own, password).from_address(People::address(self.home))
    }

    /// That a person received what was sent to an address.
    fn shown(&self, address: &str) -> Verify {
        Verify::new(self.user, Identifier::email(address))
    }
}

impl Crowd {
    pub(super) async fn stolen_session(&self) {
        // Which address was there first is a matter of dates.
        if self.dates_apart_ms > 0 && !self.is_quiet(self.agenda.now_ns()) {
            return;
        }
        let Some((robbed, stolen)) = self.robbed().await else {
            return;
        };
        let taken = self.steal(&robbed, &stolen).await;
        if !self.recovers(&robbed).await {
            return;
        }
        // The node that lost the slot may still answer until the lease is over.
        self.agenda.sleep_ns(self.stale_ns).await;
        self.owner_is_in(&robbed).await;
        for granted in std::iter::once(&stolen).chain(&taken) {
            self.is_shut_out(robbed.who, granted).await;
        }
        self.opens_nothing(&robbed, &stolen).await;
        self.owner_is_in(&robbed).await;
    }

    /// A person with an address of their own, signed in.
    async fn robbed(&self) -> Option<(Robbed, Granted)> {
        let number = self.newcomer();
        let who = Who::Newcomer(number);
        let address = |whose: &str| format!("{whose}-{number}@example.com");
        let (home, own) = (number | 1 << 46, address("owner"));
        let asked_ns = self.agenda.now_ns();
        let owner = SignIn::email(&own, PASSWORD).from_address(People::address(home));
        let made = self.call(Class::Registration, who, self.client().sign_up(&owner));
        let user = self.done(who, asked_ns, "signing up", made.await)?;
        let robbed = Robbed {
            who,
            user,
            home,
            own,
            planted: address("planted"),
            waiting: address("waiting"),
        };
        let shown = robbed.shown(&robbed.own).with_password(PASSWORD);
        let shown = self.call(Class::Password, who, self.client().verify(&shown));
        self.done(who, asked_ns, "verifying the own address", shown.await)?;
        let sign_in = self.call(Class::Password, who, self.client().sign_in(&owner));
        let granted = self.done(who, asked_ns, "signing in", sign_in.await)?;
        (granted.knowledge == Knowledge::Current).then_some((robbed, granted))
    }

    /// The outcome of something that cannot be refused while nothing is broken.
    pub(super) fn done<T>(
        &self,
        who: Who,
        asked_ns: u64,
        what: &str,
        outcome: Result<Decision<T>, CallError>,
    ) -> Option<T> {
        match outcome {
            Ok(Decision::Yes(value)) => Some(value),
            Ok(Decision::No(refusal)) => {
                if self.is_quiet(asked_ns) {
                    let code = refusal.code.name();
                    self.wrong_of(who, &format!("{what} was refused: {code}"));
                }
                None
            }
            Err(_) => None,
        }
    }

    /// What a thief does with a session; what they are granted on top of it.
    async fn steal(&self, robbed: &Robbed, stolen: &Granted) -> Option<Granted> {
        let who = robbed.who;
        let asked_ns = self.agenda.now_ns();
        for address in [&robbed.planted, &robbed.waiting] {
            let address = Identifier::email(address);
            let claim = self.client().claim(&stolen.session, &address);
            let claimed = self.call(Class::Registration, who, claim).await;
            self.done(who, asked_ns, "claiming an address", claimed);
        }
        let shown = robbed.shown(&robbed.planted);
        let shown = shown.in_session(stolen.session.clone());
        let verify = self.client().verify(&shown);
        let planted = self.call(Class::Password, who, verify).await;
        self.done(who, asked_ns, "verifying an address", planted)?;
        if self.stream.below(2) == 0 {
            return None;
        }
        // Every other thief recovers the account first.
        let shown = robbed.shown(&robbed.planted).with_password(THIEFS);
        let recovery = self.call(Class::Password, who, self.client().verify(&shown));
        self.done(who, asked_ns, "recovering", recovery.await)?;
        let thief = self.thief_at(&robbed.planted, THIEFS);
        current(
            self.call(Class::Password, who, self.client().sign_in(&thief))
                .await,
        )
    }

    /// A thief wherever they are.
    fn thief_at(&self, address: &str, password: &str) -> SignIn {
        let place = People::address(self.stream.below(1 << 20) | 1 << 47);
        SignIn::email(address, password).from_address(place)
    }

    /// Whether the owner is known to have recovered the account.
    async fn recovers(&self, robbed: &Robbed) -> bool {
        let client = self.client().with_key(self.key());
        let shown = robbed.shown(&robbed.own).with_password(NEXT);
        for _ in 0..TRIES {
            let asked_ns = self.agenda.now_ns();
            let outcome = self
                .call(Class::Password, robbed.who, client.verify(&shown))
                .await;
            if outcome.is_ok() {
                let recovered = self.done(robbed.who, asked_ns, "an owner's recovery", outcome);
                return recovered.is_some();
            }
            let wait_ms = self.patience.try_again_ms.0;
            self.agenda.sleep_ns(wait_ms * 1_000_000).await;
        }
        false
    }

    /// The owner signs in by their own address; only the thief's guesses may keep
    /// them waiting.
    async fn owner_is_in(&self, robbed: &Robbed) {
        let asked_ns = self.agenda.now_ns();
        let owner = robbed.owner(NEXT);
        let sign_in = self.client().sign_in(&owner);
        let outcome = self.call(Class::Password, robbed.who, sign_in).await;
        let held = matches!(&outcome, Ok(Decision::No(no)) if no.code == Code::Throttled);
        if !held {
            self.done(robbed.who, asked_ns, "an owner's next password", outcome);
        }
    }

    /// What a thief was granted is over.
    async fn is_shut_out(&self, who: Who, granted: &Granted) {
        let check = self.call(Class::Check, who, self.client().check(&granted.session));
        if let Ok(Decision::Yes(checked)) = check.await
            && checked.knowledge == Knowledge::Current
        {
            self.wrong_of(who, "a thief's session outlived the owner's recovery");
        }
        let refresh = self.client().refresh(&granted.refresh);
        if current(self.call(Class::Refresh, who, refresh).await).is_some() {
            self.wrong_of(who, "a thief's refresh token outlived the owner's recovery");
        }
    }

    /// No address of the thief's opens the account, and no password does.
    async fn opens_nothing(&self, robbed: &Robbed, stolen: &Granted) {
        let who = robbed.who;
        let session = || stolen.session.clone();
        let shown = [
            robbed.shown(&robbed.planted).in_session(session()),
            robbed.shown(&robbed.waiting).in_session(session()),
            robbed.shown(&robbed.planted).with_password(THIEFS),
            robbed.shown(&robbed.waiting),
        ];
        for shown in &shown {
            let verify = self.client().verify(shown);
            if let Ok(Decision::Yes(_)) = self.call(Class::Password, who, verify).await {
                self.wrong_of(who, "a thief's address outlived the owner's recovery");
            }
        }
        for (address, password) in [
            (&robbed.planted, THIEFS),
            (&robbed.own, THIEFS),
            (&robbed.own, PASSWORD),
        ] {
            let thief = self.thief_at(address, password);
            let sign_in = self.client().sign_in(&thief);
            if current(self.call(Class::Password, who, sign_in).await).is_some() {
                self.wrong_of(who, "a thief signed in after the owner's recovery");
            }
        }
    }
}
