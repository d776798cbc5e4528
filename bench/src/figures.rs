//! Figures of day two and of overload, from a real node: what stands in
//! `docs/performance.md` beside the load.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a measurement that cannot go on says where and why by panicking"
)]

mod checks;
mod cold;
mod day_two;
mod durable;
mod limits;
mod ready;
mod sign_ins;
mod tail;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use tidegate_wire::{RefreshToken, SecretBytes, SessionToken, UserId};

use crate::machine::{Side, pin};
use crate::population;
use crate::summary::Summary;

#[derive(Subcommand)]
pub(crate) enum Figure {
    /// Password sign-ins a second beside the raw Argon2id rate, in turn.
    SignIns,
    /// From `serve` to ready with that many people on disk.
    Ready(PeopleArgs),
    /// Checks while each limit is filled, beside checks of a quiet node.
    Limits,
    /// The index key rotated while checks go on.
    Rotation(PeopleArgs),
    /// Every person's first request after a restart, at 20,000 a second.
    Cold(PeopleArgs),
    /// Refreshes a second beside the store's group commit alone, in turn.
    Refreshes(PeopleArgs),
    /// A passkey's verification and a commit, beside the verification alone.
    Passkeys,
    /// The tail of checks at 70% of their highest rate, beside an echo's.
    Tail(PeopleArgs),
    /// Backup while checks go on, restore, ready again.
    Backup(PeopleArgs),
}

#[derive(clap::Args)]
pub(crate) struct PeopleArgs {
    /// How many people.
    #[arg(default_value_t = 1_000_000, value_parser = crate::ranges::people())]
    people: usize,
}

pub(crate) fn run(figure: &Figure) -> anyhow::Result<ExitCode> {
    pin(Side::Either);
    let runtime = crate::run::runtime()?;
    match figure {
        Figure::SignIns => runtime.block_on(sign_ins::compare()),
        Figure::Ready(args) => runtime.block_on(ready::ready(args.people as u64)),
        Figure::Limits => limits::run(&runtime),
        Figure::Rotation(args) => day_two::rotation(args.people),
        Figure::Cold(args) => runtime.block_on(cold::cold(args))?,
        Figure::Refreshes(args) => runtime.block_on(durable::refreshes(args))?,
        Figure::Passkeys => durable::passkeys()?,
        Figure::Tail(args) => runtime.block_on(tail::tail(args))?,
        Figure::Backup(args) => day_two::backup(args.people),
    }
    Ok(ExitCode::SUCCESS)
}

/// A new folder with so many people, gone with its handle.
fn folder(people: usize) -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir_in(".").unwrap();
    let dir = population::folder(scratch.path(), people, &[]).unwrap();
    (scratch, dir)
}

/// Every person's session and refresh token.
pub(crate) fn tokens(dir: &Path) -> Vec<(SessionToken, RefreshToken)> {
    let people = population::read(dir).unwrap();
    let pair = |person: population::Person| {
        let user = UserId(person.user);
        let session = SessionToken {
            user,
            session: person.session,
            secret: SecretBytes(person.secret.0),
        };
        let refresh = RefreshToken {
            user,
            session: person.session,
            family: person.family,
            secret: person.refresh,
        };
        (session, refresh)
    };
    people.into_iter().map(pair).collect()
}

fn print_summary(name: &str, summary: Summary) {
    let Summary {
        median,
        least,
        most,
    } = summary;
    say!("{name:22} median {median:10.2}   ({least:.2} to {most:.2})");
}

/// Least, middle and greatest.
fn median(values: Vec<f64>) -> (f64, f64, f64) {
    let summary = Summary::of(values);
    (summary.least, summary.median, summary.most)
}
