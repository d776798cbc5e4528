//! `tidegate-sim plan`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, value_parser};
use tidegate_sim::{Fleet, Given, Objective, Plan, PlanAsk, PlanReport, plan, plan_page, quoted};

use crate::sheet::Sheets;

use crate::{MISSED, SEED_MAX, calibration};

#[derive(Args)]
pub(crate) struct PlanArgs {
    /// A shipped scenario by its name, or a file; its store is FoundationDB.
    scenario: String,
    /// What must hold, instead of the scenario's: `p99(check) < 50ms`,
    /// `shed(check) = 0`, `in_within(10s) >= 99%`. May be given again.
    #[arg(long = "objective", value_name = "WORDS")]
    objectives: Vec<String>,
    /// Seeds that every fleet must hold on.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u64).range(0..=SEED_MAX))]
    seed: u64,
    /// Nodes that are lost when the rate is at its greatest: those that serve
    /// most people. Fewer than `--most`.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(0..=1_023))]
    spare: u32,
    /// The most nodes that are tried.
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u64).range(1..=1_024))]
    most: u64,
    /// Cores of a node that are tried, such as `2,4,8`; the scenario's, unless
    /// it says. The cheapest fleet wins, by the scenario's prices or by cores.
    #[arg(long, value_name = "N,N", value_delimiter = ',',
        value_parser = value_parser!(u64).range(1..=1_024))]
    cores: Vec<u64>,
    /// Threads of a node that hash which are tried, such as `1,2`.
    #[arg(long, value_name = "N,N", value_delimiter = ',',
        value_parser = value_parser!(u64).range(1..=1_024))]
    hashing_threads: Vec<u64>,
    /// What `tidegate-bench calibrate` wrote; the shipped one, unless it says.
    #[arg(long, value_name = "F")]
    calibration: Option<PathBuf>,
    /// Write the plan as JSON.
    #[arg(long, value_name = "F")]
    json: Option<PathBuf>,
    /// Write the plan as one HTML page.
    #[arg(long, value_name = "F.html")]
    report: Option<PathBuf>,
}

impl PlanArgs {
    /// The line that makes the same plan.
    fn again(&self) -> String {
        let mut line = format!("tidegate-sim plan {}", quoted(&self.scenario));
        let mut flag = |name: &str, value: &str| {
            line.push_str(&format!(" --{name} {}", quoted(value)));
        };
        for words in &self.objectives {
            flag("objective", words);
        }
        flag("seeds", &self.seeds.to_string());
        flag("seed", &self.seed.to_string());
        flag("spare", &self.spare.to_string());
        flag("most", &self.most.to_string());
        for (name, counts) in [
            ("cores", &self.cores),
            ("hashing-threads", &self.hashing_threads),
        ] {
            let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
            if !counts.is_empty() {
                flag(name, &counts.join(","));
            }
        }
        if let Some(path) = &self.calibration {
            flag("calibration", &path.display().to_string());
        }
        line
    }
}

pub(crate) fn run(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let sheets = Sheets::open(args.json.as_ref(), args.report.as_ref())?;
    let given = Given::named(&args.scenario)?;
    let calibration = calibration(args.calibration.as_ref())?;
    let objectives = args.objectives.iter().cloned().map(Objective::try_from);
    let ask = PlanAsk {
        objectives: objectives
            .collect::<Result<_, _>>()
            .map_err(anyhow::Error::msg)?,
        seeds: args.seeds,
        from: args.seed,
        spare: args.spare,
        most: args.most,
        cores: args.cores.clone(),
        hashing_threads: args.hashing_threads.clone(),
    };
    let tried = |fleet: &Fleet| {
        let word = match fleet.holds() {
            true => "holds",
            false => "does not hold",
        };
        say!("{}: {word}", fleet.words());
    };
    let found = plan(&given, &calibration, &ask, &tried)?;
    let status = match &found.smallest {
        Some(fleet) => {
            print_fleet(fleet, args.seeds);
            ExitCode::SUCCESS
        }
        None => {
            say!("\nno fleet of up to {} nodes holds", args.most);
            ExitCode::from(MISSED)
        }
    };
    print_limits(&found);
    say!("\nwhat it stands on:");
    for input in &found.inputs {
        say!("  {}: {} ({})", input.what, input.value, input.mark);
    }
    if !found.extrapolated.is_empty() {
        say!("extrapolated, because of");
    }
    for why in &found.extrapolated {
        say!("  {why}");
    }
    let report = PlanReport {
        scenario: given.name.clone(),
        about: given.scenario.about.clone(),
        seeds: args.seeds,
        from: args.seed,
        again: args.again(),
        plan: found,
    };
    say!("again: {}", report.again);
    if let Some(sheet) = sheets.json {
        sheet.write(&serde_json::to_string_pretty(&report)?)?;
    }
    if let Some(sheet) = sheets.report {
        sheet.write(&plan_page(&report)?)?;
    }
    Ok(status)
}

fn print_fleet(fleet: &Fleet, seeds: u64) {
    say!("\nsmallest fleet: {}", fleet.words());
    for lost in &fleet.lost {
        say!(
            "  it holds when node {}, with {} of 4096 slots, is lost at the worst moment",
            lost.node,
            lost.slots
        );
    }
    for objective in &fleet.worst {
        let words = objective.words();
        say!(
            "  {}: {words}, on the worst of {seeds} seeds",
            objective.objective
        );
        crate::printing::print_faults(objective, "    ");
    }
    say!(
        "  busiest second of a node: {:.0}% of its cores",
        fleet.busiest_percent
    );
    say!(
        "  hashing: {:.1} cores needed at most, {} given",
        fleet.hashing_cores,
        fleet.hashing_given()
    );
    let (commits, reads) = (fleet.commits_per_s, fleet.reads_per_s);
    say!("  store: {commits} commits/s and {reads} reads/s at most");
    say!("  network: {} requests/s at most", fleet.requests_per_s);
    if let (Some(per_hour), Some(cost)) = (fleet.cost_per_hour, fleet.cost) {
        say!("  cost: {per_hour:.2} an hour, {cost:.2} this night");
    }
    if let Some(price) = fleet.cost_per_million() {
        say!("  cost of a million sign-ins at this night's rate: {price:.2}");
    }
}

/// What breaks with less, and with more.
fn print_limits(found: &Plan) {
    if let Some(smaller) = &found.smaller {
        say!("\nwhat breaks with {}:", smaller.words());
        for objective in smaller.broken() {
            say!("  {}: {}", objective.objective, objective.words());
            crate::printing::print_faults(&objective, "    ");
        }
        if let Some(gives_out) = &smaller.gives_out {
            say!("  {}", gives_out.words());
        }
    }
    if let Some(headroom) = &found.headroom {
        say!("\nheadroom: {:.2} times the night's rates", headroom.times);
        for objective in &headroom.breaks {
            let words = objective.words();
            say!("  a little more breaks {}: {words}", objective.objective);
            crate::printing::print_faults(objective, "    ");
        }
        if let Some(gives_out) = &headroom.gives_out {
            say!("  {}", gives_out.words());
        }
    }
}
