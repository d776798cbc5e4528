//! Arms of a match that take whatever else there is.

use std::collections::BTreeMap;

use crate::source::{closing, is_of_name, occurrences, outside};

/// Our own enums that decide what is done: one more variant must not fall into
/// an arm that was written before it.
const DECIDING: &[&str] = &[
    "Answer",
    "Class",
    "Command",
    "Completion",
    "Effect",
    "EventKind",
    "Failure",
    "DegradedDecision",
    "DegradedReply",
    "Judged",
    "Opcode",
    "Plane",
    "Refusal",
    "Reply",
    "Task",
    "What",
];

/// What an arm takes.
struct Pattern {
    text: String,
    /// An arm with a condition takes nothing for good.
    guarded: bool,
}

/// The catch-alls of a source in matches whose other arms name variants of an
/// enum that decides.
pub(crate) fn catch_alls(source: &str) -> Vec<String> {
    let matches = occurrences(source, "match").into_iter();
    matches
        .filter_map(|at| catch_all(&patterns(source, at + "match".len())))
        .collect()
}

/// The patterns of the match whose value begins here.
fn patterns(source: &str, value: usize) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    let open = outside(source, value, "{");
    if source.as_bytes().get(open) != Some(&b'{') {
        // A word of something else, such as a macro's.
        return patterns;
    }
    let mut at = open + 1;
    loop {
        at = skipping(source, at, |byte| {
            byte.is_ascii_whitespace() || byte == b','
        });
        let arrow = outside(source, at, "=>");
        if !source[arrow..].starts_with("=>") {
            return patterns;
        }
        patterns.push(pattern(&source[at..arrow]));
        let body = skipping(source, arrow + 2, |byte| byte.is_ascii_whitespace());
        at = match source.as_bytes().get(body) {
            Some(b'{') => closing(source, body) + 1,
            _ => outside(source, body, ","),
        };
    }
}

fn skipping(source: &str, from: usize, over: impl Fn(u8) -> bool) -> usize {
    let bytes = source.as_bytes().iter().skip(from);
    from + bytes.take_while(|byte| over(**byte)).count()
}

fn pattern(text: &str) -> Pattern {
    let words: Vec<_> = text.split_whitespace().collect();
    let text = words.join(" ");
    let condition = outside(&text, 0, " if ");
    Pattern {
        text: text[..condition].to_owned(),
        guarded: condition < text.len(),
    }
}

/// The first catch-all beside variants that are named, here or one bracket
/// further in.
fn catch_all(patterns: &[Pattern]) -> Option<String> {
    let (mut named, mut all) = (false, None);
    let mut inner: BTreeMap<&str, Vec<Pattern>> = BTreeMap::new();
    for Pattern { text, guarded } in patterns {
        for one in split(text, "|") {
            named |= DECIDING.iter().any(|name| names(one, name));
            if !guarded && takes_all(one) {
                all = all.or(Some(one.to_owned()));
            }
            if let Some((head, text)) = bracketed(one) {
                let (text, guarded) = (text.to_owned(), *guarded);
                let patterns = inner.entry(head).or_default();
                patterns.push(Pattern { text, guarded });
            }
        }
    }
    if named && all.is_some() {
        return all;
    }
    inner.iter().find_map(|(head, patterns)| {
        let found = catch_all(patterns)?;
        Some(format!("{head}({found})"))
    })
}

/// The parts of a pattern between marks that stand outside of brackets.
fn split<'a>(text: &'a str, mark: &str) -> Vec<&'a str> {
    let (mut parts, mut from) = (Vec::new(), 0);
    while from < text.len() {
        let end = outside(text, from, mark);
        parts.push(text[from..end].trim());
        from = end + mark.len();
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn names(pattern: &str, name: &str) -> bool {
    let ends = occurrences(pattern, name).into_iter();
    ends.map(|at| at + name.len())
        .any(|end| pattern[end..].starts_with("::"))
}

fn takes_all(pattern: &str) -> bool {
    let pattern = pattern.trim_start_matches('&');
    let pattern = pattern
        .trim_start_matches("ref ")
        .trim_start_matches("mut ");
    let pattern = pattern.strip_suffix(" @ _").unwrap_or(pattern);
    let tuple = pattern
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    if let Some(tuple) = tuple {
        return split(tuple, ",").into_iter().all(takes_all);
    }
    let first = pattern.bytes().next();
    let is_name = first.is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_name && pattern.bytes().all(is_of_name) && !["true", "false"].contains(&pattern)
}

/// A variant or a struct with one field, and the pattern of that field.
fn bracketed(pattern: &str) -> Option<(&str, &str)> {
    let pattern = pattern.trim_start_matches('&');
    let (head, rest) = pattern.split_once('(')?;
    let inner = rest.strip_suffix(')')?;
    let is_path = head.bytes().all(|byte| is_of_name(byte) || byte == b':');
    (is_path && !head.is_empty() && split(inner, ",").len() == 1).then_some((head, inner))
}
