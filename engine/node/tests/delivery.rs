//! What leaves a real node: a notice by mail, and what becomes of one that its
//! server refuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test program, on the real clock"
)]

mod rig;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rig::{Dir, Node, client, json, office, tidegate, yes};
use tidegate_client::{Identifier, SignIn, Verification, Verify};

const ADDRESS: &str = "ada@example.com";

fn configured(mail: &str) -> Dir {
    let dir = Dir::new();
    let path = dir.path().join("config.toml");
    let mut config = std::fs::read_to_string(&path).unwrap();
    config.push_str("\n[delivery.mail]\nfrom = \"Example Shop <login@shop.example>\"\n");
    config.push_str(mail);
    std::fs::write(path, config).unwrap();
    dir
}

/// An account whose password is replaced by the holder of its address.
async fn recovered(dir: &Dir, node: &Node) {
    let (gateway, office) = (client(dir, node), office(dir, node));
    let user = yes(gateway
        .sign_up(&SignIn::email(ADDRESS, "correct horse"))
        .await);
    let verify = |password| Verify::new(user, Identifier::email(ADDRESS)).with_password(password);
    let confirmed = office.verify(&verify("correct horse")).await;
    assert_eq!(yes(confirmed), Verification::Confirmed);
    let taken_over = office.verify(&verify("battery staple")).await;
    assert_eq!(yes(taken_over), Verification::TakenOver);
}

/// Asks again until there is an answer, for a minute.
async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: not within a minute")
}

fn mails(dir: &Dir) -> Vec<PathBuf> {
    let Ok(files) = std::fs::read_dir(dir.path().join("mail")) else {
        return Vec::new();
    };
    let files = files.map(|file| file.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|end| end == "eml"))
        .collect()
}

#[tokio::test]
async fn the_holder_of_an_address_is_told_that_the_password_was_replaced() {
    let dir = configured("to = \"folder\"\n");
    let node = Node::start(&dir);
    recovered(&dir, &node).await;
    let mail = eventually("a mail", || mails(&dir).pop()).await;
    let text = std::fs::read_to_string(mail).unwrap();
    for line in [
        "From: \"Example Shop\" <login@shop.example>",
        "To: ada@example.com",
        "Subject: Your password at Example Shop was changed",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(mails(&dir).len(), 1);
}

#[tokio::test]
async fn a_mail_that_its_server_refuses_is_listed_and_says_nothing() {
    let (server, served) = refusing();
    let dir = configured(&format!("smtp = \"smtp://{server}\"\n"));
    let node = Node::start(&dir);
    recovered(&dir, &node).await;
    let listed = || {
        let mut command = tidegate(&["outbox", "--undelivered", "--json", "--dir", dir.text()]);
        let listed = json(&command.output().unwrap());
        listed["undelivered"].get(0).cloned()
    };
    let row = eventually("an undelivered mail", listed).await;
    assert_eq!(
        (&row["reason"], &row["tries"]),
        (&"refused".into(), &0.into())
    );
    assert!(!row.to_string().contains(ADDRESS));
    assert_eq!(served.join().unwrap(), "RCPT TO:<ada@example.com>");
}

/// A mail server that knows no such recipient; the line that it refused.
fn refusing() -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || refuse(listener.accept().unwrap().0);
    (address, std::thread::spawn(serve))
}

fn refuse(stream: TcpStream) -> String {
    let mut out = stream.try_clone().unwrap();
    out.write_all(b"220 mail.example\r\n").unwrap();
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        if line.starts_with("RCPT") {
            out.write_all(b"550 5.1.1 no such mailbox\r\n").unwrap();
            return line;
        }
        out.write_all(b"250 ok\r\n").unwrap();
    }
    String::new()
}
