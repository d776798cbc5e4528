//! The rules of a live code, in tables and one by one.

use super::*;
use std::fmt::Write;
use std::string::String;

const START_MS: u64 = 10_000_000;

fn key() -> Secret<32> {
    Secret::new([9; 32])
}

fn bound() -> Bound {
    Bound {
        account: UserId::from_bytes([1; 16]),
        tenant: TenantId(2),
        identifier: IndexHash([3; 32]),
        purpose: Purpose::SignIn,
        attempt: AttemptId::from_bytes([4; 16]),
    }
}

fn order<'a>(policy: &'a CodePolicy, key: &'a Secret<32>, now_ms: u64) -> Order<'a> {
    Order {
        bound: bound(),
        channel: Channel::Email,
        policy,
        key,
        now_ms,
    }
}

fn sent() -> Sent {
    let (policy, key) = (CodePolicy::default(), key());
    let mut entropy = Entropy::new([5; 32]);
    let order = order(&policy, &key, START_MS);
    match LiveCode::send(&order, &mut SendLog::default(), &mut entropy) {
        Sending::Sent(sent) => sent,
        other => panic!("{other:?}"),
    }
}

/// A code that is not the one that was sent.
fn wrong(sent: &Sent) -> Code {
    let digits = sent.code.expose().as_bytes();
    let mut digits: std::vec::Vec<u8> = digits.to_vec();
    digits[0] = b'0' + (digits[0] - b'0' + 1) % 10;
    Code::parse(core::str::from_utf8(&digits).unwrap()).unwrap()
}

#[test]
fn the_table_of_judgements_is_as_written_down() {
    let sent = sent();
    let wrong = wrong(&sent);
    let other_attempt = Bound {
        attempt: AttemptId::from_bytes([5; 16]),
        ..bound()
    };
    let other_purpose = Bound {
        purpose: Purpose::Recover,
        ..bound()
    };
    let mut table = String::new();
    for (state, tries_left, used) in [
        ("fresh", 5, Use::Unused),
        ("last try", 1, Use::Unused),
        ("no try left", 0, Use::Unused),
        ("used", 3, Use::Used),
    ] {
        for (what, bound, code) in [
            ("right", bound(), &sent.code),
            ("wrong", bound(), &wrong),
            ("of another attempt", other_attempt, &sent.code),
            ("for another purpose", other_purpose, &sent.code),
        ] {
            for after_ms in [0, 599_999, 600_000] {
                let mut live = LiveCode {
                    tries_left,
                    used,
                    ..sent.live.clone()
                };
                let now_ms = START_MS + after_ms;
                let judged = live.judge(&bound, &key(), Presented::Code(&code.clone()), now_ms);
                writeln!(
                    table,
                    "{state}, {what}, after {after_ms} ms: {judged:?}; then {} left, {:?}",
                    live.tries_left, live.used
                )
                .unwrap();
            }
        }
    }
    crate::table::assert_table("code", &table);
}

#[test]
fn the_table_of_sends_is_as_written_down() {
    let (policy, key) = (CodePolicy::default(), key());
    let (mut entropy, mut log) = (Entropy::new([5; 32]), SendLog::default());
    let first = order(&policy, &key, START_MS);
    let mut sending = LiveCode::send(&first, &mut log, &mut entropy);
    let (mut table, mut now_ms) = (String::new(), START_MS);
    while let Sending::Sent(Sent { live, .. }) = &sending {
        let live = live.clone();
        let wait_ms = live.resend_wait_ms(&policy, now_ms);
        let sends = live.sends;
        writeln!(table, "send {sends}: wait {wait_ms} ms").unwrap();
        // A moment too early, and then in time.
        for wait_ms in [wait_ms - 1, 1] {
            now_ms += wait_ms;
            let order = order(&policy, &key, now_ms);
            sending = live.resend(&order, &mut log, &mut entropy);
            if let Sending::Held { retry_after_ms } = sending {
                writeln!(table, "  held for {retry_after_ms} ms").unwrap();
            }
        }
    }
    crate::table::assert_table("code_sends", &table);
}

#[test]
fn waits_double_up_to_their_cap() {
    let (policy, mut live) = (CodePolicy::default(), sent().live);
    let waits = [1, 2, 3, 4, 5, 6, 64, 65, 255].map(|sends| {
        live.sends = sends;
        live.resend_wait_ms(&policy, START_MS) / 1_000
    });
    assert_eq!(waits, [30, 60, 120, 240, 480, 600, 600, 600, 600]);
    // The clock went back: no time passed; far back: the date was wrong.
    assert_eq!(live.resend_wait_ms(&policy, START_MS - 600_000), 600_000);
    assert_eq!(live.resend_wait_ms(&policy, START_MS - 600_001), 0);
}

#[test]
fn exactly_the_bound_is_compared_and_then_the_attempt_is_over() {
    let mut sent = sent();
    let wrong = wrong(&sent);
    let answers = [(); 8].map(|()| {
        let presented = Presented::Code(&wrong);
        sent.live.judge(&bound(), &key(), presented, START_MS)
    });
    let left = |left| Judged::Wrong { left };
    let [a, b, c, d, e, rest @ ..] = answers;
    assert_eq!([a, b, c, d, e], [4, 3, 2, 1, 0].map(left));
    assert_eq!(rest, [Judged::Spent; 3]);
    let (policy, key) = (CodePolicy::default(), key());
    let later = order(&policy, &key, START_MS + 60_000);
    let mut entropy = Entropy::new([6; 32]);
    let sending = sent
        .live
        .resend(&later, &mut SendLog::default(), &mut entropy);
    assert!(matches!(sending, Sending::Over), "{sending:?}");
}

#[test]
fn of_answers_charged_side_by_side_one_is_right() {
    let mut sent = sent();
    let charges = [(); 6].map(|()| sent.live.charge(&bound(), START_MS));
    assert_eq!(charges[5], Charge::Spent);
    let judged = charges[..5].iter().map(|charge| match charge {
        Charge::Made(charged) => {
            let presented = Presented::Code(&sent.code);
            sent.live.compare(*charged, &bound(), &key(), presented)
        }
        other => panic!("{other:?}"),
    });
    let judged: std::vec::Vec<_> = judged.collect();
    assert_eq!(judged[0], Judged::Right);
    assert_eq!(judged[1..], [Judged::Spent; 4]);
}

#[test]
fn a_resend_voids_the_code_before_and_buys_no_tries() {
    let mut first = sent();
    let wrong = wrong(&first);
    let presented = Presented::Code(&wrong);
    let judged = first.live.judge(&bound(), &key(), presented, START_MS);
    assert_eq!(judged, Judged::Wrong { left: 4 });
    let (policy, key, later_ms) = (CodePolicy::default(), key(), START_MS + 30_000);
    let later = order(&policy, &key, later_ms);
    let mut entropy = Entropy::new([6; 32]);
    let sending = first
        .live
        .resend(&later, &mut SendLog::default(), &mut entropy);
    let Sending::Sent(mut second) = sending else {
        panic!("{sending:?}");
    };
    let mut judge = |presented| second.live.judge(&bound(), &key, presented, later_ms);
    let olds = [
        judge(Presented::Code(&first.code)),
        judge(Presented::Link(&first.link)),
    ];
    assert_eq!(olds, [3, 2].map(|left| Judged::Wrong { left }));
    assert_eq!(judge(Presented::Code(&second.code)), Judged::Right);
    assert_eq!(judge(Presented::Link(&second.link)), Judged::Spent);
}

#[test]
fn a_code_matches_under_nothing_else_than_what_it_is_bound_to() {
    let sent = sent();
    let judge = |bound: Bound, key: Secret<32>| {
        let mut live = LiveCode {
            purpose: bound.purpose,
            attempt: bound.attempt,
            ..sent.live.clone()
        };
        let code = live.judge(&bound, &key, Presented::Code(&sent.code), START_MS);
        let link = live.judge(&bound, &key, Presented::Link(&sent.link), START_MS);
        [code, link]
    };
    let right = [Judged::Right, Judged::Spent];
    assert_eq!(judge(bound(), key()), right);
    let wrong = [4, 3].map(|left| Judged::Wrong { left });
    let (account, identifier) = (UserId::from_bytes([7; 16]), IndexHash([7; 32]));
    let attempt = AttemptId::from_bytes([7; 16]);
    let (tenant, purpose) = (TenantId(7), Purpose::SignUp);
    for other in [
        Bound { account, ..bound() },
        Bound { tenant, ..bound() },
        Bound {
            identifier,
            ..bound()
        },
        Bound { purpose, ..bound() },
        Bound { attempt, ..bound() },
    ] {
        assert_eq!(judge(other, key()), wrong, "{other:?}");
    }
    assert_eq!(judge(bound(), Secret::new([8; 32])), wrong);
}

#[test]
fn a_link_that_is_opened_elsewhere_wants_the_number_too() {
    let sent = sent();
    let judge = |presented: Presented<'_>| {
        let mut live = sent.live.clone();
        live.judge(&bound(), &key(), presented, START_MS)
    };
    let other = MatchNumber::new((sent.number.value() + 1) % 100).unwrap();
    let garbage = LinkSecret::draw(&mut Entropy::new([1; 32]));
    let wrong = Judged::Wrong { left: 4 };
    let (link, number) = (&sent.link, sent.number);
    assert_eq!(judge(Presented::Link(link)), Judged::Right);
    assert_eq!(judge(Presented::LinkElsewhere(link, number)), Judged::Right);
    assert_eq!(judge(Presented::LinkElsewhere(link, other)), wrong);
    assert_eq!(judge(Presented::LinkElsewhere(&garbage, number)), wrong);
    assert_eq!(judge(Presented::Link(&garbage)), wrong);
    assert_eq!(sent.live.number().value(), number.value());
}

#[test]
fn a_clock_that_goes_back_makes_no_code_live_longer_than_twice() {
    let sent = sent();
    let judge = |now_ms| {
        let mut live = sent.live.clone();
        live.judge(&bound(), &key(), Presented::Code(&sent.code), now_ms)
    };
    assert_eq!(judge(START_MS - 600_000), Judged::Right);
    assert_eq!(judge(START_MS - 600_001), Judged::Expired);
}

#[test]
fn an_address_has_its_bound_over_all_attempts() {
    let (policy, key) = (CodePolicy::default(), key());
    let (mut entropy, mut log) = (Entropy::new([5; 32]), SendLog::default());
    let mut send = |attempt, now_ms| {
        let mut order = order(&policy, &key, now_ms);
        order.bound.attempt = AttemptId::from_bytes([attempt; 16]);
        match LiveCode::send(&order, &mut log, &mut entropy) {
            Sending::Sent(_) => 0,
            Sending::Held { retry_after_ms } => retry_after_ms,
            Sending::Over => panic!("a first send is of no attempt before"),
        }
    };
    let waits = [0, 1, 2, 3, 4, 5].map(|n| send(n, START_MS + u64::from(n)));
    assert_eq!(waits, [0, 0, 0, 0, 0, 3_600_000 - 5]);
    assert_eq!(send(6, START_MS + 3_600_000), 0);
}
