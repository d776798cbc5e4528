//! The gateway process of the demonstration: signs people up and in, and
//! afterwards asks for everything that was acknowledged.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use tidegate_client::{
    CallError, Client, Code, Decision, Granted, Identifier, Options, RevokeScope, SignIn, UserId,
    Verify,
};

use crate::cli::output;
use crate::folder::Folder;
use crate::init::DEFAULT_TENANT;

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
    runtime.block_on(story(args))
}

async fn story(args: &GatewayArgs) -> anyhow::Result<u8> {
    let client = Arc::new(Client::new(&options(args)?)?);
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let (client, people) = (Arc::clone(&client), args.people);
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for number in (lane..people).step_by(LANES) {
                    acknowledged.push(live(&client, number).await?);
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
        verify(&client, person).await?;
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

fn options(args: &GatewayArgs) -> anyhow::Result<Options> {
    let folder = Folder::at(&args.dir);
    let read = |path: PathBuf| {
        std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let mut options = Options::new(
        args.connect,
        read(folder.certificate("ca"))?,
        read(folder.certificate("gateway-default"))?,
        read(folder.private_key("gateway-default"))?,
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
async fn live(client: &Client, number: usize) -> anyhow::Result<Acknowledged> {
    let person = person(number);
    let user = acknowledged("sign-up", client.sign_up(&person).await)?;
    // The code that was sent to the address came back.
    let shown = Verify::new(user, Identifier::email(&email(number)));
    let shown = shown.with_password(&password(number));
    acknowledged("verify", client.verify(&shown).await)?;
    let grant = acknowledged("sign-in", client.sign_in(&person).await)?;
    let grant = match number % 2 {
        0 => acknowledged("refresh", client.refresh(&grant.refresh).await)?,
        _ => grant,
    };
    let signed_out = match number % SIGN_OUT_EVERY {
        0 => {
            let ended = client.revoke(&grant.session, RevokeScope::This).await;
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

fn acknowledged<T>(what: &str, answer: Result<Decision<T>, CallError>) -> anyhow::Result<T> {
    let value = yes(what, answer)?;
    output::line(&format!("acknowledged {what}"));
    Ok(value)
}

fn yes<T>(what: &str, answer: Result<Decision<T>, CallError>) -> anyhow::Result<T> {
    match answer.with_context(|| what.to_owned())? {
        Decision::Yes(value) => Ok(value),
        Decision::No(refusal) => bail!("{what}: {}", refusal.code.name()),
    }
}

/// Everything that was acknowledged about a person is still so.
async fn verify(client: &Client, acknowledged: &Acknowledged) -> anyhow::Result<()> {
    let check = client.check(&acknowledged.grant.session).await?;
    match (acknowledged.signed_out, check) {
        (SignedOut::No, Decision::Yes(checked)) if checked.user == acknowledged.user => {
            yes("refresh", client.refresh(&acknowledged.grant.refresh).await)?;
        }
        (SignedOut::Yes, Decision::No(refusal)) if refusal.code == Code::InvalidToken => {}
        (_, answer) => bail!("person {}: {answer:?}", acknowledged.number),
    }
    let again = client.sign_in(&person(acknowledged.number)).await;
    let again = yes("sign-in", again)?;
    match again.user == acknowledged.user {
        true => Ok(()),
        false => bail!("person {} is another person now", acknowledged.number),
    }
}
