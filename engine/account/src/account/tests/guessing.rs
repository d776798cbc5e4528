use super::*;
use crate::CredentialCommand;

#[test]
fn a_thousand_parallel_guesses_get_no_more_verifications_than_the_allowance() {
    let mut world = World::signed_up();
    for n in 0..1_000 {
        let output = world.send(
            None,
            sign_in(&std::format!("guess {n}"), None, Remember::Nothing),
        );
        assert!(output.replies.is_empty(), "nothing has failed yet");
    }
    let free = usize::from(world.policy.guess.free);
    assert_eq!(world.waiting.len(), free);
    let mut held = 0;
    for _ in 0..free {
        let replies = world.work().replies;
        let refusal = replies[0].1.clone().refused();
        assert_eq!(refusal, Refusal::InvalidCredentials);
        held += replies.len() - 1;
    }
    assert_eq!((world.waiting.len(), held), (0, 1_000 - free));
    assert_eq!(
        world.sign_in(PASSWORD).refused(),
        Refusal::Throttled {
            retry_after_ms: 30_000
        }
    );
    assert_eq!(world.verified, free);
}

#[test]
fn however_many_right_sign_ins_come_at_once_all_get_in() {
    for (failures, at_once) in [(0, 6), (0, 20), (3, 32), (4, 32)] {
        let mut world = World::signed_up();
        for _ in 0..failures {
            world.sign_in("wrong").refused();
        }
        for _ in 0..at_once {
            let sent = world.send(None, sign_in(PASSWORD, None, Remember::Nothing));
            assert!(sent.replies.is_empty());
        }
        let free = usize::from(world.policy.guess.free);
        let mut granted = 0;
        while !world.waiting.is_empty() {
            assert!(world.waiting.len() <= free - failures);
            granted += world.work().replies.len();
        }
        assert_eq!((granted, world.sessions()), (at_once, at_once.min(50)));
    }
}

#[test]
fn right_and_wrong_at_once_spend_no_more_than_the_allowance_on_the_wrong_ones() {
    let mut world = World::signed_up();
    for n in 0..60 {
        let password = match n % 3 {
            0 => PASSWORD,
            _ => "wrong",
        };
        world.send(None, sign_in(password, None, Remember::Nothing));
    }
    let mut wrong = 0;
    while !world.waiting.is_empty() {
        let replies = world.work().replies;
        let refused = replies.iter().map(|(_, reply)| reply.clone());
        let refused =
            refused.filter(|reply| matches!(reply, Reply::No(Refusal::InvalidCredentials)));
        wrong += refused.count();
    }
    assert_eq!(wrong, usize::from(world.policy.guess.free));
}

#[test]
fn charges_outlive_a_crash() {
    let mut world = World::signed_up();
    for _ in 0..world.policy.guess.free {
        world.sign_in("wrong").refused();
    }
    world.crash();
    let refusal = world.sign_in(PASSWORD).refused();
    assert!(matches!(refusal, Refusal::Throttled { .. }));
    world.now += 30_000;
    world.sign_in(PASSWORD).granted();
}

#[test]
fn a_success_takes_its_own_charge_back_and_no_other() {
    let mut world = World::signed_up();
    world.sign_in("wrong").refused();
    world.sign_in(PASSWORD).granted();
    assert_eq!(world.account.parts().unwrap().1.unknown_device.failures, 1);
}

#[test]
fn strangers_cannot_lock_the_owner_out_on_a_known_device() {
    let mut world = World::signed_up();
    let device = world
        .ask(sign_in(PASSWORD, None, Remember::Device))
        .granted()
        .device;
    for _ in 0..100 {
        world.sign_in("wrong").refused();
    }
    let stranger = world.sign_in(PASSWORD).refused();
    assert!(matches!(stranger, Refusal::Throttled { .. }));
    let owner = world
        .ask(sign_in(PASSWORD, device, Remember::Nothing))
        .granted();
    assert!(owner.device.is_none());
    let stranger = world.sign_in(PASSWORD).refused();
    assert!(matches!(stranger, Refusal::Throttled { .. }));
}

#[test]
fn a_stolen_device_token_has_its_own_bound() {
    let mut world = World::signed_up();
    let device = world
        .ask(sign_in(PASSWORD, None, Remember::Device))
        .granted()
        .device;
    let verified = world.verified;
    for _ in 0..100 {
        world
            .ask(sign_in("wrong", device.clone(), Remember::Nothing))
            .refused();
    }
    assert_eq!(
        world.verified - verified,
        usize::from(world.policy.guess.free)
    );
    world.sign_in(PASSWORD).granted();
}

#[test]
fn a_forged_device_token_is_a_stranger() {
    let mut world = World::signed_up();
    let device = world
        .ask(sign_in(PASSWORD, None, Remember::Device))
        .granted()
        .device
        .unwrap();
    let forged = DeviceProof {
        id: device.id,
        secret: Secret::new([0; 24]),
    };
    for _ in 0..10 {
        world
            .ask(sign_in("wrong", Some(forged.clone()), Remember::Nothing))
            .refused();
    }
    let sealed = world.account.parts().unwrap().1;
    assert_eq!(
        (
            sealed.unknown_device.failures,
            sealed.devices[0].guesses.failures
        ),
        (5, 0)
    );
}

#[test]
fn a_refused_verification_is_not_charged() {
    let mut world = World::signed_up();
    for _ in 0..20 {
        world.send(None, sign_in("wrong", None, Remember::Nothing));
        let pending = world.waiting.remove(0).pending();
        let completion = Completion::Refused { retry_after_ms: 9 };
        let output = world.input(Input::Completion {
            pending,
            completion,
        });
        assert_eq!(
            output.replies[0].1.clone().refused(),
            Refusal::Busy { retry_after_ms: 9 }
        );
        assert!(output.changes.is_none());
    }
    world.sign_in(PASSWORD).granted();
}

#[test]
fn an_account_is_signed_in_to_by_what_it_holds_and_by_nothing_else_that_led_to_it() {
    let mut world = World::signed_up();
    let led_by = |hashes: &[u8]| {
        let Command::Credential(CredentialCommand::SignIn(mut sign_in)) =
            sign_in(PASSWORD, None, Remember::Nothing)
        else {
            unreachable!();
        };
        let hashes = hashes.iter().map(|fill| IndexHash([*fill; 32]));
        sign_in.led_by = LedBy::Identifier(hashes.collect());
        Command::Credential(CredentialCommand::SignIn(sign_in))
    };
    world.ask(led_by(&[7, 8])).granted();
    let verified = world.verified;
    for hashes in [&[7, 9][..], &[]] {
        let refused = world.ask(led_by(hashes)).refused();
        assert_eq!(refused, Refusal::Busy { retry_after_ms: 0 });
    }
    let person = world.account.person.as_mut().unwrap();
    let row = &mut person.sealed.identifiers[0];
    row.hold = crate::record::Hold::Claimed { until: u64::MAX };
    let refused = world.ask(led_by(&[8])).refused();
    assert_eq!(refused, Refusal::Busy { retry_after_ms: 0 });
    // Nothing was compared, and the account's owner is charged for nothing.
    assert_eq!(world.verified, verified);
    assert_eq!(world.account.parts().unwrap().1.unknown_device.failures, 0);
}
