//! Random lives: whatever happens in whatever order, the invariants hold.

use super::flows::{a_code, answer, begin, code_of, has_code, new_password, shown_at, with_mail};
use super::verifying::{MAIL, claim, identifier, mail, set_up, verify};
use super::*;
use crate::continuation::Purpose;
use crate::flow::{ATTEMPTS_MAX, SENT_TO_MAX};
use crate::record::{DEVICES_MAX, IDENTIFIERS_MAX, OUTCOMES_MAX, SESSIONS_MAX, SUCCESSORS_MAX};
use crate::{Answered, FlowCommand, FlowJoin, FlowReply};
use crate::{CredentialCommand, DeviceId, IdentifierCommand, LifecycleCommand, SessionCommand};
use crate::{CredentialReply, SessionReply};
use proptest::prelude::*;

/// Which account is there when a life begins.
#[derive(Clone, Copy, Debug)]
enum Start {
    Nobody,
    /// With a session, a user name and a mail address that is claimed.
    SignedIn,
}

const STARTS: &[Start] = &[Start::Nobody, Start::SignedIn];

/// What is presented with an identifier.
const PASSWORDS: &[Option<&str>] = &[None, Some(PASSWORD), Some("wrong password")];

#[derive(Clone, Debug)]
enum Act {
    Ask(Drawn),
    Work,
    Lose,
    Wait(u64),
    Late(u64),
    Crash,
}

/// A command. Whose tokens it carries is decided when it is sent: a number
/// stands for one of the grants handed out until then.
#[derive(Clone, Debug)]
enum Drawn {
    SignUp,
    SignIn {
        right: bool,
        device: bool,
        key: Option<u8>,
    },
    Refresh(usize),
    Revoke(usize, u8),
    Sessions(usize),
    Devices(usize),
    ForgetDevice(usize),
    Credentials(usize),
    RemoveCredential(usize, u16),
    Status(u8),
    Erase,
    Claim(usize, u8),
    VerifyBySession(usize, u8),
    /// With this password, or with none.
    Attest(Option<&'static str>, u8),
    Begin(Purpose, u8),
    /// With the code of the last mail but so many.
    Code(Purpose, u8, usize),
    SendCode(Purpose, u8),
    NewPassword(u8),
    Join,
}

const PURPOSES: &[Purpose] = &[Purpose::SignIn, Purpose::SignUp, Purpose::Recover];

fn grant() -> impl Strategy<Value = usize> {
    any::<prop::sample::Index>().prop_map(|index| index.index(1000))
}

/// One of the mail addresses: that of the start, and as many others as make the
/// list of identifiers full.
fn address() -> impl Strategy<Value = u8> {
    MAIL..MAIL + 10
}

/// Few are erased, or nothing would come of most lives.
fn drawn() -> impl Strategy<Value = Drawn> {
    let sign_ins = (any::<bool>(), any::<bool>(), prop::option::of(0u8..6))
        .prop_map(|(right, device, key)| Drawn::SignIn { right, device, key });
    let verifications = prop_oneof![
        (grant(), address()).prop_map(|(grant, fill)| Drawn::VerifyBySession(grant, fill)),
        (prop::sample::select(PASSWORDS), address())
            .prop_map(|(password, fill)| Drawn::Attest(password, fill)),
    ];
    let attempt = || (prop::sample::select(PURPOSES), 0u8..8);
    let flows = prop_oneof![
        4 => attempt().prop_map(|(purpose, attempt)| Drawn::Begin(purpose, attempt)),
        6 => (attempt(), 0usize..3)
            .prop_map(|((purpose, attempt), back)| Drawn::Code(purpose, attempt, back)),
        1 => attempt().prop_map(|(purpose, attempt)| Drawn::SendCode(purpose, attempt)),
        1 => (0u8..8).prop_map(Drawn::NewPassword),
        1 => Just(Drawn::Join),
    ];
    let lists = prop_oneof![
        2 => grant().prop_map(Drawn::Sessions),
        1 => grant().prop_map(Drawn::Devices),
        1 => grant().prop_map(Drawn::ForgetDevice),
        1 => grant().prop_map(Drawn::Credentials),
        1 => (grant(), 0..2u16).prop_map(|(n, number)| Drawn::RemoveCredential(n, number)),
    ];
    prop_oneof![
        1 => Just(Drawn::SignUp),
        12 => sign_ins,
        12 => grant().prop_map(Drawn::Refresh),
        4 => (grant(), 0u8..4).prop_map(|(grant, scope)| Drawn::Revoke(grant, scope)),
        4 => lists,
        3 => (0u8..4).prop_map(Drawn::Status),
        1 => Just(Drawn::Erase),
        6 => (grant(), address()).prop_map(|(grant, fill)| Drawn::Claim(grant, fill)),
        8 => verifications,
        16 => flows,
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => drawn().prop_map(Act::Ask),
        6 => Just(Act::Work),
        1 => Just(Act::Lose),
        3 => (0u64..100_000).prop_map(Act::Wait),
        1 => (0u64..100_000).prop_map(Act::Late),
        1 => Just(Act::Crash),
    ]
}

/// The commands by their names. A new one is drawn as the others are.
const COMMANDS: [&str; 16] = [
    "sign up",
    "sign in",
    "refresh",
    "revoke",
    "sessions",
    "devices",
    "forget device",
    "set status",
    "erase",
    "claim",
    "verify",
    "begin",
    "answer",
    "join",
    "list credentials",
    "remove credential",
];

fn name(command: &Command) -> &'static str {
    match command {
        Command::Credential(CredentialCommand::SignUp(_)) => "sign up",
        Command::Credential(CredentialCommand::SignIn(_)) => "sign in",
        Command::Session(SessionCommand::Refresh { .. }) => "refresh",
        Command::Session(SessionCommand::Revoke { .. }) => "revoke",
        Command::Session(SessionCommand::Sessions { .. }) => "sessions",
        Command::Session(SessionCommand::Devices { .. }) => "devices",
        Command::Session(SessionCommand::ForgetDevice { .. }) => "forget device",
        Command::Lifecycle(LifecycleCommand::SetStatus { .. }) => "set status",
        Command::Lifecycle(LifecycleCommand::Erase { .. }) => "erase",
        Command::Identifier(IdentifierCommand::Claim { .. }) => "claim",
        Command::Identifier(IdentifierCommand::Attest(_)) => "verify",
        Command::Flow(FlowCommand::Begin(_)) => "begin",
        Command::Flow(FlowCommand::Answer(_)) => "answer",
        Command::Flow(FlowCommand::Join(_)) => "join",
        Command::Credential(CredentialCommand::List { .. }) => "list credentials",
        Command::Credential(CredentialCommand::Remove { .. }) => "remove credential",
    }
}

/// The command, and what tells its repeats; none while no tokens were handed
/// out that it could carry.
fn command(
    drawn: &Drawn,
    world: &World,
    grants: &[Grant],
) -> Option<(Option<Idempotency>, Command)> {
    let pick = |n: usize| (!grants.is_empty()).then(|| &grants[n % grants.len().max(1)]);
    let command = match drawn {
        Drawn::SignUp => Command::Credential(CredentialCommand::SignUp(SignUp {
            identifiers: [identifier(IdentifierKind::Username, 0x55), mail(MAIL)].into(),
            password: Password::parse(PASSWORD).unwrap(),
        })),
        Drawn::SignIn { right, device, key } => {
            let password = if *right { PASSWORD } else { "wrong password" };
            let known = grants.iter().find_map(|grant| grant.device.clone());
            let device = known.filter(|_| *device);
            let mut request = [0; 32];
            request[0] = u8::from(*right);
            let idempotency = key.map(|key| Idempotency {
                key: [key; 16],
                request,
            });
            let command = sign_in(password, device, Remember::Device);
            return Some((idempotency, command));
        }
        Drawn::Refresh(n) => refresh(pick(*n)?),
        Drawn::Revoke(n, scope) => {
            let by = pick(*n)?;
            let scopes = [
                RevokeScope::This,
                RevokeScope::One(grants[0].session),
                RevokeScope::Others,
                RevokeScope::All,
            ];
            Command::Session(SessionCommand::Revoke {
                by: proof(by),
                scope: scopes[usize::from(*scope)],
            })
        }
        Drawn::Sessions(n) => Command::Session(SessionCommand::Sessions {
            by: proof(pick(*n)?),
        }),
        Drawn::Devices(n) => Command::Session(SessionCommand::Devices {
            by: proof(pick(*n)?),
        }),
        Drawn::Credentials(n) => Command::Credential(CredentialCommand::List {
            by: proof(pick(*n)?),
        }),
        Drawn::RemoveCredential(n, number) => Command::Credential(CredentialCommand::Remove {
            by: proof(pick(*n)?),
            method: match number {
                0 => crate::assurance::Method::Password,
                _ => crate::assurance::Method::Passkey,
            },
            number: *number,
        }),
        Drawn::ForgetDevice(n) => Command::Session(SessionCommand::ForgetDevice {
            by: proof(pick(*n)?),
            device: grants
                .iter()
                .find_map(|grant| grant.device.as_ref())
                .map_or(DeviceId(7), |device| device.id),
        }),
        Drawn::Status(n) => {
            let changes = [
                StatusChange::Lock,
                StatusChange::Unlock,
                StatusChange::Suspend,
                StatusChange::Reinstate,
            ];
            set_status(changes[usize::from(*n)])
        }
        Drawn::Erase => Command::Lifecycle(LifecycleCommand::Erase {
            by: Administrator("office".into()),
        }),
        Drawn::Claim(n, fill) => claim(pick(*n)?, mail(*fill)),
        Drawn::VerifyBySession(n, fill) => verify(*fill, Some(pick(*n)?), None),
        Drawn::Attest(password, fill) => verify(*fill, None, *password),
        Drawn::Begin(purpose, attempt) => begin(world.beginning(*purpose, *attempt)),
        Drawn::Code(purpose, attempt, back) => {
            let mut mails = world.mails.iter().rev().filter(|mail| has_code(mail));
            let code = mails.nth(*back).map(code_of)?;
            answer(world.beginning(*purpose, *attempt), Answered::Code(code))
        }
        Drawn::SendCode(purpose, attempt) => {
            let context = world.beginning(*purpose, *attempt);
            answer(context, Answered::SendCode(Source::Clear))
        }
        Drawn::NewPassword(attempt) => {
            let mut context = world.beginning(Purpose::Recover, *attempt);
            context.continuation.step = 1;
            context.continuation.proofs = shown_at(world.now);
            answer(context, new_password(PASSWORD))
        }
        Drawn::Join => Command::Flow(FlowCommand::Join(
            FlowJoin {
                identifier: mail(MAIL),
                proofs: shown_at(world.now),
                remember: Remember::Device,
            }
            .into(),
        )),
    };
    Some((None, command))
}

/// Plays one act; the grants given out by it.
fn play(world: &mut World, act: &Act, grants: &[Grant]) -> Vec<Grant> {
    let output = match act {
        Act::Ask(drawn) => match command(drawn, world, grants) {
            Some((idempotency, command)) => world.send_with(idempotency, command),
            None => Output::default(),
        },
        Act::Work if !world.waiting.is_empty() => world.work(),
        Act::Lose if !world.waiting.is_empty() => {
            let pending = world.waiting.remove(0).pending();
            let completion = Completion::Refused { retry_after_ms: 9 };
            let mut output = world.input(Input::Completion {
                pending,
                completion,
            });
            world.waiting.append(&mut output.effects);
            output
        }
        Act::Wait(ms) => {
            world.now += ms;
            Output::default()
        }
        Act::Late(ms) => {
            let late = Late {
                since: world.now - ms,
                landed: world.now,
            };
            world.input(Input::Late(late))
        }
        Act::Crash => {
            world.crash();
            Output::default()
        }
        Act::Work | Act::Lose => Output::default(),
    };
    let granted = output
        .replies
        .into_iter()
        .filter_map(|(_, reply)| match reply {
            Reply::Credential(CredentialReply::SignedIn(grant))
            | Reply::Flow(FlowReply::Granted(grant))
            | Reply::Session(SessionReply::Refreshed(grant)) => Some(grant),
            _ => None,
        });
    granted.collect()
}

/// Whatever the account holds is the same after it was written and read, in
/// whichever format. (Of a directory of regions, which format 1 cannot hold,
/// these lives know nothing.)
fn is_told_by_every_format(world: &World) -> Result<(), TestCaseError> {
    let Some((check, sealed)) = world.account.parts() else {
        return Ok(());
    };
    let formats: &[Format] = match sealed.attempts.is_empty() {
        true => &[Format::V1, Format::V2, Format::V3],
        // Flows are not begun before format 3 may hold them.
        false => &[Format::V3],
    };
    for format in formats.iter().copied() {
        let bytes = unsealed(format, check, sealed);
        let view = View::new(&bytes).unwrap();
        let read = view.read(view.sealed());
        prop_assert_eq!(read, Ok((check.clone(), sealed.clone())));
    }
    Ok(())
}

fn holds(world: &World) -> Result<(), TestCaseError> {
    let Some((check, sealed)) = world.account.parts() else {
        return Ok(());
    };
    prop_assert!(check.sessions.len() <= SESSIONS_MAX);
    prop_assert!(sealed.identifiers.len() <= IDENTIFIERS_MAX);
    let rotated = check.sessions.iter().filter_map(|one| one.rotated.as_ref());
    let successors = rotated
        .filter(|rotated| rotated.successor.is_some())
        .count();
    prop_assert!(successors <= SUCCESSORS_MAX);
    prop_assert!(sealed.devices.len() <= DEVICES_MAX);
    prop_assert!(sealed.outcomes.len() <= OUTCOMES_MAX);
    prop_assert!(sealed.attempts.rows.len() <= ATTEMPTS_MAX);
    prop_assert!(sealed.attempts.sends.len() <= SENT_TO_MAX);
    for lane in sealed
        .devices
        .iter()
        .map(|d| &d.guesses)
        .chain([&sealed.unknown_device])
    {
        prop_assert!(lane.failed_at <= world.now);
    }
    let mut ids: Vec<_> = check.sessions.iter().map(|session| session.id).collect();
    ids.sort_unstable();
    ids.dedup();
    prop_assert_eq!(ids.len(), check.sessions.len());
    Ok(())
}

fn begun(start: Start) -> (World, Vec<Grant>) {
    match start {
        Start::Nobody => (with_mail(World::empty()), Vec::new()),
        Start::SignedIn => {
            let (world, grant) = set_up(PASSWORD, MAIL);
            (with_mail(world), std::vec![grant])
        }
    }
}

#[test]
fn lives_are_drawn_from_every_command() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut world, grants) = begun(Start::SignedIn);
    world.mails.push(a_code());
    let mut seen = BTreeSet::new();
    for _ in 0..1_000 {
        let drawn = drawn().new_tree(&mut runner).unwrap().current();
        if matches!(drawn, Drawn::Code(_, _, 1..)) {
            continue;
        }
        let (_, command) = command(&drawn, &world, &grants).unwrap();
        seen.insert(name(&command));
    }
    assert_eq!(seen, BTreeSet::from(COMMANDS));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn random_lives_keep_the_invariants(
        start in prop::sample::select(STARTS),
        acts in prop::collection::vec(act(), 1..120),
    ) {
        let (mut world, mut grants) = begun(start);
        for act in &acts {
            let under_way = world.waiting.len();
            let given = play(&mut world, act, &grants);
            holds(&world)?;
            is_told_by_every_format(&world)?;
            // No caller gets in by anything but a verified password or a token
            // given out.
            let honest = match act {
                Act::Work
                | Act::Ask(
                    Drawn::Refresh(_) | Drawn::SignIn { .. } | Drawn::Code(..) | Drawn::Join,
                ) => true,
                Act::Ask(_) | Act::Lose | Act::Wait(_) | Act::Late(_) | Act::Crash => false,
            };
            prop_assert!(given.is_empty() || honest && world.account.parts().is_some());
            // One command asks for one piece of work. What is known of one that
            // is over may admit as many as may be under way at once.
            let more = match act {
                Act::Work | Act::Lose => usize::from(world.policy.guess.free),
                Act::Ask(_) | Act::Wait(_) | Act::Late(_) | Act::Crash => 1,
            };
            prop_assert!(world.waiting.len() <= under_way + more);
            grants.extend(given);
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_state(
        start in prop::sample::select(STARTS),
        acts in prop::collection::vec(act(), 1..60),
    ) {
        let live = || {
            let (mut world, mut grants) = begun(start);
            for act in &acts {
                let given = play(&mut world, act, &grants);
                grants.extend(given);
            }
            let parts = world.account.parts();
            let parts = parts.map(|(check, sealed)| (check.clone(), sealed.clone()));
            (parts, world.account.erased.clone(), world.events)
        };
        prop_assert!(live() == live());
    }

    #[test]
    fn a_successor_is_given_to_one_generation_only(order in prop::collection::vec(0usize..4, 1..40)) {
        let (mut world, first) = World::signed_in();
        let mut chain = std::vec![first];
        for back in order {
            let place = chain.len().saturating_sub(1 + back);
            let presented = chain[place].clone();
            match world.refresh(&presented) {
                Reply::Session(SessionReply::Refreshed(grant)) if place + 1 == chain.len() => chain.push(grant),
                Reply::Session(SessionReply::Refreshed(grant)) => {
                    prop_assert_eq!(place + 2, chain.len());
                    prop_assert!(grant.refresh.matches(&chain[place + 1].refresh));
                }
                Reply::No(Refusal::RefreshReused) => {
                    prop_assert!(place + 2 < chain.len());
                    break;
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
