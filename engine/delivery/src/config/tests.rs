use super::*;

const MAIL: &str = "[mail]\nfrom = \"Shop <a@example.com>\"\n";
const SMS: &str = "[sms]\nurl = \"https://sms.example/\"\nsecret_file = \"sms.secret\"\n";

/// What is told of a file: nothing when it is sound.
fn told(text: &str) -> String {
    match toml::from_str::<Config>(text) {
        Ok(config) => config
            .check()
            .err()
            .map_or(String::new(), |fault| fault.to_string()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_whole_configuration_is_read_and_written_as_it_was() {
    let text = format!(
        "{MAIL}to = \"smtps://u@relay.example\"\npassword_file = \"p\"\n\
         {SMS}countries = [\"DE\", \"AT\"]\nallow = [\"127.0.0.0/8\"]\n\
         [calls.crm]\nurl = \"https://crm.example/in\"\nsecret_file = \"crm.secret\"\n\
         [tenants.shop]\nfrom = \"b@example.com\"\nsubject_prefix = \"[Shop]\"\nlanguage = \"de\"\n"
    );
    assert_eq!(told(&text), "");
    let config: Config = toml::from_str(&text).unwrap();
    let written = toml::to_string(&config).unwrap();
    assert_eq!(
        toml::to_string(&toml::from_str::<Config>(&written).unwrap()).unwrap(),
        written
    );
    assert_eq!(told(""), "");
}

#[test]
fn what_cannot_be_is_told_by_key_and_reason() {
    let to = "delivery.mail.to must be";
    for (text, expected) in [
        (
            format!("{MAIL}to = \"smtp://relay.example\"\n"),
            format!("{to} smtps://, smtp+starttls:// or on this machine (or set allow_plaintext = true)"),
        ),
        (
            format!("{MAIL}to = \"smtp://u@relay.example\"\nallow_plaintext = true\npassword_file = \"p\"\n"),
            format!("{to} encrypted where it names a user: a password never leaves in the clear"),
        ),
        (
            format!("{MAIL}to = \"smtps://u@relay.example\"\n"),
            "delivery.mail.password_file must be there where delivery.mail.to names a user, and nowhere else".to_owned(),
        ),
        (
            format!("{MAIL}to = \"folder\"\ndeadline_ms = 9501\n"),
            "delivery.mail.deadline_ms must be 10 to 9500".to_owned(),
        ),
        (
            format!("{SMS}countries = []\n"),
            "delivery.sms.countries must be one country at least".to_owned(),
        ),
        (
            format!("{SMS}countries = [\"DE\"]\nper_hour = 0\n"),
            "delivery.sms.per_hour must be 1 to 10000000".to_owned(),
        ),
        (
            "[calls.x]\nurl = \"http://10.0.0.1/\"\nsecret_file = \"s\"\n".to_owned(),
            "delivery.calls.x.url must be https:// unless ranges are allowed".to_owned(),
        ),
        (
            "[tenants.shop]\nsubject_prefix = \"a\\nb\"\n".to_owned(),
            "delivery.tenants.shop.subject_prefix must be at most 40 characters on one line".to_owned(),
        ),
        (
            "[tenants.shop]\nlanguage = \"tlh\"\n".to_owned(),
            "delivery.tenants.shop.language must be one of en, de, fr, es, ar".to_owned(),
        ),
    ] {
        assert_eq!(told(&text), expected);
    }
}

#[test]
fn what_is_no_value_of_its_type_is_told_with_its_line_and_rule() {
    for (text, key, rule) in [
        (
            format!("{MAIL}to = \"relay\"\n"),
            "to = \"relay\"",
            "smtp+starttls://",
        ),
        (
            "[mail]\nfrom = \"x\"\nto = \"folder\"\n".to_owned(),
            "from = \"x\"",
            "Name <a@example.com>",
        ),
        (
            format!("{SMS}countries = [\"de\"]\n"),
            "countries",
            "ISO 3166-1",
        ),
        (
            format!("{SMS}countries = []\nallow = [\"10.0.0.1/8\"]\n"),
            "allow",
            "10.1.0.0/16",
        ),
        (
            format!("{MAIL}to = \"folder\"\nfolders = \"x\"\n"),
            "folders",
            "unknown field",
        ),
        (
            format!("{SMS}countries = []\nsecret = \"x\"\n"),
            "secret",
            "unknown field",
        ),
        ("[pigeons]\n".to_owned(), "pigeons", "unknown field"),
    ] {
        let told = told(&text);
        assert!(told.contains(key) && told.contains(rule), "{told}");
    }
}
