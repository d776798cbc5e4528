//! `init`, `bundle` and `serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tidegate_runtime::ports::Entropy;
use tidegate_runtime::{OsEntropy, SystemClock};

use super::{YES, logging, output};
use crate::bundle;
use crate::config::{FoundationdbConfig, Overrides, StorageConfig};
use crate::deployment::{LEASE_MS, READS};
use crate::folder::Folder;
use crate::init::{
    self as folder_init, DEFAULT_GATEWAY, DEFAULT_OPERATOR, DEFAULT_RATE_PER_S, Founding,
    NewRegion, OFFICE_GATEWAY, OFFICE_RATE_PER_S, Rates,
};
use crate::rights::RATE_MAX_PER_S;
use crate::serve::{ServeOptions, serve as serve_node};

#[derive(Args)]
pub(super) struct InitArgs {
    /// The folder to make.
    #[arg(long, value_name = "D", default_value = "./tidegate-data")]
    dir: PathBuf,
    /// Make a further node of the deployment that this bundle is of.
    #[arg(long, value_name = "BUNDLE")]
    join: Option<PathBuf>,
    /// Where rows are kept.
    #[arg(
        long,
        value_name = "KIND",
        default_value = "embedded",
        conflicts_with = "join"
    )]
    storage: Kind,
    #[command(flatten)]
    foundationdb: FoundationdbArgs,
    /// Which region this deployment is, of several.
    #[arg(long, value_name = "N", conflicts_with = "join", requires = "directory",
          value_parser = clap::value_parser!(u8).range(1..=254))]
    region: Option<u8>,
    /// The FoundationDB cluster that spans the regions: a cluster file, or a
    /// TOML file (NAME.toml) with keys as in the section `storage` of config.toml.
    #[arg(long, value_name = "FILE", requires = "region")]
    directory: Option<PathBuf>,
    /// The key of the directory of regions, from a node of another region; the
    /// first region makes it.
    #[arg(long, value_name = "FILE", requires = "region")]
    directory_key: Option<PathBuf>,
    /// The node's name in its cluster; without it, `node-1`, or one that is
    /// drawn for a node that joins.
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Where the node is to listen for gateways (QUIC over UDP).
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where it is to show metrics and health (HTTP, loopback).
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// How long a node of the cluster may be silent before the others take
    /// over, in milliseconds; the same for all nodes.
    #[arg(long, value_name = "MS", default_value_t = LEASE_MS, conflicts_with = "join",
          value_parser = clap::value_parser!(u64).range(1_000..=60_000))]
    lease_ms: u64,
    /// Which version of the formats the nodes write, until `tidegate upgrade
    /// finish`: an older one where some will be of an older program.
    #[arg(long, value_name = "N", default_value_t = READS, conflicts_with_all = ["join", "region"],
          value_parser = clap::value_parser!(u16).range(1..=i64::from(READS)))]
    formats: u16,
    /// Requests per second that the gateway `default`, for the people who come,
    /// may send to each node; 0 for no limit.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_RATE_PER_S, conflicts_with = "join",
          value_parser = clap::value_parser!(u64).range(..=RATE_MAX_PER_S))]
    rate_per_s: u64,
    /// The same of the gateway `office`, for acts on accounts.
    #[arg(long, value_name = "N", default_value_t = OFFICE_RATE_PER_S, conflicts_with = "join",
          value_parser = clap::value_parser!(u64).range(..=RATE_MAX_PER_S))]
    office_rate_per_s: u64,
}

/// How FoundationDB is reached.
#[derive(Args)]
pub(super) struct FoundationdbArgs {
    /// FoundationDB's cluster file.
    #[arg(long, value_name = "FILE")]
    cluster_file: Option<PathBuf>,
    /// FoundationDB's client library, when it is not where the system looks.
    #[arg(long, value_name = "FILE")]
    client_library: Option<PathBuf>,
    /// A TOML file with keys of the section `storage` of config.toml: TLS,
    /// trace files, and what the other flags say.
    #[arg(long, value_name = "FILE")]
    storage_config: Option<PathBuf>,
}

impl FoundationdbArgs {
    fn is_said(&self) -> bool {
        self.cluster_file.is_some() || self.storage_config.is_some()
    }

    pub(super) fn config(&self) -> anyhow::Result<FoundationdbConfig> {
        let absolute = |path: &PathBuf| {
            std::path::absolute(path).with_context(|| format!("{} is no path", path.display()))
        };
        let said = FoundationdbConfig {
            cluster_file: self.cluster_file.as_ref().map(absolute).transpose()?,
            client_library: self.client_library.as_ref().map(absolute).transpose()?,
            ..FoundationdbConfig::default()
        };
        Ok(match &self.storage_config {
            None => said,
            Some(path) => said.or(&FoundationdbConfig::read(path)?),
        })
    }
}

/// Where rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// In the folder: one node.
    Embedded,
    /// In a FoundationDB cluster: any number of nodes.
    Foundationdb,
}

impl InitArgs {
    /// Where the directory of regions is.
    fn directory(&self) -> anyhow::Result<Option<FoundationdbConfig>> {
        let Some(path) = &self.directory else {
            return Ok(None);
        };
        let path =
            std::path::absolute(path).with_context(|| format!("{} is no path", path.display()))?;
        let said = match path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            true => FoundationdbConfig::read(&path)?,
            false => FoundationdbConfig {
                cluster_file: Some(path),
                ..FoundationdbConfig::default()
            },
        };
        // One process has one client library.
        let ours = self.foundationdb.config()?;
        Ok(Some(said.or(&FoundationdbConfig {
            cluster_file: None,
            ..ours
        })))
    }

    /// What is said about the configuration.
    fn overrides(&self) -> anyhow::Result<Overrides> {
        let foundationdb = self.storage == Kind::Foundationdb || self.foundationdb.is_said();
        let storage = StorageConfig::Foundationdb(self.foundationdb.config()?);
        Ok(Overrides {
            node: self.node.clone(),
            listen: self.listen,
            metrics: self.metrics,
            storage: (foundationdb || self.join.is_some()).then_some(storage),
            directory: self.directory()?,
        })
    }
}

#[derive(Args)]
pub(super) struct BundleArgs {
    /// The node's folder; its CA's private key must be there.
    #[arg(long, value_name = "D", default_value = "./tidegate-data")]
    dir: PathBuf,
    /// The file to write; its holder controls the deployment.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
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
        .enable_all()
        .build()
        .context("a runtime cannot be started")?;
    let (clock, overrides) = (SystemClock::new(), args.overrides()?);
    if let Some(bundle) = &args.join {
        return join(&folder, bundle, overrides, &runtime);
    }
    let founding = Founding {
        lease_ms: args.lease_ms,
        formats: args.formats,
        rates: Rates {
            default_per_s: args.rate_per_s,
            office_per_s: args.office_rate_per_s,
        },
        region: args.region.map(|number| NewRegion {
            number,
            key: args.directory_key.clone(),
        }),
    };
    let made = folder_init::init(&folder, &overrides, &founding, &clock, &OsEntropy);
    runtime.block_on(made)?;
    output::line(&format!("Made {}.", folder.root().display()));
    say_who_may_connect(&founding.rates);
    for text in [
        "Keep these safe, apart from backups of the store:",
        "  secrets/        master, index and pepper keys: losing the master key loses",
        "                  every person, and with it a backup can be read whole",
        "  tls/ca.key      signs certificates; move it off the node",
        "  tls/operator-*  runs the deployment; move it to the operator's machine",
    ] {
        output::line(text);
    }
    if folder.store().exists() {
        output::line("  store/keys/     the people's own keys, wrapped by the master key");
    }
    Ok(YES)
}

fn say_who_may_connect(rates: &Rates) {
    let pace = |rate_per_s: u64| match rate_per_s {
        0 => "at any rate".to_owned(),
        rate_per_s => format!("at most {rate_per_s} requests a second"),
    };
    let (people, office) = (pace(rates.default_per_s), pace(rates.office_per_s));
    for text in [
        "These may connect; `tidegate gateway add` makes others with rights of their own:"
            .to_owned(),
        format!("  gateway {DEFAULT_GATEWAY}  signs people up and in, {people}"),
        format!("  gateway {OFFICE_GATEWAY}   verifies, locks and erases, {office}"),
        format!("  operator {DEFAULT_OPERATOR}    runs the deployment, and acts for no person"),
    ] {
        output::line(&text);
    }
}

fn join(
    folder: &Folder,
    bundle: &Path,
    mut overrides: Overrides,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<u8> {
    let node = overrides.node.get_or_insert_with(|| {
        let [a, b, c, ..] = OsEntropy.seed();
        format!("node-{a:02x}{b:02x}{c:02x}")
    });
    output::line(&format!("Joining as {node}."));
    let clock = SystemClock::new();
    let joined = bundle::join(folder, bundle, &overrides, &clock, &OsEntropy);
    runtime.block_on(joined)?;
    output::line(&format!("Made {}.", folder.root().display()));
    output::line("Destroy the bundle when every node has joined: it holds all keys.");
    Ok(YES)
}

pub(super) fn bundle(args: &BundleArgs) -> anyhow::Result<u8> {
    let folder = Folder::at(&args.dir);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("a runtime cannot be started")?;
    runtime.block_on(bundle::make(&folder, &args.to, &OsEntropy))?;
    output::line(&format!(
        "Made {}. Its holder controls the deployment:",
        args.to.display()
    ));
    output::line("carry it to the new node's machine as you would a private key, then");
    output::line("`tidegate init --join` there, and destroy it.");
    Ok(YES)
}

pub(super) fn serve(args: &ServeArgs) -> anyhow::Result<u8> {
    logging::start()?;
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
        output::offered(&format!("tidegate ready quic={quic} metrics={metrics}"));
    })?;
    Ok(YES)
}
