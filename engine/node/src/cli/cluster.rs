//! `status`, `drain`, `upgrade` and `move`.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tidegate_runtime::OsEntropy;

use super::at::{Answer, At, format_of, object};
use super::node::FoundationdbArgs;
use super::output::{self, Format};
use super::person::block_on;
use super::table::aligned;
use super::{NO, YES};
use crate::folder::Folder;
use crate::moving;
use crate::operator::{Order, Status};

#[derive(Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(super) struct DrainArgs {
    /// The node's name.
    node: String,
    #[command(flatten)]
    at: At,
}

#[derive(Subcommand)]
pub(super) enum UpgradeCommand {
    /// Show which version is written, and which every node reads.
    Status(StatusArgs),
    /// Write the newest version that every node reads. Until then every node
    /// can be taken back to the older program; afterwards none can.
    Finish(StatusArgs),
}

pub(super) fn upgrade(command: &UpgradeCommand) -> anyhow::Result<u8> {
    match command {
        UpgradeCommand::Status(args) => args.at.order(&Order::UpgradeStatus),
        UpgradeCommand::Finish(args) => args.at.order(&Order::UpgradeFinish),
    }
}

#[derive(Args)]
pub(super) struct MoveArgs {
    /// The node's folder; no node may run in it.
    #[arg(long, value_name = "D", default_value = "./tidegate-data")]
    dir: PathBuf,
    #[command(flatten)]
    foundationdb: FoundationdbArgs,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn move_store(args: &MoveArgs) -> anyhow::Result<u8> {
    let folder = Folder::at(&args.dir);
    let to = args.foundationdb.config()?;
    let moved = block_on(moving::move_folder(&folder, to, &OsEntropy))??;
    let fields =
        json!({ "rows": moved.rows, "compared": moved.compared, "generation": moved.generation });
    output::print(format_of(args.json), &object(fields));
    if !args.json {
        output::line(
            "The configuration names the cluster now. store/ is as it was: remove it when",
        );
        output::line("you are sure that you do not go back, for whoever has it has those people.");
    }
    Ok(YES)
}

pub(super) fn status(args: &StatusArgs) -> anyhow::Result<u8> {
    match (args.at.ask(&Order::Status)?, args.at.format()) {
        (Answer::Told(status), _) => return Ok(status),
        (Answer::Done(fields), Format::Json) => output::print(Format::Json, &fields),
        (Answer::Done(fields), Format::Text) => {
            let status: Status = serde_json::from_value(Value::Object(fields))
                .context("the node's answer cannot be read")?;
            table(&status).iter().for_each(|line| output::line(line));
        }
    }
    Ok(YES)
}

/// One line for each node, under a line of headings, above one of sums.
fn table(status: &Status) -> Vec<String> {
    let headings = [
        "NODE",
        "STATE",
        "SLOTS",
        "EPOCHS",
        "LEASE AGE",
        "LIFE",
        "READS",
        "ADDRESS",
    ];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    for node in &status.nodes {
        let epochs = node
            .epochs
            .map_or("-".to_owned(), |(low, high)| match low == high {
                true => low.to_string(),
                false => format!("{low}-{high}"),
            });
        let age = node.lease_age_ms;
        rows.push(vec![
            node.node.clone(),
            node.state.clone(),
            node.slots.to_string(),
            epochs,
            age.map_or("-".to_owned(), |ms| format!("{ms} ms")),
            node.life.to_string(),
            node.reads.to_string(),
            node.address.clone(),
        ]);
    }
    let mut lines = aligned(&rows);
    lines.push(format!(
        "{} slots moving, {} of nobody; lease {} ms; the store answered {} in {} ms",
        status.moving, status.unowned, status.lease_ms, status.asked, status.store_ms
    ));
    lines
}

pub(super) fn drain(args: &DrainArgs) -> anyhow::Result<u8> {
    let fields = match args.at.ask(&Order::Status)? {
        Answer::Told(status) => return Ok(status),
        Answer::Done(fields) => fields,
    };
    let status: Status = serde_json::from_value(Value::Object(fields))
        .context("the node's answer cannot be read")?;
    let Some(node) = status.nodes.iter().find(|node| node.node == args.node) else {
        let message = format!("there is no node {}", args.node);
        return Ok(args.at.no("unknown", &message));
    };
    // Only the node itself can give away what it owns.
    let address = node.address.parse();
    let address = address.with_context(|| format!("{} is no address", node.address))?;
    match args.at.ask_node(address, &Order::Drain)? {
        Answer::Told(status) => Ok(status),
        Answer::Done(fields) => {
            output::print(args.at.format(), &fields);
            Ok(match fields.get("slots").and_then(Value::as_u64) {
                Some(0) => YES,
                // It goes on giving away.
                _ => NO,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::NodeStatus;

    #[test]
    fn the_table_has_a_line_for_each_node_and_one_of_sums() {
        let node = |name: &str, slots, epochs| NodeStatus {
            node: name.to_owned(),
            address: "10.0.0.1:7443".to_owned(),
            state: "serving".to_owned(),
            life: 2,
            slots,
            epochs,
            lease_age_ms: Some(140),
            reads: 1,
        };
        let status = Status {
            asked: "a".to_owned(),
            lease_ms: 3_000,
            nodes: vec![node("a", 4_096, Some((1, 7))), node("north-2", 0, None)],
            unowned: 0,
            moving: 3,
            store_ms: 9,
        };
        assert_eq!(
            table(&status).join("\n"),
            "\
NODE     STATE    SLOTS  EPOCHS  LEASE AGE  LIFE  READS  ADDRESS
a        serving  4096   1-7     140 ms     2     1      10.0.0.1:7443
north-2  serving  0      -       140 ms     2     1      10.0.0.1:7443
3 slots moving, 0 of nobody; lease 3000 ms; the store answered a in 9 ms"
        );
    }
}
