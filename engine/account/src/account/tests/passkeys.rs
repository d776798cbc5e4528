//! Passkeys, authenticator apps and recovery codes: added, shown, asked for beside
//! another factor, and gone after a recovery.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::string::ToString;

use super::flows::{browser, keys, new_password, stepped, with_mail};
use super::verifying::{MAIL, mail, set_up, verify};
use super::*;
use crate::assurance::{Method, Proofs};
use crate::continuation::{AttemptId, BrowserHash, Continuation, Presenter, Purpose};
use crate::credential::code::Code;
use crate::credential::held::PasskeyName;
use crate::credential::passkey::{
    AuthenticationResponse, Framing, RegistrationResponse, RelyingParty, UserVerification,
};
use crate::credential::recovery::RecoveryCode;
use crate::policy::PasskeyPolicy;
use crate::{
    Answered, FlowAnswer, FlowBegin, FlowCommand, FlowContext, FlowStep, Next, PartsWanted,
};

const ORIGIN: &str = "https://login.example.com";

/// What holds passkeys: one of Ed25519, made of a seed.
pub(super) struct Authenticator {
    pair: Ed25519KeyPair,
    id: [u8; 16],
    handle: Vec<u8>,
    pub(super) count: u32,
    /// The flags of the next answer: user present 1, user verified 4.
    pub(super) flags: u8,
    pub(super) origin: &'static str,
}

fn b64(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

impl Authenticator {
    pub(super) fn new(seed: u8) -> Authenticator {
        Authenticator {
            pair: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(),
            id: [seed; 16],
            handle: Vec::new(),
            count: 0,
            flags: 0b101,
            origin: ORIGIN,
        }
    }

    fn client_data(&self, ceremony: &str, options: &Value) -> Vec<u8> {
        let data = json!({
            "type": ceremony,
            "challenge": options["challenge"],
            "origin": self.origin,
        });
        data.to_string().into_bytes()
    }

    fn data(&self, rp_id: &str, flags: u8) -> Vec<u8> {
        let hash: [u8; 32] = Sha256::digest(rp_id.as_bytes()).into();
        [&hash[..], &[flags], &self.count.to_be_bytes()].concat()
    }

    /// Answers creation options.
    pub(super) fn make(&mut self, options: &Value) -> String {
        let handle = options["user"]["id"].as_str().unwrap();
        self.handle = BASE64URL_NOPAD.decode(handle.as_bytes()).unwrap();
        let cose = [
            &[0xA4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20][..],
            self.pair.public_key().as_ref(),
        ]
        .concat();
        let rp_id = options["rp"]["id"].as_str().unwrap();
        let data = [
            self.data(rp_id, self.flags | 0x40),
            [0; 16].into(),
            [0, 16].into(),
            self.id.into(),
            cose,
        ]
        .concat();
        let length = u8::try_from(data.len()).unwrap();
        let object = [
            &[0xA3, 0x63][..],
            b"fmt\x64none\x67attStmt\xA0\x68authData",
            &[0x58, length],
            &data,
        ]
        .concat();
        let answer = json!({
            "id": b64(&self.id),
            "rawId": b64(&self.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": b64(&self.client_data("webauthn.create", options)),
                "attestationObject": b64(&object),
                "transports": ["internal"],
            },
        });
        answer.to_string()
    }

    /// Answers request options.
    pub(super) fn sign(&self, options: &Value) -> String {
        let client_data = self.client_data("webauthn.get", options);
        let rp_id = options["rpId"].as_str().unwrap();
        let data = self.data(rp_id, self.flags);
        let hash: [u8; 32] = Sha256::digest(&client_data).into();
        let signature = self.pair.sign(&[&data[..], &hash].concat());
        let answer = json!({
            "id": b64(&self.id),
            "rawId": b64(&self.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": b64(&client_data),
                "authenticatorData": b64(&data),
                "signature": b64(signature.as_ref()),
                "userHandle": b64(&self.handle),
            },
        });
        answer.to_string()
    }
}

fn with_passkeys(mut world: World) -> World {
    world.policy.passkeys = Some(PasskeyPolicy {
        rp: RelyingParty {
            id: "example.com".into(),
            origins: [ORIGIN.into()].into(),
            framing: Framing::Forbidden,
        },
        name: "Shop".into(),
        user_verification: UserVerification::Preferred,
    });
    world
}

/// An account that holds a mail address, has a password, and a session.
fn holder() -> (World, Grant) {
    let (mut world, grant) = set_up(PASSWORD, MAIL);
    world.ask(verify(MAIL, Some(&grant), None));
    (with_passkeys(with_mail(world)), grant)
}

/// How a flow begins.
#[derive(Clone, Copy)]
enum By<'a> {
    Mail,
    Nobody,
    Session(&'a Grant),
}

impl World {
    fn continuation(&self, purpose: Purpose, attempt: u8, by: By<'_>) -> Continuation {
        Continuation {
            purpose,
            tenant: TENANT,
            subject: self.account.user,
            attempt: AttemptId::from_bytes([attempt; 16]),
            identifier: match by {
                By::Mail => Some(mail(MAIL).identifier),
                By::Nobody | By::Session(_) => None,
            },
            proofs: Proofs::default(),
            step: 0,
            issued_ms: self.now,
            expires_ms: self.now + self.policy.flow.lifetime_ms,
            browser: BrowserHash::of(&browser()),
            session: match by {
                By::Session(grant) => Some(grant.session),
                By::Mail | By::Nobody => None,
            },
        }
    }

    fn began(&mut self, purpose: Purpose, attempt: u8, by: By<'_>) -> Reply {
        let begin = FlowBegin {
            context: context(self.continuation(purpose, attempt, by)),
            by: match by {
                By::Session(grant) => Some(SessionProof {
                    session: grant.session,
                    secret: crate::refresh::session_secret(&grant.family),
                }),
                By::Mail | By::Nobody => None,
            },
            source: Source::Clear,
        };
        self.ask(Command::Flow(FlowCommand::Begin(begin.into())))
    }

    fn shown(&mut self, step: &FlowStep, answered: Answered) -> Reply {
        let (key, browser) = (keys().seal, browser());
        let presenter = Presenter {
            tenant: TENANT,
            browser: &browser,
            now_ms: self.now,
        };
        let opened = Continuation::open(&step.continuation, &key, &presenter).unwrap();
        let answer = FlowAnswer {
            context: context(opened),
            answered,
            device: None,
            remember: Remember::Nothing,
        };
        self.ask(Command::Flow(FlowCommand::Answer(answer.into())))
    }

    /// Adds a passkey; the session after it.
    fn add(&mut self, attempt: u8, by: &Grant, authenticator: &mut Authenticator) -> Grant {
        // No two flows end in the same moment.
        self.now += 1;
        let step = stepped(self.began(Purpose::Add, attempt, By::Session(by)));
        let made = made(&authenticator.make(&options(&step, Method::Passkey)));
        self.shown(&step, made).granted()
    }

    fn sign_in_by(&mut self, attempt: u8, by: By<'_>, authenticator: &Authenticator) -> Reply {
        let step = stepped(self.began(Purpose::SignIn, attempt, by));
        let shown = signed(&authenticator.sign(&options(&step, Method::Passkey)));
        self.shown(&step, shown)
    }
}

fn context(continuation: Continuation) -> FlowContext {
    FlowContext {
        identifier: continuation.identifier.is_some().then(|| mail(MAIL)),
        continuation,
        language: String::new(),
        keys: keys(),
        parts: PartsWanted::Passkeys,
    }
}

fn options(step: &FlowStep, method: Method) -> Value {
    let mut all = step.next.iter().filter_map(|next| match next {
        Next::Passkey(options) if method == Method::Passkey => Some(options),
        Next::New {
            method: of,
            options,
        } if *of == method => Some(options),
        Next::Passkey(_) | Next::New { .. } | Next::Secret(_) | Next::Code { .. } => None,
    });
    serde_json::from_str(all.next().unwrap()).unwrap()
}

fn offered(step: &FlowStep) -> Vec<Method> {
    let method = |next: &Next| match next {
        Next::Secret(method) | Next::New { method, .. } | Next::Code { method, .. } => *method,
        Next::Passkey(_) => Method::Passkey,
    };
    step.next.iter().map(method).collect()
}

fn made(json: &str) -> Answered {
    Answered::NewPasskey {
        response: RegistrationResponse::parse(json.as_bytes()).unwrap().into(),
        name: PasskeyName::new("Ada's phone"),
    }
}

fn signed(json: &str) -> Answered {
    Answered::Passkey(
        AuthenticationResponse::parse(json.as_bytes())
            .unwrap()
            .into(),
    )
}

/// The code that an app shows for a secret.
fn app_code(options: &Value, now_ms: u64) -> Code {
    let secret = options["secret"].as_str().unwrap();
    let secret = data_encoding::BASE32_NOPAD
        .decode(secret.as_bytes())
        .unwrap();
    let secret: [u8; 20] = secret.try_into().unwrap();
    let app = totp_rs::Builder::new()
        .with_algorithm(totp_rs::Algorithm::SHA1)
        .with_secret(secret)
        .build_noncompliant();
    Code::parse(&app.generate(now_ms / 1_000).to_string()).unwrap()
}

#[test]
fn a_passkey_is_added_by_a_session_and_signs_in_with_and_without_a_name() {
    let (mut world, grant) = holder();
    let mut phone = Authenticator::new(1);
    let after = world.add(1, &grant, &mut phone);
    // The session before it ended, and the new one is as sure as it was.
    assert_eq!(world.refresh(&grant).refused(), Refusal::InvalidToken);
    assert_eq!((after.assurance, after.methods), (1, 1));
    assert!(world.events.contains(&EventKind::CredentialAdded(2)));
    world.crash();
    phone.count = 1;
    let named = world.sign_in_by(2, By::Mail, &phone).granted();
    assert_eq!((named.assurance, named.methods), (2, 2));
    phone.count = 2;
    let nobody = world.sign_in_by(3, By::Nobody, &phone).granted();
    assert_eq!((nobody.assurance, nobody.user), (2, grant.user));
    // Who touched it and was not verified is as sure as one factor.
    phone.flags = 1;
    phone.count = 3;
    let touched = world.sign_in_by(4, By::Nobody, &phone).granted();
    assert_eq!((touched.assurance, touched.methods), (1, 2));
    // A counter that goes back is told, and lets its person in.
    phone.count = 1;
    world.sign_in_by(5, By::Mail, &phone).granted();
    assert!(world.events.contains(&EventKind::PasskeyCountRegressed(1)));
}

#[test]
fn an_assertion_is_taken_once_and_for_its_own_challenge_and_account_alone() {
    let (mut world, grant) = holder();
    let mut phone = Authenticator::new(1);
    world.add(1, &grant, &mut phone);
    let step = stepped(world.began(Purpose::SignIn, 2, By::Nobody));
    let asked = options(&step, Method::Passkey);
    let answer = phone.sign(&asked);
    world.shown(&step, signed(&answer)).granted();
    let replay = world.shown(&step, signed(&answer)).refused();
    assert_eq!(replay, Refusal::FlowOver);
    let other = stepped(world.began(Purpose::SignIn, 3, By::Nobody));
    let foreign = world.shown(&other, signed(&answer)).refused();
    assert_eq!(foreign, Refusal::InvalidPasskey);
    // Another key, another page, another account, a touch that there was not.
    let mut thief = Authenticator::new(2);
    thief.id = phone.id;
    thief.handle.clone_from(&phone.handle);
    let asked = options(&other, Method::Passkey);
    let answer = thief.sign(&asked);
    let refused = world.shown(&other, signed(&answer)).refused();
    assert_eq!(refused, Refusal::InvalidPasskey);
    let wrongs: [fn(&mut Authenticator); 4] = [
        |phone| phone.origin = "https://login.example.org",
        |phone| phone.handle = [9; 16].into(),
        |phone| phone.flags = 0b100,
        |phone| phone.id = [7; 16],
    ];
    for wrong in wrongs {
        let mut bent = Authenticator::new(1);
        bent.handle.clone_from(&phone.handle);
        wrong(&mut bent);
        let answer = bent.sign(&asked);
        let refused = world.shown(&other, signed(&answer)).refused();
        assert_eq!(refused, Refusal::InvalidPasskey);
    }
    // None of it cost the person anything.
    let answer = phone.sign(&asked);
    world.shown(&other, signed(&answer)).granted();
}

#[test]
fn a_known_address_and_an_unknown_one_are_asked_for_passkeys_alike() {
    let (mut known, grant) = holder();
    known.add(1, &grant, &mut Authenticator::new(1));
    let mut unknown = with_passkeys(with_mail(World::empty()));
    let told = [&mut known, &mut unknown].map(|world| {
        let step = stepped(world.began(Purpose::SignIn, 2, By::Mail));
        let mut options = options(&step, Method::Passkey);
        assert_eq!(options.get("allowCredentials"), None);
        options["challenge"] = Value::Null;
        (offered(&step), options)
    });
    assert_eq!(told[0], told[1]);
    let step = stepped(known.began(Purpose::SignIn, 4, By::Nobody));
    assert_eq!(offered(&step), [Method::Passkey]);
    let nobody = options(&step, Method::Passkey);
    assert_eq!(nobody.get("allowCredentials"), None);
}

#[test]
fn an_app_is_enrolled_by_a_code_and_asked_for_from_then_on() {
    let (mut world, grant) = holder();
    let step = stepped(world.began(Purpose::Add, 1, By::Session(&grant)));
    assert_eq!(
        offered(&step),
        [Method::Passkey, Method::Totp, Method::RecoveryCode]
    );
    let secret = options(&step, Method::Totp);
    let url = secret["url"].as_str().unwrap();
    assert!(url.starts_with("otpauth://totp/Shop:Shop?secret="), "{url}");
    let code = app_code(&secret, world.now);
    let wrong = Code::parse(match code.expose() {
        "000000" => "000001",
        _ => "000000",
    });
    let refused = world.shown(&step, Answered::Totp(wrong.unwrap())).refused();
    assert_eq!(refused, Refusal::InvalidCode);
    let grant = world.shown(&step, Answered::Totp(code.clone())).granted();
    world.crash();
    // The password alone is not enough any more, at the short door as well.
    let short = world.sign_in(PASSWORD).refused();
    assert_eq!(short, Refusal::SecondFactorNeeded);
    let step = stepped(world.began(Purpose::SignIn, 2, By::Mail));
    let step = stepped(world.shown(&step, new_password(PASSWORD)));
    assert_eq!(offered(&step), [Method::Totp]);
    // The step of the enrolment is spent.
    let spent = world.shown(&step, Answered::Totp(code)).refused();
    assert_eq!(spent, Refusal::InvalidCode);
    world.now += 60_000;
    let code = app_code(&secret, world.now);
    let second = world.shown(&step, Answered::Totp(code.clone())).granted();
    assert_eq!((second.assurance, second.methods), (2, 32 + 1));
    // The same code in the same window, in another flow.
    let step = stepped(world.began(Purpose::SignIn, 3, By::Mail));
    let step = stepped(world.shown(&step, new_password(PASSWORD)));
    let twice = world.shown(&step, Answered::Totp(code)).refused();
    assert_eq!(twice, Refusal::InvalidCode);
    // A session steps up by what its account has.
    world.now += 60_000;
    let step = stepped(world.began(Purpose::StepUp, 4, By::Session(&grant)));
    assert_eq!(offered(&step), [Method::Password, Method::Totp]);
    let code = app_code(&secret, world.now);
    let step = stepped(world.shown(&step, Answered::Totp(code)));
    assert_eq!(offered(&step), [Method::Password]);
    let raised = world.shown(&step, new_password(PASSWORD)).granted();
    assert_eq!((raised.assurance, raised.methods), (2, 32 + 1));
    assert_eq!(world.refresh(&grant).refused(), Refusal::InvalidToken);
}

#[test]
fn wrong_codes_of_an_app_hold_off_the_app_and_nothing_else() {
    let (mut world, grant) = holder();
    let step = stepped(world.began(Purpose::Add, 1, By::Session(&grant)));
    let secret = options(&step, Method::Totp);
    let code = app_code(&secret, world.now);
    world.shown(&step, Answered::Totp(code)).granted();
    let step = stepped(world.began(Purpose::SignIn, 2, By::Mail));
    let step = stepped(world.shown(&step, new_password(PASSWORD)));
    world.now += 60_000;
    let right = app_code(&secret, world.now);
    let wrong = match right.expose() {
        "000000" => Code::parse("000001").unwrap(),
        _ => Code::parse("000000").unwrap(),
    };
    for _ in 0..5 {
        let refused = world.shown(&step, Answered::Totp(wrong.clone())).refused();
        assert_eq!(refused, Refusal::InvalidCode);
    }
    world.crash();
    let held = world.shown(&step, Answered::Totp(right)).refused();
    assert!(matches!(held, Refusal::Throttled { .. }), "{held:?}");
    // The password is judged as ever.
    let step = stepped(world.began(Purpose::SignIn, 3, By::Mail));
    let wrong = world.shown(&step, new_password("wrong password")).refused();
    assert_eq!(wrong, Refusal::InvalidCredentials);
    let next = stepped(world.shown(&step, new_password(PASSWORD)));
    assert_eq!(offered(&next), [Method::Totp]);
}

#[test]
fn recovery_codes_are_shown_once_kept_when_one_comes_back_and_used_once() {
    let (mut world, grant) = holder();
    let step = stepped(world.began(Purpose::Add, 1, By::Session(&grant)));
    let secret = options(&step, Method::Totp);
    let code = app_code(&secret, world.now);
    let grant = world.shown(&step, Answered::Totp(code)).granted();
    let step = stepped(world.began(Purpose::Add, 2, By::Session(&grant)));
    // An account with an app wants it shown before anything is added.
    assert_eq!(offered(&step), [Method::Totp]);
    world.now += 60_000;
    let code = app_code(&secret, world.now);
    let step = stepped(world.shown(&step, Answered::Totp(code)));
    let codes = options(&step, Method::RecoveryCode);
    let codes: Vec<_> = codes["codes"].as_array().unwrap().iter().collect();
    let code = |n: usize| RecoveryCode::parse(codes[n].as_str().unwrap()).unwrap();
    assert_eq!(codes.len(), 10);
    let foreign = RecoveryCode::parse("0000-0000-0000-0000-0000-0000").unwrap();
    let refused = world
        .shown(&step, Answered::RecoveryCode(foreign))
        .refused();
    assert_eq!(refused, Refusal::InvalidCode);
    world
        .shown(&step, Answered::RecoveryCode(code(3)))
        .granted();
    world.crash();
    for (attempt, n, taken) in [(3, 3, true), (4, 3, false), (5, 9, true)] {
        let step = stepped(world.began(Purpose::SignIn, attempt, By::Mail));
        let step = stepped(world.shown(&step, new_password(PASSWORD)));
        assert_eq!(offered(&step), [Method::Totp, Method::RecoveryCode]);
        let shown = world.shown(&step, Answered::RecoveryCode(code(n)));
        match taken {
            // It recovers, and claims no more.
            true => assert_eq!(shown.granted().assurance, 1),
            false => assert_eq!(shown.refused(), Refusal::InvalidCode),
        }
    }
}

#[test]
fn what_a_thief_added_does_not_outlive_the_owners_recovery() {
    let (mut world, stolen) = holder();
    let mut thief = Authenticator::new(6);
    world.add(1, &stolen, &mut thief);
    assert_eq!(world.parts.len(), 1);
    let step = stepped(world.began(Purpose::Recover, 2, By::Mail));
    let sent = world.mails.last().unwrap();
    let code = super::flows::code_of(sent);
    let step = stepped(world.shown(&step, Answered::Code(code)));
    world
        .shown(&step, new_password("the owner's password"))
        .granted();
    assert!(world.parts.is_empty(), "{:?}", world.parts);
    assert!(world.events.contains(&EventKind::CredentialRemoved(2)));
    world.now += 1;
    let step = stepped(world.began(Purpose::SignIn, 3, By::Nobody));
    let answer = thief.sign(&options(&step, Method::Passkey));
    let refused = world.shown(&step, signed(&answer)).refused();
    assert_eq!(refused, Refusal::InvalidPasskey);
}

#[test]
fn an_old_session_proves_before_it_adds_and_an_ended_one_adds_nothing() {
    let (mut world, grant) = holder();
    let fresh = stepped(world.began(Purpose::Add, 1, By::Session(&grant)));
    let secret = options(&fresh, Method::Totp);
    world.now += world.policy.session.fresh_ms + 1;
    let old = stepped(world.began(Purpose::Add, 2, By::Session(&grant)));
    assert_eq!(offered(&old), [Method::Password]);
    let step = stepped(world.shown(&old, new_password(PASSWORD)));
    assert!(offered(&step).contains(&Method::Passkey));
    let all = RevokeScope::All;
    world.ask(super::degraded::revoke(&grant, all));
    let code = app_code(&secret, world.now);
    let over = world.shown(&step, Answered::Totp(code)).refused();
    assert_eq!(over, Refusal::FlowOver);
}

#[test]
fn an_account_has_ten_passkeys_and_no_authenticator_twice() {
    let (mut world, mut grant) = holder();
    for seed in 1..=10 {
        grant = world.add(seed, &grant, &mut Authenticator::new(seed));
    }
    world.now += 1;
    let step = stepped(world.began(Purpose::Add, 11, By::Session(&grant)));
    let asked = options(&step, Method::Passkey);
    assert_eq!(asked["excludeCredentials"].as_array().unwrap().len(), 10);
    let twice = made(&Authenticator::new(1).make(&asked));
    let refused = world.shown(&step, twice).refused();
    assert_eq!(refused, Refusal::InvalidPasskey);
    let eleventh = made(&Authenticator::new(11).make(&asked));
    let refused = world.shown(&step, eleventh).refused();
    assert_eq!(refused, Refusal::LimitReached);
    assert_eq!(world.parts.len(), 10);
    let numbers: Vec<_> = world.parts.keys().map(|id| id.number).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
}

fn remove(by: &Grant, method: Method, number: u16) -> Command {
    let by = SessionProof {
        session: by.session,
        secret: crate::refresh::session_secret(&by.family),
    };
    Command::Credential(CredentialCommand::Remove { by, method, number })
}

#[test]
fn a_credential_is_listed_and_removed_where_another_way_in_remains() {
    let (mut world, grant) = holder();
    // No code can be sent, so that the password is the only way in.
    world.policy.notices = crate::policy::NoticePolicy::None;
    let only = world.ask(remove(&grant, Method::Password, 0)).refused();
    assert_eq!(only, Refusal::LastCredential);
    let mut phone = Authenticator::new(1);
    let grant = world.add(1, &grant, &mut phone);
    let other = world.sign_in(PASSWORD).granted();
    let list = Command::Credential(CredentialCommand::List {
        by: SessionProof {
            session: grant.session,
            secret: crate::refresh::session_secret(&grant.family),
        },
    });
    let Reply::Credential(CredentialReply::Listed(list)) = world.ask(list) else {
        panic!("no list");
    };
    let named: Vec<_> = list
        .credentials
        .iter()
        .map(|one| (one.method, one.number, one.name.expose()))
        .collect();
    assert_eq!(
        named,
        [
            (Method::Password, 0, ""),
            (Method::Passkey, 1, "Ada's phone")
        ]
    );
    assert!(list.signal.contains(&b64(&[1; 16])), "{}", list.signal);
    let nothing = world.ask(remove(&grant, Method::Passkey, 7));
    assert!(matches!(
        nothing,
        Reply::Credential(CredentialReply::Removed(0))
    ));
    let removed = world.ask(remove(&grant, Method::Password, 0));
    assert!(matches!(
        removed,
        Reply::Credential(CredentialReply::Removed(1))
    ));
    // Others that were signed in by it are not any more, and it opens nothing.
    assert_eq!(world.refresh(&other).refused(), Refusal::InvalidToken);
    let wrong = world.sign_in(PASSWORD).refused();
    assert_eq!(wrong, Refusal::InvalidCredentials);
    let last = world.ask(remove(&grant, Method::Passkey, 1)).refused();
    assert_eq!(last, Refusal::LastCredential);
    world.now += world.policy.session.fresh_ms + 1;
    let stale = world.ask(remove(&grant, Method::Passkey, 1)).refused();
    assert_eq!(stale, Refusal::StaleSignIn);
    let entered = world.sign_in_by(2, By::Nobody, &phone).granted();
    world.policy.notices = crate::policy::NoticePolicy::Mail { app: "Shop".into() };
    let removed = world.ask(remove(&entered, Method::Passkey, 1));
    assert!(matches!(
        removed,
        Reply::Credential(CredentialReply::Removed(1))
    ));
    assert!(world.parts.is_empty(), "the address is a way in");
}

#[test]
fn what_a_session_adds_makes_it_no_younger_and_lets_it_live_no_longer() {
    let (mut world, grant) = holder();
    world.now += world.policy.session.fresh_ms - 1;
    let after = world.add(1, &grant, &mut Authenticator::new(1));
    assert_eq!(after.expires_at, grant.expires_at);
    world.now += 1;
    let again = stepped(world.began(Purpose::Add, 2, By::Session(&after)));
    assert_eq!(offered(&again), [Method::Passkey, Method::Password]);
    assert!(matches!(again.next[0], Next::Passkey(_)), "it proves again");
}

#[test]
fn one_code_of_an_app_is_not_two_factors_and_a_step_up_needs_two() {
    let (mut world, grant) = holder();
    let alone = world.began(Purpose::StepUp, 9, By::Session(&grant));
    assert_eq!(alone.refused(), Refusal::StaleSignIn, "a password alone");
    let step = stepped(world.began(Purpose::Add, 1, By::Session(&grant)));
    let secret = options(&step, Method::Totp);
    let code = app_code(&secret, world.now);
    let grant = world.shown(&step, Answered::Totp(code)).granted();
    world.now += world.policy.session.fresh_ms + 60_000;
    let old = stepped(world.began(Purpose::Add, 2, By::Session(&grant)));
    assert_eq!(offered(&old), [Method::Password, Method::Totp]);
    let code = app_code(&secret, world.now);
    let step = stepped(world.shown(&old, Answered::Totp(code)));
    assert_eq!(offered(&step), [Method::Password]);
    let step = stepped(world.shown(&step, new_password(PASSWORD)));
    assert!(matches!(step.next[0], Next::New { .. }));
    // A tenant that names what the account has not: the app is asked for.
    world.policy.flow.second_factors = [Method::RecoveryCode].into();
    assert_eq!(
        world.sign_in(PASSWORD).refused(),
        Refusal::SecondFactorNeeded
    );
    let step = stepped(world.began(Purpose::SignIn, 3, By::Mail));
    let step = stepped(world.shown(&step, new_password(PASSWORD)));
    assert_eq!(offered(&step), [Method::Totp]);
}
