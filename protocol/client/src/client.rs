//! The typed calls.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tidegate_wire::{
    DeviceToken, IdempotencyKey, Opcode, RefreshToken, SecretBytes, SessionToken, Text, UserId,
    tenant_id, v1,
};

use crate::budget::Budgets;
use crate::call::Caller;
use crate::connection::lanes;
use crate::decision::{
    CallError, Checked, Decision, Granted, Knowledge, Operated, RevokeScope, Session, StatusChange,
    Verification,
};
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

/// Who signs in.
#[derive(Clone, Debug)]
pub struct SignIn {
    identifier: v1::Identifier,
    password: Text,
    device: Option<DeviceToken>,
    remember: u8,
    source: Option<v1::Source>,
}

/// An identifier and its kind, not yet normalised: the node does that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Email = 1,
    Phone = 2,
    Username = 3,
}

fn identifier(kind: Kind, text: &str) -> v1::Identifier {
    v1::Identifier {
        kind: kind as u8,
        text: Text(text.to_owned()),
    }
}

impl SignIn {
    /// With a mail address.
    #[must_use]
    pub fn email(address: &str, password: &str) -> SignIn {
        SignIn::with(identifier(Kind::Email, address), password)
    }

    /// With a phone number, in international form.
    #[must_use]
    pub fn phone(number: &str, password: &str) -> SignIn {
        SignIn::with(identifier(Kind::Phone, number), password)
    }

    /// With a user name.
    #[must_use]
    pub fn username(name: &str, password: &str) -> SignIn {
        SignIn::with(identifier(Kind::Username, name), password)
    }

    fn with(identifier: v1::Identifier, password: &str) -> SignIn {
        SignIn {
            identifier,
            password: Text(password.to_owned()),
            device: None,
            remember: 0,
            source: None,
        }
    }

    /// From a device that was remembered before.
    #[must_use]
    pub fn from_device(mut self, device: DeviceToken) -> SignIn {
        self.device = Some(device);
        self
    }

    /// Says where the person is, as the gateway sees it: what strangers may
    /// try is bounded per source.
    #[must_use]
    pub fn from_address(mut self, address: IpAddr) -> SignIn {
        let mut bytes = [0; 16];
        // An IPv4 address that came over IPv6 is the same subscriber.
        let kind = match address.to_canonical() {
            IpAddr::V4(address) => {
                bytes[..4].copy_from_slice(&address.octets());
                1
            }
            IpAddr::V6(address) => {
                bytes[..8].copy_from_slice(&address.octets()[..8]);
                2
            }
        };
        self.source = Some(v1::Source { kind, bytes });
        self
    }

    /// Says where the person is by whatever the gateway tells sources apart by.
    #[must_use]
    pub fn from_source(mut self, id: [u8; 16]) -> SignIn {
        self.source = Some(v1::Source { kind: 3, bytes: id });
        self
    }

    /// Asks to remember the device.
    #[must_use]
    pub fn remember_device(mut self) -> SignIn {
        self.remember = 1;
        self
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

    /// Measures the way to the node and back.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn ping(&self) -> Result<Decision<()>, CallError> {
        let read = |_: &tidegate_wire::Reply<'_>| Ok(());
        self.regions
            .call(Opcode::Ping, None, self.key, &v1::Ping {}, read)
            .await
    }

    /// Makes an account with the identifier and password of `person`.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn sign_up(&self, person: &SignIn) -> Result<Decision<UserId>, CallError> {
        let body = v1::SignUp {
            identifiers: vec![person.identifier.clone()],
            password: person.password.clone(),
            source: person.source.clone(),
        };
        let read = |reply: &tidegate_wire::Reply<'_>| Ok(UserId(reply.signed_up()?.user));
        self.regions
            .call(Opcode::SignUp, None, self.key, &body, read)
            .await
    }

    /// Signs a person in.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn sign_in(&self, person: &SignIn) -> Result<Decision<Granted>, CallError> {
        let device = person.device.as_ref().map(|device| v1::Device {
            id: device.device,
            secret: device.secret.clone(),
        });
        let body = v1::SignIn {
            identifier: person.identifier.clone(),
            password: person.password.clone(),
            device,
            remember: person.remember,
            source: person.source.clone(),
        };
        let read = granted;
        self.regions
            .call(Opcode::SignIn, None, self.key, &body, read)
            .await
    }

    /// Asks whether a session is alive.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn check(&self, token: &SessionToken) -> Result<Decision<Checked>, CallError> {
        let read = |reply: &tidegate_wire::Reply<'_>| {
            let checked = reply.checked()?;
            Ok(Checked {
                user: UserId(checked.user),
                idle_expires_at: checked.idle_expires_at.to_native(),
                expires_at: checked.expires_at.to_native(),
                assurance: checked.assurance,
                knowledge: Knowledge::of(reply),
            })
        };
        self.regions
            .call(
                Opcode::Check,
                Some(token.user),
                self.key,
                &token.to_message(),
                read,
            )
            .await
    }

    /// Replaces a refresh token. Presenting the same token again within 30
    /// seconds, before its successor was used, gives the identical successor.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn refresh(&self, token: &RefreshToken) -> Result<Decision<Granted>, CallError> {
        let body = v1::Refresh {
            user: token.user.0,
            session: token.session,
            family: token.family.clone(),
            secret: token.secret.clone(),
        };
        let read = granted;
        self.regions
            .call(Opcode::Refresh, Some(token.user), self.key, &body, read)
            .await
    }

    /// Ends sessions; how many ended.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn revoke(
        &self,
        by: &SessionToken,
        scope: RevokeScope,
    ) -> Result<Decision<u32>, CallError> {
        let (scope, target) = match scope {
            RevokeScope::This => (1, 0),
            RevokeScope::One(id) => (2, id),
            RevokeScope::Others => (3, 0),
            RevokeScope::All => (4, 0),
        };
        let body = v1::Revoke {
            by: by.to_message(),
            scope,
            target,
        };
        let read = |reply: &tidegate_wire::Reply<'_>| Ok(reply.revoked()?.count.to_native());
        self.regions
            .call(Opcode::Revoke, Some(by.user), self.key, &body, read)
            .await
    }

    /// Lists the person's sessions, last used first.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn sessions(&self, by: &SessionToken) -> Result<Decision<Vec<Session>>, CallError> {
        let body = v1::Sessions {
            by: by.to_message(),
        };
        let read = |reply: &tidegate_wire::Reply<'_>| {
            let rows = reply.sessions()?.sessions.iter();
            let sessions = rows.map(|row| Session {
                id: row.session.to_native(),
                created_at: row.created_at.to_native(),
                used_at: row.used_at.to_native(),
                idle_expires_at: row.idle_expires_at.to_native(),
                expires_at: row.expires_at.to_native(),
                assurance: row.assurance,
            });
            Ok(sessions.collect())
        };
        self.regions
            .call(Opcode::Sessions, Some(by.user), self.key, &body, read)
            .await
    }

    /// Opens or closes an account (the gateway needs the admin plane).
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn set_status(
        &self,
        user: UserId,
        change: StatusChange,
    ) -> Result<Decision<()>, CallError> {
        let body = v1::SetStatus {
            user: user.0,
            change: match change {
                StatusChange::Lock => 1,
                StatusChange::Unlock => 2,
                StatusChange::Suspend => 3,
                StatusChange::Reinstate => 4,
            },
        };
        let read = |reply: &tidegate_wire::Reply<'_>| reply.status_set().map(|_| ());
        self.regions
            .call(Opcode::SetStatus, Some(user), self.key, &body, read)
            .await
    }

    /// Erases a person, whose id leads nowhere from then on (the gateway needs
    /// the admin plane): since when, in Unix milliseconds. Whoever is erased
    /// already is told as erased since then.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn erase(&self, user: UserId) -> Result<Decision<u64>, CallError> {
        let body = v1::Erase { user: user.0 };
        let read = |reply: &tidegate_wire::Reply<'_>| Ok(reply.erased()?.at.to_native());
        self.regions
            .call(Opcode::Erase, Some(user), self.key, &body, read)
            .await
    }
}

/// An identifier, not yet normalised: the node does that.
#[derive(Clone, Debug)]
pub struct Identifier(v1::Identifier);

impl Identifier {
    /// A mail address.
    #[must_use]
    pub fn email(address: &str) -> Identifier {
        Identifier(identifier(Kind::Email, address))
    }

    /// A phone number, in international form.
    #[must_use]
    pub fn phone(number: &str) -> Identifier {
        Identifier(identifier(Kind::Phone, number))
    }
}

/// That an identifier was shown to be somebody's, and what shows whether it
/// was they who set the account up.
#[derive(Clone, Debug)]
pub struct Verify {
    user: UserId,
    identifier: Identifier,
    session: Option<SessionToken>,
    password: Option<Text>,
}

impl Verify {
    /// With nothing but the identifier shown: somebody else may have set the
    /// account up, so everything they set is dropped.
    #[must_use]
    pub fn new(user: UserId, identifier: Identifier) -> Verify {
        Verify {
            user,
            identifier,
            session: None,
            password: None,
        }
    }

    /// From a session of the account: everything stays.
    #[must_use]
    pub fn in_session(mut self, session: SessionToken) -> Verify {
        self.session = Some(session);
        self
    }

    /// With a password: the account's own keeps everything, another becomes
    /// the account's and everything set before is dropped.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Verify {
        self.password = Some(Text(password.to_owned()));
        self
    }
}

impl Client {
    /// Claims one more identifier for an account; until when it can be
    /// verified, in Unix milliseconds, 0 when it is the account's already.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn claim(
        &self,
        by: &SessionToken,
        identifier: &Identifier,
    ) -> Result<Decision<u64>, CallError> {
        let body = v1::Claim {
            by: by.to_message(),
            identifier: identifier.0.clone(),
        };
        let read = |reply: &tidegate_wire::Reply<'_>| Ok(reply.claimed()?.until.to_native());
        self.regions
            .call(Opcode::Claim, Some(by.user), self.key, &body, read)
            .await
    }

    /// Says that an identifier was shown to be somebody's: a code sent to it
    /// was entered, a link opened (the gateway needs the admin plane).
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn verify(&self, verify: &Verify) -> Result<Decision<Verification>, CallError> {
        let body = v1::Verify {
            user: verify.user.0,
            identifier: verify.identifier.0.clone(),
            session: verify.session.as_ref().map(SessionToken::to_message),
            password: verify.password.clone(),
        };
        let read = |reply: &tidegate_wire::Reply<'_>| match reply.verified()?.verification {
            1 => Ok(Verification::Confirmed),
            _ => Ok(Verification::TakenOver),
        };
        self.regions
            .call(Opcode::Verify, Some(verify.user), self.key, &body, read)
            .await
    }

    /// Gives an order to the node, one JSON object (docs/operations.md), and
    /// says what came of it (for operators).
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn operate(&self, order: &str) -> Result<Decision<Operated>, CallError> {
        let body = v1::Operate {
            command: Text(order.to_owned()),
        };
        let read = |reply: &tidegate_wire::Reply<'_>| {
            let operated = reply.operated()?;
            let answer = operated.answer.as_str().to_owned();
            Ok(match operated.outcome {
                1 => Operated::Done(answer),
                _ => Operated::Refused(answer),
            })
        };
        self.regions
            .call(Opcode::Operate, None, self.key, &body, read)
            .await
    }
}

fn granted(reply: &tidegate_wire::Reply<'_>) -> Result<Granted, tidegate_wire::Fault> {
    let granted = reply.granted()?;
    let user = UserId(granted.user);
    let session = granted.session.to_native();
    let secret = |secret: &tidegate_wire::ArchivedSecretBytes| SecretBytes(secret.0);
    Ok(Granted {
        user,
        session: SessionToken {
            user,
            session,
            secret: secret(&granted.secret),
        },
        refresh: RefreshToken {
            user,
            session,
            family: secret(&granted.family),
            secret: secret(&granted.refresh),
        },
        device: granted.device.as_ref().map(|device| DeviceToken {
            user,
            device: device.id.to_native(),
            secret: secret(&device.secret),
        }),
        idle_expires_at: granted.idle_expires_at.to_native(),
        expires_at: granted.expires_at.to_native(),
        assurance: granted.assurance,
        knowledge: Knowledge::of(reply),
    })
}
