//! A gateway in a page: signs a person up and in, checks, refreshes, signs out.
//!
//! `tidegate init && tidegate serve &`, then
//! `cargo run -p tidegate-client --example gateway -- ./tidegate-data`
#![allow(clippy::print_stdout, reason = "an example that is run by hand")]

use tidegate_client::{Client, Decision, Options, RevokeScope, SignIn};

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let dir = std::env::args().nth(1).unwrap_or("./tidegate-data".into());
    let file = |name: &str| std::fs::read(format!("{dir}/{name}"));
    let address = String::from_utf8(file("address")?)?.trim().parse()?;
    let (ca, certificate, key) = (
        file("tls/ca.crt")?,
        file("tls/gateway-default.crt")?,
        file("tls/gateway-default.key")?,
    );
    let client = Client::new(&Options::new(address, ca, certificate, key, "default"))?;

    let grace = SignIn::email("grace@example.com", "correct horse battery staple");
    match client.sign_up(&grace).await? {
        Decision::Yes(user) => println!("made account {user}"),
        Decision::No(refusal) => println!("no account made: {}", refusal.code.name()),
    }
    let Decision::Yes(grant) = client.sign_in(&grace).await? else {
        return Err("not let in".into());
    };
    println!("in: {:?}", client.check(&grant.session).await?);
    let refreshed = client.refresh(&grant.refresh).await?;
    println!("refreshed: {}", matches!(refreshed, Decision::Yes(_)));
    let ended = client.revoke(&grant.session, RevokeScope::This).await?;
    println!("ended: {ended:?}");
    println!("out: {:?}", client.check(&grant.session).await?);
    Ok(())
}
