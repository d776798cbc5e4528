//! What an account has to prove with.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use tidegate_client::SessionToken;
use tidegate_wire::v1;

use super::connection::Connection;
use super::flow::{method, method_name};
use super::person::{fields, with_token};

#[derive(Subcommand)]
pub(super) enum CredentialsCommand {
    /// List what the account has to prove with. A session token is read from standard
    /// input.
    List(ListArgs),
    /// Remove one of them, where another way in remains, and end every other session.
    /// A session token of a sign-in not long ago is read from standard input.
    Remove(RemoveArgs),
}

#[derive(Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(super) struct RemoveArgs {
    /// Of which method: password, passkey, totp or recovery_code.
    #[arg(long, value_name = "METHOD")]
    method: String,
    /// Which passkey, as `list` shows it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    number: u16,
    #[command(flatten)]
    connection: Connection,
}

pub(super) fn run(command: &CredentialsCommand) -> anyhow::Result<u8> {
    match command {
        CredentialsCommand::List(args) => list(args),
        CredentialsCommand::Remove(args) => remove(args),
    }
}

fn list(args: &ListArgs) -> anyhow::Result<u8> {
    with_token(
        &args.connection,
        "session token",
        async |client, token: SessionToken| {
            let by = token.to_message();
            let decision = client.ask(&v1::Credentials { by }).await?;
            Ok(decision.map(|list| {
                let rows: Vec<Value> = list.credentials.iter().map(row).collect();
                let signal = serde_json::from_str(&list.signal.0);
                fields(json!({
                    "user": token.user.to_string(),
                    "credentials": rows,
                    "signal": signal.unwrap_or(Value::Null),
                }))
            }))
        },
    )
}

fn row(row: &v1::CredentialRow) -> Value {
    let mut fields = Map::new();
    let name = v1::Method::from_number(row.method).map_or("", method_name);
    fields.insert("method".into(), name.into());
    if row.number > 0 {
        fields.insert("number".into(), row.number.into());
        fields.insert("name".into(), row.name.0.clone().into());
    }
    fields.insert("added_at".into(), row.added_at.into());
    if row.used_at > 0 {
        fields.insert("used_at".into(), row.used_at.into());
    }
    let backups = ["not_eligible", "eligible", "backed_up"];
    if let Some(backup) = backups.get(usize::from(row.backup)) {
        fields.insert("backup".into(), (*backup).into());
    }
    if row.remaining != v1::NO_NUMBER {
        fields.insert("remaining".into(), row.remaining.into());
    }
    Value::Object(fields)
}

fn remove(args: &RemoveArgs) -> anyhow::Result<u8> {
    let method = method(&args.method)?;
    with_token(
        &args.connection,
        "session token",
        async |client, token: SessionToken| {
            let request = v1::RemoveCredential {
                by: token.to_message(),
                method: method.number(),
                number: args.number,
            };
            let decision = client.ask(&request).await?;
            Ok(decision.map(|gone| fields(json!({ "removed": gone.removed }))))
        },
    )
}
