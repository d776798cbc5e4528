use super::*;
use crate::assurance::KeyStorage;
use crate::credential::passkey::{Framing, RelyingParty, UserVerification as Wanted};
use crate::policy::{NoticePolicy, PasskeyPolicy};
use crate::table::assert_table;
use std::fmt::Write;
use std::string::String;

fn with_mail() -> Policy {
    Policy {
        notices: NoticePolicy::Mail { app: "Shop".into() },
        ..Policy::default()
    }
}

fn with_passkeys(policy: Policy) -> Policy {
    let rp = RelyingParty {
        id: "example.com".into(),
        origins: ["https://example.com".into()].into(),
        framing: Framing::Forbidden,
    };
    Policy {
        passkeys: Some(PasskeyPolicy {
            rp,
            name: "Shop".into(),
            user_verification: Wanted::Preferred,
        }),
        ..policy
    }
}

fn proofs(shown: &[Shown]) -> Proofs {
    let mut proofs = Proofs::default();
    for shown in shown {
        let (shown, at_ms) = (*shown, 1);
        proofs.add(Proof { shown, at_ms }).unwrap();
    }
    proofs
}

const PASSKEY: Shown = Shown::Passkey(UserVerification::Verified, KeyStorage::Unknown);
const TOUCHED: Shown = Shown::Passkey(UserVerification::Present, KeyStorage::Unknown);

#[test]
fn the_table_of_flows_is_as_written_down() {
    let password_first = FlowPolicy {
        methods: [Method::Password, Method::EmailCode].into(),
        ..FlowPolicy::default()
    };
    let policies = [
        ("no mail", Policy::default()),
        ("mail", with_mail()),
        ("mail and passkeys", with_passkeys(with_mail())),
        (
            "mail, password first",
            Policy {
                flow: password_first,
                ..with_mail()
            },
        ),
    ];
    let mut table = String::new();
    for (name, policy) in &policies {
        writeln!(table, "{name}").unwrap();
        for purpose in Purpose::ALL {
            for kind in [
                Some(IdentifierKind::Email),
                Some(IdentifierKind::Username),
                None,
            ] {
                let nothing = Proofs::default();
                let stage = policy.stage(&Asked {
                    purpose,
                    kind,
                    proofs: &nothing,
                    held: Methods::default(),
                    now_ms: 1,
                });
                let sends = match policy.sends_at_once(purpose, kind) {
                    true => ", sent at once",
                    false => "",
                };
                let case = std::format!("{purpose:?} by {kind:?}");
                writeln!(table, "  {case}: {stage:?}{sends}").unwrap();
            }
        }
    }
    writeln!(table, "what was shown, and what the account has").unwrap();
    let policy = with_passkeys(with_mail());
    for purpose in Purpose::ALL {
        for shown in [
            &[Shown::Password][..],
            &[Shown::EmailCode],
            &[PASSKEY],
            &[TOUCHED],
            &[TOUCHED, Shown::Password],
            &[Shown::Totp],
            &[Shown::Password, Shown::Totp],
            &[Shown::EmailCode, Shown::RecoveryCode],
        ] {
            for held in [
                &[][..],
                &[Method::Password, Method::Passkey],
                &[Method::Password, Method::Totp],
                &[
                    Method::Password,
                    Method::Passkey,
                    Method::Totp,
                    Method::RecoveryCode,
                ],
            ] {
                let proofs = proofs(shown);
                let held: Methods = held.iter().copied().collect();
                let stage = policy.stage(&Asked {
                    purpose,
                    kind: Some(IdentifierKind::Email),
                    proofs: &proofs,
                    held,
                    now_ms: 1,
                });
                writeln!(table, "  {purpose:?} {shown:?}, has {held:?}: {stage:?}").unwrap();
            }
        }
    }
    assert_table("flow", &table);
}

#[test]
fn there_is_a_way_on_from_every_stage() {
    // Whatever is offered can be shown, and then less is left to show.
    let policy = with_passkeys(with_mail());
    let all: Methods = [
        Method::Password,
        Method::Passkey,
        Method::Totp,
        Method::RecoveryCode,
    ]
    .into_iter()
    .collect();
    for purpose in [
        Purpose::SignIn,
        Purpose::SignUp,
        Purpose::Recover,
        Purpose::StepUp,
        Purpose::Add,
    ] {
        let mut proofs = Proofs::default();
        for steps in 0..4 {
            let stage = policy.stage(&Asked {
                purpose,
                kind: Some(IdentifierKind::Email),
                proofs: &proofs,
                held: all,
                now_ms: 1,
            });
            let Stage::Prove(offered) = stage else {
                assert!(steps > 0, "{purpose:?} asks for nothing");
                break;
            };
            assert!(steps < 3, "{purpose:?} asks for ever: {offered:?}");
            let weakest = offered.last().unwrap();
            let shown = match weakest {
                Method::Password => Shown::Password,
                Method::Passkey => TOUCHED,
                Method::EmailCode => Shown::EmailCode,
                Method::Totp => Shown::Totp,
                Method::RecoveryCode => Shown::RecoveryCode,
                Method::SmsCode | Method::Link => panic!("not offered yet"),
            };
            proofs.add(Proof { shown, at_ms: 1 }).unwrap();
        }
    }
}

#[test]
fn what_was_proven_long_ago_adds_nothing() {
    let policy = with_passkeys(with_mail());
    let held: Methods = [Method::Password].into_iter().collect();
    let proofs = proofs(&[Shown::Password]);
    let at = |now_ms| {
        policy.stage(&Asked {
            purpose: Purpose::Add,
            kind: None,
            proofs: &proofs,
            held,
            now_ms,
        })
    };
    let fresh_ms = policy.session.fresh_ms;
    assert!(matches!(at(1 + fresh_ms), Stage::New(_)));
    assert!(matches!(at(2 + fresh_ms), Stage::Prove(_)));
}
