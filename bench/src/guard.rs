//! Instructions of the hottest functions, counted by callgrind and held
//! against committed numbers. Counts are the same on every run of one build,
//! whatever else the machine does, so a person can run this anywhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum, value_parser};

use crate::subjects::Subjects;

/// What a count may be above the committed one.
const ABOVE_MAX: f64 = 0.05;
const TIMES: u32 = 10_000;
const INSTRUCTIONS_MAX: u64 = 1_000_000_000;

#[derive(Args)]
pub(crate) struct GuardArgs {
    /// Write the counts down instead of holding them against the file.
    #[arg(long)]
    write: bool,
    /// The file.
    #[arg(long, value_name = "F", default_value = "bench/instructions.toml")]
    file: PathBuf,
}

#[derive(Args)]
pub(crate) struct GuardedArgs {
    function: Function,
    #[arg(value_parser = value_parser!(u32).range(1..=1_000_000_000))]
    times: u32,
}

/// The three hottest functions of our own on the way of a check.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Function {
    /// Reading a check's frame.
    Decode,
    /// Finding the session in a record.
    View,
    /// Writing the answer.
    Encode,
}

impl Function {
    fn name(self) -> &'static str {
        match self {
            Function::Decode => "decode",
            Function::View => "view",
            Function::Encode => "encode",
        }
    }
}

/// Calls a function so often: what callgrind watches.
pub(crate) fn guarded(args: &GuardedArgs) -> anyhow::Result<ExitCode> {
    let mut subjects = Subjects::new().context("the subjects cannot be made")?;
    for _ in 0..args.times {
        let right = match args.function {
            Function::Decode => subjects.decode(),
            Function::View => subjects.view(),
            Function::Encode => subjects.encode(),
        };
        ensure!(right, "{:?} gave a wrong answer", args.function);
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn run(args: &GuardArgs) -> anyhow::Result<ExitCode> {
    let mut counted = BTreeMap::new();
    for function in Function::value_variants() {
        // What starting costs falls out of the difference.
        let (once, twice) = (
            instructions(*function, TIMES)?,
            instructions(*function, 2 * TIMES)?,
        );
        let each = twice.saturating_sub(once) / u64::from(TIMES);
        counted.insert(function.name(), each);
    }
    if args.write {
        let text = toml::to_string(&counted)?;
        std::fs::write(&args.file, text).with_context(|| args.file.display().to_string())?;
    }
    let committed = read(&args.file)?;
    let mut held = true;
    for (name, count) in &counted {
        let committed = committed.get(*name).copied();
        let committed = committed.with_context(|| format!("no count of {name}"))?;
        let above = *count as f64 / committed as f64 - 1.0;
        held &= above <= ABOVE_MAX;
        say!(
            "{name:8} {count:6} instructions, committed {committed}, {:+.1}%",
            above * 100.0
        );
    }
    if !held {
        say!(
            "more than {:.0}% above: find out why, or commit with --write",
            ABOVE_MAX * 100.0
        );
    }
    Ok(match held {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn read(file: &Path) -> anyhow::Result<BTreeMap<String, u64>> {
    let text = std::fs::read_to_string(file);
    let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
    let counts: BTreeMap<String, u64> =
        toml::from_str(&text).with_context(|| file.display().to_string())?;
    for (name, count) in &counts {
        ensure!(
            (1..=INSTRUCTIONS_MAX).contains(count),
            "{}: {name} = {count}: expected a number from 1 to {INSTRUCTIONS_MAX}",
            file.display()
        );
    }
    Ok(counts)
}

/// Of the whole process.
fn instructions(function: Function, times: u32) -> anyhow::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["guarded", function.name(), &times.to_string()])
        .stdout(Stdio::null())
        .output()
        .context("valgrind cannot be run: it is in every distribution's packages")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{text}");
    let count = text
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let count = count.and_then(|(_, count)| count.trim().parse().ok());
    count.with_context(|| format!("callgrind said {text}"))
}
