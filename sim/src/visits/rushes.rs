//! Right passwords in a rush: people behind one address, and one account on many
//! devices. However many come at once, none is told no for good.

use futures_util::future::join_all;
use tidegate_client::{CallError, Code, Decision, SignIn};
use tidegate_wire::Class;

use super::Crowd;
use crate::diary::Who;
use crate::people::{PASSWORD, People};

impl Crowd {
    /// An office, or people whom a mobile carrier shows under one address: they
    /// sign up at once, and then in.
    pub(super) async fn same_source(&self) {
        let office = People::address(self.newcomer() | 1 << 44);
        let people = (0..self.at_once.people.0).map(|_| {
            let number = self.newcomer();
            let person = SignIn::username(&format!("colleague-{number}"), PASSWORD);
            let person = person.from_address(office);
            async move {
                let who = Who::Newcomer(number);
                let made = self.is_made(who, &person).await;
                made.then_some((who, person))
            }
        });
        let made = join_all(people).await;
        let entering = made.into_iter().flatten().map(|(who, person)| async move {
            self.gets_in(who, &person).await;
        });
        join_all(entering).await;
    }

    /// A person's devices all wake at once, each somewhere else.
    pub(super) async fn same_account(&self) {
        let number = self.newcomer();
        let who = Who::Newcomer(number);
        let owner = SignIn::username(&format!("many-devices-{number}"), PASSWORD);
        let at = |place: u64| {
            let place = People::address(self.newcomer() | place << 45);
            owner.clone().from_address(place)
        };
        if !self.is_made(who, &at(1)).await {
            return;
        }
        let devices = (0..self.at_once.devices.0).map(|_| {
            let device = at(2);
            async move { self.gets_in(who, &device).await }
        });
        join_all(devices).await;
    }

    /// Whether a person has an account now.
    async fn is_made(&self, who: Who, person: &SignIn) -> bool {
        let asked_ns = self.agenda.now_ns();
        let sign_up = self.client().sign_up(person);
        let outcome = self.call(Class::Registration, who, sign_up).await;
        self.judge_rush(who, asked_ns, &outcome);
        matches!(outcome, Ok(Decision::Yes(_)))
    }

    async fn gets_in(&self, who: Who, person: &SignIn) {
        let began_ns = self.agenda.now_ns();
        self.book.wants_in(began_ns);
        let entered = self
            .enter(began_ns, 0, || async {
                let asked_ns = self.agenda.now_ns();
                let outcome = self.seen_to_sign_in(who, person).await;
                self.judge_rush(who, asked_ns, &outcome);
                outcome.map(|decision| decision.map(|_| ()))
            })
            .await;
        self.book.entered(began_ns, self.agenda.now_ns(), entered);
    }

    /// Nothing was wrong about what was asked: while nothing is broken it is not
    /// refused, and the store is not out of reach.
    fn judge_rush<T>(&self, who: Who, asked_ns: u64, outcome: &Result<Decision<T>, CallError>) {
        if !self.is_quiet(asked_ns) {
            return;
        }
        match outcome {
            Ok(Decision::No(refusal)) => {
                let code = refusal.code.name();
                self.wrong_of(who, &format!("refused in a rush, and was right: {code}"));
            }
            Err(
                CallError::NotDone {
                    code: Code::Unavailable,
                    ..
                }
                | CallError::Unknown {
                    code: Code::Unavailable,
                },
            ) => {
                self.wrong_of(who, "a store that is well was out of reach in a rush");
            }
            // That it takes its time is what objectives are for.
            Ok(Decision::Yes(_)) | Err(_) => {}
        }
    }
}
