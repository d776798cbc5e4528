//! What commands print, and what becomes of an answer that cannot be printed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

mod rig;

use std::fs::File;
use std::io::Write;
use std::process::{Output, Stdio};

use rig::{Dir, NAME, Node, PASSWORD, json, run, tidegate};

/// A disk on which there is no room.
fn full() -> Stdio {
    Stdio::from(File::options().write(true).open("/dev/full").unwrap())
}

/// Runs a command whose answer cannot be written.
fn unheard(args: &[&str], input: &str) -> Output {
    let mut child = tidegate(args)
        .stdin(Stdio::piped())
        .stdout(full())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that needs no input may have ended already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn assert_unheard(args: &[&str], input: &str) {
    let output = unheard(args, input);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
    assert!(told.contains("could not be written"), "{args:?}: {told}");
    assert!(!told.contains("panicked"), "{args:?}: {told}");
}

#[test]
fn an_answer_that_cannot_be_written_ends_in_status_2_whatever_the_command() {
    let dir = Dir::new();
    let _node = Node::start(&dir);
    let sign_up = ["sign-up", "--dir", dir.text(), "--username", NAME];
    assert_unheard(&sign_up, PASSWORD);
    // It was done all the same.
    let sign_in = ["sign-in", "--dir", dir.text(), "--username", NAME, "--json"];
    let granted = json(&run(&sign_in, PASSWORD));
    let (session, refresh) = (
        granted["session"].as_str().unwrap(),
        granted["refresh"].as_str().unwrap(),
    );
    for flags in [&[][..], &["--json"]] {
        for (command, input) in [
            ("sign-in --username ada.lovelace", PASSWORD),
            ("check", session),
            ("sessions", session),
            ("refresh", refresh),
            ("tenant list", ""),
            ("gateway list", ""),
            ("audit", ""),
            ("keys status", ""),
            ("status", ""),
            ("upgrade status", ""),
            ("doctor", ""),
        ] {
            let words: Vec<&str> = command.split(' ').collect();
            assert_unheard(&[&words[..], &["--dir", dir.text()], flags].concat(), input);
        }
    }
    for command in ["--help", "--version", "sign-in --help"] {
        let words: Vec<&str> = command.split(' ').collect();
        assert_unheard(&words, "");
    }
    let other = Dir::empty();
    assert_unheard(&["init", "--dir", other.text()], "");
    // A "no" in text goes to standard error.
    let mut no = tidegate(&["check", "--dir", dir.text()])
        .stdin(Stdio::piped())
        .stderr(full())
        .spawn()
        .unwrap();
    no.stdin.take().unwrap().write_all(b"no token\n").unwrap();
    assert_eq!(no.wait().unwrap().code(), Some(2));
}

#[test]
fn the_demonstration_does_not_panic_where_nothing_can_be_written() {
    assert_unheard(&["demo"], "");
}

#[test]
fn a_node_whose_output_is_not_wanted_serves() {
    let dir = Dir::new();
    let mut node = tidegate(&["serve", "--dir", dir.text(), "--listen", "127.0.0.1:0"])
        .args(["--metrics", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(full())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It is there when its address is.
    while !dir.path().join("address").exists() {
        assert!(node.try_wait().unwrap().is_none(), "the node has ended");
    }
    let sign_up = ["sign-up", "--dir", dir.text(), "--username", NAME];
    assert!(run(&sign_up, PASSWORD).status.success());
    node.kill().unwrap();
    node.wait().unwrap();
}
