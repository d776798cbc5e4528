//! Text messages and calls, given to a receiver on a real socket.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod rig;

use std::fs;
use std::path::Path;

use data_encoding::BASE64;
use rig::receiver::{Requests, listen};
use rig::{courier, send, send_code};
use standardwebhooks::Webhook;
use tidegate_delivery::Courier;
use tidegate_runtime::ports::Sent;

const TO: &str = "+4915112345678";
const FINE: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

fn secret() -> String {
    format!("whsec_{}", BASE64.encode(&[7; 32]))
}

fn to(dir: &Path, url: &str, more: &str) -> Courier {
    fs::write(dir.join("secret"), format!("{}\n", secret())).unwrap();
    let config = format!(
        "[sms]\nurl = \"{url}\"\nsecret_file = \"secret\"\ncountries = [\"DE\"]\n{more}\n\
         [calls.crm]\nurl = \"{url}\"\nsecret_file = \"secret\"\nallow = [\"127.0.0.0/8\"]\n"
    );
    courier(dir, &config).unwrap()
}

/// A courier to a receiver on this machine, which is allowed.
async fn answered(answer: &'static str, more: &str) -> (tempfile::TempDir, Courier, Requests) {
    let dir = tempfile::tempdir().unwrap();
    let (port, requests) = listen(answer, None).await;
    let more = format!("allow = [\"127.0.0.0/8\"]\n{more}");
    let courier = to(
        dir.path(),
        &format!("http://127.0.0.1:{port}/in?v=1"),
        &more,
    );
    (dir, courier, requests)
}

#[tokio::test]
async fn a_text_message_arrives_signed_under_its_id() {
    let (_dir, courier, requests) = answered(FINE, "").await;
    assert_eq!(send_code(&courier, 2, TO, "Shop").await, Sent::Delivered);
    let requests = requests.lock().unwrap().clone();
    let [request] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!(request.line, "POST /in?v=1 HTTP/1.1\r\n");
    let webhook = Webhook::new(&secret()).unwrap();
    webhook.verify(&request.body, &request.headers).unwrap();
    assert_eq!(
        request.headers["webhook-id"],
        "msg_abababababababababababababababab"
    );
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let expected = serde_json::json!({
        "id": "abababababababababababababababab",
        "type": "sms",
        "to": TO,
        "text": "493817 is your code to sign in to Shop. Give it to nobody.",
        "language": "en",
        "template": "sign_in_code",
    });
    assert_eq!(body, expected);
    let mut other = request.body.clone();
    other[10] ^= 1;
    assert!(webhook.verify(&other, &request.headers).is_err());
}

#[tokio::test]
async fn a_call_takes_its_route_with_the_body_that_it_has() {
    let (_dir, courier, requests) = answered(FINE, "").await;
    assert_eq!(
        send(&courier, 3, "crm", b"{\"type\":\"erased\"}").await,
        Sent::Delivered
    );
    assert_eq!(send(&courier, 3, "erp", b"{}").await, Sent::Refused);
    let requests = requests.lock().unwrap().clone();
    let bodies: Vec<_> = requests.iter().map(|request| &request.body[..]).collect();
    assert_eq!(bodies, [b"{\"type\":\"erased\"}"]);
}

#[tokio::test]
async fn a_status_means_what_it_says() {
    for (answer, sent) in [
        (FINE, Sent::Delivered),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", Sent::Refused),
        ("HTTP/1.1 410 Gone\r\n\r\n", Sent::Refused),
        ("HTTP/1.1 408 Request Timeout\r\n\r\n", Sent::Failed),
        ("HTTP/1.1 425 Too Early\r\n\r\n", Sent::Failed),
        ("HTTP/1.1 429 Too Many Requests\r\n\r\n", Sent::Failed),
        ("HTTP/1.1 500 No\r\n\r\n", Sent::Failed),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n",
            Sent::Failed,
        ),
        ("SSH-2.0-x\r\n", Sent::Failed),
        ("\r\n", Sent::Failed),
    ] {
        let (_dir, courier, requests) = answered(answer, "").await;
        assert_eq!(send_code(&courier, 2, TO, "Shop").await, sent, "{answer}");
        assert_eq!(requests.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_or_never_comes_fails() {
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    let (_dir, courier, _) = answered(head.leak(), "").await;
    assert_eq!(send_code(&courier, 2, TO, "Shop").await, Sent::Failed);
    let (_dir, courier, _) = answered("", "deadline_ms = 300").await;
    assert_eq!(send_code(&courier, 2, TO, "Shop").await, Sent::Failed);
    // Its body may be as long as it likes: it is not read.
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nx";
    let (_dir, courier, _) = answered(answer, "").await;
    assert_eq!(send_code(&courier, 2, TO, "Shop").await, Sent::Delivered);
}

#[tokio::test]
async fn what_is_not_of_the_public_internet_is_not_called_unless_it_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let (port, requests) = listen(FINE, None).await;
    // By a name, by an address, and in the clear where it would have to be encrypted.
    for (url, allow) in [
        (format!("https://localhost:{port}/"), "[]"),
        (format!("https://127.0.0.1:{port}/"), "[]"),
        (format!("https://127.0.0.1:{port}/"), "[\"10.0.0.0/8\"]"),
        (format!("http://127.0.0.1:{port}/"), "[\"10.0.0.0/8\"]"),
        (format!("http://localhost:{port}/"), "[\"10.0.0.0/8\"]"),
        ("http://1.1.1.1/".to_owned(), "[\"10.0.0.0/8\"]"),
    ] {
        let courier = to(dir.path(), &url, &format!("allow = {allow}"));
        assert_eq!(
            send_code(&courier, 2, TO, "Shop").await,
            Sent::Failed,
            "{url}"
        );
    }
    assert_eq!(requests.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_receiver_without_a_certificate_that_counts_is_told_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (port, requests) = listen(FINE, None).await;
    let url = format!("https://127.0.0.1:{port}/");
    let courier = to(
        dir.path(),
        &url,
        "allow = [\"127.0.0.0/8\"]\ndeadline_ms = 500",
    );
    assert_eq!(send_code(&courier, 2, TO, "Shop").await, Sent::Failed);
    let seen = requests.lock().unwrap();
    assert!(seen.iter().all(|request| request.body.is_empty()));
}

#[tokio::test]
async fn only_so_many_leave_in_an_hour_and_only_to_countries_that_are_paid_for() {
    let (_dir, courier, requests) = answered(FINE, "per_hour = 2").await;
    for to in ["+12025550123", "+8816123", "493817"] {
        assert_eq!(
            send_code(&courier, 2, to, "Shop").await,
            Sent::Refused,
            "{to}"
        );
    }
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(send_code(&courier, 2, TO, "Shop").await);
    }
    assert_eq!(sent, [Sent::Delivered, Sent::Delivered, Sent::Failed]);
    assert_eq!(requests.lock().unwrap().len(), 2);
}

#[test]
fn a_courier_tells_which_file_it_cannot_use() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("short"), "whsec_AAAA").unwrap();
    fs::write(dir.path().join("good"), secret()).unwrap();
    fs::write(dir.path().join("empty"), "\n").unwrap();
    let sms = "[sms]\nurl = \"https://sms.example/\"\ncountries = [\"DE\"]\nsecret_file = ";
    let mail =
        "[mail]\nto = \"smtps://u@relay.example\"\nfrom = \"a@example.com\"\npassword_file = ";
    for (config, told) in [
        (format!("{sms}\"none\""), "none: No such file"),
        (format!("{sms}\"short\""), "short must be one line, whsec_"),
        (
            format!("{sms}\"good\"\nca_file = \"good\""),
            "good must be certificates in PEM",
        ),
        (
            format!("{mail}\"empty\""),
            "empty must be one line, the password",
        ),
        (
            format!("{mail}\"good\"\nca_file = \"good\""),
            "good must be certificates in PEM",
        ),
        (
            format!("{sms}\"good\"\nper_hour = 0"),
            "delivery.sms.per_hour must be",
        ),
    ] {
        let fault = courier(dir.path(), &config).err().unwrap().to_string();
        assert!(fault.contains(told), "{fault}");
        assert!(!fault.contains("whsec_AAAA") && !fault.contains(&secret()));
    }
}
