//! One page with charts, whole in itself: nothing is fetched when it is read.

use std::fmt::Write;

use super::{Report, Second, Validity};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 200.0;
const COLOURS: [&str; 5] = ["#1769aa", "#c2410c", "#15803d", "#7e22ce", "#a16207"];

const HEAD: &str = r#"<!doctype html><html lang="en"><meta charset="utf-8">
<title>tidegate-bench</title><style>
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}figure{margin:1.5rem 0}figcaption{font-weight:600}
.valid{color:#15803d}.invalid{color:#b91c1c}svg text{font:11px system-ui,sans-serif;fill:#555}
</style>"#;

type Line<'a> = (&'a str, Box<dyn Fn(&Second) -> f64>);

/// The page of a result.
pub(crate) fn html(report: &Report) -> anyhow::Result<String> {
    let mut page = String::from(HEAD);
    let setting = &report.setting;
    let state = match report.validity {
        Validity::Valid => "valid",
        Validity::NothingAsked
        | Validity::NothingServed { .. }
        | Validity::NeverSent { .. }
        | Validity::GeneratorBusy { .. }
        | Validity::Late { .. } => "invalid",
    };
    write!(
        page,
        "<h1>{}</h1><p>{}</p><p class=\"{state}\">{}</p><p>Gives out first: {}.</p>",
        escape(&setting.mix),
        escape(&setting.about),
        report.validity,
        escape(&report.gives_out)
    )?;
    table(&mut page, report)?;
    let seconds = &report.seconds;
    chart(
        &mut page,
        "Requests per second",
        seconds,
        &[
            ("offered", Box::new(|second| second.offered as f64)),
            ("served", Box::new(|second| second.served as f64)),
            (
                "shed",
                Box::new(|second| second.shed.values().sum::<u64>() as f64),
            ),
            ("failed", Box::new(|second| second.failed as f64)),
        ],
    )?;
    chart(
        &mut page,
        "Latency of checks, ms (where there are none: of what there is)",
        seconds,
        &[
            ("p50", Box::new(|second| second.p50_ms)),
            ("p99", Box::new(|second| second.p99_ms)),
            ("max", Box::new(|second| second.max_ms)),
        ],
    )?;
    let shed: std::collections::BTreeSet<_> = seconds
        .iter()
        .flat_map(|second| second.shed.keys())
        .collect();
    if !shed.is_empty() {
        let lines: Vec<Line<'_>> = shed
            .into_iter()
            .map(|class| {
                let class: &'static str = class;
                let of = move |second: &Second| *second.shed.get(class).unwrap_or(&0) as f64;
                (class, Box::new(of) as Box<dyn Fn(&Second) -> f64>)
            })
            .collect();
        chart(&mut page, "Shed per second, by class", seconds, &lines)?;
    }
    chart(
        &mut page,
        "Cores in use",
        seconds,
        &[
            ("node", Box::new(|second| second.node_cpu)),
            ("generator", Box::new(|second| second.generator_cpu)),
        ],
    )?;
    chart(
        &mut page,
        "Memory of the node, MiB",
        seconds,
        &[("resident", Box::new(|second| second.node_rss_mib as f64))],
    )?;
    let machine = &report.machine;
    write!(
        page,
        "<p>{} ({} cores, {} MiB), Linux {}, commit {}. Node and generator are pinned to one \
         core each. Latency counts from the moment when a request was due, not from when it \
         was sent.</p></html>",
        escape(&machine.cpu),
        machine.cores,
        machine.memory_mib,
        escape(&machine.kernel),
        escape(&machine.commit)
    )?;
    Ok(page)
}

fn table(page: &mut String, report: &Report) -> std::fmt::Result {
    page.push_str(
        "<table><tr><th></th><th>offered/s</th><th>served/s</th><th>shed</th><th>came again</th>\
         <th>failed</th><th>wrong</th><th>p50 ms</th><th>p99</th><th>p99.9</th><th>max</th></tr>",
    );
    let all = std::iter::once(("all", &report.all));
    for (name, one) in all.chain(report.classes.iter().map(|(name, one)| (*name, one))) {
        let latency = &one.latency_ms;
        write!(
            page,
            "<tr><td>{name}</td><td>{:.0}</td><td>{:.0}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{:.2}</td><td>{:.2}</td><td>{:.2}</td><td>{:.2}</td></tr>",
            one.offered_per_s,
            one.served_per_s,
            one.shed,
            one.returned,
            one.failed,
            one.wrong,
            latency.p50,
            latency.p99,
            latency.p99_9,
            latency.max
        )?;
    }
    write!(
        page,
        "</table><p>{} connections with {} in flight each. The node used {:.2} µs of CPU per \
         request and holds {} MiB. The generator used {:.0}% of its core and sent {:.3}% late.</p>",
        report.connections,
        report.in_flight,
        report.node_cpu_us_per_request,
        report.node_rss_mib,
        report.generator.cpu_share * 100.0,
        report.generator.late_share * 100.0
    )
}

fn chart(
    page: &mut String,
    title: &str,
    seconds: &[Second],
    lines: &[Line<'_>],
) -> std::fmt::Result {
    let values = lines.iter().flat_map(|(_, of)| seconds.iter().map(of));
    let most = values.fold(0.0_f64, f64::max).max(1e-9);
    write!(
        page,
        "<figure><figcaption>{title}</figcaption>\
         <svg viewBox=\"-60 -10 {} {}\" role=\"img\">",
        WIDTH + 80.0,
        HEIGHT + 50.0
    )?;
    for part in [0.0, 0.5, 1.0] {
        let y = HEIGHT * (1.0 - part);
        write!(
            page,
            "<line x1=\"0\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#e5e5e5\"/>\
             <text x=\"-6\" y=\"{}\" text-anchor=\"end\">{}</text>",
            y + 4.0,
            short(most * part)
        )?;
    }
    let step = WIDTH / seconds.len().saturating_sub(1).max(1) as f64;
    for (place, (name, of)) in lines.iter().enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        write!(
            page,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\""
        )?;
        for (at, second) in seconds.iter().enumerate() {
            let y = HEIGHT * (1.0 - of(second) / most);
            write!(page, "{:.1},{y:.1} ", at as f64 * step)?;
        }
        let x = place as f64 * 120.0;
        write!(
            page,
            "\"/><rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"4\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{}\">{name}</text>",
            HEIGHT + 22.0,
            x + 18.0,
            HEIGHT + 28.0
        )?;
    }
    write!(
        page,
        "<text x=\"{WIDTH}\" y=\"{}\" text-anchor=\"end\">{} s</text></svg></figure>",
        HEIGHT + 14.0,
        seconds.len()
    )
}

fn short(value: f64) -> String {
    match value {
        _ if value >= 10_000.0 => format!("{:.0}k", value / 1000.0),
        _ if value >= 100.0 || value == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
