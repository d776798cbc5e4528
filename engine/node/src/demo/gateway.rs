//! The gateway process of the demonstration: signs people up and in, and
//! afterwards asks for everything that was acknowledged.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use tidegate_client::{
    CallError, Client, Code, Decision, Granted, IdempotencyKey, Identifier, Options, RevokeScope,
    SignIn, UserId, Verify,
};
use tidegate_runtime::ports::Entropy;
use tidegate_runtime::{OsEntropy, SystemClock};

use super::NOT_ANSWERED;
use super::patience::{NotAnswered, patiently};
use crate::cli::output;
use crate::folder::Folder;
use crate::init::{DEFAULT_GATEWAY, DEFAULT_TENANT, OFFICE_GATEWAY};

/// People served at once.
const LANES: usize = 8;
/// Longer than the node is away.
const DEADLINE_MS: u32 = 20_000;
/// Every so many people sign out again.
const SIGN_OUT_EVERY: usize = 5;

#[derive(Args)]
pub(crate) struct GatewayArgs {
    /// The node's folder.
    #[arg(long)]
    dir: PathBuf,
    /// The node's address.
    #[arg(long)]
    connect: SocketAddr,
    /// How many people.
    #[arg(long)]
    people: usize,
}

/// What was acknowledged about one person.
struct Acknowledged {
    number: usize,
    user: UserId,
    grant: Granted,
    signed_out: SignedOut,
}

/// The caller, which waits as long as it takes.
struct Caller {
    client: Client,
    /// Verifies addresses: the other may not.
    office: Client,
    clock: SystemClock,
}

impl Caller {
    /// For one change: repeats of it carry the same key.
    fn keyed(&self) -> Client {
        self.client.with_key(drawn_key())
    }

    /// The same for one act on an account.
    fn office_keyed(&self) -> Client {
        self.office.with_key(drawn_key())
    }

    async fn asked<T, F>(&self, what: &str, call: impl Fn() -> F) -> anyhow::Result<Decision<T>>
    where
        F: Future<Output = Result<Decision<T>, CallError>>,
    {
        patiently(
            &self.clock,
            what,
            |what| output::line(&format!("waits {what}")),
            call,
        )
        .await
    }
}

fn drawn_key() -> IdempotencyKey {
    let seed = OsEntropy.seed();
    let mut key = IdempotencyKey::default();
    for (byte, drawn) in key.iter_mut().zip(seed) {
        *byte = drawn;
    }
    key
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SignedOut {
    Yes,
    No,
}

pub(crate) fn run(args: &GatewayArgs) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("a runtime cannot be started")?;
    match runtime.block_on(story(args)) {
        Err(error) if error.is::<NotAnswered>() => {
            output::error(&error);
            Ok(NOT_ANSWERED)
        }
        told => told,
    }
}

async fn story(args: &GatewayArgs) -> anyhow::Result<u8> {
    let caller = Arc::new(Caller {
        client: Client::new(&options(args, DEFAULT_GATEWAY)?)?,
        office: Client::new(&options(args, OFFICE_GATEWAY)?)?,
        clock: SystemClock::new(),
    });
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let (caller, people) = (Arc::clone(&caller), args.people);
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for number in (lane..people).step_by(LANES) {
                    acknowledged.push(live(&caller, number).await?);
                }
                anyhow::Ok(acknowledged)
            })
        })
        .collect();
    let mut people = Vec::new();
    for lane in lanes {
        people.extend(lane.await.context("a lane of the gateway broke")??);
    }
    let mut active = 0;
    let mut ended = 0;
    for person in &people {
        match person.signed_out {
            SignedOut::No => active += 1,
            SignedOut::Yes => ended += 1,
        }
        verify(&caller, person).await?;
    }
    output::line(&format!(
        "claim {active} acknowledged sessions answer active; {ended} ended ones do not"
    ));
    output::line(&format!(
        "claim {active} refresh tokens turn once more, {} people sign in again",
        people.len()
    ));
    Ok(0)
}

fn options(args: &GatewayArgs, gateway: &str) -> anyhow::Result<Options> {
    let folder = Folder::at(&args.dir);
    let name = format!("gateway-{gateway}");
    let read = |path: PathBuf| {
        std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let mut options = Options::new(
        args.connect,
        read(folder.certificate("ca"))?,
        read(folder.certificate(&name))?,
        read(folder.private_key(&name))?,
        DEFAULT_TENANT,
    );
    options.deadline_ms = DEADLINE_MS;
    Ok(options)
}

fn email(number: usize) -> String {
    format!("person-{number}@example.com")
}

fn password(number: usize) -> String {
    format!("the password of {number}")
}

fn person(number: usize) -> SignIn {
    SignIn::email(&email(number), &password(number))
}

/// Signs a person up, verifies their address, signs them in, refreshes, and
/// signs some out again.
async fn live(caller: &Caller, number: usize) -> anyhow::Result<Acknowledged> {
    let person = person(number);
    let client = caller.keyed();
    let signed_up = caller.asked("sign-up", || client.sign_up(&person));
    let user = acknowledged("sign-up", signed_up.await?)?;
    // The code that was sent to the address came back.
    let shown = Verify::new(user, Identifier::email(&email(number)));
    let shown = shown.with_password(&password(number));
    let client = caller.office_keyed();
    let verified = caller.asked("verify", || client.verify(&shown));
    acknowledged("verify", verified.await?)?;
    let client = caller.keyed();
    let signed_in = caller.asked("sign-in", || client.sign_in(&person));
    let grant = acknowledged("sign-in", signed_in.await?)?;
    let grant = match number % 2 {
        0 => {
            let client = caller.keyed();
            let refreshed = caller.asked("refresh", || client.refresh(&grant.refresh));
            acknowledged("refresh", refreshed.await?)?
        }
        _ => grant,
    };
    let signed_out = match number % SIGN_OUT_EVERY {
        0 => {
            let client = caller.keyed();
            let revoke = || client.revoke(&grant.session, RevokeScope::This);
            let ended = caller.asked("revoke", revoke).await?;
            acknowledged("revoke", ended)?;
            SignedOut::Yes
        }
        _ => SignedOut::No,
    };
    Ok(Acknowledged {
        number,
        user,
        grant,
        signed_out,
    })
}

fn acknowledged<T>(what: &str, answer: Decision<T>) -> anyhow::Result<T> {
    let value = yes(what, answer)?;
    output::line(&format!("acknowledged {what}"));
    Ok(value)
}

fn yes<T>(what: &str, answer: Decision<T>) -> anyhow::Result<T> {
    match answer {
        Decision::Yes(value) => Ok(value),
        Decision::No(refusal) => bail!("{what}: {}", refusal.code.name()),
    }
}

/// Everything that was acknowledged about a person is still so.
async fn verify(caller: &Caller, acknowledged: &Acknowledged) -> anyhow::Result<()> {
    let grant = &acknowledged.grant;
    let check = caller.asked("check", || caller.client.check(&grant.session));
    match (acknowledged.signed_out, check.await?) {
        (SignedOut::No, Decision::Yes(checked)) if checked.user == acknowledged.user => {
            let client = caller.keyed();
            let refreshed = caller.asked("refresh", || client.refresh(&grant.refresh));
            yes("refresh", refreshed.await?)?;
        }
        (SignedOut::Yes, Decision::No(refusal)) if refusal.code == Code::InvalidToken => {}
        (_, answer) => bail!("person {}: {answer:?}", acknowledged.number),
    }
    let (client, person) = (caller.keyed(), person(acknowledged.number));
    let again = caller.asked("sign-in", || client.sign_in(&person));
    let again = yes("sign-in", again.await?)?;
    match again.user == acknowledged.user {
        true => Ok(()),
        false => bail!("person {} is another person now", acknowledged.number),
    }
}
