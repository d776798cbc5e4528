//! Who is registered. No person is kept: what is stored about a person follows
//! from the seed and the person's number, and is made when it is first read.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tidegate_account::record::{
    self, CheckPart, Corrupt, Format, Guesses, Hold, IdentifierRow, PasswordRow, SealedPart,
    Session, Unwritable,
};
use tidegate_account::{
    Grant, Identifier, IdentifierKind, NORMALISER_VERSION, PASSWORD_RULE_VERSION, Policy, Secret,
    SecretHash, SessionId, Status, TenantId, UserId, refresh_secret, tagged,
};
use tidegate_runtime::ports::Cpu;
use tidegate_runtime::{Field, IndexKey, IndexRow, Key as SealKey, SealContext};
use tidegate_storage_api::{Key, PersonPart};
use tidegate_storage_simulated::Genesis;
use tidegate_wire::{RefreshToken, SecretBytes, SessionToken};

use crate::ports::{BEGINS_AT_MS, stand_in_hash};
use crate::random::{Stream, mixed};

pub(crate) const TENANT: &str = "default";
pub(crate) const PASSWORD: &str = "correct horse battery";
const REGION: u8 = 1;
const SESSION: u64 = 1;
/// No request was made for this long before the world began.
const RESTED_MS: u64 = 60_000;
/// Half a year.
const DORMANT_MS: u64 = 183 * 86_400_000;

/// All people who are registered when the world begins.
pub(crate) struct People {
    seed: u64,
    count: u64,
    /// Those beyond were last here months ago.
    active: u64,
    policy: Policy,
    keys: Keys,
    cpu: Arc<dyn Cpu>,
    /// People whose identifiers have been used: their rows can be asked for.
    met: Mutex<BTreeMap<[u8; 32], u64>>,
}

/// The deployment's keys in this world.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) tenant: SealKey,
    pub(crate) index: IndexKey,
}

impl Keys {
    pub(crate) fn new(seed: u64) -> Keys {
        let key = |tag| SealKey::new(tagged(tag, &[&seed.to_le_bytes()]));
        Keys {
            tenant: key("tg-sim-tenant-1"),
            index: IndexKey {
                version: 1,
                key: key("tg-sim-index-1"),
            },
        }
    }
}

impl People {
    pub(crate) fn new(
        seed: u64,
        (count, active): (u64, u64),
        policy: Policy,
        keys: Keys,
        cpu: Arc<dyn Cpu>,
    ) -> People {
        People {
            seed,
            count,
            active,
            policy,
            keys,
            cpu,
            met: Mutex::default(),
        }
    }

    /// How many are registered.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    fn bytes<const N: usize>(&self, number: u64, purpose: u64) -> [u8; N] {
        let mut bytes = [0; N];
        let mut word = mixed(self.seed ^ mixed(number ^ (purpose << 48)));
        for chunk in bytes.chunks_mut(8) {
            word = mixed(word);
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
        bytes
    }

    /// A person's id: the number stands in its last eight bytes.
    pub(crate) fn user(&self, number: u64) -> UserId {
        let mut random: [u8; 16] = self.bytes(number, 1);
        random[8..].copy_from_slice(&number.to_be_bytes());
        let slot = u16::try_from(mixed(self.seed ^ number) & 0xFFF).unwrap_or(0);
        UserId::new(REGION, slot, random)
    }

    /// A person who was last here months ago, if there is one.
    pub(crate) fn dormant(&self, stream: &Stream) -> Option<u64> {
        let dormant = self
            .count
            .checked_sub(self.active)
            .filter(|dormant| *dormant > 0);
        dormant.map(|dormant| self.active + stream.below(dormant))
    }

    /// Until when a session from before the world is told to be alive at least.
    pub(crate) fn told_ms(&self, number: u64) -> u64 {
        self.rested_at_ms(number) + self.policy.session.idle_ms
    }

    /// When a person was here last.
    fn rested_at_ms(&self, number: u64) -> u64 {
        match number < self.active {
            true => BEGINS_AT_MS - RESTED_MS.min(self.policy.session.idle_ms / 2),
            false => BEGINS_AT_MS - DORMANT_MS,
        }
    }

    pub(crate) fn number_of(&self, user: [u8; 16]) -> Option<u64> {
        let number = u64::from_be_bytes(*user.last_chunk()?);
        let known = number < self.count && *self.user(number).as_bytes() == user;
        known.then_some(number)
    }

    pub(crate) fn name(number: u64) -> String {
        format!("person-{number}")
    }

    /// Where a person's requests come from.
    pub(crate) fn address(number: u64) -> IpAddr {
        let [.., a, b, c] = mixed(number).to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(10, a, b, c))
    }

    fn identifier(number: u64) -> Option<Identifier> {
        Identifier::parse(IdentifierKind::Username, &People::name(number)).ok()
    }

    fn index_hash(&self, number: u64) -> Option<[u8; 32]> {
        let identifier = People::identifier(number)?;
        let tenant = TenantId::of_name(TENANT);
        Some(self.keys.index.hash(tenant, &identifier).0)
    }

    /// A person's name is about to be used: from now on its row can be read.
    pub(crate) fn meet(&self, number: u64) {
        if let Some(hash) = self.index_hash(number).filter(|_| number < self.count) {
            let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
            met.insert(hash, number);
        }
    }

    fn grant(&self, number: u64) -> Grant {
        let family = Secret::new(self.bytes(number, 2));
        let mut random = [0; 10];
        random.copy_from_slice(&self.bytes::<24>(number, 3)[..10]);
        let made_at = self.rested_at_ms(number);
        Grant {
            user: self.user(number),
            session: SessionId(SESSION),
            refresh: refresh_secret(&family, SESSION, made_at, random),
            family,
            idle_expires_at: 0,
            expires_at: 0,
            assurance: 1,
            methods: 1,
            device: None,
        }
    }

    /// What a person's browser holds when the world begins.
    pub(crate) fn tokens(&self, number: u64) -> (SessionToken, RefreshToken) {
        let grant = self.grant(number);
        let user = tidegate_wire::UserId(*grant.user.as_bytes());
        let session = SessionToken {
            user,
            session: SESSION,
            secret: SecretBytes(*grant.session_secret().expose()),
        };
        let refresh = RefreshToken {
            user,
            session: SESSION,
            family: SecretBytes(*grant.family.expose()),
            secret: SecretBytes(*grant.refresh.expose()),
        };
        (session, refresh)
    }

    fn context(user: UserId, field: Field, revision: u64) -> SealContext {
        SealContext {
            tenant: TenantId::of_name(TENANT),
            user,
            field,
            revision,
        }
    }

    fn key(&self, number: u64) -> SealKey {
        SealKey::new(self.bytes(number, 4))
    }

    fn record(&self, number: u64) -> Result<Vec<u8>, Unwritable> {
        let (user, grant) = (self.user(number), self.grant(number));
        let made_at = self.rested_at_ms(number);
        let check = CheckPart {
            tenant: TenantId::of_name(TENANT).0,
            user: *user.as_bytes(),
            revision: 1,
            created_at: made_at,
            status: Status::Active,
            abandoned_at: 0,
            sessions: vec![Session {
                id: SESSION,
                secret_hash: SecretHash::of_session(&grant.session_secret()).0,
                created_at: made_at,
                used_at: made_at,
                idle_ms: self.policy.session.idle_ms,
                expires_at: made_at + self.policy.session.lifetime_ms,
                assurance: 1,
                methods: 1,
                device: 0,
                refresh_hash: SecretHash::of_refresh(&grant.refresh).0,
                rotated: None,
            }],
        };
        let hash = stand_in_hash(
            PASSWORD.as_bytes(),
            self.bytes(number, 5),
            &self.policy.password,
        );
        let sealed = SealedPart {
            identifiers: vec![IdentifierRow {
                number: 1,
                kind: IdentifierKind::Username,
                hash: self.index_hash(number).ok_or(Corrupt)?,
                key_version: self.keys.index.version,
                normaliser: NORMALISER_VERSION,
                hold: Hold::Held { since: made_at },
                directory: None,
            }],
            password: Some(PasswordRow {
                phc: hash.to_string(),
                rule: PASSWORD_RULE_VERSION,
                set_at: made_at,
            }),
            unknown_device: Guesses::default(),
            devices: Vec::new(),
            outcomes: Vec::new(),
            attempts: tidegate_account::flow::Attempts::default(),
            factors: tidegate_account::credential::held::HeldFactors::default(),
        };
        let written = record::write(Format::NEWEST, &check, &sealed)?;
        let context = People::context(user, Field::Record, 1);
        let nonce = self.bytes(number, 6);
        let (key, bound) = (self.key(number), written.bound());
        let sealed = context.seal_bound(&*self.cpu, &key, nonce, bound, &written.plain);
        record::assemble(written.clear, &sealed.map_err(|_| Corrupt)?)
    }

    fn wrapped_key(&self, number: u64) -> Option<Bytes> {
        let context = People::context(self.user(number), Field::PersonKey, 0);
        let (nonce, key) = (self.bytes(number, 7), self.key(number));
        let wrapped = context.wrap(&*self.cpu, &self.keys.tenant, nonce, &key);
        Some(Bytes::copy_from_slice(&wrapped.ok()?.0))
    }
}

impl Genesis for People {
    fn row(&self, key: &Key) -> Option<Bytes> {
        if let Some((user, part)) = PersonPart::of(key) {
            let number = self.number_of(user)?;
            return match part {
                PersonPart::Record => self.record(number).ok().map(Bytes::from),
                PersonPart::Cold { .. } => None,
            };
        }
        if key.is_person_key() {
            let user = key.as_bytes().last_chunk::<16>()?;
            return self.wrapped_key(self.number_of(*user)?);
        }
        let hash = key.as_bytes().last_chunk::<32>()?;
        let number = {
            let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
            *met.get(hash)?
        };
        let row = IndexRow::new(self.user(number), self.keys.index.version).encode();
        // Sources are counted under hashes as well.
        let identifiers = Key::identifier(tidegate_storage_api::Region::FIRST, hash);
        (identifiers == *key).then_some(row)
    }
}
