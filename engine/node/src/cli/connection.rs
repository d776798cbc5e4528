//! How a command of people or accounts reaches a node, and as which gateway.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use tidegate_client::Options;

use super::output::Format;
use crate::certificates::{Identity, Role};
use crate::folder::Folder;
use crate::init::{DEFAULT_GATEWAY, DEFAULT_TENANT, OFFICE_GATEWAY};
use crate::issuing::file_name;

/// A person or a script waits longer for an answer than a gateway can let a
/// browser wait: a busy machine is no reason to say that nothing is known.
const PATIENCE_MS: u32 = 15_000;

/// How a command reaches a node, and as whom.
#[derive(Args)]
pub(super) struct Connection {
    /// The folder that holds the CA and the gateway's certificate.
    #[arg(long, value_name = "D", default_value = "./tidegate-data")]
    dir: PathBuf,
    /// The node's address; without it, the one that the running node wrote
    /// into its folder.
    #[arg(long, value_name = "ADDR")]
    connect: Option<SocketAddr>,
    /// The tenant in whose name to ask.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_TENANT)]
    tenant: String,
    /// The gateway as which to ask; without it `default`, and `office` to
    /// verify and erase.
    #[arg(long, value_name = "NAME")]
    gateway: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Connection {
    pub(super) fn format(&self) -> Format {
        match self.json {
            true => Format::Json,
            false => Format::Text,
        }
    }

    /// The gateway to ask as, for a person who signs in.
    pub(super) fn for_people(&self) -> &str {
        self.gateway.as_deref().unwrap_or(DEFAULT_GATEWAY)
    }

    /// As which gateway to act on accounts. Where an older program made the
    /// folder there is no `office`, and `default` has that right.
    pub(super) fn for_accounts(&self) -> &str {
        if let Some(named) = &self.gateway {
            return named;
        }
        let folder = Folder::at(&self.dir);
        let has = |name: &str| folder.certificate(&of_gateway(name)).exists();
        match (has(OFFICE_GATEWAY), has(DEFAULT_GATEWAY)) {
            (false, true) => DEFAULT_GATEWAY,
            (true, _) | (false, false) => OFFICE_GATEWAY,
        }
    }

    pub(super) fn options(&self, gateway: &str) -> anyhow::Result<Options> {
        let folder = Folder::at(&self.dir);
        let address = match self.connect {
            Some(address) => address,
            None => {
                let file = folder.address();
                let text = std::fs::read_to_string(&file);
                let text = text.with_context(|| {
                    format!("no node runs in {}; use --connect", self.dir.display())
                })?;
                let address = text.trim().parse();
                address.with_context(|| format!("{} holds no address", file.display()))?
            }
        };
        let name = of_gateway(gateway);
        let read = |path: PathBuf| {
            std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))
        };
        let mut options = Options::new(
            address,
            read(folder.certificate("ca"))?,
            read(folder.certificate(&name))?,
            read(folder.private_key(&name))?,
            &self.tenant,
        );
        options.deadline_ms = PATIENCE_MS;
        Ok(options)
    }
}

/// Under which name a gateway's certificate lies in a folder.
fn of_gateway(name: &str) -> String {
    file_name(&Identity {
        role: Role::Gateway,
        name: name.to_owned(),
    })
}
