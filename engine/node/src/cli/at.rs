//! How an order of an operator reaches a node: over the operator plane of the
//! one that runs, or, when none runs in the folder, on the folder itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Map, Value};
use tidegate_client::{CallError, Client, Decision, Operated, Options};
use tidegate_runtime::ports::Clock;
use tidegate_runtime::{OsEntropy, SystemClock};
use tidegate_storage_fjall::FjallStore;

use super::lost::{NodeLost, operate_while_there};
use super::output::{self, Format};
use super::person::block_on;
use super::{NO, UNKNOWN, YES};
use crate::assembly::{Journal, assemble};
use crate::backend::Backend;
use crate::certificates::{Identity, Role};
use crate::config::Config;
use crate::deployment::Deployment;
use crate::folder::Folder;
use crate::init::{DEFAULT_OPERATOR, DEFAULT_TENANT};
use crate::issuing::file_name;
use crate::operator::{Order, OrderOutcome};
use crate::serve::actors;

/// Where the folder is, and how a node is reached.
#[derive(Args)]
pub(super) struct At {
    /// The node's folder.
    #[arg(long, value_name = "D", default_value = "./tidegate-data")]
    pub(super) dir: PathBuf,
    /// The node's address; without it, the one that the running node wrote
    /// into its folder.
    #[arg(long, value_name = "ADDR")]
    pub(super) connect: Option<SocketAddr>,
    /// The operator to ask as.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_OPERATOR)]
    pub(super) operator: String,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

/// Where an order is carried out.
pub(super) enum Place {
    Node(SocketAddr),
    Folder,
}

/// What a node answered.
pub(super) type Answered = Result<Decision<Operated>, CallError>;

/// The outcome of an order.
pub(super) enum Answer {
    Done(Map<String, Value>),
    /// Something else, which was printed: the exit status.
    Told(u8),
}

impl At {
    pub(super) fn folder(&self) -> Folder {
        Folder::at(&self.dir)
    }

    pub(super) fn format(&self) -> Format {
        format_of(self.json)
    }

    pub(super) fn no(&self, code: &str, message: &str) -> u8 {
        output::refusal(self.format(), code, message, None);
        NO
    }

    pub(super) fn place(&self) -> anyhow::Result<Place> {
        if let Some(address) = self.connect {
            return Ok(Place::Node(address));
        }
        let file = self.folder().address();
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                let address = text.trim().parse();
                let address =
                    address.with_context(|| format!("{} holds no address", file.display()));
                let address = address?;
                // A node that was killed left its address behind.
                let journal = self.folder().journal();
                let held = FjallStore::is_in_use(&journal)
                    .with_context(|| format!("{} cannot be read", journal.display()))?;
                Ok(match held {
                    false => Place::Folder,
                    true => Place::Node(address),
                })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Place::Folder),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
        }
    }

    /// Has an order carried out; the exit status.
    pub(super) fn order(&self, order: &Order) -> anyhow::Result<u8> {
        Ok(match self.ask(order)? {
            Answer::Done(fields) => {
                output::print(self.format(), &fields);
                YES
            }
            Answer::Told(status) => status,
        })
    }

    /// Has an order carried out; returns its outcome.
    pub(super) fn ask(&self, order: &Order) -> anyhow::Result<Answer> {
        match self.place()? {
            Place::Node(address) => self.ask_node(address, order),
            Place::Folder => self.ask_folder(order),
        }
    }

    /// Has a certain node carry an order out.
    pub(super) fn ask_node(&self, address: SocketAddr, order: &Order) -> anyhow::Result<Answer> {
        let answer = match self.operate(address, order) {
            Err(error) if error.is::<NodeLost>() => {
                let message = "the node stopped answering while it copied; what it had begun is \
                               no backup: order it again";
                output::refusal(self.format(), "node_lost", message, None);
                return Ok(Answer::Told(UNKNOWN));
            }
            answer => answer?,
        };
        self.told(answer)
    }

    /// Asks a certain node, and prints nothing.
    pub(super) fn operate(&self, address: SocketAddr, order: &Order) -> anyhow::Result<Answered> {
        let folder = self.folder();
        let operator = Identity {
            role: Role::Operator,
            name: self.operator.clone(),
        };
        let name = file_name(&operator);
        let read = |path: PathBuf| {
            std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))
        };
        let mut options = Options::new(
            address,
            read(folder.certificate("ca"))?,
            read(folder.certificate(&name))?,
            read(folder.private_key(&name))?,
            DEFAULT_TENANT,
        );
        // A backup answers when it is done.
        options.deadline_ms = match order {
            Order::Backup { .. } => 6 * 60 * 60 * 1000,
            // A node that is there says what it knows, whatever the store does;
            // and it takes a certificate up by itself, and cannot be reached when
            // its own is over.
            Order::Status | Order::CertificateReload => 5_000,
            _ => 30_000,
        };
        let text = serde_json::to_string(order)?;
        block_on(async {
            if matches!(order, Order::Backup { .. }) {
                return operate_while_there(&options, &text, &SystemClock::new()).await;
            }
            let client = Client::new(&options)?;
            anyhow::Ok(client.operate(&text).await)
        })?
    }

    /// The outcome in an answer; prints what is not done.
    pub(super) fn told(&self, answer: Answered) -> anyhow::Result<Answer> {
        match answer {
            Ok(Decision::Yes(Operated::Done(text))) => {
                Ok(Answer::Done(object(serde_json::from_str(&text)?)))
            }
            Ok(Decision::Yes(Operated::Refused(text))) => {
                let fields = object(serde_json::from_str(&text)?);
                let field = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or("");
                Ok(Answer::Told(self.no(field("code"), field("message"))))
            }
            Ok(Decision::No(refusal)) => {
                output::no(self.format(), refusal);
                Ok(Answer::Told(NO))
            }
            Err(error) => Ok(Answer::Told(output::answer(self.format(), Err(error)))),
        }
    }

    fn ask_folder(&self, order: &Order) -> anyhow::Result<Answer> {
        let folder = self.folder();
        if !folder.config().exists() {
            bail!("{} is not a node's folder", self.dir.display());
        }
        let config = Config::read(&folder.config())?;
        let runtime = actors(1)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let backend = Backend::open(&folder, &config, &OsEntropy)?;
        let deployment = runtime.block_on(Deployment::open(&folder, &config, backend))?;
        let operator = assemble(
            &folder,
            &config,
            deployment,
            Journal::None,
            &runtime,
            &clock,
        )?;
        let said = runtime.block_on(operator.carry_out("offline", order.clone()))?;
        // A rotation that was begun here is finished by the next node that serves.
        Ok(match said {
            OrderOutcome::Done(value) => Answer::Done(object(value)),
            OrderOutcome::No { code, message } => Answer::Told(self.no(code, &message)),
        })
    }
}

pub(super) fn format_of(json: bool) -> Format {
    match json {
        true => Format::Json,
        false => Format::Text,
    }
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
