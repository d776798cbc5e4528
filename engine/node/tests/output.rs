//! What commands print, and what happens when an answer cannot be printed.
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
    for command in ["--help", "--version", "sign-in --help", "completion bash"] {
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

fn words(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

#[test]
fn text_answers_show_lists_as_tables_and_no_json() {
    let dir = Dir::new();
    let _node = Node::start(&dir);
    let sign_up = ["sign-up", "--dir", dir.text(), "--username", NAME];
    assert!(run(&sign_up, PASSWORD).status.success());
    let sign_in = ["sign-in", "--dir", dir.text(), "--username", NAME, "--json"];
    let granted = json(&run(&sign_in, PASSWORD));
    let shown = |command: &str, input: &str| {
        let line: Vec<&str> = command.split(' ').collect();
        let output = run(&[&line[..], &["--dir", dir.text()]].concat(), input);
        let text = words(&output);
        assert!(output.status.success(), "{command}: {text}");
        assert!(!text.contains(['{', '"', '[']), "{command}: {text}");
        text
    };
    let sessions = shown("sessions", granted["session"].as_str().unwrap());
    assert!(sessions.contains("SESSION"), "{sessions}");
    shown("gateway add till --right auth --right admin", "");
    let gateways = shown("gateway list", "");
    assert!(
        gateways.contains("NAME") && gateways.contains("auth,admin"),
        "{gateways}"
    );
    shown("tenant list", "");
    shown("tenant add shop", "");
    assert!(shown("audit", "").contains("tenant.add"));
    shown("keys rotate index", "");
    shown("keys status", "");
    shown("upgrade status", "");
}

#[test]
fn a_system_error_is_said_once() {
    let dir = Dir::new();
    let config = dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::remove_file(&config).unwrap();
    std::fs::create_dir(&config).unwrap();
    let nowhere = dir.path().join("nowhere/bundle");
    let serve = ["serve", "--dir", dir.text()];
    for args in [
        &serve[..],
        &["init", "--dir", "/proc/tidegate"],
        &[
            "init",
            "--join",
            nowhere.to_str().unwrap(),
            "--dir",
            "/proc/tidegate",
        ],
        &["cert", "renew", "--dir", "/proc/tidegate"],
    ] {
        let output = run(args, "");
        let told = words(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.matches("os error").count() <= 1, "{told}");
    }
    std::fs::remove_dir(&config).unwrap();
    std::fs::write(&config, text).unwrap();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let serve = [
        &serve[..],
        &["--listen", &taken, "--metrics", "127.0.0.1:0"],
    ]
    .concat();
    let told = words(&run(&serve, ""));
    assert!(told.matches("os error").count() == 1, "{told}");
}

#[test]
fn a_wrong_log_filter_is_refused_and_not_ignored() {
    let dir = Dir::new();
    for (filter, word) in [("infoo", "infoo"), ("info,quinn=debgu", "debgu")] {
        let output = tidegate(&["serve", "--dir", dir.text()])
            .env("TIDEGATE_LOG", filter)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = words(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(
            told.contains("TIDEGATE_LOG") && told.contains(word),
            "{told}"
        );
    }
}

#[test]
fn the_doctor_of_another_user_says_whose_folder_it_is() {
    let dir = Dir::new();
    // Only root can give it away.
    if std::os::unix::fs::chown(dir.path(), Some(65_534), None).is_err() {
        return;
    }
    let output = run(&["doctor", "--dir", dir.text(), "--json"], "");
    let report = json(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["faults"], 1, "{report}");
    let finding = &report["findings"][0];
    assert!(
        finding["what"]
            .as_str()
            .unwrap()
            .contains("belongs to user 65534")
    );
    assert!(
        finding["mend"]
            .as_str()
            .unwrap()
            .contains("sudo -u '#65534'")
    );
}

#[test]
fn every_shell_completes_what_there_is_and_every_command_has_a_manual_page() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = run(&["completion", shell], "");
        let script = words(&output);
        assert!(output.status.success(), "{script}");
        assert!(
            script.contains("sign-up") && script.contains("rate-per-s"),
            "{shell}"
        );
        assert!(!script.contains("demo-gateway"), "{shell}");
        if shell == "bash" {
            let mut read = std::process::Command::new("bash")
                .arg("-n")
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            let mut stdin = read.stdin.take().unwrap();
            stdin.write_all(script.as_bytes()).unwrap();
            drop(stdin);
            assert!(read.wait().unwrap().success());
        }
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let pages = folder.path().join("man/man1");
    let made = run(&["man", pages.to_str().unwrap()], "");
    assert!(made.status.success(), "{made:?}");
    for page in ["tidegate", "tidegate-sign-in", "tidegate-gateway-add"] {
        let text = std::fs::read_to_string(pages.join(format!("{page}.1"))).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
    assert!(!pages.join("tidegate-demo-gateway.1").exists());
    let nowhere = run(&["man", "/proc/tidegate"], "");
    assert_eq!(nowhere.status.code(), Some(2), "{nowhere:?}");
}
