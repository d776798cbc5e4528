//! The command line: what cannot be written is said before anything is measured,
//! and what lies outside of its range is refused.
#![allow(clippy::unwrap_used, reason = "a test program")]

use std::process::{Command, Output};

fn bench(words: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidegate-bench"));
    program.args(words).output().unwrap()
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere/x").display().to_string();
    let single = folder.path().join("single.toml");
    let mix = "about = \"x\"\ncurve = [[0, 100]]\n[ask]\ncheck = 1\n";
    std::fs::write(&single, mix).unwrap();
    let single = single.display().to_string();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let [html, same] = ["x.html", "sub/../x.html"].map(|name| folder.path().join(name));
    let [html, same] = [html, same].map(|path| path.display().to_string());
    let cases: [(&[&str], &str); 7] = [
        (&["run", "checks", "--json", &nowhere], "cannot be written"),
        (
            &["run", "checks", "--report", &nowhere],
            "cannot be written",
        ),
        (&["ceiling", "--json", &nowhere], "cannot be written"),
        (&["fidelity", "--json", &nowhere], "cannot be written"),
        (
            &["run", "checks", "--report", &html, "--json", &same],
            "for --json and --report alike",
        ),
        (&["run", &single], "--duration says how long it lasts"),
        (&["run", "checks", "--connections", "0"], "--connections"),
    ];
    for (words, expected) in cases {
        let refused = bench(words);
        assert_eq!(refused.status.code(), Some(2), "{words:?}: {refused:?}");
        assert!(refused.stdout.is_empty(), "{words:?}: {refused:?}");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains(expected), "{words:?}: {said}");
    }
    assert!(!folder.path().join("x.html").exists());
}
