//! Signing up by a code that is mailed, as a gateway does it: two requests, and
//! nothing kept in between but what the browser holds.
//!
//! `tidegate init`, mail in its configuration (docs/sign-in.md), `tidegate serve &`,
//! then `cargo run -p tidegate-client --example code -- ./tidegate-data ada@example.com`
#![allow(clippy::print_stdout, reason = "an example that is run by hand")]

use std::io::BufRead;
use std::net::SocketAddr;

use tidegate_client::{
    Begin, Client, Decision, Flow, FlowSaid, Identifier, Method, Options, Purpose, Shown,
};

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let dir = std::env::args().nth(1).unwrap_or("./tidegate-data".into());
    let address = std::env::args().nth(2).unwrap_or("ada@example.com".into());
    let client = client(&dir)?;

    // The first request: a person typed an address.
    let begin = Begin::new(Purpose::SignUp, Identifier::email(&address)).in_language("en");
    let flow = match client.begin(&begin).await? {
        Decision::Yes(FlowSaid::Next(flow)) => flow,
        Decision::Yes(FlowSaid::Granted(_)) => return Err("nothing was shown yet".into()),
        Decision::No(refusal) => return Err(refusal.code.message().into()),
    };
    println!("offered: {:?}", flow.next);
    // Both are cookies of the browser; any gateway goes on with them.
    let cookies = (flow.continuation.to_string(), flow.browser.clone());

    println!("the code?");
    for line in std::io::stdin().lock().lines() {
        // The next request: a person typed a code.
        let flow = Flow::resume(&cookies.0, cookies.1.clone());
        let shown = Shown::new(Method::EmailCode, &line?).remember_device();
        match flow.answer(&client, &shown).await? {
            Decision::Yes(FlowSaid::Granted(granted)) => {
                println!(
                    "in: {}, a session until {}",
                    granted.user, granted.expires_at
                );
                return Ok(());
            }
            Decision::Yes(FlowSaid::Next(flow)) => println!("next: {:?}", flow.next),
            // After `invalid_code` the same step may be answered again.
            Decision::No(refusal) => println!("{}", refusal.code.message()),
        }
    }
    Ok(())
}

fn client(dir: &str) -> Result<Client, Error> {
    let file = |name: &str| std::fs::read(format!("{dir}/{name}"));
    let address: SocketAddr = String::from_utf8(file("address")?)?.trim().parse()?;
    let certificate = file("tls/gateway-default.crt")?;
    let key = file("tls/gateway-default.key")?;
    let ca = file("tls/ca.crt")?;
    let options = Options::new(address, ca, certificate, key, "default");
    Ok(Client::new(&options)?)
}
