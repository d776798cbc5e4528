//! What every number of the configuration may be.

use super::Config;

const DAY_MS: u64 = 86_400_000;
/// Longer than any client waits, and far from where products overflow.
pub(super) const CENTURY_MS: u64 = 36_525 * DAY_MS;

/// What one number may be.
pub(crate) struct Range {
    /// `section.name`.
    pub(crate) key: &'static str,
    pub(crate) least: u64,
    pub(crate) most: u64,
    of: fn(&Config) -> u64,
}

const fn range(key: &'static str, least: u64, most: u64, of: fn(&Config) -> u64) -> Range {
    Range {
        key,
        least,
        most,
        of,
    }
}

/// Every number of the configuration; a test looks that none is left out.
pub(crate) const RANGES: &[Range] = &[
    range("node.actor_threads", 1, 1_024, |c| {
        c.node.actor_threads as u64
    }),
    range("node.read_threads", 0, 1_024, |c| {
        c.node.read_threads as u64
    }),
    range("node.cache_mib", 0, 1_048_576, |c| c.node.cache_mib),
    range("node.drain_ms", 0, 3_600_000, |c| c.node.drain_ms),
    range("hashing.threads", 0, 1_024, |c| c.hashing.threads as u64),
    range("hashing.waiting_max", 1, 1_000_000, |c| {
        c.hashing.waiting_max as u64
    }),
    range("hashing.memory_kib", 19_456, 4_194_304, |c| {
        u64::from(c.hashing.memory_kib)
    }),
    range("hashing.passes", 2, 100, |c| u64::from(c.hashing.passes)),
    // Argon2 wants eight KiB for each, which the least memory has.
    range("hashing.lanes", 1, 1_024, |c| u64::from(c.hashing.lanes)),
    range("hashing.min_chars", 8, 256, |c| c.hashing.min_chars as u64),
    range("sessions.idle_ms", 1_000, CENTURY_MS, |c| {
        c.sessions.idle_ms
    }),
    range("sessions.lifetime_ms", 1_000, CENTURY_MS, |c| {
        c.sessions.lifetime_ms
    }),
    range("guessing.free", 1, 100, |c| u64::from(c.guessing.free)),
    range("guessing.base_ms", 1, CENTURY_MS, |c| c.guessing.base_ms),
    range("guessing.cap_ms", 1, CENTURY_MS, |c| c.guessing.cap_ms),
    range("guessing.forget_ms", 1, CENTURY_MS, |c| {
        c.guessing.forget_ms
    }),
    range("sources.free", 0, 1_000_000, |c| u64::from(c.sources.free)),
    range("sources.refill_ms", 1, CENTURY_MS, |c| c.sources.refill_ms),
    range("sign_ups.free", 0, 1_000_000, |c| {
        u64::from(c.sign_ups.free)
    }),
    range("sign_ups.refill_ms", 1, CENTURY_MS, |c| {
        c.sign_ups.refill_ms
    }),
    range("crowd.free", 0, 1_000_000, |c| u64::from(c.crowd.free)),
    range("crowd.refill_ms", 1, CENTURY_MS, |c| c.crowd.refill_ms),
    range("sends.free", 0, 1_000_000, |c| u64::from(c.sends.free)),
    range("sends.refill_ms", 1, CENTURY_MS, |c| c.sends.refill_ms),
    range("flow.lifetime_ms", 60_000, 3_600_000, |c| {
        c.flow.lifetime_ms
    }),
    // SP 800-63B-4, 3.1.3.2: ten minutes at most.
    range("flow.code_ms", 60_000, 600_000, |c| c.flow.code_ms),
    range("flow.tries", 1, 10, |c| u64::from(c.flow.tries)),
    range("flow.sends_per_hour", 1, 8, |c| {
        u64::from(c.flow.sends_per_hour)
    }),
    range("degraded.grace_ms", 0, DAY_MS, |c| c.degraded.grace_ms),
    range("retention.events_ms", 0, CENTURY_MS, |c| {
        c.retention.events_ms
    }),
    range("retention.audits_ms", 0, CENTURY_MS, |c| {
        c.retention.audits_ms
    }),
    range("retention.claims_ms", 60_000, CENTURY_MS, |c| {
        c.retention.claims_ms
    }),
    range("limits.connections", 1, 1_000_000, |c| {
        c.limits.connections as u64
    }),
    range("limits.connections_per_gateway", 1, 1_000_000, |c| {
        c.limits.connections_per_gateway as u64
    }),
    range("limits.streams_per_connection", 1, 100_000, |c| {
        u64::from(c.limits.streams_per_connection)
    }),
    range("limits.frames_per_stream", 1, 1_000_000, |c| {
        c.limits.frames_per_stream as u64
    }),
    range("limits.commands_per_person", 1, 1_000_000, |c| {
        u64::from(c.limits.commands_per_person)
    }),
    range("limits.commands", 1, 100_000_000, |c| c.limits.commands),
    range("limits.frames_per_connection", 1, 1_000_000, |c| {
        c.limits.frames_per_connection as u64
    }),
    range("limits.activations", 1, 100_000_000, |c| {
        c.limits.activations
    }),
    range("limits.commits", 1, 100_000_000, |c| c.limits.commits),
    range("limits.sources", 0, 16_000_000, |c| c.limits.sources as u64),
    range("limits.sweep_rows_per_s", 1, 10_000_000, |c| {
        u64::from(c.limits.sweep_rows_per_s)
    }),
    range("limits.warm_people", 0, 1_000_000_000, |c| {
        c.limits.warm_people as u64
    }),
    range("limits.warm_idle_ms", 0, CENTURY_MS, |c| {
        c.limits.warm_idle_ms
    }),
    range("limits.write_behind_per_s", 0, 1_000_000, |c| {
        u64::from(c.limits.write_behind_per_s)
    }),
];

impl Range {
    fn holds(&self, number: u64) -> bool {
        (self.least..=self.most).contains(&number)
    }

    /// As it is said in "must be ...".
    pub(crate) fn expected(&self) -> String {
        format!("{} to {}", self.least, self.most)
    }
}

/// The first number of a configuration that is out of its range.
pub(super) fn broken(config: &Config) -> Option<&'static Range> {
    let held = |range: &&Range| !range.holds((range.of)(config));
    RANGES.iter().find(held)
}

/// The first number of a file's text that is out of its range, or is none at
/// all: looked at before its type is, whose own message names no range. What
/// is no TOML has none.
pub(crate) fn broken_in(text: &str) -> Option<(&'static Range, String)> {
    let table: toml::Table = text.parse().ok()?;
    for range in RANGES {
        let (section, name) = range.key.split_once('.')?;
        let value = table.get(section).and_then(|section| section.get(name));
        match value {
            None => {}
            Some(toml::Value::Integer(number))
                if u64::try_from(*number).is_ok_and(|number| range.holds(number)) => {}
            Some(toml::Value::Integer(_)) => return Some((range, range.expected())),
            Some(_) => return Some((range, format!("a whole number, {}", range.expected()))),
        }
    }
    None
}

/// The line on which a key stands; none when it is not in the text.
pub(crate) fn line_of(text: &str, key: &str) -> Option<usize> {
    let table = toml::de::DeTable::parse(text).ok()?;
    let (section, name) = key.split_once('.')?;
    let mut sections = table.get_ref().into_iter();
    let (_, section) = sections.find(|(found, _)| &**found.get_ref() == section)?;
    let mut keys = section.get_ref().as_table()?.into_iter();
    let (found, _) = keys.find(|(found, _)| &**found.get_ref() == name)?;
    let before = text.get(..found.span().start)?;
    Some(before.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn numbers(value: &toml::Value, at: &str, found: &mut BTreeSet<String>) {
        match value {
            toml::Value::Table(table) => {
                for (name, value) in table {
                    let at = match at {
                        "" => name.clone(),
                        at => format!("{at}.{name}"),
                    };
                    numbers(value, &at, found);
                }
            }
            toml::Value::Integer(_) => {
                found.insert(at.to_owned());
            }
            _ => {}
        }
    }

    /// What is wrong with a configuration of these lines.
    fn fault(text: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let error = Config::read(&path).err()?.to_string();
        Some(error.replace(path.to_str().unwrap(), "F"))
    }

    #[test]
    fn every_number_has_a_range_and_every_range_a_number() {
        let mut found = BTreeSet::new();
        let config = toml::Value::try_from(Config::default()).unwrap();
        numbers(&config, "", &mut found);
        let ranged: BTreeSet<_> = RANGES.iter().map(|range| range.key.to_owned()).collect();
        assert_eq!(found, ranged);
        assert_eq!(ranged.len(), RANGES.len());
        assert!(broken(&Config::default()).is_none());
    }

    #[test]
    fn a_number_out_of_its_range_is_refused_by_file_line_key_and_range() {
        for range in RANGES {
            let (section, name) = range.key.split_once('.').unwrap();
            let given = |value: &str| fault(&format!("# Ours.\n[{section}]\n{name} = {value}\n"));
            let expected = range.expected();
            let own = format!("F:3: {} must be {expected}", range.key);
            let mut tried = vec![0, 1, range.least, range.most];
            tried.extend([
                range.least.saturating_sub(1),
                range.most + 1,
                range.least + 1,
            ]);
            tried.extend([1 << 32, 1 << 53, i64::MAX as u64]);
            for number in tried {
                let told = given(&number.to_string());
                match range.holds(number) {
                    // It may not fit what another key says.
                    true => assert_ne!(told.as_deref(), Some(&*own), "{number}"),
                    false => assert_eq!(told.as_deref(), Some(&*own), "{number}"),
                }
            }
            for negative in ["-1", "-9223372036854775808"] {
                assert_eq!(given(negative).as_deref(), Some(&*own), "{negative}");
            }
            let none = format!("F:3: {} must be a whole number, {expected}", range.key);
            for no_number in ["1.5", "\"5\"", "true", "[5]", "{ a = 5 }", "nan"] {
                assert_eq!(given(no_number).as_deref(), Some(&*none), "{no_number}");
            }
            let beyond = given("9223372036854775808").unwrap();
            assert!(beyond == own || beyond.contains("line 3"), "{beyond}");
        }
    }

    #[test]
    fn a_key_is_found_on_its_line_however_it_is_written() {
        let text = "# a\n\n[hashing]\n\nthreads = 3\n[node]\nread_threads = 1\n";
        assert_eq!(line_of(text, "hashing.threads"), Some(5));
        assert_eq!(line_of(text, "node.read_threads"), Some(7));
        assert_eq!(line_of(text, "node.actor_threads"), None);
        assert_eq!(line_of("limits.commits = 3", "limits.commits"), Some(1));
        assert_eq!(line_of("limits = {\n", "limits.commits"), None);
    }
}
