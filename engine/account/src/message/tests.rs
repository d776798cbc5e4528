use std::vec;

use super::*;

const TO: &str = "ada@example.com";

fn code() -> Vec<Value> {
    vec![
        Value::App("Shop".into()),
        Value::Minutes(10),
        Value::Code("123456".into()),
    ]
}

fn message() -> Message {
    Message::new(Template::SignInCode, "de-AT", TO, code()).unwrap()
}

#[test]
fn it_reads_back_as_it_was_written_and_nothing_else_does() {
    let plain = message().encode().unwrap();
    let golden = b"\x01\x01\x05de-AT\x0f\0ada@example.com\x03\
        \x01\x06\x00123456\x03\x04\0\x0a\0\0\0\x04\x04\0Shop";
    assert_eq!(plain.as_slice(), golden);
    assert_eq!(Message::decode(&plain), Ok(message()));
    let others = [
        (0, 2),
        (1, 0),
        (1, 12),
        (1, 5),
        (3, 0xff),
        (8, 0xff),
        (25, 2),
        (26, 8),
        (26, 4),
    ];
    for (at, value) in others {
        let mut other = plain.to_vec();
        other[at] = value;
        assert_eq!(Message::decode(&other), Err(Corrupt), "{at} {value}");
    }
    for length in 0..plain.len() {
        assert_eq!(Message::decode(&plain[..length]), Err(Corrupt), "{length}");
    }
    let longer = [&plain[..], &[0]].concat();
    assert_eq!(Message::decode(&longer), Err(Corrupt));
}

#[test]
fn every_value_has_its_bytes_and_comes_back() {
    let values = vec![
        Value::Link("https://x.example/a?b=c".into()),
        Value::App("Laden".into()),
        Value::WhenMs(1_700_000_000_000),
        Value::Device("Firefox".into()),
        Value::Place("Wien".into()),
    ];
    let notice = Message::new(Template::NewSignIn, "", TO, values).unwrap();
    let plain = notice.encode().unwrap();
    let golden = b"\x01\x07\0\x0f\0ada@example.com\x05\x02\x17\0https://x.example/a?b=c\
        \x04\x05\0Laden\x05\x08\0\0\x68\xe5\xcf\x8b\x01\0\0\x06\x07\0Firefox\x07\x04\0Wien";
    assert_eq!(plain.as_slice(), golden);
    assert_eq!(Message::decode(&plain), Ok(notice));
}

#[test]
fn numbers_and_names_of_templates_are_what_they_were() {
    let all = Template::ALL.iter().map(|t| (*t as u8, t.name()));
    let names = [
        "sign_in_code",
        "sign_up_code",
        "recovery_code_mail",
        "verify_address",
        "sign_in_link",
        "address_changed_notice",
        "new_sign_in",
        "password_changed",
        "account_protected",
        "support_recovery",
        "no_account",
    ];
    assert!(all.eq((1..).zip(names)));
    for template in Template::ALL {
        assert_eq!(Template::of(*template as u8), Some(*template));
    }
}

#[test]
fn what_is_over_a_limit_or_lacks_what_it_needs_is_none() {
    let made = |language: &str, address: &str, values| {
        Message::new(Template::SignInCode, language, address, values).map(|_| ())
    };
    assert_eq!(made(&"a".repeat(35), &"a".repeat(320), code()), Ok(()));
    for language in [&*"a".repeat(36), "de_AT", "de\r\n", "dé"] {
        assert_eq!(made(language, TO, code()), Err(MessageFault::Language));
    }
    for address in ["", "a@b\r\nBcc: c@d", &"a".repeat(321)] {
        assert_eq!(made("en", address, code()), Err(MessageFault::Address));
    }
    let with = |value| [code(), vec![value]].concat();
    for (value, kind) in [
        (Value::Place("x".repeat(2_049)), ValueKind::Place),
        (Value::Device(String::new()), ValueKind::Device),
        (Value::Link("javascript:alert(1)".into()), ValueKind::Link),
        (Value::Link("https://a b".into()), ValueKind::Link),
        (Value::Minutes(5), ValueKind::Minutes),
    ] {
        assert_eq!(made("en", TO, with(value)), Err(MessageFault::Value(kind)));
    }
    for (left_out, kind) in [
        (0, ValueKind::App),
        (1, ValueKind::Minutes),
        (2, ValueKind::Code),
    ] {
        let mut values = code();
        values.remove(left_out);
        assert_eq!(made("en", TO, values), Err(MessageFault::Missing(kind)));
    }
}

#[test]
fn nothing_of_the_person_is_shown() {
    let shown = std::format!("{:?} {:?}", message(), message().values());
    let expected =
        "Message(sign_in_code, de-AT, 3 values) [Value(Code), Value(Minutes), Value(App)]";
    assert_eq!(shown, expected);
}
