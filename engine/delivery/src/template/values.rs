//! A message's values by the names that texts and templates have for them.

use fluent_bundle::FluentArgs;
use tidegate_account::{Message, Value};
use time::OffsetDateTime;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The values of one message; empty where it has none.
#[derive(Default, Zeroize, ZeroizeOnDrop)]
pub(super) struct Values {
    code: String,
    link: String,
    minutes: Option<u32>,
    app: String,
    when: String,
    device: String,
    place: String,
}

impl Values {
    pub(super) fn of(message: &Message) -> Values {
        let mut values = Values::default();
        let shown = |value: &&Value| message.template().shows(value.kind());
        for value in message.values().iter().filter(shown) {
            match value {
                Value::Code(code) => values.code.clone_from(code),
                Value::Link(link) => values.link.clone_from(link),
                Value::Minutes(minutes) => values.minutes = Some(*minutes),
                Value::App(app) => values.app.clone_from(app),
                Value::WhenMs(ms) => values.when = when(*ms),
                Value::Device(device) => values.device.clone_from(device),
                Value::Place(place) => values.place.clone_from(place),
            }
        }
        values
    }

    /// By name, all of them.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, String)> {
        let minutes = self.minutes.map_or(String::new(), |n| n.to_string());
        let texts = self.texts().map(|(name, text)| (name, text.to_owned()));
        texts.into_iter().chain([("minutes", minutes)])
    }

    /// Those that there are, as texts take them: minutes as a number, for plurals.
    pub(super) fn arguments(&self) -> FluentArgs<'_> {
        let mut arguments = FluentArgs::new();
        for (name, text) in self.texts() {
            if !text.is_empty() {
                arguments.set(name, text);
            }
        }
        if let Some(minutes) = self.minutes {
            arguments.set("minutes", minutes);
        }
        arguments
    }

    /// What the person must type or open.
    pub(super) fn to_use(&self) -> impl Iterator<Item = &str> {
        let both = [&*self.code, &*self.link].into_iter();
        both.filter(|text| !text.is_empty())
    }

    fn texts(&self) -> [(&'static str, &str); 6] {
        [
            ("code", &self.code),
            ("link", &self.link),
            ("app", &self.app),
            ("when", &self.when),
            ("device", &self.device),
            ("place", &self.place),
        ]
    }
}

/// A time in a form that every language reads (ISO 8601, without its `T`).
fn when(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1_000).unwrap_or(i64::MAX);
    let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds) else {
        return String::new();
    };
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02} UTC",
        at.hour(),
        at.minute()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_to_the_minute() {
        assert_eq!(when(0), "1970-01-01 00:00 UTC");
        assert_eq!(when(1_700_000_000_999), "2023-11-14 22:13 UTC");
        assert_eq!(when(u64::MAX), "");
    }
}
