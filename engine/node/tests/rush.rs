//! Real nodes: many right passwords at once, from one source, at one account,
//! through one gateway. No right password gets a final no, and nothing is
//! `unavailable` while the store is well.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::net::IpAddr;
use std::sync::Arc;

use rig::{Dir, NAME, Node, PASSWORD, client, no, options, signed_in, yes};
use tidegate_client::{Client, Decision, SignIn};
use tidegate_wire::Code;

const OFFICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

/// Patient, as behind a page that a person looks at.
fn patient(dir: &Dir, node: &Node) -> Arc<Client> {
    let mut options = options(dir, node.quic);
    options.deadline_ms = 60_000;
    Arc::new(Client::new(&options).unwrap())
}

/// How many of these were answered with yes; the codes of the others.
async fn outcomes<T: Send + 'static>(
    asked: Vec<tokio::task::JoinHandle<Result<Decision<T>, tidegate_client::CallError>>>,
) -> (usize, Vec<String>) {
    let (mut granted, mut others) = (0, Vec::new());
    for one in asked {
        match one.await.unwrap() {
            Ok(Decision::Yes(_)) => granted += 1,
            Ok(Decision::No(refusal)) => others.push(refusal.code.name().to_owned()),
            Err(error) => others.push(error.to_string()),
        }
    }
    (granted, others)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn right_passwords_in_a_rush_all_get_in() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let client = patient(&dir, &node);
    signed_in(&client).await;
    for at_once in [10, 60] {
        let names: Vec<_> = (0..at_once)
            .map(|n| format!("rush-{at_once}-{n}"))
            .collect();
        let sign_up = |name: &String| {
            let (client, name) = (Arc::clone(&client), name.clone());
            let person = SignIn::username(&name, PASSWORD).from_address(OFFICE);
            tokio::spawn(async move { client.sign_up(&person).await })
        };
        let made = outcomes(names.iter().map(sign_up).collect()).await;
        assert_eq!(made, (at_once, Vec::new()), "sign-ups at once");
        let sign_in = |name: &String| {
            let (client, name) = (Arc::clone(&client), name.clone());
            let person = SignIn::username(&name, PASSWORD).from_address(OFFICE);
            tokio::spawn(async move { client.sign_in(&person).await })
        };
        let let_in = outcomes(names.iter().map(sign_in).collect()).await;
        assert_eq!(let_in, (at_once, Vec::new()), "sign-ins from one source");
    }
    for at_once in [6, 20] {
        let sign_in = |_| {
            let client = Arc::clone(&client);
            let person = SignIn::username(NAME, PASSWORD).from_address(OFFICE);
            tokio::spawn(async move { client.sign_in(&person).await })
        };
        let let_in = outcomes((0..at_once).map(sign_in).collect()).await;
        assert_eq!(let_in, (at_once, Vec::new()), "sign-ins of one account");
    }
    // Nothing of all this leaves a charge.
    yes(client
        .sign_in(&SignIn::username(NAME, PASSWORD).from_address(OFFICE))
        .await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_gateway_that_must_name_sources_is_refused_without_one() {
    let dir = Dir::new();
    let added = rig::run(
        &[
            "gateway",
            "add",
            "front",
            "--right",
            "auth",
            "--right",
            "sourced",
            "--dir",
            dir.text(),
        ],
        "",
    );
    assert!(added.status.success(), "{added:?}");
    let node = Node::start(&dir);
    signed_in(&client(&dir, &node)).await;
    let mut options = options(&dir, node.quic);
    options.certificate_pem = dir.file("tls/gateway-front.crt");
    options.key_pem = dir.file("tls/gateway-front.key");
    let front = Client::new(&options).unwrap();
    let person = || SignIn::username(NAME, PASSWORD);
    assert_eq!(no(front.sign_in(&person()).await), Code::NotPermitted);
    let person = person().from_address(OFFICE);
    yes(front.sign_in(&person).await);
}
