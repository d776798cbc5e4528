//! People who add a passkey and sign in by it, and what attackers make of what it
//! answered: again, in another browser, to another challenge, signed by another key.

use std::net::IpAddr;

use tidegate_client::{
    Begin, Decision, Flow, FlowSaid, Granted, Identifier, Knowledge, Method, Purpose, Shown,
};
use tidegate_wire::Class;

use super::Crowd;
use super::addresses::Keeper;
use crate::authenticator::Authenticator;
use crate::people::People;

impl Crowd {
    /// A person signs up and in by a password, adds a passkey, and signs in by it; in
    /// between an attacker tries it in three of four times.
    pub(super) async fn passkey(&self) {
        let Some(keeper) = self.keeper().await else {
            return;
        };
        let mut authenticator = Authenticator::new(self.stream.below(u64::MAX));
        let Some(owner) = self.adds_passkey(&keeper, &mut authenticator).await else {
            return;
        };
        let Some(flow) = self.is_asked_for_passkey(&keeper).await else {
            return;
        };
        let Some(answer) = flow_options(&flow).map(|options| authenticator.sign(options)) else {
            return self.wrong_of(keeper.who, "a sign-in by passkey has no options");
        };
        match self.stream.below(4) {
            0 => self.sign_by_another(&keeper, &flow, &authenticator).await,
            1 => self.show_elsewhere(&keeper, &flow, &answer).await,
            2 => self.show_to_another(&keeper, &answer).await,
            _ => {}
        }
        if let Some(granted) = self.shows_passkey(&keeper, &flow, &answer).await {
            if granted.user != owner.user {
                self.wrong_of(keeper.who, "a passkey led to another person's account");
            }
            self.show_again(&keeper, &flow, &answer).await;
        }
    }

    /// The session after a passkey was added; none when that is not known.
    async fn adds_passkey(
        &self,
        keeper: &Keeper,
        authenticator: &mut Authenticator,
    ) -> Option<Granted> {
        let asked_ns = self.agenda.now_ns();
        let begin = Begin::of_session(Purpose::Add, keeper.granted.session.clone());
        let begin = begin.from_address(keeper.home);
        let client = self.client().with_key(self.key());
        let begun = self.insists(keeper.who, || client.begin(&begin)).await?;
        let what = "beginning to add a passkey";
        let FlowSaid::Next(flow) = self.done(keeper.who, asked_ns, what, begun)? else {
            self.wrong_of(keeper.who, "nothing was added, and the flow is over");
            return None;
        };
        let made = flow_options(&flow).map(|options| authenticator.make(options));
        let shown = Shown::passkey(&made?).from_address(keeper.home);
        let client = self.client().with_key(self.key());
        let answered = self
            .insists(keeper.who, || flow.answer(&client, &shown))
            .await?;
        match self.done(keeper.who, asked_ns, "adding a passkey", answered)? {
            FlowSaid::Granted(granted) => Some(*granted),
            FlowSaid::Next(_) => {
                self.wrong_of(keeper.who, "a passkey was added, and the flow goes on");
                None
            }
        }
    }

    /// A flow that waits for a passkey: in every other case it names its person.
    async fn is_asked_for_passkey(&self, keeper: &Keeper) -> Option<Flow> {
        let asked_ns = self.agenda.now_ns();
        let begin = match self.stream.below(2) {
            0 => Begin::without(Purpose::SignIn),
            _ => Begin::new(Purpose::SignIn, Identifier::username(&keeper.name)),
        };
        let begin = begin.from_address(keeper.home);
        let client = self.client().with_key(self.key());
        let begun = self.insists(keeper.who, || client.begin(&begin)).await?;
        match self.done(keeper.who, asked_ns, "beginning a sign-in", begun)? {
            FlowSaid::Next(flow) => Some(flow),
            FlowSaid::Granted(_) => {
                let what = "a flow granted a session before anything was shown";
                self.wrong_of(keeper.who, what);
                None
            }
        }
    }

    /// The passkey's answer, until its outcome is known.
    async fn shows_passkey(&self, keeper: &Keeper, flow: &Flow, answer: &str) -> Option<Granted> {
        let asked_ns = self.agenda.now_ns();
        let shown = Shown::passkey(answer).from_address(keeper.home);
        let client = self.client().with_key(self.key());
        let answered = self
            .insists(keeper.who, || flow.answer(&client, &shown))
            .await?;
        match self.done(keeper.who, asked_ns, "a passkey", answered)? {
            FlowSaid::Granted(granted) if granted.knowledge == Knowledge::Current => Some(*granted),
            FlowSaid::Granted(_) => {
                self.wrong_of(keeper.who, "a flow granted what may be lost with its node");
                None
            }
            FlowSaid::Next(_) => {
                self.wrong_of(keeper.who, "a passkey led to no session");
                None
            }
        }
    }

    /// Somebody who knows all of the passkey but its key.
    async fn sign_by_another(&self, keeper: &Keeper, flow: &Flow, owners: &Authenticator) {
        let Some(forged) = flow_options(flow).map(|options| owners.forged().sign(options)) else {
            return;
        };
        let opened = self.tries(keeper, flow, &forged).await;
        if opened {
            self.wrong_of(keeper.who, "another key opened a passkey's account");
        }
    }

    async fn show_elsewhere(&self, keeper: &Keeper, flow: &Flow, answer: &str) {
        let mut browser = flow.browser.clone();
        browser.secret.0[0] ^= 1;
        let stolen = Flow::resume(&flow.continuation, browser);
        if self.tries(keeper, &stolen, answer).await {
            self.wrong_of(keeper.who, "a passkey's answer let another browser in");
        }
    }

    /// What was answered to one challenge is shown to another.
    async fn show_to_another(&self, keeper: &Keeper, answer: &str) {
        let begun = self.client().begin(&Begin::without(Purpose::SignIn)).await;
        let Ok(Decision::Yes(FlowSaid::Next(another))) = begun else {
            return;
        };
        if self.tries(keeper, &another, answer).await {
            let what = "a passkey's answer to one challenge was taken for another";
            self.wrong_of(keeper.who, what);
        }
    }

    /// What let its person in lets nobody in again.
    async fn show_again(&self, keeper: &Keeper, flow: &Flow, answer: &str) {
        if self.tries(keeper, flow, answer).await {
            self.wrong_of(keeper.who, "a passkey's answer let somebody in twice");
        }
    }

    /// Whether an attacker's answer opens anything.
    async fn tries(&self, keeper: &Keeper, flow: &Flow, answer: &str) -> bool {
        let from: IpAddr = People::address(self.newcomer() | 1 << 40);
        let shown = Shown::passkey(answer).from_address(from);
        let answer = flow.answer(self.client(), &shown);
        let outcome = self.call(Class::Password, keeper.who, answer).await;
        matches!(outcome, Ok(Decision::Yes(_)))
    }
}

/// What a browser is given for a passkey.
fn flow_options(flow: &Flow) -> Option<&str> {
    let mut next = flow.next.iter();
    let passkey = next.find(|next| next.method == Method::Passkey)?;
    passkey.options.as_ref().map(|options| options.as_str())
}
