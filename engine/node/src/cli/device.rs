//! Remembered devices.

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use tidegate_client::SessionToken;
use tidegate_wire::v1;

use super::connection::Connection;
use super::person::{fields, with_token};

#[derive(Args)]
pub(super) struct DevicesArgs {
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(super) struct ForgetDeviceArgs {
    /// The device with this id, as `devices` shows it.
    #[arg(long, value_name = "ID")]
    device: String,
    #[command(flatten)]
    connection: Connection,
}

pub(super) fn devices(args: &DevicesArgs) -> anyhow::Result<u8> {
    with_token(
        &args.connection,
        "session token",
        async |client, token: SessionToken| {
            let by = token.to_message();
            let decision = client.ask(&v1::Devices { by }).await?;
            Ok(decision.map(|list| {
                let rows = list.devices.iter().map(|device| {
                    json!({
                        "device": format!("{:016x}", device.device),
                        "added_at": device.added_at,
                        "used_at": device.used_at,
                        "sessions": device.sessions,
                    })
                });
                let rows: Vec<Value> = rows.collect();
                fields(json!({ "user": token.user.to_string(), "devices": rows }))
            }))
        },
    )
}

pub(super) fn forget(args: &ForgetDeviceArgs) -> anyhow::Result<u8> {
    let device = u64::from_str_radix(&args.device, 16)
        .with_context(|| "--device takes the 16 hexadecimal digits that `devices` shows")?;
    with_token(
        &args.connection,
        "session token",
        async |client, token: SessionToken| {
            let by = token.to_message();
            let decision = client.ask(&v1::ForgetDevice { by, device }).await?;
            Ok(decision.map(|forgotten| fields(json!({ "revoked": forgotten.sessions }))))
        },
    )
}
