//! Many who refresh one token at once, through different nodes.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures_util::future::join_all;
use tidegate_client::{CallError, Client, Decision, Granted};
use tidegate_wire::{RefreshToken, SessionToken};

use super::Ground;
use super::judge::code;
use super::rig::{NODES, Rig};

/// Clients of one person.
const CLIENTS: usize = 64;
/// People whose token is refreshed in one turn.
const PEOPLE: usize = 60;
/// Over how long they come.
const OVER: Duration = Duration::from_secs(6);
/// How long after the first of them the nodes change.
const LATER: Duration = Duration::from_secs(1);
const VICTIM: usize = 1;
/// A token that was replaced gives its successor for 30 s.
const PATIENCE: Duration = Duration::from_secs(25);
const AGAIN: Duration = Duration::from_millis(100);

/// How much was wrong.
pub(super) async fn storm(ground: &Ground) -> anyhow::Result<usize> {
    let mut rig = Rig::make(ground).await?;
    let clients: Result<Vec<_>, _> = (0..CLIENTS).map(|n| rig.client(n % NODES)).collect();
    let clients = Rc::new(clients?);
    let mut wrong = 0;
    for (turn, fall) in [Fall::HandsOver, Fall::IsKilled].into_iter().enumerate() {
        ensure!(
            rig.people.len() >= 2 * PEOPLE,
            "{} people are needed",
            2 * PEOPLE
        );
        let people = rig.people[turn * PEOPLE..][..PEOPLE].to_vec();
        let mut waiting = Vec::new();
        for (number, (session, refresh)) in people.into_iter().enumerate() {
            let clients = Rc::clone(&clients);
            let after = OVER.mul_f64(number as f64 / PEOPLE as f64);
            waiting.push(tokio::task::spawn_local(async move {
                tokio::time::sleep(after).await;
                one(&clients, &session, &refresh).await
            }));
        }
        tokio::time::sleep(LATER).await;
        match fall {
            Fall::HandsOver => rig.members[VICTIM].terminate().await?,
            Fall::IsKilled => rig.members[VICTIM].kill(),
        }
        let (mut identical, mut lost) = (0, 0);
        let mut errors = BTreeMap::<String, usize>::new();
        for task in waiting {
            match task.await? {
                Fate::Identical(told) => {
                    identical += 1;
                    told.iter()
                        .for_each(|error| *errors.entry(error.to_string()).or_default() += 1);
                }
                Fate::Wrong(what) => {
                    lost += 1;
                    say!("  {what}");
                }
            }
        }
        say!(
            "a node {fall:?}: of {PEOPLE} people, {CLIENTS} clients each, {identical} got one successor, the identical one for all; {lost} did not"
        );
        errors
            .iter()
            .for_each(|(error, count)| say!("  repeated after: {count} x {error}"));
        wrong += lost;
        rig.members[VICTIM].start().await?;
        rig.settled().await?;
    }
    Ok(wrong)
}

/// What happens to a node meanwhile.
#[derive(Clone, Copy, Debug)]
enum Fall {
    HandsOver,
    IsKilled,
}

enum Fate {
    /// With the errors that calls ended with before they were repeated.
    Identical(Vec<CallError>),
    Wrong(String),
}

/// All clients refresh the token, then one uses the successor.
async fn one(clients: &[Client], session: &SessionToken, refresh: &RefreshToken) -> Fate {
    let asked = clients.iter().map(|client| patiently(client, refresh));
    let (mut successor, mut errors) = (None::<RefreshToken>, Vec::new());
    for (answer, told) in join_all(asked).await {
        errors.extend(told);
        match answer {
            Some(Decision::Yes(granted)) => match &successor {
                None => successor = Some(granted.refresh),
                Some(known) if known.secret.0 == granted.refresh.secret.0 => {}
                Some(_) => return Fate::Wrong("two successors".to_owned()),
            },
            Some(Decision::No(refusal)) => {
                return Fate::Wrong(format!("thrown out: {}", refusal.code.name()));
            }
            None => return Fate::Wrong("never answered".to_owned()),
        }
    }
    let Some(successor) = successor else {
        return Fate::Wrong("no client asked".to_owned());
    };
    let checked = clients[1].check(session).await;
    let refreshed = patiently(&clients[2], &successor).await.0;
    match (checked.as_ref().map(code), refreshed.as_ref().map(code)) {
        (Ok(None), Some(None)) => Fate::Identical(errors),
        other => Fate::Wrong(format!("thrown out afterwards: {other:?}")),
    }
}

/// Repeats a refresh that was not answered, as a gateway does as long as its
/// browser waits.
async fn patiently(
    client: &Client,
    token: &RefreshToken,
) -> (Option<Decision<Granted>>, Vec<CallError>) {
    let began = Instant::now();
    let mut errors = Vec::new();
    while began.elapsed() < PATIENCE {
        match client.refresh(token).await {
            Ok(decision) => return (Some(decision), errors),
            Err(error) => {
                errors.push(error);
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    (None, errors)
}
