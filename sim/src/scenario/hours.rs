//! Habits: at which hours of the day people come.

use serde::Deserialize;

use super::value::{Part, Percent, Whole};
use crate::random::{Stream, mixed};

const HOURS: usize = 24;
/// An hour with its neighbours on both sides is about the same time.
const NEAR: u64 = 2;
const TRIES: usize = 64;

/// At which hour how many people have their habit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Habits {
    /// Parts of people by hour of the day, from midnight on.
    pub(crate) hours: Hours,
    /// At which hour the night begins.
    pub(crate) begins_h: Whole<0, 23>,
    /// Of the visits: those of people whose hour it is.
    pub(crate) faithful_percent: Percent,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Vec<Part>")]
pub(crate) struct Hours {
    /// The sum of the parts of this hour and of those before.
    sums: Vec<u64>,
}

impl TryFrom<Vec<Part>> for Hours {
    type Error = String;

    fn try_from(parts: Vec<Part>) -> Result<Hours, String> {
        let mut sum = 0;
        let sums = parts.iter().map(|part| {
            sum += part.0;
            sum
        });
        let sums: Vec<u64> = sums.collect();
        match sums.len() == HOURS && sum > 0 {
            true => Ok(Hours { sums }),
            false => Err("expected 24 parts, one for each hour, not all of them 0".into()),
        }
    }
}

impl Hours {
    /// A person's hour.
    fn of(&self, person: u64) -> u64 {
        let all = self.sums.last().copied().unwrap_or(1);
        let drawn = mixed(person ^ 0x686f_7572) % all;
        self.sums.partition_point(|sum| *sum <= drawn) as u64
    }
}

impl Habits {
    /// One of those that `draw` names, whose hour it is, so long after the
    /// night began.
    pub(crate) fn person(&self, stream: &Stream, since_ns: u64, draw: impl Fn() -> u64) -> u64 {
        let hour = (self.begins_h.0 + since_ns / 3_600_000_000_000) % HOURS as u64;
        let faithful = stream.fraction() * 100.0 < self.faithful_percent.0;
        let mut person = draw();
        for _ in 0..TRIES {
            if !faithful || self.is_near(person, hour) {
                break;
            }
            person = draw();
        }
        person
    }

    fn is_near(&self, person: u64, hour: u64) -> bool {
        let apart = self.hours.of(person).abs_diff(hour);
        apart.min(HOURS as u64 - apart) <= NEAR
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::value::Share;

    fn habits(faithful_percent: f64) -> Habits {
        // All people come in the morning or in the evening.
        let mut parts: Vec<Part> = vec![Whole(0); HOURS];
        (parts[8], parts[20]) = (Whole(1), Whole(3));
        Habits {
            hours: Hours::try_from(parts).unwrap(),
            begins_h: Whole(20),
            faithful_percent: Share(faithful_percent),
        }
    }

    #[test]
    fn whoever_comes_has_the_habit_of_the_hour() {
        let (habits, stream) = (habits(100.0), Stream::new(1, "people", 0));
        let hours = |since_h: u64| -> Vec<u64> {
            let draw = || stream.below(10_000);
            let one = |_| habits.person(&stream, since_h * 3_600_000_000_000, draw);
            (0..200)
                .map(one)
                .map(|person| habits.hours.of(person))
                .collect()
        };
        assert!(hours(0).iter().all(|hour| *hour == 20));
        assert!(hours(11).iter().all(|hour| *hour == 8));
        // No person has a habit at three in the morning: any of them comes.
        let night = hours(7);
        assert!(night.contains(&8) && night.contains(&20));
    }

    #[test]
    fn people_are_spread_over_the_hours_by_their_parts() {
        let habits = habits(0.0);
        let evening = (0..4_000).filter(|person| habits.hours.of(*person) == 20);
        assert!((2_800..3_200).contains(&evening.count()));
    }

    #[test]
    fn a_day_has_twenty_four_hours() {
        let alike = |part: Part, hours: usize| Hours::try_from(vec![part; hours]);
        assert!(alike(Whole(1), 24).is_ok());
        assert!(alike(Whole(1), 23).is_err());
        assert!(alike(Whole(0), 24).is_err());
    }
}
