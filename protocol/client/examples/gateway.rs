//! A gateway in a page: signs a person up, verifies their address, signs them
//! in, checks, refreshes, signs out.
//!
//! `tidegate init && tidegate serve &`, then
//! `cargo run -p tidegate-client --example gateway -- ./tidegate-data`
#![allow(clippy::print_stdout, reason = "an example that is run by hand")]

use tidegate_client::{Client, Decision, Identifier, Options, RevokeScope, SignIn, Verify};

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

    let (address, password) = ("grace@example.com", "correct horse battery staple");
    let grace = SignIn::email(address, password);
    match client.sign_up(&grace).await? {
        Decision::No(refusal) => println!("no account made: {}", refusal.code.name()),
        Decision::Yes(user) => {
            println!("made account {user}");
            // Send a code to the address; when it has come back:
            let shown = Verify::new(user, Identifier::email(address)).with_password(password);
            match client.verify(&shown).await? {
                Decision::Yes(verification) => println!("verified: {verification:?}"),
                // Somebody has this address: their own account is the one to sign in to.
                Decision::No(refusal) => println!("not verified: {}", refusal.code.name()),
            }
        }
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
