//! What the gateways that `init` makes may do, how often, and as which of them
//! the commands ask.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

mod rig;

use rig::{Credentials, Dir, NAME, Node, PASSWORD, Raw, ada, client, frame, head, json, no};
use rig::{office, run, signed_in, yes};
use serde_json::{Value, json};
use tidegate_client::StatusChange;
use tidegate_wire::{Code, Opcode, v1};

/// Runs a command; its status and what it printed.
fn asked(dir: &Dir, args: &[&str], input: &str) -> (i32, Value) {
    let output = run(&[args, &["--dir", dir.text(), "--json"]].concat(), input);
    (output.status.code().unwrap(), json(&output))
}

fn done(dir: &Dir, args: &[&str], input: &str) -> Value {
    let (status, printed) = asked(dir, args, input);
    assert_eq!(status, 0, "{args:?}: {printed}");
    printed
}

fn not_permitted(dir: &Dir, args: &[&str], input: &str) {
    let (status, printed) = asked(dir, args, input);
    assert_eq!(
        (status, &printed["code"]),
        (1, &json!("not_permitted")),
        "{args:?}"
    );
}

/// Name, tenants, rights and rate of all who may connect.
fn listed(dir: &Dir) -> Value {
    let listed = done(dir, &["gateway", "list"], "");
    let rows = listed["gateways"].as_array().unwrap().iter();
    rows.map(|row| {
        json!([
            row["name"],
            row["tenants"],
            row["rights"],
            row["rate_per_s"]
        ])
    })
    .collect()
}

#[test]
fn init_lets_nobody_do_more_than_they_need() {
    assert_eq!(
        listed(&Dir::new()),
        json!([
            ["default", ["default"], ["auth"], 2_000],
            ["office", ["default"], ["admin"], 20],
            ["root", [], ["operator"], 0],
        ])
    );
    let dir = Dir::made(&["--rate-per-s", "0", "--office-rate-per-s", "1000000"]);
    assert_eq!(
        listed(&dir),
        json!([
            ["default", ["default"], ["auth"], 0],
            ["office", ["default"], ["admin"], 1_000_000],
            ["root", [], ["operator"], 0],
        ])
    );
}

#[test]
fn init_refuses_a_rate_that_cannot_be_kept() {
    for flag in ["--rate-per-s", "--office-rate-per-s"] {
        let dir = Dir::empty();
        let output = run(&["init", flag, "1000001", "--dir", dir.text()], "");
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(flag) && told.contains("1000001"), "{told}");
        assert!(!dir.path().exists());
    }
}

#[tokio::test]
async fn default_acts_on_no_account_and_office_signs_nobody_in() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let (default, office) = (client(&dir, &node), office(&dir, &node));
    let grant = signed_in(&default).await;
    let lock = default.set_status(grant.user, StatusChange::Lock).await;
    assert_eq!(no(lock), Code::NotPermitted);
    assert_eq!(no(default.erase(grant.user).await), Code::NotPermitted);
    assert_eq!(no(office.sign_up(&ada()).await), Code::NotPermitted);
    assert_eq!(no(office.sign_in(&ada()).await), Code::NotPermitted);
    assert_eq!(no(office.check(&grant.session).await), Code::NotPermitted);
    // Nothing of all this was done.
    yes(default.check(&grant.session).await);

    let user = grant.user.to_string();
    let erase = ["erase", "--user", &user];
    let person = ["--username", NAME];
    not_permitted(&dir, &[&erase[..], &["--gateway", "default"]].concat(), "");
    let sign_in = [&["sign-in", "--gateway", "office"][..], &person].concat();
    not_permitted(&dir, &sign_in, PASSWORD);
    // Without a name each command comes as the one that may.
    done(&dir, &[&["sign-in"][..], &person].concat(), PASSWORD);
    done(&dir, &erase, "");
    assert_eq!(no(default.check(&grant.session).await), Code::InvalidToken);
}

/// The codes that so many requests got, one after the other.
async fn codes(node: &Node, who: &Credentials, request: &[u8], count: usize) -> Vec<Code> {
    let mut raw = Raw::open_as(node.quic, who).await;
    let mut codes = Vec::new();
    for _ in 0..count {
        codes.push(raw.ask(request).await.0);
    }
    codes
}

#[tokio::test]
async fn what_init_makes_is_held_to_its_rate() {
    let dir = Dir::made(&["--rate-per-s", "5", "--office-rate-per-s", "3"]);
    let node = Node::start(&dir);
    let ping = frame(&head(Opcode::Ping), &v1::Ping {});
    let lock = v1::SetStatus {
        user: [1; 16],
        change: 1,
    };
    let lock = frame(&head(Opcode::SetStatus), &lock);
    for (who, request, burst, code) in [
        ("gateway-default", ping, 5, Code::Ok),
        ("gateway-office", lock, 3, Code::UnknownAccount),
    ] {
        let who = Credentials::of(&dir, who);
        let codes = codes(&node, &who, &request, 2 * burst).await;
        assert_eq!(codes[..burst], vec![code; burst]);
        assert!(codes[burst..].contains(&Code::Busy), "{codes:?}");
    }
}

/// Makes the folder what the program of before made: one gateway, which may
/// everything, at any rate.
fn made_older(dir: &Dir) {
    for name in ["default", "office"] {
        done(dir, &["gateway", "revoke", name], "");
        for kind in ["crt", "key"] {
            let path = dir.path().join(format!("tls/gateway-{name}.{kind}"));
            std::fs::remove_file(path).unwrap();
        }
    }
    let rights = ["--right", "auth", "--right", "admin"];
    let add = ["gateway", "add", "default"];
    done(dir, &[&add[..], &rights].concat(), "");
}

#[test]
fn a_folder_that_an_older_program_made_goes_on_with_the_same_commands() {
    let dir = Dir::new();
    made_older(&dir);
    let _node = Node::start(&dir);
    let mail = ["--email", "ada@example.com"];
    let made = done(&dir, &[&["sign-up"][..], &mail].concat(), PASSWORD);
    let user = made["user"].as_str().unwrap();
    let verify = [&["verify", "--user", user][..], &mail].concat();
    let verified = done(&dir, &verify, PASSWORD);
    assert_eq!(verified["verification"], "confirmed");
    done(&dir, &[&["sign-in"][..], &mail].concat(), PASSWORD);
    let erased = done(&dir, &["erase", "--user", user], "");
    assert_eq!(erased["user"], user);
}

#[test]
fn a_folder_whose_office_was_carried_away_acts_on_no_account() {
    let dir = Dir::new();
    for kind in ["crt", "key"] {
        let path = dir.path().join(format!("tls/gateway-office.{kind}"));
        std::fs::rename(&path, dir.path().with_extension(kind)).unwrap();
    }
    let _node = Node::start(&dir);
    let person = ["sign-up", "--username", NAME];
    let made = done(&dir, &person, PASSWORD);
    let user = made["user"].as_str().unwrap();
    not_permitted(&dir, &["erase", "--user", user], "");
}
