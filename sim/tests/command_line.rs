//! The command line: what it prints can be pasted, what cannot be written is
//! said before anything is played, and what is not printed is no success.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate-sim");

/// Three seconds of checks on one node.
const NIGHT: &str = r#"
about = "A short night."
people = 100
curve = [[0, 20], [3, 20]]
objectives = ["failed(check) = 0"]
[ask]
check = 1
[store]
kind = "foundationdb"
[prices]
node_per_hour = 3
"#;

/// A folder whose name has a space, gone with its handle.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("tidegate sim {name} {}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("night.toml"), NIGHT).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn sim(words: &[&str]) -> Output {
    Command::new(PROGRAM).args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The rest of the line that begins so.
fn rest_of<'a>(output: &'a str, begin: &str) -> &'a str {
    let rest = output.lines().find_map(|line| line.strip_prefix(begin));
    rest.unwrap_or_else(|| panic!("no {begin} in {output}"))
}

fn trace(output: &str) -> &str {
    let (_, rest) = output.split_once("trace ").unwrap();
    rest.lines().next().unwrap()
}

/// Gives a line to a shell that finds the program.
fn pasted(line: &str) -> Output {
    let folder = Path::new(PROGRAM).parent().unwrap().display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env("PATH", path).output().unwrap()
}

#[test]
fn the_line_that_plays_a_night_again_does_so_when_it_is_pasted() {
    let folder = Folder::new("again");
    let night = folder.path("night.toml").display().to_string();
    let calibration = Path::new(env!("CARGO_MANIFEST_DIR")).join("calibration.json");
    let calibration = calibration.display().to_string();
    let words = ["run", &night, "--seed", "7", "--calibration", &calibration];
    let first = sim(&words);
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    let first = text(&first.stdout);
    let again = pasted(rest_of(&first, "again: "));
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert_eq!(trace(&text(&again.stdout)), trace(&first));
}

#[test]
fn a_replay_names_itself_as_what_plays_it_again() {
    let replayed = sim(&["replay", "2", "--plant", "no-fence"]);
    let replayed = text(&replayed.stdout);
    let again = "tidegate-sim replay 2 --plant no-fence";
    assert_eq!(rest_of(&replayed, "again: "), again);
}

#[test]
fn a_report_that_cannot_be_written_is_said_before_anything_is_played() {
    let folder = Folder::new("sheets");
    let night = folder.path("night.toml").display().to_string();
    let nowhere = folder.path("nowhere/x").display().to_string();
    let html = folder.path("x.html").display().to_string();
    std::fs::create_dir(folder.path("sub")).unwrap();
    let same = folder.path("sub/../x.html").display().to_string();
    let cases: [(&[&str], &str); 6] = [
        (&["run", &night, "--json", &nowhere], "cannot be written"),
        (
            &["run", &night, "--report", &html, "--json", &nowhere],
            "cannot be written",
        ),
        (&["plan", &night, "--report", &nowhere], "cannot be written"),
        (&["replay", "1", "--report", &nowhere], "cannot be written"),
        (
            &["run", &night, "--report", &html, "--json", &html],
            "for --json and --report alike",
        ),
        (
            &["run", &night, "--report", &html, "--json", &same],
            "for --json and --report alike",
        ),
    ];
    for (words, expected) in cases {
        let refused = sim(words);
        assert_eq!(refused.status.code(), Some(2), "{words:?}");
        assert_eq!(text(&refused.stdout), "", "{words:?}");
        let said = text(&refused.stderr);
        assert!(said.contains(expected), "{words:?}: {said}");
    }
    assert!(!folder.path("x.html").exists());
}

#[test]
fn a_night_that_cannot_be_played_leaves_an_older_report_as_it_was() {
    let folder = Folder::new("older");
    let json = folder.path("x.json");
    std::fs::write(&json, "older").unwrap();
    let json = json.display().to_string();
    let refused = sim(&["run", "nights", "--json", &json]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&json).unwrap(), "older");
}

#[test]
fn a_plan_is_written_as_json_and_as_a_page_with_what_it_costs_an_hour() {
    let folder = Folder::new("plan");
    let night = folder.path("night.toml").display().to_string();
    let (json, html) = (folder.path("p.json"), folder.path("p.html"));
    let planned = Command::new(PROGRAM)
        .args(["plan", &night, "--seeds", "1", "--spare", "0"])
        .arg("--json")
        .arg(&json)
        .arg("--report")
        .arg(&html)
        .output()
        .unwrap();
    assert_eq!(planned.status.code(), Some(0), "{planned:?}");
    let said = text(&planned.stdout);
    assert!(said.contains("cost: 3.00 an hour"), "{said}");
    let again = rest_of(&said, "again: ");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(json["plan"]["smallest"]["cost_per_hour"], 3.0);
    assert_eq!(json["plan"]["smallest"]["nodes"], 1);
    assert_eq!(json["seeds"], 1);
    assert_eq!(json["from"], 1);
    assert_eq!(json["again"], again);
    let flags = "--seeds 1 --seed 1 --spare 0 --most 64";
    assert_eq!(again, format!("tidegate-sim plan '{night}' {flags}"));
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.contains("Smallest fleet: 1 nodes") && page.contains("3.00 an hour"));
}

#[test]
fn what_cannot_be_printed_is_no_success() {
    let folder = Folder::new("full");
    let night = folder.path("night.toml").display().to_string();
    for words in [&["run", &night][..], &["fuzz", "--seeds", "1"]] {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let program = Command::new(PROGRAM)
            .args(words)
            .stdout(full.unwrap())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = text(&program.stderr);
        assert_eq!(program.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains("standard output: "), "{words:?}: {said}");
    }
}
