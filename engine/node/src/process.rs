//! What the process uses, under the names that every client of Prometheus gives
//! it. The counters of the recorder are whole numbers, and seconds are not.

use std::fmt::Write;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The lines of the page; what cannot be read is left out.
pub(crate) fn render() -> String {
    let mut out = String::new();
    let mut say = |name: &str, kind: &str, meaning: &str, value: Option<f64>| {
        let Some(value) = value else {
            return;
        };
        let value = match value.is_infinite() {
            true => "+Inf".to_owned(),
            false => value.to_string(),
        };
        // A string takes everything.
        let _ = writeln!(
            out,
            "# HELP {name} {meaning}\n# TYPE {name} {kind}\n{name} {value}"
        );
    };
    let memory = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let bytes = |field: usize| {
        let pages: u64 = memory.split(' ').nth(field)?.parse().ok()?;
        Some((pages * rustix::param::page_size() as u64) as f64)
    };
    say(
        "process_cpu_seconds_total",
        "counter",
        "time on a core, of all threads",
        Some(cpu_s()),
    );
    say(
        "process_resident_memory_bytes",
        "gauge",
        "memory in RAM",
        bytes(1),
    );
    say(
        "process_virtual_memory_bytes",
        "gauge",
        "memory asked for",
        bytes(0),
    );
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    say(
        "process_start_time_seconds",
        "gauge",
        "when the process began, Unix time",
        start_s(&stat),
    );
    say(
        "process_open_fds",
        "gauge",
        "files and sockets that are open",
        open_files(),
    );
    let most = getrlimit(Resource::Nofile).current;
    say(
        "process_max_fds",
        "gauge",
        "files and sockets that may be open",
        Some(most.map_or(f64::INFINITY, |most| most as f64)),
    );
    say("process_threads", "gauge", "threads", field(&stat, 20));
    out
}

fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A field of /proc/self/stat, counted from 1. The second one is a name in
/// brackets, which can hold anything.
fn field(stat: &str, number: usize) -> Option<f64> {
    let behind = stat.rsplit(')').next()?;
    let text = behind.split_whitespace().nth(number.checked_sub(3)?)?;
    text.parse().ok()
}

fn start_s(stat: &str) -> Option<f64> {
    let ticks = field(stat, 22)?;
    let boot = std::fs::read_to_string("/proc/stat").ok()?;
    let mut lines = boot.lines();
    let boot_s = lines.find_map(|line| line.strip_prefix("btime "))?;
    let boot_s: f64 = boot_s.trim().parse().ok()?;
    Some(boot_s + ticks / rustix::param::clock_ticks_per_second() as f64)
}

fn open_files() -> Option<f64> {
    let all = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them reads the folder.
    Some(all.saturating_sub(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_a_name_that_holds_anything() {
        let stat = format!(
            "7 (a) b) ((c) S {}",
            (4..60).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")
        );
        assert_eq!(field(&stat, 4), Some(4.0));
        assert_eq!(field(&stat, 22), Some(22.0));
        assert_eq!((field(&stat, 3), field("", 22)), (None, None));
    }

    #[test]
    fn every_line_can_be_read_here() {
        let page = render();
        assert_eq!(page.matches("# TYPE process_").count(), 7, "{page}");
        assert_eq!(page.matches("# HELP process_").count(), 7, "{page}");
    }
}
