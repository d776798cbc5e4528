//! Who comes: all alike, a few far more often than others, or as recorded.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::random::{Stream, mixed, to_u64};

/// How people are drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Draw {
    /// All alike.
    #[default]
    Uniform,
    /// The one of rank n in proportion to 1/n.
    Zipf,
    /// As often as a file says, which is yet to be read.
    File(PathBuf),
    /// As often as it said.
    Listed(Arc<Activity>),
}

/// People by number, and how often they come.
#[derive(Debug, PartialEq)]
pub(crate) struct Activity {
    people: Vec<u64>,
    /// The sum of the visits of this one and of those before.
    sums: Vec<f64>,
}

impl Draw {
    /// One of so many people.
    pub(crate) fn person(&self, stream: &Stream, active: u64) -> u64 {
        match self {
            Draw::Uniform | Draw::File(_) => stream.below(active),
            // Ranks are spread over all people.
            Draw::Zipf => mixed(stream.zipf(active)) % active,
            Draw::Listed(activity) => activity.person(stream),
        }
    }

    /// Reads who was recorded, if that lies in a file; the file's text. Its path
    /// counts from the scenario's folder.
    pub(crate) fn read(&mut self, folder: &Path, active: u64) -> Result<String, String> {
        let Draw::File(csv) = self else {
            return Ok(String::new());
        };
        let path = folder.join(csv);
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| format!("draw: {}: {error}", path.display()))?;
        let pairs = super::csv::pairs(&path, &text, "person,visits")?;
        let activity = Activity::of(&pairs, active);
        let activity = activity.ok_or_else(|| {
            let path = path.display();
            format!("draw: {path}: expected people from 0 to {active}, the last not among them, and visits above 0")
        })?;
        *self = Draw::Listed(Arc::new(activity));
        Ok(text)
    }
}

impl Activity {
    fn of(pairs: &[(f64, f64)], active: u64) -> Option<Activity> {
        let (mut people, mut sums, mut sum) = (Vec::new(), Vec::new(), 0.0_f64);
        for (person, visits) in pairs {
            let whole = libm::floor(*person) == *person;
            let known = (0.0..active as f64).contains(person);
            if !whole || !known || *visits <= 0.0 {
                return None;
            }
            sum += visits;
            people.push(to_u64(*person));
            sums.push(sum);
        }
        (!people.is_empty() && sum.is_finite()).then_some(Activity { people, sums })
    }

    fn person(&self, stream: &Stream) -> u64 {
        let all = self.sums.last().copied().unwrap_or(0.0);
        let drawn = stream.fraction() * all;
        let place = self.sums.partition_point(|sum| *sum <= drawn);
        self.people[place.min(self.people.len() - 1)]
    }
}

impl<'de> Deserialize<'de> for Draw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Draw, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    csv: PathBuf,
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Draw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"uniform\", \"zipf\" or { csv = \"people.csv\" }")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Draw, E> {
        match name {
            "uniform" => Ok(Draw::Uniform),
            "zipf" => Ok(Draw::Zipf),
            other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Draw, A::Error> {
        let Table { csv } = Table::deserialize(MapAccessDeserializer::new(table))?;
        Ok(Draw::File(csv))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_come_as_often_as_was_recorded() {
        let activity = Activity::of(&[(3.0, 1.0), (7.0, 9.0)], 10).unwrap();
        let (draw, stream) = (
            Draw::Listed(Arc::new(activity)),
            Stream::new(1, "people", 0),
        );
        let drawn: Vec<u64> = (0..1_000).map(|_| draw.person(&stream, 10)).collect();
        let of = |wanted: u64| drawn.iter().filter(|person| **person == wanted).count();
        assert_eq!(of(3) + of(7), 1_000);
        assert!((50..150).contains(&of(3)), "{}", of(3));
    }

    #[test]
    fn whoever_is_not_registered_or_never_comes_is_refused() {
        for pairs in [
            &[(10.0, 1.0)][..],
            &[(-1.0, 1.0)],
            &[(1.5, 1.0)],
            &[(1.0, 0.0)],
            &[],
        ] {
            assert_eq!(Activity::of(pairs, 10), None, "{pairs:?}");
        }
    }
}
