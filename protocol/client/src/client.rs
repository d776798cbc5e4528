//! A client, and the one method by which it sends requests.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tidegate_wire::{Fault, IdempotencyKey, InPlace, Operation, Reply, tenant_id};

use crate::budget::Budgets;
use crate::call::Caller;
use crate::connection::lanes;
use crate::decision::{CallError, Decision};
use crate::options::{Options, SetupError, quic_config};
use crate::regions::Regions;
use crate::routes::{Reach, Routes, Seed};
use crate::surroundings::{Surroundings, System, World};
use crate::transport::Transport;

/// A client of one deployment, in the name of one tenant. Calls can be made
/// from any number of tasks at once.
pub struct Client {
    pub(crate) regions: Arc<Regions>,
    key: Option<IdempotencyKey>,
}

/// What a client is made of: ways to a node, time and randomness.
pub struct Ways {
    /// Nodes that are known from the beginning; at least one.
    pub seeds: Vec<Seed>,
    /// How others are reached that nodes name.
    pub reach: Arc<dyn Reach>,
    /// Time and randomness.
    pub surroundings: Arc<dyn Surroundings>,
    /// The tenant's name.
    pub tenant: String,
    /// How long a call may take with all its retries, in milliseconds.
    pub deadline_ms: u32,
    /// The greatest age that is accepted of an answer from memory that could
    /// not be brought up to date, in milliseconds.
    pub max_age_ms: u32,
    /// After how long without an answer a check is asked once more by another
    /// connection, in milliseconds; the first answer counts. Paid from the
    /// budget for retries. Never, when it says nothing.
    pub hedge_ms: Option<u32>,
}

/// Ways over QUIC.
struct OverQuic {
    endpoint: quinn::Endpoint,
    connections: usize,
}

impl Reach for OverQuic {
    fn reach(&self, address: &str) -> Vec<Arc<dyn Transport>> {
        match address.parse() {
            Ok(address) => lanes(&self.endpoint, address, self.connections),
            Err(_) => Vec::new(),
        }
    }
}

impl Client {
    /// Makes a client. Connections are made when they are needed, and again
    /// when they are lost; call this inside a tokio runtime.
    ///
    /// # Errors
    /// [`SetupError`] when certificates or the local socket cannot be used.
    pub fn new(options: &Options) -> Result<Client, SetupError> {
        let local: SocketAddr = match options.address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let mut endpoint = quinn::Endpoint::client(local)?;
        endpoint.set_default_client_config(quic_config(options)?);
        let over = OverQuic {
            endpoint,
            connections: options.connections.max(1),
        };
        let seeds = std::iter::once(&options.address).chain(&options.others);
        let seeds = seeds.map(|address| Seed {
            lanes: over.reach(&address.to_string()),
            address: address.to_string(),
        });
        Ok(Client::over(Ways {
            seeds: seeds.collect(),
            reach: Arc::new(over),
            surroundings: Arc::new(System::new()),
            tenant: options.tenant.clone(),
            deadline_ms: options.deadline_ms,
            max_age_ms: options.max_age_ms,
            hedge_ms: options.hedge_ms,
        }))
    }

    /// Makes a client of ways to a node that exist already.
    #[must_use]
    pub fn over(ways: Ways) -> Client {
        Client {
            key: None,
            regions: Arc::new(Regions::new(Caller {
                world: World(ways.surroundings),
                routes: Arc::new(Routes::new(ways.seeds, ways.reach)),
                tenant: tenant_id(&ways.tenant),
                deadline_ms: ways.deadline_ms,
                max_age_ms: ways.max_age_ms,
                hedge_ms: ways.hedge_ms,
                budgets: Budgets::full(),
                next_correlation: AtomicU64::new(1),
            })),
        }
    }

    /// The same client, whose changing call carries this idempotency key
    /// instead of a fresh one. Draw a key with each change that you may have to
    /// repeat after an `Err`; the repeat, with the same key and arguments, gets
    /// the outcome of the first within five minutes. One key, one change.
    #[must_use]
    pub fn with_key(&self, key: IdempotencyKey) -> Client {
        Client {
            regions: Arc::clone(&self.regions),
            key: Some(key),
        }
    }

    /// The same client, which also reaches the people of another region, by that
    /// client: it asks there who is at home there, and goes there when a node
    /// says so. Each region has certificates of its own.
    #[must_use]
    pub fn with_region(self, region: u8, other: &Client) -> Client {
        Client {
            regions: Arc::new(self.regions.with(region, &other.regions)),
            key: self.key,
        }
    }

    /// Asks for an operation of the table, and gives its answer as it travels.
    /// The named calls do the same with friendlier types.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn ask<O: Operation>(&self, request: &O) -> Result<Decision<O::Answer>, CallError> {
        let read = |reply: &Reply<'_>| reply.owned::<O::Answer>();
        self.regions.call(request, self.key, read).await
    }

    /// Asks, and makes of the answer what `read` makes of it in place.
    pub(crate) async fn ask_and<O: Operation, T>(
        &self,
        request: &O,
        read: impl Fn(&Reply<'_>, &InPlace<O::Answer>) -> Result<T, Fault>,
    ) -> Result<Decision<T>, CallError> {
        let read = |reply: &Reply<'_>| read(reply, reply.answer::<O::Answer>()?);
        self.regions.call(request, self.key, read).await
    }
}
