//! People who sign up and in by codes that are mailed, and what attackers make of
//! codes: many wrong ones at once, an answer again, another browser.

use std::net::IpAddr;

use futures_util::future::join_all;
use tidegate_client::{
    Begin, CallError, Code, Decision, Flow, FlowSaid, Granted, Identifier, Knowledge, Method,
    Purpose, Shown,
};
use tidegate_wire::Class;

use super::Crowd;
use crate::diary::Who;
use crate::mailbox::Read;
use crate::people::People;

/// How often a call with an unknown outcome is made again.
const TRIES: u32 = 8;
/// So long a person looks for a mail, and how often.
const LOOKS_NS: u64 = 30_000_000_000;
const LOOK_NS: u64 = 100_000_000;
/// So many wrong codes come at once, in which five may be judged.
const GUESSES: u64 = 12;

/// A person with a mailbox.
struct Reader {
    who: Who,
    address: String,
    home: IpAddr,
}

/// A flow that waits for a code, and the mail that it stands in.
struct Waiting {
    flow: Flow,
    mail: Read,
    asked_ns: u64,
}

impl Crowd {
    /// A person signs up by a code and then in by another, with an attacker in
    /// between in two of three times.
    pub(super) async fn mailed_code(&self) {
        let number = self.newcomer();
        let reader = Reader {
            who: Who::Newcomer(number),
            address: format!("reader-{number}@example.com"),
            home: People::address(number | 1 << 43),
        };
        let Some(first) = self.waits_for_code(&reader, Purpose::SignUp, None).await else {
            return;
        };
        let Some(made) = self.answers(&reader, &first).await else {
            return;
        };
        let read = Some(&first.mail);
        let Some(waiting) = self.waits_for_code(&reader, Purpose::SignIn, read).await else {
            return;
        };
        match self.stream.below(3) {
            0 => return self.guess_code(&reader, &waiting).await,
            1 => self.answer_elsewhere(&reader, &waiting).await,
            _ => {}
        }
        if let Some(granted) = self.answers(&reader, &waiting).await {
            if granted.user != made.user {
                self.wrong_of(reader.who, "a mailed code led to another person's account");
            }
            self.answer_again(&reader, &waiting).await;
        }
    }

    /// Begins a flow and reads the mail that comes of it.
    async fn waits_for_code(
        &self,
        reader: &Reader,
        purpose: Purpose,
        but: Option<&Read>,
    ) -> Option<Waiting> {
        let asked_ns = self.agenda.now_ns();
        let begun_ms = self.unix_ms().saturating_sub(self.dates_apart_ms);
        let identifier = Identifier::email(&reader.address);
        let begin = Begin::new(purpose, identifier).from_address(reader.home);
        let client = self.client().with_key(self.key());
        let begun = self.insists(reader.who, || client.begin(&begin)).await;
        let said = self.done(reader.who, asked_ns, "beginning a flow", begun?)?;
        let FlowSaid::Next(flow) = said else {
            self.wrong_of(
                reader.who,
                "a flow granted a session before anything was shown",
            );
            return None;
        };
        let until_ns = self.agenda.now_ns() + LOOKS_NS;
        while self.agenda.now_ns() < until_ns {
            if let Some(mail) = self.mailbox.code(&reader.address, begun_ms, but) {
                return Some(Waiting {
                    flow,
                    mail,
                    asked_ns,
                });
            }
            self.agenda.sleep_ns(LOOK_NS).await;
        }
        // A destination that failed is left alone, and what waits for it waits longer.
        if self.is_quiet(asked_ns) && self.mailbox.was_always_well() {
            self.wrong_of(reader.who, "a code was told as sent and did not come");
        }
        None
    }

    /// The right code, until its outcome is known.
    async fn answers(&self, reader: &Reader, waiting: &Waiting) -> Option<Granted> {
        let asked_ns = waiting.asked_ns;
        let shown = Shown::new(Method::EmailCode, &waiting.mail.code).from_address(reader.home);
        let client = self.client().with_key(self.key());
        let answered = self
            .insists(reader.who, || waiting.flow.answer(&client, &shown))
            .await?;
        match self.done(reader.who, asked_ns, "a right code", answered)? {
            FlowSaid::Granted(granted) if granted.knowledge == Knowledge::Current => Some(*granted),
            FlowSaid::Granted(_) => {
                self.wrong_of(reader.who, "a flow granted what may be lost with its node");
                None
            }
            FlowSaid::Next(_) => {
                self.wrong_of(reader.who, "a right code led to no session");
                None
            }
        }
    }

    /// Asks again for as long as the outcome is not known; none when it stays so.
    pub(super) async fn insists<T, F>(
        &self,
        who: Who,
        mut call: impl FnMut() -> F,
    ) -> Option<Result<Decision<T>, CallError>>
    where
        F: Future<Output = Result<Decision<T>, CallError>>,
    {
        for _ in 0..TRIES {
            let outcome = self.call(Class::Password, who, call()).await;
            if outcome.is_ok() {
                return Some(outcome);
            }
            let wait_ms = self.patience.try_again_ms.0;
            self.agenda.sleep_ns(wait_ms * 1_000_000).await;
        }
        None
    }

    /// Many wrong codes at once, from everywhere: five are judged, and then none is
    /// right any more.
    async fn guess_code(&self, reader: &Reader, waiting: &Waiting) {
        let right = waiting.mail.code.as_bytes();
        let guesses = (0..GUESSES).map(|guess| {
            // Another at its first place: wrong whatever stands there.
            let first = char::from(b'0' + (right[0] - b'0' + 1 + (guess % 9) as u8) % 10);
            let wrong = format!("{first}{}", &waiting.mail.code[1..]);
            let from = People::address(self.newcomer() | 1 << 42);
            let shown = Shown::new(Method::EmailCode, &wrong).from_address(from);
            async move {
                let client = self.client();
                let answer = waiting.flow.answer(client, &shown);
                self.call(Class::Password, reader.who, answer).await
            }
        });
        let outcomes = join_all(guesses).await;
        let judged = outcomes.iter().filter(|outcome| match outcome {
            Ok(Decision::No(refusal)) => refusal.code == Code::InvalidCode,
            Ok(Decision::Yes(_)) => {
                self.wrong_of(reader.who, "a wrong code let somebody in");
                false
            }
            Err(_) => false,
        });
        let judged = judged.count();
        let tries = usize::from(self.policy.flow.codes.tries);
        if judged > tries {
            let what = format!("{judged} wrong codes of one attempt were judged");
            self.wrong_of(reader.who, &what);
        }
        if judged < tries {
            return;
        }
        let shown = Shown::new(Method::EmailCode, &waiting.mail.code).from_address(reader.home);
        let late = waiting.flow.answer(self.client(), &shown);
        let late = self.call(Class::Password, reader.who, late).await;
        if let Ok(Decision::Yes(_)) = late {
            self.wrong_of(reader.who, "a code counted after too many wrong ones");
        }
    }

    /// The code and the continuation in another browser than the one that asked.
    async fn answer_elsewhere(&self, reader: &Reader, waiting: &Waiting) {
        let mut browser = waiting.flow.browser.clone();
        browser.secret.0[0] ^= 1;
        let stolen = Flow::resume(&waiting.flow.continuation, browser);
        let from = People::address(self.newcomer() | 1 << 41);
        let shown = Shown::new(Method::EmailCode, &waiting.mail.code).from_address(from);
        let answer = stolen.answer(self.client(), &shown);
        if let Ok(Decision::Yes(_)) = self.call(Class::Password, reader.who, answer).await {
            self.wrong_of(reader.who, "a code let another browser in");
        }
    }

    /// What let its person in lets nobody in again.
    async fn answer_again(&self, reader: &Reader, waiting: &Waiting) {
        let shown = Shown::new(Method::EmailCode, &waiting.mail.code).from_address(reader.home);
        let again = waiting.flow.answer(self.client(), &shown);
        if let Ok(Decision::Yes(_)) = self.call(Class::Password, reader.who, again).await {
            self.wrong_of(reader.who, "a code let somebody in twice");
        }
    }
}
