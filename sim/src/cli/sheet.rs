//! Files that are written at the end, and opened at the beginning: one that
//! cannot be written is said before anything is played.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// A file to come.
pub(crate) struct Sheet {
    path: PathBuf,
    file: File,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// There was none of its name, and it is empty.
    New,
    /// It was there, and is as it was.
    Old,
    Written,
}

/// The JSON and the page, each if it is asked for.
pub(crate) struct Sheets {
    pub(crate) json: Option<Sheet>,
    pub(crate) report: Option<Sheet>,
}

impl Sheets {
    pub(crate) fn open(json: Option<&PathBuf>, report: Option<&PathBuf>) -> anyhow::Result<Sheets> {
        let open = |path: Option<&PathBuf>| path.map(|path| Sheet::open(path)).transpose();
        let (json, report) = (open(json)?, open(report)?);
        if let (Some(json), Some(report)) = (&json, &report)
            && json.is_same_as(report)?
        {
            bail!("{}: for --json and --report alike", report.path.display());
        }
        Ok(Sheets { json, report })
    }
}

impl Sheet {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Sheet> {
        let new = OpenOptions::new().write(true).create_new(true).open(path);
        let opened = match new {
            Ok(file) => Ok((file, State::New)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => OpenOptions::new()
                .write(true)
                .open(path)
                .map(|file| (file, State::Old)),
            Err(error) => Err(error),
        };
        let (file, state) = opened.with_context(|| cannot(path))?;
        Ok(Sheet {
            path: path.to_owned(),
            file,
            state,
        })
    }

    /// Whether both are one file, by whatever names.
    fn is_same_as(&self, other: &Sheet) -> std::io::Result<bool> {
        let place = |facts: &Metadata| (facts.dev(), facts.ino());
        Ok(place(&self.file.metadata()?) == place(&other.file.metadata()?))
    }

    pub(crate) fn write(mut self, text: &str) -> anyhow::Result<()> {
        // A device has no length.
        let is_file = self.file.metadata().is_ok_and(|facts| facts.is_file());
        let emptied = match is_file {
            true => self.file.set_len(0),
            false => Ok(()),
        };
        let written = emptied.and_then(|()| self.file.write_all(text.as_bytes()));
        written.with_context(|| cannot(&self.path))?;
        self.state = State::Written;
        Ok(())
    }
}

fn cannot(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

impl Drop for Sheet {
    fn drop(&mut self) {
        if self.state == State::New {
            // An empty file is of no use.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
