//! The rows of a deployment, JSON with a format number.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidegate_account::UsernamePolicy;
use tidegate_storage_api::Region;

use crate::config::{
    DegradedConfig, FlowConfig, GuessingConfig, PasskeysConfig, SessionsConfig, SourcesConfig,
};
use crate::rights::Right;

/// The format of the rows here.
const VERSION: u8 = 1;
/// The lease of a deployment that was made without another.
pub(crate) const LEASE_MS: u64 = 3_000;

/// A row and the format it is written in.
#[derive(Deserialize, Serialize)]
struct Versioned<T> {
    version: u8,
    #[serde(flatten)]
    row: T,
}

/// Writes a row. `None` only for a row that JSON cannot hold, which none is.
pub(crate) fn write<T: Serialize>(row: &T) -> Option<Vec<u8>> {
    serde_json::to_vec(&Versioned {
        version: VERSION,
        row,
    })
    .ok()
}

/// Reads a row of this format; `None` when it is none.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let versioned: Versioned<T> = serde_json::from_slice(bytes).ok()?;
    (versioned.version == VERSION).then_some(versioned.row)
}

/// A key file, and what tells whether it belongs to this store: a wrong index
/// key would make every identifier unknown, a wrong pepper every password
/// wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct KeyRef {
    /// The number in the file's name; a later key has a greater one.
    pub(crate) number: u32,
    /// 64 bits of a hash of the key.
    pub(crate) check: String,
}

/// Which region a deployment is, and by which key it knows the directory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct RegionRef {
    pub(crate) number: u8,
    /// Drawn when the deployment was made: no other is this region.
    pub(crate) registration: String,
    pub(crate) directory: KeyRef,
}

/// The key files that this store needs, the newest last.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct StoreRow {
    pub(crate) master: KeyRef,
    pub(crate) index: Vec<KeyRef>,
    pub(crate) pepper: Vec<KeyRef>,
    /// Which life of the store this is, where the store itself does not keep
    /// it: raised by whatever puts older rows in the place of newer ones.
    #[serde(default = "first")]
    pub(crate) generation: u32,
    /// How long a node may be silent before the others take its slots, in
    /// milliseconds. All nodes must agree, so it is not in their files.
    #[serde(default = "lease_ms")]
    pub(crate) lease_ms: u64,
    /// Which region this is, where there is more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<RegionRef>,
    /// Where keys of people lie in FoundationDB.
    #[serde(default)]
    pub(crate) person_keys: PersonKeys,
}

/// Where in FoundationDB the rows lie that are backed up apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PersonKeys {
    /// Among the others: what a row means that says nothing.
    #[default]
    Together,
    /// In a range of their own.
    Apart,
}

impl PersonKeys {
    /// Where they lie in a deployment that begins with this version: programs
    /// that know only the first look for them among the others.
    pub(crate) fn of(active: u16) -> PersonKeys {
        match active {
            0 | 1 => PersonKeys::Together,
            _ => PersonKeys::Apart,
        }
    }
}

impl StoreRow {
    /// The region of its people.
    pub(crate) fn region(&self) -> Option<Region> {
        match &self.region {
            None => Some(Region::FIRST),
            Some(region) => Region::new(region.number),
        }
    }
}

fn first() -> u32 {
    1
}

fn lease_ms() -> u64 {
    LEASE_MS
}

/// Which version of every format the nodes write. What is not stored is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct VersionRow {
    pub(crate) active: u16,
    /// The version that it is about to become: a node that cannot read it must
    /// not join any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) raising: Option<u16>,
}

impl Default for VersionRow {
    fn default() -> VersionRow {
        VersionRow {
            active: 1,
            raising: None,
        }
    }
}

impl VersionRow {
    /// The newest version that a node must read.
    pub(crate) fn needed(self) -> u16 {
        self.active.max(self.raising.unwrap_or(0))
    }
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct TenantRow {
    pub(crate) name: String,
    /// The tenant's keys, the newest first, wrapped by the deployment's;
    /// hexadecimal.
    pub(crate) wrapped_keys: Vec<String>,
    /// Where it differs from the configuration.
    #[serde(default)]
    pub(crate) policy: TenantPolicy,
}

/// What a tenant decides for itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantPolicy {
    /// How long sessions live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sessions: Option<SessionsConfig>,
    /// The bound on guesses at one account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) guessing: Option<GuessingConfig>,
    /// The bound on what one source may try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sources: Option<SourcesConfig>,
    /// What is answered while the store is out of reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) degraded: Option<DegradedConfig>,
    /// How its people sign up, in and recover step by step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) flow: Option<FlowConfig>,
    /// Its passkeys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) passkeys: Option<PasskeysConfig>,
    /// The region where its people are registered, by its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) home_region: Option<u8>,
    /// Which user names it takes when they are new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) usernames: Option<Usernames>,
}

/// Which user names a tenant takes when they are new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Usernames {
    /// Of one script, or of scripts that are written together (UTS 39, 5.2).
    HighlyRestrictive,
    /// All.
    Any,
}

impl TenantPolicy {
    /// A row that does not say, as all of before, follows the default.
    pub(crate) fn usernames(&self) -> UsernamePolicy {
        match self.usernames {
            None => UsernamePolicy::default(),
            Some(Usernames::HighlyRestrictive) => UsernamePolicy::HighlyRestrictive,
            Some(Usernames::Any) => UsernamePolicy::Any,
        }
    }
}

/// The stored rights of a gateway or an operator.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct GatewayRow {
    /// The name, as in its certificate.
    pub(crate) name: String,
    /// The names of the tenants in whose name it may come.
    pub(crate) tenants: Vec<String>,
    /// What it may do.
    pub(crate) rights: Vec<Right>,
    /// Requests per second; 0 for no limit.
    pub(crate) rate_per_s: u64,
    /// SHA-256 of the certificates with which it may come, hexadecimal.
    pub(crate) certificates: Vec<String>,
}

/// Which kind of key is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyKind {
    /// The key of the identifier index.
    Index,
    /// The key under which password hashes are encrypted.
    Pepper,
    /// The key of every tenant, which wraps its people's keys.
    Tenant,
    /// The deployment's master key, which wraps the tenants' keys.
    Deployment,
}

/// A rotation under way.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct RotationRow {
    pub(crate) key: KeyKind,
    /// The first slot that is not done.
    pub(crate) next_slot: u16,
    /// People renewed.
    pub(crate) people: u64,
    /// People who could not be renewed in this walk.
    pub(crate) failed: u64,
    /// When it began, in Unix milliseconds.
    pub(crate) started_at: u64,
}

/// An administrative act on the deployment. It names no person.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct AuditRow {
    /// When, in Unix milliseconds.
    pub(crate) at: u64,
    /// Who: the operator's name, or `offline` for a command on the folder.
    pub(crate) by: String,
    /// What.
    pub(crate) act: String,
    /// On what.
    pub(crate) target: String,
    /// `done`, or why not.
    pub(crate) outcome: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back_and_those_of_another_format_do_not() {
        let row = RotationRow {
            key: KeyKind::Index,
            next_slot: 7,
            people: 8,
            failed: 0,
            started_at: 9,
        };
        let bytes = write(&row).unwrap();
        assert_eq!(read::<RotationRow>(&bytes), Some(row));
        let newer = String::from_utf8(bytes)
            .unwrap()
            .replace("\"version\":1", "\"version\":2");
        assert_eq!(read::<RotationRow>(newer.as_bytes()), None);
        assert_eq!(read::<TenantRow>(b"{}"), None);
    }

    #[test]
    fn a_tenant_that_says_nothing_of_user_names_follows_the_default() {
        let stored = r#"{"version":1,"name":"default","wrapped_keys":[],"policy":{}}"#;
        let mut row: TenantRow = read(stored.as_bytes()).unwrap();
        assert_eq!(row.policy, TenantPolicy::default());
        let restrictive = UsernamePolicy::HighlyRestrictive;
        assert_eq!(row.policy.usernames(), restrictive);
        assert_eq!(write(&row).unwrap(), stored.as_bytes());
        for (name, policy) in [
            ("highly_restrictive", restrictive),
            ("any", UsernamePolicy::Any),
        ] {
            let policy_text = format!(r#"{{"usernames":"{name}"}}"#);
            row.policy = serde_json::from_str(&policy_text).unwrap();
            assert_eq!(row.policy.usernames(), policy);
            let bytes = write(&row).unwrap();
            let text = stored.replace("{}", &policy_text);
            assert_eq!(String::from_utf8(bytes.clone()).unwrap(), text);
            assert_eq!(read::<TenantRow>(&bytes), Some(row.clone()));
        }
        let other = stored.replace("{}", r#"{"usernames":"some"}"#);
        assert_eq!(read::<TenantRow>(other.as_bytes()), None);
    }
}
