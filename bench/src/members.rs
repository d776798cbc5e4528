//! People with a password at full cost, who sign up through the real protocol.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::bail;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tidegate_client::{Code, Decision, SignIn};

use crate::node::client;
use crate::population::PASSWORD;
use crate::script::Member;

/// Enough that sign-ins at once seldom meet one person twice.
const MEMBERS: usize = 1_024;
const AT_ONCE: usize = 32;

/// Signs them up; those who are there from an earlier run sign in.
pub(crate) async fn members(dir: &Path, at: SocketAddr) -> anyhow::Result<Vec<Member>> {
    let client = client(dir, at, 1)?;
    let one = async |number: usize| {
        let name = format!("member-{number}");
        let person = SignIn::username(&name, PASSWORD);
        let user = match client.sign_up(&person).await? {
            Decision::Yes(user) => user,
            Decision::No(refusal) if refusal.code == Code::IdentifierTaken => {
                match client.sign_in(&person).await? {
                    Decision::Yes(granted) => granted.session.user,
                    Decision::No(refusal) => bail!("{name}: {}", refusal.code.name()),
                }
            }
            Decision::No(refusal) => bail!("{name}: {}", refusal.code.name()),
        };
        let user = user.0;
        anyhow::Ok(Member { name, user })
    };
    let (mut waiting, mut members) = (FuturesUnordered::new(), Vec::new());
    for number in 0..MEMBERS {
        if waiting.len() >= AT_ONCE
            && let Some(member) = waiting.next().await
        {
            members.push(member?);
        }
        waiting.push(one(number));
    }
    while let Some(member) = waiting.next().await {
        members.push(member?);
    }
    Ok(members)
}
