//! A courier with a configuration, letters, and what they are given to.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test program uses some, and may fail"
)]

pub(crate) mod receiver;
pub(crate) mod relay;

use std::path::Path;
use std::sync::Arc;

use tidegate_account::{Message, Outgoing, Template, TenantId, UserId, Value};
use tidegate_delivery::{Config, Courier, CourierFault};
use tidegate_runtime::SystemClock;
use tidegate_runtime::ports::{Delivery, Letter, Sent};

/// A courier of a configuration below `[delivery]`.
pub(crate) fn courier(dir: &Path, config: &str) -> Result<Courier, CourierFault> {
    let config: Config = toml::from_str(config).unwrap();
    Courier::new(&config, dir, Arc::new(SystemClock::new()))
}

/// Sends a letter of the tenant `shop`.
pub(crate) async fn send(courier: &Courier, kind: u8, destination: &str, body: &[u8]) -> Sent {
    let tenant = TenantId::of_name("shop").0.to_le_bytes();
    let length = [u8::try_from(destination.len()).unwrap()];
    let head = [&[1, kind][..], &tenant, &[0xff; 8], &length].concat();
    let plain = [&head[..], destination.as_bytes(), body].concat();
    let letter = Letter {
        id: [0xab; 16],
        user: UserId::from_bytes([1; 16]),
        outgoing: Outgoing::decode(&plain).unwrap(),
    };
    courier.send(letter).await
}

/// Sends a code to an address, by mail (1) or SMS (2).
pub(crate) async fn send_code(courier: &Courier, kind: u8, address: &str, app: &str) -> Sent {
    let values = vec![
        Value::Code("493817".into()),
        Value::Minutes(10),
        Value::App(app.into()),
    ];
    let message = Message::new(Template::SignInCode, "en", address, values).unwrap();
    send(courier, kind, "main", &message.encode().unwrap()).await
}
