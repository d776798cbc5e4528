//! The node's configuration file.

mod bounds;
mod flow;
mod overrides;
mod passkeys;
mod policy;
mod ranges;
mod storage;

pub use bounds::{CrowdConfig, SendsConfig, SignUpsConfig, SourcesConfig};
pub use flow::FlowConfig;
pub use overrides::Overrides;
pub use passkeys::PasskeysConfig;
pub use policy::{DegradedConfig, GuessingConfig, SessionsConfig};
pub(crate) use ranges::{broken_in, line_of};
pub use storage::{ClusterConfig, FoundationdbConfig, StorageConfig};

use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tidegate_account::{GuessPolicy, NoticePolicy, PasswordPolicy, Policy, SessionPolicy};
use tidegate_runtime::{HashingOptions, Limits, Retention};

use crate::deployment::TenantPolicy;

/// The configuration. Unknown keys are refused; missing ones have defaults.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the node listens.
    pub node: NodeConfig,
    /// Where the rows are kept.
    pub storage: StorageConfig,
    /// How the node is known in its cluster.
    pub cluster: ClusterConfig,
    /// Where the directory of regions is, for a deployment that is one of
    /// several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<FoundationdbConfig>,
    /// Password hashing.
    pub hashing: HashingConfig,
    /// Sessions.
    pub sessions: SessionsConfig,
    /// The bound on guesses.
    pub guessing: GuessingConfig,
    /// The bound on what one source may try.
    pub sources: SourcesConfig,
    /// The bound on the accounts that are made from one source.
    pub sign_ups: SignUpsConfig,
    /// The bound on attempts from sources that are not named or not trusted.
    pub crowd: CrowdConfig,
    /// The bound on the messages that one source asks for.
    pub sends: SendsConfig,
    /// How people sign in step by step.
    pub flow: FlowConfig,
    /// Passkeys.
    pub passkeys: PasskeysConfig,
    /// What is answered while the store is out of reach.
    pub degraded: DegradedConfig,
    /// How long things are kept.
    pub retention: RetentionConfig,
    /// Where backups may be made.
    pub backups: BackupsConfig,
    /// Mail, text messages and calls to other systems.
    pub delivery: tidegate_delivery::Config,
    /// Named limits.
    pub limits: LimitsConfig,
}

/// Where the node listens and with how many threads it works.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// QUIC (UDP).
    pub listen: SocketAddr,
    /// Metrics and health (HTTP); a loopback address.
    pub metrics: SocketAddr,
    /// Threads for actors.
    pub actor_threads: usize,
    /// Threads that read the store.
    pub read_threads: usize,
    /// The store's cache, in MiB.
    pub cache_mib: u64,
    /// How long a drain waits for requests under way, in milliseconds.
    pub drain_ms: u64,
}

/// The cost of passwords (Argon2id).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HashingConfig {
    /// Threads; 0 for one per core.
    pub threads: usize,
    /// Jobs that may wait.
    pub waiting_max: usize,
    /// Memory of one hash, in KiB; at least 19,456.
    pub memory_kib: u32,
    /// Passes; at least 2.
    pub passes: u32,
    /// Lanes; at least 1.
    pub lanes: u32,
    /// The least length of a new password, in characters; at least 8.
    pub min_chars: usize,
}

/// Where backups may be made.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupsConfig {
    /// Folders below which they may; relative ones are in the node's folder.
    pub folders: Vec<PathBuf>,
}

impl Default for BackupsConfig {
    fn default() -> BackupsConfig {
        BackupsConfig {
            folders: vec![PathBuf::from("backups")],
        }
    }
}

/// How long things are kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Events.
    pub events_ms: u64,
    /// Administrative acts.
    pub audits_ms: u64,
    /// Identifiers that were claimed and not verified.
    pub claims_ms: u64,
}

/// Named limits.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Connections of all gateways.
    pub connections: usize,
    /// Connections of one gateway.
    pub connections_per_gateway: usize,
    /// Streams of one connection.
    pub streams_per_connection: u32,
    /// Requests under way on one stream.
    pub frames_per_stream: usize,
    /// Commands that wait for one person.
    pub commands_per_person: u32,
    /// Commands that wait in all.
    pub commands: u64,
    /// Requests under way on one connection.
    pub frames_per_connection: usize,
    /// People being read from storage at once.
    pub activations: u64,
    /// Commits that wait to be durable.
    pub commits: u64,
    /// Sources that are counted at once, 48 bytes each.
    pub sources: usize,
    /// Rows that the sweeper looks at per second.
    pub sweep_rows_per_s: u32,
    /// Warm people.
    pub warm_people: usize,
    /// A person unused for this long becomes cold.
    pub warm_idle_ms: u64,
    /// Commits per second that make times of use durable.
    pub write_behind_per_s: u32,
}

impl Default for NodeConfig {
    fn default() -> NodeConfig {
        NodeConfig {
            listen: ([127, 0, 0, 1], 7443).into(),
            metrics: ([127, 0, 0, 1], 7444).into(),
            actor_threads: 2,
            read_threads: 2,
            cache_mib: 128,
            drain_ms: 10_000,
        }
    }
}

impl Default for HashingConfig {
    fn default() -> HashingConfig {
        let policy = Policy::default().password;
        HashingConfig {
            threads: 0,
            waiting_max: 256,
            memory_kib: policy.memory_kib,
            passes: policy.passes,
            lanes: policy.lanes,
            min_chars: policy.min_chars,
        }
    }
}

impl Default for RetentionConfig {
    fn default() -> RetentionConfig {
        let retention = Retention::default();
        RetentionConfig {
            events_ms: retention.events_ms,
            audits_ms: retention.audits_ms,
            claims_ms: Policy::default().claim_ms,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        let limits = Limits::default();
        LimitsConfig {
            connections: 4_096,
            connections_per_gateway: 1_024,
            streams_per_connection: 16,
            frames_per_stream: 1_024,
            commands_per_person: limits.commands_per_person,
            commands: limits.commands,
            frames_per_connection: 4_096,
            activations: limits.activations,
            commits: limits.commits,
            sources: limits.sources,
            sweep_rows_per_s: limits.sweep_rows_per_s,
            warm_people: limits.warm_people,
            warm_idle_ms: limits.warm_idle_ms,
            write_behind_per_s: limits.write_behind_per_s,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not valid; the message names line and key.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// A value is out of its range.
    #[error("{place}: {key} must be {expected}")]
    Value {
        /// The file, and the line where the key stands in it.
        place: String,
        /// The key.
        key: String,
        /// What was expected.
        expected: String,
    },
}

fn goes_back(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

/// The same without any URL of the file that it shows: a password may have been
/// written into one, and goes into no error.
fn without_urls(text: &str) -> String {
    let shown = |line: &str| match line.split_once('=') {
        Some((key, value)) if value.contains("://") => format!("{key}= ..."),
        Some(_) | None => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(shown).collect();
    lines.join("\n")
}

/// What is wrong with a file, in words of people who write configurations.
pub(crate) fn plainly(error: &toml::de::Error) -> String {
    let mut text = without_urls(error.to_string().trim_end());
    for kind in ["u64", "u32", "u16", "u8", "usize"] {
        let number = "expected a whole number that is not negative";
        text = match kind {
            "u8" => text.replace("expected u8", "expected a whole number, 0 to 255"),
            kind => text.replace(&format!("expected {kind}"), number),
        };
    }
    text
}

fn out_of_range(path: &Path, text: Option<&str>, key: &str, expected: String) -> ConfigError {
    let place = path.display().to_string();
    let line = text.and_then(|text| line_of(text, key));
    ConfigError::Value {
        place: line.map_or(place.clone(), |line| format!("{place}:{line}")),
        key: key.to_owned(),
        expected,
    }
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`ConfigError`], with the file and the key.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        if let Some((range, expected)) = broken_in(&text) {
            return Err(out_of_range(path, Some(&text), range.key, expected));
        }
        let config: Config = toml::from_str(&text).map_err(|error| ConfigError::Parse {
            path: path.to_owned(),
            message: plainly(&error),
        })?;
        match config.fault() {
            None => Ok(config),
            Some((key, expected)) => Err(out_of_range(path, Some(&text), &key, expected)),
        }
    }

    /// The configuration, when its values are in their ranges. `path` is where
    /// it stands or is to stand.
    pub(crate) fn valid(self, path: &Path) -> Result<Config, ConfigError> {
        match self.fault() {
            None => Ok(self),
            Some((key, expected)) => Err(out_of_range(path, None, &key, expected)),
        }
    }

    /// The configuration as one tenant has it.
    pub(crate) fn of_tenant(&self, policy: &TenantPolicy) -> Config {
        let mut config = self.clone();
        if let Some(sessions) = &policy.sessions {
            config.sessions = sessions.clone();
        }
        if let Some(guessing) = &policy.guessing {
            config.guessing = guessing.clone();
        }
        if let Some(sources) = &policy.sources {
            config.sources = sources.clone();
        }
        if let Some(flow) = &policy.flow {
            config.flow = flow.clone();
        }
        if let Some(passkeys) = &policy.passkeys {
            config.passkeys = passkeys.clone();
        }
        if let Some(degraded) = &policy.degraded {
            config.degraded = degraded.clone();
        }
        config
    }

    /// The first key that cannot be what it is, and what it must be.
    pub(crate) fn fault(&self) -> Option<(String, String)> {
        if let Some(range) = ranges::broken(self) {
            return Some((range.key.to_owned(), range.expected()));
        }
        if let Err(fault) = self.delivery.check() {
            return Some((fault.key, fault.expected));
        }
        let (sessions, guessing) = (&self.sessions, &self.guessing);
        let relations = [
            (
                self.node.metrics.ip().is_loopback(),
                "node.metrics",
                "a loopback address",
            ),
            (
                crate::name::is_name(&self.cluster.node),
                "cluster.node",
                "1 to 63 small letters, digits and inner hyphens",
            ),
            (
                !self.backups.folders.iter().any(|folder| goes_back(folder)),
                "backups.folders",
                "paths without `..`",
            ),
            (
                sessions.lifetime_ms >= sessions.idle_ms,
                "sessions.lifetime_ms",
                "at least sessions.idle_ms",
            ),
            (
                guessing.cap_ms >= guessing.base_ms,
                "guessing.cap_ms",
                "at least guessing.base_ms",
            ),
            (
                guessing.forget_ms / guessing.cap_ms.max(1) >= self.policy(1).guess.burst(),
                "guessing.forget_ms",
                "long enough that pausing gains no guesses (docs/concepts.md)",
            ),
            (
                self.crowd.whole_ms() <= ranges::CENTURY_MS,
                "crowd.refill_ms",
                "so short that crowd.free of it are no more than a century",
            ),
            (
                self.flow.has_methods(),
                "flow.methods",
                "one or more of passkey, email_code and password, each once",
            ),
            (
                self.flow.has_second_factors(),
                "flow.second_factors",
                "some of passkey, totp and recovery_code, each once",
            ),
            (
                self.flow.lifetime_ms >= self.flow.code_ms,
                "flow.lifetime_ms",
                "at least flow.code_ms",
            ),
            (
                self.passkeys.is_sound(),
                "passkeys.rp_id",
                "a domain with one or more passkeys.origins as browsers write them \
                 (https://login.example.com), or nothing with nothing else",
            ),
        ];
        let broken = relations.into_iter().find(|(held, _, _)| !held);
        broken.map(|(_, key, expected)| (key.to_owned(), expected.to_owned()))
    }

    /// The rules that accounts follow, with new password hashes under this
    /// pepper key.
    #[must_use]
    pub fn policy(&self, pepper_key: u32) -> Policy {
        Policy {
            password: PasswordPolicy {
                memory_kib: self.hashing.memory_kib,
                passes: self.hashing.passes,
                lanes: self.hashing.lanes,
                pepper_key,
                min_chars: self.hashing.min_chars,
            },
            session: SessionPolicy {
                idle_ms: self.sessions.idle_ms,
                lifetime_ms: self.sessions.lifetime_ms,
                ..Policy::default().session
            },
            guess: GuessPolicy {
                free: self.guessing.free,
                base_ms: self.guessing.base_ms,
                cap_ms: self.guessing.cap_ms,
                forget_ms: self.guessing.forget_ms,
            },
            source: self.sources.policy(),
            sign_ups: self.sign_ups.policy(),
            crowd: self.crowd.policy(),
            sends: self.sends.policy(),
            flow: self.flow.policy(),
            passkeys: self.passkeys.policy(),
            claim_ms: self.retention.claims_ms,
            notices: match &self.delivery.mail {
                None => NoticePolicy::None,
                Some(mail) => NoticePolicy::Mail {
                    app: mail.from.shown_name(),
                },
            },
            grace_ms: self.degraded.grace_ms,
            ..Policy::default()
        }
    }

    /// How long things are kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        Retention {
            events_ms: self.retention.events_ms,
            audits_ms: self.retention.audits_ms,
        }
    }

    /// The hashing pool.
    #[must_use]
    pub fn hashing(&self) -> HashingOptions {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        HashingOptions {
            threads: match self.hashing.threads {
                0 => cores,
                threads => threads,
            },
            waiting_max: self.hashing.waiting_max,
        }
    }

    /// The runtime's limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            commands_per_person: self.limits.commands_per_person,
            commands: self.limits.commands,
            activations: self.limits.activations,
            commits: self.limits.commits,
            sources: self.limits.sources,
            sweep_rows_per_s: self.limits.sweep_rows_per_s,
            warm_people: self.limits.warm_people,
            warm_idle_ms: self.limits.warm_idle_ms,
            write_behind_per_s: self.limits.write_behind_per_s,
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path).map_err(|error| error.to_string().replace(path.to_str().unwrap(), "F"))
    }

    #[test]
    fn what_is_written_reads_back() {
        let text = toml::to_string(&Config::default()).unwrap();
        let config = read(&text).unwrap();
        assert_eq!(toml::to_string(&config).unwrap(), text);
        assert_eq!(config.policy(1), Policy::default());
    }

    #[test]
    fn unknown_keys_are_refused_by_name_and_line() {
        let error = read("[node]\nlisten = \"127.0.0.1:1\"\nlistne = 3\n").unwrap_err();
        assert!(
            error.contains("listne") && error.contains("line 3"),
            "{error}"
        );
        assert!(read("[nodes]\n").unwrap_err().contains("nodes"));
    }

    #[test]
    fn values_out_of_range_are_refused_by_key() {
        for (text, message) in [
            (
                "[hashing]\nmemory_kib = 1024",
                "F:2: hashing.memory_kib must be 19456 to 4194304",
            ),
            (
                "[hashing]\npasses = 1",
                "F:2: hashing.passes must be 2 to 100",
            ),
            (
                "[node]\nmetrics = \"0.0.0.0:1\"",
                "F:2: node.metrics must be a loopback address",
            ),
            (
                "[guessing]\nfree = 0",
                "F:2: guessing.free must be 1 to 100",
            ),
            (
                "[hashing]\nwaiting_max = 0",
                "F:2: hashing.waiting_max must be 1 to 1000000",
            ),
            (
                "[hashing]\nlanes = 1025",
                "F:2: hashing.lanes must be 1 to 1024",
            ),
            (
                "[node]\ncache_mib = 9000000000000",
                "F:2: node.cache_mib must be 0 to 1048576",
            ),
            (
                "[sessions]\nidle_ms = 2000\nlifetime_ms = 1000",
                "F:3: sessions.lifetime_ms must be at least sessions.idle_ms",
            ),
            (
                "[backups]\nfolders = [\"../x\"]",
                "F:2: backups.folders must be paths without `..`",
            ),
            (
                "[guessing]\nbase_ms = 4000000",
                "F: guessing.cap_ms must be at least guessing.base_ms",
            ),
            (
                "[crowd]\nfree = 1000000\nrefill_ms = 3155761",
                "F:3: crowd.refill_ms must be so short that crowd.free of it are no more than a century",
            ),
            (
                "[sign_ups]\nfree = 1000001",
                "F:2: sign_ups.free must be 0 to 1000000",
            ),
            (
                "[guessing]\nforget_ms = 3600000",
                "F:2: guessing.forget_ms must be long enough that pausing gains no guesses (docs/concepts.md)",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), message);
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let written = "[delivery.mail]\nfrom = \"a@b.example\"\nsmtp=\"smtps://u:hunter2@relay\"\n";
        for text in [
            written,
            &written.replace("smtp=", "smtp = "),
            &written.replace("p=\"", "p = "),
        ] {
            let error = toml::from_str::<Config>(text).unwrap_err();
            let told = plainly(&error);
            assert!(
                told.contains("line 3") && !told.contains("hunter2"),
                "{told}"
            );
        }
    }
}
