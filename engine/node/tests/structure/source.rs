//! Sources as text that can be looked through: no comments, nothing in strings,
//! no modules of tests.

use std::path::{Path, PathBuf};

/// Matches nothing: no source has it.
const NEVER: &str = "\0";
const TESTS_ONLY: &str = "#[cfg(test)]";

/// The files below a folder that are shipped: tests have files of their own.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let of_tests = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !of_tests {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") && !of_tests {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What a file ships, as it can be looked through.
pub(crate) fn shipped(source: &str) -> String {
    let mut text = plain(source);
    let mut from = 0;
    while let Some(found) = text[from..].find(TESTS_ONLY) {
        let start = from + found;
        from = start + TESTS_ONLY.len();
        let Some(open) = text[from..].find(['{', ';']) else {
            break;
        };
        let head = &text[from..from + open];
        let is_module = head.split_whitespace().rev().nth(1) == Some("mod");
        if is_module && text.as_bytes()[from + open] == b'{' {
            let end = closing(&text, from + open);
            text.replace_range(start..(end + 1).min(text.len()), "");
            from = start;
        }
    }
    text
}

/// Without comments, and with strings and characters made empty.
fn plain(source: &str) -> String {
    let mut text = source.as_bytes().to_vec();
    let mut at = 0;
    while at < text.len() {
        at = match opaque(source, at) {
            Some((from, to, end)) => {
                text[from..to].fill(b' ');
                end
            }
            None => at + 1,
        };
    }
    String::from_utf8(text).unwrap()
}

/// Whether a comment, a string or a character begins here: from where to where
/// it is no code, and where it ends.
fn opaque(source: &str, at: usize) -> Option<(usize, usize, usize)> {
    let rest = &source.as_bytes()[at..];
    let quoted = |opening: usize, text: usize| {
        let (from, to) = (at + opening, at + opening + text);
        Some((from, to, (to + 1).min(source.len())))
    };
    match rest[0] {
        b'/' if rest.starts_with(b"//") => {
            let length = rest.iter().position(|byte| *byte == b'\n');
            let end = at + length.unwrap_or(rest.len());
            Some((at, end, end))
        }
        b'/' if rest.starts_with(b"/*") => {
            let end = at + comment(rest);
            Some((at, end, end))
        }
        b'"' => quoted(1, unescaped(&rest[1..], b'"')),
        b'r' => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            if rest.get(1 + hashes) != Some(&b'"') {
                return None;
            }
            let text = &source[at + 2 + hashes..];
            let ends = format!("\"{}", "#".repeat(hashes));
            let length = text.find(&ends).unwrap_or(text.len());
            let (from, to, end) = quoted(2 + hashes, length)?;
            Some((from, to, (end + hashes).min(source.len())))
        }
        b'\'' if rest.get(1) == Some(&b'\\') => quoted(1, unescaped(&rest[1..], b'\'')),
        b'\'' => {
            // A lifetime has no second mark.
            let length = source[at + 1..].chars().next()?.len_utf8();
            (rest.get(1 + length) == Some(&b'\'')).then_some(())?;
            quoted(1, length)
        }
        _ => None,
    }
}

/// How long a comment is that may have others in it.
fn comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Where this mark comes for the first time without a backslash before it.
fn unescaped(text: &[u8], mark: u8) -> usize {
    let mut at = 0;
    while at < text.len() && text[at] != mark {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at.min(text.len())
}

/// Where this comes for the first time outside of brackets; where the brackets
/// around end, or the text, when it does not.
pub(crate) fn outside(text: &str, from: usize, wanted: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, from);
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"::<") {
            at += generics(rest);
            continue;
        }
        if depth == 0 && rest.starts_with(wanted.as_bytes()) {
            return at;
        }
        match bytes[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => return at,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Where the bracket is closed that opens here.
pub(crate) fn closing(text: &str, open: usize) -> usize {
    outside(text, open + 1, NEVER)
}

/// How long `::<…>` is: its commas are between types.
fn generics(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (1, 3);
    while depth > 0 && at < rest.len() {
        match rest[at] {
            b'<' => depth += 1,
            b'>' if rest[at - 1] != b'-' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Whether a name can go on with this.
pub(crate) fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where a name begins, each time that it stands there whole.
pub(crate) fn occurrences(text: &str, name: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let begins = |at: usize| at == 0 || !is_of_name(bytes[at - 1]);
    let ends = |at: usize| bytes.get(at).is_none_or(|byte| !is_of_name(*byte));
    text.match_indices(name)
        .map(|(at, _)| at)
        .filter(|at| begins(*at) && ends(at + name.len()))
        .collect()
}
