//! `init` and `serve`.

use std::io::{IsTerminal, stderr};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use tidegate_runtime::{OsEntropy, SystemClock};
use tracing_subscriber::EnvFilter;

use super::{YES, output};
use crate::config::Config;
use crate::folder::Folder;
use crate::init as folder_init;
use crate::serve::{ServeOptions, serve as serve_node};

#[derive(Args)]
pub(super) struct InitArgs {
    /// The folder to make.
    #[arg(long, value_name = "D", default_value = "./tidegate-data")]
    dir: PathBuf,
}

#[derive(Args)]
pub(super) struct ServeArgs {
    /// The node's folder.
    #[arg(long, value_name = "D", default_value = "./tidegate-data")]
    dir: PathBuf,
    /// Listen here for gateways instead of where the configuration says
    /// (QUIC over UDP).
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Show metrics and health here instead (HTTP, loopback).
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
}

pub(super) fn init(args: &InitArgs) -> anyhow::Result<u8> {
    let folder = Folder::at(&args.dir);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .context("a runtime cannot be started")?;
    let (clock, config) = (SystemClock::new(), Config::default());
    runtime.block_on(folder_init::init(&folder, &config, &clock, &OsEntropy))?;
    for text in [
        &format!("Made {}.", folder.root().display()),
        "Keep these safe, apart from backups of store/:",
        "  secrets/        master, index and pepper keys: losing the master key loses",
        "                  every person, and whoever has it and a backup reads them all",
        "  store/keys/     the people's own keys, wrapped by the master key",
        "  tls/ca.key      signs certificates; move it off the node",
        "  tls/operator-*  runs the deployment; move it to the operator's machine",
    ] {
        output::line(text);
    }
    Ok(YES)
}

pub(super) fn serve(args: &ServeArgs) -> anyhow::Result<u8> {
    log();
    let folder = Folder::at(&args.dir);
    let options = ServeOptions {
        listen: args.listen,
        metrics: match args.metrics {
            Some(address) if !address.ip().is_loopback() => {
                anyhow::bail!("--metrics must be a loopback address");
            }
            metrics => metrics,
        },
    };
    serve_node(&folder, &options, |quic, metrics| {
        output::line(&format!("tidegate ready quic={quic} metrics={metrics}"));
    })?;
    Ok(YES)
}

/// Logs go to standard error: as text on a terminal, as JSON lines elsewhere.
/// `TIDEGATE_LOG` sets the level (default `info`).
fn log() {
    let filter = EnvFilter::try_from_env("TIDEGATE_LOG");
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info,fjall=warn,lsm_tree=warn"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr);
    match stderr().is_terminal() {
        true => subscriber.init(),
        false => subscriber.json().flatten_event(true).init(),
    }
}
