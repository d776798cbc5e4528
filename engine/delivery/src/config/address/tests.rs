use super::*;

#[test]
fn relays_are_read_and_written() {
    for (text, whole) in [
        ("folder", "folder"),
        ("smtps://relay.example", "smtps://relay.example:465"),
        (
            "smtps://a@b.example@Relay.example",
            "smtps://a@b.example@relay.example:465",
        ),
        (
            "smtp+starttls://u@relay.example",
            "smtp+starttls://u@relay.example:587",
        ),
        ("smtp://127.0.0.1:2525", "smtp://127.0.0.1:2525"),
        ("smtp://[::1]", "smtp://[::1]:25"),
    ] {
        let read: Destination = text.parse().unwrap();
        assert_eq!(String::from(read), whole);
    }
    for text in [
        "",
        "relay.example",
        "smtps://",
        "smtps://user:secret@relay.example",
        "smtps://@relay.example",
        "smtps://relay.example/",
        "smtps://relay.example:0",
        "smtps://relay.example:+25",
        "smtps://re lay.example",
        "smtp://2130706433",
        "smtp://0x7f.1",
        "smtp://127.1",
        "smtp://[::1",
        "smtp://[relay]",
        "https://relay.example",
    ] {
        assert_eq!(text.parse::<Destination>(), Err(SMTP_RULE), "{text}");
    }
}

#[test]
fn systems_are_read_and_written() {
    let read = |text: &str| HttpUrl::try_from(text.to_owned());
    for (text, whole, header) in [
        (
            "https://sms.example",
            "https://sms.example:443/",
            "sms.example",
        ),
        (
            "https://sms.example:8443/v1?a=b",
            "https://sms.example:8443/v1?a=b",
            "sms.example:8443",
        ),
        ("http://[::1]:80/x", "http://[::1]:80/x", "[::1]"),
    ] {
        let url = read(text).unwrap();
        assert_eq!(url.host_header(), header);
        assert_eq!(String::from(url), whole);
    }
    for text in [
        "",
        "ftp://a.example",
        "https://u:p@a.example/",
        "https://a.example/#x",
        "https://a.example/\r\nX: y",
        "https://a.example/ b",
        "https://a.example?x",
        "https://017700000001/",
    ] {
        assert_eq!(read(text), Err(HTTP_RULE), "{text}");
    }
}
