//! Answers as people read them: a line for each field, a table for a list.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The lines of an answer.
pub(super) fn text(fields: &Map<String, Value>) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Array(rows) if !rows.is_empty() && rows.iter().all(Value::is_object) => {
                lines.push(format!("{name}:"));
                lines.extend(table(rows).iter().map(|line| format!("  {line}")));
            }
            Value::Array(rows) if rows.is_empty() => lines.push(format!("{name}: none")),
            Value::Object(fields) if !fields.is_empty() => {
                lines.push(format!("{name}:"));
                let line = |(name, value): (&String, &Value)| format!("  {name}: {}", cell(value));
                lines.extend(fields.iter().map(line));
            }
            other => lines.push(format!("{name}: {}", cell(other))),
        }
    }
    lines
}

/// A line for each row, under a line of headings.
fn table(rows: &[Value]) -> Vec<String> {
    let fields = || rows.iter().filter_map(Value::as_object);
    let names: BTreeSet<&String> = fields().flat_map(|row| row.keys()).collect();
    let headings = names
        .iter()
        .map(|name| name.to_uppercase().replace('_', " "));
    let mut cells: Vec<Vec<String>> = vec![headings.collect()];
    cells.extend(fields().map(|row| {
        let of = |name: &&String| row.get(name.as_str()).map_or("-".to_owned(), cell);
        names.iter().map(of).collect()
    }));
    aligned(&cells)
}

/// Rows in columns as wide as their widest cell.
pub(super) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// One cell of a table.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(all) => joined(all.iter().map(cell), ","),
        Value::Object(fields) => {
            let said = fields.iter().filter(|(_, value)| !value.is_null());
            let pairs = said.map(|(name, value)| match value {
                Value::Object(_) => format!("{name}({})", cell(value)),
                other => format!("{name}={}", cell(other)),
            });
            joined(pairs, " ")
        }
    }
}

fn joined(parts: impl Iterator<Item = String>, between: &str) -> String {
    let parts: Vec<String> = parts.collect();
    match parts.is_empty() {
        true => "-".to_owned(),
        false => parts.join(between),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_tables_and_nothing_is_shown_as_json() {
        let answer = json!({
            "at": 5,
            "empty": [],
            "index": [1, 2],
            "none": null,
            "rotation": { "key": "index", "slots": 4096 },
            "tenants": [
                { "name": "a", "policy": { "sessions": { "idle_ms": 3 }, "guessing": null } },
                { "name": "longer", "policy": {}, "rights": ["auth", "admin"] },
            ],
        });
        let lines = text(answer.as_object().unwrap());
        assert_eq!(
            lines.join("\n"),
            "\
at: 5
empty: none
index: 1,2
none: -
rotation:
  key: index
  slots: 4096
tenants:
  NAME    POLICY               RIGHTS
  a       sessions(idle_ms=3)  -
  longer  -                    auth,admin"
        );
    }
}
