//! `restore` and `restored`: putting an older copy back, and asking who of it may
//! still connect.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use tidegate_runtime::{OsEntropy, SystemClock};
use tidegate_storage_fjall::FjallStore;

use super::at::{format_of, object};
use super::output::{self, Format};
use super::person::block_on;
use super::{NO, YES};
use crate::backend::Backend;
use crate::config::{Config, StorageConfig};
use crate::deployment::GatewayRow;
use crate::folder::Folder;
use crate::restored::{self, Kept, Ready};

#[derive(Args)]
pub(super) struct RestoreArgs {
    /// The folder with the backup's rows.
    #[arg(long, value_name = "DIR")]
    rows: PathBuf,
    /// The folder with the backup's wrapped keys.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// The node's folder: with its secrets, without a store.
    #[arg(long, value_name = "D", default_value = "./tidegate-data")]
    dir: PathBuf,
    /// Who of the copy keeps their rights, gateways and operators: `all`, `none`
    /// or their names. Without it they are listed and asked about.
    #[arg(long, value_name = "NAME,...")]
    gateways: Option<Kept>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct RestoredArgs {
    /// A node's folder; no node of the deployment may run.
    #[arg(long, value_name = "D", default_value = "./tidegate-data")]
    dir: PathBuf,
    /// Who of the copy keeps their rights, gateways and operators: `all`, `none`
    /// or their names. Without it they are listed and asked about.
    #[arg(long, value_name = "NAME,...")]
    gateways: Option<Kept>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Nothing was put back, because it was not said who may connect.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Unsaid {
    code: &'static str,
    message: String,
}

pub(super) fn restore(args: &RestoreArgs) -> anyhow::Result<u8> {
    let folder = Folder::at(&args.dir);
    if !folder.config().exists() {
        bail!("{} is not a node's folder", args.dir.display());
    }
    let config = Config::read(&folder.config())?;
    if !matches!(config.storage, StorageConfig::Embedded {}) {
        bail!(
            "FoundationDB is restored with its own tools, then `tidegate restored` \
             (docs/operations.md)"
        );
    }
    let mut made = None;
    // Nothing is there to be served before it was made ready.
    let ready = |store: FjallStore| -> anyhow::Result<()> {
        let backend = Backend::Embedded(Arc::new(store));
        made = Some(make_ready(&backend, args.gateways.as_ref())?);
        Ok(())
    };
    let restored = tidegate_storage_fjall::restore(&args.rows, &args.keys, &folder.store(), ready);
    told(restored, format_of(args.json), |rows| {
        let judged = made.map(|ready| ready.gateways).unwrap_or_default();
        json!({
            "rows": rows,
            "gateways_kept": judged.kept,
            "gateways_revoked": judged.revoked,
        })
    })
}

/// What a store needs that FoundationDB's tools have put back.
pub(super) fn restored(args: &RestoredArgs) -> anyhow::Result<u8> {
    let folder = Folder::at(&args.dir);
    let config = Config::read(&folder.config())?;
    let backend = Backend::open(&folder, &config, &OsEntropy)?;
    let ready = make_ready(&backend, args.gateways.as_ref());
    told(ready, format_of(args.json), |ready| {
        json!({
            "generation": ready.generation,
            "erasures": ready.replayed.erased,
            "erased_again": ready.replayed.people,
            "identifiers_freed": ready.replayed.identifiers,
            "gateways_kept": ready.gateways.kept,
            "gateways_revoked": ready.gateways.revoked,
        })
    })
}

/// Prints the outcome; returns the exit status.
fn told<T>(
    outcome: anyhow::Result<T>,
    format: Format,
    fields: impl FnOnce(T) -> serde_json::Value,
) -> anyhow::Result<u8> {
    match outcome {
        Ok(done) => {
            output::print(format, &object(fields(done)));
            Ok(YES)
        }
        Err(error) => match error.downcast_ref::<Unsaid>() {
            Some(unsaid) => {
                output::refusal(format, unsaid.code, &unsaid.message, None);
                Ok(NO)
            }
            None => Err(error),
        },
    }
}

fn make_ready(backend: &Backend, said: Option<&Kept>) -> anyhow::Result<Ready> {
    let store = backend.store();
    let rows = block_on(restored::listed(&*store))??;
    let kept = match said {
        Some(said) => said.clone(),
        None if std::io::stdin().is_terminal() => asked(&rows)?,
        None => {
            let message = format!(
                "the copy lets these connect, also those revoked since it was made: {}; \
                 say who may with --gateways all, none, or NAME,NAME",
                rows.iter().map(shown).collect::<Vec<_>>().join("; ")
            );
            let code = "gateways_unsaid";
            return Err(Unsaid { code, message }.into());
        }
    };
    if let Some(stranger) = kept.stranger(&rows) {
        let message = format!("there is no gateway {stranger} in the copy");
        let code = "unknown";
        return Err(Unsaid { code, message }.into());
    }
    let (clock, entropy) = (SystemClock::new(), OsEntropy);
    Ok(block_on(restored::make_ready(
        backend,
        &kept,
        (&clock, &entropy),
    ))??)
}

/// Asks about each of them at the terminal.
fn asked(rows: &[GatewayRow]) -> anyhow::Result<Kept> {
    output::line("The copy lets these connect, also those revoked since it was made.");
    let mut lines = std::io::stdin().lock().lines();
    let mut kept = BTreeSet::new();
    for row in rows {
        output::line(&format!("{} - may it connect? (yes or no)", shown(row)));
        loop {
            let line = lines.next().context("the terminal was closed")?;
            match line.context("the terminal cannot be read")?.trim() {
                "yes" | "y" => {
                    kept.insert(row.name.clone());
                    break;
                }
                "no" | "n" => break,
                _ => output::line("yes or no?"),
            }
        }
    }
    Ok(Kept::Named(kept))
}

/// One who may connect, in a line.
fn shown(row: &GatewayRow) -> String {
    let rights: Vec<String> = row
        .rights
        .iter()
        .map(|right| format!("{right:?}"))
        .collect();
    let rights = rights.join(",").to_lowercase();
    let tenants = match row.tenants.is_empty() {
        true => String::new(),
        false => format!(" for {}", row.tenants.join(",")),
    };
    let certificates = row.certificates.len();
    format!(
        "{} ({rights}{tenants}, {certificates} certificates)",
        row.name
    )
}
