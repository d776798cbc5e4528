//! People add an address of their own: they claim it, show that it is theirs, and
//! sign in by it from then on. Of two who want one address, one has it.

use std::net::IpAddr;

use tidegate_client::{Decision, Granted, Identifier, Knowledge, SignIn, Verification, Verify};
use tidegate_wire::Class;

use super::Crowd;
use crate::diary::Who;
use crate::people::{PASSWORD, People};

/// How often a verification with an unknown outcome is asked for again.
const TRIES: u32 = 8;
/// When nothing is broken any more they come within this long, not all at once.
const SPREAD_NS: u64 = 5_000_000_000;

/// A person with an account and a session.
pub(super) struct Keeper {
    pub(super) who: Who,
    pub(super) name: String,
    pub(super) home: IpAddr,
    pub(super) granted: Granted,
}

impl Crowd {
    pub(super) async fn add_address(&self) {
        let number = self.newcomer();
        let address = format!("own-{number}@example.com");
        let Some(keeper) = self.keeper().await else {
            return;
        };
        if self.stream.below(2) == 0 {
            if self.has_alone(&keeper, &address).await {
                self.is_let_in_by(&keeper, &address).await;
            }
            return;
        }
        let Some(rival) = self.keeper().await else {
            return;
        };
        let (one, other) = tokio::join!(
            self.claims_and_shows(&keeper, &address),
            self.claims_and_shows(&rival, &address),
        );
        match (one, other) {
            (Some(Decision::Yes(_)), Some(Decision::Yes(_))) => {
                self.wrong_of(keeper.who, "two accounts have one address");
            }
            (Some(Decision::Yes(_)), None | Some(Decision::No(_))) => {
                self.is_let_in_by(&keeper, &address).await
            }
            (None | Some(Decision::No(_)), Some(Decision::Yes(_))) => {
                self.is_let_in_by(&rival, &address).await
            }
            (None | Some(Decision::No(_)), None | Some(Decision::No(_))) => {}
        }
    }

    /// A person signs up with a name, and in.
    pub(super) async fn keeper(&self) -> Option<Keeper> {
        let number = self.newcomer();
        let who = Who::Newcomer(number);
        let home = People::address(number | 1 << 48);
        let asked_ns = self.agenda.now_ns();
        let name = format!("keeper-{number}");
        let person = SignIn::username(&name, PASSWORD).from_address(home);
        let made = self.call(Class::Registration, who, self.client().sign_up(&person));
        self.done(who, asked_ns, "signing up", made.await)?;
        let sign_in = self.call(Class::Password, who, self.client().sign_in(&person));
        let granted = self.done(who, asked_ns, "signing in", sign_in.await)?;
        let keeper = Keeper {
            who,
            name,
            home,
            granted,
        };
        (keeper.granted.knowledge == Knowledge::Current).then_some(keeper)
    }

    /// Whether a person is known to have an address that no other wants. Until
    /// it is shown, it opens nothing.
    async fn has_alone(&self, keeper: &Keeper, address: &str) -> bool {
        let who = keeper.who;
        if !self.claims(keeper, address).await {
            return false;
        }
        let elsewhere = People::address(self.newcomer() | 1 << 49);
        let early = SignIn::email(address, PASSWORD).from_address(elsewhere);
        let sign_in = self.call(Class::Password, who, self.client().sign_in(&early));
        if let Ok(Decision::Yes(_)) = sign_in.await {
            self.wrong_of(who, "an address that is merely claimed opened an account");
        }
        let asked_ns = self.agenda.now_ns();
        match self.shows(keeper, address).await {
            Some(Decision::Yes(_)) => true,
            Some(Decision::No(refusal)) => {
                if self.is_quiet(asked_ns) {
                    let code = refusal.code.name();
                    let what = format!("showing an own address was refused: {code}");
                    self.wrong_of(who, &what);
                }
                false
            }
            None => false,
        }
    }

    async fn claims_and_shows(
        &self,
        keeper: &Keeper,
        address: &str,
    ) -> Option<Decision<Verification>> {
        match self.claims(keeper, address).await {
            true => self.shows(keeper, address).await,
            false => None,
        }
    }

    /// Any account may claim any address.
    async fn claims(&self, keeper: &Keeper, address: &str) -> bool {
        let asked_ns = self.agenda.now_ns();
        let address = Identifier::email(address);
        let claim = self.client().claim(&keeper.granted.session, &address);
        let claimed = self.call(Class::Registration, keeper.who, claim).await;
        let claimed = self.done(keeper.who, asked_ns, "claiming an address", claimed);
        claimed.is_some()
    }

    /// The outcome of showing an address, by session or by password; none when
    /// that is not known.
    async fn shows(&self, keeper: &Keeper, address: &str) -> Option<Decision<Verification>> {
        let shown = Verify::new(keeper.granted.user, Identifier::email(address));
        let shown = match self.stream.below(2) {
            0 => shown.in_session(keeper.granted.session.clone()),
            _ => shown.with_password(PASSWORD),
        };
        // One key for all tries: they are one change.
        let client = self.client().with_key(self.key());
        for _ in 0..TRIES {
            let verify = client.verify(&shown);
            if let Ok(decision) = self.call(Class::Password, keeper.who, verify).await {
                if let Decision::Yes(Verification::TakenOver) = decision {
                    let what = "an account's own address took the account over";
                    self.wrong_of(keeper.who, what);
                }
                return Some(decision);
            }
            let wait_ms = self.patience.try_again_ms.0;
            self.agenda.sleep_ns(wait_ms * 1_000_000).await;
        }
        None
    }

    /// What was acknowledged while anything might break is so when nothing does.
    async fn is_let_in_by(&self, keeper: &Keeper, address: &str) {
        let Some(quiet_ns) = self.quiet_from_ns else {
            return;
        };
        let comes_ns = quiet_ns + self.stream.below(SPREAD_NS);
        if comes_ns > self.agenda.now_ns() {
            self.agenda.sleep_until(comes_ns).await;
        }
        let asked_ns = self.agenda.now_ns();
        let owner = SignIn::email(address, PASSWORD).from_address(keeper.home);
        let sign_in = self.call(Class::Password, keeper.who, self.client().sign_in(&owner));
        let what = "signing in by an own address";
        let granted = self.done(keeper.who, asked_ns, what, sign_in.await);
        if granted.is_some_and(|granted| granted.user != keeper.granted.user) {
            self.wrong_of(keeper.who, "an address led to another person's account");
        }
    }
}
