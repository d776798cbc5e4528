//! What a person is written: a message's values, put into texts of their language and
//! into the layout of the tenant, or ours where it has none or it fails.

mod shelf;
mod texts;
mod values;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use minijinja::Value;
use thiserror::Error;
use tidegate_account::{Message, TenantId};

use shelf::{Form, Shelf};
use texts::{Isolation, Texts};
use values::Values;

pub(crate) use shelf::ShelfFault;
pub(crate) use texts::LANGUAGES;

/// The longest subject, in characters: what mail programs show, and more.
const SUBJECT_MAX_CHARS: usize = 200;

/// A text could not be made, not even of what is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a message could not be put into words")]
pub(crate) struct Unwritable;

/// A mail's texts.
#[derive(PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) language: &'static str,
    /// One line.
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// All texts and layouts.
pub(crate) struct Templates {
    texts: Arc<Texts>,
    shelf: Shelf,
}

/// A message on its way into words.
struct Draft<'a> {
    templates: &'a Templates,
    tenant: TenantId,
    message: &'a Message,
    language: &'static str,
    values: Arc<Values>,
}

impl Templates {
    /// What is built in, and what tenants have in a folder.
    ///
    /// # Errors
    /// [`ShelfFault`] when a file there cannot be read or is none that is known.
    pub(crate) fn read(folder: &Path) -> Result<Templates, ShelfFault> {
        Ok(Templates {
            texts: Arc::new(Texts::new()),
            shelf: Shelf::read(folder)?,
        })
    }

    /// A mail; `language` is the tenant's own.
    ///
    /// # Errors
    /// [`Unwritable`] when not even what is built in can be written.
    pub(crate) fn mail(
        &self,
        tenant: TenantId,
        language: Option<&str>,
        message: &Message,
    ) -> Result<Written, Unwritable> {
        let draft = self.draft(tenant, language, message);
        let subject = one_line(&draft.part(Form::Subject, "")?, SUBJECT_MAX_CHARS);
        Ok(Written {
            language: draft.language,
            text: draft.part(Form::Text, &subject)?,
            html: draft.part(Form::Html, &subject)?,
            subject,
        })
    }

    /// A text message, and its language.
    ///
    /// # Errors
    /// [`Unwritable`] when not even what is built in can be written.
    pub(crate) fn sms(
        &self,
        tenant: TenantId,
        language: Option<&str>,
        message: &Message,
    ) -> Result<(&'static str, String), Unwritable> {
        let draft = self.draft(tenant, language, message);
        let mut text = draft.part(Form::Sms, "")?.trim().to_owned();
        // What one must type or open is there, whatever the text says.
        for needed in draft.values.to_use() {
            if !text.contains(needed) {
                text.push(' ');
                text.push_str(needed);
            }
        }
        Ok((draft.language, text))
    }

    fn draft<'a>(
        &'a self,
        tenant: TenantId,
        language: Option<&str>,
        message: &'a Message,
    ) -> Draft<'a> {
        let wished = [Some(message.language()), language];
        Draft {
            templates: self,
            tenant,
            message,
            language: texts::negotiate(wished.into_iter().flatten()),
            values: Arc::new(Values::of(message)),
        }
    }
}

impl Draft<'_> {
    /// A part as the tenant has it, or as it is built in.
    fn part(&self, form: Form, subject: &str) -> Result<String, Unwritable> {
        let context = self.context(form, subject);
        let shelf = &self.templates.shelf;
        let (tenant, template) = (self.tenant, self.message.template());
        match shelf.own(tenant, template, form, &context) {
            Some(Ok(text)) => return Ok(text),
            Some(Err(kind)) => {
                let (template, form) = (template.name(), form.extension());
                let tenant = tenant.0;
                tracing::warn!(event = "delivery.template_failed", tenant, template, form, %kind);
            }
            None => {}
        }
        match form {
            Form::Subject => self.own_text("subject", Isolation::Off),
            Form::Sms => self.own_text("sms", Isolation::Off),
            Form::Text | Form::Html => shelf.built_in(form, &context).ok_or(Unwritable),
        }
    }

    /// What a template may name. All names are always there: one that is not is
    /// misspelt, and the template fails.
    fn context(&self, form: Form, subject: &str) -> Value {
        let isolation = match form {
            Form::Subject | Form::Sms => Isolation::Off,
            Form::Text | Form::Html => Isolation::On,
        };
        let text = |attribute| self.own_text(attribute, isolation).unwrap_or_default();
        let (texts, values) = (Arc::clone(&self.templates.texts), Arc::clone(&self.values));
        let language = self.language;
        let told = move |key: &str| -> Result<String, minijinja::Error> {
            let unknown = minijinja::ErrorKind::InvalidOperation;
            let text = texts.text(language, key, None, &values, isolation);
            text.ok_or_else(|| minijinja::Error::new(unknown, "no such text"))
        };
        let ours = [
            ("language", Value::from(language)),
            ("direction", Value::from(texts::direction(language))),
            ("template", Value::from(self.message.template().name())),
            ("subject", Value::from(subject)),
            ("lead", Value::from(text("lead"))),
            ("note", Value::from(text("note"))),
            ("t", Value::from_function(told)),
        ];
        let values = self
            .values
            .named()
            .map(|(name, value)| (name, Value::from(value)));
        let all: BTreeMap<&'static str, Value> = ours.into_iter().chain(values).collect();
        Value::from(all)
    }

    fn own_text(&self, attribute: &str, isolation: Isolation) -> Result<String, Unwritable> {
        let (texts, key) = (&self.templates.texts, self.message.template().name());
        let text = texts.text(self.language, key, Some(attribute), &self.values, isolation);
        text.ok_or(Unwritable)
    }
}

/// A text as one line of a header: whatever breaks lines or turns the direction of
/// writing is a space, and spaces are single.
pub(crate) fn one_line(text: &str, max_chars: usize) -> String {
    let breaks = |c: char| {
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
    };
    let spaced = text.replace(breaks, " ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    words.join(" ").chars().take(max_chars).collect()
}

#[cfg(test)]
mod tests;
