use super::*;

#[test]
fn a_thousand_parallel_guesses_get_no_more_verifications_than_the_allowance() {
    let mut world = World::signed_up();
    let mut held = 0;
    for n in 0..1_000 {
        let output = world.send(
            None,
            sign_in(&std::format!("guess {n}"), None, Remember::Nothing),
        );
        held += output.replies.len();
    }
    let free = usize::from(world.policy.guess.free);
    assert_eq!((world.waiting.len(), held), (free, 1_000 - free));
    for _ in 0..free {
        let output = world.work();
        let refusal = output.replies[0].1.clone().refused();
        assert_eq!(refusal, Refusal::InvalidCredentials);
    }
    assert_eq!(
        world.sign_in(PASSWORD).refused(),
        Refusal::Throttled {
            retry_after_ms: 30_000
        }
    );
    assert_eq!(world.verified, free);
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
    assert_eq!(world.account.parts().unwrap().1.strangers.failures, 1);
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
            sealed.strangers.failures,
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
