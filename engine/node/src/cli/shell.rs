//! What a shell and a manual want to know of the commands.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Command};
use clap_complete::{Generator, Shell};

use super::{YES, output};

#[derive(Args)]
pub(super) struct CompletionArgs {
    /// The shell.
    shell: Shell,
}

#[derive(Args)]
pub(super) struct ManArgs {
    /// The folder to write them into; it is made when it is not there.
    dir: PathBuf,
}

/// Prints what a shell needs to complete these commands.
pub(super) fn completion(args: &CompletionArgs, commands: &Command) -> anyhow::Result<u8> {
    // The shells' scripts would name hidden commands as well.
    let visible = commands.get_subcommands().filter(|one| !one.is_hide_set());
    let mut shown = Command::new("tidegate").subcommands(visible.cloned());
    if let Some(about) = commands.get_about() {
        shown = shown.about(about.clone());
    }
    shown.set_bin_name("tidegate");
    shown.build();
    let mut text = Vec::new();
    // `generate` would panic where it cannot write.
    args.shell
        .try_generate(&shown, &mut text)
        .context("the script cannot be made")?;
    let text = String::from_utf8(text).context("the script cannot be made")?;
    output::line(text.trim_end());
    Ok(YES)
}

/// Writes a manual page for each of these commands.
pub(super) fn man(args: &ManArgs, commands: Command) -> anyhow::Result<u8> {
    let shown = args.dir.display();
    std::fs::create_dir_all(&args.dir).with_context(|| format!("{shown} cannot be made"))?;
    clap_mangen::generate_to(commands, &args.dir)
        .with_context(|| format!("{shown} cannot be written"))?;
    Ok(YES)
}
