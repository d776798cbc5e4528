//! Flows at an account and at a decoy: what is sent, what a code opens, and what
//! attackers make of both.

use super::verifying::{MAIL, identifier, mail, set_up, verify};
use super::*;
use crate::assurance::{Method, Proofs};
use crate::continuation::{AttemptId, BrowserHash, Continuation, Presenter, Purpose};
use crate::credential::code::Code;
use crate::message::{Template, Value};
use crate::policy::NoticePolicy;
use crate::{
    Answered, CodeSent, FlowAnswer, FlowBegin, FlowCommand, FlowContext, FlowJoin, FlowKeys,
    FlowReply, FlowStep, Next, PartsWanted,
};

const MINUTE_MS: u64 = 60_000;

pub(super) fn keys() -> FlowKeys {
    FlowKeys {
        seal: Secret::new([1; 32]),
        codes: Secret::new([2; 32]),
    }
}

pub(super) fn browser() -> Secret {
    Secret::new([3; 24])
}

/// A world with mail.
pub(super) fn with_mail(mut world: World) -> World {
    world.policy.notices = NoticePolicy::Mail { app: "Shop".into() };
    world
}

/// An account that holds a mail address and has a password.
fn holder() -> (World, Grant) {
    let (mut world, grant) = set_up(PASSWORD, MAIL);
    world.ask(verify(MAIL, Some(&grant), None));
    (with_mail(world), grant)
}

/// The place of an account that no account has: a decoy's.
fn nobody() -> World {
    with_mail(World::empty())
}

impl World {
    fn begin(&mut self, purpose: Purpose, attempt: u8) -> FlowStep {
        self.step(begin(self.beginning(purpose, attempt)))
    }

    pub(super) fn beginning(&self, purpose: Purpose, attempt: u8) -> FlowContext {
        let continuation = Continuation {
            purpose,
            tenant: TENANT,
            subject: self.account.user,
            attempt: AttemptId::from_bytes([attempt; 16]),
            identifier: Some(mail(MAIL).identifier),
            proofs: Proofs::default(),
            step: 0,
            issued_ms: self.now,
            expires_ms: self.now + self.policy.flow.lifetime_ms,
            browser: BrowserHash::of(&browser()),
            session: None,
        };
        context(continuation)
    }

    /// The flow as the browser's cookie has it.
    fn opened(&self, step: &FlowStep) -> FlowContext {
        let (key, browser) = (keys().seal, browser());
        let presenter = Presenter {
            tenant: TENANT,
            browser: &browser,
            now_ms: self.now,
        };
        context(Continuation::open(&step.continuation, &key, &presenter).unwrap())
    }

    fn answer(&mut self, step: &FlowStep, answered: Answered) -> Reply {
        self.answer_with(None, step, answered)
    }

    fn answer_with(&mut self, key: Option<u8>, step: &FlowStep, answered: Answered) -> Reply {
        self.ask_with(key, answer(self.opened(step), answered))
    }

    fn step(&mut self, command: Command) -> FlowStep {
        stepped(self.ask(command))
    }

    /// The code of the newest mail.
    fn code(&self) -> Code {
        code_of(self.mails.last().unwrap())
    }

    fn templates(&self) -> Vec<Template> {
        self.mails.iter().map(Message::template).collect()
    }
}

pub(super) fn begin(context: FlowContext) -> Command {
    let source = Source::Clear;
    Command::Flow(FlowCommand::Begin(
        FlowBegin {
            context,
            by: None,
            source,
        }
        .into(),
    ))
}

pub(super) fn answer(context: FlowContext, answered: Answered) -> Command {
    let answer = FlowAnswer {
        context,
        answered,
        device: None,
        remember: Remember::Nothing,
    };
    Command::Flow(FlowCommand::Answer(answer.into()))
}

/// A password, which is the account's or becomes it.
pub(super) fn new_password(text: &str) -> Answered {
    Answered::Password {
        password: Password::parse(text).unwrap(),
        source: Source::Clear,
    }
}

/// What a code by mail proves.
pub(super) fn shown_at(at_ms: u64) -> Proofs {
    let mut proofs = Proofs::default();
    let shown = crate::assurance::Shown::EmailCode;
    proofs
        .add(crate::assurance::Proof { shown, at_ms })
        .unwrap();
    proofs
}

/// A mail with a code that was never sent.
pub(super) fn a_code() -> Message {
    let values = [
        Value::Code("123456".into()),
        Value::Minutes(1),
        Value::App("Shop".into()),
    ];
    Message::new(Template::SignInCode, "", "a@example.com", values.into()).unwrap()
}

pub(super) fn has_code(message: &Message) -> bool {
    let mut values = message.values().iter();
    values.any(|value| matches!(value, Value::Code(_)))
}

fn context(continuation: Continuation) -> FlowContext {
    FlowContext {
        continuation,
        identifier: Some(mail(MAIL)),
        language: String::new(),
        keys: keys(),
        parts: PartsWanted::Passkeys,
    }
}

pub(super) fn stepped(reply: Reply) -> FlowStep {
    match reply {
        Reply::Flow(FlowReply::Step(step)) => step,
        other => panic!("{other:?}"),
    }
}

pub(super) fn code_of(message: &Message) -> Code {
    let code = message.values().iter().find_map(|value| match value {
        Value::Code(code) => Some(Code::parse(code).unwrap()),
        _ => None,
    });
    code.unwrap()
}

/// A code that is not this one.
fn other_than(code: &Code) -> Code {
    let first = match code.expose().as_bytes()[0] {
        b'0' => "1",
        _ => "0",
    };
    Code::parse(&std::format!("{first}{}", &code.expose()[1..])).unwrap()
}

fn sent(step: &FlowStep) -> CodeSent {
    match &step.next[0] {
        Next::Code { sent, .. } => *sent,
        other => panic!("{other:?}"),
    }
}

fn methods(world: &World) -> Vec<u8> {
    let sessions = &world.account.parts().unwrap().0.sessions;
    sessions.iter().map(|session| session.methods).collect()
}

#[test]
fn a_code_signs_in_once() {
    let (mut world, _) = holder();
    let step = world.begin(Purpose::SignIn, 1);
    assert_eq!(sent(&step), CodeSent::Sent { again_ms: 30_000 });
    assert_eq!(world.templates(), [Template::SignInCode]);
    assert_eq!(world.mails[0].address(), mail(MAIL).identifier.expose());
    let code = world.code();
    world.crash();
    let right = || Answered::Code(code.clone());
    let grant = world.answer(&step, right()).granted();
    assert_eq!((grant.assurance, grant.methods), (1, 4));
    assert_eq!(methods(&world), [1, 4]);
    let replay = world.answer(&step, right()).refused();
    assert_eq!(replay, Refusal::FlowOver);
    world.crash();
    let replay = world.answer(&step, right()).refused();
    assert_eq!(replay, Refusal::FlowOver);
}

#[test]
fn a_repeat_of_the_right_answer_gets_the_same_session() {
    let (mut world, _) = holder();
    let step = world.begin(Purpose::SignIn, 1);
    let right = Answered::Code(world.code());
    let first = world.answer_with(Some(9), &step, right.clone()).granted();
    world.crash();
    // What is kept says what was granted, not in what.
    let again = world.answer_with(Some(9), &step, right).granted();
    assert_eq!(again.session, first.session);
    assert!(again.refresh.matches(&first.refresh));
    assert_eq!(world.sessions(), 2);
}

#[test]
fn five_wrong_codes_end_the_attempt_and_not_the_account() {
    let (mut world, _) = holder();
    let step = world.begin(Purpose::SignIn, 1);
    let right = world.code();
    let wrong = other_than(&right);
    let told: Vec<_> = (0..6)
        .map(|_| {
            world.crash();
            world.answer(&step, Answered::Code(wrong.clone())).refused()
        })
        .collect();
    assert_eq!(told[..5], [Refusal::InvalidCode; 5]);
    assert_eq!(told[5], Refusal::FlowOver);
    let late = world.answer(&step, Answered::Code(right)).refused();
    assert_eq!(late, Refusal::FlowOver);
    world.sign_in(PASSWORD).granted();
    let next = world.begin(Purpose::SignIn, 2);
    let code = world.code();
    world.answer(&next, Answered::Code(code)).granted();
}

#[test]
fn many_attempts_of_wrong_codes_hold_codes_off_and_no_password() {
    let (mut world, _) = holder();
    world.policy.flow.codes.sends_per_hour = 8;
    let mut refused = Vec::new();
    for attempt in 0..5 {
        let step = world.begin(Purpose::SignIn, attempt);
        let wrong = other_than(&world.code());
        for _ in 0..5 {
            refused.push(world.answer(&step, Answered::Code(wrong.clone())).refused());
        }
    }
    let judged = refused.iter().filter(|one| **one == Refusal::InvalidCode);
    assert_eq!(judged.count(), 20);
    assert!(matches!(refused[24], Refusal::Throttled { .. }));
    world.sign_in(PASSWORD).granted();
}

#[test]
fn a_code_answers_its_own_attempt_and_purpose() {
    let (mut world, _) = holder();
    let first = world.begin(Purpose::SignIn, 1);
    let of_first = world.code();
    let second = world.begin(Purpose::Recover, 2);
    let of_second = world.code();
    for (step, code) in [(&first, &of_second), (&second, &of_first)] {
        let refused = world.answer(step, Answered::Code(code.clone())).refused();
        assert_eq!(refused, Refusal::InvalidCode);
    }
    // A step that says that it is for another purpose than the code was sent for.
    let mut bent = world.opened(&second);
    bent.continuation.purpose = Purpose::SignIn;
    let refused = world.ask(answer(bent, Answered::Code(of_second)));
    assert_eq!(refused.refused(), Refusal::FlowOver);
    world.answer(&first, Answered::Code(of_first)).granted();
}

#[test]
fn the_newest_code_voids_the_older_and_none_is_sent_too_soon() {
    let (mut world, _) = holder();
    let step = world.begin(Purpose::SignIn, 1);
    let old = world.code();
    world.now += 29_999;
    let soon = stepped(world.answer(&step, Answered::SendCode(Source::Clear)));
    assert_eq!(sent(&soon), CodeSent::Sent { again_ms: 1 });
    assert_eq!(world.mails.len(), 1);
    world.now += 1;
    let again = stepped(world.answer(&soon, Answered::SendCode(Source::Clear)));
    assert_eq!(sent(&again), CodeSent::Sent { again_ms: 60_000 });
    assert_eq!(world.mails.len(), 2);
    let new = world.code();
    let refused = world.answer(&again, Answered::Code(old)).refused();
    assert_eq!(refused, Refusal::InvalidCode);
    // Any step of the attempt will do.
    world.answer(&step, Answered::Code(new)).granted();
}

#[test]
fn a_begin_that_is_repeated_sends_nothing_again() {
    let (mut world, _) = holder();
    world.begin(Purpose::SignIn, 1);
    let step = world.begin(Purpose::SignIn, 1);
    assert_eq!(world.mails.len(), 1);
    let code = world.code();
    world.answer(&step, Answered::Code(code)).granted();
}

#[test]
fn an_address_gets_so_many_codes_an_hour_whoever_asks() {
    let (mut world, _) = holder();
    let told: Vec<_> = (0..7)
        .map(|attempt| sent(&world.begin(Purpose::SignIn, attempt)))
        .collect();
    assert_eq!(told[..5], [CodeSent::Sent { again_ms: 30_000 }; 5]);
    assert!(matches!(told[6], CodeSent::NotYet { wait_ms } if wait_ms > 59 * MINUTE_MS));
    assert_eq!(world.mails.len(), 5);
    // The source has asked for too much: the flow begins all the same.
    world.now += 61 * MINUTE_MS;
    let held = FlowBegin {
        context: world.beginning(Purpose::SignIn, 9),
        by: None,
        source: Source::Held { retry_after_ms: 7 },
    };
    let step = world.step(Command::Flow(FlowCommand::Begin(held.into())));
    assert_eq!(sent(&step), CodeSent::NotYet { wait_ms: 7 });
    assert_eq!(world.mails.len(), 5);
}

#[test]
fn a_code_ends_after_ten_minutes() {
    let (mut world, _) = holder();
    let step = world.begin(Purpose::SignIn, 1);
    let code = world.code();
    world.now += 10 * MINUTE_MS;
    let refused = world.answer(&step, Answered::Code(code)).refused();
    assert_eq!(refused, Refusal::FlowOver);
}

#[test]
fn an_address_that_no_account_has_becomes_a_new_account_s() {
    let mut world = nobody();
    let step = world.begin(Purpose::SignUp, 1);
    assert_eq!(world.templates(), [Template::SignUpCode]);
    let code = Answered::Code(world.code());
    for _ in 0..2 {
        // Also for a repeat, whose first answer was lost.
        let reply = world.answer_with(Some(4), &step, code.clone());
        assert!(matches!(reply, Reply::Flow(FlowReply::Proven)), "{reply:?}");
        world.crash();
    }
    let replay = world.answer(&step, code).refused();
    assert_eq!(replay, Refusal::FlowOver);
    let mut made = World::empty();
    let join = FlowJoin {
        identifier: mail(MAIL),
        proofs: shown_at(world.now),
        remember: Remember::Device,
    };
    let join = || Command::Flow(FlowCommand::Join(join.clone().into()));
    let grant = made.ask_with(Some(4), join()).granted();
    assert_eq!((grant.assurance, grant.methods), (1, 4));
    assert!(grant.device.is_some());
    made.commit();
    let again = made.ask_with(Some(4), join()).granted();
    assert_eq!(again.session, grant.session);
    assert_eq!(made.ask(join()).refused(), Refusal::FlowOver);
    // There is no password to guess.
    let refused = made.sign_in(PASSWORD).refused();
    assert_eq!(refused, Refusal::InvalidCredentials);
}

#[test]
fn a_sign_up_with_an_address_that_an_account_holds_signs_its_holder_in() {
    let (mut world, _) = holder();
    let step = world.begin(Purpose::SignUp, 1);
    assert_eq!(world.templates(), [Template::SignInCode]);
    let code = Answered::Code(world.code());
    world.answer(&step, code).granted();
}

#[test]
fn an_unknown_address_is_told_so_by_mail_alone() {
    for purpose in [Purpose::SignIn, Purpose::Recover] {
        let ((mut known, _), mut unknown) = (holder(), nobody());
        let [told, untold] = [&mut known, &mut unknown].map(|world| world.begin(purpose, 1));
        assert_eq!(told.next, untold.next);
        assert_eq!(told.continuation.len(), untold.continuation.len());
        assert_eq!(unknown.templates(), [Template::NoAccount]);
        let [longer, as_long] = [&known, &unknown].map(|world| world.mails[0].encode().unwrap());
        assert_eq!(longer.len(), as_long.len());
        // Whoever guessed what was drawn for it is not in either.
        let code = unknown.code();
        let wrong = unknown.answer(&untold, Answered::Code(code)).refused();
        assert_eq!(wrong, Refusal::InvalidCode);
    }
}

#[test]
fn the_same_steps_write_as_much_for_a_known_address_as_for_an_unknown_one() {
    let ((mut known, _), mut unknown) = (holder(), nobody());
    let size = |world: &World| {
        let sealed = world.account.parts().unwrap().1;
        let with = |attempts| {
            let sealed = SealedPart {
                attempts,
                ..SealedPart::default()
            };
            let check = CheckPart {
                sessions: Vec::new(),
                ..world.account.parts().unwrap().0.clone()
            };
            unsealed(Format::NEWEST, &check, &sealed).len()
        };
        with(sealed.attempts.clone())
    };
    let [told, untold] = [&mut known, &mut unknown].map(|world| world.begin(Purpose::SignIn, 1));
    assert_eq!(size(&known), size(&unknown));
    for (world, step) in [(&mut known, &told), (&mut unknown, &untold)] {
        let wrong = other_than(&world.code());
        world.answer(step, Answered::Code(wrong)).refused();
    }
    assert_eq!(size(&known), size(&unknown));
    let dues = [&known, &unknown].map(|world| {
        let rows = world.account.agenda(&world.policy).into_iter();
        let of_flows = |row: &crate::AgendaRow| row.what == crate::Due::Attempts;
        rows.filter(of_flows).collect::<Vec<_>>()
    });
    assert_eq!(dues[0], dues[1]);
    assert_eq!(dues[0].len(), 1);
}

#[test]
fn recovery_ends_everything_that_was_there_and_claims_no_more_than_it_is() {
    let (mut world, thief) = holder();
    let before = world.begin(Purpose::SignIn, 7);
    let code_before = world.code();
    world.now += 1;
    let step = world.begin(Purpose::Recover, 1);
    assert_eq!(world.templates().last(), Some(&Template::RecoveryCodeMail));
    let code = world.code();
    // A new password before the address was shown.
    let new = || new_password("a new password");
    let early = world.answer(&step, new()).refused();
    assert_eq!(early, Refusal::FlowOver);
    let shown = stepped(world.answer(&step, Answered::Code(code)));
    assert!(matches!(
        shown.next[..],
        [Next::New {
            method: Method::Password,
            ..
        }]
    ));
    let short = world.answer(&shown, new_password("short")).refused();
    assert_eq!(short, Refusal::PasswordTooShort);
    let grant = world.answer(&shown, new()).granted();
    assert_eq!((grant.assurance, grant.methods), (1, 128 + 4));
    assert_eq!(methods(&world), [128 + 4]);
    let replay = world.answer(&shown, new()).refused();
    assert_eq!(replay, Refusal::FlowOver);
    assert!(world.events.contains(&EventKind::PasswordReplaced));
    assert_eq!(world.templates().last(), Some(&Template::PasswordChanged));
    let gone = world.refresh(&thief).refused();
    assert_eq!(gone, Refusal::InvalidToken);
    assert_eq!(
        world.sign_in(PASSWORD).refused(),
        Refusal::InvalidCredentials
    );
    // What was begun before, by whom ever, goes on no more.
    let over = world.answer(&before, Answered::Code(code_before)).refused();
    assert_eq!(over, Refusal::FlowOver);
    world.sign_in("a new password").granted();
    world.now += 1;
    let after = world.begin(Purpose::SignIn, 8);
    let code = world.code();
    world.answer(&after, Answered::Code(code)).granted();
}

#[test]
fn a_flow_under_way_does_not_outlive_a_recovery_by_attestation() {
    let (mut world, _) = holder();
    let step = world.begin(Purpose::Recover, 1);
    let code = world.code();
    let shown = stepped(world.answer(&step, Answered::Code(code)));
    let attested = verify(MAIL, None, Some("the owner's password"));
    assert!(matches!(world.ask(attested), Reply::Identifier(_)));
    let new = new_password("the thief's password");
    assert_eq!(world.answer(&shown, new).refused(), Refusal::FlowOver);
    world.sign_in("the owner's password").granted();
}

#[test]
fn a_password_takes_the_step_of_its_flow_once() {
    let (mut world, _) = holder();
    let step = world.begin(Purpose::SignIn, 1);
    let wrong = world.answer(&step, new_password("wrong password"));
    assert_eq!(wrong.refused(), Refusal::InvalidCredentials);
    world.answer(&step, new_password(PASSWORD)).granted();
    let replay = world.answer(&step, new_password(PASSWORD)).refused();
    assert_eq!(replay, Refusal::FlowOver);
    // And the code of the same attempt with it.
    let code = world.code();
    let over = world.answer(&step, Answered::Code(code)).refused();
    assert_eq!(over, Refusal::FlowOver);
}

#[test]
fn two_passwords_at_once_take_one_step() {
    let (mut world, _) = holder();
    let step = world.begin(Purpose::SignIn, 1);
    for key in [1, 2] {
        let command = answer(world.opened(&step), new_password(PASSWORD));
        world.send(Some(key), command);
    }
    let told = [world.work(), world.work()];
    let told = told.map(|mut output| output.replies.pop().unwrap().1);
    let [first, second] = told;
    first.granted();
    assert_eq!(second.refused(), Refusal::FlowOver);
}

#[test]
fn a_locked_account_says_so_to_its_holder_alone() {
    let (mut world, _) = holder();
    world.ask(set_status(crate::status::StatusChange::Lock));
    let step = world.begin(Purpose::SignIn, 1);
    let code = world.code();
    let wrong = world
        .answer(&step, Answered::Code(other_than(&code)))
        .refused();
    assert_eq!(wrong, Refusal::InvalidCode);
    let right = world.answer(&step, Answered::Code(code)).refused();
    assert_eq!(right, Refusal::AccountLocked);
}

#[test]
fn an_identifier_that_the_account_lost_meanwhile_opens_nothing() {
    let (mut world, grant) = holder();
    // Shown later than the mail address: a recovery makes it a claim again.
    let number = identifier(IdentifierKind::Phone, 0x42);
    world.ask(super::verifying::claim(&grant, number));
    let step = world.begin(Purpose::SignIn, 1);
    let code = world.code();
    let mut context = world.opened(&step);
    context.identifier = Some(identifier(IdentifierKind::Email, 0x60));
    let refused = world.ask(answer(context, Answered::Code(code)));
    assert_eq!(
        refused.refused(),
        Refusal::Busy { retry_after_ms: 0 },
        "looked up anew"
    );
}

#[test]
fn what_is_over_goes_and_a_decoy_with_it() {
    let ((mut known, _), mut unknown) = (holder(), nobody());
    for world in [&mut known, &mut unknown] {
        world.begin(Purpose::SignIn, 1);
        let rows = world.account.agenda(&world.policy);
        let due = rows.iter().find(|row| row.what == crate::Due::Attempts);
        let due_ms = due.unwrap().due_ms;
        world.now = due_ms - 1;
        world.input(Input::Sweep);
        assert!(!world.account.agenda(&world.policy).is_empty());
        world.now = due_ms;
        world.input(Input::Sweep);
        let rows = world.account.agenda(&world.policy);
        assert!(rows.iter().all(|row| row.what != crate::Due::Attempts));
    }
    assert!(known.account.parts().is_some());
    assert!(unknown.account.parts().is_none());
}
