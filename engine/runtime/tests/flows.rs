//! Flows over a real engine: who is found by an address, what leaves, what is
//! written, and what is left of it after a restart.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use rig::{
    Effects, Expect, Mood, PASSWORD, Place, Rig, SOURCE, mail, policy, sign_in_as, sign_up_as,
    tenant_key, verify,
};
use tidegate_account::continuation::Purpose;
use tidegate_account::credential::code::Code;
use tidegate_account::{
    CodeSent, FlowReply, FlowStep, Message, Next, NoticePolicy, Password, Refusal, Remember, Reply,
    Secret, SourcePolicy, Template, UserId, Value,
};
use tidegate_runtime::{
    Answer, Answering, Beginning, Failure, Given, Limits, Origin, Task, Tenant,
};

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";

async fn with_mail() -> Rig {
    let mut policy = policy();
    policy.notices = NoticePolicy::Mail { app: "Shop".into() };
    Rig::under(Limits::default(), policy).await
}

/// An account that holds the address.
async fn held(rig: &Rig, address: &str) -> UserId {
    let user = rig.ask(None, sign_up_as(mail(address))).await.signed_up();
    let shown = verify(user, mail(address), Some(PASSWORD));
    rig.ask(None, shown).await.verified();
    user
}

fn browser() -> Secret {
    Secret::new([9; 24])
}

fn begin(purpose: Purpose, address: &str) -> Task {
    begin_from(purpose, address, None)
}

fn begin_from(purpose: Purpose, address: &str, origin: Option<Origin>) -> Task {
    Task::BeginFlow(Box::new(Beginning {
        purpose,
        identifier: Some(mail(address)),
        by: None,
        browser: browser(),
        language: "de".into(),
        origin,
    }))
}

fn answer(step: &FlowStep, given: Given) -> Task {
    answer_in(browser(), step, given)
}

fn answer_in(browser: Secret, step: &FlowStep, given: Given) -> Task {
    Task::AnswerFlow(Box::new(Answering {
        continuation: step.continuation.clone(),
        browser,
        given,
        language: String::new(),
        device: None,
        remember: Remember::Nothing,
        origin: None,
    }))
}

fn step(answer: Answer) -> FlowStep {
    match answer {
        Answer::Reply(Reply::Flow(FlowReply::Step(step))) => step,
        other => panic!("{other:?}"),
    }
}

/// Everything that left, as it was written.
async fn mails(rig: &Rig, count: usize) -> Vec<Message> {
    rig.engine.work_off().await.unwrap();
    rig.until(|| rig.sink.letters().len() == count).await;
    let letters = rig.sink.letters();
    let read =
        |letter: &tidegate_runtime::ports::Letter| Message::decode(letter.outgoing.body()).unwrap();
    letters.iter().map(read).collect()
}

async fn code(rig: &Rig, count: usize) -> String {
    let mails = mails(rig, count).await;
    let mut values = mails.last().unwrap().values().iter();
    let code = values.find_map(|value| match value {
        Value::Code(code) => Some(code.clone()),
        _ => None,
    });
    code.unwrap()
}

fn shown(code: &str) -> Given {
    Given::EmailCode(Code::parse(code).unwrap())
}

fn wrong(code: &str) -> Given {
    let first = if code.starts_with('0') { "1" } else { "0" };
    shown(&format!("{first}{}", &code[1..]))
}

#[tokio::test]
async fn a_code_that_was_mailed_signs_in_once() {
    let rig = with_mail().await;
    let user = held(&rig, ADA).await;
    let begun = step(rig.ask(None, begin(Purpose::SignIn, ADA)).await);
    let sent = CodeSent::Sent { again_ms: 30_000 };
    let Next::Code { sent: told, .. } = begun.next[0] else {
        panic!("{:?}", begun.next);
    };
    assert_eq!(told, sent);
    let code = code(&rig, 1).await;
    let mail = &mails(&rig, 1).await[0];
    assert_eq!(
        (mail.template(), mail.address(), mail.language()),
        (Template::SignInCode, ADA, "de")
    );
    let rig = rig.restart().await;
    let grant = rig.ask(None, answer(&begun, shown(&code))).await.granted();
    assert_eq!((grant.user, grant.methods), (user, 4));
    let replay = rig.ask(None, answer(&begun, shown(&code))).await;
    assert_eq!(replay.refused(), Refusal::FlowOver);
}

#[tokio::test]
async fn a_thousand_guesses_at_once_are_judged_five_times() {
    let rig = with_mail().await;
    held(&rig, ADA).await;
    let begun = step(rig.ask(None, begin(Purpose::SignIn, ADA)).await);
    let right = code(&rig, 1).await;
    let guesses: Vec<_> = (0..1_000)
        .map(|_| rig.submit(None, answer(&begun, wrong(&right))))
        .collect();
    let mut judged = 0;
    for guess in guesses {
        match guess.await.unwrap() {
            Answer::Reply(Reply::No(Refusal::InvalidCode)) => judged += 1,
            Answer::Reply(Reply::No(Refusal::FlowOver | Refusal::Throttled { .. }))
            | Answer::Failed(Failure::Busy { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(judged, 5);
    let rig = rig.restart().await;
    let late = rig.ask(None, answer(&begun, shown(&right))).await;
    assert_eq!(late.refused(), Refusal::FlowOver);
    // The account is as it was.
    rig.ask(None, sign_in_as(mail(ADA), PASSWORD))
        .await
        .granted();
}

#[tokio::test]
async fn an_address_that_nobody_has_makes_an_account_that_signs_in() {
    let rig = with_mail().await;
    let begun = step(rig.ask(None, begin(Purpose::SignUp, ADA)).await);
    let first = code(&rig, 1).await;
    // The answer is lost on its way, and repeated at another life of the node.
    let lost = rig.ask(Some(7), answer(&begun, shown(&first))).await;
    let rig = rig.restart().await;
    let again = rig.ask(Some(7), answer(&begun, shown(&first))).await;
    let (lost, again) = (lost.granted(), again.granted());
    assert_eq!((lost.user, lost.session), (again.user, again.session));
    let begun = step(rig.ask(None, begin(Purpose::SignIn, ADA)).await);
    let second = code(&rig, 1).await;
    let grant = rig
        .ask(None, answer(&begun, shown(&second)))
        .await
        .granted();
    assert_eq!(grant.user, lost.user);
}

#[tokio::test]
async fn of_two_sign_ups_with_one_address_one_makes_the_account() {
    let rig = with_mail().await;
    let mut steps = Vec::new();
    for count in [1, 2] {
        let begun = step(rig.ask(None, begin(Purpose::SignUp, ADA)).await);
        steps.push((begun, code(&rig, count).await));
    }
    let answers: Vec<_> = steps
        .iter()
        .map(|(begun, code)| rig.submit(None, answer(begun, shown(code))))
        .collect();
    let mut made = 0;
    for answered in answers {
        match answered.await.unwrap() {
            Answer::Reply(Reply::Flow(FlowReply::Granted(_))) => made += 1,
            other => assert_eq!(other.refused(), Refusal::IdentifierTaken),
        }
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn an_account_that_was_prepared_with_the_address_stays_without_it() {
    let rig = with_mail().await;
    // Claimed by an attacker, and never shown.
    let prepared = rig.ask(None, sign_up_as(mail(ADA))).await.signed_up();
    let begun = step(rig.ask(None, begin(Purpose::SignUp, ADA)).await);
    let code = code(&rig, 1).await;
    let grant = rig.ask(None, answer(&begun, shown(&code))).await.granted();
    assert_ne!(grant.user, prepared);
    let attacker = rig.ask(None, sign_in_as(mail(ADA), PASSWORD)).await;
    assert_eq!(attacker.refused(), Refusal::InvalidCredentials);
    let shown = rig.ask(None, verify(prepared, mail(ADA), None)).await;
    assert_eq!(shown.refused(), Refusal::IdentifierTaken);
}

/// A flow in which three codes are wrong: what each step did, and what it said.
async fn failing(rig: &Rig, address: &str, mails: usize) -> Vec<(Effects, String)> {
    let mut seen = Vec::new();
    let (effects, begun) = rig.effects_of(100, begin(Purpose::SignIn, address)).await;
    let begun = step(begun);
    seen.push((effects, format!("{:?}", begun.next)));
    let code = code(rig, mails).await;
    for key in 0..3 {
        let (effects, said) = rig.effects_of(key, answer(&begun, wrong(&code))).await;
        seen.push((effects, format!("{said:?}")));
    }
    let password = Given::Password(Password::parse("wrong horse").unwrap());
    let (effects, said) = rig.effects_of(50, answer(&begun, password)).await;
    seen.push((effects, format!("{said:?}")));
    seen
}

#[tokio::test]
async fn a_known_address_and_an_unknown_one_do_and_say_the_same() {
    let rig = with_mail().await;
    held(&rig, ADA).await;
    // Their sign-up is over: its outcome is kept for repeats no longer.
    rig.clock.advance(10 * 60 * 1000);
    let rig = rig.restart().await;
    let known = failing(&rig, ADA, 1).await;
    let unknown = failing(&rig, BOB, 2).await;
    assert_eq!(known, unknown);
    let written = mails(&rig, 2).await;
    let lengths = written.iter().map(|mail| mail.encode().unwrap().len());
    let lengths: Vec<_> = lengths.collect();
    assert_eq!(lengths[0], lengths[1]);
    assert_eq!(written[1].template(), Template::NoAccount);
}

#[tokio::test]
async fn a_continuation_is_of_its_browser_its_tenant_and_its_time() {
    let rig = with_mail().await;
    held(&rig, ADA).await;
    let begun = step(rig.ask(None, begin(Purpose::SignIn, ADA)).await);
    let code = code(&rig, 1).await;
    let stolen = answer_in(Secret::new([8; 24]), &begun, shown(&code));
    assert_eq!(rig.ask(None, stolen).await.refused(), Refusal::InvalidToken);
    for (at, with) in [(5, "A"), (300, "-")] {
        let mut bent = begun.clone();
        let old = bent.continuation[at..=at].to_owned();
        let with = if old == with { "B" } else { with };
        bent.continuation.replace_range(at..=at, with);
        let refused = rig.ask(None, answer(&bent, shown(&code))).await.refused();
        assert_eq!(refused, Refusal::InvalidToken, "{at}");
    }
    let mut short = begun.clone();
    short.continuation.truncate(9);
    let refused = rig.ask(None, answer(&short, shown(&code))).await.refused();
    assert_eq!(refused, Refusal::InvalidToken);
    rig.clock.advance(15 * 60 * 1000);
    let late = rig.ask(None, answer(&begun, shown(&code))).await.refused();
    assert_eq!(late, Refusal::FlowOver);
}

#[tokio::test]
async fn a_flow_goes_on_when_the_tenants_key_rotates() {
    let rig = with_mail().await;
    held(&rig, ADA).await;
    let begun = step(rig.ask(None, begin(Purpose::SignIn, ADA)).await);
    let code = code(&rig, 1).await;
    let old = rig.tenants.get(rig.tenant).unwrap();
    rig.tenants.put(Tenant {
        id: old.id,
        name: old.name.clone(),
        keys: vec![tenant_key("default", 2), tenant_key("default", 1)],
        policy: old.policy.clone(),
        home: None,
        costs: tidegate_runtime::Costs::default(),
    });
    rig.ask(None, answer(&begun, shown(&code))).await.granted();
}

#[tokio::test]
async fn no_code_leaves_and_nothing_is_granted_while_the_store_takes_nothing() {
    let rig = with_mail().await;
    held(&rig, ADA).await;
    let begun = step(rig.ask(None, begin(Purpose::SignIn, ADA)).await);
    let code = code(&rig, 1).await;
    rig.store.set(Mood::Unavailable);
    let refused = rig.ask(None, begin(Purpose::SignIn, ADA)).await;
    assert!(matches!(refused, Answer::Failed(_)), "{refused:?}");
    let refused = rig.ask(None, answer(&begun, shown(&code))).await;
    assert!(matches!(refused, Answer::Failed(_)), "{refused:?}");
    rig.store.set(Mood::Well);
    // The code was not used: what was refused did not happen.
    let mut said = refused;
    for _ in 0..60 {
        if !matches!(said, Answer::Failed(_)) {
            break;
        }
        rig.clock.advance(1_000);
        rig.settle().await;
        said = rig.ask(None, answer(&begun, shown(&code))).await;
    }
    said.granted();
    assert_eq!(mails(&rig, 1).await.len(), 1);
}

#[tokio::test]
async fn a_source_that_asks_for_too_many_codes_gets_no_more_and_others_do() {
    let mut policy = policy();
    policy.notices = NoticePolicy::Mail { app: "Shop".into() };
    policy.sends = SourcePolicy {
        free: 3,
        refill_ms: 60_000,
    };
    let rig = Rig::under(Limits::default(), policy).await;
    let mut sent = Vec::new();
    for n in 0..5 {
        let address = format!("p{n}@example.com");
        let task = begin_from(Purpose::SignUp, &address, Some(SOURCE));
        let begun = step(rig.ask(None, task).await);
        let Next::Code { sent: told, .. } = begun.next[0] else {
            panic!("{:?}", begun.next);
        };
        sent.push(matches!(told, CodeSent::Sent { .. }));
    }
    assert_eq!(sent, [true, true, true, false, false]);
    let other = Some(Origin::V4([198, 51, 100, 7]));
    step(rig.ask(None, begin_from(Purpose::SignUp, ADA, other)).await);
    assert_eq!(mails(&rig, 4).await.len(), 4);
}

#[tokio::test]
async fn no_flow_begins_while_nodes_of_older_programs_serve() {
    let rig = with_mail().await;
    let place = Place {
        formats: 3,
        ..Place::default()
    };
    let rig = rig.restart_in(place).await;
    let refused = rig.ask(None, begin(Purpose::SignIn, ADA)).await;
    assert_eq!(refused.failed(), Failure::Unavailable);
}
