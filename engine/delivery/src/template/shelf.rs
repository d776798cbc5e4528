//! Layouts: those that are built in, and tenants' own, read once from
//! `TENANT/NAME.{subject,txt,html,sms}`. A template has conditions and loops and
//! nothing else: no filters (so nothing turns escaping off), no files, no macros. Its
//! steps are counted, and one that takes too many fails.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use thiserror::Error;
use tidegate_account::{Template, TenantId};

/// Steps that one part may take.
const FUEL: u64 = 20_000;
/// The largest template, in bytes.
const SOURCE_MAX_BYTES: u64 = 64 * 1024;
/// The largest part that comes of one, in bytes.
const PART_MAX_BYTES: usize = 256 * 1024;

const BUILT_IN: &[(&str, &str)] = &[
    ("mail.txt", include_str!("../../templates/mail.txt")),
    ("mail.html", include_str!("../../templates/mail.html")),
];

/// Which part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Subject,
    Text,
    Html,
    Sms,
}

/// Why tenants' templates cannot be used.
#[derive(Debug, Error)]
pub(crate) enum ShelfFault {
    /// A file or folder cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is no template that is known, or too large.
    #[error("{path} must be {expected}")]
    File {
        /// Which.
        path: PathBuf,
        /// What it must be.
        expected: &'static str,
    },
}

/// All layouts.
pub(super) struct Shelf {
    built_in: Environment<'static>,
    own: BTreeMap<TenantId, Environment<'static>>,
}

impl Form {
    const ALL: [Form; 4] = [Form::Subject, Form::Text, Form::Html, Form::Sms];

    pub(super) fn extension(self) -> &'static str {
        match self {
            Form::Subject => "subject",
            Form::Text => "txt",
            Form::Html => "html",
            Form::Sms => "sms",
        }
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| match name.ends_with(".html") {
        true => AutoEscape::Html,
        false => AutoEscape::None,
    });
    environment
}

fn render(environment: &Environment<'_>, name: &str, context: &Value) -> Result<String, ErrorKind> {
    let template = environment
        .get_template(name)
        .map_err(|error| error.kind())?;
    let text = template
        .render(context.clone())
        .map_err(|error| error.kind())?;
    match text.len() <= PART_MAX_BYTES {
        true => Ok(text),
        false => Err(ErrorKind::OutOfFuel),
    }
}

impl Shelf {
    pub(super) fn read(folder: &Path) -> Result<Shelf, ShelfFault> {
        let mut built_in = environment();
        for (name, source) in BUILT_IN {
            // A test looks that they are sound.
            let _ = built_in.add_template(name, source);
        }
        let mut own = BTreeMap::new();
        for (name, path) in entries(folder)? {
            if path.is_dir() {
                own.insert(TenantId::of_name(&name), of_tenant(&name, &path)?);
            }
        }
        Ok(Shelf { built_in, own })
    }

    /// A part as the tenant has it; none when it has none.
    pub(super) fn own(
        &self,
        tenant: TenantId,
        template: Template,
        form: Form,
        context: &Value,
    ) -> Option<Result<String, ErrorKind>> {
        let environment = self.own.get(&tenant)?;
        let name = format!("{}.{}", template.name(), form.extension());
        match render(environment, &name, context) {
            Err(ErrorKind::TemplateNotFound) => None,
            outcome => Some(outcome),
        }
    }

    pub(super) fn built_in(&self, form: Form, context: &Value) -> Option<String> {
        let name = format!("mail.{}", form.extension());
        render(&self.built_in, &name, context).ok()
    }
}

/// What is in a folder, by name; nothing when there is no folder.
fn entries(folder: &Path) -> Result<BTreeMap<String, PathBuf>, ShelfFault> {
    let fault = |source| ShelfFault::Read {
        path: folder.to_owned(),
        source,
    };
    let found = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        found => found.map_err(fault)?,
    };
    let mut entries = BTreeMap::new();
    for entry in found {
        let entry = entry.map_err(fault)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            entries.insert(name, entry.path());
        }
    }
    Ok(entries)
}

fn of_tenant(tenant: &str, folder: &Path) -> Result<Environment<'static>, ShelfFault> {
    let mut own = environment();
    for (name, path) in entries(folder)? {
        let fault = |expected| ShelfFault::File {
            path: path.clone(),
            expected,
        };
        let known = Template::ALL.iter().any(|template| {
            let mut forms = Form::ALL.iter();
            forms.any(|form| name == format!("{}.{}", template.name(), form.extension()))
        });
        if !known {
            return Err(fault("named NAME.subject, NAME.txt, NAME.html or NAME.sms"));
        }
        let read = |source| ShelfFault::Read {
            path: path.clone(),
            source,
        };
        if std::fs::metadata(&path).map_err(read)?.len() > SOURCE_MAX_BYTES {
            return Err(fault("at most 64 KiB large"));
        }
        let source = std::fs::read_to_string(&path).map_err(read)?;
        if let Err(error) = own.add_template_owned(name.clone(), source) {
            let (kind, line) = (error.kind(), error.line());
            tracing::warn!(event = "delivery.template_unusable", tenant, file = %name, line, %kind);
        }
    }
    Ok(own)
}
