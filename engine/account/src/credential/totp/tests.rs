//! RFC 6238's vectors, and the rule that a step is accepted once.

use super::*;
use std::fmt::Write;
use std::string::String;

const NOW_MS: u64 = 1_111_111_109_000;
const STEP: u64 = NOW_MS / STEP_MS;

fn secret() -> TotpSecret {
    TotpSecret::new(*b"12345678901234567890")
}

/// The code of a step.
fn code(step: u64) -> Code {
    let mut found = (0..1_000_000).map(|number| std::format!("{number:06}"));
    let totp = Builder::new()
        .with_skew(0)
        .with_secret(*b"12345678901234567890")
        .build_noncompliant();
    let text = found.find(|text| totp.check(text, step * 30).is_some());
    Code::parse(&text.unwrap()).unwrap()
}

fn generated(step: u64) -> Code {
    let totp = Builder::new()
        .with_secret(*b"12345678901234567890")
        .build_noncompliant();
    Code::parse(&std::format!("{}", totp.generate(step * 30))).unwrap()
}

fn totp(last_step: u64) -> Totp {
    let secret = secret();
    Totp { secret, last_step }
}

/// RFC 6238, Appendix B, the rows for SHA-1. They have eight digits, of which
/// six-digit codes are the last six: both are the same number, modulo 10^8 and
/// 10^6.
#[test]
fn the_vectors_of_rfc_6238_hold() {
    for (time_s, eight) in [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ] {
        let code = Code::parse(&eight[2..]).unwrap();
        let step = time_s / 30;
        let judged = totp(step - 1).judge(&code, time_s * 1_000);
        let (from, to) = (step - 1, step);
        assert_eq!(judged, TotpJudged::Right(Advance { from, to }), "{time_s}");
        let eight = Code::parse(eight).unwrap();
        let judged = totp(step - 1).judge(&eight, time_s * 1_000);
        assert_eq!(judged, TotpJudged::Wrong, "{time_s}");
    }
}

#[test]
fn the_table_of_judgements_is_as_written_down() {
    assert_eq!(code(STEP).expose(), generated(STEP).expose());
    let mut table = String::new();
    for last in [-3, -2, -1, 0, 1, 2] {
        for step in [-2, -1, 0, 1, 2] {
            let code = generated(STEP.saturating_add_signed(step));
            let last_step = STEP.saturating_add_signed(last);
            let judged = match totp(last_step).judge(&code, NOW_MS) {
                TotpJudged::Right(Advance { from, to }) => {
                    assert_eq!(from, last_step);
                    std::format!("Right, to {:+}", to.cast_signed() - STEP.cast_signed())
                }
                TotpJudged::Spent => "Spent".into(),
                TotpJudged::Wrong => "Wrong".into(),
            };
            writeln!(table, "last {last:+}, code of {step:+}: {judged}").unwrap();
        }
    }
    crate::table::assert_table("totp", &table);
}

#[test]
fn an_enrolment_wants_a_code_of_now_and_spends_its_step() {
    for (step, enrolled) in [
        (STEP - 2, false),
        (STEP - 1, true),
        (STEP, true),
        (STEP + 1, true),
        (STEP + 2, false),
    ] {
        let code = generated(step);
        match Totp::enrol(secret(), &code, NOW_MS) {
            Enrolment::Enrolled(totp) => {
                assert!(enrolled, "{step}");
                assert_eq!(totp.last_step(), step);
                assert_eq!(totp.judge(&code, NOW_MS), TotpJudged::Spent);
            }
            Enrolment::Wrong => assert!(!enrolled, "{step}"),
        }
    }
}

#[test]
fn of_two_that_race_with_one_code_one_is_accepted() {
    let mut totp = totp(STEP - 1);
    let code = generated(STEP);
    let judged = [(); 2].map(|()| totp.judge(&code, NOW_MS));
    let advance = Advance {
        from: STEP - 1,
        to: STEP,
    };
    assert_eq!(judged, [TotpJudged::Right(advance); 2]);
    let advanced = [(); 2].map(|()| totp.advance(advance));
    assert_eq!(advanced, [Advanced::Done, Advanced::Overtaken]);
    assert_eq!(totp.last_step(), STEP);
    assert_eq!(totp.judge(&code, NOW_MS), TotpJudged::Spent);
}

#[test]
fn no_step_is_accepted_that_leads_back() {
    for to in [STEP - 1, STEP] {
        let mut totp = totp(STEP);
        let back = Advance { from: STEP, to };
        assert_eq!(totp.advance(back), Advanced::Overtaken);
        assert_eq!(totp.last_step(), STEP);
    }
}

#[test]
fn the_ends_of_time_are_no_panic() {
    for now_ms in [0, STEP_MS - 1, u64::MAX] {
        let judged = totp(0).judge(&generated(now_ms / STEP_MS + 2), now_ms);
        assert_eq!(judged, TotpJudged::Wrong);
    }
    // There is no step before the first, and step 0 is never newer.
    assert_eq!(totp(0).judge(&generated(0), 0), TotpJudged::Spent);
}

#[test]
fn it_reads_back_as_it_was_written_and_nothing_else_does() {
    let bytes = totp(0x0102).encode();
    let golden = b"\x0112345678901234567890\x02\x01\0\0\0\0\0\0";
    assert_eq!(*bytes, *golden);
    assert_eq!(*Totp::decode(&*bytes).unwrap().encode(), *golden);
    let mut newer = *bytes;
    newer[0] = 2;
    let longer = [&bytes[..], &[0]].concat();
    for other in [&newer[..], &longer, &bytes[..28], &[1], &[]] {
        assert_eq!(Totp::decode(other).err(), Some(Corrupt));
    }
    let shown = std::format!("{:?}", totp(7));
    assert_eq!(
        shown,
        "Totp { secret: TotpSecret(Secret(..)), last_step: 7 }"
    );
}
