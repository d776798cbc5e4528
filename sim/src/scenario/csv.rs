//! Two numbers on a line, with a comma between them.

use std::path::Path;

/// The pairs of a file; `columns` names what was expected. Lines that are empty
/// or begin with `#` are passed over, and so is a first line with the columns'
/// names.
pub(super) fn pairs(path: &Path, text: &str, columns: &str) -> Result<Vec<(f64, f64)>, String> {
    let mut pairs = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        let is_head = pairs.is_empty() && line.replace(' ', "") == columns;
        if line.is_empty() || line.starts_with('#') || is_head {
            continue;
        }
        let pair = line.split_once(',').and_then(|(first, second)| {
            let first: f64 = first.trim().parse().ok()?;
            let second: f64 = second.trim().parse().ok()?;
            (first.is_finite() && second.is_finite()).then_some((first, second))
        });
        let at = || format!("{}, line {}", path.display(), place + 1);
        pairs.push(pair.ok_or_else(|| format!("{}: expected {columns}", at()))?);
    }
    Ok(pairs)
}
