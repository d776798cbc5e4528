//! Flows by hand, as the README and docs/sign-in.md show them: a real node, real
//! mails in a folder and over SMTP, the commands of the program.
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
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use rig::{Dir, Node, client, json, tidegate, yes};
use serde_json::{Value, json};
use tidegate_client::{
    Begin, Decision, Flow, FlowSaid, Identifier, Method, NextState, Purpose, Shown,
};

fn configured(mail: &str) -> Dir {
    with_mail(Dir::new(), mail)
}

fn with_mail(dir: Dir, mail: &str) -> Dir {
    let path = dir.path().join("config.toml");
    let mut config = std::fs::read_to_string(&path).unwrap();
    config.push_str("\n[delivery.mail]\nfrom = \"Example Shop <login@shop.example>\"\n");
    config.push_str(mail);
    std::fs::write(path, config).unwrap();
    dir
}

/// Looks again until there is something, for a minute.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{what}: not within a minute")
}

/// The mails in the node's folder to an address, as they are.
fn mails(dir: &Dir, to: &str) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(dir.path().join("mail")) else {
        return Vec::new();
    };
    let paths = files.map(|file| file.unwrap().path());
    let whole = paths.filter(|path| path.extension().is_some_and(|end| end == "eml"));
    let texts = whole.map(|path| std::fs::read_to_string(path).unwrap());
    texts
        .filter(|text| text.contains(&format!("To: {to}")))
        .collect()
}

fn code_in(mail: &str) -> String {
    let mut lines = mail.lines().map(str::trim);
    let code = lines.find(|line| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit()));
    code.unwrap_or_else(|| panic!("{mail}")).to_owned()
}

/// The code of the only mail to an address whose subject says this.
fn code(dir: &Dir, to: &str, subject: &str) -> String {
    let mail = eventually(subject, || {
        let mut mails = mails(dir, to).into_iter();
        mails.find(|mail| mail.contains(&format!("Subject: {subject}")))
    });
    code_in(&mail)
}

fn begin(dir: &Dir, purpose: &str, address: &str) -> Value {
    let args = ["flow", "begin", "--json", "--purpose", purpose];
    let by = ["--email", address, "--dir", dir.text()];
    json(&tidegate(&[&args[..], &by[..]].concat()).output().unwrap())
}

fn answer(dir: &Dir, step: &Value, shown: &Value) -> Output {
    let mut said = shown.clone();
    said["continuation"] = step["continuation"].clone();
    said["browser"] = step["browser"].clone();
    let mut command = tidegate(&["flow", "answer", "--json", "--dir", dir.text()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(said.to_string().as_bytes()).unwrap();
    drop(input);
    child.wait_with_output().unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    json(output)["code"].as_str().unwrap().to_owned()
}

const JOINS: &str = "Your code to join Example Shop";
const SIGNS_IN: &str = "Your code to sign in to Example Shop";
const RECOVERS: &str = "Your code to recover your account at Example Shop";

#[test]
fn a_person_signs_up_in_and_recovers_by_mail_alone() {
    let dir = configured("to = \"folder\"\n");
    let node = Node::start(&dir);
    let ada = "ada@example.com";

    let step = begin(&dir, "sign-up", ada);
    assert_eq!(
        step["next"],
        json!([{ "method": "email_code", "sent": true, "resend_after_ms": 30_000 }])
    );
    let by_code = |code: &str| json!({ "method": "email_code", "code": code });
    let right = by_code(&code(&dir, ada, JOINS));
    let made = json(&answer(&dir, &step, &right));
    assert_eq!(refused(&answer(&dir, &step, &right)), "flow_over");

    let step = begin(&dir, "sign-in", ada);
    let methods = step["next"].as_array().unwrap().iter();
    let methods: Vec<_> = methods
        .map(|next| next["method"].as_str().unwrap())
        .collect();
    assert_eq!(methods, ["email_code", "password"]);
    let right = code(&dir, ada, SIGNS_IN);
    for code in ["12345x", &wrong(&right)] {
        assert_eq!(
            refused(&answer(&dir, &step, &by_code(code))),
            "invalid_code"
        );
    }
    // Another node life goes on with it.
    drop(node);
    let node = Node::start(&dir);
    let spaced = format!(" {} {}", &right[..3], &right[3..]);
    let granted = json(&answer(&dir, &step, &by_code(&spaced)));
    assert_eq!(granted["user"], made["user"]);

    let step = begin(&dir, "recover", ada);
    let right = code(&dir, ada, RECOVERS);
    let shown = json(&answer(&dir, &step, &by_code(&right)));
    assert_eq!(
        shown["next"],
        json!([{ "method": "password", "new": true }])
    );
    let password = |text: &str| json!({ "method": "password", "password": text });
    let short = answer(&dir, &shown, &password("short"));
    assert_eq!(refused(&short), "password_too_short");
    let recovered = json(&answer(&dir, &shown, &password("a new horse")));
    assert_eq!(recovered["user"], made["user"]);

    let step = begin(&dir, "sign-in", ada);
    let wrong = answer(&dir, &step, &password("an old horse"));
    assert_eq!(refused(&wrong), "invalid_credentials");
    let granted = json(&answer(&dir, &step, &password("a new horse")));
    assert_eq!(granted["user"], made["user"]);
    eventually("a notice", || {
        let mut mails = mails(&dir, ada).into_iter();
        mails.find(|mail| mail.contains("Your password at Example Shop was changed"))
    });
    drop(node);
}

fn wrong(code: &str) -> String {
    let first = if code.starts_with('0') { "1" } else { "0" };
    format!("{first}{}", &code[1..])
}

#[test]
fn an_address_without_an_account_is_told_so_by_mail_and_nobody_else() {
    let dir = configured("to = \"folder\"\n");
    let _node = Node::start(&dir);
    let known = begin(&dir, "sign-up", "ada@example.com");
    let code = code(&dir, "ada@example.com", JOINS);
    let by_code = json!({ "method": "email_code", "code": code });
    json(&answer(&dir, &known, &by_code));

    let known = begin(&dir, "sign-in", "ada@example.com");
    let unknown = begin(&dir, "sign-in", "bob@example.com");
    assert_eq!(known["next"], unknown["next"]);
    let length = |step: &Value| step["continuation"].as_str().unwrap().len();
    assert_eq!(length(&known), length(&unknown));
    let mail = eventually("a mail", || mails(&dir, "bob@example.com").pop());
    assert!(mail.contains("Subject: No account with this address at Example Shop"));
    let is_code = |line: &str| line.trim().len() == 6 && line.trim().parse::<u32>().is_ok();
    assert!(!mail.lines().any(is_code), "{mail}");
}

#[test]
fn bad_input_gets_a_clear_error_and_repeats_no_secret() {
    let dir = configured("to = \"folder\"\n");
    let _node = Node::start(&dir);
    let step = begin(&dir, "sign-in", "ada@example.com");
    let told = |shown: &Value| {
        let output = answer(&dir, &step, shown);
        let text = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        text
    };
    let unknown = told(&json!({ "method": "hunter2x", "password": "hunter2" }));
    assert!(
        unknown.contains("\"method\" is one of password, passkey"),
        "{unknown}"
    );
    let without = told(&json!({ "method": "password", "code": "hunter2" }));
    assert!(without.contains("wants \"password\""), "{without}");
    let odd = told(&json!({ "method": "password", "password": ["hunter2"] }));
    assert!(odd.contains("standard input holds no answer"), "{odd}");
    let passkey = told(&json!({ "method": "passkey", "code": "hunter2" }));
    assert!(passkey.contains("wants \"credential\""), "{passkey}");

    let mut bent = step.clone();
    bent["continuation"] = "tgf_AAAA".into();
    let shown = json!({ "method": "password", "password": "hunter2 hunter2" });
    assert_eq!(refused(&answer(&dir, &bent, &shown)), "invalid_token");
    let mut other = step.clone();
    other["browser"] = begin(&dir, "sign-in", "ada@example.com")["browser"].clone();
    assert_eq!(refused(&answer(&dir, &other, &shown)), "invalid_token");
    let shown = json!({ "method": "link", "code": "hunter2" });
    assert_eq!(refused(&answer(&dir, &step, &shown)), "not_permitted");
    let bare = ["flow", "begin", "--purpose", "add", "--dir", dir.text()];
    let bare = tidegate(&bare).stdin(Stdio::null()).output().unwrap();
    assert_eq!(bare.status.code(), Some(2), "{bare:?}");
}

#[test]
fn flows_begin_when_no_node_of_an_older_program_is_to_come_back() {
    let made = Dir::made(&["--formats", "3"]);
    let dir = with_mail(made, "to = \"folder\"\n");
    let _node = Node::start(&dir);
    let early = begin(&dir, "sign-up", "ada@example.com");
    assert_eq!(early["code"], "unavailable");
    let finish = ["upgrade", "finish", "--json", "--dir", dir.text()];
    let raised = json(&tidegate(&finish).output().unwrap());
    assert_eq!(raised, json!({ "active": 4, "was": 3 }));
    let step = begin(&dir, "sign-up", "ada@example.com");
    assert_eq!(step["next"][0]["sent"], true);
}

/// A mail server that takes everything, and hands on what it was given.
fn taking() -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (given, mails) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            take(stream, &given);
        }
    });
    (address, mails)
}

fn take(stream: TcpStream, given: &std::sync::mpsc::Sender<String>) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    out.write_all(b"220 mail.example\r\n").ok()?;
    let (mut mail, mut data) = (String::new(), false);
    for line in BufReader::new(stream).lines() {
        let line = line.ok()?;
        match (data, line.as_str()) {
            (true, ".") => {
                out.write_all(b"250 taken\r\n").ok()?;
                data = false;
                given.send(std::mem::take(&mut mail)).ok()?;
            }
            (true, text) => {
                mail.push_str(text);
                mail.push('\n');
            }
            (false, "DATA") => {
                out.write_all(b"354 go on\r\n").ok()?;
                data = true;
            }
            (false, text) if text.starts_with("QUIT") => {
                out.write_all(b"221 bye\r\n").ok()?;
                break;
            }
            (false, _) => out.write_all(b"250 ok\r\n").ok()?,
        }
    }
    Some(())
}

fn next(said: FlowSaid) -> Flow {
    match said {
        FlowSaid::Next(flow) => flow,
        FlowSaid::Granted(granted) => panic!("{granted:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_comes_over_smtp_and_the_client_library_answers_it() {
    let (server, arriving) = taking();
    let dir = configured(&format!("smtp = \"smtp://{server}\"\n"));
    let node = Node::start(&dir);
    let client = client(&dir, &node);
    let identifier = Identifier::email("ada@example.com");
    let begin = Begin::new(Purpose::SignUp, identifier).in_language("de");
    let flow = next(yes(client.begin(&begin).await));
    assert_eq!(flow.next.len(), 1);
    assert_eq!(
        (flow.next[0].method, flow.next[0].state),
        (Method::EmailCode, NextState::Sent)
    );
    let mail = tokio::task::spawn_blocking(move || {
        arriving.recv_timeout(Duration::from_secs(60)).unwrap()
    });
    let mail = mail.await.unwrap();
    assert!(mail.contains("To: ada@example.com"), "{mail}");
    assert!(mail.contains("Content-Language: de"), "{mail}");
    let code = code_in(&mail);
    // Any gateway goes on with what the browser holds.
    let resumed = Flow::resume(&flow.continuation, flow.browser.clone());
    let shown = Shown::new(Method::EmailCode, &code).remember_device();
    match yes(resumed.answer(&client, &shown).await) {
        FlowSaid::Granted(granted) => {
            assert!(granted.device.is_some());
            yes(client.check(&granted.session).await);
        }
        FlowSaid::Next(flow) => panic!("{flow:?}"),
    }
    let again = resumed.answer(&client, &shown).await;
    let Ok(Decision::No(refusal)) = again else {
        panic!("{again:?}");
    };
    assert_eq!(refusal.code.name(), "flow_over");
}
