//! What is asked, about which person, and which answer is right.

use bytes::BytesMut;
use tidegate_wire::{
    Class, Code, IdempotencyKey, Kind, MESSAGE_VERSION, Opcode, Reply, RequestHead, SecretBytes,
    Text, decode_reply, encode_request, tenant_id, v1,
};

use crate::mix::{Draw, Mix, Parts};
use crate::population::{PASSWORD, Person};
use crate::random::Random;

/// Sign-ins of one member at once: far below what the bound on guesses holds.
const SIGN_INS_AT_ONCE: u8 = 3;

/// A person with a password at full cost.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) user: [u8; 16],
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    Check(u32),
    Forged(u32),
    Refresh(u32, IdempotencyKey),
    SignIn(u32, IdempotencyKey),
    SignUp(u64, IdempotencyKey),
}

impl Ask {
    pub(crate) fn class(self) -> Class {
        match self {
            Ask::Check(_) | Ask::Forged(_) => Class::Check,
            Ask::Refresh(..) => Class::Refresh,
            Ask::SignIn(..) => Class::Password,
            Ask::SignUp(..) => Class::Registration,
        }
    }
}

/// What an answer is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The right answer.
    Right,
    /// Not now: come again after this.
    Shed { retry_after_ms: u32 },
    /// No answer, or one that leaves open what happened.
    Failed(&'static str),
    /// An answer that is not true.
    Wrong(String),
}

/// All people who are asked about, from one run to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    people: Vec<Person>,
    /// Whose refresh token is of unknown worth: they refresh no more.
    unsure: Vec<bool>,
}

impl People {
    pub(crate) fn new(people: Vec<Person>) -> People {
        People {
            unsure: people.iter().map(Person::is_unsure).collect(),
            people,
        }
    }

    /// All people, to be kept for a later run.
    pub(crate) fn kept(self) -> Vec<Person> {
        let mut people = self.people;
        for (person, unsure) in people.iter_mut().zip(self.unsure) {
            if unsure {
                person.forget_refresh();
            }
        }
        people
    }

    pub(crate) fn len(&self) -> usize {
        self.people.len()
    }
}

/// Draws requests and judges answers.
pub(crate) struct Script {
    people: Vec<Person>,
    members: Vec<Member>,
    draw: Draw,
    parts: Parts,
    random: Random,
    /// Idempotency keys: two runs with one seed are not repeats of each other.
    keys: Random,
    /// People whose refresh token is on its way, or whose outcome is not known.
    refreshing: Vec<bool>,
    signing_in: Vec<u8>,
    new_accounts: u64,
    turn: usize,
    run: u64,
    tenant: u64,
}

impl Script {
    pub(crate) fn new(mix: &Mix, people: People, members: Vec<Member>, seed: u64) -> Script {
        let (mut random, mut keys) = (Random::new(seed), Random::unforeseen());
        let People { people, unsure } = people;
        Script {
            refreshing: unsure,
            signing_in: vec![0; members.len()],
            people,
            members,
            draw: mix.people,
            parts: mix.ask.clone(),
            new_accounts: 0,
            turn: 0,
            // Names of new accounts differ from those of earlier runs.
            run: random.next() ^ keys.next(),
            random,
            keys,
            tenant: tenant_id("default"),
        }
    }

    /// The people, with the tokens that they hold now. Whose refresh is not
    /// answered by now holds one of unknown worth.
    pub(crate) fn into_people(self) -> People {
        People {
            people: self.people,
            unsure: self.refreshing,
        }
    }

    /// Draws one request.
    pub(crate) fn ask(&mut self) -> Ask {
        let parts = &self.parts;
        let mut ticket = self.random.below(parts.sum() as usize) as u32;
        let mut is = |part: u32| {
            let mine = ticket < part;
            ticket = ticket.saturating_sub(part);
            mine
        };
        if is(parts.check) {
            return Ask::Check(self.person());
        }
        if is(parts.forged) {
            return Ask::Forged(self.person());
        }
        if is(parts.refresh) {
            return self.refresh();
        }
        if is(parts.sign_in) {
            return self.sign_in();
        }
        self.new_accounts += 1;
        Ask::SignUp(self.new_accounts, self.keys.key())
    }

    fn person(&mut self) -> u32 {
        let drawn = match self.draw {
            Draw::Uniform => self.random.below(self.people.len()),
            Draw::Zipf => self.random.zipf(self.people.len()),
            Draw::InTurn => {
                self.turn = (self.turn + 1) % self.people.len();
                self.turn
            }
        };
        drawn as u32
    }

    fn refresh(&mut self) -> Ask {
        let first = self.person();
        let count = self.people.len() as u32;
        let free = (0..count).map(|step| (first + step) % count);
        let mut free = free.filter(|person| !self.refreshing[*person as usize]);
        let Some(person) = free.next() else {
            // Every person's token is on its way.
            return Ask::Check(first);
        };
        self.refreshing[person as usize] = true;
        Ask::Refresh(person, self.keys.key())
    }

    fn sign_in(&mut self) -> Ask {
        let mut member = self.random.below(self.members.len());
        for _ in 0..self.members.len() {
            if self.signing_in[member] < SIGN_INS_AT_ONCE {
                break;
            }
            member = (member + 1) % self.members.len();
        }
        self.signing_in[member] = self.signing_in[member].saturating_add(1);
        Ask::SignIn(member as u32, self.keys.key())
    }

    /// Writes a request. `false` when it cannot be written, which none is.
    pub(crate) fn write(
        &self,
        out: &mut BytesMut,
        ask: Ask,
        correlation: u64,
        remaining_ms: u32,
    ) -> bool {
        let head = |opcode: Opcode, idempotency_key: IdempotencyKey| RequestHead {
            version: MESSAGE_VERSION,
            opcode: opcode as u16,
            correlation,
            tenant: self.tenant,
            epoch: 0,
            remaining_ms,
            max_age_ms: 0,
            idempotency_key,
        };
        let check = |person: &Person, secret: SecretBytes| v1::Check {
            user: person.user,
            session: person.session,
            secret,
        };
        let written = match ask {
            Ask::Check(person) => {
                let person = &self.people[person as usize];
                let body = check(person, person.secret.clone());
                encode_request(out, &head(Opcode::Check, [0; 16]), &body)
            }
            Ask::Forged(person) => {
                let person = &self.people[person as usize];
                let mut secret = person.secret.clone();
                secret.0[0] ^= 1;
                encode_request(out, &head(Opcode::Check, [0; 16]), &check(person, secret))
            }
            Ask::Refresh(person, key) => {
                let person = &self.people[person as usize];
                let body = v1::Refresh {
                    user: person.user,
                    session: person.session,
                    family: person.family.clone(),
                    secret: person.refresh.clone(),
                };
                encode_request(out, &head(Opcode::Refresh, key), &body)
            }
            Ask::SignIn(member, key) => {
                let body = v1::SignIn {
                    identifier: username(&self.members[member as usize].name),
                    password: Text(PASSWORD.to_owned()),
                    device: None,
                    remember: 0,
                    source: None,
                };
                encode_request(out, &head(Opcode::SignIn, key), &body)
            }
            Ask::SignUp(number, key) => {
                let body = v1::SignUp {
                    identifiers: vec![username(&format!("new-{:x}-{number}", self.run))],
                    password: Text(PASSWORD.to_owned()),
                    source: None,
                };
                encode_request(out, &head(Opcode::SignUp, key), &body)
            }
        };
        written.is_ok()
    }

    /// Judges the answer to a request, and takes over what it hands out.
    pub(crate) fn judge(&mut self, ask: Ask, frame: &[u8]) -> Verdict {
        self.over(ask);
        let Ok(reply) = decode_reply(frame) else {
            return Verdict::Wrong("an answer that cannot be read".into());
        };
        match (reply.code.kind(), reply.code) {
            (Kind::Later, Code::Busy) => {
                return Verdict::Shed {
                    retry_after_ms: reply.head.retry_after_ms,
                };
            }
            (Kind::Later, code) => return Verdict::Failed(code.name()),
            (Kind::Unknown, code) => {
                self.lost(ask);
                return Verdict::Failed(code.name());
            }
            (Kind::Yes | Kind::No | Kind::Fault, _) => {}
        }
        let right = match ask {
            Ask::Check(person) => self.is_checked(person, &reply),
            Ask::Forged(_) => reply.code == Code::InvalidToken,
            Ask::Refresh(person, _) => self.is_refreshed(person, &reply),
            Ask::SignIn(member, _) => {
                let user = self.members[member as usize].user;
                reply.code == Code::Ok
                    && reply
                        .answer::<v1::Granted>()
                        .is_ok_and(|grant| grant.user == user)
            }
            Ask::SignUp(..) => reply.code == Code::Ok && reply.answer::<v1::SignedUp>().is_ok(),
        };
        match right {
            true => Verdict::Right,
            false => {
                self.lost(ask);
                Verdict::Wrong(format!("{ask:?} was answered {}", reply.code.name()))
            }
        }
    }

    fn is_checked(&self, person: u32, reply: &Reply<'_>) -> bool {
        let user = &self.people[person as usize].user;
        reply.code == Code::Ok
            && reply
                .answer::<v1::Checked>()
                .is_ok_and(|checked| checked.user == *user)
    }

    fn is_refreshed(&mut self, person: u32, reply: &Reply<'_>) -> bool {
        let holder = &mut self.people[person as usize];
        let granted = match (reply.code, reply.answer::<v1::Granted>()) {
            (Code::Ok, Ok(granted)) => granted,
            _ => return false,
        };
        let same = granted.user == holder.user
            && granted.session.to_native() == holder.session
            && granted.secret.0 == holder.secret.0
            && granted.refresh.0 != holder.refresh.0;
        if same {
            holder.family = SecretBytes(granted.family.0);
            holder.refresh = SecretBytes(granted.refresh.0);
        }
        same
    }

    /// This request is not waited for any more.
    fn over(&mut self, ask: Ask) {
        match ask {
            Ask::Refresh(person, _) => self.refreshing[person as usize] = false,
            Ask::SignIn(member, _) => {
                let count = &mut self.signing_in[member as usize];
                *count = count.saturating_sub(1);
            }
            Ask::Check(_) | Ask::Forged(_) | Ask::SignUp(..) => {}
        }
    }

    /// What this person holds now is not known: they refresh no more.
    fn lost(&mut self, ask: Ask) {
        if let Ask::Refresh(person, _) = ask {
            self.refreshing[person as usize] = true;
        }
    }

    /// A request that was refused for now is asked again.
    pub(crate) fn again(&mut self, ask: Ask) {
        match ask {
            Ask::Refresh(person, _) => self.refreshing[person as usize] = true,
            Ask::SignIn(member, _) => self.signing_in[member as usize] += 1,
            Ask::Check(_) | Ask::Forged(_) | Ask::SignUp(..) => {}
        }
    }
}

fn username(name: &str) -> v1::Identifier {
    v1::Identifier {
        kind: 3,
        text: Text(name.to_owned()),
    }
}
