use std::fs;

use tidegate_account::{Template, Value};

use super::*;

const TENANT: &str = "shop";

fn values() -> Vec<Value> {
    vec![
        Value::Code("493817".into()),
        Value::Link("https://shop.example/go?a=1&b=2".into()),
        Value::Minutes(10),
        Value::App("Shop & Söhne".into()),
        Value::WhenMs(1_700_000_000_000),
        Value::Device("Firefox <Linux>".into()),
        Value::Place("Wien".into()),
    ]
}

fn message(template: Template, language: &str, values: Vec<Value>) -> Message {
    Message::new(template, language, "ada@example.com", values).unwrap()
}

fn code(language: &str) -> Message {
    message(Template::SignInCode, language, values())
}

/// Templates with a tenant's own.
fn with(files: &[(&str, &str)]) -> Templates {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(TENANT);
    fs::create_dir(&folder).unwrap();
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    Templates::read(dir.path()).unwrap()
}

fn mail(templates: &Templates, message: &Message) -> Written {
    let tenant = TenantId::of_name(TENANT);
    templates
        .mail(tenant, None, message)
        .unwrap_or_else(|_| panic!("{message:?}"))
}

#[test]
fn every_text_is_there_in_every_language_with_all_values_and_with_the_least() {
    let templates = with(&[]);
    for language in LANGUAGES {
        for template in Template::ALL {
            let all = values();
            let needed = all
                .iter()
                .filter(|value| template.needs().contains(&value.kind()));
            let least = needed.cloned().collect();
            for values in [all.clone(), least] {
                let message = message(*template, language, values);
                let mail = mail(&templates, &message);
                assert_eq!(mail.language, *language);
                let sms = templates
                    .sms(TenantId(0), None, &message)
                    .map(|(_, text)| text);
                let sms = sms.unwrap_or_else(|_| panic!("{message:?}"));
                for text in [&mail.subject, &mail.text, &mail.html, &sms] {
                    assert!(
                        text.contains("Shop") && !text.contains('{'),
                        "{message:?} {text}"
                    );
                }
                for value in message.values() {
                    if let Value::Code(text) | Value::Link(text) = value {
                        let told = mail.text.contains(text) && sms.contains(text);
                        let shown = template.shows(value.kind());
                        assert_eq!(told, shown, "{message:?}");
                        assert!(shown || !mail.html.contains(text), "{message:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_mail_is_written_as_it_stands_here() {
    let written = mail(&with(&[]), &code("de-AT"));
    assert_eq!(written.subject, "Ihr Code zur Anmeldung bei Shop & Söhne");
    let text = written.text.replace(['\u{2068}', '\u{2069}'], "");
    let expected = "Mit diesem Code melden Sie sich bei Shop & Söhne an.\n\n    493817\n\n\
        https://shop.example/go?a=1&b=2\n\nGültig für 10 Minuten.\n\n\
        Zeit: 2023-11-14 22:13 UTC\nGerät: Firefox <Linux>\nOrt: Wien\n\n\
        Wenn Sie ihn nicht angefordert haben, müssen Sie nichts tun. Geben Sie den Code \
        niemandem; Shop & Söhne fragt nie am Telefon oder in einer Nachricht danach.\n\n-- \n\
        Shop & Söhne hat diese Nachricht automatisch verschickt. Antworten werden nicht \
        gelesen, wenn nichts anderes angegeben ist.";
    assert_eq!(text, expected);
    assert!(written.html.contains("<html lang=\"de\" dir=\"ltr\">"));
    assert!(written.html.contains("Firefox &lt;Linux&gt;"));
    assert!(!written.html.contains("<Linux>") && !written.html.contains("<img"));
}

#[test]
fn what_is_written_from_right_to_left_says_so_and_keeps_values_apart() {
    let templates = with(&[]);
    let written = mail(&templates, &code("ar"));
    assert!(written.html.contains("<html lang=\"ar\" dir=\"rtl\">"));
    assert!(written.text.contains("\u{2068}Shop & Söhne\u{2069}"));
    let sms = templates
        .sms(TenantId(0), None, &code("ar"))
        .map(|(_, text)| text)
        .ok()
        .unwrap();
    for text in [written.subject, sms] {
        assert!(!text.contains(['\u{2068}', '\u{2069}']), "{text}");
    }
}

#[test]
fn the_language_is_the_messages_or_the_tenants_or_english() {
    let templates = with(&[]);
    for (wished, tenants, found) in [
        ("fr-CA", Some("de"), "fr"),
        ("tlh", Some("de"), "de"),
        ("", Some("de"), "de"),
        ("", None, "en"),
    ] {
        let written = templates.mail(TenantId(0), tenants, &code(wished));
        assert_eq!(written.map(|mail| mail.language).ok(), Some(found));
    }
}

#[test]
fn a_tenants_own_parts_stand_over_ours_and_no_other_tenant_has_them() {
    let templates = with(&[
        ("sign_in_code.subject", "{{ code }}: {{ app }}"),
        ("sign_in_code.html", "<p>{{ app }} {{ t('valid') }}</p>"),
        ("sign_in_code.sms", "{{ app }}"),
    ]);
    let ours = mail(&with(&[]), &code("en"));
    let own = mail(&templates, &code("en"));
    assert_eq!(own.subject, "493817: Shop & Söhne");
    assert_eq!(own.text, ours.text);
    let html = own.html.replace(['\u{2068}', '\u{2069}'], "");
    assert_eq!(html, "<p>Shop &amp; Söhne Valid for 10 minutes.</p>");
    let tenant = TenantId::of_name(TENANT);
    let (_, sms) = templates.sms(tenant, None, &code("en")).ok().unwrap();
    assert_eq!(sms, "Shop & Söhne 493817 https://shop.example/go?a=1&b=2");
    let other = templates.mail(TenantId::of_name("other"), None, &code("en"));
    assert_eq!(other.map(|mail| mail.subject).ok(), Some(ours.subject));
}

#[test]
fn a_template_that_loops_or_fails_gives_way_to_what_is_built_in() {
    let ours = mail(&with(&[]), &code("en"));
    let many = "[1,2,3,4,5,6,7,8,9,0]";
    let mut nested = String::from("x");
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i"] {
        nested = format!("{{% for {name} in {many} %}}{nested}{{% endfor %}}");
    }
    let long = format!("{{{{ 'x' * {} }}}}", PART_TOO_LARGE);
    for broken in [
        &*nested,
        &*long,
        "{{ cdoe }}",
        "{{ t('nothing') }}",
        "{{ code|safe }}",
        "{% include 'mail.txt' %}",
        "{% if %}",
        "{{ code() }}",
    ] {
        let templates = with(&[("sign_in_code.txt", broken)]);
        assert_eq!(mail(&templates, &code("en")).text, ours.text, "{broken}");
    }
}

const PART_TOO_LARGE: usize = 300_000;

#[test]
fn a_file_that_is_no_template_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(TENANT);
    fs::create_dir(&folder).unwrap();
    for (name, text, rule) in [
        ("sign-in-code.txt", String::new(), "named NAME.subject"),
        ("sign_in_code.txt", "x".repeat(65_537), "at most 64 KiB"),
    ] {
        fs::write(folder.join(name), text).unwrap();
        let fault = Templates::read(dir.path())
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(fault.contains(name) && fault.contains(rule), "{fault}");
        fs::remove_file(folder.join(name)).unwrap();
    }
    fs::write(folder.join(".swp"), "x").unwrap();
    fs::write(dir.path().join("README"), "x").unwrap();
    assert!(Templates::read(dir.path()).is_ok());
}

#[test]
fn a_subject_is_one_line_whatever_stands_in_a_value() {
    let app = Value::App("Shop\r\nBcc: eve@example.com\u{2028}\u{202e}x".into());
    let mut values: Vec<_> = values();
    values.retain(|value| value.kind() != tidegate_account::ValueKind::App);
    let written = mail(
        &with(&[]),
        &message(Template::SignInCode, "en", [values, vec![app]].concat()),
    );
    assert_eq!(
        written.subject,
        "Your code to sign in to Shop Bcc: eve@example.com x"
    );
    assert_eq!(one_line(&"é".repeat(300), 200), "é".repeat(200));
}
