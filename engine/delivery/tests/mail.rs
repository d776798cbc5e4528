//! Mail, given to a relay on a real socket that behaves or does not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use mail_parser::MessageParser;
use rig::relay::{Manner, Seen, listen};
use rig::{courier, send, send_code};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tidegate_delivery::Courier;
use tidegate_runtime::ports::Sent;
use tokio_rustls::TlsAcceptor;

const TO: &str = "ada@example.com";
const PATIENT: u64 = 9_500;
const IMPATIENT: u64 = 400;

fn to(dir: &Path, url: &str, deadline_ms: u64, more: &str) -> Courier {
    let config = format!(
        "[mail]\nto = \"{url}\"\nfrom = \"Shop <shop@example.com>\"\ndeadline_ms = {deadline_ms}\n{more}"
    );
    courier(dir, &config).unwrap()
}

/// What comes of a mail to a relay of this manner, and what that saw.
async fn outcome(manner: Manner, deadline_ms: u64) -> (Sent, Seen) {
    let dir = tempfile::tempdir().unwrap();
    let (port, seen) = listen(manner, None).await;
    let courier = to(
        dir.path(),
        &format!("smtp://127.0.0.1:{port}"),
        deadline_ms,
        "",
    );
    (send_code(&courier, 1, TO, "Shop").await, seen)
}

#[tokio::test]
async fn a_mail_arrives_whole_under_its_id_and_a_repeat_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (port, seen) = listen(Manner::Takes, None).await;
    let more = "reply_to = \"help@example.com\"\n[tenants.shop]\nsubject_prefix = \"[Käse]\"\n";
    let courier = to(
        dir.path(),
        &format!("smtp://127.0.0.1:{port}"),
        PATIENT,
        more,
    );
    for _ in 0..2 {
        assert_eq!(send_code(&courier, 1, TO, "Shop").await, Sent::Delivered);
    }
    // The second went over the connection of the first.
    assert_eq!(seen.connections(), 1);
    let mails = seen.mails();
    let [first, second] = &mails[..] else {
        panic!("{}", mails.len())
    };
    let parsed = MessageParser::default().parse(first).unwrap();
    assert_eq!(
        parsed.subject(),
        Some("[Käse] Your code to sign in to Shop")
    );
    assert_eq!(
        parsed.message_id(),
        Some("abababababababababababababababab@example.com")
    );
    let from = parsed.from().unwrap().first().unwrap();
    assert_eq!(
        (from.name(), from.address()),
        (Some("Shop"), Some("shop@example.com"))
    );
    let recipient = parsed.to().unwrap().first().unwrap();
    assert_eq!(recipient.address(), Some(TO));
    let reply_to = parsed.reply_to().unwrap().first().unwrap();
    assert_eq!(reply_to.address(), Some("help@example.com"));
    for (name, value) in [
        ("Auto-Submitted", "auto-generated"),
        ("Content-Language", "en"),
    ] {
        assert_eq!(parsed.header_raw(name).map(str::trim), Some(value));
    }
    assert_eq!(parsed.header_raw("List-Unsubscribe"), None);
    assert!(parsed.body_text(0).unwrap().contains("    493817"));
    let html = parsed.body_html(0).unwrap();
    assert!(html.contains(">493817</p>") && html.contains("dir=\"ltr\""));
    assert_eq!(parsed.parts.len(), 3);
    let dateless = |mail: &[u8]| {
        let text = String::from_utf8(mail.to_vec()).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("Date: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(dateless(first), dateless(second));
}

#[tokio::test]
async fn an_answer_means_what_it_says_about_the_mail_and_not_about_us() {
    for (manner, sent) in [
        (Manner::TakesSlowly, Sent::Delivered),
        (
            Manner::Says("RCPT", "550 5.1.1 no such mailbox"),
            Sent::Refused,
        ),
        (Manner::Says("DATA", "554 5.7.1 no"), Sent::Refused),
        (Manner::Says(".", "552 5.3.4 too large"), Sent::Refused),
        (
            Manner::Says("RCPT", "451 4.7.1 greylisted, come back"),
            Sent::Failed,
        ),
        (Manner::Says(".", "451 4.3.0 later"), Sent::Failed),
        (Manner::Says("", "554 5.7.1 not you"), Sent::Failed),
        (Manner::Says("", "421 4.3.2 not now"), Sent::Failed),
        (
            Manner::Says("MAIL", "550 5.7.1 not from there"),
            Sent::Failed,
        ),
        (Manner::Says("DATA", "250 2.1.5 fine"), Sent::Failed),
        (Manner::Says(".", "354 go on"), Sent::Failed),
        (Manner::Says("EHLO", "what?"), Sent::Failed),
        (Manner::Closes(""), Sent::Failed),
        (Manner::Closes("RCPT"), Sent::Failed),
        (Manner::Closes("DATA"), Sent::Failed),
        (Manner::Closes("."), Sent::Failed),
        (Manner::RefusesAndFallsSilent, Sent::Refused),
    ] {
        assert_eq!(outcome(manner, PATIENT).await.0, sent, "{manner:?}");
    }
}

#[tokio::test]
async fn silence_fails_at_our_own_deadline_wherever_it_begins() {
    for at in ["", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let sent = outcome(Manner::FallsSilent(at), IMPATIENT).await.0;
        assert_eq!(sent, Sent::Failed, "{at}");
    }
}

#[tokio::test]
async fn a_connection_that_was_given_up_in_the_middle_is_not_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let (port, seen) = listen(Manner::FallsSilent("."), None).await;
    let courier = to(
        dir.path(),
        &format!("smtp://127.0.0.1:{port}"),
        IMPATIENT,
        "",
    );
    for connections in 1..=2 {
        assert_eq!(send_code(&courier, 1, TO, "Shop").await, Sent::Failed);
        assert_eq!(seen.connections(), connections);
    }
}

#[tokio::test]
async fn a_relay_that_is_not_there_fails() {
    let dir = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let courier = to(dir.path(), &format!("smtp://127.0.0.1:{port}"), PATIENT, "");
    assert_eq!(send_code(&courier, 1, TO, "Shop").await, Sent::Failed);
}

#[tokio::test]
async fn no_value_adds_a_header() {
    let dir = tempfile::tempdir().unwrap();
    let (port, seen) = listen(Manner::Takes, None).await;
    let courier = to(dir.path(), &format!("smtp://127.0.0.1:{port}"), PATIENT, "");
    let app = "Shop\r\nBcc: eve@example.com\r\n\r\nX";
    assert_eq!(send_code(&courier, 1, TO, app).await, Sent::Delivered);
    let mails = seen.mails();
    let parsed = MessageParser::default().parse(&mails[0]).unwrap();
    let subject = "Your code to sign in to Shop Bcc: eve@example.com X";
    assert_eq!(parsed.subject(), Some(subject));
    assert_eq!(parsed.header_raw("Bcc"), None);
    let told = seen
        .commands()
        .into_iter()
        .filter(|line| line.starts_with("RCPT"));
    assert_eq!(told.collect::<Vec<_>>(), ["RCPT TO:<ada@example.com>"]);
}

#[tokio::test]
async fn what_is_no_address_or_cannot_be_told_to_the_relay_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (port, seen) = listen(Manner::Takes, None).await;
    let courier = to(dir.path(), &format!("smtp://127.0.0.1:{port}"), PATIENT, "");
    for address in ["ada", "a@b> RCPT TO:<eve@example.com", "müller@example.com"] {
        assert_eq!(send_code(&courier, 1, address, "Shop").await, Sent::Refused);
    }
    assert_eq!(
        send(&courier, 1, "main", b"no message").await,
        Sent::Refused
    );
    assert_eq!(seen.mails().len(), 0);
}

#[tokio::test]
async fn a_relay_is_trusted_by_its_certificate_and_told_the_password_only_then() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(dir.path().join("ca.pem"), made.cert.pem()).unwrap();
    fs::write(dir.path().join("password"), "secret\n").unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider);
    let server = server
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    let server = server.with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(key));
    let acceptor = TlsAcceptor::from(Arc::new(server.unwrap()));
    let (port, seen) = listen(Manner::Takes, Some(acceptor)).await;
    let url = format!("smtps://user@localhost:{port}");
    let password = "password_file = \"password\"\n";
    let stranger = to(dir.path(), &url, PATIENT, password);
    assert_eq!(send_code(&stranger, 1, TO, "Shop").await, Sent::Failed);
    assert_eq!(seen.commands(), [""; 0]);
    let known = to(
        dir.path(),
        &url,
        PATIENT,
        &format!("{password}ca_file = \"ca.pem\"\n"),
    );
    assert_eq!(send_code(&known, 1, TO, "Shop").await, Sent::Delivered);
    let auth = "AUTH PLAIN AHVzZXIAc2VjcmV0";
    assert!(seen.commands().iter().any(|line| line == auth));
    // Where TLS is offered by none, nothing is sent.
    let (port, seen) = listen(Manner::Takes, None).await;
    let url = format!("smtp+starttls://user@localhost:{port}");
    let plain = to(
        dir.path(),
        &url,
        PATIENT,
        &format!("{password}ca_file = \"ca.pem\"\n"),
    );
    assert_eq!(send_code(&plain, 1, TO, "Shop").await, Sent::Failed);
    assert!(seen.commands().iter().all(|line| line.starts_with("EHLO")));
}

#[tokio::test]
async fn for_who_develops_mail_lies_in_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let courier = to(
        dir.path(),
        "folder",
        PATIENT,
        "[tenants.shop]\nfrom = \"Own <own@shop.example>\"\n",
    );
    assert_eq!(send_code(&courier, 1, TO, "Shop").await, Sent::Delivered);
    let mail = fs::read(dir.path().join("mail/abababababababababababababababab.eml")).unwrap();
    let parsed = MessageParser::default().parse(&mail).unwrap();
    let from = parsed.from().unwrap().first().unwrap();
    assert_eq!(
        (from.name(), from.address()),
        (Some("Own"), Some("own@shop.example"))
    );
    assert_eq!(
        parsed.message_id(),
        Some("abababababababababababababababab@shop.example")
    );
    // By what there is no way, nothing leaves.
    for kind in [2, 3] {
        assert_eq!(send_code(&courier, kind, TO, "Shop").await, Sent::Refused);
    }
}
