//! The operator's commands. They go to the running node over its operator
//! plane; when no node runs in the folder, they are carried out on the folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand};
use serde_json::json;
use tidegate_runtime::SystemClock;
use tidegate_runtime::ports::Clock;

use super::at::{Answer, At, Place, object};
use super::{YES, output};
use crate::certificates::{Identity, Role};
use crate::config::{broken_in, line_of, plainly};
use crate::deployment::{GatewayRow, KeyKind, ROWS_MAX, TenantPolicy};
use crate::folder::Folder;
use crate::init::DEFAULT_TENANT;
use crate::issuing::{Put, file_name, issue_to, read_ca};
use crate::operator::{Order, OutboxList};
use crate::rights::{RATE_MAX_PER_S, Right};

#[derive(Subcommand)]
pub(super) enum TenantCommand {
    /// Make a tenant with a key of its own.
    Add(TenantArgs),
    /// Change what a tenant decides for itself.
    Set(TenantArgs),
    /// List the tenants.
    List(ListArgs),
}

#[derive(Args)]
pub(super) struct TenantArgs {
    /// Its name.
    name: String,
    /// A TOML file with the sections `sessions`, `guessing`, `sources` and
    /// `degraded` as in config.toml; what is not there is as the node's configuration says.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    at: At,
}

#[derive(Subcommand)]
pub(super) enum GatewayCommand {
    /// Make a certificate for a gateway and let it connect.
    Add(GatewayArgs),
    /// Take everything from a gateway; its connections close at once.
    Revoke(NameArgs),
    /// List who may connect, and what they may.
    List(ListArgs),
}

#[derive(Args)]
pub(super) struct GatewayArgs {
    /// Its name.
    name: String,
    /// A tenant in whose name it may come; may be given again.
    #[arg(long = "tenant", value_name = "NAME", default_value = DEFAULT_TENANT)]
    tenants: Vec<String>,
    /// What it may do; may be given again. `operator` makes an operator, who
    /// may do nothing else.
    #[arg(long = "right", value_name = "RIGHT", default_value = "auth")]
    rights: Vec<Right>,
    /// Requests per second; 0 for no limit.
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(..=RATE_MAX_PER_S))]
    rate_per_s: u64,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(super) struct NameArgs {
    /// Its name.
    name: String,
    #[command(flatten)]
    at: At,
}

#[derive(Subcommand)]
pub(super) enum CertCommand {
    /// Make a new certificate in the place of an old one. A running node takes
    /// its own up without a restart; a gateway comes with either until the old
    /// one expires.
    Renew(RenewArgs),
}

#[derive(Args)]
pub(super) struct RenewArgs {
    /// Renew a gateway's certificate instead of the node's.
    #[arg(long, value_name = "NAME", conflicts_with = "of_operator")]
    gateway: Option<String>,
    /// Renew an operator's certificate instead of the node's.
    #[arg(long, value_name = "NAME")]
    of_operator: Option<String>,
    #[command(flatten)]
    at: At,
}

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// Rotate a key, or go on with a rotation that could not finish.
    Rotate(RotateArgs),
    /// Show which keys live and how far a rotation is.
    Status(ListArgs),
}

#[derive(Args)]
pub(super) struct RotateArgs {
    /// Which key.
    key: KeyKind,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(super) struct BackupArgs {
    /// The folder to make for the rows, on the node's machine.
    #[arg(long, value_name = "DIR")]
    rows: PathBuf,
    /// The folder to make for the wrapped keys, best on another medium.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(super) struct AuditArgs {
    /// Show the acts on this person instead of those on the deployment.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// How many acts, the newest first.
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=ROWS_MAX as u64))]
    limit: usize,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(super) struct OutboxArgs {
    /// Only those that were given up; without it those that are to leave too.
    #[arg(long)]
    undelivered: bool,
    /// How many messages.
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=ROWS_MAX as u64))]
    limit: usize,
    #[command(flatten)]
    at: At,
}

pub(super) fn tenant(command: &TenantCommand) -> anyhow::Result<u8> {
    match command {
        TenantCommand::Add(args) => args.at.order(&Order::TenantAdd {
            name: args.name.clone(),
            policy: args.policy()?,
        }),
        TenantCommand::Set(args) => args.at.order(&Order::TenantSet {
            name: args.name.clone(),
            policy: args.policy()?,
        }),
        TenantCommand::List(args) => args.at.order(&Order::TenantList),
    }
}

impl TenantArgs {
    fn policy(&self) -> anyhow::Result<TenantPolicy> {
        let Some(path) = &self.policy else {
            return Ok(TenantPolicy::default());
        };
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("{} cannot be read", path.display()))?;
        if let Some((range, expected)) = broken_in(&text) {
            let line = line_of(&text, range.key).unwrap_or(1);
            let (path, key) = (path.display(), range.key);
            bail!("{path}:{line}: {key} must be {expected}");
        }
        toml::from_str(&text).map_err(|error| anyhow!("{}: {}", path.display(), plainly(&error)))
    }
}

pub(super) fn gateway(command: &GatewayCommand) -> anyhow::Result<u8> {
    match command {
        GatewayCommand::Add(args) => gateway_add(args),
        GatewayCommand::Revoke(args) => {
            let name = args.name.clone();
            args.at.order(&Order::GatewayRevoke { name })
        }
        GatewayCommand::List(args) => args.at.order(&Order::GatewayList),
    }
}

fn gateway_add(args: &GatewayArgs) -> anyhow::Result<u8> {
    if !crate::name::is_name(&args.name) {
        return Ok(args.at.no("invalid_name", crate::name::NAME_RULE));
    }
    let role = match args.rights.contains(&Right::Operator) {
        true => Role::Operator,
        false => Role::Gateway,
    };
    let (folder, name) = (args.at.folder(), args.name.clone());
    let identity = Identity { role, name };
    let certificate = issue(&folder, &identity, Put::New)?;
    let gateway = GatewayRow {
        name: args.name.clone(),
        tenants: match role {
            Role::Operator => Vec::new(),
            Role::Gateway | Role::Node => args.tenants.clone(),
        },
        rights: args.rights.clone(),
        rate_per_s: args.rate_per_s,
        certificates: vec![certificate],
    };
    let status = args.at.order(&Order::GatewayAdd { gateway })?;
    if status != YES {
        // A certificate without rights is of no use.
        for path in [
            folder.certificate(&file_name(&identity)),
            folder.private_key(&file_name(&identity)),
        ] {
            std::fs::remove_file(&path)
                .with_context(|| format!("{} cannot be removed", path.display()))?;
        }
    }
    Ok(status)
}

pub(super) fn cert(command: &CertCommand) -> anyhow::Result<u8> {
    let CertCommand::Renew(args) = command;
    let folder = args.at.folder();
    let of = |role, name: &str| Identity {
        role,
        name: name.to_owned(),
    };
    let (identity, name) = match (&args.gateway, &args.of_operator) {
        (Some(name), _) => (of(Role::Gateway, name), name),
        (_, Some(name)) => (of(Role::Operator, name), name),
        (None, None) => {
            issue(&folder, &of(Role::Node, "node"), Put::Renewed)?;
            return renewed_node(args);
        }
    };
    if !folder.certificate(&file_name(&identity)).exists() {
        bail!("there is no certificate of {name} in this folder");
    }
    // The old certificate asks for trust in the new one, which then takes its place.
    let aside = tempfile::tempdir_in(folder.root()).context("no folder aside can be made")?;
    let new = Folder::at(aside.path());
    std::fs::create_dir(aside.path().join("tls")).context("no folder aside can be made")?;
    let ca = read_ca(&folder)?;
    let certificate = issue_to(&new, &ca, &identity, now_s(), Put::New)?;
    let name = name.clone();
    let status = args.at.order(&Order::GatewayTrust { name, certificate })?;
    if status == YES {
        let file = file_name(&identity);
        for (from, to) in [
            (new.private_key(&file), folder.private_key(&file)),
            (new.certificate(&file), folder.certificate(&file)),
        ] {
            std::fs::rename(&from, &to)
                .with_context(|| format!("{} cannot be replaced", to.display()))?;
        }
    }
    Ok(status)
}

/// Has a running node take its new certificate up at once.
fn renewed_node(args: &RenewArgs) -> anyhow::Result<u8> {
    let fields = match args.at.place()? {
        Place::Folder => object(json!({ "renewed": "node" })),
        Place::Node(address) => {
            match args.at.operate(address, &Order::CertificateReload)? {
                // No client reaches a node whose old certificate has expired;
                // the node of this folder looks by itself.
                Err(_) if args.at.connect.is_none() => {
                    object(json!({ "renewed": "node", "taken_up": "within 10 s" }))
                }
                answer => match args.at.told(answer)? {
                    Answer::Done(fields) => fields,
                    Answer::Told(status) => return Ok(status),
                },
            }
        }
    };
    output::print(args.at.format(), &fields);
    Ok(YES)
}

fn issue(folder: &Folder, identity: &Identity, put: Put) -> anyhow::Result<String> {
    let ca = read_ca(folder).context("the CA's private key is needed to issue certificates")?;
    Ok(issue_to(folder, &ca, identity, now_s(), put)?)
}

fn now_s() -> i64 {
    i64::try_from(SystemClock::new().unix_ms() / 1000).unwrap_or(i64::MAX)
}

pub(super) fn keys(command: &KeysCommand) -> anyhow::Result<u8> {
    match command {
        KeysCommand::Rotate(args) => args.at.order(&Order::KeysRotate { key: args.key }),
        KeysCommand::Status(args) => args.at.order(&Order::KeysStatus),
    }
}

pub(super) fn backup(args: &BackupArgs) -> anyhow::Result<u8> {
    let absolute = |path: &Path| {
        std::path::absolute(path).with_context(|| format!("{} is no path", path.display()))
    };
    args.at.order(&Order::Backup {
        rows: absolute(&args.rows)?,
        keys: absolute(&args.keys)?,
    })
}

pub(super) fn outbox(args: &OutboxArgs) -> anyhow::Result<u8> {
    let list = match args.undelivered {
        true => OutboxList::Undelivered,
        false => OutboxList::All,
    };
    let limit = args.limit;
    args.at.order(&Order::Outbox { list, limit })
}

pub(super) fn audit(args: &AuditArgs) -> anyhow::Result<u8> {
    let limit = args.limit;
    args.at.order(&match &args.user {
        Some(user) => Order::PersonAudit {
            user: user.clone(),
            limit,
        },
        None => Order::Audit { limit },
    })
}
