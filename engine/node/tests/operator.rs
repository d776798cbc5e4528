//! Running a deployment, as operators do it: commands on a folder and on the
//! node that serves from it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

mod rig;

use std::process::Stdio;

use rig::disk::{Failing, made};
use rig::{Credentials, Dir, NAME, Node, PASSWORD, Raw, ada, client, connect, json, run};
use rig::{frame, head, no, signed_in, tidegate, yes};
use serde_json::{Value, json};
use tidegate_client::{
    CallError, Client, Close, Identifier, Options, Refused, SignIn, Verification, Verify,
};
use tidegate_node::certificates::{Identity, Period, Role, issue_for, make_ca};
use tidegate_node::folder::Folder;
use tidegate_node::issuing::{Put, file_name, put_certificate, read_ca};
use tidegate_wire::{Code, Opcode, v1};

/// Runs an operator's command; its status and what it printed.
fn order(dir: &Dir, args: &[&str]) -> (i32, Value) {
    let output = run(&[args, &["--dir", dir.text(), "--json"]].concat(), "");
    (output.status.code().unwrap(), json(&output))
}

fn done(dir: &Dir, args: &[&str]) -> Value {
    let (status, printed) = order(dir, args);
    assert_eq!(status, 0, "{printed}");
    printed
}

fn refused(dir: &Dir, args: &[&str]) -> String {
    let (status, printed) = order(dir, args);
    assert_eq!(status, 1, "{printed}");
    printed["code"].as_str().unwrap().to_owned()
}

fn client_of(dir: &Dir, node: &Node, gateway: &str, tenant: &str) -> Client {
    let options = Options::new(
        node.quic,
        dir.file("tls/ca.crt"),
        dir.file(&format!("tls/gateway-{gateway}.crt")),
        dir.file(&format!("tls/gateway-{gateway}.key")),
        tenant,
    );
    Client::new(&options).unwrap()
}

async fn closed_with(connection: &quinn::Connection) -> u64 {
    match connection.closed().await {
        quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn tenants_and_gateways_are_added_while_the_node_serves_and_while_it_does_not() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    assert_eq!(
        done(&dir, &["tenant", "add", "shop"]),
        json!({ "tenant": "shop" })
    );
    assert_eq!(refused(&dir, &["tenant", "add", "shop"]), "exists");
    assert_eq!(refused(&dir, &["tenant", "add", "Shop!"]), "invalid_name");
    assert_eq!(refused(&dir, &["tenant", "add", "shop-"]), "invalid_name");
    assert_eq!(refused(&dir, &["gateway", "add", "till-"]), "invalid_name");
    let nobody = ["gateway", "add", "till", "--tenant", "nobody"];
    assert_eq!(refused(&dir, &nobody), "unknown");
    assert!(!dir.path().join("tls/gateway-till.crt").exists());
    done(&dir, &["gateway", "add", "till", "--tenant", "shop"]);
    let till = client_of(&dir, &node, "till", "shop");
    let grant = signed_in(&till).await;
    // The same name in another tenant is another account.
    let default = client(&dir, &node);
    assert_eq!(no(default.sign_in(&ada()).await), Code::InvalidCredentials);
    assert_eq!(no(default.check(&grant.session).await), Code::InvalidToken);
    let stranger = client_of(&dir, &node, "till", "default");
    assert_eq!(no(stranger.sign_in(&ada()).await), Code::NotPermitted);

    assert!(node.terminate().success());
    done(&dir, &["tenant", "add", "desk"]);
    done(&dir, &["gateway", "add", "counter", "--tenant", "desk"]);
    let node = Node::start(&dir);
    let counter = client_of(&dir, &node, "counter", "desk");
    signed_in(&counter).await;
    yes(client_of(&dir, &node, "till", "shop")
        .check(&grant.session)
        .await);
    let listed = done(&dir, &["tenant", "list"]);
    let mut names: Vec<_> = listed["tenants"].as_array().unwrap().iter().collect();
    names.sort_by_key(|row| row["name"].as_str());
    let names: Vec<_> = names.iter().map(|row| row["name"].as_str()).collect();
    assert_eq!(names, [Some("default"), Some("desk"), Some("shop")]);

    let acts = done(&dir, &["audit"]);
    let acts: Vec<_> = acts["acts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| ["by", "act", "target"].map(|field| act[field].as_str().unwrap().to_owned()))
        .collect();
    let acts: Vec<_> = acts.iter().map(|[a, b, c]| [&**a, b, c]).collect();
    assert_eq!(
        acts,
        [
            ["offline", "gateway.add", "counter"],
            ["offline", "tenant.add", "desk"],
            ["root", "gateway.add", "till"],
            ["root", "tenant.add", "shop"],
        ]
    );
}

#[tokio::test]
async fn acts_on_a_person_are_shown_and_showing_them_is_an_act() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let output = run(
        &["sign-up", "--dir", dir.text(), "--username", NAME, "--json"],
        PASSWORD,
    );
    let user = json(&output)["user"].as_str().unwrap().to_owned();
    let shown = done(&dir, &["audit", "--user", &user]);
    assert_eq!(shown, json!({ "user": user, "acts": [] }));

    let email = "ada@example.com";
    let claimed = ["sign-up", "--dir", dir.text(), "--email", email, "--json"];
    let user = json(&run(&claimed, PASSWORD))["user"]
        .as_str()
        .unwrap()
        .to_owned();
    let verify = [
        "verify",
        "--dir",
        dir.text(),
        "--user",
        &user,
        "--email",
        email,
        "--json",
    ];
    assert!(run(&verify, PASSWORD).status.success());
    let shown = done(&dir, &["audit", "--user", &user, "--limit", "1"]);
    let [act] = &shown["acts"].as_array().unwrap()[..] else {
        panic!("{shown}");
    };
    assert_eq!(act["act"], "identifier.verified");
    assert_eq!(act["what"], "email confirmed");

    // The same on the folder, when no node runs in it.
    assert!(node.terminate().success());
    assert_eq!(
        done(&dir, &["audit", "--user", &user])["acts"],
        shown["acts"]
    );
    let acts = done(&dir, &["audit", "--limit", "1"]);
    let newest = &acts["acts"][0];
    assert_eq!(newest["act"], "person.audit");
    assert_eq!(
        (&newest["by"], &newest["target"]),
        (&json!("offline"), &json!(user))
    );
    assert_eq!(
        refused(&dir, &["audit", "--user", "nobody"]),
        "invalid_user"
    );
}

#[tokio::test]
async fn a_revoked_gateway_is_cut_off_at_once_and_stays_out() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    done(&dir, &["gateway", "add", "till"]);
    let who = Credentials::of(&dir, "gateway-till");
    let mut raw = Raw::open_as(node.quic, &who).await;
    let ping = frame(&head(Opcode::Ping), &v1::Ping {});
    assert_eq!(raw.ask(&ping).await.0, Code::Ok);
    let till = client_of(&dir, &node, "till", "default");
    yes(till.ping().await);
    done(&dir, &["gateway", "revoke", "till"]);
    // Its connection is closed, or it is refused when it connects again.
    let refused_as = [Close::RightsWithdrawn, Close::UnknownGateway];
    match till.ping().await {
        Err(CallError::Refused {
            reason: Refused::Closed(close),
        }) => assert!(refused_as.contains(&close), "{close:?}"),
        other => panic!("{other:?}"),
    }
    let sign_in = ["sign-in", "--gateway", "till", "--username", NAME, "--json"];
    let output = run(&[&sign_in[..], &["--dir", dir.text()]].concat(), PASSWORD);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(json(&output)["code"], "unknown_gateway");
    assert_eq!(closed_with(&raw.connection).await, 0x13);
    let again = connect(node.quic, &who).await.unwrap();
    assert_eq!(closed_with(&again).await, 0x11);
    assert_eq!(refused(&dir, &["gateway", "revoke", "till"]), "unknown");
    assert_eq!(refused(&dir, &["gateway", "revoke", "root"]), "own_rights");
    drop(node);
    let node = Node::start(&dir);
    let after = connect(node.quic, &who).await.unwrap();
    assert_eq!(closed_with(&after).await, 0x11);
    yes(client(&dir, &node).ping().await);
}

#[tokio::test]
async fn nobody_acts_on_a_plane_that_is_not_theirs() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    done(&dir, &["gateway", "add", "till", "--right", "auth"]);
    let operate = || {
        let command = r#"{"order":"tenant_list"}"#.to_owned();
        frame(
            &head(Opcode::Operate),
            &v1::Operate {
                command: tidegate_wire::Text(command),
            },
        )
    };
    let ping = frame(&head(Opcode::Ping), &v1::Ping {});
    let status = v1::SetStatus {
        user: [1; 16],
        change: 1,
    };
    let status = frame(&head(Opcode::SetStatus), &status);
    for (who, allowed) in [
        (
            "gateway-till",
            [Code::Ok, Code::NotPermitted, Code::NotPermitted],
        ),
        (
            "gateway-default",
            [Code::Ok, Code::NotPermitted, Code::NotPermitted],
        ),
        (
            "gateway-office",
            [Code::NotPermitted, Code::UnknownAccount, Code::NotPermitted],
        ),
        (
            "operator-root",
            [Code::NotPermitted, Code::NotPermitted, Code::Ok],
        ),
    ] {
        let mut raw = Raw::open_as(node.quic, &Credentials::of(&dir, who)).await;
        let mut got = Vec::new();
        for frame in [&ping, &status, &operate()] {
            got.push(raw.ask(frame).await.0);
        }
        assert_eq!(got, allowed, "{who}");
    }
    // One who comes as an operator has no other plane.
    let both = [
        "gateway", "add", "x", "--right", "operator", "--right", "auth",
    ];
    assert_eq!(refused(&dir, &both), "invalid");
}

fn certificate_of(connection: &quinn::Connection) -> Vec<u8> {
    let identity = connection.peer_identity().unwrap();
    let chain = identity.downcast::<Vec<rustls::pki_types::CertificateDer<'_>>>();
    chain.unwrap()[0].to_vec()
}

#[tokio::test]
async fn certificates_are_renewed_without_a_restart_and_without_a_connection_lost() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let old = Credentials::of(&dir, "gateway-default");
    let mut open = Raw::open_as(node.quic, &old).await;
    let ping = frame(&head(Opcode::Ping), &v1::Ping {});
    assert_eq!(open.ask(&ping).await.0, Code::Ok);
    done(&dir, &["cert", "renew"]);
    let fresh = connect(node.quic, &old).await.unwrap();
    assert_ne!(certificate_of(&fresh), certificate_of(&open.connection));
    assert_eq!(open.ask(&ping).await.0, Code::Ok);

    done(&dir, &["cert", "renew", "--gateway", "default"]);
    let new = Credentials::of(&dir, "gateway-default");
    assert_ne!(old.certificate, new.certificate);
    for who in [&old, &new] {
        let mut raw = Raw::open_as(node.quic, who).await;
        assert_eq!(raw.ask(&ping).await.0, Code::Ok);
    }
    done(&dir, &["cert", "renew", "--of-operator", "root"]);
    done(&dir, &["tenant", "list"]);
}

/// Waits until the rotation that was ordered is over; how often it was asked.
fn rotated(dir: &Dir) -> Value {
    loop {
        let status = done(dir, &["keys", "status"]);
        if status["rotation"].is_null() {
            return status;
        }
    }
}

#[tokio::test]
async fn every_key_is_rotated_while_people_are_served_and_a_kill_in_between_loses_nobody() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let (gateway, office) = (client(&dir, &node), rig::office(&dir, &node));
    let grant = signed_in(&gateway).await;
    let mail = SignIn::email("ada@example.com", PASSWORD);
    let user = yes(gateway.sign_up(&mail).await);
    let shown = Verify::new(user, Identifier::email("ada@example.com")).with_password(PASSWORD);
    assert_eq!(yes(office.verify(&shown).await), Verification::Confirmed);
    done(&dir, &["keys", "rotate", "index"]);
    assert_eq!(
        refused(&dir, &["keys", "rotate", "pepper"]),
        "rotation_under_way"
    );
    let status = done(&dir, &["keys", "status"]);
    if let Some(rotation) = status["rotation"].as_object() {
        assert_eq!(rotation["slots"], 4_096);
        assert!(rotation["slots_done"].as_u64().unwrap() <= 4_096);
    }
    let copy = dir.path().join("copy");
    let copy = copy.to_str().unwrap();
    let backup = ["backup", "--rows", copy, "--keys", copy];
    assert_eq!(refused(&dir, &backup), "rotation_under_way");
    yes(gateway.sign_in(&mail).await);
    let address = node.kill();
    let node = Node::start_at(&dir, address);
    let status = rotated(&dir);
    assert_eq!(
        (&status["index"], &status["pepper"]),
        (&json!([2]), &json!([1]))
    );
    yes(gateway.sign_in(&mail).await);
    done(&dir, &["keys", "rotate", "pepper"]);
    yes(gateway.sign_in(&ada()).await);
    // Old peppers stay known: a password hashed meanwhile may lie under one.
    assert_eq!(rotated(&dir)["pepper"], json!([1, 2]));
    done(&dir, &["keys", "rotate", "tenant"]);
    yes(gateway.check(&grant.session).await);
    rotated(&dir);
    done(&dir, &["keys", "rotate", "deployment"]);
    assert_eq!(done(&dir, &["keys", "status"])["master"], 2);
    assert_eq!(no(gateway.sign_up(&ada()).await), Code::IdentifierTaken);
    drop(node);
    // What the old keys opened is not needed any more.
    for old in ["index-1", "master-1"] {
        std::fs::remove_file(dir.path().join(format!("secrets/{old}.key"))).unwrap();
    }
    let node = Node::start(&dir);
    let gateway = client(&dir, &node);
    yes(gateway.sign_in(&mail).await);
    yes(gateway.sign_in(&ada()).await);
    let refreshed = yes(gateway.refresh(&grant.refresh).await);
    yes(gateway.check(&refreshed.session).await);
}

#[tokio::test]
async fn a_backup_made_while_serving_is_a_whole_deployment_again() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let gateway = client(&dir, &node);
    let grant = signed_in(&gateway).await;
    let (rows, keys) = (
        dir.path().join("backups/rows"),
        dir.path().join("backups/keys"),
    );
    let (rows, keys) = (rows.to_str().unwrap(), keys.to_str().unwrap());
    std::fs::create_dir(dir.path().join("backups")).unwrap();
    let backup = ["backup", "--rows", rows, "--keys", keys];
    let (file, below) = (
        dir.path().join("backups/file"),
        dir.path().join("backups/file/keys"),
    );
    std::fs::write(&file, b"in the way").unwrap();
    let inner = format!("{rows}/keys");
    let inside = dir.path().join("store/rows/copy");
    let outside = dir.path().with_extension("copy");
    let out_by = format!("{}/../copy", dir.path().join("backups").display());
    for keys in [
        rows,
        &inner,
        below.to_str().unwrap(),
        inside.to_str().unwrap(),
        outside.to_str().unwrap(),
        &out_by,
    ] {
        let (status, told) = order(&dir, &["backup", "--rows", rows, "--keys", keys]);
        assert_eq!((status, &told["code"]), (1, &json!("invalid")), "{told}");
        assert!(!dir.path().join("backups/rows").exists(), "{keys}");
        assert!(
            keys == rows || !std::path::Path::new(keys).exists(),
            "{keys}"
        );
    }
    done(&dir, &["gateway", "add", "till"]);
    let copied = done(&dir, &backup);
    done(&dir, &["gateway", "revoke", "till"]);
    assert!(copied["count"].as_u64().unwrap() > 0, "{copied}");
    assert_eq!(refused(&dir, &backup), "exists");
    let later = SignIn::username("later", PASSWORD);
    yes(gateway.sign_up(&later).await);
    // The gateway learns epochs that the backup does not know.
    let address = node.quic;
    assert!(node.terminate().success());
    for _ in 0..2 {
        let node = Node::start_at(&dir, address);
        yes(gateway.check(&grant.session).await);
        assert!(node.terminate().success());
    }

    // The machine burns; secrets and configuration come from where they are kept.
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    let restore = ["restore", "--rows", rows, "--keys", keys];
    // It was not said who may connect.
    let (status, unsaid) = order(&dir, &restore);
    assert_eq!((status, &unsaid["code"]), (1, &json!("gateways_unsaid")));
    for name in ["default", "office", "root", "till"] {
        assert!(
            unsaid["message"].as_str().unwrap().contains(name),
            "{unsaid}"
        );
    }
    let nobodys = [&restore[..], &["--gateways", "default,nobody"]].concat();
    assert_eq!(refused(&dir, &nobodys), "unknown");
    assert!(!dir.path().join("store").exists());
    let restore = [&restore[..], &["--gateways", "default,office,root"]].concat();
    let restored = done(&dir, &restore);
    assert_eq!(restored["rows"], copied["count"]);
    assert_eq!(
        restored["gateways_kept"],
        json!(["default", "office", "root"])
    );
    assert_eq!(restored["gateways_revoked"], json!(["till"]));
    let again = run(&[&restore[..], &["--dir", dir.text()]].concat(), "");
    assert_eq!(again.status.code(), Some(2));
    let node = Node::start_at(&dir, address);
    // Revoked since the copy was made, it stays out.
    let till = connect(node.quic, &Credentials::of(&dir, "gateway-till")).await;
    assert_eq!(closed_with(&till.unwrap()).await, 0x11);
    yes(gateway.check(&grant.session).await);
    yes(gateway.refresh(&grant.refresh).await);
    yes(gateway.sign_in(&ada()).await);
    assert_eq!(no(gateway.sign_in(&later).await), Code::InvalidCredentials);
    yes(gateway.sign_up(&later).await);
}

#[test]
fn while_a_backup_is_made_a_gateway_is_revoked_and_no_rotation_begins() {
    let dir = Dir::new();
    let disk = Failing::of(&dir, "backups");
    let node = Node::start_with(&dir, &disk.variables());
    done(&dir, &["gateway", "add", "till"]);
    let at = |name: &str| dir.path().join("backups").join(name);
    // Its disk is as slow as a disk can be.
    disk.fail("hang");
    let mut backup = tidegate(&["backup", "--json", "--dir", dir.text()])
        .arg("--rows")
        .arg(at("rows"))
        .arg("--keys")
        .arg(at("keys"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    made(&node, &at("rows.unfinished"));
    assert_eq!(
        done(&dir, &["gateway", "revoke", "till"])["gateway"],
        "till"
    );
    assert_eq!(refused(&dir, &["gateway", "revoke", "till"]), "unknown");
    let rotate = ["keys", "rotate", "index"];
    assert_eq!(refused(&dir, &rotate), "backup_under_way");
    assert!(backup.try_wait().unwrap().is_none());
    disk.mend();
    let copied = backup.wait_with_output().unwrap();
    assert!(copied.status.success(), "{copied:?}");
    assert!(json(&copied)["count"].as_u64().unwrap() > 0, "{copied:?}");
    assert_eq!(done(&dir, &rotate)["rotation"]["key"], "index");
}

#[tokio::test]
async fn a_tenants_policy_is_its_own_and_applies_at_once() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let gateway = client(&dir, &node);
    let before = signed_in(&gateway).await;
    let policy = dir.path().join("policy.toml");
    std::fs::write(
        &policy,
        "[sessions]\nidle_ms = 600000\nlifetime_ms = 1200000\n",
    )
    .unwrap();
    let policy_text = policy.to_str().unwrap();
    done(&dir, &["tenant", "set", "default", "--policy", policy_text]);
    let after = yes(gateway.sign_in(&ada()).await);
    assert!(after.expires_at + 3_600_000 < before.expires_at);
    std::fs::write(&policy, "[sessions]\nidle_ms = 0\n").unwrap();
    let bad = ["tenant", "set", "default", "--policy", policy_text];
    let output = run(&[&bad[..], &["--dir", dir.text()]].concat(), "");
    let message = String::from_utf8(output.stderr).unwrap();
    let expected = "policy.toml:2: sessions.idle_ms must be 1000 to";
    assert!(message.contains(expected), "{message}");
    std::fs::write(&policy, "home_region = 256\n").unwrap();
    let output = run(&[&bad[..], &["--dir", dir.text()]].concat(), "");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("expected a whole number, 0 to 255"),
        "{message}"
    );
    std::fs::write(&policy, "home_region = 255\n").unwrap();
    assert_eq!(refused(&dir, &bad), "invalid_policy");
    std::fs::write(&policy, "[sesions]\n").unwrap();
    let output = run(&[&bad[..], &["--dir", dir.text()]].concat(), "");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(2) && message.contains("sesions"),
        "{message}"
    );
}

#[tokio::test]
async fn a_tenant_says_which_user_names_it_takes_and_no_account_loses_its_own() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let gateway = client(&dir, &node);
    let policy = dir.path().join("policy.toml");
    let set = ["tenant", "set", "default", "--policy"];
    let set = [&set[..], &[policy.to_str().unwrap()]].concat();
    let usernames = |value: &str| {
        std::fs::write(&policy, format!("usernames = \"{value}\"\n")).unwrap();
    };
    let mixed = SignIn::username("\u{430}dmin", PASSWORD);
    assert_eq!(no(gateway.sign_up(&mixed).await), Code::InvalidIdentifier);
    usernames("any");
    done(&dir, &set);
    yes(gateway.sign_up(&mixed).await);
    usernames("highly_restrictive");
    done(&dir, &set);
    yes(gateway.sign_in(&mixed).await);
    let other = SignIn::username("\u{430}da", PASSWORD);
    assert_eq!(no(gateway.sign_up(&other).await), Code::InvalidIdentifier);
    let tenants = done(&dir, &["tenant", "list"]);
    assert_eq!(
        tenants["tenants"][0]["policy"],
        json!({ "usernames": "highly_restrictive" })
    );
    usernames("some");
    let output = run(&[&set[..], &["--dir", dir.text()]].concat(), "");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(2) && message.contains("highly_restrictive"),
        "{message}"
    );
}

#[test]
fn addresses_are_claimed_and_verified_from_the_command_line() {
    let dir = Dir::new();
    let _node = Node::start(&dir);
    let ask = |args: &[&str], input: &str| {
        let output = run(&[args, &["--dir", dir.text(), "--json"]].concat(), input);
        (output.status.code().unwrap(), json(&output))
    };
    let mail = ["--email", "ada@example.com"];
    let (_, made) = ask(&[&["sign-up"][..], &mail].concat(), PASSWORD);
    let user = made["user"].as_str().unwrap();
    // Not theirs yet: it was not verified.
    let (status, refusal) = ask(&[&["sign-in"][..], &mail].concat(), PASSWORD);
    assert_eq!(
        (status, &refusal["code"]),
        (1, &json!("invalid_credentials"))
    );
    let verify = [&["verify", "--user", user][..], &mail].concat();
    let (status, verified) = ask(&verify, PASSWORD);
    assert_eq!(
        (status, &verified["verification"]),
        (0, &json!("confirmed"))
    );
    let (_, grant) = ask(&[&["sign-in"][..], &mail].concat(), PASSWORD);
    let claim = ["claim", "--phone", "+49 30 901820"];
    let (status, claimed) = ask(&claim, grant["session"].as_str().unwrap());
    assert!(status == 0 && claimed["until"].is_u64(), "{claimed}");
}

fn findings(dir: &Dir, level: &str) -> (i32, Vec<String>) {
    let (status, report) = order(dir, &["doctor"]);
    let rows = report["findings"].as_array().unwrap().iter();
    let rows = rows.filter(|row| row["level"] == level);
    let text = |row: &Value| {
        assert!(level == "good" || row["mend"].as_str().is_some_and(|mend| !mend.is_empty()));
        row["what"].as_str().unwrap().to_owned()
    };
    (status, rows.map(text).collect())
}

#[test]
fn the_doctor_finds_what_is_wrong_and_says_how_to_mend_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    // Ports of our own: another test's node may hold the default ones.
    dir.configure("node.listen", "\"127.0.0.1:0\"");
    dir.configure("node.metrics", "\"127.0.0.1:0\"");
    assert_eq!(findings(&dir, "fault"), (0, vec![]));
    let warnings = findings(&dir, "warning").1;
    assert!(
        warnings
            .iter()
            .any(|what| what.contains("the CA's private key"))
    );
    let fault = |contains: &str| {
        let (status, faults) = findings(&dir, "fault");
        assert!(
            status == 1 && faults.len() == 1 && faults[0].contains(contains),
            "{faults:?}"
        );
    };
    let path = |name: &str| dir.path().join(name);
    let mode = |name: &str, mode| {
        std::fs::set_permissions(path(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    mode("secrets/pepper-1.key", 0o644);
    fault("can be read by others (mode 644)");
    mode("secrets/pepper-1.key", 0o600);
    let key = dir.file("secrets/index-1.key");
    std::fs::write(path("secrets/index-1.key"), [3; 32]).unwrap();
    fault("is not the key of this store");
    std::fs::write(path("secrets/index-1.key"), [3; 31]).unwrap();
    let (_, faults) = findings(&dir, "fault");
    assert!(
        faults.iter().any(|what| what.contains("exactly 32 bytes")),
        "{faults:?}"
    );
    std::fs::write(path("secrets/index-1.key"), key).unwrap();
    put(&dir, Role::Gateway, "default", (-365 * DAY_S, -DAY_S));
    fault("gateway-default.crt has expired");
    put(&dir, Role::Gateway, "default", (-DAY_S, 25 * DAY_S + 600));
    let warnings = findings(&dir, "warning").1;
    assert!(
        warnings
            .iter()
            .any(|what| what.contains("expires in 25 days")),
        "{warnings:?}"
    );
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = format!("\"{}\"", socket.local_addr().unwrap());
    dir.configure("node.listen", &taken);
    fault("cannot be had");
    dir.configure("node.listen", "\"127.0.0.1:0\"");
    let node = Node::start(&dir);
    let (status, good) = findings(&dir, "good");
    assert!(status == 0 && good.iter().any(|what| what.starts_with("a node runs at")));
    // A node that was killed leaves its address behind and is known not to run.
    node.kill();
    let (status, good) = findings(&dir, "good");
    assert!(status == 0 && good.iter().any(|what| what.starts_with("the store opens")));
    done(&dir, &["tenant", "add", "shop"]);
    let config = path("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("passes = ", "passes = -")).unwrap();
    fault("config.toml");
}

#[test]
fn the_doctor_refuses_the_journal_that_the_node_would_refuse() {
    let dir = Dir::new();
    dir.configure("node.listen", "\"127.0.0.1:0\"");
    dir.configure("node.metrics", "\"127.0.0.1:0\"");
    // There is none before the first start, and that is well.
    let (status, found) = findings(&dir, "good");
    let opens = |found: &[String]| found.iter().any(|what| what == "the journal opens");
    assert!(status == 0 && !opens(&found), "{found:?}");
    assert!(Node::start(&dir).terminate().success());
    let (status, found) = findings(&dir, "good");
    assert!(status == 0 && opens(&found), "{found:?}");
    let refused_alike = |words: &str| {
        let (status, report) = order(&dir, &["doctor"]);
        let rows = report["findings"].as_array().unwrap().iter();
        let faults: Vec<_> = rows.filter(|row| row["level"] == "fault").collect();
        assert_eq!((status, faults.len()), (1, 1), "{report}");
        let told = |field: &str| faults[0][field].as_str().unwrap();
        assert!(told("what").contains(words), "{report}");
        assert!(told("mend").contains("sign-outs that people were promised"));
        let refused = not_served(&dir);
        assert!(refused.contains(told("what")), "{refused}");
    };
    let (journal, aside) = (dir.path().join("journal"), dir.path().join("aside"));
    std::fs::rename(&journal, &aside).unwrap();
    refused_alike("there is no store in");
    std::fs::rename(&aside, &journal).unwrap();
    let version = journal.join("rows/version");
    let whole = std::fs::read(&version).unwrap();
    std::fs::write(&version, b"damaged").unwrap();
    refused_alike("it is not the mark of a store");
    std::fs::write(&version, whole).unwrap();
    assert_eq!(findings(&dir, "fault"), (0, vec![]));
    // Lost for good: the folder is told so, and the next start makes one.
    std::fs::remove_dir_all(&journal).unwrap();
    std::fs::remove_file(dir.path().join("journal.made")).unwrap();
    assert_eq!(findings(&dir, "fault"), (0, vec![]));
    assert!(Node::start(&dir).terminate().success());
    assert!(opens(&findings(&dir, "good").1));
}

const DAY_S: i64 = 86_400;

/// Puts a certificate that counts from and until so many seconds from now on.
fn put(dir: &Dir, role: Role, name: &str, (from_s, until_s): (i64, i64)) {
    let folder = Folder::at(&dir.path());
    let identity = Identity {
        role,
        name: name.to_owned(),
    };
    let period = Period {
        from_s: now_s() + from_s,
        until_s: now_s() + until_s,
    };
    let issued = issue_for(&read_ca(&folder).unwrap(), &identity, period).unwrap();
    put_certificate(&folder, &file_name(&identity), &issued, Put::Renewed).unwrap();
}

/// What `serve` says when it refuses to start.
fn not_served(dir: &Dir) -> String {
    let addresses = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
    let serve = ["serve", "--dir", dir.text()];
    let output = run(&[&serve[..], &addresses].concat(), "");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_certificate_that_does_not_count_is_named_at_start_and_renewed_on_the_folder() {
    let dir = Dir::new();
    dir.configure("node.listen", "\"127.0.0.1:0\"");
    dir.configure("node.metrics", "\"127.0.0.1:0\"");
    for (period, words) in [
        ((-366 * DAY_S, -DAY_S), "node.crt has expired"),
        ((7_200, 365 * DAY_S), "set this machine's clock"),
    ] {
        put(&dir, Role::Node, "node", period);
        let refused = not_served(&dir);
        assert!(
            refused.contains(words) && refused.contains("node.crt"),
            "{refused}"
        );
        let (status, faults) = findings(&dir, "fault");
        assert_eq!((status, faults.len()), (1, 1), "{faults:?}");
        assert!(faults[0].contains("node.crt"), "{faults:?}");
        assert_eq!(done(&dir, &["cert", "renew"]), json!({ "renewed": "node" }));
        let node = Node::start(&dir);
        yes(client(&dir, &node).ping().await);
    }
    // Of another CA: no client could connect.
    let other = Dir::new();
    for name in ["tls/node.crt", "tls/node.key"] {
        std::fs::write(dir.path().join(name), other.file(name)).unwrap();
    }
    let refused = not_served(&dir);
    assert!(refused.contains("was not signed by a CA"), "{refused}");
    done(&dir, &["cert", "renew"]);
    let ca = make_ca(now_s() - 3_651 * DAY_S).unwrap();
    put_certificate(&Folder::at(&dir.path()), "ca", &ca, Put::Renewed).unwrap();
    assert!(not_served(&dir).contains("ca.crt has expired"));
    let beyond = run(&["cert", "renew", "--dir", dir.text()], "");
    let message = String::from_utf8(beyond.stderr).unwrap();
    assert_eq!(beyond.status.code(), Some(2), "{message}");
    assert!(message.contains("the CA ended on"), "{message}");
}

#[tokio::test]
async fn while_one_ca_replaces_another_the_certificates_of_both_count() {
    let (dir, other) = (Dir::new(), Dir::new());
    dir.configure("node.listen", "\"127.0.0.1:0\"");
    dir.configure("node.metrics", "\"127.0.0.1:0\"");
    let ours = dir.file("tls/ca.crt");
    let over = make_ca(now_s() - 3_651 * DAY_S).unwrap().certificate;
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    // The node's is of the second CA, the gateway's of the first; one that is
    // over stands beside them.
    for name in ["tls/node.crt", "tls/node.key"] {
        write(name, &other.file(name));
    }
    let all = [&ours[..], &other.file("tls/ca.crt"), over.as_bytes()].concat();
    write("tls/ca.crt", &all);
    assert_eq!(findings(&dir, "fault"), (0, vec![]));
    let node = Node::start(&dir);
    yes(client(&dir, &node).ping().await);
    assert!(node.terminate().success());
    // None of those that are left counts, or is the node's.
    write("tls/ca.crt", &[&ours[..], over.as_bytes()].concat());
    let refused = not_served(&dir);
    assert!(refused.contains("was not signed by a CA"), "{refused}");
    write("tls/ca.crt", over.as_bytes());
    assert!(not_served(&dir).contains("ca.crt has expired"));
    write("tls/ca.crt", b"");
    let refused = not_served(&dir);
    assert!(refused.contains("ca.crt holds no certificate"), "{refused}");
    let (status, faults) = findings(&dir, "fault");
    assert_eq!((status, faults.len()), (1, 1), "{faults:?}");
}

#[tokio::test]
async fn a_running_node_whose_certificate_has_ended_takes_up_what_is_renewed_on_its_folder() {
    let dir = Dir::new();
    let ends_s = now_s() + 15;
    put(&dir, Role::Node, "node", (-3_600, 15));
    let node = Node::start(&dir);
    let who = Credentials::of(&dir, "gateway-default");
    // Until it has ended: a busy node may refuse a connection before.
    while connect(node.quic, &who).await.is_ok() || now_s() <= ends_s + 2 {}
    // The node takes it up by itself, before the order reaches it or after.
    let renewed = done(&dir, &["cert", "renew"]);
    let either = [
        json!({ "renewed": "node", "taken_up": "within 10 s" }),
        json!({ "reloaded": true }),
    ];
    assert!(either.contains(&renewed), "{renewed}");
    while connect(node.quic, &who).await.is_err() {}
    yes(client(&dir, &node).ping().await);
}

fn now_s() -> i64 {
    use tidegate_runtime::ports::Clock;
    i64::try_from(tidegate_runtime::SystemClock::new().unix_ms() / 1000).unwrap()
}

#[test]
fn init_says_which_files_must_be_kept() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output = run(
        &["init", "--dir", dir.path().join("n").to_str().unwrap()],
        "",
    );
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "secrets/",
        "store/keys/",
        "tls/ca.key",
        "losing the master key loses",
        "gateway default  signs people up and in, at most 2000 requests a second",
        "gateway office   verifies, locks and erases, at most 20 requests a second",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains(NAME));
}
