//! The texts of each language, from `texts/LANGUAGE.ftl` (Fluent).

use fluent_bundle::FluentResource;
use fluent_bundle::concurrent::FluentBundle;

use super::values::Values;

/// The languages that are complete; the first one stands in for all others.
pub(crate) const LANGUAGES: &[&str] = &["en", "de", "fr", "es", "ar"];

const SOURCES: &[(&str, &str)] = &[
    ("en", include_str!("../../texts/en.ftl")),
    ("de", include_str!("../../texts/de.ftl")),
    ("fr", include_str!("../../texts/fr.ftl")),
    ("es", include_str!("../../texts/es.ftl")),
    ("ar", include_str!("../../texts/ar.ftl")),
];

/// Whether values stand between marks that keep the direction of writing of either
/// side (UAX #9, section 2.7). Not in a subject, where mail programs show them, and
/// not in a text message, where they double its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    On,
    Off,
}

struct Language {
    tag: &'static str,
    isolating: FluentBundle<FluentResource>,
    plain: FluentBundle<FluentResource>,
}

/// All texts.
pub(super) struct Texts(Vec<Language>);

/// The language of the first tag that has one, by its first part (RFC 4647, section
/// 3.4): `de-AT` is written in `de`.
pub(super) fn negotiate<'a>(wished: impl Iterator<Item = &'a str>) -> &'static str {
    let mut found = wished.filter_map(|tag| {
        let first = tag.split('-').next()?;
        let same = |known: &&&str| known.eq_ignore_ascii_case(first);
        LANGUAGES.iter().find(same).copied()
    });
    found.next().unwrap_or(SOURCES[0].0)
}

/// `ltr` or `rtl`, as HTML has it.
pub(super) fn direction(language: &str) -> &'static str {
    match language {
        "ar" => "rtl",
        _ => "ltr",
    }
}

fn bundle(tag: &str, source: &str, isolation: Isolation) -> FluentBundle<FluentResource> {
    let language = tag.parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    bundle.set_use_isolating(isolation == Isolation::On);
    // What cannot be parsed is left out; a test looks that nothing is.
    let resource = FluentResource::try_new(source.to_owned());
    let resource = resource.unwrap_or_else(|(resource, _)| resource);
    bundle.add_resource_overriding(resource);
    bundle
}

impl Texts {
    pub(super) fn new() -> Texts {
        let languages = SOURCES.iter().map(|&(tag, source)| Language {
            tag,
            isolating: bundle(tag, source, Isolation::On),
            plain: bundle(tag, source, Isolation::Off),
        });
        Texts(languages.collect())
    }

    /// A text with its values; none when there is no such text, or when it names a
    /// value that is not there.
    pub(super) fn text(
        &self,
        language: &str,
        key: &str,
        attribute: Option<&str>,
        values: &Values,
        isolation: Isolation,
    ) -> Option<String> {
        let language = self.0.iter().find(|known| known.tag == language)?;
        let bundle = match isolation {
            Isolation::On => &language.isolating,
            Isolation::Off => &language.plain,
        };
        let message = bundle.get_message(key)?;
        let pattern = match attribute {
            None => message.value()?,
            Some(attribute) => message.get_attribute(attribute)?.value(),
        };
        let (arguments, mut errors) = (values.arguments(), Vec::new());
        let text = bundle.format_pattern(pattern, Some(&arguments), &mut errors);
        errors.is_empty().then(|| text.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_parsed_whole_and_each_key_is_there_once() {
        let tags = SOURCES.iter().map(|(tag, _)| *tag);
        assert!(tags.eq(LANGUAGES.iter().copied()));
        for (tag, source) in SOURCES {
            let resource = FluentResource::try_new((*source).to_owned());
            let resource = resource.unwrap_or_else(|(_, faults)| panic!("{tag}: {faults:?}"));
            let language = tag.parse().unwrap();
            let mut bundle = FluentBundle::<FluentResource>::new_concurrent(vec![language]);
            bundle.add_resource(resource).unwrap();
        }
    }

    #[test]
    fn a_language_is_found_by_its_first_part() {
        for (wished, found) in [
            (&["de-AT", "fr"][..], "de"),
            (&["DE"], "de"),
            (&["tlh", "ar-EG"], "ar"),
            (&["", "es"], "es"),
            (&["den", "x"], "en"),
            (&[], "en"),
        ] {
            assert_eq!(negotiate(wished.iter().copied()), found, "{wished:?}");
        }
    }

    #[test]
    fn minutes_have_the_plural_of_each_language() {
        let texts = Texts::new();
        let valid = |language, minutes| {
            let values = [tidegate_account::Value::Minutes(minutes)];
            let app = tidegate_account::Value::App("A".into());
            let values = [&values[..], &[app]].concat();
            let template = tidegate_account::Template::VerifyAddress;
            let message = tidegate_account::Message::new(template, "", "a", values).unwrap();
            let values = Values::of(&message);
            texts
                .text(language, "valid", None, &values, Isolation::Off)
                .unwrap()
        };
        assert_eq!(valid("en", 1), "Valid for one minute.");
        assert_eq!(valid("en", 15), "Valid for 15 minutes.");
        assert_eq!(valid("fr", 1), "Valable 1 minute.");
        assert_eq!(valid("ar", 2), "صالح لمدة دقيقتين.");
        assert_eq!(valid("ar", 5), "صالح لمدة 5 دقائق.");
        assert_eq!(valid("ar", 15), "صالح لمدة 15 دقيقة.");
    }
}
