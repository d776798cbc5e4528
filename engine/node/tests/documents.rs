//! Documents that name what can be measured or logged, held against the
//! program itself.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test program"
)]

mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rig::{Dir, Node};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(project().join(path)).unwrap()
}

/// The first cells of the rows of the table under this heading.
fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    let under = page.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    let under = under.split("\n## ").next().unwrap();
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    };
    let rows = under.lines().filter(|line| line.starts_with("| `"));
    rows.map(cells).collect()
}

/// Name and type of every series of a node, and its labels.
fn scraped(page: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut metrics = BTreeMap::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            metrics.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        }
    }
    for line in page.lines().filter(|line| line.starts_with("tidegate_")) {
        let Some((name, labels)) = line.split_once('{') else {
            continue;
        };
        let base = name.trim_end_matches("_bucket").trim_end_matches("_sum");
        let base = base.trim_end_matches("_count");
        let metric = metrics
            .get_mut(base)
            .unwrap_or_else(|| panic!("{name} has no type"));
        let labels = labels.split('}').next().unwrap().split(',');
        let labels = labels.map(|label| label.split('=').next().unwrap().to_owned());
        metric.1.extend(labels.filter(|label| label != "le"));
    }
    metrics
}

#[test]
fn every_metric_of_a_node_is_written_down_and_every_one_written_down_is_there() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let page = node.get("/metrics");
    let table = rows(&read("docs/metrics.md"), "Metrics");
    let helped: BTreeMap<_, _> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '))
        .collect();
    for row in &table {
        let meaning = row[3].split(':').next().unwrap();
        assert_eq!(helped.get(&*row[0]), Some(&meaning), "{}", row[0]);
    }
    assert_eq!(helped.len(), table.len());
    let documented: BTreeMap<_, _> = table
        .into_iter()
        .map(|row| {
            let labels = row[2].split(' ').filter(|label| !label.is_empty());
            let labels = labels.map(str::to_owned).collect::<BTreeSet<_>>();
            assert!(!row[3].is_empty(), "{} has no meaning", row[0]);
            (row[0].clone(), (row[1].clone(), labels))
        })
        .collect();
    assert_eq!(documented, scraped(&page));
}

#[test]
fn every_metric_of_a_cluster_is_written_down_and_every_one_written_down_is_there() {
    let mut made = BTreeSet::new();
    let mut files = Vec::new();
    sources_under(&project().join("engine/node/src"), &mut files);
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        for kind in ["gauge", "counter"] {
            for family in ["cluster", "foundationdb"] {
                let begins = format!("{kind}!(\"tidegate_{family}_");
                let names = text.match_indices(&begins).map(|(at, _)| {
                    let name = &text[at + kind.len() + 3..];
                    (name.split('"').next().unwrap().to_owned(), kind.to_owned())
                });
                made.extend(names);
            }
        }
    }
    let documented: BTreeSet<_> = rows(&read("docs/metrics.md"), "Metrics of a cluster")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    assert!(!made.is_empty());
    assert_eq!(documented, made);
}

#[test]
fn every_value_of_a_label_is_written_down() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let page = node.get("/metrics");
    let document = read("docs/metrics.md");
    let of_us = |line: &&str| {
        // Which program it is changes with every version.
        line.starts_with("tidegate_") && !line.starts_with("tidegate_build_info")
    };
    for line in page.lines().filter(of_us) {
        let values = line.split('"').skip(1).step_by(2);
        for value in values.filter(|_| !line.contains("le=\"")) {
            assert!(
                document.contains(&format!("`{value}`")),
                "{value} of {line}"
            );
        }
    }
}

/// The names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let word = |c: char| !(c.is_ascii_lowercase() || c == '_');
    let words = text
        .split(word)
        .filter(|word| word.starts_with("tidegate_") || word.starts_with("process_"));
    let base = |word: &str| {
        let word = word.trim_end_matches("_bucket").trim_end_matches("_count");
        word.to_owned()
    };
    words.map(base).collect()
}

#[test]
fn the_dashboard_and_the_alerts_load_and_name_metrics_that_exist() {
    let page = read("docs/metrics.md");
    let metrics: BTreeSet<_> = ["Metrics", "Metrics of a cluster"]
        .into_iter()
        .flat_map(|heading| rows(&page, heading))
        .map(|row| row[0].clone())
        .collect();
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("docs/dashboards/tidegate.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut used = BTreeSet::new();
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            let names = named(target["expr"].as_str().unwrap());
            assert!(!names.is_empty(), "{panel}");
            used.extend(names);
        }
    }
    let alerts: serde_json::Value =
        serde_yaml_ng::from_str(&read("docs/alerts/tidegate.yml")).unwrap();
    for rule in alerts["groups"][0]["rules"].as_array().unwrap() {
        assert!(rule["alert"].is_string() && rule["annotations"]["summary"].is_string());
        used.extend(named(rule["expr"].as_str().unwrap()));
    }
    assert!(used.is_subset(&metrics), "{:?}", used.difference(&metrics));
    assert!(used.len() > 20);
}

/// What promtool says of this, when it is on the machine.
fn promtool(args: &[&str], input: &str) -> Option<std::process::Output> {
    let mut command = Command::new("promtool");
    command.args(args).current_dir(project());
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = match streams.stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("promtool: not run, because it is not on this machine");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    Some(child.wait_with_output().unwrap())
}

#[test]
fn promtool_has_nothing_to_say_of_a_nodes_page_nor_of_the_alerts() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let answer = node.get("/metrics");
    let (_, page) = answer.split_once("\r\n\r\n").unwrap();
    if let Some(said) = promtool(&["check", "metrics"], page) {
        assert!(said.status.success(), "{said:?}");
        assert_eq!((said.stdout, said.stderr), (Vec::new(), Vec::new()));
    }
    let rules = ["check", "rules", "docs/alerts/tidegate.yml"];
    if let Some(said) = promtool(&rules, "") {
        assert!(said.status.success(), "{said:?}");
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.ends_with("target") || path.ends_with("tests") => {}
            true => sources(&path, found),
            false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            false => {}
        }
    }
}

#[test]
fn every_log_event_is_written_down_and_every_log_line_has_one() {
    let mut files = Vec::new();
    for folder in ["engine", "storage", "protocol"] {
        sources(&project().join(folder), &mut files);
    }
    let mut events = BTreeSet::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for level in ["error", "warn", "info", "debug", "trace"] {
            for line in text.split(&format!("tracing::{level}!(")).skip(1) {
                let event = line.trim_start().strip_prefix("event = \"");
                let event = event.unwrap_or_else(|| panic!("no event in {}", path.display()));
                let event = event.split('"').next().unwrap();
                events.insert((event.to_owned(), level.to_owned()));
            }
        }
    }
    let documented: BTreeSet<_> = rows(&read("docs/metrics.md"), "Log events")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    assert_eq!(documented, events);
}

/// What a call is given, up to the bracket that ends it.
fn arguments(call: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut parts) = (0, false, vec![String::new()]);
    for c in call.chars() {
        match c {
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted && depth == 0 => break,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(c);
    }
    let parts = parts.iter().map(|part| part.trim().to_owned());
    parts.filter(|part| !part.is_empty()).collect()
}

/// Keys that the log's format itself writes.
const OF_THE_FORMAT: [&str; 10] = [
    "timestamp",
    "level",
    "target",
    "message",
    "filename",
    "line_number",
    "span",
    "spans",
    "threadName",
    "threadId",
];

#[test]
fn no_log_line_writes_a_key_twice() {
    let mut files = Vec::new();
    for folder in ["engine", "storage", "protocol"] {
        sources(&project().join(folder), &mut files);
    }
    let mut lines = 0;
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for level in ["error", "warn", "info", "debug", "trace"] {
            for call in text.split(&format!("tracing::{level}!(")).skip(1) {
                let mut keys = BTreeSet::new();
                for argument in arguments(call) {
                    let shown = path.display();
                    assert!(
                        !argument.starts_with('"'),
                        "a message: {argument} in {shown}"
                    );
                    let key = argument.split('=').next().unwrap().trim();
                    let key = key.trim_start_matches(['%', '?']).to_owned();
                    assert!(!OF_THE_FORMAT.contains(&&*key), "{argument} in {shown}");
                    assert!(!key.contains(':'), "{argument} in {shown}");
                    assert!(keys.insert(key), "{argument} in {shown}");
                }
                lines += 1;
            }
        }
    }
    assert!(lines > 40, "{lines}");
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn sources_under(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources_under(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_code_map_names_every_source_file_and_none_that_is_not_there() {
    let page = read("ARCHITECTURE.md");
    let map = page.split("\n## Code map\n").nth(1).unwrap();
    let map = map.split("\n## ").next().unwrap();
    let mut missing = Vec::new();
    for section in map.split("\n### `").skip(1) {
        let root = project().join(section.split('`').next().unwrap());
        let rows: String = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .filter_map(|line| line.split(" | ").next())
            .flat_map(|cell| ["`", cell, "\n"])
            .collect();
        let named: Vec<_> = quoted(&rows).map(|path| root.join(path)).collect();
        assert!(!named.is_empty());
        missing.extend(named.iter().filter(|path| !path.exists()).cloned());
        let mut files = Vec::new();
        sources_under(&root.join("src"), &mut files);
        files.retain(|file| !file.ends_with("src/lib.rs"));
        let is_named = |file: &PathBuf| {
            named
                .iter()
                .any(|path| path == file || (path.is_dir() && file.starts_with(path)))
        };
        missing.extend(files.into_iter().filter(|file| !is_named(file)));
    }
    assert_eq!(missing, Vec::<PathBuf>::new());
}

#[test]
fn every_asynchronous_lock_is_named() {
    let page = read("ARCHITECTURE.md");
    let row = page
        .lines()
        .find(|line| line.starts_with("| No synchronous lock"));
    let named: BTreeSet<_> = quoted(row.unwrap())
        .filter_map(|name| name.split_once("::"))
        .map(|(_, field)| field.to_owned())
        .collect();
    let mut files = Vec::new();
    for folder in ["engine", "storage", "protocol"] {
        sources(&project().join(folder), &mut files);
    }
    let mut locks = BTreeSet::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().map(str::trim) {
            let is_lock = ["tokio::sync::Mutex<", "tokio::sync::RwLock<"]
                .iter()
                .any(|lock| line.contains(lock));
            if let Some((field, _)) = line.split_once(": ").filter(|_| is_lock) {
                let field = field.rsplit(' ').next().unwrap();
                locks.insert(field.to_owned());
            }
            // Under another name it would not be seen.
            let hidden = line.starts_with("use tokio::sync::")
                && (line.contains("Mutex") || line.contains("RwLock"));
            assert!(!hidden, "{line} in {}", path.display());
        }
    }
    assert_eq!(named, locks);
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let mut files = Vec::new();
    for folder in ["engine", "protocol", "sim", "storage"] {
        sources_under(&project().join(folder), &mut files);
    }
    let sources: Vec<_> = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let mut pages = vec![read("ARCHITECTURE.md"), read("SECURITY.md")];
    for entry in std::fs::read_dir(project().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(std::fs::read_to_string(path).unwrap());
        }
    }
    let is_name = |text: &&str| {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let (head, _) = text.split_once("...").unwrap_or((text, ""));
        let sentence = head.matches('_').count() >= 3 && head.chars().all(letters);
        let metric = head.starts_with("tidegate_") || head.starts_with("process_");
        sentence && !metric
    };
    // Keys of the configuration and names of metrics end in their units.
    let is_unit = |text: &str| {
        ["_s", "_ms", "_kib"]
            .iter()
            .any(|unit| text.ends_with(unit))
    };
    let mut named = 0;
    let mut missing = BTreeSet::new();
    for page in &pages {
        for name in quoted(page).filter(is_name).filter(|name| !is_unit(name)) {
            let (head, _) = name.split_once("...").unwrap_or((name, "("));
            let declared = match name.ends_with("...") {
                true => format!("fn {head}"),
                false => format!("fn {head}("),
            };
            named += 1;
            if !sources.iter().any(|source| source.contains(&declared)) {
                missing.insert(name);
            }
        }
    }
    assert!(named > 80, "{named}");
    assert_eq!(missing, BTreeSet::new());
}
