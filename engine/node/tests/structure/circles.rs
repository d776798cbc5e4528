//! Which file of a crate uses which, as far as paths that begin with `crate`,
//! `super`, `self` or the name of a part say it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::source::{self, is_of_name, occurrences};

/// The files of a crate by their place in it (`person/desk`; the root is empty),
/// and what each of them ships.
pub(crate) type Files = BTreeMap<String, String>;
/// Which file uses which.
pub(crate) type Arrows = BTreeSet<(String, String)>;

/// Through how many files a name is followed that is handed on.
const HANDED_ON_MAX: usize = 8;

/// A path, and the name that it brings in.
struct Named {
    path: Vec<String>,
    name: String,
}

/// The sources below `src`. The roots of library and program are one.
pub(crate) fn read(src: &Path) -> Files {
    let mut files = Files::new();
    for path in source::files(src) {
        let place = path.strip_prefix(src).unwrap().with_extension("");
        let place = match place.to_str().unwrap() {
            "lib" | "main" => "",
            place => place,
        };
        let text = source::shipped(&std::fs::read_to_string(&path).unwrap());
        files.entry(place.to_owned()).or_default().push_str(&text);
    }
    files
}

/// The arrows between files. A part may use the file of the module that it is a
/// part of: the two are one module, and that is no arrow.
pub(crate) fn arrows(files: &Files) -> Arrows {
    let handed_on = handed_on(files);
    let mut arrows = Arrows::new();
    for (own, text) in files {
        for Named { path, .. } in named(files, own, text) {
            let (mut place, rest) = resolved(files, own, &path);
            let name = rest.first().cloned().unwrap_or_default();
            for _ in 0..HANDED_ON_MAX {
                let Some(there) = handed_on.get(&(place.clone(), name.clone())) else {
                    break;
                };
                place.clone_from(there);
            }
            if !is_part_of(own, &place) {
                arrows.insert((own.clone(), place));
            }
        }
    }
    arrows
}

/// Those of the arrows that are part of a circle.
pub(crate) fn in_circles(arrows: &Arrows) -> Vec<(String, String)> {
    let closes = |arrow: &&(String, String)| closes_a_circle(arrows, arrow);
    arrows.iter().filter(closes).cloned().collect()
}

/// Whether an arrow leads to where these lead back from.
pub(crate) fn closes_a_circle(arrows: &Arrows, (from, to): &(String, String)) -> bool {
    let mut seen = BTreeSet::from([to]);
    let mut ahead = vec![to];
    while let Some(place) = ahead.pop() {
        let begin = (place.clone(), String::new());
        let of_place = arrows.range(begin..).take_while(|arrow| arrow.0 == *place);
        ahead.extend(of_place.map(|arrow| &arrow.1).filter(|to| seen.insert(*to)));
    }
    seen.contains(from)
}

fn is_part_of(own: &str, place: &str) -> bool {
    let rest = own.strip_prefix(place);
    place.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Names that a file hands on from another: where each comes from.
fn handed_on(files: &Files) -> BTreeMap<(String, String), String> {
    let mut handed_on = BTreeMap::new();
    for (own, text) in files {
        for at in occurrences(text, "use") {
            let before = text[..at].trim_end();
            if !before.ends_with("pub") && !before.ends_with(')') {
                continue;
            }
            let item = text[at..].split(';').next().unwrap_or("");
            for Named { path, name } in named(files, own, item) {
                let (place, _) = resolved(files, own, &path);
                if place != *own {
                    handed_on.insert((own.clone(), name), place);
                }
            }
        }
    }
    handed_on
}

/// The paths of a text that lead to files of the crate.
fn named(files: &Files, own: &str, text: &str) -> Vec<Named> {
    let mut found = Vec::new();
    let mut follow = |begin: &str| {
        for mut at in occurrences(text, begin) {
            let whole = !text[..at].ends_with("::");
            if whole && text[at + begin.len()..].starts_with("::") {
                branch(text, &mut at, Vec::new(), &mut found);
            }
        }
    };
    for begin in ["crate", "super", "self"] {
        follow(begin);
    }
    let inside = match own {
        "" => String::new(),
        own => format!("{own}/"),
    };
    let parts = files.keys().filter_map(|place| place.strip_prefix(&inside));
    for part in parts.filter(|part| !part.is_empty() && !part.contains('/')) {
        follow(part);
    }
    found
}

/// Reads a path and, where a group ends it, every path of the group.
fn branch(text: &str, at: &mut usize, begin: Vec<String>, found: &mut Vec<Named>) {
    let mut path = begin;
    loop {
        let word = word(text, at);
        if !word.is_empty() {
            path.push(word.to_owned());
        } else if text[*at..].starts_with('{') {
            *at += 1;
            return group(text, at, &path, found);
        }
        if word.is_empty() || !text[*at..].starts_with("::") {
            break;
        }
        *at += 2;
    }
    let mut name = path.last().cloned().unwrap_or_default();
    let mut ahead = *at;
    if word(text, &mut ahead) == "as" {
        name = word(text, &mut ahead).to_owned();
    }
    found.push(Named { path, name });
}

fn group(text: &str, at: &mut usize, path: &[String], found: &mut Vec<Named>) {
    while *at < text.len() && !text[*at..].starts_with('}') {
        branch(text, at, path.to_vec(), found);
        let rest = &text[*at..];
        let end = rest.find([',', '}']).unwrap_or(rest.len());
        *at += end;
        if rest[end..].starts_with(',') {
            *at += 1;
            *at += spaces(&text[*at..]);
        }
    }
    *at = (*at + 1).min(text.len());
}

/// The word that comes next, and behind it. Nothing, where none comes.
fn word<'a>(text: &'a str, at: &mut usize) -> &'a str {
    let from = *at + spaces(&text[*at..]);
    let rest = text[from..].bytes();
    let length = rest.take_while(|byte| is_of_name(*byte)).count();
    *at = from + length;
    &text[from..*at]
}

fn spaces(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// The file that a path leads to, and what is left of the path there. A path
/// that begins with none of the three words begins with a part.
fn resolved<'a>(files: &Files, own: &str, path: &'a [String]) -> (String, &'a [String]) {
    let mut place: Vec<&str> = own.split('/').filter(|part| !part.is_empty()).collect();
    let mut rest = path;
    while let Some((first, left)) = rest.split_first() {
        match first.as_str() {
            "crate" => place.clear(),
            "self" => {}
            "super" => {
                place.pop();
            }
            name => {
                place.push(name);
                if !files.contains_key(&place.join("/")) {
                    place.pop();
                    break;
                }
            }
        }
        rest = left;
    }
    (place.join("/"), rest)
}
