//! A node's folder is damaged, one file at a time, and served: either people
//! sign in as before, or the node says what is wrong and ends, and with the
//! right file in its place people sign in as before.
//!
//! `TIDEGATE_DAMAGES=1000` damages as often as that; the gate does 30.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rig::{Dir, NAME, Node, PASSWORD, run, tidegate};

const IN_THE_GATE: u64 = 30;

type Files = BTreeMap<PathBuf, Vec<u8>>;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// The node's certificates and key.
const OF_THE_NODE: [&str; 3] = ["tls/ca.crt", "tls/node.crt", "tls/node.key"];
/// How often each of them is damaged.
const TIMES_EACH: u64 = 8;

/// What is the node's own: a gateway's and an operator's certificates are not,
/// nor is the CA's private key.
fn is_the_nodes(name: &Path) -> bool {
    !name.starts_with("tls") || OF_THE_NODE.iter().any(|ours| name == Path::new(ours))
}

fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(folder).unwrap().to_owned();
                    found.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}

fn lay(files: &Files, folder: &Path) {
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// A deployment with one account, served twice, so that its journals are short.
fn deployment() -> Dir {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let input = format!("{PASSWORD}\n");
    let signed_up = run(
        &["sign-up", "--dir", dir.text(), "--username", NAME],
        &input,
    );
    assert!(signed_up.status.success(), "{signed_up:?}");
    node.terminate();
    Node::start(&dir).terminate();
    dir
}

/// Serves a folder, and signs in if it is served; what the node said when it
/// refused.
fn serve(whole: &Dir, dir: &Dir, what: &str) -> Option<String> {
    let serve = tidegate(&["serve", "--dir", dir.text()])
        .args(["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (node, refused) = Node::ready_or_refused(serve);
    let Some(node) = node else {
        return Some(refused);
    };
    let address = node.quic.to_string();
    let ask = ["sign-in", "--dir", whole.text(), "--connect", &address];
    let ask = [&ask[..], &["--username", NAME]].concat();
    let signed_in = run(&ask, &format!("{PASSWORD}\n"));
    assert!(
        signed_in.status.success(),
        "{what}: ready, and {signed_in:?}"
    );
    None
}

/// Serves a damaged folder; what the node said when it refused.
fn judge(whole: &Dir, damaged: &Files, what: &str) -> Option<String> {
    let dir = Dir::empty();
    lay(damaged, &dir.path());
    let refused = serve(whole, &dir, what)?;
    assert!(!refused.trim().is_empty(), "{what}: refused without a word");
    assert!(!refused.contains("panicked"), "{what}: {refused}");
    // Only what was damaged is put back; what the attempt left is left.
    for (name, bytes) in files(&whole.path()) {
        if damaged.get(&name) != Some(&bytes) {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
    assert_eq!(
        serve(whole, &dir, what),
        None,
        "{what}: {refused}; put back"
    );
    Some(refused)
}

#[test]
fn a_file_that_is_gone_or_of_another_deployment_is_harmless_or_refused() {
    let (dir, other) = (deployment(), deployment());
    let (whole, theirs) = (files(&dir.path()), files(&other.path()));
    for name in whole.keys().filter(|name| is_the_nodes(name)) {
        let shown = name.display();
        let mut gone = whole.clone();
        gone.remove(name);
        judge(&dir, &gone, &format!("{shown} gone"));
        if let Some(bytes) = theirs.get(name) {
            let mut swapped = whole.clone();
            swapped.insert(name.clone(), bytes.clone());
            judge(&dir, &swapped, &format!("{shown} of another deployment"));
        }
    }
    for folder in [
        "store",
        "journal",
        "secrets",
        "tls",
        "store/keys",
        "store/rows",
    ] {
        let mut gone = whole.clone();
        gone.retain(|name, _| !name.starts_with(folder));
        let refused = judge(&dir, &gone, &format!("{folder} gone"));
        assert!(
            refused.is_some(),
            "{folder} was gone, and something was served"
        );
    }
}

#[test]
fn a_flipped_bit_or_a_lost_end_is_harmless_or_refused() {
    let dir = deployment();
    let whole = files(&dir.path());
    let names: Vec<&PathBuf> = whole
        .keys()
        .filter(|name| is_the_nodes(name) && !whole[*name].is_empty())
        .collect();
    let rounds = std::env::var("TIDEGATE_DAMAGES");
    let rounds = rounds.map_or(IN_THE_GATE, |rounds| rounds.parse().unwrap());
    let mut dice = Dice(rounds);
    for round in 0..rounds {
        let name = names[dice.roll(names.len())];
        let mut damaged = whole.clone();
        let bytes = damaged.get_mut(name).unwrap();
        let what = match round % 4 {
            0 => {
                let length = dice.roll(bytes.len());
                bytes.truncate(length);
                format!("{} cut to {length} bytes", name.display())
            }
            _ => {
                let bit = dice.roll(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
                format!("{}: bit {bit} flipped", name.display())
            }
        };
        judge(&dir, &damaged, &what);
    }
}

#[test]
fn a_node_is_never_ready_with_certificates_that_let_nobody_connect() {
    let dir = deployment();
    let whole = files(&dir.path());
    let mut dice = Dice(7);
    for name in OF_THE_NODE.map(PathBuf::from) {
        for _ in 0..TIMES_EACH {
            let mut damaged = whole.clone();
            let bytes = damaged.get_mut(&name).unwrap();
            // Within the text between the lines that frame it.
            let bit = dice.roll((bytes.len() - 80) * 8) + 30 * 8;
            bytes[bit / 8] ^= 1 << (bit % 8);
            judge(
                &dir,
                &damaged,
                &format!("{}: bit {bit} flipped", name.display()),
            );
        }
    }
}

#[test]
fn an_interrupted_restore_is_not_served_and_is_repeated_from_the_start() {
    let dir = deployment();
    let parent = dir.path().parent().unwrap().to_owned();
    dir.configure("backups.folders", &format!("[{parent:?}]"));
    let at = |name: &str| dir.path().with_extension(name).to_str().unwrap().to_owned();
    let (rows, keys) = (at("rows"), at("keys"));
    let backup = run(
        &[
            "backup",
            "--dir",
            dir.text(),
            "--rows",
            &rows,
            "--keys",
            &keys,
        ],
        "",
    );
    assert!(backup.status.success(), "{backup:?}");
    let mut damaged = files(&dir.path());
    damaged.retain(|name, _| !name.starts_with("store"));
    let back = Dir::empty();
    lay(&damaged, &back.path());
    // What a kill leaves at any moment before the end.
    let half = back.path().join("store.restoring");
    lay(&files(Path::new(&rows)), &half.join("rows"));
    let refused = judge(&dir, &files(&back.path()), "half a restore").unwrap();
    assert!(refused.contains("there is no store"), "{refused}");
    let restore = [
        "restore",
        "--dir",
        back.text(),
        "--rows",
        &rows,
        "--keys",
        &keys,
        "--gateways",
        "all",
    ];
    let restored = run(&restore, "");
    assert!(restored.status.success(), "{restored:?}");
    assert!(!half.exists());
    assert_eq!(judge(&dir, &files(&back.path()), "a restore"), None);
}
