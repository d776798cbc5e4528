//! Random lives: whatever happens in whatever order, the invariants hold.

use super::*;
use crate::command::SessionCommand;
use crate::record::{DEVICES_MAX, OUTCOMES_MAX, SESSIONS_MAX, SUCCESSORS_MAX};
use crate::reply::CredentialReply;
use crate::reply::SessionReply;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Act {
    SignIn {
        right: bool,
        device: bool,
        key: Option<u8>,
    },
    Work,
    Lose,
    Refresh(usize),
    Revoke(usize, u8),
    Status(u8),
    Wait(u64),
    Late(u64),
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (any::<bool>(), any::<bool>(), prop::option::of(0u8..6))
            .prop_map(|(right, device, key)| Act::SignIn { right, device, key }),
        6 => Just(Act::Work),
        1 => Just(Act::Lose),
        4 => any::<prop::sample::Index>().prop_map(|index| Act::Refresh(index.index(1000))),
        2 => (any::<prop::sample::Index>(), 0u8..4)
            .prop_map(|(index, scope)| Act::Revoke(index.index(1000), scope)),
        1 => (0u8..4).prop_map(Act::Status),
        3 => (0u64..100_000).prop_map(Act::Wait),
        1 => (0u64..100_000).prop_map(Act::Late),
        1 => Just(Act::Crash),
    ]
}

/// Plays one act; the grants given out by it.
fn play(world: &mut World, act: &Act, grants: &[Grant]) -> Vec<Grant> {
    let pick = |n: usize| (!grants.is_empty()).then(|| &grants[n % grants.len().max(1)]);
    let output = match act {
        Act::SignIn { right, device, key } => {
            let password = if *right { PASSWORD } else { "wrong password" };
            let known = grants.iter().find_map(|grant| grant.device.clone());
            let device = known.filter(|_| *device);
            let mut request = [0; 32];
            request[0] = u8::from(*right);
            let idempotency = key.map(|key| Idempotency {
                key: [key; 16],
                request,
            });
            world.send_with(idempotency, sign_in(password, device, Remember::Device))
        }
        Act::Work if !world.waiting.is_empty() => world.work(),
        Act::Lose if !world.waiting.is_empty() => {
            let pending = world.waiting.remove(0).pending();
            let completion = Completion::Refused { retry_after_ms: 9 };
            world.input(Input::Completion {
                pending,
                completion,
            })
        }
        Act::Refresh(n) => match pick(*n) {
            Some(grant) => world.send(None, refresh(grant)),
            None => Output::default(),
        },
        Act::Revoke(n, scope) => match pick(*n) {
            Some(grant) => {
                let scopes = [
                    RevokeScope::This,
                    RevokeScope::One(grants[0].session),
                    RevokeScope::Others,
                    RevokeScope::All,
                ];
                let scope = scopes[usize::from(*scope)];
                world.send(
                    None,
                    Command::Session(SessionCommand::Revoke {
                        by: proof(grant),
                        scope,
                    }),
                )
            }
            None => Output::default(),
        },
        Act::Status(n) => {
            let changes = [
                StatusChange::Lock,
                StatusChange::Unlock,
                StatusChange::Suspend,
                StatusChange::Reinstate,
            ];
            world.send(None, set_status(changes[usize::from(*n)]))
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
            | Reply::Session(SessionReply::Refreshed(grant)) => Some(grant),
            _ => None,
        });
    granted.collect()
}

/// Whatever the account holds is the same after it was written and read, in
/// whichever format. (Of a directory of regions, which format 1 cannot hold,
/// these lives know nothing.)
fn is_told_by_every_format(world: &World) -> Result<(), TestCaseError> {
    let (check, sealed) = world.account.parts().unwrap();
    for format in [Format::V1, Format::V2, Format::V3] {
        let bytes = unsealed(format, check, sealed);
        let view = View::new(&bytes).unwrap();
        let read = view.read(view.sealed());
        prop_assert_eq!(read, Ok((check.clone(), sealed.clone())));
    }
    Ok(())
}

fn holds(world: &World) -> Result<(), TestCaseError> {
    let (check, sealed) = world.account.parts().unwrap();
    prop_assert!(check.sessions.len() <= SESSIONS_MAX);
    let rotated = check.sessions.iter().filter_map(|one| one.rotated.as_ref());
    let successors = rotated
        .filter(|rotated| rotated.successor.is_some())
        .count();
    prop_assert!(successors <= SUCCESSORS_MAX);
    prop_assert!(sealed.devices.len() <= DEVICES_MAX);
    prop_assert!(sealed.outcomes.len() <= OUTCOMES_MAX);
    for lane in sealed
        .devices
        .iter()
        .map(|d| &d.guesses)
        .chain([&sealed.strangers])
    {
        prop_assert!(lane.failed_at <= world.now);
    }
    let mut ids: Vec<_> = check.sessions.iter().map(|session| session.id).collect();
    ids.sort_unstable();
    ids.dedup();
    prop_assert_eq!(ids.len(), check.sessions.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn random_lives_keep_the_invariants(acts in prop::collection::vec(act(), 1..120)) {
        let mut world = World::signed_up();
        let mut grants: Vec<Grant> = Vec::new();
        for act in &acts {
            let under_way = world.waiting.len();
            let given = play(&mut world, act, &grants);
            holds(&world)?;
            is_told_by_every_format(&world)?;
            // Nobody gets in by anything but a verified password or a token given out.
            let honest = matches!(act, Act::Work | Act::Refresh(_) | Act::SignIn { .. });
            prop_assert!(given.is_empty() || honest);
            prop_assert!(world.waiting.len() <= under_way + 1);
            grants.extend(given);
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_state(acts in prop::collection::vec(act(), 1..60)) {
        let live = || {
            let mut world = World::signed_up();
            let mut grants: Vec<Grant> = Vec::new();
            for act in &acts {
                let given = play(&mut world, act, &grants);
                grants.extend(given);
            }
            let (check, sealed) = world.account.parts().unwrap();
            (check.clone(), sealed.clone(), world.events)
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
