//! Passkeys, authenticator apps and recovery codes by hand, as docs/sign-in.md shows
//! them: a real node, the commands of the program, and an authenticator that others
//! wrote (passkey-rs).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test program, on the real clock"
)]

mod rig;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use rig::{Dir, Node, json, tidegate};
use serde_json::{Value, json};
use totp_rs::{Algorithm, Builder};

const ADA: &str = "ada";
const PASSWORD: &str = "correct horse battery";

/// A folder whose tenant has passkeys.
fn configured() -> Dir {
    let dir = Dir::new();
    let path = dir.path().join("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let (before, after) = config.split_once("[passkeys]\n").unwrap();
    let (_, after) = after.split_once("user_verification").unwrap();
    let ours = "[passkeys]\nrp_id = \"shop.example\"\nname = \"Example Shop\"\n\
                origins = [\"https://login.shop.example\"]\n";
    let config = format!("{before}{ours}user_verification{after}");
    std::fs::write(path, config).unwrap();
    dir
}

/// A browser with a device that holds a passkey: a program of its own, in
/// `tests/authenticator`.
struct Device {
    _child: Ended,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// A process that ends with its test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Device {
    /// Builds the program where that was not done, and starts it.
    fn start() -> Device {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/authenticator");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authenticator");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // Features of its libraries are no matter of the workspace's, so it is none of
        // its members.
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(here.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            .status();
        assert!(built.unwrap().success());
        let mut command = Command::new(target.join("debug/authenticator"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Device {
            _child: Ended(child),
            input,
            output,
        }
    }

    /// Has it make a passkey, or sign with it.
    fn answer(&mut self, ceremony: &str, options: &Value) -> Value {
        let origin = "https://login.shop.example";
        let asked = json!({ "ceremony": ceremony, "origin": origin, "options": options });
        writeln!(self.input, "{asked}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

/// Runs a command of the program with this on its standard input.
fn run(dir: &Dir, args: &[&str], input: &str) -> Output {
    let mut command = tidegate(&[args, &["--json", "--dir", dir.text()]].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn yes(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    json(output)
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    json(output)["code"].as_str().unwrap().to_owned()
}

fn begin(dir: &Dir, args: &[&str], session: &Value) -> Value {
    let session = session.as_str().unwrap_or_default();
    yes(&run(dir, &[&["flow", "begin"], args].concat(), session))
}

fn answer(dir: &Dir, step: &Value, shown: &Value) -> Output {
    let mut said = step.clone();
    for (name, value) in shown.as_object().unwrap() {
        said[name] = value.clone();
    }
    run(dir, &["flow", "answer"], &said.to_string())
}

fn options<'a>(step: &'a Value, method: &str) -> &'a Value {
    let mut next = step["next"].as_array().unwrap().iter();
    let entry = next.find(|next| next["method"] == method);
    &entry.unwrap_or_else(|| panic!("{step}"))["options"]
}

fn methods(step: &Value) -> Vec<&str> {
    let next = step["next"].as_array().unwrap().iter();
    next.map(|next| next["method"].as_str().unwrap()).collect()
}

fn signed_up(dir: &Dir) -> Value {
    yes(&run(dir, &["sign-up", "--username", ADA], PASSWORD));
    yes(&run(dir, &["sign-in", "--username", ADA], PASSWORD))
}

/// The code that an app shows for a secret, so many steps from now.
fn app_code(secret: &Value, steps: u64) -> String {
    let secret = secret["secret"].as_str().unwrap();
    let secret = data_encoding::BASE32_NOPAD
        .decode(secret.as_bytes())
        .unwrap();
    let secret: [u8; 20] = secret.try_into().unwrap();
    let app = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_secret(secret)
        .build_noncompliant();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    app.generate(now.unwrap().as_secs() + 30 * steps)
        .to_string()
}

#[test]
fn a_passkey_of_an_independent_authenticator_signs_in_after_a_restart() {
    let dir = configured();
    let node = Node::start(&dir);
    let signed_in = signed_up(&dir);
    let mut device = Device::start();
    let step = begin(
        &dir,
        &["--purpose", "add", "--username", ADA],
        &signed_in["session"],
    );
    let asked = options(&step, "passkey");
    assert_eq!(asked["user"]["name"], ADA);
    assert_eq!(asked["rp"]["id"], "shop.example");
    let credential = device.answer("create", asked);
    let shown = json!({ "method": "passkey", "credential": credential, "name": "Ada's phone" });
    let added = yes(&answer(&dir, &step, &shown));
    assert_eq!(added["user"], signed_in["user"]);
    // The session that added it made room for the one that it became.
    let old = run(&dir, &["check"], signed_in["session"].as_str().unwrap());
    assert_eq!(refused(&old), "invalid_token");
    let address = node.kill();
    let _node = Node::start_at(&dir, address);

    // Without a name: the passkey says whose it is.
    let step = begin(&dir, &[], &Value::Null);
    assert_eq!(methods(&step), ["passkey"]);
    let credential = device.answer("get", options(&step, "passkey"));
    let shown = json!({ "method": "passkey", "credential": credential });
    let entered = yes(&answer(&dir, &step, &shown));
    assert_eq!(entered["user"], signed_in["user"]);
    assert_eq!(entered["assurance"], 2);
    assert_eq!(refused(&answer(&dir, &step, &shown)), "flow_over");
    // With one; and what answered another challenge answers none but that.
    let step = begin(&dir, &["--username", ADA], &Value::Null);
    assert_eq!(methods(&step), ["passkey", "password"]);
    assert_eq!(refused(&answer(&dir, &step, &shown)), "invalid_passkey");
    let credential = device.answer("get", options(&step, "passkey"));
    let shown = json!({ "method": "passkey", "credential": credential });
    yes(&answer(&dir, &step, &shown));
    let session = entered["session"].as_str().unwrap();
    let list = yes(&run(&dir, &["credentials", "list"], session));
    let passkey = &list["credentials"][1];
    assert_eq!(
        (&passkey["method"], &passkey["number"], &passkey["name"]),
        (&"passkey".into(), &1.into(), &"Ada's phone".into())
    );
    let accepted = &list["signal"]["allAcceptedCredentialIds"];
    assert_eq!(accepted.as_array().unwrap().len(), 1);
    // Nobody of that name is asked in the same way.
    let nobody = begin(&dir, &["--username", "nobody"], &Value::Null);
    assert_eq!(methods(&nobody), ["passkey", "password"]);
    let told = |step: &Value| options(step, "passkey").get("allowCredentials").cloned();
    assert_eq!((told(&step), told(&nobody)), (None, None));
    let remove = [
        "credentials",
        "remove",
        "--method",
        "passkey",
        "--number",
        "1",
    ];
    assert_eq!(yes(&run(&dir, &remove, session))["removed"], 1);
    let remove = ["credentials", "remove", "--method", "password"];
    assert_eq!(refused(&run(&dir, &remove, session)), "last_credential");
}

#[test]
fn an_app_and_recovery_codes_stand_beside_the_password() {
    let dir = configured();
    let _node = Node::start(&dir);
    let signed_in = signed_up(&dir);
    let step = begin(&dir, &["--purpose", "add"], &signed_in["session"]);
    assert_eq!(methods(&step), ["passkey", "totp", "recovery_code"]);
    let secret = options(&step, "totp").clone();
    let url = secret["url"].as_str().unwrap();
    assert!(url.starts_with("otpauth://totp/Example%20Shop:"), "{url}");
    let shown = json!({ "method": "totp", "code": app_code(&secret, 0) });
    let enrolled = yes(&answer(&dir, &step, &shown));

    // The short door asks for no second factor, and so does not open.
    let short = run(&dir, &["sign-in", "--username", ADA], PASSWORD);
    assert_eq!(refused(&short), "second_factor_needed");
    let password = json!({ "method": "password", "password": PASSWORD });
    let step = begin(&dir, &["--username", ADA], &Value::Null);
    let step = yes(&answer(&dir, &step, &password));
    assert_eq!(methods(&step), ["totp"]);
    assert_eq!(refused(&answer(&dir, &step, &shown)), "invalid_code");
    // A clock that is one step ahead is taken.
    let shown = json!({ "method": "totp", "code": app_code(&secret, 1) });
    let entered = yes(&answer(&dir, &step, &shown));
    assert_eq!(entered["assurance"], 2);

    // The session of two factors adds codes; one of them comes back to be kept.
    let step = begin(&dir, &["--purpose", "add"], &entered["session"]);
    let codes = options(&step, "recovery_code")["codes"].clone();
    assert_eq!(codes.as_array().unwrap().len(), 10);
    let shown = json!({ "method": "recovery_code", "code": codes[0] });
    yes(&answer(&dir, &step, &shown));
    let step = begin(&dir, &["--username", ADA], &Value::Null);
    let step = yes(&answer(&dir, &step, &password));
    assert_eq!(methods(&step), ["totp", "recovery_code"]);
    let shown = json!({ "method": "recovery_code", "code": codes[1] });
    let recovered = yes(&answer(&dir, &step, &shown));
    assert_eq!(recovered["assurance"], 1);
    // What the session that enrolled the app has is not taken from it.
    let check = run(&dir, &["check"], enrolled["session"].as_str().unwrap());
    assert_eq!(yes(&check)["user"], signed_in["user"]);
}

#[test]
fn what_is_no_passkey_and_what_is_no_session_is_told_in_one_line() {
    let dir = configured();
    let _node = Node::start(&dir);
    signed_up(&dir);
    let step = begin(&dir, &["--username", ADA], &Value::Null);
    for credential in [json!({}), json!("x"), json!({ "id": "AA", "rawId": "AA" })] {
        let shown = json!({ "method": "passkey", "credential": credential });
        assert_eq!(refused(&answer(&dir, &step, &shown)), "invalid_passkey");
    }
    let bare = answer(&dir, &step, &json!({ "method": "passkey" }));
    assert_eq!(bare.status.code(), Some(2), "{bare:?}");
    for code in ["12345", "x"] {
        let shown = json!({ "method": "totp", "code": code });
        assert_eq!(refused(&answer(&dir, &step, &shown)), "invalid_code");
    }
    let totp = json!({ "method": "totp", "code": "123456" });
    assert_eq!(refused(&answer(&dir, &step, &totp)), "flow_over");
    for purpose in ["add", "step-up"] {
        let begun = run(&dir, &["flow", "begin", "--purpose", purpose], "tgs_AAAA");
        assert_eq!(refused(&begun), "invalid_token");
    }
    let nobody = run(&dir, &["flow", "begin", "--purpose", "sign-up"], "");
    assert_eq!(refused(&nobody), "invalid_identifier");
}
