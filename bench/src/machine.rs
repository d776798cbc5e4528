//! The machine: its facts, its cores, what processes use of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;

/// What a result was obtained on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    /// The commit of the working tree; with `+` when it differs from it.
    pub(crate) commit: String,
}

impl Machine {
    pub(crate) fn here() -> Machine {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let model = cpu.lines().find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split_once(": "));
        let memory = read("/proc/meminfo");
        let total = memory.split_whitespace().nth(1);
        let total_kib: u64 = total.and_then(|kib| kib.parse().ok()).unwrap_or(0);
        Machine {
            cpu: model.map_or("unknown", |(_, name)| name).trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: total_kib / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            commit: commit().unwrap_or_else(|| "unknown".to_owned()),
        }
    }
}

fn commit() -> Option<String> {
    let git = |args: &[&str]| {
        let output = std::process::Command::new("git").args(args).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let mut commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    if !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty() {
        commit.push('+');
    }
    Some(commit)
}

/// Which core does what. With one core alone nothing is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// What is measured: a node, an echo, Redis.
    Server,
    /// What measures.
    Generator,
    /// Both, for what is not measured.
    Either,
}

/// Lets this thread, and what it starts from now on, run on its side's core.
pub(crate) fn pin(side: Side) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut set = CpuSet::new();
    let all = ALL.get_or_init(|| sched_getaffinity(None).unwrap_or_default());
    let mine: Vec<_> = (0..CpuSet::MAX_CPU)
        .filter(|cpu| all.is_set(*cpu))
        .collect();
    match (side, mine.as_slice()) {
        (Side::Server, [first, _, ..]) => set.set(*first),
        (Side::Generator, [_, .., last]) => set.set(*last),
        _ => mine.iter().for_each(|cpu| set.set(*cpu)),
    }
    debug_assert!(cores > 0);
    // Not allowed in some containers: the figures are then what they are.
    let _ = sched_setaffinity(None, &set);
}

static ALL: std::sync::OnceLock<CpuSet> = std::sync::OnceLock::new();

/// What a process has used so far, at a glance: two small files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Glance {
    /// In hundredths of a second.
    pub(crate) cpu_cs: u64,
    pub(crate) rss_kib: u64,
}

impl Glance {
    /// Of a process; nothing when it is gone.
    pub(crate) fn of(process: u32) -> Glance {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}"));
        let (stat, statm) = (read("stat"), read("statm"));
        let stat = stat.unwrap_or_default();
        // After the name in brackets: user and system time are 12th and 13th.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let mut times = fields.split_whitespace().skip(11);
        let mut time = || times.next().and_then(|time| time.parse().ok()).unwrap_or(0);
        let pages = statm.unwrap_or_default();
        let pages = pages.split_whitespace().nth(1);
        Glance {
            cpu_cs: time() + time(),
            rss_kib: pages.and_then(|pages| pages.parse().ok()).unwrap_or(0) * 4,
        }
    }
}

/// What a process has used so far, by thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// By name of thread, numbers left out.
    pub(crate) threads: BTreeMap<String, Thread>,
}

/// What threads of one name have used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Thread {
    /// On a core.
    pub(crate) ns: u64,
    /// How often they waited for something, and were woken.
    pub(crate) wakes: u64,
}

impl Usage {
    /// Of a process; nothing when it is gone.
    pub(crate) fn of(process: u32) -> Usage {
        let root = PathBuf::from(format!("/proc/{process}"));
        let mut threads = BTreeMap::<String, Thread>::new();
        for task in std::fs::read_dir(root.join("task")).into_iter().flatten() {
            let Ok(task) = task else { continue };
            let (name, one) = thread(&task.path());
            let all = threads.entry(name).or_default();
            all.ns += one.ns;
            all.wakes += one.wakes;
        }
        Usage { threads }
    }

    pub(crate) fn cpu_ns(&self) -> u64 {
        self.threads.values().map(|thread| thread.ns).sum()
    }

    pub(crate) fn wakes(&self) -> u64 {
        self.threads.values().map(|thread| thread.wakes).sum()
    }

    /// What was used since an earlier look.
    pub(crate) fn since(&self, before: &Usage) -> Usage {
        let threads = self.threads.iter().map(|(name, thread)| {
            let before = before.threads.get(name).copied().unwrap_or_default();
            let since = Thread {
                ns: thread.ns.saturating_sub(before.ns),
                wakes: thread.wakes.saturating_sub(before.wakes),
            };
            (name.clone(), since)
        });
        Usage {
            threads: threads.collect(),
        }
    }
}

fn thread(task: &Path) -> (String, Thread) {
    let read = |name: &str| std::fs::read_to_string(task.join(name)).unwrap_or_default();
    let name = read("comm");
    let name = name
        .trim()
        .trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    let ns = read("schedstat");
    let ns = ns.split_whitespace().next().and_then(|ns| ns.parse().ok());
    let status = read("status");
    let wakes = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    let thread = Thread {
        ns: ns.unwrap_or(0),
        wakes: wakes
            .and_then(|wakes| wakes.trim().parse().ok())
            .unwrap_or(0),
    };
    (name.to_owned(), thread)
}
