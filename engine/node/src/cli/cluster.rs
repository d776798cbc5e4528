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
use crate::migration;
use crate::operator::{Old, Order, Status};

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
    let moved = block_on(migration::move_folder(&folder, to, &OsEntropy))??;
    let fields =
        json!({ "rows": moved.rows, "compared": moved.compared, "generation": moved.generation });
    output::print(format_of(args.json), &object(fields));
    if !args.json {
        output::line(
            "The configuration names the cluster now. store/ is as it was: remove it when",
        );
        output::line("you are sure that you do not go back, for it still holds those people.");
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
    let store = match &status.old {
        None => format!(
            "the store answered {} in {} ms",
            status.asked, status.store_ms
        ),
        Some(_) => format!(
            "the store did not answer {} in {} ms",
            status.asked, status.store_ms
        ),
    };
    lines.push(format!(
        "{} slots moving, {} of nobody; lease {} ms; {store}",
        status.moving, status.unowned, status.lease_ms
    ));
    lines.extend(status.old.map(old));
    lines
}

/// What is to be thought of a status that is not the store's.
fn old(old: Old) -> String {
    let seconds = |ms: u64| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100);
    let heard = old.heard_ms.map_or(String::new(), |ms| {
        format!("the node's last renewal was {} ago; ", seconds(ms))
    });
    match old.as_of_ms {
        Some(ms) => format!(
            "{heard}nodes and slots are as they were {} ago",
            seconds(ms)
        ),
        None => format!("{heard}the node knows only of itself"),
    }
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
            old: None,
        };
        assert_eq!(
            table(&status).join("\n"),
            "\
NODE     STATE    SLOTS  EPOCHS  LEASE AGE  LIFE  READS  ADDRESS
a        serving  4096   1-7     140 ms     2     1      10.0.0.1:7443
north-2  serving  0      -       140 ms     2     1      10.0.0.1:7443
3 slots moving, 0 of nobody; lease 3000 ms; the store answered a in 9 ms"
        );
        let last = |as_of_ms, heard_ms| {
            let old = Some(Old { as_of_ms, heard_ms });
            let status = Status {
                old,
                ..status.clone()
            };
            let lines = table(&status);
            lines[lines.len() - 2..].join("\n")
        };
        assert_eq!(
            last(Some(14_050), Some(12_300)),
            "\
3 slots moving, 0 of nobody; lease 3000 ms; the store did not answer a in 9 ms
the node's last renewal was 12.3 s ago; nodes and slots are as they were 14.0 s ago"
        );
        assert_eq!(
            last(None, None),
            "\
3 slots moving, 0 of nobody; lease 3000 ms; the store did not answer a in 9 ms
the node knows only of itself"
        );
    }

    #[test]
    fn an_answer_of_an_older_node_is_read_and_a_newer_one_says_nothing_new_while_all_is_well() {
        let older =
            r#"{"asked":"a","lease_ms":3000,"nodes":[],"unowned":0,"moving":0,"store_ms":1}"#;
        let status: Status = serde_json::from_str(older).unwrap();
        assert_eq!(status.old, None);
        assert_eq!(serde_json::to_string(&status).unwrap(), older);
    }
}
