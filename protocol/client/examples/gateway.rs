//! A gateway in a page: signs a person up, verifies their address, signs them
//! in, checks, refreshes, signs out.
//!
//! `tidegate init && tidegate serve &`, then
//! `cargo run -p tidegate-client --example gateway -- ./tidegate-data`
#![allow(clippy::print_stdout, reason = "an example that is run by hand")]

use std::net::SocketAddr;

use tidegate_client::{Client, Decision, Identifier, Options, RevokeScope, SignIn, Verify};

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let dir = std::env::args().nth(1).unwrap_or("./tidegate-data".into());
    let file = |name: &str| std::fs::read(format!("{dir}/{name}"));
    let address: SocketAddr = String::from_utf8(file("address")?)?.trim().parse()?;
    let gateway = |name: &str| -> Result<Client, Error> {
        let certificate = file(&format!("tls/gateway-{name}.crt"))?;
        let key = file(&format!("tls/gateway-{name}.key"))?;
        let ca = file("tls/ca.crt")?;
        Ok(Client::new(&Options::new(
            address,
            ca,
            certificate,
            key,
            "default",
        ))?)
    };
    // What acts on accounts comes as another than what people reach.
    let (client, office) = (gateway("default")?, gateway("office")?);

    let (address, password) = ("grace@example.com", "correct horse battery staple");
    let grace = SignIn::email(address, password);
    match client.sign_up(&grace).await? {
        Decision::No(refusal) => println!("no account made: {}", refusal.code.name()),
        Decision::Yes(user) => {
            println!("made account {user}");
            // Send a code to the address; when it has come back:
            let shown = Verify::new(user, Identifier::email(address)).with_password(password);
            match office.verify(&shown).await? {
                Decision::Yes(verification) => println!("verified: {verification:?}"),
                // An account holds this address: it is the one to sign in to.
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
