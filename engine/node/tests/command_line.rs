//! The commands, as operators' scripts call them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

mod rig;

use rig::{Dir, NAME, Node, PASSWORD, json, log_of, run, tidegate};

fn fields(value: &serde_json::Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// A command's status, and what it says as JSON.
fn asked(dir: &Dir, command: &str, args: &[&str], input: &str) -> (i32, serde_json::Value) {
    let all = [&[command, "--dir", dir.text(), "--json"], args].concat();
    let output = run(&all, &format!("{input}\n"));
    (output.status.code().unwrap(), json(&output))
}

#[test]
fn every_command_answers_with_its_fields_and_status() {
    let dir = Dir::new();
    let _node = Node::start(&dir);
    let ask = |command: &str, args: &[&str], input: &str| asked(&dir, command, args, input);
    let person = ["--username", NAME];
    let (status, made) = ask("sign-up", &person, PASSWORD);
    assert_eq!((status, fields(&made)), (0, vec!["user"]));
    let (status, refused) = ask("sign-up", &person, PASSWORD);
    assert_eq!(
        (status, refused["code"].as_str()),
        (1, Some("identifier_taken"))
    );
    assert_eq!(fields(&refused), ["code", "message"]);
    let (status, wrong) = ask("sign-in", &person, "wrong");
    assert_eq!(
        (status, wrong["code"].as_str()),
        (1, Some("invalid_credentials"))
    );

    let (status, granted) = ask("sign-in", &person, PASSWORD);
    let grant = [
        "assurance",
        "expires_at",
        "idle_expires_at",
        "refresh",
        "session",
        "user",
    ];
    assert_eq!((status, fields(&granted)), (0, grant.to_vec()));
    assert_eq!(granted["user"], made["user"]);
    let session = granted["session"].as_str().unwrap();
    let (status, checked) = ask("check", &[], session);
    assert_eq!(
        (status, &checked["active"], &checked["user"]),
        (0, &true.into(), &made["user"])
    );
    assert_eq!(checked["assurance"], 1);
    assert!(checked["expires_at"].is_u64());

    let (status, refreshed) = ask("refresh", &[], granted["refresh"].as_str().unwrap());
    assert_eq!((status, fields(&refreshed)), (0, grant.to_vec()));
    assert_eq!(refreshed["session"], granted["session"]);
    assert_ne!(refreshed["refresh"], granted["refresh"]);

    let (_, second) = ask("sign-in", &person, PASSWORD);
    let (status, listed) = ask("sessions", &[], session);
    let sessions = listed["sessions"].as_array().unwrap();
    assert_eq!((status, sessions.len()), (0, 2));
    // Last used first.
    assert_eq!(sessions[0]["current"], false);
    let other = sessions.iter().find(|row| row["current"] == false).unwrap();
    let (status, revoked) = ask(
        "revoke",
        &["--session", other["session"].as_str().unwrap()],
        session,
    );
    assert_eq!((status, &revoked["revoked"]), (0, &1.into()));
    let (status, checked) = ask("check", &[], second["session"].as_str().unwrap());
    assert_eq!(
        (status, checked["code"].as_str()),
        (1, Some("invalid_token"))
    );
    let (status, _) = ask("revoke", &["--others"], session);
    assert_eq!(status, 0);
    let (status, _) = ask("revoke", &["--all"], session);
    assert_eq!(status, 0);
    let (status, checked) = ask("check", &[], session);
    assert_eq!(
        (status, checked["code"].as_str()),
        (1, Some("invalid_token"))
    );
    let (status, truncated) = ask("check", &[], &session[..30]);
    assert_eq!(
        (status, truncated["code"].as_str()),
        (1, Some("invalid_token"))
    );
    let (status, tenant) = ask("check", &["--tenant", "nobody"], session);
    assert_eq!(
        (status, tenant["code"].as_str()),
        (1, Some("not_permitted"))
    );
}

#[test]
fn whoever_is_erased_is_so_since_then_however_often_it_is_asked_for() {
    let dir = Dir::new();
    let _node = Node::start(&dir);
    let ask = |command: &str, args: &[&str], input: &str| asked(&dir, command, args, input);
    let (_, made) = ask("sign-up", &["--username", NAME], PASSWORD);
    let user = made["user"].as_str().unwrap();
    let (status, erased) = ask("erase", &["--user", user], "");
    assert_eq!((status, fields(&erased)), (0, vec!["erased_at", "user"]));
    assert_eq!(erased["user"], made["user"]);
    assert_eq!(ask("erase", &["--user", user], ""), (0, erased));
    let nobody = "01".repeat(16);
    let (status, unknown) = ask("erase", &["--user", &nobody], "");
    assert_eq!(
        (status, unknown["code"].as_str()),
        (1, Some("unknown_account"))
    );
    let output = run(&["erase", "--dir", dir.text(), "--user", "ada"], "");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("--user takes the id"), "{told}");
}

#[test]
fn a_device_file_keeps_the_device_known() {
    let dir = Dir::new();
    let _node = Node::start(&dir);
    let file = dir.path().join("device");
    let file = file.to_str().unwrap();
    let ask = |args: &[&str], password: &str| {
        let common = ["--dir", dir.text(), "--username", "ada", "--json"];
        run(&[args, &common].concat(), password)
            .status
            .code()
            .unwrap()
    };
    assert_eq!(ask(&["sign-up"], PASSWORD), 0);
    assert_eq!(ask(&["sign-in", "--device-file", file], PASSWORD), 0);
    let token = std::fs::read_to_string(file).unwrap();
    assert!(token.starts_with("tgd_"));
    for _ in 0..6 {
        ask(&["sign-in"], "wrong horse");
    }
    assert_eq!(ask(&["sign-in"], PASSWORD), 1);
    assert_eq!(ask(&["sign-in", "--device-file", file], PASSWORD), 0);
    assert_eq!(std::fs::read_to_string(file).unwrap(), token);
}

#[test]
fn an_answer_that_is_not_known_has_status_2() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let address = node.kill().to_string();
    let token = "tgs_AQGhoaGhoaGhoaGhoaGhoaGhAAAAAAAAAAdRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFifa1n";
    let args = [
        "check",
        "--dir",
        dir.text(),
        "--connect",
        &address,
        "--json",
    ];
    let output = run(&args, token);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(json(&output)["code"], "unreachable");
}

#[test]
fn init_never_overwrites() {
    let dir = Dir::new();
    let before = dir.file("secrets/master-1.key");
    let again = run(&["init", "--dir", dir.text()], "");
    assert_eq!(again.status.code(), Some(2));
    let message = String::from_utf8(again.stderr).unwrap();
    assert!(
        message.contains("exists already and is left as it is"),
        "{message}"
    );
    assert_eq!(dir.file("secrets/master-1.key"), before);
}

#[test]
fn secrets_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    for name in [
        "secrets/master-1.key",
        "secrets/index-1.key",
        "secrets/pepper-1.key",
        "secrets/reset.key",
        "tls/ca.key",
        "tls/node.key",
        "tls/gateway-default.key",
        "tls/gateway-office.key",
        "tls/operator-root.key",
        "store/keys/person.keys",
    ] {
        let mode = dir
            .path()
            .join(name)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

fn refused(args: &[&str]) -> String {
    let output = run(args, "");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_command_on_the_folder_of_a_node_that_starts_does_not_end_it() {
    let dir = Dir::new();
    for _ in 0..3 {
        let child = tidegate(&["serve", "--dir", dir.text()])
            .args(["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Whichever of the two comes first: this may find the folder in use.
        let _ = run(&["status", "--dir", dir.text(), "--json"], "");
        let (node, refused) = Node::ready_or_refused(child);
        let node = node.unwrap_or_else(|| panic!("{refused}"));
        let (status, told) = asked(&dir, "status", &[], "");
        let state = told["nodes"][0]["state"].as_str();
        assert_eq!((status, state), (0, Some("alone")));
        assert!(node.terminate().success());
    }
}

#[test]
fn an_init_that_cannot_be_leaves_nothing() {
    let dir = Dir::empty();
    let file = dir.path().with_extension("cluster");
    std::fs::write(&file, "no:body@127.0.0.1:1\n").unwrap();
    let args = [
        "init",
        "--dir",
        dir.text(),
        "--cluster-file",
        file.to_str().unwrap(),
        "--client-library",
        "/nowhere/libfdb_c.so",
    ];
    let message = refused(&args);
    assert!(message.contains("FoundationDB"), "{message}");
    assert!(!dir.path().exists());
    // A folder that was there before stays, and stays empty.
    std::fs::create_dir(dir.path()).unwrap();
    refused(&args);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_a_node_cannot_run_on_is_told() {
    let dir = Dir::new();
    let nowhere = dir.path().join("nowhere");
    let message = refused(&["serve", "--dir", nowhere.to_str().unwrap()]);
    assert!(message.contains("is not a node's folder"), "{message}");
    let serve = [
        "serve",
        "--dir",
        dir.text(),
        "--listen",
        "127.0.0.1:0",
        "--metrics",
        "127.0.0.1:0",
    ];
    let node = Node::start(&dir);
    let message = refused(&serve);
    assert!(
        message.contains("is in use by another process"),
        "{message}"
    );
    drop(node);
    let config = dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n[surprise]\n")).unwrap();
    let message = refused(&serve);
    assert!(message.contains("surprise"), "{message}");
    std::fs::write(&config, text).unwrap();
    for name in [
        "secrets/master-1.key",
        "secrets/index-1.key",
        "secrets/pepper-1.key",
    ] {
        let key = dir.file(name);
        std::fs::write(dir.path().join(name), [0; 32]).unwrap();
        let message = refused(&serve);
        assert!(
            message.contains("is not the key of this store"),
            "{message}"
        );
        std::fs::write(dir.path().join(name), key).unwrap();
    }
    std::fs::write(dir.path().join("secrets/master-1.key"), b"short").unwrap();
    let message = refused(&serve);
    assert!(message.contains("exactly 32 bytes"), "{message}");
    let message = refused(&["serve", "--metrics", "0.0.0.0:1", "--dir", dir.text()]);
    assert!(message.contains("loopback"), "{message}");
}

#[test]
fn a_number_out_of_its_range_is_named_by_doctor_and_serve_alike() {
    let dir = Dir::new();
    for (key, value, expected) in [
        ("hashing.threads", "100000", "0 to 1024"),
        ("node.actor_threads", "0", "1 to 1024"),
        ("limits.sources", "-1", "0 to 16000000"),
    ] {
        let text = std::fs::read_to_string(dir.path().join("config.toml")).unwrap();
        dir.configure(key, value);
        let changed = std::fs::read_to_string(dir.path().join("config.toml")).unwrap();
        let name = key.split('.').nth(1).unwrap();
        let begins = format!("{name} = {value}");
        let line = changed.lines().position(|line| line == begins).unwrap() + 1;
        let words = format!("config.toml:{line}: {key} must be {expected}");
        let message = refused(&["serve", "--dir", dir.text()]);
        assert!(message.contains(&words), "{message}");
        let (status, report) = asked(&dir, "doctor", &[], "");
        assert_eq!((status, &report["faults"]), (1, &1.into()), "{report}");
        let what = report["findings"][0]["what"].as_str().unwrap();
        assert!(what.contains(&words), "{what}");
        std::fs::write(dir.path().join("config.toml"), text).unwrap();
    }
    let rate = ["gateway", "add", "till", "--rate-per-s", "1000001"];
    assert!(refused(&[&rate[..], &["--dir", dir.text()]].concat()).contains("1000001"));
    assert!(refused(&["audit", "--limit", "0", "--dir", dir.text()]).contains("--limit"));
}

#[test]
fn unknown_flags_and_missing_names_are_refused_by_name() {
    assert!(refused(&["serve", "--lsten", "x"]).contains("--lsten"));
    assert!(refused(&["sign-in"]).contains("--email"));
    let both = ["sign-in", "--email", "a@b.c", "--phone", "+4930901820"];
    assert!(refused(&both).contains("cannot be used with"));
}

#[test]
fn a_text_that_is_no_password_is_refused_with_the_number_of_its_character() {
    let dir = Dir::new();
    let _node = Node::start(&dir);
    for command in ["sign-up", "sign-in"] {
        let args = [command, "--dir", dir.text(), "--username", NAME, "--json"];
        for (password, what) in [
            (
                "bell\u{7}secret",
                "it has U+0007, which no password can have",
            ),
            (
                "secret\u{fdd0}",
                "it has U+FDD0, which no password can have",
            ),
            ("\n", "it is empty"),
        ] {
            let output = run(&args, password);
            let said = serde_json::json!({
                "code": "invalid_password",
                "message": format!("The password cannot be taken: {what}."),
            });
            assert_eq!((output.status.code(), json(&output)), (Some(1), said));
        }
    }
    // Eight emoji, with all that is unseen between some of them.
    let thinking = "\u{1f914}".repeat(8);
    let family = "\u{1f469}\u{200d}\u{1f467}\u{2764}\u{fe0f}\u{1f44d}\u{1f3fd}xx";
    for (name, password) in [("thinking", thinking.as_str()), ("family", family)] {
        for command in ["sign-up", "sign-in"] {
            let output = run(
                &[command, "--dir", dir.text(), "--username", name],
                password,
            );
            assert_eq!(output.status.code(), Some(0), "{output:?}");
        }
    }
}

#[test]
fn metrics_and_health_are_shown_and_count() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let args = ["sign-up", "--dir", dir.text(), "--username", NAME];
    assert!(run(&args, PASSWORD).status.success());
    let metrics = node.get("/metrics");
    assert!(
        metrics.contains("tidegate_requests_total{opcode=\"signup\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("tidegate_commits_total 1"), "{metrics}");
    assert!(
        metrics.contains("content-type: text/plain; version=0.0.4"),
        "{metrics}"
    );
    for (page, status) in [
        ("/health/live", 200),
        ("/health/ready", 200),
        ("/else", 404),
    ] {
        let answer = node.get(page);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert!(
            answer.contains("content-type: text/plain; charset=utf-8"),
            "{answer}"
        );
    }
    let head = node.ask("HEAD", "/metrics");
    assert!(
        head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let posted = node.ask("POST", "/metrics");
    assert!(
        posted.starts_with("HTTP/1.1 405") && posted.contains("allow: GET, HEAD"),
        "{posted}"
    );
}

#[test]
fn logs_hold_no_secret_and_no_name_even_at_the_most_talkative_level() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let ask = |command: &str, args: &[&str], input: &str| {
        let all = [&[command, "--dir", dir.text(), "--json"], args].concat();
        json(&run(&all, input))
    };
    ask("sign-up", &["--username", NAME], PASSWORD);
    let granted = ask("sign-in", &["--username", NAME], PASSWORD);
    ask("sign-in", &["--username", NAME], "wrong horse");
    ask("refresh", &[], granted["refresh"].as_str().unwrap());
    assert!(node.terminate().success());
    let log = std::fs::read_to_string(log_of(&dir.path())).unwrap();
    assert!(log.contains("node.ready") && log.contains("node.stopped"));
    for secret in [NAME, "lovelace", PASSWORD, "horse", "tgs_", "tgr_"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    for token in ["session", "refresh"] {
        let text = granted[token].as_str().unwrap();
        assert!(
            !log.contains(&text[20..60]),
            "a {token} token is in the log"
        );
    }
}

#[test]
fn the_demonstration_holds_every_claim() {
    let output = tidegate(&["demo"]).output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{text}\n{output:?}");
    assert!(
        text.contains("SIGKILL") && text.contains("every claim held"),
        "{text}"
    );
}
